"""gpugrad.arrays.random and philox.cu: the stream of bits, the distributions, the Generator.

The CUDA kernel is tested without a GPU: g++ compiles philox.cu through the header of tests/standin. A stand-in for CuPy that launches that
kernel and otherwise is NumPy then runs the GPU's path through the Generator. The last tests need a real GPU.
"""

import copy
import ctypes
import math
import mmap
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from gpugrad.arrays import devices, random
from gpugrad.arrays.random import Generator, bits
from gpugrad.errors import DeviceError, DTypeError, ShapeError

WORD = (1 << 64) - 1

# counter, key, block: Random123's known answers for philox4x64 with 10 rounds (tests/kat_vectors).
KNOWN_ANSWERS = [
    (
        (0, 0, 0, 0),
        (0, 0),
        (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
    ),
    (
        (WORD, WORD, WORD, WORD),
        (WORD, WORD),
        (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
    ),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
]

# Offsets of which some block's counter carries into the second, third and fourth word, and over the end.
OFFSETS = [0, 1, 12345, 2**32 - 2, 2**64 - 3, 2**128 - 3, 2**192 - 3, 2**256 - 3]
SEEDS = [0, 1, 2**64 - 1, 2**64 + 5, 2**128 - 1]


def philox(counter, key):
    """One block, written after the paper."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p, q = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [q >> 64 ^ c[1] ^ k[0], q & WORD, p >> 64 ^ c[3] ^ k[1], p & WORD]
        k = [(k[0] + 0x9E3779B97F4A7C15) & WORD, (k[1] + 0xBB67AE8584CAA73B) & WORD]
    return c


def limbs(number, count):
    """A number as 64-bit words, the lowest first."""
    return [number >> 64 * i & WORD for i in range(count)]


def stream(seed, offset, count):
    """The words that bits(seed, offset, count) should return, for seeds below 2**128."""
    blocks = (philox(limbs(offset + 1 + i, 4), limbs(seed, 2)) for i in range(-(-count // 4)))
    return np.array([word for block in blocks for word in block][:count], dtype=np.uint64)


def words(*values):
    """A draw that gives these 64-bit words, whatever number of them is asked for."""

    def draw(count):
        yield np.resize(np.array(values, dtype=np.uint64), count)

    return draw


# ------------------------------------------------------------------------------------------------------------------ bits


@pytest.mark.parametrize(("counter", "key", "block"), KNOWN_ANSWERS)
def test_known_answers(counter, key, block):
    number = sum(limb << 64 * i for i, limb in enumerate(counter))
    seed = key[0] | key[1] << 64
    assert tuple(philox(counter, key)) == block
    assert tuple(bits(seed, (number - 1) % 2**256, 4).tolist()) == block


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("offset", OFFSETS)
def test_bits_are_the_paper_s_and_numpy_s(seed, offset):
    got = bits(seed, offset, 23)
    assert got.dtype == np.uint64 and got.shape == (23,)
    np.testing.assert_array_equal(got, stream(seed, offset, 23))
    np.testing.assert_array_equal(got, np.random.Philox(key=seed, counter=offset).random_raw(23))


def test_a_range_of_bits_can_be_drawn_in_parts():
    whole = bits(7, 0, 100)
    np.testing.assert_array_equal(whole, np.concatenate([bits(7, 0, 36), bits(7, 9, 64)]))
    np.testing.assert_array_equal(whole[:37], bits(7, 0, 37))


def test_no_bits():
    assert bits(0, 0, 0).shape == (0,)


def test_big_seeds_differ_from_their_remainders_and_from_each_other():
    seeds = [5, 5 + 2**128, 5 + 2**129, 5 + 2**1000]
    assert len({bits(seed, 0, 1).item() for seed in seeds}) == len(seeds)
    # Pinned: a seed must mean the same stream in every release.
    np.testing.assert_array_equal(bits(2**128, 0, 5), bits(0x9C9B6260BC11A37FCC481B4E8D740E8D, 0, 5))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((-1, 0, 4), ValueError, "seed.*non-negative.*-1"),
        ((1.5, 0, 4), DTypeError, "seed must be an int, got 1.5"),
        ((0, -1, 4), ValueError, "offset.*-1"),
        ((0, 2**256, 4), ValueError, "offset"),
        ((0, 0, -4), ShapeError, "count must be at least 0, got -4"),
        ((0, 0, 4, "gpu"), DeviceError, "'gpu'"),
        ((0, 0, 4, -1), DeviceError, "-1"),
        ((0, 0, 4, True), DeviceError, "True"),
    ],
)
def test_bits_refuses(arguments, error, words):
    with pytest.raises(error, match=words):
        bits(*arguments)


@pytest.mark.parametrize("offset", [0, 2**64 - 2, 2**128 - 1, 2**256 - 1])
def test_words_of_a_state_without_a_kernel(offset):
    for count in (0, 1, 4, 7, 23):
        found = random._words_at(np, random.state(2**128 - 3, offset), count)
        np.testing.assert_array_equal(found, random.bits(2**128 - 3, offset, count), strict=True)


def test_without_cupy_a_cuda_device_is_a_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # import then fails
    with pytest.raises(DeviceError, match="CUDA needs CuPy, which cannot be imported"):
        bits(0, 0, 4, 0)


def test_importing_the_module_and_using_the_cpu_does_not_import_cupy():
    code = "import sys; from gpugrad.arrays.random import Generator; Generator(0).normal(3); print('cupy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# ---------------------------------------------------------------------------------------------------- the CUDA kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """philox.cu as a shared library for the CPU."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed, so philox.cu cannot be compiled for the CPU")
    sources = Path(random.__file__).with_name("cuda")
    header = Path(__file__).parents[1] / "standin" / "cupy" / "_kernels" / "cuda"
    folder = tmp_path_factory.mktemp("philox")
    arguments = "u64* out, u64 count, u64 key0, u64 key1, u64 c0, u64 c1, u64 c2, u64 c3"
    passed = "out, count, key0, key1, c0, c1, c2, c3"
    (folder / "philox.cpp").write_text(f"""
#include "cuda_on_cpu.h"
uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
#include "{sources / "common.h"}"
#include "{sources / "philox.cu"}"
extern "C" void launch_thread(unsigned grid, unsigned block, unsigned b, unsigned t, {arguments})
{{
    gridDim.x = grid, blockDim.x = block, blockIdx.x = b, threadIdx.x = t;
    philox_bits({passed});
}}
extern "C" void launch(unsigned grid, unsigned block, {arguments})
{{
    for (unsigned b = 0; b < grid; ++b)
        for (unsigned t = 0; t < block; ++t) launch_thread(grid, block, b, t, {passed});
}}
""")
    command = [compiler, "-std=c++17", "-O1", "-shared", "-fPIC", f"-I{header}", "philox.cpp", "-o", "philox.so"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    library = ctypes.CDLL(str(folder / "philox.so"))
    tail = [ctypes.c_void_p, *[ctypes.c_uint64] * 7]
    library.launch.argtypes = [ctypes.c_uint, ctypes.c_uint, *tail]
    library.launch_thread.argtypes = [*[ctypes.c_uint] * 4, *tail]
    return library


def kernel_arguments(seed, offset):
    return *limbs(seed, 2), *limbs(offset + 1, 4)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("offset", OFFSETS)
def test_the_kernel_makes_numpy_s_stream(kernel, seed, offset):
    for count in (1, 2, 3, 4, 5, 31, 32, 101):
        guarded = np.full(count + 8, 0xABCD, dtype=np.uint64)
        assert guarded.ctypes.data % 16 == 0  # as every CuPy allocation
        kernel.launch(2, 4, guarded.ctypes.data, count, *kernel_arguments(seed, offset))
        np.testing.assert_array_equal(guarded[:count], np.random.Philox(key=seed, counter=offset).random_raw(count))
        assert (guarded[count:] == 0xABCD).all()  # nothing written past the end


@pytest.mark.parametrize(("grid", "block"), [(1, 1), (1, 32), (3, 5), (64, 256)])
def test_the_kernel_s_grid_does_not_matter(kernel, grid, block):
    out = np.zeros(1002, dtype=np.uint64)
    kernel.launch(grid, block, out.ctypes.data, out.size, *kernel_arguments(11, 3))
    np.testing.assert_array_equal(out, bits(11, 3, 1002))


def test_the_kernel_counts_in_64_bits(kernel):
    count = 2**35  # 2**33 blocks
    try:
        # 256 GiB of address space, of which only the pages written to come to be. 0x4000 is Linux's MAP_NORESERVE.
        memory = mmap.mmap(-1, 8 * count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
    except (OSError, AttributeError) as error:
        pytest.skip(f"no 256 GiB of address space here: {error}")
    grid, block = 2**25 - 1, 256
    last = grid * block - 1
    out = np.frombuffer(memory, dtype=np.uint64)
    kernel.launch_thread(grid, block, grid - 1, block - 1, out.ctypes.data, count, *kernel_arguments(11, 0))
    np.testing.assert_array_equal(out[4 * last : 4 * last + 4], bits(11, last, 4))
    del out
    memory.close()


@pytest.fixture
def stand_in(kernel, monkeypatch):
    """Makes device 0 a GPU whose arrays are NumPy's, whose words are philox.cu's on the CPU, and which makes no samples in one pass."""
    launched = []

    class StandIn:
        cuda = SimpleNamespace(Device=lambda index: current_device(index), runtime=SimpleNamespace(getDeviceCount=lambda: 1))

        def __getattr__(self, name):
            return getattr(np, name)

    def current_device(index):
        assert index == 0
        return nullcontext()

    def words(key, block, count):
        launched.append(count)
        out = np.empty(count, np.uint64)
        kernel.launch(3, 4, out.ctypes.data, count, *kernel_arguments(key, block))
        return out

    refused = dict.fromkeys(["uniform", "normal", "below"], lambda *arguments: NotImplemented)
    monkeypatch.setattr(devices, "import_cupy", StandIn)
    monkeypatch.setattr(random, "import_cupy", StandIn)
    monkeypatch.setattr(random, "_cuda_kernels", lambda: SimpleNamespace(bits=words, compiling=nullcontext, **refused))
    return launched


@pytest.mark.parametrize("seed", [*SEEDS, 2**200])
@pytest.mark.parametrize("offset", OFFSETS)
def test_cuda_bits_pass_the_right_arguments(stand_in, seed, offset):
    np.testing.assert_array_equal(bits(seed, offset, 2051, 0), bits(seed, offset, 2051))
    assert stand_in == [2051]


def test_a_cuda_device_that_does_not_exist(stand_in):
    with pytest.raises(DeviceError, match=r"device 'cuda:3': this machine has 1 GPU\(s\)"):
        Generator(0).uniform(4, device=3)


# ------------------------------------------------------------------------------------------------------ distributions

# name, arguments, dtype: every branch of every distribution.
SAMPLERS = [
    ("uniform", (), np.float16),
    ("uniform", (), np.float32),
    ("uniform", (-3.5, 2.25), np.float32),
    ("uniform", (1e4, 1e4 + 1), np.float32),
    ("uniform", (-3.5, 2.25), np.float64),
    ("normal", (), np.float16),
    ("normal", (), np.float32),
    ("normal", (2.0, 3.0), np.float32),
    ("normal", (2.0, 3.0), np.float64),
    ("integers", (-5, 10), np.int8),
    ("integers", (0, 2**32), np.int64),
    ("integers", (-3, 2**40), np.int64),
    ("integers", (0, 2**64), np.uint64),
    ("bernoulli", (0.3,), None),
    ("bernoulli", (1e-5,), None),
    ("bernoulli", (1.0,), None),
]


def sample(generator, name, shape, arguments, dtype, device=None):
    keywords = {} if dtype is None else {"dtype": dtype}
    return getattr(generator, name)(shape, *arguments, **keywords, device=device)


@pytest.mark.parametrize(("name", "arguments", "dtype"), SAMPLERS)
@pytest.mark.parametrize("shape", [(), 0, 7, (3, 0), (3, 5), (40_001,)])
def test_shape_dtype_and_the_same_samples_and_offset_on_every_device(stand_in, name, arguments, dtype, shape):
    # 40,001 samples are more than one piece on the CPU and one launch on the GPU.
    cpu, cuda = Generator(3, 8), Generator(3, 8)
    got = sample(cpu, name, shape, arguments, dtype)
    assert got.shape == ((shape,) if isinstance(shape, int) else shape)
    assert got.dtype == (bool if dtype is None else dtype)
    np.testing.assert_array_equal(got, sample(cuda, name, shape, arguments, dtype, device=0))
    assert cpu.get_state() == cuda.get_state()


@pytest.mark.parametrize(("name", "arguments", "dtype"), SAMPLERS)
def test_a_short_draw_is_the_beginning_of_a_long_one(name, arguments, dtype):
    short = sample(Generator(3), name, 33, arguments, dtype)
    np.testing.assert_array_equal(short, sample(Generator(3), name, 40_000, arguments, dtype)[:33])


@pytest.mark.parametrize(
    ("name", "arguments", "dtype", "blocks"),
    [
        ("uniform", (), np.float16, 2),  # 9 samples of half a word
        ("uniform", (), np.float32, 2),
        ("uniform", (), np.float64, 3),
        ("normal", (), np.float32, 2),  # 5 pairs of one word
        ("normal", (), np.float64, 3),  # 5 pairs of two
        ("integers", (0, 2**32), np.int64, 3),
        ("integers", (0, 2**32 + 1), np.int64, 5),
        ("bernoulli", (0.5,), None, 2),
        ("bernoulli", (0.0,), None, 3),
        ("bernoulli", (1.0,), None, 3),
    ],
)
def test_blocks_taken(name, arguments, dtype, blocks):
    # Pinned: another number would shift all that a program draws afterwards.
    generator = Generator(0)
    sample(generator, name, 9, arguments, dtype)
    assert generator.offset == blocks


def test_uniform_is_made_of_the_top_bits_low_half_first():
    raw = bits(5, 0, 50)
    halves = np.stack([raw & 0xFFFFFFFF, raw >> np.uint64(32)], axis=-1).ravel()
    np.testing.assert_array_equal(Generator(5).uniform(100), (halves >> np.uint64(8)) / 2**24)
    np.testing.assert_array_equal(Generator(5).uniform(50, dtype=np.float64), (raw >> np.uint64(11)) / 2**53)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_uniform_at_the_extremes(dtype):
    lowest = random.uniform(np, words(0), 4, -1.0, 3.0, dtype)
    highest = random.uniform(np, words(WORD), 4, -1.0, 3.0, dtype)
    np.testing.assert_array_equal(lowest, np.full(4, -1, dtype))
    np.testing.assert_array_equal(highest, np.full(4, np.nextafter(dtype(3), dtype(0))))


def test_uniform_on_an_interval_with_one_number():
    np.testing.assert_array_equal(Generator(0).uniform(9, 1.0, 1.0 + 1e-9), np.ones(9, np.float32))


@given(data=st.data(), dtype=st.sampled_from([np.float16, np.float32, np.float64]), seed=st.integers(0, 2**128))
def test_uniform_is_never_below_low_nor_at_high(data, dtype, seed):
    # Bounds in float64, so most are no numbers of the dtype; half of the intervals a few numbers wide.
    largest = float(np.finfo(dtype).max) / 2.01
    low = data.draw(st.floats(-largest, largest))
    close = st.integers(1, 5).map(lambda steps: low + steps * float(np.spacing(dtype(abs(low)))))
    high = data.draw(close | st.floats(-largest, largest))
    assume(low < high)
    try:
        samples = Generator(seed).uniform(64, low, high, dtype)
    except ValueError:
        # Right only if the smallest number from low on is not below high.
        nearest = dtype(low)
        first = nearest if float(nearest) >= low else np.nextafter(nearest, dtype(np.inf))
        assert float(first) >= high
        return
    samples = np.concatenate([samples, *(random.uniform(np, words(w), 2, low, high, dtype) for w in (0, WORD))])
    assert samples.dtype == dtype
    assert (samples.astype(np.float64) >= low).all() and (samples.astype(np.float64) < high).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_is_uniform(dtype):
    n = 200_000
    x = Generator(20).uniform((2, n // 2), -2.0, 6.0, dtype).ravel().astype(np.float64)
    assert abs(x.mean() - 2) < 5 * 8 / math.sqrt(12 * n)
    assert stats.kstest(x, stats.uniform(-2, 8).cdf).pvalue > 1e-3
    # Neighbours share a word.
    assert abs(np.corrcoef(x[0::2], x[1::2])[0, 1]) < 5 / math.sqrt(n / 2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_normal_is_normal(dtype):
    n = 200_000
    x = Generator(21).normal(n, 3.0, 2.0, dtype).astype(np.float64)
    z = (x - 3) / 2
    # The standard errors of the first four moments of n standard normal samples.
    for power, expected, error in [(1, 0, 1), (2, 1, math.sqrt(2)), (3, 0, math.sqrt(15)), (4, 3, math.sqrt(96))]:
        assert abs((z**power).mean() - expected) < 5 * error / math.sqrt(n)
    if dtype != np.float16:  # whose steps the KS test sees
        assert stats.kstest(z, stats.norm.cdf).pvalue > 1e-3
    # Neighbours are a sine and a cosine with the same radius.
    assert abs(np.corrcoef(z[0::2], z[1::2])[0, 1]) < 5 / math.sqrt(n / 2)
    assert abs(np.corrcoef(z[0::2] ** 2, z[1::2] ** 2)[0, 1]) < 5 / math.sqrt(n / 2)


@pytest.mark.parametrize(("dtype", "limit"), [(np.float16, 6.67), (np.float32, 6.67), (np.float64, 9.42)])
def test_normal_is_finite_whatever_the_bits(dtype, limit):
    # The extremes of both numbers of a pair, as halves of a word and as words.
    for low in (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
        for high in (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            word = high << 32 | low
            for other in (0, WORD, word):
                z = random.normal(np, words(word, other), 8, dtype=dtype)
                assert np.isfinite(z).all() and (abs(z) <= limit).all()
    tail = random.normal(np, words(0), 2, dtype=dtype)
    assert tail[0] > limit - 0.02 and tail[1] == 0


def test_normal_with_no_spread_is_the_mean():
    np.testing.assert_array_equal(Generator(0).normal(9, 1.5, 0.0), np.full(9, 1.5, np.float32))


@given(
    low=st.integers(-(2**63), 2**63 - 1),
    size=st.sampled_from([1, 2, 3, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1, 2**64]) | st.integers(1, 2**64),
    raw=st.lists(st.integers(0, WORD) | st.sampled_from([0, WORD, 2**32 - 1, 2**63]), min_size=2, max_size=8),
)
def test_integers_are_the_exact_multiples(low, size, raw):
    dtype = np.int64
    if low + size > 2**63:
        low, dtype = low + 2**63, np.uint64
        assume(low + size <= 2**64)
    raw = raw[: len(raw) // 2 * 2]
    if size <= 2**32:
        expected = [low + (word * size >> 64) for word in raw]
    else:
        expected = [low + ((major << 64 | minor) * size >> 128) for minor, major in zip(raw[0::2], raw[1::2], strict=True)]
    got = random.integers(np, words(*raw), len(expected), low, low + size, dtype)
    assert got.dtype == dtype
    assert got.tolist() == expected


@pytest.mark.parametrize("size", [2**63 + 12345, 2**64 - 1])
def test_integers_of_a_wide_range_carry(size):
    # Hypothesis prefers small numbers, whose products seldom carry from the lower half into the upper.
    minor, major = bits(30, 0, 1000).reshape(-1, 2).T.tolist()
    expected = [(b << 64 | a) * size >> 128 for a, b in zip(minor, major, strict=True)]
    assert Generator(30).integers(500, 0, size, np.uint64).tolist() == expected
    assert expected != [b * size >> 64 for b in major]  # so some did carry


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_integers_of_every_dtype_fill_their_range(dtype):
    limits = np.iinfo(dtype)
    low, high = int(limits.min), int(limits.max) + 1
    x = Generator(22).integers(20_000, low, high, dtype)
    assert x.dtype == dtype
    if limits.bits == 8:
        assert set(x.tolist()) == set(range(low, high))
    fractions = (x.astype(np.float64) - low) / (high - low)
    assert abs(fractions.mean() - 0.5) < 5 / math.sqrt(12 * x.size)
    # Both ends are reached as far as so many samples reach.
    assert 0 <= fractions.min() < 1e-3 and 1 - 5e-3 < fractions.max() <= 1


@pytest.mark.parametrize(("low", "high"), [(-3, 7), (0, 6), (10**18, 10**18 + 17)])
def test_integers_are_equally_likely(low, high):
    x = Generator(23).integers(50_000, low, high)
    assert x.dtype == np.int64
    counts = np.bincount(x - low, minlength=high - low)
    assert len(counts) == high - low  # none at high or above
    assert stats.chisquare(counts).pvalue > 1e-3


def test_permutation():
    p = Generator(24).permutation(10_000)
    assert p.dtype == np.int64
    np.testing.assert_array_equal(np.sort(p), np.arange(10_000))
    assert abs(stats.spearmanr(p, np.arange(10_000)).statistic) < 5 / math.sqrt(10_000)
    assert Generator(24).permutation(0).shape == (0,)
    assert Generator(24).permutation(1).tolist() == [0]


def test_permutations_are_equally_likely():
    generator = Generator(25)
    orders = [tuple(generator.permutation(3).tolist()) for _ in range(6000)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


def test_permutation_is_the_same_on_every_device_and_keeps_ties_in_order(stand_in):
    np.testing.assert_array_equal(Generator(24).permutation(40_000), Generator(24).permutation(40_000, device=0))
    quarters = np.arange(1000).reshape(-1, 4)
    tied = random.permutation(np, words(7, 5, 6, 5), 1000)
    np.testing.assert_array_equal(tied, np.concatenate([quarters[:, [1, 3]].ravel(), quarters[:, 2], quarters[:, 0]]))


@pytest.mark.parametrize("p", [1e-5, 0.1, 0.5, 0.9, 1 - 1e-5])
def test_bernoulli_has_its_probability(p):
    n = 1_000_000
    x = Generator(26).bernoulli((n,), p)
    assert x.dtype == bool
    assert abs(int(x.sum()) - n * p) < 5 * math.sqrt(n * p * (1 - p))


def test_bernoulli_is_exact_at_the_ends():
    for word in (0, WORD):
        assert not random.bernoulli(np, words(word), 9, 0.0).any()
        assert random.bernoulli(np, words(word), 9, 1.0).all()
    # A probability far below 2**-32 is still possible.
    assert random.bernoulli(np, words(0), 9, 1e-15).all()
    assert not random.bernoulli(np, words(WORD), 9, 1 - 1e-15).any()


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("uniform", ((2, -1),), ShapeError, "dimension"),
        ("uniform", ((2.5,),), DTypeError, "2.5"),
        ("uniform", (2, 1.0, 1.0), ValueError, r"low < high.*\[1.0, 1.0\)"),
        ("uniform", (2, 1.0 + 1e-9, 1.0 + 2e-9), ValueError, "float32 number in"),
        ("uniform", (2, 0.0, math.inf), ValueError, "high must be finite in float32"),
        ("uniform", (2, math.nan, 1.0), ValueError, "low must be finite"),
        ("uniform", (2, 0, 10**400), ValueError, "high must be finite"),
        ("uniform", (2, 0.0, 1e6, np.float16), ValueError, "high must be finite in float16"),
        ("uniform", (2, -3e38, 3e38), ValueError, "finite high - low"),
        ("uniform", (2, 0.0, 1j), DTypeError, "high must be a real number"),
        ("uniform", (2, 0.0, 1.0, np.complex64), DTypeError, "got complex64"),
        ("uniform", (2, 0.0, 1.0, np.int32), DTypeError, "got int32"),
        ("normal", (2, 0.0, 1.0, np.complex128), DTypeError, "got complex128"),
        ("normal", (2, 0.0, -1.0), ValueError, "std >= 0, got -1.0"),
        ("normal", (2, 0.0, math.nan), ValueError, "std must be finite"),
        ("normal", (2, 0.0, 1e38), ValueError, "overflows float32"),
        ("integers", (2, 3, 3), ValueError, "low 3 and high 3"),
        ("integers", (2, 0, 129, np.int8), ValueError, "128, got int8"),
        ("integers", (2, -1, 5, np.uint8), ValueError, "-1 and 4, got uint8"),
        ("integers", (2, 0, 2**63 + 1), ValueError, "got int64"),
        ("integers", (2, 0, 5, np.float32), DTypeError, "got float32"),
        ("integers", (2, 0, 5, bool), DTypeError, "got bool"),
        ("integers", (2, 0.5, 5), DTypeError, "low must be an int, got 0.5"),
        ("permutation", (-1,), ShapeError, "n must be at least 0, got -1"),
        ("permutation", (2.0,), DTypeError, "n must be an int"),
        ("bernoulli", (2, -0.1), ValueError, "0 <= p <= 1, got -0.1"),
        ("bernoulli", (2, 1.0000001), ValueError, "0 <= p <= 1"),
        ("bernoulli", (2, math.nan), ValueError, "nan"),
        ("bernoulli", (2, "a"), DTypeError, "p must be a real number"),
    ],
)
def test_arguments_refused_before_anything_is_drawn(name, arguments, error, message):
    generator = Generator(0)
    with pytest.raises(error, match=message):
        getattr(generator, name)(*arguments)
    assert generator.offset == 0


# ---------------------------------------------------------------------------------------------------------- Generator


def test_draws_follow_each_other_in_whole_blocks():
    generator = Generator(9)
    np.testing.assert_array_equal(generator.bits(5), bits(9, 0, 5))
    assert generator.offset == 2
    np.testing.assert_array_equal(generator.bits(4), bits(9, 2, 4))
    assert generator.bits(0).shape == (0,) and generator.offset == 3
    np.testing.assert_array_equal(generator.bits(100_001), bits(9, 3, 100_001))
    assert generator.offset == 3 + 25_001


def test_draws_on_the_cpu_and_a_gpu_alternate(stand_in):
    generator = Generator(9)
    draws = [generator.bits(5, device=device) for device in (None, 0, "cpu", 0, 0, None, None)]
    np.testing.assert_array_equal(np.stack(draws), np.stack([bits(9, 2 * i, 5) for i in range(len(draws))]))


def test_the_state_can_be_put_back():
    generator = Generator(10)
    generator.normal(7)
    state = generator.get_state()
    assert state == (10, 1)
    ahead = [generator.uniform(5), generator.normal(50_000), generator.permutation(9)]
    generator.set_state(state)
    other = Generator()
    other.set_state(state)
    for again in (generator, other, Generator(*state)):
        for before, after in zip(ahead, [again.uniform(5), again.normal(50_000), again.permutation(9)], strict=True):
            np.testing.assert_array_equal(before, after)


def test_another_seed_at_the_same_offset_is_another_stream():
    generator = Generator(1)
    generator.bits(4)
    generator.set_state((2, 1))
    np.testing.assert_array_equal(generator.bits(4), bits(2, 1, 4))


@pytest.mark.parametrize(
    ("state", "error"),
    [((1, 2, 3), DTypeError), (5, DTypeError), ((-1, 0), ValueError), ((0, -1), ValueError), ((0, 0.5), DTypeError)],
)
def test_a_bad_state_is_refused_and_changes_nothing(state, error):
    generator = Generator(4, 6)
    with pytest.raises(error):
        generator.set_state(state)
    assert generator.get_state() == (4, 6)


def test_the_offset_runs_around():
    generator = Generator(4, 2**256 - 1)
    np.testing.assert_array_equal(generator.bits(8), stream(4, 2**256 - 1, 8))
    assert generator.offset == 1
    np.testing.assert_array_equal(generator.bits(4), bits(4, 1, 4))


def test_seeds():
    assert Generator(123).seed == 123
    assert Generator(2**300).get_state() == (2**300, 0)
    assert repr(Generator(123, 4)) == "Generator(seed=123, offset=4)"
    unseeded = [Generator() for _ in range(3)]
    assert len({generator.seed for generator in unseeded}) == 3
    assert all(0 <= generator.seed < 2**128 for generator in unseeded)
    with pytest.raises(ValueError, match="non-negative"):
        Generator(-1)


def test_neighbouring_seeds_are_unrelated():
    x = np.stack([Generator(seed).normal(10_000) for seed in range(10)])
    correlations = np.corrcoef(x)[np.triu_indices(10, k=1)]
    assert abs(correlations).max() < 5 / math.sqrt(10_000)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_goes_on_by_itself(copied):
    generator = Generator(5)
    generator.bits(4)
    twin = copied(generator)
    first = generator.bits(4)
    assert twin.get_state() == (5, 1)
    np.testing.assert_array_equal(twin.bits(4), first)


def test_successive_draws_share_one_philox(monkeypatch):
    # Making one costs more than a small draw.
    made = []
    original = np.random.Philox
    monkeypatch.setattr(np.random, "Philox", lambda **keywords: made.append(keywords) or original(**keywords))
    generator = Generator(5)
    for count in (1, 4, 9, 0, 3):
        generator.bits(count)
    generator.normal(50_000)
    assert made == [{"key": 5, "counter": 0}]


def test_a_draw_under_way_does_not_undo_a_new_state():
    # What can happen when threads share a Generator, one step after the other.
    generator = Generator(1)
    draw = generator._draw(None, 8, piece=4)
    next(draw)
    generator.set_state((2, 2))
    next(draw)
    np.testing.assert_array_equal(generator.bits(4), bits(2, 2, 4))


@pytest.mark.parametrize("count", [5, 50_000])  # one piece, and several
def test_threads_never_share_blocks(count):
    shared, alone = Generator(6), Generator(6)
    tasks = 40
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda _: shared.uniform(count).tobytes(), range(tasks)))
    assert sorted(drawn) == sorted(alone.uniform(count).tobytes() for _ in range(tasks))
    assert shared.get_state() == alone.get_state()


# -------------------------------------------------------------------------------------------------------- on a real GPU


@pytest.fixture
def cupy():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"no GPU here: {error}")
    if found == 0:
        pytest.skip("no GPU here")
    return cupy


@pytest.mark.parametrize("seed", [0, 2**128 - 1])
@pytest.mark.parametrize("offset", OFFSETS)
def test_cuda_bits_are_numpy_s(cupy, seed, offset):
    for count in (0, 1, 6, 1_000_003):
        got = bits(seed, offset, count, 0)
        assert isinstance(got, cupy.ndarray) and got.dtype == np.uint64
        np.testing.assert_array_equal(got.get(), bits(seed, offset, count))


@pytest.mark.parametrize(("name", "arguments", "dtype"), SAMPLERS)
@pytest.mark.parametrize("shape", [(), (3, 0), (3, 5), (40_001,)])
def test_cuda_samples_are_numpy_s(cupy, name, arguments, dtype, shape):
    cpu, cuda = Generator(3, 8), Generator(3, 8)
    expected = sample(cpu, name, shape, arguments, dtype)
    got = sample(cuda, name, shape, arguments, dtype, device=0)
    assert isinstance(got, cupy.ndarray) and got.dtype == expected.dtype and got.shape == expected.shape
    if name == "normal":  # log, cos and sin are not correctly rounded on either side
        spread = 10 * arguments[1] if arguments else 10
        np.testing.assert_allclose(got.get(), expected, rtol=0, atol=spread * float(np.finfo(dtype).eps))
    else:
        np.testing.assert_array_equal(got.get(), expected)
    assert cpu.get_state() == cuda.get_state()


def test_cuda_permutation_is_numpy_s(cupy):
    np.testing.assert_array_equal(Generator(24).permutation(40_000, device=0).get(), Generator(24).permutation(40_000))


def test_without_a_gpu_a_cuda_device_is_a_clear_error():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError:
        found = 0
    if found:
        pytest.skip("there is a GPU here")
    with pytest.raises(DeviceError, match="is installed, but"):
        Generator(0).uniform(4, device=0)
