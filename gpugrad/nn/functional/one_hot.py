"""one_hot: class labels as rows of zeros with a one."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.dtypes import int64, numpy_dtype
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.families import A, composite
from gpugrad.nn.functional.labels import check_labels, hot
from gpugrad.ops.dtypes import astype
from gpugrad.ops.reduction import max
from gpugrad.tape import Tensor, raw


@composite
def one_hot(tensor: A, num_classes: int = -1) -> A:
    """1 at the class of each label and 0 elsewhere, as int64.

    Shapes: labels any, (...), and the result (..., num_classes); -1 stands for the largest label plus one, which on a GPU has to be
    waited for. Raises IndexingError for a label out of range (on a GPU its row is 0), DTypeError unless labels are integers,
    OptionError for other `num_classes` below 1, ShapeError for -1 without labels.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.one_hot.html
    """
    labels = raw(tensor)
    if numpy_dtype(labels.dtype).kind not in "iu":
        raise DTypeError(f"one_hot: got labels of dtype {labels.dtype}, expected integers; convert them with .astype(gg.int64)")
    if num_classes < 1 and num_classes != -1:
        raise OptionError(f"one_hot: num_classes is {num_classes}, expected 1 or more, or -1 for the largest label plus one")
    labels = astype(labels, int64, copy=False)
    if num_classes == -1:
        if 0 in labels.shape:
            raise ShapeError(f"one_hot: labels of shape {tuple(labels.shape)} have no largest; give num_classes")
        num_classes = int(max(labels)) + 1
    check_labels(labels, num_classes, None, "one_hot")
    out: Any = astype(hot(labels, num_classes), int64)
    return Tensor(out) if isinstance(tensor, Tensor) else out  # type: ignore[return-value]
