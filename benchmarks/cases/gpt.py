"""gpt: a training step of the GPT of gpugrad/bench/gpt.py."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks import peers
from benchmarks.contest import Contest, Target
from benchmarks.training import adam, columns, log_softmax_loss
from gpugrad.bench.gpt import BATCH, HEADS, LAYERS, VOCABULARY, WORK, problem
from gpugrad.bench.training import FIRST_STEPS, TOLERANCE


def loss(np: Any, parameters: Mapping[str, Any], x: Any, labels: Any) -> Any:
    """The same network with JAX's names."""
    jax: Any = peers.jax()

    def linear(name: str, x: Any) -> Any:
        return x @ parameters[f"{name}.weight"].T + parameters[f"{name}.bias"]

    def norm(name: str, x: Any) -> Any:
        return jax.nn.standardize(x, epsilon=1e-5) * parameters[f"{name}.weight"] + parameters[f"{name}.bias"]

    def attention(name: str, x: Any) -> Any:
        n, tokens, width = x.shape
        split = linear(f"{name}.queries_keys_values", x).reshape(n, tokens, 3, HEADS, width // HEADS)
        q, k, v = np.moveaxis(split, (2, 3), (0, 2))
        scores = q @ np.swapaxes(k, -1, -2) / (width // HEADS) ** 0.5
        seen = np.tri(tokens, dtype=bool)
        attended = jax.nn.softmax(np.where(seen, scores, -np.inf)) @ v
        return linear(f"{name}.projection", np.swapaxes(attended, 1, 2).reshape(n, tokens, width))

    x = parameters["tokens.weight"][x] + parameters["places"]
    for i in range(LAYERS):
        block = f"blocks.{i}"
        x = x + attention(block, norm(f"{block}.norm1", x))
        hidden = jax.nn.gelu(linear(f"{block}.mlp.0", norm(f"{block}.norm2", x)), approximate=False)
        x = x + linear(f"{block}.mlp.2", hidden)
    scores = norm("norm", x) @ parameters["head.weight"].T
    return log_softmax_loss(np, scores.reshape(-1, VOCABULARY), labels.reshape(-1))


CONTESTS = (
    Contest(
        "gpt", f"{WORK}, batch {BATCH}, per step", problem, columns(loss, adam(weight_decay=1e-2)),
        targets=(Target(1.0),), tolerance=TOLERANCE, agree=FIRST_STEPS, memory_limit=1.0, small=partial(problem, 1),
    ),
)  # fmt: skip
