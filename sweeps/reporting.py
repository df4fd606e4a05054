"""What follows from results: verdicts into the store, and the report."""

import hashlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd

from sweeps.claims import Verdict, judge, rule_of
from sweeps.measures import MEASURES, CourseMeasure, measure_table
from sweeps.provenance import PACKAGE, versions
from sweeps.scores import ScoreTable, score_table
from sweeps.store import ResultStore
from sweeps.study import Preset, Study

_FINGERPRINT = "fingerprint.txt"


class WriteReport(Protocol):
    """What draws the report; see dashboards.report.write_report."""

    def __call__(self, store: ResultStore, study: Study, preset: Preset, *, storage_dir: Path, folder: Path) -> Path:
        """Write FOLDER/index.html and return its path."""


def report_writer() -> WriteReport:
    """dashboards.report.write_report, found by name: what shows results stands above what makes them."""
    function: WriteReport = importlib.import_module("dashboards.report").write_report
    return function


def report_folder(out: Path, study: Study, preset: Preset) -> Path:
    """Where a study's report is kept below the folder of results."""
    return out / "reports" / f"{study.name}-{preset.name}"


def conclude(store: ResultStore, study: Study, preset: Preset, out: Path) -> tuple[Path, Sequence[Verdict]]:
    """Judge the claims, record the verdicts, write the report; return its page and the verdicts."""
    folder = report_folder(out, study, preset)
    state = _fingerprint(store, study, preset)
    verdicts = judge_study(store, study, preset)
    store.record_verdicts(study.name, preset.name, verdicts)
    page = report_writer()(store, study, preset, storage_dir=out, folder=folder)
    (folder / _FINGERPRINT).write_text("\n".join([state, *_files(folder)]))
    return page, verdicts


def judge_study(store: ResultStore, study: Study, preset: Preset) -> list[Verdict]:
    """A verdict on every claim of the study, from the final scores of the preset's protocols, the headline first, and
    from the measures that claims ask for.
    """
    trials = store.trials(study.name, preset.name)
    evaluations = store.evaluations(study.name, preset.name)
    names = dict.fromkeys([preset.headline, *preset.config.get("protocols", ())])
    scores = {name: score_table(evaluations, trials, name, "final") for name in names}
    tables: dict[str, ScoreTable] = {**scores, **dict(_measures(store, study, preset, trials, evaluations, scores))}
    return judge(study.claims, tables, store.looks(study.name, preset.name))


def _measures(
    store: ResultStore,
    study: Study,
    preset: Preset,
    trials: pd.DataFrame,
    evaluations: pd.DataFrame,
    scores: Mapping[str, ScoreTable],
) -> Iterator[tuple[str, ScoreTable]]:
    """The tables of the measures that the study's claims ask for."""
    asked = dict.fromkeys(rule_of(claim).metric for claim in study.claims)
    for name, measure in ((name, MEASURES[name]) for name in asked if name in MEASURES):
        if isinstance(measure, CourseMeasure):
            protocols = [table.protocol for table in scores.values() if table.metric == measure.metric]
            records = evaluations[evaluations["protocol"].isin(protocols[:1])]
        else:
            records = store.diagnostics(study.name, preset.name)
        yield name, measure_table(records, trials, name)


def is_current(store: ResultStore, study: Study, preset: Preset, out: Path) -> bool:
    """Whether the report shows what the store holds, with this version's claims and figures, and is all there."""
    folder = report_folder(out, study, preset)
    try:
        state, *files = (folder / _FINGERPRINT).read_text().splitlines()
    except (OSError, ValueError):
        return False
    return state == _fingerprint(store, study, preset) and files == _files(folder)


def _files(folder: Path) -> list[str]:
    """What a report consists of, beside its fingerprint."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in files if name != _FINGERPRINT)


def _fingerprint(store: ResultStore, study: Study, preset: Preset) -> str:
    looks = store.looks(study.name, preset.name)
    described = repr((study.question, study.claims, study.figures, preset, looks, versions().get(PACKAGE)))
    return f"{store.fingerprint(study.name, preset.name)} {hashlib.sha256(described.encode()).hexdigest()[:16]}"
