"""Every method against one of them: how much better its runs are, paired by seed."""

import math
from collections.abc import Iterator

import numpy as np

from dashboards.figures import StudyFrames
from dashboards.figures.frames import metric_label
from dashboards.figures.style import method_label
from dashboards.summary import estimate_text
from dashboards.tables.base import Cell, Column, Table
from dashboards.tables.searched import SEARCH_NOTE, compared
from sngan.seeding import numpy_stream
from sweeps.bootstrap import estimate_pair
from sweeps.scores import ScoreTable
from sweeps.statistics import Estimate, difference, mean, probability_of_improvement

_NOTES = (
    "Difference of mean scores over settings and seeds; above 0 the method is better than the reference. Both have the "
    "same seeds, which are resampled together: what a seed does to both alike cancels.",
    "Probability that a run of the method scores above one of the reference at the same setting; ties count 1/2.",
)
_INTERVALS = (
    "In brackets 95 % intervals over seeds (bootstrap), each for itself: they are not corrected for their number, as "
    "verdicts are."
)
_FIELDS = ("method", "label", "reference", "protocol", "difference", "difference_low", "difference_high",
           "improvement", "improvement_low", "improvement_high", "num_pairs")  # fmt: skip


def differences_table(frames: StudyFrames, reference: str) -> Table:
    """All methods against `reference`, one of frames.methods, under the headline protocol."""
    table = compared(frames)
    found = list(_found(table, reference))
    return Table(
        name="differences",
        study=frames.name,
        title=f"Differences to {method_label(reference)}",
        caption=f"Scores ({table.transform.text}) against those of {method_label(reference)}: "
        f"{metric_label(table.metric)} at the last update under {table.protocol}.",
        notes=(
            *[SEARCH_NOTE] * (frames.preset.search is not None),
            *_NOTES,
            *[_INTERVALS] * any(gap.low is not None or better.low is not None for _, gap, better in found),
        ),
        columns=(Column("Method", "name"), Column("Difference"), Column("P(better)"), Column("Pairs of runs")),
        rows=tuple(
            (Cell(method_label(name)), Cell(signed_text(gap)), Cell(estimate_text(better)), Cell(f"{gap.num_runs:,}"))
            for name, gap, better in found
        ),
        fields=_FIELDS,
        records=tuple(
            (name, method_label(name), reference, table.protocol, gap.value, gap.low, gap.high,
             better.value, better.low, better.high, gap.num_runs)
            for name, gap, better in found
        ),
    )  # fmt: skip


def _found(table: ScoreTable, reference: str) -> Iterator[tuple[str, Estimate, Estimate]]:
    ours = table.pick(reference)
    for method in table.methods:
        theirs = table.pick(method)
        if method == reference or np.isnan(theirs - ours).all():
            continue
        stream = numpy_stream(0, "bootstrap")
        gap = estimate_pair(theirs, ours, difference(mean), stream=stream)
        better = estimate_pair(theirs, ours, probability_of_improvement, stream=numpy_stream(0, "bootstrap"))
        yield method, gap, better


def signed_text(value: Estimate) -> str:
    """A difference with its interval: "+0.21 [-0.05, +0.47]"; "–" where there is none."""
    if math.isnan(value.value):
        return "–"
    if value.low is None or value.high is None:
        return f"{value.value:+.2f}"
    return f"{value.value:+.2f} [{value.low:+.2f}, {value.high:+.2f}]"
