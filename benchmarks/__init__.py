"""Benchmarks of gpugrad against NumPy and against its peers; see run.py (any machine) and gpu.py (a machine with a GPU)."""
