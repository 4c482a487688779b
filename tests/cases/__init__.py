"""Records of all ops: one file for each file of gpugrad/ops, and one for gpugrad/nn/functional."""

from cases import (
    contraction,
    creation,
    dtypes,
    einsum,
    elementwise,
    functional,
    indexing,
    random_bits,
    reduction,
    searching,
    shape,
    special,
    transfer,
)

FILES = (
    contraction,
    creation,
    dtypes,
    einsum,
    elementwise,
    functional,
    indexing,
    random_bits,
    reduction,
    searching,
    shape,
    special,
    transfer,
)
CASES = [case for file in FILES for case in file.CASES]
