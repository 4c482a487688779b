"""Weights in files: safetensors, which hold arrays and nothing that could be executed."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import safetensors
import safetensors.numpy

from gpugrad.arrays.devices import DeviceLike, parse, to_numpy
from gpugrad.errors import DTypeError, FileFormatError
from gpugrad.ops.transfer import to_device
from gpugrad.tape import Tensor, raw

# By the names of the format, which is little-endian, as every machine that gpugrad runs on.
_DTYPES = {
    "BOOL": "bool", "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64", "U8": "uint8", "U16": "uint16", "U32": "uint32",
    "U64": "uint64", "F16": "float16", "F32": "float32", "F64": "float64", "C64": "complex64",
}  # fmt: skip

PathLike = str | os.PathLike[str]


def save(tensors: Mapping[str, Any], path: PathLike, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write named Tensors or arrays, such as ``model.state_dict()``, to a safetensors file.

    The file appears whole or not at all: it is written beside its place and then moved there.
    Raises DTypeError for anything but a dict of arrays, FileNotFoundError if the folder does not exist.
    """
    if not isinstance(tensors, Mapping):
        hint = "; pass model.state_dict()" if hasattr(tensors, "state_dict") else " in a dict"
        raise DTypeError(f"save: got {type(tensors).__name__}, expected named Tensors or arrays{hint}")
    arrays = {}
    for name, tensor in tensors.items():
        array = raw(tensor)
        if not hasattr(array, "dtype") or not hasattr(array, "shape"):
            raise DTypeError(f"save: {name!r} is {type(tensor).__name__}, expected a Tensor or an array")
        arrays[name] = to_numpy(array).copy(order="C")
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "save: there is no such folder", str(target.parent))
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
    """The named Tensors of a safetensors file, in order of their names, on `device` (the default device for None).

    bfloat16, which NumPy lacks, is widened to float32, exactly.
    Raises FileFormatError for a file that is truncated or is no safetensors file, FileNotFoundError if there is none.
    """
    file = Path(path)
    content = file.read_bytes()
    try:
        entries = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
        # By name: the order in which safetensors gives them changes from run to run.
        arrays = {name: _array(**entry) for name, entry in sorted(entries, key=lambda entry: entry[0])}
    except KeyError as error:
        raise FileFormatError(
            f"load: {file} holds arrays of dtype {error}, which NumPy lacks; convert them to float32 first"
        ) from None
    except (safetensors.SafetensorError, ValueError) as error:
        raise FileFormatError(f"load: {file} is not a whole safetensors file of {len(content)} bytes: {error}") from None
    where = parse(device)
    return {name: to_device(Tensor(array), where) for name, array in arrays.items()}


def _array(dtype: str, shape: list[int], data: bytearray) -> Any:
    """An array from an entry of a safetensors file. Raises KeyError for a dtype that there is none for."""
    if dtype == "BF16":  # the upper half of a float32
        flat = (numpy.frombuffer(data, numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32)
    else:
        flat = numpy.frombuffer(data, _DTYPES[dtype])
    return flat.reshape(shape)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
