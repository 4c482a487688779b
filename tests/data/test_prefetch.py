"""gpugrad.data.prefetch: batches made ahead, by a thread and on a stream of their own."""

import contextlib
import gc
import threading
import time

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays import pinned
from gpugrad.arrays.devices import import_cupy
from gpugrad.data import DataLoader, Dataset, TensorDataset

CUDA = gg.cuda.is_available()
STANDIN = CUDA and hasattr(import_cupy(), "standin")
needs_gpu = pytest.mark.skipif(not CUDA, reason="CuPy: there is no GPU here")

X = np.arange(60.0).reshape(20, 3)
Y = np.arange(20)
DATASET = TensorDataset(X, Y)


def loader_threads():
    return [t for t in threading.enumerate() if t.name.startswith("gpugrad-loader")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert loader_threads() == []


class Counting(Dataset):
    """Counts what was fetched; sample 5 fails if it is to."""

    def __init__(self, fail=False):
        self.fail = fail
        self.seen = []
        self.threads = set()

    def __getitem__(self, i):
        if self.fail and i == 5:
            raise LookupError("sample 5 is missing")
        self.seen.append(i)
        self.threads.add(threading.current_thread().name)
        return float(i), "text"

    def __len__(self):
        return 12


@pytest.mark.parametrize("ahead", [1, 3, 50])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_same_batches(device, ahead, shuffle):
    def batches(**options):
        gg.manual_seed(3)
        loader = DataLoader(DATASET, 6, shuffle=shuffle, device=device, **options)
        found = []
        for _ in range(2):
            for x, y in loader:
                assert x.device == y.device == gg.device("cuda:0" if device == "cuda" else "cpu")
                found.append((x.cpu().tolist(), y.cpu().tolist(), gg.random.normal().item()))
        return found

    expected = batches()
    assert batches(prefetch_factor=ahead) == expected
    assert [y for _, y, _ in expected[:4]] != [y for _, y, _ in expected[4:]] or not shuffle


def test_data_on_the_device(device):
    dataset = TensorDataset(gg.asarray(X, device=device), gg.asarray(Y, device=device))
    loader = DataLoader(dataset, 6, shuffle=True, prefetch_factor=2, generator=gg.random.Generator(1))
    expected = DataLoader(DATASET, 6, shuffle=True, generator=gg.random.Generator(1))
    for (x, y), (x_expected, y_expected) in zip(loader, expected, strict=True):
        assert (x + 0).cpu().tolist() == x_expected.tolist() and y.cpu().tolist() == y_expected.tolist()
        assert str(x.device).startswith(device)


def test_ahead_by_so_many_and_no_more():
    data = Counting()
    batches = iter(DataLoader(data, 2, prefetch_factor=2))
    assert data.seen == []
    assert next(batches)[0].tolist() == [0, 1]
    for _ in range(200):
        if len(data.seen) >= 6:
            break
        time.sleep(0.005)
    time.sleep(0.02)
    assert data.seen == list(range(6)) and {t.rpartition("_")[0] for t in data.threads} == {"gpugrad-loader"}
    assert [b[0].tolist() for b in batches] == [[2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]
    assert list(batches) == []


def test_an_error_in_the_thread_is_one_in_the_loop():
    found = []
    with pytest.raises(LookupError, match="sample 5 is missing") as error:
        for numbers, _ in DataLoader(Counting(fail=True), 2, prefetch_factor=3):
            found.append(numbers.tolist())
    assert found == [[0, 1], [2, 3]]
    assert "__getitem__" in {entry.name for entry in error.traceback}


def test_leaving_the_loop_ends_the_thread():
    data = Counting()
    for _ in DataLoader(data, 1, prefetch_factor=2):
        assert len(loader_threads()) == 1
        break
    gc.collect()
    assert loader_threads() == [] and len(data.seen) <= 4
    with pytest.raises(ZeroDivisionError):
        for _ in DataLoader(data, 1, prefetch_factor=2):
            1 / 0


def test_in_the_context_of_the_caller():
    class Recording(Dataset):
        def __getitem__(self, i):
            x = gg.tensor([1.0, 2.0], requires_grad=True) * 2
            return x.requires_grad, x.dtype.name

        def __len__(self):
            return 1

    with gg.no_grad():
        ((found, _),) = DataLoader(Recording(), prefetch_factor=1)
    assert found.tolist() == [False]


def test_other_samples_pass():
    loader = DataLoader(["a", "bb", "ccc"], 2, collate_fn=lambda samples: {"all": samples, "n": 1}, prefetch_factor=2)
    assert list(loader) == [{"all": ["a", "bb"], "n": 1}, {"all": ["ccc"], "n": 1}]


@pytest.mark.parametrize("factor", [0, -1, 1.5, True])
def test_factors_below_one(factor):
    with pytest.raises(ValueError, match=f"DataLoader: prefetch_factor is {factor}, expected an integer of 1 or more"):
        DataLoader(DATASET, prefetch_factor=factor)


def test_devices_that_are_not_there():
    for device in ("nowhere", "cuda:99"):
        with pytest.raises(gg.DeviceError):
            DataLoader(DATASET, device=device)


# On a GPU -----------------------------------------------------------------------------------------------------------


@needs_gpu
def test_copied_on_a_stream_of_its_own_in_order():
    """On the stand-in, using a batch before it is copied, or copying over one that is in use, raises."""
    total = gg.zeros(3, dtype=gg.float64, device="cuda")
    here = gg.cuda.Stream()
    here.wait_stream(gg.cuda.current_stream())
    with gg.cuda.stream(here):
        if STANDIN:
            before = here.cupy_stream.launched
        for _ in range(4):
            for x, _ in DataLoader(DATASET, 4, device="cuda", prefetch_factor=2):
                if STANDIN:
                    assert x.array._memory.uses.stream != (0, here.cupy_stream.ptr)
                    assert here.cupy_stream.launched == before  # nothing was copied on the consumer's stream
                total = total + gg.sum(x, axis=0)
                if STANDIN:
                    before = here.cupy_stream.launched
        assert total.cpu().tolist() == (4 * X.sum(axis=0)).tolist()


@pytest.mark.skipif(gg.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize("source", ["cpu", "cuda:0", "cuda:1"])
@pytest.mark.parametrize("target", ["cpu", 0, "cuda:1"])
@pytest.mark.parametrize("on_the_side", [False, True])
def test_from_and_to_gpus_that_are_not_current(source, target, on_the_side):
    """Data and batches may be on two GPUs; on the stand-in, what is not ordered on either raises."""
    with contextlib.ExitStack() as streams:
        for i in range(2 * on_the_side):  # also where the consumer has left the default streams
            streams.enter_context(gg.cuda.stream(gg.cuda.Stream(1 - i)))
        dataset = TensorDataset(gg.asarray(X, device=source), gg.asarray(Y, device=source))
        loader = DataLoader(dataset, 6, shuffle=True, device=target, prefetch_factor=2, generator=gg.random.Generator(1))
        expected = DataLoader(DATASET, 6, shuffle=True, generator=gg.random.Generator(1))
        for (x, y), (x_expected, y_expected) in zip(loader, expected, strict=True):
            assert x.device == y.device == gg.device("cuda:0" if target == 0 else target)
            assert (x + 0).cpu().tolist() == x_expected.tolist() and y.cpu().tolist() == y_expected.tolist()
        assert gg.cuda.current_device() == 0


@pytest.mark.skipif(gg.cuda.device_count() < 2, reason="needs two GPUs")
def test_the_gpu_that_is_current_at_the_first_batch_stays():
    batches = iter(DataLoader(DATASET, 4, device="cuda", prefetch_factor=2))
    found = [next(batches)[1]]
    gg.cuda.set_device(1)
    try:
        found += [y for _, y in batches]
        assert {str(y.device) for y in found} == {"cuda:0"} and gg.concat([y.cpu() for y in found]).tolist() == Y.tolist()
    finally:
        gg.cuda.set_device(0)


@pytest.mark.skipif(not STANDIN, reason="only the stand-in counts")
def test_the_host_does_not_wait():
    cupy = import_cupy()
    loader = DataLoader(DATASET, 4, shuffle=True, device="cuda", prefetch_factor=2)
    with cupy.standin.counting() as seen:
        for x, y in loader:
            gg.sum(x) + gg.sum(y)
    assert (seen.host_reads, seen.waits) == (0, 0), seen.reads


@pytest.mark.skipif(not STANDIN, reason="only the stand-in notices what is not ordered")
@pytest.mark.parametrize("lacking", ["wait_event", "record_stream"])
def test_without_the_precautions_the_standin_objects(monkeypatch, lacking):
    """Each of the two is needed: else these tests would show nothing."""
    cupy = import_cupy()
    gg.cuda.empty_cache()
    if lacking == "wait_event":
        monkeypatch.setattr(gg.cuda.Stream, "wait_event", lambda self, event: None)
    else:
        monkeypatch.setattr("gpugrad.data.prefetch.record_stream", lambda x, stream: None)
    with pytest.raises(cupy.cuda.order.Unordered), gg.cuda.stream(gg.cuda.Stream()):
        for _ in range(4):
            for x, _ in DataLoader(DATASET, 4, device="cuda", prefetch_factor=2):
                gg.sum(x)
    gg.cuda.synchronize()
    gg.cuda.empty_cache()


@needs_gpu
def test_pinned_batches():
    for x, y in DataLoader(DATASET, 8, pin_memory=True, prefetch_factor=2):
        assert pinned.is_pinned(x.array) and pinned.is_pinned(y.array)
        assert x.to("cuda", non_blocking=True).cpu().tolist() == x.tolist()


@pytest.mark.skipif(CUDA, reason="there is a GPU")
def test_pinned_batches_without_a_gpu(caplog):
    for _ in range(2):
        assert [y.tolist() for _, y in DataLoader(DATASET, 10, pin_memory=True)] == [Y[:10].tolist(), Y[10:].tolist()]
    assert len([r for r in caplog.records if "pin_memory is left out" in r.message]) <= 1
