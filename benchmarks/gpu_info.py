"""What GPU is here and whether gpugrad can run on it: ``python -m benchmarks.gpu_info FILE`` prints it and writes JSON.

Exit code 2, with one sentence, if there is none that it can use.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import machine

REQUIRED = {"numpy": "numpy", "scipy": "scipy", "array_api_compat": "array-api-compat", "safetensors": "safetensors"}
"""What gpugrad imports, by module: the name of its distribution."""


def main(path: Path) -> int:
    """The exit code."""
    missing = [name for module, name in REQUIRED.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(
            f"gpugrad cannot be imported without {' and '.join(missing)}: install them, or pass --wheels DIR with their wheels"
        )
        return 2
    import gpugrad as gg
    from gpugrad.check import files

    try:
        with gg.device("cuda"):
            total = gg.sum(gg.arange(10)).item()
    except Exception as error:  # whatever a half-installed CUDA raises
        print(f"there is no GPU that gpugrad can use: {error}")
        return 2
    if total != 45:
        print(f"the GPU says that 0 + 1 + ... + 9 is {total}, expected 45")
        return 2
    found: dict[str, Any] = {"date": files.today(), "machine": machine.describe("cuda"), "versions": machine.versions()}
    found["machine"]["gpu"].update(_driver())
    path.write_text(json.dumps(found))
    for part in ("machine", "versions"):
        print(", ".join(f"{key} {value}" for key, value in found[part].items()))
    return 0


def _driver() -> dict[str, str]:
    """Driver and memory, as nvidia-smi says, if it is there."""
    if shutil.which("nvidia-smi") is None:
        return {}
    command = ["nvidia-smi", "--id=0", "--query-gpu=driver_version,memory.total", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    values = [value.strip() for value in done.stdout.strip().split(",")]
    return dict(zip(("driver", "memory"), values, strict=True)) if len(values) == 2 else {}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
