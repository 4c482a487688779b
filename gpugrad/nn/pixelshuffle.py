"""PixelShuffle, PixelUnshuffle and ChannelShuffle."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.windows import as_sizes
from gpugrad.nn.functional.pixel_shuffle import channel_shuffle, pixel_shuffle, pixel_unshuffle
from gpugrad.nn.module import Module


class PixelShuffle(Module):
    """Channels made pixels: (..., C * r * r, H, W) -> (..., C, H * r, W * r); see :func:`gpugrad.nn.functional.pixel_shuffle`.

    Raises ShapeError for an `upscale_factor` below 1, and for an input whose channels are no multiple of its square.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelShuffle.html
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        (self.upscale_factor,) = as_sizes("PixelShuffle", "upscale_factor", upscale_factor, 1, 1)

    def forward(self, input: Any) -> Any:
        """The input with its channels laid out as pixels."""
        return pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Pixels made channels: (..., C, H * r, W * r) -> (..., C * r * r, H, W); see :func:`gpugrad.nn.functional.pixel_unshuffle`.

    Raises ShapeError for a `downscale_factor` below 1, and for an input whose height and width are no multiples of it.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelUnshuffle.html
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        (self.downscale_factor,) = as_sizes("PixelUnshuffle", "downscale_factor", downscale_factor, 1, 1)

    def forward(self, input: Any) -> Any:
        """The input with its pixels laid out as channels."""
        return pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """The channels of `groups` groups mixed, (N, C, *): see :func:`gpugrad.nn.functional.channel_shuffle`.

    Raises ShapeError for fewer than one group, and for an input whose channels are no multiple of `groups`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ChannelShuffle.html
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        (self.groups,) = as_sizes("ChannelShuffle", "groups", groups, 1, 1)

    def forward(self, input: Any) -> Any:
        """The input with its channels mixed."""
        return channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
