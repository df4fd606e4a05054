"""Statistics against rliable and scipy on the same arrays."""

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, trim_mean

from sngan.seeding import numpy_stream
from sweeps.bootstrap import estimate, estimate_pair, stratified_bootstrap
from sweeps.statistics import (
    iqm,
    mean,
    median_of_means,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
)


@pytest.fixture
def rliable(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The reference implementation, its bootstrap with it, drawing from a named stream.

    It builds on arch.bootstrap. `import arch` itself fails beside pandas 3 (arch 7.2), or refuses rliable's arguments
    (arch 8); the bootstrap alone, imported past the package's own __init__, does neither.
    """
    reason = "needs rliable, the reference implementation: pip install '.[dev]'"
    metrics = pytest.importorskip("rliable.metrics", reason=reason)
    package = types.ModuleType("arch")
    package.__path__ = list(importlib.util.find_spec("arch").submodule_search_locations)  # type: ignore[union-attr,arg-type]
    monkeypatch.setitem(sys.modules, "arch", package)
    monkeypatch.setattr(np.random, "choice", numpy_stream(20, "bootstrap").choice)
    from rliable import library  # here: it imports arch

    return types.SimpleNamespace(metrics=metrics, rly=library)


# --- Agreement with rliable, whose arrays are [runs, tasks] ---


@pytest.mark.parametrize("shape", [(6, 2), (6, 5), (3, 10), (1, 4), (5, 3)])
def test_agreement_with_rliable(rliable: Any, shape: tuple[int, int]) -> None:
    stream = numpy_stream(1, "bootstrap", *shape)
    # Rounded, so that there are ties.
    first, second = stream.random(shape).round(1), stream.random(shape).round(1)
    assert iqm(first) == pytest.approx(float(rliable.metrics.aggregate_iqm(first.T)))
    assert mean(first) == pytest.approx(float(rliable.metrics.aggregate_mean(first.T)))
    assert median_of_means(first) == pytest.approx(float(rliable.metrics.aggregate_median(first.T)))
    gap = float(rliable.metrics.aggregate_optimality_gap(first.T, gamma=0.7))
    assert optimality_gap(first, 0.7) == pytest.approx(gap)
    assert probability_of_improvement(first, second) == pytest.approx(
        float(rliable.metrics.probability_of_improvement(first.T, second.T))
    )
    thresholds = np.linspace(0, 1, 21)
    profile = rliable.rly.score_distributions(first.T, thresholds)
    np.testing.assert_allclose(performance_profile(first, thresholds), profile)


_REPLICATES = 1_000  # of theirs, which takes a millisecond for each
# The 2.5 % quantile of 1,000 replicates scatters by 0.005 in probability, which is 0.084 standard deviations of a
# normal statistic; the ends may differ by three times that.
_MONTE_CARLO = 0.25


@pytest.mark.parametrize("statistic", [iqm, mean, median_of_means])
def test_intervals_agree_with_rliable(rliable: Any, statistic: Any) -> None:
    scores = numpy_stream(21, "bootstrap").random((6, 10))
    name = {iqm: "aggregate_iqm", mean: "aggregate_mean", median_of_means: "aggregate_median"}[statistic]
    reference = getattr(rliable.metrics, name)
    theirs = _rliable_interval(rliable, scores.T, lambda runs: np.array([reference(runs)]))
    _assert_same_interval(scores, statistic, theirs[:, 0])


def test_bands_of_profiles_agree_with_rliable(rliable: Any) -> None:
    scores, thresholds = numpy_stream(22, "bootstrap").random((6, 10)), np.array([0.2, 0.5, 0.8])
    theirs = _rliable_interval(rliable, scores.T, lambda runs: rliable.rly.score_distributions(runs, thresholds))
    ours = stratified_bootstrap(
        scores,
        lambda runs: performance_profile(runs, thresholds),
        num_replicates=20_000,
        stream=numpy_stream(23, "bootstrap"),
    )
    assert ours is not None
    # Fractions of 60 runs: both ends lie on that grid, and may be a step apart.
    np.testing.assert_allclose([ours.low, ours.high], theirs, atol=1 / 60 + 1e-9)


@pytest.mark.thorough
def test_intervals_of_improvement_agree_with_rliable(rliable: Any) -> None:
    """Against runs that are alike within a setting, for which it does not matter whether seeds are paired."""
    first = numpy_stream(24, "bootstrap").random((6, 10))
    second = np.repeat(np.linspace(0.3, 0.7, 6)[:, None], 10, axis=1)
    theirs = _rliable_interval(
        rliable, first.T, lambda runs: np.array([rliable.metrics.probability_of_improvement(runs, second.T)])
    )
    ours = estimate_pair(
        first,
        second,
        probability_of_improvement,
        stream=numpy_stream(25, "bootstrap"),
        num_replicates=20_000,
    )
    np.testing.assert_allclose([ours.low, ours.high], theirs[:, 0], atol=1 / 60 + 1e-9)


def _rliable_interval(rliable: Any, scores: np.ndarray, function: Callable[..., np.ndarray]) -> np.ndarray:
    _, intervals = rliable.rly.get_interval_estimates({"": scores}, function, reps=_REPLICATES)
    return np.asarray(intervals[""])


def _assert_same_interval(scores: np.ndarray, statistic: Any, theirs: np.ndarray) -> None:
    ours = estimate(scores, statistic, stream=numpy_stream(23, "bootstrap"), num_replicates=20_000)
    assert ours.low is not None
    assert ours.high is not None
    deviation = (ours.high - ours.low) / (2 * 1.96)
    np.testing.assert_allclose([ours.low, ours.high], theirs, atol=_MONTE_CARLO * deviation)


@pytest.mark.parametrize("shape", [(6, 2), (6, 5), (1, 4), (5, 3)])
def test_agreement_with_scipy(shape: tuple[int, int]) -> None:
    stream = numpy_stream(11, "bootstrap", *shape)
    first, second = stream.random(shape).round(1), stream.random(shape).round(1)
    assert iqm(first) == pytest.approx(float(trim_mean(first, 0.25, axis=None)))
    wins = mannwhitneyu(first, second, axis=1, method="asymptotic").statistic
    assert probability_of_improvement(first, second) == pytest.approx(float(np.mean(wins / shape[1] ** 2)))
