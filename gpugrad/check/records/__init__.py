"""Records of all ops: one file for each file of gpugrad/ops, and one or more for gpugrad/nn/functional."""

import importlib
import pkgutil

from gpugrad.check.records.case import Case

CASES: list[Case] = [
    case
    for file in pkgutil.iter_modules(__path__)
    if file.name != "case"
    for case in importlib.import_module(f"{__name__}.{file.name}").CASES
]
