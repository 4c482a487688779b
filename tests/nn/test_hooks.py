"""gpugrad.nn.hooks. tests/parity/test_hooks.py compares the order and the gradients with PyTorch's."""

import copy

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, FileFormatError, RuleError


class Add(nn.Module):
    def forward(self, x, y=1.0):
        return x + y


class Two(nn.Module):
    def forward(self, x, y):
        return x * y, gg.sum(x, axis=0)


def x_of(*values):
    return gg.tensor(list(values), requires_grad=True)


def test_before_and_after():
    layer, seen = Add(), []
    layer.register_forward_pre_hook(lambda m, args: seen.append(("before", m, args)))
    layer.register_forward_hook(lambda m, args, out: seen.append(("after", m, args, out)))
    x = gg.ones(2)
    y = layer(x)
    assert seen == [("before", layer, (x,)), ("after", layer, (x,), y)]


def test_hooks_replace_arguments_and_results():
    layer = Add()
    layer.register_forward_pre_hook(lambda m, args: args[0] * 2)  # one value stands for a tuple of one
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"y": 10.0}), with_kwargs=True)
    layer.register_forward_hook(lambda m, args, out: out * 100)
    layer.register_forward_hook(lambda m, args, kwargs, out: out + kwargs["y"], with_kwargs=True)
    assert layer(gg.ones(1)).tolist() == [1210.0]


def test_the_order_and_taking_hooks_away():
    layer, seen = nn.Identity(), []
    handles = [layer.register_forward_hook(lambda *a, i=i: seen.append(i), prepend=i == 2) for i in range(3)]
    layer(1)
    assert seen == [2, 0, 1]
    handles[0].remove()
    handles[0].remove()
    with handles[1]:
        pass
    seen.clear()
    assert layer(1) == 1 and seen == [2]


def test_hooks_called_whatever_happens():
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    seen, layer = [], Fails()
    layer.register_forward_hook(lambda *a: seen.append("plain"))
    layer.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(ValueError, match="no"):
        layer(1)
    assert seen == [None]
    layer.register_forward_hook(lambda m, args, out: 1 / 0, always_call=True)
    said = pytest.warns(UserWarning, match="a forward hook with always_call of Fails failed: division by zero")
    with said, pytest.raises(ValueError, match="no"):
        layer(1)


def test_gradients_of_inputs_and_outputs():
    layer, seen = Two(), []
    layer.register_full_backward_pre_hook(lambda m, grad_output: seen.append(("before", grad_output)))
    layer.register_full_backward_hook(lambda m, grad_input, grad_output: seen.append(("after", grad_input, grad_output)))
    x, y = x_of(2.0, 3.0), gg.tensor([5.0, 7.0])
    product, _total = layer(x, y)
    assert product.tolist() == [10, 21] and not seen
    (gg.sum(product) * 2).backward()  # the total gets no gradient
    (name, (first, second)), (other, grad_input, grad_output) = seen
    assert (name, other) == ("before", "after")
    assert first.tolist() == [2, 2] and second is None
    assert grad_output[0].tolist() == [2, 2] and grad_output[1] is None
    assert grad_input[0].tolist() == [10, 14] and grad_input[1] is None  # y records nothing
    assert x.grad.tolist() == [10, 14]


def test_gradients_are_replaced():
    layer, x = nn.Linear(2, 2, bias=False), x_of(1.0, 2.0)
    layer.load_state_dict({"weight": np.array([[1.0, 2.0], [3.0, 4.0]])})
    layer.register_full_backward_pre_hook(lambda m, grad_output: (grad_output[0] * 10,))
    layer.register_full_backward_hook(lambda m, grad_input, grad_output: (grad_input[0] + grad_output[0],))
    layer.register_full_backward_hook(lambda m, grad_input, grad_output: grad_input[0] * 2)  # one stands for a tuple of one
    gg.sum(layer(x)).backward()
    assert layer.weight.grad.tolist() == [[10, 20], [10, 20]]
    assert x.grad.tolist() == [100, 140]


def test_higher_orders_pass():
    layer = Add()
    layer.register_full_backward_hook(lambda m, grad_input, grad_output: (grad_input[0] * 3,))

    def function(x):
        return gg.sum(gg.square(layer(x)))

    x = gg.tensor([1.0, 2.0], dtype=gg.float64)
    assert gg.grad(function)(x).tolist() == [12, 18]  # 3 * 2 (x + 1)
    assert gg.grad(lambda x: gg.sum(gg.grad(function)(x)))(x).tolist() == [18, 18]  # through the hook again


def test_complex_gradients_are_those_of_users():
    layer, seen = nn.Identity(), []
    layer.register_full_backward_hook(
        lambda m, grad_input, grad_output: seen.append(grad_input[0].item()) or (grad_input[0] * 1j,)
    )
    z = gg.tensor([1.0 + 2.0j], requires_grad=True)
    gg.sum(gg.square(gg.abs(layer(z)))).backward()
    assert seen == [2 + 4j] and z.grad.tolist() == [-4 + 2j]


def test_no_input_records():
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda m, grad_input, grad_output: seen.append((grad_input, grad_output[0].tolist())))
    gg.sum(layer(gg.ones((1, 2)))).backward()
    assert seen == [((None,), [[1.0]])]


def test_nothing_records():
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda *a: pytest.fail("there is no gradient"))
    x = gg.ones((1, 2))
    with gg.no_grad():
        assert not layer(x).requires_grad
    assert layer.requires_grad_(False)(x).node is None


def test_a_branch_not_taken_stays_zero_through_hooks_that_look():
    layer, x = nn.Identity(), x_of(0.0, 4.0)
    layer.register_full_backward_hook(lambda *a: None)
    gg.sum(gg.where(x > 0, layer(gg.sqrt(x)), 0.0)).backward()
    assert x.grad.tolist() == [0, 0.25]


def test_outputs_that_nest():
    class Nested(nn.Module):
        def forward(self, x):
            return {"a": x * 2, "b": [x * 3, "text"]}

    layer, seen = Nested(), []
    layer.register_full_backward_pre_hook(lambda m, g: seen.append([None if x is None else x.tolist() for x in g]))
    x = x_of(1.0)
    out = layer(x)
    assert out["b"][1] == "text"
    gg.sum(out["a"] + out["b"][0]).backward()
    assert seen == [[[1], [1], None]] and x.grad.tolist() == [5]


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        ((1, 2), "Identity: a backward hook returned 2 gradients, expected 1"),
        ("ones", "Identity: a backward hook returned str for gradient 0, expected (2,)"),
        (np.ones(3), "Identity: a backward hook returned shape (3,) for gradient 0, expected (2,)"),
    ],
    ids=["count", "type", "shape"],
)
def test_hooks_that_return_no_gradient(returned, text):
    layer = nn.Identity()
    layer.register_full_backward_hook(lambda *a: returned)
    with pytest.raises(RuleError) as caught:
        gg.sum(layer(x_of(1.0, 2.0))).backward()
    assert str(caught.value) == text


def test_what_is_no_hook():
    with pytest.raises(DTypeError, match="^Identity: a hook is str, expected a function$"):
        nn.Identity().register_forward_hook("print")
    layer = nn.Identity()
    layer.register_forward_pre_hook(lambda m, a, k: a, with_kwargs=True)
    with pytest.raises(
        DTypeError, match=r"Identity: a forward pre-hook with kwargs returned tuple, expected None or \(args, kwargs\)"
    ):
        layer(1)


def test_hooks_are_copied_with_the_module():
    layer, seen = nn.Identity(), []
    handle = layer.register_forward_hook(lambda m, args, out: seen.append(m))
    other = copy.deepcopy(layer)
    handle.remove()
    layer(1)
    other(1)
    assert seen == [other]


def test_state_dict_hooks():
    model, seen = nn.Sequential(nn.Linear(2, 1)), []
    model[0].register_state_dict_pre_hook(lambda m, prefix, keep_vars: seen.append((prefix, keep_vars)))
    model[0].register_state_dict_post_hook(lambda m, state, prefix, metadata: state.update({f"{prefix}extra": 1}))
    state = model.state_dict(prefix="net.")
    assert seen == [("net.0.", False)]
    assert list(state) == ["net.0.weight", "net.0.bias", "net.0.extra"]

    def rename(module, state, prefix, metadata, strict, missing, unexpected, errors):
        state[f"{prefix}weight"] = state.pop(f"{prefix}W")
        if "old" in state:
            errors.append("the file is too old")

    given = {"0.W": np.ones((1, 2)), "0.bias": np.zeros(1)}
    model[0].register_load_state_dict_pre_hook(rename)
    model.register_load_state_dict_post_hook(lambda m, keys: seen.append(keys))
    assert model.load_state_dict(given) == seen[-1] == ([], [])
    assert model[0].weight.tolist() == [[1, 1]] and "0.W" in given
    with pytest.raises(FileFormatError, match="does not fit Sequential: the file is too old; unexpected old$"):
        model.load_state_dict({**given, "old": np.ones(1)})
