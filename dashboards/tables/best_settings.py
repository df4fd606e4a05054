"""Every method at its best setting beside what papers report, and whether the two may be compared."""

from collections.abc import Iterator

import numpy as np

from dashboards.best_setting import BestSetting, best_setting_of
from dashboards.figures import StudyFrames
from dashboards.figures.frames import metric_label
from dashboards.figures.style import method_label
from dashboards.tables.base import Cell, Column, Table, range_text, run_marks, sign_notes
from dashboards.tables.searched import SEARCH_NOTE, compared
from sweeps.published import NOT_FOUND, REAL_IMAGES, Comparison, PublishedScore, comparison, published
from sweeps.scores import ScoreTable

_FIELDS = (
    "method", "label", "setting", "protocol", "median", "quartile_low", "quartile_high", "num_seeds", "num_diverged",
    "num_missing", "published", "published_spread", "spread_of", "published_protocol", "measured", "published_updates",
    "architecture", "comparable", "reason", "source",
)  # fmt: skip

_OURS = 2  # the column of what was measured here


def best_settings_table(frames: StudyFrames) -> Table:
    """Best first. For readers the published number that is most alike, for programs all of them."""
    table = compared(frames)
    metric = metric_label(table.metric)
    found = sorted((best_setting_of(table, method) for method in table.methods), key=lambda best: _order(best, table))
    real = _real_images(frames)
    pairs = [(best, _beside(best, frames)) for best in (*found, *([real] if real else []))]
    rows = tuple(_row(best, scores) for best, scores in pairs)
    return Table(
        name="best-settings",
        study=frames.name,
        title="Best settings beside published numbers",
        caption=f"{metric} of every method at its best setting, at the last update under {table.protocol}, median over "
        "seeds; and the published number measured most alike.",
        notes=(
            *[SEARCH_NOTE] * (frames.preset.search is not None),
            "The best setting is chosen on the runs that it is judged by, which flatters all of them alike.",
            *sign_notes(row[_OURS] for row in rows),
            *_caution(frames, any(scores for _, scores in pairs)),
            *filter(None, [frames.preset.caveat]),
        ),
        columns=(
            Column("Method", "name"), Column("Setting", "name"), Column(f"{metric} here"), Column("Published"),
            *(Column(heading, "words") for heading in ("Published protocol", "Like for like?", "Source")),
        ),
        rows=rows,
        fields=_FIELDS,
        records=tuple(record for best, scores in pairs for record in _records(best, scores, table)),
    )  # fmt: skip


def _order(best: BestSetting, table: ScoreTable) -> tuple[bool, float]:
    return np.isnan(best.median), best.median if table.lower_is_better else -best.median


def _real_images(frames: StudyFrames) -> BestSetting | None:
    """Real images in place of generated ones, where the study measured them."""
    floor = frames.headline.floor
    if floor is None:
        return None
    return BestSetting(
        method=REAL_IMAGES, setting="", median=floor, low=floor, high=floor, num_seeds=1, num_diverged=0, num_missing=0,
        settings=(),
    )  # fmt: skip


def _beside(best: BestSetting, frames: StudyFrames) -> list[tuple[PublishedScore, Comparison]]:
    """The published numbers of the method with the headline's metric, the comparable and the most alike first."""
    table, trials = frames.headline, frames.trials
    if trials.empty:
        return []
    architecture, updates = str(trials["architecture"].iloc[0]), int(trials["updates"].iloc[0])
    known = [score for score in published(table.dataset, method=best.method) if score.metric == table.metric]
    told = [
        (
            score,
            comparison(
                score,
                dataset=table.dataset,
                architecture=architecture,
                protocol=frames.preset.headline,
                updates=updates,
                settings=None if best.method == REAL_IMAGES else best.settings,
            ),
        )
        for score in known
    ]

    def unlike(entry: tuple[PublishedScore, Comparison]) -> tuple[bool, bool, bool]:
        score, found = entry
        return not found.comparable, score.architecture != architecture, score.protocol != frames.preset.headline

    return sorted(told, key=unlike)


def _caution(frames: StudyFrames, any_published: bool) -> Iterator[str]:
    """What the published column cannot say, or that there is none."""
    if any_published:
        yield (
            "Like for like is by what the sources state. Papers seldom say how many runs stand behind a number; a ± of "
            "the SN paper's standard CNN is over measurements of one model, not over training seeds."
        )
    else:
        yield f"No published number for the data set {frames.headline.dataset or '(none yet)'} is known here."
    for paper, sentence in NOT_FOUND.items():
        if any(paper in claim.source for claim in frames.study.claims):
            yield sentence


def _row(best: BestSetting, scores: list[tuple[PublishedScore, Comparison]]) -> tuple[Cell, ...]:
    ours = range_text(best.median, best.low, best.high, num_runs=best.num_seeds)
    ours += run_marks(best.num_diverged, best.num_missing) if best.num_seeds else ""
    if not scores:
        return tuple(map(Cell, (_label(best), best.setting or "–", ours, "–", "–", "–", "–")))
    score, found = scores[0]
    theirs = f"{score.value:g}" + (f" ± {score.spread:g}" if score.spread is not None else "")
    alike = "yes" if found.comparable else f"no: {found.reason}"
    how = score.protocol or score.measured
    return tuple(map(Cell, (_label(best), best.setting or "–", ours, theirs, how, alike, score.source)))


def _records(
    best: BestSetting, scores: list[tuple[PublishedScore, Comparison]], table: ScoreTable
) -> Iterator[tuple[object, ...]]:
    ours = (best.method, _label(best), best.setting, table.protocol, best.median, best.low, best.high,
            best.num_seeds, best.num_diverged, best.num_missing)  # fmt: skip
    if not scores:
        yield (*ours, *[None] * (len(_FIELDS) - len(ours)))
    for score, found in scores:
        yield (
            *ours, score.value, score.spread, score.spread_of, score.protocol, score.measured, score.updates,
            score.architecture, "yes" if found.comparable else "no", found.reason, score.source,
        )  # fmt: skip


def _label(best: BestSetting) -> str:
    return "Real images" if best.method == REAL_IMAGES else method_label(best.method)
