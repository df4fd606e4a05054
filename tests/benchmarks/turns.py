"""Runs things in turns and compares them: A B A B ..., so that whatever else the machine does strikes all of them.

A ratio is taken within a turn, between runs that follow each other; what is told is the median over turns with the
quartiles. Seconds alone say as much about the machine as about the program.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

Work = Callable[[], object]
NO_TARGETS: Mapping[str, float] = {}


class Spread(NamedTuple):
    """The median over turns, and the quartiles (of up to three turns interpolated between those there are)."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} - {self.high:.3g})"


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles of at least one value."""
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return Spread(float(median), float(low), float(high))


@dataclass(frozen=True)
class Turns:
    """Seconds of every run.

    seconds : name -> seconds in each turn, all of one length.
    """

    seconds: Mapping[str, Sequence[float]]

    def time(self, name: str) -> Spread:
        """Seconds of one of them."""
        return spread(self.seconds[name])

    def ratio(self, name: str, to: str) -> Spread:
        """Seconds of `name` as a part of those of `to`, turn by turn: below 1 where `name` is the faster one."""
        pairs = zip(self.seconds[name], self.seconds[to], strict=True)
        return spread([mine / theirs for mine, theirs in pairs])

    def divided(self, by: Mapping[str, float]) -> "Turns":
        """Seconds of one piece, where a run of NAME was by[NAME] of them; of those not named, as they are."""
        return Turns({name: [s / by.get(name, 1.0) for s in seconds] for name, seconds in self.seconds.items()})

    def compared(self, ours: str, targets: Mapping[str, float] = NO_TARGETS) -> dict[str, Any]:
        """What is kept of a comparison: all seconds, and the ratio of `ours` to each of the others.

        targets : what the ratio to one of the others should at most be, where there is such a number.
        """
        kept: dict[str, Any] = {"turns": len(self.seconds[ours]), "seconds": {}, "ours / theirs": {}}
        for name, seconds in self.seconds.items():
            kept["seconds"][name] = [figures(s) for s in seconds]
            if name != ours:
                kept["ours / theirs"][name] = {
                    key: figures(value) for key, value in self.ratio(ours, name)._asdict().items()
                }
        return {**kept, "targets": dict(targets)} if targets else kept


def take_turns(works: Mapping[str, Work], turns: int, *, warm_up: int = 1) -> Turns:
    """Run all of `works` in their order `warm_up` times without looking, then `turns` times with the clock."""
    for _ in range(warm_up):
        for work in works.values():
            work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(turns):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    return Turns(seconds)


def repeated(work: Work, times: int) -> Work:
    """`work`, so many times as one run: for what is over too soon for one."""

    def run() -> None:
        for _ in range(times):
            work()

    return run


class Answers:
    """Works that remember what they computed, so that agreement is seen beside speed."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def of(self, works: Mapping[str, Work]) -> dict[str, Work]:
        """The same works, whose results are kept here by name."""
        return {name: lambda name=name, work=work: self.values.update({name: work()}) for name, work in works.items()}  # type: ignore[misc]


def comparison_rows(case: str, turns: Turns, ours: str, targets: Mapping[str, float] = NO_TARGETS) -> list[list[str]]:
    """Lines of the table of comparisons: case, who, seconds, ours as a part of theirs, target."""
    return [
        [
            case,
            name,
            str(turns.time(name)),
            "" if name == ours else str(turns.ratio(ours, name)),
            f"<= {targets[name]:g}" if name in targets else "",
        ]
        for name in turns.seconds
    ]


COMPARISON = ("case", "who", "seconds (quartiles)", "ours / theirs (quartiles)", "target")


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print one table, as wide as it needs to be."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    widths = [max(len(row[column]) for row in (columns, *rows)) for column in range(len(columns))]
    Console(width=max(120, sum(widths) + 3 * len(widths) + 1)).print(table)


def figures(value: float) -> float:
    """Five significant figures: more were never measured."""
    return float(f"{value:.5g}")
