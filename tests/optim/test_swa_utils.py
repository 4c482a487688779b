"""gpugrad.optim.swa_utils: averages of weights."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import OptionError, ShapeError
from gpugrad.optim import swa_utils
from gpugrad.testing import assert_close


def values(model):
    return [p.detach().cpu().numpy().copy() for p in model.parameters()]


def drift(model, rng):
    """Other weights, and what they are."""
    for p in model.parameters():
        nn.parameter.overwrite(p, gg.asarray(rng.normal(size=p.shape).astype(str(p.dtype)), device=p.device))
    return values(model)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_exponential_average(device, dtype):
    rng = np.random.default_rng(0)
    model = nn.Linear(40, 30, dtype=dtype, device=device)
    ema = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9))
    expected = None
    for _ in range(4):
        found = drift(model, rng)
        expected = found if expected is None else [0.9 * a + 0.1 * b for a, b in zip(expected, found, strict=True)]
        ema.update_parameters(model)
    rtol = 1e-5 if dtype == "float32" else 1e-13
    for x, y in zip(values(ema), expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)
    assert ema.n_averaged.item() == 4 and list(ema.state_dict()) == ["n_averaged", "module.weight", "module.bias"]


def test_the_mean_of_all_models(device):
    rng = np.random.default_rng(0)
    model = nn.Linear(3, 2, dtype=gg.float64, device=device)
    swa = swa_utils.AveragedModel(model)
    seen = []
    for _ in range(3):
        seen.append(drift(model, rng))
        swa.update_parameters(model)
    assert_close(values(swa), [np.mean(parts, axis=0) for parts in zip(*seen, strict=True)])


def test_a_function_of_ones_own():
    rng = np.random.default_rng(0)
    model = nn.Linear(3, 2)
    largest = swa_utils.AveragedModel(model, avg_fn=lambda averaged, current, count: gg.maximum(averaged, current))
    seen = []
    for _ in range(3):
        seen.append(drift(model, rng))
        largest.update_parameters(model)
    assert_close(values(largest), [np.max(parts, axis=0) for parts in zip(*seen, strict=True)])


def test_the_average_is_a_model_of_its_own_and_goes_on_from_a_file(tmp_path):
    rng = np.random.default_rng(0)
    model = nn.Linear(3, 2)
    make = lambda: swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.5))
    ema = make()
    ema.update_parameters(model)
    before = values(ema)
    drift(model, rng)
    assert_close(values(ema), before)
    x = np.ones((1, 3), np.float32)
    assert_close(ema(x).detach(), ema.module(x).detach())
    gg.save(ema.state_dict(), tmp_path / "ema.safetensors")
    other = make()
    other.load_state_dict(gg.load(tmp_path / "ema.safetensors"))
    for average in (ema, other):
        average.update_parameters(model)
    assert_close(values(ema), values(other))


@pytest.mark.parametrize("use_buffers", [False, True])
def test_buffers_are_copied_or_averaged(use_buffers):
    model = nn.BatchNorm1d(2, dtype=gg.float64)
    swa = swa_utils.AveragedModel(model, use_buffers=use_buffers)
    for mean in (1.0, 4.0):
        nn.parameter.overwrite(model.running_mean, mean)
        nn.parameter.overwrite(model.num_batches_tracked, int(mean))
        swa.update_parameters(model)
    assert swa.module.running_mean.tolist() == ([2.5, 2.5] if use_buffers else [4.0, 4.0])
    assert swa.module.num_batches_tracked.item() == 4


def test_statistics_are_computed_anew():
    rng = np.random.default_rng(0)
    batches = [rng.normal(loc=i, size=(8, 3)).astype("float32") for i in range(3)]
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5)).eval()
    nn.parameter.overwrite(model[0].running_mean, 77.0)
    swa_utils.update_bn([(gg.asarray(x), "label") for x in batches], model)
    np.testing.assert_allclose(model[0].running_mean.numpy(), np.mean([x.mean(axis=0) for x in batches], axis=0), rtol=1e-5)
    assert model[0].momentum == 0.1 and not model.training and not model[0].training


def test_what_is_refused():
    model = nn.Linear(3, 2)
    swa = swa_utils.AveragedModel(model)
    swa.update_parameters(model)
    before = values(swa)
    with pytest.raises(
        ShapeError, match=r"got 2 parameters and buffers, expected the 2 of.*that differ are \(2, 4\) and \(2, 3\)"
    ):
        swa.update_parameters(nn.Linear(4, 2))
    assert_close(values(swa), before)
    with pytest.raises(OptionError, match="get_ema_multi_avg_fn: decay is 1.1, expected 0 to 1"):
        swa_utils.get_ema_multi_avg_fn(1.1)
    with pytest.raises(OptionError, match="AveragedModel: got avg_fn and multi_avg_fn, expected one of them at most"):
        swa_utils.AveragedModel(model, avg_fn=max, multi_avg_fn=max)
