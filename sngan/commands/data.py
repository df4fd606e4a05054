"""prepare, floor: data sets, and what real images score."""

from pathlib import Path

import click

from sngan.commands import options as shared
from sngan.commands.progress import bar, measuring_bar, open_with_bar
from sngan.commands.trials import NOTHING_MEASURED
from sngan.datasets import DATASETS, prepare_images
from sngan.devices import set_up_torch
from sngan.errors import InputError, unknown
from sngan.metrics.evaluator import Evaluator
from sngan.results import RunOptions


@click.command()
@click.argument("source", type=shared.GivenPath())
@click.option("--image-size", type=click.IntRange(8, 1024), help="Pixels, for your own images; they become squares.")
@shared.cache_dir
@shared.data
def prepare(source: Path, image_size: int | None, cache_dir: Path, data_dir: Path | None) -> None:
    """Prepare a data set of the catalog, or your own images (a folder or an .npz), and print its name.

    A preparation that decodes many files and was stopped goes on where it was when the same command is given again.

    Example: python -m sngan prepare imagenet --data-dir /data/imagenet

    Example: python -m sngan prepare ~/flowers --image-size 32
    """
    if str(source) in DATASETS:
        if image_size is not None:
            raise InputError(f"--image-size is for your own images; {source} has {DATASETS[str(source)].image_size}.")
        dataset = open_with_bar(str(source), cache_dir, data_dir)
    elif image_size is None:
        if not source.exists():
            named = len(source.parts) == 1
            raise unknown("data set", source, DATASETS) if named else InputError(f"{source} does not exist.")
        raise InputError(f"how large shall the images of {source} become? For example: --image-size 32")
    else:
        with bar(str(source)) as progress:
            dataset = prepare_images(source, image_size=image_size, cache_dir=cache_dir, progress=progress)
    counts = ", ".join(f"{name} {len(split.images)}" for name, split in dataset.splits.items())
    channels = f"{dataset.channels} channel{'s' * (dataset.channels != 1)}"
    click.echo(f"{dataset.name}  ({counts} images of {dataset.image_size} pixels, {channels})")


@click.command()
@click.argument("protocol")
@click.option("--dataset", default="digits", show_default=True)
@shared.cache_dir
@shared.data
@shared.weights
@shared.device
@shared.threads
def floor(
    protocol: str, dataset: str, cache_dir: Path, data_dir: Path | None, inception_weights: Path | None, device: str,
    threads: int,
) -> None:  # fmt: skip
    """Measure real images in place of generated ones: what no generator can be expected to beat.

    Example: python -m sngan floor fid/gen600-test600-digits
    """
    options = RunOptions(
        cache_dir=cache_dir,
        device=device,
        num_threads=threads,
        data_dir=data_dir,
        inception_weights=inception_weights,
    )
    set_up_torch(options)
    images = open_with_bar(dataset, cache_dir, data_dir)
    with measuring_bar() as progress:
        floors = Evaluator((protocol,), images, options).floors(progress)
    if not floors:
        raise InputError(NOTHING_MEASURED)
    for name, value in floors.items():
        if value is None:
            raise InputError(
                f"{dataset} has too few images for {name}: real images of another split stand for generated ones."
            )
        click.echo(f"{name}\t{value}")
