"""gpugrad.chainer: what Chainer's save_npz wrote, by the names and layouts of its source, computed as Chainer's links compute."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, FileFormatError

RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "snapshot.npz"


def classifier():
    """What ``L.Classifier(Chain(l1=Linear, conv=Convolution2D, bn=BatchNormalization, embed=EmbedID))`` has."""
    return {
        "predictor/l1/W": array(4, 3), "predictor/l1/b": array(4), "predictor/conv/W": array(2, 3, 3, 3), "predictor/conv/b": array(2),
        "predictor/bn/gamma": array(2), "predictor/bn/beta": array(2), "predictor/bn/avg_mean": array(2),
        "predictor/bn/avg_var": array(2) ** 2, "predictor/bn/N": np.asarray(7), "predictor/embed/W": array(5, 3),
        "predictor/blocks/0/W": array(2, 2), "predictor/blocks/0/b": array(2),
    }  # fmt: skip


class Predictor(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(3, 4)
        self.conv = nn.Conv2d(3, 2, 3)
        self.bn = nn.BatchNorm2d(2)
        self.embed = nn.Embedding(5, 3)
        self.blocks = nn.ModuleList([nn.Linear(2, 2)])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("snapshot", [False, True])
def test_a_model(path, save, snapshot):
    arrays = classifier()
    given = {f"updater/model:main/{name}": x for name, x in arrays.items()} if snapshot else arrays
    if snapshot:  # the rest of a trainer, of which nothing is read
        given |= {
            "updater/iteration": np.asarray(3),
            "updater/optimizer:main/predictor/l1/W/m": array(4, 3),
            "_log": np.asarray("[]"),
        }
    save(path, **given)
    model = Predictor()
    state = gg.load_chainer(path, model, prefix="predictor")
    assert model.load_state_dict(state) == ([], [])
    for ours, theirs in {
        "l1.weight": "l1/W", "l1.bias": "l1/b", "conv.weight": "conv/W", "bn.weight": "bn/gamma", "bn.bias": "bn/beta",
        "bn.running_mean": "bn/avg_mean", "bn.running_var": "bn/avg_var", "embed.weight": "embed/W", "blocks.0.weight": "blocks/0/W",
    }.items():  # fmt: skip
        assert np.array_equal(model.state_dict()[ours].numpy(), arrays[f"predictor/{theirs}"]), ours
    assert model.bn.num_batches_tracked.item() == 7
    assert next(iter(gg.load_chainer(path))) == "predictor.l1.weight"


def lstm_of_chainer(x, upward, bias, lateral):
    """h of every step of x (time, batch, features), as L.LSTM computes it."""
    h = c = np.zeros((x.shape[1], lateral.shape[1]))
    out = []
    for step in x:
        gates = (step @ upward.T + bias + h @ lateral.T).reshape(len(step), -1, 4)
        a, i, f, o = (gates[:, :, k] for k in range(4))
        c = np.tanh(a) * sigmoid(i) + c * sigmoid(f)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.stack(out)


def test_an_lstm(path):
    upward, bias, lateral, x = array(20, 3), array(20), array(20, 5), array(4, 2, 3)
    np.savez(path, **{"net/rnn/upward/W": upward, "net/rnn/upward/b": bias, "net/rnn/lateral/W": lateral})
    expected = lstm_of_chainer(x, upward, bias, lateral)
    model = nn.Module()
    model.rnn = nn.LSTM(3, 5)
    model.load_state_dict(gg.load_chainer(path, prefix="net"))
    np.testing.assert_allclose(model.rnn(x)[0].detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    model.rnn = nn.LSTMCell(3, 5)
    model.load_state_dict(gg.load_chainer(path, model, prefix="net"))
    h, _ = model.rnn(x[0])
    np.testing.assert_allclose(h.detach().numpy(), expected[0], rtol=1e-5, atol=1e-6)


def stack_of_chainer(gates, layers, inputs, units, both=False):
    """Arrays of NStepLSTM (4 gates), NStepGRU (3) or NStepRNN (1), by name."""
    ways, found = 2 if both else 1, {}
    for i in range(layers * ways):
        for j in range(2 * gates):
            width = units if j >= gates else inputs if i < ways else units * ways
            found[f"{i}/w{j}"], found[f"{i}/b{j}"] = array(units, width), array(units)
    return found


def test_a_stack_of_lstms(path):
    """By the equations of ``n_step_lstm`` as its code has them: w0 to w3 are those of i, f, a and o."""
    arrays, x = stack_of_chainer(4, 2, 3, 5), array(4, 2, 3)
    np.savez(path, **{f"rnn/{name}": a for name, a in arrays.items()})
    out = x
    for layer in range(2):
        w, b = ([arrays[f"{layer}/{kind}{j}"] for j in range(8)] for kind in "wb")
        h = c = np.zeros((2, 5))
        steps = []
        for step in out:
            i, f, a, o = (step @ w[k].T + h @ w[k + 4].T + b[k] + b[k + 4] for k in range(4))
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(a)
            h = sigmoid(o) * np.tanh(c)
            steps.append(h)
        out = np.stack(steps)
    layer = nn.LSTM(3, 5, num_layers=2)
    layer.load_state_dict(gg.load_chainer(path, prefix="rnn/"))
    np.testing.assert_allclose(layer(x)[0].detach().numpy(), out, rtol=1e-5, atol=1e-6)


def test_a_stack_of_grus(path):
    arrays, x = stack_of_chainer(3, 1, 3, 5), array(4, 2, 3)
    np.savez(path, **arrays)
    w, b = ([arrays[f"0/{kind}{j}"] for j in range(6)] for kind in "wb")
    h, out = np.zeros((2, 5)), []
    for step in x:
        r, z = (sigmoid(step @ w[k].T + h @ w[k + 3].T + b[k] + b[k + 3]) for k in (0, 1))
        new = np.tanh(step @ w[2].T + b[2] + r * (h @ w[5].T + b[5]))
        h = (1 - z) * new + z * h
        out.append(h)
    layer = nn.GRU(3, 5)
    layer.load_state_dict(gg.load_chainer(path, layer))
    np.testing.assert_allclose(layer(x)[0].detach().numpy(), np.stack(out), rtol=1e-5, atol=1e-6)


def test_stacks_that_go_both_ways(path):
    np.savez(path, **stack_of_chainer(1, 2, 3, 5, both=True))
    layer = nn.RNN(3, 5, num_layers=2, bidirectional=True)
    for model in (None, layer):
        state = gg.load_chainer(path, model)
        assert layer.load_state_dict(state) == ([], [])
    np.savez(path, **stack_of_chainer(1, 1, 5, 5, both=True))
    square = nn.RNN(5, 5, bidirectional=True)
    assert list(gg.load_chainer(path, square)) == list(square.state_dict())
    assert list(gg.load_chainer(path, nn.RNN(5, 5, num_layers=2))) == list(nn.RNN(5, 5, num_layers=2).state_dict())
    with pytest.raises(FileFormatError, match="'' may go one way or both; pass the model, which tells"):
        gg.load_chainer(path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rnn/upward/b": None}, "'rnn/upward/b' is missing, expected 1 axes"),
        ({"rnn/lateral/W": array(4)}, "'rnn/lateral/W' is of shape (4,), expected 2 axes"),
        ({"rnn/upward/W": array(7, 3)}, "'rnn/upward/W' has 7 rows, expected four for each unit"),
        ({"n/0/w0": array(2, 2)}, "'n/' holds 1 arrays of 1 recurrent layers, expected 4, 12 or 16 for each"),
        ({"l/W": array(2), "l/gamma": array(2)}, "two of its arrays would be 'l.weight'"),
    ],
)
def test_layers_that_are_not_whole(path, change, text):
    given = {"rnn/upward/W": array(8, 3), "rnn/upward/b": array(8), "rnn/lateral/W": array(8, 2)} | change
    np.savez(path, **{name: x for name, x in given.items() if x is not None})
    with pytest.raises(FileFormatError, match=re.escape(f"load_chainer: {path}: {text}")):
        gg.load_chainer(path)


def test_other_mistakes(path):
    np.savez(path, **classifier())
    with pytest.raises(FileFormatError, match="it has nothing under 'net/', only predictor"):
        gg.load_chainer(path, prefix="net")
    with pytest.raises(DTypeError, match="load_chainer: the model is dict, expected a Module, or None"):
        gg.load_chainer(path, {})
    with pytest.raises(FileNotFoundError):
        gg.load_chainer(path.with_name("missing.npz"))


def test_onto_a_device(path, device):
    np.savez(path, **{"l/W": array(2, 2)})
    assert str(gg.load_chainer(path, device=device)["l.weight"].device).startswith(device)
