"""train, evaluate, show: single trials and their checkpoints."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import click
from click.core import ParameterSource

from sngan.checkpoints import load_any_checkpoint
from sngan.commands import options as shared
from sngan.commands.progress import measuring_bar, open_with_bar
from sngan.config import TrialConfig
from sngan.datasets import DATASETS
from sngan.devices import check_device
from sngan.errors import InputError, one_line
from sngan.fields import assignments
from sngan.inputs import check_names, prepare_references
from sngan.methods import METHODS, SETTINGS, check_kept
from sngan.models import ARCHITECTURES
from sngan.plugins.checking import refuse_broken
from sngan.plugins.loading import use_plugins
from sngan.results import Evaluation, RunOptions
from sngan.trial import evaluate_checkpoint, run_trial

NOTHING_MEASURED = "nothing was measured: the weights have no class layer, which the Inception Score needs."


@click.command()
@click.option("--method", "method_name", default="sn", show_default=True, help="See: python -m sngan list")
@click.option("--setting", "setting_name", default="C", show_default=True, help="A to F of Table 1.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--updates", type=int, default=500, show_default=True, help="Generator updates.")
@click.option("--dataset", default="digits", show_default=True)
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Any field of TrialConfig.")
@click.option("--config", "file", type=click.File("rb"), help="A whole TrialConfig as JSON in place of all of these; "
              "- for standard input.")  # fmt: skip
@click.option("--out", type=shared.GivenPath(), default=Path("runs"), show_default=True)
@shared.plugins
@shared.cache_dir
@shared.data
@shared.weights
@shared.device
@shared.threads
@click.pass_context
def train(
    context: click.Context, method_name: str, setting_name: str, seed: int, updates: int, dataset: str,
    changes: tuple[str, ...], file: BinaryIO | None, out: Path, plugins: tuple[Path, ...], cache_dir: Path,
    data_dir: Path | None, inception_weights: Path | None, device: str, threads: int,
) -> None:  # fmt: skip
    """Train one trial, or go on with it from its checkpoint, and print every evaluation.

    Example: python -m sngan train --method wgan-gp --setting A --set batch_size=32
    """
    refuse_broken(use_plugins(plugins))
    by_hand = assignments(changes)
    if file is not None:
        config = _read_config(file, context)
    else:
        basics = {"dataset": dataset, "updates": updates, "seed": seed}
        base = TrialConfig.from_dict({**_defaults_for(dataset, by_hand.get("architecture")), **basics})
        method, setting = METHODS[method_name], SETTINGS[setting_name]
        check_kept(method, setting.apply(base), setting.overrides.keys() - by_hand.keys())
        defined = method.apply(setting.apply(base))
        # What is set by hand comes last: it wins over method and setting.
        config = TrialConfig.from_dict({**defined.to_dict(), **by_hand})
    options = RunOptions(
        cache_dir=cache_dir, storage_dir=out, device=device, num_threads=threads, data_dir=data_dir,
        inception_weights=inception_weights,
    )  # fmt: skip
    check_names(config, device, cache_dir)
    check_device(device)
    open_with_bar(config.dataset, cache_dir, data_dir)
    _announce(config, by_hand, "its config" if file else f"{method_name} at setting {setting_name}")
    with measuring_bar() as progress:
        prepare_references(config, options, progress)
    outcome = run_trial(config, options, _print_evaluation)
    reason = f" ({outcome.reason})" if outcome.reason else ""
    click.echo(f"{outcome.state}{reason}: {outcome.train_s:.1f} s training, {outcome.evaluate_s:.1f} s measuring")


@click.command()
@click.argument("checkpoint", type=shared.GivenPath())
@click.option("--protocol", "protocols", multiple=True, required=True, help="See: python -m sngan list")
@shared.plugins
@shared.cache_dir
@shared.data
@shared.weights
@shared.device
@shared.threads
def evaluate(
    checkpoint: Path, protocols: tuple[str, ...], plugins: tuple[Path, ...], cache_dir: Path, data_dir: Path | None,
    inception_weights: Path | None, device: str, threads: int,
) -> None:  # fmt: skip
    """Measure the generator of a checkpoint by further protocols.

    Example: python -m sngan evaluate runs/checkpoints/DIGEST/state.pt --protocol fid/gen600-test600-digits
    """
    use_plugins(plugins)
    options = RunOptions(
        cache_dir=cache_dir,
        device=device,
        num_threads=threads,
        data_dir=data_dir,
        inception_weights=inception_weights,
    )
    with measuring_bar() as progress:
        scores = evaluate_checkpoint(checkpoint, protocols, options, progress)
    for score in scores:
        click.echo(f"{score.protocol}\t{score.value}")
    if not scores:
        raise InputError(NOTHING_MEASURED)


@click.command()
@click.argument("checkpoint", type=shared.GivenPath())
def show(checkpoint: Path) -> None:
    """Print a checkpoint's config, evaluations and outcome as JSON; numbers that are not finite become null.

    Diagnoses are left out: with all singular values they are thousands of lines.

    Example: python -m sngan show runs/checkpoints/DIGEST/state.pt
    """
    saved = load_any_checkpoint(checkpoint)
    shown = {key: _plain(saved[key]) for key in ("config", "evaluations", "outcome")}
    click.echo(json.dumps(shown, indent=1, allow_nan=False))


def _plain(value: Any) -> Any:
    """What `show` prints of a value in a checkpoint."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if key != "diagnoses"}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _defaults_for(dataset: str, architecture: str | None) -> dict[str, Any]:
    """What suits a data set: an architecture where none is named, the initial weights of its source, protocols."""
    num_real = {"cifar10": 10_000, "stl10": 8_000}.get(dataset)  # all test images
    protocols = [] if num_real is None else [f"fid/gen5000-test{num_real}-inception"]
    if dataset == "digits":
        protocols = ["fid/gen600-test600-digits", "is/gen600x1-digits"]
    name = architecture or _architecture_for(dataset)
    weights = ARCHITECTURES[name].initialization
    return {"architecture": name, "generator_init": weights, "discriminator_init": weights, "protocols": protocols}


def _architecture_for(dataset: str) -> str:
    """The paper's CNN where the images of a data set of the catalog have its size, else what takes them."""
    if dataset not in DATASETS:
        return "small-cnn"  # for a user's own images, whose size is known when they are opened
    suits = ("standard-cnn", "small-cnn", "resnet-128")
    return next(name for name in suits if DATASETS[dataset].image_size in ARCHITECTURES[name].image_sizes)


_IN_A_CONFIG = ("method_name", "setting_name", "seed", "updates", "dataset", "changes")


def _read_config(file: BinaryIO, context: click.Context) -> TrialConfig:
    """The config in a JSON file. Raises InputError for anything else, and for options that it would win over."""
    for option in context.command.params:
        if option.name in _IN_A_CONFIG and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
            raise InputError(f"--config is a whole config: leave out {option.opts[0]}, or change it in the file.")
    try:
        found = json.load(file)
    except ValueError as error:
        raise InputError(f"--config {file.name}: this is not JSON ({one_line(error)}).") from None
    if not isinstance(found, dict):
        raise InputError(f"--config {file.name} must hold an object with the fields of TrialConfig.")
    return TrialConfig.from_dict(found)


def _announce(config: TrialConfig, by_hand: Mapping[str, str], made_of: str) -> None:
    """Say what is trained, with what was set by hand, and warn where nothing will be measured."""
    values = config.to_dict()
    changed = ", ".join(f"{key}: {values[key]!r}" for key in sorted(by_hand))
    told = f"; set by hand: {changed}" if changed else ""
    click.echo(f"trial {config.digest}: {made_of}, seed {config.seed}{told}")
    if not config.protocols:
        example = "--set protocols=fid/gen1000-train1000-inception"
        click.echo(f"no protocol is given: nothing will be measured. For example: {example}", err=True)


def _print_evaluation(evaluation: Evaluation) -> None:
    scores = "  ".join(f"{s.protocol} {s.value:.4g}" for s in evaluation.scores if s.value is not None)
    speed = evaluation.diagnostics["seconds_per_update"]
    click.echo(f"update {evaluation.update}: {scores}  ({speed * 1000:.2f} ms an update)")
