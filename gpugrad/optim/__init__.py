"""Optimizers, with PyTorch's names, arguments and defaults."""

from gpugrad.optim import lr_scheduler, swa_utils
from gpugrad.optim.adadelta import Adadelta
from gpugrad.optim.adagrad import Adagrad
from gpugrad.optim.adam import Adam, AdamW
from gpugrad.optim.adamax import Adamax
from gpugrad.optim.asgd import ASGD
from gpugrad.optim.lamb import LAMB
from gpugrad.optim.lars import LARS
from gpugrad.optim.lbfgs import LBFGS
from gpugrad.optim.lion import Lion
from gpugrad.optim.muon import Muon
from gpugrad.optim.nadam import NAdam
from gpugrad.optim.optimizer import Optimizer
from gpugrad.optim.radam import RAdam
from gpugrad.optim.rmsprop import RMSprop
from gpugrad.optim.rprop import Rprop
from gpugrad.optim.sgd import SGD

__all__ = [
    "ASGD", "LAMB", "LARS", "LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Muon", "NAdam", "Optimizer",
    "RAdam", "RMSprop", "Rprop", "lr_scheduler", "swa_utils",
]  # fmt: skip
