"""What to write for names of PyTorch that are not here: Tensors and functions follow the Array API standard and NumPy.

An AttributeError says it: "'Tensor' object has no attribute 'unsqueeze'; for PyTorch's unsqueeze write gg.expand_dims(x, axis=axis)".
Each entry is code in the variables x and y, Tensors, and of what else it names.
"""

from __future__ import annotations

from collections.abc import Mapping

_FUNCTIONS = (
    "abs", "acos", "asin", "asinh", "atan", "atanh", "ceil", "conj", "cos", "cosh", "diag", "exp", "expm1", "floor",
    "isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2", "logical_not", "nonzero", "reciprocal", "round", "sign", "signbit",
    "sin", "sinh", "sort", "argsort", "sqrt", "square", "tan", "tanh", "tril", "triu", "trunc",
)  # fmt: skip
_BINARY = ("add", "atan2", "hypot", "logaddexp", "maximum", "minimum", "pow", "remainder", "matmul")

OF_TENSORS: Mapping[str, str] = {
    **{name: f"gg.{name}(x)" for name in _FUNCTIONS},
    **{name: f"gg.{name}(x, y)" for name in _BINARY},
    **{name: f"gg.nn.functional.{name}(x)" for name in ("relu", "sigmoid", "logsigmoid")},
    **{name: f"gg.nn.functional.{name}(x, dim=axis)" for name in ("softmax", "log_softmax")},
    **{name: f"gg.linalg.{name}(x)" for name in ("cholesky", "det", "inv", "pinv", "qr", "slogdet", "svd", "trace")},
    **{name: f"gg.special.{name}(x)" for name in ("digamma", "erf", "erfc", "erfinv", "i0", "logit", "sinc")},
    "add_": "x += y", "sub_": "x -= y", "mul_": "x *= y", "div_": "x /= y", "copy_": "x[...] = y", "fill_": "x[...] = 1", "zero_": "x[...] = 0",
    "bernoulli_": "x[...] = gg.random.bernoulli(x.shape, 0.5)", "normal_": "gg.nn.init.normal_(x)", "uniform_": "gg.nn.init.uniform_(x)",
    "sub": "x - y", "mul": "x * y", "div": "x / y", "neg": "-x", "mm": "x @ y", "bmm": "x @ y", "dot": "gg.vecdot(x, y)",
    "eq": "x == y", "ne": "x != y", "lt": "x < y", "le": "x <= y", "gt": "x > y", "ge": "x >= y",
    "dim": "x.ndim", "ndimension": "x.ndim", "numel": "x.size", "nelement": "x.size", "element_size": "x.itemsize",
    "t": "x.T", "transpose": "gg.permute_dims(x, axes)", "swapaxes": "gg.permute_dims(x, axes)", "permute": "gg.permute_dims(x, axes)",
    "movedim": "gg.moveaxis(x, 0, 1)", "unsqueeze": "gg.expand_dims(x, axis=axis)", "flatten": "gg.nn.Flatten(1)(x)",
    "ravel": "x.reshape(-1)", "unflatten": "x.reshape(shape)", "reshape_as": "x.reshape(y.shape)", "view_as": "x.reshape(y.shape)",
    "contiguous": "x", "expand": "gg.broadcast_to(x, shape)", "expand_as": "gg.broadcast_to(x, y.shape)",
    "repeat": "gg.tile(x, repetitions)", "repeat_interleave": "gg.repeat(x, 2, axis=axis)", "roll": "gg.roll(x, 1, axis=axis)",
    "flip": "gg.flip(x, axis=axis)", "unbind": "gg.unstack(x, axis=axis)", "chunk": "x[:1], x[1:]", "split": "x[:1], x[1:]", "narrow": "x[:1]",
    "select": "x[0, ...]", "gather": "gg.take_along_axis(x, indices, axis=axis)", "index_select": "gg.take(x, index, axis=axis)",
    "masked_fill": "gg.where(mask, 0.0, x)", "masked_select": "x[mask]", "where": "gg.where(mask, x, y)", "clamp": "gg.clip(x, min=0, max=1)",
    "clip": "gg.clip(x, min=0, max=1)", "topk": "gg.sort(x, axis=axis, descending=True)[:1]", "cumsum": "gg.cumulative_sum(x, axis=axis)",
    "cumprod": "gg.cumulative_prod(x, axis=axis)", "norm": "gg.linalg.vector_norm(x)", "logsumexp": "gg.special.logsumexp(x)",
    "rsqrt": "1 / gg.sqrt(x)", "type": "x.astype(gg.float32)", "float": "x.astype(gg.float32)", "double": "x.astype(gg.float64)",
    "half": "x.astype(gg.float16)", "long": "x.astype(gg.int64)", "int": "x.astype(gg.int32)", "bool": "x.astype(gg.bool)",
    "type_as": "x.astype(y.dtype)", "data": "x.detach()", "grad_fn": "x.node", "is_cuda": "x.device.type == 'cuda'",
    "new_zeros": "gg.zeros_like(x)", "new_ones": "gg.ones_like(x)",
}  # fmt: skip

OF_MODULE: Mapping[str, str] = {
    **OF_TENSORS,
    "cat": "gg.concat([x, y], axis=axis)", "concatenate": "gg.concat([x, y], axis=axis)", "hstack": "gg.concat([x, y], axis=1)",
    "vstack": "gg.concat([x, y], axis=0)", "outer": "gg.linalg.outer(x[0], y[0])", "allclose": "gg.testing.assert_close(x, x)",
    "randn": "gg.random.normal(shape)", "rand": "gg.random.uniform(shape)", "randn_like": "gg.random.normal(x.shape)",
    "rand_like": "gg.random.uniform(x.shape)", "normal": "gg.random.normal(shape)", "randint": "gg.random.integers(shape, 0, 2)",
    "randperm": "gg.random.permutation(3)", "bernoulli": "gg.random.bernoulli(x.shape, 0.5)", "from_numpy": "gg.asarray(x.numpy())",
    "as_tensor": "gg.asarray(x.numpy())", "is_tensor": "isinstance(x, gg.Tensor)", "is_floating_point": "gg.isdtype(x.dtype, 'real floating')",
    "inference_mode": "gg.no_grad()", "compile": "gg.fuse(function)", "set_default_tensor_type": "gg.set_default_dtype(gg.float32)",
    "autograd": "gg.gradients(y, [x]) or gg.custom_vjp(function)", "utils": "gg.data or gg.checkpoint", "func": "gg.grad or gg.vjp or gg.jvp",
    "float": "gg.float32", "double": "gg.float64", "half": "gg.float16", "long": "gg.int64", "int": "gg.int32", "bfloat16": "'bfloat16'",
}  # fmt: skip

OF_UTILITIES: Mapping[str, str] = {
    name: f"gg.nn.utils.parametrizations.{name}(layer)" for name in ("weight_norm", "spectral_norm")
}


def absent(owner: str, name: str, instead: Mapping[str, str]) -> AttributeError:
    """The error for an attribute that is not there, which says what to write if it is a name of PyTorch."""
    hint = f"; for PyTorch's {name} write {instead[name]}" if name in instead else ""
    return AttributeError(f"{owner} has no attribute {name!r}{hint}")
