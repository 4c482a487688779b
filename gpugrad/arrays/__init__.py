"""Raw arrays: kernels by array type, devices, transfers, random bits. Nothing here knows about gradients."""
