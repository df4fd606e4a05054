"""Bars in the terminal for what takes long before training: preparing a data set, measuring real images."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from sngan.datasets import Dataset, Progress, open_dataset
from sngan.metrics.samples import Progress as MeasuringProgress

_AT_ONCE_S = 1.0


def open_with_bar(dataset: str, cache_dir: Path, data_dir: Path | None) -> Dataset:
    """The data set of that name; preparing it shows a bar."""
    with bar(dataset) as progress:
        return open_dataset(dataset, cache_dir=cache_dir, data_dir=data_dir, progress=progress)


@contextmanager
def bar(what: str) -> Iterator[Progress]:
    """Draws a bar in the terminal for what takes longer than a second; what is prepared already shows none."""
    with _Bars() as bars:
        yield lambda done, total: bars.show(f"preparing {what}", done, total)


@contextmanager
def measuring_bar() -> Iterator[MeasuringProgress]:
    """Draws a bar for every pass over real images, or a line where there is no terminal; what is known shows none."""
    with _Bars() as bars:
        yield lambda what, done, total: bars.show(f"measuring {what}, once per machine", done, total)


class _Bars(ExitStack):
    """One bar after the other, each in a line of its own; none for what is done at once."""

    def __init__(self) -> None:
        super().__init__()
        self._label = ""
        self._bar: Any = None
        self._begun = time.monotonic()

    def show(self, label: str, done: int, total: int) -> None:
        """Draw how far `label` is; another label than before begins the next bar."""
        if label != self._label or (self._bar is not None and done < self._bar.pos):
            self.close()
            self._label, self._bar, self._begun = label, None, time.monotonic()
        if self._bar is None:
            if time.monotonic() - self._begun < _AT_ONCE_S:
                return
            # Without a terminal the label alone is printed.
            self._bar = self.enter_context(click.progressbar(length=total, label=label, file=sys.stderr, show_pos=True))
        self._bar.update(done - self._bar.pos)
