"""Turn the stand-in for cuDNN on for a while: ``with activate() as cudnn: ...``, on the stand-in for CuPy alone."""

import contextlib
import importlib
import sys

MODULES = ("cudnn", "cudnn._graph", "cudnn._operations")


@contextlib.contextmanager
def activate():
    """`import cudnn` gives the stand-in inside, and nothing afterwards, as before."""
    assert hasattr(sys.modules["cupy"], "standin") and "cudnn" not in sys.modules
    sys.modules["_gpugrad_cudnn_standin"] = sys.modules[__name__]
    try:
        yield importlib.import_module("cudnn")
    finally:
        for name in ("_gpugrad_cudnn_standin", *MODULES):
            sys.modules.pop(name, None)
