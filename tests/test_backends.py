"""The backends refuse what they are there to refuse."""

from __future__ import annotations

import numpy
import pytest
from backends import CUPY, NUMPY, READ_ONLY, STRICT, WITHOUT_CUPY, Backend

import gpugrad as gg


def test_cupy_is_among_the_backends(request: pytest.FixtureRequest) -> None:
    if not CUPY.available:
        pytest.skip(f"CuPy: {WITHOUT_CUPY}")
    assert gg.asarray(CUPY.asarray(numpy.ones(2))).device == "cuda:0"


def test_arrays_go_there_and_back(backend: Backend) -> None:
    values = numpy.asarray([[1.5, 2.0], [0.0, -1.0]])
    array = backend.asarray(values)
    assert backend.is_array(array)
    assert gg.asarray(array).device == backend.device
    numpy.testing.assert_array_equal(backend.to_numpy(array), values)


def test_a_read_only_array_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        READ_ONLY.asarray(numpy.ones(2))[0] = 2


def test_the_pretend_device_does_not_mix_with_another() -> None:
    here = STRICT.asarray(numpy.ones(2))
    elsewhere = here.__array_namespace__().ones(2)
    with pytest.raises(gg.DeviceError, match=r"add: operands are on .*CPU_DEVICE.* and .*device1"):
        gg.add(here, elsewhere)


def test_arrays_of_two_libraries_do_not_mix() -> None:
    with pytest.raises(gg.DeviceError, match=r"multiply: operands are on .*array_api_strict.*numpy\.ndarray.*gg\.from_dlpack"):
        gg.multiply(NUMPY.asarray(numpy.ones(2)), STRICT.asarray(numpy.ones(2)))
