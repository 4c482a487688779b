"""Optimizers, with PyTorch's names, arguments and defaults."""

from gpugrad.optim import lr_scheduler
from gpugrad.optim.adam import Adam
from gpugrad.optim.optimizer import Optimizer
from gpugrad.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer", "lr_scheduler"]
