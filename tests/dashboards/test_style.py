"""The palette is measured, not believed: contrast on white and dark, distance under colour blindness, unique shapes."""

from itertools import combinations

import numpy as np
import pytest

from dashboards.figures.style import (
    DARK_BACKGROUND,
    LIGHT_BACKGROUND,
    METHOD_STYLES,
    contrast,
    method_label,
    method_style,
    number,
    scientific,
)
from sngan.methods import METHODS, Method
from sngan.regularizers.r1 import R1

# Machado, Oliveira and Fernandes 2009: linear RGB as seen without one kind of cone (severity 1).
VISIONS = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour: str, vision: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of a hex colour as seen with a kind of vision."""
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(vision @ linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("name", METHOD_STYLES)
@pytest.mark.parametrize("background", [LIGHT_BACKGROUND, DARK_BACKGROUND])
def test_colours_are_seen_on_white_and_on_dark(name: str, background: str) -> None:
    assert contrast(METHOD_STYLES[name].colour, background) >= 3.0


@pytest.mark.parametrize("background", [LIGHT_BACKGROUND, DARK_BACKGROUND])
def test_colours_of_varied_methods_are_seen_too(background: str) -> None:
    """By the number alone, all the way round the circle of colours; shape and dash are the family's."""
    colours = {method_style(f"bssn(factor={factor:.4g})").colour for factor in np.geomspace(0.05, 20, 300)}
    assert len(colours) > 200
    assert min(contrast(colour, background) for colour in colours) >= 3.0
    one, other = method_style("ssn(factor=1.4)"), method_style("bssn(factor=1.4)")
    assert one.colour == other.colour
    assert (one.shape, one.dash) == (METHOD_STYLES["ssn"].shape, METHOD_STYLES["ssn"].dash)
    assert one.shape != other.shape
    assert method_style("sn(advance=per-forward)").shape


@pytest.mark.parametrize("vision", VISIONS)
def test_methods_of_the_catalog_are_told_apart_by_colour(vision: str) -> None:
    colours = {name: lab(method_style(name).colour, VISIONS[vision]) for name in METHODS}
    distances = {pair: np.linalg.norm(colours[pair[0]] - colours[pair[1]]) for pair in combinations(colours, 2)}
    assert min(distances.values()) >= 12, min(distances, key=distances.__getitem__)


@pytest.mark.parametrize("vision", VISIONS)
def test_methods_of_plugins_are_told_apart_from_all_others(vision: str) -> None:
    names = [f"added-{number}" for number in range(9)]
    try:
        for name in names:
            METHODS.add(name, Method(name=name, label=name, source="a test"))
        colours = {name: lab(method_style(name).colour, VISIONS[vision]) for name in METHODS}
        styles = [method_style(name) for name in names]
    finally:
        for name in names:
            METHODS.remove(name)
    distances = {pair: np.linalg.norm(colours[pair[0]] - colours[pair[1]]) for pair in combinations(colours, 2)}
    assert min(distances.values()) >= 8, min(distances, key=distances.__getitem__)
    assert len({(style.shape, style.dash) for style in styles}) == len(styles)
    assert all(
        contrast(style.colour, ground) >= 3 for style in styles for ground in (LIGHT_BACKGROUND, DARK_BACKGROUND)
    )
    assert not {(style.shape, style.dash) for style in styles} & {(s.shape, s.dash) for s in METHOD_STYLES.values()}


def test_a_varied_method_of_a_plugin_keeps_its_shape() -> None:
    METHODS.add("added", Method(name="added", label="added", source="a test", regularizers=(R1(),)))
    try:
        own, one, other = (method_style(f"added{number}") for number in ("", "(gamma=1)", "(gamma=3)"))
    finally:
        METHODS.remove("added")
    assert own.shape == one.shape == other.shape
    assert len({own.colour, one.colour, other.colour}) == 3


def test_no_two_styles_look_alike_without_colour() -> None:
    # SN and no regularization share the circle; one is blue and solid, the other grey and dotted.
    assert len({(style.shape, style.dash) for style in METHOD_STYLES.values()}) == len(METHOD_STYLES)
    assert len({style.colour for style in METHOD_STYLES.values()}) == len(METHOD_STYLES)


def test_a_method_without_a_style_gets_one_that_depends_on_its_name_alone() -> None:
    style = method_style("new-regularizer")
    assert style == method_style("new-regularizer")
    assert style.shape not in {METHOD_STYLES[name].shape for name in METHODS}
    assert len({method_style(f"method-{number}") for number in range(40)}) > 20
    assert method_label("new-regularizer") == "new-regularizer"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-4, "1e-4"), (2e-4, "2e-4"), (1.5e-4, "1.5e-4"), (1e-3, "1e-3"), (0.9, "0.9"), (0, "0"), (1e-8, "1e-8")],
)
def test_hyperparameters_are_written_as_in_papers(value: float, text: str) -> None:
    assert scientific(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (20, "20.0"), (4.804, "4.80"), (123.4, "123"), (1234.5, "1,234"), (0.01234, "0.0123"), (0.0001234, "1.23e-4"),
        (0, "0"), (None, "–"), (float("nan"), "–"), (float("inf"), "diverged"), (-0.5, "-0.500"),
    ],
)  # fmt: skip
def test_measured_values_have_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_method_varied_in_its_loss_keeps_its_colour_and_has_another_shape() -> None:
    for name in ("orthonormal", "layer-norm", "none"):
        plain, hinge = method_style(name), method_style(f"{name}(loss=hinge)")
        assert hinge.colour == plain.colour
        assert hinge.shape != plain.shape
