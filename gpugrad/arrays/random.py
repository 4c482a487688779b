"""Random numbers: one counter-based generator, the same numbers on NumPy and on CuPy.

Three layers, each built on the one before:

1. :func:`bits` is a pure function from ``(seed, offset, count)`` to raw 64-bit words. The words are those of Philox4x64-10
   (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011): block number ``n`` of a stream is the
   encryption of the counter ``n + 1`` under a key made from the seed, and holds four words. NumPy's own C code makes them on
   the CPU, ``cuda/philox.cu`` on a GPU; both make the same bits.
2. The distributions (:func:`uniform`, :func:`normal`, :func:`integers`, :func:`permutation`, :func:`bernoulli`) turn words
   into samples. Each is written once, over the array module ``xp`` (numpy or cupy), and asks ``draw(n)`` for ``n`` words, which
   come as one or several new arrays that it may overwrite; all but the last hold an even number. How many words it asks for,
   in its single call, depends on the arguments alone, never on the backend.
3. :class:`Generator` holds a seed and an offset and hands out consecutive blocks.

``uniform``, ``integers``, ``permutation`` and ``bernoulli`` give identical results on every backend: they use only exact and
correctly rounded operations, and none may be fused into a multiply-add. ``normal`` goes through
log, cos and sin, whose last bits differ between NumPy's and CUDA's (and between two processors').

The words are split into 32-bit halves in memory order, the low half first: every CUDA host is little-endian. A big-endian CPU
would draw the same samples with neighbours swapped.

Values out of range raise OptionError (ShapeError for shapes and counts), wrong types DTypeError, absent devices DeviceError.
"""

import functools
import importlib
import math
import operator
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from gpugrad.arrays.devices import Device, import_cupy, on
from gpugrad.errors import DeviceError, DTypeError, OptionError, ShapeError

# A raw array: numpy.ndarray or cupy.ndarray. CuPy may be absent, so there is no common type to name.
Array = Any
Draw = Callable[[int], Iterator[Array]]

_WORD = 1 << 64
_COUNTERS = 1 << 256
_KEYS = 1 << 128

# Words in a piece on the CPU, whole blocks. 128 KiB and its temporaries stay in the cache, and in memory that malloc reuses:
# fresh memory for a million samples costs more in page faults than the arithmetic does.
_PIECE = 1 << 14

# ---------------------------------------------------------------------------------------------------------------- raw bits


def bits(seed: int, offset: int, count: int, device: str | int | None = None) -> Array:
    """``count`` words of the stream of ``seed``, from block number ``offset`` on.

    ``bits(seed, offset, count)`` equals ``numpy.random.Philox(key=seed, counter=offset).random_raw(count)`` for every seed
    below 2**128, which is its own key. A larger seed is reduced to the 128-bit BLAKE2b hash of its little-endian bytes.
    A block is four words, so ``bits(s, 0, 4 * n + m)`` is ``bits(s, 0, 4 * n)`` followed by ``bits(s, n, m)``.

    Args:
        seed: any non-negative int.
        offset: the first block, ``0 <= offset < 2**256``; past the end the blocks start again at 0.
        count: how many words, at least 0.
        device: ``None`` or ``"cpu"`` for NumPy, an int for CuPy on that CUDA device.

    Returns:
        A new array of dtype uint64 and shape ``(count,)``.

    Raises:
        OptionError: a negative seed, or an offset out of range.
        ShapeError: a negative count.
        DTypeError: a seed, offset or count that is not an int.
        DeviceError: a device that is unknown or absent.
    """
    key = _key(_integer(seed, "seed"))
    offset = _offset(offset)
    count = _count(count, "count")
    index = _device_index(device)
    if index is None:
        return np.random.Philox(key=key, counter=offset).random_raw(count)
    return _cuda_bits(key, offset, count, index)


def _key(seed: int) -> int:
    """The 128-bit key of a seed: itself where it fits, else a hash, since a remainder would make easy collisions."""
    if seed < 0:
        raise OptionError(f"seed must be a non-negative int, got {seed}; leave it out for a seed from the operating system")
    if seed < _KEYS:
        return seed
    hashlib = importlib.import_module("hashlib")  # imported here, because it loads OpenSSL, for which few programs have a use
    digest: bytes = hashlib.blake2b(seed.to_bytes((seed.bit_length() + 7) // 8, "little"), digest_size=16).digest()
    return int.from_bytes(digest, "little")


def _cuda_bits(key: int, offset: int, count: int, index: int) -> Array:
    """:func:`bits` on CUDA device ``index``, on its current stream."""
    with on(Device("cuda", index)):
        return _cuda_kernels().bits(key, offset, count)


def _cuda_kernels() -> Any:
    """The kernels for CuPy arrays, which import CuPy: that is slow, and most machines lack it."""
    return importlib.import_module("gpugrad.arrays.cuda.philox")


class _CudaWords(NamedTuple):
    """Words on the current CUDA device, not made as yet: a kernel turns them into samples without storing them."""

    key: int
    offset: int
    words: int

    def samples(self, count: int, make: Callable[[Array], Array], kernel: str | None, arguments: tuple[Any, ...]) -> Array:
        """``count`` samples, in one pass from a kernel of that name where it compiles; else by ``make``, from stored words."""
        kernels = _cuda_kernels()
        found = NotImplemented if kernel is None else getattr(kernels, kernel)(self.key, self.offset, count, *arguments)
        if found is not NotImplemented:
            return found
        with kernels.compiling("random numbers"):
            return make(kernels.bits(*self))[:count]


def _device_index(device: str | int | None) -> int | None:
    """None for the CPU, the number of a CUDA device otherwise."""
    if device is None or (isinstance(device, str) and device == "cpu"):
        return None
    if isinstance(device, (int, np.integer)) and not isinstance(device, bool) and device >= 0:
        return int(device)
    raise DeviceError(f"device must be None, 'cpu' or the number of a CUDA device, got {device!r}")


# ------------------------------------------------------------------------------------------------------------------ states
#
# A state says which random bits in 48 bytes: uint64 (6,), the 128-bit key and the 256-bit number of the first block, low words
# first. Kernels compute bits from it where they need them (``compile/philox.h``), so that nobody has to store the bits.


def state(seed: int, offset: int) -> Array:
    """The state of the stream of ``seed`` at block number ``offset``: a NumPy array of dtype uint64 and shape ``(6,)``.

    Raises OptionError and DTypeError as :func:`bits`.
    """
    key, offset = _key(_integer(seed, "seed")), _offset(offset)
    limbs = (key, key >> 64, offset, offset >> 64, offset >> 128, offset >> 192)
    return np.array([limb % _WORD for limb in limbs], dtype=np.uint64)


def words_of(count: int, width: int) -> int:
    """How many words hold ``count`` integers of ``width`` bits, 32 or 64."""
    return -(-count // 2) if width == 32 else count


def below(state: Array, shape: Sequence[int], threshold: float, width: int) -> Array:
    """Booleans of ``shape``: whether element i of the integers of ``width`` bits at ``state`` is below ``threshold``.

    The integers are the words of :func:`bits` from there on, or for a width of 32 their halves, the low half first.

    Args:
        state: what :func:`state` returned, as a NumPy array or on the GPU where the result is to be.
        shape: a tuple of ints.
        threshold: a whole number from 0 to ``2**width - 1``.
        width: 32 or 64.

    Returns:
        A new array of dtype bool, of NumPy or of CuPy as the state is.
    """
    count = math.prod(shape)
    limit = (np.uint32 if width == 32 else np.uint64)(threshold)

    def make(words: Array) -> Array:
        """Booleans from words: one from each, or two for a width of 32."""
        return (words.view(np.uint32) if width == 32 else words) < limit

    words = words_of(count, width)
    if isinstance(state, np.ndarray):
        return _collect(np, functools.partial(_cpu_words, state), words, count, make).reshape(shape)
    with state.device:
        kernels = _cuda_kernels()
        found = kernels.below_at(state, count, width, limit)
        if found is NotImplemented:
            with kernels.compiling("random numbers"):
                found = make(_words_at(import_cupy(), state, words))[:count]
        return found.reshape(shape)


def _cpu_words(state: Array, count: int) -> Iterator[Array]:
    """``count`` words from a state on, in pieces."""
    philox = np.random.Philox(key=state[:2], counter=state[2:])
    while count > _PIECE:
        yield philox.random_raw(_PIECE)
        count -= _PIECE
    yield philox.random_raw(count)


def _words_at(xp: ModuleType, state: Array, count: int) -> Array:
    """``count`` words from a state on, by Philox4x64-10 in the functions of an array module: where no kernel makes them."""
    number = xp.arange(-(-count // 4), dtype=np.uint64)
    c = []
    carry = np.uint64(1)  # block number n encrypts n + 1
    for i in range(2, 6):
        limb = state[i : i + 1] + carry
        carry = (limb < carry).astype(np.uint64)
        if i == 2:
            limb = limb + number
            carry = carry + (limb < number)  # one of the two at most
        c.append(limb)
    k0, k1 = state[0:1], state[1:2]
    for _ in range(10):
        high0, high1 = _multiply_high(c[0], _MULTIPLIERS[0]), _multiply_high(c[2], _MULTIPLIERS[1])
        low0, low1 = c[0] * np.uint64(_MULTIPLIERS[0]), c[2] * np.uint64(_MULTIPLIERS[1])
        c = [high1 ^ c[1] ^ k0, low1, high0 ^ c[3] ^ k1, low0]
        k0, k1 = k0 + np.uint64(_WEYL[0]), k1 + np.uint64(_WEYL[1])
    return xp.stack(c, axis=1).reshape(-1)[:count]


_MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
_WEYL = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B


# ----------------------------------------------------------------------------------------------------------- distributions


def uniform(
    xp: ModuleType, draw: Draw, shape: int | Sequence[int], low: float = 0.0, high: float = 1.0, dtype: Any = np.float32
) -> Array:
    """Samples of the uniform distribution on ``[low, high)``.

    ``low + k / 2**b * (high - low)`` with ``k`` uniform on ``0 .. 2**b - 1``: ``b`` = 24 for float32, from half a word, and
    53 for float64, from a whole one. float16 is computed in float32 and cast. ``low <= x < high`` holds for the numbers that
    were given, after all rounding too: a sample that rounds up to ``high`` becomes the largest number of the dtype below it.

    Args:
        shape: an int or a tuple of ints.
        low, high: finite, with at least one number of the dtype in ``[low, high)``, and ``high - low`` finite.
        dtype: float16, float32 or float64.

    Raises:
        OptionError: bounds that are not finite, empty, or too far apart for the dtype.
        ShapeError: a negative dimension.
        DTypeError: another dtype, or bounds that are not real numbers.
    """
    shape = _shape(shape)
    dtype = _float_dtype(dtype, "uniform")
    work = _WORK[dtype]
    low, high = _real(low, "low", dtype), _real(high, "high", dtype)
    # Both bounds rounded up: low <= x < high on the dtype's own grid is then the same as for the numbers given.
    first, beyond = _round_up(low, dtype), _round_up(high, dtype)
    if not first < beyond:
        raise OptionError(f"uniform needs low < high with a {dtype} number in [low, high), got [{low}, {high})")
    if not float(beyond) - float(first) <= _MAXIMUM[np.dtype(work)]:
        raise OptionError(f"uniform needs a finite high - low, got [{low}, {high}) in {dtype}; draw from a narrower interval")
    start, span = work(first), work(beyond) - work(first)
    # Rounding is monotonic, so the largest of all k tells whether any sample can round up to high.
    largest = dtype.type(work(1 - 2.0 ** -_UNIT_BITS[work]) * span + start)
    below = np.nextafter(beyond, dtype.type(-np.inf)) if largest >= beyond else None

    def make(words: Array) -> Array:
        """Samples from words: two from each in float32, one in float64."""
        samples = _unit(words, work)
        if span != 1:
            samples *= span
        if start != 0:
            samples += start
        samples = samples.astype(dtype, copy=False)
        return samples if below is None else xp.minimum(samples, below, out=samples)

    count = math.prod(shape)
    kernel = "uniform", (dtype, start, span, work(np.inf if below is None else below))
    return _collect(xp, draw, count if work is np.float64 else -(-count // 2), count, make, *kernel).reshape(shape)


_UNIT_BITS: dict[Any, int] = {np.float32: 24, np.float64: 53}


def _unit(words: Array, work: type) -> Array:
    """Multiples of 2**-24 (float32, two from each word) or 2**-53 (float64) in ``[0, 1)``. Overwrites the words."""
    # Signed integers convert to floats faster (for 64 bits 7 times), and these are not negative.
    if work is np.float32:
        halves = words.view(np.uint32)
        halves >>= np.uint32(32 - 24)
        samples = halves.view(np.int32).astype(np.float32)
    else:
        words >>= np.uint64(64 - 53)
        samples = words.view(np.int64).astype(np.float64)
    samples *= work(2.0 ** -_UNIT_BITS[work])
    return samples


def _collect(
    xp: ModuleType,
    draw: Draw,
    words: int,
    count: int,
    make: Callable[[Array], Array],
    kernel: str | None = None,
    arguments: tuple[Any, ...] = (),
) -> Array:
    """The first ``count`` of the samples that ``make`` gives for ``words`` words, one-dimensional.

    On a GPU a function ``kernel`` of ``cuda/philox.py`` may make the same samples, given ``arguments``.
    """
    samples, end = None, 0
    for piece in draw(words):
        if isinstance(piece, _CudaWords):
            return piece.samples(count, make, kernel, arguments)
        made = make(piece)
        if samples is None:
            if made.size >= count:
                return made[:count]
            samples = xp.empty(count, dtype=made.dtype)
        start, end = end, min(end + made.size, count)
        samples[start:end] = made[: end - start]
    return samples


def normal(
    xp: ModuleType, draw: Draw, shape: int | Sequence[int], mean: float = 0.0, std: float = 1.0, dtype: Any = np.float32
) -> Array:
    """Samples of the normal distribution.

    Box and Muller (1958): from ``u`` in (0, 1] and ``v`` in [0, 1] come the two samples ``mean + std * r * cos(2 pi v)`` and
    ``mean + std * r * sin(2 pi v)`` with ``r = sqrt(-2 log u)``. ``u = (k + 1/2) / 2**b`` is never 0, so no sample is infinite
    or nan; ``b`` = 31 for float32 (``|r| <= 6.67``) and 63 for float64 (``|r| <= 9.42``). float16 is computed in float32
    and cast. A pair takes one word in float32 and two in float64, so a shorter draw is the beginning of a longer one.

    Args:
        shape: an int or a tuple of ints.
        mean, std: finite, ``std >= 0``.
        dtype: float16, float32 or float64.

    Raises:
        OptionError: ``mean`` or ``std`` not finite, ``std`` negative, or ``|mean| + 9.5 std`` beyond the dtype's range.
        ShapeError: a negative dimension.
        DTypeError: another dtype, or ``mean`` or ``std`` not real numbers.
    """
    shape = _shape(shape)
    dtype = _float_dtype(dtype, "normal")
    mean, std = _real(mean, "mean", dtype), _real(std, "std", dtype)
    if std < 0:
        raise OptionError(f"normal needs std >= 0, got {std}")
    if abs(mean) + 9.5 * std > _MAXIMUM[dtype]:
        raise OptionError(f"normal with mean {mean} and std {std} overflows {dtype}; use a wider dtype")

    work = _WORK[dtype]
    unsigned, signed, scale = (np.uint64, np.int64, 2.0**-63) if work is np.float64 else (np.uint32, np.int32, 2.0**-31)

    def make(words: Array) -> Array:
        """Samples from words, of which a pair takes one in float32 and two in float64."""
        numbers = words.view(unsigned)
        numbers >>= unsigned(1)  # one bit less, and the conversion is that of signed integers: see _unit
        numbers = numbers.view(signed)
        radius = numbers[0::2].astype(work)
        radius *= work(scale)
        radius += work(scale / 2)
        xp.log(radius, out=radius)
        radius *= work(-2)
        xp.sqrt(radius, out=radius)
        if std != 1:
            radius *= work(std)
        angle = numbers[1::2].astype(work)
        angle *= work(2 * math.pi * scale)
        samples = xp.empty(numbers.size, dtype=work)
        # cos and sin into contiguous arrays, where NumPy's vector code is twice as fast; the products do the interleaving.
        xp.multiply(radius, xp.cos(angle), out=samples[0::2])
        xp.multiply(radius, xp.sin(angle, out=angle), out=samples[1::2])
        if mean != 0:
            samples += work(mean)
        return samples.astype(dtype, copy=False)

    count = math.prod(shape)
    pairs = -(-count // 2)
    kernel = "normal", (dtype, work(mean), work(std), work(scale), work(2 * math.pi * scale))
    return _collect(xp, draw, 2 * pairs if work is np.float64 else pairs, count, make, *kernel).reshape(shape)


def integers(xp: ModuleType, draw: Draw, shape: int | Sequence[int], low: int, high: int, dtype: Any = np.int64) -> Array:
    """Samples of the uniform distribution on the integers ``low .. high - 1``.

    ``low + floor(w * (high - low) / 2**b)``, a random fixed-point fraction ``w / 2**b`` times the range, computed exactly:
    ``b`` = 64 for ranges up to 2**32 (one word each), 128 above (two words each). The probability of each integer is off from
    ``1 / (high - low)`` by less than ``2**-b``, a relative error of at most 2**-32, in place of a number of words that would
    depend on chance.

    Args:
        shape: an int or a tuple of ints.
        low: the smallest integer.
        high: one above the largest; ``high - low`` is any number from 1 to 2**64.
        dtype: an integer dtype that holds ``low`` and ``high - 1``.

    Raises:
        OptionError: an empty range, or one beyond the dtype.
        ShapeError: a negative dimension.
        DTypeError: a dtype that is not an integer dtype, or bounds that are not ints.
    """
    shape = _shape(shape)
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        raise DTypeError(f"integers needs an integer dtype such as int64, got {dtype}")
    low, high = _integer(low, "low"), _integer(high, "high")
    if low >= high:
        raise OptionError(f"integers needs low < high (high is exclusive), got low {low} and high {high}")
    limits = np.iinfo(dtype)
    if low < limits.min or high - 1 > limits.max:
        raise OptionError(f"integers needs a dtype that holds {low} and {high - 1}, got {dtype} ({limits.min} to {limits.max})")

    size = high - low
    wide = size > 1 << 32

    def make(words: Array) -> Array:
        """Samples from words: one from each, or from two where the range is wide."""
        if not wide:
            samples = _multiply_high(words, size)
        elif size == _WORD:
            samples = words[1::2].copy()  # the size no longer fits a word, but the product below would be this
        else:
            fraction, major = words[0::2], words[1::2]
            samples = _multiply_high(major, size)
            # The low word of major * size, plus the high word of fraction * size, may carry into the result.
            rest = _multiply_high(fraction, size)
            samples += major * np.uint64(size) + rest < rest
        # Modulo 2**64, which is what two's complement needs: what follows only renames and drops bits.
        samples += np.uint64(low % _WORD)
        return samples.view(np.int64).astype(dtype, copy=False)

    count = math.prod(shape)
    return _collect(xp, draw, 2 * count if wide else count, count, make).reshape(shape)


def _multiply_high(words: Array, factor: int) -> Array:
    """``floor(words * factor / 2**64)``, the high half of the 128-bit product, for ``factor < 2**64``.

    Schoolbook multiplication in 32-bit digits (Knuth, TAOCP 2, 4.3.1): no intermediate sum exceeds 64 bits.
    """
    digit, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    factor_high, factor_low = np.uint64(factor >> 32), np.uint64(factor & 0xFFFFFFFF)
    high, low = words >> digit, words & mask
    middle = high * factor_low
    middle += (low * factor_low) >> digit
    if factor_high == 0:
        middle >>= digit
        return middle
    high *= factor_high
    high += middle >> digit
    middle &= mask
    low *= factor_high
    middle += low
    middle >>= digit
    high += middle
    return high


def permutation(xp: ModuleType, draw: Draw, n: int) -> Array:
    """A random order of ``0 .. n - 1``: int64, shape ``(n,)``.

    The stable argsort of ``n`` random words. Two equal words, with probability below ``n**2 / 2**65``, keep their order.

    Raises:
        ShapeError: ``n`` negative.
        DTypeError: ``n`` not an int.
    """
    n = _count(n, "n")
    keys = _collect(xp, draw, n, n, lambda words: words)
    return xp.argsort(keys, kind="stable").astype(np.int64, copy=False)


def bernoulli(xp: ModuleType, draw: Draw, shape: int | Sequence[int], p: float) -> Array:
    """Booleans that are True with probability ``p``.

    ``w < p * 2**b`` for a random ``b``-bit integer ``w``: ``b`` = 32, two samples per word, unless ``p`` or ``1 - p`` is
    below 2**-12, where the rounding of ``p`` to 32 bits could matter; then ``b`` = 64. The probability is off by at most
    ``2**-(b + 1)``; p = 0 gives only False and p = 1 only True.

    Args:
        shape: an int or a tuple of ints.
        p: a number from 0 to 1.

    Returns:
        An array of dtype bool.

    Raises:
        OptionError: ``p`` outside [0, 1] or nan.
        ShapeError: a negative dimension.
        DTypeError: ``p`` not a real number.
    """
    shape = _shape(shape)
    p = _real(p, "p", np.dtype(np.float64))
    if not 0 <= p <= 1:
        raise OptionError(f"bernoulli needs a probability 0 <= p <= 1, got {p}")
    count = math.prod(shape)
    if min(p, 1 - p) >= 2**-12:
        half = np.uint32(round(p * 2**32))
        make: Callable[[Array], Array] = lambda words: words.view(np.uint32) < half
        samples = _collect(xp, draw, -(-count // 2), count, make, "below", (32, half))
    elif p < 1:
        whole = np.uint64(round(p * 2**64))
        samples = _collect(xp, draw, count, count, lambda words: words < whole, "below", (64, whole))
    else:  # 2**64 is no 64-bit integer
        samples = _collect(xp, draw, count, count, lambda words: xp.ones(words.shape, dtype=bool))
    return samples.reshape(shape)


# --------------------------------------------------------------------------------------------------------------- generator


class Generator:
    """A seed, and how many blocks of its stream have been handed out.

    Every method takes ``ceil(words / 4)`` blocks, where the number of words follows from its arguments as the distribution
    says, on every device alike. Samples made on the CPU and on GPUs can therefore alternate without changing each other.
    Threads may share a Generator: each call gets blocks of its own, but which thread gets which depends on their timing.

    Args:
        seed: a non-negative int, or None for 128 bits from the operating system.
        offset: the first block to hand out.

    Raises:
        OptionError: a negative seed, or an offset outside ``0 .. 2**256 - 1``.
        DTypeError: a seed or offset that is not an int.
    """

    __slots__ = ("_engine", "_lock", "_offset", "_seed")

    def __init__(self, seed: int | None = None, offset: int = 0) -> None:
        self._lock = threading.Lock()
        self.set_state((int.from_bytes(os.urandom(16), "little") if seed is None else seed, offset))

    @property
    def seed(self) -> int:
        """The seed as it was given."""
        return self._seed

    @property
    def offset(self) -> int:
        """The number of the next block."""
        return self._offset

    def get_state(self) -> tuple[int, int]:
        """``(seed, offset)``: all there is to know."""
        with self._lock:
            return self._seed, self._offset

    def set_state(self, state: tuple[int, int]) -> None:
        """Continue from a state that ``get_state`` returned; raises as the constructor does."""
        if not isinstance(state, (tuple, list)) or len(state) != 2:
            raise DTypeError(f"the state of a Generator is a tuple (seed, offset), got {state!r}")
        seed, offset = _integer(state[0], "seed"), _offset(state[1])
        _key(seed)  # raises for a bad seed before anything is changed
        with self._lock:
            self._seed, self._offset = seed, offset
            # NumPy's Philox and the block that it is at. Making one takes 9 microseconds, more than a small draw.
            self._engine: tuple[np.random.Philox, int] | None = None

    def __repr__(self) -> str:
        seed, offset = self.get_state()
        return f"{type(self).__name__}(seed={seed}, offset={offset})"

    def __reduce__(self) -> tuple[type, tuple[int, int]]:
        # For copy.copy and copy.deepcopy, which cannot copy a lock: the copy continues independently from the same state.
        return type(self), self.get_state()

    def bits(self, count: int, device: str | int | None = None) -> Array:
        """The next ``count`` words; see :func:`bits`."""
        count = _count(count, "count")
        index = _device_index(device)
        words = next(self._draw(index, count, piece=count))
        return words if index is None else _cuda_bits(words.key, words.offset, count, index)

    def take(self, words: int) -> Array:
        """The state from which the next ``words`` words come, which are taken to be drawn; see :func:`state`."""
        blocks = -(-_count(words, "words") // 4)
        with self._lock:
            seed, start = self._seed, self._offset
            self._offset = (start + blocks) % _COUNTERS
        return state(seed, start)

    def _draw(self, index: int | None, count: int, piece: int = _PIECE) -> Iterator[Array]:
        """The next ``count`` words: on the CPU in arrays of ``piece`` words, the last one shorter; on a GPU none is made as yet."""
        blocks = -(-count // 4)
        with self._lock:
            seed, start = self._seed, self._offset
            end = (start + blocks) % _COUNTERS
            self._offset = end
            if index is None:
                # Taken away while in use: another thread that comes meanwhile makes its own.
                engine, self._engine = self._engine, None
        if index is not None:
            yield _CudaWords(_key(seed), start, count)
            return
        philox = engine[0] if engine is not None and engine[1] == start else np.random.Philox(key=_key(seed), counter=start)
        while count > piece:
            yield philox.random_raw(piece)
            count -= piece
        words = philox.random_raw(-(-count // 4) * 4)[:count]  # whole blocks, so that it stops where the next draw begins
        with self._lock:
            if seed == self._seed:  # not after a set_state in another thread
                self._engine = philox, end
        yield words

    def uniform(
        self,
        shape: int | Sequence[int],
        low: float = 0.0,
        high: float = 1.0,
        dtype: Any = np.float32,
        device: str | int | None = None,
    ) -> Array:
        """Uniform samples on ``[low, high)``; see :func:`uniform`."""
        return self._sample(uniform, device, shape, low, high, dtype)

    def normal(
        self,
        shape: int | Sequence[int],
        mean: float = 0.0,
        std: float = 1.0,
        dtype: Any = np.float32,
        device: str | int | None = None,
    ) -> Array:
        """Normal samples; see :func:`normal`."""
        return self._sample(normal, device, shape, mean, std, dtype)

    def integers(
        self, shape: int | Sequence[int], low: int, high: int, dtype: Any = np.int64, device: str | int | None = None
    ) -> Array:
        """Uniform integers from ``low`` to ``high - 1``; see :func:`integers`."""
        return self._sample(integers, device, shape, low, high, dtype)

    def permutation(self, n: int, device: str | int | None = None) -> Array:
        """A random order of ``0 .. n - 1``; see :func:`permutation`."""
        return self._sample(permutation, device, n)

    def bernoulli(self, shape: int | Sequence[int], p: float, device: str | int | None = None) -> Array:
        """Booleans, True with probability ``p``; see :func:`bernoulli`."""
        return self._sample(bernoulli, device, shape, p)

    def _sample(self, distribution: Callable[..., Array], device: str | int | None, *arguments: Any) -> Array:
        """One distribution on one device, on this generator's next words."""
        index = _device_index(device)
        draw = functools.partial(self._draw, index)
        if index is None:
            return distribution(np, draw, *arguments)
        with on(Device("cuda", index)):
            return distribution(import_cupy(), draw, *arguments)


# --------------------------------------------------------------------------------------------------------------- arguments


def _integer(value: Any, name: str) -> int:
    """``value`` as an int, or DTypeError."""
    try:
        return operator.index(value)
    except TypeError:
        raise DTypeError(f"{name} must be an int, got {value!r} of type {type(value).__name__}") from None


def _offset(value: Any) -> int:
    offset = _integer(value, "offset")
    if not 0 <= offset < _COUNTERS:
        raise OptionError(f"offset must be a block number from 0 to 2**256 - 1, got {offset}")
    return offset


def _count(value: Any, name: str) -> int:
    count = _integer(value, name)
    if count < 0:
        raise ShapeError(f"{name} must be at least 0, got {count}")
    return count


def _shape(shape: Any) -> tuple[int, ...]:
    """A shape as a tuple of non-negative ints."""
    dimensions = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    return tuple(_count(dimension, f"every dimension of shape {shape!r}") for dimension in dimensions)


# By floating-point dtype: the type to compute in, and the largest number.
_WORK: dict[np.dtype[Any], Any] = {
    np.dtype(np.float16): np.float32,
    np.dtype(np.float32): np.float32,
    np.dtype(np.float64): np.float64,
}
_MAXIMUM = {dtype: float(np.finfo(dtype).max) for dtype in _WORK}


def _float_dtype(dtype: Any, name: str) -> np.dtype:
    dtype = np.dtype(dtype)
    if dtype not in _WORK:
        raise DTypeError(f"{name} needs float16, float32 or float64, got {dtype}; cast the result for another dtype")
    return dtype


def _real(value: Any, name: str, dtype: np.dtype) -> float:
    """``value`` as a float that the dtype can hold without overflow."""
    try:
        number = float(value)
    except OverflowError:  # an int beyond float64
        number = math.inf
    except (TypeError, ValueError):
        raise DTypeError(f"{name} must be a real number, got {value!r} of type {type(value).__name__}") from None
    if not abs(number) <= _MAXIMUM[dtype]:
        raise OptionError(f"{name} must be finite in {dtype}, got {value!r}")
    return number


def _round_up(value: float, dtype: np.dtype) -> Any:
    """The smallest number of the dtype that is at least ``value``."""
    nearest = dtype.type(value)
    return np.nextafter(nearest, dtype.type(np.inf)) if float(nearest) < value else nearest
