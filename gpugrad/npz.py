"""Arrays from NumPy's .npz files, which may be hostile: nothing is unpickled, and sizes are checked before anything is allocated."""

from __future__ import annotations

import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy

from gpugrad.errors import FileFormatError

_LONGEST_HEADER = 4096  # NumPy's have 128 bytes, and more only for many axes
_HEADER = re.compile(
    r"\{'descr': '([<>|=][biufc]\d{1,2})', 'fortran_order': (True|False), 'shape': \(((?:\d{1,20}L?, ?)*(?:\d{1,20}L?)?)\),? *\}[ \n]*"
)
_SPARE, _RATIO = 2**26, 100  # arrays may be that many times as large as the file, and so much more

# What the zip file and zlib raise for content that is not what it says it is.
_FAULTS = (
    zipfile.BadZipFile, zlib.error, struct.error, ValueError, OverflowError, EOFError, NotImplementedError, RuntimeError,
    TypeError,
)  # fmt: skip


def read(path: str | os.PathLike[str], choose: Callable[[list[str]], list[str]], name: str) -> dict[str, Any]:
    """The arrays of an .npz file that are chosen from the names of all.

    Raises FileFormatError that begins with `name`, for a file that is truncated, no .npz file, holds anything but arrays of numbers, or
    unpacks to far more than weights do, 100 times its size; FileNotFoundError if there is none.
    """
    file = Path(path)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = _entries(archive, choose, os.path.getsize(file))
            return {key: _array(archive, key, entry) for key, entry in entries.items()}
    except _FAULTS as error:
        raise FileFormatError(f"{name}: {file} is not a whole .npz file of arrays: {error or type(error).__name__}") from None


def _entries(archive: zipfile.ZipFile, choose: Callable[[list[str]], list[str]], size: int) -> dict[str, zipfile.ZipInfo]:
    """The chosen entries by the names of their arrays, checked as far as the directory tells."""
    present: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        key = entry.filename.removesuffix(".npy")
        if key in present:
            raise ValueError(f"{key!r} occurs twice")
        present[key] = entry
    found = {key: present[key] for key in choose(list(present))}
    for key, entry in found.items():
        if entry.filename == key:
            raise ValueError(f"{key!r} is no array")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{key!r} is packed by method {entry.compress_type}, expected none, or deflate")
    packed = sum(entry.compress_size for entry in found.values())
    if packed > size:
        raise ValueError(f"its arrays overlap: they have {packed} bytes in a file of {size}")
    unpacked = sum(entry.file_size for entry in found.values())
    if unpacked > _SPARE + _RATIO * size:
        raise ValueError(f"it would unpack from {size} to {unpacked} bytes, as weights do not")
    return found


def _array(archive: zipfile.ZipFile, key: str, entry: zipfile.ZipInfo) -> Any:
    """An array, allocated once its header and the directory agree about its size."""
    with archive.open(entry) as stream:
        shape, fortran, dtype, start = _header(stream, key)
        size = math.prod(shape) * dtype.itemsize
        if max(shape, default=0) >= 2**63 or size != entry.file_size - start:
            raise ValueError(f"{key!r} of shape {shape} and dtype {dtype} has {entry.file_size - start} bytes")
        flat: Any = numpy.empty(math.prod(shape), dtype)
        if _fill(stream, memoryview(flat.view(numpy.uint8))) != size or stream.read(1):
            raise ValueError(f"{key!r} is truncated")
    array = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
    return numpy.asarray(array, dtype.newbyteorder("="), order="C")


def _header(stream: Any, key: str) -> tuple[tuple[int, ...], bool, numpy.dtype[Any], int]:
    """Shape, order and dtype from the header of an array, and where its data begin.

    As NumPy writes it, by its shape: nothing is evaluated.
    """
    start = stream.read(8)
    width = {b"\x93NUMPY\1\0": 2, b"\x93NUMPY\2\0": 4, b"\x93NUMPY\3\0": 4}.get(start)
    if width is None:
        raise ValueError(f"{key!r} is no array")
    length = int.from_bytes(stream.read(width), "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"{key!r} has a header of {length} bytes")
    text = stream.read(length).decode("latin1")
    found = _HEADER.fullmatch(text)
    if found is None:
        raise ValueError(f"{key!r} has the header {text[:80]!r}, expected that of an array of numbers")
    shape = tuple(int(n.rstrip("L")) for n in re.findall(r"\d+L?", found[3]))
    return shape, found[2] == "True", numpy.dtype(found[1]), 8 + width + length


def _fill(stream: Any, into: memoryview) -> int:
    """Read until `into` is full or the stream ends. Returns the number of bytes."""
    done = 0
    while done < len(into) and (count := stream.readinto(into[done : done + 2**20])):
        done += count
    return done
