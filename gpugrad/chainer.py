"""Weights of Chainer's models: load_chainer reads what ``chainer.serializers.save_npz`` wrote, under the names of gpugrad's layers.

| Chainer | here |
|---|---|
| ``predictor/l1/W``, ``b`` of Linear, ConvolutionND, DeconvolutionND, EmbedID | ``predictor.l1.weight``, ``bias`` |
| ``gamma``, ``beta`` of BatchNormalization, LayerNormalization, GroupNormalization | ``weight``, ``bias`` |
| ``avg_mean``, ``avg_var``, ``N`` of BatchNormalization | ``running_mean``, ``running_var``, ``num_batches_tracked`` |
| ``upward/W``, ``upward/b``, ``lateral/W`` of LSTM, StatelessLSTM | ``weight_ih_l0``, ``bias_ih_l0``, ``weight_hh_l0``, ``bias_hh_l0`` = 0 |
| ``0/w0`` ... ``0/b7`` of NStepLSTM, NStepGRU, NStepRNNTanh, NStepRNNReLU and their two-way kinds | ``weight_ih_l0``, ... of LSTM, GRU, RNN |

Chainer's LSTM holds the rows of a unit's four gates side by side (a, i, f, o); here the rows of a gate are (i, f, a, o). GRU and
StatelessGRU apply the reset gate before the product, which PyTorch's GRU does after it: their weights fit no layer here.
Options are not in the file, and Chainer's defaults are others: BatchNormalization has eps=2e-5, LayerNormalization eps=1e-6.
Source: https://docs.chainer.org/en/stable/reference/generated/chainer.serializers.save_npz.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Container
from typing import Any

import numpy

from gpugrad.arrays.devices import DeviceLike, parse
from gpugrad.errors import DTypeError, FileFormatError
from gpugrad.npz import read
from gpugrad.ops.transfer import to_device
from gpugrad.tape import Tensor

_SNAPSHOT = "updater/model:main/"
"""Where the model is in the snapshot of a trainer, beside the state of the optimizer."""

_NAMES = {
    "W": "weight", "b": "bias", "gamma": "weight", "beta": "bias", "avg_mean": "running_mean", "avg_var": "running_var",
    "N": "num_batches_tracked",
}  # fmt: skip

_STEP = re.compile(r"(?:(.*)/)?(\d+)/([wb])(\d)")  # NStepLSTM and the like: layers are numbered, and so are the weights in each


def load_chainer(
    path: str | os.PathLike[str], model: Any = None, *, prefix: str = "", device: DeviceLike | None = None
) -> dict[str, Tensor]:
    """The weights in an .npz file that Chainer wrote, under the names of the same architecture here, on `device`.

    ::

        state = gg.load_chainer("snapshot_iter_1000", model, prefix="predictor")
        model.load_state_dict(state)

    `prefix` names the part of Chainer's model to load: "predictor" is what a Classifier holds. Of a trainer's snapshot the model is
    loaded, not the state of the optimizer. `model`, which is only asked for its ``state_dict``, tells what the file alone does not:
    whether an LSTM is to become an LSTMCell, and whether a stack of recurrent layers goes both ways.
    The names are listed in the module's docstring; what has another one keeps it, with dots for slashes.
    Raises FileFormatError for a file that is truncated, hostile or no .npz file, that has nothing under `prefix`, or whose recurrent
    layers are not whole or need the `model`; DTypeError for a model without state_dict, FileNotFoundError if there is no file.
    """
    if model is not None and not hasattr(model, "state_dict"):
        raise DTypeError(f"load_chainer: the model is {type(model).__name__}, expected a Module, or None")
    below = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    found: list[str] = []

    def choose(keys: list[str]) -> list[str]:
        start = (_SNAPSHOT if any(key.startswith(_SNAPSHOT) for key in keys) else "") + below
        chosen = [key for key in keys if key.startswith(start)]
        if not chosen:
            top = sorted({key.partition("/")[0] for key in keys})
            raise ValueError(f"it has nothing under {start!r}, only {', '.join(top[:8]) or 'no arrays'}")
        found.append(start)
        return chosen

    arrays = {key.removeprefix(found[0]): x for key, x in read(path, choose, "load_chainer").items()}
    try:
        state = _renamed(arrays, () if model is None else model.state_dict())
    except ValueError as error:
        raise FileFormatError(f"load_chainer: {path}: {error}") from None
    where = parse(device)
    return {name: to_device(Tensor(array), where) for name, array in state.items()}


def _renamed(arrays: dict[str, Any], own: Container[str]) -> dict[str, Any]:
    """The arrays under their names here. `own` are the names that the model has."""
    left, out = dict(arrays), dict[str, Any]()
    for key in [key for key in arrays if key == "upward/W" or key.endswith("/upward/W")]:
        out |= _lstm(left, key.removesuffix("upward/W"), own)
    for owner in dict.fromkeys(found[1] or "" for key in arrays if (found := _STEP.fullmatch(key))):
        out |= _stack(left, f"{owner}/" if owner else "", own)
    for key, array in left.items():
        owner, _, name = key.rpartition("/")
        renamed = (f"{owner}/" if owner else "").replace("/", ".") + _NAMES.get(name, name)
        if renamed in out:
            raise ValueError(f"two of its arrays would be {renamed!r}")
        out[renamed] = array
    return out


def _taken(arrays: dict[str, Any], key: str, axes: int) -> Any:
    """An array of so many axes, taken out of `arrays`. Raises ValueError if it is not there."""
    array = arrays.pop(key, None)
    if array is None or array.ndim != axes:
        raise ValueError(f"{key!r} is {'missing' if array is None else f'of shape {array.shape}'}, expected {axes} axes")
    return array


def _lstm(arrays: dict[str, Any], start: str, own: Container[str]) -> dict[str, Any]:
    """The weights of an LSTM, one layer that is called step by step."""

    def gates(key: str, axes: int) -> Any:
        array = _taken(arrays, start + key, axes)
        if len(array) % 4:
            raise ValueError(f"{start + key!r} has {len(array)} rows, expected four for each unit")
        by_unit = array.reshape(-1, 4, *array.shape[1:])
        return numpy.concatenate([by_unit[:, gate] for gate in (1, 2, 0, 3)])

    name = start.replace("/", ".")
    end = "" if f"{name}weight_ih" in own else "_l0"
    bias = gates("upward/b", 1)
    return {
        f"{name}weight_ih{end}": gates("upward/W", 2),
        f"{name}weight_hh{end}": gates("lateral/W", 2),
        f"{name}bias_ih{end}": bias,
        f"{name}bias_hh{end}": numpy.zeros_like(bias),
    }


def _stack(arrays: dict[str, Any], start: str, own: Container[str]) -> dict[str, Any]:
    """The weights of NStepLSTM, NStepGRU and NStepRNN: their gates are in the order that is PyTorch's too."""
    parts = [
        (int(found[2]), found[3], int(found[4])) for key in arrays if (found := _STEP.fullmatch(key)) and key.startswith(start)
    ]
    parts = [part for part in parts if f"{start}{part[0]}/{part[1]}{part[2]}" in arrays]
    layers, count = 1 + max(layer for layer, _, _ in parts), 1 + max(number for _, _, number in parts)
    if count not in (2, 6, 8) or len(parts) != 2 * layers * count:
        raise ValueError(f"{start!r} holds {len(parts)} arrays of {layers} recurrent layers, expected 4, 12 or 16 for each")
    name, half, out = start.replace("/", "."), count // 2, dict[str, Any]()
    two_ways = _goes_both_ways([arrays[f"{start}{i}/w0"].shape for i in range(layers)], name, own)
    for i in range(layers):
        end = f"_l{i // 2}{'_reverse' if i % 2 else ''}" if two_ways else f"_l{i}"
        for kind, letter, axes in (("weight", "w", 2), ("bias", "b", 1)):
            given = [_taken(arrays, f"{start}{i}/{letter}{j}", axes) for j in range(count)]
            out[f"{name}{kind}_ih{end}"] = numpy.concatenate(given[:half])
            out[f"{name}{kind}_hh{end}"] = numpy.concatenate(given[half:])
    return out


def _goes_both_ways(shapes: list[tuple[int, ...]], name: str, own: Container[str]) -> bool:
    """Whether layers come in pairs, from the shapes of what multiplies their inputs, or from the model."""
    if len(shapes) % 2 or any(len(shape) != 2 for shape in shapes):
        return False
    (units, first), second = shapes[0], shapes[1][1]
    if f"{name}weight_ih_l0" in own or first == second == units:
        if f"{name}weight_ih_l0" not in own:
            raise ValueError(f"{name!r} may go one way or both; pass the model, which tells")
        return f"{name}weight_ih_l0_reverse" in own
    return first == second
