"""gpugrad's graphs before the real nvidia-cudnn-frontend, on a machine without a GPU and without cuDNN.

The frontend checks a graph itself, then hands it to the cuDNN library. Here the library is a few functions that say yes until an
engine is asked for. So what is tested is that the frontend takes the arguments, the tensors and their order: no value is computed.
Runs where nvidia-cudnn-frontend is installed (``pip install gpugrad[cudnn]``) and a C compiler is found.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[2]
INSTALLED = [path for path in map(pathlib.Path, sys.path) if list(path.glob("cudnn/_compiled_module*"))]
COMPILER = shutil.which("cc") or shutil.which("gcc")

if not INSTALLED:
    pytest.skip("nvidia-cudnn-frontend is not installed", allow_module_level=True)
if COMPILER is None or sys.platform != "linux":
    pytest.skip("needs a C compiler, on Linux", allow_module_level=True)

LIBRARY = r"""
#include <stddef.h>
size_t cudnnGetVersion(void) { return 91900; }
size_t cudnnGetCudartVersion(void) { return 12090; }
int cudnnCreate(void **handle) { *handle = (void *)8; return 0; }
int cudnnDestroy(void *handle) { return 0; }
int cudnnSetStream(void *handle, void *stream) { return 0; }
const char *cudnnGetErrorString(int status) { return "no such thing here"; }
void cudnnGetLastErrorString(char *text, size_t size) { if (size) text[0] = 0; }
int cudnnBackendCreateDescriptor(int type, void **made) { *made = (void *)16; return 0; }
int cudnnBackendDestroyDescriptor(void *x) { return 0; }
int cudnnBackendInitialize(void *x) { return 0; }
int cudnnBackendFinalize(void *x) { return 0; }
int cudnnBackendSetAttribute(void *x, int name, int type, long count, const void *values) { return 0; }
int cudnnBackendGetAttribute(void *x, int name, int type, long most, long *count, void *values) { *count = 0; return 3000; }
int cudnnBackendExecute(void *handle, void *plan, void *pack) { return 3000; }
"""

PROGRAM = """
import json, logging, sys
installed, standin = sys.argv[1:]
sys.path.insert(0, standin)
from activate import activate
activate()
import cupy, cupyx, cupy_backends  # of the stand-in, where CuPy is installed in the same place
sys.path.insert(0, installed)
import cudnn, numpy
import gpugrad as gg
from gpugrad.nn import functional as F

logging.disable()
steps = []

class Watched:
    def __init__(self, **options):
        self.graph = real(sm_version=90, **options)  # else it asks the GPU

    def __getattr__(self, name):
        def call(*args, **kwargs):
            steps[-1].append(name)
            return getattr(self.graph, name)(*args, **kwargs)
        return call

real, cudnn.pygraph = cudnn.pygraph, Watched

def leaf(*shape, dtype):
    return gg.tensor(numpy.zeros(shape, dtype), device="cuda", requires_grad=True)

def run(function, *shapes, dtype):
    steps.append([])
    function(*(leaf(*shape, dtype=dtype) for shape in shapes)).sum().backward()

for dtype in ("float32", "float16"):
    run(lambda x, w: F.conv1d(x, w, stride=2), (2, 4, 7), (6, 4, 3), dtype=dtype)
    run(lambda x, w: F.conv2d(x, w, groups=2, padding=1), (2, 4, 6, 5), (6, 2, 3, 2), dtype=dtype)
    run(lambda x, w: F.conv3d(x, w, dilation=2), (1, 2, 5, 5, 5), (4, 2, 2, 1, 2), dtype=dtype)
mask = gg.tensor(numpy.ones((5, 7), bool), device="cuda")
for options in ({}, {"is_causal": True}, {"attn_mask": mask}):
    run(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True, **options),
        (2, 4, 5, 8), (2, 2, 7, 8), (2, 2, 7, 16), dtype="float16")
print(json.dumps(steps))
"""


def test_the_frontend_takes_the_graphs(tmp_path):
    (tmp_path / "cudnn.c").write_text(LIBRARY)
    subprocess.run([COMPILER, "-shared", "-fPIC", "-w", "-o", tmp_path / "libcudnn.so.9", tmp_path / "cudnn.c"], check=True)
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, INSTALLED[0], TESTS / "standin"],
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    steps = [[name for name in run if name != "tensor"] for run in json.loads(found.stdout)]
    taken = ["validate", "build_operation_graph", "create_execution_plans"]  # the last asks the library for engines
    convolutions = [["conv_fprop", *taken, "conv_dgrad", *taken, "conv_wgrad", *taken]] * 6
    assert [sorted(run) for run in steps[:6]] == [sorted(run) for run in convolutions]
    assert steps[6:] == [["sdpa", *taken, "sdpa_backward", *taken]] * 3
