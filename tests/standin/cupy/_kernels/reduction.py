"""ReductionKernel: map every element, fold along axes, map the results."""

import cupy
import numpy as np
from cupy import standin
from cupy._array import ndarray
from cupy._kernels.parameters import C_NAMES, check, declare, dtype_of, pack, parse, resolve, run, typedefs

SOURCE = """
{typedefs}
{preamble}
typedef {reduce_type} _standin_reduce;
static void standin_body(void** args) {{
const long long rows = *(const long long*)args[{count}], columns = *(const long long*)args[{count} + 1];
{declarations}
for (ptrdiff_t _row = 0; _row < rows; ++_row) {{
_standin_reduce _sum = _standin_reduce({identity});
for (ptrdiff_t _column = 0; _column < columns; ++_column) {{
const ptrdiff_t i = _row * columns + _column;
{inputs}
_standin_reduce _mapped = _standin_reduce({map_expr});
_standin_reduce &a = _sum, &b = _mapped;
_sum = ({reduce_expr});
}}
const ptrdiff_t i = _row;
_standin_reduce &a = _sum;
{outputs}
{post_map_expr};
}}
}}
"""


class ReductionKernel:
    """A fold along axes (_core/_reduction.pyx). The order of the additions is not the GPU's."""

    def __init__(
        self, in_params, out_params, map_expr, reduce_expr, post_map_expr, identity, name="reduce_kernel",
        reduce_type=None, reduce_dims=True, preamble="", options=(),
    ):  # fmt: skip
        """The parameters of the real class."""
        self.in_params, self.out_params = parse(in_params, output=False), parse(out_params, output=True)
        self.params = self.in_params + self.out_params
        self.nin, self.nout = len(self.in_params), len(self.out_params)
        self.map_expr, self.reduce_expr, self.post_map_expr = map_expr, reduce_expr, post_map_expr
        self.identity, self.reduce_type, self.preamble = identity, reduce_type, preamble
        self.name = self.__name__ = name
        self.options = tuple(options)
        if identity is None:
            raise NotImplementedError("the cupy stand-in has no ReductionKernel without an identity")

    def __call__(self, *args, out=None, axis=None, keepdims=False, stream=None):
        """Inputs, then perhaps outputs; `axis` as in NumPy."""
        args = [*args, *([] if out is None else [out])]
        check(self.name, args, (self.nin, self.nin + self.nout))
        arrays = [a for p, a in zip(self.in_params, args) if isinstance(a, ndarray) and not p.raw]
        if not arrays:
            raise ValueError("Loop size is undecided.")
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = sorted(a % len(shape) for a in axes)
        kept = [a for a in range(len(shape)) if a not in axes]
        out_shape = tuple(1 if a in axes else n for a, n in enumerate(shape) if keepdims or a not in axes)
        types = resolve(self.params, args)
        if len(args) == self.nin:
            args += [cupy.empty(out_shape, dtype_of(p, types)) for p in self.out_params]
        outs = args[self.nin :]
        for result in outs:
            if result.shape != out_shape:
                raise ValueError("Out shape is mismatched")
        for n, parameter in enumerate(self.in_params):
            if isinstance(args[n], ndarray) and not parameter.raw:
                args[n] = args[n]._view(np.broadcast_to(args[n]._host, shape).transpose(kept + axes))
        rows = int(np.prod([shape[a] for a in kept], dtype=int))
        columns = int(np.prod([shape[a] for a in axes], dtype=int))
        self._launch(args, types, rows, columns)
        return outs[0] if self.nout == 1 else tuple(outs)

    def _launch(self, args, types, rows, columns):
        standin.count_launch()

        def elements(parameters, values, const):
            return "\n".join(
                f"{const}{C_NAMES[dtype_of(p, types).name]}& {p.name} = _raw_{p.name}[i];"
                for p, value in zip(parameters, values)
                if isinstance(value, ndarray) and not p.raw
            )

        source = SOURCE.format(
            count=len(self.params),
            typedefs=typedefs(types),
            preamble=self.preamble,
            reduce_type=self.reduce_type or C_NAMES[dtype_of(self.out_params[0], types).name],
            declarations=declare(self.params, args, types),
            identity=self.identity,
            inputs=elements(self.in_params, args, "const "),
            outputs=elements(self.out_params, args[self.nin :], ""),
            map_expr=self.map_expr,
            reduce_expr=self.reduce_expr,
            post_map_expr=self.post_map_expr,
        )
        run(source, self.options, *pack(self.params, args, types, rows, columns))
