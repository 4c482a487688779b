"""Gradients agree with PyTorch's and JAX's, to 1e-10 in double precision, for each differentiable function of the standard.

Run by ``python -m nox -s parity``, which installs both.
"""

from __future__ import annotations

import numpy as np
import pytest
from parity.extensions import EXTENSIONS
from parity.main_namespace import MAIN
from parity.peers import PEERS, by_gpugrad
from parity.row import Row
from parity.special_functions import SPECIAL, WITHOUT

from gpugrad.check.gradients import FUNCTIONS, REAL_ONLY

TOLERANCE = 1e-10
ROWS = [*MAIN, *EXTENSIONS]
PAIRS = [(row, peer) for row in (*ROWS, *SPECIAL) for peer in PEERS if row.of(peer) is not None]


@pytest.mark.parametrize(("row", "peer"), PAIRS, ids=lambda x: x.id if isinstance(x, Row) else x)
def test_gradients_agree(row: Row, peer: str) -> None:
    expected_values, expected_gradients = PEERS[peer](row)
    values, gradients = by_gpugrad(row)
    assert gradients
    for what, found, expected in (("values", values, expected_values), ("gradients", gradients, expected_gradients)):
        assert len(found) == len(expected)
        for x, y in zip(found, expected, strict=True):
            assert x.dtype == y.dtype
            np.testing.assert_allclose(x, y, rtol=TOLERANCE, atol=TOLERANCE * np.max(np.abs(y), initial=0), err_msg=what)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_compared_with_both(name: str) -> None:
    found = [row for row in ROWS if row.name == name]
    kinds = {False} if name in REAL_ONLY else {True} if name == "imag" else {False, True}
    assert {row.complex for row in found} == kinds
    assert all(row.of(peer) for row in found for peer in PEERS)


@pytest.mark.parametrize("peer", PEERS)
def test_special_functions_that_are_left_out_are_compared_with_the_other(peer: str) -> None:
    others = {row.name.removeprefix("special.") for row, other in PAIRS if row in SPECIAL and other != peer}
    assert set(WITHOUT[peer]) <= others
