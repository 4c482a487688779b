"""gpugrad.nn.location: an error's text begins with the path of the layer."""

import copy
import pickle
import traceback
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DeviceError, DTypeError, GpugradError, OutOfMemoryError, ShapeError

X = np.ones((32, 128), np.float32)
WRONG = "input (32, 128), expected last dimension 256 for weight (1024, 256)"


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, 1024), nn.ReLU())

    def forward(self, x):
        return self.mlp(x)


class Model(nn.Module):
    def __init__(self, good=0):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Identity() for _ in range(2)])
        self.blocks.append(Block())
        self.heads = nn.ModuleDict({"a": nn.Linear(256, 1024)})

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class Call(nn.Module):
    """A module of any function."""

    def __init__(self, function, **children):
        super().__init__()
        self.function = function
        for name, child in children.items():
            setattr(self, name, child)

    def forward(self, *args):
        return self.function(self, *args)


def text_of(function, *args, kind=ShapeError):
    with pytest.raises(kind) as caught:
        function(*args)
    assert caught.value.args == (str(caught.value),)
    return str(caught.value)


def test_the_path_of_the_layer():
    assert text_of(Model(), X) == f"model.blocks[2].mlp.0 (Linear 256 -> 1024): {WRONG}"


def test_a_layer_by_itself():
    assert text_of(nn.Linear(256, 1024), X) == f"Linear 256 -> 1024: {WRONG}"
    assert text_of(Model().blocks[2].mlp[0], X) == f"Linear 256 -> 1024: {WRONG}"


def test_paths_are_written_as_code_writes_them():
    model = Model()
    assert text_of(Call(lambda m, x: m.net.heads["a"](x), net=model), X).startswith(
        "model.net.heads['a'] (Linear 256 -> 1024): "
    )
    for path in ("blocks[2].mlp.0", "heads['a']"):
        layer = eval(f"model.{path}".replace(".0", "[0]"), {"model": model})
        assert text_of(Call(lambda m, x, layer=layer: layer(x), net=model), X).startswith(f"model.net.{path} (")


@pytest.mark.parametrize(
    ("layer", "x", "expected"),
    [
        (nn.Linear(3, 4, bias=False), X, "Linear 3 -> 4: input (32, 128), "),
        (nn.LayerNorm(4), X, "LayerNorm((4,), eps=1e-05, elementwise_affine=True): "),
        (nn.Flatten(3), X, "Flatten(start_dim=3, end_dim=-1): axis 3 "),
        (nn.Sequential(nn.Flatten(3)), X, "model.0 (Flatten(start_dim=3, end_dim=-1)): axis 3 "),
    ],
    ids=["sizes", "extra_repr", "flatten", "sequential"],
)
def test_how_layers_are_described(layer, x, expected):
    assert text_of(layer, x).startswith(expected)


def test_other_sizes():
    for names, text in (
        (("in_channels", "out_channels"), "Call 3 -> 8: "),
        (("input_size", "hidden_size"), "Call 3 -> 8: "),
        (("num_embeddings", "embedding_dim"), "Call 3 x 8: "),
    ):
        layer = Call(lambda m, x: gg.matmul(x, x))
        for name, size in zip(names, (3, 8), strict=True):
            setattr(layer, name, size)
        assert text_of(layer, X).startswith(text + "matmul: ")


def test_a_layer_whose_extra_repr_fails():
    class Half(nn.Module):
        def forward(self, x):
            return gg.matmul(x, x)

        def extra_repr(self):
            raise AttributeError("not yet")

    assert text_of(Half(), X).startswith("Half: matmul: ")


def test_the_name_of_the_layer_is_said_once():
    class My_Layer(nn.Linear):
        def forward(self, x):
            raise ShapeError(x)

    for message, left in (
        ("linear: wrong", "wrong"), ("my_layer: wrong", "wrong"), ("MyLayer: wrong", "wrong"), ("matmul: wrong", "matmul: wrong"),
        ("wrong", "wrong"), ("", ""),
    ):  # fmt: skip
        assert text_of(My_Layer(3, 4), message) == f"My_Layer 3 -> 4: {left}"


def test_only_errors_of_gpugrad_and_those_as_they_are():
    def fail(module, error):
        raise error

    for error in (ValueError("no"), KeyError("k"), NotImplementedError()):
        args = error.args
        with pytest.raises(type(error)) as caught:
            Call(fail)(error)
        assert caught.value is error and error.args == args
    for kind in (ShapeError, DTypeError, GpugradError):
        error = kind("no")
        with pytest.raises(kind) as caught:
            nn.Sequential(Call(fail))(error)
        assert caught.value is error and str(error) == "model.0 (Call): no"
        assert error.__cause__ is None and error.__context__ is None
        assert traceback.extract_tb(error.__traceback__)[-1].name == "fail"


def test_code_that_catches_the_error_and_goes_on():
    seen = []

    def careful(module, x):
        try:
            return module.first(x)
        except ShapeError as error:
            seen.append(str(error))
            return module.second(x)

    model = nn.Sequential(Call(careful, first=nn.Sequential(nn.Linear(256, 1024)), second=nn.Linear(64, 2)))
    assert (
        text_of(model, X) == "model.0.second (Linear 64 -> 2): input (32, 128), expected last dimension 64 for weight (2, 64)"
    )
    assert seen == [f"model.0 (Linear 256 -> 1024): {WRONG}"]
    model[0].second = nn.Linear(128, 2)
    assert model(X).shape == (32, 2)


def test_errors_raised_from_an_error():
    def translate(module, x):
        try:
            return module.inner(x)
        except ShapeError as error:
            raise ShapeError(f"bad tokens: {error}") from error

    assert text_of(nn.Sequential(Call(translate, inner=nn.Linear(256, 1024))), X) == (
        f"model.0 (Call): bad tokens: Linear 256 -> 1024: {WRONG}"
    )


def test_an_error_raised_again_says_where_it_was_first():
    def again(module, x):
        try:
            return module.inner(x)
        except ShapeError as error:
            kept = error
        raise kept

    assert text_of(nn.Sequential(Call(again, inner=nn.Linear(256, 1024))), X) == f"model.0.inner (Linear 256 -> 1024): {WRONG}"


def test_modules_that_are_nobodys_children():
    hidden = [Block()]
    model = nn.Sequential(nn.Identity(), Call(lambda m, x: hidden[0](x)))
    assert text_of(model, X) == f"model.1 (Call) calling Block.mlp.0 (Linear 256 -> 1024): {WRONG}"
    assert text_of(Call(lambda m, x: nn.Linear(256, 1024)(x)), X) == f"Call calling Linear 256 -> 1024: {WRONG}"


def test_shared_modules_and_models_that_hold_themselves():
    layer = nn.Linear(256, 1024)
    model = nn.Sequential(nn.Identity(), nn.Sequential(layer), layer)
    assert text_of(model, X).startswith("model.1.0 (Linear 256 -> 1024): ")
    both = Call(lambda m, x: m.right(x), left=nn.Sequential(layer), right=layer)
    assert text_of(both, X).startswith("model.right (Linear 256 -> 1024): ")  # the shortest way
    child = Call(lambda m, x: m.layer(x), layer=layer)
    parent = Call(lambda m, x: m.child(x), child=child)
    object.__setattr__(child, "parent", parent)
    assert text_of(parent, X).startswith("model.child.layer (Linear 256 -> 1024): ")
    deep = Call(lambda m, x: m(x[1:]) if x.shape[0] > 30 else m.layer(x), layer=layer)
    assert text_of(deep, X).startswith("model.layer (Linear 256 -> 1024): input (30, 128), ")


def test_hooks_are_part_of_the_call():
    model = Model()
    model.blocks[1].register_forward_hook(lambda module, args, output: gg.matmul(output, output))
    assert text_of(model, X).startswith("model.blocks[1] (Identity): matmul: ")


def test_fused_checkpointed_and_threads():
    expected = f"model.blocks[2].mlp.0 (Linear 256 -> 1024): {WRONG}"
    model = Model()
    fused = gg.fuse(lambda x: model(x))  # traced with symbols for sizes, which the message shows
    assert text_of(fused, gg.asarray(X)).startswith(expected.partition("input")[0])
    assert text_of(gg.checkpoint(model), gg.asarray(X)) == expected
    with ThreadPoolExecutor(2) as pool:
        assert [text_of(f.result) for f in [pool.submit(model, X) for _ in range(4)]] == [expected] * 4
        spread = Call(lambda m, x: pool.submit(m.part, x).result(), part=model)
        assert text_of(spread, X) == expected.replace("model", "model.part")


def test_fused_functions_inside_and_checkpoints_inside():
    fused = gg.fuse(lambda weight, x: gg.matmul(x, weight))
    inner = Call(lambda m, x: fused(m.weight, x), weight=nn.Parameter(np.ones((3, 4), np.float32)))
    assert text_of(nn.Sequential(inner), X).startswith("model.0 (Call): ")
    kept = nn.Sequential(Call(lambda m, x: gg.checkpoint(m.part)(x), part=Block()))
    assert text_of(kept, gg.asarray(X)) == f"model.0.part.mlp.0 (Linear 256 -> 1024): {WRONG}"


def test_the_error_can_be_pickled_and_copied():
    with pytest.raises(ShapeError) as caught:
        Model()(X)
    for other in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert type(other) is ShapeError and str(other) == str(caught.value)


def test_memory_that_is_not_there():
    def fail(module, x):
        error = OutOfMemoryError("3 GB were asked for")
        error.op = "matmul"
        raise error

    assert text_of(nn.Sequential(Call(fail)), X, kind=OutOfMemoryError) == "model.0 (Call): matmul: 3 GB were asked for"


def test_input_on_another_device(device):
    if device == "cpu":
        pytest.skip("needs two devices")
    model = nn.Sequential(nn.Identity(), nn.Linear(128, 4))
    text = text_of(model, gg.asarray(X).to(device), kind=DeviceError)
    assert text == (
        "model.1 (Linear 128 -> 4): the input is on cuda:0 and the parameter 'weight' on cpu; move the input with .to('cpu'), "
        "or the model with .to('cuda:0')"
    )
