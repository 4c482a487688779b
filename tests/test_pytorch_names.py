"""gpugrad.pytorch_names: what an AttributeError suggests is right, and nothing is suggested for what is there."""

import pydoc

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.operators import Operators
from gpugrad.pytorch_names import OF_MODULE, OF_TENSORS, OF_UTILITIES


def variables():
    return {
        "gg": gg, "x": gg.asarray(np.eye(2) * 0.5 + 0.25), "y": gg.asarray(np.ones((2, 2))), "axis": 0, "axes": (1, 0), "shape": (2, 2),
        "repetitions": (2, 1), "indices": gg.asarray([[0, 1]]), "index": gg.asarray([1]), "mask": gg.asarray([[True, False]] * 2),
        "function": lambda x: x, "layer": gg.nn.Linear(2, 3),
    }  # fmt: skip


@pytest.mark.parametrize("code", sorted({*OF_TENSORS.values(), *OF_MODULE.values(), *OF_UTILITIES.values()}))
def test_what_is_suggested_runs(code):
    if "gg.gradients" in code:
        code = "y = gg.sum(x.requires_grad_() ** 2); " + code
    known = variables()
    exec(code, known)
    assert isinstance(known["x"], gg.Tensor)


@pytest.mark.parametrize(
    ("owner", "names"), [(Operators, OF_TENSORS), (gg, OF_MODULE.keys() - OF_TENSORS), (gg.nn.utils, OF_UTILITIES)]
)
def test_only_what_is_absent_is_in_the_tables(owner, names):
    assert not set(names) & set(dir(owner))


def test_absent_names_of_tensors():
    x = gg.ones(2)
    assert "reshape" in dir(x) and not set(OF_TENSORS) & set(dir(x))
    assert not [name for name in OF_TENSORS if hasattr(gg.Tensor, name) or hasattr(x, name)]
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'data'; for PyTorch's data write x.detach()"):
        x.data = gg.zeros(2)
    assert "for PyTorch's unsqueeze write gg.expand_dims(x, axis=axis)" in pydoc.render_doc(gg.Tensor)


def test_a_name_of_pytorch():
    x = gg.nn.Parameter([[1.0]])
    with pytest.raises(AttributeError) as error:
        x.unsqueeze(0)
    assert str(error.value) == (
        "'Parameter' object has no attribute 'unsqueeze'; for PyTorch's unsqueeze write gg.expand_dims(x, axis=axis)"
    )
    with pytest.raises(AttributeError) as error:
        gg.cat([x, x])
    assert str(error.value) == "module 'gpugrad' has no attribute 'cat'; for PyTorch's cat write gg.concat([x, y], axis=axis)"
    with pytest.raises(AttributeError, match="write gg.nn.utils.parametrizations.weight_norm"):
        gg.nn.utils.weight_norm(gg.nn.Linear(2, 3))


def test_any_other_name():
    x = gg.ones(2)
    with pytest.raises(AttributeError) as error:
        x.colour
    assert str(error.value) == "'Tensor' object has no attribute 'colour'"
    with pytest.raises(AttributeError) as error:
        gg.colour
    assert str(error.value) == "module 'gpugrad' has no attribute 'colour'"
    assert not hasattr(x, "unsqueeze") and getattr(gg, "cat", None) is None


def test_the_error_of_a_property_that_fails_stays():
    class Broken:
        dtype = np.dtype("float32")

    with pytest.raises(AttributeError, match="'Broken' object has no attribute 'shape'"):
        gg.Tensor(Broken()).shape


@pytest.mark.parametrize("sizes", [(3, 2), (-1,), ((3, 2),), ([6],)])
def test_view_is_no_reshape(sizes):
    with pytest.raises(gg.DTypeError, match="view: got sizes, expected a dtype; write x.reshape"):
        gg.ones((2, 3)).view(*sizes)
