"""gpugrad.nn.functional.distance: bad options; results and gradients are in tests/layers."""

import numpy as np
import pytest

from gpugrad import nn
from gpugrad.errors import OptionError
from gpugrad.nn import functional as F


@pytest.mark.parametrize("eps", [0.0, -1.0, float("nan")])
def test_vectors_of_zeros_need_an_eps(eps):
    message = f"eps is {eps}, expected a number above 0, which keeps vectors of zeros from dividing by 0"
    with pytest.raises(OptionError, match=f"^cosine_similarity: {message}$"):
        F.cosine_similarity(np.zeros((2, 3)), np.zeros((2, 3)), eps=eps)
    with pytest.raises(OptionError, match=f"^CosineSimilarity: {message}$"):
        nn.CosineSimilarity(eps=eps)
    assert F.cosine_similarity(np.zeros((2, 3)), np.ones((2, 3))).tolist() == [0, 0]
