"""Makes the weights of the digits extractor: python -m sngan.metrics.train_digits_classifier

Trains on the train split alone (1197 images) and prints the accuracy on the 600 held-out test images. Beside the
class, the features must tell the image itself to a linear decoder: without that a classifier forgets strokes and
noise that do not change the class, and a distance between its features forgives them. The decoder is not kept. The same
machine gives the same file, bit for bit; other machines may round otherwise, so the shipped file is the one that
counts. Another file has another hash, and with it other protocol names: numbers made with two files never mix.
"""

import tempfile
from pathlib import Path

import click
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sngan.datasets import Dataset, ImageSplit, open_dataset
from sngan.metrics.digits_cnn import (
    IMAGE_SIZE,
    NUM_FEATURES,
    WEIGHTS_FILE,
    DigitsExtractor,
    DigitsNetwork,
    to_inputs,
)
from sngan.seeding import torch_stream

BATCH_SIZE = 128
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.1
RECONSTRUCTION = 3.0  # weight of the decoder's mean squared error beside the cross entropy


@click.command(epilog="Example: python -m sngan.metrics.train_digits_classifier --out digits-cnn.npz")
@click.option("--out", type=click.Path(path_type=Path), default=WEIGHTS_FILE, help="Weights file (.npz) to write.")
@click.option("--updates", type=click.IntRange(1), default=3000, help="Optimizer steps.")
def main(out: Path, updates: int) -> None:
    """Train the digits classifier and write its weights."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        digits = open_dataset("digits", cache_dir=Path(cache))
        network = train(digits.split("train"), updates=updates)
        save(network, out)
        click.echo(f"held-out accuracy {accuracy(out, digits):.4f}")
    click.echo(f"{out}: {out.stat().st_size} bytes, {DigitsExtractor(weights_file=out).identity}")


def train(split: ImageSplit, *, updates: int) -> DigitsNetwork:
    """A classifier of the split's images, trained with AdamW on shifted, turned, scaled and noisy copies.

    The mean over a batch of cross entropy plus RECONSTRUCTION times the squared error of the decoded pixels.
    """
    assert split.labels is not None
    images, labels = to_inputs(torch.tensor(split.images)), torch.tensor(split.labels)
    network, decoder = DigitsNetwork(), nn.Linear(NUM_FEATURES, IMAGE_SIZE**2)
    _initialize(nn.ModuleList([network, decoder]))
    parameters = [*network.parameters(), *decoder.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=updates)
    for update in range(updates):
        stream = torch_stream(0, "metric", update)
        chosen = torch.randint(len(images), (BATCH_SIZE,), generator=stream)
        shown = augment(images[chosen], stream)
        features, logits = network(shown)
        loss = F.cross_entropy(logits, labels[chosen])
        loss = loss + RECONSTRUCTION * F.mse_loss(decoder(features), shown.flatten(start_dim=1))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    return network


def _initialize(network: nn.Module) -> None:
    stream = torch_stream(0, "init-discriminator")
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_normal_(parameter, generator=stream)
        else:
            nn.init.zeros_(parameter)


def augment(images: Tensor, stream: torch.Generator) -> Tensor:
    """Images moved by up to 0.6 pixels, turned by up to 8 degrees, scaled by up to 8 %, with a little noise."""

    def uniform(limit: float) -> Tensor:
        return (2 * torch.rand(len(images), generator=stream) - 1) * limit

    angle, scale = uniform(0.14), 1 + uniform(0.08)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    shift_x, shift_y = uniform(0.15), uniform(0.15)  # of half an image: 0.6 pixels
    rows = [torch.stack([cos, -sin, shift_x], dim=1), torch.stack([sin, cos, shift_y], dim=1)]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return moved + 0.05 * torch.randn(images.shape, generator=stream)


def save(network: DigitsNetwork, path: Path) -> None:
    """Write the network's weights as float32 arrays."""
    np.savez(path, **{name: tensor.numpy() for name, tensor in network.state_dict().items()})


def accuracy(path: Path, digits: Dataset) -> float:
    """The share of the test split's images that the weights in a file classify rightly, 0 to 1."""
    test = digits.split("test")
    _, logits = DigitsExtractor(weights_file=path).features(torch.tensor(test.images))
    assert logits is not None
    assert test.labels is not None
    return float((logits.argmax(dim=1).cpu().numpy() == test.labels).mean())


if __name__ == "__main__":
    main()
