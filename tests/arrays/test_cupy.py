"""gpugrad on CuPy: transfers, several GPUs, optimizers, and no hidden waiting for the GPU.

Runs where there is a GPU, and with GPUGRAD_TEST_STANDIN=1 on the stand-in for CuPy, which has two pretend GPUs and counts what
is read back.
"""

import copy
import pickle

import numpy as np
import pytest
from own_ops import own_op

import gpugrad as gg
from gpugrad.arrays.devices import device_of, import_cupy, several_gpus
from gpugrad.errors import ConversionError, DeviceError, DTypeError
from gpugrad.optim import SGD, Adam
from gpugrad.testing import assert_close

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
STANDIN = hasattr(cupy, "standin")
TWO_GPUS = pytest.mark.skipif(gg.cuda.device_count() < 2, reason="needs two GPUs")
COUNTED = pytest.mark.skipif(not STANDIN, reason="only the stand-in counts")

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])


@pytest.fixture(autouse=True)
def current_device_is_kept():
    """Whatever is computed, CuPy's current device is the same afterwards."""
    before = cupy.cuda.Device().id
    yield
    assert cupy.cuda.Device().id == before


def leaf(values, device="cuda", dtype=np.float64):
    return gg.tensor(np.asarray(values, dtype=dtype), device=device, requires_grad=True)


def is_on(x, device):
    array = x.array if isinstance(x, gg.Tensor) else x
    return isinstance(array, cupy.ndarray) and device_of(array) == device


# Transfers ----------------------------------------------------------------------------------------------------------


def test_there_is_a_gpu():
    assert gg.cuda.device_count() >= 1 and gg.cuda.current_device() == 0
    assert isinstance(gg.cuda.get_device_name(), str)
    gg.cuda.synchronize()


@pytest.mark.parametrize(
    "make",
    [
        lambda: gg.zeros((2, 3), device="cuda"),
        lambda: gg.asarray(X, device="cuda"),
        lambda: gg.tensor(X.tolist(), device="cuda:0"),
        lambda: gg.asarray(X).to("cuda"),
        lambda: gg.asarray(X).to("cuda:0", gg.float32),
        lambda: gg.asarray(X).cuda(),
        lambda: gg.asarray(X).cuda(0),
        lambda: gg.to_device(gg.asarray(X), "cuda"),
        lambda: gg.asarray(cupy.asarray(X)),
        lambda: gg.random.normal((2, 3), device="cuda"),
        lambda: gg.arange(6, device="cuda"),
        lambda: gg.eye(3, device="cuda"),
    ],
)
def test_making_on_the_gpu(make):
    x = make()
    assert is_on(x, "cuda:0") and x.device == gg.device("cuda:0") and str(x.device) == "cuda:0"
    assert is_on(gg.ones_like(x), "cuda:0") and is_on(x + 1, "cuda:0")


def test_arrays_in_arrays_out():
    x = cupy.asarray(X)
    assert isinstance(gg.sin(x), cupy.ndarray) and isinstance(gg.add(x, 1.0), cupy.ndarray)
    g = gg.grad(lambda x: gg.sum(x * x))(x)
    assert isinstance(g, cupy.ndarray)
    assert_close(g, 2 * X)


def test_moving_there_and_back():
    x = gg.asarray(X)
    there = x.cuda()
    assert there.cuda() is there and there.to("cuda:0") is there and x.cpu() is x
    back = there.cpu()
    assert type(back.array) is np.ndarray and back.device == "cpu"
    assert_close(back, X, rtol=0, atol=0)


def test_gradients_travel_back():
    x, y = gg.tensor(X, requires_grad=True), leaf(X)
    out = x.cuda() * y
    gg.sum(out.cpu() * X).backward()
    assert type(x.grad.array) is np.ndarray and is_on(y.grad, "cuda:0")
    assert_close((x.grad, y.grad), (X * X, X * X))


def test_gradients_of_the_second_order_travel_back():
    x = gg.tensor(X, requires_grad=True)
    (g,) = gg.gradients(gg.sum(x.cuda() ** 3), [x], create_graph=True)
    (h,) = gg.gradients(gg.sum(g), [x])
    assert type(h.array) is np.ndarray
    assert_close(h, 6 * X)


def test_a_block_creates_on_the_gpu():
    with gg.device("cuda"):
        assert is_on(gg.zeros(3), "cuda:0") and is_on(gg.asarray([1.0, 2.0]), "cuda:0")
        assert gg.asarray(X).device == "cpu"  # an array stays where it is
    assert gg.zeros(3).device == "cpu"


def test_repr_names_the_device():
    assert repr(gg.ones(2, device="cuda")) == "Tensor([1., 1.], dtype=float32, device='cuda:0')"


def test_values_come_back_when_asked():
    x = gg.asarray(np.array([1.5, 2.5]), device="cuda")
    assert x.tolist() == [1.5, 2.5] and gg.sum(x).item() == 4.0 and float(x[0]) == 1.5 and bool(x[0] > 1)


def test_nothing_comes_back_unasked():
    x = gg.ones(3, device="cuda")
    with pytest.raises(
        ConversionError, match=r"numpy\(\), asked for at .*test_cupy.py.*this tensor is on cuda:0; use .cpu\(\).numpy\(\)"
    ):
        x.numpy()
    with pytest.raises(ConversionError, match="conversion to NumPy, asked for at .*test_cupy.py"):
        np.asarray(x)


def test_pickle_and_deepcopy():
    x = leaf(X)
    gg.sum(x * x).backward()
    for y in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x)):
        assert is_on(y, "cuda:0") and y.requires_grad and y.array is not x.array
        assert_close(y.detach(), X)
    assert_close(copy.deepcopy(x).grad, 2 * X)


def test_mixing_the_cpu_and_a_gpu_names_both():
    x, y = gg.asarray(X, device="cuda"), gg.asarray(X)
    for mix in (
        lambda: x + y,
        lambda: y @ gg.matrix_transpose(x),
        lambda: gg.concat([x, y]),
        lambda: x + X,
        lambda: gg.where(x > 0, y, x),
        lambda: gg.fuse(lambda x, y: gg.tanh(x) * y)(x, y),
        lambda: gg.nn.functional.mse_loss(x, y),
        lambda: gg.nn.functional.cross_entropy(y, gg.zeros(2, dtype=gg.int64, device="cuda")),
    ):
        with pytest.raises(DeviceError, match=r"operands are on .* and .*; move them to one device") as error:
            mix()
        assert "cpu" in str(error.value) and "cuda" in str(error.value)


def test_a_gradient_from_the_cpu_is_refused():
    x = leaf(X)
    with pytest.raises(DeviceError, match="the gradient is on cpu and the output on cuda:0"):
        (x * 2).backward(X)


def test_an_absent_gpu():
    count = gg.cuda.device_count()
    with pytest.raises(DeviceError, match=rf"device 'cuda:99': this machine has {count} GPU\(s\), numbered 0 to {count - 1}"):
        gg.zeros(2, device="cuda:99")


@COUNTED
def test_a_machine_without_a_gpu():
    try:
        cupy.standin.set_device_count(0)
        assert not gg.cuda.is_available() and str(gg.device("cpu")) == "cpu"
        with pytest.raises(DeviceError, match="is installed, but the NVIDIA driver reports no GPU"):
            gg.zeros(2, device="cuda")
    finally:
        cupy.standin.set_device_count(2)


# The engine ---------------------------------------------------------------------------------------------------------


def test_gradients_share_no_memory_and_can_be_written_to():
    x, y = leaf(X), leaf(X)
    (x + y).backward(cupy.ones(X.shape))
    x.grad.array[...] = 7.0
    assert_close(y.grad, np.ones_like(X))
    x.grad = None
    gg.sum(x).backward()
    x.grad.array[0, 0] = 5.0
    assert x.grad.tolist() == [[5.0, 1.0, 1.0], [1.0, 1.0, 1.0]]


def test_assignment_is_copy_on_write():
    array = cupy.asarray(X)
    x = gg.asarray(array)
    x[0] = 9.0
    assert_close(array, X)
    assert x.tolist()[0] == [9.0, 9.0, 9.0]
    y = gg.zeros(4, device="cuda")
    identity = id(y.array)
    y[1] = 2.0
    assert id(y.array) == identity and y.tolist() == [0.0, 2.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "key", [np.array([0, 0, 1]), (np.array([1, 1]), np.array([2, 2])), (slice(None), np.array([0, 0]))], ids=str
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_scatter_add_adds_repeated_indices(key, dtype):
    values = (X * (1 + 2j) if np.dtype(dtype).kind == "c" else X).astype(dtype)
    where = (
        tuple(cupy.asarray(k) if isinstance(k, np.ndarray) else k for k in key) if isinstance(key, tuple) else cupy.asarray(key)
    )
    z = leaf(values, dtype=dtype)
    picked = z[where]
    gg.sum(gg.real(picked * gg.conj(picked)) if np.dtype(dtype).kind == "c" else picked * picked).backward()
    expected = np.zeros_like(values)
    np.add.at(expected, key, 2 * values[key])
    assert z.grad.dtype == dtype and is_on(z.grad, "cuda:0")
    assert_close(z.grad, expected)


def test_infinity_stays_in_its_part_of_a_complex_sum():
    weights = gg.asarray(cupy.asarray(np.array([complex(1, np.inf), 2 - 1j])))
    z = leaf(np.array([1j, 2.0]), dtype=np.complex128)
    gg.backward(z[cupy.asarray([0, 0])], weights)
    assert z.grad.tolist() == [complex(3, np.inf), 0j]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int64", "complex64", "complex128"])
def test_sign(dtype):
    values = {"f": [-2.5, -0.0, 0.0, 1e-7, np.inf, np.nan], "i": [-3, 0, 7], "u": [0, 7], "c": [3 + 4j, 0, -2, 1j, np.nan]}
    x = np.array(values[np.dtype(dtype).kind], dtype)
    found = gg.sign(cupy.asarray(x))
    assert found.dtype == dtype
    np.testing.assert_allclose(found.get(), np.sign(x), rtol=1e-6)


def test_sign_of_booleans_is_refused():
    with pytest.raises(DTypeError, match=r"sign: got bool \(1,\): booleans have no sign, expected numbers"):
        gg.sign(cupy.asarray([True]))


@COUNTED
@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_absolute_values_never_wait_for_the_gpu(dtype):
    def step():
        x = leaf(X, dtype=dtype)
        (g,) = gg.gradients(gg.sum(gg.abs(x)), [x], create_graph=True)
        gg.sum(gg.real(g * gg.conj(x))).backward()

    step()
    with cupy.standin.counting() as seen:
        step()
    assert (seen.reads, seen.waits) == ([], 0)


def test_custom_rules_see_cupy_arrays():
    seen = []

    @gg.custom_vjp
    def sine(x):
        return cupy.sin(x)

    sine.defvjp(lambda x: (cupy.sin(x), x), lambda x, g: seen.append((type(x), type(g))) or (g * cupy.cos(x),))
    x = leaf(X)
    gg.sum(sine(x)).backward()
    assert seen == [(cupy.ndarray, cupy.ndarray)]
    assert_close(x.grad, np.cos(X))


def test_checkpoint_draws_the_same_again():
    gg.manual_seed(0)
    x = leaf(X)
    masks = []

    @gg.checkpoint
    def dropout(x):
        masks.append(gg.random.bernoulli(X.shape, 0.5, device="cuda"))
        return gg.where(masks[-1], x * x, 0.0)

    gg.sum(dropout(x)).backward()
    assert masks[0].tolist() == masks[1].tolist()
    assert_close(x.grad, np.where(masks[0].tolist(), 2 * X, 0))


def test_debug_mode():
    x = leaf([0.0, 1.0])
    with gg.debug(), pytest.raises(gg.AnomalyError, match=r"log: the first nan or inf.*test_cupy.py"):
        gg.log(x)


# Optimizers ---------------------------------------------------------------------------------------------------------


COMMON = {"decay": 1.0, "weight_decay": 0.0, "maximize": False, "master": False}


@pytest.mark.parametrize(
    "options",
    [
        {}, {"weight_decay": 0.1}, {"momentum": 0.9, "dampening": 0.5}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"maximize": True, "weight_decay": 0.1}, {"maximize": True, "momentum": 0.9, "nesterov": True},
    ],
)  # fmt: skip
def test_the_sgd_kernel_equals_its_definition(options):
    rng = np.random.default_rng(0)
    p, g, buffer = rng.normal(size=(3, 40))
    numbers = {**COMMON, "lr": 0.1, "momentum": 0.0, "dampening": 0.0, "nesterov": False, **options}
    state = [buffer] if numbers["momentum"] else []
    arrays = [cupy.asarray(x) for x in (p, g, *state)]
    SGD.kernels[cupy.ndarray](*arrays, **numbers)
    for x, y in zip([arrays[0], *arrays[2:]], SGD.kernels.definition(p, g, *state, **numbers), strict=True):
        np.testing.assert_allclose(x.get(), y, rtol=1e-13)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1},
        {"decay": 0.9},
        {"beta1": 0.0, "correction2_sqrt": 0.1},
        {"maximize": True, "weight_decay": 0.1},
    ],
)
def test_the_adam_kernel_equals_its_definition(options, amsgrad):
    rng = np.random.default_rng(0)
    p, g, m = rng.normal(size=(3, 40))
    v = rng.uniform(0.1, 1, size=40)
    numbers = {**COMMON, "step_size": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "correction2_sqrt": 0.5, **options}
    state = [m, v, *([rng.uniform(0.1, 1, size=40)] if amsgrad else [])]
    arrays = [cupy.asarray(x) for x in (p, g, *state)]
    Adam.kernels[cupy.ndarray](*arrays, **numbers)
    for x, y in zip([arrays[0], *arrays[2:]], Adam.kernels.definition(p, g, *state, **numbers), strict=True):
        np.testing.assert_allclose(x.get(), y, rtol=1e-12)


def test_the_amsgrad_kernel_keeps_nan():
    numbers = {**COMMON, "step_size": 0.1, "beta1": 0.9, "beta2": 0.0, "eps": 1e-8, "correction2_sqrt": 0.5}
    state = [np.zeros(2), np.zeros(2), np.array([np.nan, 0.0])]
    arrays = [cupy.asarray(x) for x in (np.ones(2), np.array([1.0, np.nan]), *state)]
    Adam.kernels[cupy.ndarray](*arrays, **numbers)
    assert cupy.isnan(arrays[0]).all() and cupy.isnan(arrays[-1]).all()


def mlp_step(parameters, x, targets, optimizer):
    """One training step of a small network, written in ops."""
    w1, b1, w2, b2 = parameters
    hidden = gg.maximum(x @ w1.T + b1, 0.0)
    logits = hidden @ w2.T + b2
    shifted = logits - gg.stop_gradient(gg.max(logits, axis=1, keepdims=True))
    log_probabilities = shifted - gg.log(gg.sum(gg.exp(shifted), axis=1, keepdims=True))
    loss = -gg.mean(gg.take_along_axis(log_probabilities, targets[:, None], axis=1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def mlp(device, make):
    rng = np.random.default_rng(0)
    parameters = [leaf(rng.normal(size=shape) * 0.3, device) for shape in ((8, 5), (8,), (3, 8), (3,))]
    x = gg.asarray(rng.normal(size=(16, 5)), device=device)
    targets = gg.asarray(rng.integers(0, 3, size=16), device=device)
    return parameters, x, targets, make(parameters)


OPTIMIZERS = {
    "SGD": lambda ps: SGD(ps, lr=0.1),
    "momentum": lambda ps: SGD(ps, lr=0.1, momentum=0.9, weight_decay=0.01),
    "Adam": lambda ps: Adam(ps, lr=0.01, weight_decay=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_equals_that_on_the_cpu(name):
    losses = {}
    for device in ("cpu", "cuda"):
        setup = mlp(device, OPTIMIZERS[name])
        losses[device] = [mlp_step(*setup).item() for _ in range(10)]
        assert all(is_on(p, "cuda:0") or device == "cpu" for p in setup[0])
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=1e-10)
    assert losses["cpu"][-1] < losses["cpu"][0]


@COUNTED
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_step_never_waits_for_the_gpu(name):
    setup = mlp("cuda", OPTIMIZERS[name])
    mlp_step(*setup)  # the first step makes the buffers
    with cupy.standin.counting() as seen:
        for _ in range(3):
            mlp_step(*setup)
    assert (seen.host_reads, seen.reads, seen.waits, seen.uploads) == (0, [], 0, 0)


@COUNTED
def test_one_kernel_updates_all_parameters():
    setup = mlp("cuda", OPTIMIZERS["Adam"])
    mlp_step(*setup)
    for p in setup[0]:
        p.grad = gg.ones_like(p.detach())  # contiguous: a gradient of another layout is a copy first
    with cupy.standin.counting() as seen:
        setup[3].step()
    assert seen.kernel_launches == 1


def test_parameters_may_move_to_the_gpu_mid_way():
    parameters, x, targets, optimizer = mlp("cpu", OPTIMIZERS["Adam"])
    expected = mlp("cpu", OPTIMIZERS["Adam"])
    for _ in range(3):
        mlp_step(parameters, x, targets, optimizer)
    optimizer.zero_grad()
    for p in parameters:
        p.array = cupy.asarray(p.array)
    losses = [mlp_step(parameters, x.cuda(), targets.cuda(), optimizer).item() for _ in range(3)]
    np.testing.assert_allclose(losses, [mlp_step(*expected).item() for _ in range(6)][3:], rtol=1e-10)
    state = optimizer.state_dict()["state"][0]
    assert state["step"] == 6 and is_on(state["exp_avg"], "cuda:0")


def test_a_state_from_the_cpu_is_loaded_to_the_gpu():
    there, here = mlp("cuda", OPTIMIZERS["Adam"]), mlp("cpu", OPTIMIZERS["Adam"])
    mlp_step(*here)
    there[3].load_state_dict(here[3].state_dict())
    state = there[3].state_dict()["state"][0]
    assert is_on(state["exp_avg"], "cuda:0") and state["step"] == 1
    assert_close(state["exp_avg"], here[3].state_dict()["state"][0]["exp_avg"])


# Two GPUs -----------------------------------------------------------------------------------------------------------


@TWO_GPUS
def test_several_gpus_are_noticed():
    gg.zeros(1, device="cuda") + 1
    assert several_gpus()


@TWO_GPUS
def test_results_are_where_the_operands_are():
    x = gg.asarray(X, device="cuda:1")
    for y in (
        x + 1,
        x * x,
        x @ x.T,
        gg.sum(x),
        gg.exp(x),
        x[0],
        gg.concat([x, x]),
        gg.ones_like(x),
        gg.random.normal((2,), device="cuda:1"),
    ):
        assert is_on(y, "cuda:1")
    assert cupy.cuda.Device().id == 0


@TWO_GPUS
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    "f",
    [
        lambda x: gg.sum(-x * x),
        lambda x: gg.sum(gg.tanh(x @ x.T) / (1 + x[:, :2] ** 2)),
        lambda x: gg.sum(gg.stack(gg.unstack(x)[::-1]) * x),
        lambda x: gg.sum(x[cupy_index(x)] * 2),
        lambda x: gg.mean(gg.sqrt(gg.var(x, axis=0)) + gg.max(x)),
        lambda x: gg.sum(gg.cumulative_prod(x, axis=1)) + gg.prod(x),
        lambda x: gg.sum(gg.checkpoint(lambda x: gg.sin(x) * x)(x)),
    ],
)
def test_gradients_are_where_the_operands_are(f, create_graph):
    x, y = leaf(X, "cuda:1"), gg.tensor(X, requires_grad=True)
    f(x).backward(create_graph=create_graph)
    f(y).backward()
    assert is_on(x.grad, "cuda:1")
    assert_close(x.grad.detach(), y.grad)


def cupy_index(x):
    """Repeated integer indices on the device of x."""
    return gg.asarray(np.array([0, 0, 1]), device=x.device).array


@TWO_GPUS
def test_rules_that_compute_with_raw_operators_run_where_the_gradient_is():
    current = []

    @own_op(x=lambda g, x: current.append(cupy.cuda.Device().id) or (g * x + g) / 2.0)
    def mine(x, /):
        return x * 1.0

    with cupy.cuda.Device(1):
        x = gg.asarray(cupy.asarray(X)).requires_grad_()
        y = mine(x)
    gg.sum(y.to("cuda:0") * 2).backward()
    assert current == [1] and is_on(x.grad, "cuda:1")
    assert_close(x.grad, X + 1)


@TWO_GPUS
def test_a_graph_over_two_gpus_and_the_cpu():
    a, b, c = leaf(X, "cuda:0"), leaf(X, "cuda:1"), gg.tensor(X, requires_grad=True)
    on_one = gg.exp(a).to("cuda:1") * b
    on_zero = (on_one * on_one).to("cuda:0") + a
    gg.sum(on_zero.cpu() * c).backward()
    assert is_on(a.grad, "cuda:0") and is_on(b.grad, "cuda:1") and c.grad.device == "cpu"
    e = np.exp(X)
    assert_close((a.grad, b.grad, c.grad), (2 * (e * X) ** 2 * X + X, 2 * e * e * X * X, (e * X) ** 2 + X))


@TWO_GPUS
def test_hooks_and_custom_rules_run_where_the_gradient_is():
    current = []
    custom = gg.custom_vjp(lambda x: x * 2.0)

    def forward(x):
        with x.device:
            return x * 2.0, None

    custom.defvjp(forward, lambda kept, g: current.append(cupy.cuda.Device().id) or (g * 2.0,))
    x = leaf(X, "cuda:1")
    y = custom(x)
    y.register_hook(lambda g: current.append(cupy.cuda.Device().id))
    gg.sum(y).backward()
    assert current == [1, 1] and is_on(x.grad, "cuda:1")


@TWO_GPUS
def test_the_current_device_comes_back_after_an_error():
    x = leaf(X, "cuda:1")
    y = x * 1.0
    y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gg.sum(y).backward()
    assert cupy.cuda.Device().id == 0


@TWO_GPUS
def test_mixing_two_gpus_names_both():
    x, y = gg.asarray(X, device="cuda:0"), gg.asarray(X, device="cuda:1")
    fused, large = gg.fuse(lambda x, y: gg.tanh(x) * y + 1), gg.zeros((64, 64), device="cuda:1")
    for mix in (
        lambda: x + y,
        lambda: gg.concat([x, y]),
        lambda: x @ y.T,
        lambda: gg.where(x > 0, x, y),
        lambda: gg.einsum("ij,ij->i", x, y),
        lambda: x[gg.asarray(np.array([0, 1]), device="cuda:1")],
        lambda: x.clone().__setitem__(0, y[0]),
        lambda: x.clone().__iadd__(y),
        lambda: fused(x, y),
        lambda: fused(gg.zeros((64, 64), device="cuda:0"), large),
        lambda: gg.grad(lambda x: gg.sum(fused(x, y)))(x),
        lambda: gg.nn.functional.mse_loss(x, y),
        lambda: gg.nn.functional.cross_entropy(x, gg.asarray(np.array([0, 1]), device="cuda:1")),
        lambda: gg.nn.functional.nll_loss(x, gg.asarray(np.array([0, 1]), device="cuda:1")),
        lambda: gg.nn.functional.layer_norm(x, (3,), y[0], y[0]),
    ):
        with pytest.raises(DeviceError, match=r"operands are on cuda:0 and cuda:1; move them to one device with .to\(device\)"):
            mix()


@TWO_GPUS
def test_a_gradient_on_another_gpu_is_refused():
    x, y = leaf(X, "cuda:0"), gg.asarray(X, device="cuda:1")
    with pytest.raises(DeviceError, match="the gradient is on cuda:1 and the output on cuda:0; move one with .to"):
        (x * 2).backward(y)
    with pytest.raises(
        DeviceError, match="grad: got a Tensor on cuda:1, expected one on cuda:0, as the tensor; move it with .to"
    ):
        x.grad = y
    x.grad = gg.ones_like(x.detach())
    for make in OPTIMIZERS.values():
        optimizer = make([x])
        x.array = x.array.copy()
        x.node.grad = y  # as after moving only the array
        with pytest.raises(
            DeviceError, match="step: a gradient is on cuda:1 and its parameter on cuda:0; zero_grad after moving a model"
        ):
            optimizer.step()
        assert_close(x.detach(), X, rtol=0, atol=0)


@TWO_GPUS
def test_transforms_on_the_second_gpu():
    x = gg.asarray(X[0], device="cuda:1")
    f = lambda x: gg.sum(gg.sin(x) * x)
    expected = 2 * np.cos(X[0]) - X[0] * np.sin(X[0])
    for found in (gg.hessian(f)(x), gg.hessian(f)(x.array)):
        assert is_on(found, "cuda:1")
        assert_close(found, np.diag(expected), atol=1e-12)
    assert_close(gg.jvp(f, (x,), (x,))[1].cpu(), X[0] @ (np.cos(X[0]) * X[0] + np.sin(X[0])))


@TWO_GPUS
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_on_the_second_gpu(name):
    setup, expected = mlp("cuda:1", OPTIMIZERS[name]), mlp("cpu", OPTIMIZERS[name])
    losses = [mlp_step(*setup).item() for _ in range(3)]
    setup[3].load_state_dict(setup[3].state_dict())
    setup[3].zero_grad(set_to_none=False)
    losses += [mlp_step(*setup).item() for _ in range(3)]
    np.testing.assert_allclose(losses, [mlp_step(*expected).item() for _ in range(6)], rtol=1e-10)
    assert all(is_on(p, "cuda:1") for p in setup[0])


@TWO_GPUS
def test_parameters_on_two_gpus():
    a, b = leaf(X, "cuda:0"), leaf(X, "cuda:1")
    optimizer = Adam([a, b], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        gg.sum((a * a).to("cuda:1") * b).backward()
        optimizer.step()
    c, d = gg.tensor(X, requires_grad=True), gg.tensor(X, requires_grad=True)
    optimizer = Adam([c, d], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        gg.sum((c * c) * d).backward()
        optimizer.step()
    assert is_on(a, "cuda:0") and is_on(b, "cuda:1")
    assert_close((a.detach(), b.detach()), (c.detach(), d.detach()), rtol=1e-10)


@TWO_GPUS
def test_assignment_on_the_second_gpu():
    x = gg.zeros((2, 3), device="cuda:1")
    x[0] = 5.0
    x[:, 1] = gg.ones(2, device="cuda:1")
    assert is_on(x, "cuda:1") and x.tolist() == [[5.0, 1.0, 5.0], [0.0, 1.0, 0.0]]


@TWO_GPUS
def test_zeros_for_locally_constant_ops_on_the_second_gpu():
    x = leaf(X, "cuda:1")
    gg.sum(gg.floor(x) * x).backward()
    assert is_on(x.grad, "cuda:1")
    assert_close(x.grad, np.floor(X))
