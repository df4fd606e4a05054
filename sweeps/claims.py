"""Claim + scores -> verdict: what a study says about a paper's sentence, and how sure it may be.

A verdict is "supported" or "contradicted" only when the 95 % intervals over training seeds exclude the other
possibility (sweeps.rules.evidence says how); else it is "undecided" and says what is missing or how many
seeds would likely decide. Fewer than three seeds decide nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sngan.fields import decode
from sweeps.measures import MEASURES
from sweeps.rules import RULES, Decision, Rule, decide
from sweeps.rules.evidence import MAX_SEEDS, MIN_SEEDS, VerdictName, unseen_rate
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
        """The seeds in all that would likely decide, in words: "", "12" or "more than 100"."""
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
        name = MEASURES[rule.metric].title if rule.metric in MEASURES else rule.metric.upper()
        return _open(claim, f"{name[0].upper()}{name[1:]} was not measured.", "")
    found = _judge_on(claim, rule, table)
    if rule.datasets and table.dataset and table.dataset not in rule.datasets:
        about = f"This is about {table.dataset}; the claim speaks of {' and '.join(rule.datasets)}."
        found = replace(found, explanation=f"{found.explanation} {about}")
    return found


def _judge_on(claim: Claim, rule: Rule, table: ScoreTable) -> Verdict:
    if missing := _missing(rule, table):
        return _open(claim, f"No result yet for {missing}.", table.protocol)
    contrasts = rule.contrasts(table)
    if min(contrast.num_seeds for contrast in contrasts) == 0:
        return _open(claim, "No seed has a result for all methods and settings that are compared.", table.protocol)
    return _verdict(claim, decide(contrasts), table)


def _open(claim: Claim, explanation: str, protocol: str) -> Verdict:
    return Verdict(claim=claim.name, verdict="undecided", protocol=protocol, explanation=explanation)


def _missing(rule: Rule, table: ScoreTable) -> str:
    """Methods, settings or cells without any result, in words; "" when there is one for each."""
    absent = [f"method {name}" for name in rule.methods if name not in table.methods]
    absent += [f"setting {name}" for name in rule.settings if name not in table.settings]
    absent = absent or [
        f"{method} at {setting}"
        for method in rule.methods
        for setting, runs in zip(rule.settings, table.pick(method, rule.settings), strict=True)
        if np.isnan(runs).all()
    ]
    return ", ".join(absent[:8]) + (f" and {len(absent) - 8} more" if len(absent) > 8 else "")


def _verdict(claim: Claim, decision: Decision, table: ScoreTable) -> Verdict:
    limiting = decision.limiting
    half = limiting.half_width()
    # Differences of scores and rank correlations lie in [-1, 1]; a t interval does not know.
    low, high = (None, None) if half is None else (max(-1.0, limiting.mean - half), min(1.0, limiting.mean + half))
    return Verdict(
        claim=claim.name,
        verdict=decision.verdict,
        effect=limiting.mean,
        low=low,
        high=high,
        effect_label=f"{limiting.label} ({limiting.unit})",
        num_seeds=decision.num_seeds,
        seeds_needed=decision.seeds_needed,
        protocol=table.protocol,
        explanation=_explanation(decision),
    )


def _explanation(decision: Decision) -> str:
    limiting, count = decision.limiting, decision.num_contrasts
    seeds = f"{decision.num_seeds} seed{'s' * (decision.num_seeds != 1)}"
    rate = f"{100 * unseen_rate(decision.num_seeds):.0f} %"
    unseen = f"A collapse that strikes up to {rate} of seeds can be absent from all of them."
    if decision.verdict == "supported":
        every = f"Each of the {count} comparisons holds over {seeds}; the closest: "
        return f"{every if count > 1 else f'Holds over {seeds}: '}{limiting.reading}. {unseen}"
    if decision.verdict == "contradicted":
        corrected = f", also corrected for {count} comparisons" if count > 1 else ""
        return f"The interval over {seeds} excludes it{corrected}: {limiting.reading}. {unseen}"
    if decision.num_seeds < MIN_SEEDS:
        return f"{seeds} cannot decide, {MIN_SEEDS} are the least; so far {limiting.reading}."
    if count == 1:
        return f"Open after {seeds}: {limiting.reading}."
    half = limiting.half_width()
    against = half is not None and limiting.mean + half < limiting.contradict_below
    chance = ", not beyond chance" if against else ""
    holding = f"{decision.num_holding} of {count} comparisons hold"
    return f"Open after {seeds}: {holding}; the weakest{chance}: {limiting.reading}."
