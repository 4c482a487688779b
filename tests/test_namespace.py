"""gpugrad.namespace: the inspection of the standard."""

import array_api_compat
import numpy as np
import pytest

import gpugrad as gg


@pytest.fixture
def info():
    return gg.__array_namespace_info__()


def test_a_tensor_names_its_namespace():
    x = gg.ones(2)
    assert x.__array_namespace__() is gg and x.__array_namespace__(api_version="2025.12") is gg
    assert array_api_compat.array_namespace(x, gg.zeros(3)) is gg


def test_an_unknown_version_is_refused():
    with pytest.raises(ValueError, match="API version '2019.12' is not supported, only 2022.12, "):
        gg.ones(2).__array_namespace__(api_version="2019.12")


def test_version():
    assert gg.__array_api_version__ == "2025.12"


def test_capabilities(info):
    found = info.capabilities()
    assert found == {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}
    gg.zeros((1,) * 64)
    assert gg.nonzero(gg.asarray(np.array([0, 1])))[0].tolist() == [1]


def test_devices(info):
    assert info.default_device() == "cpu" and "cpu" in list(info.devices())
    assert len(info.devices()) == 1 + gg.cuda.device_count()


def test_the_default_device_is_one_of_them(info, device):
    with gg.device(device):
        assert info.default_device() in info.devices() and gg.ones(1).device == info.default_device()


def test_default_dtypes(info):
    assert info.default_dtypes() == {
        "real floating": np.float32, "complex floating": np.complex64, "integral": np.int64, "indexing": np.int64,
    }  # fmt: skip
    assert info.default_dtypes(device="cpu") == info.default_dtypes()
    assert gg.ones(1).dtype == info.default_dtypes()["real floating"] and gg.argmax(gg.ones(2)).dtype == gg.int64
    try:
        gg.set_default_dtype(gg.float64)
        assert info.default_dtypes()["complex floating"] == np.complex128
    finally:
        gg.set_default_dtype(gg.float32)


@pytest.mark.parametrize(
    "kind, count",
    [
        (None, 13), ("bool", 1), ("signed integer", 4), ("unsigned integer", 4), ("integral", 8), ("real floating", 2),
        ("complex floating", 2), ("numeric", 12), (("bool", "integral"), 9), ((), 0),
    ],
)  # fmt: skip
def test_dtypes(info, kind, count):
    found = info.dtypes(kind=kind)
    assert len(found) == count
    assert all(getattr(gg, name) is dtype and dtype.name == name for name, dtype in found.items())


def test_unknown_kinds_and_devices(info):
    with pytest.raises(ValueError, match="unknown kind 'floating'"):
        info.dtypes(kind="floating")
    with pytest.raises(gg.DeviceError, match="unknown device 'gpu'"):
        info.dtypes(device="gpu")
