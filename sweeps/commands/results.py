"""Commands on results that are there: status, report, export, sync, compare."""

from pathlib import Path
from typing import Any

import click

from sngan.commands.options import GivenPath
from sngan.errors import InputError
from sweeps import tracking
from sweeps.commands.endings import show_status
from sweeps.commands.options import (
    database_url,
    debug_option,
    find_place,
    place_options,
    preset_option,
    set_option,
    study_argument,
)
from sweeps.compare import compare as differences
from sweeps.export import FORMATS
from sweeps.export import export as write_export
from sweeps.reporting import conclude, is_current, report_folder
from sweeps.store import ResultStore, open_store

_SHOWN_DIFFERENCES = 20


@click.command()
@study_argument
@place_options
def status(**options: Any) -> None:
    """States, scores and verdicts of a study, now.

    Example: python -m sweeps.launch status robustness --preset quick
    """
    place = find_place(**options)
    with place.open() as store:
        show_status(store, place)


@click.command()
@study_argument
@place_options
@click.option("--force", is_flag=True, help="Write it even if nothing has changed.")
def report(force: bool, **options: Any) -> None:
    """Judge the claims again and write the report; say where it is.

    Example: python -m sweeps.launch report robustness --preset quick
    """
    place = find_place(**options)
    with place.open() as store:
        if force or not is_current(store, place.study, place.preset, place.out):
            conclude(store, place.study, place.preset, place.out)
    click.echo(report_folder(place.out, place.study, place.preset) / "index.html")


@click.command()
@study_argument
@place_options
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(list(FORMATS)),
    help="Repeatable.  [default: all of them]",
)
@click.option("--to", "folder", type=GivenPath(), help="Folder for the files.  [default: OUT/exports]")
def export(formats: tuple[str, ...], folder: Path | None, **options: Any) -> None:
    """Write scores, diagnostics and spectra as CSV and Parquet, with a description of every column.

    Example: python -m sweeps.launch export robustness --preset quick --format csv --to tables
    """
    place = find_place(**options)
    with place.open() as store:
        for path in write_export(store, *place.key, folder or place.out / "exports", formats or tuple(FORMATS)):
            click.echo(path)


@click.command()
@study_argument
@place_options
@click.option("--mlflow", metavar="URI", help="MLflow to send to.  [default: OUT/mlflow.db]")
def sync(mlflow: str | None, **options: Any) -> None:
    """Send to MLflow what it lacks: after an outage, or into an empty one.

    Example: python -m sweeps.launch sync robustness --mlflow http://localhost:5000
    """
    place = find_place(**options)
    if mlflow:
        tracking.check_uri(mlflow)
    uri = mlflow or tracking.default_uri(place.out)
    with place.open() as store:
        mirror = tracking.Mirror(uri, store, place.study, place.preset.name, place.out)
        click.echo(f"{mirror.shown_uri}: {mirror.sync()}")


@click.command()
@study_argument
@click.argument("left")
@click.argument("right")
@preset_option
@set_option
@debug_option
@click.pass_context
def compare(
    context: click.Context, study: str, left: str, right: str, preset: str | None, overrides: tuple[str, ...]
) -> None:
    """Compare a study's results in two folders (or database URLs), bit for bit.

    Times are not compared. With two folders, the image grids are. Exit code 0 where they are equal, 1 where not.

    Example: python -m sweeps.launch compare robustness runs other-runs
    """
    folder = _folder(left)
    database = left if folder is None else database_url(folder)
    label = find_place(study, preset, overrides, Path(), database).preset.name
    with _store_at(left) as one, _store_at(right) as other:
        for store in (one, other):
            if not store.states(study, label):
                raise InputError(f"{study} {label} was never launched into {store.url}.\nThere is: {_launched(store)}.")
        lines = differences(one, other, study, label, left_dir=_folder(left), right_dir=_folder(right))
        num_trials, num_rows = len(one.states(study, label)), len(one.evaluations(study, label))
    for line in lines[:_SHOWN_DIFFERENCES]:
        click.echo(line)
    if len(lines) > _SHOWN_DIFFERENCES:
        click.echo(f"and {len(lines) - _SHOWN_DIFFERENCES} more")
    if lines:
        click.echo(f"{len(lines)} {'difference' if len(lines) == 1 else 'differences'}")
        context.exit(1)
    click.echo(f"equal: {num_trials} trials, {num_rows} measured numbers")


def _folder(place: str) -> Path | None:
    return None if "://" in place else Path(place).expanduser().absolute()


def _launched(store: ResultStore) -> str:
    return ", ".join(f"{row.study} {row.preset}" for row in store.studies().itertuples()) or "nothing"


def _store_at(place: str) -> ResultStore:
    folder = _folder(place)
    if folder is not None and not folder.is_dir():
        raise InputError(f"{place} is neither a folder of results nor a database URL.")
    return open_store(place if folder is None else database_url(folder), create=False)
