"""What is recorded of a launch, and what must never be."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from sweeps import provenance

ROOT = Path(__file__).parent.parent.parent


def test_a_record_is_json_and_says_code_versions_and_machine() -> None:
    record = provenance.collect(["python", "-m", "sweeps.launch", "robustness"])
    assert json.loads(json.dumps(record)) == record
    assert record["command"] == "python -m sweeps.launch robustness"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", record["started"])
    assert {"python", "torch", "numpy", "ray", "mlflow", provenance.PACKAGE} <= record["versions"].keys()
    assert record["cpu"]
    assert 1 <= record["usable_cores"] <= record["cores"]
    assert record["memory_gb"] > 0


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a git checkout")
def test_the_commit_is_the_checkouts() -> None:
    head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    state = provenance.git_state()
    assert state["git_commit"] == head.stdout.strip()
    assert state["git_dirty"] in (True, False)


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert provenance.git_state() == {"git_commit": "", "git_dirty": None}


def test_environment_variables_are_never_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "hunter2-in-the-environment")
    assert "hunter2" not in json.dumps(provenance.collect(["python"]))
    assert os.environ["SOME_SECRET"]


@pytest.mark.parametrize(
    "text",
    [
        "--database postgresql://me:hunter2@host:5432/db",
        "--database postgresql+psycopg://me:hunter2/with@signs@host/db",
        "--mlflow https://hunter2@host/mlflow",
        "'postgresql://host/db?user=me&password=hunter2'",
        "https://host/?access_token=hunter2&x=1",
    ],
)
def test_passwords_in_urls_are_hidden(text: str) -> None:
    hidden = provenance.hide_credentials(text)
    assert "hunter2" not in hidden
    assert "host" in hidden


@pytest.mark.parametrize("typed", [["--notify", "https://x/hunter2"], ["--notify=https://x/hunter2"]])
def test_addresses_of_webhooks_are_hidden_in_commands(typed: list[str]) -> None:
    shown = provenance.command_line(["robustness", *typed, "--notify", "http://y/hunter2", "--seeds", "3"])
    assert "hunter2" not in " ".join(shown)
    assert shown[:4] == ["python", "-m", "sweeps.launch", "robustness"]
    assert shown[-4:] == ["--notify", "***", "--seeds", "3"]
    assert len(shown) == 4 + len(typed) + 4


def test_a_url_without_credentials_stays() -> None:
    text = "--database sqlite:////runs/a@b/results.db --mlflow http://host:5000 --set config.updates=3"
    assert provenance.hide_credentials(text) == text
