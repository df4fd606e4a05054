"""What an architecture is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from sngan.errors import InputError
from sngan.fields import require
from sngan.models.conditioning import Condition, Head, Judgement
from sngan.registry import Registry

# (index of the convolution, channels, height, width) -> the layer behind it, or None
InsertLayer = Callable[[int, int, int, int], nn.Module | None]


class Discriminator(nn.Module, ABC):
    """Images to features, and by its head to logits."""

    head: Head

    @abstractmethod
    def features(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """What the head sees, [B, F], of images [B, channels, size, size]; labels int64 [B] where they enter below."""

    def judge(self, images: Tensor, labels: Tensor | None = None) -> Judgement:
        """Logits, and class logits where there is a classifier, in one pass."""
        judgement: Judgement = self.head(self.features(images, labels), labels)
        return judgement

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits [B]; a conditional discriminator needs the labels."""
        return self.judge(images, labels).logits


@dataclass(frozen=True, kw_only=True)
class Architecture(ABC):
    """A pair of network plans.

    image_sizes : the square image sizes, in pixels, that it is made for.
    initialization : the initial weights that its source gives both networks, for whoever names the architecture only.
    """

    name: str
    description: str
    image_sizes: tuple[int, ...]
    initialization: str

    @abstractmethod
    def generator(self, *, z_dim: int, channels: int, image_size: int, num_classes: int | None) -> nn.Module:
        """A network from z [B, z_dim] to images [B, channels, image_size, image_size] in [-1, 1].

        Where num_classes is given it also takes labels int64 [B], and its batch norm is conditional on them.
        """

    @abstractmethod
    def discriminator(
        self,
        *,
        channels: int,
        image_size: int,
        insert: InsertLayer,
        condition: Condition | None,
        width_factor: float,
    ) -> Discriminator:
        """A network from images [B, channels, image_size, image_size] to logits [B].

        `insert` gives the layer, if any, between a hidden convolution and its activation.
        """

    @abstractmethod
    def widths(self, width_factor: float) -> tuple[int, ...]:
        """The discriminator's channels from the image down, some or all of them multiplied by `width_factor`.

        Raises InputError where a width would not be a whole number.
        """

    def check(self, image_size: int) -> None:
        """Raise an InputError when the architecture is not made for images of this size."""
        if image_size not in self.image_sizes:
            allowed = ", ".join(map(str, self.image_sizes))
            others = [name for name, other in ARCHITECTURES.items() if image_size in other.image_sizes]
            raise InputError(
                f"architecture {self.name!r} takes images of {allowed} pixels, not {image_size}.\n"
                f"Architectures for {image_size} pixels: {', '.join(others) or 'none'}."
            )


def multiplied(widths: tuple[int, ...], width_factor: float) -> tuple[int, ...]:
    """Every width times the factor. Raises InputError where one is not a whole number."""
    products = [width * width_factor for width in widths]
    allowed = f"factors that make {' and '.join(map(str, sorted(set(widths))))} channels whole numbers"
    require(all(product % 1 == 0 for product in products), "config.width_factor", width_factor, allowed)
    return tuple(int(product) for product in products)


ARCHITECTURES: Registry[Architecture] = Registry("architecture", package="sngan.models")
