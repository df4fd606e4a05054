"""One row per claim: what the study says about a paper's sentence."""

from collections.abc import Sequence

from dashboards.figures import StudyFrames
from dashboards.tables.base import Cell, Column, Table
from dashboards.views import effect_text
from sweeps.claims import Verdict
from sweeps.study import Claim
from sweeps.wording import level_text, p_text

_FIELDS = (
    "claim", "verdict", "effect", "low", "high", "level", "p_value", "effect_label", "num_seeds", "seeds_needed",
    "protocol", "source", "sentence", "explanation",
)  # fmt: skip


def verdicts_table(verdicts: Sequence[Verdict], frames: StudyFrames) -> Table:
    """The verdicts in the order of the study's claims."""
    claims = {claim.name: claim for claim in frames.study.claims}
    return Table(
        name="verdicts",
        study=frames.name,
        title="Verdicts",
        caption=f"Claims judged by study {frames.study.name} at preset {frames.preset.name}: effect with its "
        "interval over training seeds, adjusted p value, and the seeds behind it.",
        notes=(
            "In at most 5 % of studies any of the verdicts is wrong: p values are adjusted for all claims and looks, "
            "and intervals have the level at which the claim was tested. Needed: seeds in all that would likely "
            "decide.",
            *filter(None, [frames.preset.caveat]),
        ),
        columns=(
            Column("Claim", "words"),
            Column("Source", "words"),
            Column("Verdict", "name"),
            *map(Column, ("Effect", "Level", "Adjusted p", "Seeds", "Needed")),
        ),
        rows=tuple(_row(verdict, claims.get(verdict.claim)) for verdict in verdicts),
        fields=_FIELDS,
        records=tuple(_record(verdict, claims.get(verdict.claim)) for verdict in verdicts),
    )


def _row(verdict: Verdict, claim: Claim | None) -> tuple[Cell, ...]:
    sentence, source = _told(verdict, claim)
    texts = (sentence, source, verdict.verdict, effect_text(verdict),
             level_text(verdict.level) or "–", p_text(verdict.p_value), str(verdict.num_seeds),
             verdict.seeds_needed_text or "–")  # fmt: skip
    return tuple(map(Cell, texts))


def _record(verdict: Verdict, claim: Claim | None) -> tuple[object, ...]:
    sentence, source = _told(verdict, claim)
    return (
        verdict.claim, verdict.verdict, verdict.effect, verdict.low, verdict.high, verdict.level, verdict.p_value,
        verdict.effect_label, verdict.num_seeds, verdict.seeds_needed, verdict.protocol, source, sentence,
        verdict.explanation,
    )  # fmt: skip


def _told(verdict: Verdict, claim: Claim | None) -> tuple[str, str]:
    """Sentence and source; a claim that the study does not know any more is told by its name."""
    return (claim.sentence, claim.source) if claim else (verdict.claim, "")
