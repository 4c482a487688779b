"""docs/pytorch.md says what is there, and why the rest is not."""

from __future__ import annotations

import pytest

from parity import peers  # isort: skip  # before names: it skips this module where the comparison was not asked for
from parity import names

assert peers.torch


@pytest.mark.parametrize("section", names.SECTIONS, ids=lambda section: section.name)
def test_what_is_absent_has_a_reason_and_nothing_else_has_one(section: names.Section) -> None:
    absent = {line.name: line.why for line in names.lines(section) if not line.here}
    assert absent == names.ABSENT[section.name]


def test_every_layer_of_pytorch_that_is_here_is_compared() -> None:
    (section,) = (section for section in names.SECTIONS if section.name == "nn")
    holders = {"Module", "ModuleDict", "ModuleList", "Parameter", "ParameterDict", "ParameterList"}
    random = {"AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout", "RReLU"}
    uncompared = {line.name for line in names.lines(section) if line.here and not line.compared}
    assert uncompared <= holders | random


def test_the_page_is_up_to_date() -> None:
    assert names.PAGE.read_text(encoding="utf-8") == names.page(), "run PYTHONPATH=tests python -m parity.names"
