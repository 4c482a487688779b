"""The parts of `cupyx.scipy` that gpugrad can meet, on the stand-in."""
