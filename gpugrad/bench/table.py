"""What was measured as a table for the terminal: from rows as they come, or from a file of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gpugrad.bench.compare import faster
from gpugrad.bench.method import Row, Spread, ratio_label

_UNITS = ((1.0, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns"))
_LABEL, _FIGURE, _RATIO = 14, 28, 24


def head(found: Mapping[str, Any]) -> list[str]:
    """What is compared, on what, by which versions, and what the columns mean; `found` is what ``--json`` writes."""
    problem = found["about"]["cuda"]["problem"]
    used = found["threads"]
    names = list(found["devices"])
    columns = [f"{'size':>{_LABEL}}", *(f"{name:{_FIGURE}}" for name in names)]
    columns += [f"{ratio_label(names[0], name):{_RATIO}}" for name in names[1:]]
    figures = f"median and quartiles of {found['rounds']} rounds"
    return [
        versions(found),
        *(f"{device}: {name}" for device, name in found["devices"].items()),
        *([f"no GPU: {problem}"] if problem else []),
        f"threads on the CPU: {used['kernels']} for kernels, BLAS {used['BLAS']}; {used['cores']} cores",
        f"{figures}, by turns; no device is called faster where quartiles overlap"
        if len(names) > 1
        else f"one device, so nothing is compared: the table is what a step takes on {names[0]}, {figures}",
        "",
        "  ".join([*columns, "faster" if len(names) > 1 else ""]).rstrip(),
    ]


def versions(found: Mapping[str, Any]) -> str:
    """The libraries that computed."""
    return ", ".join(f"{name} {version}" for name, version in found["about"]["versions"].items())


def heading(found: Mapping[str, Any], case: str) -> str:
    """The line above the rows of a case."""
    about = found["cases"][case]
    return f"{case}, {about['work']}; size: {about['grows']}"


def whole(found: Mapping[str, Any]) -> Iterator[str]:
    """All lines of the table."""
    yield from head(found)
    for case, rows in by_case(found).items():
        yield from ("", heading(found, case), *(line(row, list(found["devices"])) for row in rows))
        yield from (f"  {sentence(x, rows)}" for x in found["crossovers"] if x["case"] == case)


def by_case(found: Mapping[str, Any]) -> dict[str, list[Row]]:
    """The rows of each case, by their sizes."""
    cases: dict[str, list[Row]] = {}
    for row in found["rows"]:
        cases.setdefault(row["case"], []).append(Row.from_dict({k: v for k, v in row.items() if k != "faster"}))
    for rows in cases.values():
        rows.sort(key=lambda row: row.size or 0)
    return cases


def line(row: Row, names: Sequence[str]) -> str:
    """A row of the table, whose columns are these devices; not every row has a figure for all of them."""
    if row.void or not row.figures:
        return f"{row.work:>{_LABEL}}  {f'VOID: {row.void}' if row.void else row.note}"
    times = [duration(row.figures[name]) if name in row.figures else "" for name in names]
    found = {comparison.label: _quartiles(comparison.spread) for comparison in row.comparisons}
    ratios = [found.get(ratio_label(names[0], name), "") for name in names[1:]]
    cells = [f"{row.work:>{_LABEL}}", *(f"{x:{_FIGURE}}" for x in times), *(f"{x:{_RATIO}}" for x in ratios)]
    return "  ".join([*cells, faster(row), row.note]).rstrip()


def sentence(crossing: Mapping[str, Any], found: Sequence[Row]) -> str:
    """From which size a device wins, among those that were measured."""
    sizes = {row.size: row.work for row in found if row.figures}
    pair, size = f"{crossing['device']} is faster than {crossing['against']}", crossing["size"]
    if size is None:
        return f"crossover: none up to {list(sizes.values())[-1]} where {pair}"
    return f"crossover: {pair} from {sizes[size]} on" + (", the smallest size" if size == next(iter(sizes)) else "")


def duration(spread: Spread) -> str:
    """Seconds with a unit in which the median is readable."""
    scale, unit = scaled(spread.median)
    return _quartiles(Spread(spread.median * scale, spread.low * scale, spread.high * scale), f" {unit}")


def scaled(seconds: float) -> tuple[float, str]:
    """The largest unit of which these seconds are at least one, and what to multiply them by; the least is a nanosecond."""
    return next(((scale, unit) for scale, unit in _UNITS if seconds * scale >= 1), _UNITS[-1])


def _quartiles(spread: Spread, unit: str = "") -> str:
    return f"{number(spread.median)}{unit} ({number(spread.low)} to {number(spread.high)})"


def number(value: float) -> str:
    """Three significant digits, without an exponent where that is readable."""
    return f"{value:.0f}" if abs(value) >= 999.5 else f"{value:.3g}"
