"""gpugrad.operators: the attributes, operators and methods of a Tensor."""

import copy
import operator
import pickle
import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensors import KEYS, leaf

import gpugrad as gg
from gpugrad.errors import (
    ConversionError,
    DetachedWarning,
    DeviceError,
    DTypeError,
    GraphError,
    IndexingError,
    ShapeError,
)
from gpugrad.testing import assert_close

# Operators ----------------------------------------------------------------------------------------------------------

ARITHMETIC = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
]  # fmt: skip
BITWISE = [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@pytest.mark.parametrize("op", ARITHMETIC + COMPARISONS, ids=lambda op: op.__name__)
@pytest.mark.parametrize(
    "other",
    [np.array([2.0, 1.5, 3.0]), np.array([[2.0], [3.0]]), 2.0, 3, np.float64(2.0), np.float32(2.0), True],
    ids=["array", "broadcast", "float", "int", "float64", "float32", "bool"],
)
def test_arithmetic_with_numbers_and_arrays_on_either_side(op, other):
    array = np.array([1.5, 2.0, 4.0])
    x = gg.asarray(array)
    for found, expected in ((op(x, other), op(array, other)), (op(other, x), op(other, array))):
        assert type(found) is gg.Tensor and found.dtype == expected.dtype and found.shape == expected.shape
        assert found.tolist() == expected.tolist()
    if isinstance(other, np.ndarray):
        both = op(x, gg.asarray(other))
        assert type(both) is gg.Tensor and both.tolist() == op(array, other).tolist()


@pytest.mark.parametrize("op", BITWISE, ids=lambda op: op.__name__)
@pytest.mark.parametrize("other", [np.array([1, 2, 3]), 2, np.int64(2)], ids=type)
def test_bitwise_operators(op, other):
    array = np.array([5, 6, 7])
    x = gg.asarray(array)
    for found, expected in ((op(x, other), op(array, other)), (op(other, x), op(other, array))):
        assert type(found) is gg.Tensor and found.dtype == expected.dtype and found.tolist() == expected.tolist()


@pytest.mark.parametrize("left, right", [("gg", "np"), ("np", "gg"), ("gg", "gg")])
def test_matmul_on_either_side(left, right):
    a, b = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    kinds = {"gg": gg.asarray, "np": np.asarray}
    found = kinds[left](a) @ kinds[right](b)
    assert type(found) is gg.Tensor
    assert_close(found, a @ b)


def test_unary_operators():
    array = np.array([1.5, -2.0])
    x = gg.asarray(array)
    assert (-x).tolist() == [-1.5, 2.0] and (+x).tolist() == [1.5, -2.0] and abs(x).tolist() == [1.5, 2.0]
    assert (~gg.asarray(np.array([True, False]))).tolist() == [False, True]
    assert (~gg.asarray(np.array([1, 2]))).tolist() == [-2, -3]


def test_a_python_number_never_widens():
    x = gg.ones(2)
    for found in (x + 1, 1.0 + x, x * 2.5, 2 / x, x**2, 2**x):
        assert found.dtype == gg.float32
    assert (gg.arange(3) + 1).dtype == gg.int64 and (np.float64(1) + x).dtype == gg.float64


def test_the_gradient_passes_from_either_side():
    x = leaf([1.0, 2.0])
    gg.sum(np.array([3.0, 4.0]) * x + np.float64(2) * x + 1 / x).backward()
    assert_close(x.grad, np.array([3.0, 4.0]) + 2 - 1 / np.array([1.0, 4.0]))


class Foreign:
    """Somebody else's type, which knows what to do with a Tensor."""

    def __radd__(self, other):
        return "radd", type(other)

    def __add__(self, other):
        return "add", type(other)

    def __rmatmul__(self, other):
        return "rmatmul", type(other)

    def __rlt__(self, other):
        return "rlt"

    def __gt__(self, other):
        return "gt", type(other)


def test_the_other_side_may_try():
    x = gg.ones(2)
    assert x + Foreign() == ("radd", gg.Tensor)
    assert Foreign() + x == ("add", gg.Tensor)
    assert x @ Foreign() == ("rmatmul", gg.Tensor)
    assert (x < Foreign()) == ("gt", gg.Tensor)
    x += Foreign()
    assert x == ("radd", gg.Tensor)


@pytest.mark.parametrize("other", ["text", [1.0, 2.0], {}, object()], ids=lambda x: type(x).__name__)
def test_what_is_no_operand(other):
    x = gg.ones(2)
    for op in (operator.add, operator.matmul, operator.lt, operator.iadd):
        with pytest.raises(TypeError):
            op(x, other)
    assert (x == other) is False and (x != other) is True


def test_a_function_names_what_is_no_operand():
    with pytest.raises(DTypeError, match="add: got str, expected a Tensor, an array or a number"):
        gg.add(gg.ones(2), "text")


def test_comparison_with_none():
    x = gg.ones(2)
    assert (x == None) is False and (x != None) is True  # noqa: E711
    assert x in [None, x] and [None, x].index(x) == 1


@given(st.floats(-3, 3), st.floats(0.5, 3), st.sampled_from(ARITHMETIC))
def test_numbers_as_tensors_compute_as_numpy_does(a, b, op):
    with np.errstate(all="ignore"):
        found = op(gg.asarray(np.float64(a)), np.float64(b))
        expected = op(np.float64(a), np.float64(b))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-15)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: gg.ones((2, 3)) + gg.ones((3, 2)), r"add: shapes \(2, 3\) and \(3, 2\) do not broadcast"),
        (lambda: gg.ones((2, 3)) @ gg.ones((2, 3)), r"matmul: got float32 \(2, 3\) and float32 \(2, 3\)"),
        (lambda: gg.ones(2) + np.ones(3), r"add: shapes \(2,\) and \(3,\) do not broadcast"),
    ],
)
def test_shapes_that_do_not_fit_are_named(make, message):
    with pytest.raises(ShapeError, match=message):
        make()


def test_dtypes_that_do_not_fit_are_named():
    with pytest.raises(DTypeError, match=r"bitwise_and: got float32 \(2,\) and float32 \(2,\)"):
        gg.ones(2) & gg.ones(2)


def test_devices_that_do_not_fit_are_named(backend):
    if backend.name != "array-api-strict":
        pytest.skip("the second device")
    with pytest.raises(DeviceError, match=r"add: operands are .*from_dlpack"):
        gg.ones(2) + gg.asarray(backend.asarray(np.ones(2, np.float32)))


# Indexing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_and_its_gradient(key):
    array = np.arange(6.0).reshape(3, 2)
    x = leaf(array)
    y = x[key]
    assert y.shape == array[key].shape and y.tolist() == array[key].tolist()
    gg.sum(y * y).backward()
    expected = np.zeros((3, 2))
    np.add.at(expected, key, 2 * array[key])
    assert_close(x.grad, expected)


def test_repeated_indices_add_their_gradients():
    x = leaf([1.0, 2.0, 3.0])
    gg.sum(x[[0, 0, 2, 0]]).backward()
    assert x.grad.tolist() == [3.0, 0.0, 1.0]


def test_indexing_with_tensors():
    x = leaf(np.arange(6.0).reshape(3, 2))
    assert x[gg.asarray(np.array([2, 0])), gg.asarray(np.array(1))].tolist() == [5.0, 1.0]
    assert x[x.detach() > 2.5].tolist() == [3.0, 4.0, 5.0]
    assert x[[]].shape == (0, 2)


@pytest.mark.parametrize(
    "key, message",
    [
        (7, r"getitem: got float32 \(3, 2\), key=7: index 7 is out of bounds"),
        ((0, 0, 0), r"getitem: .*too many indices"),
        ("text", "getitem: .*only integers, slices"),
        (1.5, "getitem: .*only integers, slices"),
        (np.array([True, False]), "getitem: .*boolean index did not match"),
    ],
)
def test_bad_indices(key, message):
    with pytest.raises(IndexingError, match=message):
        gg.zeros((3, 2))[key]


# Conversion to Python -----------------------------------------------------------------------------------------------


def test_iteration_and_its_gradient():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    rows = list(x)
    assert [row.tolist() for row in rows] == [[1.0, 2.0], [3.0, 4.0]]
    first, second = x
    gg.sum(first * 2 + second * 3).backward()
    assert x.grad.tolist() == [[2.0, 2.0], [3.0, 3.0]]


def test_len():
    assert len(gg.zeros((3, 2))) == 3
    with pytest.raises(TypeError, match="len: a 0-d tensor has no length"):
        len(gg.zeros(()))
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(gg.zeros(()))


def test_bool():
    assert gg.ones(1) and not gg.zeros(()) and gg.asarray(np.array([[True]]))
    with pytest.raises(ShapeError, match=r"bool: got shape \(2,\), expected one element; use any\(\) or all\(\)"):
        bool(gg.ones(2))


def test_numbers():
    assert float(gg.asarray(np.float32(1.5))) == 1.5 and int(gg.asarray(np.array([2.7]))) == 2
    assert complex(gg.asarray(np.array(1 + 2j))) == 1 + 2j
    for convert in (float, int, complex):
        for x in (gg.ones(2), leaf([1.0, 2.0])):  # which no number left, so nothing warns
            with pytest.raises(ShapeError, match=rf"{convert.__name__}: got shape \(2,\), expected one element$"):
                convert(x)


def test_a_number_of_what_records_warns_with_the_place():
    x = leaf(1.5)
    with pytest.warns(DetachedWarning, match=r"float\(\) of a tensor that records, at .*test_operators.py:\d+ in ") as caught:
        assert float(x) == 1.5
    assert caught[0].filename == __file__
    with pytest.warns(DetachedWarning, match=r"complex\(\) of a tensor that records"):
        assert complex(leaf(1 + 1j, np.complex128)) == 1 + 1j
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert x.item() == 1.5 and float(x.detach()) == 1.5 and int(x) == 1 and f"{x:.1f}" == "1.5" and x > 1


def test_index():
    assert [10, 20, 30][gg.asarray(np.array(1))] == 20 and list(range(gg.asarray(np.int32(3)))) == [0, 1, 2]
    with pytest.raises(DTypeError, match="index: got dtype float32, expected an integer tensor"):
        [1, 2][gg.ones(())]
    with pytest.raises(DTypeError, match="index: got dtype bool"):
        operator.index(gg.asarray(np.array(True)))


def test_contains():
    x = gg.asarray(np.array([1.0, 2.0]))
    assert 2.0 in x and np.float64(1.0) in x and 3 not in x and gg.asarray(np.array(2.0)) in x


def test_item_and_tolist():
    assert gg.asarray(np.array([[3]])).item() == 3 and type(gg.ones(()).item()) is float
    assert gg.asarray(np.array([[1, 2]])).tolist() == [[1, 2]] and gg.ones(()).tolist() == 1.0
    assert leaf([1.0]).tolist() == [1.0]
    with pytest.raises(ShapeError, match=r"item: got shape \(2,\), expected one element"):
        gg.ones(2).item()


# How it prints ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, expected",
    [
        (lambda: gg.asarray(np.array([1.0, 2.5])), "Tensor([1. , 2.5], dtype=float64, device='cpu')"),
        (lambda: gg.ones((), dtype=gg.int32), "Tensor(1, dtype=int32, device='cpu')"),
        (lambda: leaf([1.0]), "Tensor([1.], dtype=float64, device='cpu', requires_grad=True)"),
        (lambda: gg.exp(leaf([0.0])), "Tensor([1.], dtype=float64, device='cpu', recorded by exp)"),
        (lambda: gg.unstack(leaf([0.0]))[0], "Tensor(0., dtype=float64, device='cpu', recorded by unstack)"),
        (lambda: gg.concat([leaf([0.0])] * 2), "Tensor([0., 0.], dtype=float64, device='cpu', recorded by concat)"),
        (lambda: gg.zeros((0, 3)), "Tensor([], shape=(0, 3), dtype=float32, device='cpu')"),
    ],
)
def test_repr(make, expected):
    assert repr(make()) == expected


def test_repr_of_several_lines_is_aligned():
    assert repr(gg.zeros((2, 2))) == "Tensor([[0., 0.],\n        [0., 0.]], dtype=float32, device='cpu')"


def test_repr_of_a_freed_graph():
    y = gg.sum(gg.exp(leaf([0.0])))
    y.backward()
    assert repr(y).endswith("recorded by a freed graph)")


def test_repr_of_a_large_tensor_is_short():
    assert len(repr(gg.zeros((1000, 1000)))) < 1000


def test_repr_on_every_library(backend):
    text = repr(gg.asarray(backend.asarray(np.array([1.0, 2.0]))))
    assert text.startswith("Tensor([1., 2.], dtype=float64, device='")


def test_format():
    assert f"{gg.asarray(np.float64(3.14159)):.2f}" == "3.14" and f"{gg.asarray(np.array(7)):03d}" == "007"
    x = leaf([1.0, 2.0])
    assert f"{x}" == str(x) == repr(x)
    with pytest.raises(TypeError, match=r"format: got shape \(2,\), expected one element for the format '.2f'"):
        f"{x:.2f}"
    assert f"{x[:1]:.2f}" == "1.00"


# Hash, pickle, copies -----------------------------------------------------------------------------------------------


def test_hash_is_by_identity():
    x, y = gg.ones(2), gg.ones(2)
    assert len({x, y, x}) == 2 and {x: "x", y: "y"}[y] == "y"


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("make", [lambda: leaf([1.0, 2.0]), lambda: gg.ones((2, 2)), lambda: gg.sum(gg.ones(3))])
def test_pickle(make, protocol):
    x = make()
    y = pickle.loads(pickle.dumps(x, protocol))
    assert y.tolist() == x.tolist() and y.dtype == x.dtype and y.shape == x.shape
    assert y.requires_grad == x.requires_grad and y.is_leaf and y.grad is None


def test_pickle_of_a_view_takes_only_the_view():
    assert len(pickle.dumps(gg.zeros(100_000)[:2])) < 1000


def test_a_result_is_not_pickled():
    with pytest.raises(GraphError, match=r"pickle: this tensor is a recorded result.*pickle x.detach\(\) instead"):
        pickle.dumps(leaf([1.0]) * 2)


def test_deepcopy_of_a_result_passes_the_gradient():
    x = leaf([1.0, 2.0])
    y = x * 3
    one, other = copy.deepcopy([y, y])
    assert one is other and not np.shares_memory(one.array, y.array)
    gg.sum(one * one).backward()
    assert x.grad.tolist() == [18.0, 36.0]


def test_deepcopy():
    x = leaf([1.0, 2.0])
    gg.sum(x * x).backward()
    y = copy.deepcopy(x)
    assert y.is_leaf and y.requires_grad and y.grad.tolist() == [2.0, 4.0]
    assert y.node is not x.node and not np.shares_memory(x.array, y.array)
    assert y.grad is not x.grad and not np.shares_memory(x.grad.array, y.grad.array)
    with gg.no_grad():
        y *= 10
    y.grad = None
    assert x.tolist() == [1.0, 2.0] and x.grad.tolist() == [2.0, 4.0]


def test_deepcopy_of_a_structure_keeps_what_is_shared():
    x = leaf([1.0])
    one, other = copy.deepcopy([x, x])
    assert one is other and one is not x


def test_clone_passes_the_gradient_and_shares_no_memory():
    x = leaf([1.0, 2.0])
    for duplicate in (x.clone, x.copy):
        y = duplicate()
        assert not np.shares_memory(x.array, y.array)
        (g,) = gg.gradients(gg.sum(y), [x])
        assert g.tolist() == [1.0, 1.0]


# NumPy and DLPack ---------------------------------------------------------------------------------------------------


def test_numpy_shares_memory():
    x = gg.zeros(3)
    array = x.numpy()
    array[0] = 5.0
    assert x.tolist() == [5.0, 0.0, 0.0] and type(gg.sum(x).numpy()) is np.ndarray


def test_numpy_of_what_records_names_the_caller():
    x = leaf([1.0])
    place = rf"{__file__}:\d+ in test_numpy_of_what_records_names_the_caller: "
    for ask, what in ((lambda: np.asarray(x), "conversion to NumPy"), (lambda: x.numpy(), r"numpy\(\)")):
        with pytest.raises(ConversionError, match=rf"{what}, asked for at .*this tensor records.*.detach\(\).numpy\(\)"):
            ask()
    with pytest.raises(ConversionError, match=place + r"np.array\(\[x\]\)"):
        np.array([x])
    with pytest.raises(ConversionError, match=rf"__dlpack__ at {place}np.from_dlpack\(x\)"):
        np.from_dlpack(x)


def test_conversion_names_the_third_party_function_that_asked():
    import scipy.ndimage

    with pytest.raises(ConversionError, match=r"asked for at .*scipy.*\.py:\d+ in gaussian_filter"):
        scipy.ndimage.gaussian_filter(leaf([1.0, 2.0]), 1.0)


def test_array_with_dtype_and_copy():
    x = gg.ones(3)
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert np.shares_memory(np.asarray(x), x.array) and not np.shares_memory(np.array(x), x.array)
    with pytest.raises(ValueError, match="copy=False, but from float32 to float64 needs a copy"):
        np.asarray(x, dtype=np.float64, copy=False)


def test_numpy_functions_refuse_rather_than_lose_the_tensor():
    with pytest.raises(TypeError, match="__array_ufunc__"):
        np.sin(gg.ones(2))


def test_dlpack():
    x = gg.asarray(np.arange(3.0))
    array = np.from_dlpack(x)
    assert np.shares_memory(array, x.array) and x.__dlpack_device__() == (1, 0)
    assert np.from_dlpack(gg.sum(x)) == 3.0
    assert gg.from_dlpack(np.arange(3)).tolist() == [0, 1, 2]


# Attributes, devices, dtypes ----------------------------------------------------------------------------------------


def test_attributes():
    x = gg.zeros((2, 3, 4), dtype=gg.float64)
    assert (x.shape, x.ndim, x.size, x.itemsize, x.nbytes) == ((2, 3, 4), 3, 24, 8, 192)
    assert x.dtype is np.dtype("float64") and x.device == "cpu" and x.mT.shape == (2, 4, 3)
    assert gg.zeros((2, 3)).T.shape == (3, 2)
    with pytest.raises(ShapeError, match=r"T: got shape \(2, 3, 4\), expected two axes; use .mT"):
        x.T
    z = gg.asarray(np.array([1 + 2j]))
    assert z.real.tolist() == [1.0] and z.imag.tolist() == [2.0]


def test_attributes_on_every_library(backend):
    x = gg.asarray(backend.asarray(np.zeros((2, 3), np.float32)))
    assert x.shape == (2, 3) and x.dtype == gg.float32 and x.device == backend.device and x.size == 6


def test_requires_grad():
    x = gg.ones(2)
    assert not x.requires_grad and x.is_leaf and x.grad is None
    assert x.requires_grad_() is x and x.requires_grad and x.is_leaf
    node = x.node
    x.requires_grad_()
    assert x.node is node
    x.requires_grad = False
    assert not x.requires_grad
    x.requires_grad = True
    y = x * 2
    assert y.requires_grad and not y.is_leaf and y.grad is None
    with pytest.raises(GraphError, match=r"requires_grad_\(False\): this tensor is a result, not a leaf; use .detach\(\)"):
        y.requires_grad_(False)


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.uint8])
def test_integers_cannot_require_a_gradient(dtype):
    with pytest.raises(DTypeError, match="cannot require a gradient: only floating-point tensors can"):
        gg.asarray(np.zeros(2, dtype)).requires_grad_()
    with pytest.raises(DTypeError, match="cannot require a gradient"):
        gg.tensor(np.zeros(2, dtype), requires_grad=True)


def test_detach_shares_memory_and_stops_the_gradient():
    x = leaf([1.0, 2.0])
    y = x.detach()
    assert y.array is x.array and not y.requires_grad
    gg.sum(x * y).backward()
    assert x.grad.tolist() == [1.0, 2.0]


def test_to():
    x = leaf([1.0, 2.0])
    assert x.to("cpu") is x and x.to(gg.float64) is x and x.cpu() is x and x.to() is x
    for y in (
        x.to(gg.float32),
        x.to("float32"),
        x.to(np.float32),
        x.to("cpu", "float32"),
        x.to(gg.ones(1)),
        x.to(dtype="float32"),
    ):
        assert y.dtype == gg.float32 and y.device == "cpu" and y.requires_grad
    assert x.to("cpu", copy=True) is not x and x.to("cpu", copy=True).array is not x.array
    gg.sum(x.to(gg.float32) * 2).backward()
    assert x.grad.dtype == gg.float64 and x.grad.tolist() == [2.0, 2.0]
    assert x.to_device("cpu") is x and x.astype(gg.float32).dtype == gg.float32


@pytest.mark.parametrize("where", ["gpu", "cuda:x", "float31", "cpu:1"])
def test_to_an_unknown_device(where):
    with pytest.raises(DeviceError, match=f"unknown device '{where}': expected 'cpu', 'cuda' or 'cuda:N'"):
        gg.ones(2).to(where)


@pytest.mark.parametrize("where", [3, 2.5, ["cpu"], object])
def test_to_what_is_neither_device_nor_dtype(where):
    with pytest.raises((DeviceError, DTypeError), match="expected"):
        gg.ones(2).to(where)


# Methods ------------------------------------------------------------------------------------------------------------

METHODS = ["sum", "mean", "prod", "max", "min", "std", "var", "any", "all", "argmax", "argmin"]


@pytest.mark.parametrize("name, axis, keepdims", list(product(METHODS, [None, 0, -1], [False, True])))
def test_reductions_as_methods(name, axis, keepdims):
    array = np.array([[1.0, 2.0, 0.5], [4.0, -1.0, 3.0]])
    found = getattr(gg.asarray(array), name)(axis, keepdims=keepdims)
    assert_close(found, getattr(array, name)(axis=axis, keepdims=keepdims))


def test_options_of_reductions():
    x = gg.asarray(np.array([1.0, 2.0, 4.0]))
    assert_close((x.std(correction=1), x.var(correction=1)), (np.std(x.numpy(), ddof=1), np.var(x.numpy(), ddof=1)))
    assert x.sum(dtype=gg.float32).dtype == gg.float32 and x.prod(dtype="float32").dtype == gg.float32


@pytest.mark.parametrize("name", METHODS)
def test_numpys_functions_call_the_methods(name):
    array = np.array([[1.0, 2.0, 0.5], [4.0, -1.0, 3.0]])
    for x in (gg.asarray(array), leaf(array)):
        for options in ({}, {"axis": 1}, {"axis": 0, "keepdims": True}):
            found = getattr(np, name)(x, **options)
            assert isinstance(found, gg.Tensor) and found.requires_grad is (x.requires_grad and name not in METHODS[-4:])
            assert_close(found, getattr(np, name)(array, **options))


def test_numpys_functions_keep_the_gradient():
    x = leaf([1.0, 2.0, 4.0])
    (np.sum(x) + np.mean(x) * 3 + np.max(x)).backward()
    assert x.grad.tolist() == [2.0, 2.0, 3.0]
    assert_close(np.std(x, ddof=1), np.std([1.0, 2.0, 4.0], ddof=1))
    assert np.sum(x, dtype=np.float32).dtype == gg.float32


def test_what_numpys_functions_ask_for_and_the_methods_lack():
    x = gg.ones(3)
    with pytest.raises(TypeError, match=r"sum: out= is not supported; see gg\.sum"):
        np.sum(x, out=np.zeros(()))
    with pytest.raises(TypeError, match=r"mean: dtype= is not supported; see gg\.mean"):
        np.mean(x, dtype=np.float64)
    with pytest.raises(TypeError, match=r"Tensor\.sum\(\) got an unexpected keyword argument 'where'"):
        np.sum(x, where=[True, False, True])


@pytest.mark.parametrize("name", METHODS)
def test_pytorchs_names_of_arguments_are_explained(name):
    with pytest.raises(TypeError, match=f"{name}: got dim=, expected axis="):
        getattr(gg.ones((2, 2)), name)(dim=1)
    with pytest.raises(TypeError, match=f"{name}: got keepdim=, expected keepdims="):
        getattr(gg.ones((2, 2)), name)(1, keepdim=True)


def test_methods_are_named_after_the_tensor():
    x = gg.ones(2)
    with pytest.raises(TypeError, match=r"Tensor\.sum\(\) got an unexpected keyword argument 'axes'"):
        x.sum(axes=1)
    with pytest.raises(TypeError, match=r"Tensor\.astype\(\) missing 1 required positional"):
        x.astype()
    for name, value in vars(gg.Tensor).items():
        if callable(value) and hasattr(value, "__qualname__") and name not in ("__class__", "copy"):
            assert value.__qualname__ == f"Tensor.{name}"
    assert gg.Tensor.copy is gg.Tensor.clone


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "//", "%", "**", "@", "<", "<=", ">", ">=", "==", "!="])
@pytest.mark.parametrize("left", [np.array([1.0, 3.0]), np.float64(2.0)])
def test_numpys_operators_leave_the_work_to_ours(symbol, left):
    if symbol == "@" and not left.shape:
        pytest.skip("a number has no matrix product")
    found = eval(f"left {symbol} x", {"left": left, "x": gg.asarray(np.array([2.0, 3.0]))})
    assert isinstance(found, gg.Tensor)
    assert_close(found, eval(f"left {symbol} x", {"left": left, "x": np.array([2.0, 3.0])}))


def test_an_array_is_not_changed_in_place_by_a_tensor():
    array = np.zeros(2)
    with pytest.raises(TypeError, match="Tensor"):
        array += gg.ones(2)
    assert array.tolist() == [0.0, 0.0]


def test_shapes_as_methods():
    x = gg.zeros((2, 3, 1))
    assert x.reshape(6).shape == x.reshape((6,)).shape == x.reshape(-1).shape == (6,)
    assert x.reshape(3, 2).shape == x.reshape([3, 2]).shape == (3, 2)
    assert x.squeeze().shape == x.squeeze(2).shape == x.squeeze((2,)).shape == (2, 3)
    assert x.permute_dims(2, 0, 1).shape == x.permute_dims((2, 0, 1)).shape == (1, 2, 3)
    with pytest.raises(ShapeError, match=r"reshape: got float32 \(2, 3, 1\), shape=\[4, 2\]: cannot reshape"):
        x.reshape(4, 2)


def test_methods_are_differentiable():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    (x.T.reshape(4).sum() + x.mean() + x.max()).backward()
    assert x.grad.tolist() == [[1.25, 1.25], [1.25, 2.25]]


@pytest.mark.parametrize("sequence", [[1, 2], (1, 2), "ab"])
def test_sequences_are_refused_rather_than_repeated(sequence):
    """Python would take tensor * [1, 2] for the repetition of the list."""
    for operand in (gg.asarray(3), gg.zeros(2)):
        with pytest.raises(TypeError, match=rf"multiply: got {type(sequence).__name__}, expected a Tensor"):
            operand * sequence
        with pytest.raises(TypeError, match=rf"multiply: got {type(sequence).__name__}, expected a Tensor"):
            sequence * operand
