"""Parameters of ElementwiseKernel and ReductionKernel: parsing `T x, raw float32 y`, and finding out what T is."""

import ctypes
import dataclasses

import numpy as np
from cupy._array import check_devices, ndarray
from cupy._dtypes import SCALARS
from cupy._kernels import compiler

# _scalar.pyx, _typenames_base and _setup_type_dict.
C_NAMES = {
    "bool": "bool", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long",
    "float16": "float16", "bfloat16": "bfloat16", "float32": "float", "float64": "double",
    "complex64": "thrust::complex<float>", "complex128": "thrust::complex<double>",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Parameter:
    """`raw T x`: a type name of one letter is a template parameter (_kernel.pyx, ParameterInfo)."""

    name: str
    type: str
    raw: bool
    output: bool

    @property
    def dtype(self):
        """The dtype, or None for a template parameter."""
        return None if len(self.type) == 1 else np.dtype(self.type)


def parse(text, output):
    """The parameters of one of the two lists of a kernel."""
    parameters = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        *keywords, type_name, name = part.split()
        if set(keywords) - {"raw", "_non_const"}:
            raise Exception(f'Unknown keyword "{keywords[0]}"')
        if name == "i":
            raise ValueError("Can not use 'i' as a parameter name")  # _kernel.pyx, ElementwiseKernel.__init__
        parameters.append(Parameter(name, type_name, "raw" in keywords, output))
    return tuple(parameters)


def check(name, args, counts):
    """The number, types and devices of the arguments of a call."""
    if len(args) not in counts:
        raise TypeError(f"Wrong number of arguments for {name!r}. It must be one of {counts}, but given {len(args)}.")
    for arg in args:
        if not isinstance(arg, ndarray) and type(arg) not in SCALARS:
            raise TypeError(f"Unsupported type {type(arg)}")  # _scalar.pyx, CScalar.__init__
    check_devices([arg for arg in args if isinstance(arg, ndarray)])


def resolve(parameters, args):
    """{template letter: dtype} from the arrays among the arguments, outputs first (_decide_params_type_core).

    Scalars decide nothing: they are cast to what the arrays say.
    """
    types = {}
    pairs = [(p, a) for p, a in zip(parameters, args) if isinstance(a, ndarray)]
    for parameter, arg in sorted(pairs, key=lambda pair: not pair[0].output):
        expected = parameter.dtype or types.setdefault(parameter.type, arg.dtype)
        if arg.dtype != expected:
            raise TypeError(f"Type is mismatched. {parameter.name} {arg.dtype} {expected} {parameter.type}")
    return types


def dtype_of(parameter, types):
    """The dtype of a parameter; a KeyError, as in CuPy, when no array determines a template parameter."""
    return parameter.dtype or types[parameter.type]


def typedefs(types):
    """`typedef float T;` for every template parameter."""
    return "".join(f"typedef {C_NAMES[dtype.name]} {letter};\n" for letter, dtype in sorted(types.items()))


def is_array(arg):
    """Whether an argument becomes an array of the kernel: stand-in arrays, and NumPy arrays already broadcast."""
    return isinstance(arg, (ndarray, np.ndarray))


def declare(parameters, args, types):
    """C++ declarations of the parameters from `void** args`; arrays become `_raw_<name>` unless they are raw."""
    lines = []
    for n, (parameter, arg) in enumerate(zip(parameters, args)):
        c_type = C_NAMES[dtype_of(parameter, types).name]
        if is_array(arg):
            name = parameter.name if parameter.raw else f"_raw_{parameter.name}"
            lines.append(f"CArray<{c_type}> {name}((long long*)args[{n}]);")
        else:
            lines.append(f"const {c_type} {parameter.name} = *({c_type}*)args[{n}];")
    return "\n".join(lines)


def pack(parameters, args, types, *counts):
    """`void**` for a compiled kernel, the counts last, and what must stay alive meanwhile."""
    keep = []
    for parameter, arg in zip(parameters, args):
        host = arg._host if isinstance(arg, ndarray) else arg
        if is_array(arg):
            words = [host.ctypes.data, host.size, host.ndim, *host.shape, *host.strides]
            keep.append(np.array(words, dtype=np.int64))
        else:
            keep.append(np.array(host, dtype=dtype_of(parameter, types)))
    keep += [np.array(count, dtype=np.int64) for count in counts]
    return (ctypes.c_void_p * len(keep))(*[k.ctypes.data for k in keep]), keep


# One pretend thread does it all; it is launched like one of CUDA's so that errors in it are reported.
LAUNCHER = """
extern "C" __attribute__((visibility("default"))) int standin_launch(void** args) {
    const unsigned one[3] = {1, 1, 1};
    return standin_run(standin_body, args, one, one, 0, nullptr, nullptr, 0);
}
"""


def run(source, options, pointers, keep):
    """Compile the `standin_body` in the source and call it with what pack() gave."""
    library = compiler.load(source, LAUNCHER, compiler.definitions(options), ("cuda_on_cpu.h", "carray.h"))
    compiler.check(library.standin_launch(pointers))
    del keep
