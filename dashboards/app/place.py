"""Which store the app of this process shows, told by the command line before Streamlit begins."""

from functools import cache
from pathlib import Path

from dashboards.app.snapshots import Library, Source

_told: list[Source] = []


def show(source: Source) -> None:
    """Have the app of this process show a store."""
    _told[:] = [source]
    library.cache_clear()


@cache
def library() -> Library:
    """What all readers of the app share."""
    return Library(
        _told[0]
        if _told
        else Source(out=Path("runs").absolute(), database=f"sqlite:///{Path('runs').absolute()}/results.db")
    )
