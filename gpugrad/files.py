"""Weights in files: safetensors, which hold arrays and nothing that could be executed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.numpy

from gpugrad.arrays.devices import DeviceLike, parse, to_numpy
from gpugrad.errors import DTypeError, FileFormatError
from gpugrad.ops.transfer import to_device
from gpugrad.tape import Tensor, raw

PathLike = str | os.PathLike[str]


def save(tensors: Mapping[str, Any], path: PathLike, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write named Tensors or arrays, such as ``model.state_dict()``, to a safetensors file.

    The file appears whole or not at all: it is written beside its place and then moved there.
    Raises DTypeError for a value that is no array.
    """
    arrays = {}
    for name, tensor in tensors.items():
        array = raw(tensor)
        if not hasattr(array, "dtype") or not hasattr(array, "shape"):
            raise DTypeError(f"save: {name!r} is {type(tensor).__name__}, expected a Tensor or an array")
        arrays[name] = to_numpy(array).copy(order="C")
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(safetensors.numpy.save(arrays, dict(metadata) if metadata else None))
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def load(path: PathLike, *, device: DeviceLike | None = None) -> dict[str, Tensor]:
    """The named Tensors of a safetensors file, on `device` (the default device for None).

    Raises FileFormatError for a file that is truncated or is no safetensors file, FileNotFoundError if there is none.
    """
    file = Path(path)
    content = file.read_bytes()
    try:
        arrays = safetensors.numpy.load(content)
    except KeyError as error:
        raise FileFormatError(
            f"load: {file} holds arrays of dtype {error}, which NumPy lacks; convert them to float32 first"
        ) from None
    except (safetensors.SafetensorError, ValueError) as error:
        raise FileFormatError(f"load: {file} is not a whole safetensors file of {len(content)} bytes: {error}") from None
    where = parse(device)
    return {name: to_device(Tensor(array), where) for name, array in arrays.items()}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
