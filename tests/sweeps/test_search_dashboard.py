"""The file of a search in Optuna's dashboard: studies by name, and an objective that says what it is."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from sweeps.search import agreed, open_memory
from tests.dashboards.synthetic import FID
from tests.sweeps.search_samples import SPACE, Played, searched
from tests.sweeps.tracking_samples import wait_for

OBJECTIVE = f"score of {FID}, 0 to 1"


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    """Starts Optuna's dashboard on a file; its address."""
    pytest.importorskip("optuna_dashboard", reason="needs the extra optuna-dashboard")
    started = []

    def start(file: Path) -> str:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        program = Path(sys.executable).with_name("optuna-dashboard")
        command = [program, f"sqlite:///{file}", "--host", "127.0.0.1", "--port", str(port), "--server", "wsgiref"]
        log, environment = subprocess.DEVNULL, {**os.environ, "HOME": str(tmp_path)}
        started.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        wait_for(lambda: reachable(port))
        return f"http://127.0.0.1:{port}"

    yield start
    for process in started:
        process.terminate()
        process.wait(10)


def reachable(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def asked(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=20) as answer:
        return json.load(answer)


def test_the_dashboard_serves_every_search_with_a_named_objective(
    play: Callable[..., Played], dashboard: Callable[[Path], str]
) -> None:  # fmt: skip
    played = play("one", seeds=1, methods=["none"], file=True)
    played.to_the_end()
    assert played.searches.memory is not None
    page = dashboard(played.searches.memory)
    with urllib.request.urlopen(f"{page}/dashboard", timeout=20) as answer:
        assert "Optuna Dashboard" in answer.read().decode()
    studies = {one["study_name"]: one["study_id"] for one in asked(f"{page}/api/studies")["study_summaries"]}
    assert set(studies) == {"made-up quick none random seed 0", "made-up quick none tpe seed 0"}
    for number in studies.values():
        study = asked(f"{page}/api/studies/{number}")
        assert study["objective_names"] == [OBJECTIVE]
        assert [trial["state"] for trial in study["trials"]] == ["Complete"] * 4
        assert {param["name"] for param in study["trials"][0]["params"]} == {"alpha", "beta1", "beta2", "n_dis"}


def test_a_file_from_before_objectives_had_names_gets_them_and_keeps_its_trials(tmp_path: Path) -> None:
    tried = searched("random", memory=tmp_path / "optuna.db")
    with open_memory(tmp_path / "optuna.db") as memory:
        before = optuna.load_study(study_name="one", storage=memory)
        assert before.metric_names == ["score"]
        named = agreed(tried, name="one", space=SPACE, memory=memory, objective=OBJECTIVE)
        assert named.metric_names == [OBJECTIVE]
        assert named._study_id == before._study_id, "not made anew"
