"""The run of a launch in MLflow: its provenance, and at its end the verdicts, the scores and the report."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from sweeps.board import Board
from sweeps.provenance import hide_credentials
from sweeps.tracking.records import flat, metric_key, summary_rows, table_json, text_value, verdict_note, verdict_rows
from sweeps.tracking.server import Experiment, KnownRun
from sweeps.tracking.source import Launches, Source, SyncReport

_FIGURES = (".png", ".svg")
_LONGEST_NOTE = 5_000
_MOST_TAGS = 90  # of a launch; a call takes 100


def common_tags(source: Source, kind: str) -> dict[str, str]:
    """Tags of every run: what it is ("launch" or "trial") and what it belongs to."""
    return {
        "kind": kind,
        "sweep": source.name,
        "study": source.study.name,
        "preset": source.label,
        "mlflow.source.name": f"sweeps.launch {source.study.name}",
        "mlflow.source.type": "LOCAL",
    }


def open_launch(
    experiment: Experiment, source: Source, launches: Launches, report: SyncReport, *, live: bool
) -> KnownRun:
    """The newest launch's run, created where it is missing. Earlier launches do not run any more."""
    for start, earlier in experiment.launches.items():
        if start != launches.newest and earlier.status == "RUNNING":
            experiment.set_status(earlier, "KILLED")
    run = experiment.launches.get(launches.newest)
    if run is None:
        started = datetime.fromisoformat(launches.newest) if launches.newest else datetime.now(UTC)
        name = f"launch {max(1, len(launches.starts))}, {started:%Y-%m-%d %H:%M}"
        tags = {**common_tags(source, "launch"), "launch": launches.newest}
        run = experiment.create(name, tags, start_ms=round(1000 * started.timestamp()))
        experiment.launches[launches.newest] = run
        report.created += 1
    if live:
        experiment.set_status(run, "RUNNING")
    _send_provenance(experiment, run, launches, report)
    return run


def close_launch(experiment: Experiment, source: Source, run: KnownRun, report: SyncReport) -> None:
    """Send tables, report and figures, and say how the launch ended: KILLED where trials are left to do."""
    _send_tables(experiment, source, run, report)
    _send_report(experiment, source, run, report)
    done = all(state in ("completed", "diverged") for state, _ in source.progress().values())
    experiment.set_status(run, "FINISHED" if done else "KILLED")


def _send_provenance(experiment: Experiment, run: KnownRun, launches: Launches, report: SyncReport) -> None:
    """Provenance as tags, and whole as a file."""
    text = hide_credentials(json.dumps(launches.provenance, indent=2, sort_keys=True))
    content = _digest([text])
    if run.tags.get("synced_provenance") == content:
        return
    experiment.log_text(run, text, "provenance.json")
    report.files += 1
    plain = [(metric_key(key), text_value(value)) for key, value in flat(launches.provenance).items()]
    # Names that mean something else for a run keep their meaning.
    tags = {key: value for key, value in plain[:_MOST_TAGS] if key not in run.tags}
    commit = str(launches.provenance.get("git_commit", ""))
    tags |= {"mlflow.source.git.commit": commit} if commit else {}
    experiment.log(run, tags={**tags, "synced_provenance": content})


def _send_tables(experiment: Experiment, source: Source, run: KnownRun, report: SyncReport) -> None:
    """Verdicts and scores as tables, and in words as the run's description."""
    verdicts = source.store.verdicts(*source.key)
    headline = source.preset.headline
    values = source.store.newest_values(*source.key, headline)
    board = Board.of_store(source.store.trials(*source.key), values, headline)
    tables = {"verdicts.json": verdict_rows(verdicts), "summary.json": summary_rows(board)}
    texts = {name: table_json(rows) for name, rows in tables.items() if rows}
    content = _digest(texts.values())
    if run.tags.get("synced_tables") == content:
        return
    for name, text in texts.items():
        experiment.log_text(run, text, name)
    report.files += len(texts)
    counts = ", ".join(f"{number} {state}" for state, number in board.counts().items() if number)
    note = "\n\n".join(part for part in (counts, verdict_note(verdicts)) if part)
    tags = {
        "trials": counts,
        "mlflow.note.content": note[:_LONGEST_NOTE],
        "mlflow.loggedArtifacts": json.dumps([{"path": name, "type": "table"} for name in texts]),
        "synced_tables": content,
    }
    experiment.log(run, tags=tags)


def _send_report(experiment: Experiment, source: Source, run: KnownRun, report: SyncReport) -> None:
    """The page and its figures as PNG and SVG, unless they are older than the launch."""
    page = source.report_folder / "index.html"
    if not page.is_file() or 1000 * page.stat().st_mtime < run.start_ms:
        return
    figures = sorted(path for path in (source.report_folder / "figures").glob("*") if path.suffix in _FIGURES)
    content = _digest(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in (page, *figures))
    if run.tags.get("synced_report") == content:
        return
    with tempfile.TemporaryDirectory(prefix="sngan-mlflow-") as name:
        (Path(name) / "figures").mkdir()
        shutil.copy(page, Path(name) / "report.html")
        for path in figures:
            shutil.copy(path, Path(name) / "figures")
        experiment.log_folder(run, Path(name))
    report.files += 1 + len(figures)
    experiment.log(run, tags={"synced_report": content})


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
