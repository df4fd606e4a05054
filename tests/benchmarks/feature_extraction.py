"""Inception features of the same CIFAR-10 images: ours, pytorch-fid, torch-fidelity, pytorch-image-generation-metrics.

Ours twice: by ONNX Runtime, and by torch, as it is without that extra.

python -m tests.benchmarks.feature_extraction --cifar10 FOLDER --inception FILE [--images N] [--turns N] [--threads N]

Each gets uint8 images in memory and does to them what its own command does, in batches of its own default size:
pytorch-fid and pytorch-image-generation-metrics 50 images as floats, torch-fidelity 64 as bytes, ours its own. Networks
are loaded before the clock starts. Features are compared too: torch-fidelity resizes as TensorFlow 1 did.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from pytorch_fid.inception import InceptionV3
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from sngan.datasets import open_dataset
from sngan.metrics.extractors import load_extractor
from sngan.metrics.inception import InceptionExtractor
from sngan.metrics.inception_weights import find_weights
from sngan.results import RunOptions
from tests.benchmarks import options, peers
from tests.benchmarks.machine import keep
from tests.benchmarks.turns import COMPARISON, comparison_rows, show, take_turns

NAME = "feature_extraction"
Extract = Callable[[Tensor], Tensor]  # uint8 [N, 3, 32, 32] -> float32 [N, 2048]


def in_batches(network: Callable[[Tensor], Tensor], size: int) -> Extract:
    """All images, so many at a time, without gradients."""

    def extract(images: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([network(batch).reshape(len(batch), -1) for batch in images.split(size)])

    return extract


def extractors(weights: Path, home: Path) -> dict[str, Extract]:
    """Everybody's extractor, loaded; ours first."""
    os.environ["TORCH_HOME"] = str(peers.torch_home(weights, home))
    ours = load_extractor("inception", RunOptions(cache_dir=home, inception_weights=weights))
    by_torch = InceptionExtractor(find_weights(weights), cache_dir=home)
    by_torch._run = by_torch._by_torch
    pytorch_fid = InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval()
    fidelity = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    metrics = peers.image_generation_metrics().network([3]).eval()
    return {
        "ours": in_batches(lambda batch: ours.features(batch)[0], ours.batch_size),
        "ours, by torch": in_batches(lambda batch: by_torch.features(batch)[0], by_torch.batch_size),
        "pytorch-fid": in_batches(lambda batch: pytorch_fid(batch.float() / 255)[0], 50),
        "torch-fidelity": in_batches(lambda batch: fidelity(batch)[0], 64),
        "pytorch-image-generation-metrics": in_batches(lambda batch: metrics(batch.float() / 255)[0], 50),
    }


def main() -> None:
    made = options.parser(__doc__, "--cifar10", "--inception")
    made.add_argument("--images", type=int, default=200)
    made.add_argument("--turns", type=int, default=5)
    made.add_argument("--threads", type=int, default=2)
    arguments = options.parsed(made)
    num_images, turns = (4, 1) if arguments.smoke else (arguments.images, arguments.turns)
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        dataset = open_dataset("cifar10", cache_dir=Path(folder), data_dir=arguments.cifar10)
        images = torch.from_numpy(dataset.split("test").images[:num_images].copy())
        works = extractors(arguments.inception, Path(folder))
        features = {name: extract(images[:10]) for name, extract in works.items()}
        taken = take_turns({name: lambda e=extract: e(images) for name, extract in works.items()}, turns, warm_up=0)  # type: ignore[misc]
    results = {
        "images": num_images,
        "threads": arguments.threads,
        **taken.compared("ours"),
        "images_per_s": {name: round(num_images / taken.time(name).median, 1) for name in works},
        "largest_difference_of_a_feature": {
            name: round(float((features[name] - features["ours"]).abs().max()), 6) for name in works if name != "ours"
        },
    }
    rows = comparison_rows(f"{num_images} images, {arguments.threads} threads", taken, "ours")
    lines = [[*row[:4], f"{results['images_per_s'][row[1]]:.1f}"] for row in rows]  # type: ignore[index]
    show("Inception features", (*COMPARISON[:4], "images/s"), lines)
    keep(NAME, options.command(), results, smoke=arguments.smoke, shown=True)


if __name__ == "__main__":
    main()
