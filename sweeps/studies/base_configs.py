"""What the presets of every study have in common on a data set: fields of TrialConfig, and whole presets."""

from collections.abc import Mapping
from typing import Any

from sweeps.study import Preset

DIGITS: Mapping[str, Any] = {
    "dataset": "digits",
    "architecture": "small-cnn",
    # The scale N(0, 0.02) belongs to wide layers; with 16 channels the signal would be all but gone.
    "generator_init": "glorot",
    "discriminator_init": "glorot",
    "batch_size": 32,
    "generator_batch_size": 32,
    "z_dim": 32,
}
DIGITS_CAVEAT = (
    "Digits are not CIFAR-10: these small images, networks and short runs show that the platform works, "
    "and say nothing about the papers' claims on natural images."
)
# Studies that train for as long and measure the same share their trials.
DIGITS_QUICK: Mapping[str, Any] = {
    **DIGITS,
    "updates": 90,
    "evaluate_every": 30,
    "protocols": ("fid/gen600-test600-digits", "kid/gen600-test600-digits", "is/gen600x1-digits"),
}

CIFAR10: Mapping[str, Any] = {
    "dataset": "cifar10",
    "architecture": "standard-cnn",
    "batch_size": 64,
    "generator_batch_size": 64,
    "z_dim": 128,
}
CIFAR10_SHORT: Mapping[str, Any] = {
    **CIFAR10,
    "updates": 20_000,
    "evaluate_every": 2_500,
    "protocols": ("fid/gen5000-test10000-inception", "kid/gen5000-test10000-inception", "is/gen5000x10-inception"),
}
CIFAR10_PAPER: Mapping[str, Any] = {
    **CIFAR10,
    "updates": 100_000,
    "evaluate_every": 10_000,
    "protocols": ("fid/gen5000-test10000-inception", "is/gen5000x10-inception", "fid/gen50000-train50000-inception"),
}
STL10: Mapping[str, Any] = {**CIFAR10, "dataset": "stl10"}
# The paper compares with 10,000 real images, of which the test set has 8,000: the first of those trained on take part.
STL10_SHORT: Mapping[str, Any] = {
    **STL10,
    "updates": 20_000,
    "evaluate_every": 2_500,
    "protocols": ("fid/gen5000-train10000-inception", "is/gen5000x10-inception"),
}
STL10_PAPER: Mapping[str, Any] = {**STL10_SHORT, "updates": 100_000, "evaluate_every": 10_000}
SHORT_CAVEAT = "Trained for less than the paper's 100,000 generator updates: late failures do not show."


def quick(
    config: Mapping[str, Any],
    methods: tuple[str, ...],
    settings: tuple[str, ...],
    seeds: int,
    *,
    headline: str = "fid/gen600-test600-digits",
    caveat: str = DIGITS_CAVEAT,
) -> Preset:
    """The preset `quick` of a study, on digits."""
    return Preset(
        name="quick",
        description="Digits of 8 x 8 pixels with a small CNN: minutes on two cores, nothing to download.",
        config=config,
        methods=methods,
        settings=settings,
        seeds=seeds,
        headline=headline,
        caveat=caveat,
    )


def cifar10_short(methods: tuple[str, ...], settings: tuple[str, ...], seeds: int) -> Preset:
    """A fifth of the paper's length on CIFAR-10."""
    return Preset(
        name="cifar10-short",
        description=f"CIFAR-10 with the paper's standard CNN, a fifth of its length, {seeds} seeds.",
        config=CIFAR10_SHORT,
        methods=methods,
        settings=settings,
        seeds=seeds,
        headline="fid/gen5000-test10000-inception",
        caveat=SHORT_CAVEAT,
    )


def cifar10_paper(methods: tuple[str, ...], settings: tuple[str, ...], seeds: int) -> Preset:
    """The paper's length on CIFAR-10."""
    return Preset(
        name="cifar10",
        description=f"CIFAR-10 with the paper's standard CNN and length, 100,000 generator updates, {seeds} seeds.",
        config=CIFAR10_PAPER,
        methods=methods,
        settings=settings,
        seeds=seeds,
        headline="fid/gen5000-test10000-inception",
    )
