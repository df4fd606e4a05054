"""Measures a generator: every protocol of a trial in one pass over the generated images."""

import functools
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

import numpy as np
from torch import Tensor

from sngan.datasets import Dataset
from sngan.errors import InputError
from sngan.fields import require
from sngan.metrics.array_cache import ArrayCache, Arrays
from sngan.metrics.extractors import load_extractor
from sngan.metrics.measuring import (
    ClassSamples,
    Group,
    Number,
    grouped,
    measure,
    measure_by_class,
    prepare_reference,
    reads_real_features,
)
from sngan.metrics.protocols import Protocol, check_conditional, check_splits, parse
from sngan.metrics.samples import Needs, Progress, RealSample, Sample, StreamedSample
from sngan.metrics.streaming import Clock, Generate, stream
from sngan.results import RunOptions, Score

logger = logging.getLogger(__name__)

GenerateClass = Callable[[int, int], Iterator[Tensor]]  # class, number of images -> images of this class

_given_warnings: set[str] = set()


def _warn_once(text: str) -> None:
    """Once per process, however many evaluators there are."""
    if text not in _given_warnings:
        _given_warnings.add(text)
        logger.warning(text)


class Evaluator:
    """Measures generators by the given protocols against one data set.

    protocols : short names; a repeated name is measured once. Inception Scores are left out where the
        extractor's weights have no class layer. Of that and of a protocol's caution a process warns once.
    dataset : whose splits the protocols name; the first num_real images of a split, in its order, are compared with.

    Reference statistics of real images are computed once per machine and kept in options.cache_dir/"references".
    Raises InputError for protocols that are unknown, need more real images than there are, do not fit the images, or
    go by class where the data set has no labels or too few images of one.
    """

    def __init__(self, protocols: Sequence[str], dataset: Dataset, options: RunOptions) -> None:
        parsed = [parse(name) for name in dict.fromkeys(protocols)]
        check_splits(parsed, dataset.name, {name: len(split) for name, split in dataset.splits.items()})
        self._dataset = dataset
        self._device = options.device
        self._extractors = {name: load_extractor(name, options) for name in dict.fromkeys(p.extractor for p in parsed)}
        for extractor in self._extractors.values():
            extractor.check_images(dataset.channels, dataset.image_size, dataset.image_size)
        self._cache = ArrayCache(options.cache_dir / "references")
        self._real: dict[tuple[str, str], RealSample] = {}
        self._floors: dict[str, float | None] = {}
        self._prepared = False
        self.protocols: tuple[Protocol, ...] = tuple(p for p in parsed if self._can_measure(p))

    @property
    def extractors(self) -> dict[str, str]:
        """Extractor's name -> its identity with hash, "inception-1a2b3c4d"."""
        return {name: extractor.identity for name, extractor in self._extractors.items()}

    def _can_measure(self, protocol: Protocol) -> bool:
        if protocol.by_class:
            self._check_classes(protocol)
        if caution := protocol.caution(self._dataset.num_classes or 1):
            _warn_once(caution)
        if protocol.metric != "is" or self._extractors[protocol.extractor].has_logits:
            return True
        _warn_once(
            f"no Inception Score: the {protocol.extractor} weights found here have no class layer (the official file "
            "has it)"
        )
        return False

    def _check_classes(self, protocol: Protocol) -> None:
        """Raise InputError unless the data set's classes can be measured one by one."""
        counts = self._real_sample(protocol.extractor, protocol.split).class_counts(protocol.num_real)
        num_classes = len(counts)
        require(
            protocol.num_generated % num_classes == 0 and protocol.num_generated >= 2 * num_classes,
            f"number of generated images in {protocol.name}",
            protocol.num_generated,
            f"a multiple of {self._dataset.name}'s {num_classes} classes, at least 2 for each",
        )
        few = min(range(num_classes), key=counts.__getitem__)
        if counts[few] < 2:
            raise InputError(
                f"{protocol.name} cannot be measured: among the first {protocol.num_real} images of split "
                f"{protocol.split!r} class {few} has {counts[few]}, and 2 are needed."
            )

    def _real_sample(self, extractor: str, split: str) -> RealSample:
        if (extractor, split) not in self._real:
            self._real[extractor, split] = RealSample(self._dataset, split, self._extractors[extractor], self._cache)
        return self._real[extractor, split]

    def prepare(self, progress: Progress | None = None) -> None:
        """Have everything ready that does not depend on the generator: `evaluate` does it where it was not done.

        Extractors, references and floors, from the cache or measured: once per machine, for the Inception network on a
        CPU it takes minutes.
        """
        if self._prepared:
            return
        for extractor in self._extractors.values():
            extractor.make_ready()
        # Those that keep features first: they spare a Frechet distance its own pass.
        for protocol in sorted(self.protocols, key=lambda protocol: not reads_real_features(protocol)):
            if protocol.split:
                sample = self._real_sample(protocol.extractor, protocol.split)
                sample.progress = progress
                prepare_reference(protocol, sample, self._device)
        for group in grouped(self.protocols):
            self._measure_floors(group, progress)
        self._prepared = True

    def floors(self, progress: Progress | None = None) -> dict[str, float | None]:
        """Full protocol name -> what it gives for real images.

        The real images in place of the generated ones are the first num_generated of another split (train against
        test, test against train), for the Inception Score of a split that is not trained on ("test" before "val").
        None where no such split has enough.
        """
        self.prepare(progress)
        return {self._full_name(protocol): self._floors[protocol.name] for protocol in self.protocols}

    def _measure_floors(self, group: Group, progress: Progress | None) -> None:
        """Set the floors of protocols that are measured together."""
        first = group[0]
        split = self._floor_split(first)
        if split is None:
            self._floors.update((protocol.name, None) for protocol in group)
            return
        sample = self._real_sample(first.extractor, split)
        sample.progress = progress
        extractor = self._extractors[first.extractor]

        @functools.cache
        def numbers() -> list[Number]:
            return self._measure(group, sample.of_class if first.by_class else sample)

        for position, protocol in enumerate(group):
            label = "floor-" + protocol.full_name(extractor.hash8).replace("/", "-")
            key = f"floor 1 {protocol.name} {extractor.hash} {self._dataset.digest} {split}"

            def measure_one(position: int = position) -> Arrays:
                return {"value": np.array(numbers()[position][0])}

            self._floors[protocol.name] = float(self._cache.get(label, key, measure_one)["value"])

    def _has_images(self, protocol: Protocol, split: str) -> bool:
        """Whether a split's real images can stand for as many generated ones."""
        sample = self._real_sample(protocol.extractor, split)
        if not protocol.by_class:
            return len(sample) >= protocol.num_images
        counts = sample.class_counts(len(sample))
        return min(counts) >= protocol.num_images // len(counts)

    def _floor_split(self, protocol: Protocol) -> str | None:
        """The split whose images stand for generated ones; None where no split may that has enough of them."""
        others = [name for name in self._dataset.splits if name != protocol.split]
        if protocol.metric == "is":  # compares with no split: the images are those that no generator has seen
            others = sorted((name for name in others if name != "train"), key=lambda name: name != "test")
        return next((name for name in others if self._has_images(protocol, name)), None)

    def evaluate(self, generate: Generate, generate_class: GenerateClass | None = None) -> tuple[Score, ...]:
        """One Score per measurable protocol, in the order given.

        generate : n -> uint8 batches [B, C, H, W], n images in all; called once with the largest number needed. A
            protocol that needs fewer measures the first ones. A floating-point batch with a non-finite value says
            that the generator has none to show.
        generate_class : class, n -> likewise n images of this class, for protocols that go by class. Without it
            such a protocol raises InputError: the model is not conditional.

        Where images or features are not finite, values are None: the trial has diverged. `Score.seconds` add up to
        what the call took, less `prepare`: a protocol bears its own computation, a part of that which several
        share, and of generation and feature extraction the share that its number of images has among the protocols
        which use them.
        """
        check_conditional(self.protocols, generate_class is not None)
        self.prepare()
        samples = {name: StreamedSample(self._extractors[name], Needs.of(group)) for name, group in self._streamed()}
        clock = Clock()
        if samples:
            stream(generate, samples, clock)
        scores: dict[str, Score] = {}
        for group in grouped(self.protocols):
            started = perf_counter()
            if generate_class is not None and group[0].by_class:
                numbers = self._measure(group, functools.partial(self._class_sample, group[0], generate_class))
            else:
                numbers = self._measure(group, samples[group[0].extractor])
            seconds = (perf_counter() - started) / len(group)
            for protocol, (value, spread) in zip(group, numbers, strict=True):
                scores[protocol.name] = self._score(protocol, value, spread, seconds + self._share(protocol, clock))
        return tuple(scores[protocol.name] for protocol in self.protocols)

    def _streamed(self) -> list[tuple[str, list[Protocol]]]:
        """Each extractor that looks at images of any class, with its protocols for them."""
        protocols = [protocol for protocol in self.protocols if not protocol.by_class]
        return [
            (name, group)
            for name in self._extractors
            if (group := [protocol for protocol in protocols if protocol.extractor == name])
        ]

    def _class_sample(self, protocol: Protocol, generate_class: GenerateClass, label: int) -> StreamedSample:
        """Generated images of one class."""
        num_classes = self._dataset.num_classes
        assert num_classes is not None, "checked at the start"
        needs = Needs(statistics=frozenset({protocol.num_generated // num_classes}))
        sample = StreamedSample(self._extractors[protocol.extractor], needs)
        stream(functools.partial(generate_class, label), {protocol.extractor: sample}, Clock())
        return sample

    def _measure(self, group: Group, images: Sample | ClassSamples) -> list[Number]:
        """Values and spreads of one group from images of any class, or from class -> its images."""
        first = group[0]
        real = self._real_sample(first.extractor, first.split) if first.split else None
        if isinstance(images, Sample):
            return measure(group, images, real, self._device)
        assert real is not None, "classes are compared with real ones"
        return [measure_by_class(first, images, real)]

    def _share(self, protocol: Protocol, clock: Clock) -> float:
        """Seconds of generation and extraction that this protocol bears."""
        if protocol.by_class:  # makes and looks at images of its own
            return 0.0
        groups = dict(self._streamed())
        everyone = sum(other.num_images for group in groups.values() for other in group)
        same = sum(other.num_images for other in groups[protocol.extractor])
        extraction_s = clock.extraction_s[protocol.extractor]
        return protocol.num_images * (clock.generation_s / everyone + extraction_s / same)

    def _score(self, protocol: Protocol, value: float, spread: float | None, seconds: float) -> Score:
        finite = math.isfinite(value)
        return Score(
            protocol=self._full_name(protocol),
            metric=protocol.metric,
            value=value if finite else None,
            spread=spread if finite else None,
            num_generated=protocol.num_generated,
            num_real=protocol.num_real,
            split=protocol.split,
            extractor=self._extractors[protocol.extractor].identity,
            floor=self._floors[protocol.name],
            seconds=seconds,
        )

    def _full_name(self, protocol: Protocol) -> str:
        return protocol.full_name(self._extractors[protocol.extractor].hash8)


MAX_CACHED = 4  # evaluators; each holds its references: for Inception 0.1 GB, for intra-fid at most 20 times that
_cached: dict[tuple[object, ...], Evaluator] = {}


def cached_evaluator(protocols: Sequence[str], dataset: Dataset, options: RunOptions) -> Evaluator:
    """An Evaluator as by its constructor, the same object for the same arguments.

    A worker process that runs many trials thus loads network and references once.
    """
    key = (*protocols, dataset.digest, options.cache_dir, options.device, options.inception_weights)
    if key not in _cached:
        while len(_cached) >= MAX_CACHED:
            del _cached[next(iter(_cached))]
        _cached[key] = Evaluator(protocols, dataset, options)
    return _cached[key]
