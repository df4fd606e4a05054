"""python -m dashboards.app: what it refuses, where it listens, how it ends."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from dashboards.app.command import run
from sweeps.signals import UNFINISHED
from sweeps.store import open_store
from tests.dashboards.app.conftest import Sources
from tests.dashboards.app.server import free_port, served, wait_for_answer

Line = Callable[..., tuple[int, str]]


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str]) -> Line:
    def typed(*arguments: object) -> tuple[int, str]:
        code = run([str(argument) for argument in arguments])
        return code, capsys.readouterr().err

    return typed


def test_a_port_that_is_taken_is_refused(line: Line, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, err = line("--out", tmp_path, "--port", port)
    assert code == 2
    assert f"port {port} of 127.0.0.1 cannot be used" in err
    assert "Free is --port" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--database", "mysql://me@db/x"), "unknown kind of database"),
        (("--port", "0"), "0 is not in the range"),
        (("--host", "not-a-host.invalid"), "not-a-host.invalid"),
        (("--mlflow", "mlruns"), "neither a database nor a server"),
        (("--out", ""), "is empty"),
    ],
)
def test_bad_input_is_told_in_words(line: Line, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    code, err = line("--out", tmp_path, *arguments)
    assert code == 2
    assert told in err
    assert "Traceback" not in err


def test_a_database_of_a_newer_program_is_refused(line: Line, tmp_path: Path) -> None:
    import sqlite3

    open_store(f"sqlite:///{tmp_path}/results.db").close()
    with sqlite3.connect(tmp_path / "results.db") as connection:
        connection.execute("UPDATE store_revision SET version_num = 'tomorrow'")
    code, err = line("--out", tmp_path)
    assert code == 2
    assert "schema revision 'tomorrow'" in err


def test_it_listens_on_this_machine_alone_and_ends_cleanly(sources: Sources) -> None:
    with served(sources("one trial").out) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        sockets = [each for child in psutil.Process().children(recursive=True) for each in child.net_connections()]
        listening = [each.laddr for each in sockets if each.status == psutil.CONN_LISTEN]
    assert [each.ip for each in listening if each.port == port] == ["127.0.0.1"]


def test_a_stop_ends_it_when_nobody_reads_what_it_prints(tmp_path: Path) -> None:
    port = free_port()
    line = [sys.executable, "-m", "dashboards.app", "--out", str(tmp_path), "--port", str(port)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        wait_for_answer(process, f"http://127.0.0.1:{port}/")
        assert process.stdout is not None
        process.stdout.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()


@pytest.mark.parametrize("pause_s", [0.5, 1.0, 2.0])
def test_a_stop_while_it_begins_is_clean(tmp_path: Path, pause_s: float) -> None:
    """Importing takes seconds."""
    line = [sys.executable, "-m", "dashboards.app", "--out", str(tmp_path), "--port", str(free_port())]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(pause_s)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[0]
    assert "Traceback" not in told
    assert process.returncode in (0, UNFINISHED)
