"""What the report's templates show, as plain values: progress, verdicts with their small pictures, protocols, grids."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboards.figures import StudyFrames
from dashboards.figures.frames import metric_label
from dashboards.figures.rendering import data_uri, encode_jpeg, encode_png
from dashboards.figures.sample_grids import GridCell, SampleGridsData, cell_words, open_grid
from dashboards.figures.style import method_label
from dashboards.summary import MethodSummary
from sngan.metrics.catalog import METRICS
from sngan.metrics.protocols import parse, short_name
from sweeps.claims import Verdict
from sweeps.looks import Looks
from sweeps.scores import ScoreTable
from sweeps.store import TrialState
from sweeps.study import Claim
from sweeps.wording import counted, level_text, p_text

_PLOT_WIDTH = 200.0
_SYMBOLS = {"supported": "✓", "contradicted": "✗", "undecided": "?"}
_SMALL_GRID = 128  # pixels; smaller grids are shown with sharp pixels
_PNG_BYTES = 32_768  # larger PNGs go into the page as JPEG; the figure's own file stays exact


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a sweep is: trials per state, and one sentence about it."""

    total: int
    states: tuple[dict[str, Any], ...]
    finished: bool
    sentence: str


def progress_view(trials: pd.DataFrame) -> Progress:
    """Counts over all planned trials, each once, and whether every one has a result."""
    states = trials.drop_duplicates("digest")["state"]
    counts = Counter(map(str, states))
    total, done = len(states), counts["completed"] + counts["diverged"]
    order = [TrialState.COMPLETED, TrialState.DIVERGED, TrialState.RUNNING, TrialState.QUEUED, TrialState.FAILED]
    if not total:
        sentence = "No trial of this study was launched into this store."
    elif done == total:
        every = "The one planned trial has" if total == 1 else f"All {total} planned trials have"
        sentence = f"{every} a result; {counts['diverged']} diverged."
    else:
        waiting = total - done - counts["failed"]
        parts = [f"{waiting} still to run"] * bool(waiting) + [f"{counts['failed']} failed"] * bool(counts["failed"])
        sentence = (
            f"{done} of {total} planned trials have a result ({', '.join(parts)}). "
            "Everything on this page may still change."
        )
    return Progress(
        total=total,
        states=tuple({"name": state.value, "count": counts[state.value]} for state in order),
        finished=0 < total == done,
        sentence=sentence,
    )


@dataclass(frozen=True, kw_only=True)
class IntervalPlot:
    """Positions 0 to 200 on a horizontal line: the value, its interval and zero (None where there is none)."""

    value: float
    low: float | None
    high: float | None
    zero: float | None
    colour: str = "currentColor"


def effect_plot(verdict: Verdict) -> IntervalPlot | None:
    """The verdict's effect on a line that reaches beyond its interval and beyond zero."""
    if verdict.effect is None:
        return None
    ends = [0.0, verdict.effect, *(end for end in (verdict.low, verdict.high) if end is not None)]
    margin = 0.1 * (max(ends) - min(ends)) or 1.0
    first, last = min(ends) - margin, max(ends) + margin

    def place(value: float | None) -> float | None:
        return None if value is None else _PLOT_WIDTH * (value - first) / (last - first)

    middle, zero = place(verdict.effect), place(0.0)
    assert middle is not None
    return IntervalPlot(value=middle, low=place(verdict.low), high=place(verdict.high), zero=zero)


def iqm_plot(row: MethodSummary, colour: str) -> IntervalPlot | None:
    """A method's interquartile mean on the line from score 0 to score 1; None where there is none."""
    if math.isnan(row.iqm.value):
        return None
    low, high = row.iqm.low, row.iqm.high
    return IntervalPlot(
        value=_PLOT_WIDTH * row.iqm.value,
        low=None if low is None else _PLOT_WIDTH * low,
        high=None if high is None else _PLOT_WIDTH * high,
        zero=None,
        colour=colour,
    )


def verdict_views(verdicts: Sequence[Verdict], claims: Iterable[Claim]) -> list[dict[str, Any]]:
    """One entry per verdict; a claim that the study does not know any more is shown by its name."""
    known = {claim.name: claim for claim in claims}
    return [
        {
            "verdict": verdict,
            "symbol": _SYMBOLS[verdict.verdict],
            "sentence": known[verdict.claim].sentence if verdict.claim in known else verdict.claim,
            "source": known[verdict.claim].source if verdict.claim in known else "",
            "note": known[verdict.claim].note if verdict.claim in known else "",
            "level": level_text(verdict.level),
            "p_value": p_text(verdict.p_value),
            "plot": effect_plot(verdict),
            "effect": effect_text(verdict),
            "seeds": counted(verdict.num_seeds, "seed"),
        }
        for verdict in verdicts
    ]


def effect_text(verdict: Verdict) -> str:
    """Effect and interval: "+0.21 [-0.05, +0.47]", or what is missing."""
    if verdict.effect is None:
        return "not known yet"
    if verdict.low is None or verdict.high is None:
        return f"{verdict.effect:+.3g}, no interval"
    return f"{verdict.effect:+.3g} [{verdict.low:+.3g}, {verdict.high:+.3g}]"


def verdict_counts(verdicts: Sequence[Verdict]) -> str:
    """How many claims stand where: "1 supported, 0 contradicted, 8 undecided."."""
    counts: Counter[str] = Counter(verdict.verdict for verdict in verdicts)
    return ", ".join(f"{counts[name]} {name}" for name in _SYMBOLS) + "."


def error_rates(num_claims: int, looks: Looks | None) -> str:
    """What the verdicts of a page promise, in words: how frequent wrong ones are, and what was planned."""
    of_all = f"of its {num_claims} claims" if num_claims > 1 else "claim"
    promise = (
        f"In at most 2.5 % of studies like this one any {of_all} is wrongly supported, and in at most 2.5 % wrongly "
        "contradicted (Holm's procedure over the claims, t tests over training seeds). An interval has the level at "
        "which its claim was tested, and leaves out the other possibility where there is a verdict; adjusted p values "
        "are two-sided and at most 0.05 there. "
    )
    if looks is None:
        return promise + (
            "This holds for a number of seeds that was chosen beforehand: who adds seeds until a verdict falls gets "
            "more wrong ones, unless by --until-decided."
        )
    return promise + (
        f"Seeds were added while claims were open: the study was judged after every seed from {looks.first} to at most "
        f"{looks.last}, which was fixed before the first look. Intervals and p values count all of these looks "
        "together, and a verdict stays as it was when it fell. Seeds after the last look do not count."
    )


def protocol_views(frames: StudyFrames) -> list[dict[str, Any]]:
    """One entry per protocol that has rows, the headline first."""
    entries = []
    evaluations = frames.evaluations
    for name in sorted(evaluations["protocol"].unique()):
        rows = evaluations.loc[evaluations["protocol"] == name, ["extractor", "floor"]]
        short = short_name(str(name))
        described, floors = parse(short), rows["floor"].dropna()
        repeats = f" × {described.repeats}" if described.repeats > 1 else ""
        entries.append(
            {
                "label": metric_label(described.metric),
                "headline": short == frames.preset.headline,
                "better": "lower" if described.lower_is_better else "higher",
                "generated": f"{described.num_generated:,}{repeats}",
                "real": f"the first {described.num_real:,} of {described.split}" if described.num_real else "none",
                "extractor": str(rows["extractor"].iloc[0]),
                "floor": float(floors.median()) if len(floors) else None,
                "name": str(name),
            }
        )
    return sorted(entries, key=lambda entry: (not entry["headline"], entry["name"]))


def meanings(table: ScoreTable) -> list[tuple[str, str]]:
    """What the words of the page mean, for this table."""
    label = metric_label(table.metric)
    return [(label, METRICS[table.metric].meaning)] + [
        (name, text.format(label=label, transform=table.transform.text)) for name, text in _MEANINGS.items()
    ]


_MEANINGS = {
    "real images score": "The {label} of real images in place of generated ones, under the same protocol: what a "
    "perfect generator would get. It is not ideal, because the numbers of images are finite.",
    "score": "{transform}: between 0 and 1, higher is better. Means, spreads and verdicts use it, because a diverged "
    "run has no {label} but must count.",
    "diverged": "Training produced values that are not finite. That is a result, and counts as worse than any other.",
    "missing": "Not run yet, interrupted, or failed for a technical reason. That is no result and counts nowhere.",
    "seed": "Methods with the same seed see the same data in the same order and the same latents. Intervals are over "
    "seeds; the noise of measuring one trained model again is not in them.",
    "final, not best": "Everything here is the value at the last update, not the best one on the way, which would be "
    "chosen with hindsight.",
}


def grid_matrix(data: SampleGridsData) -> dict[str, Any]:
    """The sample grids as a table of images that are part of the page."""
    rows = [
        {
            "label": method_label(method),
            "cells": [_grid_cell(data, method, setting) for setting in data.settings],
        }
        for method in data.methods
    ]
    return {"settings": data.settings, "rows": rows}


def _grid_cell(data: SampleGridsData, method: str, setting: str) -> dict[str, Any]:
    cell = data.cells.get((method, setting), GridCell(None, 0, "missing"))
    picture = open_grid(cell.path)
    entry = {"state": cell.state, "words": cell_words(cell, shown=picture is not None), "source": "", "small": False}
    if picture is None:
        return entry
    content, kind = encode_png(picture), "image/png"
    if len(content) > _PNG_BYTES:
        content, kind = encode_jpeg(picture), "image/jpeg"
    ended = "" if cell.state == "completed" else f", {cell.state}"
    return {
        **entry,
        "source": data_uri(content, kind),
        "small": max(picture.size) <= _SMALL_GRID,
        "alt": f"{method_label(method)} at {setting}, seed {data.seed}, update {cell.update:,}{ended}",
    }
