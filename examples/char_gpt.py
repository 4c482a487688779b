"""A small GPT that writes Python, character by character: python examples/char_gpt.py --device auto

It is trained on the source of the Python standard library, which whoever can run this has. A tenth of the files is kept for
validation. With --autocast float16 or bfloat16 it computes in mixed precision.
"""

import argparse
import importlib
import math
import sys
import sysconfig
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F
from gpugrad.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))  # what is none of these is left out
ENCODE = {c: i for i, c in enumerate(CHARACTERS)}


def corpus():
    """The characters of the modules of the standard library, as numbers: for training, and for validation."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    texts = [file.read_text(encoding="utf-8", errors="ignore") for file in files]
    numbers = [np.array([ENCODE[c] for c in text.expandtabs(4) if c in ENCODE]) for text in texts]
    kept = [x for i, x in enumerate(numbers) if i % 10 == 9]
    return np.concatenate([x for i, x in enumerate(numbers) if i % 10 != 9]), np.concatenate(kept)


class Block(nn.Module):
    """A layer of a transformer: attention to what came before, then a network for each position, both added to what goes through."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        batch, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape((batch, length, 3, self.heads, width // self.heads))
        q, k, v = gg.unstack(gg.permute_dims(qkv, (2, 0, 3, 1, 4)))  # each (batch, heads, length, width / heads)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(gg.moveaxis(mixed, 1, 2).reshape((batch, length, width)))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """Embeddings of characters and of positions, blocks, and a score for every character that may come next."""

    def __init__(self, width, heads, layers, length):
        super().__init__()
        self.length = length
        self.characters = nn.Embedding(len(CHARACTERS), width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(CHARACTERS), bias=False)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, x):
        places = gg.arange(x.shape[1], device=x.device)
        return self.head(self.norm(self.blocks(self.characters(x) + self.positions(places))))


def loss_of(model, batch):
    scores = model(batch[:, :-1])
    return F.cross_entropy(scores.reshape((-1, len(CHARACTERS))), batch[:, 1:].reshape((-1,)))


def batches(numbers, length, size, rng, device):
    """Random stretches of the text, one character longer than the model looks at, for ever."""
    while True:
        starts = rng.integers(0, len(numbers) - length, size)
        yield gg.asarray(numbers[starts[:, None] + np.arange(length + 1)], device=device)


def validation(model, numbers, args, device):
    """The mean loss, in nats per character, of stretches that are the same in every call."""
    some = batches(numbers, args.length, args.batch, np.random.default_rng(1), device)
    model.eval()
    with gg.no_grad():
        losses = [loss_of(model, next(some)).item() for _ in range(args.validation)]
    model.train()
    return sum(losses) / len(losses)


def sample(model, prompt, count, device):
    """The prompt continued: every character is drawn with the probability that the model gives it."""
    text = [ENCODE[c] for c in prompt]
    model.eval()
    with gg.no_grad():
        for _ in range(count):
            seen = gg.asarray([text[-model.length :]], device=device)
            p = F.softmax(model(seen)[0, -1] / 0.8, 0)
            place = (gg.cumulative_sum(p) < gg.random.default_generator.uniform(device=device)).sum().item()
            text.append(min(int(place), len(CHARACTERS) - 1))
    return "".join(CHARACTERS[i] for i in text)


def train(args, device):
    gg.manual_seed(args.seed)
    text, kept = corpus()
    model = GPT(args.width, args.heads, args.layers, args.length).to(device)
    count = sum(p.size for p in model.parameters())
    print(f"training {count:,} parameters on {device}, on {len(text):,} characters; {len(kept):,} are kept")
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = gg.optim.AdamW([{"params": decayed}, {"params": others, "weight_decay": 0.0}], lr=args.lr, weight_decay=0.1)
    warmup = max(1, args.steps // 20)
    cosine = CosineAnnealingLR(optimizer, max(1, args.steps - warmup), eta_min=args.lr / 10)
    scheduler = SequentialLR(optimizer, [LinearLR(optimizer, 0.01, total_iters=warmup), cosine], [warmup])
    scaler = gg.amp.GradScaler(enabled=args.autocast == "float16")
    if args.autocast == "bfloat16":
        importlib.import_module("ml_dtypes")  # which adds bfloat16 to NumPy's dtypes
    precision = gg.autocast(device.partition(":")[0], dtype=args.autocast) if args.autocast else nullcontext()
    training = batches(text, args.length, args.batch, np.random.default_rng(args.seed), device)
    start = time.perf_counter()
    for step in range(1, args.steps + 1):
        with precision:
            loss = loss_of(model, next(training))
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
        if step % args.report == 0 or step == args.steps:
            rate = step * args.batch * args.length / (time.perf_counter() - start)
            print(f"step {step:5}  loss {loss.item():.3f}  {rate:,.0f} tokens/s", flush=True)
    return model, kept, rate


def main():
    parser = argparse.ArgumentParser(description="Train a GPT on the source of the Python standard library.")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ... or auto: a GPU if there is one")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=64, help="characters that the model looks at")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--autocast", choices=["float16", "bfloat16"], help="mixed precision")
    parser.add_argument("--validation", type=int, default=100, help="batches to validate with")
    parser.add_argument("--report", type=int, default=100, help="steps between two lines of output")
    parser.add_argument("--characters", type=int, default=400, help="to write at the end")
    args = parser.parse_args()
    device = args.device if args.device != "auto" else "cuda" if gg.cuda.is_available() else "cpu"
    model, kept, rate = train(args, device)
    loss = validation(model, kept, args, device)
    print(sample(model, "def ", args.characters, device))
    print(f"validation loss {loss:.3f} nats ({loss / math.log(2):.3f} bits) per character; {rate:,.0f} tokens/s in training")


if __name__ == "__main__":
    try:
        main()
    except gg.DeviceError as error:
        sys.exit(print(error, file=sys.stderr) or 2)
