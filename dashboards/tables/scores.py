"""Methods by settings: the table behind the paper's Fig. 1 and 2."""

from collections.abc import Iterator

import numpy as np

from dashboards.figures import StudyFrames
from dashboards.figures.frames import metric_label
from dashboards.figures.style import method_label, number
from dashboards.tables.base import Cell, Column, Table, range_text, run_marks, sign_notes
from dashboards.tables.searched import SEARCH_NOTE, compared
from sweeps.scores import ScoreTable
from sweeps.statistics import setting_medians, setting_quartiles

_FIELDS = (
    "method", "label", "setting", "protocol", "median", "quartile_low", "quartile_high",
    "num_seeds", "num_diverged", "num_missing",
)  # fmt: skip


def scores_table(frames: StudyFrames) -> Table:
    """The median over seeds at every setting with its quartiles, and what became of the seeds behind it."""
    table = compared(frames)
    metric, better = metric_label(table.metric), "lower" if table.lower_is_better else "higher"
    real = "" if table.floor is None else f" Real images have {number(table.floor)}."
    rows = tuple(_rows(table))
    over = "one seed" if len(table.seeds) == 1 else f"median over {len(table.seeds)} seeds"
    return Table(
        name="scores",
        study=frames.name,
        title="Methods by settings",
        caption=f"{metric} at the last update under {table.protocol}, {over}; {better} "
        f"is better, the best of every setting in bold.{real}",
        notes=(
            *[SEARCH_NOTE] * (frames.preset.search is not None),
            *sign_notes(cell for row in rows for cell in row[1:]),
            *filter(None, [frames.preset.caveat]),
        ),
        columns=(Column("Method", "name"), *map(Column, table.settings)),
        rows=rows,
        fields=_FIELDS,
        records=tuple(_records(table)),
    )


def _rows(table: ScoreTable) -> Iterator[tuple[Cell, ...]]:
    medians, (low, high) = setting_medians(table.ordered), setting_quartiles(table.ordered)
    worst = np.inf if table.lower_is_better else -np.inf
    known = np.where(np.isnan(medians), worst, medians)
    best = known.min(axis=0, initial=worst) if table.lower_is_better else known.max(axis=0, initial=worst)
    present, diverged, missing = _counts(table)
    for m, method in enumerate(table.methods):
        cells = [
            Cell(
                range_text(medians[m, s], low[m, s], high[m, s], num_runs=int(present[m, s]))
                + (run_marks(int(diverged[m, s]), int(missing[m, s])) if present[m, s] else ""),
                best=bool(np.isfinite(medians[m, s]) and medians[m, s] == best[s]),
            )
            for s in range(len(table.settings))
        ]
        yield (Cell(method_label(method)), *cells)


def _records(table: ScoreTable) -> Iterator[tuple[object, ...]]:
    medians, (low, high) = setting_medians(table.ordered), setting_quartiles(table.ordered)
    present, diverged, missing = _counts(table)
    for (m, s), median in np.ndenumerate(medians):
        method = table.methods[m]
        yield (
            method, method_label(method), table.settings[s], table.protocol, float(median), float(low[m, s]),
            float(high[m, s]), int(present[m, s]), int(diverged[m, s]), int(missing[m, s]),
        )  # fmt: skip


def _counts(table: ScoreTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs with a result, diverged ones among them, and missing ones, each [M, S]."""
    return (~table.missing).sum(axis=-1), table.diverged.sum(axis=-1), table.missing.sum(axis=-1)
