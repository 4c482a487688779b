"""Embedding and EmbeddingBag: rows of a table of parameters, looked up by number."""

from __future__ import annotations

from typing import Any, TypeVar

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike
from gpugrad.errors import ShapeError
from gpugrad.modes import no_grad
from gpugrad.nn import init
from gpugrad.nn.functional.embedding import check_padding, check_sparse, embedding
from gpugrad.nn.functional.embedding_bag import check_mode, embedding_bag
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter
from gpugrad.ops.creation import empty

T = TypeVar("T", bound="_Table")


class _Table(Module):
    """What both have: a weight, and how it is made."""

    weight: Parameter

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None, max_norm: float | None, norm_type: float,
        scale_grad_by_freq: bool, sparse: bool, _weight: Any, _freeze: bool, device: DeviceLike | None, dtype: DTypeLike | None,
    ) -> None:  # fmt: skip
        super().__init__()
        name = type(self).__name__
        if min(num_embeddings, embedding_dim) < 0:
            raise ShapeError(f"{name}: num_embeddings is {num_embeddings} and embedding_dim {embedding_dim}, expected sizes")
        check_sparse(name, sparse)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = check_padding(name, padding_idx, num_embeddings)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        shape = (num_embeddings, embedding_dim)
        if _weight is not None and tuple(_weight.shape) != shape:
            raise ShapeError(f"{name}: _weight {tuple(_weight.shape)}, expected {shape}, (num_embeddings, embedding_dim)")
        self.weight = Parameter(
            empty(shape, dtype=dtype, device=device) if _weight is None else _weight, requires_grad=not _freeze
        )
        if _weight is None:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the rows anew, and make that of `padding_idx` zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0

    @classmethod
    def _made_of(cls: type[T], embeddings: Any, freeze: bool, **options: Any) -> T:
        """A layer with these rows."""
        check_input(embeddings, cls.__name__, "array of embeddings")
        shape = tuple(embeddings.shape)
        if len(shape) != 2:
            raise ShapeError(f"{cls.__name__}: embeddings {shape}, expected (num_embeddings, embedding_dim)")
        layer = cls(*shape, **options, _weight=embeddings)
        layer.weight.requires_grad_(not freeze)
        return layer

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}, norm_type={self.norm_type}"
        return text + (", scale_grad_by_freq=True" if self.scale_grad_by_freq else "")


class Embedding(_Table):
    """``weight[input]``: for each integer of the input a row of the weight.

    Shapes: input any, of integers; result (*input.shape, embedding_dim). Parameter: `weight` (num_embeddings, embedding_dim), which
    starts normal with mean 0 and standard deviation 1; its row `padding_idx` starts as 0 and gets no gradient. `max_norm`,
    `norm_type` and `scale_grad_by_freq` as in :func:`~gpugrad.nn.functional.embedding`, which says what it raises; `sparse` must
    be False.
    Raises ShapeError for negative sizes and a `_weight` of another shape, IndexingError for a `padding_idx` that is no row.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Any = None,
        _freeze: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight, _freeze, device,
            dtype,
        )  # fmt: skip

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A layer with a copy of `embeddings` (num_embeddings, embedding_dim) as its weight, which trains unless `freeze`.

        Raises ShapeError for `embeddings` that are no matrix, GraphError for a recorded result, and as the class.
        """
        return cls._made_of(
            embeddings, freeze, padding_idx=padding_idx, max_norm=max_norm, norm_type=norm_type, scale_grad_by_freq=scale_grad_by_freq,
            sparse=sparse,
        )  # fmt: skip

    def forward(self, input: Any) -> Any:
        """The rows."""
        return embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)


class EmbeddingBag(_Table):
    """The "mean", "sum" or "max" of rows of the weight, over bags of numbers.

    Shapes: input (B, n), or (N,) with `offsets` (B,); result (B, embedding_dim). Parameter: `weight` (num_embeddings, embedding_dim),
    as in :class:`Embedding`. The rest as in :func:`~gpugrad.nn.functional.embedding_bag`, which says what it raises.
    Raises OptionError for another `mode`, and as Embedding.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.EmbeddingBag.html
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Any = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_mode("EmbeddingBag", mode, scale_grad_by_freq)
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight, False, device, dtype
        )  # fmt: skip
        self.mode = mode
        self.include_last_offset = include_last_offset

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """A layer with a copy of `embeddings` (num_embeddings, embedding_dim) as its weight, which trains unless `freeze`.

        Raises ShapeError for `embeddings` that are no matrix, GraphError for a recorded result, and as the class.
        """
        return cls._made_of(
            embeddings, freeze, max_norm=max_norm, norm_type=norm_type, scale_grad_by_freq=scale_grad_by_freq, mode=mode,
            sparse=sparse, include_last_offset=include_last_offset, padding_idx=padding_idx,
        )  # fmt: skip

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        """The bags."""
        return embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode, False,
            per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, mode={self.mode!r}"
