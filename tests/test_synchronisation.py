"""Nothing in a training step waits for the GPU or copies to or from it: the main job, and each layer, loss, function and optimizer.

On the stand-in for CuPy, which counts.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backends import CUPY
from layers import CASES
from layers.case import LayerCase
from layers.run import inputs, made

import gpugrad as gg
from gpugrad import nn
from gpugrad.arrays.devices import import_cupy
from gpugrad.check.parts import OPTIMIZERS
from gpugrad.nn import functional as F
from gpugrad.trees import leaves

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
if not hasattr(cupy, "standin"):
    pytest.skip("only the stand-in counts", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[1]


def there(*shape: int) -> Any:
    return gg.asarray(np.random.default_rng(sum(shape)).normal(size=shape).astype("float32"), device="cuda")


def whole(low: int, high: int, *shape: int) -> Any:
    return gg.asarray(np.random.default_rng(0).integers(low, high, shape), device="cuda")


def leaf(*shape: int) -> Any:
    return there(*shape).requires_grad_()


def assert_never_waits(step: Callable[[], Any], draws: int = 0) -> None:
    """A step that draws random numbers sends the GPU where they begin: six words a draw, through pinned memory, which nothing
    waits for."""
    for _ in range(2):  # the first step compiles, and makes buffers
        step()
    with cupy.standin.counting() as seen:
        step()
    assert (seen.reads, seen.waits, seen.uploads) == ([], 0, draws)


# The main job -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def job() -> Any:
    for library in ("sklearn", "matplotlib", "tqdm"):
        pytest.importorskip(library)
    spec = importlib.util.spec_from_file_location("train_digits", ROOT / "examples" / "train_digits.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The losses of all steps, as Tensors on their device."""
    found: list[Any] = []
    forward = nn.CrossEntropyLoss.forward

    def recorded(self: Any, *arguments: Any) -> Any:
        found.append(forward(self, *arguments))
        return found[-1]

    monkeypatch.setattr(nn.CrossEntropyLoss, "forward", recorded)
    return found


def test_the_main_job_reads_three_numbers_an_epoch(job: Any) -> None:
    """The mean loss and two accuracies. The steps between read nothing and wait for nothing."""
    job.train("cuda", 1, 0)
    with cupy.standin.counting() as seen:
        job.train("cuda", 2, 0)
    assert seen.reads == ["item"] * 6 and seen.waits == 0


def test_the_main_job_has_the_losses_of_the_cpu(job: Any, losses: list[Any]) -> None:
    histories = [job.train(device, 1, 0)[1] for device in ("cpu", "cuda")]
    half = len(losses) // 2
    assert [x.device.type for x in losses] == ["cpu"] * half + ["cuda"] * half
    here, gpu = ([x.item() for x in part[:10]] for part in (losses[:half], losses[half:]))
    np.testing.assert_allclose(gpu, here, rtol=0, atol=1e-4)
    assert here[-1] < here[0]
    np.testing.assert_allclose(histories[1], histories[0], atol=0.01)


# Layers, losses, optimizers -----------------------------------------------------------------------------------------

X = (8, 6)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_layer(case: LayerCase) -> None:
    """Or a loss."""
    layer, (args, options) = made(case, CUPY, "float32"), inputs(case, CUPY, "float32")

    def step() -> None:
        for y in leaves(case.output(layer, nn, args, options)):
            if isinstance(y, gg.Tensor) and y.requires_grad:
                gg.sum(y**2).backward(retain_graph=True)

    assert_never_waits(step, case.draws)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer(name: str) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.LayerNorm(5), nn.Dropout(0.1), nn.Linear(5, 3)).to("cuda")
    optimizer, x, labels = OPTIMIZERS[name](model.parameters()), there(*X), whole(0, 3, 8)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    assert_never_waits(step, draws=1)


# Functions ----------------------------------------------------------------------------------------------------------

FUNCTIONS: dict[str, Callable[[], Callable[[], Any]]] = {
    **{name: lambda name=name: (lambda x: lambda: getattr(F, name)(x))(leaf(*X)) for name in ("gelu", "relu", "sigmoid", "silu")},
    **{name: lambda name=name: (lambda x: lambda: getattr(F, name)(x, 1))(leaf(*X)) for name in ("softmax", "log_softmax")},
    "layer_norm": lambda: (lambda x, w: lambda: F.layer_norm(x, 6, w))(leaf(*X), leaf(6)),
    "rms_norm": lambda: (lambda x, w: lambda: F.rms_norm(x, 6, w))(leaf(*X), leaf(6)),
    "linear": lambda: (lambda x, w, b: lambda: F.linear(x, w, b))(leaf(2, 4, 6), leaf(5, 6), leaf(5)),
    "dropout": lambda: (lambda x: lambda: F.dropout(x, 0.5))(leaf(*X)),
    "cross_entropy": lambda: (lambda x, y, w: lambda: F.cross_entropy(x, y, w))(leaf(*X), whole(0, 6, 8), there(6)),
    "nll_loss": lambda: (lambda x, y: lambda: F.nll_loss(x, y))(leaf(*X), whole(0, 6, 8)),
    "mse_loss": lambda: (lambda x, y: lambda: F.mse_loss(x, y))(leaf(*X), there(*X)),
    "embedding": lambda: (lambda i, w: lambda: F.embedding(i, w))(whole(0, 5, 9), leaf(5, 3)),
    "conv1d": lambda: (lambda x, w, b: lambda: F.conv1d(x, w, b, padding=1))(leaf(2, 3, 8), leaf(4, 3, 3), leaf(4)),
    "conv2d": lambda: (lambda x, w: lambda: F.conv2d(x, w, stride=2, padding=1))(leaf(2, 3, 6, 6), leaf(4, 3, 3, 3)),
    "conv3d": lambda: (lambda x, w: lambda: F.conv3d(x, w))(leaf(2, 3, 4, 4, 4), leaf(4, 3, 2, 2, 2)),
    **{
        f"{kind}_pool{n}d": lambda kind=kind, n=n: (lambda x: lambda: getattr(F, f"{kind}_pool{n}d")(x, 2))(leaf(2, 3, *[4] * n))
        for kind in ("avg", "max") for n in (1, 2, 3)
    },
    "unfold": lambda: (lambda x: lambda: F.unfold(x, 2))(leaf(2, 3, 4, 4)),
    "fold": lambda: (lambda x: lambda: F.fold(x, (4, 4), 2))(leaf(2, 12, 9)),
    "scaled_dot_product_attention": lambda: (
        lambda q, k, v: lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)
    )(leaf(2, 2, 5, 4), leaf(2, 2, 5, 4), leaf(2, 2, 5, 4)),
}  # fmt: skip


def test_every_function_is_here() -> None:
    assert set(F.__all__) == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function(name: str) -> None:
    function = FUNCTIONS[name]()
    assert_never_waits(lambda: gg.sum(function() ** 2).backward(), draws=int(name == "dropout"))


@pytest.mark.parametrize("on", [False, True])
@pytest.mark.parametrize("name", ["embedding", "take", "getitem"])
def test_scattered_gradients(name: str, on: bool) -> None:
    """Atomic and deterministic."""
    w, i = leaf(5, 3), whole(0, 5, 9)
    function = {"embedding": lambda: F.embedding(i, w), "take": lambda: gg.take(w, i, axis=0), "getitem": lambda: w[i]}[name]
    gg.use_deterministic_algorithms(on)
    try:
        assert_never_waits(lambda: gg.sum(function() ** 2).backward())
    finally:
        gg.use_deterministic_algorithms(False)
