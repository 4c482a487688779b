"""The losses and the accuracy that the main job prints, read from its output and compared between two devices."""

from __future__ import annotations

import re

TOLERANCE = 0.02
"""How far two losses may be apart, relative to 0.1 or to themselves: sums run in another order on a GPU, and training amplifies it."""

NOISE = 0.02
"""How far two accuracies may be apart: two standard errors of 97% right among 360 test images."""

_ACCURACY = re.compile(r"^test accuracy (\d+(?:\.\d*)?)%", re.MULTILINE)
_LOSS = re.compile(r"\bloss\b[\s:=]*(\d+(?:\.\d*)?(?:e[-+]?\d+)?)", re.IGNORECASE)
_EPOCH = re.compile(r"\bepoch\b\D*(\d+)", re.IGNORECASE)


def losses(output: str) -> list[float]:
    """The loss of each epoch: the last one printed for it, since a progress bar shows earlier ones before."""
    found: dict[int, float] = {}
    for line in re.split(r"[\r\n]", output):
        epoch, loss = _EPOCH.search(line), _LOSS.search(line)
        if epoch and loss:
            found[int(epoch[1])] = float(loss[1])
    return [found[number] for number in sorted(found)]


def compare(cuda: str, cpu: str) -> tuple[bool, str]:
    """Whether two runs printed the same losses and accuracy, within the tolerances, and one line that says how close they are."""
    left, right = losses(cuda), losses(cpu)
    if not left or not right:
        return False, f"losses: found {len(left)} on cuda and {len(right)} on cpu in what was printed, nothing to compare"
    if len(left) != len(right):
        return False, f"losses: {len(left)} epochs on cuda and {len(right)} on cpu"
    apart = [abs(a - b) / max(0.1, abs(a), abs(b)) for a, b in zip(left, right, strict=True)]
    worst = max(range(len(apart)), key=apart.__getitem__)
    line = f"losses of {len(left)} epochs: largest relative difference {apart[worst]:.2g}, in epoch {worst + 1}"
    line += f" ({left[worst]:g} on cuda, {right[worst]:g} on cpu); last {left[-1]:g} and {right[-1]:g}"
    reached = [float(found[1]) / 100 for found in map(_ACCURACY.search, (cuda, cpu)) if found]
    if len(reached) < 2:
        return False, f"{line}; no test accuracy was printed"
    line += f"; test accuracy {reached[0]:.2%} on cuda, {reached[1]:.2%} on cpu"
    return max(apart) <= TOLERANCE and abs(reached[0] - reached[1]) <= NOISE, line
