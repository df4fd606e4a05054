"""TrialConfig: everything that may change a trial's result, and nothing that may not.

The digest of a config is the identity of its trial: equal digests are the same experiment wherever and whenever it
runs, because the version of the training code counts too. How and where it runs (device, threads, folders) is
`sngan.results.RunOptions`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any, Literal, Self

from sngan.errors import InputError
from sngan.fields import decode, require
from sngan.regularizers import REGULARIZERS, Regularizer

LossName = Literal["non-saturating", "hinge", "wasserstein"]
Precision = Literal["fp32", "tf32", "bf16"]
# Raised by a change after which an equal config trains another network: results from before are then no longer found.
TRAINING_VERSION = 1
# Fields that came later, with the value that says what was done before there were any: it leaves digests as they were.
ADDED_SINCE: Mapping[str, Any] = {"precision": "fp32"}
Conditioning = Literal["none", "projection", "concat", "auxiliary-classifier"]
Initialization = Literal["normal-0.02", "lecun", "glorot", "glorot-residual", "orthonormal"]
# The others are made from a matrix [d_out, d_in h w], which a transposed convolution's weight is not.
GeneratorInitialization = Literal["normal-0.02", "glorot", "glorot-residual"]


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """One GAN training run. Conflicts between the papers and their codes are fields here; DECISIONS.md says why
    each default was chosen.

    dataset : name in the catalog, or the content name of a prepared data set of the user's ("images-1a2b3c4d5e6f").
    architecture : name in the catalog; the image size comes from the data set.
    width_factor : multiplies feature maps of the discriminator: those into and out of the standard CNN's last
        convolution (Fig. 4 of arXiv:1802.05957), all those of a ResNet (Tables 7 and 8). Above 0, up to 16.
    conditioning : "none" knows no labels; else the generator's batch norm is conditional, and the discriminator has a
        "projection" (Miyato and Koyama 2018), the label by "concat"enation (Table 6c), or tells it by an
        "auxiliary-classifier" (the weights of Gulrajani et al. 2017: sngan.losses.CLASS_WEIGHTS).
    loss : eq. 15 (non-saturating, in softplus form), eq. 16-17 (hinge) of arXiv:1802.05957, or Wasserstein.
    regularizers : what is done to the discriminator.
    alpha, beta1, beta2 : Adam's learning rate and momenta in both networks; n_dis : discriminator updates per
        generator update (Table 1 of arXiv:1802.05957). adam_epsilon : Adam's epsilon (not stated in the paper).
    updates : length in generator updates.
    learning_rate_schedule : "linear" decays to 0 at `updates`; "late-linear" is constant for eight ninths and then
        decays likewise (ImageNet: 400,000 of 450,000, Appendix B.3); Table 1 is "constant".
    batch_size : real images, and fake images, of a discriminator update; generator_batch_size : fake images of a
        generator update.
    z_dim : latents are N(0, I) of this dimension.
    update_order : within one update, n_dis discriminator updates and then the generator, or the generator first.
    real_batches : every discriminator update draws a "fresh" batch, or all n_dis of one update have it "shared".
    generator_latents : the generator's update draws "fresh" latents, or has those of the last discriminator update
        "reused" (needs "discriminator-first" and equal batch sizes).
    dequantization : add U[0, 1/128) to the real images, which are in [-1, 1].
    discriminator_forward : real and fake images in one "joint" forward or in two "separate" ones. The same for
        every method that treats images independently; for batch norm it decides what a batch is.
    generator_init, discriminator_init : distribution of the initial weights; biases start at 0.
    precision : of matrix products and convolutions in training. "fp32"; "tf32", factors rounded to 10 bits, on CUDA
        devices only; "bf16", both networks in bfloat16 by autocast. Weights and optimizers are fp32 always, and so is
        whatever is measured; "tf32" rounds the products of sigmas and of penalties, too, "bf16" does not.
    evaluate_every : updates between evaluations (the last update is always evaluated).
    protocols : what is measured there, by the short names of sngan.metrics.protocols.
    """

    dataset: str = "digits"
    architecture: str = "small-cnn"
    width_factor: float = 1.0
    conditioning: Conditioning = "none"
    loss: LossName = "non-saturating"
    regularizers: tuple[Regularizer, ...] = ()
    alpha: float = 1e-4
    beta1: float = 0.5
    beta2: float = 0.9
    n_dis: int = 5
    adam_epsilon: float = 1e-8
    learning_rate_schedule: Literal["constant", "linear", "late-linear"] = "constant"
    updates: int = 1000
    batch_size: int = 64
    generator_batch_size: int = 64
    z_dim: int = 128
    update_order: Literal["discriminator-first", "generator-first"] = "discriminator-first"
    real_batches: Literal["fresh", "shared"] = "fresh"
    generator_latents: Literal["fresh", "reused"] = "fresh"
    dequantization: bool = False
    discriminator_forward: Literal["joint", "separate"] = "joint"
    generator_init: GeneratorInitialization = "normal-0.02"
    discriminator_init: Initialization = "normal-0.02"
    precision: Precision = "fp32"
    evaluate_every: int = 500
    protocols: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant. Raises InputError with the field, its value and the allowed ones."""
        # One order of regularizers: two configs that mean the same have the same digest.
        object.__setattr__(self, "regularizers", tuple(sorted(self.regularizers, key=lambda r: r.name)))
        _check_numbers(self)
        _check_combinations(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Strict: an unknown key, a wrong type or a bad value is an InputError that names the nearest allowed."""
        plain = {key: value for key, value in data.items() if key != "regularizers"}
        config = decode(cls, plain, "config")
        described = _regularizer_list(data.get("regularizers", ()))
        return config.replace(regularizers=tuple(_regularizer(item) for item in described))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `from_dict` is its inverse."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        plain["regularizers"] = [regularizer.to_dict() for regularizer in self.regularizers]
        plain["protocols"] = list(self.protocols)
        return plain

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, checked again."""
        return type(self)(**{**{f.name: getattr(self, f.name) for f in fields(self)}, **changes})

    def with_seed(self, seed: int) -> Self:
        """A copy with another seed, the only field that is checked: for the thousands of trials of one cell."""
        _check_seed(seed)
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.__dict__.pop("digest", None)
        object.__setattr__(copy, "seed", seed)
        return copy

    @cached_property
    def digest(self) -> str:
        """The trial's identity: 16 hex digits of the SHA-256 of TRAINING_VERSION and the config's canonical JSON."""
        before, after = _around_seed(self if self.seed == 0 else self.with_seed(0))
        return hashlib.sha256(f"{TRAINING_VERSION} {before}{int(self.seed)}{after}".encode()).hexdigest()[:16]

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Lines "field: ours, theirs" for every field in which `other` (a config as a dictionary) differs."""
        ours = self.to_dict()
        return [
            f"{key}: {ours.get(key)!r} here, {other.get(key)!r} there"
            for key in sorted(ours.keys() | other.keys())
            if ours.get(key) != other.get(key)
        ]


@lru_cache(maxsize=4096)
def _around_seed(config: TrialConfig) -> tuple[str, str]:
    """The canonical JSON of a config with seed 0, before and after the seed."""
    canonical = TrialConfig.from_dict(config.to_dict())  # by field types: 1 and 1.0 are the same alpha
    known = {key: value for key, value in canonical.to_dict().items() if ADDED_SINCE.get(key, ...) != value}
    text = json.dumps(known, sort_keys=True, separators=(",", ":"))
    # Keys are sorted and regularizers stand before the seed: the last place is the config's own.
    before, key, after = text.rpartition('"seed":0')
    return before + key[:-1], after


def _regularizer_list(value: Any) -> Sequence[Any]:
    """The list itself, or what a person types: names with commas, or JSON for a regularizer's own fields."""
    if not isinstance(value, str):
        return tuple(value)
    if not value.lstrip().startswith(("[", "{")):
        return [] if value.strip() in ("", "none") else [name.strip() for name in value.split(",")]
    try:
        parsed = json.loads(value)
    except ValueError as error:
        raise InputError(
            f"config.regularizers is not JSON ({error}): {value}\n"
            'Allowed: names with commas, or JSON such as {"name": "orthonormal", "coefficient": 0.01}.'
        ) from None
    return parsed if isinstance(parsed, list) else [parsed]


def _regularizer(item: Mapping[str, Any] | str) -> Regularizer:
    """A regularizer from its name, or from {"name": ..., hyperparameters...}."""
    if not isinstance(item, str | Mapping):
        raise InputError(f"a regularizer is a name or an object with a 'name', not {item!r}.")
    described = {"name": item} if isinstance(item, str) else dict(item)
    if "name" not in described:
        raise InputError(f"a regularizer needs a 'name', got {described!r}.")
    name = str(described.pop("name"))
    code = str(described.pop("code", ""))
    if code and (name not in REGULARIZERS or REGULARIZERS[name].code != code):
        raise InputError(
            f"regularizer {name!r} of the plugin with code {code} is not loaded.\n"
            "Give that very file with --plugin; a launch keeps it in OUT/plugins."
        )
    return decode(REGULARIZERS[name], described, f"regularizer {name}")


def _check_numbers(config: TrialConfig) -> None:
    for name in ("updates", "evaluate_every"):
        value = getattr(config, name)
        require(1 <= value <= 10**9, f"config.{name}", value, "whole numbers from 1 to 1e9")
    for name in ("n_dis", "batch_size", "generator_batch_size", "z_dim"):
        value = getattr(config, name)
        require(1 <= value <= 2**16, f"config.{name}", value, "whole numbers from 1 to 65536")
    for name in ("alpha", "adam_epsilon"):
        value = getattr(config, name)
        require(0 < value <= 1, f"config.{name}", value, "numbers above 0, up to 1")
    require(0 < config.width_factor <= 16, "config.width_factor", config.width_factor, "numbers above 0, up to 16")
    for name in ("beta1", "beta2"):
        value = getattr(config, name)
        require(0 <= value < 1, f"config.{name}", value, "numbers from 0 to below 1")
    _check_seed(config.seed)


def _check_seed(seed: int) -> None:
    require(0 <= seed < 2**31, "config.seed", seed, "whole numbers from 0 to 2147483647")


def _check_combinations(config: TrialConfig) -> None:
    names = [regularizer.name for regularizer in config.regularizers]
    require(len(set(names)) == len(names), "config.regularizers", names, "each regularizer once")
    if config.generator_latents == "reused":
        require(
            config.update_order == "discriminator-first" and config.batch_size == config.generator_batch_size,
            "config.generator_latents",
            "reused",
            "only with update_order 'discriminator-first' and generator_batch_size equal to batch_size",
        )
