"""A bar in the terminal while a data set is prepared."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from sngan.datasets import Dataset, Progress, open_dataset


def open_with_bar(dataset: str, cache_dir: Path, data_dir: Path | None) -> Dataset:
    """The data set of that name; preparing it shows a bar."""
    with bar() as progress:
        return open_dataset(dataset, cache_dir=cache_dir, data_dir=data_dir, progress=progress)


@contextmanager
def bar() -> Iterator[Progress]:
    """Draws a bar in the terminal from the first call on; what is prepared already shows none."""
    with ExitStack() as stack:
        bar = None

        def progress(done: int, total: int) -> None:
            nonlocal bar
            if bar is None:
                bar = stack.enter_context(
                    click.progressbar(
                        length=total, label="preparing", file=sys.stderr, show_pos=True, hidden=not sys.stderr.isatty()
                    )
                )
            bar.update(done - bar.pos)

        yield progress
