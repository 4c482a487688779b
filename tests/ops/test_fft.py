"""What the records in gpugrad/check/records/fft.py do not say: signatures, conventions at the ends of a spectrum, refusals."""

from __future__ import annotations

import inspect
from typing import Any

import array_api_strict
import numpy
import pytest
from backends import Backend
from hypothesis import given
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.testing import assert_close, check_grads

ONE = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
SEVERAL = ["fftn", "ifftn", "rfftn", "irfftn"]
OF_REAL = {"rfft", "ihfft", "rfftn"}
TO_REAL = {"irfft", "hfft", "irfftn"}
NORMS = ["backward", "ortho", "forward"]


def of(name: str) -> Any:
    return getattr(gg.fft, name)


def drawn(name: str, shape: tuple[int, ...], seed: int = 0) -> Any:
    rng = numpy.random.default_rng(seed)
    values = rng.uniform(-1, 1, shape)
    return values if name in OF_REAL else values + 1j * rng.uniform(-1, 1, shape)


def matrix(name: str, n: int, norm: str) -> Any:
    """The sum of n points that defines a transform, as a matrix."""
    inverse = name in ("ifft", "irfft", "ihfft")
    factor = {"backward": 1 / n if inverse else 1.0, "ortho": n**-0.5, "forward": 1.0 if inverse else 1 / n}[norm]
    return factor * numpy.exp((2j if inverse else -2j) * numpy.pi * numpy.outer(numpy.arange(n), numpy.arange(n)) / n)


@pytest.mark.parametrize("name", gg.fft.__all__)
def test_signatures_are_those_of_the_standard(name: str) -> None:
    def parameters(function: Any) -> list[tuple[str, Any, Any]]:
        return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]

    assert parameters(of(name)) == parameters(getattr(array_api_strict.fft, name))
    assert set(gg.fft.__all__) == set(array_api_strict.fft.__all__)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("name", ONE)
def test_values_and_gradients_are_those_of_the_sum(name: str, n: int, norm: str) -> None:
    """With the transform as a matrix M, the gradient of Re <v, M x> is M* v."""
    half, full = n // 2 + 1, matrix(name, n, norm)
    x = drawn(name, (half if name in TO_REAL else n,))
    found, pull = gg.vjp(lambda x: of(name)(x, n=n, norm=norm), x)
    v = drawn("rfft" if name in TO_REAL else "fft", found.shape, seed=1)
    if (
        name in TO_REAL
    ):  # M is that of the whole spectrum, x and its mirror image; what stands for itself counts once, by its real part
        alone = 2 * numpy.arange(half) % n == 0
        mirror = full[:, -numpy.arange(half)] * ~alone
        expected = (full[:, :half] @ numpy.where(alone, x.real, x) + mirror @ x.conj()).real
        gradient = full[:, :half].conj().T @ v + mirror.T @ v
        gradient = numpy.where(alone, gradient.real, gradient)
    elif name in OF_REAL:
        expected, gradient = full[:half] @ x, (full[:half].conj().T @ v).real
    else:
        expected, gradient = full @ x, full.conj().T @ v
    assert_close([found, pull(v)[0]], [expected, gradient], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 4, 5, 6])
@pytest.mark.parametrize("name", ["irfft", "hfft"])
def test_imaginary_parts_without_a_counterpart_have_no_gradient(name: str, n: int) -> None:
    x = drawn(name, (n // 2 + 1,))
    gradient = gg.grad(lambda x: gg.sum(of(name)(x, n=n) * numpy.arange(1.0, n + 1)))(x)
    assert gradient[0].imag == 0 and gradient[0].real != 0
    assert n % 2 or gradient[n // 2].imag == 0
    x[0] += 1j
    assert_close(of(name)(x, n=n), of(name)(drawn(name, (n // 2 + 1,)), n=n))


@given(
    st.sampled_from(SEVERAL),
    st.permutations([0, 1, 2]),
    st.integers(1, 3),
    st.lists(st.sampled_from([-1, 1, 2, 3, 4, 5]), min_size=3, max_size=3),
    st.sampled_from(NORMS),
)
def test_several_axes_are_one_after_the_other(name: str, order: list[int], count: int, sizes: list[int], norm: str) -> None:
    x = drawn(name, (3, 2, 4))
    axes, s = order[:count], sizes[:count]
    last = (s[-1] if s[-1] != -1 else None) if name != "irfftn" or s[-1] != -1 else 2 * (x.shape[axes[-1]] - 1)
    steps = [("fft" if "ifft" not in name and name != "irfftn" else "ifft", n, axis) for n, axis in zip(s, axes, strict=True)]
    steps[-1] = (name.removesuffix("n"), last, axes[-1])
    if name == "rfftn":  # the real array first, the half spectrum last
        steps = [steps[-1], *steps[:-1]]

    def in_turn(x: Any) -> Any:
        for step, n, axis in steps:
            x = of(step)(x, n=None if n == -1 else n, axis=axis, norm=norm)
        return x

    found, pull = gg.vjp(lambda x: of(name)(x, s=s, axes=axes, norm=norm), x)
    expected, pull_in_turn = gg.vjp(in_turn, x)
    assert_close(found, expected, rtol=1e-12, atol=1e-13)
    assert_close(pull(found), pull_in_turn(expected), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", [*ONE, *SEVERAL])
def test_derivatives_of_third_order(name: str) -> None:
    check_grads(lambda x: gg.sum(gg.abs(of(name)(x)) ** 2 * gg.sin(gg.real(of(name)(x)))), drawn(name, (3, 4)), order=3)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [1, 4, 5])
def test_inverses(n: int, norm: str) -> None:
    real, complexes = drawn("rfft", (2, n)), drawn("fft", (2, n))
    assert_close(gg.fft.ifft(gg.fft.fft(complexes, norm=norm), norm=norm), complexes)  # type: ignore[arg-type]
    assert_close(gg.fft.irfft(gg.fft.rfft(real, norm=norm), n=n, norm=norm), real)  # type: ignore[arg-type]
    assert_close(gg.fft.hfft(gg.fft.ihfft(real, norm=norm), n=n, norm=norm), real)  # type: ignore[arg-type]
    assert_close(gg.fft.ifftshift(gg.fft.fftshift(real)), real)


@pytest.mark.parametrize("name", [*ONE, *SEVERAL])
@pytest.mark.parametrize(("given", "result"), [("float16", "complex64"), ("float32", "complex64"), ("float64", "complex128")])
def test_precision_is_kept(name: str, given: str, result: str) -> None:
    """Of real x; float16, which no transform has, is computed and comes out in single precision, and its gradient is float16."""
    x = gg.asarray(numpy.asarray([[1.0, 2.0], [3.0, 5.0]], dtype=given)).requires_grad_()
    out = of(name)(x)
    assert out.dtype == (result if name not in TO_REAL else {"complex64": "float32", "complex128": "float64"}[result])
    gg.sum(gg.real(out)).backward()
    assert x.grad.dtype == given


def test_sizes_without_axes_are_those_of_the_last_axes() -> None:
    x = drawn("fftn", (2, 3, 4))
    assert_close(gg.fft.fftn(x, s=(2, 5)), numpy.fft.fftn(x, s=(2, 5), axes=(-2, -1)))


def test_nothing_to_transform_gives_a_copy() -> None:
    x = gg.asarray([1j, 2.0])
    out = gg.fft.fftn(x, axes=())
    out[0] = 5
    assert_close([x, out], [numpy.asarray([1j, 2]), numpy.asarray([5, 2 + 0j])])


X = numpy.ones((2, 3))
REFUSED = [
    ("fft", (X,), {"n": 0}, gg.ShapeError, "fft: n is 0, expected 1 or more"),
    ("rfft", (X,), {"n": -1}, gg.ShapeError, "rfft: n is -1, expected 1 or more"),
    ("fft", (X[:, :0],), {}, gg.ShapeError, r"fft: got shape \(2, 0\), with sizes \(0,\)"),
    ("irfft", (X[:, :1],), {}, gg.ShapeError, r"irfft: got shape \(2, 1\), with sizes \(0,\)"),
    ("fft", (X,), {"axis": 2}, gg.ShapeError, "fft: axis 2 is out of range for an array of 2 dimensions"),
    ("fft", (X[0, 0],), {}, gg.ShapeError, "fft: axis -1 is out of range for an array of 0 dimensions"),
    ("fft", (X,), {"n": 2.5}, gg.DTypeError, "fft: n is 2.5, expected an integer"),
    ("fft", (X,), {"norm": "unitary"}, ValueError, "fft: norm is 'unitary', expected 'backward', 'ortho' or 'forward'"),
    ("fft", (X.astype(int),), {}, gg.DTypeError, r"fft: got int64 \(2, 3\), expected real or complex floating-point"),
    ("hfft", (X > 0,), {}, gg.DTypeError, r"hfft: got bool \(2, 3\), expected real or complex floating-point"),
    ("rfftn", (X + 1j,), {}, gg.DTypeError, r"rfftn: got complex128 \(2, 3\), expected real floating-point"),
    ("fft", ([1.0, 2.0],), {}, gg.DTypeError, r"fft: got \[1.0, 2.0\], expected a Tensor or an array"),
    ("fftn", (X,), {"axes": (0, -2)}, gg.ShapeError, r"fftn: axes are \(0, -2\) .*, expected each of them once"),
    ("fft", (X,), {"axis": (0, 1)}, gg.DTypeError, r"fft: axis is \(0, 1\), expected an integer"),
    ("fftn", (X,), {"axes": 1.5}, gg.DTypeError, "fftn: axes are 1.5, expected integers"),
    ("rfftn", (X,), {"s": 1.5}, gg.DTypeError, "rfftn: sizes are 1.5, expected integers"),
    ("ifftn", (X,), {"s": (2, 1.5)}, gg.DTypeError, "ifftn: the size of an axis is 1.5, expected an integer"),
    ("ifftshift", (X,), {"axes": 1.5}, gg.DTypeError, "ifftshift: axes are 1.5, expected integers"),
    ("fftfreq", (4,), {"d": "a second"}, ValueError, "fftfreq: d is 'a second', expected the distance between two samples"),
    ("fftn", (X,), {"s": (1, 2), "axes": (0,)}, gg.ShapeError, r"fftn: s is \(1, 2\) for axes \(0,\), expected as many"),
    ("ifftn", (X,), {"s": (1, 2, 3)}, gg.ShapeError, "ifftn: axis -3 is out of range"),
    (
        "irfftn",
        (X,),
        {"s": (2, 0), "axes": (0, 1)},
        gg.ShapeError,
        r"with sizes \(2, 0\) along axes \(0, 1\), expected 1 or more",
    ),
    ("rfftn", (X,), {"axes": ()}, gg.ShapeError, r"rfftn: got shape \(2, 3\) and no axes, expected one or more"),
    ("fftshift", (X,), {"axes": (1, 1)}, gg.ShapeError, r"fftshift: axes are \(1, 1\)"),
    ("fftfreq", (0,), {}, gg.ShapeError, "fftfreq: n is 0, expected 1 or more"),
    ("fftfreq", (4.0,), {}, gg.DTypeError, "fftfreq: n is 4.0, expected an integer"),
    ("rfftfreq", (4,), {"d": 0}, ValueError, "rfftfreq: d is 0, expected the distance between two samples"),
    ("rfftfreq", (4,), {"dtype": gg.int64}, gg.DTypeError, "rfftfreq: dtype is int64, expected a real floating-point one"),
]


@pytest.mark.parametrize(("name", "args", "options", "error", "message"), REFUSED)
def test_refuses_on_every_backend(name: str, args: Any, options: Any, error: Any, message: str, backend: Backend) -> None:
    arrays = [backend.asarray(x) if isinstance(x, (numpy.ndarray, numpy.generic)) else x for x in args]
    with pytest.raises(error, match=message):
        of(name)(*arrays, **options)


@pytest.mark.parametrize("d", [1.0, 0.25, -3])
@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_frequencies_are_those_at_which_a_wave_of_that_frequency_peaks(n: int, d: float) -> None:
    frequencies = gg.fft.fftfreq(n, d=d, dtype=gg.float64)
    for k in range(n):
        wave = numpy.exp(2j * numpy.pi * numpy.asarray(frequencies.array)[k] * d * numpy.arange(n))
        assert int(gg.argmax(gg.abs(gg.fft.fft(wave)))) == k
    assert_close(abs(gg.fft.rfftfreq(n, d=d, dtype=gg.float64)), abs(frequencies[: n // 2 + 1]))
    assert gg.fft.fftfreq(n, d=d).dtype == gg.get_default_dtype()


def test_a_fused_function_may_transform() -> None:
    x = drawn("rfft", (2048,))

    def power(x: Any) -> Any:
        return gg.sum(gg.abs(gg.fft.rfft(gg.tanh(x))) ** 2)

    assert_close(gg.grad(gg.fuse(power))(x), gg.grad(power)(x))
