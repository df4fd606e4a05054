"""The methods and settings that the papers compare: what `python -m sngan list` shows and what studies sweep over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sngan.config import LossName, TrialConfig
from sngan.registry import Registry
from sngan.regularizers import Regularizer
from sngan.regularizers.gradient_penalty import GradientPenalty
from sngan.regularizers.normalization import BatchNorm, LayerNorm
from sngan.regularizers.orthonormal import Orthonormal
from sngan.regularizers.r1 import R1
from sngan.regularizers.spectral_norm import SpectralNorm
from sngan.regularizers.weight_clipping import WeightClipping
from sngan.regularizers.weight_norm import WeightNorm


@dataclass(frozen=True, kw_only=True)
class Method:
    """What a figure compares: a loss and a tuple of regularizers.

    label : how figures and tables write it. source : where it comes from. overrides : further fields of
    TrialConfig that belong to the method's definition.
    """

    name: str
    label: str
    source: str
    loss: LossName = "non-saturating"
    regularizers: tuple[Regularizer, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, config: TrialConfig) -> TrialConfig:
        """`config` with this method's loss, regularizers and overrides."""
        return config.replace(loss=self.loss, regularizers=self.regularizers, **self.overrides)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A row of Table 1, arXiv:1802.05957: Adam's alpha, beta1, beta2 in both networks, and n_dis."""

    name: str
    alpha: float
    beta1: float
    beta2: float
    n_dis: int
    origin: str

    def apply(self, config: TrialConfig) -> TrialConfig:
        """`config` with this setting's optimizer."""
        return config.replace(alpha=self.alpha, beta1=self.beta1, beta2=self.beta2, n_dis=self.n_dis)


METHODS: Registry[Method] = Registry("method")
SETTINGS: Registry[Setting] = Registry("setting")

_MIYATO = "Miyato et al. 2018, arXiv:1802.05957, section 4.1"

for _method in (
    Method(name="none", label="None", source="unregularized, Goodfellow et al. 2014, arXiv:1406.2661"),
    Method(name="weight-clipping", label="Weight clipping", source=_MIYATO, regularizers=(WeightClipping(),)),
    Method(name="gan-gp", label="GAN-GP", source=_MIYATO, regularizers=(GradientPenalty(),)),
    Method(
        name="wgan-gp",
        label="WGAN-GP",
        source="Gulrajani et al. 2017, arXiv:1704.00028",
        loss="wasserstein",
        regularizers=(GradientPenalty(),),
    ),
    Method(
        name="batch-norm",
        label="Batch norm",
        source=_MIYATO,
        regularizers=(BatchNorm(),),
        # A batch of real images and a batch of fake ones each have their own statistics.
        overrides={"discriminator_forward": "separate"},
    ),
    Method(name="layer-norm", label="Layer norm", source=_MIYATO, regularizers=(LayerNorm(),)),
    Method(
        name="weight-norm",
        label="Weight norm",
        source="Salimans and Kingma 2016, arXiv:1602.07868, without gain: eq. 25 of arXiv:1802.05957",
        regularizers=(WeightNorm(),),
    ),
    Method(
        name="orthonormal",
        label="Orthonormal",
        source="Brock et al. 2016, arXiv:1609.07093, as in eq. 14 of arXiv:1802.05957",
        regularizers=(Orthonormal(),),
        overrides={"discriminator_init": "orthonormal"},
    ),
    Method(name="sn", label="SN", source=_MIYATO, regularizers=(SpectralNorm(),)),
    Method(
        name="sn-hinge",
        label="SN (hinge)",
        source="Miyato et al. 2018, arXiv:1802.05957, eq. 16-17",
        loss="hinge",
        regularizers=(SpectralNorm(),),
    ),
    Method(
        name="r1",
        label="R1",
        source="Mescheder et al. 2018, arXiv:1801.04406",
        regularizers=(R1(),),
    ),
):
    METHODS.add(_method.name, _method)

for _setting in (
    Setting(name="A", alpha=1e-4, beta1=0.5, beta2=0.9, n_dis=5, origin="Gulrajani et al. 2017"),
    Setting(name="B", alpha=1e-4, beta1=0.5, beta2=0.999, n_dis=1, origin="Warde-Farley and Bengio 2017"),
    Setting(name="C", alpha=2e-4, beta1=0.5, beta2=0.999, n_dis=1, origin="Radford et al. 2016"),
    Setting(name="D", alpha=1e-3, beta1=0.5, beta2=0.9, n_dis=5, origin="aggressive learning rate"),
    Setting(name="E", alpha=1e-3, beta1=0.5, beta2=0.999, n_dis=5, origin="aggressive learning rate"),
    Setting(name="F", alpha=1e-3, beta1=0.9, beta2=0.999, n_dis=5, origin="aggressive rate and momentum"),
):
    SETTINGS.add(_setting.name, _setting)
