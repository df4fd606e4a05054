"""A sweep as the terminal sees it: how far every trial is, what a cell says, how long it takes.

Plain data without any drawing: `sweeps.progress` shows it.
"""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from sngan.methods import METHODS, SETTINGS
from sngan.metrics.protocols import parse
from sngan.results import Evaluation, Outcome
from sweeps.costs import work
from sweeps.spaces import place_of
from sweeps.study import PlannedTrial

STATES = ("completed", "diverged", "failed", "running", "queued")


@dataclass(slots=True, kw_only=True)
class TrialStatus:
    """What is known of one trial.

    update, updates : last evaluated update, and the trial's length. value : headline score there, None before
        the first.
    weight : expected cost, in s where `Board.weights_are_seconds`, else in arbitrary units.
    spent_s : measured cost up to `update`, over all attempts, or None.
    seen_at : clock at the last news of a running trial.
    """

    state: str
    updates: int
    update: int = 0
    value: float | None = None
    weight: float = 1.0
    spent_s: float | None = None
    seen_at: float | None = None

    @property
    def fraction(self) -> float:
        """Share of the trial's updates that are done, 0 to 1."""
        return min(1.0, self.update / self.updates) if self.updates > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One method at one setting, its seeds together.

    value : median headline score of the seeds with a result, diverged ones counted as worst; of a search the best.
        None where there is no result or the median itself has diverged.
    fraction : mean share of updates done of the running seeds.
    """

    counts: Mapping[str, int]
    value: float | None
    fraction: float

    @property
    def total(self) -> int:
        """Seeds planned."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """Seeds with a result: completed or diverged."""
        return self.counts["completed"] + self.counts["diverged"]


class Board:
    """States, scores and costs of a sweep's trials, kept up to date by what the engine reports.

    Parameters
    ----------
    trials : everything planned, finished trials too.
    headline : short name of the protocol whose score stands in the cells.
    states, values : what the store knows at the start, by digest; missing ones are queued, without a score.
    expected_s : expected cost of trials from earlier measurements, s, by digest; where a trial lacks one, its
        cost is taken to be proportional to its number of discriminator and generator updates.
    slots : trials that run at the same time.
    to_come : trials that searches will propose from the results of these.
    """

    def __init__(
        self,
        trials: Sequence[PlannedTrial],
        headline: str,
        *,
        states: Mapping[str, str] | None = None,
        values: Mapping[str, float | None] | None = None,
        expected_s: Mapping[str, float] | None = None,
        slots: int = 1,
        to_come: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.headline = headline
        self.slots = max(1, slots)
        self.to_come = to_come
        self.clock = clock
        self.places: dict[tuple[str, str], list[str]] = {}
        self._ordered: tuple[int, tuple[list[str], list[str]]] = (0, ([], []))
        self.searches: set[str] = set()
        self.statuses: dict[str, TrialStatus] = {}
        expected = expected_s or {}
        weights, self.weights_are_seconds = _weights(trials, expected)
        for trial in trials:
            digest = trial.digest
            self._stand(trial.method, trial.setting, digest)
            state = str((states or {}).get(digest, "queued"))
            self.statuses[digest] = TrialStatus(
                state=state,
                updates=trial.config.updates,
                update=trial.config.updates if state == "completed" else 0,
                value=(values or {}).get(digest),
                weight=weights[digest],
            )

    @classmethod
    def of_store(cls, trials: pd.DataFrame, values: Mapping[str, float], headline: str) -> Self:
        """The board of a stored sweep, from ResultStore.trials() and newest_values()."""
        board = cls((), headline)
        for row in trials.to_dict("records"):
            digest = str(row["digest"])
            board._stand(str(row["method"]), str(row["setting"]), digest)
            board.statuses[digest] = TrialStatus(
                state=str(row["state"]),
                updates=int(row["updates"]),
                update=_whole(row["last_update"]),
                value=values.get(digest),
            )
        return board

    def _stand(self, method: str, setting: str, digest: str) -> None:
        """A trial's place in the table: its method, and its setting, or the search that proposed it."""
        place = place_of(setting)
        column = setting if place is None else place.column
        if place is not None and not place.best:
            self.searches.add(column)
        self.places.setdefault((method, column), []).append(digest)

    def expect(self, trials: Sequence[PlannedTrial], states: Mapping[str, str], *, to_come: int) -> None:
        """Searches have proposed these, and will propose `to_come` more; each is taken to cost the mean so far."""
        self.to_come = to_come
        weight = self._mean_weight()
        for trial in trials:
            self._stand(trial.method, trial.setting, trial.digest)
            state = str(states.get(trial.digest, "queued"))
            known = TrialStatus(state=state, updates=trial.config.updates, weight=weight)
            known.update = known.updates if state == "completed" else 0
            self.statuses.setdefault(trial.digest, known)

    def _mean_weight(self) -> float:
        weights = [status.weight for status in self.statuses.values()]
        return statistics.fmean(weights) if weights else 1.0

    @property
    def num_trials(self) -> int:
        """Trials in all, those that are still to be proposed among them."""
        return len(self.statuses) + self.to_come

    @property
    def metric(self) -> str:
        """The headline's metric as readers write it: "FID"."""
        return self.headline.split("/", 1)[0].upper()

    @property
    def methods(self) -> list[str]:
        """Methods in the catalog's order, as figures have them."""
        return self._axes()[0]

    @property
    def settings(self) -> list[str]:
        """Settings in the catalog's order, as figures have them."""
        return self._axes()[1]

    def _axes(self) -> tuple[list[str], list[str]]:
        if self._ordered[0] != len(self.places):  # places are added, never removed
            methods, settings = ({place[axis] for place in self.places} for axis in (0, 1))
            self._ordered = len(self.places), ([*METHODS.ordered(methods)], [*SETTINGS.ordered(settings)])
        return self._ordered[1]

    def counts(self) -> dict[str, int]:
        """State -> number of trials, every state present."""
        return _counted(status.state for status in self.statuses.values())

    @property
    def num_done(self) -> int:
        """Trials with a result."""
        counts = self.counts()
        return counts["completed"] + counts["diverged"]

    def cell(self, method: str, setting: str) -> Cell:
        """What stands at (method, setting); empty where nothing is planned there."""
        statuses = [self.statuses[digest] for digest in self.places.get((method, setting), ())]
        running = [status.fraction for status in statuses if status.state == "running"]
        return Cell(
            counts=_counted(status.state for status in statuses),
            value=self._value(statuses, of_search=setting in self.searches),
            fraction=statistics.fmean(running) if running else 0.0,
        )

    def _value(self, statuses: Iterable[TrialStatus], *, of_search: bool) -> float | None:
        """The median over seeds; of a search, which looks for it, the best."""
        worst = float("inf") if parse(self.headline).lower_is_better else float("-inf")
        scores = [worst if status.state == "diverged" else status.value
                  for status in statuses if status.state in ("completed", "diverged")]  # fmt: skip
        known = [score for score in scores if score is not None]
        best = min if worst > 0 else max
        value = (best if of_search else statistics.median)(known) if known else None
        return None if value is None or abs(value) == float("inf") else value

    def start(self, trial: PlannedTrial) -> None:
        """An attempt at `trial` has begun."""
        status = self.statuses[trial.digest]
        status.state, status.seen_at = "running", self.clock()

    def evaluate(self, trial: PlannedTrial, evaluation: Evaluation) -> None:
        """`trial` has been evaluated."""
        status = self.statuses[trial.digest]
        status.state, status.seen_at = "running", self.clock()
        status.update = evaluation.update
        status.spent_s = evaluation.train_s + evaluation.evaluate_s
        status.value = headline_value(evaluation, self.headline)

    def finish(self, trial: PlannedTrial, outcome: Outcome) -> None:
        """`trial` has a result."""
        status = self.statuses[trial.digest]
        status.state, status.update, status.seen_at = outcome.state, outcome.update, None
        status.spent_s = outcome.train_s + outcome.evaluate_s

    def fail(self, trial: PlannedTrial, *, final: bool) -> None:
        """An attempt at `trial` ended without a result."""
        status = self.statuses[trial.digest]
        status.state, status.seen_at = "failed" if final else "queued", None

    def stop(self) -> None:
        """Nothing runs any more."""
        for status in self.statuses.values():
            if status.state == "running":
                status.state, status.seen_at = "queued", None

    def end_elsewhere(self, states: Mapping[str, str], values: Mapping[str, float]) -> None:
        """Other launches have brought trials to these states, with these headline scores."""
        for digest, state in states.items():
            status = self.statuses[digest]
            status.state, status.seen_at = state, None
            status.value = values.get(digest, status.value)
            if state == "completed":
                status.update = status.updates

    def rate(self) -> float | None:
        """Measured seconds per unit of weight; before any measurement 1 if weights are seconds, else None."""
        measured = [(status.spent_s, status.weight * status.fraction)
                    for status in self.statuses.values() if status.spent_s is not None]  # fmt: skip
        work = sum(weight for _, weight in measured)
        if work > 0:
            return sum(spent for spent, _ in measured) / work
        return 1.0 if self.weights_are_seconds else None

    def eta_s(self) -> float | None:
        """Seconds until every trial has ended, or None while nothing is known about the cost.

        The remaining work, (1 - fraction) x weight x rate less the time since a running trial's last news,
        shared by the slots; never less than the longest remaining trial.
        """
        rate = self.rate()
        if rate is None:
            return None
        now = self.clock()
        left = [
            max(
                0.0,
                status.weight * (1 - status.fraction) * rate
                - (0.0 if status.seen_at is None else now - status.seen_at),
            )
            for status in self.statuses.values()
            if status.state in ("running", "queued")
        ]
        later = self.to_come * self._mean_weight() * rate
        return max((sum(left) + later) / self.slots, max(left, default=0.0))

    def work_done(self) -> float:
        """Share of the expected work that is done, 0 to 1: the length of the progress bar."""
        total = sum(status.weight for status in self.statuses.values()) + self.to_come * self._mean_weight()
        ended = ("completed", "diverged", "failed")
        done = sum(status.weight * (1 if status.state in ended else status.fraction)
                   for status in self.statuses.values())  # fmt: skip
        return done / total if total else 0.0


def headline_value(evaluation: Evaluation, headline: str) -> float | None:
    """The score of protocol `headline` (a short name) in an evaluation."""
    for score in evaluation.scores:
        if is_protocol(score.protocol, headline):
            return score.value
    return None


def is_protocol(full_name: str, short_name: str) -> bool:
    """Whether a stored protocol name is `short_name` with its extractor's hash appended."""
    return full_name == short_name or full_name.rpartition("-")[0] == short_name


def _counted(states: Iterable[str]) -> dict[str, int]:
    counter = Counter(states)
    return {state: counter[state] for state in STATES}


def _weights(trials: Sequence[PlannedTrial], expected: Mapping[str, float]) -> tuple[dict[str, float], bool]:
    """Cost of every trial, and whether it is in s. Unmeasured trials get the measured ones' cost per work."""
    units = {trial.digest: work(trial.config) for trial in trials}
    measured = {digest: expected[digest] for digest in units if expected.get(digest, 0.0) > 0}
    if not measured:
        return units, False
    unit_s = sum(measured.values()) / sum(units[digest] for digest in measured)
    return {digest: measured.get(digest, number * unit_s) for digest, number in units.items()}, True


def _whole(value: Any) -> int:
    return 0 if pd.isna(value) else int(value)
