"""gpugrad.arrays.dtypes: NumPy's dtypes on every backend."""

import subprocess
import sys

import array_api_strict
import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays.dtypes import default_dtype, is_inexact, native_dtype, numpy_dtype, real_dtype
from gpugrad.errors import DTypeError

NAMES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
    "complex64", "complex128",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_public_dtypes_are_numpys(name):
    dtype = getattr(gg, name)
    assert dtype == np.dtype(name) and isinstance(dtype, np.dtype) and dtype == name


@pytest.mark.parametrize("name", [name for name in NAMES if name != "float16"])
def test_the_dtypes_of_another_library_are_translated(name):
    theirs = getattr(array_api_strict, name)
    assert numpy_dtype(theirs) == np.dtype(name)
    assert native_dtype(array_api_strict.ones(2), np.dtype(name)) == theirs


@pytest.mark.parametrize("name", NAMES)
def test_names_and_types_are_translated(name):
    assert numpy_dtype(name) is np.dtype(name) and numpy_dtype(np.dtype(name).type) is np.dtype(name)
    assert native_dtype(np.ones(2), np.dtype(name)) is np.dtype(name)


def test_python_types_are_translated():
    assert [numpy_dtype(t) for t in (bool, int, float, complex)] == [gg.bool, gg.int64, gg.float64, gg.complex128]


def test_none_stays_none():
    assert native_dtype(np.ones(2), None) is None and native_dtype(array_api_strict.ones(2), None) is None


def test_a_dtype_that_another_library_lacks():
    with pytest.raises(DTypeError, match="dtype float16: array_api_strict has none of this name"):
        native_dtype(array_api_strict.ones(2), gg.float16)


def test_what_is_no_dtype_is_refused():
    with pytest.raises(DTypeError, match="is not the dtype of an array that gpugrad knows"):
        numpy_dtype(3.5)


@pytest.mark.parametrize(
    "dtype, message", [("float31", "unknown dtype 'float31'"), (object, "is object"), (str, "is <U0"), ("M8[s]", "datetime64")]
)
def test_dtypes_of_no_numbers_are_refused(dtype, message):
    with pytest.raises(DTypeError, match=message.replace("[", r"\[")):
        numpy_dtype(dtype)
    with pytest.raises(DTypeError, match=message.replace("[", r"\[")):
        gg.ones(2).astype(dtype)
    with pytest.raises(DTypeError, match=message.replace("[", r"\[")):
        gg.zeros(2, dtype=dtype)


@pytest.mark.parametrize("name", NAMES)
def test_is_inexact(name):
    assert is_inexact(np.dtype(name)) is name.startswith(("float", "complex"))


def test_is_inexact_for_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 comes from ml_dtypes")
    assert is_inexact(np.dtype(ml_dtypes.bfloat16))


@pytest.mark.parametrize(
    "dtype, real", [("complex64", "float32"), ("complex128", "float64"), ("float16", "float16"), ("int8", "int8")]
)
def test_real_dtype(dtype, real):
    assert real_dtype(dtype) == np.dtype(real)


def test_defaults_for_python_numbers():
    assert [default_dtype(kind) for kind in "bifc"] == [gg.bool, gg.int64, gg.float32, gg.complex64]


def test_bfloat16_is_of_a_package_to_be_imported():
    code = "import gpugrad as gg\ntry: gg.ones(2, dtype='bfloat16')\nexcept gg.DTypeError as error: print(error)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.endswith("or its name; import ml_dtypes first, which has it\n")
