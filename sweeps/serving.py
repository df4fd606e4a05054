"""Serves the pages of an MLflow database: MLflow's own server, with as few processes and as little memory as it takes.

The command line has imported two thirds of a gigabyte that serving does not need. It therefore becomes this program,
which imports neither torch nor MLflow: python -m sweeps.serving HOST PORT LINE ..., which `serve_from_now_on` starts.
"""

import contextlib
import errno
import ipaddress
import os
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import NoReturn, Self

import click
import psutil

from sngan.errors import InputError
from sweeps.provenance import hide_credentials
from sweeps.signals import interrupt, signals_handled

_ANSWER_S = 180.0  # until it answers: 12 s on two cores that do nothing else
_END_S = 5.0
_DATABASE = "MLFLOW_BACKEND_STORE_URI"
_ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`. Raises InputError for a name that is none."""
    return all(ipaddress.ip_address(address).is_loopback for _, address in _addresses(host))


def check_listen(host: str, port: int) -> None:
    """Raise InputError where nothing can listen there; for a port that is taken with the nearest free one above."""
    error = _refusal(host, port)
    if error is None:
        return
    if error.errno == errno.EADDRNOTAVAIL:
        raise _no_address(host)
    free = next((one for one in range(port + 1, min(port + 100, 65536)) if _refusal(host, one) is None), None)
    advice = "" if free is None else f"\nFree is --port {free}."
    raise InputError(f"port {port} of {host} cannot be used: {error.strerror or error}.{advice}")


def _refusal(host: str, port: int) -> OSError | None:
    for family, address in _addresses(host):
        with socket.socket(family) as probe:
            # As the server itself does: connections of one that has ended are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                return error
    return None


def _is_everywhere(host: str) -> bool:
    return all(ipaddress.ip_address(address).is_unspecified for _, address in _addresses(host))


def _no_address(host: str) -> InputError:
    return InputError(f"--host {host!r} is no address of this machine, such as 127.0.0.1 or 0.0.0.0.")


def _addresses(host: str) -> list[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _no_address(host) from error
    return [(family, str(where[0])) for family, _, _, _, where in found]


def page_of(host: str, port: int) -> str:
    """The address for a browser of what listens there; on all addresses with this machine's name."""
    return _url(socket.gethostname() if _is_everywhere(host) else host, port)


def serve_from_now_on(uri: str, host: str, port: int, told: Sequence[str]) -> NoReturn:
    """Become the process that serves a database until a stop, and says `told` once MLflow answers."""
    sys.stdout.flush()
    command = [sys.executable, "-m", "sweeps.serving", host, str(port), *told]
    os.execve(sys.executable, command, {**os.environ, _DATABASE: uri})  # noqa: S606 (no shell is meant)


def main(host: str, port: str, *told: str) -> int:
    """Serve until a stop; return the exit code."""
    try:
        with signals_handled(interrupt), Serving(host, int(port)) as serving:
            click.echo("\n".join(told))
            serving.wait()
    except InputError as error:
        click.echo(f"error: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        return 0


class Serving:
    """MLflow's server as a child process, from the moment when it answers until the end of the `with` block.

    Its database is the one that the environment names, where no other user of the machine reads it.

    Parameters
    ----------
    host, port : where it listens. Beyond loopback, requests to this machine's names and addresses are answered.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._family: list[psutil.Process] = []

    def __enter__(self) -> Self:
        # A file of its own: it tells of every request, and matters only where something goes wrong.
        self._log = tempfile.TemporaryFile()
        try:
            # Of the same group of processes: a terminal that is closed ends all of them.
            self._process = psutil.Popen(self._command(), stdout=self._log, stderr=self._log, env=self._environment())
            self._wait_for_an_answer()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def wait(self) -> NoReturn:
        """Wait for a stop, which comes as an exception. Raises InputError where the server ends by itself."""
        self._process.wait()
        raise InputError(f"MLflow ended: {self._last_words()}")

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "mlflow", "server", "--host", self.host, "--port", str(self.port),
                "--workers", "1"]  # fmt: skip

    def _environment(self) -> dict[str, str]:
        """What MLflow takes; what a user has set wins."""
        wanted = dict(_ENVIRONMENT)
        if not is_loopback(self.host):
            # MLflow answers requests for localhost alone, and refuses what pages of other addresses ask of it.
            names = sorted({self.host, socket.gethostname(), socket.getfqdn(), *_own_addresses()})
            pages = [_url(name, self.port) for name in names]
            hosts = [*(page.partition("//")[2] for page in pages), f"localhost:{self.port}", f"127.0.0.1:{self.port}"]
            wanted["MLFLOW_SERVER_ALLOWED_HOSTS"] = ",".join(dict.fromkeys(hosts))
            wanted["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(pages)
        return {**wanted, **os.environ}

    def _wait_for_an_answer(self) -> None:
        address = _url("127.0.0.1" if _is_everywhere(self.host) else self.host, self.port)
        until = time.monotonic() + _ANSWER_S
        while not _answers(f"{address}/health"):
            if self._process.poll() is not None:
                raise InputError(f"MLflow did not start: {self._last_words()}")
            if time.monotonic() > until:
                raise InputError(f"MLflow did not answer within {_ANSWER_S:.0f} s: {self._last_words()}")
            time.sleep(0.2)
        self._remember_family()

    def _remember_family(self) -> None:
        """Its processes. Children outlive a server that was ended by others, and nobody would know them then."""
        with contextlib.suppress(psutil.Error):
            self._family += [self._process, *self._process.children(recursive=True)]

    def _end(self) -> None:
        """End all of its processes, whatever signals come meanwhile."""
        with signals_handled(lambda *_: None):
            if hasattr(self, "_process"):
                self._remember_family()
                _, left = psutil.wait_procs(list(_told(set(self._family), "terminate")), _END_S)
                psutil.wait_procs(list(_told(set(left), "kill")), _END_S)
            self._log.close()

    def _last_words(self) -> str:
        """The last line of its log that speaks of an error, or the last one."""
        self._log.seek(0)
        lines = [line.strip() for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        return hide_credentials((errors or lines or ["it said nothing"])[-1])


def _told(processes: set[psutil.Process], signal: str) -> Iterator[psutil.Process]:
    """Those of the processes that are still there, after each was sent a signal."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            getattr(process, signal)()
            yield process


def _own_addresses() -> set[str]:
    """The addresses of this machine in networks."""
    found = [each for addresses in psutil.net_if_addrs().values() for each in addresses]
    return {each.address.partition("%")[0] for each in found if each.family in (socket.AF_INET, socket.AF_INET6)}


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _answers(address: str) -> bool:
    # Without the proxies of the environment: this is our own machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
