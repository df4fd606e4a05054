"""The app as its users start it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

LONGEST_START_S = 60.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextlib.contextmanager
def served(out: Path, *options: str) -> Iterator[str]:
    """The address of an app that shows a folder of results; it is ended as Ctrl-C does."""
    port = free_port()
    line = [sys.executable, "-m", "dashboards.app", "--out", str(out), "--port", str(port), *options]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ))
    address = f"http://127.0.0.1:{port}/"
    try:
        wait_for_answer(process, address)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=30)[0].decode()
    assert "Traceback" not in told, told
    assert process.returncode == 0, told


def wait_for_answer(process: subprocess.Popen[bytes], address: str) -> None:
    """Wait until an app that was started answers."""
    deadline = time.monotonic() + LONGEST_START_S
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}_stcore/health", timeout=5).close()
            return
        assert process.poll() is None, process.communicate()[0].decode()
        assert time.monotonic() < deadline, "the app does not answer"
        time.sleep(0.2)
