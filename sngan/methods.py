"""The methods and settings that the papers compare: what `python -m sngan list` shows and what studies sweep over.

A method may be varied in its name: "orthonormal(coefficient=0.1)" is the method orthonormal with another value in that
field of its regularizers, and takes part in everything as a method of its own.
"""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sngan.config import LossName, TrialConfig
from sngan.errors import InputError, unknown
from sngan.fields import coerce, field_types
from sngan.registry import Registry
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


_VARIED = re.compile(r"([a-z0-9-]+)\((.*)\)")


def varied(name: str) -> tuple[str, dict[str, str]]:
    """The method behind a name, and the fields that the name varies: ("bssn", {"factor": "1.4"}), ("sn", {}).

    Raises InputError for what is no list of FIELD=VALUE.
    """
    found = _VARIED.fullmatch(name.replace(" ", ""))
    if found is None:
        return name, {}
    parts = [_assignment(part, name) for part in found[2].split(",")]
    changes = dict(parts)
    if len(changes) < len(parts):
        raise InputError(f"{name!r} gives a field twice.\nThe form is NAME(FIELD=VALUE), each field once.")
    return found[1], changes


def varied_number(name: str) -> tuple[str, str, float] | None:
    """The method behind a name, the one field that it varies and the number there; None where it is not one number."""
    method, changes = varied(name)
    if len(changes) != 1:
        return None
    (key, text), *_ = changes.items()
    number = _as_number(text)
    return (method, key, number) if math.isfinite(number) else None


class Methods(Registry[Method]):
    """The catalog of methods, which also answers to varied names. Iterating gives the methods as they are defined."""

    def __getitem__(self, name: str) -> Method:
        """The method of that name; "NAME(FIELD=VALUE, ...)" is varied. Raises InputError for what does not exist."""
        defined, changes = varied(name)
        method = super().__getitem__(defined)
        return _vary(method, changes) if changes else method

    def __contains__(self, name: object) -> bool:
        """Whether `self[name]` exists."""
        try:
            return isinstance(name, str) and bool(self[name])
        except InputError:
            return False

    def ordered(self, names: Iterable[object]) -> tuple[str, ...]:
        """The distinct names as tables show them: in the catalog's order, variants by value, unknown ones last."""
        place = {name: number for number, name in enumerate(self)}

        def key(name: str) -> tuple[int, list[tuple[str, float, str]], str]:
            if name not in self:
                return len(place), [], name
            method, changes = varied(name)
            return place[method], [(field, _as_number(text), text) for field, text in changes.items()], name

        return tuple(sorted({str(name) for name in names}, key=key))


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


def _assignment(part: str, name: str) -> tuple[str, str]:
    key, separator, value = part.partition("=")
    if not (key and separator and value):
        raise InputError(f"{name!r} is no variation of a method.\nThe form is NAME(FIELD=VALUE), fields with commas.")
    return key, value


def _vary(method: Method, changes: Mapping[str, str]) -> Method:
    """The method with other values in fields of its regularizers; its name and label say which."""
    regularizers = list(method.regularizers)
    told = {}
    for key, text in sorted(changes.items()):
        having = [position for position, r in enumerate(regularizers) if key in field_types(type(r))]
        if not having:
            known = {name for r in regularizers for name in field_types(type(r))}
            raise unknown(f"field of method {method.name!r}:", key, known)
        for position in having:
            chosen = regularizers[position]
            value = coerce(field_types(type(chosen))[key], text, f"{method.name}.{key}")
            regularizers[position] = dataclasses.replace(chosen, **{key: value})
            told[key] = _written(value)
    fields = ",".join(f"{key}={value}" for key, value in told.items())
    words = ", ".join(f"{key} {value}".replace("_", " ") for key, value in told.items())
    return dataclasses.replace(
        method, name=f"{method.name}({fields})", label=f"{method.label} ({words})", regularizers=tuple(regularizers)
    )


def _written(value: object) -> str:
    """A value in a method's name, short, and such that reading it gives the same value."""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value).lower()


METHODS = Methods("method")
SETTINGS: Registry[Setting] = Registry("setting")

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
):
    SETTINGS.add(_setting.name, _setting)
