"""Random words and samples on the current device. Nothing waits for the GPU.

Where philox.cu does not compile, :func:`bits` come from NumPy's generator on the host, and :mod:`gpugrad.arrays.random` turns words
into the same samples.
"""

from __future__ import annotations

from typing import Any

import cupy
import numpy

from gpugrad.arrays.cuda import modules

_THREADS = 256
_WORD = 1 << 64


def _bits(key: int, block: int, count: int) -> Any:
    return _launch("philox_bits", numpy.dtype("uint64"), count, *_stream(key, block))


def _bits_of_the_host(key: int, block: int, count: int) -> Any:
    return cupy.asarray(numpy.random.Philox(key=key, counter=block).random_raw(count))


def _below(key: int, block: int, count: int, width: int, limit: int) -> Any:
    return _launch("philox_below", numpy.dtype("bool"), count, *_stream(key, block), numpy.int32(width), numpy.uint64(limit))


def _below_at(state: Any, count: int, width: int, limit: int) -> Any:
    return _launch("philox_below_at", numpy.dtype("bool"), count, state, numpy.int32(width), numpy.uint64(limit))


def _uniform(key: int, block: int, count: int, dtype: Any, start: Any, span: Any, most: Any) -> Any:
    return _launch("philox_uniform", dtype, count, *_stream(key, block), start, span, most)


def _normal(key: int, block: int, count: int, dtype: Any, mean: Any, std: Any, scale: Any, turn: Any) -> Any:
    return _launch("philox_normal", dtype, count, *_stream(key, block), mean, std, scale, turn)


def _otherwise(*_: Any) -> Any:
    return NotImplemented


bits = modules.in_front("random numbers", _bits, _bits_of_the_host)
"""``bits(key, block, count)``: words of the stream of a 128-bit key from block number `block` on, from the host if need be."""

below = modules.in_front("random numbers", _below, _otherwise)
"""``below(key, block, count, width, limit)``: whether each of `count` integers of `width` bits is below `limit`, or NotImplemented."""

below_at = modules.in_front("random numbers", _below_at, _otherwise)
"""``below_at(state, count, width, limit)``: :data:`below`, from a state on the GPU on."""

uniform = modules.in_front("random numbers", _uniform, _otherwise)
"""``start + k / 2**b * span``, at most `most`, numbers of the type that is computed in. NotImplemented where it does not compile."""

normal = modules.in_front("random numbers", _normal, _otherwise)
"""Normal samples from radii ``(k + 1/2) * scale`` and angles ``k * turn``. NotImplemented where it does not compile."""

compiling = modules.compiling
"""For what turns words into samples without these kernels."""


def _stream(key: int, block: int) -> list[Any]:
    """A stream as kernels take it. NumPy counts up before it encrypts: block 0 has counter 1. Done here, a kernel adds its number."""
    counter = (block + 1) % (1 << 256)
    limbs = (key, key >> 64, counter, counter >> 64, counter >> 128, counter >> 192)
    return [numpy.uint64(limb % _WORD) for limb in limbs]


def _launch(name: str, dtype: Any, count: int, *arguments: Any) -> Any:
    kernel = modules.function("philox.cu", name, dtype if dtype.kind == "f" else None)
    out = cupy.empty(count, dtype)
    if count:  # CUDA refuses an empty grid
        # The cap of `blocks` is far above what any GPU runs at once; each thread walks on by the size of the grid.
        grid = modules.blocks(count * dtype.itemsize, 32 * _THREADS)
        kernel((grid,), (_THREADS,), (out, numpy.uint64(count), *arguments))
    return out
