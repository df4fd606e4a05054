"""The gallery draws every figure of what a folder of results has, and says which it lacks."""

from pathlib import Path

import pytest
from PIL import Image

from dashboards.figures import FIGURES
from dashboards.gallery.__main__ import gallery
from dashboards.gallery.page import draw, pictured_in, write_page
from sngan.errors import InputError
from sweeps.commands.line import run_command
from sweeps.store import open_store
from sweeps.study import STUDIES, plan
from sweeps.variation import describe
from tests.dashboards.synthetic import Story, make_preset, open_sweep


def test_pictures_and_page(tmp_path: Path) -> None:
    sweep = open_sweep(tmp_path, make_preset(("none", "wgan-gp", "sn"), ("A", "F"), seeds=3), Story())
    pictures = [draw(name, sweep.frames(), tmp_path / "gallery") for name in ("heat-map", "sample-grids")]
    page = write_page(pictures, tmp_path / "gallery").read_text()
    for picture in pictures:
        figure = picture.figure
        assert f'<a id="{figure.name}"></a>\n## {figure.title}\n' in page
        assert f"](#{figure.name}) | {figure.question} |\n" in page
        with Image.open(tmp_path / "gallery" / f"{figure.name}.png") as drawn:
            assert drawn.mode == "P"
            assert len(drawn.convert("RGB").getcolors(1 << 24) or ()) > 3


def test_a_figure_without_results_is_refused(tmp_path: Path) -> None:
    sweep = open_sweep(tmp_path, make_preset(("sn",), ("A",), seeds=1), Story(grids=False))
    with pytest.raises(InputError, match="sample-grids cannot be drawn"):
        draw("sample-grids", sweep.frames(), tmp_path / "gallery")
    assert not (tmp_path / "gallery").exists()


def test_each_figure_is_of_the_study_with_most_trials(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}") as store:
        assert set(pictured_in(store, tmp_path).values()) == {None}
        for name in ("n-dis", "width", "spectra"):  # 20, 24 and 12 trials
            study = STUDIES[name]
            preset = study.preset("quick")
            store.register(name, preset.name, describe(study, preset), plan(preset))
        chosen = {name: frames and frames.study.name for name, frames in pictured_in(store, tmp_path).items()}
    assert chosen["setting-curves"] == "width"
    assert chosen["spectra"] == "spectra"
    assert chosen["importance"] is None


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}"):
        pass
    assert run_command(gallery, "dashboards.gallery", ["--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(name in error for name in FIGURES)
