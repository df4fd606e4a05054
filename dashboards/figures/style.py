"""One look for all figures: a colour, a shape and a dash per method, fonts, axes and the theme.

Every colour has a contrast of at least 3 against white and against the report's dark background, and no two methods
of the catalog come close under simulated protanopia, deuteranopia or tritanopia; shapes carry the same information
a second time, for print. Ink is `currentColor`: black in files, the page's text colour in the report.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import altair as alt

from sngan.methods import METHODS
from sngan.variants import varied, varied_number

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
INK = "currentColor"
LIGHT_BACKGROUND, DARK_BACKGROUND = "#ffffff", "#14171c"

Chart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.VConcatChart


@dataclass(frozen=True)
class MethodStyle:
    """How one method is drawn: hex colour, Vega symbol (a name or an SVG path), dash pattern of its lines."""

    colour: str
    shape: str
    dash: tuple[int, ...]


_STAR = "M0,-1L.2245,-.309L.951,-.309L.3633,.118L.5878,.809L0,.382L-.5878,.809L-.3633,.118L-.951,-.309L-.2245,-.309Z"
_HEXAGON = "M1,0L.5,.866L-.5,.866L-1,0L-.5,-.866L.5,-.866Z"
_PENTAGON = "M0,-1L.951,-.309L.588,.809L-.588,.809L-.951,-.309Z"
_HOURGLASS = "M-.8,-.8L.8,-.8L-.8,.8L.8,.8Z"
_BOWTIE = "M-.8,-.8L-.8,.8L.8,-.8L.8,.8Z"
_BAR = "M-.35,-1L.35,-1L.35,1L-.35,1Z"
_TEE = "M-1,-1L1,-1L1,-.35L.35,-.35L.35,1L-.35,1L-.35,-.35L-1,-.35Z"
_CORNER = "M-1,-1L1,-1L1,-.3L-.3,-.3L-.3,1L-1,1Z"
_HOUSE = "M-.9,1L-.9,-.2L0,-1L.9,-.2L.9,1Z"

_SOLID, _DASHED, _DOTTED, _MIXED = (1, 0), (6, 3), (2, 2), (8, 3, 2, 3)

METHOD_STYLES: Mapping[str, MethodStyle] = {
    "none": MethodStyle("#7d7f83", "circle", _DOTTED),
    "weight-clipping": MethodStyle("#a24b2a", "triangle-down", _DASHED),
    "gan-gp": MethodStyle("#e37800", "square", _DASHED),
    "wgan-gp": MethodStyle("#d30406", "triangle-up", _SOLID),
    "batch-norm": MethodStyle("#3e7252", _HOURGLASS, _MIXED),
    "layer-norm": MethodStyle("#0ca864", "cross", _DASHED),
    "weight-norm": MethodStyle("#ab9343", _PENTAGON, _MIXED),
    "orthonormal": MethodStyle("#a62ab7", _STAR, _DASHED),
    "sn": MethodStyle("#4052eb", "circle", _SOLID),
    "sn-hinge": MethodStyle("#1b88eb", "diamond", _SOLID),
    "r1": MethodStyle("#c978be", "triangle-right", _MIXED),
    "ssn": MethodStyle("#586098", _HEXAGON, _DASHED),
    "bsn": MethodStyle("#a669c2", "triangle-left", _DASHED),
    "bssn": MethodStyle("#e050f8", _BOWTIE, _MIXED),
    "sn-conv": MethodStyle("#679073", _BAR, _DOTTED),
    "lecun-init": MethodStyle("#ba7350", "circle", _MIXED),
    "wgan-gp-sn": MethodStyle("#f45031", "triangle-up", _DASHED),
    "wgan-gp-weight-norm": MethodStyle("#b83048", "triangle-down", _SOLID),
    "wgan-gp-frobenius": MethodStyle("#706078", "triangle-down", _MIXED),
    "wgan-gp-sn-shared": MethodStyle("#f35d9f", "triangle-up", _DOTTED),
    "sn-gp": MethodStyle("#c818a0", "square", _SOLID),
}
_CIRCLE = ("#1b88eb", "#007083", "#0aaa64", "#a59544", "#e37800", "#d20608", "#b44cc8")
# For methods that are not listed: as far as possible from all that are, and from one another, in every vision.
_SPARE_COLOURS = ("#b400fc", "#6c54d8", "#868ede", "#907824", "#9c90a8", "#486ccc", "#805e00", "#c04860", "#b45490")
_SPARE_SHAPES = (_HOUSE, _CORNER, _TEE)
_SPARE_DASHES = (_MIXED, _DOTTED, _DASHED)


def method_style(name: str) -> MethodStyle:
    """The style of a method. Those of plugins get spare ones in the order of the catalog, each its own while they last.

    A method that is varied in a number keeps its shape and dash, and the number alone makes the colour; one that is
    varied otherwise keeps its colour. One that is not in the catalog gets a style that depends on its name alone.
    """
    if name in METHOD_STYLES:
        return METHOD_STYLES[name]
    found = varied_number(name) if name in METHODS else None
    if found is not None and found[2] > 0:
        return replace(method_style(found[0]), colour=_colour_of(found[2]))
    added = [method for method in METHODS if method not in METHOD_STYLES]
    if name in added:
        place = added.index(name)
        return _spare_style(place, place, place // len(_SPARE_SHAPES))
    number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=6).digest(), "big")
    spare = _spare_style(number, number // 9, number // 27)
    return replace(spare, colour=method_style(varied(name)[0]).colour) if name in METHODS else spare


def _spare_style(colour: int, shape: int, dash: int) -> MethodStyle:
    return MethodStyle(
        _SPARE_COLOURS[colour % len(_SPARE_COLOURS)],
        _SPARE_SHAPES[shape % len(_SPARE_SHAPES)],
        _SPARE_DASHES[dash % len(_SPARE_DASHES)],
    )


def _colour_of(number: float) -> str:
    """A colour on a circle that a number goes round once per factor of about 20, so that neighbours differ."""
    place = (0.23 * math.log2(number) + 0.05) % 1 * len(_CIRCLE)
    start, share = int(place), place % 1
    channels = [(int(colour[i : i + 2], 16)) for i in (1, 3, 5) for colour in _neighbours(start)]
    # A little darker than the mean: mixtures of two readable colours are too light on white.
    mixed = [
        round(0.98 * ((1 - share) * one + share * other))
        for one, other in zip(channels[::2], channels[1::2], strict=True)
    ]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _neighbours(start: int) -> tuple[str, str]:
    return _CIRCLE[start], _CIRCLE[(start + 1) % len(_CIRCLE)]


def method_label(name: str) -> str:
    """How figures and tables write a method: the catalog's label, or the bare name of one it does not know."""
    return METHODS[name].label if name in METHODS else name


def method_labels(names: Iterable[str]) -> list[str]:
    """`method_label` of each."""
    return [method_label(name) for name in names]


def method_colours(methods: Sequence[str]) -> alt.Scale:
    """The colour scale of a "label" field that holds these methods' labels."""
    return alt.Scale(domain=method_labels(methods), range=[method_style(name).colour for name in methods])


def method_shapes(methods: Sequence[str]) -> alt.Scale:
    """The shape scale of a "label" field that holds these methods' labels."""
    return alt.Scale(domain=method_labels(methods), range=[method_style(name).shape for name in methods])


def method_dashes(methods: Sequence[str]) -> alt.Scale:
    """The dash scale of a "method" field that holds these methods' names.

    Names, not labels: Vega-Lite joins legends of one field, and dashed outlines make symbols unreadable.
    """
    return alt.Scale(domain=list(methods), range=[list(method_style(name).dash) for name in methods])


def scientific(value: float) -> str:
    """A hyperparameter as papers write it: 0.0001 as "1e-4", 0.9 as "0.9"."""
    if value == 0 or 1e-2 <= abs(value) < 1e4:
        return f"{value:g}"
    mantissa, exponent = f"{value:e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def number(value: float | None, digits: int = 3) -> str:
    """A measured value with `digits` significant digits ("20.0", "0.0123", "1,230"); "–" when there is none."""
    if value is None or value != value:
        return "–"
    if abs(value) == float("inf"):
        return "diverged"
    if value == 0:
        return "0"
    if abs(value) >= 10**digits:
        return f"{round(value):,}"
    if abs(value) < 1e-3:
        return scientific(float(f"{value:.{digits}g}"))
    return f"{value:#.{digits}g}".rstrip(".")


def _theme() -> dict[str, Any]:
    axis = {
        "domainColor": INK, "domainOpacity": 0.45, "gridColor": INK, "gridOpacity": 0.1, "gridWidth": 1,
        "labelColor": INK, "labelOpacity": 0.8, "labelFont": FONT, "labelFontSize": 11, "labelPadding": 4,
        "labelFlush": False,
        "tickColor": INK, "tickOpacity": 0.45, "tickSize": 4,
        "titleColor": INK, "titleFont": FONT, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 10,
    }  # fmt: skip
    header = {
        "labelColor": INK, "labelFont": FONT, "labelFontSize": 12, "labelFontWeight": "bold",
        "titleColor": INK, "titleFont": FONT, "titleFontSize": 12, "titleFontWeight": "normal",
    }  # fmt: skip
    legend = {
        "labelColor": INK, "labelFont": FONT, "labelFontSize": 11.5, "labelLimit": 220, "rowPadding": 4,
        "titleColor": INK, "titleFont": FONT, "titleFontSize": 12, "titleFontWeight": "normal",
        "symbolSize": 80, "symbolOpacity": 1,
    }  # fmt: skip
    return {
        "background": LIGHT_BACKGROUND,
        "padding": 12,
        "font": FONT,
        "axis": axis,
        "header": header,
        "legend": legend,
        "title": {"color": INK, "font": FONT, "fontSize": 13, "fontWeight": "bold", "anchor": "start"},
        "text": {"font": FONT, "fontSize": 11, "color": INK},
        "view": {"stroke": INK, "strokeOpacity": 0.18, "continuousWidth": 420, "continuousHeight": 260},
    }


def themed(chart: Chart) -> Chart:
    """The chart with the common fonts, inks and paddings."""
    return cast("Chart", chart.configure(**_theme()))


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two hex colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of a hex colour, 0 to 1 (sRGB, WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
