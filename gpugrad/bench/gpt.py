"""A training step of a small GPT: 4 layers, width 128, 4 heads, 64 tokens, batch 16, cross-entropy, AdamW."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.bench.training import Training, training_case

LAYERS, WIDTH, HEADS, TOKENS, BATCH, VOCABULARY = 4, 128, 4, 64, 16, 64
WORK = f"GPT, {LAYERS} layers, d {WIDTH}, {HEADS} heads, {TOKENS} tokens, AdamW"


def make_block(library: Any, width: int = WIDTH, heads: int = HEADS) -> Any:
    """A block: causal attention and an MLP of four times the width with GELU, each after a norm, beside a skip connection."""
    nn, functional = library.nn, library.nn.functional

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        """(N, T, width) to the same shape."""

        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.queries_keys_values, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x: Any) -> Any:
            """Both sublayers."""
            batch, tokens, _ = x.shape
            split = self.queries_keys_values(self.norm1(x)).reshape(batch, tokens, 3, heads, width // heads)
            q, k, v = library.moveaxis(split, (2, 3), (0, 2))
            attended = library.moveaxis(functional.scaled_dot_product_attention(q, k, v, is_causal=True), 1, 2)
            x = x + self.projection(attended.reshape(batch, tokens, width))
            return x + self.mlp(self.norm2(x))

    return Block()


def make(library: Any) -> Any:
    """Embeddings of tokens and of places, blocks, a norm, and a score for each token that may come next."""
    nn = library.nn

    class GPT(nn.Module):  # type: ignore[misc, name-defined]
        """(N, T) tokens to (N * T, VOCABULARY) scores."""

        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(VOCABULARY, WIDTH)
            self.places = nn.Parameter(0.02 * library.ones((TOKENS, WIDTH)))
            self.blocks = nn.Sequential(*(make_block(library) for _ in range(LAYERS)))
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

        def forward(self, x: Any) -> Any:
            """All positions at once."""
            found = self.head(self.norm(self.blocks(self.tokens(x) + self.places)))
            return found.reshape(-1, VOCABULARY)

    return GPT()


def loss(library: Any, prediction: Any, target: Any) -> Any:
    """The mean cross-entropy of the next token at all positions."""
    return library.nn.functional.cross_entropy(prediction, target.reshape(-1))


def problem(batch: int = BATCH) -> Training:
    """Four batches of random tokens."""
    rng = numpy.random.default_rng(0)
    drawn = [rng.integers(0, VOCABULARY, (batch, TOKENS + 1)) for _ in range(4)]
    batches = [(numpy.ascontiguousarray(x[:, :-1]), numpy.ascontiguousarray(x[:, 1:])) for x in drawn]
    return Training(make, loss, lambda library, parameters: library.optim.AdamW(parameters, lr=1e-3), batches)


CASES = (training_case("GPT step", WORK, problem, (1, 4, BATCH), quick=(1, 4)),)
