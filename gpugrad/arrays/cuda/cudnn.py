"""cuDNN, through nvidia-cudnn-frontend (``pip install gpugrad[cudnn]``): loading it, and running its graphs on CuPy's arrays.

cuDNN is used where the module ``cudnn`` can be imported, a handle can be made, and the environment variable GPUGRAD_CUDNN is not
"0". It is never needed: for what it does not take, or fails at, the op's definition computes. A graph that cannot be built or
run is remembered and not tried again, and the logger "gpugrad" says so once for each op and reason.

No GPU has run this path yet. Its graphs pass the checks of nvidia-cudnn-frontend 1.23.0, and a stand-in for that module
(tests/standin/cudnn), which computes with NumPy, gives the definitions' values.
"""

from __future__ import annotations

import functools
import importlib
import logging
import math
import os
import sys
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

import cupy
import numpy

MOST = 1024
"""Plans kept for each thread; the one made first goes first."""

LARGEST = 2**31 - 1
"""Elements of an array that every engine of cuDNN can address."""

_log = logging.getLogger("gpugrad")


class Found(NamedTuple):
    """The module ``cudnn``, or None and why it is not used."""

    module: Any
    reason: str = ""


@functools.cache
def library() -> Found:
    """The module, looked for once."""
    if os.environ.get("GPUGRAD_CUDNN") == "0":
        return Found(None, "the environment variable GPUGRAD_CUDNN is 0")
    try:
        # Optional, and slow to import: it imports PyTorch where that is installed.
        module = importlib.import_module("cudnn")
    except ModuleNotFoundError as error:
        if error.name == "cudnn":
            return Found(None, "the package nvidia-cudnn-frontend is not installed")
        return _unusable(error)
    except Exception as error:  # the compiled part of another platform, a missing shared library
        return _unusable(error)
    try:
        module.destroy_handle(module.create_handle())
    except Exception as error:  # the package finds the library itself, libcudnn, only now
        return _unusable(error)
    return Found(module)


def _unusable(error: Exception) -> Found:
    reason = f"nvidia-cudnn-frontend is installed but does not work: {str(error).rstrip('.')}"
    _log.warning("gpugrad: cuDNN is not used: %s", reason)
    return Found(None, reason)


def describe() -> str:
    """The versions of cuDNN and of its frontend, or why cuDNN is not used."""
    module, reason = library()
    if module is None:
        return f"not used: {reason}"
    text = f"{module.backend_version_string()}, through nvidia-cudnn-frontend {module.__version__}"
    refused = ", ".join(sorted({name for name, _ in _said}))
    return text + (f"; it refused {refused}, see the log" if refused else "")


class Plan(NamedTuple):
    """A graph that was built, and the bytes of workspace that it asks for."""

    graph: Any
    workspace: int


class _Handle:
    """A handle of cuDNN, given back with the thread that made it."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.value = module.create_handle()

    def __del__(self) -> None:
        if not sys.is_finalizing() and hasattr(self, "value"):  # at the end of the process CUDA may be gone already
            self.module.destroy_handle(self.value)


class _Local(threading.local):
    """Neither handles nor plans may be used by two threads at once (cuDNN's release notes), so each thread has its own."""

    def __init__(self) -> None:
        self.handles: dict[int, _Handle] = {}
        self.plans: dict[Hashable, Plan | None] = {}


_local = _Local()
_said: set[tuple[str, str]] = set()
_lock = threading.Lock()

Build = Callable[[Any, Any], None]


def run(name: str, key: Hashable, build: Build, arrays: Mapping[int, Any], notes: tuple[str, ...] = ()) -> bool:
    """Run the graph that `build` describes on `arrays`, on the current device and stream. False if that cannot be done.

    ``build(module, graph)`` adds tensors and an operation to an empty graph; `arrays` has an array for each tensor's uid. A graph
    is built once for each `key`, shapes, strides and dtypes of the arrays, and `notes`, the numerical notes of engines to leave out.
    """
    module = library().module
    if module is None:
        return False
    device = cupy.cuda.Device().id
    place = (name, device, key, notes, tuple((x.shape, x.strides, x.dtype.name) for x in arrays.values()))
    plans = _local.plans
    try:
        if place not in plans:
            plans[place] = None  # until it was built
            plans[place] = _built(module, _handle(module, device), build, notes)
            if len(plans) > MOST:
                del plans[next(iter(plans))]
        plan = plans[place]
        if plan is None:
            return False
        handle = _handle(module, device)
        module.set_stream(handle=handle, stream=cupy.cuda.get_current_stream().ptr)
        # Freed as soon as the work is queued: the pool gives it to the same stream only, whose work comes later.
        workspace = cupy.empty(plan.workspace, numpy.uint8)
        plan.graph.execute({uid: x.data.ptr for uid, x in arrays.items()}, workspace.data.ptr, handle=handle)
    except MemoryError:
        plans.pop(place, None)
        raise
    except Exception as error:  # cudnnGraphNotSupportedError, RuntimeError, ValueError: whatever it does not take
        plans[place] = None
        _say(name, str(error).strip().rstrip(".") or type(error).__name__)
        return False
    return True


def _handle(module: Any, device: int) -> int:
    handles = _local.handles
    if device not in handles:
        handles[device] = _Handle(module)
    value: int = handles[device].value
    return value


def _built(module: Any, handle: int, build: Build, notes: tuple[str, ...]) -> Plan:
    single = module.data_type.FLOAT
    graph = module.pygraph(name="gpugrad", intermediate_data_type=single, compute_data_type=single, handle=handle)
    build(module, graph)
    graph.validate()
    graph.build_operation_graph()
    graph.create_execution_plans([module.heur_mode.A, module.heur_mode.FALLBACK])
    if notes:  # they sort out what the line before has found
        graph.deselect_numeric_notes([getattr(module.numerical_note, note) for note in notes])
    graph.check_support()
    graph.build_plans()
    return Plan(graph, graph.get_workspace_size())


def _say(name: str, reason: str) -> None:
    with _lock:
        if (name, reason) in _said:
            return
        _said.add((name, reason))
    _log.warning("gpugrad: %s: cuDNN cannot compute it, so a slower way is taken: %s", name, reason)


# Tensors of a graph -------------------------------------------------------------------------------------------------

_TYPES = {"float16": "HALF", "bfloat16": "BFLOAT16", "float32": "FLOAT"}


def describes(module: Any, graph: Any, uid: int, x: Any) -> Any:
    """A tensor of `graph` for the array x."""
    return graph.tensor(dim=list(x.shape), stride=strides(x), data_type=_type(module, x), uid=uid)


def returns(module: Any, tensor: Any, uid: int, x: Any) -> None:
    """Say that the result `tensor` goes to the array x."""
    tensor.set_uid(uid).set_output(True).set_data_type(_type(module, x)).set_dim(list(x.shape)).set_stride(strides(x))


def _type(module: Any, x: Any) -> Any:
    return getattr(module.data_type, _TYPES[x.dtype.name])


def strides(x: Any) -> list[int]:
    """The strides of x in elements; those of axes of one element, which CuPy sets as it likes, as if what follows were packed."""
    return [
        step // x.itemsize if n > 1 else math.prod(x.shape[i + 1 :])
        for i, (n, step) in enumerate(zip(x.shape, x.strides, strict=True))
    ]
