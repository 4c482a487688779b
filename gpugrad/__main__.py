"""``python -m gpugrad info``, ``check`` and ``bench``: what gpugrad computes with here, whether that is right, and how fast it is."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import gpugrad
from gpugrad.check import about
from gpugrad.errors import DeviceError

CHECKOUT = Path(gpugrad.__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 if all is right, 1 if something does not compute right, 2 for a device that is not there or wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m gpugrad", description="gpugrad on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    info = commands.add_parser("info", help="versions, devices, kernels, libraries, caches")
    info.add_argument("--json", action="store_true", help="as JSON")
    check = commands.add_parser(
        "check", help="hold every op, rule and kernel on a device to the CPU: is my GPU computing right?"
    )
    check.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, or auto: a GPU if there is one (the default)")
    check.add_argument("--only", default="*", metavar="PATTERN", help="checks by kind or name: softmax, kernel, 'op:c*'")
    check.add_argument("--json", type=Path, metavar="FILE", help="write the results here, too")
    check.add_argument(
        "--full",
        action="store_true",
        help="in a checkout, on a GPU: the test suite, training and benchmarks as well (benchmarks/gpu.py)",
    )
    bench = commands.add_parser("bench", help="the devices of this machine side by side: what do I gain from the GPU?")
    bench.add_argument(
        "--devices",
        metavar="NAMES",
        help="cpu,cuda or cuda:0,cuda:1, say; the first is what the others are held to (default: all there are)",
    )
    bench.add_argument("--quick", action="store_true", help="fewer sizes and rounds, in less than 30 s")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the results here, too")
    options = parser.parse_args(arguments)
    if options.command == "info":
        found = about.describe()
        print(json.dumps(found, indent=1) if options.json else about.text(found))
        return 0
    if options.command == "bench":  # imported only for this command, as what it trains and measures is not needed by the others
        return int(importlib.import_module("gpugrad.bench.report").bench(options.devices, options.quick, options.json))
    try:
        device = gpugrad.Device(options.device)
    except DeviceError as error:
        print(f"gpugrad check: {error}", file=sys.stderr)
        return 2
    if options.full:
        return _full(device, options.json)
    # Only for this command: records and their references take a while to import.
    return int(importlib.import_module("gpugrad.check.report").check(str(device), options.only, options.json))


def _full(device: gpugrad.Device, file: Path | None) -> int:
    """All that a GPU can show, by benchmarks/gpu.py of the checkout that this package lies in."""
    script = CHECKOUT / "benchmarks" / "gpu.py"
    if device.type != "cuda":
        problem = f"--full needs a GPU, and the device is {device}; pass --device cuda"
    elif not script.exists():
        problem = (
            f"--full needs a checkout of gpugrad: benchmarks/gpu.py and tests/ are not beside the package in {CHECKOUT}; "
            "clone the repository and run this command there"
        )
    else:
        return subprocess.call([sys.executable, str(script), *([] if file is None else ["--json", str(file.resolve())])])
    print(f"gpugrad check: {problem}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
