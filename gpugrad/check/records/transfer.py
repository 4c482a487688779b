"""Records of gpugrad/ops/transfer.py. Transfers between devices are in tests/ops/test_transfer.py."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.check.records.case import HERE, Case, call, integers, real


def _to_device(x: Any, device: Any) -> Any:
    return x


CASES = [
    Case("copy", [call(real(2, 3)), call(real()), call(real(0)), call(integers(2))], numpy.copy, complex=True),
    Case("to_device", [call(real(2, 3), HERE), call(real(), HERE), call(integers(2), HERE)], _to_device, complex=True),
]
