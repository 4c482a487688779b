"""Positions. PyTorch has neither class: the peers are their definitions in PyTorch's functions."""

from typing import Any

from gpugrad.check.records.case import given, real
from layers.case import LayerCase, call


def _angles(torch: Any, dim: int, base: float, positions: Any) -> Any:
    return positions[..., None].double() / base ** (torch.arange(0, dim, 2).double() / dim)


def _sinusoidal(
    torch: Any, d_model: int, max_len: int = 5000, dropout: float = 0.0, base: float = 1e4, batch_first: bool = False
) -> Any:
    class Peer(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any, offset: int = 0, input_pos: Any = None) -> Any:
            length = x.shape[1 if batch_first and x.ndim == 3 else 0]
            angles = _angles(torch, d_model, base, torch.arange(offset, offset + length) if input_pos is None else input_pos)
            table = torch.stack([angles.sin(), angles.cos()], -1).flatten(-2).to(x.dtype)
            return x + (table[:, None] if table.ndim < x.ndim and not batch_first else table)

    return Peer()


def _rotary(
    torch: Any, dim: int, max_seq_len: int = 4096, base: float = 1e4, *, interleaved: bool = True, seq_dim: int = -3
) -> Any:
    class Peer(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any, input_pos: Any = None, offset: int = 0) -> Any:
            x = x.movedim(seq_dim, 1)  # (N, L, ..., dim)
            positions = torch.arange(offset, offset + x.shape[1]) if input_pos is None else input_pos
            turn = torch.polar(torch.ones(()).double(), _angles(torch, dim, base, positions))
            turn = turn.reshape(*turn.shape[:-1], *[1] * (x.ndim - 3), dim // 2)
            pairs = x.unflatten(-1, (-1, 2)) if interleaved else x.unflatten(-1, (2, -1)).mT
            pairs = torch.view_as_real(torch.view_as_complex(pairs.double().contiguous()) * turn)
            out = pairs.flatten(-2) if interleaved else pairs.mT.flatten(-2)
            return out.to(x.dtype).movedim(1, seq_dim)

    return Peer()


def _case(name: str, made: Any, inputs: Any, label: str = "", **options: Any) -> LayerCase:
    return LayerCase(name, made, inputs, label, peer=_sinusoidal if name[0] == "S" else _rotary, **options)


CASES = [
    _case("SinusoidalPositionalEncoding", call(6), call(real(3, 2, 6))),
    _case("SinusoidalPositionalEncoding", call(6, 9, base=100.0, batch_first=True), call(real(2, 3, 6), offset=6), "offset"),
    _case("SinusoidalPositionalEncoding", call(4), call(real(3, 4)), "unbatched"),
    _case(
        "SinusoidalPositionalEncoding", call(4, batch_first=True),
        call(real(2, 3, 4), input_pos=given([[0, 1, 2], [4, 7, 4]])), "positions",
    ),
    _case("SinusoidalPositionalEncoding", call(4, dropout=0.4), call(real(3, 2, 4)), "dropout", draws=1),
    _case("RotaryPositionalEmbeddings", call(6), call(real(2, 3, 2, 6))),
    _case("RotaryPositionalEmbeddings", call(4, seq_dim=-2), call(real(2, 2, 3, 4), offset=100), "heads first, offset"),
    _case("RotaryPositionalEmbeddings", call(6, 50, 100, interleaved=False), call(real(2, 3, 2, 6)), "halves"),
    _case(
        "RotaryPositionalEmbeddings", call(4, interleaved=False),
        call(real(2, 3, 2, 4), input_pos=given([[0, 1, 2], [4, 7, 4]], "int32")), "positions",
    ),
]  # fmt: skip
