"""The cases of all layers and losses: every module of this folder that has ``CASES``."""

from __future__ import annotations

import importlib
import pkgutil

from layers.case import LayerCase

CASES: list[LayerCase] = [
    case
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name)
    for case in getattr(importlib.import_module(f"layers.{module.name}"), "CASES", ())
]

_ids = [case.id for case in CASES]
assert len(set(_ids)) == len(_ids), f"give a label to {sorted({i for i in _ids if _ids.count(i) > 1})}"
