"""Training steps: a model, a loss, an optimizer and batches, written once with the names that gpugrad and PyTorch share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import gpugrad
from gpugrad.arrays.devices import Device, DeviceLike
from gpugrad.bench.case import Case, Work

FIRST_STEPS = 5
TOLERANCE = 1e-4
"""How far the losses of the first steps may be apart."""

Step: TypeAlias = Callable[[], Any]
"""One training step. It returns the loss, a 0-d tensor of the library; reading that would wait for a GPU and is not part of it."""


@dataclass(frozen=True)
class Training:
    """What is trained. `make`, `loss` and `optimizer` are given a library: the module gpugrad, or torch.

    :param make: the model.
    :param loss: of (library, prediction, target).
    :param optimizer: of (library, parameters).
    :param batches: inputs and targets as NumPy arrays; the steps take them in turn.
    """

    make: Callable[[Any], Any]
    loss: Callable[[Any, Any, Any], Any]
    optimizer: Callable[[Any, Any], Any]
    batches: Sequence[tuple[Any, Any]]

    def state(self) -> Mapping[str, Any]:
        """The initial parameters, the same in every call, as NumPy arrays by their names in either library."""
        generator = gpugrad.random.default_generator
        kept = generator.get_state()
        generator.manual_seed(0)
        try:
            return {name: value.numpy() for name, value in self.make(gpugrad).state_dict().items()}
        finally:
            generator.set_state(kept)


def training_step(
    library: Any,
    training: Training,
    place: Callable[[Any], Any],
    device: Any,
    compiled: Callable[[Any], Any] = lambda model: model,
) -> Step:
    """A step with gpugrad, or with torch. `place` makes a tensor on the device of a NumPy array; `compiled` may wrap the model."""
    model = training.make(library)
    model.load_state_dict({name: place(value) for name, value in training.state().items()})
    model.to(device)
    optimizer = training.optimizer(library, model.parameters())
    forward = compiled(model)
    data = itertools.cycle([(place(x), place(y)) for x, y in training.batches])

    def step() -> Any:
        x, y = next(data)
        optimizer.zero_grad()
        loss = training.loss(library, forward(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def with_gpugrad(training: Training, device: DeviceLike) -> Step:
    """The step with gpugrad."""
    return training_step(gpugrad, training, lambda array: gpugrad.asarray(array, device=device), device)


def training_case(
    name: str, work: str, problem: Callable[[int], Training], batches: Sequence[int], *, quick: Sequence[int]
) -> Case:
    """The step as a case of the backend comparison, for batches of these sizes, of which `quick` are measured when time is short."""

    def prepare(batch: int, device: Device) -> Work:
        step = with_gpugrad(problem(batch), device)
        return Work(step, lambda: [step().item() for _ in range(FIRST_STEPS)])

    return Case(name, work, "batch", batches, quick, prepare, reserve=3.0, tolerance=TOLERANCE)


def cross_entropy(library: Any, prediction: Any, target: Any) -> Any:
    """The mean cross-entropy of (N, C) scores and (N,) labels."""
    return library.nn.functional.cross_entropy(prediction, target)
