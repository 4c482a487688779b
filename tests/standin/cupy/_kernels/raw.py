"""RawKernel and RawModule: CUDA C++ source, run on the CPU thread after thread."""

import ctypes

import numpy as np
from cupy import standin
from cupy._array import check_devices, ndarray
from cupy._dtypes import SCALARS
from cupy._kernels import compiler
from cupy.cuda import runtime
from cupy.cuda.memory import MemoryPointer

LAUNCHER = """
extern "C" int standin_launch(const unsigned* grid, const unsigned* block, void** args, const int* sizes,
                              const char* kinds, int count) {{
    return standin::launch({name}, grid, block, args, sizes, kinds, count);
}}
"""
MAX_THREADS = 1024  # per block, on every GPU in use


class Function:
    """One kernel of a module; calling it launches (cupy/cuda/function.pyx)."""

    def __init__(self, code, name, options):
        """Compiled at once, as by NVRTC."""
        self.name = name
        source = code + LAUNCHER.format(name=name)
        self._launch = compiler.load(source, compiler.definitions(options)).standin_launch

    def __call__(self, grid, block, args, shared_mem=0, stream=None, enable_cooperative_groups=False):
        """`grid` and `block` are tuples of one to three numbers; `args` is a tuple."""
        if not isinstance(grid, tuple) or not isinstance(block, tuple):
            raise TypeError("grid and block must be tuples")  # function.pyx, Function.__call__: typed arguments
        grid, block = ((tuple(map(int, t)) + (1, 1))[:3] for t in (grid, block))
        if np.prod(block) > MAX_THREADS:
            raise RuntimeError("CUDA_ERROR_INVALID_VALUE: invalid argument")  # [not verified on a GPU]
        if shared_mem:
            raise NotImplementedError("the cupy stand-in has no dynamic shared memory")
        check_devices([a for a in args if isinstance(a, ndarray)])
        standin.count_launch()
        values = [_value(a) for a in args]
        pointers = (ctypes.c_void_p * len(values))(*[v.ctypes.data for v, _ in values])
        sizes = (ctypes.c_int * len(values))(*[v.itemsize for v, _ in values])
        kinds = "".join(kind for _, kind in values).encode()
        dims = [(ctypes.c_uint * 3)(*(max(1, n) for n in t)) for t in (grid, block)]
        wrong = self._launch(*dims, pointers, sizes, kinds, len(values))
        if wrong == -1:
            raise TypeError(f"kernel {self.name!r} takes another number of arguments than {len(values)}")
        if wrong > 0:
            # A GPU would read the wrong bytes in silence: CuPy passes a Python float as 8 bytes, always.
            raise TypeError(
                f"argument {wrong - 1} of kernel {self.name!r} ({args[wrong - 1]!r}) does not fit its parameter; "
                "pass numpy.float32(x) for a float, numpy.int32(n) for an int"
            )


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
        self._function = None

    @property
    def kernel(self):
        """The compiled Function."""
        runtime.getDevice()  # raises without a device (raw.pyx, RawKernel._kernel)
        if self._function is None:
            self._function = Function(self.code, self.name, self.options)
        return self._function

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

    def get_function(self, name):
        """A kernel by name; templates by one of the name expressions, such as `scale<float>`."""
        if "<" in name and name not in (self.name_expressions or ()):
            # NVRTC instantiates only the templates it is told of; what is raised is [not verified on a GPU].
            raise RuntimeError(f"CUDA_ERROR_NOT_FOUND: {name} is not among the name expressions")
        kernel = RawKernel(self.code, name, self.options, self.backend)
        kernel.compile()  # CuPy compiles the module here, so errors show here
        return kernel

    def compile(self, log_stream=None):
        """Nothing to do before a kernel is named."""
