"""Train a classifier of handwritten digits, on the CPU or on a GPU: python examples/train_digits.py --device auto

The data are the UCI digits that come with scikit-learn: 1,797 images of 8 x 8 pixels, no download.
Needs scikit-learn, matplotlib and tqdm: python -m pip install "gpugrad[examples]"
"""

import argparse
import sys
import time
from pathlib import Path

import matplotlib

import gpugrad as gg
from gpugrad import nn
from gpugrad.data import DataLoader, TensorDataset
from gpugrad.nn import functional as F  # noqa: N812
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

matplotlib.use("agg")  # draws into files, without a screen
from matplotlib import pyplot  # noqa: E402


def make_model(device):
    return nn.Sequential(
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(64, 512, device=device),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(512, 256, device=device),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(256, 10, device=device),
    )


def load_data(device):
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype("float32") / 16
    parts = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=0)
    train_x, test_x, train_y, test_y = (gg.asarray(part, device=device) for part in parts)
    return TensorDataset(train_x, train_y), (test_x, test_y)


def accuracy(model, images, labels):
    model.eval()
    with gg.no_grad():
        return gg.mean((model(images).argmax(axis=1) == labels).astype(gg.float32)).item()


def train(device, epochs, seed, out):
    gg.manual_seed(seed)
    train_set, (test_x, test_y) = load_data(device)
    loader = DataLoader(train_set, batch_size=64, shuffle=True)
    model = make_model(device)
    optimizer = gg.optim.Adam(model.parameters(), lr=1e-3)
    print(model)
    history = []
    bar = tqdm(range(1, epochs + 1), unit="epoch")
    for epoch in bar:
        model.train()
        total = gg.zeros((), device=device)
        for images, labels in loader:
            loss = F.cross_entropy(model(images), labels, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(labels)  # stays on the device: reading it would wait for a GPU
        history.append((total.item() / len(train_set), accuracy(model, *train_set.tensors), accuracy(model, test_x, test_y)))
        bar.write("epoch {:3d}  loss {:.4f}  train accuracy {:.2%}  test accuracy {:.2%}".format(epoch, *history[-1]))
    gg.save(model.state_dict(), out / "weights.safetensors")
    return model, history


def plot(history, path):
    losses, train_accuracy, test_accuracy = zip(*history, strict=True)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    epochs = range(1, len(history) + 1)
    left.semilogy(epochs, losses)
    left.set(xlabel="epoch", ylabel="training loss")
    right.plot(epochs, train_accuracy, label="train")
    right.plot(epochs, test_accuracy, label="test")
    right.set(xlabel="epoch", ylabel="accuracy")
    right.legend()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description="Train a classifier of handwritten digits.")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ..., or auto: a GPU if there is one")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/digits"), help="folder for the weights and the picture")
    args = parser.parse_args()
    device = args.device if args.device != "auto" else "cuda" if gg.cuda.is_available() else "cpu"
    args.out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    try:
        model, history = train(device, args.epochs, args.seed, args.out)
    except gg.DeviceError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    seconds = time.perf_counter() - start
    plot(history, args.out / "curves.png")
    print(f"test accuracy: {history[-1][2]:.2%}")
    print(f"device:        {device}{' (auto)' if args.device == 'auto' else ''}")
    print(f"time:          {seconds:.1f} s")
    print(f"parameters:    {sum(p.size for p in model.parameters()):,}")
    print(f"curves:        {args.out / 'curves.png'}")
    print(f"weights:       {args.out / 'weights.safetensors'}")


if __name__ == "__main__":
    main()
