"""gpugrad.errors: the tree of exceptions, as drawn in the module's docstring."""

import inspect
import pickle
import re

import pytest

import gpugrad as gg
from gpugrad import errors

BUILT_IN = {
    "ShapeError": ValueError, "AxisError": IndexError, "DTypeError": TypeError, "DeviceError": RuntimeError, "DeterminismError": RuntimeError,
    "IndexingError": IndexError, "ConversionError": TypeError, "GraphError": RuntimeError, "RuleError": ValueError,
    "AnomalyError": ArithmeticError, "FileFormatError": ValueError, "OptionError": ValueError, "OutOfMemoryError": MemoryError,
}  # fmt: skip

CLASSES = dict(inspect.getmembers(errors, inspect.isclass))


@pytest.mark.parametrize("name, built_in", BUILT_IN.items())
def test_each_is_also_the_built_in_exception_that_users_expect(name, built_in):
    assert issubclass(CLASSES[name], built_in) and issubclass(CLASSES[name], gg.GpugradError)


def test_the_drawing_shows_every_class_under_its_base():
    drawn = {}
    branch = {}
    for line in errors.__doc__.splitlines():
        if match := re.match(r"( *)(?:[├└]── *)?(Exception|[A-Z]\w+(?:Error|Warning))\b", line.replace("│", " ")):
            depth = len(match[1])
            branch = {d: n for d, n in branch.items() if d < depth}
            drawn[match[2]] = branch[max(branch)] if branch else None
            branch[depth] = match[2]
    for name, kind in CLASSES.items():
        assert drawn[name] == kind.__base__.__name__, name
    assert {name for name in drawn if drawn[name]} == set(CLASSES)


def test_one_clause_catches_all_of_them():
    for kind in CLASSES.values():
        if not issubclass(kind, Warning):
            with pytest.raises(gg.GpugradError, match="text"):
                raise kind("text")


def test_they_are_documented_and_survive_pickling():
    for kind in CLASSES.values():
        assert kind.__doc__ and str(pickle.loads(pickle.dumps(kind("text")))) == "text"


def test_those_that_users_catch_are_in_the_public_face():
    assert {name for name in CLASSES if not hasattr(gg, name)} == {"UnsupportedOperandError"}
