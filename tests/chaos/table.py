"""What happened, as README.md beside this file: python -m tests.chaos.table writes it anew from the JSON files."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PAGE = FOLDER / "README.md"
FAULTS_FILE, PREEMPTIONS_FILE = FOLDER / "results.json", FOLDER / "preemptions.json"
PROBLEMS = ("lost", "doubled", "changed", "unfinished", "mlflow", "undetected")
_ABOUT = """# Faults

What `python -m tests.chaos` and `python -m tests.chaos.preemptions` did to studies, and what became of them. The study
is {study}, its quick preset as it is: {trials} trials with {evaluations} rows of evaluations.
`python -m tests.chaos.table` writes this page.

- *lost*: trials that had a result at some moment, and at the end had none, or another one.
- *doubled*: rows of evaluations and diagnostics beyond those of the unharmed study, and trials with two results.
- *changed*: numbers, states and images that differ in any bit from those of the unharmed study.
- *not ended*: studies with a trial without a result. *MLflow*: runs too many or too few, once `sync` was called.
- *unnoticed*: damaged checkpoints that no launch complained of.

A study is harmed many times, one fault after another. *In studies* says in how many a fault occurred; the numbers
behind it are what became of those studies as a whole. *Launches* is how often a study was started until it had ended,
*s* how many seconds all of that took. "Process 543 of 2" is the one of two such processes that was chosen; a *raylet*
is Ray's process on a node. *Done again* is the training that a preemption cost, *code* the job's exit code.
"""


def of_faults(studies: list[Mapping[str, Any]]) -> list[str]:
    """For each kind of fault, what became of the studies in which it happened; then all of them."""
    times = Counter(fault["fault"] for each in studies for fault in each["faults"])
    rows = [
        _row(["fault", "times", "in studies", "lost", "doubled", "changed", "not ended", "MLflow", "unnoticed"]),
        "|---" * 9 + "|",
    ]
    for name, number in sorted(times.items()):
        harmed = [each for each in studies if name in {fault["fault"] for fault in each["faults"]}]
        rows.append(_row([name, number, len(harmed), *_sums(harmed)]))
    return [*rows, _row(["**all**", sum(times.values()), len(studies), *_sums(studies)])]


def of_studies(studies: list[Mapping[str, Any]]) -> list[str]:
    """What happened in each study."""
    rows = [_row(["study", "where", "faults, each with the evaluations that were stored before it", "launches", "s"])]
    rows.append("|---" * 5 + "|")
    for number, each in enumerate(studies, 1):
        told = "; ".join(f"{fault['fault']} ({fault['after']}): {fault['did']}" for fault in each["faults"])
        rows.append(_row([number, each["surroundings"], told, each["launches"], each["seconds"]]))
    return rows


def of_preemptions(studies: list[Mapping[str, Any]]) -> list[str]:
    """For each study that was preempted, what became of it, and how old the checkpoints were at most."""
    titles = [
        "study",
        "preempted",
        "lost",
        "doubled",
        "changed",
        "not ended",
        "MLflow",
        "done again, at most, s",
        "code",
    ]
    rows = [_row(titles), "|---" * len(titles) + "|"]
    for number, each in enumerate(studies, 1):
        again = max((s for one in each["preemptions"] for s in one["repeated_s"]), default=0)
        rows.append(_row([number, len(each["preemptions"]), *_sums([each])[:-1], again, each["codes"][-1]]))
    return rows


def _sums(studies: list[Mapping[str, Any]]) -> list[int]:
    return [sum(each["problems"].get(key, 0) for each in studies) for key in PROBLEMS]


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def write_page() -> str:
    """Write the page; return its text."""
    from tests.chaos.victim import NUM_EVALUATIONS, NUM_TRIALS, STUDY

    lines = [_ABOUT.format(study=STUDY, trials=NUM_TRIALS, evaluations=NUM_EVALUATIONS)]
    for file, title in ((FAULTS_FILE, "Faults of many kinds"), (PREEMPTIONS_FILE, "Preempted by Slurm")):
        if not file.exists():
            continue
        results = json.loads(file.read_text())
        machine, studies = results["machine"], results["studies"]
        tables = (of_faults(studies), of_studies(studies)) if file == FAULTS_FILE else (of_preemptions(studies),)
        done = sum(len(each.get("faults", each.get("preemptions", ()))) for each in studies)
        lines.append(f"## {title}\n\n{done} so far, by `{results['command']}` on {machine['cores']} cores ")
        lines[-1] += f"({machine['processor']}), Ray {machine['ray']}, {results['date']}."
        if file == PREEMPTIONS_FILE:
            lines[-1] += f" A checkpoint is written every {results['checkpoint_every_s']:g} s and at every evaluation."
        lines += ["", *("\n".join([*table, ""]) for table in tables)]
    text = "\n".join(lines)
    PAGE.write_text(text)
    return text


if __name__ == "__main__":
    print(write_page())
