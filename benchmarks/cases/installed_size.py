"""size: what libraries occupy on disk, alone and with everything that they require.

What counts is the files of the distributions, without the bytecode that Python writes beside them. Of gpugrad it is the package of this
checkout, however that is installed. What only an extra requires does not count; PyTorch is the build that is installed, here for the CPU
alone if its version says so.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from benchmarks.libraries import AUTOGRAD, GPUGRAD, MYGRAD
from benchmarks.machine import ROOT
from gpugrad.bench.method import Row, Spread, not_run

PEERS = {"PyTorch": "torch", "JAX": "jax", AUTOGRAD: "autograd", MYGRAD: "mygrad"}
"""The distributions, by the names of their columns. JAX requires jaxlib, which has its compiled code."""

_MIB = 1 << 20


def run(device: str, rounds: int) -> list[Row]:
    """A row for the libraries alone, and one with what they require."""
    if device != "cpu":
        return [not_run("size", "it does not depend on the device; run it with --device cpu")]
    own = of_files(ROOT.joinpath("gpugrad").rglob("*"))
    required = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    alone = {GPUGRAD: own}
    whole = {GPUGRAD: own + sum(of_distribution(name) for name in requirements(required))}
    for column, name in PEERS.items():
        if all_required := requirements([name]):
            alone[column] = sum(of_distribution(part) for part in all_required & {name, f"{name}lib"})
            whole[column] = sum(of_distribution(part) for part in all_required)
    return [_row("alone", alone), _row("with all that it requires", whole)]


def _row(work: str, sizes: dict[str, int]) -> Row:
    figures = {column: Spread.of([size / _MIB]) for column, size in sizes.items()}
    return Row("size", f"installed, {work}", "MiB", figures)


def requirements(names: Iterable[str]) -> set[str]:
    """The installed distributions among these requirements and among what those require in turn, by their normalised names."""
    found: set[str] = set()
    waiting = [name for name in names if "extra ==" not in name]
    while waiting:
        name = re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", waiting.pop().strip(), maxsplit=1)[0]).lower()
        if name in found:
            continue
        try:
            required = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # for another system, or an older Python
            continue
        found.add(name)
        waiting += [text for text in required if "extra ==" not in text]
    return found


def of_distribution(name: str) -> int:
    """The bytes of the files of an installed distribution."""
    files = importlib.metadata.files(name) or []
    return of_files(Path(str(file.locate())) for file in files)


def of_files(paths: Iterable[Path]) -> int:
    """The bytes of all that are files, but for bytecode."""
    return sum(path.stat().st_size for path in paths if path.suffix != ".pyc" and path.is_file())
