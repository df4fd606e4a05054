"""Images seen through an extractor: generated ones as they stream by, real ones once per machine."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sngan.datasets import Dataset
from sngan.errors import InputError
from sngan.metrics.array_cache import ArrayCache, Arrays
from sngan.metrics.extractor_base import Extractor
from sngan.metrics.neighbours import nearest_distances
from sngan.metrics.protocols import Protocol
from sngan.metrics.statistics import FeatureStatistics

logger = logging.getLogger(__name__)

Features = NDArray[np.float32]
Progress = Callable[[str, int, int], None]  # what is measured, images done, images in all

# Rows whose scatter is summed at once. Blocks begin at fixed images, so that the batch size cannot change the last
# bits of the statistics.
BLOCK = 2048

# Classes of a split that stay in memory; what is known of the others is read from the cache when it is asked for. With
# the Inception network a class is a matrix of 34 MB and its root: ImageNet's 1,000 would be tens of gigabytes. To read
# one and take its root anew costs three seconds of one core at every evaluation.
MAX_CLASSES_KEPT = 20


class Sample(ABC):
    """Images in a fixed order; every method speaks of the first n of them.

    finite : False as soon as an image or a feature is not; then there is nothing to be asked for.
    """

    finite: bool = True

    @abstractmethod
    def statistics(self, n: int) -> FeatureStatistics:
        """Mean and covariance of their features."""

    @abstractmethod
    def features(self, n: int) -> Features:
        """Their features, float32 [n, d]."""

    @abstractmethod
    def logits(self, n: int) -> Features:
        """Their logits, float32 [n, k]."""


@dataclass(frozen=True)
class Needs:
    """What is to be kept of a stream: statistics of the first n images for each n in `statistics`, features of the
    first `features` images, logits of the first `logits`.
    """

    statistics: frozenset[int] = frozenset()
    features: int = 0
    logits: int = 0

    @classmethod
    def of(cls, protocols: Iterable[Protocol]) -> "Needs":
        """What these protocols need of generated images of any class."""
        counts: dict[str, set[int]] = {"statistics": set(), "features": {0}, "logits": {0}}
        for protocol in protocols:
            counts[protocol.kind.keeps].add(protocol.num_images)
        return cls(frozenset(counts["statistics"]), max(counts["features"]), max(counts["logits"]))

    @property
    def num_images(self) -> int:
        """Images that must be seen in all."""
        return max(self.features, self.logits, *self.statistics, 0)


class StreamedSample(Sample):
    """Images that are added batch by batch and forgotten; only what `needs` names is kept."""

    def __init__(self, extractor: Extractor, needs: Needs) -> None:
        self.needs = needs
        self.num_images = 0
        self._extractor = extractor
        self._features: list[Features] = []
        self._logits: list[Features] = []
        self._statistics: dict[int, FeatureStatistics] = {}
        longest = max(needs.statistics, default=0)
        self._block_ends = sorted({*range(BLOCK, longest, BLOCK), *needs.statistics})
        self._block: list[Tensor] = []
        self._running: FeatureStatistics | None = None

    def add(self, images: Tensor) -> None:
        """Take in uint8 images [B, C, H, W]; those beyond what is needed are left out."""
        for part in torch.split(images[: self.needs.num_images - self.num_images], self._extractor.batch_size):
            features, logits = self._extractor.features(part)
            if not bool(torch.isfinite(features).all()):
                self.finite = False
            if not self.finite:
                return
            self._keep(features, logits)

    def _keep(self, features: Tensor, logits: Tensor | None) -> None:
        start = self.num_images
        if start < self.needs.features:
            self._features.append(features[: self.needs.features - start].cpu().numpy())
        if start < self.needs.logits:
            assert logits is not None, "this extractor has no logits"
            self._logits.append(logits[: self.needs.logits - start].cpu().numpy())
        self._sum_up(features)
        self.num_images += len(features)

    def _sum_up(self, features: Tensor) -> None:
        """Add to the block under way; where it is full, close it and go on with the next."""
        position = self.num_images
        while len(features) and self._block_ends:
            end = self._block_ends[0]
            part, features = features[: end - position], features[end - position :]
            self._block.append(part)
            position += len(part)
            if position == end:
                self._close_block()

    def _close_block(self) -> None:
        block = FeatureStatistics.from_features(torch.cat(self._block))
        self._block = []
        self._running = block if self._running is None else self._running.merge(block)
        end = self._block_ends.pop(0)
        if end in self.needs.statistics:
            self._statistics[end] = self._running

    def statistics(self, n: int) -> FeatureStatistics:
        """Mean and covariance of the first n features; n is one of needs.statistics."""
        return self._statistics[n]

    def features(self, n: int) -> Features:
        """The first n features; n is at most needs.features."""
        return _first(n, self._features)

    def logits(self, n: int) -> Features:
        """The first n logits; n is at most needs.logits."""
        return _first(n, self._logits)


def _first(n: int, parts: list[Features]) -> Features:
    """Rows 0 to n-1 of the parts put together; the list keeps them together."""
    parts[:] = [np.concatenate(parts)]
    assert len(parts[0]) >= n, f"{len(parts[0])} rows were kept, {n} are asked for"
    return parts[0][:n]


class RealSample(Sample):
    """A split of a data set in its own order, or one class of it. What was measured once is read from the cache.

    label : the class whose images alone are looked at, for a split with labels; None for all images.

    Raises InputError when more images are asked for than there are.
    """

    def __init__(
        self, dataset: Dataset, split: str, extractor: Extractor, cache: ArrayCache, label: int | None = None
    ) -> None:
        self.progress: Progress | None = None
        self._images = dataset.split(split).images
        self._rows = None if label is None else np.flatnonzero(self._labels(dataset, split) == label)
        self._label = label
        self._split = split
        self._dataset = dataset
        self._extractor = extractor
        self._cache = cache
        self._features: dict[int, Features] = {}
        self._statistics: dict[int, FeatureStatistics] = {}
        self._nearest: dict[int, Features] = {}
        self._classes: dict[int, RealSample] = {}

    @staticmethod
    def _labels(dataset: Dataset, split: str) -> NDArray[np.int64]:
        labels = dataset.split(split).labels
        if labels is None or dataset.num_classes is None:
            raise InputError(f"data set {dataset.name!r} has no labels, so nothing can be measured class by class.")
        return labels

    def __len__(self) -> int:
        return len(self._images) if self._rows is None else len(self._rows)

    def of_class(self, label: int) -> "RealSample":
        """The images of one class, in the split's order; the same object at every call for those classes kept."""
        sample = self._classes.get(label)
        if sample is None:
            sample = RealSample(self._dataset, self._split, self._extractor, self._cache, label)
            if len(self._classes) < MAX_CLASSES_KEPT:
                self._classes[label] = sample
        sample.progress = self.progress
        return sample

    def class_counts(self, n: int) -> list[int]:
        """How many of the split's first n images belong to each class, [num_classes]. InputError without labels."""
        labels = self._labels(self._dataset, self._split)
        return [int(count) for count in np.bincount(labels[:n], minlength=self._dataset.num_classes or 0)]

    def statistics(self, n: int) -> FeatureStatistics:
        """Mean and covariance of the features of the first n images."""
        if n not in self._statistics:
            arrays = self._cached("statistics", n, lambda: self._measure_statistics(n).to_arrays())
            self._statistics[n] = FeatureStatistics.from_arrays(arrays)
        return self._statistics[n]

    def features(self, n: int) -> Features:
        """Features of the first n images."""
        if n not in self._features:
            arrays = self._cached("features", n, lambda: {"features": self._stream(Needs(features=n)).features(n)})
            self._features[n] = arrays["features"]
        return self._features[n]

    def nearest(self, n: int, device: str) -> Features:
        """Squared distances from each of the first n images to its nearest others, float32 [n, MOST_NEIGHBOURS]."""
        if n not in self._nearest:

            def measure() -> Arrays:
                return {"nearest": nearest_distances(self.features(n), device=device)}

            self._nearest[n] = self._cached("nearest", n, measure)["nearest"]
        return self._nearest[n]

    def logits(self, n: int) -> Features:
        """Logits of the first n images, measured anew: only a floor needs them, and that is cached."""
        return self._stream(Needs(logits=n)).logits(n)

    def _measure_statistics(self, n: int) -> FeatureStatistics:
        if n in self._features:  # the kernel distance has paid for them
            rows = self._features[n]
            blocks = (rows[start : start + BLOCK] for start in range(0, n, BLOCK))
            return FeatureStatistics.merged(map(FeatureStatistics.from_features, blocks))
        return self._stream(Needs(statistics=frozenset({n}))).statistics(n)

    def _cached(self, kind: str, n: int, compute: Callable[[], Arrays]) -> Arrays:
        assert n <= len(self), "checked by protocols.check_splits"
        split = self._split if self._label is None else f"{self._split}-class{self._label}-"
        label = f"{kind}-{split}{n}-{self._extractor.identity}"
        key = f"{kind} 1 {self._dataset.digest} {split} {n} {self._extractor.name} {self._extractor.hash}"
        return self._cache.get(label, key, compute)

    def _stream(self, needs: Needs) -> StreamedSample:
        """Show the images to the extractor."""
        n = needs.num_images
        assert n <= len(self), "checked by protocols.check_splits"
        part = self._split if self._label is None else f"{self._split} class {self._label}"
        what = f"{self._dataset.name} {part}, {n} real images, {self._extractor.name}"
        if not self._extractor.fast:
            logger.info("measuring %s: once per machine", what)
        sample = StreamedSample(self._extractor, needs)
        for start in range(0, n, self._extractor.batch_size):
            # A copy: torch does not take the read-only pages of a memory map.
            rows = slice(start, min(start + self._extractor.batch_size, n))
            images: NDArray[Any] = np.array(self._images[rows if self._rows is None else self._rows[rows]])
            sample.add(torch.from_numpy(images))
            if self.progress is not None:
                self.progress(what, sample.num_images, n)
        assert sample.finite, "features of real images are finite"
        return sample
