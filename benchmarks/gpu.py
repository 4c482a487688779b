"""Everything that only a machine with a GPU can show, in one command: ``python benchmarks/gpu.py [--out DIR] [--budget SECONDS]``.

In order, each part in its own process with a time limit, its output kept in DIR:

    info        the GPU, its driver, the versions
    check       python -m gpugrad check: every op, rule and kernel against the CPU
    gradients   every derivative of the standard's functions against central differences, for docs/gradients.md
    step        a training step: its first losses against the CPU's, its memory, its launches
    tests       the whole test suite, with CuPy among the backends
    train-cuda  the main job on the GPU
    train-cpu   the same on the CPU, whose losses and accuracy must be the same
    gpt         the example that trains a GPT, in mixed precision
    bench       benchmarks/run.py --device cuda: among others, how much of the memory's bandwidth compiled kernels reach

Nothing needs to be installed but Python, NumPy, SciPy and CuPy: what is missing of array-api-compat, safetensors, pytest, hypothesis,
array-api-strict and what they need is taken from a folder of wheels, ``--wheels DIR``, without installing it. The results, <gpu>.json
and <gpu>.md, are written to DIR and to benchmarks/results, or where ``--json FILE`` says; a part for which there was no time is "not
run". Exit code: 0 if everything ran and passed, 1 if not, 2 if there is no GPU to run on or results cannot be written.
``python -m gpugrad check --device cuda --full`` starts this.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started as a script: what is imported is this checkout, not this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import machine, main_job, targets
from benchmarks.report import markdown, table_of
from benchmarks.subprocesses import Outcome, run

SHARES = {
    "info": 0.15,
    "check": 0.4,
    "gradients": 0.2,
    "step": 0.15,
    "tests": 0.6,
    "train-cuda": 0.2,
    "train-cpu": 0.15,
    "gpt": 0.15,
    "bench": 0.5,
}
"""The most that a part may take of the budget; what the parts before it left is the other limit."""

LEAST = 10.0
"""Seconds without which a part is not begun."""

RESULTS = machine.ROOT / "benchmarks" / "results"
SEED = 0
TRAIN = Path("examples/train_digits.py")
GPT = Path("examples/char_gpt.py")


def main(arguments: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python benchmarks/gpu.py", description="Tests, training and benchmarks on a GPU.")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), metavar="DIR", help="where results go (default runs/gpu)")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="the results, besides DIR; the tables beside it, .md (default benchmarks/results/<gpu>.json)",
    )
    parser.add_argument(
        "--parts", nargs="+", choices=[*SHARES][1:], default=[*SHARES][1:], help="run these alone, besides info"
    )
    parser.add_argument(
        "--budget", type=float, default=1800.0, metavar="SECONDS", help="for everything together (default 1800)"
    )
    parser.add_argument("--wheels", type=Path, default=machine.ROOT / ".whl", metavar="DIR", help="wheels of what is missing")
    parser.add_argument(
        "--workers", type=int, default=min(8, machine.cores()), help="processes for the tests, with pytest-xdist"
    )
    options = parser.parse_args(arguments)
    try:
        for folder in (options.out, *([options.json.parent] if options.json else [])):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        if options.json and options.json.is_dir():
            raise IsADirectoryError(f"{options.json} is a folder")
    except OSError as error:
        print(f"gpu.py: nothing was run: results cannot be written: {error}", file=sys.stderr)
        return 2
    return _Session(options).run()


class _Session:
    """One run of all parts."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.out: Path = options.out.resolve()
        self.copy: Path | None = options.json and options.json.resolve()
        self.chosen = {"info", *options.parts}
        self.budget: float = options.budget
        self.workers: int = options.workers
        self.deadline = time.monotonic() + options.budget
        self.wheels = _wheels(options.wheels, self.out / "wheels")
        path = os.pathsep.join([machine.python_path(), *map(str, self.wheels)])
        self.environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        # Only the plugins that are named: others that happen to be installed warn, and warnings are errors in the tests.
        self.environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        self.environment.setdefault("GPUGRAD_TEST_BACKENDS", "cupy")  # every commit has the others tested where there is no GPU
        self.outcomes: list[Outcome] = []
        self.about: dict[str, Any] = {}
        self.check: dict[str, Any] | None = None
        self.gradients: dict[str, dict[str, str]] | None = None
        self.step: dict[str, Any] | None = None
        self.bench: dict[str, Any] | None = None

    def run(self) -> int:
        info = self.out / "info.json"
        if self.part("info", [*self.module("benchmarks.gpu_info"), str(info)]).status != "passed":
            lines = self.outcomes[0].output.strip().splitlines() or [self.outcomes[0].detail]
            print(f"gpu.py: nothing was run: {lines[-1]}", file=sys.stderr)
            return 2
        self.about = json.loads(info.read_text())
        info.unlink()
        self.check = self.reported("check", [*self.module("gpugrad"), "check", "--device", "cuda", "--json"])
        if self.check is not None:
            self.detail(self.check["summary"])
        found = self.reported("gradients", [*self.module("benchmarks.gradients"), "--device", "cuda", "--json"])
        if found is not None:
            self.gradients = found["gradients"]
            self.detail(found["summary"])
        self.step = self.reported("step", self.module("benchmarks.step"))
        self.tests()
        self.train()
        self.gpt()
        self.bench = self.reported("bench", [*self.module("benchmarks.run"), "--device", "cuda", "--json"])
        self.write()
        print("\n" + self.summary())
        return 0 if all(outcome.status == "passed" for outcome in self.outcomes if outcome.name in self.chosen) else 1

    def module(self, name: str) -> list[str]:
        return [sys.executable, "-m", name]

    def part(self, name: str, command: list[str], missing: str = "") -> Outcome:
        """Run a part, or say why not, and write down what is known so far."""
        left = self.deadline - time.monotonic()
        if name not in self.chosen:
            outcome = Outcome(name, "not run", "not asked for")
        elif missing:
            outcome = Outcome(name, "not run", missing)
        elif left < LEAST:
            outcome = Outcome(name, "not run", f"the budget of {self.budget:.0f} s was used up")
        else:
            print(f"\n== {name}", flush=True)
            limit = min(SHARES[name] * self.budget, left)
            outcome = run(name, command, self.out / f"{name}.log", limit, self.environment, machine.ROOT)
        if outcome.status != "passed":
            print(f"{name}: {outcome.status}: {outcome.detail}", flush=True)
        self.outcomes.append(outcome)
        if self.about:
            self.write()
        return outcome

    def detail(self, line: str, status: str | None = None) -> None:
        """Say more about the part that was run last, and whether it passed."""
        last = self.outcomes[-1]
        text = "; ".join(filter(None, (last.detail, line)))
        self.outcomes[-1] = Outcome(last.name, status or last.status, text, last.seconds, last.output)

    def tests(self) -> None:
        if not self.importable("pytest"):
            self.part("tests", [], "pytest is not installed")
            return
        command = [*self.module("pytest"), "tests", "-q", "-rfE", "-p", "no:cacheprovider", "-p", "benchmarks.pytest_gpu"]
        if self.importable("xdist"):
            command += ["-p", "xdist", "-n", str(self.workers)]
        outcome = self.part("tests", command)
        found = re.findall(
            r"^(?:=+ )?(\d+ (?:passed|failed|skipped|error).*? in [\d.]+s)|^(on CuPy: .*)", outcome.output, re.MULTILINE
        )
        absent = [name for name in ("hypothesis", "array_api_strict") if not self.importable(name)]
        without = [f"not run: tests that need {' or '.join(absent)}, not installed"] if absent else []
        self.detail("; ".join([*(a or b for a, b in found), *without]))

    def train(self) -> None:
        absent = [name for name in ("sklearn", "matplotlib", "tqdm") if not self.importable(name)]
        missing = f"{TRAIN} needs {', '.join(absent)}, not installed" if absent else ""
        outputs = []
        for device in ("cuda", "cpu"):
            command = [sys.executable, str(TRAIN), "--device", device, "--seed", str(SEED)]
            outcome = self.part(f"train-{device}", command, missing)
            outputs.append(outcome.output if outcome.status == "passed" else None)
            last = [line for line in outcome.output.splitlines() if "accuracy" in line.lower()]
            if last:
                self.detail(last[-1].strip())
        if outputs[0] is not None and outputs[1] is not None:
            same, line = main_job.compare(outputs[0], outputs[1])
            self.detail(line, None if same else "failed")
        elif {"train-cuda", "train-cpu"} <= self.chosen:
            self.detail("losses not compared")

    def gpt(self) -> None:
        command = [sys.executable, str(GPT), "--device", "cuda", "--autocast", "float16", "--steps", "600"]
        lines = self.part("gpt", command).output.strip().splitlines()
        if self.outcomes[-1].status == "passed":
            self.detail(lines[-1])

    def reported(self, name: str, command: list[str]) -> dict[str, Any] | None:
        """Run a part that writes JSON to the file that is its last argument, and read that, whether the part passed or not."""
        file = self.out / f"{name}-results.json"
        file.unlink(missing_ok=True)
        self.part(name, [*command, str(file)])
        if not file.exists():
            return None
        found: dict[str, Any] = json.loads(file.read_text())
        file.unlink()
        return found

    def importable(self, module: str) -> bool:
        return importlib.util.find_spec(module) is not None or any(_holds(wheel, module) for wheel in self.wheels)

    def write(self) -> None:
        """The results so far: <gpu>.json and <gpu>.md."""
        name = machine.slug(self.about["machine"]["gpu"]["name"])
        found = {"check": self.check, "gradients": self.gradients, "step": self.step, "bench": self.bench}
        results = {**self.about, "parts": self.parts(), **found}
        files = {self.out / f"{name}.json": json.dumps(results, indent=1), self.out / f"{name}.md": self.summary()}
        copy = self.copy or RESULTS / f"{name}.json"
        files.update(zip((copy, copy.with_suffix(".md")), list(files.values()), strict=True))
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text + "\n", encoding="utf-8")

    def parts(self) -> dict[str, dict[str, Any]]:
        """How each part ended; those that did not run, too."""
        done = {o.name: {"status": o.status, "seconds": round(o.seconds, 1), "detail": o.detail} for o in self.outcomes}
        return {part: done.get(part, {"status": "not run", "seconds": 0, "detail": ""}) for part in SHARES}

    def summary(self) -> str:
        """Date, GPU, versions, and three tables: the parts, the targets, the benchmarks."""
        gpu = self.about["machine"]["gpu"]
        facts = {**{key: value for key, value in gpu.items() if key != "name"}, **self.about["versions"]}
        lines = [["part", "result", "seconds", "details"]]
        for name, part in self.parts().items():
            lines.append([name, part["status"], f"{part['seconds']:.0f}", part["detail"].replace("|", "/")])
        rows = self.bench["rows"] if self.bench else []
        text = [f"# {gpu['name']}, {self.about['date']}", "", ", ".join(f"{key} {value}" for key, value in facts.items())]
        text += ["", f"commit {self.about['machine']['commit']}", "", markdown(lines)]
        text += ["", markdown(targets.lines(rows, self.step, self.parts()))]
        return "\n".join(text + (["", table_of(rows)] if rows else []))


def _wheels(folder: Path, unpacked: Path) -> list[Path]:
    """What to put on Python's path for the wheels in a folder of packages that are not installed.

    Pure Python is imported from the wheel as it is; compiled code for this machine is unpacked first.
    """
    found = []
    for wheel in sorted(folder.resolve().glob("*.whl")) if folder.is_dir() else []:
        if any(importlib.util.find_spec(name) for name in _modules(wheel)):
            continue
        if wheel.name.endswith("-none-any.whl"):
            found.append(wheel)
        elif platform.machine() in wheel.name:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(unpacked / wheel.stem)
            found.append(unpacked / wheel.stem)
    return found


def _modules(path: Path) -> set[str]:
    """The top-level modules in a wheel, or in a folder that one was unpacked to."""
    if path.is_dir():
        tops = {entry.name.removesuffix(".py") for entry in path.iterdir()}
    else:
        with zipfile.ZipFile(path) as archive:
            tops = {name.partition("/")[0].removesuffix(".py") for name in archive.namelist()}
    return {top for top in tops if top.isidentifier()}


def _holds(wheel: Path, module: str) -> bool:
    return module in _modules(wheel)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
