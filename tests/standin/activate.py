"""Make `import cupy` give the stand-in of this folder, in a process that has not imported cupy yet.

    import sys; sys.path.insert(0, "tests/standin")
    from activate import activate
    active = activate()          # False on a machine with a usable GPU: there, test the real thing

The stand-in refuses to be imported in any other way, so it can never take CuPy's place unnoticed.
"""

import ctypes
import pathlib
import sys

HERE = str(pathlib.Path(__file__).resolve().parent)


def gpu_usable():
    """Whether the CUDA driver on this machine reports a GPU. Asks the driver, since asking CuPy would import it."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def activate():
    """Put the stand-in first on `sys.path` and import it. Returns whether the stand-in is what `import cupy` gives."""
    loaded = sys.modules.get("cupy")
    if loaded is not None and hasattr(loaded, "standin"):
        return True
    if gpu_usable():
        return False
    assert loaded is None, "the real cupy is already imported: activate the stand-in first, in its own process"
    if HERE in sys.path:
        sys.path.remove(HERE)
    sys.path.insert(0, HERE)
    sys.modules["_gpugrad_standin_active"] = sys.modules[__name__]  # what the stand-in's __init__ looks for
    import cupy

    assert hasattr(cupy, "standin")
    return True
