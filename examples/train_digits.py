"""Train a classifier of handwritten digits, on the CPU or on a GPU: python examples/train_digits.py --device auto

The data are the UCI digits that come with scikit-learn: 1,797 images of 8 x 8 pixels, no download.
Needs scikit-learn, matplotlib and tqdm: python -m pip install "gpugrad[examples]"
"""

import argparse
import sys
import time
from pathlib import Path

from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import gpugrad as gg
from gpugrad import nn
from gpugrad.data import DataLoader, TensorDataset


def load(device):
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype("float32") / 16
    parts = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=0)
    train_x, test_x, train_y, test_y = (gg.asarray(part, device=device) for part in parts)
    return TensorDataset(train_x, train_y), TensorDataset(test_x, test_y)


def accuracy(model, dataset):
    images, labels = dataset.tensors
    model.eval()
    with gg.no_grad():
        return (model(images).argmax(axis=1) == labels).astype(gg.float32).mean().item()


def train(device, epochs, seed):
    gg.manual_seed(seed)
    train_set, test_set = load(device)
    model = nn.Sequential(
        nn.Flatten(), nn.Dropout(0.1),
        nn.Linear(64, 512), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(512, 256), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(256, 10),
    ).to(device)  # fmt: skip
    print(f"training on {device} with {len(train_set):,} images, testing with {len(test_set)}")
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = gg.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(train_set, batch_size=64, shuffle=True)
    history = []
    progress = tqdm(range(1, epochs + 1), unit="epoch")
    for epoch in progress:
        model.train()
        total = gg.zeros((), device=device)
        for images, labels in loader:
            loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(labels)  # stays on the device: reading a number waits for the GPU
        history.append((total.item() / len(train_set), accuracy(model, train_set), accuracy(model, test_set)))
        progress.write("epoch {:3}  loss {:.4f}  train accuracy {:.2%}  test accuracy {:.2%}".format(epoch, *history[-1]))
    return model, history


def plot(history, path):
    losses, train_accuracy, test_accuracy = zip(*history, strict=True)
    epochs = range(1, len(history) + 1)
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, losses)
    left.set(xlabel="epoch", ylabel="training loss", ylim=(0, None))
    right.plot(epochs, train_accuracy, label="train")
    right.plot(epochs, test_accuracy, label="test")
    right.set(xlabel="epoch", ylabel="accuracy")
    right.legend()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description="Train a classifier of handwritten digits.")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ... or auto: a GPU if there is one")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/digits"), help="folder for the curves and the weights")
    args = parser.parse_args()
    if args.epochs < 1:
        parser.error(f"argument --epochs: got {args.epochs}, expected 1 or more")
    device = args.device if args.device != "auto" else "cuda" if gg.cuda.is_available() else "cpu"
    args.out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    model, history = train(device, args.epochs, args.seed)
    seconds = time.perf_counter() - start
    curves, weights = args.out / "curves.png", args.out / "weights.safetensors"
    plot(history, curves)
    gg.save(model.state_dict(), weights)
    print(f"test accuracy {history[-1][2]:.2%} on {device} after {seconds:.1f} s")
    print(f"{sum(p.size for p in model.parameters()):,} parameters, saved in {weights}; curves in {curves}")


if __name__ == "__main__":
    try:
        main()
    except gg.DeviceError as error:
        sys.exit(print(error, file=sys.stderr) or 2)
