"""The paper's Fig. 6: sample grids of every method at every setting, side by side."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import final

from PIL import Image, ImageDraw, ImageFont

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import note
from dashboards.figures.frames import StudyFrames, records
from dashboards.figures.style import method_label

_log = logging.getLogger(__name__)

_SMALLEST, _LARGEST, _GAP = 192, 288, 8  # pixels
_HEADER, _FONT_SIZE = 30, 17
_INK, _SOFT, _PAPER, _EMPTY = "#1d2126", "#6b7078", "#ffffff", "#eef0f2"


@dataclass(frozen=True)
class GridCell:
    """One trial's newest grid: its PNG file (None without one), the update it shows and the trial's state."""

    path: Path | None
    update: int
    state: str


@dataclass(frozen=True, kw_only=True)
class SampleGridsData(FigureData):
    """Cells by (method, setting), all of one seed."""

    methods: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    seed: int = 0
    cells: Mapping[tuple[str, str], GridCell] = field(default_factory=dict)


@final
@dataclass(frozen=True, kw_only=True)
class SampleGrids(Figure[SampleGridsData]):
    """Images are judged by eye: no metric says everything.

    until : the last update whose grids are shown; None for the end.
    """

    until: int | None = None

    def prepare(self, frames: StudyFrames) -> SampleGridsData:
        """The newest grid, up to `until`, of every trial with the smallest seed."""
        if frames.samples.empty:
            return SampleGridsData(absent="No trial has written a sample grid yet.")
        seed = int(frames.samples["seed"].min())
        trials = frames.trials[frames.trials["seed"] == seed]
        samples = frames.samples[frames.samples["seed"] == seed].sort_values("update")
        if self.until is not None:
            samples = samples[samples["update"] <= self.until]
        newest = {digest: (update, path) for digest, update, path in records(samples, "digest", "update", "path")}
        cells = {}
        for digest, method, setting, state in records(trials, "digest", "method", "setting", "state"):
            update, path = newest.get(digest, (0, None))
            cells[method, setting] = GridCell(
                path=None if path is None else frames.storage_dir / path, update=int(update), state=state
            )
        return SampleGridsData(
            seeds=f"Seed {seed}; other seeds may look different.",
            alt_text=f"Sample grids of {len(frames.methods)} methods at {len(frames.settings)} settings, seed {seed}.",
            methods=frames.methods,
            settings=frames.settings,
            seed=seed,
            cells=MappingProxyType(cells),
        )

    def draw(self, data: SampleGridsData) -> Drawing:
        """One image: a row per method, a column per setting."""
        if data.absent:
            return note(data.absent)
        pictures = {key: open_grid(cell.path) for key, cell in data.cells.items()}
        size = _cell_size(pictures.values())
        font = ImageFont.load_default(_FONT_SIZE)
        margin = 24 + round(max(font.getlength(method_label(name)) for name in data.methods))
        step = size + _GAP
        canvas = Image.new("RGB", (margin + step * len(data.settings), _HEADER + step * len(data.methods)), _PAPER)
        pen = ImageDraw.Draw(canvas)
        for column, setting in enumerate(data.settings):
            pen.text((margin + column * step + size / 2, _HEADER / 2), setting, fill=_INK, font=font, anchor="mm")
        for row, method in enumerate(data.methods):
            y = _HEADER + row * step
            pen.text((margin - 12, y + size / 2), method_label(method), fill=_INK, font=font, anchor="rm")
            for column, setting in enumerate(data.settings):
                cell = data.cells.get((method, setting), GridCell(None, 0, "missing"))
                square = _square(cell, pictures.get((method, setting)), size)
                canvas.paste(square, (margin + column * step, y))
        return canvas


def _cell_size(pictures: Iterable[Image.Image | None]) -> int:
    """A multiple of the grids' size, so that all pixels of small images are equally large, within limits."""
    largest = max((max(picture.size) for picture in pictures if picture is not None), default=_SMALLEST)
    return min(largest * max(1, _SMALLEST // largest), _LARGEST)


def _square(cell: GridCell, picture: Image.Image | None, size: int) -> Image.Image:
    words = cell_words(cell, shown=picture is not None)
    square = Image.new("RGB", (size, size), _EMPTY) if picture is None else fitted(picture, size)
    if words:
        pen = ImageDraw.Draw(square)
        top = size // 2 - 12 if picture is None else size - 24
        pen.rectangle((0, top, size, top + 24), fill=_EMPTY if picture is None else _PAPER)
        ink = _INK if cell.state == "diverged" else _SOFT
        font = ImageFont.load_default(_FONT_SIZE - 2)
        pen.text((size / 2, top + 12), words, fill=ink, font=font, anchor="mm")
    return square


def cell_words(cell: GridCell, *, shown: bool) -> str:
    """What a reader must know about a cell beside its picture; "" for a completed trial's grid."""
    if cell.state == "diverged":
        return f"diverged, at {cell.update:,}" if shown else "diverged"
    if not shown:
        return "missing"
    if cell.state == "completed":
        return ""
    return f"failed after {cell.update:,}" if cell.state == "failed" else f"unfinished, at {cell.update:,}"


def open_grid(path: Path | None) -> Image.Image | None:
    """The grid as an RGB image, or None where there is no readable file."""
    if path is None:
        return None
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except OSError as error:
        _log.warning("left out the sample grid %s: %s", path, error)
        return None


def fitted(image: Image.Image, size: int) -> Image.Image:
    """The image as a square of `size` pixels: small ones with sharp pixels, large ones smoothly."""
    method = Image.Resampling.NEAREST if max(image.size) <= size else Image.Resampling.LANCZOS
    return image.resize((size, size), method)


register(
    SampleGrids(
        name="sample-grids",
        title="Samples",
        question="What do the generators actually draw, at each method and setting?",
        reading="Every square is a grid of samples after the last update. Equal places in the squares have equal "
        "latents, so a row that looks alike everywhere belongs to a method that does not mind the setting.",
        marks="Rows are methods, columns are settings; a diverged trial shows its last finite samples and says so.",
    )
)
