"""What an architecture is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from sngan.errors import InputError
from sngan.registry import Registry

# (index of the convolution, channels, height, width) -> the layer behind it, or None
InsertLayer = Callable[[int, int, int, int], nn.Module | None]


@dataclass(frozen=True, kw_only=True)
class Architecture(ABC):
    """A pair of network plans.

    image_sizes : the square image sizes, in pixels, that it is made for.
    """

    name: str
    description: str
    image_sizes: tuple[int, ...]

    @abstractmethod
    def generator(self, *, z_dim: int, channels: int, image_size: int) -> nn.Module:
        """A network from z [B, z_dim] to images [B, channels, image_size, image_size] in [-1, 1]."""

    @abstractmethod
    def discriminator(self, *, channels: int, image_size: int, insert: InsertLayer) -> nn.Module:
        """A network from images [B, channels, image_size, image_size] to logits [B].

        `insert` gives the layer, if any, between a hidden convolution and its activation.
        """

    def check(self, image_size: int) -> None:
        """Raise an InputError when the architecture is not made for images of this size."""
        if image_size not in self.image_sizes:
            allowed = ", ".join(map(str, self.image_sizes))
            raise InputError(
                f"architecture {self.name!r} takes images of {allowed} pixels, not {image_size}.\n"
                f"Known architectures: {', '.join(ARCHITECTURES)}."
            )


ARCHITECTURES: Registry[Architecture] = Registry("architecture", package="sngan.models")
