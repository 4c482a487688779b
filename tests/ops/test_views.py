"""Seen as another dtype: what is refused; values and gradients are checked by the records."""

import numpy
import pytest
from backends import STRICT, Backend

import gpugrad as gg
from gpugrad.ops.views import view
from gpugrad.testing import assert_close


def test_the_gradient_of_a_complex_tensor_passes_through_its_real_numbers() -> None:
    z = gg.tensor(numpy.asarray([1 + 2j, 3 - 1j]), requires_grad=True)
    reals = z.view(gg.float64)
    assert reals.tolist() == [1.0, 2.0, 3.0, -1.0] and reals.view(gg.complex128).tolist() == z.tolist()
    gg.sum(reals * gg.asarray([1.0, 10.0, 100.0, 1000.0], dtype=gg.float64)).backward()
    assert z.grad.tolist() == [1 + 10j, 100 + 1000j]


def test_nan_and_infinity_stay_in_their_part(backend: Backend) -> None:
    x = numpy.asarray([1.0, numpy.inf, -0.0, numpy.nan])
    if backend is not STRICT:  # which has no way to put parts together but to add them
        assert_close(backend.to_numpy(view(backend.asarray(x), gg.complex128)), x.view("complex128"))
    z = x.view("complex128")
    assert_close(backend.to_numpy(view(backend.asarray(z), gg.float64)), x)


def test_what_is_not_contiguous() -> None:
    x = numpy.arange(12.0).reshape(2, 6)[:, ::-1]
    assert_close(gg.asarray(x).view(gg.complex128).array, x.copy().view("complex128"))


def test_with_its_own_dtype_a_tensor_is_itself() -> None:
    x = gg.ones(3)
    assert x.view(gg.float32) is x


@pytest.mark.parametrize(
    "shape, dtype, target, error, message",
    [
        (
            (2,),
            gg.float64,
            gg.complex64,
            gg.DTypeError,
            "view: got float64 and complex64, expected a complex dtype and that of",
        ),
        ((2,), gg.float32, gg.int32, gg.DTypeError, "view: got float32 and int32"),
        ((2, 3), gg.float64, gg.complex128, gg.ShapeError, r"view: got shape \(2, 3\), expected a last axis of even size"),
        ((), gg.complex128, gg.float64, gg.ShapeError, r"view: got shape \(\), expected a last axis"),
    ],
)
def test_other_dtypes_and_shapes_are_refused(shape, dtype, target, error, message) -> None:
    with pytest.raises(error, match=f"^{message}"):
        gg.ones(shape, dtype=dtype).view(target)
