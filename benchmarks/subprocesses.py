"""A command in a process of its own, with a time limit, its output shown and kept."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """How a part ended: `status` is "passed", "failed", "timed out" or "not run"; `detail` one line about it."""

    name: str
    status: str
    detail: str = ""
    seconds: float = 0.0
    output: str = ""


def run(name: str, command: Sequence[str], log: Path, limit: float, environment: Mapping[str, str], cwd: Path) -> Outcome:
    """Run `command` for at most `limit` seconds, everything it started included; its output goes to the terminal and to `log`."""
    start = time.monotonic()
    kept: list[str] = []
    with log.open("w", encoding="utf-8", errors="replace") as file:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

        def tee() -> None:
            for line in process.stdout or ():
                kept.append(line)
                file.write(line)
                file.flush()
                print(line, end="", flush=True)

        reader = threading.Thread(target=tee, daemon=True)
        reader.start()
        timed_out = False
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            _end(process)  # also what it left running, and if this program is interrupted
        reader.join(5)
    seconds = time.monotonic() - start
    output = "".join(kept)
    if timed_out:
        return Outcome(name, "timed out", f"stopped after {seconds:.0f} s", seconds, output)
    if process.returncode:
        return Outcome(name, "failed", f"exit code {process.returncode}", seconds, output)
    return Outcome(name, "passed", "", seconds, output)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the process and the session that it leads."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()
