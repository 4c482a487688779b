"""gpugrad.nn.functional: cross_entropy, nll_loss, mse_loss; numbers computed once with PyTorch 2.13 in float64.

Values and derivatives on every backend are in gpugrad/check/records/functional.py.
"""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, IndexingError, ShapeError
from gpugrad.nn import functional as F
from gpugrad.nn.functional.loss import _cross_entropy as loss_op
from gpugrad.nn.functional.loss import _cross_entropy_gradient as gradient_op
from gpugrad.testing import assert_close, check_grads

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [-2.0, 0.0, 1.0], [0.1, 0.2, 0.3]])
LABELS = np.array([2, 0, -100, 1])
WEIGHT = np.array([0.2, 1.0, 3.0])

# (options, loss, gradient of its sum), as PyTorch computes them.
FROM_PYTORCH = [
    (
        {},
        0.5579755847645417,
        [
            [0.05843013071334556, 0.013037524423562482, -0.07146765513690803],
            [-0.09385321961631168, 0.06861220133255051, 0.02524101828376117],
            [0.0, 0.0, 0.0],
            [0.10020320178524245, -0.22259166882221754, 0.12238846703697516],
        ],
    ),
    (
        {"label_smoothing": 0.1},
        0.6468644736534306,
        [
            [0.04731901960223445, 0.0019264133124513708, -0.04924543291468584],
            [-0.07163099739408944, 0.05750109022143941, 0.014129907172650063],
            [0.0, 0.0, 0.0],
            [0.08909209067413135, -0.20036944659999534, 0.11127735592586406],
        ],
    ),
    (
        {"weight": WEIGHT, "label_smoothing": 0.1},
        0.5486888602400917,
        [
            [0.11694239214548512, 0.018511041608433098, -0.13545343375391825],
            [0.010293867262303363, 0.007746280939503612, -0.01804014820180697],
            [0.0, 0.0, 0.0],
            [0.07284936259602137, -0.1399569857282505, 0.06710762313222916],
        ],
    ),
    (
        {"weight": WEIGHT, "reduction": "none"},
        [0.7239338899714711, 0.06613452188144482, 0.0, 1.101942848229244],
        [
            [0.52587117642011, 0.11733771981206234, -0.6432088962321724],
            [-0.05631193176978702, 0.04116732079953031, 0.015144610970256704],
            [0.0, 0.0, 0.0],
            [0.30060960535572734, -0.6677750064666527, 0.3671654011109255],
        ],
    ),
]


@pytest.mark.parametrize(("options", "value", "gradient"), FROM_PYTORCH)
def test_cross_entropy_equals_pytorch(options, value, gradient):
    x = gg.tensor(X, requires_grad=True)
    loss = F.cross_entropy(x, LABELS, **options)
    assert_close(loss.detach(), np.array(value), rtol=1e-12)
    loss.sum().backward()
    assert_close(x.grad, np.array(gradient), rtol=1e-12, atol=1e-15)


def test_cross_entropy_of_probabilities_equals_pytorch():
    flipped = X[::-1]
    target = np.exp(flipped) / np.exp(flipped).sum(axis=1, keepdims=True)
    x = gg.tensor(X, requires_grad=True)
    loss = F.cross_entropy(x, target, WEIGHT, label_smoothing=0.2)
    loss.backward()
    assert abs(loss.item() - 2.473083402007518) < 1e-12
    assert_close(x.grad[0], np.array([0.04928387909002395, -0.06868817556334128, 0.019404296473317355]), rtol=1e-12)


def test_nll_loss_equals_pytorch():
    x = gg.tensor(X, requires_grad=True)
    loss = F.nll_loss(x, LABELS, WEIGHT)
    loss.backward()
    assert abs(loss.item() - -1.5476190476190474) < 1e-12
    assert_close(x.grad[:2], np.array([[0, 0, -0.7142857142857142], [-0.047619047619047616, 0, 0]]), rtol=1e-12)


def test_third_order_and_the_gradient_of_weights():
    check_grads(lambda x: F.cross_entropy(x, LABELS, label_smoothing=0.1), X, order=3)
    check_grads(lambda x, w: F.cross_entropy(x, LABELS, w, label_smoothing=0.1), X, WEIGHT, order=2)


def test_hessian_vector_product_equals_the_fisher_matrix():
    """The Hessian of the cross-entropy of one row is diag(p) - p p^T, whatever the label."""
    p = np.exp(X[0]) / np.exp(X[0]).sum()
    direction = np.array([1.0, 2.0, -1.0])
    (found,) = gg.hvp(lambda x: F.cross_entropy(x, np.array(1)), (X[0],), (direction,))
    assert_close(found, p * direction - p * (p @ direction))


def test_large_logits_do_not_overflow_and_masked_ones_do_no_harm():
    x = gg.tensor(np.array([[1000.0, 0.0, -np.inf]]), requires_grad=True)
    with np.errstate(over="raise", invalid="raise"):
        loss = F.cross_entropy(x, np.array([1]))
    loss.backward()
    assert loss.item() == 1000.0
    assert x.grad.tolist() == [[1.0, -1.0, 0.0]]


def test_float32_stays_float32_for_labels_of_any_integer_dtype():
    for dtype in ("uint8", "int8", "int16", "int32", "uint32", "int64"):
        x = gg.tensor(X.astype(np.float32), requires_grad=True)
        loss = F.cross_entropy(x, np.array([2, 0, 1, 1], dtype))
        loss.backward()
        assert loss.dtype == x.grad.dtype == gg.float32
        assert_close(loss.detach(), F.cross_entropy(X, np.array([2, 0, 1, 1])).astype(np.float32))


def test_an_ignored_class():
    assert_close(F.cross_entropy(X, np.array([2, 0, 1, 1]), ignore_index=1), F.cross_entropy(X[:2], np.array([2, 0])))


def test_every_label_ignored_gives_nan_and_no_gradient():
    x = gg.tensor(X, requires_grad=True)
    with np.errstate(invalid="ignore"):
        loss = F.cross_entropy(x, np.full(4, -100))
    loss.backward()
    assert np.isnan(loss.item())
    assert not x.grad.numpy().any()
    assert F.cross_entropy(X, np.full(4, -100), reduction="sum") == 0


@pytest.mark.parametrize("function", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize("label", [3, -1, 1000])
def test_labels_out_of_range(function, label):
    name = function.__name__
    with pytest.raises(
        IndexingError, match=rf"^{name}: label {label} is out of range for 3 classes, expected 0 to 2 \(or ignore_index=-100\)$"
    ):
        function(X, np.array([0, -100, label, 1]))


@pytest.mark.parametrize("rows", [1, 40, 400], ids=["python", "numpy", "kernel"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"weight": np.ones(3)}, {"ignore_index": 1}], ids=str)
def test_labels_out_of_range_in_every_kernel(rows, reduction, options):
    x = gg.tensor(np.tile(X, (rows, 1)), requires_grad=True)
    for bad in (3, -1, -5, 2**40, -(2**40)):
        labels = np.tile([0, 1, 2, 1], rows)
        labels[-2] = bad
        with pytest.raises(IndexingError, match=rf"^cross_entropy: label {bad} is out of range for 3 classes"):
            F.cross_entropy(x, labels, reduction=reduction, **options)
        with gg.debug(), pytest.raises(IndexingError, match=rf"^cross_entropy: label {bad} is out of range for 3 classes"):
            F.cross_entropy(x, labels, reduction=reduction, **options)


def test_labels_out_of_range_on_a_pretend_device():
    strict = pytest.importorskip("array_api_strict")
    device = strict.Device("device1")
    with pytest.raises(IndexingError, match="cross_entropy: label 7 is out of range for 3 classes"):
        F.cross_entropy(strict.asarray(X, device=device), strict.asarray([0, 7, -1, 1], device=device))
    with pytest.raises(IndexingError, match="cross_entropy: label -8 is out of range for 3 classes"):
        F.cross_entropy(strict.asarray(X, device=device), strict.asarray([0, 1, -8, 1], device=device))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_without_classes_no_label_is_one(reduction):
    with pytest.raises(IndexingError, match="cross_entropy: label 0 is out of range for 0 classes"):
        F.cross_entropy(np.zeros((2, 0)), np.zeros(2, int), reduction=reduction)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_an_empty_batch_has_a_sum_of_zero(dtype):
    x, labels = np.empty((0, 3), dtype), np.empty(0, int)
    assert F.cross_entropy(x, labels, reduction="sum") == 0
    assert F.cross_entropy(x, labels, reduction="none").shape == (0,)


@pytest.mark.parametrize("function", [F.cross_entropy, F.nll_loss])
def test_an_empty_batch_has_no_mean(function):
    text = rf"^{function.__name__}: the batch of shape \(0, 3\) is empty and has no mean loss; skip empty batches, or use reduction='sum'$"
    with pytest.raises(ShapeError, match=text):
        function(np.empty((0, 3)), np.empty(0, int))
    assert function(np.empty((0, 3)), np.empty(0, int), reduction="sum") == 0
    with pytest.raises(ShapeError, match="is empty and has no mean"):
        F.cross_entropy(np.empty((0, 3)), np.empty((0, 3)))


@pytest.mark.parametrize(
    ("x", "target", "options", "error", "text"),
    [
        (
            X,
            np.zeros(3, int),
            {},
            ShapeError,
            "cross_entropy: got input (4, 3) and target (3,), expected class labels of shape (4,)",
        ),
        (X, np.zeros((4, 1), int), {}, ShapeError, "got input (4, 3) and target (4, 1), expected class labels of shape (4,)"),
        (
            X[..., None],
            np.zeros(4, int),
            {},
            ShapeError,
            "got input (4, 3, 1) and target (4,), expected class labels of shape (4, 1)",
        ),
        (
            np.float64(1),
            np.zeros(4, int),
            {},
            ShapeError,
            "cross_entropy: got input of shape (), expected (C,), (N, C) or (N, C, d1, ...)",
        ),
        (
            X,
            np.zeros(4),
            {},
            DTypeError,
            "got class labels of dtype float64, expected integers; convert them with .astype(gg.int64)",
        ),
        (X, np.zeros(4, bool), {}, DTypeError, "got class labels of dtype bool, expected integers"),
        (X, [0, 1, 2, 0], {}, DTypeError, "cross_entropy: the target is list, expected a Tensor or an array of class labels"),
        (X, LABELS, {"weight": np.ones(4)}, ShapeError, "got weight (4,), expected (3,), one per class of input (4, 3)"),
        (X, LABELS, {"reduction": "avg"}, ValueError, "cross_entropy: reduction is 'avg', expected 'mean', 'sum' or 'none'"),
        (X, LABELS, {"label_smoothing": 1.5}, ValueError, "cross_entropy: label_smoothing is 1.5, expected 0 to 1"),
        (np.ones((2, 3), int), np.zeros(2, int), {}, DTypeError, "got dtype int64, expected real floating-point"),
    ],
)
def test_operands_that_do_not_fit(x, target, options, error, text):
    with pytest.raises(error, match=re.escape(text)):
        F.cross_entropy(x, target, **options)


def test_mse_loss():
    x, y = np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.0, 1.0])
    assert F.mse_loss(x, y) == pytest.approx(13 / 3)
    assert F.mse_loss(x, y, reduction="sum") == 13
    assert F.mse_loss(x, y, reduction="none").tolist() == [0, 4, 9]
    t = gg.tensor(x, requires_grad=True)
    F.mse_loss(t, y).backward()
    assert_close(t.grad, 2 * (x - y) / 3)


def test_mse_loss_of_integers():
    x, y = np.array([1, 2, 4], np.int16), np.array([1, 0, 1], np.int16)
    assert F.mse_loss(x, y) == pytest.approx(13 / 3)
    assert F.mse_loss(x, y, reduction="sum") == 13


def test_mse_loss_does_not_broadcast():
    text = "mse_loss: got input (3, 1) and target (3,), expected equal shapes; reshape or broadcast one first"
    with pytest.raises(ShapeError, match=re.escape(text)):
        F.mse_loss(np.ones((3, 1)), np.ones(3))
    with pytest.raises(ShapeError, match=r"mse_loss: the input of shape \(0,\) is empty and has no mean"):
        F.mse_loss(np.ones(0), np.ones(0))
    with pytest.raises(ValueError, match="mse_loss: reduction is 'max'"):
        F.mse_loss(np.ones(1), np.ones(1), reduction="max")


# Half precision: 70,000 is beyond float16, in counts as in sums of losses.


@pytest.mark.parametrize("options", [{}, {"weight": np.ones(2, np.float16)}, {"label_smoothing": 0.1}], ids=str)
def test_cross_entropy_of_many_rows_in_half_precision(backend, options):
    if not hasattr(backend.asarray(np.zeros(1, np.float32)), "strides"):
        pytest.skip("this array library has no float16")
    options = {name: backend.asarray(x) if isinstance(x, np.ndarray) else x for name, x in options.items()}
    x = gg.tensor(backend.asarray(np.zeros((70_000, 2), np.float16)), requires_grad=True)
    labels = backend.asarray(np.arange(70_000) % 2)
    loss = F.cross_entropy(x, labels, **options)
    loss.backward()
    assert loss.dtype == x.grad.dtype == gg.float16
    assert loss.item() == np.float16(np.log(2))
    signs = np.where(np.arange(2) == (np.arange(70_000) % 2)[:, None], -1, 1)
    expected = signs * (0.5 - options.get("label_smoothing", 0) / 2) / 70_000
    np.testing.assert_allclose(backend.to_numpy(x.grad.array), expected, atol=2**-24)  # the least number of float16


def test_other_losses_of_many_rows_in_half_precision():
    logp = np.full((70_000, 2), -1.0, np.float16)
    labels = np.zeros(70_000, int)
    x = np.ones(70_000, np.float16)
    for loss in (
        F.nll_loss(logp, labels),
        F.nll_loss(logp, labels, np.ones(2, np.float16)),
        F.mse_loss(x, 0 * x),
        -F.cross_entropy(0 * logp, logp),  # -1 for both probabilities
    ):
        assert loss.dtype == np.float16
    assert F.nll_loss(logp, labels) == F.nll_loss(logp, labels, np.ones(2, np.float16)) == F.mse_loss(x, 0 * x) == 1
    assert -F.cross_entropy(0 * logp, logp) == np.float16(2 * np.log(2))
    t = gg.tensor(x, requires_grad=True)
    F.mse_loss(t, 0 * x).backward()
    np.testing.assert_allclose(t.grad.numpy(), 2 / 70_000, atol=2**-24)


@pytest.mark.parametrize("options", [{}, {"reduction": "sum"}, {"label_smoothing": 0.1}, {"reduction": "none"}], ids=str)
def test_the_definition_in_half_precision(options):
    """As the NumPy kernels are held to it for other dtypes in gpugrad/check/records."""
    options = {"ignore_index": 1, "reduction": "mean", "label_smoothing": 0.0, **options}
    x, labels = np.zeros((70_000, 2), np.float16), np.zeros(70_000, int)
    labels[0] = 1
    g = np.ones(70_000 if options["reduction"] == "none" else (), np.float16)
    definition = loss_op.definition(x, labels, **options)
    found = loss_op.kernels[np.ndarray](x, labels, **options)
    assert found.dtype == definition.dtype == np.float16 and np.isfinite(definition).all()
    np.testing.assert_allclose(found, definition, rtol=2**-10)
    gradient = gradient_op.definition(g, x, labels, **options)
    assert gradient.dtype == np.float16
    np.testing.assert_allclose(gradient_op.kernels[np.ndarray](g, x, labels, **options), gradient, atol=2**-23)
