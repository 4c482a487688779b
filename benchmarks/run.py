"""Run the benchmarks and print one table: ``python benchmarks/run.py [case ...] [--json FILE] [--device cpu|cuda]``.

Peers (PyTorch, JAX, HIPS autograd) are columns if they are installed. All libraries get the same number of threads.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):  # started as a script: what is imported is this checkout, not this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import machine

NAMES = (
    "op",
    "chain",
    "call",
    "kernels",
    "adam",
    "bandwidth",
    "gemm",
    "mlp",
    "cnn",
    "gpt",
    "lstm",
    "tiny",
    "options",
    "gp",
    "hvp",
    "einsum",
    "checkpointing",
    "layers",
    "optimizers",
    "deep",
    "growth",
    "compile",
    "import",
    "size",
)

LEAST_ROUNDS = 3
"""Of one measurement the quartiles are the median itself: whatever it says would be a verdict without any spread."""

INTERRUPTED = 130
"""The exit code of a run that Ctrl-C ended: 128 and the number of the signal. What it measured before is shown and written."""


def main(arguments: list[str]) -> int:
    """The exit code: 0, 1 if a target was missed or a row is void, 2 for an argument that cannot be, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python benchmarks/run.py", description="Benchmarks of gpugrad against its peers.")
    parser.add_argument(
        "cases", nargs="*", metavar="case", help=f"of: {', '.join(NAMES)}; all if none is named. layers.lstm is one of layers"
    )
    parser.add_argument("--device", default="cpu", help='"cpu", or "cuda" to compare with the CPU of the same machine')
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here, too")
    parser.add_argument(
        "--rounds", type=int, default=15, help="measurements of each column, interleaved (default 15, at least 3)"
    )
    parser.add_argument("--threads", type=int, default=machine.cores(), help="for every library; default: one per core")
    options = parser.parse_args(arguments)
    if options.rounds < LEAST_ROUNDS:
        parser.error(
            f"--rounds is {options.rounds}, expected at least {LEAST_ROUNDS}: fewer have no quartiles, and so no verdict"
        )
    if options.threads < 1:
        parser.error(f"--threads is {options.threads}, expected at least 1")
    unknown = [name for name in options.cases if name.partition(".")[0] not in NAMES]
    if unknown:
        parser.error(f"unknown case {unknown[0]!r}, expected some of {', '.join(NAMES)}")
    machine.with_threads(options.threads, "benchmarks.run", arguments)
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    # Only here are the thread counts set, so only here may NumPy and the others be imported.
    import gpugrad as gg
    from benchmarks import growth, report
    from benchmarks.cases import CASES, PARTS
    from gpugrad.check import files

    if options.json and (problem := files.problem(options.json)):  # before anything is measured
        print(f"benchmarks: {problem}", file=sys.stderr)
        return 2
    try:
        gg.set_default_device(options.device)
        gg.set_default_device("cpu")
    except gg.DeviceError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    cases = {**CASES, **PARTS}
    for name in options.cases:
        if name not in cases:
            print(f"benchmarks: unknown case {name!r}, expected one of {', '.join(cases)}", file=sys.stderr)
            return 2
    about = {
        "date": files.today(),
        "device": options.device,
        "machine": machine.describe(options.device),
        "versions": machine.versions(),
    }
    print(
        ", ".join(f"{key} {value}" for key, value in {**about["machine"], **about["versions"], "date": about["date"]}.items())
    )
    rows = []
    interrupted = False
    for name in options.cases or NAMES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            rows += cases[name](options.device, options.rounds)
        except KeyboardInterrupt:
            print("\ninterrupted", file=sys.stderr)
            interrupted = True
            break
        if options.json:  # after every case, so that a run that is cut short leaves what it measured
            files.write(options.json, {**about, "rows": [row.as_dict() for row in rows], "fits": growth.fits(rows)})
    if rows:
        print(report.table(rows))
    return INTERRUPTED if interrupted else int(any(row.failed for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
