"""A convolutional network for handwritten digits: python examples/digits_cnn.py --device auto

The data are the UCI digits that come with scikit-learn: 1,797 images of 8 x 8 pixels, no download, a fifth of them kept for the test.
Training images are shifted at random by up to a pixel. Weights are averaged over the steps (EMA), and the averages are tested.
Needs scikit-learn: python -m pip install "gpugrad[examples]"
"""

import argparse
import sys
import time

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import gpugrad as gg
from gpugrad import nn
from gpugrad.data import DataLoader, TensorDataset
from gpugrad.optim.lr_scheduler import OneCycleLR
from gpugrad.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def load(device):
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 1, 8, 8).astype("float32") / 16
    parts = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=0)
    train_x, test_x, train_y, test_y = (gg.asarray(part, device=device) for part in parts)
    return TensorDataset(train_x, train_y), TensorDataset(test_x, test_y)


def block(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def network():
    return nn.Sequential(
        block(1, 32), block(32, 32), nn.MaxPool2d(2),
        block(32, 64), block(64, 64), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 10),
    )  # fmt: skip


def shifted(images):
    """The batch moved by -1, 0 or 1 pixels along both axes: one shift for all, another for every batch."""
    down, right = gg.random.default_generator.integers(2, -1, 2, device="cpu").tolist()
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    return padded[:, :, 1 + down : 9 + down, 1 + right : 9 + right]


def accuracy(model, dataset):
    images, labels = dataset.tensors
    model.eval()
    with gg.no_grad():
        return (model(images).argmax(axis=1) == labels).astype(gg.float32).mean().item()


def train(device, epochs, seed):
    gg.manual_seed(seed)
    train_set, test_set = load(device)
    model = network().to(device)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.98))
    loader = DataLoader(train_set, batch_size=64, shuffle=True)
    optimizer = gg.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    scheduler = OneCycleLR(optimizer, max_lr=1e-2, total_steps=epochs * len(loader))
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    for epoch in range(1, epochs + 1):
        model.train()
        for images, labels in loader:
            loss = criterion(model(shifted(images)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            average.update_parameters(model)
        if epoch % 5 == 0 or epoch == epochs:
            print(f"epoch {epoch:3}  loss {loss.item():.4f}  test accuracy {accuracy(average, test_set):.2%}")
    return average, test_set


def main():
    parser = argparse.ArgumentParser(description="Train a convolutional network on handwritten digits.")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ... or auto: a GPU if there is one")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    device = args.device if args.device != "auto" else "cuda" if gg.cuda.is_available() else "cpu"
    start = time.perf_counter()
    model, test_set = train(device, args.epochs, args.seed)
    seconds = time.perf_counter() - start
    count = sum(p.size for p in model.module.parameters())
    print(f"test accuracy {accuracy(model, test_set):.2%} with {count:,} parameters on {device} after {seconds:.1f} s")


if __name__ == "__main__":
    try:
        main()
    except gg.DeviceError as error:
        sys.exit(print(error, file=sys.stderr) or 2)
