"""Functions of your own as one kernel each, with their gradients: python examples/fuse.py --size 1000000

For each of three functions it prints what gg.fuse traced, the C and the CUDA source that it wrote, and how long the function and
its gradients take, fused and op by op, after checking that both give the same. Needs nothing but gpugrad and a C compiler.
"""

import argparse
import math
import statistics
import sys
import time
from functools import partial

import numpy as np

import gpugrad as gg


def swiglu(gate, x):
    """What transformers use between two linear layers."""
    return gate * gg.nn.functional.sigmoid(gate) * x


def mandelbrot(re, im, steps=8):
    """How far z <- z * z + c has come after a fixed number of steps, standing still once it has left a circle. A loop is unrolled."""
    x, y = re, im
    for _ in range(steps):
        inside = x * x + y * y < 4.0
        x, y = gg.where(inside, x * x - y * y + re, x), gg.where(inside, 2.0 * x * y + im, y)
    return gg.sqrt(x * x + y * y)


def log_likelihood(data, mean, log_deviation):
    """Of independent normal variables, each with its own mean and deviation: one number, in one pass over memory."""
    z = (data - mean) * gg.exp(-log_deviation)
    return gg.sum(-0.5 * z * z - log_deviation - 0.5 * math.log(2 * math.pi))


def gradient_of(function, count):
    """The function of the same arguments that gives the sum of all results, and its gradients for all arguments."""
    return gg.value_and_grad(lambda *arrays: gg.sum(function(*arrays)), argnums=tuple(range(count)))


def difference(found, expected):
    """The largest difference between numbers of two arrays, relative to the largest number."""
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))


def check(fused, function, arrays):
    """The largest relative differences of the values and of the gradients. Raises SystemExit if they are not small."""
    values = difference(fused(*arrays), function(*arrays))
    found, expected = (gradient_of(f, len(arrays))(*arrays)[1] for f in (fused, function))
    gradients = max(difference(a, b) for a, b in zip(found, expected, strict=True))
    if not max(values, gradients) < 1e-4:
        raise SystemExit(f"{function.__name__}: fused and op by op differ by {values:.1e}, the gradients by {gradients:.1e}")
    return values, gradients


def milliseconds(calls, repeats):
    """The median time of each call, measured in turn: what else the machine does then hits all of them."""
    seconds = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) * 1e3 for name, values in seconds.items()}


def show(function, arrays, repeats):
    fused = gg.fuse(function)
    print(f"\n=== {function.__name__}: {function.__doc__}\n")
    print("--- traced\n", fused.graph(*arrays), sep="\n")
    print("\n--- C\n", fused.source("c", *arrays), sep="\n")
    print("--- CUDA\n", fused.source("cuda", *arrays), sep="\n")
    values, gradients = check(fused, function, arrays)
    print(f"fused and op by op agree: values to {values:.1e}, gradients to {gradients:.1e}, relative to the largest")
    gradient = gradient_of(function, len(arrays))
    calls = {
        "value, op by op": function,
        "value, fused": fused,
        "gradients, op by op": gradient,
        "gradients, fused": gg.fuse(gradient),
    }
    for call in calls.values():
        call(*arrays)  # compiles what it needs
    times = milliseconds({name: partial(call, *arrays) for name, call in calls.items()}, repeats)
    for what in ("value", "gradients"):
        slow, fast = times[f"{what}, op by op"], times[f"{what}, fused"]
        print(f"{what}: {slow:.2f} ms op by op, {fast:.2f} ms fused: {slow / fast:.1f} times as fast")


def main():
    parser = argparse.ArgumentParser(description="Look at kernels that gg.fuse derives, and at what they gain.")
    parser.add_argument("--size", type=int, default=1_000_000, help="elements of each argument (default 1,000,000)")
    parser.add_argument("--repeats", type=int, default=7, help="measurements of each time (default 7)")
    args = parser.parse_args()
    if args.size < 1 or args.repeats < 1:
        parser.error("arguments --size and --repeats: expected 1 or more")
    rng = np.random.default_rng(0)
    a, b, c = (rng.standard_normal(args.size).astype(np.float32) for _ in range(3))
    show(swiglu, (a, b), args.repeats)
    show(mandelbrot, (0.5 * a - 0.5, 0.5 * b), args.repeats)
    show(log_likelihood, (a, b, 0.1 * c), args.repeats)


if __name__ == "__main__":
    sys.exit(main())
