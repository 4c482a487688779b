"""An LSTM forecasts a chaotic pendulum from its past positions: python examples/lstm_pendulum.py --device auto

A damped pendulum that is driven periodically, theta'' = -sin(theta) - theta' / 2 + 1.15 cos(2 t / 3), swings and turns over without
ever repeating itself. The network sees the sine of the angle at 50 past times, 0.2 apart, and not how fast the pendulum is; it is to
say where the pendulum will be 2.0 later. It is compared with the last position, and with the best linear forecast from the same 50.
It is trained to forecast from every step of its way through them.
"""

import argparse
import sys
import time

import numpy as np
from scipy.integrate import solve_ivp

import gpugrad as gg
from gpugrad import nn
from gpugrad.data import DataLoader, TensorDataset
from gpugrad.nn import functional as F
from gpugrad.optim.lr_scheduler import OneCycleLR

STEP, PAST, AHEAD = 0.2, 50, 10
LEAST = 15  # so many positions it must have seen before its forecast counts


def motion(count):
    """The sine of the angle at so many times."""

    def change(t, state):
        angle, speed = state
        return speed, -np.sin(angle) - speed / 2 + 1.15 * np.cos(2 * t / 3)

    times = STEP * np.arange(count)
    return np.sin(solve_ivp(change, (0, times[-1]), (0.2, 0.0), t_eval=times, rtol=1e-9, atol=1e-9).y[0])


def windows(series):
    """Stretches of the past, (N, 50), and what came later than each of their times, (N, 50)."""
    starts = np.arange(len(series) - PAST - AHEAD + 1)[:, None]
    return series[starts + np.arange(PAST)], series[starts + AHEAD + np.arange(PAST)]


class Forecast(nn.Module):
    """An LSTM reads the past; a linear layer reads the future off each of its states."""

    def __init__(self, size):
        super().__init__()
        self.lstm = nn.LSTM(1, size, batch_first=True)
        self.head = nn.Linear(size, 1)

    def forward(self, x):
        states, _ = self.lstm(x[..., None])
        return self.head(states)[..., 0]


def rmse(found, expected):
    return float(np.sqrt(np.mean((found - expected) ** 2)))


def train(args, device):
    gg.manual_seed(args.seed)
    series = motion(args.samples)
    cut = int(0.8 * len(series))
    (past, later), (test_past, test_later) = windows(series[:cut]), windows(series[cut:])
    linear, *_ = np.linalg.lstsq(np.c_[past, np.ones(len(past))], later[:, -1], rcond=None)
    baselines = {
        "the last position": rmse(test_past[:, -1], test_later[:, -1]),
        "the best linear forecast": rmse(np.c_[test_past, np.ones(len(test_past))] @ linear, test_later[:, -1]),
    }
    model = Forecast(args.size).to(device)
    data = TensorDataset(*(gg.asarray(x.astype("float32"), device=device) for x in (past, later)))
    loader = DataLoader(data, batch_size=64, shuffle=True)
    optimizer = gg.optim.Adam(model.parameters())
    scheduler = OneCycleLR(optimizer, max_lr=1e-2, total_steps=args.epochs * len(loader), cycle_momentum=False)
    inputs = gg.asarray(test_past.astype("float32"), device=device)
    for epoch in range(1, args.epochs + 1):
        model.train()
        for x, y in loader:
            loss = F.mse_loss(model(x)[:, LEAST:], y[:, LEAST:])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
        model.eval()
        with gg.no_grad():
            error = rmse(model(inputs).cpu().numpy()[:, -1], test_later[:, -1])
        print(f"epoch {epoch:3}  loss {loss.item():.5f}  error of the test {error:.4f}", flush=True)
    return error, baselines


def main():
    parser = argparse.ArgumentParser(description="Forecast a chaotic pendulum with an LSTM.")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ... or auto: a GPU if there is one")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--samples", type=int, default=12_000, help="how long the pendulum is watched")
    parser.add_argument("--size", type=int, default=64, help="of the LSTM's states")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    device = args.device if args.device != "auto" else "cuda" if gg.cuda.is_available() else "cpu"
    start = time.perf_counter()
    error, baselines = train(args, device)
    for name, value in baselines.items():
        print(f"error of {name}: {value:.4f}")
    print(f"error of the LSTM (root of the mean square): {error:.4f} on {device} after {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    try:
        main()
    except gg.DeviceError as error:
        sys.exit(print(error, file=sys.stderr) or 2)
