"""The command line of python -m sweeps.launch: its commands, and what becomes of errors."""

import logging
import os
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sngan.commands.usage import tell_usage
from sngan.errors import InputError, one_line, unknown
from sweeps.commands.options import debug_option
from sweeps.commands.readiness import doctor, prepare
from sweeps.commands.results import compare, export, report, status, sync
from sweeps.commands.run import study_command
from sweeps.commands.ui import ui
from sweeps.progress_tables import plain_table, show
from sweeps.study import STUDIES, Preset, Study

_COMMANDS = {command.name or "": command for command in (status, report, export, sync, compare, ui, prepare, doctor)}
USAGE = 2


class _Commands(click.Group):
    """Every study is a command, and so is everything that is done with results."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Studies first."""
        return [*STUDIES, *_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called `cmd_name`. Raises InputError with the nearest match where there is none."""
        if cmd_name in _COMMANDS:
            return _COMMANDS[cmd_name]
        if cmd_name in STUDIES:
            return study_command(cmd_name)
        raise unknown("study or command", cmd_name, [*STUDIES, *_COMMANDS])


def _list(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    for study in STUDIES.values():
        click.secho(study.name, bold=True, nl=False)
        click.echo(f": {study.question}")
        show(plain_table(("preset", "methods x settings x seeds", "trials", "headline"), _sizes(study)))
        click.echo()
    click.echo("python -m sweeps.launch STUDY --help describes a study and its presets.")
    context.exit()


def _sizes(study: Study) -> list[list[object]]:
    """A row per preset."""
    return [
        [
            preset.name,
            f"{len(preset.methods)} x {len(preset.settings)} x {preset.seeds}",
            _num_trials(preset),
            preset.headline,
        ]
        for preset in study.presets.values()
    ]


def _num_trials(preset: Preset) -> int:
    """What is trained in the end: the first round of a search is shared by its samplers."""
    search = preset.search
    shared = 0 if search is None else (len(search.samplers) - 1) * search.round_size
    return len(preset.methods) * (len(preset.settings) - shared) * preset.seeds


@click.group(cls=_Commands)
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List studies and presets."
)
@debug_option
def cli() -> None:
    """Run a study, or see what came of it.

    Example: python -m sweeps.launch robustness --preset quick --dry-run
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code. A user's mistake never ends in a traceback.

    Raises KeyboardInterrupt where a stop was asked for.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    return run_command(cli, "sweeps.launch", arguments)


def run_command(command: click.Command, program: str, arguments: Sequence[str]) -> int:
    """Run a command of a program; return the exit code. Raises KeyboardInterrupt where a stop was asked for."""
    try:
        result: Any = command.main(
            args=list(arguments), prog_name=f"python -m {program}", standalone_mode=False, obj=tuple(arguments)
        )
        return result if isinstance(result, int) else 0
    except InputError as error:
        click.echo(f"error: {error}", err=True)
        return USAGE
    except click.ClickException as error:
        return tell_usage(error)
    except click.Abort as error:  # click's word for a KeyboardInterrupt
        raise KeyboardInterrupt from error
    except Exception as error:
        return _internal_error(error, debug="--debug" in arguments)


def _internal_error(error: Exception, *, debug: bool) -> int:
    """Tell of a mistake of ours in one line, with the traceback in a file."""
    if debug:
        traceback.print_exception(error)
        return 1
    descriptor, name = tempfile.mkstemp(prefix="sngan-error-", suffix=".log")
    with os.fdopen(descriptor, "w") as file:
        file.write("".join(traceback.format_exception(error)))
    click.echo(f"internal error: {one_line(error)}\nTraceback: {Path(name)} (or start again with --debug)", err=True)
    return 1
