"""SciPy, unmodified, on Tensors that record: every call of scipy_calls.txt does what is written there."""

from __future__ import annotations

import os
import runpy
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

if os.environ.get("SCIPY_ARRAY_API") != "1":
    pytest.skip("SciPy reads SCIPY_ARRAY_API=1 when it is first imported: nox -s interop sets it", allow_module_level=True)
if not version("scipy").startswith("1.17."):
    pytest.skip(f"the list is for SciPy 1.17, and this is {version('scipy')}", allow_module_level=True)

from interop.scipy_calls import Call, calls, gpugrad_outcome, measured

import gpugrad as gg

CALLS = calls()
SCRIPTS = Path(__file__).parents[2] / "examples" / "interop"


@pytest.fixture(scope="module", params=["float64", "float32"])
def default_dtype(request: pytest.FixtureRequest) -> Iterator[str]:
    """SciPy expects float64 of Python numbers; with float32 a few results are less precise, and nothing else differs."""
    before = gg.get_default_dtype()
    gg.set_default_dtype(request.param)
    yield request.param
    gg.set_default_dtype(before)


@pytest.mark.usefixtures("default_dtype")
@pytest.mark.parametrize("call", CALLS, ids=[call.expression for call in CALLS])
def test_the_outcome_of_a_call(call: Call) -> None:
    found, why = gpugrad_outcome(call.expression, measured(call.expression))
    assert found == call.expected, f"{why} ({call.reason})"


def test_no_gradient_is_lost_in_silence() -> None:
    assert {call.expected for call in CALLS} <= {"differentiates", "constant", "raises", "warns", "wrong"}
    assert all(call.reason for call in CALLS if call.expected != "differentiates")


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("scipy_*.py")), ids=lambda path: path.stem)
def test_a_recipe_finds_what_it_says(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = gg.get_default_dtype()
    try:
        runpy.run_path(str(script))["main"]()  # which asserts it
    finally:
        gg.set_default_dtype(before)
    assert capsys.readouterr().out


def test_the_page_tells_the_counts_of_the_list() -> None:
    counts = Counter(call.expected for call in CALLS)
    page = (SCRIPTS.parents[1] / "docs" / "interop.md").read_text(encoding="utf-8")
    assert f"| all | {len(CALLS)} | {counts['differentiates']} | {counts['constant']} | {counts['raises']} |" in page
