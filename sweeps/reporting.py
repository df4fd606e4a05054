"""What follows from results: verdicts into the store, and the report."""

import hashlib
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sweeps.claims import Verdict, judge, rule_of
from sweeps.filesystems import locked
from sweeps.measures import MEASURES, CourseMeasure, measure_table
from sweeps.provenance import PACKAGE, versions
from sweeps.records import StudyRecords
from sweeps.scores import ScoreTable
from sweeps.store import ResultStore
from sweeps.study import Preset, Study

_FINGERPRINT = "fingerprint.txt"
Heard = Callable[[Sequence[Verdict], Sequence[Verdict]], None]  # is told the verdicts before, and those now


class WriteReport(Protocol):
    """What draws the report; see dashboards.report.write_report."""

    def __call__(self, records: StudyRecords, verdicts: Sequence[Verdict], *, storage_dir: Path, folder: Path) -> Path:
        """Write FOLDER/index.html and return its path."""


def report_writer() -> WriteReport:
    """dashboards.report.write_report, found by name: what shows results stands above what makes them."""
    function: WriteReport = importlib.import_module("dashboards.report").write_report
    return function


def report_folder(out: Path, study: Study, preset: Preset) -> Path:
    """Where a study's report is kept below the folder of results."""
    return out / "reports" / f"{study.name}-{preset.name}"


def unheard(_before: Sequence[Verdict], _now: Sequence[Verdict]) -> None:
    """For judgements that nobody waits for."""


def conclude(
    store: ResultStore, study: Study, preset: Preset, out: Path, heard: Heard = unheard
) -> tuple[Path, Sequence[Verdict]]:
    """Judge the claims, record the verdicts, write the report; return its page and the verdicts."""
    folder = report_folder(out, study, preset)
    state = _fingerprint(store, study, preset)
    records = StudyRecords(store=store, study=study, preset=preset)
    verdicts = judge_and_record(records, heard)
    page = report_writer()(records, verdicts, storage_dir=out, folder=folder)
    (folder / _FINGERPRINT).write_text("\n".join([state, *_files(folder)]))
    return page, verdicts


def concluded(
    store: ResultStore, study: Study, preset: Preset, out: Path, heard: Heard = unheard
) -> tuple[Path, Sequence[Verdict], bool]:
    """The report's page and the verdicts, written now unless they are up to date, and whether they were. Of several
    launches that end at the same time one writes, and the others wait for it.
    """
    folder = report_folder(out, study, preset)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f".{folder.name}.lock")):
        if is_current(store, study, preset, out):
            return folder / "index.html", store.verdicts(study.name, preset.name), False
        return *conclude(store, study, preset, out, heard), True


def judge_and_record(records: StudyRecords, heard: Heard) -> list[Verdict]:
    """Judge the claims and record the verdicts; `heard` is told of them, and of those that they replace."""
    before = records.store.verdicts(*records.key)
    verdicts = judge_study(records)
    records.store.record_verdicts(*records.key, verdicts)
    heard(before, verdicts)
    return verdicts


def judge_study(records: StudyRecords) -> list[Verdict]:
    """A verdict on every claim of the study, from the final scores of the preset's protocols, the headline first, and
    from the measures that claims ask for.
    """
    scores = _scores(records)
    asked = (rule_of(claim).metric for claim in records.study.claims)
    tables: dict[str, ScoreTable] = {**scores, **dict(_measures(records, scores, asked))}
    return judge(records.study.claims, tables, records.store.looks(*records.key))


def measured(records: StudyRecords, measure: str) -> ScoreTable:
    """What claims on a measure are judged on: one number per run. Raises InputError for an unknown name."""
    return next(table for _, table in _measures(records, _scores(records), [MEASURES[measure].name]))


def _scores(records: StudyRecords) -> dict[str, ScoreTable]:
    preset = records.preset
    names = dict.fromkeys([preset.headline, *preset.config.get("protocols", ())])
    return {name: records.scores(name) for name in names}


def _measures(
    records: StudyRecords, scores: Mapping[str, ScoreTable], asked: Iterable[str]
) -> Iterator[tuple[str, ScoreTable]]:
    """The tables of those that are asked for and that are measures."""
    for name, measure in ((name, MEASURES[name]) for name in dict.fromkeys(asked) if name in MEASURES):
        if isinstance(measure, CourseMeasure):
            protocols = [table.protocol for table in scores.values() if table.metric == measure.metric]
            rows = records.evaluations[records.evaluations["protocol"].isin(protocols[:1])]
        else:
            rows = records.diagnostics
        yield name, measure_table(rows, records.trials, name)


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
