"""python -m dashboards.gallery: draws every figure from one folder of results, and writes the page about them."""

import sys
from pathlib import Path

import click

from dashboards.gallery.page import Picture, draw, pictured_in, write_page
from sngan.commands.options import GivenPath
from sngan.errors import InputError
from sweeps.commands.line import run_command
from sweeps.commands.options import database_url
from sweeps.store import open_store


@click.command()
@click.option("--out", type=GivenPath(), default=Path("runs"), show_default=True, help="Folder of results.")
@click.option("--folder", type=GivenPath(), default=Path(__file__).parent, show_default="this package",
              help="Where pictures and README.md go.")  # fmt: skip
def gallery(out: Path, folder: Path) -> None:
    """Draw every figure from the quick studies of one folder, and write the page that says how each is read.

    A figure is drawn from the study that has most trials of those that show it. `make gallery` runs the studies
    that are needed, then this.

    Example: python -m dashboards.gallery --out runs/gallery
    """
    results = out.expanduser().absolute()
    with open_store(database_url(results), create=False) as store:
        sources = pictured_in(store, results)
        if missing := [name for name, frames in sources.items() if frames is None]:
            raise InputError(
                f"{results} holds no quick study that shows {', '.join(missing)}. `make gallery` runs all."
            )
        pictures: list[Picture] = []
        for name, frames in sources.items():
            assert frames is not None
            pictures.append(draw(name, frames, folder))
            click.echo(f"[{len(pictures)}/{len(sources)}] {name} from {frames.study.name}")
    click.echo(write_page(pictures, folder))


if __name__ == "__main__":
    sys.exit(run_command(gallery, "dashboards.gallery", sys.argv[1:]))
