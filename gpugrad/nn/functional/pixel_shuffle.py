"""Channels made pixels, pixels made channels, and channels of groups mixed: reshaped and transposed."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.windows import as_sizes
from gpugrad.errors import ShapeError
from gpugrad.families import A, composite
from gpugrad.nn.functional.linear import check_input
from gpugrad.ops.shape import permute_dims, reshape


def _image(name: str, x: Any) -> tuple[int, ...]:
    check_input(x, name)
    shape = tuple(x.shape)
    if len(shape) < 3:
        raise ShapeError(f"{name}: got input {shape}, expected (..., C, H, W)")
    return shape


@composite
def pixel_shuffle(input: A, upscale_factor: int) -> A:
    """Each group of r * r channels laid out as a square of r by r pixels, where r is `upscale_factor`.

    Shapes: input (..., C * r * r, H, W), result (..., C, H * r, W * r). Dtypes: any.
    Raises ShapeError for fewer than three axes, a factor below 1 and channels that r * r does not divide.
    Source: W. Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
    network", CVPR 2016.
    """
    *lead, channels, h, w = _image("pixel_shuffle", input)
    (r,) = as_sizes("pixel_shuffle", "upscale_factor", upscale_factor, 1, 1)
    if channels % (r * r):
        raise ShapeError(
            f"pixel_shuffle: input {(*lead, channels, h, w)}, expected channels in multiples of {r * r}, {r} * {r}"
        )
    out: Any = reshape(input, (*lead, channels // (r * r), r, r, h, w))
    n = len(lead)
    out = permute_dims(out, (*range(n + 1), n + 3, n + 1, n + 4, n + 2))
    found: A = reshape(out, (*lead, channels // (r * r), h * r, w * r))
    return found


@composite
def pixel_unshuffle(input: A, downscale_factor: int) -> A:
    """Each square of r by r pixels laid out as r * r channels, where r is `downscale_factor`: the inverse of :func:`pixel_shuffle`.

    Shapes: input (..., C, H * r, W * r), result (..., C * r * r, H, W). Dtypes: any.
    Raises ShapeError for fewer than three axes, a factor below 1 and heights or widths that r does not divide.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pixel_unshuffle.html
    """
    *lead, channels, h, w = _image("pixel_unshuffle", input)
    (r,) = as_sizes("pixel_unshuffle", "downscale_factor", downscale_factor, 1, 1)
    if h % r or w % r:
        raise ShapeError(f"pixel_unshuffle: input {(*lead, channels, h, w)}, expected height and width in multiples of {r}")
    out: Any = reshape(input, (*lead, channels, h // r, r, w // r, r))
    n = len(lead)
    out = permute_dims(out, (*range(n + 1), n + 2, n + 4, n + 1, n + 3))
    found: A = reshape(out, (*lead, channels * r * r, h // r, w // r))
    return found


@composite
def channel_shuffle(input: A, groups: int) -> A:
    """The channels of `groups` groups mixed: the first of each group, then the second of each, and so on.

    Shapes: input (N, C, *), with one axis or more after the channels; the result has the same. Dtypes: any.
    Raises ShapeError for fewer than three axes, fewer than one group and groups that do not divide the channels.
    Source: X. Zhang et al., "ShuffleNet: an extremely efficient convolutional neural network for mobile devices", CVPR 2018.
    """
    check_input(input, "channel_shuffle")
    shape = tuple(input.shape)  # type: ignore[attr-defined]
    (groups,) = as_sizes("channel_shuffle", "groups", groups, 1, 1)
    if len(shape) < 3 or shape[1] % groups:
        raise ShapeError(f"channel_shuffle: input {shape}, expected (N, C, *) with channels in multiples of groups={groups}")
    out: Any = reshape(input, (shape[0], groups, shape[1] // groups, *shape[2:]))
    found: A = reshape(permute_dims(out, (0, 2, 1, *range(3, len(shape) + 1))), shape)
    return found
