"""What is no array, given as an operand: every function refuses it in one clear sentence that begins with its name."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import gpugrad as gg

# Their first parameter is a function, a dtype, a shape, a setting or data of any kind: no operand.
NO_OPERANDS = frozenset(
    """__array_namespace_info__ are_deterministic_algorithms_enabled arange asarray broadcast_shapes can_cast checkpoint custom_vjp debug
    einsum empty enable_grad eye finfo from_dlpack full fuse get_default_device get_default_dtype get_float32_matmul_precision
    get_num_threads grad gradients hessian hvp iinfo is_deterministic_algorithms_warn_only_enabled is_grad_enabled isdtype jacobian jvp
    linspace load load_chainer manual_seed no_grad ones result_type save set_default_device set_default_dtype set_float32_matmul_precision
    set_grad_enabled set_num_threads stop_gradient tensor use_deterministic_algorithms value_and_grad vjp zeros backward fftfreq
    rfftfreq""".split()
)


def functions() -> Iterator[Any]:
    for module in (gg, gg.linalg, gg.fft, gg.special):
        for name in module.__all__:
            function = getattr(module, name)
            if inspect.isfunction(function) and (module is gg.special or name not in NO_OPERANDS):
                yield pytest.param(function, id=f"{module.__name__}.{name}")


def others(function: Any) -> list[Any]:
    """Good arguments for the parameters after the first that must be given."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    integers = {"d": 2, "axis": 0, "axes": (0,), "shape": (2,), "repetitions": (2,), "repeats": 2, "dtype": gg.float32, "n": 1}
    return [
        integers.get(p.name, gg.asarray([1.0, 2.0]))
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]


@pytest.mark.parametrize("function", list(functions()))
def test_each_function_refuses_what_is_no_array(function):
    for bad in ([1.0, 2.0], None, "a"):
        with pytest.raises(gg.GpugradError, match=f"^{function.__name__}: ") as caught:
            function(bad, *others(function), **({"upper": True} if function is gg.linalg.solve_triangular else {}))
        assert isinstance(caught.value, gg.DTypeError) or (
            function is gg.concat and bad == [1.0, 2.0]
        )  # which have no axis to join


@pytest.mark.parametrize(
    "call, kind",
    [
        (lambda: gg.special.logsumexp([1.0]), "list"),
        (lambda: gg.special.softplus([1.0]), "list"),
        (lambda: gg.tile(None, (2,)), "NoneType"),
        (lambda: gg.vecdot(gg.ones(2), [1.0, 2.0]), "list"),
        (lambda: gg.special.logsumexp(gg.ones(2), b=[1.0, 2.0]), "list"),
        (lambda: gg.stack([1.0, 2.0]), "float"),
        (lambda: gg.sum(None), "NoneType"),
        (lambda: gg.broadcast_to(1.0, (3,)), "float"),
        (lambda: gg.special.jvp([1.0], gg.ones(1)), "list"),
    ],
)
def test_the_message_tells_the_type_and_what_to_do(call, kind):
    with pytest.raises(
        gg.DTypeError, match=rf"^\w+: got {kind}, expected a Tensor(,| or) an array.*; convert it with gg.asarray$"
    ):
        call()


def test_a_call_that_does_not_fit_the_signature_is_a_plain_type_error():
    with pytest.raises(TypeError, match="missing 1 required positional argument") as caught:
        gg.vecdot(gg.ones(2))
    assert not isinstance(caught.value, gg.GpugradError)


def test_another_error_of_types_tells_what_was_given():
    with pytest.raises(gg.DTypeError, match=r"^tile: got float32 \(2,\) and 2: "):
        gg.tile(gg.ones(2), 2)


def test_what_is_no_dtype_is_refused():
    for function in (gg.finfo, gg.iinfo, gg.result_type):
        with pytest.raises(gg.DTypeError, match="is no dtype"):
            function([1.0])


def test_the_axes_of_softmax_are_told_in_its_own_words():
    x = gg.ones(3)
    for function in (gg.special.softmax, gg.special.log_softmax):
        with pytest.raises(gg.AxisError, match=f"^{function.__name__}: axis 7 is out of range for an array of 1 dimensions"):
            function(x, axis=7)
        with pytest.raises(gg.ShapeError, match=rf"^{function.__name__}: axis is \(0, 0\)"):
            function(x, axis=(0, 0))


@pytest.mark.parametrize("index", [1.5, 1.0])
def test_indices_and_shifts_are_integers(index, device):
    x = gg.asarray([1.0, 2.0, 3.0]).to(device)
    for operand in (x, x.array):
        with pytest.raises(gg.DTypeError, match="^take: "):
            gg.take(operand, index, axis=0)
        with pytest.raises(gg.DTypeError, match="^roll: "):
            gg.roll(operand, index)
        with pytest.raises(gg.DTypeError, match="^roll: "):
            gg.roll(operand, (index,), axis=(0,))
        assert gg.take(operand, 1, axis=0) == 2 and gg.roll(operand, 1)[0] == 3


def test_arrays_of_another_library_come_by_dlpack():
    array_api_strict = pytest.importorskip("array_api_strict")
    with pytest.raises(gg.DeviceError, match="^add: .* bring an array of another library with gg.from_dlpack, or gg.asarray"):
        gg.add(gg.ones(2), array_api_strict.ones(2))


def test_options_that_are_unknown_are_errors_of_gpugrad():
    calls = [
        lambda: gg.meshgrid(gg.ones(2), indexing="x"),
        lambda: gg.linalg.qr(gg.eye(2), mode="x"),
        lambda: gg.fft.fft(gg.ones(2), norm="x"),
        lambda: gg.diff(gg.ones(2), n=-1),
    ]
    for call in calls:
        with pytest.raises(gg.OptionError, match="expected"):
            call()
