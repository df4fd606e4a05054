"""python -m sngan: train, measure and look at single trials, and prepare what they need."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from sngan.checkpoints import load_any_checkpoint
from sngan.config import TrialConfig
from sngan.datasets import DATASETS, Dataset, DatasetEntry, Progress, open_dataset, prepare_images
from sngan.errors import InputError, one_line, unknown
from sngan.losses import LOSSES
from sngan.methods import METHODS, SETTINGS
from sngan.metrics.catalog import METRICS
from sngan.metrics.evaluator import Evaluator
from sngan.metrics.protocols import PROTOCOLS
from sngan.models import ARCHITECTURES
from sngan.places import default_cache_dir
from sngan.plugins.checking import refuse_broken, tell_findings
from sngan.plugins.loading import use_plugins
from sngan.regularizers import REGULARIZERS
from sngan.results import Evaluation, RunOptions
from sngan.trial import check_names, evaluate_checkpoint, run_trial

_NOTHING_MEASURED = "nothing was measured: the weights have no class layer, which the Inception Score needs."
UNFINISHED = 75  # the exit code of what was stopped and can be started again

_cache_dir = click.option(
    "--cache-dir", type=click.Path(path_type=Path), default=default_cache_dir, show_default="~/.cache/sngan",
    help="Prepared data sets and reference statistics.",
)  # fmt: skip
_data = click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with a data set's official files.")
_weights = click.option("--inception-weights", type=click.Path(path_type=Path), help="Inception weights file.")
_device = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1 ...")
_plugins = click.option(
    "--plugin", "plugins", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
    help="File with regularizers and methods of your own (repeatable). It runs with your rights.")  # fmt: skip
_threads = click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads.")


@click.group()
def main() -> None:
    """Train and measure one GAN at a time.

    Example: python -m sngan train --method sn --setting C --updates 500
    """


@main.command()
@click.option("--method", "method_name", default="sn", show_default=True, help="See: python -m sngan list")
@click.option("--setting", "setting_name", default="C", show_default=True, help="A to F of Table 1.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--updates", type=int, default=500, show_default=True, help="Generator updates.")
@click.option("--dataset", default="digits", show_default=True)
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Any field of TrialConfig.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@_plugins
@_cache_dir
@_data
@_weights
@_device
@_threads
def train(
    method_name: str, setting_name: str, seed: int, updates: int, dataset: str, changes: tuple[str, ...],
    out: Path, plugins: tuple[Path, ...], cache_dir: Path, data_dir: Path | None, inception_weights: Path | None,
    device: str, threads: int,
) -> None:  # fmt: skip
    """Train one trial, or go on with it from its checkpoint, and print every evaluation.

    Example: python -m sngan train --method wgan-gp --setting A --set batch_size=32
    """
    refuse_broken(use_plugins(plugins))
    by_hand = _pairs(changes)
    base = TrialConfig.from_dict(
        {**_defaults_for(dataset, by_hand.get("architecture")), "dataset": dataset, "updates": updates, "seed": seed}
    )
    defined = METHODS[method_name].apply(SETTINGS[setting_name].apply(base))
    # What is set by hand comes last: it wins over method and setting.
    config = TrialConfig.from_dict({**defined.to_dict(), **by_hand})
    options = RunOptions(
        cache_dir=cache_dir, storage_dir=out, device=device, num_threads=threads, data_dir=data_dir,
        inception_weights=inception_weights,
    )  # fmt: skip
    check_names(config, device)
    _open_with_bar(config.dataset, cache_dir, data_dir)
    _announce(config, by_hand, method_name, setting_name)
    outcome = run_trial(config, options, _print_evaluation)
    reason = f" ({outcome.reason})" if outcome.reason else ""
    click.echo(f"{outcome.state}{reason}: {outcome.train_s:.1f} s training, {outcome.evaluate_s:.1f} s measuring")


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--protocol", "protocols", multiple=True, required=True, help="See: python -m sngan list")
@_plugins
@_cache_dir
@_data
@_weights
@_device
@_threads
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
    scores = evaluate_checkpoint(checkpoint, protocols, options)
    for score in scores:
        click.echo(f"{score.protocol}\t{score.value}")
    if not scores:
        raise InputError(_NOTHING_MEASURED)


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
def show(checkpoint: Path) -> None:
    """Print a checkpoint's config, evaluations and outcome as JSON."""
    saved = load_any_checkpoint(checkpoint)
    click.echo(json.dumps({key: saved[key] for key in ("config", "evaluations", "outcome")}, indent=1))


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--image-size", type=click.IntRange(8, 1024), help="Pixels, for your own images; they become squares.")
@_cache_dir
@_data
def prepare(source: Path, image_size: int | None, cache_dir: Path, data_dir: Path | None) -> None:
    """Prepare a data set of the catalog, or your own images (a folder or an .npz), and print its name.

    A preparation that was stopped goes on where it was when the same command is given again.

    Example: python -m sngan prepare imagenet --data-dir /data/imagenet

    Example: python -m sngan prepare ~/flowers --image-size 32
    """
    if str(source) in DATASETS:
        if image_size is not None:
            raise InputError(f"--image-size is for your own images; {source} has {DATASETS[str(source)].image_size}.")
        dataset = _open_with_bar(str(source), cache_dir, data_dir)
    elif image_size is None:
        if not source.exists():
            raise unknown("data set", source, DATASETS)
        raise InputError(f"how large shall the images of {source} become? For example: --image-size 32")
    else:
        with _bar() as progress:
            dataset = prepare_images(source, image_size=image_size, cache_dir=cache_dir, progress=progress)
    counts = ", ".join(f"{name} {len(split.images)}" for name, split in dataset.splits.items())
    channels = f"{dataset.channels} channel{'s' * (dataset.channels != 1)}"
    click.echo(f"{dataset.name}  ({counts} images of {dataset.image_size} pixels, {channels})")


@main.command()
@click.argument("protocol")
@click.option("--dataset", default="digits", show_default=True)
@_cache_dir
@_data
@_weights
@_device
@_threads
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
    images = _open_with_bar(dataset, cache_dir, data_dir)
    floors = Evaluator((protocol,), images, options).floors()
    if not floors:
        raise InputError(_NOTHING_MEASURED)
    for name, value in floors.items():
        if value is None:
            raise InputError(
                f"{dataset} has too few images for {name}: real images of another split stand for generated ones."
            )
        click.echo(f"{name}\t{value}")


@main.command()
@click.argument("plugin", type=click.Path(path_type=Path), metavar="FILE")
@click.pass_context
def check(context: click.Context, plugin: Path) -> None:
    """Say whether a regularizer of your own keeps the contract, check by check. Exit code 0 if it does, 1 if not.

    Example: python -m sngan check my_regularizer.py
    """
    context.exit(0 if tell_findings(plugin, click.echo) else 1)


@main.command("list")
@_plugins
def list_catalogs(plugins: tuple[Path, ...]) -> None:
    """Print every method, setting, data set, architecture, loss, regularizer, metric and protocol."""
    use_plugins(plugins)
    _section("methods", {name: f"{entry.label}. {entry.source}" for name, entry in METHODS.items()})
    _section(
        "settings",
        {
            name: f"alpha {s.alpha:g}, beta1 {s.beta1:g}, beta2 {s.beta2:g}, n_dis {s.n_dis} ({s.origin})"
            for name, s in SETTINGS.items()
        },
    )
    _section(
        "data sets",
        {name: _about(entry) for name, entry in DATASETS.items()},
    )
    _section("architectures", {name: entry.description for name, entry in ARCHITECTURES.items()})
    _section("losses", {name: entry.equation for name, entry in LOSSES.items()})
    _section(
        "regularizers",
        {
            name: f"{_summary(entry)} Fields: {', '.join(f.name for f in fields(entry)) or 'none'}."
            for name, entry in REGULARIZERS.items()
        },
    )
    _section("metrics", {name: f"{entry.label}. {entry.meaning}" for name, entry in METRICS.items()})
    _section("protocols", {name: entry.usage for name, entry in PROTOCOLS.items()})


def _section(title: str, rows: dict[str, str]) -> None:
    click.secho(title, bold=True)
    width = max(map(len, rows))
    for name, text in rows.items():
        click.echo(f"  {name:<{width}}  {text}")
    click.echo()


def _about(entry: DatasetEntry) -> str:
    """What a data set holds, where its files come from and what it takes on the disk."""
    files = {0: "bundled", None: "needs --data-dir"}.get(entry.download_mb, f"{entry.download_mb} MB download")
    counts = ", ".join(f"{name} {num}" for name, num in entry.num_images.items())
    labels = f", {entry.num_classes} classes" if entry.num_classes else ""
    room = f"{entry.prepared_bytes / 1e6:.0f} MB" if entry.prepared_bytes >= 1e6 else "less than 1 MB"
    return f"{entry.image_size} pixels, {counts}{labels}; {files}, {room} prepared. {entry.source}"


def _open_with_bar(dataset: str, cache_dir: Path, data_dir: Path | None) -> Dataset:
    with _bar() as progress:
        return open_dataset(dataset, cache_dir=cache_dir, data_dir=data_dir, progress=progress)


@contextmanager
def _bar() -> Iterator[Progress]:
    """Draws a bar in the terminal from the first call on; what is prepared already shows none."""
    with ExitStack() as stack:
        bar = None

        def progress(done: int, total: int) -> None:
            nonlocal bar
            if bar is None:
                bar = stack.enter_context(
                    click.progressbar(
                        length=total, label="preparing", file=sys.stderr, show_pos=True, hidden=not sys.stderr.isatty()
                    )
                )
            bar.update(done - bar.pos)

        yield progress


def _summary(entry: Callable[..., Any]) -> str:
    return " ".join((entry.__doc__ or "").split("\n\n")[0].split())


def _defaults_for(dataset: str, architecture: str | None) -> dict[str, Any]:
    """What suits a data set: an architecture where none is named, the initial weights of its source, protocols."""
    num_real = {"cifar10": 10_000, "stl10": 8_000}.get(dataset)  # all test images
    protocols = [] if num_real is None else [f"fid/gen5000-test{num_real}-inception"]
    if dataset == "digits":
        protocols = ["fid/gen600-test600-digits", "is/gen600x1-digits"]
    name = architecture or ("small-cnn" if num_real is None else "standard-cnn")
    weights = ARCHITECTURES[name].initialization
    return {"architecture": name, "generator_init": weights, "discriminator_init": weights, "protocols": protocols}


def _announce(config: TrialConfig, by_hand: Mapping[str, str], method: str, setting: str) -> None:
    """Say what is trained, with what was set by hand, and warn where nothing will be measured."""
    values = config.to_dict()
    changed = ", ".join(f"{key}: {values[key]!r}" for key in sorted(by_hand))
    told = f"; set by hand: {changed}" if changed else ""
    click.echo(f"trial {config.digest}: {method} at setting {setting}, seed {config.seed}{told}")
    if not config.protocols:
        example = "--set protocols=fid/gen1000-train1000-inception"
        click.echo(f"no protocol is given: nothing will be measured. For example: {example}", err=True)


def _pairs(changes: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for change in changes:
        key, separator, value = change.partition("=")
        if not separator:
            raise InputError(f"--set {change!r} is not of the form KEY=VALUE, such as batch_size=32.")
        pairs[key] = value
    return pairs


def _print_evaluation(evaluation: Evaluation) -> None:
    scores = "  ".join(f"{s.protocol} {s.value:.4g}" for s in evaluation.scores if s.value is not None)
    speed = evaluation.diagnostics["seconds_per_update"]
    click.echo(f"update {evaluation.update}: {scores}  ({speed * 1000:.2f} ms an update)")


def run() -> int:
    """Run one command; return the exit code. A user's mistake is told in one or two lines on standard error."""
    logging.basicConfig(format="%(levelname)s: %(message)s")
    try:
        return int(main(standalone_mode=False) or 0)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; the same command goes on from the last checkpoint", err=True)
        return UNFINISHED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except InputError as error:
        click.echo(f"error: {error}", err=True)
        return 2
    except Exception as error:
        if os.environ.get("SNGAN_DEBUG"):
            raise
        click.echo(f"internal error: {one_line(error)}\nSNGAN_DEBUG=1 shows where.", err=True)
        return 1


if __name__ == "__main__":
    sys.exit(run())
