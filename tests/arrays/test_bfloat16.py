"""bfloat16, which is stored in 16 bits and accumulated in float32: the same dtypes on the CPU and on a GPU."""

import math

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F
from gpugrad.optim import Adam

ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 comes from ml_dtypes")
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def bf16(values, device):
    return gg.asarray(np.asarray(values, np.float32).astype(BFLOAT16), device=device)


def single(x):
    assert x.dtype == BFLOAT16
    return np.asarray(x.detach().cpu().numpy()).astype(np.float32)


# Accumulation --------------------------------------------------------------------------------------------------------

MANY = {
    "sum": (lambda x: gg.sum(x), 4000),
    "sum of an axis": (lambda x: gg.sum(gg.reshape(x, (4000, 1)), axis=0)[0], 4000),
    "mean": (lambda x: gg.mean(x), 1),
    "matmul": (lambda x: x @ x, 4000),
    "vecdot": (lambda x: gg.vecdot(x, x), 4000),
    "einsum": (lambda x: gg.einsum("i,i->", x, x), 4000),
    "cumulative_sum": (lambda x: gg.cumulative_sum(x)[-1], 4000),
    "var": (lambda x: gg.var(gg.cumulative_sum(x) * x), 4000**2 / 12),
    "std": (lambda x: gg.std(gg.cumulative_sum(x) * x), 4000 / math.sqrt(12)),
    "linear": (lambda x: F.linear(x[None], x[None], x[:1])[0, 0], 4001),
}


@pytest.mark.parametrize("name", MANY)
def test_accumulates_in_single_precision(name, device):
    function, expected = MANY[name]
    np.testing.assert_allclose(single(function(bf16(np.ones(4000), device))), expected, rtol=2**-7)


def test_prod_rounds_once(device):
    x = np.full(64, 1 + 2**-7)
    np.testing.assert_allclose(single(gg.prod(bf16(x, device))), np.prod(x), rtol=2**-8)
    np.testing.assert_allclose(single(gg.cumulative_prod(bf16(x, device))), np.cumprod(x), rtol=2**-8)


def test_asked_for_another_dtype(device):
    x = bf16(np.full(300, 1.5), device)
    assert gg.sum(x, dtype=gg.float32).dtype == gg.cumulative_sum(x, dtype=gg.float32).dtype == gg.float32
    assert float(gg.sum(x, dtype=gg.float64)) == 450
    assert gg.sum(x, dtype=BFLOAT16).dtype == BFLOAT16


def test_gradients_are_accumulated_in_single_precision(device):
    bias, weight = bf16(np.zeros(2), device).requires_grad_(), bf16(np.ones((3, 2)), device).requires_grad_()
    table = bf16(np.zeros((3, 2)), device).requires_grad_()
    rows = F.embedding(gg.asarray(np.zeros(4000, np.int64), device=device), table)
    gg.sum(gg.asarray(bf16(np.ones((4000, 3)), device)) @ weight + bias + rows).backward()
    np.testing.assert_array_equal(single(bias.grad), 4000)
    np.testing.assert_array_equal(single(weight.grad), 4000)
    np.testing.assert_array_equal(single(table.grad), [[4000, 4000], [0, 0], [0, 0]])


# Dtypes --------------------------------------------------------------------------------------------------------------

X = np.array([[0.5, -1.0, 2.0, 0.25], [1.5, 0.25, -0.75, 3.0]])

SAME = {
    "where": lambda x: gg.where(x > 0, x, x + x),
    "where, a float": lambda x: gg.where(x > 0, x, 0.1),
    "where, a float first": lambda x: gg.where(x > 0, math.nan, x),
    "where, an int": lambda x: gg.where(x > 0, x, 1),
    "where, broadcasting": lambda x: gg.where(x > 0, x[:, :1], x[0]),
    "where, a view": lambda x: gg.where((x > 0).T, x.T, -1.0),
    "clip": lambda x: gg.clip(x, -0.3, 0.7),
    "clip, arrays": lambda x: gg.clip(x, x[:1], 1.0),
    "maximum": lambda x: gg.maximum(x, x[:1]),
    "relu": lambda x: F.relu(x),
    "gelu": lambda x: F.gelu(x),
    "silu": lambda x: F.silu(x),
    "sigmoid": lambda x: F.sigmoid(x),
    "softmax": lambda x: F.softmax(x, 1),
    "log_softmax": lambda x: F.log_softmax(x, 1),
    "layer_norm": lambda x: F.layer_norm(x, 4),
    "rms_norm": lambda x: F.rms_norm(x, 4),
    "nn.RMSNorm": lambda x: nn.RMSNorm(4, device=x.device).to(BFLOAT16)(x),
    "dropout": lambda x: F.dropout(x, 0.5),
    "einsum": lambda x: gg.einsum("ij,kj->ik", x, x),
    "matmul, stacks": lambda x: x[None] @ gg.matrix_transpose(x)[None],
    "linear": lambda x: F.linear(x, x),
    "linear, stacks": lambda x: F.linear(x[None], x, x[0, :2]),
    "conv1d": lambda x: F.conv1d(x[None], x[None, :, :2]),
    "conv2d": lambda x: F.conv2d(x[None, None], x[None, None, :, :2], x[0, :1]),
    "max_pool2d": lambda x: F.max_pool2d(x[None, None], 2),
    "avg_pool2d": lambda x: F.avg_pool2d(x[None, None], 2),
    "attention": lambda x: F.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None]),
    "mse_loss": lambda x: F.mse_loss(x, x + x),
    "cumulative_prod": lambda x: gg.cumulative_prod(x, axis=1),
    "cumulative_sum": lambda x: gg.cumulative_sum(x, axis=1, include_initial=True),
}


@pytest.mark.parametrize("name", SAME)
def test_stays_bfloat16(name, device):
    function = SAME[name]
    gg.manual_seed(0)
    found = single(function(bf16(X, device)))
    gg.manual_seed(0)
    exact = function(gg.asarray(X.astype(np.float32)).to(device))
    np.testing.assert_allclose(found, exact.detach().cpu().numpy(), rtol=2**-6, atol=2**-6)
    x = bf16(X, device).requires_grad_()
    gg.sum(function(x)).backward()
    assert x.grad.dtype == BFLOAT16


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_stay_bfloat16(reduction, smoothing, device):
    logits, labels = bf16(np.linspace(-1, 1, 24).reshape(4, 6), device), gg.asarray([0, 1, 2, -100], device=device)
    weight = gg.asarray(np.linspace(0.5, 1, 6, dtype=np.float32).astype(BFLOAT16), device=device)
    soft = F.softmax(logits, 1)

    def losses(x, weight, soft):
        return [
            F.cross_entropy(x, labels, reduction=reduction, label_smoothing=smoothing),
            F.cross_entropy(x, labels, weight, reduction=reduction, label_smoothing=smoothing),
            F.cross_entropy(x, soft, reduction=reduction, label_smoothing=smoothing),
            F.nll_loss(x, labels, weight, reduction=reduction),
            F.nll_loss(x, labels, reduction=reduction),
        ]

    x = gg.asarray(logits).requires_grad_()
    for found, exact in zip(
        losses(x, weight, soft), losses(*(y.astype(gg.float32) for y in (logits, weight, soft))), strict=True
    ):
        np.testing.assert_allclose(single(found), exact.detach().cpu().numpy(), rtol=2**-5)
        x.grad = None
        gg.sum(found).backward()
        assert x.grad.dtype == BFLOAT16


def test_finfo_and_isdtype():
    info = gg.finfo(BFLOAT16)
    known = ml_dtypes.finfo(BFLOAT16)
    assert info == (16, known.eps, known.max, known.min, known.smallest_normal, BFLOAT16)
    assert all(type(x) is float for x in info[1:5])
    assert gg.finfo(bf16(X, "cpu")) == info
    assert gg.isdtype(BFLOAT16, "real floating") and gg.isdtype(BFLOAT16, "numeric")
    assert not gg.isdtype(BFLOAT16, "complex floating")


def test_python_numbers_widen_nothing():
    assert gg.result_type(BFLOAT16, 2.0) == gg.result_type(bf16(X, "cpu"), 1) == BFLOAT16
    assert gg.result_type(BFLOAT16, 2.0, gg.float32) == gg.float32


# A model -------------------------------------------------------------------------------------------------------------


def train(device):
    """What a few steps of training give: the dtype of all, and the losses and parameters."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 4))
    with gg.no_grad():
        for parameter in model.parameters():
            parameter[...] = gg.asarray(rng.normal(0.0, 0.4, parameter.shape).astype(np.float32))
    model.to(BFLOAT16).to(device)
    x, labels = bf16(rng.normal(size=(32, 6)), device), gg.asarray(rng.integers(0, 4, 32), device=device)
    optimizer = Adam(model.parameters(), lr=2**-7)
    seen = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        seen += [loss, *(p.grad for p in model.parameters())]
        optimizer.step()
    return [y.to("cpu") for y in (*seen, *model.parameters(), model(x))]


def test_a_model_trains_alike_on_both_devices(device):
    found = train(device)
    assert {y.dtype for y in found} == {BFLOAT16}
    assert single(found[0]) > single(found[4 * 7])
    for here, there in zip(found, train("cpu"), strict=True):
        np.testing.assert_allclose(single(here), single(there), rtol=2**-5, atol=2**-5)
