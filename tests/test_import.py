"""What `import gpugrad` does, and what is in the public face."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gpugrad as gg


def run(code):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["nn", "optim", "data", "testing"])
def test_parts_load_when_they_are_first_used(name):
    loaded = f"print('gpugrad.{name}' in sys.modules)"
    assert run(f"import sys, gpugrad as gg; {loaded}; gg.{name}; {loaded}").split() == ["False", "True"]


def test_what_few_programs_use_loads_when_they_do():
    loaded = "print('safetensors' in sys.modules, 'hashlib' in sys.modules, 'gpugrad.compile.compiled' in sys.modules)"
    assert run(f"import sys, gpugrad as gg; gg.manual_seed(1); gg.random; {loaded}; gg.save; {loaded}").split("\n") == [
        "False False False",
        "True False False",
    ]


def test_a_part_may_be_imported_by_name():
    assert run("from gpugrad import optim; import gpugrad.testing; print(optim.SGD.__name__)") == "SGD"


def test_dir_lists_the_parts_and_what_the_standard_asks_for():
    names = dir(gg)
    assert {"nn", "optim", "data", "testing", "Tensor", "sin", "bool", "float32", "pi"} <= set(names)
    private = {name for name in names if name.startswith("_")}
    assert private == {"__array_api_version__", "__array_namespace_info__", "__version__"}


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="module 'gpugrad' has no attribute 'sine'"):
        gg.sine


def test_the_version_is_that_of_a_release():
    assert [part.isdecimal() for part in gg.__version__.split(".")] == [True, True, True]


def test_the_names_that_shadow_built_ins_are_the_standards():
    assert (
        gg.bool == "bool" and gg.sum(np.array([1.0, 2.0]) * gg.ones(2)).item() == 3.0 and gg.abs(gg.asarray(-1.0)).item() == 1.0
    )


def test_constants():
    assert (gg.e, gg.pi, gg.inf) == (2.718281828459045, 3.141592653589793, float("inf"))
    assert gg.nan != gg.nan and gg.newaxis is None


def test_the_package_is_typed():
    assert (Path(gg.__file__).parent / "py.typed").exists()


def test_the_face_is_explicit():
    """Every public name is imported by a line that can be found, so that readers and type checkers see it."""
    tree = ast.parse(Path(gg.__file__).read_text())
    imported = {a.asname or a.name for node in tree.body if isinstance(node, ast.ImportFrom) for a in node.names}
    assigned = {t.id for node in tree.body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)}
    lazy = {
        "nn", "optim", "data", "fuse", "load", "load_chainer", "save", "get_num_threads", "set_num_threads", "special", "testing"
    }  # fmt: skip
    modules = {"annotations", "importlib", "TYPE_CHECKING", "Any", "arrays", "ops"}
    public = {
        name
        for name in dir(gg)
        if getattr(getattr(gg, name), "__name__", "").partition(".")[0] != "gpugrad" or name in imported
    }
    assert public - imported - assigned - lazy - modules <= {"math"}
