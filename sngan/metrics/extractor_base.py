"""What a feature extractor is: a frozen network whose hash is part of every number that it helped to measure."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from torch import Tensor


class Extractor(ABC):
    """A frozen network that maps images to features, in fp32, each image on its own.

    name : in EXTRACTORS. dim : features per image. fast : real images cost too little to be announced. hash :
    SHA-256 of the weights that the features depend on, hex. batch_size : images at a time.
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

    def make_ready(self) -> None:  # noqa: B027
        """Do now what would else be done at the first images, once per machine or process; nothing by default."""

    @abstractmethod
    def features(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features float32 [B, dim] and logits float32 [B, k], or None, of uint8 images [B, C, H, W].

        The result lies on the extractor's device. Raises InputError for images of a shape it cannot measure.
        """


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
