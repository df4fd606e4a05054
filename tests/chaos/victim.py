"""A study that is launched, harmed, and launched again until it is done; and what is asked of it afterwards."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from sngan.errors import InputError
from sweeps.compare import compare
from sweeps.store import open_store
from sweeps.store.connect import connect, parse_url, transaction

STUDY, PRESET = "width", "quick"
NUM_TRIALS, NUM_EVALUATIONS = 24, 216  # rows: three protocols each time
_ENDS_S = 120.0


def asked(database: str, query: str) -> list[tuple[Any, ...]]:
    """What a query gives; nothing while there is no database, no table, or no answer: the next look will say."""
    try:
        engine = connect(parse_url(database), create=False)
    except InputError:
        return []
    try:
        with transaction(engine, write=False) as connection:
            return [tuple(row) for row in connection.execute(text(query))]
    except (InputError, SQLAlchemyError):
        return []
    finally:
        engine.dispose()


def finished_of(database: str) -> dict[str, str]:
    """Digest -> checksum of the trials that have a result."""
    return dict(
        asked(
            database,
            "SELECT digest, checksum FROM trials JOIN checksums ON trial = digest "
            "WHERE state IN ('completed', 'diverged')",
        )
    )


@dataclass
class Victim:
    """A study on this machine, or wherever a subclass runs it.

    folder : of results. database, mlflow : URLs. environment : more variables of the launch. launches : so far.
    codes : how they ended; -9 is ours. said : what they printed.
    """

    folder: Path
    database: str
    mlflow: str
    cache: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    launches: int = 0
    codes: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def words(self) -> list[str]:
        """The launch, without the program."""
        return [STUDY, "--preset", PRESET, "--out", str(self.folder), "--database", self.database,
                "--mlflow", self.mlflow, "--cache-dir", str(self.cache)]  # fmt: skip

    def begin(self) -> None:
        """Launch, or launch again."""
        self.launches += 1
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **self.environment}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sweeps.launch", *self.words],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True, env=environment,
            )  # fmt: skip

    @property
    def _log(self) -> Path:
        return self.folder.parent / f"{self.folder.name}-{self.launches}.log"

    def has_ended(self) -> bool:
        """Whether the launch has; its code and its words are then kept."""
        if self._process is None:
            return True
        if self._process.poll() is None:
            return False
        self.codes.append(self._process.returncode)
        self.said.append(self._log.read_text(errors="replace"))
        self._process = None
        return True

    def processes(self) -> list[psutil.Process]:
        """The driver, then everything that it has started."""
        if self._process is None:
            return []
        try:
            driver = psutil.Process(self._process.pid)
            return [driver, *driver.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def drivers(self) -> list[psutil.Process]:
        """The launch itself."""
        return self.processes()[:1]

    def workers(self) -> list[psutil.Process]:
        """Processes that train now."""
        return [process for process in self.processes() if title(process).startswith("ray::ImplicitFunc.train")]

    def raylets(self) -> list[psutil.Process]:
        """Ray's own processes on each machine."""
        return [process for process in self.processes() if name_of(process) == "raylet"]

    def kill_everything(self) -> None:
        """As when the machine dies."""
        harmed = self.processes()
        for process in harmed:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.wait_for_end()  # first: whoever asks for its exit code takes it away
        psutil.wait_procs(harmed[1:], timeout=10)

    def wait_for_end(self) -> None:
        """The launch ends by itself, or it is an error."""
        deadline = time.monotonic() + _ENDS_S
        while not self.has_ended():
            assert time.monotonic() < deadline, "the launch does not end"
            time.sleep(0.2)

    def num_evaluations(self) -> int:
        """Stored so far."""
        return sum(number for (number,) in asked(self.database, "SELECT count(*) FROM evaluations"))

    def close(self) -> None:
        """End whatever is left."""
        if self._process is not None:
            self.kill_everything()


def title(process: psutil.Process) -> str:
    """The command line of a process, which Ray's workers rewrite; "" once it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def name_of(process: psutil.Process) -> str:
    """The program of a process; "" once it has ended."""
    try:
        return process.name()
    except psutil.Error:
        return ""


@contextlib.contextmanager
def stopped(processes: list[psutil.Process]) -> Iterator[None]:
    """Inside, the processes do not run."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)


def problems(victim: Victim, unharmed: Path, ever_finished: Mapping[str, str]) -> dict[str, int]:
    """How many finished trials were lost, rows doubled and numbers changed; all 0 for what was promised."""
    with (
        open_store(f"sqlite:///{unharmed}/results.db", create=False) as expected,
        open_store(victim.database, create=False) as store,
    ):
        states = {str(state) for state in store.states(STUDY, PRESET).values()}
        changed = compare(expected, store, STUDY, PRESET, left_dir=unharmed, right_dir=victim.folder)
        rows = [len(each.evaluations(STUDY, PRESET)) for each in (expected, store)]
        diagnostics = [len(each.diagnostics(STUDY, PRESET)) for each in (expected, store)]
    now = finished_of(victim.database)
    twice = asked(
        victim.database,
        "SELECT count(*) FROM attempts WHERE \"end\" IS NOT NULL AND error = '' GROUP BY trial HAVING count(*) > 1",
    )
    return {
        "lost": sum(now.get(digest) != checksum for digest, checksum in ever_finished.items()),
        "doubled": max(0, rows[1] - rows[0]) + max(0, diagnostics[1] - diagnostics[0]) + len(twice),
        "changed": len(changed) + max(0, rows[0] - rows[1]),
        "unfinished": int(not states <= {"completed", "diverged"}),
        "mlflow": _mlflow_problems(victim),
    }


def _mlflow_problems(victim: Victim) -> int:
    """Runs too many or too few in MLflow, once what it missed was sent."""
    from mlflow import MlflowClient

    sync = [sys.executable, "-m", "sweeps.launch", "sync", *victim.words[: victim.words.index("--cache-dir")]]
    subprocess.run(sync, check=True, capture_output=True, timeout=300)
    client = MlflowClient(tracking_uri=victim.mlflow)
    experiment = client.get_experiment_by_name(f"{STUDY}-{PRESET}")
    if experiment is None:
        raise InputError(f"MLflow at {victim.mlflow} knows nothing of this study.")
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'trial'", max_results=1000)
    complete = [run for run in runs if run.info.status == "FINISHED"]
    return abs(len(complete) - NUM_TRIALS) + len(runs) - len({run.data.tags["digest"] for run in runs})
