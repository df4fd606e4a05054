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
CIFAR10: Mapping[str, Any] = {
    "dataset": "cifar10",
    "architecture": "standard-cnn",
    "batch_size": 64,
    "generator_batch_size": 64,
    "z_dim": 128,
}
