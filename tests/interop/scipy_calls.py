"""Calls into SciPy on arrays that record: what each of them does, found by running it.

    python tests/interop/scipy_calls.py [--peers] [-v] [words...]

prints how many of the calls in scipy_calls.txt, or of those with one of the words in them, differentiate, by module of SciPy;
``--peers`` also for PyTorch and JAX, ``-v`` every call whose outcome is not the one written beside it. Runs SciPy with
``SCIPY_ARRAY_API=1``.

Outcomes: *differentiates*, its gradient matches central differences of the same call on NumPy arrays; *constant*, they are zero
and so is the gradient; *raises*, it is refused with an error; *warns*, gpugrad's DetachedWarning names the line of SciPy that
took a number out; *detached*, the result has no gradient although it depends on the input, which may never happen; *wrong*.
"""

from __future__ import annotations

import ast
import os
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

os.environ["SCIPY_ARRAY_API"] = "1"  # SciPy reads it when it is first imported; the tests of this file skip where it is not set

import array_api_compat.numpy
import numpy
import scipy
import scipy.optimize.elementwise  # scipy loads its other parts when they are first used
from scipy.spatial.transform import RigidTransform, Rotation, Slerp

import gpugrad as gg

LIST = Path(__file__).with_suffix(".txt")
MODULES = {
    name: getattr(scipy, name)
    for name in (
        "cluster constants differentiate fft integrate interpolate linalg ndimage optimize signal spatial special stats".split()
    )
} | {"RigidTransform": RigidTransform, "Rotation": Rotation, "Slerp": Slerp}


class Call(NamedTuple):
    """An expression of SciPy's functions and of the names in INPUTS, and what is expected to come of it."""

    module: str
    expression: str
    expected: str
    reason: str


def calls() -> list[Call]:
    """The calls of scipy_calls.txt, where a line ``== module: outcome; reason`` stands above those that it holds for."""
    found, module, expected, reason = [], "", "", ""
    for line in LIST.read_text().splitlines():
        if line.startswith("== "):
            module, _, rest = line.removeprefix("== ").partition(": ")
            expected, _, reason = rest.partition("; ")
        elif line and not line.startswith("#"):
            found.append(Call(module, line, expected, reason))
    return found


def _inputs() -> dict[str, Any]:
    rng = numpy.random.default_rng(7)
    normal = rng.standard_normal
    turns = Rotation.from_quat(normal((4, 4))).as_matrix()
    return {
        "x": numpy.asarray([0.7, -1.3, 0.2, 1.9, -0.6, 1.1]), "y": numpy.asarray([-0.4, 0.9, 1.6, -1.1, 0.3, -1.8]),
        "p": numpy.asarray([0.6, 1.7, 2.4, 0.9, 1.3, 2.9]), "q": numpy.asarray([1.2, 0.5, 1.9, 2.7, 0.8, 1.5]),
        "u": numpy.asarray([0.31, 0.72, 0.15, 0.55, 0.88, 0.43]), "v": numpy.asarray([0.25, 0.62, 0.35, 0.79, 0.51, 0.12]),
        "t": numpy.asarray(0.37), "f": normal(32), "g": normal(32), "m": normal((5, 3)), "n": normal((5, 3)),
        "a": numpy.asarray([[2.0, 0.3, -0.4], [0.1, 1.5, 0.6], [-0.2, 0.5, 1.2]]),
        "quat": normal((4, 4)), "vec": normal((4, 3)) * 0.8, "vec2": normal((4, 3)) * 0.8, "six": normal((4, 6)) * 0.7,
        "dual": normal((4, 8)), "rot": turns, "skewed": turns + 0.1 * normal((4, 3, 3)),
    }  # fmt: skip


INPUTS = _inputs()
"""What is differentiated: x, y real; p, q positive; u, v between 0 and 1; t a number; f, g signals; m, n tall and a square matrices."""

CONSTANTS = {
    "axes": numpy.eye(3), "times": numpy.asarray([0.3, 1.2, 2.7]), "knots": numpy.asarray([0.0, 0, 0, 0.2, 0.4, 0.6, 1, 1, 1]),
    "steps": numpy.arange(6.0), "lowpass": numpy.asarray([[0.5, 0.2, 0.1, 1.0, -0.3, 0.1]]),
}  # fmt: skip


def used(expression: str) -> list[str]:
    """The inputs that an expression names."""
    return sorted({node.id for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.Name)} & INPUTS.keys())


def arrays(result: Any) -> list[Any]:
    """The arrays and floats in what a function of SciPy returned: an array, a tuple, a list, or an object with attributes."""
    if isinstance(result, (tuple, list)):
        return [x for part in result for x in arrays(part)]
    if hasattr(result, "dtype") or isinstance(result, (float, complex)):
        return [result]
    parts = vars(result) if hasattr(result, "__dict__") and not callable(result) else {}
    return [x for name, part in parts.items() if not name.startswith("_") for x in arrays(part)]


def evaluate(expression: str, inputs: dict[str, Any], xp: Any, asarray: Callable[[Any], Any]) -> list[Any]:
    """The arrays that an expression gives, with `xp` the namespace of the inputs."""
    constants = {name: asarray(value) for name, value in CONSTANTS.items()}
    return arrays(eval(compile(expression, expression, "eval"), {**MODULES, **constants, **inputs, "xp": xp}))


class Measured(NamedTuple):
    """What NumPy says of a call: its results, random weights for their sum, and the slopes of that sum along random directions."""

    results: list[Any]
    weights: dict[int, Any]
    slopes: list[tuple[str, Any, float]]

    @property
    def constant(self) -> bool:
        return all(abs(slope) < 1e-9 for _, _, slope in self.slopes)


@cache
def measured(expression: str) -> Measured:
    """The call on NumPy arrays, and central differences of fourth order of its weighted sum."""
    base = {name: INPUTS[name] for name in used(expression)}

    def results(inputs: dict[str, Any]) -> list[Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [
                numpy.asarray(x)
                for x in evaluate(expression, {k: v.copy() for k, v in inputs.items()}, array_api_compat.numpy, numpy.asarray)
            ]

    rng = numpy.random.default_rng(5)
    expected = results(base)
    weights = {
        i: rng.standard_normal(x.shape) + (1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else 0.0)
        for i, x in enumerate(expected)
        if x.dtype.kind in "fc"
    }
    if not weights:
        raise ValueError(f"{expression} gives nothing of floating point")

    def at(name: str, direction: Any, steps: int, h: float = 1e-4) -> float:
        found = results({**base, name: base[name] + steps * h * direction})
        return sum(float(numpy.sum((numpy.conj(w) * found[i]).real)) for i, w in weights.items()) / (12 * h)

    slopes = []
    for name in base:
        for _ in range(2):
            d = rng.standard_normal(base[name].shape)
            slopes.append((name, d, 8 * (at(name, d, 1) - at(name, d, -1)) - (at(name, d, 2) - at(name, d, -2))))
    return Measured(expected, weights, slopes)


def outcome_of_gradients(gradients: dict[str, Any], truth: Measured) -> tuple[str, str]:
    """What gradients as NumPy arrays, None where there is none, say of a call."""
    if all(g is None or not numpy.any(g) for g in gradients.values()):
        return ("constant" if truth.constant else "detached"), "no gradient"
    for name, direction, slope in truth.slopes:
        found = 0.0 if gradients[name] is None else float(numpy.sum(gradients[name] * direction))
        if not abs(found - slope) <= 1e-5 * max(abs(found), abs(slope)) + 1e-7:
            return "wrong", f"the slope in {name} is {found:.8g}, expected {slope:.8g}"
    return ("constant" if truth.constant else "differentiates"), ""


def gpugrad_outcome(expression: str, truth: Measured) -> tuple[str, str]:
    """What comes of a call on Tensors that record, and why."""
    inputs = {name: gg.tensor(INPUTS[name], requires_grad=True) for name in used(expression)}
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            results = evaluate(expression, inputs, gg, gg.asarray)
            terms = [
                gg.sum(gg.real(gg.asarray(numpy.conj(w)) * results[i]))
                for i, w in truth.weights.items()
                if isinstance(results[i], gg.Tensor) and results[i].requires_grad
            ]
            if terms:
                gg.sum(gg.stack(terms)).backward()
    except Exception as error:
        return "raises", f"{type(error).__name__}: {error}"
    grads = {name: None if x.grad is None else x.grad.numpy() for name, x in inputs.items()}
    status, why = outcome_of_gradients(grads, truth)
    if status in ("detached", "wrong"):
        said = [w for w in caught if issubclass(w.category, gg.DetachedWarning)]
        return ("warns", str(said[0].message)) if said else (status, why)
    rtol = 1e-8 if gg.get_default_dtype() == gg.float64 else 1e-6  # the precision of the numbers that SciPy makes arrays of
    for i in truth.weights:
        value = results[i].detach().numpy() if isinstance(results[i], gg.Tensor) else numpy.asarray(results[i])
        if not numpy.allclose(value, truth.results[i], rtol=rtol, atol=1e-9, equal_nan=True):
            return "wrong", f"the value is {value}, expected {truth.results[i]}"
    return status, why


def main(arguments: list[str]) -> int:
    options = {a for a in arguments if a.startswith("-")}
    words = [a for a in arguments if a not in options]
    outcomes = {"gpugrad": gpugrad_outcome}
    if "--peers" in options:
        import scipy_peers  # PyTorch and JAX, which only this option needs

        outcomes |= scipy_peers.OUTCOMES
    gg.set_default_dtype(gg.float64)  # as SciPy expects of what it does not know
    chosen = [c for c in calls() if not words or any(word in c.expression or word in c.module for word in words)]
    counts: defaultdict[str, dict[str, Counter[str]]] = defaultdict(lambda: {name: Counter() for name in outcomes})
    surprises = 0
    for call in chosen:
        truth = measured(call.expression)
        for name, outcome in outcomes.items():
            status, why = outcome(call.expression, truth)
            counts[call.module][name][status] += 1
            if name == "gpugrad" and status != call.expected:
                surprises += 1
                print(f"{call.expression}: {status}, expected {call.expected}: {why}")
            elif "-v" in options:
                print(f"{name} {status}: {call.expression} {why}")
    _print_table(counts, tuple(outcomes))
    return int(surprises > 0)


def _print_table(counts: dict[str, dict[str, Counter[str]]], libraries: tuple[str, ...]) -> None:
    """How many calls came to what, by module, for each library that was asked; in Markdown."""
    columns = ("differentiates", "constant", "raises", "warns", "detached", "wrong")
    total = {name: sum((counts[module][name] for module in counts), Counter[str]()) for name in libraries}
    kept = [(name, column) for name in libraries for column in columns if column == "differentiates" or total[name][column]]
    print("| | calls | " + " | ".join(f"{name} {column}" for name, column in kept) + " |")
    print("|---|" + "--:|" * (1 + len(kept)))
    for module, found in {**counts, "all": total}.items():
        cells = [found[name][column] for name, column in kept]
        print(f"| {module} | {found['gpugrad'].total()} | " + " | ".join(str(n or "") for n in cells) + " |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
