"""Measures a generator: every protocol of a trial in one pass over the generated images."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from sngan.datasets import Dataset
from sngan.metrics.array_cache import ArrayCache
from sngan.metrics.extractors import load_extractor
from sngan.metrics.frechet import frechet_distance
from sngan.metrics.inception_score import inception_score
from sngan.metrics.kernel import kernel_distance
from sngan.metrics.protocols import Protocol, parse
from sngan.metrics.samples import Needs, Progress, RealSample, Sample, StreamedSample
from sngan.results import RunOptions, Score

logger = logging.getLogger(__name__)

Generate = Callable[[int], Iterator[Tensor]]

_warned_of: set[str] = set()


class Evaluator:
    """Measures generators by the given protocols against one data set.

    protocols : short names; a repeated name is measured once. Inception Scores are left out, with one warning per
        process, where the extractor's weights have no class layer.
    dataset : whose splits the protocols name; the first num_real images of a split, in its order, are compared with.

    Reference statistics of real images are computed once per machine and kept in options.cache_dir/"references".
    Raises InputError for protocols that are unknown, need more real images than there are, or do not fit the images.
    """

    def __init__(self, protocols: Sequence[str], dataset: Dataset, options: RunOptions) -> None:
        parsed = [parse(name) for name in dict.fromkeys(protocols)]
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
        if protocol.split:
            self._real_sample(protocol.extractor, protocol.split).check(protocol.num_real)
        if protocol.metric != "is" or self._extractors[protocol.extractor].has_logits:
            return True
        if protocol.extractor not in _warned_of:
            _warned_of.add(protocol.extractor)
            logger.warning(
                "no Inception Score: the %s weights found here have no class layer (the official file has it)",
                protocol.extractor,
            )
        return False

    def _real_sample(self, extractor: str, split: str) -> RealSample:
        if (extractor, split) not in self._real:
            self._real[extractor, split] = RealSample(self._dataset, split, self._extractors[extractor], self._cache)
        return self._real[extractor, split]

    def prepare(self, progress: Progress | None = None) -> None:
        """Have everything ready that does not depend on the generator: `evaluate` does it where it was not done.

        References and floors, from the cache or measured: once per machine, for the Inception network on a CPU it
        takes minutes.
        """
        if self._prepared:
            return
        # Kernel distances first: the features they keep spare a Frechet distance its own pass.
        for protocol in sorted(self.protocols, key=lambda protocol: protocol.metric != "kid"):
            if protocol.split:
                sample = self._real_sample(protocol.extractor, protocol.split)
                sample.progress = progress
                touch = sample.features if protocol.metric == "kid" else sample.statistics
                touch(protocol.num_real)
        for protocol in self.protocols:
            self._floors[protocol.name] = self._floor(protocol, progress)
        self._prepared = True

    def floors(self, progress: Progress | None = None) -> dict[str, float | None]:
        """Full protocol name -> what it gives for real images.

        The real images in place of the generated ones are the first num_generated of another split (train against
        test, test against train), for the Inception Score those of the test split. None where there are too few.
        """
        self.prepare(progress)
        return {self._full_name(protocol): self._floors[protocol.name] for protocol in self.protocols}

    def _floor(self, protocol: Protocol, progress: Progress | None) -> float | None:
        split = self._floor_split(protocol)
        if split is None or len(self._real_sample(protocol.extractor, split)) < protocol.num_images:
            return None
        sample = self._real_sample(protocol.extractor, split)
        sample.progress = progress
        extractor = self._extractors[protocol.extractor]
        label = "floor-" + protocol.full_name(extractor.hash8).replace("/", "-")
        key = f"floor 1 {protocol.name} {extractor.hash} {self._dataset.digest} {split}"

        def measure() -> Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
            value, _ = self._measure(protocol, sample)
            return {"value": np.array(value)}

        return float(self._cache.get(label, key, measure)["value"])

    def _floor_split(self, protocol: Protocol) -> str | None:
        if protocol.metric == "is":
            return "test" if "test" in self._dataset.splits else None
        return next((name for name in self._dataset.splits if name != protocol.split), None)

    def evaluate(self, generate: Generate) -> tuple[Score, ...]:
        """One Score per measurable protocol, in the order given.

        generate : n -> uint8 batches [B, C, H, W], n images in all; called once with the largest number needed. A
            protocol that needs fewer measures the first ones. A floating-point batch with a non-finite value says
            that the generator has none to show.

        Where images or features are not finite, values are None: the trial has diverged. `Score.seconds` add up to
        what the call took, less `prepare`: a protocol bears its own computation, and of generation and feature
        extraction the share that its number of images has among the protocols which use them.
        """
        self.prepare()
        if not self.protocols:
            return ()
        samples = {name: StreamedSample(self._extractors[name], Needs.of(group)) for name, group in self._groups()}
        clock = _Clock(dict.fromkeys(samples, 0.0))
        finite = _stream(generate, samples, clock)
        scores = []
        for protocol in self.protocols:
            started = perf_counter()
            sample = samples[protocol.extractor]
            value, spread = self._measure(protocol, sample) if finite and sample.finite else (math.nan, None)
            seconds = perf_counter() - started + self._share(protocol, clock)
            scores.append(self._score(protocol, value, spread, seconds))
        return tuple(scores)

    def _groups(self) -> list[tuple[str, list[Protocol]]]:
        """Each extractor in use with its protocols."""
        return [
            (name, group)
            for name in self._extractors
            if (group := [protocol for protocol in self.protocols if protocol.extractor == name])
        ]

    def _measure(self, protocol: Protocol, sample: Sample) -> tuple[float, float | None]:
        """Value and spread of one protocol."""
        if protocol.metric == "is":
            mean, spread = inception_score(sample.logits(protocol.num_images), protocol.repeats)
            return mean, spread if protocol.repeats > 1 else None
        reference = self._real_sample(protocol.extractor, protocol.split)
        generated, real = protocol.num_generated, protocol.num_real
        if protocol.metric == "kid":
            return kernel_distance(sample.features(generated), reference.features(real), device=self._device)
        return frechet_distance(reference.statistics(real), sample.statistics(generated)), None

    def _share(self, protocol: Protocol, clock: "_Clock") -> float:
        """Seconds of generation and extraction that this protocol bears."""
        everyone = sum(other.num_images for other in self.protocols)
        same = sum(other.num_images for other in self.protocols if other.extractor == protocol.extractor)
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


@dataclass
class _Clock:
    """Seconds spent on making images, and per extractor on looking at them."""

    extraction_s: dict[str, float]
    generation_s: float = field(default=0.0)


def _stream(generate: Generate, samples: Mapping[str, StreamedSample], clock: _Clock) -> bool:
    """Show the generated images to every sample; False where an image is not finite.

    On an accelerator, which works behind the clock's back, generation may be waited for, and counted, in extraction.
    """
    num_images = max(sample.needs.num_images for sample in samples.values())
    num_seen = 0
    started = perf_counter()
    for images in generate(num_images):
        clock.generation_s += perf_counter() - started
        if images.is_floating_point() and not bool(torch.isfinite(images).all()):
            return False
        assert images.dtype == torch.uint8, f"images must be uint8, not {images.dtype}"
        for name, sample in samples.items():
            started = perf_counter()
            sample.add(images)
            clock.extraction_s[name] += perf_counter() - started
        num_seen += len(images)
        if num_seen >= num_images or not any(sample.finite for sample in samples.values()):
            return True
        started = perf_counter()
    raise AssertionError(f"{num_images} images were asked for, {num_seen} came")


MAX_CACHED = 4  # evaluators; each holds its reference statistics, 0.1 GB for Inception
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
