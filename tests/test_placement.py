"""Models on devices: moved in mid-training, spread over two GPUs, made where the default says, fed from the wrong place."""

import contextlib

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.arrays.devices import device_of, import_cupy
from gpugrad.errors import DeviceError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
TWO_GPUS = pytest.mark.skipif(gg.cuda.device_count() < 2, reason="needs two GPUs")
PLACES = ["cpu", "cuda:0", *(["cuda:1"] if gg.cuda.device_count() > 1 else [])]
X = np.random.default_rng(0).normal(size=(16, 5))
LABELS = np.random.default_rng(1).integers(0, 3, size=16)


@pytest.fixture(autouse=True)
def current_device_is_kept():
    before = cupy.cuda.Device().id
    yield
    assert cupy.cuda.Device().id == before


def model():
    gg.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3)).double()


def step(model, optimizer, device):
    """One training step; the loss."""
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(gg.asarray(X, device=device)), gg.asarray(LABELS, device=device))
    loss.backward()
    optimizer.step()
    return loss.item()


OPTIMIZERS = {
    "momentum": lambda ps: gg.optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=0.01),
    "Adam": lambda ps: gg.optim.Adam(ps, lr=0.01, amsgrad=True),
}


# Moving -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("non_blocking", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_model_moved_in_mid_training_goes_on_as_if_it_had_stayed(name, non_blocking):
    moved, stayed = model(), model()
    optimizers = [OPTIMIZERS[name](m.parameters()) for m in (moved, stayed)]
    parameters = list(moved.parameters())
    for device in [*PLACES, *PLACES]:
        moved.to(device, non_blocking=non_blocking)
        gg.cuda.synchronize()
        for _ in range(2):
            assert step(moved, optimizers[0], device) == pytest.approx(step(stayed, optimizers[1], "cpu"), rel=1e-10)
        state = optimizers[0].state_dict()["state"]
        arrays = [x for s in state.values() for x in s.values() if isinstance(x, gg.Tensor)]
        assert arrays and all(x.device == device for x in (*arrays, *moved.parameters()))
    assert all(p is q for p, q in zip(parameters, moved.parameters(), strict=True))
    for p, q in zip(moved.cpu().parameters(), stayed.parameters(), strict=True):
        assert_close(p.detach(), q.detach(), rtol=1e-10)


def test_gradients_and_hooks_move_along():
    layer = nn.Linear(2, 1, bias=False)
    seen = []
    layer.weight.register_hook(lambda g: seen.append(g.device))
    layer(gg.ones((1, 2))).backward()
    expected = layer.weight.grad.tolist()
    layer.cuda(0)
    assert layer.weight.grad.device == "cuda:0" and layer.weight.grad.tolist() == expected
    layer(gg.ones((1, 2), device="cuda")).backward()
    assert layer.weight.grad.tolist() == [[2.0, 2.0]] and seen == ["cpu", "cuda:0"]


def test_a_move_that_fails_moves_nothing(monkeypatch):
    m = model()
    step(m, gg.optim.SGD(m.parameters(), lr=0.1), "cpu")
    arrays = [p.array for p in m.parameters()]
    calls = []

    def fails(*args, **options):
        calls.append(args)
        if len(calls) > 3:
            raise MemoryError("no memory is left")
        return asarray(*args, **options)

    asarray = cupy.asarray
    monkeypatch.setattr(cupy, "asarray", fails)
    with pytest.raises(MemoryError):
        m.cuda()
    assert all(p.array is array and p.grad.device == "cpu" for p, array in zip(m.parameters(), arrays, strict=True))


def test_to_takes_pytorchs_arguments():
    m = model()
    assert m.to("cuda:0", gg.float32) is m and all(p.device == "cuda:0" and p.dtype == gg.float32 for p in m.parameters())
    x = gg.asarray(X)
    assert m.to(x) is m and all(p.device == "cpu" and p.dtype == gg.float64 for p in m.parameters())
    y = x.to(device="cuda", dtype=gg.float32, non_blocking=True)
    assert y.device == "cuda:0" and y.dtype == gg.float32
    assert x.to(y).dtype == gg.float32 and y.to("cuda:0") is y and y.to("cuda", copy=True).array is not y.array
    assert x.cuda("cuda:0").device == x.cuda(0, non_blocking=True).device == "cuda:0"
    for to in (x.to, m.to):
        with pytest.raises(
            gg.DTypeError, match="to: got True, expected a device, a dtype or a Tensor; did you mean non_blocking=True"
        ):
            to("cuda", True)
    for move in (x.cuda, m.cuda):
        with pytest.raises(DeviceError, match="device is 'cpu', expected a GPU"):
            move("cpu")


# Two GPUs -----------------------------------------------------------------------------------------------------------


class Spread(nn.Module):
    """Layers on two devices."""

    def __init__(self, first, second):
        super().__init__()
        self.places = first, second
        whole = model()
        self.body, self.head = nn.Sequential(*whole[:3]).to(first), whole[3].to(second)

    def forward(self, x):
        return self.head(self.body(x.to(self.places[0])).to(self.places[1]))


@TWO_GPUS
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("places", [("cuda:0", "cuda:1"), ("cuda:1", "cpu"), ("cpu", "cuda:1")])
def test_a_model_spread_over_devices(places, name):
    spread, whole = Spread(*places), model()
    optimizers = [OPTIMIZERS[name](m.parameters()) for m in (spread, whole)]
    for _ in range(4):
        assert step(spread, optimizers[0], places[1]) == pytest.approx(step(whole, optimizers[1], "cpu"), rel=1e-10)
    assert [p.device for p in spread.parameters()] == [places[0]] * 4 + [places[1]] * 2
    nn.utils.clip_grad_norm_(spread.head.parameters(), 1e-3)
    state = optimizers[0].state_dict()
    again = OPTIMIZERS[name](Spread(*places[::-1]).parameters())  # each state goes to where its parameter is
    again.load_state_dict(state)
    loaded = again.state_dict()["state"]
    for n, p in enumerate(again.param_groups[0]["params"]):
        for key, x in loaded[n].items():
            if isinstance(x, gg.Tensor):
                assert x.device == p.device
                assert_close(x, state["state"][n][key].cpu(), rtol=0, atol=0)


# Where things are made ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", PLACES)
def test_what_is_made_is_on_the_default_device(device):
    with gg.device(device):
        made = [
            gg.zeros(2), gg.full(2, 3.0), gg.arange(3), gg.linspace(0, 1, 3), gg.eye(2), gg.asarray([1.0, 2.0]), gg.tensor([1, 2]),
            gg.tensor(X), gg.tensor(np.float32(2)), gg.tensor(X.tolist(), dtype=gg.float32), gg.random.normal((2,)),
            gg.random.permutation(3), nn.Parameter([1.0]), nn.Parameter(X), *model().parameters(), nn.RMSNorm(3).weight,
        ]  # fmt: skip
        for batch in gg.data.DataLoader([(np.ones(3), 1, np.int64(2)), (np.zeros(3), 0, np.int64(1))], batch_size=2):
            made += batch
        assert gg.asarray(X).device == "cpu"  # wrapped where it is
        assert gg.tensor(gg.zeros(1, device="cpu")).device == "cpu" and gg.tensor(X, device="cpu").device == "cpu"
        assert [x.device for x in made] == [device] * len(made)
        out = nn.functional.cross_entropy(nn.Dropout(0.5)(model()(gg.tensor(X))), gg.tensor(LABELS))
        assert out.device == device


@pytest.mark.parametrize("draw", ["uniform", "normal", "integers", "permutation", "bernoulli"])
def test_every_device_draws_the_same_numbers(draw):
    def drawn(generator, **options):
        arguments = {"integers": ((3, 5), 0, 100), "permutation": (9,), "bernoulli": ((3, 5), 0.5)}.get(draw, ((3, 5),))
        return getattr(generator, draw)(*arguments, **options)

    expected = gg.random.Generator(7)
    expected = [drawn(expected, device="cpu").tolist() for _ in PLACES]
    mixed = gg.random.Generator(7)
    own = [gg.random.Generator(7, device=place) for place in PLACES]
    for n, place in enumerate(PLACES):
        x = drawn(mixed, device=place)  # one stream for all devices
        assert x.device == place
        np.testing.assert_allclose(x.tolist(), expected[n], rtol=1e-5, atol=1e-6)
        for generator in own:
            y = drawn(generator)
            assert y.device == generator.device
            np.testing.assert_allclose(y.tolist(), expected[n], rtol=1e-5, atol=1e-6)


def test_manual_seed_holds_on_every_device():
    found = []
    for place in PLACES:
        gg.manual_seed(3)
        with gg.device(place):
            weights = [p.tolist() for p in nn.Linear(4, 3).parameters()]
            found.append((weights, nn.functional.dropout(gg.ones(50), 0.5).tolist(), gg.random.uniform((4,)).tolist()))
    assert all(f == found[0] for f in found)


def test_the_device_of_a_generator():
    generator = gg.random.Generator(1, device="cuda:0")
    assert (
        repr(generator) == "Generator(seed=1, offset=0, device='cuda:0')"
        and generator.normal((2,), device="cpu").device == "cpu"
    )
    with pytest.raises(DeviceError, match="this machine has"):
        gg.random.Generator(device="cuda:99")
    assert gg.random.Generator(1).device == "cpu"


# The wrong place ----------------------------------------------------------------------------------------------------


LAYERS = {
    "Linear 5 -> 2": lambda device: nn.Linear(5, 2, device=device),
    "LayerNorm((5,), eps=1e-05, elementwise_affine=True)": lambda device: nn.LayerNorm(5, device=device),
    "model.1 (Linear 5 -> 2)": lambda device: nn.Sequential(nn.ReLU(), nn.Linear(5, 2, device=device)),
}
"""By what an error calls the layer with the parameters."""


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("raw", [False, True])
def test_an_input_from_another_device_than_the_parameters(name, raw):
    for there in PLACES:
        for here in PLACES:
            layer = LAYERS[name](there)
            x = gg.ones((2, 5), device=here)
            expected = pytest.raises(DeviceError) if here != there else contextlib.nullcontext()
            with expected as error:
                assert device_of(layer(x.array if raw else x).array) == there
            if here != there:
                assert str(error.value) == (
                    f"{name}: the input is on {here} and the parameter 'weight' on {there}; "
                    f"move the input with .to('{there}'), or the model with .to('{here}')"
                )


def test_of_nested_modules_the_innermost_names_the_devices():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(gg.ones(2, device="cuda"))
            self.inner = nn.Linear(5, 2, device="cuda")

        def forward(self, x):
            return self.inner(x) * self.scale

    with pytest.raises(DeviceError, match=r"^model.inner \(Linear 5 -> 2\): the input is on cpu and the parameter 'weight'"):
        Outer()(gg.ones((1, 5)))


def test_another_fault_of_devices_is_left_as_it_is():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter([1.0])

        def forward(self, x):
            return x + gg.ones(1, device="cuda")

    with pytest.raises(DeviceError, match="add: operands are on"):
        Odd()(gg.ones(1))


@pytest.mark.parametrize("device", PLACES)
def test_odd_arrays_travel_and_so_do_their_gradients(device):
    base = np.arange(24.0).reshape(4, 6)
    for array in (base.T, base[::-2, 1::2], base[:0], np.broadcast_to(base[0], (3, 6)), np.array(2.0), base[:, None, :1]):
        x = gg.asarray(array).requires_grad_()
        y = x.to(device).mT if array.ndim > 1 else x.to(device)
        assert y.device == device
        for place in PLACES:
            y = y.to(place, non_blocking=True)
            gg.cuda.synchronize()
        gg.sum(y * y).backward()
        assert x.grad.device == "cpu" and x.grad.shape == array.shape
        assert_close(x.grad, 2 * array)


@TWO_GPUS
@pytest.mark.parametrize(
    "function",
    [
        lambda x, w, b: F.conv2d(x, w, b, padding=1),
        lambda x, w, b: F.avg_pool2d(x, 2),
        lambda x, w, b: F.max_pool2d(x, 2),
        lambda x, w, b: F.scaled_dot_product_attention(x, x, x),
        lambda x, w, b: F.unfold(x, 3),
        lambda x, w, b: F.linear(x, w[0, 0], b),
        lambda x, w, b: F.layer_norm(x, (3,), b, b),
    ],
    ids=["conv2d", "avg_pool2d", "max_pool2d", "attention", "unfold", "linear", "layer_norm"],
)
def test_functions_of_raw_arrays_compute_where_these_are(function):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((2, 3, 4, 3), (3, 3, 3, 3), (3,))]
    expected = function(*arrays)
    with import_cupy().cuda.Device(1):
        there = [import_cupy().asarray(a) for a in arrays]
    out = function(*there)
    assert device_of(out) == "cuda:1"
    np.testing.assert_allclose(out.get(), expected, rtol=1e-4, atol=1e-5)


def test_dtypes_that_a_gpu_has_in_another_order_or_not_at_all():
    assert gg.asarray(np.arange(3.0).astype(">f4")).to("cuda").tolist() == [0, 1, 2]
    with pytest.raises(gg.DTypeError, match=f"a GPU has no arrays of dtype {np.dtype(np.longdouble)}; convert them first"):
        gg.asarray(np.ones(2, np.longdouble)).to("cuda")


@TWO_GPUS
def test_the_number_of_the_gpu_is_named_beside_the_cpu():
    with pytest.raises(
        DeviceError, match=r"add: operands are on cpu \(numpy\.ndarray\) and cuda:1 \(cupy\.ndarray\); move them"
    ):
        gg.ones(3, device="cuda:1") + gg.ones(3)
