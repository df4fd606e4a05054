"""python -m sweeps.submit, typed in an empty folder."""

from pathlib import Path

import pytest

from sweeps.commands.submit import run
from tests.sweeps.command_line import Line, line_of


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Line:
    """Runs a command line in an empty folder, on a machine without Slurm and kubectl: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return line_of(run, capsys)
