"""`cupy.ndarray` of the stand-in: a NumPy array in disguise that behaves like a GPU array from the outside."""

import cupy
import numpy as np
from cupy import _indexing, _interchange, standin
from cupy._dtypes import check_supported
from cupy.cuda import memory, runtime

HOST_ERROR = "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."


def check_devices(arrays):
    """Every array of a computation must live on the current device (_kernel.pyx, _check_peer_access).

    Real CuPy computes across devices, with a PerformanceWarning, where the GPUs can see each other's memory. The
    stand-in's cannot.
    """
    current = runtime.getDevice()
    for array in arrays:
        device = array._memory.device_id
        if device != current:
            raise ValueError(
                f"The device where the array resides ({device}) is different from the current device ({current}). "
                "Peer access is unavailable between these devices."
            )
        array._memory.read()


def wrap(host, sources=()):
    """The stand-in array of a NumPy array or scalar: a view if it lies in the memory of a source, else a new array."""
    host = np.asarray(host)
    check_supported(host.dtype)
    for source in sources:
        if host is source._host:
            return source
        if np.may_share_memory(host, source._host):
            return _make(host, source._memory, source)
    return _make(host, memory.alloc(host.nbytes).mem.adopt(host), None)


def _make(host, mem, base):
    array = object.__new__(ndarray)
    array._host, array._memory = host, mem
    # A view's base is the array that owns the memory (core.pyx, _ndarray_base._view).
    array._base = base if base is None or base._base is None else base._base
    return array


class Flags:
    """The three flags CuPy has (flags.pyx)."""

    def __init__(self, array):
        """Of a stand-in array."""
        self.c_contiguous = array._host.flags.c_contiguous
        self.f_contiguous = array._host.flags.f_contiguous
        self.owndata = array._base is None
        self.fnc = self.f_contiguous and not self.c_contiguous
        self.forc = self.f_contiguous or self.c_contiguous

    def __getitem__(self, name):
        if name not in ("C_CONTIGUOUS", "F_CONTIGUOUS", "OWNDATA"):
            raise KeyError(f"{name} is not defined for cupy.ndarray.flags")
        return getattr(self, name.lower())


class ndarray:
    """An array on a pretend GPU. Methods that are not written here are made from functions by `_methods.py`."""

    __module__ = "cupy"  # array_api_compat.is_cupy_array looks for the class `ndarray` in the module `cupy`
    __slots__ = ("__weakref__", "_base", "_host", "_memory")  # no __dict__, like the real class
    __array_priority__ = 100
    __hash__ = None

    def __new__(cls, shape, dtype=float, memptr=None, strides=None, order="C"):
        """Uninitialised memory, or an array over a MemoryPointer."""
        if memptr is None:
            return cupy.empty(shape, dtype, order)
        buffer, offset = memptr.mem.buffer, memptr.ptr - memptr.mem.ptr
        host = np.ndarray(shape, dtype, buffer, offset, strides, order)
        return _make(host, memptr.mem, None)

    # Layout

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    base = property(lambda self: self._base)
    flags = property(Flags)

    @shape.setter
    def shape(self, shape):
        # Refuses when the reshape needs a copy, as CuPy (core.pyx, shape.__set__). NumPy deprecates the assignment.
        self._host = np.reshape(self._host, shape, copy=False)

    @property
    def data(self):
        """Where the first element lies."""
        return memory.MemoryPointer(self._memory, self._host.ctypes.data - self._memory.ptr)

    @property
    def device(self):
        """The device the array lives on."""
        return memory.Device(self._memory.device_id)

    # Views

    @property
    def T(self):
        """All axes reversed."""
        return self._view(self._host.T)

    @property
    def mT(self):
        """The last two axes swapped."""
        if self.ndim < 2:
            raise ValueError("matrix transpose with ndim < 2 is undefined")  # core.pyx, mT
        return self._view(self._host.mT)

    @property
    def real(self):
        """The real part, a view; a real array is its own real part."""
        return self if self.dtype.kind != "c" else self._view(self._host.real)

    @real.setter
    def real(self, value):
        self.real[...] = value

    @property
    def imag(self):
        """The imaginary part, a view; new zeros for a real array."""
        return cupy.zeros_like(self) if self.dtype.kind != "c" else self._view(self._host.imag)

    @imag.setter
    def imag(self, value):
        self.imag[...] = value

    def _view(self, host):
        return _make(host, self._memory, self)

    def view(self, dtype=None, type=None):
        """The same bytes as another dtype."""
        return self._view(self._host.view() if dtype is None else self._host.view(dtype))

    def reshape(self, *shape, order="C", copy=None):
        """Another shape: a view where possible, on the array's device."""
        shape = shape[0] if len(shape) == 1 else shape
        return wrap(np.reshape(self._host, shape, order=order, copy=copy), [self])

    def transpose(self, *axes):
        """Axes permuted, a view."""
        return self._view(self._host.transpose(*axes))

    # Copies

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        """A copy as another dtype; `casting` and `subok` do not exist (core.pyx, _astype)."""
        if casting is not None or subok is not None:
            raise TypeError("casting is not supported yet" if casting is not None else "subok is not supported yet")
        if not copy and np.dtype(dtype) == self.dtype and order in ("K", None):
            return self
        check_devices([self])
        with np.errstate(all="ignore"):
            return wrap(self._host.astype(dtype, order=order or "K"))

    def copy(self, order="C"):
        """A copy on the *current* device, wherever the array lives (core.pyx, copy)."""
        if self._memory.device_id != runtime.getDevice() and not self.flags.forc and order not in "CF":
            raise NotImplementedError("CuPy cannot copy non-contiguous array between devices.")
        return wrap(self._host.copy(order))

    __copy__ = copy

    def __deepcopy__(self, memo):
        with self.device:
            return self.copy()

    # Host reads

    def _read(self, what):
        standin.count_read(what)
        self._memory.host_read()
        return self._host

    def get(self, stream=None, order="C", out=None, blocking=True):
        """A NumPy copy. One that is not waited for arrives with the next wait, whichever that is."""
        if blocking:
            host = self._read("get")
        else:
            self._memory.read()
            host = self._host.copy()
        if out is None:
            out = np.empty(self.shape, self.dtype, order)
        if out.shape != self.shape:
            raise ValueError(f"Shape mismatch. Expected shape: {self.shape}, actual shape: {out.shape}")
        if out.dtype != self.dtype:
            raise TypeError(f"{out.dtype} array cannot be obtained from {self.dtype} array")  # core.pyx, get
        if blocking:
            out[...] = host
        else:
            out.fill(np.iinfo(out.dtype).max if out.dtype.kind in "iu" else np.nan)
            standin.arriving.append((out, host))
        return out

    def set(self, arr, stream=None):
        """Copy a NumPy array of the same shape and dtype into this array (core.pyx, set)."""
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not self.flags.forc:
            raise RuntimeError("Cannot set to non-contiguous array")
        standin.count_upload()
        self._memory.write()
        self._host[...] = arr

    def item(self):
        """The one element as a Python number; takes no index (core.pyx, item)."""
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self._read("item").item()

    def tolist(self):
        """Nested lists of Python numbers."""
        return self._read("tolist").tolist()

    def tobytes(self, order="C"):
        """The bytes of the elements."""
        return self._read("tobytes").tobytes(order)

    def __bool__(self):
        if self.size != 1:
            raise ValueError("The truth value of an array with more than one element is ambiguous.")
        return bool(self._read("bool"))

    # __index__ is missing on purpose: `range(x)` and `list[x]` fail with CuPy arrays (core.pyx has none).

    def __int__(self):
        return int(self._read("int"))

    def __float__(self):
        return float(self._read("float"))

    def __complex__(self):
        return complex(self._read("complex"))

    def __repr__(self):
        return repr(self._read("repr"))

    def __str__(self):
        return str(self._read("str"))

    def __format__(self, spec):
        return format(self._read("format"), spec)

    def __reduce__(self):
        return cupy.array, (self.get(),)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(HOST_ERROR)  # core.pyx, __array__

    # Containers

    def __len__(self):
        if self.ndim == 0:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __getitem__(self, index):
        return _indexing.get(self, index)

    def __setitem__(self, index, value):
        _indexing.set_(self, index, value)

    def _scatter(self, index, value, operation):
        _indexing.scatter(self, index, value, operation)

    def fill(self, value):
        """One value everywhere; a 0-d array of CuPy or NumPy will do (core.pyx, fill)."""
        _indexing.fill(self, self._host, value)

    # Protocols

    __dlpack__ = _interchange.dlpack_export
    __dlpack_device__ = _interchange.dlpack_device
    __cuda_array_interface__ = property(_interchange.cuda_array_interface)
    __array_ufunc__ = _interchange.array_ufunc
    __array_function__ = _interchange.array_function
