"""Claims + scores -> verdicts: what a study says about a paper's sentences, and how sure it may be.

A verdict is "supported" or "contradicted" only where the t tests over training seeds exclude the other possibility
(sweeps.rules.evidence says how), else it is "undecided" and says what is missing or how many seeds would likely decide.

What is promised: among *all* claims of a study, any is wrongly supported in at most 2.5 % of studies, and any is
wrongly contradicted in at most 2.5 %; so any verdict is wrong in at most 5 %. Holm's procedure (sweeps.multiplicity)
gives that, however the claims depend on each other, once over the p values of "supported" and once over those of
"contradicted". A claim that nobody can judge yet counts like the others, so the promise does not change while a study
grows.

A study without planned looks is judged once, on all seeds that are complete for a claim. With planned looks
(sweeps.looks) it is judged again after every seed, on seeds 0 to n - 1 alone, and a verdict stays as it was at the look
where it fell. All of it follows from the scores and the plan: judging again replays the looks, and needs no memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from sngan.errors import InputError
from sngan.fields import decode
from sweeps.looks import ONCE, Looks
from sweeps.measures import MEASURES
from sweeps.multiplicity import Step, step_down
from sweeps.rules import RULES, Decision, Evidence, Rule, decide
from sweeps.rules.evidence import ALPHA, MAX_SEEDS, VerdictName, least_seeds, unseen_rate
from sweeps.scores import ScoreTable
from sweeps.study import Claim

_NAMED = 8  # missing things that are named one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the scores say about one claim.

    claim : its name. effect, low, high : mean over seeds of the contrast that decided or stands in the way, and its
    interval; None where it cannot be computed. level : coverage of that interval, 0 to 1: the one at which Holm's
    procedure tested the claim, so that the interval excludes the boundary where the claim is decided; with planned
    looks it holds for all of them together. p_value : two-sided, corrected for claims, contrasts and looks; at most
    0.05 for a verdict, None without a test. effect_label : what the effect measures, and its unit. num_seeds :
    complete seeds behind the weakest contrast. seeds_needed : seeds in all that would likely decide, None when decided
    or not foreseeable, 101 for more than 100. protocol : full name, "" without a measurement. explanation : some
    sentences.
    """

    claim: str
    verdict: VerdictName
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    p_value: float | None = None
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


def judge(claims: Sequence[Claim], tables: Mapping[str, ScoreTable], looks: Looks | None = None) -> list[Verdict]:
    """One verdict per claim, in their order. `claims` are all that are judged together: each costs the others power.

    `tables` holds score tables by any name; a claim is judged on the first one with its metric, so the
    headline protocol stands first. Give tables of final scores: the best over all evaluations is chosen with
    hindsight. `looks`: the numbers of seeds at which the study is judged, where that was planned.
    Raises InputError for a claim whose rule or arguments do not exist.
    """
    cases = [_Case(claim, tables, looks or ONCE) for claim in claims]
    if looks is None:
        _judge_together(cases, [case.table for case in cases])
    for number in looks.numbers_of_seeds if looks else ():
        _judge_together(cases, [case.table_at(number) for case in cases])
    return [case.conclude() for case in cases]


def rule_of(claim: Claim) -> Rule:
    """The rule of a claim with its arguments. Raises InputError, which names the claim, for what cannot be judged."""
    try:
        return decode(RULES[claim.rule], claim.contrast, "contrast")
    except InputError as error:
        raise InputError(f"claim {claim.name}: {error}") from None


def claims_about(claims: Sequence[Claim], dataset: str, settings: Iterable[str] = ()) -> tuple[Claim, ...]:
    """Those that speak of a data set; where none does, those that speak of the same as the first that names one.

    Papers say different things of different data sets; a run on digits demonstrates what a study says of its first.
    Claims that name no data set speak of all. settings : where given, a claim about none of them is left out, such as
    one about a ResNet's setting where the standard CNN is trained.
    """
    given = set(settings)
    claims = [claim for claim in claims if not given or given.intersection(rule_of(claim).settings or given)]
    spoken_of = [set(rule_of(claim).datasets) for claim in claims]
    first = next((names for names in spoken_of if names), set())
    chosen = {dataset} if any(dataset in names for names in spoken_of) else first
    return tuple(claim for claim, names in zip(claims, spoken_of, strict=True) if not names or chosen & names)


def first_look(num_claims: int) -> int:
    """The fewest seeds at which any of so many claims can get a verdict."""
    return least_seeds(ALPHA / num_claims)


def _judge_together(cases: Sequence["_Case"], tables: Sequence[ScoreTable | None]) -> None:
    """One look at every open claim that has a table for it; then Holm's procedure over all claims."""
    for case, table in zip(cases, tables, strict=True):
        if table is not None and not case.decided:
            case.look(table)
    supported = step_down([case.p_supported for case in cases], ALPHA)
    contradicted = step_down([case.p_contradicted for case in cases], ALPHA)
    for case, *steps in zip(cases, supported, contradicted, strict=True):
        if not case.decided:
            case.weigh(*steps)


class _Case:
    """A claim while it is judged: the strongest evidence of any look for and against it, and what follows."""

    def __init__(self, claim: Claim, tables: Mapping[str, ScoreTable], looks: Looks) -> None:
        self.claim = claim
        self.rule = rule_of(claim)
        self._looks = looks
        self._measured = next((table for table in tables.values() if table.metric == self.rule.metric), None)
        self._lacks = self._missing()
        self._newest: Evidence | None = None
        self._for: Evidence | None = None
        self._against: Evidence | None = None
        self._decision: Decision | None = None
        self._p_value = 1.0

    @property
    def decided(self) -> bool:
        """Whether a verdict has fallen: it stays."""
        return self._decision is not None and self._decision.verdict != "undecided"

    @property
    def p_supported(self) -> float:
        """The smallest p value of "supported" at any look so far."""
        return self._for.p_supported if self._for else 1.0

    @property
    def p_contradicted(self) -> float:
        """The smallest p value of "contradicted" at any look so far."""
        return self._against.p_contradicted if self._against else 1.0

    @cached_property
    def table(self) -> ScoreTable | None:
        """The scores that it is judged on, of the seeds that are complete for it; None where there is no such seed."""
        if self._measured is None or self._lacks:
            return None
        complete = self._complete(self._measured)
        return self._measured.of_seeds(complete) if complete.any() else None

    def table_at(self, number: int) -> ScoreTable | None:
        """The scores of seeds 0 to `number` - 1, None while one of them is incomplete."""
        return self.table.first_seeds(number) if self.table and self._seeds_in_a_row >= number else None

    def look(self, table: ScoreTable) -> None:
        """Take the evidence of one look into account."""
        found = Evidence(contrasts=self.rule.contrasts(table), looks=self._looks)
        self._newest = found
        if not self._for or found.p_supported < self._for.p_supported:
            self._for = found
        if not self._against or found.p_contradicted < self._against.p_contradicted:
            self._against = found

    def weigh(self, supported: Step, contradicted: Step) -> None:
        """Decide by the levels at which Holm's procedure tests this claim now."""
        chosen = self._newest
        if self.p_supported <= supported.alpha:
            chosen = self._for
        elif self.p_contradicted <= contradicted.alpha:
            chosen = self._against
        if chosen is not None and chosen.num_seeds:
            self._decision = decide(chosen, alpha=supported.alpha, against=contradicted.alpha)
            self._p_value = min(1.0, 2 * min(supported.adjusted, contradicted.adjusted))

    def conclude(self) -> Verdict:
        """The verdict after the last look."""
        table, decision = self._measured, self._decision
        if table is None:
            return self._open(f"{_measured_name(self.rule.metric)} was not measured.")
        if self._lacks:
            return self._open(f"No result yet for {self._lacks}.")
        if decision is None:
            return self._before_the_first_look(table)
        limiting, half = decision.limiting, decision.half_width
        # A t interval does not know that differences of scores and rank correlations end at -1 and 1.
        end = limiting.bound
        low, high = (None, None) if half is None else (max(-end, limiting.mean - half), min(end, limiting.mean + half))
        seeds_needed, last = decision.seeds_needed, self._looks.last
        beyond_plan = self._looks != ONCE and seeds_needed is not None and seeds_needed > last
        said = [_explanation(decision, self._looks)]
        said += [f"As things stand, the {last} seeds that are planned will not decide it."] * beyond_plan
        return Verdict(
            claim=self.claim.name,
            verdict=decision.verdict,
            effect=limiting.mean,
            low=low,
            high=high,
            level=None if half is None else decision.level,
            p_value=self._p_value,
            effect_label=f"{limiting.label} ({limiting.unit})",
            num_seeds=decision.num_seeds,
            seeds_needed=None if beyond_plan else seeds_needed,
            protocol=table.protocol,
            explanation=" ".join([*said, *self._left_out(table), *self.rule.remarks(table)]),
        )

    def _open(self, *sentences: str) -> Verdict:
        table = self._measured
        if table is None:
            return Verdict(claim=self.claim.name, verdict="undecided", explanation=" ".join(sentences))
        return Verdict(
            claim=self.claim.name,
            verdict="undecided",
            protocol=table.protocol,
            explanation=" ".join([*sentences, *self.rule.remarks(table)]),
        )

    def _before_the_first_look(self, table: ScoreTable) -> Verdict:
        if self._looks == ONCE:
            return self._open("No seed has a result for all methods and settings that are compared.")
        words = f"It is judged with {self._looks.first} seeds for the first time; {self._seeds_in_a_row} are complete."
        return self._open(words, *self._left_out(table))

    def _missing(self) -> str:
        """Methods, settings or cells without any result, in words; "" when there is one for each."""
        table, rule = self._measured, self.rule
        if table is None:
            return ""
        absent = {
            "method": [name for name in rule.methods if name not in table.methods],
            "setting": [name for name in rule.settings if name not in table.settings],
        }
        told = [f"{kind}{'s' * (len(names) > 1)} {_listed(names)}" for kind, names in absent.items() if names]
        return "; ".join(told) or _listed([cell for cell, runs in self._cells(table) if np.isnan(runs).all()])

    def _cells(self, table: ScoreTable) -> list[tuple[str, np.ndarray]]:
        """The cells that the claim needs, in words, with their scores [K]."""
        runs = {name: table.pick(name, self.rule.settings) for name in self.rule.methods}
        pairs = product(self.rule.methods, enumerate(self.rule.settings))
        return [(f"{method} at {setting}", runs[method][index]) for method, (index, setting) in pairs]

    def _complete(self, table: ScoreTable) -> np.ndarray:
        """Which of the table's seeds have a result in every cell that the claim needs."""
        complete = np.ones(len(table.seeds), dtype=np.bool_)
        for _, runs in self._cells(table):  # none where a search chooses the settings: its rule leaves seeds out itself
            complete &= ~np.isnan(runs)
        return complete

    @cached_property
    def _seeds_in_a_row(self) -> int:
        """How many of the seeds 0, 1, 2 ... are complete before the first that is not."""
        if self.table is None:
            return 0
        return next(number for number in range(len(self.table.seeds) + 1) if number not in self.table.seeds)

    def _left_out(self, table: ScoreTable) -> list[str]:
        """A sentence on seeds that do not count because a run of theirs is missing, and on which; else none."""
        complete = self._complete(table)
        # A claim that is decided gets no further seeds of its own, only those that it shares with others.
        if complete.all() or (self.decided and self._looks != ONCE):
            return []
        seeds = [str(seed) for seed, whole in zip(table.seeds, complete, strict=True) if not whole]
        cells = _listed([cell for cell, runs in self._cells(table) if np.isnan(runs).any()])
        return [f"Left out: seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}, for lack of a result for {cells}."]


def _measured_name(metric: str) -> str:
    """A metric or measure at the beginning of a sentence."""
    name = MEASURES[metric].title if metric in MEASURES else metric.upper()
    return f"{name[0].upper()}{name[1:]}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _explanation(decision: Decision, looks: Looks) -> str:
    limiting, count = decision.limiting, decision.num_contrasts
    seeds = f"{decision.num_seeds} seed{'s' * (decision.num_seeds != 1)}"
    planned = f"{looks.first} to {looks.last} seeds"
    at = f", at the look with {decision.num_seeds} of {planned} that were planned" if looks != ONCE else ""
    so_far = f", judged after each of {planned}" if looks != ONCE else ""
    rate = f"{100 * unseen_rate(decision.num_seeds):.0f} %"
    unseen = f"A collapse that strikes up to {rate} of seeds can be absent from all of them."
    if decision.verdict == "supported":
        every = f"Each of the {count} comparisons holds over {seeds}{at}; the closest: "
        return f"{every if count > 1 else f'Holds over {seeds}{at}: '}{limiting.reading}. {unseen}"
    if decision.verdict == "contradicted":
        corrected = f", also corrected for {count} comparisons" if count > 1 else ""
        return f"The interval over {seeds} excludes it{at}{corrected}: {limiting.reading}. {unseen}"
    least = min(decision.least_for, decision.least_against)
    if decision.num_seeds < least:
        return f"{seeds} cannot decide, {least} are the least; so far {limiting.reading}."
    cannot = [("support", decision.least_for), ("contradict", decision.least_against)]
    limits = "".join(f" {seeds} cannot {do} it, {n} are the least." for do, n in cannot if decision.num_seeds < n)
    if count == 1:
        return f"Open after {seeds}{so_far}: {limiting.reading}.{limits}"
    contrary = limiting.contrary
    half = contrary.half_width((1 - decision.level) / 2, looks)
    against = half is not None and contrary.mean + half < contrary.contradict_below
    chance = ", not beyond chance" if against else ""
    holding = f"{decision.num_holding} of {count} comparisons hold"
    return f"Open after {seeds}{so_far}: {holding}; the weakest{chance}: {limiting.reading}.{limits}"
