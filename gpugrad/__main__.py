"""``python -m gpugrad info``, ``check`` and ``bench``: what gpugrad computes with here, whether that is right, and how fast it is."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import gpugrad
from gpugrad.arrays.devices import on
from gpugrad.check import about, files
from gpugrad.errors import DeviceError

CHECKOUT = Path(gpugrad.__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 if all is right, 1 if something does not compute right, 2 for a device that is not there or wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m gpugrad", description="gpugrad on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    info = commands.add_parser("info", help="versions, devices, kernels, libraries, caches")
    info.add_argument("--json", action="store_true", help="as JSON")
    info.add_argument(
        "--kernels", action="store_true", help="compile the kernels for GPUs, to say which do not compile (seconds each, once)"
    )
    check = commands.add_parser(
        "check", help="hold every op, rule and kernel on a device to the CPU: is my GPU computing right?"
    )
    check.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, or auto: a GPU if there is one (the default)")
    check.add_argument("--only", metavar="PATTERN", help="checks by kind or name: softmax, kernel, 'op:c*'")
    check.add_argument("--json", type=Path, metavar="FILE", help="write the results here, too")
    check.add_argument(
        "--full",
        action="store_true",
        help="in a checkout, on a GPU: the test suite, training and benchmarks as well (benchmarks/gpu.py)",
    )
    bench = commands.add_parser(
        "bench",
        help="the devices of this machine side by side: what do I gain from the GPU?",
        description="Copies, single ops over sizes and training steps, on each device by turns. Takes about 5 minutes with a GPU and "
        "3 without. The exit code is 0, 1 if devices disagree, 2 for what cannot be done, 130 after Ctrl-C.",
    )
    bench.add_argument(
        "--devices",
        metavar="NAMES",
        help="cpu,cuda or cuda:0,cuda:1, say; the first is what the others are held to (default: all there are)",
    )
    bench.add_argument(
        "--quick", action="store_true", help="fewer sizes and rounds: less than 30 s; what there is no time for is left out"
    )
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the results here, too")
    bench.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="draw them, by matplotlib (gpugrad[plot]); .pdf, .svg, too"
    )
    bench.add_argument("--from", type=Path, metavar="FILE", dest="source", help="measure nothing: take what --json wrote")
    options = parser.parse_args(arguments)
    if options.command == "info":
        found = about.describe(options.kernels)
        print(json.dumps(found, indent=1) if options.json else about.text(found))
        return 0
    if options.json is not None and (problem := files.problem(options.json)):
        return _refused(options.command, problem)
    if options.command == "bench":
        return _bench(options)
    try:
        device = gpugrad.Device(options.device)
    except DeviceError as error:
        return _refused("check", error)
    if options.full:
        return _full(device, options.only, options.json)
    # Only for this command: records and their references take a while to import.
    return int(importlib.import_module("gpugrad.check.report").check(str(device), options.only or "*", options.json))


def _bench(options: argparse.Namespace) -> int:
    """What is asked for: a measurement, or a file of an earlier one. Ctrl-C is no error at any time, and leaves no traceback."""
    if options.source is not None and (options.devices is not None or options.quick or options.json is not None):
        return _refused(
            "bench", "--from measures nothing, so it goes with --plot only; leave out --devices, --quick and --json"
        )
    try:
        # Only for this command: what it trains and measures is not needed by the others.
        report = importlib.import_module("gpugrad.bench.report")
        if options.source is not None:
            return int(report.show(options.source, options.plot))
        return int(report.bench(options.devices, options.quick, options.json, options.plot))
    except KeyboardInterrupt:
        return 130


def _full(device: gpugrad.Device, only: str | None, file: Path | None) -> int:
    """All that a GPU can show, by benchmarks/gpu.py of the checkout that this package lies in."""
    script = CHECKOUT / "benchmarks" / "gpu.py"
    if only is not None:
        return _refused("check", f"--full runs every check, and --only is {only!r}; leave out one of the two")
    if device.type != "cuda":
        return _refused("check", f"--full needs a GPU, and the device is {device}; pass --device cuda")
    if not script.exists():
        return _refused(
            "check",
            f"--full needs a checkout of gpugrad: benchmarks/gpu.py and tests/ are not beside the package in {CHECKOUT}; "
            "clone the repository and run this command there",
        )
    environment = dict(os.environ)
    if device.index is not None:  # it becomes the only GPU that the parts of the run see
        try:
            on(device)
        except DeviceError as error:
            return _refused("check", error)
        visible = environment.get("CUDA_VISIBLE_DEVICES")
        environment["CUDA_VISIBLE_DEVICES"] = str(device.index) if visible is None else visible.split(",")[device.index].strip()
    command = [sys.executable, str(script), *([] if file is None else ["--json", str(file.resolve())])]
    return subprocess.call(command, env=environment)


def _refused(command: str, problem: object) -> int:
    print(f"gpugrad {command}: {problem}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
