"""gpugrad.arrays.kernels: which function computes an op for which arrays."""

import array_api_strict
import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays import numpy as numpy_backend
from gpugrad.arrays.kernels import Kernels, is_cupy, strong
from gpugrad.errors import DeviceError, UnsupportedOperandError


def definition(x, y=None, /, **options):
    return "definition", x, y


class Subclass(np.ndarray):
    pass


def test_numpys_own_function_is_the_kernel_of_an_op_of_the_standard():
    assert Kernels("sin", definition)[np.ndarray] is np.sin
    assert Kernels("sin", definition)[np.float64] is np.sin


def test_a_spelling_comes_first():
    kernels = Kernels("sum", definition)
    assert kernels[np.ndarray] is numpy_backend.SPELLINGS["sum"] is not np.sum


def test_what_numpy_lacks_is_computed_by_the_definition():
    assert Kernels("no_such_function", definition)[np.ndarray] is definition


def test_an_op_that_only_shares_its_name_with_a_function_is_not_that_function():
    assert Kernels("sin", definition, standard=False)[np.ndarray] is definition


def test_where_numpy_departs_from_the_standard_compat_is_the_kernel():
    kernel = Kernels("argsort", definition)[np.ndarray]
    assert kernel is not np.argsort
    assert kernel(np.array([2, 1, 3]), descending=True).tolist() == [2, 0, 1]


def test_other_libraries_are_computed_by_the_definition():
    assert Kernels("sin", definition)[type(array_api_strict.ones(1))] is definition


def test_a_table_looks_up_once(monkeypatch):
    kernels = Kernels("sin", definition)
    found = kernels[np.ndarray]
    monkeypatch.setattr(numpy_backend, "spelling", None)
    assert kernels[np.ndarray] is found and list(kernels) == [np.ndarray]


def test_numbers_in_numbers_out():
    kernel = Kernels("sin", definition)[float]
    assert type(kernel(0.5)) is float and kernel(0.5) == float(np.sin(0.5))
    assert gg.add(2, 3) == 5 and type(gg.add(2, 3)) is int and type(gg.add(2, 3.0)) is float


@pytest.mark.parametrize("kind", [str, list, dict, object])
def test_what_is_no_array_is_refused(kind):
    with pytest.raises(UnsupportedOperandError, match=f"sin: got {kind.__name__}, expected a Tensor, an array or a number"):
        Kernels("sin", definition)[kind]


def test_arrays_go_with_numbers_and_scalars():
    kernels = Kernels("add", definition)
    for types in ((np.ndarray, float), (int, np.ndarray), (np.ndarray, np.float64), (np.float32, np.ndarray)):
        assert kernels.combined[types] is np.add
    assert kernels.combined[np.float32, np.float64] is np.add
    assert kernels.combined[np.ndarray, Subclass] is np.add


def test_none_stands_for_an_operand_left_out():
    assert gg.clip(np.array([1.0, 5.0]), None, 3.0).tolist() == [1.0, 3.0]
    assert gg.clip(gg.asarray(np.array([1.0, 5.0])), 2.0).tolist() == [2.0, 5.0]


def test_two_kinds_of_arrays_do_not_go_together():
    with pytest.raises(
        DeviceError,
        match=r"add: operands are on .*array_api_strict.* and cpu \(numpy.ndarray\); bring an array of another library",
    ):
        Kernels("add", definition).combined[np.ndarray, type(array_api_strict.ones(1))]
    with pytest.raises(UnsupportedOperandError, match="add: got str"):
        Kernels("add", definition).combined[np.ndarray, str]


def test_numpy_scalars_become_arrays_for_libraries_that_refuse_them():
    x = array_api_strict.asarray([1.0, 2.0])
    seen = []
    kernels = Kernels("add", lambda x, y: seen.append((type(x), type(y), y.dtype)))
    kernels.combined[type(x), np.float32](x, np.float32(3))
    assert seen == [(type(x), type(x), array_api_strict.float32)]


def test_strong(backend):
    like = backend.asarray(np.ones(2, np.float32))
    weak, scalar = strong(2.5, like), strong(np.float64(2.5), like)
    assert backend.is_array(weak) and backend.is_array(scalar)
    assert gg.asarray(weak).dtype == gg.float32 and gg.asarray(scalar).dtype == gg.float64
    assert gg.asarray(weak).device == backend.device and gg.asarray(weak).item() == 2.5


def test_is_cupy():
    assert not is_cupy(np.ndarray) and not is_cupy(gg.Tensor) and not is_cupy(int)
    assert is_cupy(type("ndarray", (), {"__module__": "cupy"})) and not is_cupy(type("x", (), {"__module__": "cupyish"}))


def test_numpy_subclasses_are_computed_by_numpy():
    x = np.arange(3.0).view(Subclass)
    assert gg.sin(x).tolist() == np.sin(np.arange(3.0)).tolist()
    assert (gg.asarray(x) + np.ones(3)).tolist() == [1.0, 2.0, 3.0]
