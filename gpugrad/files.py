"""Weights in files: safetensors, which hold arrays and nothing that could be executed."""

from __future__ import annotations

import errno
import json
import math
import os
import tempfile
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy
import safetensors.numpy

from gpugrad.arrays.devices import DeviceLike, parse, to_numpy
from gpugrad.errors import DTypeError, FileFormatError
from gpugrad.ops.transfer import to_device
from gpugrad.structure import decode, encode, is_array
from gpugrad.tape import Tensor, raw
from gpugrad.trees import map_leaves

# By the names of the format, which is little-endian, as every machine that gpugrad runs on.
_DTYPES = {
    "BOOL": "bool", "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64", "U8": "uint8", "U16": "uint16", "U32": "uint32",
    "U64": "uint64", "F16": "float16", "F32": "float32", "F64": "float64", "C64": "complex64",
}  # fmt: skip

_LONGEST_HEADER = 100_000_000  # as the format says

_STRUCTURE = "gpugrad.structure"
"""The key of the metadata that holds what ``structure.py`` writes."""

PathLike = str | os.PathLike[str]


def save(tensors: Mapping[str, Any], path: PathLike, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write named Tensors or arrays, such as ``model.state_dict()``, to a safetensors file.

    Of a dict that holds more, such as ``{"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}``, dicts, lists,
    tuples, numbers and strings go into the file's metadata, and :func:`load` puts all together again.
    The file appears whole or not at all: it is written beside its place and then moved there.
    Raises DTypeError for what is none of that, FileNotFoundError if the folder does not exist.
    """
    if not isinstance(tensors, Mapping):
        hint = "; pass model.state_dict()" if hasattr(tensors, "state_dict") else " in a dict"
        raise DTypeError(f"save: got {type(tensors).__name__}, expected named Tensors or arrays{hint}")
    named, notes = dict(tensors), dict(metadata or {})
    if not all(isinstance(name, str) and is_array(value) for name, value in named.items()):
        notes[_STRUCTURE], named = encode(named)
    arrays = {name: to_numpy(raw(tensor)).copy(order="C") for name, tensor in named.items()}
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "save: there is no such folder", str(target.parent))
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(safetensors.numpy.save(arrays, notes or None))
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def load(path: PathLike, *, device: DeviceLike | None = None) -> dict[str, Any]:
    """The named Tensors of a safetensors file, in order of their names, on `device` (the default device for None).

    From a file that :func:`save` wrote of more than named arrays, what it was given comes back, nested as it was.
    bfloat16, which NumPy lacks, is widened to float32, exactly. Nothing is read but the header before all of it has been checked:
    the arrays take as much memory as the file has bytes for them (twice as much of bfloat16).
    Raises FileFormatError for a file that is truncated or is no safetensors file, FileNotFoundError if there is none.
    Source: https://huggingface.co/docs/safetensors/index#format
    """
    place = Path(path)
    with open(place, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            entries, start, structure = _header(file, size)
            arrays = {name: _array(file, start, *entry) for name, entry in sorted(entries.items())}
            tensors = {name: Tensor(array) for name, array in arrays.items()}
            found = tensors if structure is None else decode(structure, tensors)
            if not isinstance(found, dict):
                raise ValueError("its structure is no dict")
        except KeyError as error:
            raise FileFormatError(
                f"load: {place} holds arrays of dtype {error}, which NumPy lacks; convert them to float32 first"
            ) from None
        except (ValueError, OverflowError, RecursionError) as error:
            raise FileFormatError(
                f"load: {place} is not a whole safetensors file of {size} bytes: {error}{_hint(place)}"
            ) from None
    where = parse(device)
    moved: dict[str, Any] = map_leaves(lambda x: to_device(x, where) if isinstance(x, Tensor) else x, found)
    return moved


def _header(file: BufferedReader, size: int) -> tuple[dict[str, tuple[str, tuple[int, ...], int]], int, str | None]:
    """Dtype, shape and first byte of each array, where the data begins, and the structure, if there is more than names.

    Raises ValueError for whatever is not as it must be.
    """
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or not 2 <= length <= min(size - 8, _LONGEST_HEADER):
        raise ValueError(f"its header has {length} bytes" if size >= 8 else "it has no header")
    header = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_unique)
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are no strings")
    found, spans = {}, []
    for name, entry in header.items():
        dtype, shape, (begin, end) = _entry(name, entry)
        width = 2 if dtype == "BF16" else numpy.dtype(_DTYPES[dtype]).itemsize
        if math.prod(shape) * width != end - begin:
            raise ValueError(f"{name!r} of shape {shape} and dtype {dtype} has {end - begin} bytes")
        found[name] = dtype, shape, begin
        spans.append((begin, end))
    reached = 0
    for begin, end in sorted(spans):
        if begin != reached:
            raise ValueError(f"its arrays overlap, or leave a hole, at byte {min(begin, reached)} of the data")
        reached = end
    if 8 + length + reached != size:
        raise ValueError(f"its arrays have {reached} bytes, and {size - 8 - length} follow the header")
    return found, 8 + length, metadata.get(_STRUCTURE)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice in its header")
    for name in found:
        name.encode("utf-8")  # not so half of a pair of surrogates, which could not even be printed
    return found


def _entry(name: str, entry: Any) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    """Dtype, shape and span of an entry of the header."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of {name!r} does not have dtype, shape and data_offsets")
    dtype, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
    lists = isinstance(dtype, str) and all(
        isinstance(x, list) and all(type(n) is int and n >= 0 for n in x) for x in (shape, span)
    )
    if not lists or len(span) != 2 or span[0] > span[1]:
        raise ValueError(f"the entry of {name!r} is malformed")
    if dtype not in (*_DTYPES, "BF16") and not dtype.startswith(("F4", "F6", "F8")):
        raise ValueError(f"{name!r} has dtype {dtype!r}, which the format does not know")
    if max(shape, default=0) >= 2**63:
        raise ValueError(f"{name!r} has more elements along an axis than there can be")
    return dtype, tuple(shape), (span[0], span[1])


def _array(file: BufferedReader, start: int, dtype: str, shape: tuple[int, ...], begin: int) -> Any:
    """An array from its bytes in the file."""
    array: Any = numpy.empty(shape, numpy.uint16 if dtype == "BF16" else _DTYPES[dtype])
    file.seek(start + begin)
    if file.readinto(memoryview(array.reshape(-1).view(numpy.uint8))) != array.nbytes:
        raise ValueError("it became shorter while it was read")
    if dtype == "BF16":  # the upper half of a float32
        wide = array.astype(numpy.uint32)
        wide <<= 16
        return wide.view(numpy.float32)
    return array


def _hint(place: Path) -> str:
    """What to do with a file that begins as those of other formats do."""
    with open(place, "rb") as file:
        start = file.read(2)
    if start == b"PK":
        return (
            "; it is a zip file: if torch.save wrote it, convert it in PyTorch with safetensors.torch.save_file(model.state_dict(), path); "
            "Chainer's .npz is for gg.load_chainer"
        )
    return "; it is a pickle, which could execute anything when it is loaded" if start[:1] == b"\x80" else ""


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
