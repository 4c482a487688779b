"""gpugrad.nn.upsampling: results, gradients and PyTorch's numbers are in tests/layers/upsampling.py."""

import pytest

from gpugrad import nn
from gpugrad.errors import OptionError


def test_repr_is_that_of_pytorch():
    assert repr(nn.Upsample(scale_factor=2)) == "Upsample(scale_factor=2.0, mode='nearest')"
    assert repr(nn.Upsample((3, 4), mode="bicubic")) == "Upsample(size=(3, 4), mode='bicubic')"
    assert (
        repr(nn.UpsamplingBilinear2d(scale_factor=(2, 3))) == "UpsamplingBilinear2d(scale_factor=(2.0, 3.0), mode='bilinear')"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Upsample: got size None and scale_factor None, expected one of the two"),
        ({"size": 2, "scale_factor": 2}, "Upsample: got size 2 and scale_factor 2, expected one of the two"),
        ({"size": 2, "mode": "quadratic"}, "Upsample: mode is 'quadratic', expected one of 'nearest', "),
        ({"size": 2, "align_corners": True}, "Upsample: align_corners is True for mode 'nearest', expected it with linear, "),
        (
            {"size": 2, "recompute_scale_factor": True},
            "Upsample: recompute_scale_factor is True, expected a scale_factor with it",
        ),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(OptionError, match=f"^{message}"):
        nn.Upsample(**options)
