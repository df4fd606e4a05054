"""Every figure of the registry keeps its contract, on full data and on data that lacks nearly everything."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from dashboards.figures import FIGURES, FigureData, save
from dashboards.figures.base import Drawing
from sweeps.study import STUDIES
from tests.dashboards.synthetic import Story, Sweep, make_preset, make_searched_preset, open_sweep

METHODS, SETTINGS = ("none", "wgan-gp", "sn"), ("A", "F")
VARIED = ("D(n_dis=1)", "D(n_dis=10)", "A(alpha=0.0003)", "A(alpha=0.003)")
STORIES = {
    "full": (make_preset((*METHODS, "bssn(factor=0.7)", "bssn(factor=1.4)"), ("A", "F", *VARIED)), Story()),
    "empty": (make_preset(), None),
    "one-trial": (make_preset(methods=("sn",), settings=("A",), seeds=1), Story()),
    "one-seed": (make_preset(METHODS, SETTINGS, seeds=1), Story(inception=False)),
    "five-seeds": (make_preset(METHODS, SETTINGS, seeds=5), Story()),
    "all-diverged": (make_preset(METHODS, SETTINGS), Story(diverge="all")),
    "unfinished": (make_preset(METHODS, SETTINGS), Story(unfinished=3)),
    "nothing-but-missing": (make_preset(METHODS, SETTINGS), Story(unfinished=1)),
    "all-equal": (make_preset(METHODS, SETTINGS), Story(diverge="none", fid=3.0)),
    "searched": (make_searched_preset(("none", "wgan-gp", "sn"), 4), Story(grids=False)),
    "searched-once": (make_searched_preset(("sn",), 2, seeds=1), Story(grids=False)),
    "searched-unfinished": (make_searched_preset(("none", "sn"), 4), Story(grids=False, unfinished=3)),
    "searched-all-diverged": (make_searched_preset(("none", "sn"), 2), Story(grids=False, diverge="all")),
    "no-grids": (make_preset(METHODS, SETTINGS), Story(grids=False)),
}


# Of the others a figure is prepared and described; that a description becomes a file, these show.
WRITTEN = (
    "full",
    "searched",
    *(
        pytest.param(story, marks=pytest.mark.thorough)
        for story in ("empty", "one-trial", "all-diverged", "unfinished")
    ),
)


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sweep]:
    folder = tmp_path_factory.mktemp("figures")
    return {name: open_sweep(folder / name, preset, story) for name, (preset, story) in STORIES.items()}


Draw = Callable[[str, str], tuple[FigureData, Drawing]]


@pytest.fixture(scope="module")
def draw(sweeps: dict[str, Sweep]) -> Draw:
    """Draws a figure of a story, once."""

    @functools.cache
    def once(name: str, story: str) -> tuple[FigureData, Drawing]:
        data = FIGURES[name].prepare(sweeps[story].frames())
        return data, FIGURES[name].draw(data)

    return once


@pytest.mark.parametrize("name", FIGURES)
def test_texts_say_what_is_asked_and_how_to_read_the_answer(name: str) -> None:
    figure = FIGURES[name]
    assert figure.name == name
    assert figure.title
    assert figure.question.endswith("?")
    assert figure.reading.count(".") >= 2
    assert figure.marks.endswith(".")
    assert type(figure).__dataclass_params__.frozen  # type: ignore[attr-defined]


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("name", FIGURES)
def test_prepares_frozen_data_and_draws_it(name: str, story: str, draw: Draw) -> None:
    data, drawing = draw(name, story)
    assert isinstance(data, FigureData)
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.absent = "changed"  # type: ignore[misc]
    if not data.absent:
        assert data.seeds
        assert data.alt_text
    assert isinstance(drawing, Image.Image) or drawing.to_dict()


@pytest.mark.parametrize("story", WRITTEN)
@pytest.mark.parametrize("name", FIGURES)
def test_writes_files(name: str, story: str, draw: Draw, tmp_path: Path) -> None:
    data, drawing = draw(name, story)  # what is absent is a note, for readers that show whatever there is
    save(drawing, tmp_path, name)
    png, svg, pdf = (tmp_path / f"{name}.{ending}" for ending in ("png", "svg", "pdf"))
    with Image.open(png) as image:
        assert min(image.size) > 50
    assert svg.read_text().startswith("<svg")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert not list(tmp_path.glob(".*")), "no temporary files stay behind"
    if data.absent:
        words = data.absent.split(".")[0]
        assert words in svg.read_text()


@pytest.mark.parametrize("name", FIGURES)
def test_shows_something_of_a_full_sweep_and_nothing_of_an_empty_one(name: str, draw: Draw) -> None:
    assert [story for story in ("full", "searched") if not draw(name, story)[0].absent]
    assert draw(name, "empty")[0].absent


@pytest.mark.parametrize("name", FIGURES)
def test_does_not_change_the_frames(name: str, sweeps: dict[str, Sweep]) -> None:
    frames = sweeps["five-seeds"].frames()
    read = (frames.trials, frames.evaluations, frames.diagnostics, frames.spectra, frames.samples)
    kept = [frame.copy() for frame in read]
    FIGURES[name].draw(FIGURES[name].prepare(frames))
    for before, now in zip(kept, read, strict=True):
        pd.testing.assert_frame_equal(before, now)


@pytest.mark.parametrize("study", STUDIES)
def test_figures_of_studies_exist(study: str) -> None:
    assert set(STUDIES[study].figures) <= set(FIGURES)
