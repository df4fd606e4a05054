"""How long every study's quick preset takes, from the command to its report.

python -m tests.benchmarks.quick_studies [STUDY ...]

Each study runs into a folder of its own, so that none profits from the trials of another. Times of studies that are
not named stay as they were measured before, with their dates.
"""

import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweeps.store import open_store
from sweeps.study import STUDIES
from tests.benchmarks import options
from tests.benchmarks.machine import earlier, keep

NAME = "quick_studies"


def timed(study: str) -> dict[str, Any]:
    """Seconds and number of trials of one study. Raises CalledProcessError when it does not end well."""
    out = Path(tempfile.mkdtemp(prefix="sngan-bench-")) / "runs"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sweeps.launch", study, "--out", str(out)], check=True)
    seconds = time.perf_counter() - start
    with open_store(f"sqlite:///{out / 'results.db'}") as store:
        trials = store.trials(study, "quick").drop_duplicates("digest")  # searches share some
    return {
        "seconds": round(seconds, 1),
        "trials": len(trials),
        "sum_of_trial_s": round(float((trials["train_s"] + trials["evaluate_s"]).sum()), 1),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def main() -> None:
    parser = options.parser(__doc__)
    parser.add_argument("studies", nargs="*", metavar="STUDY", choices=[*STUDIES, []])
    arguments = options.parsed(parser)
    if arguments.smoke:  # no study is short: that its command is understood must do
        out = tempfile.mkdtemp(prefix="sngan-bench-")
        subprocess.run([sys.executable, "-m", "sweeps.launch", "width", "--dry-run", "--out", out], check=True)
        return
    names = arguments.studies or list(STUDIES)
    known = earlier(NAME)
    for name in names:
        known[name] = timed(name)
        keep(NAME, f"python -m tests.benchmarks.{NAME}", {study: known[study] for study in STUDIES if study in known})


if __name__ == "__main__":
    main()
