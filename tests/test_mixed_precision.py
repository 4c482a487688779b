"""gpugrad.mixed_precision: autocast, emulated on the CPU."""

import threading

import ml_dtypes
import numpy as np
import pytest

import gpugrad as gg
from gpugrad import mixed_precision, nn
from gpugrad.errors import DTypeError, OptionError
from gpugrad.families import REGISTRY
from gpugrad.nn import functional as F


def leaf(*shape, dtype="float32", device="cpu"):
    values = np.random.default_rng(sum(shape)).normal(size=shape)
    return gg.asarray(values.astype(dtype), device=device).requires_grad_()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_products_are_lowered_and_sums_are_not(dtype, device):
    x, w = leaf(4, 3, device=device), leaf(3, 5, device=device)
    with gg.autocast(device, dtype=dtype):
        y = x @ w
        found = {
            "matmul": y, "linear": F.linear(x, leaf(2, 3, device=device)), "einsum": gg.einsum("ij,jk->ik", x, w), "times": y * 2,
            "relu": F.relu(y), "exp": gg.exp(y), "softmax": F.softmax(y, 1), "sum": gg.sum(y), "norm": F.layer_norm(y, 5),
            "loss": F.cross_entropy(y, gg.asarray([0, 1, 2, 3], device=device)), "mixed": y + x[:, :1],
        }  # fmt: skip
    lower = {name for name, z in found.items() if z.dtype == dtype}
    assert lower >= {"matmul", "linear", "einsum", "relu"}
    assert {name for name, z in found.items() if z.dtype == "float32"} >= {"exp", "softmax", "sum", "norm", "loss", "mixed"}
    assert (x @ w).dtype == "float32"


def test_gradients_are_those_of_rounded_operands():
    x, w = leaf(4, 3), leaf(3, 5)
    with gg.autocast("cpu", dtype=gg.float16):
        loss = gg.sum((x @ w) ** 2)
    loss.backward()
    a, b = (t.detach().numpy().astype("float16").astype("float64") for t in (x, w))
    y = (a @ b).astype("float16").astype("float64")
    assert x.grad.dtype == w.grad.dtype == loss.dtype == "float32"
    np.testing.assert_allclose(x.grad.numpy(), (2 * y).astype("float16") @ b.T, rtol=4e-3, atol=4e-3)
    np.testing.assert_allclose(w.grad.numpy(), a.T @ (2 * y).astype("float16"), rtol=4e-3, atol=4e-3)


def test_double_precision_integers_and_plain_arrays_are_left_alone():
    with gg.autocast("cpu", dtype=gg.float16):
        assert (leaf(2, 2, dtype="float64") @ leaf(2, 2, dtype="float64")).dtype == gg.float64
        assert (gg.ones((2, 2), dtype=gg.int64) @ gg.ones((2, 2), dtype=gg.int64)).dtype == gg.int64
        assert gg.matmul(np.ones((2, 2), "float32"), np.ones((2, 2), "float32")).dtype == np.float32
        assert gg.sum(np.ones(3, "float16")).dtype == np.float16


def test_blocks_nest_and_threads_have_their_own():
    seen = []
    x = leaf(2, 2)
    with gg.autocast("cpu", dtype=gg.float16):
        with gg.autocast("cpu", dtype=ml_dtypes.bfloat16):
            assert (x @ x).dtype == "bfloat16"
        with gg.autocast("cpu", enabled=False):
            assert (x @ x).dtype == "float32" and not mixed_precision.is_autocast_enabled("cpu")
            with gg.autocast("cpu"):
                assert (x @ x).dtype == "float16"
        assert (x @ x).dtype == "float16" and mixed_precision.is_autocast_enabled("cpu")
        thread = threading.Thread(target=lambda: seen.append((x @ x).dtype))
        thread.start()
        thread.join()
    assert seen == [gg.float32] and (x @ x).dtype == "float32"


def test_it_ends_when_a_block_raises():
    x = leaf(2, 2)
    with pytest.raises(ZeroDivisionError), gg.autocast("cpu"):
        1 / 0
    assert (x @ x).dtype == "float32"


def test_a_decorator_casts_in_every_call():
    @gg.autocast("cpu", dtype=gg.float16)
    def product(x, depth=2):
        return product(x, depth - 1) if depth else x @ x

    assert product(leaf(2, 2)).dtype == "float16" and (leaf(2, 2) @ leaf(2, 2)).dtype == "float32"


def test_without_a_gpu_cuda_stands_for_the_cpu():
    with gg.autocast("cuda", dtype=gg.float16):
        expected = gg.float32 if gg.cuda.is_available() else gg.float16
        assert (leaf(2, 2) @ leaf(2, 2)).dtype == expected


def test_the_backward_pass_computes_in_the_dtypes_of_the_forward_pass():
    """Also where it runs inside: the gradient of a float32 product is not lowered."""
    x, w = leaf(8, 8), leaf(8, 8)
    y = gg.sum(x @ w)
    with gg.autocast("cpu", dtype=gg.float16):
        (inside,) = gg.gradients(y, [x], retain_graph=True)
    (outside,) = gg.gradients(y, [x])
    assert np.array_equal(inside.numpy(), outside.numpy())


def test_a_checkpoint_computes_again_what_it_computed():
    model = nn.Sequential(nn.Linear(6, 6), nn.GELU(), nn.Linear(6, 6))
    x = leaf(4, 6)
    found = []
    for function in (model, gg.checkpoint(model)):
        with gg.autocast("cpu", dtype=gg.float16):
            loss = gg.sum(function(x) ** 2)
        found.append([g.numpy() for g in gg.gradients(loss, [x, *model.parameters()])])
    assert all(np.array_equal(x, y) for x, y in zip(*found, strict=True))


def test_a_fused_function_is_one_op_that_is_left_alone():
    fused = gg.fuse(lambda x: gg.exp(x) * 2)
    half = leaf(64, 64, dtype="float16")
    with gg.autocast("cpu", dtype=gg.float16):
        assert fused(half).dtype == "float16" and F.gelu(half).dtype == "float16" and gg.exp(half).dtype == "float32"


def test_training_in_16_bits_comes_close():
    """The losses of a small network, with and without."""
    losses = {}
    for enabled in (False, True):
        gg.manual_seed(0)
        rng = np.random.default_rng(0)
        x, labels = gg.asarray(rng.normal(size=(64, 10)).astype("float32")), gg.asarray(rng.integers(0, 3, 64))
        model = nn.Sequential(nn.Linear(10, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 3))
        optimizer = gg.optim.Adam(model.parameters(), lr=0.01)
        found = []
        for _ in range(20):
            with gg.autocast("cpu", dtype="bfloat16", enabled=enabled):
                loss = F.cross_entropy(model(x), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        losses[enabled] = found
    assert losses[True] != losses[False] and losses[True][-1] < 0.8 * losses[True][0]
    np.testing.assert_allclose(losses[True], losses[False], atol=0.02)


def test_what_it_cannot_do_is_refused():
    with pytest.raises(OptionError, match="autocast: device_type is 'tpu', expected 'cuda' or 'cpu'"):
        gg.autocast("tpu")
    with pytest.raises(DTypeError, match="autocast: dtype is float32, expected float16 or bfloat16"):
        gg.autocast("cpu", dtype=gg.float32)


def test_every_name_of_the_table_is_an_op():
    assert not (mixed_precision.LOWER | mixed_precision.FLOAT32) - set(REGISTRY)
    assert not mixed_precision.LOWER & mixed_precision.FLOAT32
