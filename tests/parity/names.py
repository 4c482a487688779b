"""What PyTorch has for training and what gpugrad has of it: docs/pytorch.md, which ``python -m nox -s parity`` writes anew.

Names and arguments are read from both libraries; what is absent needs a reason, below. By hand: ``PYTHONPATH=tests python -m parity.names``.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from layers import CASES
from layers.case import same

from gpugrad import amp, nn, optim

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pytorch.md"

LAZY = "sizes are given when a layer is made"
OVER_ITSELF = "functions return new Tensors; the function without the underscore is there"
NOT_YET = "not written yet"
INTERNAL = "no part of PyTorch's documented interface"
OLD = "deprecated in PyTorch"
ONE_PROCESS = "training runs in one process so far"
COMPILED = "a layout or fusion for PyTorch's own kernels"

ABSENT: dict[str, dict[str, str]] = {
    "nn": {
        "AdaptiveLogSoftmaxWithLoss": NOT_YET,
        "Buffer": "register_buffer declares one",
        "Container": OLD,
        "CrossMapLRN2d": "LocalResponseNorm computes the same",
        "DataParallel": ONE_PROCESS,
        "FractionalMaxPool2d": NOT_YET,
        "FractionalMaxPool3d": NOT_YET,
        **dict.fromkeys(
            [
                *(f"Lazy{kind}{n}d" for kind in ("BatchNorm", "Conv", "ConvTranspose", "InstanceNorm") for n in (1, 2, 3)),
                "LazyLinear", "UninitializedBuffer", "UninitializedParameter",
            ],
            LAZY,
        ),
        "LinearCrossEntropyLoss": "F.cross_entropy of nn.Linear is the same, in two ops",
        "LinearCrossEntropyOptions": "see LinearCrossEntropyLoss",
        "NLLLoss2d": OLD,
        "RNNBase": INTERNAL,
        "RNNCellBase": INTERNAL,
        "SyncBatchNorm": ONE_PROCESS,
    },
    "nn.functional": {
        **{f"fractional_max_pool{n}d": NOT_YET for n in (2, 3)},
        **{f"fractional_max_pool{n}d_with_indices": NOT_YET for n in (2, 3)},
        **{f"adaptive_max_pool{n}d_with_indices": f"adaptive_max_pool{n}d(return_indices=True)" for n in (1, 2, 3)},
        **{f"max_pool{n}d_with_indices": f"max_pool{n}d(return_indices=True)" for n in (1, 2, 3)},
        **dict.fromkeys(("celu_", "elu_", "hardtanh_", "leaky_relu_", "relu_", "rrelu_", "selu_", "threshold_"), OVER_ITSELF),
        **dict.fromkeys(("upsample", "upsample_bilinear", "upsample_nearest"), OLD + "; interpolate takes their place"),
        **dict.fromkeys(("grouped_mm", "scaled_grouped_mm", "scaled_mm"), "for numbers of 8 bits and experts, which are not here"),
        **dict.fromkeys(("affine_grid", "grid_sample", "pdist", "conv_tbc"), NOT_YET),
        "linear_cross_entropy": "cross_entropy of linear is the same, in two ops",
        "native_channel_shuffle": "channel_shuffle",
    },
    "nn.init": {},
    "nn.utils": {
        **dict.fromkeys(("clip_grad_norm", "remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"), OLD),
        **dict.fromkeys(
            (
                "convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format", "fuse_conv_bn_eval",
                "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights",
            ),
            COMPILED,
        ),
        "skip_init": "give a layer's parameters their values with load_state_dict",
    },
    "nn.utils.parametrize": {},
    "nn.utils.parametrizations": {},
    "nn.utils.rnn": {},
    "optim": {
        "Adafactor": NOT_YET,
        "SparseAdam": "gradients are dense",
        "swap_in_optimizer_params_and_state": INTERNAL,
    },
    "optim.lr_scheduler": {},
    "optim.swa_utils": {
        **dict.fromkeys(("get_ema_avg_fn", "get_swa_avg_fn"), "the function of all parameters at once, ..._multi_avg_fn"),
        "SWALR": "ChainedScheduler and SequentialLR make any such schedule",
    },
    "amp": {},
    "nn.Module": {
        "compile": "gg.fuse makes kernels of functions",
        **dict.fromkeys(("get_extra_state", "set_extra_state"), "files hold arrays and no other objects"),
        **dict.fromkeys(("ipu", "xpu", "mtia", "share_memory", "to_empty"), "there are no such devices, and no storage apart from arrays"),
        "register_backward_hook": OLD,
    },
}  # fmt: skip
"""What is absent, and why."""

ARGUMENTS: dict[str, str] = {
    "size_average": OLD,
    "reduce": OLD,
    **dict.fromkeys(("foreach", "fused", "capturable", "differentiable"), "one kernel updates all parameters"),
    "sparse": "gradients are dense",
    "_weight": INTERNAL,
    "_freeze": INTERNAL,
    "_stacklevel": INTERNAL,
    "cache_enabled": "casts are not kept",
    "enable_nested_tensor": "Tensors are not nested",
    "mask_check": "Tensors are not nested",
}
"""Arguments that are absent everywhere, and why."""

OF_ONE: dict[str, str] = {
    "nn.Hardtanh.min_value": OLD,
    "nn.Hardtanh.max_value": OLD,
    "nn.functional.gumbel_softmax.eps": OLD,
    "nn.functional.normalize.out": OVER_ITSELF,
    "nn.Module.named_modules.memo": INTERNAL,
    "nn.functional.tanh.input": "its operand is called x, as in the standard",
}
"""The same for one name: ``"nn.Layer.argument"``."""


@dataclass(frozen=True)
class Section:
    """A namespace of PyTorch's and ours, and which of its names count."""

    name: str
    title: str
    theirs: Any
    ours: Any
    counts: Callable[[str, Any], bool]


def _public(module: Any) -> Callable[[str, Any], bool]:
    """Functions and classes of that module that its documentation tells of."""
    names = set(getattr(module, "__all__", dir(module)))
    return lambda name, x: name in names and callable(x) and not name.startswith("_")


def _module(name: str) -> tuple[Any, Any]:
    return importlib.import_module(f"torch.{name}"), importlib.import_module(f"gpugrad.{name}")


def _is_function(name: str, x: Any) -> bool:
    internal = {"assert_int_or_pair", "boolean_dispatch", "handle_torch_function", "multi_head_attention_forward"}
    return (
        not name.startswith(("_", "has_torch"))
        and callable(x)
        and not isinstance(x, type)
        and name not in internal
        and name.islower()
    )


SECTIONS = (
    Section("nn.Module", "Methods of modules", torch.nn.Module, nn.Module, lambda name, x: inspect.isfunction(x) and name[0] != "_"),
    Section("nn", "Layers and losses", torch.nn, nn, lambda name, x: isinstance(x, type)),
    Section("nn.functional", "Functions", torch.nn.functional, nn.functional, _is_function),
    Section(
        "nn.init", "Initial values", torch.nn.init, nn.init, lambda name, x: name == "calculate_gain" or (name[-1] == "_" != name[0])
    ),
    Section("nn.utils", "Utilities", *_module("nn.utils"), _public(torch.nn.utils)),
    Section("nn.utils.parametrize", "Parametrizations", *_module("nn.utils.parametrize"), lambda name, x: name in _PARAMETRIZE),
    Section(
        "nn.utils.parametrizations", "Ready parametrizations", *_module("nn.utils.parametrizations"),
        _public(torch.nn.utils.parametrizations),
    ),
    Section("nn.utils.rnn", "Packed sequences", *_module("nn.utils.rnn"), _public(torch.nn.utils.rnn)),
    Section("optim", "Optimizers", torch.optim, optim, _public(torch.optim)),
    Section("optim.lr_scheduler", "Schedules", torch.optim.lr_scheduler, optim.lr_scheduler, _public(torch.optim.lr_scheduler)),
    Section("optim.swa_utils", "Averages of weights", *_module("optim.swa_utils"), _public(torch.optim.swa_utils)),
    Section("amp", "Mixed precision", torch.amp, amp, lambda name, x: name in ("autocast", "GradScaler")),
)  # fmt: skip

_PARAMETRIZE = ("cached", "is_parametrized", "register_parametrization", "remove_parametrizations")


@dataclass(frozen=True)
class Line:
    """A name of PyTorch's: whether it is here, how many settings are compared side by side, arguments that are absent, why."""

    name: str
    here: bool
    compared: int
    without: Mapping[str, str]
    why: str


def arguments(x: Any) -> list[str]:
    """The names of the arguments that a class or function takes."""
    try:
        parameters = inspect.signature(x.__init__ if isinstance(x, type) else x).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def lines(section: Section) -> Iterator[Line]:
    """A line for every name of a section. Raises KeyError for an absence without a reason."""
    for name in sorted(dir(section.theirs), key=str.lower):
        theirs = getattr(section.theirs, name)
        if not section.counts(name, theirs):
            continue
        found = getattr(section.ours, name, None)
        if found is None:
            yield Line(name, False, 0, {}, ABSENT[section.name][name])
            continue
        compared = (
            sum(case.name == name and case.peer is same and not case.draws for case in CASES) if section.name == "nn" else 0
        )
        missing = [a for a in arguments(theirs) if a not in arguments(found)] if arguments(found) else []
        without = {a: OF_ONE.get(f"{section.name}.{name}.{a}") or ARGUMENTS[a] for a in missing}
        yield Line(name, True, compared, without, "")


def beyond() -> list[str]:
    """Layers, losses and optimizers that PyTorch does not have."""
    found = [f"nn.{name}" for name in nn.__all__ if isinstance(getattr(nn, name), type) and not hasattr(torch.nn, name)]
    return found + [f"optim.{name}" for name in optim.__all__ if not hasattr(torch.optim, name)]


HEAD = """\
# PyTorch's names in gpugrad

Whoever knows PyTorch knows these: the names, arguments, defaults, parameter names and numbers are the same. This page is made by
`python -m nox -s parity`, which also compares every layer and loss with PyTorch's side by side, from the same weights: results and
all gradients to 1e-10 in float64 and 1e-5 in float32, relative to the largest number of each array or to 1; and optimizers and
schedules step by step. "Settings" says in how many settings a layer is compared. PyTorch {version}.

Different everywhere:

- `inplace=True` is accepted and changes nothing: results are new Tensors.
- Losses take arguments after the deprecated `size_average` and `reduce`, which are left out, by keyword.
- Losses refuse shapes that PyTorch would broadcast with a warning.
- {arguments}
"""


def page() -> str:
    """The text of docs/pytorch.md."""
    shared = "; ".join(f"no `{a}`: {why}" for a, why in ARGUMENTS.items() if not a.startswith("_"))
    out = [HEAD.format(version=torch.__version__.partition("+")[0], arguments=shared)]
    for section in SECTIONS:
        table = list(lines(section))
        here, absent = [x for x in table if x.here], [x for x in table if not x.here]
        out.append(f"\n## {section.title}: `{section.name}`\n\n{len(here)} of {len(table)} are here.\n")
        if section.name == "nn":
            out.append("\n| name | settings compared | |\n|---|---|---|\n")
            out += [f"| `{x.name}` | {x.compared or ''} | {_notes(section, x)} |\n" for x in here]
        else:
            out.append("\n" + ", ".join(f"`{x.name}`" for x in here) + "\n")
            out += [f"\n- `{x.name}`: {notes}\n" for x in here if (notes := _notes(section, x))]
        if absent:
            out.append("\n| absent | why |\n|---|---|\n")
            out += [f"| `{x.name}` | {x.why} |\n" for x in absent]
    out.append("\n## Beyond PyTorch\n\n" + ", ".join(f"`{name}`" for name in beyond()) + "\n")
    return "".join(out)


def _notes(section: Section, line: Line) -> str:
    own = {a: why for a, why in line.without.items() if a not in ARGUMENTS or f"{section.name}.{line.name}.{a}" in OF_ONE}
    return "; ".join(f"without `{a}`: {why}" for a, why in own.items())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
