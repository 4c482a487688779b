"""scaled_dot_product_attention: values and derivatives on every backend are in gpugrad/check/records/attention.py."""

import importlib
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.errors import AnomalyError, DTypeError, ShapeError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close, check_grads

attention = F.scaled_dot_product_attention
attention_module = importlib.import_module(attention.__module__)


def draw(*shapes, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def plain(q, k, v, mask=None, dropout_p=0.0, is_causal=False, scale=None):
    """The definition, op by op."""
    scores = gg.matmul(q, gg.matrix_transpose(k)) * (scale or 1 / math.sqrt(q.shape[-1]))
    if is_causal:
        mask = np.tril(np.ones(scores.shape[-2:], bool))
    if mask is not None:
        scores = gg.where(mask, scores, -math.inf) if mask.dtype == bool else scores + mask
    return gg.matmul(F.dropout(F.softmax(scores, -1), dropout_p), v)


def gradients(function, arrays, g, **options):
    tensors = [gg.tensor(x, requires_grad=True) for x in arrays]
    out = function(*tensors, **options)
    return [out.detach(), *gg.gradients([out], tensors, [gg.asarray(g)])]


@settings(max_examples=30, deadline=None)
@given(
    lead=st.lists(st.integers(1, 3), max_size=2), sizes=st.tuples(*[st.integers(1, 5)] * 4), causal=st.booleans(),
    dropout_p=st.sampled_from([0.0, 0.3]), data=st.data(),
)  # fmt: skip
def test_equals_the_definition_op_by_op(lead, sizes, causal, dropout_p, data):
    rows, keys, width, out = sizes
    stretched = [[n if data.draw(st.booleans()) else 1 for n in lead] for _ in range(3)]
    arrays = draw(*([*ns, *ends] for ns, ends in zip(stretched, ((rows, width), (keys, width), (keys, out)), strict=True)))
    options = {"dropout_p": dropout_p, "is_causal": causal}
    shape = (*np.broadcast_shapes(*(x.shape[:-2] for x in arrays)), rows, out)
    (g,) = draw(shape, seed=1)
    gg.manual_seed(5)
    expected = gradients(plain, arrays, g, **options)
    gg.manual_seed(5)
    for found, exact in zip(gradients(attention, arrays, g, **options), expected, strict=True):
        assert_close(found, exact, rtol=1e-9, atol=1e-9)


def test_heads_that_share_keys_equal_repeated_ones():
    q, k, v, g = draw((2, 6, 4, 3), (2, 2, 5, 3), (2, 3, 5, 4), (2, 6, 4, 4))
    found = gradients(lambda *x: attention(*x, enable_gqa=True), (q, k, v), g)
    expected = gradients(lambda q, k, v: plain(q, gg.repeat(k, 3, axis=1), gg.repeat(v, 2, axis=1)), (q, k, v), g)
    for x, y in zip(found, expected, strict=True):
        assert_close(x, y)


def test_a_row_without_a_key_is_zero_and_gives_no_gradient():
    q, k, v, g = draw((3, 2), (4, 2), (4, 2), (3, 2))
    seen = np.array([[True, False, True, False], [False] * 4, [True] * 4])
    for mask in (seen, np.where(seen, 0.0, -np.inf)):
        out, dq, dk, dv = gradients(lambda *x, mask=mask: attention(*x, mask), (q, k, v), g)
        assert not out.array[1].any() and not dq.array[1].any()
        for x, y in zip(
            (dk, dv), gradients(lambda *x: attention(*x, seen[[0, 2]]), (q[[0, 2]], k, v), g[[0, 2]])[2:], strict=True
        ):
            assert_close(x, y)


def test_causal_is_aligned_to_the_first_key():
    q, k, v = draw((3, 2), (5, 2), (5, 2))
    out = attention(q, k, v, is_causal=True)
    assert_close(out[0], v[0])
    assert_close(out[1], attention(q, k[:2], v[:2])[1])


def test_heads_of_no_numbers_see_all_keys_alike():
    q, k, v = draw((3, 0), (4, 0), (4, 2))
    assert_close(attention(q, k, v), np.broadcast_to(v.mean(axis=0), (3, 2)))


def test_a_mask_that_is_added_has_a_gradient():
    q, k, v, mask = draw((2, 3, 2), (2, 4, 2), (2, 4, 2), (4,))
    check_grads(lambda q, mask: attention(q, k, v, mask), q, mask)


@pytest.mark.parametrize("added", [False, True])
def test_compiled_kernels_equal_the_definition(added):
    """More elements than those from which on kernels are derived."""
    q, k, v, g, mask = draw((2, 48, 4), (2, 64, 4), (2, 64, 4), (2, 48, 4), (48, 64))
    mask = mask if added else mask < 1
    mask[3] = -np.inf if added else False

    def second(function):
        tensors = [gg.tensor(x, requires_grad=True) for x in (q, k, v)]
        out = function(*tensors, mask)
        found = gg.gradients([out], tensors, [gg.asarray(g)], create_graph=True)
        return [out.detach(), *(x.detach() for x in found), *gg.gradients([(x * x).sum() for x in found], tensors)]

    def without_row(q, k, v, mask):
        shown = np.arange(48) != 3
        out = plain(q, k, v, np.where(shown[:, None], mask, 0 if added else True))
        return gg.where(shown[:, None], out, 0)

    for x, y in zip(second(attention), second(without_row), strict=True):
        assert_close(x, y, rtol=1e-9, atol=1e-9)


def test_third_derivatives():
    check_grads(lambda q, k, v: attention(q, k, v, is_causal=True), *draw((2, 2), (2, 2), (2, 2)), order=3)


def test_only_the_gradients_asked_for():
    """One operand records: the others need no node, and second derivatives still see them all."""
    q, k, v = draw((3, 2), (4, 2), (4, 2))
    for i in range(3):
        arrays = [gg.tensor(x, requires_grad=i == j) for j, x in enumerate((q, k, v))]
        (found,) = gg.gradients([attention(*arrays).sum()], [arrays[i]])
        expected = gradients(lambda *x: attention(*x).sum(), (q, k, v), np.ones(()))[1 + i]
        assert_close(found, expected)


@pytest.mark.parametrize("dtype", [np.float16, "bfloat16"])
def test_16_bits_are_computed_with_in_float32(dtype):
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    q, k, v = (x.astype(dtype) for x in draw((2, 8, 4), (2, 8, 4), (2, 8, 4)))
    q *= dtype(20)  # the scores of float16 would end at 65504, and sums of exponentials be coarse
    k *= dtype(20)
    exact = gradients(attention, [x.astype(np.float64) for x in (q, k, v)], np.ones((2, 8, 4)))
    found = gradients(attention, (q, k, v), np.ones((2, 8, 4), dtype))
    ulp = 2.0**-10 if dtype is np.float16 else 2.0**-7
    for x, y in zip(found, exact, strict=True):
        assert x.dtype == dtype
        assert_close(x.array.astype(np.float64), y, rtol=ulp, atol=40 * ulp)


def test_the_backward_pass_keeps_no_probabilities():
    """What the node holds grows with the rows, not with rows times keys."""
    rows = 64
    q, k, v = (gg.tensor(x, requires_grad=True) for x in draw(*[(rows, 2)] * 3))
    out = attention(q, k, v, dropout_p=0.1)
    kept = [cell.cell_contents for cell in out.node.source.pull.__closure__]
    arrays = [x for c in kept for x in (c if isinstance(c, tuple) else [c]) if isinstance(x, np.ndarray)]
    assert len(arrays) == 5 and max(x.size for x in arrays) == 2 * rows


def test_dropout_drops_what_functional_dropout_would():
    q, k, v = draw((2, 3, 4), (2, 5, 4), (2, 5, 4))
    gg.manual_seed(11)
    expected = F.dropout(F.softmax(q @ k.swapaxes(1, 2) / 2, -1), 0.5) @ v
    gg.manual_seed(11)
    assert_close(attention(q, k, v, dropout_p=0.5), expected)
    assert not attention(q, k, v, dropout_p=1.0).any()


def test_inside_fuse_and_checkpoint():
    q, k, v = (gg.tensor(x, requires_grad=True) for x in draw((2, 3, 4), (2, 5, 4), (2, 5, 4)))
    expected = gg.gradients([attention(q, k, v).sum()], [q, k, v])
    fused = gg.fuse(lambda q, k, v: attention(q, k, v).sum())
    for found in (
        gg.gradients([fused(q, k, v)], [q, k, v]),
        gg.gradients([gg.checkpoint(attention)(q, k, v).sum()], [q, k, v]),
    ):
        for x, y in zip(found, expected, strict=True):
            assert_close(x, y)
    gg.manual_seed(1)
    expected = gg.gradients([attention(q, k, v, dropout_p=0.5).sum()], [v])
    gg.manual_seed(1)
    found = gg.gradients([gg.checkpoint(lambda *x: attention(*x, dropout_p=0.5))(q, k, v).sum()], [v])
    assert_close(found[0], expected[0])


def test_anomalies_are_found_at_the_op():
    q = gg.tensor(np.full((2, 2), 1e200), requires_grad=True)
    with np.errstate(all="ignore"), gg.debug(), pytest.raises(AnomalyError, match="scaled_dot_product_attention"):
        attention(q, q, q)


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        (((3,), (4, 2), (4, 2)), {}, r"query \(3,\), key \(4, 2\), value \(4, 2\), expected query \(\.\.\., L, E\)"),
        (((3, 2), (4, 3), (4, 2)), {}, r"expected query \(\.\.\., L, E\), key \(\.\.\., S, E\)"),
        (((3, 2), (4, 2), (5, 2)), {}, r"value \(\.\.\., S, Ev\)"),
        (((4, 3, 2), (2, 4, 2), (2, 4, 2)), {}, r"leading sizes that broadcast .* enable_gqa=True"),
        (((4, 3, 2), (3, 4, 2), (3, 4, 2)), {"enable_gqa": True}, r"a number of heads"),
        (((3, 2), (4, 2), (4, 2)), {"enable_gqa": True}, r"since enable_gqa is True"),
        (((3, 2), (4, 2), (4, 2)), {"attn_mask": np.ones((2, 3, 4), bool)}, r"attn_mask \(2, 3, 4\), expected an attn_mask"),
        (((3, 2), (4, 2), (4, 2)), {"attn_mask": np.ones((4, 3), bool)}, r"broadcasts to the scores \(3, 4\)"),
    ],
)
def test_shapes_that_do_not_fit(shapes, options, message):
    with pytest.raises(ShapeError, match=message):
        attention(*draw(*shapes), **options)


def test_dtypes_that_do_not_fit():
    q, k, v = draw((3, 2), (4, 2), (4, 2))
    for bad, message in (
        ((q.astype(np.float32), k, v), "query float32, key float64, value float64"),
        ((q.astype(complex), k, v), "query: got dtype complex128"),
        ((q, k.astype(np.int64), v), "key: got dtype int64"),
        (
            (q, k, v, np.ones((3, 4), np.int64)),
            "attn_mask has dtype int64, expected booleans, or real floating-point to be added",
        ),
        ((q, k, [[1.0]]), "value: the input is list"),
    ):
        with pytest.raises(DTypeError, match=message):
            attention(*bad)
    with pytest.raises(ValueError, match="got attn_mask and is_causal=True"):
        attention(q, k, v, np.ones((3, 4), bool), is_causal=True)
    with pytest.raises(ValueError, match="probability"):
        attention(q, k, v, dropout_p=1.5)


def test_a_probability_too_small_to_drop_anything_draws_as_dropout_does():
    x = gg.ones((2, 3, 4))

    def next_number(draw):
        gg.manual_seed(5)
        draw()
        return gg.random.uniform(()).item()

    expected = next_number(lambda: F.dropout(gg.ones((2, 3, 3)), 1e-20))
    assert next_number(lambda: F.scaled_dot_product_attention(x, x, x, dropout_p=1e-20)) == expected
    assert next_number(lambda: F.scaled_dot_product_attention(x, x, x)) != expected


# In pieces ----------------------------------------------------------------------------------------------------------

PIECES = {
    "heads and rows": ([(2, 3, 20, 4), (2, 3, 17, 4), (2, 3, 17, 5)], None, {}),
    "causal": ([(2, 3, 20, 4), (2, 3, 30, 4), (2, 3, 30, 5)], None, {"is_causal": True}),
    "causal, more queries": ([(20, 4), (7, 4), (7, 5)], None, {"is_causal": True}),
    "booleans": ([(2, 20, 4), (2, 17, 4), (2, 17, 5)], "booleans", {}),
    "numbers": ([(2, 20, 4), (2, 17, 4), (2, 17, 5)], "numbers", {}),
    "broadcast": ([(3, 1, 20, 4), (2, 17, 4), (1, 17, 5)], "numbers", {}),
    "shared heads": ([(2, 4, 20, 4), (2, 2, 17, 4), (2, 1, 17, 5)], None, {"enable_gqa": True}),
    "shared heads, causal": ([(4, 40, 4), (2, 40, 4), (2, 40, 5)], None, {"enable_gqa": True, "is_causal": True}),
}


@pytest.mark.parametrize("name", PIECES)
@pytest.mark.parametrize("largest", [1, 340])
def test_pieces_give_what_the_whole_gives(name, largest, monkeypatch):
    """Values, first and second derivatives."""
    shapes, kind, options = PIECES[name]
    arrays = draw(*shapes)
    if kind is not None:
        (mask,) = draw((20, 17), seed=3)
        arrays.append(mask if kind == "numbers" else mask < 1)

    def derivatives():
        tensors = [gg.tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays]
        leaves = [x for x in tensors if x.requires_grad]
        out = attention(*tensors, **options)
        (g,) = draw(out.shape, seed=2)
        first = gg.gradients([out], leaves, [gg.asarray(g)], create_graph=True)
        second = gg.gradients([(x * x).sum() for x in first], leaves)
        return [x.detach().numpy() for x in (out, *gg.gradients([out], leaves, [gg.asarray(g)]), *first, *second)]

    expected = derivatives()
    monkeypatch.setattr(attention_module, "CPU_SCORES", largest)
    monkeypatch.setattr(attention_module, "SMALLEST_ROWS", 3)
    monkeypatch.setattr(attention_module.native, "SMALLEST", math.inf)  # the definition
    sizes = []
    whole = attention_module._softmax_rows
    monkeypatch.setattr(attention_module, "_softmax_rows", lambda x, mask: sizes.append(x.size) or whole(x, mask))
    for x, y in zip(derivatives(), expected, strict=True):
        assert_close(x, y, rtol=1e-11, atol=1e-11)
    assert len(sizes) > 1 and max(sizes) <= max(2 * largest, 4 * 3 * 40)


def test_pieces_of_16_bits_are_added_up_in_float32(monkeypatch):
    monkeypatch.setattr(attention_module, "CPU_SCORES", 1)
    monkeypatch.setattr(attention_module, "SMALLEST_ROWS", 1)
    rows = 4096  # each gives 1 / 4 of a value a gradient of 1: float16 would stop at 2048 / 4
    q, k, v = np.zeros((rows, 1), np.float16), np.zeros((4, 1), np.float16), np.ones((4, 1), np.float16)
    dv = gradients(attention, (q, k, v), np.ones((rows, 1), np.float16))[3]
    np.testing.assert_array_equal(dv.numpy(), np.full((4, 1), rows / 4))


def test_memory_does_not_grow_with_queries_times_keys():
    """Of 1024 queries and keys: in all less than a million scores take, which a product of them would be."""
    q, k, v = (gg.tensor(x, requires_grad=True) for x in draw(*[(1024, 8)] * 3, dtype=np.float32))
    attention(q[:600], k, v, is_causal=True).sum().backward()  # what is compiled
    tracemalloc.start()
    try:
        attention(q, k, v, is_causal=True).sum().backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1024 * 1024 * 4
