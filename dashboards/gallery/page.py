"""The page of all figures: what each asks, how it is read, what its marks are, and a picture of it."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from dashboards.figures import FIGURES, Figure, FigureData, StudyFrames
from dashboards.figures.rendering import png
from dashboards.files import write_atomically
from sngan.errors import InputError
from sweeps.store import ResultStore
from sweeps.study import STUDIES

_COLOURS = 256  # a palette's; pictures of few colours lose nothing that is seen, and are a third as large


@dataclass(frozen=True)
class Picture:
    """A figure that was drawn. study : the one it shows, with num_trials trials of so many updates."""

    figure: Figure[FigureData]
    study: str
    num_trials: int
    updates: int
    data: FigureData


def pictured_in(store: ResultStore, storage_dir: Path) -> Mapping[str, StudyFrames | None]:
    """For every figure the quick study that shows it and has most trials in the store; None where there is none."""
    frames = [
        StudyFrames.read(store, study, next(iter(study.presets.values())), storage_dir)
        for study in map(STUDIES.__getitem__, STUDIES)
    ]
    by_size = sorted((each for each in frames if len(each.trials)), key=lambda each: -len(each.trials))
    return {name: next((each for each in by_size if name in each.study.figures), None) for name in FIGURES}


def draw(name: str, frames: StudyFrames, folder: Path) -> Picture:
    """FOLDER/NAME.png. Raises InputError where the study has not enough results for it."""
    figure = FIGURES[name]
    data = figure.prepare(frames)
    if data.absent:
        raise InputError(f"{name} cannot be drawn from {frames.name}: {data.absent}")
    with Image.open(io.BytesIO(png(figure.draw(data)))) as drawn:
        small = io.BytesIO()
        flat = Image.new("RGB", drawn.size, "white")
        flat.paste(drawn, mask=drawn.getchannel("A") if drawn.mode == "RGBA" else None)
        flat.quantize(_COLOURS).save(small, "PNG", optimize=True)
    write_atomically(folder / f"{name}.png", small.getvalue())
    trials = frames.trials
    return Picture(figure, frames.study.name, trials["digest"].nunique(), int(trials["updates"].max()), data)


def write_page(pictures: Sequence[Picture], folder: Path) -> Path:
    """FOLDER/README.md; returns its path."""
    environment = Environment(  # noqa: S701 - Markdown
        loader=PackageLoader("dashboards"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    page = environment.get_template("gallery.md").render(pictures=pictures)
    return write_atomically(folder / "README.md", page)
