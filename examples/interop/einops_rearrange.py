"""einops, differentiated: pip install gpugrad einops; python examples/interop/einops_rearrange.py

``einops.array_api`` takes the arrays of any library of the standard, gpugrad's Tensors too; the top level of einops knows a list of
libraries and refuses others. Every gradient is checked against central differences.
"""

import numpy as np
from einops.array_api import pack, rearrange, reduce, repeat, unpack

import gpugrad as gg

rng = np.random.default_rng(0)
IMAGES = rng.normal(size=(2, 4, 6, 3))  # batch, height, width, channels
WEIGHT = rng.normal(size=(12, 5))
TOKEN = rng.normal(size=5)


def patches(images, weight):
    """What a vision transformer begins with: each patch of 2 x 2 pixels as a vector, and its projection."""
    tokens = rearrange(images, "b (h p) (w q) c -> b (h w) (p q c)", p=2, q=2)
    return gg.sum(gg.tanh(tokens @ weight))


def class_token(images, weight, token):
    """A learned token in front of those of each image, and what comes of it after mixing."""
    tokens = rearrange(images, "b (h p) (w q) c -> b (h w) (p q c)", p=2, q=2) @ weight
    packed, shapes = pack([repeat(token, "d -> b d", b=images.shape[0]), tokens], "b * d")
    mixed = gg.nn.functional.softmax(packed @ gg.matrix_transpose(packed), dim=-1) @ packed
    first, _ = unpack(mixed, shapes, "b * d")
    return gg.sum(first**2)


def pooling(images):
    """The largest value of each block, averaged over the blocks of each channel."""
    blocks = reduce(images, "b (h p) (w q) c -> b h w c", "max", p=2, q=3)
    return gg.sum(reduce(blocks, "b h w c -> b c", "mean") ** 2)


def normalized(images):
    """Channels with mean 0 and variance 1, by reductions that keep their axes."""
    centred = images - reduce(images, "b h w c -> 1 1 1 c", "mean")
    return gg.sum((centred / gg.sqrt(reduce(centred**2, "b h w c -> 1 1 1 c", "mean"))) ** 3)


CALLS = {
    "rearrange: patches": (patches, IMAGES, WEIGHT),
    "pack, repeat, unpack: a token": (class_token, IMAGES, WEIGHT, TOKEN),
    "reduce: pooling": (pooling, IMAGES),
    "reduce: normalized channels": (normalized, IMAGES),
}


def main():
    for name, (function, *arrays) in CALLS.items():
        value, gradients = gg.value_and_grad(function, argnums=tuple(range(len(arrays))))(*arrays)
        gg.testing.check_grads(function, *arrays, order=2)
        largest = max(np.abs(gradient).max() for gradient in gradients)
        print(f"{name:30} {float(value):10.4f}  largest derivative {largest:8.4f}  equals central differences")


if __name__ == "__main__":
    main()
