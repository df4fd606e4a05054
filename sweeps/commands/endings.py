"""What a launch says at its end, and what `status` says of a stored study."""

import os
import shlex
from pathlib import Path

import click

from sweeps.board import Board
from sweeps.commands.options import Place, place_words
from sweeps.engine import last_line
from sweeps.progress_tables import show, status_view, verdict_table, view_width
from sweeps.provenance import hide_credentials
from sweeps.remaining import remaining
from sweeps.signals import UNFINISHED
from sweeps.store import ResultStore
from sweeps.sweep import Ending, Sweep
from sweeps.wording import counted, duration

FAILED = 1
_SHOWN_FAILURES = 10


def tell_ending(ending: Ending) -> int:
    """Tell how a launch ended; return the exit code."""
    sweep = ending.sweep
    num_missing = len(ending.missing) + sweep.to_come
    again = hide_credentials(shlex.join(sweep.command))
    if ending.verdicts:
        click.echo()
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
        app = ["python", "-m", "dashboards.app", *place_words(sweep.out, sweep.database)]
        click.echo(f"App: {shlex.join(app)}")
    if ending.mlflow is not None:
        click.echo(f"MLflow: {ending.mlflow}")
    if ending.failed:
        _tell_failures(ending, sweep)
        click.echo(f"Try them again: {again}", err=True)
        return FAILED
    if sweep.to_come:
        click.echo(f"{counted(sweep.to_come, 'more trial')} will be proposed from the results of these.")
    if ending.missing:
        _tell_stop(ending, again)
        return UNFINISHED
    return 0


def _tell_stop(ending: Ending, again: str) -> None:
    sweep = ending.sweep
    done, total = len(sweep.planned) - len(ending.missing), len(sweep.planned) + sweep.to_come
    click.echo(f"Stopped: {done} of {total} trials have a result. Go on with:\n{again}", err=True)
    for other in ending.others:
        click.echo(f"The study goes on meanwhile in another launch: {other}.", err=True)


def _every(number: int) -> str:
    return "the one trial has" if number == 1 else f"all {number} trials have"


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
    trials = store.trials(*place.key)
    board = Board.of_store(trials, store.newest_values(*place.key, place.preset.headline), place.preset.headline)
    show(status_view(board, " ".join(place.key), width=view_width()))
    at_work = store.at_work(*place.key)
    if at_work or board.num_done < board.num_trials:
        click.echo(f"\nat work: {'; '.join(at_work) or 'no launch'}")
    left_s = remaining(trials, store.expected_costs()).wall_s if at_work else None
    if left_s:
        click.echo(f"left: about {duration(left_s)}")
    verdicts = store.verdicts(*place.key)
    if verdicts:
        click.echo()
        show(verdict_table(verdicts, width=view_width()))
