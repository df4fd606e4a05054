"""The methods and settings that the papers compare: what `python -m sngan list` shows and what studies sweep over.

Both may be varied in their names: "orthonormal(coefficient=0.1)" is the method orthonormal with another value in that
field of its regularizers, "orthonormal(loss=hinge)" with another loss, "D(n_dis=10)" the setting D with another n_dis,
"C(width_factor=4)" the setting C with another value in that field of the config. Each takes part in everything as a
method or setting of its own.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sngan.config import LossName, TrialConfig
from sngan.errors import InputError, unknown
from sngan.fields import coerce, field_types
from sngan.regularizers import Regularizer
from sngan.regularizers.bidirectional_spectral_norm import BidirectionalSpectralNorm
from sngan.regularizers.frobenius_norm import FrobeniusNorm
from sngan.regularizers.gradient_penalty import GradientPenalty
from sngan.regularizers.normalization import BatchNorm, LayerNorm
from sngan.regularizers.operator_spectral_norm import OperatorSpectralNorm
from sngan.regularizers.orthonormal import Orthonormal
from sngan.regularizers.r1 import R1
from sngan.regularizers.scale import Scale
from sngan.regularizers.spectral_norm import SpectralNorm
from sngan.regularizers.weight_clipping import WeightClipping
from sngan.regularizers.weight_norm import WeightNorm
from sngan.variants import Varied, varied_name, written


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
    """A row of Table 1, arXiv:1802.05957, or another: Adam's alpha, beta1, beta2 in both networks, and n_dis.

    overrides : further fields of TrialConfig in which a varied setting differs, such as the width of a layer.
    """

    name: str
    alpha: float
    beta1: float
    beta2: float
    n_dis: int
    origin: str
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, config: TrialConfig) -> TrialConfig:
        """`config` with this setting's optimizer and overrides."""
        return config.replace(alpha=self.alpha, beta1=self.beta1, beta2=self.beta2, n_dis=self.n_dis, **self.overrides)


_OPTIMIZER = ("alpha", "beta1", "beta2", "n_dis")
# What belongs to the method or the seed, and what is measured: numbers from other data could not be compared.
_NOT_OF_A_SETTING = frozenset({"loss", "regularizers", "seed", "dataset", "protocols"})


class Methods(Varied[Method]):
    """The catalog of methods, which also answers to varied names."""

    def vary(self, entry: Method, changes: Mapping[str, str]) -> Method:
        """The method with another loss, or other values in fields of its regularizers; name and label say which."""
        regularizers, loss = list(entry.regularizers), entry.loss
        told: dict[str, object] = {}
        for key, text in sorted(changes.items()):
            if key == "loss":
                told[key] = loss = coerce(LossName, text, f"{entry.name}.loss")
                continue
            having = [position for position, r in enumerate(regularizers) if key in field_types(type(r))]
            if not having:
                known = {"loss", *(name for r in regularizers for name in field_types(type(r)))}
                raise unknown(f"field of method {entry.name!r}:", key, known)
            for position in having:
                chosen = regularizers[position]
                told[key] = coerce(field_types(type(chosen))[key], text, f"{entry.name}.{key}")
                regularizers[position] = dataclasses.replace(chosen, **{key: told[key]})
        words = ", ".join(f"{key} {written(value)}".replace("_", " ") for key, value in told.items())
        label = f"{entry.label} ({words})"
        return dataclasses.replace(
            entry, name=varied_name(entry.name, told), label=label, loss=loss, regularizers=tuple(regularizers)
        )


class Settings(Varied[Setting]):
    """The catalog of settings, which also answers to varied names: "D(n_dis=10)", "C(width_factor=4)"."""

    def vary(self, entry: Setting, changes: Mapping[str, str]) -> Setting:
        """The setting with other values in the optimizer or in further fields of the config."""
        types = {key: kind for key, kind in field_types(TrialConfig).items() if key not in _NOT_OF_A_SETTING}
        for key in changes:
            if key not in types:
                raise unknown(f"field of setting {entry.name!r}:", key, types)
        told = {key: coerce(types[key], text, f"{entry.name}.{key}") for key, text in sorted(changes.items())}
        own = {key: value for key, value in told.items() if key in _OPTIMIZER}
        further = {key: value for key, value in told.items() if key not in _OPTIMIZER}
        return dataclasses.replace(entry, name=varied_name(entry.name, told), overrides=further, **own)


def check_kept(method: Method, config: TrialConfig, changed: Iterable[str]) -> None:
    """Refuse fields `changed` on purpose, of the config before the method, that its definition would silently undo."""
    for key in sorted(method.overrides.keys() & set(changed)):
        if getattr(config, key) != method.overrides[key]:
            raise InputError(
                f"config.{key} is {method.overrides[key]!r} by definition of method {method.name!r}.\n"
                f"Leave that method out to set it to {getattr(config, key)!r}."
            )


METHODS = Methods("method")
SETTINGS = Settings("setting")

_MIYATO = "Miyato et al. 2018, arXiv:1802.05957, section 4.1"
_APPENDIX_E = "Miyato et al. 2018, arXiv:1802.05957, Appendix E, eq. 32"
_LIN = "Lin et al. 2021, arXiv:2009.02773"
_LEARNED = Scale(learned="per-layer")

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
        name="ssn",
        label="SSN",
        source=f"{_LIN}: spectral normalization times a constant, Scale.factor; theirs are 0.7 to 4",
        loss="hinge",
        regularizers=(SpectralNorm(), Scale(factor=1.2)),
    ),
    Method(name="bsn", label="BSN", source=_LIN, loss="hinge", regularizers=(BidirectionalSpectralNorm(),)),
    Method(
        name="bssn",
        label="BSSN",
        source=f"{_LIN}: bidirectional normalization times a constant, Scale.factor; theirs are 0.7 to 4",
        loss="hinge",
        regularizers=(BidirectionalSpectralNorm(), Scale(factor=1.2)),
    ),
    Method(
        name="sn-conv",
        label="SN, strict",
        source=f"{_LIN}: by the norm of the convolution, not of the reshaped kernel",
        loss="hinge",
        regularizers=(OperatorSpectralNorm(),),
    ),
    Method(
        name="lecun-init",
        label="LeCun init",
        source=f"{_LIN}: LeCun's initial variance 1 / fan_in, and nothing afterwards",
        loss="hinge",
        overrides={"discriminator_init": "lecun"},
    ),
    Method(
        name="wgan-gp-sn",
        label="WGAN-GP + SN",
        source=_APPENDIX_E,
        loss="wasserstein",
        regularizers=(GradientPenalty(), SpectralNorm(), _LEARNED),
    ),
    Method(
        name="wgan-gp-weight-norm",
        label="WGAN-GP + weight norm",
        source=_APPENDIX_E,
        loss="wasserstein",
        regularizers=(GradientPenalty(), WeightNorm(), _LEARNED),
    ),
    Method(
        name="wgan-gp-frobenius",
        label="WGAN-GP + Frobenius",
        source=_APPENDIX_E,
        loss="wasserstein",
        regularizers=(GradientPenalty(), FrobeniusNorm(), _LEARNED),
    ),
    Method(
        name="wgan-gp-sn-shared",
        label="WGAN-GP + SN, one scale",
        source=f"{_LIN}, the code's same_gamma: one learned scale for all layers and biases",
        loss="wasserstein",
        regularizers=(GradientPenalty(), SpectralNorm(), Scale(learned="shared", biases=True)),
    ),
    Method(
        name="sn-gp",
        label="SN + GP",
        source="both of arXiv:1802.05957, as combined by Kurach et al. 2019, arXiv:1807.04720",
        regularizers=(SpectralNorm(), GradientPenalty()),
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
    # Not of Table 1: that of the paper's ResNets, Appendix B.2 and B.3.
    Setting(name="resnet", alpha=2e-4, beta1=0.0, beta2=0.9, n_dis=5, origin="ResNets of Gulrajani et al. 2017"),
):
    SETTINGS.add(_setting.name, _setting)
