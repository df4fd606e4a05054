"""Claim + scores -> verdict: what a study says about a paper's sentence, and how sure it may be.

A verdict is "supported" or "contradicted" only when the 95 % intervals over training seeds exclude the other
possibility (sweeps.rules.evidence says how); else it is "undecided" and says what is missing or how many
seeds would likely decide. One seed decides nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sngan.fields import decode
from sweeps.rules import RULES, Decision, Rule, decide
from sweeps.rules.evidence import MAX_SEEDS, MIN_SEEDS, VerdictName
from sweeps.scores import ScoreTable
from sweeps.study import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the scores say about one claim.

    claim : its name. effect, low, high : mean over seeds of the contrast that decided or stands in the way,
    and its 95 % interval; None where it cannot be computed. effect_label : what that contrast measures, and
    its unit. num_seeds : complete seeds behind the weakest contrast. seeds_needed : seeds in all that would
    likely decide, None when decided or not foreseeable, 101 for more than 100. protocol : full name, ""
    without a measurement. explanation : one or two sentences.
    """

    claim: str
    verdict: VerdictName
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    effect_label: str = ""
    num_seeds: int = 0
    seeds_needed: int | None = None
    protocol: str = ""
    explanation: str

    @property
    def seeds_needed_text(self) -> str:
        """The seeds still needed in words: "", "12" or "more than 100"."""
        if self.seeds_needed is None:
            return ""
        return str(self.seeds_needed) if self.seeds_needed <= MAX_SEEDS else f"more than {MAX_SEEDS}"


def judge(claims: Sequence[Claim], tables: Mapping[str, ScoreTable]) -> list[Verdict]:
    """One verdict per claim, in their order.

    `tables` holds score tables by any name; a claim is judged on the first one with its metric, so the
    headline protocol stands first. Give tables of final scores: the best over all evaluations is chosen with
    hindsight. Raises InputError for a claim whose rule or arguments do not exist.
    """
    return [_judge(claim, tables) for claim in claims]


def rule_of(claim: Claim) -> Rule:
    """The rule of a claim with its arguments. Raises InputError for one that does not exist."""
    return decode(RULES[claim.rule], claim.contrast, f"claim {claim.name}")


def _judge(claim: Claim, tables: Mapping[str, ScoreTable]) -> Verdict:
    rule = rule_of(claim)
    table = next((table for table in tables.values() if table.metric == rule.metric), None)
    if table is None:
        text = f"{rule.metric.upper()} was not measured."
        return Verdict(claim=claim.name, verdict="undecided", explanation=text)
    missing = _missing(rule, table)
    if missing:
        text = f"No result yet for {missing}."
        found = Verdict(claim=claim.name, verdict="undecided", protocol=table.protocol, explanation=text)
    else:
        found = _verdict(claim.name, decide(rule.contrasts(table)), table)
    if rule.datasets and table.dataset not in rule.datasets:
        about = f"This is about {table.dataset}; the claim speaks of {' and '.join(rule.datasets)}."
        found = replace(found, explanation=f"{found.explanation} {about}")
    return found


def _missing(rule: Rule, table: ScoreTable) -> str:
    """What keeps every seed from being complete, in words; "" when nothing does."""
    absent = [f"method {name}" for name in rule.methods if name not in table.methods]
    absent += [f"setting {name}" for name in rule.settings if name not in table.settings]
    if absent:
        return ", ".join(absent)
    cells = [
        f"{method} at {setting}"
        for method in rule.methods
        for setting, runs in zip(rule.settings, table.pick(method, rule.settings), strict=True)
        if not (runs >= 0).any()
    ]
    if cells:
        return ", ".join(cells[:6]) + (f" and {len(cells) - 6} more" if len(cells) > 6 else "")
    if min(contrast.num_seeds for contrast in rule.contrasts(table)) == 0:
        return "any seed at all of the methods and settings that are compared"
    return ""


def _verdict(claim: str, decision: Decision, table: ScoreTable) -> Verdict:
    limiting = decision.limiting
    half = limiting.half_width()
    assert math.isfinite(limiting.mean)
    return Verdict(
        claim=claim,
        verdict=decision.verdict,
        effect=limiting.mean,
        low=None if half is None else limiting.mean - half,
        high=None if half is None else limiting.mean + half,
        effect_label=f"{limiting.label} ({limiting.unit})",
        num_seeds=decision.num_seeds,
        seeds_needed=decision.seeds_needed,
        protocol=table.protocol,
        explanation=_explanation(decision),
    )


def _explanation(decision: Decision) -> str:
    limiting, seeds = decision.limiting, f"{decision.num_seeds} seed{'s' * (decision.num_seeds != 1)}"
    several = decision.num_contrasts > 1
    if decision.verdict == "supported":
        every = f"Each of the {decision.num_contrasts} comparisons holds over {seeds}; the closest: "
        return f"{every if several else f'Holds over {seeds}: '}{limiting.reading}."
    if decision.verdict == "contradicted":
        corrected = f", also corrected for {decision.num_contrasts} comparisons" if several else ""
        return f"The interval over {seeds} excludes it{corrected}: {limiting.reading}."
    if decision.num_seeds < MIN_SEEDS:
        return f"{seeds} cannot decide, {MIN_SEEDS} are the least; so far {limiting.reading}."
    holding = f"{decision.num_holding} of {decision.num_contrasts} comparisons hold; the weakest: "
    return f"Open after {seeds}: {holding if several else ''}{limiting.reading}."
