"""Pictures without layers are the same pictures; the browser's script is made once."""

import io
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert
from PIL import Image

from dashboards.figures import rendering
from dashboards.figures.rendering import _without_layers, browser_bundle


def pixels(svg: str) -> np.ndarray:
    image = Image.open(io.BytesIO(vl_convert.svg_to_png(svg, scale=1)))
    return np.asarray(image.convert("RGB")).astype(int)


def test_a_picture_without_layers_is_the_same() -> None:
    """Areas, lines, points with and without a fill, texts, and what has both fill and stroke and must stay."""
    x = np.linspace(0, 6, 40)
    frame = pd.DataFrame({"x": x, "low": np.sin(x) - 0.5, "high": np.sin(x) + 0.5, "y": np.sin(x)})
    base = alt.Chart(frame).encode(x="x:Q")
    marks = (
        base.mark_area(opacity=0.3).encode(y="low:Q", y2="high:Q"),
        base.mark_line(opacity=0.5, strokeWidth=6, color="red").encode(y="y:Q"),
        base.mark_point(filled=True, size=300, opacity=0.4).encode(y="high:Q"),
        base.mark_point(filled=False, size=300, opacity=0.4).encode(y="low:Q"),
        base.mark_text(text="words", opacity=0.5, fontSize=20).encode(y="y:Q"),
        base.mark_circle(stroke="black", fill="orange", strokeWidth=8, opacity=0.5, size=400).encode(y="y:Q"),
    )
    svg = vl_convert.vegalite_to_svg(alt.layer(*marks).to_dict())
    changed = _without_layers(svg)
    assert changed != svg
    assert ' opacity="0.5"' in changed, "fill and stroke of one element overlap"
    assert ' opacity="0.3"' not in changed
    # Colours are rounded once instead of twice.
    assert np.abs(pixels(svg) - pixels(changed)).max() <= 4


def test_the_script_of_the_page_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNGAN_CACHE", str(tmp_path / "cache"))
    calls: list[str] = []

    def bundle(snippet: str) -> str:
        calls.append(snippet)
        return "made: ü"

    monkeypatch.setattr(rendering.vl_convert, "javascript_bundle", bundle)
    for _ in range(2):
        browser_bundle.cache_clear()
        assert browser_bundle() == "made: ü"
    assert len(calls) == 1
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SNGAN_CACHE", str(tmp_path / "file"))
    browser_bundle.cache_clear()
    assert browser_bundle() == "made: ü", "where nothing can be kept it is made"
    browser_bundle.cache_clear()
