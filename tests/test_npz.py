"""gpugrad.npz: .npz files, also hostile ones."""

import contextlib
import io
import pickle
import struct
import tracemalloc
import zipfile

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from gpugrad.errors import FileFormatError
from gpugrad.npz import read

ARRAYS = {
    "a/W": np.arange(6, dtype=np.float32).reshape(2, 3), "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big": np.arange(3, dtype=">i4"), "empty": np.zeros((0, 3)), "scalar": np.asarray(5), "flag": np.asarray([True, False]),
    "half": np.ones(2, np.float16), "complex": np.ones(2, np.complex64),
}  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.npz"


def everything(path):
    return read(path, lambda keys: keys, "load")


def npy(header, data=b"", version=1):
    text = header if isinstance(header, bytes) else repr(header).encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def archive(path, entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in entries.items():
            file.writestr(name, content)


HEADER = {"descr": "<f4", "fortran_order": False, "shape": (2,)}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_round_trip(path, save):
    save(path, **ARRAYS)
    found = everything(path)
    assert found.keys() == ARRAYS.keys()
    for name, x in found.items():
        assert x.shape == ARRAYS[name].shape and x.dtype == ARRAYS[name].dtype.newbyteorder("=") and x.flags.c_contiguous
        assert np.array_equal(x, ARRAYS[name])


def test_only_what_is_chosen_is_read(path):
    np.savez(path, a=np.ones(2), b=np.array([{}], object))
    assert list(read(path, lambda keys: keys[:1], "load")) == ["a"]


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ({"x.npy": npy(HEADER, b"\0" * 4)}, "'x' of shape (2,) and dtype float32 has 4 bytes"),
        ({"x.npy": npy(HEADER, b"\0" * 12)}, "'x' of shape (2,) and dtype float32 has 12 bytes"),
        ({"x.npy": npy({**HEADER, "shape": (2**40, 2**40)}, b"\0" * 8)}, "has 8 bytes"),
        ({"x.npy": npy({**HEADER, "shape": (0, 2**65)})}, "has 0 bytes"),
        ({"x.npy": npy({**HEADER, "shape": (-2, -1)}, b"\0" * 8)}, "expected that of an array of numbers"),
        ({"x.npy": npy({**HEADER, "shape": (True, 2)}, b"\0" * 8)}, "expected that of"),
        ({"x.npy": npy({**HEADER, "descr": "|O"}, pickle.dumps([1]))}, "'descr': '|O'"),
        ({"x.npy": npy({**HEADER, "descr": "<U2"}, b"\0" * 16)}, "'descr': '<U2'"),
        ({"x.npy": npy({**HEADER, "descr": [("f", "|O")]}, b"\0" * 16)}, "expected that of an array of numbers"),
        ({"x.npy": npy(b"{" * 3000)}, "expected that of"),
        ({"x.npy": npy(b"(" * 500 + b")" * 500)}, "expected that of"),
        ({"x.npy": npy(b"__import__('os').system('true')")}, "expected that of"),
        ({"x.npy": npy(b" " * 60_000)}, "'x' has a header of 60000 bytes"),
        ({"x.npy": npy(b"\xff\xfe")}, "expected that of"),
        ({"x.npy": npy({**HEADER, "descr": "<f3"}, b"\0" * 8)}, "data type '<f3' not understood"),
        ({"x.npy": npy({**HEADER, "shape": (1,) * 65}, b"\0" * 4)}, "maximum supported dimension"),
        ({"x.npy": npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"1" * 4000)}, "expected that of"),
        ({"x.npy": npy(HEADER, version=9)}, "'x' is no array"),
        ({"x.npy": b""}, "'x' is no array"),
        ({"x.npy": pickle.dumps([1])}, "'x' is no array"),
        ({"x": npy(HEADER, b"\0" * 8)}, "'x' is no array"),
    ],
)
def test_hostile_arrays(path, entries, text):
    archive(path, entries)
    with pytest.raises(FileFormatError, match="^load: .* is not a whole .npz file of arrays: ") as caught:
        everything(path)
    assert text in str(caught.value)


def test_hostile_archives(path):
    for content in (
        b"",
        b"PK\x05\x06" + bytes(10),
        b"\x80\x04\x95" + bytes(60),
        np.ones(3).tobytes(),
        b"PK\x03\x04" + bytes(100),
    ):
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match="^load: "):
            everything(path)


def test_the_same_name_twice(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", npy(HEADER, b"\0" * 8))
        file.writestr("y.npy", npy(HEADER, b"\0" * 8))
    path.write_bytes(path.read_bytes().replace(b"y.npy", b"x.npy"))
    with pytest.raises(FileFormatError, match="'x' occurs twice"):
        everything(path)


def test_other_ways_of_packing(path):
    archive(path, {"x.npy": npy(HEADER, b"\0" * 8)}, zipfile.ZIP_LZMA)
    with pytest.raises(FileFormatError, match="'x' is packed by method 14, expected none, or deflate"):
        everything(path)


def test_truncated_anywhere(path):
    np.savez_compressed(path, x=np.arange(4.0), y=np.ones(3))
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(FileFormatError):
            everything(path)


def test_bombs_are_not_unpacked(path):
    """A few hundred kilobytes that would become hundreds of megabytes: refused by what the directory says."""
    size = 2**27
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("x.npy", "w") as stream:
        stream.write(npy({**HEADER, "shape": (size // 4,)}))
        for _ in range(size // 2**20):
            stream.write(bytes(2**20))
    assert path.stat().st_size < 2**19
    tracemalloc.start()
    with pytest.raises(FileFormatError, match=r"it would unpack from \d+ to \d+ bytes, as weights do not"):
        everything(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_directory_that_lies_about_sizes(path):
    """Says little, holds much; and says much, holds little."""
    for said, held in ((2, 5000), (5000, 2)):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("x.npy", npy({**HEADER, "shape": (said,)}, bytes(4 * held)))
        true = struct.pack("<I", len(npy({**HEADER, "shape": (said,)})) + 4 * held)
        false = struct.pack("<I", len(npy({**HEADER, "shape": (said,)})) + 4 * said)
        path.write_bytes(content.getvalue().replace(true, false))
        with pytest.raises(FileFormatError):
            everything(path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(data=st.data())
def test_changed_bytes_never_do_anything_else(path, data):
    """Bytes of a whole file changed at random: the file still loads, or is refused."""
    np.savez_compressed(path, x=np.arange(4.0), y=np.ones(3, np.int8))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(FileFormatError):
        assert all(isinstance(x, np.ndarray) for x in everything(path).values())
