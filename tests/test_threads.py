"""Two threads train two models at once: every result is that of training them one after the other."""

import itertools
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.data import DataLoader, TensorDataset
from gpugrad.nn import functional as F


@pytest.fixture
def switching_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def train(device, seed, optimizer, together=None):
    """The losses and parameters after a few steps, on a stream of its own. `together` is waited for before every step."""
    generator = gg.random.Generator(seed)
    x = generator.normal((48, 12), device=device, dtype=gg.float64)
    labels = generator.integers((48,), 0, 4, device=device)
    model = nn.Sequential(nn.Linear(12, 96), nn.GELU(), nn.LayerNorm(96), nn.ReLU(), nn.Linear(96, 4)).to(device, gg.float64)
    for p in model.parameters():
        p.array[...] = generator.normal(p.shape, 0, 0.2, device=device, dtype=gg.float64).array
    step = optimizer(model.parameters())
    data = TensorDataset(x.cpu(), labels.cpu())
    loader = DataLoader(data, 12, shuffle=True, generator=generator, device=device, prefetch_factor=2)
    losses = []
    for inputs, targets in itertools.chain(loader, loader):
        if together is not None:
            together.wait(120)
        step.zero_grad()
        loss = F.cross_entropy(model(inputs) * generator.uniform((12, 1), 0.5, 1.5, device=device, dtype=gg.float64), targets)
        loss.backward()
        step.step()
        losses.append(loss)
    return [v.item() for v in losses], [p.detach().cpu().numpy() for p in model.parameters()]


def on_a_stream(device, *arguments):
    try:
        with nullcontext() if device == "cpu" else gg.cuda.stream(gg.cuda.Stream()):
            return train(device, *arguments)
    except BaseException:
        arguments[-1].abort()  # the others need not wait
        raise


JOBS = [
    (1, lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9)),
    (2, lambda ps: optim.Adam(ps, lr=0.01)),
    (3, lambda ps: optim.SGD(ps, lr=0.1)),
]


def test_training_at_once_is_training_in_turn(device, switching_often):
    together = threading.Barrier(len(JOBS))
    with ThreadPoolExecutor(len(JOBS)) as threads:  # first, so that the threads meet while tables and kernels are being made
        at_once = [threads.submit(on_a_stream, device, *job, together) for job in JOBS]
    failed = [future.exception() for future in at_once]
    assert all(isinstance(error, (threading.BrokenBarrierError, type(None))) for error in failed), (
        failed
    )  # by another's failure
    for job, future in zip(JOBS, at_once, strict=True):
        losses, parameters = train(device, *job)
        found_losses, found_parameters = future.result()
        assert found_losses == losses and losses[-1] < losses[0]
        for p, expected in zip(found_parameters, parameters, strict=True):
            np.testing.assert_array_equal(p, expected)


def test_ops_first_used_by_many_threads_at_once(device, switching_often):
    """The tables of kernels and the compiled functions are filled by whoever comes first."""
    together = threading.Barrier(4)

    def first(seed):
        x = gg.asarray(np.linspace(0.1, 2, 2048), device=device)
        x.requires_grad = True
        together.wait(30)
        out = gg.sum(F.gelu(gg.square(x)) * gg.expm1(x) + fused(x))
        out.backward()
        return out.item(), x.grad.cpu().numpy()

    @gg.fuse
    def fused(x):
        return gg.tanh(x) * x + gg.exp(-x * x)

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(first, range(4)))
    for value, gradient in results[1:]:
        assert value == results[0][0]
        np.testing.assert_array_equal(gradient, results[0][1])


def test_a_thread_starts_with_the_defaults(device):
    """Modes belong to a thread; the default device is everybody's."""
    with gg.no_grad(), ThreadPoolExecutor(1) as threads:
        x = gg.tensor([1.0, 2.0], device=device, requires_grad=True)
        assert threads.submit(lambda: (x * x).requires_grad).result() and not (x * x).requires_grad
