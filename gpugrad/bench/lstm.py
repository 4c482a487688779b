"""A training step of an LSTM, 64 -> 128, over 50 steps, batch 32, that classifies sequences: cross-entropy, Adam."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.bench.training import Training, cross_entropy, training_case

FEATURES, HIDDEN, STEPS, BATCH, CLASSES = 64, 128, 50, 32, 10
WORK = f"LSTM {FEATURES} -> {HIDDEN}, {STEPS} steps, Adam"


def make(library: Any) -> Any:
    """The LSTM, and a linear layer on its last output."""

    class Classifier(library.nn.Module):  # type: ignore[misc]
        """Scores of classes for sequences (T, N, features)."""

        def __init__(self) -> None:
            super().__init__()
            self.lstm = library.nn.LSTM(FEATURES, HIDDEN)
            self.head = library.nn.Linear(HIDDEN, CLASSES)

        def forward(self, x: Any) -> Any:
            """(N, CLASSES)."""
            return self.head(self.lstm(x)[0][-1])

    return Classifier()


def problem(batch: int = BATCH) -> Training:
    """Four batches of normal numbers with random labels."""
    rng = numpy.random.default_rng(0)
    batches = [
        (rng.standard_normal((STEPS, batch, FEATURES)).astype(numpy.float32), rng.integers(0, CLASSES, batch)) for _ in range(4)
    ]
    return Training(make, cross_entropy, lambda library, parameters: library.optim.Adam(parameters, lr=1e-3), batches)


CASES = (training_case("LSTM step", WORK, problem, (2, BATCH, 256), quick=(2, BATCH)),)
