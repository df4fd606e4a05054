"""What a rule is: a frozen object whose fields are the arguments of a claim's `contrast`, and the registry of
rules.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np

from sngan.methods import METHODS
from sngan.registry import Registry
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable
from sweeps.statistics import FloatArray, setting_medians

_MOST_NAMED = 4


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """A claim's arguments, and what must be positive for it to hold.

    metric : "fid", "kid", "is", or the name of a measure (sweeps.measures); the claim is judged on the first table
    with it. datasets : those that the
    claim speaks of; on any other the verdict says so. settings : those that the claim speaks of; all of them
    are needed.
    """

    name: ClassVar[str]
    metric: str = "fid"
    datasets: tuple[str, ...] = ()
    settings: tuple[str, ...] = ("A", "B", "C", "D", "E", "F")

    @property
    @abstractmethod
    def methods(self) -> tuple[str, ...]:
        """Every method that is needed."""

    @abstractmethod
    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """At least one contrast, all of which must be positive; `table` has what they need."""

    def remarks(self, table: ScoreTable) -> tuple[str, ...]:
        """Sentences on how the numbers of `table` differ from those that the claim speaks of."""
        if not self.datasets or not table.dataset or table.dataset in self.datasets:
            return ()
        return (f"This is about {table.dataset}; the claim speaks of {' and '.join(self.datasets)}.",)


RULES: Registry[type[Rule]] = Registry("rule", package="sweeps.rules")

R = TypeVar("R", bound=type[Rule])


def register(name: str) -> Callable[[R], R]:
    """Class decorator: give the rule its name and put it into the registry."""

    def decorate(cls: R) -> R:
        cls.name = name
        RULES.add(name, cls)
        return cls

    return decorate


# --- Per-seed statistics over settings: scores [S, K] -> [K], NaN for a seed with a missing run ---


def worst(scores: FloatArray) -> FloatArray:
    """Lowest score over the settings: what a person gets who is unlucky with the optimizer."""
    return np.asarray(scores.min(axis=0))


def best(scores: FloatArray) -> FloatArray:
    """Highest score over the settings: tried once at each, the best one kept."""
    return np.asarray(scores.max(axis=0))


def spread(scores: FloatArray) -> FloatArray:
    """Best minus worst setting."""
    return best(scores) - worst(scores)


# --- Words ---


def label(method: str) -> str:
    """How tables and figures write a method."""
    return METHODS[method].label if method in METHODS else method


def unit(table: ScoreTable) -> str:
    """What a difference of scores is measured in."""
    return f"score = {table.transform.text}"


def number(value: float) -> str:
    """A metric's value in three digits; infinity is a diverged run."""
    if np.isinf(value):
        return "diverged"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def medians(table: ScoreTable, method: str, settings: tuple[str, ...]) -> FloatArray:
    """Median over seeds at each setting [S], best first, in the metric's units; diverged is infinite."""
    ordered = np.sort(setting_medians(table.pick_ordered(method, settings)))
    return ordered if table.lower_is_better else ordered[::-1]


def among(settings: tuple[str, ...]) -> str:
    """The settings that a best or worst one was looked for in, where they are few; many are not named."""
    return f" of {', '.join(settings)}" if len(settings) <= _MOST_NAMED else ""


def metric(table: ScoreTable) -> str:
    """The metric as people write it."""
    return table.title
