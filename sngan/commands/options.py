"""Options that several commands share."""

from pathlib import Path

import click

from sngan.places import default_cache_dir

cache_dir = click.option(
    "--cache-dir", type=click.Path(path_type=Path), default=default_cache_dir, show_default="~/.cache/sngan",
    help="Prepared data sets and reference statistics.",
)  # fmt: skip
data = click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with a data set's official files.")
weights = click.option("--inception-weights", type=click.Path(path_type=Path), help="Inception weights file.")
device = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1 ...")
plugins = click.option(
    "--plugin", "plugins", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
    help="File with regularizers and methods of your own (repeatable). It runs with your rights.")  # fmt: skip
threads = click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads.")
