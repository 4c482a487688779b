"""autocast: products in 16 bits and what needs range or many summands in float32, chosen op by op.

Which op does what is one table, below. When an op is declared (``families.py``) it looks its name up here, and only ops that are
found pay for a test of a flag.
"""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import ContextVar
from types import MappingProxyType, TracebackType
from typing import Any

from gpugrad import cuda
from gpugrad.arrays.devices import Device, device_of
from gpugrad.arrays.dtypes import DType, DTypeLike, float16, float32, numpy_dtype
from gpugrad.errors import DTypeError, OptionError
from gpugrad.modes import Mode, autocasting, not_autocasting
from gpugrad.tape import Tensor, raw

# fmt: off
LOWER = frozenset(
    {
        "matmul", "vecdot", "tensordot", "einsum", "linear", "bilinear", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
        "conv_transpose2d", "conv_transpose3d", "scaled_dot_product_attention", "multi_head_attention_forward", "recurrent",
    }
)
"""Ops that compute in the dtype of autocast: matrix products and what is made of them."""

FLOAT32 = frozenset(
    {
        "exp", "expm1", "log", "log1p", "log2", "log10", "pow", "reciprocal", "sinh", "cosh", "tan", "acos", "asin", "sum",
        "prod", "cumulative_sum", "cumulative_prod", "softmax", "softmin", "log_softmax", "softplus",
        "layer_norm", "rms_norm", "batch_norm", "group_norm", "instance_norm", "local_response_norm", "normalize",
        "vector_norm", "matrix_norm", "cosine_similarity", "pairwise_distance", "binary_cross_entropy",
        "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy", "ctc_loss", "dice_loss", "sigmoid_focal_loss",
        "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "margin_ranking_loss", "mse_loss",
        "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "poisson_nll_loss",
        "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
    }
)
"""Ops that compute in float32 where they are given 16 bits: what overflows or loses digits in them."""

# fmt: on

# The dtype by type of device.
_dtypes: ContextVar[MappingProxyType[str, DType]] = ContextVar("gpugrad_autocast", default=MappingProxyType({}))
# What that was before each `with` block that is open in this context, innermost first.
_before: ContextVar[tuple[Any, ...]] = ContextVar("gpugrad_autocast_before", default=())


class autocast(ContextDecorator):  # PyTorch's name
    """Compute inside in mixed precision: ``with gg.autocast("cuda", dtype=gg.float16):``. A context manager and a decorator.

    Every op does one of three things with floating-point operands of 16 or 32 bits; float64 is left alone:

    - matrix products, linear layers, convolution, attention and recurrent layers compute in `dtype`;
    - exponentials, logarithms, powers, sums, softmax, norms and losses compute in float32;
    - all others compute in the dtype that their operands have, or promote to.

    The casts are recorded: parameters stay float32 and get float32 gradients. Run the forward pass and the loss inside, and
    ``backward`` outside; with float16, scale the loss (:class:`gpugrad.amp.GradScaler`). Plain arrays without a Tensor among the
    operands, and what is inside :func:`gpugrad.fuse`, are left alone.

    :param device_type: "cuda" or "cpu": on which devices. On a machine without a GPU "cuda" stands for the CPU, so that the same
        program runs there with the same roundings, emulated: right, but not fast.
    :param dtype: float16 or bfloat16 (of the package ml_dtypes); float16 for None.
    :param enabled: False switches it off inside.

    Raises OptionError for another device type, DTypeError for another dtype.
    Source: P. Micikevicius et al., "Mixed precision training", ICLR 2018; https://docs.pytorch.org/docs/stable/amp.html
    """

    def __init__(self, device_type: str, dtype: DTypeLike | None = None, enabled: bool = True) -> None:
        kind = str(device_type).partition(":")[0]
        if kind not in ("cuda", "cpu"):
            raise OptionError(f"autocast: device_type is {device_type!r}, expected 'cuda' or 'cpu'")
        target = float16 if dtype is None else numpy_dtype(dtype)
        if target.name not in ("float16", "bfloat16"):
            raise DTypeError(f"autocast: dtype is {target}, expected float16 or bfloat16")
        self.device_type = kind
        self.dtype = target
        self.enabled = enabled

    def _recreate_cm(self) -> autocast:
        return autocast(self.device_type, self.dtype, self.enabled)

    def __enter__(self) -> autocast:
        kinds = {self.device_type} if self.device_type == "cpu" or cuda.is_available() else {"cuda", "cpu"}
        changed = {kind: dtype for kind, dtype in _dtypes.get().items() if kind not in kinds}
        if self.enabled:
            changed |= dict.fromkeys(kinds, self.dtype)
        restored(changed).__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _leave()


class restored:  # used as autocast is
    """The state that :func:`autocast_dtypes` gave, again: for what computes later what was computed then."""

    def __init__(self, dtypes: Any) -> None:
        self._dtypes = MappingProxyType(dict(dtypes))

    def __enter__(self) -> None:
        mode: Mode = autocasting() if self._dtypes else not_autocasting()
        _before.set((_before.get(), _dtypes.get(), mode))
        _dtypes.set(self._dtypes)
        mode.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _leave()


def _leave() -> None:
    outer, dtypes, mode = _before.get()
    mode.__exit__(None, None, None)
    _dtypes.set(dtypes)
    _before.set(outer)


def autocast_dtypes() -> MappingProxyType[str, DType]:
    """The dtypes that autocast computes in, by type of device: empty where it is off."""
    return _dtypes.get()


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether :class:`autocast` is on for devices of this type."""
    return device_type in _dtypes.get()


def target(x: Any, lower: bool) -> DType | None:
    """The dtype that an operand is to be cast to; None for one that is to be left as it is."""
    array = raw(x)
    given = getattr(array, "dtype", None)
    if given is None or not hasattr(array, "shape"):
        return None
    device = device_of(array)
    dtype = _dtypes.get().get(device.type) if isinstance(device, Device) else None
    if dtype is None or numpy_dtype(given).name not in ("float16", "bfloat16", "float32"):
        return None
    wanted = dtype if lower else float32
    return None if numpy_dtype(given) == wanted else wanted


def recording(operands: Any) -> bool:
    """Whether there is a Tensor among operands: plain arrays are left alone."""
    return any(isinstance(x, Tensor) for x in operands)
