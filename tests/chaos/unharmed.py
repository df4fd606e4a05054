"""The study that nobody harms, one trial after another, without Ray."""

import os
import subprocess
import sys
from pathlib import Path

from tests.chaos.victim import PRESET, STUDY


def unharmed(folder: Path) -> Path:
    """Its folder of results; made once."""
    out = folder / "unharmed"
    line = [sys.executable, "-m", "sweeps.launch", STUDY, "--preset", PRESET, "--engine", "in-process", "--no-mlflow",
            "--out", str(out), "--cache-dir", str(folder / "cache")]  # fmt: skip
    subprocess.run(line, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    return out
