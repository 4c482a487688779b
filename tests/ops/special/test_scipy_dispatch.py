"""With SCIPY_ARRAY_API=1, scipy.special asks the namespace of a Tensor for its function, and a gradient flows through what it returns."""

import os
import subprocess
import sys

SCRIPT = """
import numpy as np, scipy.special
from scipy.special import _support_alternative_backends as table
import gpugrad as gg

def argument(i, info):
    whole = info.int_only and info.int_only[i]
    if whole and isinstance(info.python_int_only or info.scalar_or_0d_only, dict):
        return 2
    return np.array([2, 3]) if whole else np.array([0.3, 0.4])

with np.errstate(all="ignore"):
    for info in table._special_funcs:
        if not hasattr(gg.special, info.name):
            print(info.name, "missing")
            continue
        arguments = [argument(i, info) for i in range(info.n_args)]
        tensors = [gg.tensor(x, requires_grad=x.dtype == float) if hasattr(x, "dtype") else x for x in arguments]
        out = getattr(scipy.special, info.name)(*tensors)
        native = getattr(gg.special, info.name)(*arguments)
        recorded = isinstance(out, gg.Tensor) and out.requires_grad
        print(info.name, recorded and np.array_equal(out.detach().numpy(), native, equal_nan=True))
"""


def test_scipys_functions_of_tensors_are_those_of_this_namespace() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={**os.environ, "SCIPY_ARRAY_API": "1"}, capture_output=True, text=True, check=True
    )
    found = dict(line.split() for line in done.stdout.splitlines())
    assert [name for name, state in found.items() if state == "False"] == []
    assert [name for name, state in found.items() if state == "missing"] == ["lpmv"]
    assert len(found) > 90
