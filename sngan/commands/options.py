"""Options that several commands share."""

from pathlib import Path
from typing import Any

import click

from sngan.places import default_cache_dir


class GivenPath(click.Path):
    """A path; an empty text, such as a variable that is not set leaves, is none, least of all the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Fails for an empty text."""
        if not str(value).strip():
            self.fail("is empty; give a path, or . for the current folder.", param, ctx)
        return super().convert(value, param, ctx)


cache_dir = click.option(
    "--cache-dir", type=GivenPath(), default=default_cache_dir, show_default="~/.cache/sngan",
    help="Prepared data sets and reference statistics.",
)  # fmt: skip
data = click.option("--data-dir", type=GivenPath(), help="Folder with a data set's official files.")
weights = click.option("--inception-weights", type=GivenPath(), help="Inception weights file.")
device = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1 ...")
plugins = click.option(
    "--plugin", "plugins", type=GivenPath(), multiple=True, metavar="FILE",
    help="File with regularizers and methods of your own (repeatable). It runs with your rights.")  # fmt: skip
threads = click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads.")
