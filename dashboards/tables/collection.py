"""The tables of a study, in the order of the report."""

from collections.abc import Sequence

from dashboards.figures import StudyFrames
from dashboards.summary import Summary
from dashboards.tables.base import Table
from dashboards.tables.best_settings import best_settings_table
from dashboards.tables.scores import scores_table
from dashboards.tables.summary import summary_table
from dashboards.tables.verdicts import verdicts_table
from sweeps.claims import Verdict


def paper_tables(frames: StudyFrames, summary: Summary, verdicts: Sequence[Verdict]) -> tuple[Table, ...]:
    """All tables of a study at a preset; without results they have no rows."""
    return (
        verdicts_table(verdicts, frames),
        summary_table(summary, frames),
        scores_table(frames),
        best_settings_table(frames),
    )
