"""Ready parametrizations: weight_norm, spectral_norm, orthogonal."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.errors import AxisError, OptionError, ShapeError
from gpugrad.modes import no_grad, recomputing
from gpugrad.nn import init
from gpugrad.nn.functional.precision import wide
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import overwrite
from gpugrad.nn.utils.orthogonal import orthogonal
from gpugrad.nn.utils.parametrize import register_parametrization
from gpugrad.ops.contraction import matmul, vecdot
from gpugrad.ops.creation import empty_like
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import conj, maximum, multiply, real, sqrt, square
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import matrix_transpose, moveaxis, reshape
from gpugrad.tape import Tensor

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Module:
    """Parametrize a weight by its lengths g and directions v: w = g * v / ||v||. Returns the module.

    The norm is over all axes but `dim`, or over all of them if `dim` is -1 or None. The state_dict has
    ``parametrizations.weight.original0``, g, and ``original1``, v; older files' ``weight_g`` and ``weight_v`` are loaded too.
    Raises AxisError if `dim` is no axis, and what :func:`register_parametrization` raises.
    Sources: T. Salimans and D. Kingma, "Weight normalization", NIPS 2016;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.weight_norm.html
    """
    register_parametrization(module, name, _WeightNorm(-1 if dim is None else dim), unsafe=True)

    def rename(owner: Module, state: dict[str, Any], prefix: str, *others: Any) -> None:
        """Older files' g and v under the names that they have now."""
        for i, old in enumerate((f"{prefix}{name}_g", f"{prefix}{name}_v")):
            if old in state:
                state[f"{prefix}parametrizations.{name}.original{i}"] = state.pop(old)

    module.register_load_state_dict_pre_hook(rename)
    return module


def _squares(x: Any) -> Any:
    """The squares of absolute values."""
    x = wide(x)
    return real(multiply(x, conj(x))) if numpy_dtype(x.dtype).kind == "c" else square(x)


class _WeightNorm(Module):
    """w = g * v / ||v||."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        """The weight."""
        return weight_v * (weight_g / self._norm(weight_v))

    def right_inverse(self, weight: Any) -> tuple[Any, Any]:
        """Length and direction of a weight."""
        return self._norm(weight), weight

    def _norm(self, v: Any) -> Any:
        if not -1 <= self.dim < len(v.shape):
            raise AxisError(f"weight_norm: dim {self.dim} is no axis of a weight of shape {v.shape}, and not -1")
        others = None if self.dim == -1 else tuple(i for i in range(len(v.shape)) if i != self.dim)
        norm = sqrt(sum(_squares(v), axis=others, keepdims=others is not None))
        return astype(norm, v.dtype, copy=False)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Parametrize a weight by one divided by its spectral norm: w / sigma. Returns the module.

    sigma is the largest singular value of the weight as a matrix with `dim` for rows (by default 0, or 1 for a ConvTranspose), found
    by power iteration: `n_power_iterations` steps each time the weight is read in training mode, from the vectors so far, which are
    buffers. The gradient takes these vectors for constants. Of a vector, w is that divided by its length.
    Raises OptionError for fewer steps than one, ShapeError for a weight without axes, AxisError if `dim` is no axis.
    Sources: T. Miyato et al., "Spectral normalization for generative adversarial networks", ICLR 2018;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.spectral_norm.html
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise OptionError(f"spectral_norm: {type(module).__name__} has no parameter or buffer {name!r}")
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


class _SpectralNorm(Module):
    """w / sigma."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        axes = len(weight.shape)
        if n_power_iterations < 1:
            raise OptionError(f"spectral_norm: n_power_iterations is {n_power_iterations}, expected 1 or more")
        if not axes:
            raise ShapeError("spectral_norm: the weight has no axes, expected one or more")
        if not -axes <= dim < axes:
            raise AxisError(f"spectral_norm: dim {dim} is no axis of a weight of shape {weight.shape}")
        self.dim = dim % axes
        self.eps = eps
        self.n_power_iterations = n_power_iterations
        if axes > 1:
            with no_grad():
                matrix = self._matrix(weight.detach())
                for name, like in (("_u", matrix[:, 0]), ("_v", matrix[0])):
                    self.register_buffer(name, self._unit(init.normal_(empty_like(like))))
                self._iterate(matrix, 15)

    def forward(self, weight: Any) -> Any:
        """The weight."""
        if len(weight.shape) == 1:
            return self._unit(weight)
        matrix = self._matrix(weight)
        if self.training and not recomputing.get():
            with no_grad():
                self._iterate(matrix.detach(), self.n_power_iterations)
        # Copies, which later steps do not change under a graph that holds them.
        sigma = vecdot(self._u.clone(), matmul(matrix, self._v.clone()))
        return weight / sigma

    def right_inverse(self, value: Any) -> Any:
        """The value itself."""
        return value

    def _matrix(self, weight: Any) -> Any:
        """The weight as a matrix, `dim` for its rows."""
        weight = moveaxis(weight, self.dim, 0)
        return reshape(weight, (weight.shape[0], math.prod(weight.shape[1:])))

    def _unit(self, x: Any) -> Any:
        norm = sqrt(sum(_squares(x)))
        return astype(x / maximum(norm, self.eps), x.dtype, copy=False)

    def _iterate(self, matrix: Any, steps: int) -> None:
        u, v = self._u, self._v
        for _ in range(steps):
            u = self._unit(matmul(matrix, v))
            v = self._unit(matmul(matrix_transpose(matrix if numpy_dtype(matrix.dtype).kind != "c" else conj(matrix)), u))
        overwrite(self._u, u)
        overwrite(self._v, v)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, n_power_iterations={self.n_power_iterations}, eps={self.eps}"
