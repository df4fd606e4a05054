"""What every submission begins with: the launch that it is for, and all that can be found wrong with it beforehand."""

import contextlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from sngan.errors import InputError, unknown
from sweeps.commands.line import cli as launch_line
from sweeps.commands.options import find_place
from sweeps.commands.run import study_command
from sweeps.provenance import NOTIFY, holds_credential
from sweeps.study import STUDIES
from sweeps.variation import is_shortened
from sweeps.webhooks import VARIABLE

# What these name is looked at by machines of the cluster.
_SEEN_THERE = ("--out", "--database", "--cache-dir", "--data-dir", "--inception-weights", "--storage")
_BETTER_PLACES = {
    "--database": "~/.pgpass (or PGPASSFILE, PGPASSWORD)",
    "--mlflow": "MLFLOW_TRACKING_PASSWORD",
    "--storage": "~/.aws (or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)",
    "--head": "RAY_AUTH_TOKEN (with RAY_AUTH_MODE=token)",
    NOTIFY: f"{VARIABLE}, in the environment of the job",
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The launch that a job is for. launch : its options, as typed. given : the same, as understood."""

    study: str
    preset: str
    out: Path
    database: str
    launch: tuple[str, ...]
    given: Mapping[str, Any]


def checked(
    study: str, launch: tuple[str, ...], *, cpus: float, gpus: float, option: str, seen_here: bool = True
) -> Asked:
    """What is to be launched on machines with so many CPUs and GPUs. Raises InputError for what cannot run there.

    option : how the command calls these numbers, "per-node" of --cpus-per-node. seen_here : whether this machine sees
    the folder of results and the database as those machines do.
    """
    if study not in STUDIES:
        raise unknown("study", study, STUDIES)
    context = study_command(study).make_context(f"python -m sweeps.launch {study}", list(launch))
    given = context.params
    for name, wanted in (("address", "none"), ("engine", "ray")):
        if given[name] != wanted and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise InputError(f"--{name} {given[name]}: the job has a Ray of its own; leave it out.")
    if given["dry_run"]:
        raise InputError("--dry-run of the launch is part of the one of this command.")
    refuse_passwords({f"--{name}": given[name] for name in ("database", "mlflow", "storage")})
    if given["notify"] and context.get_parameter_source("notify") is click.core.ParameterSource.COMMANDLINE:
        raise _readable_by_others(NOTIFY, "a secret")
    if not seen_here and is_shortened(given["preset"] or ""):
        raise InputError(
            f"--preset {given['preset']}: only the database knows what it changes; give its --set options."
        )
    place = find_place(study, *(given[name] for name in ("preset", "overrides", "out", "database", "plugins")))
    if (given["gpus_per_trial"] or 0) > gpus or given["trials_per_gpu"] > 1 > gpus:
        raise InputError(f"trials ask for GPUs, and there are {gpus}; give --gpus-{option}.")
    if given["cpus_per_trial"] > cpus:
        raise InputError(
            f"a trial asks for {given['cpus_per_trial']:g} CPUs, and there are {cpus}; give --cpus-{option}."
        )
    return Asked(
        study=study, preset=place.preset.name, out=place.out, database=place.database, launch=launch, given=given
    )


def tell_plan(asked: Asked, *more: str) -> None:
    """What would run, on standard error: the output is the script's, or the manifest's. `more` : options that win."""
    with contextlib.redirect_stdout(sys.stderr):
        typed = [asked.study, *asked.launch, "--dry-run", "--address", "auto", *more]
        launch_line.main(args=typed, standalone_mode=False, obj=tuple(typed))


def tell_plan_elsewhere(asked: Asked) -> None:
    """`tell_plan` where this machine sees neither the folders nor the database, and must not make them."""
    with tempfile.TemporaryDirectory() as folder:
        tell_plan(replace(asked, launch=without(asked.launch, *_SEEN_THERE)), "--out", folder)


def without(launch: Sequence[str], *options: str) -> tuple[str, ...]:
    """The words of a launch without these options, all of which take a value."""
    kept, words = [], iter(launch)
    for word in words:
        if word in options:
            next(words, None)
        elif word.partition("=")[0] not in options:
            kept.append(word)
    return tuple(kept)


def refuse_passwords(urls: dict[str, str | None]) -> None:
    """Raise InputError for a URL with a password: others can read batch scripts, and the commands of processes."""
    for option, url in urls.items():
        if url is not None and holds_credential(url):
            raise _readable_by_others(option, "a password")


def _readable_by_others(option: str, what: str) -> InputError:
    return InputError(
        f"{option} holds {what}, which others could read in the script.\nPut it into {_BETTER_PLACES[option]}."
    )
