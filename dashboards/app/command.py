"""The command line of `python -m dashboards.app`."""

from collections.abc import Sequence
from pathlib import Path

import click
from streamlit import cli_util, net_util
from streamlit.web import bootstrap

from dashboards.app.place import show
from dashboards.app.snapshots import Source
from sngan.commands.options import GivenPath
from sweeps import tracking
from sweeps.commands.line import run_command
from sweeps.commands.options import database_url
from sweeps.provenance import hide_credentials
from sweeps.serving import check_listen, is_loopback, page_of
from sweeps.store import NoResultsError, open_store

_MAIN = Path(__file__).with_name("main.py")


@click.command()
@click.option("--out", type=GivenPath(), default=Path("runs"), show_default=True, help="Folder of results.")
@click.option("--database", metavar="URL", help="Result store.  [default: OUT/results.db]")
@click.option("--mlflow", metavar="URI", help="MLflow that trials are linked to.  [default: OUT/mlflow.db]")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
def app(out: Path, database: str | None, mlflow: str | None, port: int, host: str) -> None:
    """Look at a store in the browser: what runs, verdicts, comparisons, samples, single trials.

    It reads the store and writes nothing. Whoever reaches the address may read: it listens on this machine alone
    unless --host says otherwise.

    Example: python -m dashboards.app --out runs --port 8501
    """
    folder = out.expanduser().absolute()
    url = database or database_url(folder)
    try:
        open_store(url, create=False).close()
    except NoResultsError:
        click.echo(f"Nothing was launched into {hide_credentials(url)} yet; the page waits for it.")
    check_listen(host, port)
    if mlflow:
        tracking.check_uri(mlflow)
    show(Source(out=folder, database=url, mlflow=mlflow or tracking.default_uri(folder)))
    click.echo(f"{page_of(host, port)}  (Ctrl-C ends it)")
    if not is_loopback(host):
        click.echo(f"Listens on {host}: all who reach it can read the results; there is no password.", err=True)
    serve(host, port)


def serve(host: str, port: int) -> None:
    """Run Streamlit in this process until it is told to stop."""
    options = {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
        # Server and browser disagree on what the browser still has when choices are made fast, which ends the page.
        "global.minCachedMessageSize": 1e12,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "logger.level": "error",
        "logger.hideWelcomeMessage": True,
        "theme.light.primaryColor": "#1f6fb2",
        "theme.dark.primaryColor": "#5aa7e8",
    }
    # It would ask a server on the internet for the address of this machine.
    net_util.get_external_ip = lambda: None
    # Its last word fails where nobody reads any more what is printed here, and with it the stop.
    cli_util.print_to_cli = lambda *_, **__: None
    given = {name.replace(".", "_"): value for name, value in options.items()}
    bootstrap.load_config_options(given)
    bootstrap.run(str(_MAIN), False, [], given)  # again: a file of options that appears meanwhile must not win


def run(arguments: Sequence[str]) -> int:
    """Serve the app for one store, until it is stopped; return the exit code."""
    return run_command(app, "dashboards.app", arguments)
