"""Seeds only where a verdict is still open: which trials come next, and when none do.

The stopping rule is that of sweeps.looks: the study is judged after every seed from the first look to the last one, and
a claim gets no further seeds once its verdict has fallen. The looks are fixed and remembered in the store before any of
them is taken. They cannot be changed later, for a plan that is chosen with results in sight promises nothing; but a
launch that was stopped goes on with its plan, and so does any later one. Results that were there before the plan count
as if they had been made under it: the study is judged anew, at the stricter levels of its looks.

A time limit does no harm to these levels: who stops earlier than allowed makes fewer errors, not more.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from sngan.errors import InputError
from sngan.metrics.protocols import parse
from sweeps.claims import first_look, rule_of
from sweeps.looks import Looks
from sweeps.measures import MEASURES, CourseMeasure
from sweeps.records import StudyRecords
from sweeps.reporting import Heard, judge_and_record
from sweeps.store import ResultStore
from sweeps.study import Claim, PlannedTrial, Preset, Study, plan
from sweeps.wording import counted, duration

DEFAULT_MAX_SEEDS = 20


@dataclass(frozen=True, kw_only=True)
class UntilDecided:
    """What the user asks for.

    max_seeds : the last look; None for the one that is planned already, else 20. max_s : seconds after which no further
    seed is begun, counted from the start of the launch; None for no limit.
    """

    max_seeds: int | None = None
    max_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The claims of a study that seeds can decide, and the trials that they would need at most.

    claims : those whose methods, settings and metric the launch has. looks : at which numbers of seeds. cells : by
    (method, setting, seed), up to the last look.
    """

    claims: tuple[Claim, ...]
    looks: Looks
    cells: Mapping[tuple[str, str, int], PlannedTrial]

    @classmethod
    def of(
        cls, study: Study, preset: Preset, trials: Sequence[PlannedTrial], until: UntilDecided, known: Looks | None
    ) -> "Candidates":
        """The candidates of a launch of `trials`; `known` are the looks that the store remembers.

        Raises InputError where no claim can be judged, or the looks are others than those that were planned.
        """
        methods, settings = ({getattr(trial, name) for trial in trials} for name in ("method", "setting"))
        metrics = {parse(name).metric for name in (preset.headline, *preset.config.get("protocols", ()))}
        metrics |= {name for name, m in MEASURES.items() if not isinstance(m, CourseMeasure) or m.metric in metrics}
        claims = tuple(
            claim
            for claim in study.claims
            for rule in [rule_of(claim)]
            if methods >= set(rule.methods) and settings >= set(rule.settings) and rule.metric in metrics
        )
        if not claims:
            raise InputError(
                f"study {study.name!r} makes no claim that these methods and settings can decide.\n"
                "Launch it without --until-decided, or with more of them."
            )
        looks = _agreed(known, until.max_seeds, max(first_look(len(study.claims)), 1 + max(t.seed for t in trials)))
        rules = [rule_of(claim) for claim in claims]
        planned = plan(
            preset,
            methods=list(dict.fromkeys(name for rule in rules for name in rule.methods)),
            settings=list(dict.fromkeys(name for rule in rules for name in rule.settings)),
            seeds=looks.last,
        )
        return cls(
            claims=claims, looks=looks, cells={(trial.method, trial.setting, trial.seed): trial for trial in planned}
        )

    def of_claim(self, claim: Claim, num_seeds: int) -> list[PlannedTrial]:
        """The trials that a claim needs to be judged with so many seeds, seed by seed."""
        rule = rule_of(claim)
        cells = product(range(num_seeds), rule.methods, rule.settings)
        return [self.cells[method, setting, seed] for seed, method, setting in cells]

    def at_most(self) -> list[PlannedTrial]:
        """Every trial that is run where no verdict falls before the last look, each once."""
        found = (trial for claim in self.claims for trial in self.of_claim(claim, self.looks.last))
        return list({trial.digest: trial for trial in found}.values())


def _agreed(known: Looks | None, max_seeds: int | None, first: int) -> Looks:
    """The looks to keep to: the known ones, or new ones."""
    if known is not None:
        if max_seeds is not None and max_seeds != known.last:
            raise InputError(
                f"--max-seeds is {max_seeds}, but this study is judged at {known.first} to {known.last} seeds: "
                "that was fixed before the first look.\nLeave it out to go on, or begin anew in another folder (--out)."
            )
        return known
    last = max(first, DEFAULT_MAX_SEEDS) if max_seeds is None else max_seeds
    if last < first:
        raise InputError(f"--max-seeds is {last}; allowed: {first} or more, below which this study gets no verdict.")
    return Looks(first=first, last=last)


class Rounds:
    """What a launch runs after its plan: round by round the next seeds of the claims that are open.

    `said` : what the newest round is, or why there is none, in a sentence; "" before. `begun` : all their trials.
    """

    def __init__(
        self,
        store: ResultStore,
        study: Study,
        preset: Preset,
        candidates: Candidates,
        *,
        max_s: float | None,
        expected_s: Callable[[Sequence[PlannedTrial]], float | None],
        heard: Heard,
    ) -> None:
        """`expected_s` tells how long trials would take together, None where that is not known; `heard` is told of the
        verdicts at every look.
        """
        self._store, self._study, self._preset, self._candidates = store, study, preset, candidates
        self._expected_s, self._heard = expected_s, heard
        self._deadline = None if max_s is None else time.monotonic() + max_s
        self.said = ""
        self.begun: list[PlannedTrial] = []

    def remember(self) -> None:
        """Fix the looks in the store, where the study is registered."""
        self._store.plan_looks(self._study.name, self._preset.name, self._candidates.looks)

    def further(self) -> list[PlannedTrial]:
        """Trials without a result that the open claims need for their next look; none where the launch ends."""
        candidates = self._candidates
        records = StudyRecords(store=self._store, study=self._study, preset=self._preset)
        verdicts = judge_and_record(records, self._heard)
        undecided = {verdict.claim for verdict in verdicts if verdict.verdict == "undecided"}
        still_open = [claim for claim in candidates.claims if claim.name in undecided]
        states = self._store.known_states([trial.digest for trial in candidates.cells.values()])
        finished = {digest for digest, state in states.items() if state.finished}
        wanted = {trial.digest: trial for claim in still_open for trial in self._next_look(claim, finished)}
        names = ", ".join(claim.name for claim in still_open)
        if not still_open:
            self.said = f"Decided: {_every(len(candidates.claims))} a verdict."
        elif not wanted:
            self.said = f"Undecided after all {candidates.looks.last} planned seeds: {names}."
        elif not self._in_time(list(wanted.values())):
            left = max(0.0, (self._deadline or 0.0) - time.monotonic())
            self.said = f"Out of time ({duration(left)} left): undecided so far: {names}."
            return []
        else:
            seeds = sorted({trial.seed for trial in wanted.values()})
            shown = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
            self.said = f"Open: {names}. {counted(len(wanted), 'trial')} more, with {shown}."
            self.begun += wanted.values()
        return list(wanted.values())

    def _next_look(self, claim: Claim, finished: set[str]) -> list[PlannedTrial]:
        """What is missing for the first look that lacks something; nothing after the last look."""
        for number in self._candidates.looks.numbers_of_seeds:
            needed = self._candidates.of_claim(claim, number)
            missing = [trial for trial in needed if trial.digest not in finished]
            if missing:
                return missing
        return []

    def _in_time(self, trials: Sequence[PlannedTrial]) -> bool:
        """Whether they would likely end before the deadline; where their cost is unknown, whether it has not passed."""
        return self._deadline is None or time.monotonic() + (self._expected_s(trials) or 0.0) < self._deadline


def _every(number: int) -> str:
    return "the one claim that can be judged has" if number == 1 else f"all {number} claims that can be judged have"
