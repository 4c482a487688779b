"""The cases by name, in the order in which they run. A case takes the device and a number of rounds and returns its rows."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.cases import chain, deep, import_time, memory, mlp, op
from benchmarks.method import Row

CASES: dict[str, Callable[[str, int], list[Row]]] = {
    "op": op.run,
    "chain": chain.run,
    "mlp": mlp.run,
    "memory": memory.run,
    "deep": deep.run,
    "import": import_time.run,
}
