"""Special functions, each with its derivative. The public names are in ``gpugrad/special.py``."""
