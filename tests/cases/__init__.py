"""Records of all ops: one file for each file of gpugrad/ops, and one for gpugrad/nn/functional."""

from cases import (
    contraction,
    creation,
    dtypes,
    einsum,
    elementwise,
    functional,
    indexing,
    reduction,
    searching,
    shape,
    transfer,
)

FILES = (contraction, creation, dtypes, einsum, elementwise, functional, indexing, reduction, searching, shape, transfer)
CASES = [case for file in FILES for case in file.CASES]
