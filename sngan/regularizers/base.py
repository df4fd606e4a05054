"""What a regularizer is. A kind is abstract, a regularizer is final: a small frozen object whose fields are its
hyperparameters, whose one method is its formula and whose docstring gives the equation and the paper.

    kind                acts
    Reparametrization   on how a layer's weight is computed, once, at build time
    Normalization       inserts a layer after a hidden convolution of the discriminator
    Penalty             adds a term to the discriminator's loss
    Projection          moves the discriminator's weights after the optimizer's step
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sngan.errors import InputError
from sngan.registry import Registry


@dataclass(frozen=True)
class Regularizer(ABC):
    """A named change to how the discriminator is trained.

    code : of a plugin's regularizer, 16 hex digits of its file's SHA-256, so that other code is another trial; "" in
        the package, whose code sngan.config.TRAINING_VERSION stands for.
    searched : fields that a search over hyperparameters varies, with the lowest and highest value of each, both
        positive: it is uniform in the logarithm. A study's own ranges for this regularizer win.
    """

    name: ClassVar[str]
    code: ClassVar[str] = ""
    searched: ClassVar[Mapping[str, tuple[float, float]]] = {}

    def to_dict(self) -> dict[str, Any]:
        """Name, code where there is one, and hyperparameters, as plain values."""
        code = {"code": self.code} if self.code else {}
        return {"name": self.name, **code, **dataclasses.asdict(self)}


@dataclass(frozen=True)
class PlacedLayer:
    """A convolution or dense layer of the discriminator, and height and width of its input; (1, 1) for dense ones."""

    layer: nn.Conv2d | nn.Linear
    size: tuple[int, int]


@dataclass(frozen=True)
class Reparametrization(Regularizer):
    """Computes a layer's weight from the raw trained parameter.

    stage : several of them are applied in this order, whatever their names: 0 normalizes, 1 acts on what is normalized.
    """

    stage: ClassVar[int] = 0

    @property
    def tensors(self) -> tuple[str, ...]:
        """The parameters of a layer that it acts on."""
        return ("weight",)

    @abstractmethod
    def parametrization(self, layer: nn.Module, size: tuple[int, int], stream: torch.Generator) -> nn.Module:
        """A module W -> effective weight of the same shape for a convolution or dense `layer`.

        size : height and width of the layer's input. `stream` draws whatever initial state the module keeps.
        """

    def parametrizations(self, layers: Sequence[PlacedLayer], stream: torch.Generator) -> list[nn.Module]:
        """One module per layer, in their order; to be overridden where layers have something in common."""
        return [self.parametrization(placed.layer, placed.size, stream) for placed in layers]


@dataclass(frozen=True)
class Normalization(Regularizer):
    """Inserts a layer between a hidden convolution and its activation."""

    @abstractmethod
    def layer(self, index: int, channels: int, height: int, width: int) -> nn.Module | None:
        """The layer behind convolution number `index` (0 is the one that sees the image), or None."""


@dataclass(frozen=True)
class PenaltyInputs:
    """What a penalty may look at: the discriminator, real and fake images [B, C, H, W] in [-1, 1] without gradient,
    the random stream that belongs to penalties, and in a conditional trial the classes int64 [B] of both.
    """

    discriminator: nn.Module
    real: Tensor
    fake: Tensor
    stream: torch.Generator
    real_labels: Tensor | None = None
    fake_labels: Tensor | None = None


@dataclass(frozen=True)
class Penalty(Regularizer):
    """Adds a scalar to the discriminator's loss."""

    @abstractmethod
    def __call__(self, inputs: PenaltyInputs) -> Tensor:
        """The penalty, a scalar tensor with gradient."""


@dataclass(frozen=True)
class Projection(Regularizer):
    """Moves the weights back into a set after each step of the discriminator's optimizer."""

    @abstractmethod
    def project_(self, discriminator: nn.Module) -> None:
        """Change the weights of `discriminator` in place (called without gradient)."""


REGULARIZERS: Registry[type[Regularizer]] = Registry("regularizer", package="sngan.regularizers")

R = TypeVar("R", bound=type[Regularizer])


def register(name: str) -> Callable[[R], R]:
    """Class decorator: give the regularizer its name and put it into the registry.

    Raises InputError where the name is taken, or the class has one already.
    """

    def decorate(cls: R) -> R:
        if "name" in vars(cls):
            raise InputError(f"{cls.__name__} is registered already, as {cls.name!r}; make a subclass of it.")
        REGULARIZERS.add(name, cls)
        cls.name = name
        return cls

    return decorate


def in_fp32(tensor: Tensor) -> AbstractContextManager[object]:
    """A context in which matrix products with `tensor` are not rounded, in a network that is trained in bfloat16."""
    device = tensor.device.type
    rounding = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if rounding else nullcontext()


def weighted_layers(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """The convolutions and dense layers of a network, in the order in which they were defined."""
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def raw_weight(layer: nn.Conv2d | nn.Linear) -> Tensor:
    """The trained parameter behind a layer's weight: the weight itself unless it is reparametrized."""
    if parametrize.is_parametrized(layer, "weight"):
        original = layer.parametrizations["weight"].original  # type: ignore[union-attr, index]
        assert isinstance(original, Tensor)
        return original
    return layer.weight
