"""gpugrad.compile.recurrent: kernels of whole layers on the CPU, held to the definitions."""

import numpy as np
import pytest

from gpugrad.compile import recurrent as native
from gpugrad.compile.handwritten import handwritten
from gpugrad.compile.runtime import get_num_threads, set_num_threads
from gpugrad.nn.functional import recurrent as definition
from gpugrad.nn.functional.cells import CELLS

if handwritten(native.__file__, "f", native._KERNELS) is None:
    pytest.skip("there is no C compiler here", allow_module_level=True)


@pytest.fixture
def threads():
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def arrays(cell, sizes, hidden, dtype="float64", bias=True, width=0, features=5):
    """The operands of the steps."""
    rng = np.random.default_rng(0)
    gates = CELLS[cell].gates * hidden
    n, columns = sizes[0], width or hidden
    of_weights = [(gates, features), (gates, columns), (gates,), (gates,), (columns, hidden)]
    made = [rng.normal(size=shape).astype(dtype) for shape in [(sum(sizes), features), (n, columns), (n, hidden), *of_weights]]
    made[3] /= np.sqrt(features).astype(dtype)
    made[4] /= np.sqrt(hidden).astype(dtype)
    if not CELLS[cell].memory:
        made[2] = None
    made[5:7] = made[5:7] if bias else [None, None]
    return [*made[:7], made[7] if width else None]


def both(cell, sizes, hidden, reverse, dtype="float64", bias=True, width=0, features=5):
    """Results and gradients by the kernels and by the definitions."""
    options = {"cell": cell, "sizes": sizes, "reverse": reverse}
    operands = arrays(cell, sizes, hidden, dtype, bias, width, features)
    found = []
    assert native.takes(cell, *operands)
    for steps, gradient in ((native.forward, native.backward), (definition._steps, definition._steps_gradient)):
        out, h, c, kept = steps(*(None if x is None else x.copy() for x in operands), **options)
        g = [None if x is None else np.cos(np.arange(x.size).reshape(x.shape)).astype(dtype) for x in (out, h, c)]
        found.append([out, h, c, *gradient(*g, operands[4], operands[7], kept, **options)])
    return found


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("sizes", "hidden"), [((2, 2, 2), 3), ((19, 19), 33), ((1,), 1), ((17, 9, 8, 3, 1), 16), ((9, 8, 8), 40)]
)
def test_kernels_agree_with_the_definition(cell, reverse, sizes, hidden):
    for x, y in zip(*both(cell, sizes, hidden, reverse), strict=True):
        assert (x is None) == (y is None)
        assert x is None or np.abs(x - y).max() < 1e-12


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("sizes", "hidden", "width"), [((2, 2, 2), 3, 1), ((17, 9, 8, 3, 1), 40, 33), ((19, 19), 33, 16)])
def test_projections_agree_with_the_definition(reverse, sizes, hidden, width):
    for x, y in zip(*both("LSTM", sizes, hidden, reverse, width=width), strict=True):
        assert np.abs(x - y).max() < 1e-12


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("features", [1, 16, 33, 40])
def test_few_and_many_features(cell, features):
    """Up to as many as the state has, the kernel multiplies them itself."""
    for x, y in zip(*both(cell, (17, 9, 8), 33, True, features=features), strict=True):
        assert x is y is None or np.abs(x - y).max() < 1e-12


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bias", [False, True])
def test_in_single_precision(cell, bias):
    for x, y in zip(*both(cell, (11, 11, 4), 21, False, "float32", bias), strict=True):
        assert x is None or (x.dtype == np.float32 and np.abs(x - y).max() < 3e-5 * max(1, np.abs(y).max()))


@pytest.mark.parametrize("cell", CELLS)
def test_the_number_of_threads_changes_nothing(cell, threads):
    found = []
    for n in (1, 3):
        threads(n)
        found.append(both(cell, (40,) * 20, 40, False, "float32")[0])
    assert all(x is y is None or np.array_equal(x, y) for x, y in zip(*found, strict=True))


def test_nan_stays_nan():
    """In the sequence that it came with."""
    options = {"cell": "RNN_RELU", "sizes": (3, 3), "reverse": False}
    x, *others = arrays("RNN_RELU", (3, 3), 4)
    x[1] = np.nan
    out = native.forward(x, *others, **options)[0]
    assert np.isnan(out[1::3]).all() and np.isfinite(out[::3]).all() and np.isfinite(out[2::3]).all()


def test_operands_are_not_written_to():
    options = {"cell": "LSTM", "sizes": (3, 3), "reverse": False}
    operands = arrays("LSTM", (3, 3), 4)
    for x in operands[:-1]:
        x.flags.writeable = False
    out, h, c, kept = native.forward(*operands, **options)
    g = [np.broadcast_to(np.float64(1), x.shape) for x in (out, h, c)]
    before = out.copy()
    assert all(np.isfinite(x).all() for x in native.backward(*g, operands[4], None, kept, **options)[:5])
    assert np.array_equal(out, before)


def test_what_has_no_kernel():
    x, h = np.zeros((2, 4)), np.zeros((2, 1))
    assert native.takes("LSTM", x, h, None)
    assert not native.takes("LSTM", x, h.astype("float32"), None)
    assert not native.takes("LSTM", x.astype(">f8"), h.astype(">f8"), None)
    assert not native.takes("LSTM", x.astype("float16"), h.astype("float16"), None)
    assert not native.takes("LSTM", x[:0], h[:0], None)
    assert not native.takes("MINE", x, h, None)
    assert not native.takes("LSTM", x, h, np.zeros((1, 1)))
