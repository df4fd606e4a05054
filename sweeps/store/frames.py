"""Reads results as data frames, rows in the same order in every database."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Select, Text, and_, cast, func, select

from sngan.config import ADDED_SINCE
from sweeps.configs import without_seed
from sweeps.store import checksums
from sweeps.store.columns import TrialRows
from sweeps.store.tables import (
    FINISHED,
    AttemptRow,
    Base,
    ChecksumRow,
    DiagnosticRow,
    EvaluationRow,
    SampleRow,
    SpectrumRow,
    StudyRow,
    StudyTrialRow,
    TrialRow,
    TrialState,
    table_of,
)

# Rows turned into a frame at a time: Python objects of a large result never exist all at once.
CHUNK = 50_000

_CELL: dict[str, str] = {"digest": "str", "method": "str", "setting": "str", "seed": "int64"}
_SETTING: dict[str, str] = {"alpha": "float64", "beta1": "float64", "beta2": "float64", "n_dis": "int64"}

# Column -> type of every frame, in order; an empty frame has them too. "object" is text, a list or None.
TRIALS: Mapping[str, str] = {
    **_CELL, "state": "str", **_SETTING, "dataset": "str", "architecture": "str", "updates": "int64",
    "last_update": "int64", "train_s": "float64", "evaluate_s": "float64", "num_attempts": "int64",
    "reason": "str", "error": "str", "config": "str", "samples": "object",
}  # fmt: skip
EVALUATIONS: Mapping[str, str] = {
    **_CELL, "state": "str", **_SETTING, "update": "int64", "protocol": "str", "metric": "str",
    "value": "float64", "spread": "float64", "num_generated": "int64", "num_real": "int64", "split": "str",
    "extractor": "str", "floor": "float64", "seconds": "float64",
}  # fmt: skip
DIAGNOSTICS: Mapping[str, str] = {**_CELL, "update": "int64", "name": "str", "value": "float64"}
SPECTRA: Mapping[str, str] = {
    **_CELL, "update": "int64", "layer": "str", "weight": "str", "singular_values": "object",
}  # fmt: skip
SAMPLES: Mapping[str, str] = {**_CELL, "update": "int64", "path": "str"}
PROGRESS: Mapping[str, str] = {
    "digest": "str",
    "state": "str",
    "last_update": "int64",
    "num_evaluations": "int64",
}
STUDIES: Mapping[str, str] = {
    "study": "str", "preset": "str", "question": "str", "description": "str", "provenance": "str",
    "launches": "str", "num_trials": "int64", **{state.value: "int64" for state in TrialState},
}  # fmt: skip
ATTEMPTS: Mapping[str, str] = {
    "host": "str", "device": "str", "versions": "str", "start": "datetime64[ns, UTC]", "end": "datetime64[ns, UTC]",
    "error": "str",
}  # fmt: skip
COSTS: Mapping[str, str] = {
    "digest": "str", "method": "str", "setting": "str", "dataset": "str", "architecture": "str",
    "width_factor": "float64", "conditioning": "str", "loss": "str", "regularizers": "str", "precision": "str",
    "updates": "int64", "batch_size": "int64", "generator_batch_size": "int64", "n_dis": "int64",
    "evaluate_every": "int64", "protocols": "str", "state": "str", "last_update": "int64", "num_evaluations": "int64",
    "host": "str", "device": "str", "train_s": "float64", "evaluate_s": "float64",
}  # fmt: skip

_CELL_SOURCES: dict[str, Any] = {
    "digest": TrialRow.digest,
    "method": StudyTrialRow.method,
    "setting": StudyTrialRow.setting,
    "seed": StudyTrialRow.seed,
    "state": TrialRow.state,
    **{name: getattr(TrialRow, name) for name in _SETTING},
}


def trials(connection: Connection, study: str, preset: str) -> pd.DataFrame:
    """One row per planned trial, columns TRIALS, in the order seed, method, setting."""
    attempts = select(func.count()).where(AttemptRow.trial == TrialRow.digest).correlate(TrialRow).scalar_subquery()
    newest = select(SampleRow.path).where(SampleRow.trial == TrialRow.digest)
    computed = {
        "num_attempts": attempts.label("num_attempts"),
        "config": _text(TrialRow.config),
        "samples": newest.order_by(SampleRow.update.desc()).limit(1).scalar_subquery().label("samples"),
    }
    return _frame(connection, _of_study(study, preset, _sources(TRIALS, TrialRow, computed)), TRIALS)


def evaluations(connection: Connection, study: str, preset: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """One row per measured number, columns EVALUATIONS or some of them, by seed, method, setting, update, protocol."""
    types = {name: kind for name, kind in EVALUATIONS.items() if columns is None or name in columns}
    return _results(connection, study, preset, EvaluationRow, types)


def diagnostics(connection: Connection, study: str, preset: str) -> pd.DataFrame:
    """One row per diagnostic, columns DIAGNOSTICS, in the order seed, method, setting, update, name."""
    return _results(connection, study, preset, DiagnosticRow, DIAGNOSTICS)


def spectra(connection: Connection, study: str, preset: str) -> pd.DataFrame:
    """One row per spectrum, columns SPECTRA, in the order seed, method, setting, update, layer, weight."""
    query = _of_study(study, preset, _sources(SPECTRA, SpectrumRow), SpectrumRow)
    return _frame(connection, query.order_by(SpectrumRow.update, SpectrumRow.layer, SpectrumRow.weight), SPECTRA)


def samples(connection: Connection, study: str, preset: str) -> pd.DataFrame:
    """One row per grid of images, columns SAMPLES, in the order seed, method, setting, update."""
    query = _of_study(study, preset, _sources(SAMPLES, SampleRow), SampleRow)
    return _frame(connection, query.order_by(SampleRow.update), SAMPLES)


def attempts(connection: Connection, digest: str) -> pd.DataFrame:
    """One row per attempt at a trial, columns ATTEMPTS, the first one first."""
    columns = _sources(ATTEMPTS, AttemptRow, {"versions": _text(AttemptRow.versions).label("versions")})
    query = select(*columns).where(AttemptRow.trial == digest)
    return _frame(connection, query.order_by(AttemptRow.id), ATTEMPTS)


def configs_with(connection: Connection, study: str, preset: str, text: str) -> list[str]:
    """The configs (JSON texts) of the study's trials that contain a text."""
    config = _text(TrialRow.config)
    query = _of_study(study, preset, [config]).where(config.contains(text, autoescape=True))
    return list(connection.scalars(query.order_by(None)))


def newest_values(connection: Connection, study: str, preset: str, protocol: str) -> dict[str, float]:
    """Digest -> value of a protocol (short name) at the trial's newest evaluation that has one."""
    name = EvaluationRow.protocol
    # A full name has the first 8 digits of the extractor's hash.
    full = (func.substr(name, 1, len(protocol) + 1) == f"{protocol}-") & (func.length(name) == len(protocol) + 9)
    of_trial = select(EvaluationRow.value).where(
        EvaluationRow.trial == TrialRow.digest, EvaluationRow.value.is_not(None)
    )
    newest = of_trial.where((name == protocol) | full).order_by(EvaluationRow.update.desc()).limit(1).scalar_subquery()
    linked = select(StudyTrialRow.trial).where(StudyTrialRow.study == study, StudyTrialRow.preset == preset)
    rows = _rows(connection, select(TrialRow.digest, newest).where(TrialRow.digest.in_(linked)))
    return {digest: value for digest, value in rows if value is not None}


def progress(connection: Connection, study: str, preset: str) -> pd.DataFrame:
    """One row per trial, columns PROGRESS: enough to see which trials have news."""
    count = select(func.count()).where(EvaluationRow.trial == TrialRow.digest).scalar_subquery()
    linked = select(StudyTrialRow.trial).where(StudyTrialRow.study == study, StudyTrialRow.preset == preset)
    query = select(TrialRow.digest, TrialRow.state, TrialRow.last_update, count.label("num_evaluations"))
    return _frame(connection, query.where(TrialRow.digest.in_(linked)).order_by(TrialRow.digest), PROGRESS)


def fingerprint(connection: Connection, study: str, preset: str) -> str:
    """32 hex digits that change with any state, evaluation or image grid of the study, and with nothing else."""
    cell = [StudyTrialRow.method, StudyTrialRow.setting, StudyTrialRow.seed]
    trial = [TrialRow.digest, TrialRow.state, TrialRow.last_update, TrialRow.reason, ChecksumRow.checksum]
    query = _of_study(study, preset, [*cell, *trial]).join(
        ChecksumRow, ChecksumRow.trial == TrialRow.digest, isouter=True
    )
    total, known = 0, {}
    for *row, stored in _rows(connection, query.order_by(None)):
        total += checksums.checksum("trials", *row)
        if stored is not None:
            known[row[3]] = int(stored, 16)
    linked = select(StudyTrialRow.trial).where(StudyTrialRow.study == study, StudyTrialRow.preset == preset)
    others = TrialRow.digest.in_(linked) & TrialRow.digest.not_in(select(ChecksumRow.trial))
    total += sum(known.values()) + sum(checksums.of_trials(connection, others).values())
    return checksums.hexadecimal(total)


def studies(connection: Connection) -> pd.DataFrame:
    """One row per launched study and preset, columns STUDIES; documents are JSON texts."""
    counts = [func.count().filter(TrialRow.state == state.value) for state in TrialState]
    documents = [_text(StudyRow.description), _text(StudyRow.provenance), _text(StudyRow.launches)]
    query = (
        select(StudyRow.study, StudyRow.preset, *documents, func.count(StudyTrialRow.trial), *counts)
        .join(StudyTrialRow, _same_study(), isouter=True)
        .join(TrialRow, TrialRow.digest == StudyTrialRow.trial, isouter=True)
        .group_by(StudyRow.study, StudyRow.preset)
        .order_by(StudyRow.study, StudyRow.preset)
    )
    rows = [
        (study, preset, str(json.loads(description).get("question", "")), description, *rest)
        for study, preset, description, *rest in connection.execute(query)
    ]
    return _as_frame(rows, STUDIES)


def costs(connection: Connection) -> pd.DataFrame:
    """One row per finished trial, columns COSTS; host and device are its newest attempt's.

    method, setting : "" for a trial whose cells mean other ones by now. regularizers : JSON text. protocols : the
    short names, joined by commas. num_evaluations : updates at which the trial was evaluated.
    """
    names = [name for name in COSTS if name not in _OF_CONFIG]
    records, parsed = [], {}
    for config, *values in _rows(connection, _costs_query(names)):
        text = without_seed(config)
        if text not in parsed:
            parsed[text] = _cost_columns(json.loads(text))
        known = {**dict(zip(names, values, strict=True)), **parsed[text]}
        records.append(tuple(known[name] for name in COSTS))
    return _as_frame(records, COSTS)


_OF_CONFIG = ("width_factor", "conditioning", "loss", "regularizers", "precision", "batch_size",
              "generator_batch_size", "evaluate_every", "protocols")  # fmt: skip


def _cost_columns(config: Mapping[str, Any]) -> dict[str, Any]:
    complete = {**ADDED_SINCE, **config}
    columns = {name: complete[name] for name in _OF_CONFIG}
    columns["regularizers"] = json.dumps(config["regularizers"], sort_keys=True)
    columns["protocols"] = ",".join(config["protocols"])
    return columns


def _costs_query(names: Iterable[str]) -> Select[Any]:
    of_trial = select(func.max(AttemptRow.id)).where(AttemptRow.trial == TrialRow.digest)
    newest = of_trial.correlate(TrialRow).scalar_subquery()
    num = select(func.count(EvaluationRow.update.distinct())).where(EvaluationRow.trial == TrialRow.digest)
    # A trial of several studies is one measurement.
    first = [func.min(column).label(column.key) for column in (StudyTrialRow.method, StudyTrialRow.setting)]
    cell = select(StudyTrialRow.trial, *first).group_by(StudyTrialRow.trial).subquery()
    computed = {
        "method": func.coalesce(cell.c.method, ""),
        "setting": func.coalesce(cell.c.setting, ""),
        "num_evaluations": num.correlate(TrialRow).scalar_subquery(),
        "host": func.coalesce(AttemptRow.host, ""),
        "device": func.coalesce(AttemptRow.device, ""),
    }
    return (
        select(_text(TrialRow.config), *_sources(names, TrialRow, computed))
        .join(cell, cell.c.trial == TrialRow.digest, isouter=True)
        .join(AttemptRow, AttemptRow.id == newest, isouter=True)
        .where(TrialRow.state.in_([state.value for state in FINISHED]))
        .order_by(TrialRow.digest)
    )


def _results(
    connection: Connection, study: str, preset: str, row: type[Base], types: Mapping[str, str]
) -> pd.DataFrame:
    """The rows of a table in the order seed, method, setting and then of their keys.

    The database hands them over as they lie, by trial; sorting millions of them there would take longer than all else.
    """
    of_cell = ["digest", *(name for name in types if name in _CELL_SOURCES and name != "digest")]
    cells = _frame(
        connection,
        _of_study(study, preset, _sources(of_cell, row)),
        {name: ({**_CELL, **types})[name] for name in of_cell},
    )
    rows = TrialRows({name: kind for name, kind in types.items() if name not in _CELL_SOURCES})
    columns = table_of(row).columns
    linked = select(StudyTrialRow.trial).where(StudyTrialRow.study == study, StudyTrialRow.preset == preset)
    wanted = [columns[name] for name in types if name not in _CELL_SOURCES]
    query = select(columns.trial, *wanted).where(columns.trial.in_(linked)).order_by(*table_of(row).primary_key.columns)
    for part in connection.execute(query.execution_options(yield_per=CHUNK)).partitions():
        rows.extend(part)
    return rows.frame(cells, list(types))


def _of_study(study: str, preset: str, columns: Iterable[Any], results: type[Base] | None = None) -> Select[Any]:
    """A query for `columns` over the cells of a study, their trials and, where given, a table of results."""
    query = select(*columns).select_from(StudyTrialRow).join(TrialRow, TrialRow.digest == StudyTrialRow.trial)
    if results is not None:
        query = query.join(results, results.__table__.c.trial == TrialRow.digest)
    query = query.where(StudyTrialRow.study == study, StudyTrialRow.preset == preset)
    return query.order_by(StudyTrialRow.seed, StudyTrialRow.method, StudyTrialRow.setting)


def _same_study() -> ColumnElement[bool]:
    return and_(StudyTrialRow.study == StudyRow.study, StudyTrialRow.preset == StudyRow.preset)


def _sources(names: Iterable[str], row: type[Base], computed: Mapping[str, Any] | None = None) -> list[Any]:
    """The column behind every name of a frame: a computed one, one of the cell, or one of `row`."""
    sources = {**_CELL_SOURCES, **(computed or {})}
    return [sources[name] if name in sources else getattr(row, name) for name in names]


def _text(column: Any) -> ColumnElement[str]:
    """A JSON column as the text that is stored."""
    return cast(column, Text)


def _rows(connection: Connection, query: Select[Any]) -> Iterator[tuple[Any, ...]]:
    for part in connection.execute(query.execution_options(yield_per=CHUNK)).partitions():
        yield from map(tuple, part)


def _frame(connection: Connection, query: Select[Any], types: Mapping[str, str]) -> pd.DataFrame:
    result = connection.execute(query.execution_options(yield_per=CHUNK))
    parts = [_as_frame(part, types) for part in result.partitions()]
    return pd.concat(parts, ignore_index=True) if parts else _as_frame([], types)


def _as_frame(rows: Sequence[Sequence[Any]], types: Mapping[str, str]) -> pd.DataFrame:
    """A frame with exactly these columns and types; absent numbers are NaN, absent texts None."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(types)
    return pd.DataFrame(
        {name: pd.Series(values, dtype=kind) for (name, kind), values in zip(types.items(), columns, strict=True)}
    )
