"""The command of every study: run what is missing, judge, report."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sngan.errors import InputError
from sngan.fields import require
from sngan.inputs import check_names
from sweeps import tracking
from sweeps.commands.dry_run import tell_dry_run
from sweeps.commands.endings import tell_ending
from sweeps.commands.options import (
    find_place,
    input_options,
    not_empty,
    notify_option,
    place_options,
    run_options,
    split_names,
    storage_option,
)
from sweeps.engine import ENGINES, EngineOptions, check_here
from sweeps.notifications import launch_and_notify
from sweeps.plugins import refuse_unchecked, use_with_kept
from sweeps.provenance import command_line
from sweeps.searching import searches_of
from sweeps.study import STUDIES, Study, plan
from sweeps.sweep import Sweep
from sweeps.until_decided import UntilDecided
from sweeps.webhooks import Address


def study_command(name: str) -> click.Command:
    """The command that launches the study `name`."""
    study = STUDIES[name]

    @click.command(name, help=_help(study), short_help=study.question)
    @place_options
    @_run_options
    @click.pass_context
    def command(context: click.Context, /, **options: Any) -> None:
        context.exit(_run(name, command_line(context.obj), **options))

    return command


def _help(study: Study) -> str:
    presets = "\n\n".join(f"{preset.name}: {preset.description}" for preset in study.presets.values())
    return (
        f"{study.question}\n\n{study.description}\n\nPresets:\n\n{presets}\n\n"
        # \b: not to be broken into lines, for the terminal that it is copied to.
        f"\b\nExample:\n{_example(study)}\n\n"
        "Launching again runs only what is missing. Exit code 0: every planned trial has a result; 75: unfinished, "
        "start it again; 1: trials failed, or an error; 2: a mistake in what was asked."
    )


def _example(study: Study) -> str:
    """A command that works: two of the study's own methods, and settings where they are not searched."""
    preset = next(iter(study.presets.values()))
    settings = "" if preset.search is not None else f" --settings {shlex.quote(','.join(preset.settings[:2]))}"
    methods = shlex.quote(",".join(preset.methods[:2]))
    return f"python -m sweeps.launch {study.name} --methods {methods}{settings} --seeds 3"


def _run_options(command: Any) -> Any:
    """Decorator: everything about what runs, where and how."""
    for option in reversed(
        [
            click.option("--methods", metavar="NAMES", help="Methods, with commas.  [default: the preset's]"),
            click.option("--settings", metavar="NAMES", help="Settings, with commas.  [default: the preset's]"),
            click.option("--seeds", type=int, help="Number of seeds, from 0 on.  [default: the preset's]"),
            click.option(
                "--until-decided",
                is_flag=True,
                help="Then add seeds, one at a time, for the claims that are still undecided. The levels of verdicts "
                "stay what they are.",
            ),
            click.option("--max-seeds", type=int, help="With --until-decided: the last seed.  [default: 20]"),
            click.option(
                "--max-hours",
                type=float,
                help="With --until-decided: begin no seed that would not end within this time.",
            ),
            click.option("--dry-run", is_flag=True, help="Say what would run and how long it would take; then end."),
            click.option("--cpus-per-trial", type=float, default=1.0, show_default=True, help="Also its threads."),
            click.option(
                "--gpus-per-trial", type=float, help="A fraction shares a GPU.  [default: 1 where there are GPUs]"
            ),
            click.option(
                "--trials-per-gpu",
                type=int,
                default=1,
                show_default=True,
                help="So many share a GPU in one process, where their kernels can overlap.",
            ),
            click.option("--max-concurrent", type=int, help="Trials at the same time.  [default: as many as fit]"),
            click.option(
                "--address",
                default="none",
                show_default=True,
                envvar="RAY_ADDRESS",
                show_envvar=True,
                help="Ray cluster: none starts Ray here, auto finds this machine's cluster, or HOST:PORT of its head. "
                "All its machines must see OUT under the same path, or --storage.",
            ),
            storage_option,
            click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, mps ..."),
            click.option("--engine", type=click.Choice(ENGINES), default="ray", show_default=True),
            click.option("--fresh-process", is_flag=True, help="A new process for every trial."),
            click.option(
                "--mlflow", metavar="URI", callback=not_empty, help="MLflow to mirror to.  [default: OUT/mlflow.db]"
            ),
            click.option("--no-mlflow", is_flag=True, help="Do not mirror to MLflow."),
            notify_option,
        ]
    ):
        command = option(command)
    return input_options(command)


def _run(
    study: str,
    typed: Sequence[str],
    *,
    preset: str | None,
    overrides: tuple[str, ...],
    out: Path,
    database: str | None,
    plugins: tuple[Path, ...],
    methods: str | None,
    settings: str | None,
    seeds: int | None,
    until_decided: bool,
    max_seeds: int | None,
    max_hours: float | None,
    dry_run: bool,
    mlflow: str | None,
    no_mlflow: bool,
    notify: tuple[Address, ...],
    **rest: Any,
) -> int:
    """Launch or dry-run; return the exit code."""
    place = find_place(study, preset, overrides, out, database, plugins)
    given = use_with_kept(plugins, place.out, place.stored_configs())
    added = [method for plugin in given for method in plugin.methods]
    refuse_unchecked(place.out)
    chosen = split_names(methods, "methods") or [*place.preset.methods, *added]
    trials = plan(
        place.preset,
        methods=chosen,
        settings=split_names(settings, "settings"),
        seeds=seeds,
    )
    searches = searches_of(
        study,
        place.preset,
        methods=chosen,
        settings=split_names(settings, "settings"),
        seeds=seeds,
        memory=None if dry_run else place.out / "optuna.db",
    )
    # Seeds make no difference to what is checked.
    for config in dict.fromkeys(t.config.with_seed(0) for t in trials) if searches is None else searches.examples:
        check_names(config, str(rest["device"]), rest["cache_dir"])
    if mlflow and no_mlflow:
        raise InputError("--mlflow and --no-mlflow exclude each other.")
    if mlflow:
        tracking.check_uri(mlflow)
    until = _until(until_decided, max_seeds, max_hours)
    if until is not None and searches is not None:
        raise InputError("--until-decided adds seeds to a fixed plan; the trials of this preset come from a search.")
    sweep = Sweep(
        study=place.study,
        preset=place.preset,
        trials=trials,
        out=place.out,
        database=place.database,
        engine=_engine_options(place.out, rest),
        mlflow=None if no_mlflow else mlflow or tracking.default_uri(place.out),
        command=typed,
        searches=searches,
        until=until,
    )
    check_here(sweep.engine)
    if dry_run:
        tell_dry_run(sweep, place)
        return 0
    return tell_ending(launch_and_notify(sweep, click.echo, notify))


def _until(wanted: bool, max_seeds: int | None, max_hours: float | None) -> UntilDecided | None:
    for option, value in (("--max-seeds", max_seeds), ("--max-hours", max_hours)):
        if value is not None and not wanted:
            raise InputError(f"{option} limits the seeds that --until-decided adds; give both, or neither.")
        require(value is None or 0 < value <= 1000, option, value, "above 0, up to 1000")
    if not wanted:
        return None
    return UntilDecided(max_seeds=max_seeds, max_s=None if max_hours is None else 3600 * max_hours)


def _engine_options(out: Path, options: dict[str, Any]) -> EngineOptions:
    names = ("cache_dir", "data_dir", "inception_weights", "device")
    run = run_options(**{name: options[name] for name in names}, storage_dir=out)
    return EngineOptions(run=run, **{name: value for name, value in options.items() if name not in names})
