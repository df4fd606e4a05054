"""The command ui: MLflow's pages of studies, and where to look in them."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from sngan.errors import InputError
from sweeps import tracking
from sweeps.commands.options import debug_option, not_empty, out_option
from sweeps.provenance import hide_credentials, out_words
from sweeps.serving import check_listen, is_loopback, page_of, serve_from_now_on
from sweeps.study import STUDIES


@click.command()
@click.argument("studies", metavar="[STUDY ...]", nargs=-1)
@out_option
@click.option(
    "--mlflow", metavar="URI", callback=not_empty, help="MLflow's database or server.  [default: OUT/mlflow.db]"
)
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="To listen on.")
@click.option("--host", default="127.0.0.1", show_default=True, callback=not_empty, help="Address to listen on: "
              "127.0.0.1 is reached from this machine only, 0.0.0.0 from everywhere.")  # fmt: skip
@debug_option
@click.pass_context
def ui(context: click.Context, studies: tuple[str, ...], out: Path, mlflow: str | None, port: int, host: str) -> None:
    """Show studies in MLflow: serve its pages until Ctrl-C, and say where to look in them.

    MLflow's server runs as two processes in half a gigabyte. For a server that runs elsewhere (--mlflow http://...)
    only the addresses are told.

    Example: python -m sweeps.launch ui robustness --port 5001
    """
    names = [STUDIES[study].name for study in studies]
    if mlflow:
        tracking.check_uri(mlflow)
    folder = out.expanduser().absolute()
    uri = mlflow or tracking.default_uri(folder)
    sync = [*out_words(folder), *(["--mlflow", hide_credentials(mlflow)] if mlflow else [])]
    if tracking.is_server(uri):
        _refuse_listening(context, uri)
        click.echo("\n".join(_lines(_held(uri, names, sync), tracking.server_page(uri))))
        return
    check_listen(host, port)
    told = _lines(_held(uri, names, sync), page_of(host, port))
    if not is_loopback(host):
        click.echo("MLflow asks for no password: who reaches this machine can read and change what it holds.", err=True)
    click.echo("Starting MLflow ...")
    serve_from_now_on(uri, host, port, [*told, f"MLflow: {page_of(host, port)} until Ctrl-C"])


def _refuse_listening(context: click.Context, uri: str) -> None:
    for name in ("host", "port"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise InputError(f"--{name} is for a database; MLflow at {hide_credentials(uri)} listens already.")


def _held(uri: str, names: Sequence[str], sync: Sequence[str]) -> Sequence[tracking.HeldStudy]:
    """The studies that MLflow holds, of `names` where there are any. sync : options of a command that sends more."""
    place = hide_credentials(uri)
    if tracking.is_missing(uri):
        raise InputError(f"there is no MLflow database at {place}.\n{_advice(names, sync)}")
    held = tracking.held_studies(uri)
    missing = [name for name in names if name not in {one.study for one in held}]
    if missing or not held:
        there = ", ".join(f"{one.study} {one.preset}" for one in held)
        what = f"study {missing[0]!r}" if missing else "study"
        raise InputError(
            f"MLflow at {place} holds no {what}{there and f'; it holds {there}'}.\n{_advice(missing, sync)}"
        )
    return [one for one in held if not names or one.study in names]


def _advice(names: Sequence[str], sync: Sequence[str]) -> str:
    study = names[0] if names else "STUDY"
    return f"What was launched is sent there by: python -m sweeps.launch sync {shlex.join([study, *sync])}"


def _lines(held: Sequence[tracking.HeldStudy], page: str) -> list[str]:
    return [
        line
        for one in held
        for line in (f"{one.study} {one.preset}", *(f"  {name:<15}{link}" for name, link in one.links(page).items()))
    ]
