"""Records of every op, and the check that holds a device to them: ``python -m gpugrad check``."""
