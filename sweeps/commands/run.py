"""The command of every study: run what is missing, judge, report."""

import contextlib
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sngan.errors import InputError
from sngan.fields import require
from sngan.places import default_cache_dir
from sngan.results import RunOptions
from sngan.trial import check_names
from sweeps import tracking
from sweeps.board import Board
from sweeps.commands.options import Place, find_place, place_options, split_names
from sweeps.costs import CostEstimate, estimate
from sweeps.engine import ENGINES, EngineOptions, check_here, last_line, num_slots
from sweeps.plugins import refuse_unchecked, use_with_kept
from sweeps.progress_tables import plain_table, show, status_view, verdict_table, view_width
from sweeps.provenance import command_line, hide_credentials
from sweeps.searching import searches_of
from sweeps.signals import UNFINISHED
from sweeps.store import ResultStore, open_store
from sweeps.study import STUDIES, PlannedTrial, Study, plan
from sweeps.sweep import Ending, Sweep, device_kind, in_order, launch
from sweeps.until_decided import Candidates, UntilDecided
from sweeps.wording import counted, duration

FAILED = 1
_SHOWN_FAILURES = 10


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
        f"Example: {_example(study)}\n\n"
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
    path = click.Path(path_type=Path)
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
            click.option("--max-concurrent", type=int, help="Trials at the same time.  [default: as many as fit]"),
            click.option(
                "--address",
                default="none",
                show_default=True,
                envvar="RAY_ADDRESS",
                show_envvar=True,
                help="Ray cluster: none starts Ray here, auto finds this machine's cluster, or HOST:PORT of its head. "
                "All its machines must see OUT under the same path.",
            ),
            click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, mps ..."),
            click.option("--engine", type=click.Choice(ENGINES), default="ray", show_default=True),
            click.option("--fresh-process", is_flag=True, help="A new process for every trial."),
            click.option("--mlflow", metavar="URI", help="MLflow to mirror to.  [default: OUT/mlflow.db]"),
            click.option("--no-mlflow", is_flag=True, help="Do not mirror to MLflow."),
            click.option("--data-dir", type=path, metavar="DIR", help="Folder with a data set's official files."),
            click.option("--inception-weights", type=path, metavar="FILE", help="Weights of the Inception network."),
            click.option(
                "--cache-dir",
                type=path,
                default=default_cache_dir,
                show_default="~/.cache/sngan",
                help="Prepared data sets and reference statistics.",
            ),
        ]
    ):
        command = option(command)
    return command


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
    **rest: Any,
) -> int:
    """Launch or dry-run; return the exit code."""
    place = find_place(study, preset, overrides, out, database, plugins)
    given = use_with_kept(plugins, place.out, place.stored_configs())
    added = [method for plugin in given for method in plugin.methods]
    refuse_unchecked(place.out)
    trials = plan(
        place.preset,
        methods=split_names(methods, "methods") or [*place.preset.methods, *added],
        settings=split_names(settings, "settings"),
        seeds=seeds,
    )
    searches = searches_of(
        study,
        place.preset,
        methods=split_names(methods, "methods"),
        settings=split_names(settings, "settings"),
        seeds=seeds,
        memory=None if dry_run else place.out / "optuna.db",
    )
    for config in [trial.config for trial in trials] if searches is None else searches.examples:
        check_names(config, str(rest["device"]))
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
        engine=_engine_options(place.out, **rest),
        mlflow=None if no_mlflow else mlflow or tracking.default_uri(place.out),
        command=typed,
        searches=searches,
        until=until,
    )
    check_here(sweep.engine)
    if dry_run:
        _dry_run(sweep, place, is_default_database=database is None)
        return 0
    return _tell(launch(sweep, click.echo))


def _until(wanted: bool, max_seeds: int | None, max_hours: float | None) -> UntilDecided | None:
    for option, value in (("--max-seeds", max_seeds), ("--max-hours", max_hours)):
        if value is not None and not wanted:
            raise InputError(f"{option} limits the seeds that --until-decided adds; give both, or neither.")
        require(value is None or 0 < value <= 1000, option, value, "above 0, up to 1000")
    if not wanted:
        return None
    return UntilDecided(max_seeds=max_seeds, max_s=None if max_hours is None else 3600 * max_hours)


def _engine_options(
    out: Path,
    *,
    cache_dir: Path,
    data_dir: Path | None,
    inception_weights: Path | None,
    device: str,
    **options: Any,
) -> EngineOptions:
    run = RunOptions(
        cache_dir=cache_dir.expanduser().absolute(),
        storage_dir=out,
        device=device,
        data_dir=_existing(data_dir, "--data-dir"),
        inception_weights=_existing(inception_weights, "--inception-weights"),
    )
    return EngineOptions(run=run, **options)


def _existing(path: Path | None, option: str) -> Path | None:
    if path is None:
        return None
    absolute = path.expanduser().absolute()
    if not absolute.exists():
        raise InputError(f"{option}: {absolute} does not exist.")
    return absolute


def _dry_run(sweep: Sweep, place: Place, *, is_default_database: bool) -> None:
    """Say what would run and how long it would take."""
    exists = not is_default_database or (place.out / "results.db").exists()
    with open_store(place.database, create=False) if exists else contextlib.nullcontext() as store:
        sweep = sweep.proposed(store)
        candidates = _candidates(sweep, store)
        later = {} if candidates is None else {trial.digest: trial for trial in candidates.at_most()}
        everything = {**sweep.planned, **later}
        states = {} if store is None else store.known_states(everything)
        todo = [trial for digest, trial in everything.items() if digest not in states or not states[digest].finished]
        estimated = CostEstimate(seconds=dict.fromkeys(everything), unmeasured=())
        if store is not None:
            estimated = estimate(todo, store.expected_costs(), device=device_kind(sweep.engine))
    missing = [trial for trial in todo if trial.digest in sweep.planned]
    cells = [
        [trial.method, trial.setting, trial.seed, _cost_text(estimated, trial)]
        for trial in in_order(missing, estimated)
    ]
    if cells:
        show(plain_table(("method", "setting", "seed", "expected"), cells, title="Trials to run"))
    click.echo(f"{counted(len(missing), 'trial')} to run, {len(sweep.planned) - len(missing)} already done.")
    if sweep.to_come:
        click.echo(f"{counted(sweep.to_come, 'more trial')} will be proposed from the results of these.")
    click.echo(_expected_text(estimated.of(missing), num_slots(sweep.engine)))
    if candidates is not None:
        first, last = candidates.looks.first, candidates.looks.last
        more = [trial for trial in todo if trial.digest not in sweep.planned]
        click.echo(
            f"Then {counted(len(candidates.claims), 'claim')} judged after every seed from {first} to {last}, and more "
            f"seeds only for those still open: at most {counted(len(more), 'trial')} more."
        )
        click.echo(_expected_text(estimated.of(more), num_slots(sweep.engine)))


def _candidates(sweep: Sweep, store: ResultStore | None) -> Candidates | None:
    """The claims that further seeds may decide; None where no further seeds are asked for."""
    if sweep.until is None:
        return None
    known = None if store is None else store.looks(*sweep.key)
    return Candidates.of(sweep.study, sweep.preset, sweep.trials, sweep.until, known)


def _cost_text(estimated: CostEstimate, trial: PlannedTrial) -> str:
    seconds = estimated.seconds[trial.digest]
    return "not measured yet" if seconds is None else duration(seconds)


def _expected_text(estimated: CostEstimate, slots: int) -> str:
    """What the missing trials will take, and what of that is not known."""
    if not estimated.seconds:
        return "Nothing would run."
    wall_s = estimated.wall_s(slots)
    if wall_s is None:
        return "The time cannot be told: no comparable trial has been measured in this database."
    text = f"Expected: {duration(wall_s)} with {slots} at a time ({duration(estimated.known_s)} one after another)."
    return f"{text}\n{estimated.explanation}".rstrip()


def _tell(ending: Ending) -> int:
    """Tell how a launch ended; return the exit code."""
    sweep = ending.sweep
    num_missing = len(ending.missing) + sweep.to_come
    again = hide_credentials(shlex.join(sweep.command))
    if ending.verdicts:
        show(verdict_table(ending.verdicts, width=view_width()))
    if sweep.preset.caveat and ending.verdicts:
        click.echo(f"Note: {sweep.preset.caveat}")
    if ending.ran == 0 and not num_missing:
        enough = _every(len(sweep.planned)) if sweep.until is None else "every trial that is wanted has"
        click.echo(f"Nothing to do: {enough} a result.")
    if ending.why:
        click.echo(ending.why)
    if ending.report is not None:
        click.echo(f"Report: {_short(ending.report)}")
    if ending.mlflow_page is not None and sweep.mlflow is not None:
        _tell_mlflow(ending.mlflow_page, tracking.ui_command(sweep.mlflow))
    if ending.failed:
        _tell_failures(ending, sweep)
        click.echo(f"Try them again: {again}", err=True)
        return FAILED
    if sweep.to_come:
        click.echo(f"{counted(sweep.to_come, 'more trial')} will be proposed from the results of these.")
    if ending.missing:
        done, total = len(sweep.planned) - len(ending.missing), len(sweep.planned) + sweep.to_come
        click.echo(f"Stopped: {done} of {total} trials have a result. Go on with:\n{again}", err=True)
        return UNFINISHED
    return 0


def _every(number: int) -> str:
    return "the one trial has" if number == 1 else f"all {number} trials have"


def _tell_mlflow(page: str, serve: str | None) -> None:
    """Say where the trials are to be seen, and how a local database is served first."""
    click.echo(f"MLflow: {page if serve is None else hide_credentials(serve)}")
    if serve is not None:
        click.echo(f"  then  {page}")


def _short(path: Path) -> str:
    """The path from here where it lies below, else the whole."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _tell_failures(ending: Ending, sweep: Sweep) -> None:
    click.echo(f"{len(ending.failed)} of {len(sweep.planned)} trials failed:", err=True)
    for digest, error in list(ending.failed.items())[:_SHOWN_FAILURES]:
        trial = sweep.planned[digest]
        click.echo(f"  {trial.method} {trial.setting} seed {trial.seed}: {last_line(error)}", err=True)
    if len(ending.failed) > _SHOWN_FAILURES:
        click.echo(f"  and {len(ending.failed) - _SHOWN_FAILURES} more, see the report.", err=True)


def show_status(store: ResultStore, place: Place) -> None:
    """Print states, scores and verdicts of a stored study."""
    board = Board.of_store(store.trials(*place.key), store.evaluations(*place.key), place.preset.headline)
    show(status_view(board, " ".join(place.key), width=view_width()))
    verdicts = store.verdicts(*place.key)
    if verdicts:
        click.echo()
        show(verdict_table(verdicts, width=view_width()))
