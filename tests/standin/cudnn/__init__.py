"""A stand-in for the module `cudnn` of nvidia-cudnn-frontend 1.23.0, for tests: the part that gpugrad uses, computed with NumPy.

It works on the memory of the stand-in for CuPy beside it, through the same addresses that cuDNN would get, and refuses what the real
module refuses, as far as gpugrad could run into it; each refusal says where it was read. It is stricter on purpose in this:
handles and graphs belong to a thread and a device, the handle's stream must be the current one, every tensor needs a pointer.

It cannot be imported before a test asks for it by ``activate()`` of `cudnn_standin.py`, so that it never takes cuDNN's place unnoticed.
Its signatures are held against `signatures.txt`, which `record_signatures.py` writes where the real module is.
"""

import enum
import itertools
import sys
import threading

if "_gpugrad_cudnn_standin" not in sys.modules:
    raise ModuleNotFoundError("No module named 'cudnn' (only a stand-in, which no test has asked for)", name="cudnn")

import cupy

__version__ = "1.23.0"


# The names of members that the real module has: cudnn/_compiled_module, data_type and so on.
data_type = enum.Enum("data_type", "NOT_SET FLOAT DOUBLE HALF BFLOAT16 INT32 INT64 BOOLEAN")
heur_mode = enum.Enum("heur_mode", "A B FALLBACK OPENSOURCE")
diagonal_alignment = enum.Enum("diagonal_alignment", "TOP_LEFT BOTTOM_RIGHT")
build_plan_policy = enum.Enum("build_plan_policy", "HEURISTICS_CHOICE ALL")
attention_implementation = enum.Enum("attention_implementation", "AUTO COMPOSITE UNIFIED")
convolution_mode = enum.Enum("convolution_mode", "CONVOLUTION CROSS_CORRELATION")
tensor_reordering = enum.Enum("tensor_reordering", "NONE INT8x32 F16x16 F8_128x4")
numerical_note = enum.Enum(
    "numerical_note",
    "TENSOR_CORE DOWN_CONVERT_INPUTS REDUCED_PRECISION_REDUCTION FFT NONDETERMINISTIC WINOGRAD STRICT_NAN_PROP",
)


class cudnnGraphNotSupportedError(Exception):
    """As the real one, a plain Exception and no RuntimeError."""


_numbers = itertools.count(1)
_handles = {}  # number: [thread, device, stream]
_lock = threading.Lock()


def backend_version():
    """That of the cuDNN library played."""
    return 91900


def backend_version_string():
    """The same as text."""
    return "9.19.0"


def create_handle():
    """A handle of the current device."""
    with _lock:
        number = next(_numbers)
        _handles[number] = [threading.get_ident(), cupy.cuda.Device().id, 0]
    return number


def destroy_handle(handle):
    """End of a handle."""
    del _handles[handle]


def set_stream(handle, stream):
    """Where work is queued from now on. Raises for what is no handle and no address."""
    if type(stream) is not int:
        raise TypeError("set_stream(): incompatible function arguments")
    _handles[handle][2] = stream


def get_stream(handle):
    """The address of the stream."""
    return _handles[handle][2]


def _check(handle):
    """Raise unless a handle is used as cuDNN allows."""
    thread, device, stream = _handles[handle]
    assert thread == threading.get_ident(), "a handle of another thread"
    assert device == cupy.cuda.Device().id, "a handle of another device"
    assert stream == cupy.cuda.get_current_stream().ptr, "the handle's stream is not the current one"


from cudnn._graph import pygraph, tensor
