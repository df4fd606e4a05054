"""FID from the command to the number: pytorch-fid's command, torch-fidelity, ours with and without a cached reference.

python -m tests.benchmarks.fid_end_to_end --cifar10 FOLDER --inception FILE [--images N] [--turns N] [--threads N]

N images of CIFAR-10's training split stand for generated ones and are compared with N of its test split; every run is a
process of its own, imports and loading of weights included. The others read PNG files, ours arrays, as it does after
preparing a data set. "reference cached" is what every evaluation but a machine's first one costs. Inception is written
down for ONNX Runtime before the clock starts, once per machine as its weights are fetched once. Ours measures no
floor here: the data set has no second split to stand for generated images, and the others measure none either.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sngan.datasets import Dataset, ImageSplit, open_dataset
from sngan.metrics.evaluator import Evaluator
from sngan.metrics.extractors import load_extractor
from sngan.results import RunOptions
from tests.benchmarks import options, peers
from tests.benchmarks.machine import keep
from tests.benchmarks.turns import COMPARISON, Work, comparison_rows, figures, show, take_turns

NAME = "fid_end_to_end"
_OURS = """
import sys
from tests.benchmarks.fid_end_to_end import evaluate
evaluate(*sys.argv[1:4], int(sys.argv[4]))
"""
_FIDELITY = """
import sys, torch_fidelity
first, second = sys.argv[1:]
found = torch_fidelity.calculate_metrics(
    input1=first, input2=second, fid=True, cuda=False, cache=False, verbose=False
)
print("FID:", found["frechet_inception_distance"])
"""


def evaluate(folder: str, cache: str, weights: str, threads: int) -> None:
    """Print the FID between generated.npy and real.npy, uint8 [N, 3, H, W], of a folder, by our evaluator."""
    torch.set_num_threads(threads)
    generated, real = (np.load(Path(folder) / f"{name}.npy", mmap_mode="r") for name in ("generated", "real"))
    dataset = Dataset(
        name="cifar10",
        digest=f"{len(real)} images of a benchmark",
        channels=real.shape[1],
        image_size=real.shape[2],
        num_classes=None,
        splits={"test": ImageSplit(images=real, labels=None)},
    )

    def generate(n: int) -> Iterator[torch.Tensor]:
        for start in range(0, n, 64):
            yield torch.from_numpy(np.array(generated[start : min(start + 64, n)]))

    run_options = RunOptions(cache_dir=Path(cache), inception_weights=Path(weights))
    evaluator = Evaluator([f"fid/gen{len(generated)}-test{len(real)}-inception"], dataset, run_options)
    (score,) = evaluator.evaluate(generate)
    print("FID:", score.value)


def prepare_network(cache: Path, weights: Path) -> None:
    """What a machine does once."""
    extractor = load_extractor("inception", RunOptions(cache_dir=cache, inception_weights=weights))
    extractor.features(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))


def write_images(dataset: Dataset, num_images: int, folder: Path) -> dict[str, Path]:
    """The images as PNG files in folder/generated and folder/real, and as arrays beside them."""
    folders = {}
    for name, split in (("generated", "train"), ("real", "test")):
        images = np.array(dataset.split(split).images[:num_images])
        np.save(folder / f"{name}.npy", images)
        folders[name] = folder / name
        folders[name].mkdir()
        for number, image in enumerate(images.transpose(0, 2, 3, 1)):
            Image.fromarray(image).save(folders[name] / f"{number:06}.png")
    return folders


class Commands:
    """One FID by everybody: what is run, and the number that each said last."""

    def __init__(self, folder: Path, folders: dict[str, Path], weights: Path, threads: int) -> None:
        self.values: dict[str, float] = {}
        home = peers.torch_home(weights, folder / "torch-home")
        self._environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TORCH_HOME": str(home)}
        both = [str(folders["generated"]), str(folders["real"])]
        self._cache = folder / "cache"
        ours_of = ["-c", _OURS, str(folder), str(self._cache), str(weights.resolve()), str(threads)]
        self._commands = {
            "ours": ours_of,
            "ours, reference cached": ours_of,
            "pytorch-fid": ["-m", "pytorch_fid", *both],
            "torch-fidelity": ["-c", _FIDELITY, *both],
        }

    def works(self) -> dict[str, Work]:
        """In an order in which ours fills its cache before it is used."""
        return {name: lambda name=name: self._run(name) for name in self._commands}  # type: ignore[misc]

    def _run(self, name: str) -> None:
        if name == "ours":
            shutil.rmtree(self._cache / "references", ignore_errors=True)
        done = subprocess.run(
            [sys.executable, *self._commands[name]],
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.values[name] = float(done.stdout.rpartition("FID:")[2])


def main() -> None:
    made = options.parser(__doc__, "--cifar10", "--inception")
    made.add_argument("--images", type=int, default=10_000)
    made.add_argument("--turns", type=int, default=3)
    made.add_argument("--threads", type=int, default=2)
    arguments = options.parsed(made)
    num_images, turns = (8, 1) if arguments.smoke else (arguments.images, arguments.turns)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = open_dataset("cifar10", cache_dir=folder / "data", data_dir=arguments.cifar10)
        folders = write_images(dataset, num_images, folder)
        commands = Commands(folder, folders, arguments.inception, arguments.threads)
        prepare_network(folder / "cache", arguments.inception)
        taken = take_turns(commands.works(), turns, warm_up=0)
    results = {
        "images": f"{num_images} against {num_images}",
        "threads": arguments.threads,
        **taken.compared("ours"),
        "reference cached / theirs": {
            name: {key: figures(value) for key, value in taken.ratio("ours, reference cached", name)._asdict().items()}
            for name in ("pytorch-fid", "torch-fidelity")
        },
        "fid": commands.values,
    }
    rows = comparison_rows(f"{num_images} against {num_images}", taken, "ours")
    show(
        "FID, from the command to the number",
        (*COMPARISON[:4], "FID"),
        [[*row[:4], f"{commands.values[row[1]]:.6f}"] for row in rows],
    )
    keep(NAME, options.command(), results, smoke=arguments.smoke, shown=True)


if __name__ == "__main__":
    main()
