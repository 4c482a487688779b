"""Random Tensors: the same seed gives the same numbers on the CPU and on a GPU.

``gg.manual_seed(s)`` seeds the generator that these functions use; a :class:`Generator` of one's own is independent of it.
"""

from __future__ import annotations

from typing import Any

from gpugrad.arrays import random as _raw
from gpugrad.arrays.devices import DeviceLike, import_cupy, on, parse
from gpugrad.arrays.dtypes import DTypeLike, get_default_dtype, int64, numpy_dtype
from gpugrad.errors import DeviceError
from gpugrad.modes import random_log
from gpugrad.tape import Tensor

Shape = int | tuple[int, ...]


def _index(where: Any) -> int | None:
    """None for the CPU, the number of the GPU otherwise. Raises DeviceError if that is absent."""
    if getattr(where, "type", None) == "cpu":
        return None
    if getattr(where, "type", None) != "cuda":
        raise DeviceError(f"random: device is {where!r}, expected 'cpu', 'cuda' or 'cuda:N'")
    with on(where):
        return int(import_cupy().cuda.Device().id)


def _float(dtype: DTypeLike | None) -> Any:
    return get_default_dtype() if dtype is None else numpy_dtype(dtype)


class Generator:
    """A stream of random numbers, determined by its seed: Philox4x64-10 (Salmon et al., 2011).

    It draws on any device, by default on `device`, or on the default device without one. There is one stream for all of them: which
    numbers come next does not depend on the device that they, or those before them, are drawn on. Without a seed one is taken
    from the operating system.
    """

    def __init__(self, seed: int | None = None, *, device: DeviceLike | None = None) -> None:
        self._stream = _raw.Generator(seed)
        self._device = None if device is None else parse(device)
        if device is not None:
            _index(self._device)

    def __repr__(self) -> str:
        seed, offset = self._stream.get_state()
        return f"Generator(seed={seed}, offset={offset}{f', device={str(self._device)!r}' if self._device else ''})"

    @property
    def device(self) -> Any:
        """Where it draws if not told otherwise."""
        return parse(self._device)

    def _place(self, device: DeviceLike | None) -> int | None:
        return _index(parse(self._device if device is None else device))

    def manual_seed(self, seed: int, /) -> Generator:
        """Start the stream of `seed` from its beginning. Returns self."""
        self._stream.set_state((seed, 0))
        return self

    def initial_seed(self) -> int:
        """The seed of this stream."""
        return self._stream.seed

    def get_state(self) -> tuple[int, int]:
        """Where the stream is: (seed, number of blocks drawn)."""
        return self._stream.get_state()

    def set_state(self, state: tuple[int, int], /) -> None:
        """Go to a place that :meth:`get_state` returned."""
        self._stream.set_state(state)

    def _drawn(self) -> _raw.Generator:
        """The stream, about to be drawn from: a checkpoint that is being recorded remembers where it was."""
        log = random_log.get()
        if log is not None and self not in log:
            log[self] = self.get_state()
        return self._stream

    def take(self, words: int) -> Any:
        """Pass over the next 64-bit `words`, and return where they begin: an array for ``ops/random_bits.py`` to make them from."""
        return self._drawn().take(words)

    def normal(
        self,
        shape: Shape = (),
        mean: float = 0.0,
        std: float = 1.0,
        *,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
    ) -> Tensor:
        """Normal numbers of mean `mean` and standard deviation `std` (Box and Muller, 1958)."""
        return Tensor(self._drawn().normal(shape, mean, std, _float(dtype), self._place(device)))

    def uniform(
        self,
        shape: Shape = (),
        low: float = 0.0,
        high: float = 1.0,
        *,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
    ) -> Tensor:
        """Uniform numbers in [low, high)."""
        return Tensor(self._drawn().uniform(shape, low, high, _float(dtype), self._place(device)))

    def integers(
        self, shape: Shape, low: int, high: int, *, dtype: DTypeLike = int64, device: DeviceLike | None = None
    ) -> Tensor:
        """Uniform integers in [low, high)."""
        return Tensor(self._drawn().integers(shape, low, high, numpy_dtype(dtype), self._place(device)))

    def permutation(self, n: int, *, device: DeviceLike | None = None) -> Tensor:
        """The integers 0 to n - 1 in random order."""
        return Tensor(self._drawn().permutation(n, self._place(device)))

    def bernoulli(self, shape: Shape, p: float, *, device: DeviceLike | None = None) -> Tensor:
        """Booleans that are True with probability `p`."""
        return Tensor(self._drawn().bernoulli(shape, p, self._place(device)))


default_generator = Generator()
"""What the functions of this module, layers and data loaders draw from unless they are given a generator."""


def manual_seed(seed: int, /) -> Generator:
    """Seed the default generator, for all devices. Returns it. Raises OptionError for a negative seed."""
    return default_generator.manual_seed(seed)


normal = default_generator.normal
uniform = default_generator.uniform
integers = default_generator.integers
permutation = default_generator.permutation
bernoulli = default_generator.bernoulli
