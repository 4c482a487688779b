"""layers: layers forward and backward, gpugrad beside PyTorch with the same weights, input and gradient of the result.

Each work has a row for its time and one for the most memory that it takes, measured in a process of its own. What is written
once with the names that both libraries have runs on both, so it is the libraries that are compared and not two spellings of a
model. ``run.py layers.conv2d`` runs one work alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import peak_memory, peers
from benchmarks.devices import gpugrad_columns, waiting
from benchmarks.libraries import LIBRARIES, PYTORCH
from gpugrad.bench.gpt import make_block
from gpugrad.bench.method import Column, Row, disagreement, interleaved, numbers, ratio, spreads

TOLERANCE = 1e-4
"""How far results and gradients may be apart, in units of the largest element of each."""

Step = Callable[[], list[Any]]
"""Forward and backward once: the result, the gradient of the input, and those of the parameters, in the order of their names."""


@dataclass(frozen=True)
class Work:
    """A module of either library and what goes into it; its result, or the first of several, is what gradients come from.

    `limit` and `memory_limit` say how many times as much as PyTorch's its time and its memory may be, on the CPU.
    """

    name: str
    description: str
    make: Callable[[Any], Any]  # from gpugrad, or torch, to the module
    shape: tuple[int, ...]  # of the input
    limit: float
    memory_limit: float = 1.2


WORKS = {
    work.name: work
    for work in (
        Work("conv2d", "Conv2d(32, 64, 3, padding=1), 28x28, batch 64", lambda lib: lib.nn.Conv2d(32, 64, 3, padding=1),
             (64, 32, 28, 28), 1.3),
        Work("lstm", "LSTM(64, 128), 50 steps, batch 32", lambda lib: lib.nn.LSTM(64, 128), (50, 32, 64), 1.0),
        Work("gpt", "GPT block, d 128, 4 heads, 64 tokens, batch 16", make_block, (16, 64, 128), 1.0),
    )
}  # fmt: skip


def run(device: str, rounds: int, names: tuple[str, ...] = tuple(WORKS)) -> list[Row]:
    """Time and memory of each work, against PyTorch eager."""
    works = [WORKS[name] for name in names]
    return [row for work in works for row in (_timed(work, device, rounds), _memory(work, device, rounds))]


def _timed(work: Work, device: str, rounds: int) -> Row:
    """Void unless the results and all gradients agree."""
    columns = [Column(name, with_gpugrad(work, on), waiting(on)) for name, on in gpugrad_columns(device).items()]
    torch = peers.torch(device)
    if torch is not None:
        wait = waiting("cpu") if device == "cpu" else torch.cuda.synchronize
        columns.append(Column(LIBRARIES[PYTORCH].column(device), with_torch(work, torch, device), wait))
    described = f"{work.description}, forward + backward"
    void = disagreement({column.name: _scaled(column.step()) for column in columns}, TOLERANCE)
    if void:
        return Row("layers", described, void=void)
    seconds = interleaved(columns, rounds=rounds)
    ours, *others = seconds
    limits = {"PyTorch eager": work.limit}
    return Row(
        "layers", described, "ms", spreads(seconds, 1e3), [ratio(seconds, ours, name, limits.get(name)) for name in others]
    )


def _memory(work: Work, device: str, rounds: int) -> Row:
    return peak_memory.measured(
        "layers", f"{work.description}, peak memory", device, rounds, work.memory_limit, "cases.layers", work.name
    )


def _scaled(arrays: list[Any]) -> list[float]:
    """What is compared of results: gradients of weights are sums over all that the weights met, and large."""
    values = [numpy.asarray(array.detach().cpu().numpy(), dtype=numpy.float64) for array in arrays]
    return numbers([value / (numpy.abs(value).max() or 1.0) for value in values])


def data(work: Work) -> tuple[dict[str, Any], Any, Any]:
    """The initial weights, the input and the gradient of the result, the same for both libraries, as NumPy arrays."""
    gg.manual_seed(0)
    model = work.make(gg)
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    rng = numpy.random.default_rng(0)
    x = rng.standard_normal(work.shape).astype(numpy.float32)
    with gg.no_grad():
        out = _first(model(gg.asarray(x[:1])))
    g = rng.standard_normal((len(x), *out.shape[1:])).astype(numpy.float32)
    return state, x, g


def with_gpugrad(work: Work, device: str, count: int | None = None) -> Step:
    """The work with gpugrad, on all or on the first few rows of its input."""
    state, x, g = data(work)
    model = work.make(gg)
    model.load_state_dict({name: gg.asarray(value) for name, value in state.items()})
    model.to(device)
    return _step(model, gg.tensor(x[:count], device=device, requires_grad=True), gg.asarray(g[:count], device=device))


def with_torch(work: Work, torch: Any, device: str, count: int | None = None) -> Step:
    """The work with PyTorch."""
    state, x, g = data(work)
    model = work.make(torch)
    model.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    model.to(device)
    return _step(model, torch.tensor(x[:count], device=device, requires_grad=True), torch.tensor(g[:count], device=device))


def _step(model: Any, x: Any, g: Any) -> Step:
    parameters = [value for _, value in sorted(model.named_parameters())]

    def step() -> list[Any]:
        for leaf in (x, *parameters):
            leaf.grad = None
        out = _first(model(x))
        out.backward(g)
        return [out, x.grad, *(value.grad for value in parameters)]

    return step


def _first(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result


def for_memory(library: str, device: str, name: str) -> tuple[Step, Step]:
    """What memory.py runs to warm the library up, and what it measures."""
    build: Callable[..., Step] = with_gpugrad
    if library == "torch":
        torch = peers.torch(device)
        build = lambda work, *arguments: with_torch(work, torch, *arguments)
    return build(WORKS[name], device, 1), build(WORKS[name], device)
