"""The public API as a type checker sees it: mypy checks this file, nothing runs it."""

from typing import Any, assert_type

import numpy

import gpugrad as gg

x = gg.tensor([1.0, 2.0], requires_grad=True)

assert_type(x, gg.Tensor)
assert_type(x + 1, gg.Tensor)
assert_type(2.0 * x, gg.Tensor)
assert_type(x @ x, gg.Tensor)
assert_type(x < 1, gg.Tensor)
assert_type(-x, gg.Tensor)
assert_type(x[0], gg.Tensor)
assert_type(x.sum(axis=0), gg.Tensor)
assert_type(x.shape, tuple[int, ...])
assert_type(x.grad, gg.Tensor | None)
assert_type(x.requires_grad_(), gg.Tensor)

assert_type(gg.exp(x), gg.Tensor)
assert_type(gg.add(x, 1), gg.Tensor)
assert_type(gg.multiply(2, x), gg.Tensor)
assert_type(gg.sum(x, axis=0, keepdims=True), gg.Tensor)
assert_type(gg.reshape(x, (2, 1)), gg.Tensor)
assert_type(gg.concat([x, x]), gg.Tensor)
assert_type(gg.unstack(x), tuple[gg.Tensor, ...])
assert_type(gg.zeros((2, 3)), gg.Tensor)

array = numpy.ones(3)
assert_type(gg.exp(array), "numpy.ndarray[tuple[int], numpy.dtype[numpy.float64]]")

with gg.no_grad():
    y = x * 2
assert_type(gg.random.normal((2,)), gg.Tensor)
assert_type(gg.load("weights.safetensors"), dict[str, Any])
gg.sum(x, keepdims="yes")  # type: ignore[arg-type]
gg.zeros("three")  # type: ignore[arg-type]
gg.exp(x, x)  # type: ignore[call-arg]


@gg.no_grad()
def evaluate(batch: gg.Tensor) -> Any:
    return batch.item()


@gg.no_grad
def doubled(batch: gg.Tensor) -> gg.Tensor:
    return batch * 2


assert_type(doubled(x), gg.Tensor)
gg.set_grad_enabled(True)
x.sum(dim=0)  # type: ignore[call-arg]
