"""Keeps the stand-in out of the main suite: its tests run in a process of their own.

That is `GPUGRAD_TEST_STANDIN=1 pytest tests/standin`: without the variable ../conftest.py imports a real CuPy, if there is one.

pytest puts this folder on `sys.path` when it loads this file; left there, the folder `cupy` in it would be found before
a real CuPy. `activate()` puts it back where it is wanted.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
if "_gpugrad_standin_active" not in sys.modules:
    sys.path[:] = [entry for entry in sys.path if entry != str(HERE)]


def pytest_ignore_collect(collection_path, config):
    """Skip everything here unless pytest was asked for nothing else."""
    asked = [pathlib.Path(str(arg).partition("::")[0]).resolve() for arg in config.args]
    alone = all(path == HERE or HERE in path.parents for path in asked)
    return None if alone else True
