"""Hooks of modules side by side with PyTorch's: what is called, in which order, with which gradients.

Run by ``python -m nox -s parity``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from parity.peers import torch

import gpugrad as gg


def shown(x: Any) -> Any:
    return None if x is None else np.round(np.asarray(x.detach()).astype(float), 5).tolist()


def log_of(lib: Any, tensor: Any, requires_grad: bool) -> list[Any]:
    """What hooks of a small model see, and the gradients at the end."""
    nn = lib.nn
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2))
    rng, log = np.random.default_rng(0), []
    state = {name: tensor(rng.normal(size=tuple(x.shape)).astype("float32")) for name, x in model.state_dict().items()}
    model.load_state_dict(state)
    for name, module in model.named_modules():
        module.register_forward_pre_hook(lambda m, args, name=name: log.append((name, "pre", len(args))))
        module.register_forward_hook(lambda m, args, out, name=name: log.append((name, "after", shown(out))))
        module.register_full_backward_pre_hook(lambda m, g, name=name: log.append((name, "out", [shown(x) for x in g])))
        module.register_full_backward_hook(
            lambda m, gi, go, name=name: log.append((name, "in", [shown(x) for x in gi], [shown(x) for x in go]))
        )
    model[1].register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,), prepend=True)
    model[2].register_full_backward_pre_hook(lambda m, go: (go[0] + 1,), prepend=True)
    model[0].register_forward_pre_hook(lambda m, args: (args[0] * 3,))
    x = tensor(rng.normal(size=(4, 3)).astype("float32"))
    x.requires_grad_(requires_grad)
    lib.sum(model(x) ** 2).backward()
    log.append([shown(p.grad) for p in model.parameters()])
    return [*log, shown(x.grad)]


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")  # PyTorch says so where no input records
@pytest.mark.parametrize("requires_grad", [True, False])
def test_hooks_see_what_those_of_pytorch_see(requires_grad: bool) -> None:
    found, expected = log_of(gg, gg.asarray, requires_grad), log_of(torch, torch.from_numpy, requires_grad)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        if isinstance(one, tuple):
            assert one[:2] == other[:2]
            one, other = one[2:], other[2:]
        flat = [np.ravel(x) if x is not None else np.zeros(0) for x in leaves_of(one)]
        peers = [np.ravel(x) if x is not None else np.zeros(0) for x in leaves_of(other)]
        np.testing.assert_allclose(np.concatenate([*flat, [0]]), np.concatenate([*peers, [0]]), atol=3e-4)


def leaves_of(x: Any) -> list[Any]:
    return [y for part in x for y in leaves_of(part)] if isinstance(x, (list, tuple)) else [x]
