"""What a data set is: splits of uint8 images as memory maps, and the catalog's entries that prepare them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sngan.datasets.writer import DatasetWriter
from sngan.errors import unknown
from sngan.registry import Registry

Progress = Callable[[int, int], None]  # images done, images in all


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSplit:
    """Part of a data set.

    images : uint8 [N, C, H, W], a read-only memory map: indexing reads only what it takes.
    labels : int64 [N], from 0 to num_classes - 1, or None.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A prepared data set of square images.

    digest : SHA-256 (hex) of the content of all splits.
    channels : 1 or 3.
    image_size : height and width, pixels.
    num_classes : None for a set without labels.
    """

    name: str
    digest: str
    channels: int
    image_size: int
    num_classes: int | None
    splits: Mapping[str, ImageSplit]

    @property
    def num_images(self) -> Mapping[str, int]:
        """Split -> its images."""
        return {name: len(split) for name, split in self.splits.items()}

    def split(self, name: str) -> ImageSplit:
        """The split called `name`, or an InputError that says which there are."""
        if name not in self.splits:
            raise unknown(f"split of data set {self.name!r}:", name, self.splits)
        return self.splits[name]


@dataclass(frozen=True, kw_only=True)
class DatasetEntry:
    """A data set of the catalog.

    name : lower case, also the folder's name in the cache.
    version : raised whenever `prepare` writes something else than before.
    source : where the data come from, a citation.
    channels, image_size, num_classes, num_images (per split) : declared, so that they are known before
        anything is prepared; the content must agree.
    download_mb : megabytes fetched from the internet when no data folder is given; 0 for a bundled set, None for
        one that is only given to who signs in or asks: then a data folder is needed.
    prepare : writes every split of `num_images` in a fixed order to a DatasetWriter, a piece at a time. Its
        second argument is the folder with official files that the user gave, or None. Raises InputError for
        wrong or missing files.
    """

    name: str
    version: int
    source: str
    channels: int
    image_size: int
    num_classes: int | None
    num_images: Mapping[str, int]
    download_mb: int | None
    prepare: Callable[[DatasetWriter, Path | None], None]

    @property
    def total_images(self) -> int:
        """Images of all splits."""
        return sum(self.num_images.values())

    @property
    def prepared_bytes(self) -> int:
        """Bytes of all images once they are prepared; labels and headers are less than a thousandth of them."""
        return self.total_images * self.channels * self.image_size**2


DATASETS: Registry[DatasetEntry] = Registry("data set", package="sngan.datasets")
