"""gpugrad.nn.module."""

import copy
import importlib.util
import pickle
import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DeviceError, DTypeError, FileFormatError, OptionError
from gpugrad.testing import assert_close


class Scale(nn.Module):
    """A parameter, a buffer that is saved, one that is not, and a child."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 2)
        self.factor = nn.Parameter(np.array([2.0, 3.0], np.float32))
        self.register_buffer("offset", gg.ones(2))
        self.register_buffer("cache", gg.zeros(2), persistent=False)

    def forward(self, x):
        return self.inner(x) * self.factor + self.offset


def names(pairs):
    return [name for name, _ in pairs]


def test_parts_are_the_attributes_in_order():
    model = nn.Sequential(Scale(), nn.ReLU())
    # As in PyTorch: a module's own parameters come before those of its children.
    assert names(model.named_parameters()) == ["0.factor", "0.inner.weight", "0.inner.bias"]
    assert names(model.named_buffers()) == ["0.offset", "0.cache"]
    assert names(model.named_modules()) == ["", "0", "0.inner", "1"]
    assert names(model.named_children()) == ["0", "1"]
    assert list(model.state_dict()) == ["0.factor", "0.offset", "0.inner.weight", "0.inner.bias"]
    assert list(model.state_dict(prefix="net.")) == ["net.0.factor", "net.0.offset", "net.0.inner.weight", "net.0.inner.bias"]
    assert [p.shape for p in model.parameters()] == [(2,), (2, 3), (2,)]
    assert list(model[0].parameters(recurse=False)) == [model[0].factor]
    assert model.get_parameter("0.inner.bias") is model[0].inner.bias
    assert model.get_submodule("0.inner") is model[0].inner


def test_get_something_that_is_not_there():
    with pytest.raises(
        AttributeError, match=re.escape("Scale has no parameter 'inner.gamma'; it has factor, inner.weight, inner.bias")
    ):
        Scale().get_parameter("inner.gamma")
    with pytest.raises(AttributeError, match="Scale has no submodule 'outer'; it has inner"):
        Scale().get_submodule("outer")


def test_get_buffer_and_set_submodule():
    model = nn.Sequential(Scale(), nn.ReLU())
    assert model.get_buffer("0.offset") is model[0].offset
    with pytest.raises(AttributeError, match=re.escape("Sequential has no buffer '0.factor'; it has 0.offset, 0.cache")):
        model.get_buffer("0.factor")
    tanh, linear = nn.Tanh(), nn.Linear(3, 2)
    model.set_submodule("1", tanh)
    model.set_submodule("0.inner", linear, strict=True)
    model.set_submodule("0.extra", tanh)
    assert model[1] is tanh and model[0].inner is linear and model[0].extra is tanh
    with pytest.raises(AttributeError, match="Sequential has no submodule '0.other'"):
        model.set_submodule("0.other", tanh, strict=True)
    with pytest.raises(AttributeError, match="Sequential has no submodule '7'"):
        model.set_submodule("7.other", tanh)
    with pytest.raises(OptionError, match="^set_submodule: the name is empty, expected that of a module below this one$"):
        model.set_submodule("", tanh)
    with pytest.raises(DTypeError, match="^set_submodule: got function, expected a Module$"):
        model.set_submodule("1", lambda x: x)


def test_shared_parameters_and_modules_come_once():
    first = nn.Linear(3, 3)
    second = nn.Linear(3, 3)
    second.weight = first.weight
    model = nn.Sequential(first, second, first)
    assert names(model.named_parameters()) == ["0.weight", "0.bias", "1.bias"]
    assert len(list(model.modules())) == 3
    assert len(list(model.children())) == 2
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"]
    x = np.ones((1, 3), np.float32)
    assert_close(model(x).detach(), first(second(first(x))).detach())


def test_works_without_calling_the_constructor_of_the_base():
    class Bare(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(np.ones(2))

    assert names(Bare().named_parameters()) == ["weight"]
    assert Bare().training is True


def test_forward_that_is_not_defined():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty defines no forward method"):
        Empty()(1)


def test_assigning_what_does_not_fit():
    layer = Scale()
    with pytest.raises(
        DTypeError, match=r"Scale.factor is a Parameter and cannot become Tensor; assign a Parameter or None, or del"
    ):
        layer.factor = gg.ones(2)
    with pytest.raises(DTypeError, match=r"Scale.inner is a Module and cannot become function"):
        layer.inner = lambda x: x
    with pytest.raises(DTypeError, match=r"Scale.offset is a Tensor and cannot become ndarray"):
        layer.offset = np.ones(2)
    layer.factor = None
    assert names(layer.named_parameters()) == ["inner.weight", "inner.bias"]
    layer.offset = gg.zeros(2)
    assert names(layer.named_buffers()) == ["offset", "cache"]
    layer.offset = nn.Parameter(np.ones(2))
    assert names(layer.named_buffers()) == ["cache"]


def test_deleting_attributes():
    layer = Scale()
    del layer.offset, layer.factor
    assert list(layer.state_dict()) == ["inner.weight", "inner.bias"]
    layer.offset = 5
    assert names(layer.named_buffers()) == ["cache"]
    with pytest.raises(AttributeError):
        del layer.nothing


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("a.b", ValueError, "Scale: 'a.b' cannot name a Parameter; expected a string without dots"),
        ("", ValueError, "Scale: '' cannot name a Parameter"),
        ("forward", ValueError, "Scale: 'forward' is taken by another attribute; choose another name"),
        ("inner", ValueError, "Scale: 'inner' is taken by another attribute"),
        ("training", ValueError, "Scale: 'training' is taken by another attribute"),
    ],
)
def test_names_that_cannot_be_registered(name, error, text):
    with pytest.raises(error, match=re.escape(text)):
        Scale().register_parameter(name, nn.Parameter(np.ones(1)))


def test_registering_the_wrong_kind():
    with pytest.raises(DTypeError, match=r"Scale.gain: got Tensor, expected a Parameter or None"):
        Scale().register_parameter("gain", gg.ones(2))
    with pytest.raises(DTypeError, match=r"Scale.child: got function, expected a Module or None"):
        Scale().add_module("child", lambda x: x)
    with pytest.raises(DTypeError, match=r"Scale.running: got ndarray, expected a Tensor or None"):
        Scale().register_buffer("running", np.ones(2))


def test_registering_none_holds_the_place():
    layer = nn.Module()
    layer.register_parameter("bias", None)
    layer.register_buffer("mean", None)
    layer.register_module("child", None)
    assert layer.bias is None and layer.mean is None and layer.child is None
    assert list(layer.state_dict()) == []
    layer.mean = gg.ones(2)
    assert list(layer.state_dict()) == ["mean"]


def test_train_eval_and_apply():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    assert model.eval() is model
    assert [m.training for m in model.modules()] == [False] * 4
    assert [m.training for m in model.train().modules()] == [True] * 4
    seen = []
    assert model.apply(lambda m: seen.append(type(m).__name__)) is model
    assert seen == ["Dropout", "Dropout", "Sequential", "Sequential"]  # children first


def test_requires_grad_and_zero_grad():
    layer = nn.Linear(2, 1)
    layer(np.ones((1, 2), np.float32)).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0.0, 0.0]]
    layer.zero_grad()
    assert layer.weight.grad is None and layer.bias.grad is None
    assert layer.requires_grad_(False) is layer
    assert not any(p.requires_grad for p in layer.parameters())
    assert not layer(np.ones((1, 2), np.float32)).requires_grad


# State ---------------------------------------------------------------------------------------------------------------


def test_state_dict_shares_memory_and_does_not_record():
    layer = nn.Linear(2, 1)
    state = layer.state_dict()
    assert np.shares_memory(state["weight"].array, layer.weight.array)
    assert not state["weight"].requires_grad
    assert layer.state_dict(keep_vars=True)["weight"] is layer.weight


def test_load_state_dict_keeps_the_parameters():
    source, target = Scale(), Scale()
    kept = {name: (x, x.array, x.node) for name, x in target.state_dict(keep_vars=True).items()}
    assert target.load_state_dict(source.state_dict()) == ([], [])
    for name, x in target.state_dict(keep_vars=True).items():
        assert x is kept[name][0] and x.node is kept[name][2]
        assert x.array is not kept[name][1]  # which somebody may hold
        assert_close(x.detach(), source.state_dict()[name])
        assert not np.shares_memory(x.array, source.state_dict()[name].array)


def test_load_state_dict_under_an_optimizer():
    """Which keeps parameters as views of its own buffer."""
    layer = nn.Linear(2, 1)
    optimizer = gg.optim.SGD(layer.parameters(), lr=1.0)
    for _ in range(2):
        layer.load_state_dict({"weight": np.array([[1.0, 2.0]]), "bias": gg.tensor([3.0])})
        layer.weight.grad, layer.bias.grad = gg.ones((1, 2)), gg.ones(1)
        optimizer.step()
        assert layer.weight.tolist() == [[0, 1]] and layer.bias.tolist() == [2]


def test_load_state_dict_changes_nothing_unless_everything_fits():
    layer = Scale()
    before = {name: x.numpy().copy() for name, x in layer.state_dict().items()}
    state = {
        "factor": np.zeros(2), "inner.weight": np.zeros((3, 2)), "inner.bias": "zeros", "gamma": np.zeros(1), "beta": np.zeros(1),
    }  # fmt: skip
    text = (
        "load_state_dict: the state does not fit Scale: missing offset; unexpected gamma, beta; "
        "inner.weight has shape (3, 2), expected (2, 3); inner.bias is str, expected an array"
    )
    with pytest.raises(FileFormatError, match="^" + re.escape(text) + "$"):
        layer.load_state_dict(state)
    with pytest.raises(FileFormatError, match=r"does not fit Scale: inner.weight has shape .*; inner.bias is str"):
        layer.load_state_dict(state, strict=False)
    with pytest.raises(FileFormatError, match="factor has dtype complex128, expected real"):
        layer.load_state_dict({**before, "factor": np.zeros(2) * 1j})
    for name, x in layer.state_dict().items():
        assert np.array_equal(x.numpy(), before[name])


def test_load_state_dict_that_is_not_strict():
    layer = Scale()
    result = layer.load_state_dict({"factor": np.array([7.0, 8.0]), "gamma": np.zeros(1)}, strict=False)
    assert result.missing_keys == ["offset", "inner.weight", "inner.bias"]
    assert result.unexpected_keys == ["gamma"]
    assert layer.factor.tolist() == [7, 8]
    assert layer.factor.dtype == gg.float32


def test_save_and_load_a_model(tmp_path):
    model, other = nn.Sequential(Scale(), nn.Linear(2, 2)), nn.Sequential(Scale(), nn.Linear(2, 2))
    gg.save(model.state_dict(), tmp_path / "model.safetensors")
    other.load_state_dict(gg.load(tmp_path / "model.safetensors"))
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    assert np.array_equal(model(x).detach().numpy(), other(x).detach().numpy())


def test_deepcopy_and_pickle():
    model = nn.Sequential(Scale(), nn.Dropout(0.1)).eval()
    x = np.ones((1, 3), np.float32)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other(x).detach().numpy(), model(x).detach().numpy())
        assert not other.training and names(other.named_buffers()) == ["0.offset", "0.cache"]
        other[0].load_state_dict({"factor": np.zeros(2)}, strict=False)
    assert model[0].factor.tolist() == [2, 3]


def test_deepcopy_keeps_tied_parameters_tied():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    other = copy.deepcopy(nn.Sequential(first, second))
    assert other[0].weight is other[1].weight


# Devices and dtypes --------------------------------------------------------------------------------------------------


def test_casting_rebinds_the_parameters_with_their_gradients():
    layer = Scale()
    layer.register_buffer("count", gg.tensor(np.array(3)))
    layer(np.ones((1, 3), np.float32)).sum().backward()
    parameter, gradient = layer.factor, layer.factor.grad.numpy()
    assert layer.double() is layer
    assert layer.factor is parameter
    assert {x.dtype for x in (*layer.parameters(), layer.offset, layer.cache)} == {gg.float64}
    assert layer.count.dtype == gg.int64
    assert layer.factor.grad.dtype == gg.float64
    assert_close(layer.factor.grad, gradient.astype(np.float64))
    layer.zero_grad()
    layer(np.ones((1, 3))).sum().backward()
    assert layer.factor.grad.dtype == gg.float64
    assert layer.float().factor.dtype == gg.float32


def test_other_casts():
    layer = Scale()
    layer.register_buffer("count", gg.tensor(np.array(3)))
    assert layer.half().factor.dtype == layer.offset.dtype == gg.float16
    assert layer.type(gg.float64).factor.dtype == gg.float64 and layer.count.dtype == gg.int64
    if importlib.util.find_spec("ml_dtypes"):
        importlib.import_module("ml_dtypes")
        assert layer.bfloat16().factor.dtype.name == "bfloat16"


def test_nothing_is_rebound_where_nothing_changes():
    """An optimizer made before keeps working."""
    layer = nn.Linear(2, 2)
    arrays, nodes = [p.array for p in layer.parameters()], [p.node for p in layer.parameters()]
    layer.to("cpu").cpu().float().to(gg.float32).to("cpu", gg.float32).to(gg.ones(1)).to(None)
    assert all(p.array is a and p.node is n for p, a, n in zip(layer.parameters(), arrays, nodes, strict=True))


def test_frozen_parameters_stay_frozen():
    layer = nn.Linear(2, 2).requires_grad_(False).double()
    assert not any(p.requires_grad for p in layer.parameters())


def test_to_what_is_neither_a_device_nor_a_dtype():
    layer = nn.Linear(2, 2)
    with pytest.raises(DeviceError, match="unknown device 'gpu'"):
        layer.to("gpu")
    with pytest.raises(DTypeError, match=r"Linear.to: got dtype int64, expected a floating-point one"):
        layer.to(gg.int64)
    if not gg.cuda.is_available():
        with pytest.raises(DeviceError, match=r"cuda|CUDA"):
            layer.cuda()
    assert {p.dtype for p in layer.parameters()} == {gg.float32}


def test_moving_to_a_gpu_and_back(device):
    layer = nn.Linear(3, 2)
    x = gg.ones((4, 3), device=device)
    expected = layer(np.ones((4, 3), np.float32)).detach().numpy()
    layer.to(device)
    y = layer(x)
    assert str(y.device).startswith(device)
    y.sum().backward()
    assert str(layer.cpu().weight.device) == "cpu"
    assert str(layer.weight.grad.device) == "cpu"
    assert_close(y.detach().cpu(), expected)


def test_repr():
    model = nn.Sequential(
        nn.Linear(3, 2, bias=False), nn.Sequential(nn.Dropout(0.1), nn.ReLU(inplace=True)), nn.Softmax(dim=1)
    )  # fmt: skip
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Linear(in_features=3, out_features=2, bias=False)\n"
        "  (1): Sequential(\n"
        "    (0): Dropout(p=0.1, inplace=False)\n"
        "    (1): ReLU(inplace=True)\n"
        "  )\n"
        "  (2): Softmax(dim=1)\n"
        ")"
    )


def test_to_takes_for_dtypes_what_a_tensor_does():
    layer = nn.Linear(2, 2)
    for dtype in (float, "float64", gg.float64):
        assert layer.float().to(dtype).weight.dtype == gg.asarray(np.ones(1, np.float32)).to(dtype).dtype == gg.float64
    with pytest.raises(DTypeError):  # the name of a dtype that is none of the standard: no unknown device
        layer.to("datetime64")


def test_add_module_is_register_module():
    class Other(nn.Module):
        def register_module(self, name, module):
            super().register_module(f"x_{name}", module)

    other = Other()
    other.add_module("a", nn.ReLU())
    assert list(other._modules) == ["x_a"]
