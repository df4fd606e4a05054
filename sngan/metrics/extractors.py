"""What a feature extractor is, and which ones there are. An extractor is a frozen network; its hash is part of every
number that it helped to measure.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import Tensor

from sngan.registry import Registry
from sngan.results import RunOptions


class Extractor(ABC):
    """A frozen network that maps images to features, in fp32, each image on its own.

    name : in EXTRACTORS. dim : features per image. fast : real images cost so little that floors are always
    measured. hash : SHA-256 of the weights that the features depend on, hex. batch_size : images at a time.
    """

    name: ClassVar[str]
    dim: ClassVar[int]
    fast: ClassVar[bool]
    hash: str
    batch_size: int

    @property
    def hash8(self) -> str:
        """The first 8 hex digits of the hash."""
        return self.hash[:8]

    @property
    def identity(self) -> str:
        """Name and hash, "inception-1a2b3c4d": what Score.extractor holds."""
        return f"{self.name}-{self.hash8}"

    @property
    @abstractmethod
    def has_logits(self) -> bool:
        """Whether `features` also gives logits, without which there is no Inception Score."""

    @abstractmethod
    def check_images(self, channels: int, height: int, width: int) -> None:
        """Raise InputError unless images of this shape can be measured."""

    @abstractmethod
    def features(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features float32 [B, dim] and logits float32 [B, k], or None, of uint8 images [B, C, H, W].

        The result lies on the extractor's device. Raises InputError for images of a shape it cannot measure.
        """


@dataclass(frozen=True, kw_only=True)
class ExtractorEntry:
    """A line of the catalog: the network's name, what it is, and how to load it."""

    name: str
    description: str
    load: Callable[[RunOptions], Extractor]


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) of names, shapes and float32 values in the order of the names.

    The same weights have the same hash in whichever file format they came.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().contiguous().numpy().astype("<f4", copy=False)
        digest.update(f"{name} {list(values.shape)}\n".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _load_inception(options: RunOptions) -> Extractor:
    # Imported here: torchvision, which pytorch-fid brings, costs a second that digits need not pay.
    from sngan.metrics.inception import InceptionExtractor
    from sngan.metrics.inception_weights import find_weights

    return InceptionExtractor(find_weights(options.inception_weights), device=options.device)


def _load_digits(options: RunOptions) -> Extractor:
    from sngan.metrics.digits_cnn import DigitsExtractor

    return DigitsExtractor(device=options.device)


EXTRACTORS: Registry[ExtractorEntry] = Registry("feature extractor")
for _entry in (
    ExtractorEntry(
        name="inception",
        description="FID's Inception network of 2015-12-05 as in pytorch-fid: 2048 features, images of any size",
        load=_load_inception,
    ),
    ExtractorEntry(
        name="digits",
        description="a small classifier of 8 x 8 grey digits whose weights are part of this package: 64 features",
        load=_load_digits,
    ),
):
    EXTRACTORS.add(_entry.name, _entry)

_loaded: dict[tuple[str, str, Path | None], Extractor] = {}


def load_extractor(name: str, options: RunOptions) -> Extractor:
    """The extractor called `name`, loaded once per process, device and weights file.

    Raises InputError for an unknown name and for weights that are missing or are not the right ones.
    """
    key = (name, options.device, options.inception_weights)
    if key not in _loaded:
        _loaded[key] = EXTRACTORS[name].load(options)
    return _loaded[key]
