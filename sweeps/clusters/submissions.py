"""What was handed to a batch system: OUT/slurm holds a script, a record and logs of each job."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sngan.errors import InputError, unknown

_RECORD = "submission.json"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One job. database : URL of the store. submitted : UTC, ISO 8601. command : the launch. tasks : of its array."""

    job: int
    study: str
    preset: str
    database: str
    name: str
    submitted: str
    command: Sequence[str]
    tasks: int | None = None


def jobs_folder(out: Path) -> Path:
    """Where scripts, records and logs of a folder of results are."""
    return out / "slurm"


def remember(out: Path, submission: Submission, script: str) -> Path:
    """Keep the record and the script of a job; return the script's file."""
    folder = jobs_folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{submission.job}.{_RECORD}").write_text(json.dumps(asdict(submission), indent=1) + "\n")
    kept = folder / f"{submission.job}.sbatch"
    kept.write_text(script)
    return kept


def submissions(out: Path) -> list[Submission]:
    """All jobs of a folder of results, the oldest first."""
    files = sorted(jobs_folder(out).glob(f"*.{_RECORD}"), key=lambda file: int(file.name.partition(".")[0]))
    return [Submission(**json.loads(file.read_text())) for file in files]


def find(out: Path, job: int | None) -> Submission:
    """The job of that number, or the newest. Raises InputError where there is none."""
    known = submissions(out)
    if not known:
        raise InputError(f"nothing was submitted from {out}.\nAnother folder of results is chosen with --out.")
    if job is None:
        return known[-1]
    found = next((each for each in known if each.job == job), None)
    if found is None:
        raise unknown(f"job submitted from {out}:", str(job), [str(each.job) for each in known])
    return found


def logs(out: Path, submission: Submission, task: int | None = None) -> list[Path]:
    """The files that its tasks, or one of them, have written so far."""
    begins = f"{submission.name}-{submission.job}"
    ends = (".log", "_*.log") if task is None else (f"_{task}.log",)
    return sorted(file for end in ends for file in jobs_folder(out).glob(f"{begins}{end}"))
