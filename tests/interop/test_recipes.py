"""The recipes of examples/interop for libraries other than SciPy: each runs, and finds its gradients equal to central differences."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "interop"

# A recipe, the library that it needs, how many gradients it checks.
RECIPES = [
    ("array_api_extra_functions", "array_api_extra", 6),
    ("einops_rearrange", "einops", 4),
    ("marray_missing", "marray", 5),
    ("sklearn_pipeline", "sklearn", 8),
    ("xarray_labels", "xarray", 7),
]


@pytest.mark.parametrize(("recipe", "library", "count"), RECIPES, ids=[recipe for recipe, _, _ in RECIPES])
def test_a_recipe_runs_and_its_gradients_are_right(recipe: str, library: str, count: int) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed; nox -s interop installs it")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(FOLDER / f"{recipe}.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("equals central differences") == count
    assert done.stderr == ""


def test_every_recipe_is_run() -> None:
    """Those of SciPy in a file of their own."""
    here = {path.stem for path in FOLDER.glob("*.py")}
    assert {recipe for recipe, _, _ in RECIPES} == {name for name in here if not name.startswith("scipy_")}
