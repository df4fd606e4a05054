"""A Ray cluster of the tests' own, started as people start one: on loopback, with its own ports, folder and token."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_START_S = 90
_PORTS = (
    "port", "dashboard-port", "dashboard-agent-listen-port", "dashboard-agent-grpc-port", "runtime-env-agent-port",
    "metrics-export-port", "ray-client-server-port", "node-manager-port", "object-manager-port",
)  # fmt: skip


@dataclass(frozen=True)
class OwnRay:
    """url : of the dashboard. address : of the cluster. environment : of whoever may use it."""

    url: str
    address: str
    environment: dict[str, str]


@contextmanager
def own_ray(num_cpus: int) -> Iterator[OwnRay]:
    """A head with so many CPUs. Everything of it is in one process group, which is ended afterwards."""
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    token = secrets.token_hex(16)
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "RAY_ADDRESS")}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_USAGE_STATS_ENABLED": "0",
                    "OMP_NUM_THREADS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:  # sockets have names of 107 characters at most
        line = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus", str(num_cpus),
                "--node-ip-address", "127.0.0.1", "--dashboard-host", "127.0.0.1", "--include-dashboard", "true",
                "--object-store-memory", "100000000", "--min-worker-port", "0", "--max-worker-port", "0",
                "--temp-dir", folder,
                *(word for name, port in ports.items() for word in (f"--{name}", str(port)))]  # fmt: skip
        with (Path(folder) / "started.log").open("wb") as log:
            process = subprocess.Popen(line, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{ports['dashboard-port']}"
            _wait_for(url, token, process, Path(folder) / "started.log")
            yield OwnRay(url, f"127.0.0.1:{ports['port']}", environment)
        finally:
            _end(process)


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait_for(url: str, token: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    asked = urllib.request.Request(f"{url}/api/jobs/", headers={"Authorization": f"Bearer {token}"})
    deadline = time.monotonic() + _START_S
    while True:
        try:
            urllib.request.urlopen(asked, timeout=10).close()
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        else:
            return


def _end(process: "subprocess.Popen[bytes]") -> None:
    """`ray start --block` ends what it started when it is told to end; whatever stays of its group is killed."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
