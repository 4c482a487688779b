"""gpugrad.arrays.special: whose function computes what, in which dtype and where."""

import logging

import array_api_strict
import ml_dtypes
import numpy as np
import pytest
import scipy.special
from backends import Backend

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy, say_once
from gpugrad.arrays.special import _COMPOSED, evaluate
from gpugrad.errors import DeviceError, DTypeError, ShapeError

X = np.array([0.25, 0.5, 1.5])
needs_cupy = pytest.mark.skipif(not gg.cuda.is_available(), reason="CuPy: there is no GPU here")


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint16", "bool"])
def test_integers_and_booleans_are_taken_as_float64(dtype, backend: Backend):
    x = np.array([1, 0, 1], dtype)
    out = evaluate("erfc", backend.asarray(x))
    assert backend.is_array(out)
    assert backend.to_numpy(out).dtype == np.float64
    np.testing.assert_allclose(backend.to_numpy(out), scipy.special.erfc(x), rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_numbers_of_16_bits_are_computed_in_float32_and_rounded_once(dtype, backend: Backend):
    if backend.name == "array-api-strict":
        pytest.skip("array-api-strict has no numbers of 16 bits")
    x = X.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    out = backend.to_numpy(evaluate("gammainc", 2.0, backend.asarray(x)))
    assert out.dtype == x.dtype
    np.testing.assert_array_equal(out, scipy.special.gammainc(np.float32(2), x.astype("float32")).astype(x.dtype))


@pytest.mark.parametrize(
    ("operands", "dtype"),
    [
        ((2.0, np.float32), np.float32),
        ((2, np.float32), np.float32),
        ((np.float64(2), np.float32), np.float64),
        ((np.array([1, 2, 3]), np.float32), np.float64),
        ((np.float32(2), np.float16), np.float32),
    ],
)
def test_operands_promote_as_scipy_s_but_python_numbers_widen_nothing(operands, dtype, backend: Backend):
    first, kind = operands
    if kind is np.float16 and backend.name == "array-api-strict":
        pytest.skip("array-api-strict has no numbers of 16 bits")
    shape = backend.asarray(first) if isinstance(first, np.ndarray) else first
    out = gg.special.gammaincc(shape, gg.asarray(backend.asarray(X.astype(kind))))
    assert out.dtype == dtype
    tolerance = 1e-13 if dtype == np.float64 and kind is not np.float32 else 1e-6
    np.testing.assert_allclose(backend.to_numpy(out.array), scipy.special.gammaincc(first, X), rtol=tolerance)


def test_a_number_gives_a_number_and_a_scalar_a_scalar():
    assert (type(gg.special.gamma(4)), gg.special.gamma(4)) == (float, 6.0)
    assert (type(gg.special.gammainc(1, True)), type(gg.special.wofz(1.0))) == (float, complex)
    assert type(gg.special.gamma(np.float32(4))) is np.float32
    assert type(gg.special.beta(np.float32(4), 2)) is np.float32


def test_the_number_of_trials_may_be_floating_point(backend: Backend):
    """SciPy deprecates that, as a warning, which is an error here."""
    p = np.array([0.25, 0.5], np.float32)
    trials = backend.asarray(np.array([5.0, 4.0], np.float32))
    out = evaluate("bdtr", 2.0, trials, backend.asarray(p))
    assert backend.to_numpy(out).dtype == np.float32
    np.testing.assert_allclose(backend.to_numpy(out), scipy.special.bdtr(2, np.array([5, 4]), p), rtol=1e-6)


def test_another_library_gets_its_arrays_on_their_device():
    x = array_api_strict.asarray(X, device=array_api_strict.Device("device1"))
    out = evaluate("betainc", 2.0, x, 0.5)
    assert out.device == x.device
    np.testing.assert_allclose(
        np.asarray(out.to_device(array_api_strict.Device("CPU_DEVICE"))), scipy.special.betainc(2, X, 0.5), rtol=1e-14
    )


def test_what_is_wrong_is_said():
    with pytest.raises(DTypeError, match="gammainc: got complex64, expected real floating-point"):
        gg.special.gammainc(2.0, np.ones(2, "complex64"))
    with pytest.raises(DTypeError, match="gammaln: got a complex number, expected real floating-point"):
        gg.special.gammaln(1j)
    with pytest.raises(ShapeError, match=r"beta: shapes \(2,\) and \(3,\) do not broadcast"):
        gg.special.beta(np.ones(2), np.ones(3))
    with pytest.raises(DTypeError, match="gamma"):
        gg.special.gamma([1.0, 2.0])
    with pytest.raises(DTypeError, match="gamma"):
        gg.special.gamma(np.array(["a"]))
    with pytest.raises(DeviceError, match="beta: operands are on"):
        gg.special.beta(np.ones(2), array_api_strict.asarray(np.ones(2)))


def test_inside_fused_functions_what_has_no_kernel_runs_as_it_is():
    f = gg.fuse(lambda x: gg.special.gammaln(x) * x)
    np.testing.assert_allclose(f(X), scipy.special.gammaln(X) * X, rtol=1e-14)
    assert gg.grad(lambda x: gg.sum(f(x)))(X) == pytest.approx(scipy.special.psi(X) * X + scipy.special.gammaln(X))


@needs_cupy
def test_what_cupy_lacks_is_computed_on_the_cpu_and_said_once(caplog):
    cupy = import_cupy()
    say_once.cache_clear()
    with caplog.at_level(logging.WARNING, "gpugrad"):
        out = [evaluate("erfi", cupy.asarray(X)) for _ in range(2)]
    assert [r.getMessage() for r in caplog.records] == [
        "gpugrad: erfi: CuPy has no kernel for it, so it is computed on the CPU, and the arrays travel there and back"
    ]
    assert isinstance(out[0], cupy.ndarray)
    np.testing.assert_allclose(out[0].get(), scipy.special.erfi(X), rtol=1e-14)


@needs_cupy
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(_COMPOSED))
def test_what_cupy_lacks_is_made_of_what_it_has(name, dtype, caplog):
    cupy = import_cupy()
    say_once.cache_clear()
    rng = np.random.default_rng(0)
    count = getattr(scipy.special, name).nin
    for places in ([0, 1, 2], [0], [count - 1]):  # which operands are arrays
        operands = [rng.uniform(0.1, 0.9, 5).astype(dtype) if i in places else 0.5 for i in range(count)]
        if name == "stdtr" and count - 1 in places:
            operands[-1] = (operands[-1] * 9 - 4).astype(dtype)
        with caplog.at_level(logging.WARNING, "gpugrad"):
            out = evaluate(name, *(cupy.asarray(x) if isinstance(x, np.ndarray) else x for x in operands))
        assert isinstance(out, cupy.ndarray) and out.dtype == dtype
        tolerance = 1e-13 if dtype == "float64" else 1e-4
        np.testing.assert_allclose(out.get(), getattr(scipy.special, name)(*operands), rtol=tolerance)
    assert not caplog.records


@needs_cupy
def test_complex_numbers_go_to_the_cpu_only_where_cupy_takes_none(caplog):
    cupy = import_cupy()
    say_once.cache_clear()
    z = cupy.asarray(X + 1j)
    with caplog.at_level(logging.WARNING, "gpugrad"):
        evaluate("gamma", z)
        assert not caplog.records
        out = evaluate("erf", z)
    assert len(caplog.records) == 1
    np.testing.assert_allclose(out.get(), scipy.special.erf(X + 1j), rtol=1e-14)


@needs_cupy
@pytest.mark.skipif(gg.cuda.device_count() < 2, reason="needs two GPUs")
def test_results_are_where_the_operands_are():
    x = gg.asarray(X, device="cuda:1").requires_grad_()
    for out in (gg.special.gamma(x), gg.special.erfi(x), gg.special.gammainc(2, x), gg.special.gammaincc(np.float64(2), x)):
        assert out.device == "cuda:1"
        assert gg.gradients(gg.sum(out), [x])[0].device == "cuda:1"
    with pytest.raises(DeviceError, match="cuda:0 and cuda:1"):
        gg.special.beta(gg.asarray(X, device="cuda:0"), x)
