"""What ``python -m nox -s bench`` runs: measure, say whether the conclusions are those of docs/benchmarks.md, and write that page.

``python benchmarks/suite.py [case ...] [--json FILE] [what benchmarks/run.py takes]``. A full run, of all cases with no other options than
--json, writes its results to benchmarks/results and then the page; of any other run only the table and the conclusions are printed, and a
file is left only where --json asks for it. ``--page`` alone writes the page without measuring. Exit code: 0; 1 if a row is void; 2 if
nothing could be measured or written; 130 after Ctrl-C. A target that is missed is told, and is no failure.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

if __package__ in (None, ""):  # started as a script: what is imported is this checkout, not this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import conclusions, machine, page, speed
from benchmarks.run import NAMES

RUN = [sys.executable, str(machine.ROOT / "benchmarks" / "run.py")]


def main(arguments: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m nox -s bench --", allow_abbrev=False, add_help=False)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--json", type=Path)
    options, others = parser.parse_known_args(arguments)
    if options.page and len(arguments) > 1:
        parser.error("--page measures nothing and stands alone")
    if options.page:
        return page.main()
    reference = json.loads(conclusions.REFERENCE.read_text(encoding="utf-8"))  # before a run may replace it
    with tempfile.TemporaryDirectory() as folder:
        file = options.json or (Path(folder, "results.json") if others else _named_after_the_machine())
        part = file.with_name(file.name + ".part")  # what a run that is cut short leaves is not taken for results
        part.unlink(missing_ok=True)
        code = run([*others, "--json", str(part)])
        if code not in (0, 1) or not part.exists():
            return code or 2
        result = json.loads(part.read_text(encoding="utf-8"))
        missing = [] if others else cut_off(result)
        if missing:
            print(f"\nthe run was cut short: no rows of {', '.join(missing)}; what there is stands in {part}", file=sys.stderr)
            return 2
        part.replace(file)
    print("", conclusions.table(result, reference), "", *conclusions.sentences(result, reference), sep="\n")
    print("", speed.met(result["rows"]).removeprefix("- "), "", sep="\n")
    if others:
        print("docs/benchmarks.md stays as it was: this was no full run, which has no arguments but --json")
    elif page.main():
        return 2
    return int(any(row["void"] for row in result["rows"]))


def run(arguments: list[str]) -> int:
    """The exit code of benchmarks/run.py, which Ctrl-C ends, too: it is given the time to say what it measured."""
    with subprocess.Popen([*RUN, *arguments]) as process:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                return process.wait()


def cut_off(result: conclusions.Result) -> list[str]:
    """The cases that a full run has no rows of."""
    there = {row["case"].partition(".")[0] for row in result["rows"]}
    return [name for name in NAMES if name.partition(".")[0] not in there]


def _named_after_the_machine() -> Path:
    """benchmarks/results/<processor>-<cores>-cores.json."""
    about = machine.describe()
    return machine.ROOT / page.FOLDER / f"{machine.slug(about['cpu'])}-{about['cores']}-cores.json"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
