"""The house rules of DESIGN.md that a parser can check: imports go down the floors, without cycles, and at the top of a module."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gpugrad

PACKAGE = Path(gpugrad.__file__).parent
MODULES = {
    ".".join(("gpugrad", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# From the ground up. A module imports from floors below its own, and from its own floor without cycles. A name stands for the
# module or the package of that name with all that is in it, unless a part of it is named elsewhere.
FLOORS = (
    ("errors", "modes", "trees", "pytorch_names", "compile.sizes"),
    ("arrays",),
    ("tape", "debug", "cuda", "holders", "mixed_precision", "ownership"),
    ("compile",),
    ("families", "joint", "multi_output"),
    ("ops",),
    ("branches", "sweep", "differentiate", "checkpoint", "custom", "derived", "fused_gradient", "fusion", "random"),
    ("operators", "namespace", "linalg", "fft", "testing", "structure", "files", "npz", "chainer"),
    ("nn.functional",),
    ("nn.init", "nn", "optim", "data", "special", "amp"),
    ("distributed",),
    ("",),  # gpugrad itself, the public face
    ("check", "bench", "__main__"),
)

HEAVY = ("cupy", "cupyx", "matplotlib", "sklearn", "tqdm", "torch", "scipy", "array_api_compat.numpy", "pandas", "jax")


def floor(module: str) -> int:
    """The floor of a module: that of the longest name in FLOORS that it is, or is in."""
    name = module.removeprefix("gpugrad").removeprefix(".")
    found = [(len(entry), level) for level, entries in enumerate(FLOORS) for entry in entries if _is_in(name, entry)]
    assert found, f"{module} stands on no floor: add it to FLOORS, and to the house in DESIGN.md"
    return max(found)[1]


def _is_in(name: str, entry: str) -> bool:
    return name == entry or (bool(entry) and name.startswith(entry + "."))


def imported(node: ast.stmt, module: str) -> Iterator[str]:
    """The modules of gpugrad that an import statement imports."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{module}: relative import in line {node.lineno}"
        # `from gpugrad.ops import shape` imports the module gpugrad.ops.shape.
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        return
    for name in names:
        if name.partition(".")[0] == "gpugrad":
            while name not in MODULES:
                name = name.rpartition(".")[0]
            yield name


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported, without those for type checkers."""
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from top_level(node.orelse)
            continue
        yield node
        for name in ("body", "orelse", "finalbody"):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield from top_level(getattr(node, name, []))
        for handler in getattr(node, "handlers", []):
            yield from top_level(handler.body)


def parse(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


GRAPH = {module: {found for node in top_level(parse(module).body) for found in imported(node, module)} for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    upwards = sorted(name for name in GRAPH[module] if floor(name) > floor(module))
    assert not upwards, f"{module} (floor {floor(module)}) imports upwards: {', '.join(upwards)}"


def test_there_is_no_cycle() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"imports in a circle: {' -> '.join((*path, module))}"
        if module not in done:
            for name in sorted(GRAPH[module]):
                visit(name, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())
    assert done == set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_no_function_imports(module: str) -> None:
    """Optional libraries load through importlib.import_module, at a place that says why."""
    functions = [
        node for node in ast.walk(parse(module)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    ]
    lines = sorted({n.lineno for f in functions for n in ast.walk(f) if isinstance(n, (ast.Import, ast.ImportFrom))})
    assert not lines, f"{module} imports inside a function, in lines {lines}"


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short_and_say_what_they_are_for(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= 900
    assert ast.get_docstring(parse(module)), f"{module} has no docstring"


def test_importing_gpugrad_imports_nothing_heavy() -> None:
    code = f"import sys, gpugrad; print(*sorted(m for m in sys.modules if any((m + '.').startswith(h + '.') for h in {HEAVY})))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert found.stdout.split() == []


def test_ops_run_on_numpy_without_loading_cupy() -> None:
    code = (
        "import sys, numpy, gpugrad as gg; x = gg.tensor([1.0], requires_grad=True);"
        "gg.sum(gg.exp(x) @ numpy.ones((1, 2), 'float32')).backward(); print('cupy' in sys.modules, x.grad.shape)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert found.stdout.split() == ["False", "(1,)"]
