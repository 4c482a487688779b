"""Schedules of the learning rate, with PyTorch's names, arguments and numbers.

::

    optimizer = gg.optim.SGD(model.parameters(), lr=0.1)
    scheduler = gg.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)
    for epoch in range(100):
        train(...)             # calls optimizer.step()
        scheduler.step()       # after it: the rate of the next epoch

A schedule sets ``group["lr"]`` of every parameter group, from the rate that the group had at first, its base rate.

==================  ============================================================================================
``scheduler.py``    the base class LRScheduler, and FactorLR of schedules that multiply the base rate
``factors.py``      those: StepLR, MultiStepLR, ConstantLR, LinearLR, ExponentialLR, PolynomialLR, CosineAnnealingLR
``functions.py``    schedules that are functions of the user's: LambdaLR, MultiplicativeLR
``cyclic.py``       OneCycleLR, CyclicLR, CosineAnnealingWarmRestarts
``plateau.py``      ReduceLROnPlateau
``combined.py``     SequentialLR, ChainedScheduler
==================  ============================================================================================
"""

from gpugrad.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from gpugrad.optim.lr_scheduler.cyclic import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from gpugrad.optim.lr_scheduler.factors import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from gpugrad.optim.lr_scheduler.functions import LambdaLR, MultiplicativeLR
from gpugrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from gpugrad.optim.lr_scheduler.scheduler import LRScheduler

__all__ = [
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR", "LRScheduler",
    "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR",
    "StepLR",
]  # fmt: skip
