"""Where studies run that are harmed: with little disk, PostgreSQL, an MLflow server, a clock of their own, on Slurm."""

import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psutil

from tests.chaos.slurm_victim import SlurmVictim
from tests.chaos.victim import Victim

_DISK_MB = 700
_POSTGRES_PORT = 54331
_FILLER_MB = 4


class Surroundings:
    """A folder of results with SQLite for everything. A context manager: what was started is ended.

    damaged : checkpoints that were harmed and not yet deleted. afterwards : what is undone when the study is done.
    cut_off : nodes.
    """

    name = "one machine"

    def __init__(self, folder: Path, cache: Path) -> None:
        self.damaged: list[Path] = []
        self.cut_off: set[str] = set()
        self.afterwards = contextlib.ExitStack()
        self.resources = contextlib.ExitStack()
        self.place = folder
        self.victim = self.made(folder / "out", cache)

    def made(self, out: Path, cache: Path) -> Victim:
        """The study, once everything around it is there."""
        return Victim(out, f"sqlite:///{out}/results.db", f"sqlite:///{out}/mlflow.db", cache)

    @staticmethod
    def missing() -> str:
        """What this machine lacks for it, or ""."""
        return ""

    def restore(self) -> None:
        """What was taken away for the whole study comes back, for the questions at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.afterwards.close()
        self.victim.close()
        self.resources.close()


class SmallDisk(Surroundings):
    """On a file system of its own with little room."""

    name = "small disk"

    def made(self, out: Path, cache: Path) -> Victim:
        out.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(out)], check=True)
        self.resources.callback(subprocess.run, ["umount", "--lazy", str(out)], check=True)
        return super().made(out, cache)

    @staticmethod
    def missing() -> str:
        return "" if os.geteuid() == 0 else "needs root to mount a small file system"

    @contextlib.contextmanager
    def filled(self) -> Iterator[None]:
        """Inside, there is no room."""
        filler = self.victim.folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0" * _FILLER_MB * 2**20) == _FILLER_MB * 2**20:
                pass
        try:
            yield
        finally:
            filler.unlink()


class Postgres(Surroundings):
    """With a PostgreSQL server."""

    name = "PostgreSQL"

    def made(self, out: Path, cache: Path) -> Victim:
        self._data = self.place / "postgres"
        self._data.mkdir(parents=True)
        self._data.chmod(0o700)
        shutil.chown(self._data, "postgres")
        self._as_postgres("initdb", "-A", "trust", "-U", "postgres")
        self._start()
        self.resources.callback(self._as_postgres, "pg_ctl", "-m", "immediate", "stop")
        database = f"postgresql://postgres@127.0.0.1:{_POSTGRES_PORT}/postgres"
        return Victim(out, database, f"sqlite:///{out}/mlflow.db", cache)

    @staticmethod
    def missing() -> str:
        there = os.geteuid() == 0 and _postgres_programs() is not None
        return "" if there else "needs PostgreSQL's programs, and root to become its user"

    def _as_postgres(self, program: str, *arguments: str) -> None:
        folder = _postgres_programs()
        assert folder is not None
        line = ["runuser", "-u", "postgres", "--", str(folder / program), "-D", str(self._data), *arguments]
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def _start(self) -> None:
        options = f"-p {_POSTGRES_PORT} -k {self._data} -c listen_addresses=127.0.0.1"
        self._as_postgres("pg_ctl", "-w", "-o", options, "-l", str(self._data / "log"), "start")

    def restart(self, away_s: float) -> None:
        """End it as a crash does, and start it again after a while."""
        self._as_postgres("pg_ctl", "-m", "immediate", "stop")
        time.sleep(away_s)
        self._start()


def _postgres_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class TrackingServer(Surroundings):
    """With an MLflow server."""

    name = "MLflow server"

    def made(self, out: Path, cache: Path) -> Victim:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._server: subprocess.Popen[bytes] | None = None
        self.place.mkdir(parents=True, exist_ok=True)
        self._start()
        self.resources.callback(self.end_mlflow)
        return Victim(out, f"sqlite:///{out}/results.db", f"http://127.0.0.1:{self._port}", cache)

    def _start(self) -> None:
        line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port),
                "--workers", "1", "--backend-store-uri", f"sqlite:///{self.place}/mlflow.db",
                "--artifacts-destination", str(self.place / "artifacts")]  # fmt: skip
        with (self.place / "mlflow.log").open("ab") as log:
            self._server = subprocess.Popen(line, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=5).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "MLflow's server does not start"
                time.sleep(0.5)

    def end_mlflow(self) -> bool:
        """Whether it was there."""
        if self._server is None:
            return False
        members = [psutil.Process(self._server.pid), *psutil.Process(self._server.pid).children(recursive=True)]
        for member in members:
            with contextlib.suppress(psutil.Error):
                member.kill()
        self._server.wait()
        self._server = None
        return True

    def restore(self) -> None:
        if self._server is None:
            self._start()


class Clock(Surroundings):
    """With a time of day that can be changed, by a library that stands before the system's (clock.c)."""

    name = "own clock"

    def made(self, out: Path, cache: Path) -> Victim:
        self.place.mkdir(parents=True, exist_ok=True)
        library = self.place / "clock.so"
        source = Path(__file__).with_name("clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], check=True)
        self._file = self.place / "clock"
        self._file.write_bytes(struct.pack("q", 0))
        made = super().made(out, cache)
        made.environment = {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(self._file)}
        return made

    @staticmethod
    def missing() -> str:
        return "" if shutil.which("cc") else "needs a compiler of C"

    def step(self, offset_s: int) -> None:
        """From now on the clock differs by so much from the machine's: processes have mapped the file."""
        with self._file.open("r+b") as opened:
            opened.write(struct.pack("q", offset_s))


class Slurm(Surroundings):
    """As a job on two of the nodes of a Slurm cluster, in a partition whose jobs are preempted."""

    name = "Slurm"
    victim: SlurmVictim

    def made(self, out: Path, cache: Path) -> Victim:
        return SlurmVictim(out, f"sqlite:///{out}/results.db", f"sqlite:///{out}/mlflow.db", cache)

    @staticmethod
    def missing() -> str:
        if shutil.which("sinfo") is None:
            return "needs a Slurm cluster"
        told = subprocess.run(["sinfo", "--noheader", "--format=%P %D"], capture_output=True, text=True, check=False)
        names = {line.split()[0].rstrip("*") for line in told.stdout.splitlines()}
        nodes = json.loads(
            subprocess.run(["ip", "-j", "netns", "list"], capture_output=True, text=True, check=False).stdout or "[]"
        )
        return "" if {"main", "spot"} <= names and nodes else "needs partitions main and spot, and network namespaces"


EVERYWHERE: tuple[type[Surroundings], ...] = (SmallDisk, Postgres, TrackingServer, Clock, Slurm)
