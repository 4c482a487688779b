"""cuDNN in front of convolution and attention: graphs, plans, fallbacks, and values against the definitions in float64.

On the stand-in for CuPy a stand-in for the module `cudnn` computes (tests/standin/cudnn). On a GPU the real one does, where it is
installed.
"""

import logging
import pathlib
import threading

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy
from gpugrad.errors import DeviceError
from gpugrad.families import REGISTRY
from gpugrad.nn import functional as F

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
from gpugrad.arrays.cuda import cudnn  # noqa: E402  (imports CuPy)

STANDIN = hasattr(cupy, "standin")
STANDIN_ONLY = pytest.mark.skipif(not STANDIN, reason="about the stand-in for cuDNN")
bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
# float32 with its 24 bits, and 16 bits with 11 or 8, after sums of some tens of products.
TOLERANCE = {"float32": 2e-6, "float16": 2e-3, "bfloat16": 2e-2}
OPS = ("convolution", "convolution_input_gradient", "convolution_weight_gradient")


def fresh():
    """Forget what this thread and the process know of cuDNN."""
    cudnn.library.cache_clear()
    cudnn._said.clear()
    cudnn._local.plans.clear()
    cudnn._local.handles.clear()


@pytest.fixture
def module():
    """The module `cudnn`, in use."""
    fresh()
    if STANDIN:
        from cudnn_standin import activate

        with activate() as standin:
            yield standin
            fresh()
    else:
        found = cudnn.library()
        if found.module is None:
            pytest.skip(f"cuDNN is {found.reason}")
        yield found.module
        fresh()


@pytest.fixture
def used(module, monkeypatch):
    """The names of the ops that cuDNN computed, in order."""
    names = []
    run = cudnn.run

    def noted(name, *args):
        done = run(name, *args)
        names.extend([name] * done)
        return done

    monkeypatch.setattr(cudnn, "run", noted)
    return names


def draw(shape, dtype, seed):
    values = np.random.default_rng(seed).uniform(-1, 1, shape)
    return values.astype(bfloat16 if dtype == "bfloat16" else dtype)


def close(found, expected, dtype):
    found = cupy.asnumpy(found).astype(np.float64)
    assert found.shape == expected.shape
    np.testing.assert_allclose(
        found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * max(1, np.abs(expected).max(initial=0))
    )


# Convolution --------------------------------------------------------------------------------------------------------

SHAPES = [
    ((2, 4, 7), (6, 4, 3), (2,), (1,), (1,), 1),
    ((2, 4, 6, 5), (6, 2, 3, 2), (2, 1), (1, 0), (1, 2), 2),
    ((1, 3, 5, 5), (3, 1, 3, 3), (1, 1), (1, 1), (1, 1), 3),
    ((1, 2, 4, 3, 5), (4, 2, 2, 1, 3), (1, 1, 2), (1, 0, 1), (2, 1, 1), 1),
]


def operands(x, weight, stride, padding, dilation):
    """For each of the three ops the operands and the option that says the shape of its result."""
    windows = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(x[2:], weight[2:], stride, padding, dilation, strict=True)
    ]
    g = (x[0], weight[0], *windows)
    return {OPS[0]: ((x, weight), {}), OPS[1]: ((g, weight), {"shape": x[2:]}), OPS[2]: ((g, x), {"shape": weight[2:]})}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("case", SHAPES, ids=str)
@pytest.mark.parametrize("op", OPS)
def test_convolutions_equal_the_definition(op, case, dtype, used):
    x, weight, stride, padding, dilation, groups = case
    shapes, more = operands(x, weight, stride, padding, dilation)[op]
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, **more}
    arrays = [draw(shape, dtype, i) for i, shape in enumerate(shapes)]
    expected = REGISTRY[op].definition(*(a.astype(np.float64) for a in arrays), **options)
    found = REGISTRY[op](*(cupy.asarray(a) for a in arrays), **options)
    assert used == [op] and found.dtype == arrays[0].dtype and found.flags.c_contiguous
    close(found, expected, dtype)


def test_channels_last_in_memory_stay_so_and_other_strides_are_copied(used):
    x, weight = draw((2, 4, 6, 5), "float32", 0), draw((3, 4, 2, 2), "float32", 1)
    expected = F.conv2d(x.astype(np.float64), weight.astype(np.float64))
    images = cupy.asarray(x)
    last = cupy.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    mirrored = cupy.ascontiguousarray(images[:, :, ::-1])[:, :, ::-1]
    unaligned = cupy.empty(images.size + 1, np.float32)[1:].reshape(images.shape)
    unaligned[...] = images
    for given in (last, mirrored, unaligned):
        out = F.conv2d(given, cupy.asarray(weight))
        close(out, expected, "float32")
        assert out.transpose(0, 2, 3, 1).flags.c_contiguous == (given is last)
    assert used == ["convolution"] * 3


def test_a_convolution_trains_through_cudnn(used):
    x, weight = draw((2, 3, 6, 6), "float32", 0), draw((4, 3, 3, 3), "float32", 1)

    def gradients(place, dtype):
        a, b = (gg.tensor(v.astype(dtype), device=place, requires_grad=True) for v in (x, weight))
        gg.tanh(F.conv2d(a, b, stride=2, padding=1)).sum().backward()
        return a.grad.cpu().numpy(), b.grad.cpu().numpy()

    for found, expected in zip(gradients("cuda", np.float32), gradients("cpu", np.float64), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert sorted(used) == sorted(OPS)


@STANDIN_ONLY
def test_tf32_only_where_it_is_allowed(used):
    x, weight = draw((1, 8, 5, 5), "float32", 0), draw((4, 8, 3, 3), "float32", 1)
    exact = F.conv2d(x.astype(np.float64), weight.astype(np.float64))
    before = gg.get_float32_matmul_precision()
    try:
        errors = []
        for precision in ("highest", "high", "highest"):
            gg.set_float32_matmul_precision(precision)
            errors.append(np.abs(F.conv2d(cupy.asarray(x), cupy.asarray(weight)).get() - exact).max())
    finally:
        gg.set_float32_matmul_precision(before)
    assert errors[0] == errors[2] < 1e-5 < errors[1]
    assert used == ["convolution"] * 3


def test_what_cudnn_does_not_take_is_left_to_the_definition(used):
    x, weight = draw((1, 2, 4, 4), "float64", 0), draw((2, 2, 3, 3), "float64", 1)
    np.testing.assert_allclose(F.conv2d(cupy.asarray(x), cupy.asarray(weight)).get(), F.conv2d(x, weight), rtol=1e-12)
    empty = F.conv2d(cupy.zeros((0, 2, 4, 4), np.float32), cupy.asarray(weight.astype(np.float32)))
    assert empty.shape == (0, 2, 2, 2) and used == []


# Attention ----------------------------------------------------------------------------------------------------------

LEADS = [  # query, key and value, with 5 queries, 7 keys, 8 numbers, 16 in values
    ((), (), ()),
    ((3,), (3,), (3,)),
    ((2, 4), (2, 4), (2, 4)),
    ((2, 4), (2, 2), (2, 1)),
]
MASKS = {
    "all": lambda lead: None,
    "boolean": lambda lead: np.random.default_rng(5).random((5, 7)) < 0.6,
    "by batch": lambda lead: np.random.default_rng(5).random((*lead[:1], *(1,) * (len(lead) > 1), 1, 7)) < 0.7,
    "added": lambda lead: np.where(np.random.default_rng(6).random((*lead, 5, 7)) < 0.2, -np.inf, 0.5).astype(np.float32),
    "none": lambda lead: np.arange(5)[:, None] * np.ones(7) > 1,  # two rows see no key
}


def attend(q, k, v, g, mask, place, dtype, **options):
    """The result and the gradients on a device."""
    to = bfloat16 if dtype == "bfloat16" else dtype
    q, k, v, g = (gg.tensor(x.astype(to), device=place) for x in (q, k, v, g))
    for x in (q, k, v):
        x.requires_grad_()
    mask = None if mask is None else gg.tensor(mask, device=place)
    out = F.scaled_dot_product_attention(q, k, v, mask, enable_gqa=len(q.shape) > 2, **options)
    gradients = gg.gradients([out], [q, k, v], [g])
    return [x.detach().cpu().array.astype(np.float64) for x in (out, *gradients)]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("mask", [*MASKS, "causal"])
@pytest.mark.parametrize("lead", LEADS, ids=str)
def test_attention_equals_the_definition(lead, mask, dtype, used):
    q, k, v, g = (
        draw((*a, *b), dtype, i)
        for i, (a, b) in enumerate(zip((*lead, lead[0]), ((5, 8), (7, 8), (7, 16), (5, 16)), strict=True))
    )
    options = {"is_causal": True} if mask == "causal" else {"scale": 0.7}
    given = None if mask == "causal" else MASKS[mask](lead[0])
    exact = attend(q, k, v, g, given, "cpu", "float64", **options)
    for found, expected in zip(attend(q, k, v, g, given, "cuda", dtype, **options), exact, strict=True):
        np.testing.assert_allclose(found, expected, rtol=TOLERANCE[dtype], atol=2 * TOLERANCE[dtype])
    assert used == ["attention", "attention_gradient"]


def test_heads_beside_each_other_need_no_copy(used):
    """As a layer has them, (batch, rows, heads, numbers): seen as heads first, and so is the result."""
    q, k, v = (cupy.asarray(draw((2, 6, 4, 8), "float16", i)).transpose(0, 2, 1, 3) for i in range(3))
    out = F.scaled_dot_product_attention(q, k, v)
    assert used == ["attention"] and out.transpose(0, 2, 1, 3).flags.c_contiguous
    close(out, F.scaled_dot_product_attention(*(x.get().astype(np.float64) for x in (q, k, v))), "float16")


def test_either_part_alone_may_be_cudnns(used, monkeypatch):
    q, k, v, g = (draw((2, 2, 5, 8), "float16", i) for i in range(4))
    mask = MASKS["none"](())[:, :5]
    exact = attend(q, k, v, g, mask, "cpu", "float64")
    noted = cudnn.run
    for refused in ("attention", "attention_gradient"):
        with monkeypatch.context() as patch:
            patch.setattr(cudnn, "run", lambda name, *args, refused=refused: name != refused and noted(name, *args))
            for found, expected in zip(attend(q, k, v, g, mask, "cuda", "float16"), exact, strict=True):
                np.testing.assert_allclose(found, expected, rtol=2e-3, atol=4e-3)
    assert used == ["attention_gradient", "attention"]


@pytest.mark.parametrize(
    ("shape", "dtype", "options"),
    [
        ((2, 2, 5, 8), "float32", {}),
        ((2, 2, 5, 6), "float16", {}),
        ((1, 2, 2, 5, 8), "float16", {}),
        ((2, 2, 5, 8), "float16", {"dropout_p": 0.5}),
        ((2, 0, 5, 8), "float16", {}),
    ],
    ids=str,
)
def test_attention_that_cudnn_does_not_take(shape, dtype, options, used):
    q, k, v = (draw(shape, dtype, i) for i in range(3))
    gg.manual_seed(3)
    found = F.scaled_dot_product_attention(*(cupy.asarray(x) for x in (q, k, v)), **options)
    gg.manual_seed(3)
    close(found, F.scaled_dot_product_attention(*(x.astype(np.float64) for x in (q, k, v)), **options), dtype)
    assert used == []


def test_operands_in_two_places_are_refused(used):
    q = draw((2, 5, 8), "float16", 0)
    with pytest.raises(DeviceError, match="scaled_dot_product_attention: operands are on cpu .* and cuda:0 "):
        F.scaled_dot_product_attention(cupy.asarray(q), q, q)


def test_the_gradient_of_a_mask_comes_from_the_definition(used):
    q, k, v = (gg.tensor(draw((2, 5, 8), "float16", i), device="cuda") for i in range(3))
    mask = gg.tensor(np.zeros((5, 5), np.float32), device="cuda", requires_grad=True)
    F.scaled_dot_product_attention(q, k, v, mask).sum().backward()
    assert mask.grad.shape == (5, 5) and used == ["attention"]


# Plans, threads, failures -------------------------------------------------------------------------------------------


@STANDIN_ONLY
def test_a_graph_is_built_once_for_shapes_strides_and_options(module):
    x, weight = cupy.zeros((1, 2, 5, 5), np.float32), cupy.zeros((2, 2, 3, 3), np.float32)
    module.pygraph.built = 0
    for _ in range(3):
        F.conv2d(x, weight)
        F.conv2d(x, weight, padding=1)
    assert module.pygraph.built == 2
    F.conv2d(cupy.zeros((1, 2, 6, 5), np.float32), weight)
    gg.use_deterministic_algorithms(True)
    try:
        F.conv2d(x, weight)
    finally:
        gg.use_deterministic_algorithms(False)
    assert module.pygraph.built == 4


@STANDIN_ONLY
def test_old_plans_make_room(module, monkeypatch):
    monkeypatch.setattr(cudnn, "MOST", 2)
    weight = cupy.zeros((2, 2, 3, 3), np.float32)
    for n in (5, 6, 7, 8):
        F.conv2d(cupy.zeros((1, 2, n, n), np.float32), weight)
    assert len(cudnn._local.plans) == 2


@STANDIN_ONLY
def test_threads_and_streams_have_handles_of_their_own(module, used):
    x, weight = draw((1, 2, 5, 5), "float32", 0), draw((2, 2, 3, 3), "float32", 1)
    expected = F.conv2d(x, weight)
    results = []

    def work():
        with cupy.cuda.Stream(non_blocking=True):
            results.append(F.conv2d(cupy.asarray(x), cupy.asarray(weight)).get())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for step in (threading.Thread.start, threading.Thread.join):
        for thread in threads:
            step(thread)
    work()
    for found in results:
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert len(results) == 4 and used == ["convolution"] * 4
    assert len(module._handles) == 1  # those of the other threads were given back with them


@pytest.mark.skipif(gg.cuda.device_count() < 2, reason="needs two GPUs")
def test_another_gpu_has_a_handle_of_its_own(used):
    x, weight = draw((1, 2, 5, 5), "float32", 0), draw((2, 2, 3, 3), "float32", 1)
    for place in ("cuda:0", "cuda:1"):
        found = F.conv2d(gg.tensor(x, device=place), gg.tensor(weight, device=place))
        assert str(found.device) == place
        np.testing.assert_allclose(found.cpu().numpy(), F.conv2d(x, weight), rtol=1e-5, atol=1e-6)
    assert used == ["convolution"] * 2 and len(cudnn._local.handles) == 2


@STANDIN_ONLY
@pytest.mark.parametrize("step", ["validate", "check_support", "execute"])
def test_a_refusal_is_said_once_and_remembered(step, module, used, monkeypatch, caplog):
    calls = []

    def refuse(self, *args, **kwargs):
        calls.append(step)
        raise module.cudnnGraphNotSupportedError("No valid engine configs.")

    monkeypatch.setattr(module.pygraph, step, refuse)
    x, weight = draw((1, 2, 5, 5), "float32", 0), draw((2, 2, 3, 3), "float32", 1)
    with caplog.at_level(logging.WARNING, "gpugrad"):
        for array in (x, x, x[:, :, :4], x):
            found = F.conv2d(cupy.asarray(array), cupy.asarray(weight))
            np.testing.assert_allclose(found.get(), F.conv2d(array, weight), rtol=1e-5, atol=1e-6)
    assert len(calls) == 2 and used == []  # once for each shape
    (record,) = caplog.records
    assert "convolution: cuDNN cannot compute it" in record.getMessage() and "No valid engine configs" in record.getMessage()
    assert cudnn.describe().endswith("; it refused convolution, see the log")


@STANDIN_ONLY
def test_no_memory_for_the_workspace_is_no_refusal(module, used, monkeypatch):
    x, weight = cupy.zeros((1, 2, 5, 5), np.float32), cupy.zeros((2, 2, 3, 3), np.float32)
    with monkeypatch.context() as patch:
        patch.setattr(module.pygraph, "get_workspace_size", lambda self: 1 << 45)
        with pytest.raises(MemoryError):
            F.conv2d(x, weight)
    F.conv2d(x, weight)
    assert used == ["convolution"]


@STANDIN_ONLY
def test_nothing_is_read_back(module, used):
    """A training step with cuDNN waits for nothing."""
    q, k, v = (gg.tensor(draw((2, 2, 5, 8), "float16", i), device="cuda", requires_grad=True) for i in range(3))
    mask = gg.tensor(MASKS["none"](())[:, :5], device="cuda")
    with cupy.standin.counting() as seen:
        F.scaled_dot_product_attention(q, k, v, mask).sum().backward()
    assert (seen.host_reads, seen.reads, seen.waits, seen.uploads) == (0, [], 0, 0)
    assert used == ["attention", "attention_gradient"]


# Found or not -------------------------------------------------------------------------------------------------------


def test_describe_names_the_versions(module):
    assert cudnn.describe() == f"{module.backend_version_string()}, through nvidia-cudnn-frontend {module.__version__}"


def test_the_variable_turns_it_off(module, used, monkeypatch):
    monkeypatch.setenv("GPUGRAD_CUDNN", "0")
    fresh()
    F.conv2d(cupy.zeros((1, 2, 5, 5), np.float32), cupy.zeros((2, 2, 3, 3), np.float32))
    assert used == [] and cudnn.describe() == "not used: the environment variable GPUGRAD_CUDNN is 0"


@STANDIN_ONLY
def test_without_the_package_it_is_silent(caplog):
    fresh()
    assert cudnn.describe() == "not used: the package nvidia-cudnn-frontend is not installed" and not caplog.records
    fresh()


@STANDIN_ONLY
def test_without_the_library_it_says_so_once(module, monkeypatch, caplog):
    """The frontend can be imported without libcudnn; making a handle then raises (tried on the real module)."""

    def missing():
        raise RuntimeError("Unable to find symbol cudnnCreate")

    monkeypatch.setattr(module, "create_handle", missing)
    for _ in range(2):
        F.conv2d(cupy.zeros((1, 2, 5, 5), np.float32), cupy.zeros((2, 2, 3, 3), np.float32))
    (record,) = caplog.records
    assert "cuDNN is not used" in record.getMessage() and "cudnnCreate" in cudnn.describe()


@STANDIN_ONLY
def test_the_stand_in_has_the_signatures_of_the_real_module(module):
    recorded = (pathlib.Path(module.__file__).parent / "signatures.txt").read_text().splitlines()
    from cudnn._graph import signatures

    assert list(signatures()) == recorded[1:]
