"""python -m sweeps.submit ray."""

import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import yaml

from sngan.errors import InputError
from sweeps.clusters.ray_jobs import Ending, JobServer, RayJob, job_name
from sweeps.clusters.travelling import pinned_requirements, plugin_names
from sweeps.commands.options import debug_option
from sweeps.commands.submitting import Asked, checked, refuse_passwords, tell_plan_elsewhere, without
from sweeps.provenance import hide_credentials
from sweeps.signals import UNFINISHED
from sweeps.store.connect import parse_url

_SECRET = re.compile(r"pass|secret|token|key|credential|notify", re.IGNORECASE)
_INTERRUPTED = 130


@click.command("ray", context_settings={"ignore_unknown_options": True})
@click.argument("study", metavar="STUDY")
@click.argument("launch", metavar="[LAUNCH-OPTIONS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--head", metavar="URL", default="http://127.0.0.1:8265", show_default=True,
              envvar="RAY_API_SERVER_ADDRESS", show_envvar=True, help="The cluster's dashboard.")  # fmt: skip
@click.option("--install", is_flag=True, help="First install, on the cluster, what this project needs, at the versions "
              "that are here. Without it the cluster's machines have that already.")  # fmt: skip
@click.option("--env", "names", multiple=True, metavar="NAME", help="Environment variable that the job gets from here "
              "(repeatable). Whoever reaches the dashboard can read it: no secrets.")  # fmt: skip
@click.option("--python", default="python", show_default=True, help="Interpreter on the head.")
@click.option("--follow", is_flag=True, help="Show what the job writes until its end; the exit code is the launch's.")
@click.option("--dry-run", is_flag=True, help="Print the job, and what would run; submit nothing.")
@debug_option
def submit_ray(
    study: str,
    launch: tuple[str, ...],
    head: str,
    install: bool,
    names: tuple[str, ...],
    python: str,
    follow: bool,
    dry_run: bool,
) -> int:
    """Submit STUDY as a Ray Job to a cluster that runs already. The code that is here travels with it.

    All options of `python -m sweeps.launch STUDY` are possible, too, and mean the same; paths are those that the
    cluster's machines see. The token of the cluster is taken from RAY_AUTH_TOKEN, where RAY_AUTH_MODE is token.

    \b
    Example:
    python -m sweeps.submit ray robustness --preset cifar10 --head http://127.0.0.1:8265 --install \\
        --out /shared/runs --database postgresql://me@db/sweeps --max-concurrent 16
    """  # noqa: D301 (\b keeps the lines of the example)
    refuse_passwords({"--head": head})
    asked = checked(study, launch, cpus=math.inf, gpus=math.inf, option="", seen_here=False)
    _refuse_places_of_this_machine(asked)
    tell_plan_elsewhere(asked)
    plugins = [Path(file) for file in asked.given["plugins"]]
    job = RayJob(
        job=job_name(study, asked.preset),
        entrypoint=entrypoint(python, study, launch, plugin_names(plugins)),
        plugins=plugins,
        pip=pinned_requirements() if install else (),
        env_vars=_environment(names),
        metadata={"study": study, "preset": asked.preset},
    )
    if dry_run:
        click.echo(described(job), nl=False)
        return 0
    server = JobServer(head)
    server.submit(job)
    _tell_submitted(job.job, head)
    return _follow(server, job.job) if follow else 0


def described(job: RayJob) -> str:
    """What would be submitted, as YAML."""
    text: str = yaml.safe_dump(job.described(), sort_keys=False, width=math.inf)
    return text


def entrypoint(python: str, study: str, launch: Sequence[str], plugins: Sequence[str]) -> str:
    """The line for the shell of the head, in which every word stays one word."""
    words = [python, "-m", "sweeps.launch", study, *without(launch, "--plugin")]
    for name in plugins:
        words += ["--plugin", name]
    # With tracebacks in the log: a file in the head's own /tmp is seen by nobody.
    return shlex.join([*words, "--address", "auto", "--debug"])


def _refuse_places_of_this_machine(asked: Asked) -> None:
    """Raise InputError for paths that the job would look for in its working folder, which Ray deletes."""
    for name in ("out", "cache_dir", "data_dir", "inception_weights"):
        path = asked.given[name]
        if path is not None and not str(path).startswith(("/", "~")):
            raise InputError(
                f"--{name.replace('_', '-')} {path}: give an absolute path, as all machines of the cluster see it."
            )
    for option, url in (("--database", asked.given["database"]), ("--mlflow", asked.given["mlflow"])):
        scheme, _, place = (url or "").partition("://")
        if scheme.startswith("sqlite") and not place.startswith("//"):
            raise InputError(
                f"{option} {url}: give an absolute path, with four slashes, such as sqlite:////shared/x.db."
            )
    parse_url(asked.database)


def _environment(names: Sequence[str]) -> Mapping[str, str]:
    """{NAME: value here}. Raises InputError for a name that is not set, and for what looks like a secret."""
    found = {}
    for name in names:
        if _SECRET.search(name):
            raise InputError(
                f"--env {name} looks like a secret, which Ray would show to whoever reaches the cluster's dashboard.\n"
                "Set it where the cluster's nodes start, before `ray start`."
            )
        if name not in os.environ:
            raise InputError(f"--env {name}: this variable is not set here.")
        if hide_credentials(os.environ[name]) != os.environ[name]:
            raise InputError(f"--env {name}: its value holds a password.\nSet it where the cluster's nodes start.")
        found[name] = os.environ[name]
    return found


def _tell_submitted(job: str, head: str) -> None:
    click.echo(f"Submitted as Ray job {job}")
    at = f"--address {shlex.quote(head)} {job}"
    click.echo(f"  ray job logs --follow {at}\n  ray job status {at}\n  ray job stop {at}")
    click.echo(f"Where it ends with exit code {UNFINISHED}, which Ray calls FAILED, trials are left: submit it again.")


def _follow(server: JobServer, job: str) -> int:
    try:
        ending = server.follow(job, lambda lines: click.echo(lines, nl=False))
    except KeyboardInterrupt:
        click.echo(f"\nThe job {job} goes on.", err=True)
        return _INTERRUPTED
    click.echo(_told(job, ending), err=True)
    return ending.code


def _told(job: str, ending: Ending) -> str:
    if ending.code == UNFINISHED:
        return f"Job {job} ended before all trials had a result. Submit it again, and it goes on."
    why = ending.told.partition("\n")[0].partition(", last available logs")[0] if ending.code else ""
    return f"Job {job}: {ending.state}. {why}".rstrip()
