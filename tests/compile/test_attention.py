"""Attention by the kernels of compile/attention.c: what the definition gives, for all layouts of the operands."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpugrad.compile import attention as native
from gpugrad.compile.handwritten import handwritten
from gpugrad.testing import assert_close

definition = importlib.import_module("gpugrad.nn.functional.attention")
pytestmark = pytest.mark.skipif(handwritten(native.__file__, "d", native._KERNELS) is None, reason="no C compiler")
WANTED = (True, True, True, False)


@pytest.fixture(autouse=True)
def all_sizes(monkeypatch):
    monkeypatch.setattr(native, "SMALLEST", 0)
    monkeypatch.setattr(native, "FEWEST", 1)


def draw(rng, dtype, *shape, transposed=False):
    """Heads beside each other for every row if `transposed`."""
    if transposed:
        batch, heads, rows, columns = shape
        return rng.normal(size=(batch, rows, heads, columns)).astype(dtype).swapaxes(1, 2)
    return rng.normal(size=shape).astype(dtype)


def both(q, k, v, mask, g, causal=False):
    """The results and gradients by the kernels, and by the definition."""
    options = {"scale": 0.4, "causal": causal, "dropout": None}
    found, expected = native.attention(q, k, v, mask, **options), definition._attention(q, k, v, mask, **options)
    gradients = [f(g, q, k, v, mask, *expected, **options, wanted=WANTED)[:3]
                 for f in (native.attention_gradient, definition._attention_gradient)]  # fmt: skip
    return (*found, *gradients[0]), (*expected, *gradients[1])


@settings(max_examples=60, deadline=None)
@given(
    lead=st.tuples(*[st.integers(1, 3)] * 3), sizes=st.tuples(*[st.integers(1, 70)] * 4), square=st.booleans(),
    causal=st.booleans(), layouts=st.tuples(*[st.booleans()] * 4), single=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_equals_the_definition(lead, sizes, square, causal, layouts, single, seed):
    (batch, heads, group), (rows, keys, width, depth) = lead, sizes
    keys = rows if square else keys
    rng, dtype = np.random.default_rng(seed), np.float32 if single else np.float64
    shapes = ((heads * group, rows, width), (heads, keys, width), (heads, keys, depth), (heads * group, rows, depth))
    q, k, v, g = (draw(rng, dtype, batch, *s, transposed=t) for s, t in zip(shapes, layouts, strict=True))
    for x, y in zip(*both(q, k, v, None, g, causal), strict=True):
        assert_close(x, y, **({"rtol": 1e-3, "atol": 1e-4} if single else {"rtol": 1e-9, "atol": 1e-9}))


@pytest.mark.parametrize("lead", [(2, 3), (2, 1), (1, 3), (1, 1)])
@pytest.mark.parametrize("added", [False, True])
def test_masks(lead, added):
    rng = np.random.default_rng(0)
    q, k, v, g = (draw(rng, np.float64, 2, 3, n, 5) for n in (40, 50, 50, 40))
    mask = rng.normal(size=(*lead, 40, 50))
    mask[..., 7, :] = np.inf
    mask = np.where(mask > 0.5, -np.inf, mask) if added else mask < 0.5
    for x, y in zip(*both(q, k, v, mask, g), strict=True):
        assert_close(x, y)
    one_row = mask[:1, :1, :1]
    for x, y in zip(*both(q, k, v, one_row, g), strict=True):
        assert_close(x, y)


@pytest.mark.parametrize("scale", [0.0, -0.5])
def test_masked_keys_stay_unseen_for_any_scale(scale):
    rng = np.random.default_rng(0)
    q, k, v = (draw(rng, np.float64, 1, 2, 9, 4) for _ in range(3))
    mask, options = rng.random((9, 9)) < 0.5, {"scale": scale, "causal": False, "dropout": None}
    for x, y in zip(native.attention(q, k, v, mask, **options), definition._attention(q, k, v, mask, **options), strict=True):
        assert_close(x, y)


def test_a_mask_may_be_a_field_of_records():
    rng = np.random.default_rng(0)
    q, k, v = (draw(rng, np.float64, 1, 2, 9, 4) for _ in range(3))
    records = np.zeros((9, 9), [("name", "i1"), ("mask", "f8")])
    records["mask"] = rng.normal(size=(9, 9))
    options = {"scale": 1.0, "causal": False, "dropout": None}
    found = native.attention(q, k, v, records["mask"], **options)
    for x, y in zip(found, native.attention(q, k, v, records["mask"].copy(), **options), strict=True):
        assert_close(x, y)


def test_results_lie_as_the_query_does():
    """The heads of a layer are views of one product; what it does with the result then takes no copy."""
    rng = np.random.default_rng(0)
    q, k, v = (draw(rng, np.float32, 2, 3, 8, 4, transposed=True) for _ in range(3))
    out, _ = native.attention(q, k, v, None, scale=1.0, causal=True, dropout=None)
    assert out.swapaxes(1, 2).flags.c_contiguous


def test_what_is_not_finite_stays_in_its_row():
    rng = np.random.default_rng(0)
    q, k, v = (draw(rng, np.float64, 1, 1, 20, 4) for _ in range(3))
    q[0, 0, 3] = np.nan
    out, _ = native.attention(q, k, v, None, scale=1.0, causal=False, dropout=None)
    assert np.isnan(out[0, 0, 3]).all() and np.isfinite(np.delete(out, 3, axis=2)).all()


def test_leaves_to_the_definition_what_it_does_not_know(monkeypatch):
    rng = np.random.default_rng(0)
    q, k, v = (draw(rng, np.float64, 2, 2, 8, 4) for _ in range(3))
    options = {"scale": 1.0, "causal": False, "dropout": None}
    assert native.attention(*(x.astype(np.float16) for x in (q, k, v)), None, **options) is None
    assert native.attention(q, k[:1], v[:1], None, **options) is None  # which broadcast
    assert native.attention(*(x[None] for x in (q, k, v)), None, **options) is None  # five axes
    assert native.attention(q, k, v, None, **options | {"dropout": object()}) is None
    assert native.attention(q[:, :, :0], k, v, None, **options) is None
    monkeypatch.setattr(native, "LARGEST", 31)
    assert native.attention(q, k, v, None, **options) is None
    monkeypatch.setattr(native, "LARGEST", 32)
    assert native.attention(q, k, v, None, **options) is not None
