"""Commands before a launch: what a machine without internet needs is fetched elsewhere; is everything there?"""

import shlex
from collections.abc import Sequence
from typing import Any

import click

from sngan.commands.progress import measuring_bar, open_with_bar
from sngan.config import TrialConfig
from sngan.inputs import describe_inputs, prepare_references
from sngan.places import default_cache_dir
from sngan.results import RunOptions
from sweeps import tracking
from sweeps.commands.options import (
    Place,
    find_place,
    input_options,
    not_empty,
    notify_option,
    place_options,
    run_options,
    storage_option,
    study_argument,
)
from sweeps.doctor import Finding, Needs, examine
from sweeps.progress_tables import plain_table, show
from sweeps.webhooks import Address
from sweeps.wording import counted

_MARKS = {"good": "ok", "doubtful": "?", "bad": "MISSING"}


@click.command()
@study_argument
@place_options
@input_options
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda ...")
def prepare(threads: int, device: str, **options: Any) -> None:
    """Fetch and prepare everything that the trials of a study read: data sets, weights, statistics of real images.

    On a machine with internet, such as a cluster's login node, with a --cache-dir that the others see. They then need
    no network.

    Example: python -m sweeps.launch prepare robustness --preset cifar10 --cache-dir /shared/cache
    """
    place, run = _place_and_run(options, device=device, num_threads=threads)
    config = TrialConfig.from_dict(place.preset.config)
    open_with_bar(config.dataset, run.cache_dir, run.data_dir)
    with measuring_bar() as progress:
        prepare_references(config, run, progress)
    for name, value in describe_inputs(config, run).items():
        click.echo(f"{name.replace('_', ' ')}: {value}")


@click.command()
@study_argument
@place_options
@input_options
@storage_option
@click.option("--mlflow", metavar="URI", callback=not_empty, help="MLflow to mirror to.  [default: OUT/mlflow.db]")
@notify_option
@click.option("--gpus", type=click.IntRange(0), default=0, show_default=True, help="GPUs that must be here.")
@click.option("--address", default="none", show_default=True, help="Ray cluster of which all nodes are looked at, from "
              "there: auto, or HOST:PORT of its head. GPUs are then asked of those with CPUs for trials.")  # fmt: skip
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0, min_open=True), default=600.0, show_default=True,
              help="With --address: seconds after which a node is silent.")  # fmt: skip
@click.pass_context
def doctor(
    context: click.Context,
    /,
    mlflow: str | None,
    storage: str | None,
    notify: tuple[Address, ...],
    gpus: int,
    address: str,
    timeout_s: float,
    **options: Any,
) -> None:
    """Say what a study would miss on this machine: GPUs, folders, locks, database, MLflow, data, weights, clocks, room.

    Nothing is downloaded or prepared; webhooks get a test. Inside an allocation, on every node: srun
    --ntasks-per-node=1 python -m ... On every node of a Ray cluster, from one of its machines: --address auto.

    Example: python -m sweeps.launch doctor robustness --preset cifar10 --out /shared/runs --gpus 4
    """
    typed = ["--preset", options["preset"]] if options["preset"] else []
    typed += [word for change in options["overrides"] for word in ("--set", change)]
    typed += ["--cache-dir", str(options["cache_dir"])] if options["cache_dir"] != default_cache_dir() else []
    place, run = _place_and_run(options)
    needs = Needs(
        out=place.out,
        database=place.database,
        mlflow=mlflow or tracking.default_uri(place.out),
        storage=storage,
        run=run,
        config=TrialConfig.from_dict(place.preset.config),
        gpus=gpus,
        prepare=shlex.join(["python", "-m", "sweeps.launch", "prepare", place.study.name, *typed]),
        notify=notify if address == "none" else (),  # the launch alone sends messages, not the nodes
    )
    bad = _tell(examine(needs)) if address == "none" else _tell_nodes(needs, address, timeout_s)
    click.echo("Ready." if not bad else f"Not ready: {', '.join(bad)}.")
    context.exit(1 if bad else 0)


def _tell(found: Sequence[Finding]) -> list[str]:
    """Show what was found on a machine; return what is missing."""
    show(plain_table(("", "what", "found"), [[_MARKS[each.state], each.what, each.told] for each in found]))
    for each in found:
        if each.advice:
            click.echo(f"{each.what}: {each.advice}")
    return [each.what for each in found if each.state == "bad"]


def _tell_nodes(needs: Needs, address: str, timeout_s: float) -> list[str]:
    """Show what was found on the nodes of a Ray cluster; return what is missing where."""
    from sweeps.ray_doctor import examine_nodes  # importing Ray takes a second

    nodes = examine_nodes(needs, address, timeout_s)
    good = [each.node for each in nodes if not each.remarkable]
    click.echo(f"Everything is there on {len(good)} of {counted(len(nodes), 'node')}: {', '.join(good) or '-'}")
    for each in nodes:
        if each.remarkable:
            click.secho(each.node, bold=True)
            _tell(each.remarkable)
    return [f"{each.node} ({', '.join(each.bad)})" for each in nodes if each.bad]


def _place_and_run(options: dict[str, Any], **more: Any) -> tuple[Place, RunOptions]:
    """Where results are, and how trials run there; `more` : fields of the latter."""
    inputs = {name: options.pop(name) for name in ("cache_dir", "data_dir", "inception_weights")}
    return find_place(**options), run_options(**inputs, **more)
