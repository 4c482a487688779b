"""Linear algebra, each function with its derivative. The public names are in ``gpugrad/linalg.py``."""
