"""Records on arrays large enough for what small ones never reach: blocks of threads, 16-byte loads and their tails, split reductions."""

from __future__ import annotations

from dataclasses import replace

from gpugrad.check.records import CASES
from gpugrad.check.records.case import Call, Case, booleans, call, distinct, integers, positive, real, unit

LABEL = "large"
LABELS = integers(301, low=0, high=1000)

CALLS: dict[str, list[Call]] = {
    # Maps: a tail after the 16-byte loads, broadcast operands, several blocks.
    "add": [call(real(301, 1), real(1003)), call(real(70001), 2.5)],
    "multiply": [call(real(37, 41, 43), real(41, 1))],
    "exp": [call(real(70001))],
    "sin": [call(real(257, 255))],
    "where": [call(booleans(301, 1003), real(301, 1), real(1003))],
    "gelu": [call(real(70001)), call(real(70001), "tanh")],
    "silu": [call(real(70001))],
    "sigmoid": [call(real(70001))],
    "relu": [call(distinct(70001))],
    "dropout": [call(real(301, 103), 0.2)],
    # Reductions: of rows, of columns, of all elements in parts.
    "sum": [call(real(100003)), call(real(301, 1003), axis=0), call(real(301, 1003), axis=1), call(real(3, 40007), axis=1)],
    "mean": [call(real(301, 1003)), call(real(40007, 3), axis=0)],
    "max": [call(distinct(301, 103), axis=1), call(distinct(30011))],
    "var": [call(real(301, 1003), axis=1)],
    "softmax": [call(real(67, 1023), 1), call(real(1023, 67), 0), call(real(3, 20001), 1)],
    "log_softmax": [call(real(67, 1023), 1), call(real(3, 20001), 1)],
    "layer_norm": [call(real(67, 1023), 1023, positive(1023), real(1023)), call(real(3, 20001), 20001)],
    "rms_norm": [call(real(67, 1023), 1023, positive(1023))],
    "cross_entropy": [call(real(301, 1000), LABELS), call(real(301, 1000), LABELS, label_smoothing=0.1)],
    "mse_loss": [call(real(301, 103), real(301, 103))],
    # Products, with operands that are transposed, stacked, of odd sizes.
    "matmul": [
        call(unit(128, 784), unit(784, 512)), call(unit(67, 33), unit(33, 35)), call(unit(6, 37, 33), unit(6, 33, 65)),
        call(unit(4, 37, 50), unit(50, 19)), call(unit(1003), unit(1003, 7)),
    ],
    "linear": [call(unit(128, 784), unit(512, 784), unit(512)), call(unit(4, 33, 65), unit(31, 65))],
    # Indexing with many repeated indices, and arrays in another order.
    "take": [call(real(103, 33), integers(4001, low=0, high=103), axis=0)],
    "take_along_axis": [call(real(301, 1003), integers(301, 5, low=0, high=1003))],
    "scatter_add": [call(real(4001, 33), (integers(4001, low=0, high=103),), (103, 33), False)],
    "copy": [call(real(301, 103)), call(real(5, 33, 67))],
    "reshape": [call(real(301, 103), (-1,)), call(real(5, 33, 67), (5, -1))],
    "concat": [call([real(301, 33), real(301, 70)], axis=1)],
    "embedding": [call(integers(37, 41, low=0, high=103), real(103, 33))],
    # Windows.
    "conv2d": [
        call(unit(3, 8, 33, 31), unit(16, 8, 3, 3), unit(16), padding=1), call(unit(2, 4, 35, 33), unit(8, 2, 5, 3), stride=2, groups=2),
    ],
    "max_pool2d": [call(distinct(2, 5, 33, 31), (3, 3), 2, 1)],
    "avg_pool2d": [call(real(2, 5, 33, 31), (2, 2))],
    "scaled_dot_product_attention": [call(unit(2, 3, 67, 32), unit(2, 3, 35, 32), unit(2, 3, 35, 32))],
    # Scans.
    "cumulative_sum": [call(unit(31, 1003), axis=1)],
    "sort": [call(distinct(31, 1003))],
}  # fmt: skip

LARGE: list[Case] = [
    replace(next(case for case in CASES if case.name == name), calls=calls, label=LABEL, complex=False)
    for name, calls in CALLS.items()
]
