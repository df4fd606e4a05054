"""What a trial needs before it begins: names that exist, images, extractors and references."""

from pathlib import Path

import torch

from sngan.config import TrialConfig
from sngan.datasets import DATASETS, Dataset, DatasetEntry, find_dataset, is_user_set, measured_digest, open_dataset
from sngan.devices import check_device, check_precision, named_device, set_up_torch
from sngan.errors import InputError
from sngan.metrics.evaluator import cached_evaluator
from sngan.metrics.inception_weights import local_weights
from sngan.metrics.protocols import check_conditional, check_splits, parse
from sngan.metrics.samples import Progress
from sngan.models import ARCHITECTURES, condition_of
from sngan.results import RunOptions
from sngan.state import TrainState


def check_names(config: TrialConfig, device: str, cache_dir: Path) -> None:
    """Raise InputError for a data set, architecture, protocol or device that does not exist, for a width factor that
    does not suit the architecture, and for a data set that does not suit the trial or its protocols: one of the
    catalog, or a user's that is prepared in `cache_dir`. Reads no image.
    """
    architecture = ARCHITECTURES[config.architecture]
    architecture.widths(config.width_factor)
    protocols = [parse(name) for name in config.protocols]
    data = _dataset_of(config.dataset, cache_dir)
    if data is not None:
        architecture.check(data.image_size)
        condition_of(config, data.num_classes)
        check_splits(protocols, data.name, data.num_images)
    check_conditional(protocols, conditional=config.conditioning != "none")
    if device != "auto":
        check_precision(config.precision, named_device(device))


def _dataset_of(name: str, cache_dir: Path) -> DatasetEntry | Dataset | None:
    """What is known of a data set without opening its images; None of a user's that is not in `cache_dir`."""
    if not is_user_set(name):
        return DATASETS[name]
    try:
        return find_dataset(name, cache_dir)
    except InputError:
        return None  # who trains on it will be told


def describe_inputs(config: TrialConfig, options: RunOptions) -> dict[str, str]:
    """What a trial's numbers depend on beside its config: content hashes of the data set and the extractors.

    Prepares the data set where that has not been done. Raises InputError for whatever would stop the trial.
    """
    device = check_device(options.device)
    dataset = open_training_set(config, options)
    start_state(config, dataset, device)
    evaluator = cached_evaluator(config.protocols, dataset, options)
    extractors = {f"extractor_{name}": identity for name, identity in evaluator.extractors.items()}
    return {"dataset": dataset.name, "dataset_digest": dataset.digest, **extractors}


def prepare_references(config: TrialConfig, options: RunOptions, progress: Progress) -> None:
    """Have ready what a trial's numbers are compared with: measured once per machine, by Inception on a CPU in minutes.

    `run_trial` does the same at its first evaluation, without a word. Raises InputError as it does.
    """
    set_up_torch(options)
    cached_evaluator(config.protocols, open_training_set(config, options), options).prepare(progress)


def check_ready(config: TrialConfig, options: RunOptions) -> dict[str, str]:
    """`describe_inputs` for a machine that must not, or cannot, download: nothing is prepared, every byte is checked.

    Raises InputError for all that is missing or was altered, each in a line.
    """
    problems = []
    for check in (_check_data, _check_weights):
        try:
            check(config, options)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
    return describe_inputs(config, options)


def _check_data(config: TrialConfig, options: RunOptions) -> None:
    dataset = find_dataset(config.dataset, options.cache_dir)
    if measured_digest(dataset) != dataset.digest:
        raise InputError(f"data set {config.dataset} was altered in {options.cache_dir}. Delete it there.")


def _check_weights(config: TrialConfig, options: RunOptions) -> None:
    if any(parse(name).extractor == "inception" for name in config.protocols):
        local_weights(options.inception_weights)


def open_training_set(config: TrialConfig, options: RunOptions) -> Dataset:
    """The data set of a trial, prepared where that has not been done. Raises InputError where it cannot be."""
    return open_dataset(config.dataset, cache_dir=options.cache_dir, data_dir=options.data_dir)


def start_state(config: TrialConfig, dataset: Dataset, device: torch.device) -> TrainState:
    """The state before the first update on a data set. Raises InputError where the config does not suit it."""
    labelled = dataset.splits["train"].labels is not None  # a set may have classes and train on images without
    return TrainState.start(
        config,
        channels=dataset.channels,
        image_size=dataset.image_size,
        num_classes=dataset.num_classes if labelled else None,
        device=device,
    )
