"""The checks of what is no op: optimizers, random numbers, transfers, products in 16 bits, and ten steps of training."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from gpugrad import cuda, nn, optim, random
from gpugrad.arrays.devices import Device, move, on, to_numpy
from gpugrad.check.agreement import apart
from gpugrad.check.backend import NUMPY, Backend
from gpugrad.check.kernels import TOLERANCES, known, swapped
from gpugrad.check.result import Check, Measured
from gpugrad.nn import functional
from gpugrad.ops.contraction import matmul
from gpugrad.ops.conversion import asarray
from gpugrad.ops.shape import concat, reshape
from gpugrad.optim import Optimizer
from gpugrad.tape import Tensor
from gpugrad.trees import leaves

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.01),
    "SGD momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
    "SGD nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, maximize=True),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "Adam amsgrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "NAdam": lambda p: optim.NAdam(p, lr=0.01, weight_decay=0.1),
    "NAdam decoupled": lambda p: optim.NAdam(p, lr=0.01, weight_decay=0.1, decoupled_weight_decay=True),
    "RAdam": lambda p: optim.RAdam(p, lr=0.01, weight_decay=0.1),
    "RAdam rectified": lambda p: optim.RAdam(p, lr=0.01, betas=(0.9, 0.7), maximize=True),
    "Adamax": lambda p: optim.Adamax(p, lr=0.01, weight_decay=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, weight_decay=0.1),
    "RMSprop momentum": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.9),
    "RMSprop centered": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True, eps=0.1),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.5),
    "Adadelta": lambda p: optim.Adadelta(p, weight_decay=0.1),
    "ASGD": lambda p: optim.ASGD(p, lr=0.1, lambd=0.1, t0=0.0),
    "Rprop": lambda p: optim.Rprop(p, lr=0.1),
    "Lion": lambda p: optim.Lion(p, lr=0.01, weight_decay=0.1),
    "LAMB": lambda p: optim.LAMB(p, lr=0.01, weight_decay=0.1),
    "LARS": lambda p: optim.LARS(p, lr=0.1, momentum=0.0),
    "LARS nesterov": lambda p: optim.LARS(p, lr=0.1, weight_decay=0.1, nesterov=True),
    "Muon": lambda p: optim.Muon([x for x in p if len(x.shape) == 2], lr=0.1),
    "Muon adjusted": lambda p: optim.Muon(
        [x for x in p if len(x.shape) == 2], lr=0.01, adjust_lr_fn="match_rms_adamw", nesterov=False
    ),
    "L-BFGS": lambda p: optim.LBFGS(p, lr=0.1, max_iter=2),
    "L-BFGS Wolfe": lambda p: optim.LBFGS(p, lr=0.3, max_iter=1, line_search_fn="strong_wolfe"),
}
"""Of which L-BFGS alone waits for numbers, since it decides by them, and needs a closure."""

SHAPES = ((33, 65), (65,), (), (20011,), (7, 1, 3))
"""Of the parameters that optimizers update."""

DRAWS: dict[str, Callable[..., Tensor]] = {
    "normal": lambda g, n, device: g.normal(n, 1.0, 2.0, dtype="float32", device=device),
    "normal float64": lambda g, n, device: g.normal(n, dtype="float64", device=device),
    "uniform": lambda g, n, device: g.uniform(n, -1.0, 3.0, dtype="float32", device=device),
    "integers": lambda g, n, device: g.integers(n, -5, 1000, device=device),
    "bernoulli": lambda g, n, device: g.bernoulli(n, 0.3, device=device),
    "permutation": lambda g, n, device: g.permutation(n, device=device),
}
COUNTS = (0, 1, 5, 4099, 100003)
DTYPES = ("bool", "int8", "uint16", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128")
LOSSES = 1e-4
"""How far the losses of the first ten steps may be from those on the CPU, relative and absolute."""


def checks(backend: Backend) -> Iterator[Check]:
    """All of them; products in 16 bits on a GPU only."""
    for name in OPTIMIZERS:
        yield Check("optimizer", name, lambda b, name=name: _optimizer(name, b))  # type: ignore[misc]
    for name in DRAWS:
        yield Check("random", name, lambda b, name=name: _random(name, b))  # type: ignore[misc]
    yield Check("transfer", "all dtypes", _transfer)
    if backend is not NUMPY:
        for precision in ("float16", "bfloat16"):
            if known(precision):
                yield Check("gemm", precision, lambda b, p=precision: _products(p, b))  # type: ignore[misc]
    yield Check("training", "ten losses", _training)


def _optimizer(name: str, backend: Backend) -> Measured:
    """Parameters and state after three steps, against those on the CPU in float64."""
    exact = _updated(name, NUMPY, "float64")
    coarse = 0.02 if name.startswith("Muon") else 0.0  # it rounds to 8 bits on the way
    for precision, tolerance in (("float64", 1e-11 + coarse), ("float32", 1e-5 + coarse)):
        found = _updated(name, backend, precision)
        assert len(found) == len(exact), f"{len(found)} arrays of parameters and state, expected {len(exact)}"
        for x, y in zip(found, exact, strict=True):
            yield f"{name} in {precision}", apart(x, y, tolerance, tolerance)


def _updated(name: str, backend: Backend, precision: str) -> list[Any]:
    rng = numpy.random.default_rng(0)

    def draw(shape: tuple[int, ...]) -> Tensor:
        return asarray(backend.asarray(rng.normal(size=shape).astype(precision)))

    parameters = [draw(shape).requires_grad_() for shape in SHAPES]
    optimizer = OPTIMIZERS[name](parameters)

    def closure() -> Tensor:
        """The loss and gradients of a bowl, which a line search can follow."""
        for p in parameters:
            p.grad = p.detach() + targets[id(p)]
        return concat([reshape((p.detach() + targets[id(p)]) ** 2, (-1,)) for p in parameters]).sum() / 2

    for _ in range(3):
        targets = {id(p): draw(p.shape) for p in parameters}
        optimizer.step(closure)
    state = [x for x in leaves(optimizer.state_dict()["state"]) if isinstance(x, Tensor)]
    return [to_numpy(x.array) for x in (*parameters, *state)]


def _random(name: str, backend: Backend) -> Measured:
    """The same seed gives the same numbers as on the CPU: the same bits, but for the rounding of logarithms and cosines."""
    for seed, count in itertools.product((0, 2**63 + 11), COUNTS):
        found, expected = (DRAWS[name](random.Generator(seed), count, device) for device in (backend.device, "cpu"))
        assert found.dtype == expected.dtype, f"{name}: the dtype is {found.dtype}, expected {expected.dtype}"
        tolerance = {"normal": 1e-5, "normal float64": 1e-13}.get(name, 1e-300)
        yield f"{count} numbers of seed {seed}", apart(to_numpy(found.array), expected.numpy(), tolerance, tolerance)


def _transfer(backend: Backend) -> Measured:
    """There and back, bit for bit: all dtypes, arrays in any order, empty ones; and between GPUs, if there are several."""
    here = Device(backend.device)
    others = [Device("cuda", i) for i in range(cuda.device_count())] if here.type == "cuda" else []
    rng = numpy.random.default_rng(0)
    for dtype in DTYPES:
        values = rng.integers(0, 2, (5, 7, 11)).astype(dtype)
        for array in (values, values.transpose(2, 0, 1), values[::2, 1:, ::-3], values[0, 0, 0], values[:0]):
            there = move(array, here)
            yield f"{dtype} there and back", apart(to_numpy(there), array, 1e-300, 1e-300)
            for other in others:
                with on(other):
                    yield f"{dtype} on {other}", apart(to_numpy(move(move(there, other), here)), array, 1e-300, 1e-300)


def _products(precision: str, backend: Backend) -> Measured:
    """Matrix products of 16-bit numbers, summed in float32, with operands in any order, against float64."""
    rng = numpy.random.default_rng(0)
    for m, k, n, stack in ((64, 200, 48, ()), (33, 65, 31, ()), (16, 40, 24, (3,)), (7, 33, 5, (2, 3))):
        x, y = (rng.uniform(-1, 1, (*stack, *shape)).astype(precision) for shape in ((m, k), (k, n)))
        a, b = backend.asarray(x), backend.asarray(y)
        with_order = {"": (a, b), " transposed": (swapped(a, backend), swapped(b, backend))}
        exact = x.astype(float) @ y.astype(float)
        for order, (left, right) in with_order.items():
            out = backend.to_numpy(matmul(left, right))
            assert out.dtype == x.dtype, f"the dtype is {out.dtype}, expected {x.dtype}"
            yield f"{x.shape} @ {y.shape}{order}", apart(out, exact, TOLERANCES[precision], TOLERANCES[precision])


def _training(backend: Backend) -> Measured:
    """The losses of the first steps of a small network with dropout and normalization."""
    expected = losses("cpu")
    for step, (x, y) in enumerate(zip(losses(backend.device), expected, strict=True), 1):
        yield f"the loss of step {step}", apart(x, y, LOSSES, LOSSES)
    assert expected[-1] < expected[0], "the loss does not fall"


def losses(device: str, steps: int = 10) -> list[float]:
    """Losses of a 64-96-10 network, trained with Adam on data that are the same everywhere."""
    rng = numpy.random.default_rng(0)
    x = asarray(rng.normal(size=(128, 64)).astype("float32"), device=device)
    labels = asarray(rng.integers(0, 10, 128), device=device)
    random.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 96), nn.LayerNorm(96), nn.GELU(), nn.Dropout(0.1), nn.Linear(96, 10)).to(device)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    found = []
    for _ in range(steps):
        loss = functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.detach())
    return [value.item() for value in found]
