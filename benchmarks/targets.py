"""The targets for a GPU, each with what was measured, or "not run": a table for the report of a GPU and for results/README.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report import number

Rows = Sequence[Mapping[str, Any]]

HEAD = ["target", "measured", "verdict"]
NOT_RUN = ["not run", ""]


def lines(
    bench: Rows = (), step: Mapping[str, Any] | None = None, parts: Mapping[str, Mapping[str, Any]] | None = None
) -> list[list[str]]:
    """A line per target, the head first.

    `bench` holds the rows of benchmarks/run.py as dicts, `step` what benchmarks/step.py wrote, `parts` the parts of gpu.py.
    """
    return [
        HEAD,
        ["every op, rule and kernel computes what the CPU does", *_part(parts, "check")],
        ["the test suite passes on CuPy", *_part(parts, "tests")],
        ["the main job: accuracy and losses as on the CPU", *_part(parts, "train-cpu")],
        ["first ten losses with a fixed seed within 1e-4 of the CPU's", *_losses(step)],
        [
            "elementwise and norm kernels, 64 MiB and more: at least 0.8 of a copy's bandwidth",
            *_ratios(bench, "bandwidth", inverse=True),
        ],
        ["gemm, float32 and bfloat16: at most 1.03 of the time of CuPy's plain call", *_ratios(bench, "gemm")],
        ["MLP step 784-512-256-10, batch 128: at most 0.7 of PyTorch eager", *_ratios(bench, "mlp", "PyTorch cuda")],
        ["launches of that step: no more than PyTorch's", *_launches(step)],
        ["memory of that step", *_memory(step)],
    ]


def _part(parts: Mapping[str, Mapping[str, Any]] | None, name: str) -> list[str]:
    found = (parts or {}).get(name, {"status": "not run"})
    return (
        NOT_RUN
        if found["status"] == "not run"
        else [found["detail"] or "ran", "pass" if found["status"] == "passed" else "fail"]
    )


def _losses(step: Mapping[str, Any] | None) -> list[str]:
    return NOT_RUN if step is None else [f"at most {step['apart']:.2g} apart", "fail" if step["void"] else "pass"]


def _ratios(bench: Rows, case: str, against: str = "", *, inverse: bool = False) -> list[str]:
    """The worst figure that the rows of a case give, and the worst verdict; only comparisons `against` a column, if one is named."""
    rows = [row for row in bench if row["case"] == case]
    found = [c for row in rows for c in row["comparisons"] if against in c["label"] and c["limit"] is not None]
    void = [row["void"] for row in rows if row["void"]]
    if void:
        return [f"void: {void[0]}", "fail"]
    if not found:
        return NOT_RUN
    worst = max(c["spread"]["median"] for c in found)
    verdicts = {c["verdict"] for c in found}
    return [number(1 / worst if inverse else worst), next(v for v in ("fail", "undecided", "pass") if v in verdicts)]


def _launches(step: Mapping[str, Any] | None) -> list[str]:
    if step is None:
        return NOT_RUN
    ours, theirs = (step["launches"][name] for name in ("gpugrad", "PyTorch"))
    texts = [_counted(found) for found in (ours, theirs)]
    known = isinstance(ours, dict) and isinstance(theirs, dict)
    verdict = ("pass" if sum(ours.values()) <= sum(theirs.values()) else "fail") if known else ""
    return [f"{texts[0]}; PyTorch: {texts[1]}", verdict]


def _counted(found: Any) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in found.items()) if isinstance(found, dict) else str(found)


def _memory(step: Mapping[str, Any] | None) -> list[str]:
    return NOT_RUN if step is None else [f"{step['peak'] / 2**20:.1f} MiB at the most", ""]
