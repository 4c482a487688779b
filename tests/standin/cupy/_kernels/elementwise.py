"""ElementwiseKernel: the same body for every element."""

import cupy
import numpy as np
from cupy import standin
from cupy._array import ndarray
from cupy._kernels.parameters import C_NAMES, check, declare, dtype_of, pack, parse, resolve, run, typedefs

SOURCE = """
{typedefs}
{preamble}
static void standin_body(void** args) {{
const long long n = *(const long long*)args[{count}];
{declarations}
CIndexer _ind(n);
{loop_prep}
for (ptrdiff_t i = 0; i < n; ++i) {{
_ind.set(i);
{elements}
{operation};
}}
{after_loop}
}}
"""


class ElementwiseKernel:
    """A kernel made from the body of a loop; nothing is compiled before the first call (_kernel.pyx)."""

    def __init__(
        self, in_params, out_params, operation, name="kernel", reduce_dims=True, preamble="", no_return=False,
        return_tuple=False, *, loop_prep="", after_loop="", options=(),
    ):  # fmt: skip
        """The parameters of the real class."""
        if not name.isidentifier():
            raise ValueError(f'Invalid kernel name: "{name}"')
        self.in_params, self.out_params = parse(in_params, output=False), parse(out_params, output=True)
        self.params = self.in_params + self.out_params
        self.nin, self.nout = len(self.in_params), len(self.out_params)
        self.nargs = self.nin + self.nout
        self.operation, self.preamble = operation, preamble
        self.name = self.__name__ = name
        self.no_return, self.return_tuple, self.reduce_dims = no_return, return_tuple, reduce_dims
        self.loop_prep, self.after_loop, self.options = loop_prep, after_loop, tuple(options)

    def __call__(self, *args, size=None, stream=None, block_size=128):
        """Inputs, then perhaps outputs to write into. `size` is for kernels whose arrays are all raw."""
        check(self.name, args, (self.nin, self.nargs))
        args = list(args)
        shape = self._shape(args, size)
        types = resolve(self.params, args)
        for parameter, arg in zip(self.out_params, args[self.nin :]):
            if not isinstance(arg, ndarray):
                raise TypeError("Output arguments type must be cupy.ndarray")
            if not parameter.raw and arg.shape != shape:
                raise ValueError("Out shape is mismatched")
        if len(args) == self.nin:
            if size is None and any(p.raw for p in self.out_params):
                raise ValueError("Output array size is Undecided")
            args += [cupy.empty(shape, dtype_of(p, types)) for p in self.out_params]
        outs = args[self.nin :]
        for n, (parameter, arg) in enumerate(zip(self.params, args)):
            if isinstance(arg, ndarray) and not parameter.raw:
                args[n] = arg._view(np.broadcast_to(arg._host, shape))
        self._launch(args, types, int(np.prod(shape)))
        if self.no_return:
            return None
        return outs[0] if self.nout == 1 and not self.return_tuple else tuple(outs)

    def _shape(self, args, size):
        shapes = [a.shape for p, a in zip(self.params, args) if isinstance(a, ndarray) and not p.raw]
        if size is not None:
            if shapes:
                raise ValueError("Specified 'size' can be used only if all of the ndarray are 'raw'.")
            return (size,)
        if not shapes:
            raise ValueError("Loop size is undecided.")
        return np.broadcast_shapes(*shapes)

    def _launch(self, args, types, count):
        standin.count_launch()
        elements = []
        for parameter, arg in zip(self.params, args):
            if isinstance(arg, ndarray) and not parameter.raw:
                const = "" if parameter.output else "const "
                c_type = C_NAMES[dtype_of(parameter, types).name]
                elements.append(f"{const}{c_type}& {parameter.name} = _raw_{parameter.name}[i];")
        source = SOURCE.format(
            count=len(self.params),
            typedefs=typedefs(types),
            preamble=self.preamble,
            declarations=declare(self.params, args, types),
            loop_prep=self.loop_prep,
            elements="\n".join(elements),
            operation=self.operation,
            after_loop=self.after_loop,
        )
        run(source, self.options, *pack(self.params, args, types, count))
