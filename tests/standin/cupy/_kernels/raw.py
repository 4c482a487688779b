"""RawKernel and RawModule: CUDA C++ source, run on the CPU."""

import ctypes
import re

import numpy as np
from cupy import standin
from cupy._array import check_devices, ndarray
from cupy._dtypes import SCALARS
from cupy._kernels import compiler
from cupy.cuda import runtime
from cupy.cuda.memory import MemoryPointer

MAX_THREADS = 1024  # per block, on every GPU in use
MAX_GRID = (2**31 - 1, 65535, 65535)
SHARED_BY_DEFAULT = 48 << 10  # bytes of shared memory for a block; more must be asked for
MAX_SHARED = 227 << 10  # compute capability 9.0
EXPORTED = re.compile(r'extern\s+"C"\s+(?:__global__|void|__launch_bounds__\s*\([^()]*\)|\s)+\b(\w+)\s*\(')
OPEN_BLOCK = re.compile(r'extern\s+"C"\s*\{')


class Module:
    """The kernels of a source, compiled together."""

    def __init__(self, code, options, name_expressions=()):
        """Compiled at once, as by NVRTC."""
        self.code, self.options = code, options
        self.names = list(dict.fromkeys([*EXPORTED.findall(compiler.COMMENT.sub("", code)), *name_expressions]))
        self.library = self._load(tuple(self.names))

    def _load(self, names):
        tail = "\n".join(f"STANDIN_LAUNCH(standin_launch_{n}, {name})" for n, name in enumerate(names))
        return compiler.load(self.code, tail, compiler.definitions(self.options))

    def function(self, name):
        """What launches the kernel of that name."""
        if name in self.names:
            return getattr(self.library, f"standin_launch_{self.names.index(name)}")
        if not OPEN_BLOCK.search(self.code) or "<" in name:
            # C++ names are mangled, templates instantiated where asked for. What is raised is [not verified on a GPU].
            raise RuntimeError(f'CUDA_ERROR_NOT_FOUND: {name} is neither extern "C" nor among the name expressions')
        return self._load((name,)).standin_launch_0


class Function:
    """One kernel of a module; calling it launches (cupy/cuda/function.pyx)."""

    def __init__(self, module, name):
        self.name = name
        self._launch = module.function(name)
        self._launch.argtypes = (
            *[ctypes.c_void_p] * 4, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_ulonglong,
        )  # fmt: skip
        self.max_dynamic_shared = SHARED_BY_DEFAULT
        found = re.search(rf"__global__[^;{{}}]*\b{re.escape(name)}\s*\(([^()]*)\)", compiler.COMMENT.sub("", module.code))
        pointers = [p for p in found[1].split(",") if "*" in p] if found else []
        self._writes = ["const" not in p.partition("*")[0] for p in pointers]  # by pointer, in the order of the parameters

    def _use(self, arrays):
        """Note what is read and what may be written: what no pointer to const points to, where the source tells."""
        check_devices(arrays)
        if len(arrays) == len(self._writes):
            for array, writes in zip(arrays, self._writes):
                if writes:
                    array._memory.write()

    def __call__(self, grid, block, args, shared_mem=0, stream=None, enable_cooperative_groups=False):
        """`grid` and `block` are tuples of one to three numbers; `args` is a tuple."""
        if not isinstance(grid, tuple) or not isinstance(block, tuple):
            raise TypeError("grid and block must be tuples")  # function.pyx, Function.__call__: typed arguments
        grid, block = ((*(max(1, int(n)) for n in t), 1, 1)[:3] for t in (grid, block))
        if block[0] * block[1] * block[2] > MAX_THREADS or block[2] > 64 or any(n > m for n, m in zip(grid, MAX_GRID)):
            raise RuntimeError("CUDA_ERROR_INVALID_VALUE: invalid argument")  # [not verified on a GPU]
        if shared_mem > self.max_dynamic_shared:
            raise RuntimeError(
                f"CUDA_ERROR_INVALID_VALUE: {shared_mem} bytes of dynamic shared memory for {self.name!r}, where "
                f"{self.max_dynamic_shared} are allowed; set max_dynamic_shared_size_bytes of the kernel"
            )
        self._use([a for a in args if isinstance(a, ndarray)])
        standin.count_launch()
        values = [_value(a) for a in args]
        pointers = (ctypes.c_void_p * len(values))(*[v.ctypes.data for v, _ in values])
        sizes = (ctypes.c_int * len(values))(*[v.itemsize for v, _ in values])
        kinds = "".join(kind for _, kind in values).encode()
        dims = [(ctypes.c_uint * 3)(*t) for t in (grid, block)]
        code = self._launch(*dims, pointers, sizes, kinds, len(values), shared_mem, compiler.order())
        if code == -1:
            raise TypeError(f"kernel {self.name!r} takes another number of arguments than {len(values)}")
        if code > 0:
            # A GPU would read the wrong bytes in silence: CuPy passes a Python float as 8 bytes, always.
            raise TypeError(
                f"argument {code - 1} of kernel {self.name!r} ({args[code - 1]!r}) does not fit its parameter; "
                "pass numpy.float32(x) for a float, numpy.int32(n) for an int"
            )
        compiler.check(code)


def _value(arg):
    """One kernel argument as bytes in a NumPy array, and its kind (function.pyx, _pointer).

    RawKernel ignores strides: of an array only the address of the first element is passed.
    """
    if isinstance(arg, ndarray):
        return np.array(arg._host.ctypes.data, np.uintp), "p"
    if arg is None or isinstance(arg, MemoryPointer):
        return np.array(0 if arg is None else arg.ptr, np.uintp), "p"
    if isinstance(arg, np.ndarray):
        if arg.size != 1:
            raise TypeError(
                f"You are trying to pass a numpy.ndarray of shape {arg.shape} as a kernel parameter. "
                "Only numpy.ndarrays of size one can be passed by value."
            )
        return np.ascontiguousarray(arg), arg.dtype.kind
    if type(arg) not in SCALARS:
        raise TypeError(f"Unsupported type {type(arg)}")  # _scalar.pyx, CScalar.__init__
    value = np.array(arg)
    return value, value.dtype.kind


class RawKernel:
    """A kernel by its source and name; compiled at the first launch (raw.pyx, RawKernel)."""

    def __init__(self, code, name, options=(), backend="nvrtc", **settings):
        """`settings` steer NVRTC only."""
        if not isinstance(options, tuple):
            raise TypeError("Argument 'options' has incorrect type (expected tuple)")  # raw.pyx: typed argument
        self.code, self.name, self.options, self.backend = code, name, options, backend
        self.__name__ = name
        self._module = self._function = None

    @property
    def kernel(self):
        """The compiled Function."""
        runtime.getDevice()  # raises without a device (raw.pyx, RawKernel._kernel)
        if self._function is None:
            self._function = Function(self._module or Module(self.code, self.options), self.name)
        return self._function

    @property
    def max_dynamic_shared_size_bytes(self):
        """How many bytes of dynamic shared memory a launch may ask for."""
        return self.kernel.max_dynamic_shared

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, count):
        if count > MAX_SHARED:
            raise RuntimeError("CUDA_ERROR_INVALID_VALUE: invalid argument")  # [not verified on a GPU]
        self.kernel.max_dynamic_shared = count

    def compile(self, log_stream=None):
        """Compile now."""
        return self.kernel and None

    def __call__(self, grid, block, args, *, shared_mem=0, stream=None):
        """Launch."""
        self.kernel(grid, block, args, shared_mem=shared_mem, stream=stream)


class RawModule:
    """Several kernels in one source (raw.pyx, RawModule)."""

    def __init__(self, *, code=None, path=None, options=(), backend="nvrtc", name_expressions=None, **settings):
        """From source only: compiled modules (`path`) hold GPU code."""
        if (code is None) == (path is None):
            raise TypeError("Exactly one of `code` and `path` keyword arguments must be given.")
        if path is not None:
            raise NotImplementedError("the cupy stand-in cannot run compiled GPU code")
        if not isinstance(options, tuple):
            raise TypeError("Argument 'options' has incorrect type (expected tuple)")
        self.code, self.options, self.backend = code, options, backend
        self.name_expressions = None if name_expressions is None else tuple(name_expressions)
        self._module = None

    @property
    def module(self):
        """The compiled module."""
        runtime.getDevice()
        if self._module is None:
            self._module = Module(self.code, self.options, self.name_expressions or ())
        return self._module

    def get_function(self, name):
        """A kernel by name; templates by one of the name expressions, such as `scale<float>`."""
        kernel = RawKernel(self.code, name, self.options, self.backend)
        kernel._module = self.module
        kernel.compile()  # CuPy compiles the module here, so errors show here
        return kernel

    def compile(self, log_stream=None):
        """Compile now."""
        return self.module and None
