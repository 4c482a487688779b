"""gpugrad.nn.rnn and rnn_cells, beyond the tables in tests/layers/rnn.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, GpugradError, OptionError, ShapeError
from gpugrad.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from gpugrad.testing import assert_close, check_grads

LAYERS = pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
CELLS = pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])


def normal(*shape, dtype="float64"):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


def first(state):
    return state[0] if isinstance(state, tuple) else state


def refused(call, kind, message):
    with pytest.raises(kind, match=re.escape(message)) as caught:
        call()
    return isinstance(caught.value, GpugradError)


# Values ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "cell"), [(nn.RNN, nn.RNNCell), (nn.LSTM, nn.LSTMCell), (nn.GRU, nn.GRUCell)], ids=["RNN", "LSTM", "GRU"]
)
def test_a_layer_is_its_cell_step_by_step(layer, cell):
    whole, step = layer(3, 4, dtype=gg.float64), cell(3, 4, dtype=gg.float64)
    step.load_state_dict({name.removesuffix("_l0"): value for name, value in whole.state_dict().items()})
    x = normal(5, 2, 3)
    out, last = whole(x)
    state = None
    for t in range(5):
        state = step(x[t], state)
        assert_close(first(state).detach(), out[t].detach(), atol=1e-14)
    assert_close(first(state).detach(), first(last)[0].detach(), atol=1e-14)


@LAYERS
def test_parameters_start_uniform(layer):
    gg.manual_seed(0)
    for name, p in layer(30, 100, 2, bidirectional=True).named_parameters():
        values = p.detach().numpy()
        assert np.abs(values).max() <= 0.1, name  # 1 / sqrt(100)
        assert abs(values.std() - 0.1 / np.sqrt(3)) < 0.006, name


def test_the_names_and_shapes_of_parameters():
    layer = nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)
    shapes = {name: p.shape for name, p in layer.named_parameters()}
    assert list(shapes)[:10] == [
        *("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0"),
        *("weight_ih_l0_reverse", "weight_hh_l0_reverse", "bias_ih_l0_reverse", "bias_hh_l0_reverse", "weight_hr_l0_reverse"),
    ]
    assert shapes["weight_ih_l1"] == (16, 4) and shapes["weight_hh_l1"] == (16, 2) and shapes["weight_hr_l1_reverse"] == (2, 4)
    assert list(nn.GRU(3, 4, bias=False).state_dict()) == ["weight_ih_l0", "weight_hh_l0"]


@LAYERS
def test_a_packed_batch_is_its_sequences_one_by_one(layer):
    """Unsorted; the states come and go in the order of the batch."""
    model, lengths = layer(3, 4, 2, bidirectional=True, dtype=gg.float64), [2, 4, 1]
    x, h = normal(4, 3, 3), normal(4, 3, 4)
    state = (h, h + 1) if layer is nn.LSTM else h
    packed, last = model(pack_padded_sequence(x, lengths, enforce_sorted=False), state)
    out, counts = pad_packed_sequence(packed)
    assert counts.tolist() == lengths
    for i, n in enumerate(lengths):
        one = tuple(s[:, i] for s in state) if layer is nn.LSTM else state[:, i]
        alone, end = model(x[:n, i], one)
        assert_close(out[:n, i].detach(), alone.detach(), atol=1e-14)
        assert not out[n:, i].detach().numpy().any()
        assert_close(first(last)[:, i].detach(), first(end).detach(), atol=1e-14)


def test_dropout_is_between_the_layers():
    gg.manual_seed(0)
    model, x = nn.GRU(3, 4, 2, dropout=1.0), normal(5, 2, 3, dtype="float32")
    cut = model(x)[0].detach().numpy()
    assert np.array_equal(cut, model(x + 1)[0].detach().numpy())  # the second layer sees zeros
    model.eval()
    assert not np.allclose(model(x)[0].detach().numpy(), cut)
    with pytest.warns(
        UserWarning, match=re.escape("GRU: dropout drops between layers, and num_layers is 1: dropout=0.5 changes")
    ):
        nn.GRU(3, 4, dropout=0.5)


@LAYERS
def test_16_bits_are_computed_with_in_float32(layer):
    model, x = layer(3, 4, dtype=gg.float64), normal(6, 2, 3)
    expected = model(x)[0].detach().numpy()
    state = model.to(dtype=gg.float16).state_dict()
    model.load_state_dict(state)
    out, last = model(x.astype("float16"))
    assert out.dtype == first(last).dtype == gg.float16
    assert np.abs(out.detach().numpy() - expected).max() < 3e-3


@LAYERS
def test_derivatives_of_second_order(layer):
    model = layer(2, 3, 2, bidirectional=True, dtype=gg.float64)
    check_grads(lambda x: model(x)[0], normal(3, 2, 2), order=2)
    gg.sum(model(normal(3, 2, 2))[0]).backward(create_graph=True)
    gg.sum(model.weight_hh_l1.grad**2).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_last_states_alone_have_a_gradient():
    """And a result that nothing uses costs none."""
    model, x = nn.LSTM(2, 3, dtype=gg.float64), gg.tensor(normal(3, 2, 2), requires_grad=True)
    _, (_, c) = model(x)
    gg.sum(c).backward()
    step = 1e-6
    moved = normal(3, 2, 2)
    moved[0, 0, 0] += step
    difference = (gg.sum(model(moved)[1][1]).item() - gg.sum(model(normal(3, 2, 2))[1][1]).item()) / step
    assert abs(x.grad[0, 0, 0].item() - difference) < 1e-5


def test_a_batch_of_no_sequences():
    out, (h, c) = nn.LSTM(3, 4)(np.zeros((5, 0, 3), np.float32))
    assert (out.shape, h.shape, c.shape) == ((5, 0, 4), (1, 0, 4), (1, 0, 4))


def test_representations_are_those_of_pytorch():
    assert (
        repr(nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)) == "LSTM(3, 4, proj_size=2, num_layers=2, bidirectional=True)"
    )
    assert repr(nn.GRU(3, 4, bias=False, batch_first=True)) == "GRU(3, 4, bias=False, batch_first=True)"
    assert repr(nn.RNNCell(2, 3, bias=False, nonlinearity="relu")) == "RNNCell(2, 3, bias=False, nonlinearity=relu)"
    assert nn.RNN(2, 3, 1, "relu").nonlinearity == "relu"


# Bad input ------------------------------------------------------------------------------------------------------------


@LAYERS
def test_options_that_make_no_sense(layer):
    name = layer.__name__
    for option, sizes in (("input_size", (0, 4)), ("hidden_size", (3, 0)), ("num_layers", (3, 4, 0))):
        assert refused(lambda sizes=sizes: layer(*sizes), OptionError, f"{name}: {option} is 0, expected 1 or more")
    for p in (-0.1, 1.5, float("nan")):
        assert refused(
            lambda p=p: layer(3, 4, 2, dropout=p), OptionError, f"{name}: dropout is {p}, expected a probability from 0"
        )


def test_other_options():
    assert refused(
        lambda: nn.LSTM(3, 4, proj_size=4),
        OptionError,
        "LSTM: proj_size is 4, expected less than hidden_size, 4, or 0 for none",
    )
    assert refused(lambda: nn.LSTM(3, 4, proj_size=-1), OptionError, "LSTM: proj_size is -1, expected less than hidden_size")
    for make in (nn.RNN, nn.RNNCell):
        message = f"{make.__name__}: nonlinearity is 'sin', expected 'tanh' or 'relu'"
        assert refused(lambda make=make: make(3, 4, nonlinearity="sin"), OptionError, message)


@LAYERS
def test_an_input_that_does_not_fit(layer):
    model = layer(3, 4)
    for shape in ((5, 2, 7), (5, 7), (2, 2, 2, 3), (3,)):
        x = np.zeros(shape, np.float32)
        assert refused(lambda x=x: model(x), ShapeError, f"input {shape}, expected (T, N, 3) or (T, 3)")
    assert refused(lambda: layer(3, 4, batch_first=True)(np.zeros((5, 2), np.float32)), ShapeError, "(N, T, 3) or (T, 3)")
    assert refused(lambda: model(np.zeros((0, 2, 3), np.float32)), ShapeError, "has no steps, expected 1 or more")
    assert refused(
        lambda: model(np.zeros((5, 2, 3))), DTypeError, "input has dtype float64, expected that of the parameters, float32"
    )
    assert refused(lambda: model([[1.0]]), DTypeError, "the input is list")
    packed = pack_padded_sequence(np.zeros((5, 2, 7), np.float32), [5, 2])
    assert refused(lambda: model(packed), ShapeError, "input (7, 7), expected data (rows, 3)")


def test_the_path_of_the_layer_is_told():
    model = nn.ModuleDict({"encoder": nn.LSTM(3, 4)})
    with pytest.raises(ShapeError, match=re.escape("LSTM 3 -> 4")):
        model["encoder"](np.zeros((5, 2, 7), np.float32))


@LAYERS
def test_a_state_that_does_not_fit(layer):
    model, x = layer(3, 4, 2), np.zeros((5, 2, 3), np.float32)
    two = layer is nn.LSTM

    def given(shape, dtype="float32"):
        state = np.zeros(shape, dtype)
        return (state, state) if two else state

    for shape in ((1, 2, 4), (2, 3, 4), (2, 2, 5), (2, 4)):
        message = f"h_0 {shape}, expected (2, 2, 4): (num_layers * directions, batch, size)"
        assert refused(lambda shape=shape: model(x, given(shape)), ShapeError, message)
    assert refused(
        lambda: model(x[:, 0], given((2, 1, 4))), ShapeError, "h_0 (2, 1, 4), expected (2, 4): (num_layers * directions"
    )
    assert refused(lambda: model(x, given((2, 2, 4), "float64")), DTypeError, "h_0 has dtype float64, expected that of the")


def test_the_states_of_an_lstm_are_two():
    model, x, h = nn.LSTM(3, 4), np.zeros((5, 2, 3), np.float32), np.zeros((1, 2, 4), np.float32)
    assert refused(lambda: model(x, h), DTypeError, "the state is a ndarray, expected a tuple (h_0, c_0)")
    assert refused(lambda: model(x, (h,)), DTypeError, "the state is a tuple of 1, expected a tuple (h_0, c_0)")
    assert refused(lambda: model(x, (h, h[:, :1])), ShapeError, "c_0 (1, 1, 4), expected (1, 2, 4)")


@CELLS
def test_what_cells_refuse(cell):
    name, model, x = cell.__name__, cell(3, 4), np.zeros((2, 3), np.float32)
    assert refused(lambda: cell(0, 4), OptionError, f"{name}: input_size is 0, expected 1 or more")
    assert refused(lambda: model(np.zeros((2, 5), np.float32)), ShapeError, "input (2, 5), expected (N, 3) or (3,)")
    assert refused(lambda: model(np.zeros((2, 2, 3), np.float32)), ShapeError, "input (2, 2, 3), expected (N, 3) or (3,)")
    assert refused(lambda: model(x.astype(float)), DTypeError, "input has dtype float64, expected that of the parameters")
    for shape, message in (
        ((2, 5), "h_0 (2, 5), expected (N, 4) or (4,)"),
        ((3, 4), "h_0 (3, 4), expected (2, 4) for input (2, 3)"),
    ):
        h = np.zeros(shape, np.float32)
        assert refused(lambda h=h: model(x, (h, h) if cell is nn.LSTMCell else h), ShapeError, message)
