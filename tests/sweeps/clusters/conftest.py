"""python -m sweeps.submit, typed in an empty folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps.commands.submit import run

Line = Callable[..., tuple[int, str, str]]


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Line:
    """Runs a command line in an empty folder, on a machine without Slurm and kubectl: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def run_line(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_line
