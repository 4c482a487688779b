"""Upsample, and pixels made of channels."""

from gpugrad.check.records.case import real
from layers.case import LayerCase, call

LINE, IMAGE, VOLUME = real(2, 3, 5), real(2, 3, 4, 5), real(1, 2, 2, 3, 4)

CASES = [
    LayerCase("Upsample", call(scale_factor=2), call(IMAGE)),
    LayerCase("Upsample", call(7), call(LINE), "nearest, line"),
    LayerCase("Upsample", call((3, 5, 2), mode="nearest"), call(VOLUME), "nearest, volume"),
    LayerCase("Upsample", call((9, 3), mode="nearest-exact"), call(IMAGE), "nearest-exact"),
    LayerCase("Upsample", call(scale_factor=1.7, mode="linear"), call(LINE), "linear"),
    LayerCase("Upsample", call(scale_factor=1.7, mode="linear", recompute_scale_factor=True), call(LINE), "recomputed"),
    LayerCase("Upsample", call(8, mode="linear", align_corners=True), call(LINE), "linear, corners"),
    LayerCase("Upsample", call(scale_factor=(2, 0.6), mode="bilinear"), call(IMAGE), "bilinear"),
    LayerCase("Upsample", call((1, 9), mode="bilinear", align_corners=True), call(IMAGE), "bilinear, corners"),
    LayerCase("Upsample", call(scale_factor=2, mode="trilinear"), call(VOLUME), "trilinear"),
    LayerCase("Upsample", call((3, 2, 7), mode="trilinear", align_corners=True), call(VOLUME), "trilinear, corners"),
    LayerCase("Upsample", call(scale_factor=2.3, mode="bicubic"), call(IMAGE), "bicubic"),
    LayerCase("Upsample", call((3, 8), mode="bicubic", align_corners=True), call(IMAGE), "bicubic, corners"),
    LayerCase("Upsample", call((3, 8), mode="area"), call(IMAGE), "area"),
    LayerCase("UpsamplingNearest2d", call(scale_factor=3), call(IMAGE)),
    LayerCase("UpsamplingNearest2d", call((3, 7)), call(IMAGE), "size"),
    LayerCase("UpsamplingBilinear2d", call(scale_factor=2), call(IMAGE)),
    LayerCase("UpsamplingBilinear2d", call((3, 7)), call(IMAGE), "size"),
    LayerCase("PixelShuffle", call(2), call(real(2, 8, 3, 2))),
    LayerCase("PixelShuffle", call(3), call(real(9, 1, 2)), "no batch"),
    LayerCase("PixelUnshuffle", call(2), call(real(2, 3, 4, 2))),
    LayerCase("PixelUnshuffle", call(3), call(real(2, 3, 6)), "no batch"),
    LayerCase("ChannelShuffle", call(2), call(real(2, 6, 3, 2))),
    LayerCase("ChannelShuffle", call(3), call(real(2, 6, 3)), "line"),
]
