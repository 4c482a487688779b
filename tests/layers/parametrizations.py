"""Layers whose weights are parametrized."""

from gpugrad.check.records.case import real
from layers.case import LayerCase, call

CASES = [
    LayerCase(
        "Linear",
        inputs=call(real(3, 5)),
        label="weight_norm",
        make=lambda nn: nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)),
    ),
    LayerCase(
        "Linear",
        inputs=call(real(3, 5)),
        label="weight_norm of columns",
        make=lambda nn: nn.utils.parametrizations.weight_norm(nn.Linear(5, 4), dim=1),
    ),
    LayerCase(
        "Linear",
        inputs=call(real(3, 5)),
        label="weight_norm of all",
        make=lambda nn: nn.utils.parametrizations.weight_norm(nn.Linear(5, 4), dim=None),
    ),
    LayerCase(
        "Linear",
        inputs=call(real(3, 5)),
        label="spectral_norm",
        make=lambda nn: nn.utils.parametrizations.spectral_norm(nn.Linear(5, 4)),
        train=False,
    ),
    # In training the vectors move with every call; so many steps find them whatever the weight was before.
    LayerCase(
        "Linear",
        inputs=call(real(3, 5)),
        label="spectral_norm in training",
        make=lambda nn: nn.utils.parametrizations.spectral_norm(nn.Linear(5, 4), n_power_iterations=100, dim=1),
    ),
    LayerCase(
        "Linear",
        inputs=call(real(3, 5)),
        label="spectral_norm of a vector",
        make=lambda nn: nn.utils.parametrizations.spectral_norm(nn.Linear(5, 4), "bias"),
    ),
    # The other ways to orthogonal matrices solve linear systems, for which CuPy waits: they are in tests/nn/utils and tests/parity. Here
    # PyTorch takes the integer part of the diagonal, changed at random, and not its sign: compared where it is 1 or -1, in tests/parity.
    *(
        LayerCase(
            "Linear",
            call(5, rows),
            call(real(3, 5)),
            f"orthogonal {label}",
            make=lambda nn, columns, rows: nn.utils.parametrizations.orthogonal(nn.Linear(columns, rows)),
            peer=None,
        )
        for rows, label in ((3, "wide"), (7, "tall"))
    ),
]
