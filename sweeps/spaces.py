"""What a search looks for: ranges of hyperparameters, how many configurations it tries, and the names of its trials.

A searched trial is an ordinary trial. In its cell the method stays the method and the seed is the repetition of the
search; the setting says the trial's place in it: "tpe-007" is the eighth configuration that the sampler tpe proposed,
"tpe-best-1" the second training of its best one with a seed of its own. So every method has the same settings, tables
are full, and a seed is one replication of the whole search. The values stand in the trial's config.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sngan.config import TrialConfig
from sngan.errors import InputError, unknown
from sngan.fields import field_types, require
from sngan.methods import METHODS, SETTINGS
from sngan.regularizers import Regularizer
from sngan.variants import varied, varied_name

Value = float | int | str
# name -> how figures and verdicts write it; sweeps.search knows what each does
SAMPLERS: Mapping[str, str] = {"random": "random search", "tpe": "TPE"}
# The configuration at place k of a search is trained with the search's seed; trained again, with one from here on.
RETRAINED = 1_000_000
_MOST = 1_000  # places have three digits
_OPTIMIZER = ("alpha", "beta1", "beta2", "n_dis")
_PLACE = re.compile(r"(?P<sampler>[a-z]+)-(?P<best>best-)?(?P<number>\d+)")


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers from `low` to `high`, uniform, or uniform in the logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        """Need a width, and positive numbers for a logarithm. Raises InputError."""
        require(self.low < self.high, "a range", (self.low, self.high), "from a lower to a higher number")
        require(self.low > 0 or not self.log, "a logarithmic range", (self.low, self.high), "positive numbers")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of several values, all equally likely."""

    options: tuple[Value, ...]

    def __post_init__(self) -> None:
        """Need something to choose from. Raises InputError."""
        require(len(set(self.options)) == len(self.options) >= 2, "choices", self.options, "two or more different ones")


Axis = Range | Choice


@dataclass(frozen=True, kw_only=True)
class Search:
    """How hyperparameters are looked for: the same for every method, with the ranges of the method's own in addition.

    optimizer : ranges of alpha, beta1, beta2 and n_dis, all four. own : regularizer -> field -> range; one that is not
        in it has the ranges that it names itself.
    samplers : names in SAMPLERS; each searches by itself. budget : configurations that each tries, per method and
        seed. round_size : configurations that are proposed together, from the results of all rounds before: what runs
        at the same time changes nothing. The first round is random, and the same for all samplers.
    retrain : how often the best configuration of a search is trained again, each time with another seed.
    """

    optimizer: Mapping[str, Axis]
    own: Mapping[str, Mapping[str, Axis]] = field(default_factory=dict)
    samplers: tuple[str, ...] = tuple(SAMPLERS)
    budget: int
    round_size: int
    retrain: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be searched. Raises InputError."""
        require(set(self.optimizer) == set(_OPTIMIZER), "searched fields", tuple(self.optimizer), ", ".join(_OPTIMIZER))
        require(1 <= self.budget <= _MOST, "budget", self.budget, f"whole numbers from 1 to {_MOST}")
        whole = self.round_size >= 1 and self.budget % self.round_size == 0
        require(whole, "round size", self.round_size, f"whole numbers that divide the budget, {self.budget}")
        require(0 <= self.retrain <= _MOST, "retrain", self.retrain, f"whole numbers from 0 to {_MOST}")
        for name in self.samplers:
            if name not in SAMPLERS:
                raise unknown("sampler", name, SAMPLERS)

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of all places, as cells have them."""
        return tuple(
            str(Place(sampler=sampler, number=number, best=best))
            for sampler in self.samplers
            for best, count in ((False, self.budget), (True, self.retrain))
            for number in range(count)
        )


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in a search a trial stands. number : of the configuration, from 0, or of the training of the best one."""

    sampler: str
    number: int
    best: bool = False

    def __str__(self) -> str:
        return f"{self.sampler}-best-{self.number}" if self.best else f"{self.sampler}-{self.number:03}"

    @property
    def column(self) -> str:
        """What tables of methods and searches call it: the sampler, or its best."""
        return f"{self.sampler} best" if self.best else self.sampler

    def seed(self, repetition: int) -> int:
        """The seed that a trial at this place trains with, in that repetition of the search."""
        return repetition + RETRAINED * (self.number + 1) if self.best else repetition


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A configuration that was proposed, with what became of it.

    score : bounded, 0 for diverged; None while it has no result (ended is False), and for a result without a number.
    """

    values: Mapping[str, Value]
    score: float | None
    ended: bool

    def __post_init__(self) -> None:
        """Hold that nothing that is not finite gets further than this, and that only results have a score."""
        assert self.score is None or (self.ended and math.isfinite(self.score)), self


def place_of(setting: str) -> Place | None:
    """The place that a setting's name tells; None for a setting that is no place in a search."""
    found = _PLACE.fullmatch(setting)
    if found is None or found["sampler"] not in SAMPLERS:
        return None
    return Place(sampler=found["sampler"], number=int(found["number"]), best=found["best"] is not None)


def places_in(settings: Iterable[str], sampler: str, *, best: bool = False) -> list[str]:
    """Those settings that are places in a search by `sampler`, or trainings of what it found, in their order."""
    found = {name: place for name in settings if (place := place_of(name)) is not None}
    return sorted(
        (name for name, place in found.items() if (place.sampler, place.best) == (sampler, best)),
        key=lambda name: found[name].number,
    )


def space_of(search: Search, method: str) -> dict[str, Axis]:
    """What is searched for a method: the optimizer first, then what its regularizers have and its name leaves open."""
    fixed = varied(method)[1]
    own = {
        key: axis
        for regularizer in METHODS[method].regularizers
        if not _learned(regularizer)
        for key, axis in (search.own.get(regularizer.name) or _told_ranges(regularizer)).items()
        if key not in fixed
    }
    return {**{key: search.optimizer[key] for key in _OPTIMIZER}, **own}


def _told_ranges(regularizer: Regularizer) -> dict[str, Axis]:
    """The ranges that a regularizer itself names, as a plugin's does."""
    return {key: Range(low=low, high=high, log=True) for key, (low, high) in regularizer.searched.items()}


def _learned(regularizer: Any) -> bool:
    """Whether the regularizer's constants are only where learning starts."""
    return getattr(regularizer, "learned", "no") != "no"


def names_of(method: str, values: Mapping[str, Value]) -> tuple[str, str]:
    """The names under which any study, or `python -m sngan train`, runs these values: a varied method and setting."""
    name, fixed = varied(method)
    own = {key: value for key, value in values.items() if key not in _OPTIMIZER}
    optimizer = {key: values[key] for key in _OPTIMIZER}
    changes = {**fixed, **own}
    return METHODS[varied_name(name, changes) if changes else name].name, SETTINGS[varied_name("A", optimizer)].name


def configured(method: str, values: Mapping[str, Value], base: TrialConfig) -> TrialConfig:
    """`base` with the method and these values of its space. Raises InputError for a value that nothing takes."""
    varied_method, setting = names_of(method, values)
    return METHODS[varied_method].apply(SETTINGS[setting].apply(base))


def values_of(config: TrialConfig, space: Mapping[str, Axis]) -> dict[str, Value]:
    """The inverse of `configured`: where a config lies in a space.

    Raises InputError where it lies nowhere, because it has no such field.
    """
    values: dict[str, Value] = {}
    for key in space:
        holder = config if key in _OPTIMIZER else _holder(config, key)
        values[key] = getattr(holder, key)
    return values


def _holder(config: TrialConfig, key: str) -> Any:
    for regularizer in config.regularizers:
        if key in field_types(type(regularizer)):
            return regularizer
    raise InputError(f"a trial of this search has no {key}: its method was another one.\nLaunch into another folder.")
