"""gpugrad.files: save and load."""

import contextlib
import json
import math
import os
import pickle
import re
import struct
import tracemalloc
import zipfile

import hypothesis.strategies as st
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, FileFormatError

STATE = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.array([1.5, 2.5])}
DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


@pytest.fixture
def whole(path):
    gg.save(STATE, path)
    return path.read_bytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 4)])
def test_round_trip(path, dtype, shape):
    array = np.asarray(np.random.default_rng(0).integers(0, 2, shape)).astype(dtype)
    gg.save({"x": gg.asarray(array), "y": array}, path)
    loaded = gg.load(path)
    assert sorted(loaded) == ["x", "y"]
    for x in loaded.values():
        assert isinstance(x, gg.Tensor) and not x.requires_grad
        assert x.dtype == dtype and x.shape == shape
        assert np.array_equal(x.numpy(), array)


def test_views_keep_their_values(path):
    base = np.arange(24.0).reshape(4, 6)
    gg.save({"transposed": base.T, "strided": base[::2, ::-1]}, path)
    loaded = gg.load(path)
    assert np.array_equal(loaded["transposed"].numpy(), base.T)
    assert np.array_equal(loaded["strided"].numpy(), base[::2, ::-1])


def test_tensors_that_record_and_shared_memory(path):
    layer = nn.Linear(2, 2)
    gg.save({"a": layer.weight, "b": layer.weight}, path)
    assert gg.load(path)["b"].tolist() == layer.weight.tolist()


def test_other_programs_read_the_file(path):
    gg.save(STATE, path, metadata={"format": "np"})
    read = safetensors.numpy.load_file(path)
    assert all(np.array_equal(read[name], STATE[name]) for name in STATE)


def test_files_of_other_programs(path):
    safetensors.numpy.save_file(STATE, path)
    assert gg.load(path)["weight"].tolist() == STATE["weight"].tolist()


def test_loads_onto_a_device(path, device):
    gg.save(STATE, path)
    assert str(gg.load(path, device=device)["bias"].device).startswith(device)


def test_what_is_no_array_is_refused_and_nothing_written(path):
    with pytest.raises(DTypeError, match="save: 'step' is set, expected a Tensor, an array, a number, a string"):
        gg.save({"x": np.ones(2), "step": {3}}, path)
    assert os.listdir(path.parent) == []


def test_a_failed_save_leaves_the_old_file(path, whole, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(safetensors.numpy, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        gg.save({"x": np.ones(3)}, path)
    assert path.read_bytes() == whole
    assert os.listdir(path.parent) == [path.name]


def test_no_file(path):
    with pytest.raises(FileNotFoundError):
        gg.load(path)


def assert_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(
        FileFormatError, match=re.escape(f"load: {path} is not a whole safetensors file of {len(content)} bytes: ")
    ):
        gg.load(path)


def test_truncated_anywhere(path, whole):
    for size in range(len(whole)):
        assert_refused(path, whole[:size])


def test_trailing_bytes(path, whole):
    assert_refused(path, whole + b"\0")


def test_foreign_files(path):
    for content in (
        b"",
        b"PK\x03\x04" + bytes(100),
        b"\x80\x04\x95" + bytes(60),
        b"\x93NUMPY" + bytes(200),
        b"not a model\n" * 20,
    ):
        assert_refused(path, content)


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**32, 2**62, 2**63, 2**64 - 1])
def test_hostile_header_lengths(path, whole, length):
    assert_refused(path, struct.pack("<Q", length) + whole[8:])


def with_header(header, data=b"\0" * 8):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "header",
    [
        b"{",
        b"[]",
        b"\xff\xfe{}",
        b"[" * 5000,
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 16]}},  # beyond the end
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}},
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}},
        {"x": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}},  # a shape that does not fit the bytes
        {"x": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
        {"x": {"dtype": "F32", "shape": [2**33, 2**33], "data_offsets": [0, 8]}},  # overflows
        {
            "x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
            "y": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        },
        {"x": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}},  # a hole, where anything could hide
        {"x": {"dtype": "object", "shape": [1], "data_offsets": [0, 8]}},
        {"x": {"shape": [2], "data_offsets": [0, 8]}},
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], "more": 1}},
        {"x": {"dtype": "F32", "shape": [True, 2], "data_offsets": [0, 8]}},
        {"x": {"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]}},
        {"x": {"dtype": "F32", "shape": "2", "data_offsets": [0, 8]}},
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4, 8]}},
        {"x": {"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]}},
        {"x": {"dtype": "F32", "shape": [0, 2**70], "data_offsets": [0, 0]}},
        {"x": {"dtype": "F32", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}},
        {"x": {"dtype": "F32", "shape": [2] + [1] * 70, "data_offsets": [0, 8]}},
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": {"step": 1}},
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": ["pt"]},
        {"x": None},
        b'{"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}',
        b'{"x": {"dtype": "F32", "dtype": "I32", "shape": [2], "data_offsets": [0, 8]}}',
        b'{"\\ud800": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}',
        b'{"x": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, Infinity]}}',
        b'{"x": {"dtype": "F32", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 8]}}',
        b'{"x": ' + b'{"x": ' * 100_000 + b"}" * 100_001,
        b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"1",
    ],
)
def test_hostile_headers(path, header):
    assert_refused(path, with_header(header))


def test_dtypes_that_numpy_lacks(path):
    """A file that is whole, but holds something that there is no dtype for."""
    path.write_bytes(with_header({"x": {"dtype": "F8_E8M0", "shape": [8], "data_offsets": [0, 8]}}))
    with pytest.raises(FileFormatError, match="holds arrays of dtype 'F8_E8M0', which NumPy lacks"):
        gg.load(path)


def test_nothing_is_half_loaded(path, whole):
    """From the file to the model: a truncated file, and a whole one for another model."""
    layer = nn.Linear(3, 2)
    before = {name: x.numpy().copy() for name, x in layer.state_dict().items()}
    path.write_bytes(whole[:-1])
    with pytest.raises(FileFormatError):
        layer.load_state_dict(gg.load(path))
    gg.save({"weight": np.zeros((2, 3)), "bias": np.zeros(3)}, path)
    with pytest.raises(
        FileFormatError, match=r"load_state_dict: the state does not fit Linear: bias has shape \(3,\), expected \(2,\)"
    ):
        layer.load_state_dict(gg.load(path))
    for name, x in layer.state_dict().items():
        assert np.array_equal(x.numpy(), before[name])


def test_what_was_loaded_can_be_changed(path):
    gg.save(STATE, path)
    x = gg.load(path)["bias"]
    x += 1
    assert x.tolist() == [2.5, 3.5]


def test_a_model_is_no_dict(path):
    with pytest.raises(DTypeError, match=r"^save: got Linear, expected named Tensors or arrays; pass model.state_dict\(\)$"):
        gg.save(nn.Linear(2, 2), path)
    with pytest.raises(DTypeError, match="^save: got list, expected named Tensors or arrays in a dict$"):
        gg.save([1.0], path)
    assert os.listdir(path.parent) == []


def test_saving_into_a_folder_that_does_not_exist(path):
    folder = path.parent / "missing"
    with pytest.raises(FileNotFoundError, match=re.escape(f"save: there is no such folder: '{folder}'")) as caught:
        gg.save(STATE, folder / path.name)
    assert caught.value.filename == str(folder)


def test_bfloat16_is_widened(path):
    values = np.array([[1.0, -2.5, 3.140625], [np.inf, 2.0**-126, -0.0]], np.float32)
    bits = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    half = np.array([0.5, 1.5], np.float16)
    header = {
        "x": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
        "y": {"dtype": "F16", "shape": [2], "data_offsets": [12, 16]},
        "empty": {"dtype": "BF16", "shape": [0, 2], "data_offsets": [16, 16]},
    }
    path.write_bytes(with_header(header, bits + half.tobytes()))
    loaded = gg.load(path)
    assert loaded["x"].dtype == gg.float32
    np.testing.assert_array_equal(loaded["x"].numpy().view(np.uint32), values.view(np.uint32))
    assert loaded["y"].dtype == gg.float16 and loaded["y"].tolist() == [0.5, 1.5]
    assert loaded["empty"].shape == (0, 2)
    loaded["x"][0, 0] = 7.0  # writable


def test_truncated_bfloat16(path):
    whole = with_header({"x": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}})
    for size in range(len(whole)):
        assert_refused(path, whole[:size])


def test_names_come_in_order(path):
    gg.save({name: np.ones(1) for name in "gdacfbe"}, path)
    assert list(gg.load(path)) == list("abcdefg")


def test_zero_dimensional_tensors_and_counts(path):
    """As the number of batches that a batch norm has seen."""
    path.write_bytes(with_header({"n": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}}, struct.pack("<q", 2**40)))
    loaded = gg.load(path)["n"]
    assert loaded.shape == () and loaded.dtype == gg.int64 and loaded.item() == 2**40
    gg.save({"n": loaded}, path)
    assert gg.load(path)["n"].item() == 2**40


def test_a_header_with_spaces_behind_it(path):
    """For which the format allows, so that the data can begin where it should."""
    text = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode() + b" " * 7
    path.write_bytes(struct.pack("<Q", len(text)) + text + struct.pack("<f", 1.5))
    assert gg.load(path)["x"].tolist() == [1.5]


def test_memory_is_that_of_the_arrays(path):
    """Not of the file beside them; and of a file that is refused none."""
    gg.save({str(i): np.ones(2**18, np.float32) for i in range(8)}, path)
    size, whole = path.stat().st_size, path.read_bytes()
    for content, limit in ((whole, 1.1 * size), (whole[:-1], 0.05 * size), (struct.pack("<Q", 2**40) + whole[8:], 0.05 * size)):
        path.write_bytes(content)
        tracemalloc.start()
        try:
            gg.load(path)
        except FileFormatError:
            assert len(content) < size or content[:8] != whole[:8]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < limit


_NUMBERS = st.one_of(st.integers(-2, 20), st.sampled_from([2**31, 2**32, 2**63, 2**64, -(2**63), 1.5, None, "1", True]))
_ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "F64", "I64", "BF16", "BOOL", "F8_E4M3", "f32", "", None, 3]),
        "shape": st.lists(_NUMBERS, max_size=4),
        "data_offsets": st.lists(_NUMBERS, min_size=1, max_size=3),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(header=st.dictionaries(st.text(max_size=3), st.one_of(_ENTRY, _NUMBERS), max_size=3), size=st.integers(0, 64))
def test_any_header_loads_whole_or_is_refused(path, header, size):
    path.write_bytes(with_header(header, bytes(size)))
    try:
        loaded = gg.load(path)
    except FileFormatError:
        return
    assert sum(x.array.size for x in loaded.values()) <= size


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(data=st.data())
def test_changed_bytes_load_or_are_refused(path, data):
    gg.save(STATE, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(FileFormatError):
        assert all(isinstance(x, gg.Tensor) for x in gg.load(path).values())


def test_files_of_pytorch_and_pickles_say_what_to_do(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"")
    with pytest.raises(
        FileFormatError, match=r"if torch.save wrote it, convert it in PyTorch with safetensors.torch.save_file"
    ):
        gg.load(path)
    path.write_bytes(pickle.dumps({}, protocol=2))
    with pytest.raises(FileFormatError, match="it is a pickle, which could execute anything"):
        gg.load(path)


def test_a_run_is_resumed_from_one_file(path):
    """Model, optimizer, schedule, scaler: what they compute afterwards is the same, bit for bit."""

    def run():
        gg.manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = gg.optim.AdamW(model.parameters(), lr=0.1)
        return model, optimizer, gg.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10), gg.amp.GradScaler()

    def steps(model, optimizer, scheduler, scaler):
        for _ in range(3):
            optimizer.zero_grad()
            scaler.scale((model(np.ones((4, 3), np.float32)) ** 2).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
        return [p.detach().numpy().copy() for p in model.parameters()]

    first = run()
    steps(*first)
    names = ("model", "optimizer", "scheduler", "scaler")
    gg.save({**{name: x.state_dict() for name, x in zip(names, first, strict=True)}, "epoch": 3, "best": np.float32(0.5)}, path)
    second, loaded = run(), gg.load(path)
    for name, x in zip(names, second, strict=True):
        x.load_state_dict(loaded[name])
    assert (loaded["epoch"], loaded["best"]) == (3, 0.5)
    for x, y in zip(steps(*first), steps(*second), strict=True):
        assert np.array_equal(x, y)


def test_containers_come_back_as_they_were(path):
    given = {
        "a": [1, (2.5, None, "x"), {}],
        7: {"b": np.arange(3)},
        "inf": [math.inf, -math.inf],
        True: False,
        "a/0": np.ones(2),
    }
    gg.save(given, path)
    found = gg.load(path)
    arrays = [found[7].pop("b"), found.pop("a/0")]
    assert [x.tolist() for x in arrays] == [[0, 1, 2], [1, 1]]
    assert found == {"a": [1, (2.5, None, "x"), {}], 7: {}, "inf": [math.inf, -math.inf], True: False}
    assert [type(x) for x in found] == [str, int, str, bool]


def test_a_model_is_saved_by_its_state(path):
    with pytest.raises(DTypeError, match=r"save: 'model' is Linear, expected a Tensor.*; pass its state_dict\(\)"):
        gg.save({"model": nn.Linear(2, 3)}, path)
    with pytest.raises(DTypeError, match="save: 'x' has a key of type tuple, expected a string or a number"):
        gg.save({"x": {(1, 2): np.ones(2)}}, path)
    assert not path.exists()


@pytest.mark.parametrize(
    "structure",
    ["", "3", "[]", "{}", '{"dict": 3}', '{"dict": [[1]]}', '{"dict": [[[], 1]]}', '{"array": "nothing"}', '{"list": []}',
     '{"dict": [["x", {"array": "x"}], ["y", {"array": "x"}]]}', '{"dict": []}', '{"list": ' * 100_000, '{"code": "x"}'],
)  # fmt: skip
def test_a_structure_that_save_did_not_write_is_refused(path, structure):
    safetensors.numpy.save_file({"x": np.ones(2)}, path, metadata={"gpugrad.structure": structure})
    with pytest.raises(FileFormatError, match="is not a whole safetensors file"):
        gg.load(path)
