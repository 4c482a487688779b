"""gpugrad.operators: in-place forms and assignment to elements. What is written into views is in ops/test_aliasing.py."""

import copy
import operator

import numpy as np
import pytest
from tensors import KEYS, leaf

import gpugrad as gg
from gpugrad.errors import DTypeError, IndexingError, InplaceError, ShapeError
from gpugrad.testing import assert_close

# In place -----------------------------------------------------------------------------------------------------------

IN_PLACE = [
    (operator.iadd, operator.add), (operator.isub, operator.sub), (operator.imul, operator.mul),
    (operator.itruediv, operator.truediv), (operator.ifloordiv, operator.floordiv), (operator.imod, operator.mod),
    (operator.ipow, operator.pow),
]  # fmt: skip
IN_PLACE_BITWISE = [
    (operator.iand, operator.and_), (operator.ior, operator.or_), (operator.ixor, operator.xor),
    (operator.ilshift, operator.lshift), (operator.irshift, operator.rshift),
]  # fmt: skip


@pytest.mark.parametrize("in_place, op, values", [(i, o, np.array([1.5, 4.0])) for i, o in IN_PLACE] + [
    (i, o, np.array([5, 6])) for i, o in IN_PLACE_BITWISE
])  # fmt: skip
def test_in_place_forms_change_the_tensor_and_nobodys_array(in_place, op, values):
    array = values.copy()
    x = gg.asarray(array)
    alias, name = x.detach(), x
    x = in_place(x, 2)
    assert x is name and x.tolist() == op(values, 2).tolist() and x.dtype == values.dtype
    assert alias.tolist() == values.tolist() == array.tolist()


def test_in_place_matmul():
    a, b = np.arange(4.0).reshape(2, 2), np.eye(2) * 2
    x = name = gg.asarray(a)
    x @= b
    assert x is name and x.tolist() == (a * 2).tolist()
    with pytest.raises(ShapeError, match=r"@=: the result has shape \(2, 3\), and the tensor \(2, 2\) cannot change its own"):
        x @= np.ones((2, 3))


def test_in_place_forms_are_differentiable():
    x = leaf([1.0, 2.0])
    y = x * 2
    kept = y * y  # holds the array of y
    y += 1
    y *= x
    gg.sum(y + kept).backward()
    # x (2 x + 1) + 4 x**2
    assert_close(x.grad, np.array([13.0, 25.0]))


def test_in_place_with_a_recording_operand_makes_a_constant_record():
    x, y = leaf([1.0, 2.0]), gg.ones(2, dtype=gg.float64)
    y += x
    assert y.requires_grad and not y.is_leaf


@pytest.mark.parametrize("change", ["x += 1", "x[0] = 1.0", "x *= x", "x[:] = x"])
def test_a_leaf_that_requires_a_gradient_refuses(change):
    x = leaf([1.0, 2.0])
    with pytest.raises(InplaceError, match=r"this tensor is a leaf that requires a gradient.*inside gg.no_grad\(\)"):
        exec(change)
    assert x.tolist() == [1.0, 2.0] and x.is_leaf


@pytest.mark.parametrize("change", ["x -= 1", "x[...] = x - 1", "x[:] = [0.0, 1.0]"])
def test_inside_no_grad_a_leaf_stays_a_leaf(change):
    x = leaf([1.0, 2.0])
    node = x.node
    with gg.no_grad():
        exec(change)
    assert x.node is node and x.is_leaf and x.requires_grad and x.tolist() == [0.0, 1.0]
    gg.sum(x * x).backward()
    assert x.grad.tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    "change, kind, message",
    [
        (
            "x += np.ones((3, 2))",
            ShapeError,
            r"\+=: the result has shape \(3, 2\), and the tensor \(2,\) cannot change its own",
        ),
        ("x += 1j", DTypeError, r"\+=: the result has dtype complex64, and the tensor of float32 cannot change its own"),
        ("n /= 2", DTypeError, r"/=: the result has dtype float64, and the tensor of int64"),
    ],
)
def test_in_place_forms_keep_shape_and_dtype(change, kind, message):
    x, n = gg.ones(2), gg.arange(3)
    with pytest.raises(kind, match=message):
        exec(change)
    assert x.tolist() == [1.0, 1.0] and n.tolist() == [0, 1, 2]


@pytest.mark.parametrize("other", [np.float64(0.1), np.full(2, 0.1), 1])
def test_in_place_forms_keep_the_precision_of_the_left_side(other):
    expected = np.ones(2, np.float32)
    expected *= other
    x = gg.ones(2)
    x *= other
    assert x.dtype == gg.float32 and x.tolist() == expected.tolist()
    n = gg.zeros(2, dtype=gg.int32)
    n += np.asarray([2, 3])
    assert n.dtype == gg.int32 and n.tolist() == [2, 3]


# Assignment to elements ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_assignment_writes_what_numpy_writes(key):
    array = np.arange(6.0).reshape(3, 2)
    expected = array.copy()
    expected[key] = 9.0
    x = gg.asarray(array)
    x[key] = 9.0
    assert x.tolist() == expected.tolist()
    assert array.tolist() == np.arange(6.0).reshape(3, 2).tolist()  # the user's array is not touched


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_assignment_is_differentiable(key):
    x, v = leaf(np.arange(6.0).reshape(3, 2)), leaf(2.0)
    y = x * 1
    y[key] = v
    gg.sum(y * y).backward()
    mask = np.ones((3, 2))
    mask[key] = 0.0
    assert_close(x.grad, mask * 2 * np.arange(6.0).reshape(3, 2))
    assert_close(v.grad, 4.0 * (6 - mask.sum()))


def test_assignment_of_lists_arrays_and_tensors():
    x = gg.zeros((2, 2))
    x[0] = [1.0, 2.0]
    x[1] = np.array([3.0, 4.0])
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    x[:, 0] = gg.tensor([5.0, 6.0])
    x[gg.asarray(np.array([[False, True], [False, False]]))] = np.float32(7.0)
    assert x.tolist() == [[5.0, 7.0], [6.0, 4.0]] and x.dtype == gg.float32


def test_assignment_with_tensors_as_indices():
    x = gg.zeros(4)
    x[gg.asarray(np.array([0, 2]))] = 1.0
    x[gg.asarray(np.array(3)), ] = 2.0  # fmt: skip
    assert x.tolist() == [1.0, 0.0, 1.0, 2.0]


def test_a_tensor_of_its_own_is_written_in_place():
    x = gg.zeros(4)
    array = x.array
    identity = id(array)
    del array
    for i in range(4):
        x[i] = float(i)
    assert id(x.array) == identity and x.tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "share",
    [
        lambda x: x.detach(),
        lambda x: x.numpy(),
        lambda x: x.numpy()[:2],
        lambda x: gg.reshape(x.detach(), (2, 2)),
        lambda x: x.array,
        lambda x: memoryview(x.numpy()),
        lambda x: np.from_dlpack(x),
        lambda x: copy.copy(x),
    ],
)
def test_a_shared_array_is_not_written_to(share):
    x = gg.zeros(4)
    other = share(x)
    x[0] = 5.0
    assert x.tolist() == [5.0, 0.0, 0.0, 0.0]
    assert not np.asarray(other.detach() if isinstance(other, gg.Tensor) else other).any()


def test_what_the_tape_keeps_is_not_written_to():
    w, c = leaf([1.0, 2.0]), gg.zeros(2, dtype=gg.float64)
    c[0] = 3.0
    y = w * c  # keeps the array of c
    c[0] = 100.0
    gg.sum(y).backward()
    assert w.grad.tolist() == [3.0, 0.0] and c.tolist() == [100.0, 0.0]


def test_a_read_only_array_is_not_written_to():
    array = np.zeros(3)
    array.flags.writeable = False
    x = gg.asarray(array)
    del array
    x[1] = 2.0
    assert x.tolist() == [0.0, 2.0, 0.0]


def test_a_result_that_is_a_number_can_be_assigned_to():
    x = gg.sum(gg.ones(3))
    x[...] = 5.0
    assert x.item() == 5.0 and x.shape == ()


def test_assignment_to_a_recording_result_is_functional():
    x = leaf([1.0, 2.0, 3.0])
    y = x * 2
    alias = y.detach()
    z = y * y
    y[1] = 0.0
    assert alias.tolist() == [2.0, 4.0, 6.0] and y.tolist() == [2.0, 0.0, 6.0]
    gg.sum(y + z).backward()
    assert_close(x.grad, np.array([10.0, 16.0, 26.0]))


def test_assigning_a_recording_value_into_a_constant():
    v, x = leaf([1.0, 2.0]), gg.zeros(3, dtype=gg.float64)
    x[1:] = v * 3
    assert x.requires_grad
    gg.sum(x * x).backward()
    assert_close(v.grad, 18 * np.array([1.0, 2.0]))


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize(
    "key, value, kind, message",
    [
        (5, 1.0, IndexingError, r"put: got float64 \(3,\) and 1.0, key=5: index 5 is out of bounds"),
        (slice(0, 2), np.ones(3), ShapeError, r"put: got float64 \(3,\) and float64 \(3,\)"),
        (0.5, 1.0, IndexingError, "put: .*only integers, slices"),
        (0, 1j, DTypeError, "put: got 1j for dtype float64"),
    ],
)
def test_assignments_that_do_not_fit(record, key, value, kind, message):
    x = leaf(np.zeros(3)) * 1 if record else gg.zeros(3, dtype=gg.float64)
    with pytest.raises(kind, match=message):
        x[key] = value
    assert x.tolist() == [0.0, 0.0, 0.0]


def test_assignment_on_every_library(backend):
    x = gg.asarray(backend.asarray(np.arange(6.0).reshape(3, 2))).requires_grad_()
    y = x * 1
    y[0, :] = 10.0
    y[1:, 1] = y[1:, 0]
    gg.sum(y * y).backward()
    assert y.tolist() == [[10.0, 10.0], [2.0, 2.0], [4.0, 4.0]]
    assert x.grad.tolist() == [[0.0, 0.0], [8.0, 0.0], [16.0, 0.0]]
    z = gg.asarray(backend.asarray(np.zeros(3)))
    z[1] = 2.0
    assert z.tolist() == [0.0, 2.0, 0.0]


@pytest.mark.parametrize("value", [1j, np.complex64(1j), np.asarray([1j]), gg.asarray([1j])], ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("recording", [False, True])
def test_complex_numbers_are_not_written_into_real_tensors(value, recording):
    """Half of each would be lost."""
    x = gg.zeros(2).requires_grad_() * 1.0 if recording else gg.zeros(2)
    with pytest.raises(TypeError, match=r"put: got .* for dtype float32"):
        x[:1] = value
    assert x.tolist() == [0, 0]
