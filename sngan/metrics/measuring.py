"""From images that an extractor has seen to numbers: one function per kind of metric, shared work done once."""

import math
from collections.abc import Callable, Iterable
from statistics import fmean

from sngan.metrics.fid_infinity import fid_infinity
from sngan.metrics.frechet import frechet_distance
from sngan.metrics.inception_score import inception_score
from sngan.metrics.kernel import kernel_distance
from sngan.metrics.neighbours import NEIGHBOURS, neighbour_scores
from sngan.metrics.protocols import Protocol
from sngan.metrics.samples import RealSample, Sample

Number = tuple[float, float | None]  # a value, NaN where images were not finite, and its spread
Group = tuple[Protocol, ...]  # protocols that are measured together
ClassSamples = Callable[[int], Sample]  # class -> its images


def grouped(protocols: Iterable[Protocol]) -> list[Group]:
    """Protocols in groups that share their work: those that look for neighbours among the same images."""
    groups: dict[object, Group] = {}
    for protocol in protocols:
        key: object = protocol
        if protocol.metric in NEIGHBOURS:
            key = (protocol.extractor, protocol.num_generated, protocol.split, protocol.num_real)
        groups[key] = (*groups.get(key, ()), protocol)
    return list(groups.values())


def reads_real_features(protocol: Protocol) -> bool:
    """Whether the real images' features are needed one by one, not only their mean and covariance."""
    return protocol.metric == "kid" or protocol.metric in NEIGHBOURS


def prepare_reference(protocol: Protocol, real: RealSample, device: str) -> None:
    """Have ready what is compared with: from the cache, or measured."""
    num_real = protocol.num_real
    if protocol.by_class:
        for label, count in enumerate(real.class_counts(num_real)):
            real.of_class(label).statistics(count)
    elif reads_real_features(protocol):
        real.features(num_real)
        if protocol.metric in NEIGHBOURS:
            real.nearest(num_real, device)
    else:
        real.statistics(num_real)


def measure(group: Group, sample: Sample, real: RealSample | None, device: str) -> list[Number]:
    """Value and spread of every protocol of a group, none of them by class.

    real : the split that the group compares with; None for the Inception Score, which compares with nothing.
    """
    metric = group[0].metric
    if not sample.finite:
        return [(math.nan, None)] * len(group)
    if metric == "is":
        return [_inception_score(protocol, sample) for protocol in group]
    assert real is not None, f"{metric} compares with real images"
    if metric in NEIGHBOURS:
        return _neighbours(group, sample, real, device)
    return [_distance(protocol, sample, real, device) for protocol in group]


def measure_by_class(protocol: Protocol, sample_of: ClassSamples, real: RealSample) -> Number:
    """The mean over all classes of the Frechet distance within a class (intra FID, arXiv:1802.05637).

    sample_of : the same number of generated images for every class. No spread: how classes differ is no noise.
    """
    counts = real.class_counts(protocol.num_real)
    num_generated = protocol.num_generated // len(counts)
    distances = []
    for label, count in enumerate(counts):
        sample = sample_of(label)
        if not sample.finite:
            return math.nan, None
        distances.append(frechet_distance(real.of_class(label).statistics(count), sample.statistics(num_generated)))
    return fmean(distances), None


def _inception_score(protocol: Protocol, sample: Sample) -> Number:
    mean, spread = inception_score(sample.logits(protocol.num_images), protocol.repeats)
    return mean, spread if protocol.repeats > 1 else None


def _neighbours(group: Group, sample: Sample, real: RealSample, device: str) -> list[Number]:
    generated, num_real = sample.features(group[0].num_generated), group[0].num_real
    metrics = {protocol.metric for protocol in group}
    nearest = real.nearest(num_real, device)
    scores = neighbour_scores(generated, real.features(num_real), nearest, metrics, device=device)
    return [(scores[protocol.metric], None) for protocol in group]


def _distance(protocol: Protocol, sample: Sample, real: RealSample, device: str) -> Number:
    generated, num_real = protocol.num_generated, protocol.num_real
    if protocol.metric == "kid":
        return kernel_distance(sample.features(generated), real.features(num_real), device=device)
    if protocol.metric == "fid-infinity":
        return fid_infinity(real.statistics(num_real), sample.features(generated), device=device)
    assert protocol.metric == "fid", f"nothing measures {protocol.metric}"
    return frechet_distance(real.statistics(num_real), sample.statistics(generated)), None
