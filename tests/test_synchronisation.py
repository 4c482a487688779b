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


def training(name: str) -> tuple[Any, Callable[[], Any]]:
    """An optimizer, and a closure that computes the loss and gradients of its model."""
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.LayerNorm(5), nn.Dropout(0.1), nn.Linear(5, 3)).to("cuda")
    optimizer, x, labels = OPTIMIZERS[name](model.parameters()), there(*X), whole(0, 3, 8)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        return loss

    return optimizer, closure


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if not name.startswith("L-BFGS")])
def test_an_optimizer(name: str) -> None:
    optimizer, closure = training(name)
    assert_never_waits(lambda: optimizer.step(closure), draws=1)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name.startswith("L-BFGS")])
def test_lbfgs_waits_for_the_numbers_that_it_decides_by(name: str) -> None:
    """The loss and its slope of each evaluation, and six more in each iteration; never for an array."""
    optimizer, closure = training(name)
    for _ in range(2):
        optimizer.step(closure)
    before = dict(optimizer.state_dict()["state"][0])
    with cupy.standin.counting() as seen:
        optimizer.step(closure)
    after = optimizer.state_dict()["state"][0]
    evaluations, iterations = (after[key] - before[key] for key in ("func_evals", "n_iter"))
    assert set(seen.reads) == {"item"} and 0 < len(seen.reads) <= 1 + 2 * evaluations + 6 * iterations
    assert seen.waits == 0 and seen.uploads == evaluations


# Functions ----------------------------------------------------------------------------------------------------------

FUNCTIONS: dict[str, Callable[[], Callable[[], Any]]] = {
    **{name: lambda name=name: (lambda x: lambda: getattr(F, name)(x))(leaf(*X)) for name in ("gelu", "relu", "sigmoid", "silu")},
    **{name: lambda name=name: (lambda x: lambda: getattr(F, name)(x, 1))(leaf(*X)) for name in ("softmax", "log_softmax")},
    **{
        name: lambda name=name: (lambda x: lambda: getattr(F, name)(x))(leaf(*X))
        for name in (
            "celu", "elu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logsigmoid",
            "mish", "relu6", "rrelu", "selu", "softplus", "softshrink", "softsign", "tanh", "tanhshrink",
        )
    },
    "softmin": lambda: (lambda x: lambda: F.softmin(x, 1))(leaf(*X)),
    "threshold": lambda: (lambda x: lambda: F.threshold(x, 0.5, 1.0))(leaf(*X)),
    "prelu": lambda: (lambda x, w: lambda: F.prelu(x, w))(leaf(*X), leaf(6)),
    "layer_norm": lambda: (lambda x, w: lambda: F.layer_norm(x, 6, w))(leaf(*X), leaf(6)),
    "rms_norm": lambda: (lambda x, w: lambda: F.rms_norm(x, 6, w))(leaf(*X), leaf(6)),
    "linear": lambda: (lambda x, w, b: lambda: F.linear(x, w, b))(leaf(2, 4, 6), leaf(5, 6), leaf(5)),
    "dropout": lambda: (lambda x: lambda: F.dropout(x, 0.5))(leaf(*X)),
    **{
        name: lambda name=name, shape=shape: (lambda x: lambda: getattr(F, name)(x, 0.5, True))(leaf(*shape))
        for name, shape in (
            ("alpha_dropout", X), ("feature_alpha_dropout", (2, 3, 4)), ("dropout1d", (2, 3, 4)), ("dropout2d", (2, 3, 4, 4)),
            ("dropout3d", (2, 3, 4, 4, 4)),
        )
    },
    **{
        name: lambda name=name: (lambda x, y: lambda: getattr(F, name)(x, y))(leaf(*X), there(*X))
        for name in (
            "binary_cross_entropy_with_logits", "cosine_similarity", "dice_loss", "hinge_embedding_loss", "huber_loss", "kl_div",
            "l1_loss", "multilabel_soft_margin_loss", "pairwise_distance", "poisson_nll_loss", "sigmoid_focal_loss", "smooth_l1_loss",
            "soft_margin_loss",
        )
    },
    **{
        name: lambda name=name: (lambda x, y, z: lambda: getattr(F, name)(x, y, z))(leaf(*X), there(*X), there(*X))
        for name in (
            "gaussian_nll_loss", "margin_ranking_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
        )
    },
    "binary_cross_entropy": lambda: (lambda x, y: lambda: F.binary_cross_entropy(F.sigmoid(x), y))(leaf(*X), whole(0, 2, *X)),
    "cosine_embedding_loss": lambda: (lambda x, y, t: lambda: F.cosine_embedding_loss(x, y, t))(leaf(*X), there(*X), whole(0, 2, 8)),
    "ctc_loss": lambda: (
        lambda x, y, t, s: lambda: F.ctc_loss(F.log_softmax(x, 2), y, t, s)
    )(leaf(5, 3, 4), whole(1, 4, 3, 2), whole(5, 6, 3), whole(1, 3, 3)),
    "multi_margin_loss": lambda: (lambda x, y: lambda: F.multi_margin_loss(x, y))(leaf(*X), whole(0, 6, 8)),
    "multilabel_margin_loss": lambda: (lambda x, y: lambda: F.multilabel_margin_loss(x, y))(leaf(*X), whole(-1, 6, *X)),
    "one_hot": lambda: (lambda x, y: lambda: x * F.one_hot(y, 6))(leaf(*X), whole(0, 6, 8)),
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
    **{
        f"{kind}{n}d": lambda kind=kind, n=n, options=options: (
            lambda x: lambda: getattr(F, f"{kind}{n}d")(x, *options)
        )(leaf(2, 3, *[4] * n))
        for kind, options in (("adaptive_avg_pool", (3,)), ("adaptive_max_pool", (3,)), ("lp_pool", (2.0, 2)))
        for n in (1, 2, 3)
    },
    **{
        f"max_unpool{n}d": lambda n=n: (lambda x, i: lambda: getattr(F, f"max_unpool{n}d")(x, i, 2))(
            leaf(2, 3, *[2] * n), whole(0, 4**n, 2, 3, *[2] * n)
        )
        for n in (1, 2, 3)
    },
    "batch_norm": lambda: (lambda x, w, m, v: lambda: F.batch_norm(x, m, v, w, training=True))(
        leaf(4, 3, 2), leaf(3), there(3), there(3)
    ),
    "instance_norm": lambda: (lambda x, m, v: lambda: F.instance_norm(x, m, v))(leaf(2, 3, 4), there(3), there(3)),
    "group_norm": lambda: (lambda x, w: lambda: F.group_norm(x, 2, w))(leaf(2, 4, 3), leaf(4)),
    "local_response_norm": lambda: (lambda x: lambda: F.local_response_norm(x, 3))(leaf(2, 5, 3)),
    "normalize": lambda: (lambda x: lambda: F.normalize(x))(leaf(*X)),
    **{
        f"conv_transpose{n}d": lambda n=n: (
            lambda x, w, b: lambda: getattr(F, f"conv_transpose{n}d")(x, w, b, stride=2, padding=1)
        )(leaf(2, 3, *[4] * n), leaf(3, 4, *[3] * n), leaf(4))
        for n in (1, 2, 3)
    },
    "pad": lambda: (lambda x: lambda: F.pad(F.pad(x, (1, 2), "reflect"), (1, -1)))(leaf(2, 3, 8)),
    "interpolate": lambda: (lambda x: lambda: F.interpolate(x, 5, mode="bicubic"))(leaf(2, 3, 4, 4)),
    "pixel_shuffle": lambda: (lambda x: lambda: F.pixel_shuffle(x, 2))(leaf(2, 4, 3, 3)),
    "pixel_unshuffle": lambda: (lambda x: lambda: F.pixel_unshuffle(x, 2))(leaf(2, 4, 4, 4)),
    "channel_shuffle": lambda: (lambda x: lambda: F.channel_shuffle(x, 2))(leaf(2, 4, 3)),
    "unfold": lambda: (lambda x: lambda: F.unfold(x, 2))(leaf(2, 3, 4, 4)),
    "fold": lambda: (lambda x: lambda: F.fold(x, (4, 4), 2))(leaf(2, 12, 9)),
    "scaled_dot_product_attention": lambda: (
        lambda q, k, v: lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)
    )(leaf(2, 2, 5, 4), leaf(2, 2, 5, 4), leaf(2, 2, 5, 4)),
    "multi_head_attention_forward": lambda: (
        lambda x, w, b, w_out, mask: lambda: F.multi_head_attention_forward(
            x, x, x, 4, 2, w, b, None, None, False, 0.0, w_out, None, attn_mask=mask
        )[0]
    )(leaf(5, 2, 4), leaf(12, 4), leaf(12), leaf(4, 4), there(5, 5)),
    "embedding_bag": lambda: (lambda i, o, w: lambda: F.embedding_bag(i, w, o, mode="max", max_norm=1.0))(
        whole(0, 5, 9), gg.asarray(np.array([0, 4, 4]), device="cuda"), leaf(5, 3)
    ),
    "bilinear": lambda: (lambda x, y, w: lambda: F.bilinear(x, y, w))(leaf(2, 3), leaf(2, 4), leaf(5, 3, 4)),
    "rotary_embedding": lambda: (lambda x, c, s: lambda: F.rotary_embedding(x, c, s))(leaf(5, 2, 4), there(2, 2), there(2, 2)),
}  # fmt: skip


def test_every_function_is_here() -> None:
    assert set(F.__all__) == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function(name: str) -> None:
    function = FUNCTIONS[name]()
    assert_never_waits(lambda: gg.sum(function() ** 2).backward(), draws=int("dropout" in name))


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
