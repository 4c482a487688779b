"""Datasets and loaders, with PyTorch's names and arguments."""

from gpugrad.data.collate import default_collate
from gpugrad.data.dataset import Dataset, Subset, TensorDataset, random_split
from gpugrad.data.loader import DataLoader

__all__ = ["DataLoader", "Dataset", "Subset", "TensorDataset", "default_collate", "random_split"]
