"""The command line of python -m sweeps.submit."""

import contextlib
import logging
import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sngan.commands.options import GivenPath
from sngan.errors import InputError
from sweeps.clusters import slurm, submissions
from sweeps.clusters.slurm import Allocation, JobState
from sweeps.commands.line import run_command
from sweeps.commands.options import debug_option
from sweeps.commands.submit_kubernetes import submit_kubernetes
from sweeps.commands.submit_ray import submit_ray
from sweeps.commands.submitting import Asked, checked, tell_plan
from sweeps.progress_tables import plain_table, show
from sweeps.provenance import command_line
from sweeps.store import TrialState, open_store
from sweeps.writable import check_writable

_FOLLOW_S = 1.0
_FIRST_LOOK_S = 1.0  # after which Slurm has had a look at a new job
_PRIVATE = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 (not written to)
_out = click.option("--out", type=GivenPath(), default=Path("runs"), show_default=True, help="Folder of results.")


class _Job(click.ParamType[tuple[int, int | None]]):
    """1234, or 1234_5 for a task of an array, as batch systems write them."""

    name = "job"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int | None]:
        """(job, task); None for all of its tasks."""
        found = re.fullmatch(r"(\d+)(?:_(\d+))?", str(value), re.ASCII)
        if found is None:
            self.fail(f"{value!r} is no job; write 1234, or 1234_5 for a task of an array.", param, ctx)
        return int(found[1]), None if found[2] is None else int(found[2])


_job = click.argument("job", type=_Job(), required=False)


@click.group()
@debug_option
def cli() -> None:
    """Hand a study to a cluster, and see what has become of it.

    Example: python -m sweeps.submit slurm robustness --preset cifar10 --nodes 4 --gpus-per-node 4 --time 24:00:00
    """


@cli.command("slurm", context_settings={"ignore_unknown_options": True})
@click.argument("study", metavar="STUDY")
@click.argument("launch", metavar="[LAUNCH-OPTIONS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--nodes", type=int, default=1, show_default=True, help="Nodes of the job, or of every task of --array.")
@click.option("--cpus-per-node", type=int, default=1, show_default=True, help="Cores on each of them.")
@click.option("--gpus-per-node", type=int, default=0, show_default=True, help="GPUs on each of them.")
@click.option("--time", help="Limit of one run, such as 24:00:00 or 2-12:00:00. A longer study goes on in the next.")
@click.option("--partition", help="Partition.")
@click.option("--account", help="Account that pays.")
@click.option("--qos", help="Quality of service.")
@click.option(
    "--array", type=int, help="So many tasks, which begin whenever there is room and share the study's trials."
)
@click.option("--signal-before", "signal_s", type=int, default=120, show_default=True,
              help="Seconds before the time limit at which the launch stops, to go on in the next run.")  # fmt: skip
@click.option("--sbatch", "more", multiple=True, metavar="KEY=VALUE", help="Any other option of sbatch (repeatable).")
@click.option("--setup", multiple=True, metavar="LINE", help="Line of shell before anything else (repeatable).")
@click.option("--module", "modules", multiple=True, metavar="NAME", help="Environment module to load (repeatable).")
@click.option("--container", metavar="IMAGE", help="Run inside this image.")
@click.option("--container-runtime", type=click.Choice(slurm.CONTAINERS), default="apptainer", show_default=True,
              help="What runs it: Apptainer, or Slurm's plugin Pyxis.")  # fmt: skip
@click.option("--mount", "mounts", multiple=True, metavar="PATH[:PATH]", help="Folder that it sees (repeatable).")
@click.option("--python", help="Interpreter on the nodes.  [default: this one; python in a container]")
@click.option("--dry-run", is_flag=True, help="Print the script, and what would run; submit nothing.")
@debug_option
def submit_slurm(
    study: str,
    launch: tuple[str, ...],
    more: tuple[str, ...],
    modules: tuple[str, ...],
    setup: tuple[str, ...],
    python: str | None,
    dry_run: bool,
    **options: Any,
) -> None:
    """Write a batch script for STUDY, submit it, and say how to watch it.

    All options of `python -m sweeps.launch STUDY` are possible, too, and mean the same. OUT must be a folder that all
    nodes see. Ray runs on all nodes of the job; before the time limit, and when the job is preempted, the launch stops
    cleanly, and Slurm starts the job again until every trial has a result.

    \b
    Example:
    python -m sweeps.submit slurm robustness --preset cifar10 --seeds 5 --nodes 4 --gpus-per-node 4 \\
        --cpus-per-node 16 --time 24:00:00 --out /shared/runs --database postgresql://me@db/sweeps
    """  # noqa: D301 (\b keeps the lines of the example)
    allocation = Allocation(
        **{**options, "mounts": tuple(options["mounts"])},
        setup=(*_module_lines(modules), *setup),
        python=python or ("python" if options["container"] else sys.executable),
        more=_pairs(more),
    )
    asked = checked(study, launch, cpus=allocation.cpus_per_node, gpus=allocation.gpus_per_node, option="per-node")
    folder = submissions.jobs_folder(asked.out)
    script = slurm.render(
        allocation,
        title=f"{study}, preset {asked.preset}",
        name=slurm.job_name(study, asked.preset),
        # With tracebacks in the log: a file in a node's own /tmp is seen by nobody.
        launch=["-m", "sweeps.launch", study, *launch, "--debug"],
        folder=Path.cwd(),
        logs=folder,
    )
    tell_plan(asked)
    _warn_of_private_folder(asked.out)
    if dry_run:
        click.echo(script, nl=False)
        return
    check_writable(asked.out)
    _submit(asked, script, allocation, folder)


def _submit(asked: Asked, script: str, allocation: Allocation, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    waiting = folder / f"unsubmitted-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.sbatch"
    waiting.write_text(script)
    try:
        job = slurm.sbatch(waiting)
    finally:
        waiting.unlink()
    submission = submissions.Submission(
        job=job,
        study=asked.study,
        preset=asked.preset,
        database=asked.database,
        name=slurm.job_name(asked.study, asked.preset),
        submitted=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command_line([asked.study, *asked.launch]),
        tasks=allocation.array,
    )
    kept = submissions.remember(asked.out, submission, script)
    out = f" --out {shlex.quote(str(asked.out))}"
    click.echo(f"Submitted as job {job}; its script is {kept}")
    click.echo(f"  python -m sweeps.submit status{out}\n  python -m sweeps.submit logs {job} --follow{out}")
    click.echo(f"  python -m sweeps.submit cancel {job}{out}")
    time.sleep(_FIRST_LOOK_S)
    with contextlib.suppress(InputError):  # it is submitted, whatever Slurm answers now
        for reason in {state.reason for state in slurm.states(job)} & slurm.NEVER_STARTS:
            told = f"Slurm holds it: {reason}. It asks for more than the partition has, which sinfo tells."
            click.echo(f"{told} Cancel it, and ask for less.", err=True)


def _warn_of_private_folder(out: Path) -> None:
    """Every node has folders of its own under these names, as a rule."""
    private = next((name for name in _PRIVATE if out.resolve().is_relative_to(name)), None)
    if private is not None:
        click.echo(f"{out} lies below {private}, which nodes seldom share: all of them must see OUT.", err=True)


def _module_lines(modules: Sequence[str]) -> list[str]:
    return [f"module load {shlex.quote(name)}" for name in modules]


def _pairs(texts: Sequence[str]) -> dict[str, str | None]:
    """{"mem": "8G", "exclusive": None} of ["mem=8G", "exclusive"]."""
    pairs = (text.partition("=") for text in texts)
    return {name.removeprefix("--"): value if separator else None for name, separator, value in pairs}


cli.add_command(submit_kubernetes)
cli.add_command(submit_ray)


@cli.command()
@_out
@debug_option
def status(out: Path) -> None:
    """What has become of the jobs that were submitted from OUT, and how far their studies are.

    Example: python -m sweeps.submit status --out /shared/runs
    """
    out = out.expanduser().absolute()
    submissions.find(out, None)
    rows = [row for each in submissions.submissions(out) for row in _status_rows(each, slurm.states(each.job))]
    show(plain_table(("job", "study", "state", "time", "starts", "nodes", "code"), rows))
    for study, preset, database in dict.fromkeys((e.study, e.preset, e.database) for e in submissions.submissions(out)):
        click.echo(f"{study} {preset}: {_how_far(study, preset, database)}")


def _how_far(study: str, preset: str, database: str) -> str:
    """States of a study's trials, in words."""
    try:
        with open_store(database, create=False) as store:
            states = store.states(study, preset)
            alive = store.leased(digest for digest, state in states.items() if state is TrialState.RUNNING)
    except InputError as error:
        return str(error).partition("\n")[0]
    begun = (state is TrialState.RUNNING and digest not in alive for digest, state in states.items())
    told = Counter("begun" if left else str(state) for left, state in zip(begun, states.values(), strict=True))
    return ", ".join(f"{number} {name}" for name, number in sorted(told.items())) or "nothing launched yet"


def _status_rows(submission: submissions.Submission, found: Sequence[JobState]) -> list[list[object]]:
    study = f"{submission.study} {submission.preset}"
    if not found:
        return [[submission.job, study, "forgotten by Slurm", "", "", "", ""]]
    return [
        [each.task, study, f"{each.state} ({each.reason})" if each.reason else each.state, each.elapsed,
         each.restarts + (each.state != "PENDING"), each.nodes, each.exit_code]
        for each in found
    ]  # fmt: skip


@cli.command()
@_job
@_out
@debug_option
def cancel(job: tuple[int, int | None] | None, out: Path) -> None:
    """End a job (the newest, unless another is named). What its trials have reached stays, and can be gone on with.

    Example: python -m sweeps.submit cancel 1234
    """
    number, task = job or (None, None)
    found = submissions.find(out.expanduser().absolute(), number)
    name = found.job if task is None else f"{found.job}_{task}"
    known = [state for state in slurm.states(found.job) if task is None or state.task == name]
    if known and all(state.ended for state in known):
        click.echo(f"Job {name} has ended already: {', '.join(dict.fromkeys(state.state for state in known))}.")
        return
    click.echo(f"Job {name} is told to stop ...")
    slurm.cancel(str(name))
    click.echo(f"Cancelled job {name}.")


@cli.command()
@_job
@_out
@click.option("--follow", is_flag=True, help="Go on until the job has ended.")
@debug_option
def logs(job: tuple[int, int | None] | None, out: Path, follow: bool) -> None:
    """Print what a job has written (the newest job, unless another is named).

    Example: python -m sweeps.submit logs 1234 --follow
    """
    out = out.expanduser().absolute()
    number, task = job or (None, None)
    found = submissions.find(out, number)
    shown: dict[Path, int] = {}
    last: Path | None = None
    while True:
        ended = all(state.ended for state in slurm.states(found.job)) if follow else True
        files = submissions.logs(out, found, task)
        for file in files:
            with file.open(errors="replace") as text:
                text.seek(shown.get(file, 0))
                news = text.read()
                shown[file] = text.tell()
            if news and len(files) > 1 and file != last:
                click.echo(f"==> {file.name}")
            last = file if news else last
            click.echo(news, nl=False)
        if ended:
            break
        time.sleep(_FOLLOW_S)
    if not shown:
        click.echo(_silence(found, submissions.jobs_folder(out)), err=True)


def _silence(found: submissions.Submission, folder: Path) -> str:
    """What there is to say of a job that has written nothing."""
    states: Sequence[JobState] = ()
    with contextlib.suppress(InputError):  # no Slurm here
        states = slurm.states(found.job)
    if not states or not all(state.ended for state in states):
        return f"Job {found.job} has written nothing yet."
    told = ", ".join(dict.fromkeys(f"{state.state} {state.reason}".strip() for state in states))
    return f"Job {found.job} has ended ({told}) and wrote nothing. Could its nodes write to {folder}?"


def run(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    return run_command(cli, "sweeps.submit", arguments)
