"""What the presets of every study have in common on a data set, as fields of TrialConfig."""

from collections.abc import Mapping
from typing import Any

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
    "updates": 240,
    "evaluate_every": 60,
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
