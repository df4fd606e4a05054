"""Streamed statistics against NumPy's, and the invariances that merging must have."""

import numpy as np
import pytest
import torch

from sngan.metrics.statistics import FeatureStatistics

FEATURES = np.random.default_rng(0).normal(size=(257, 11)) @ np.diag(np.arange(1.0, 12.0)) + 3.0


def test_mean_and_covariance_are_numpys() -> None:
    statistics = FeatureStatistics.from_features(FEATURES)
    np.testing.assert_allclose(statistics.mean, FEATURES.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(statistics.covariance, np.cov(FEATURES, rowvar=False), rtol=1e-12, atol=1e-12)


def test_float32_features_are_summed_in_float64() -> None:
    single = torch.from_numpy(FEATURES.astype(np.float32))
    statistics = FeatureStatistics.from_features(single)
    expected = np.cov(single.numpy().astype(np.float64), rowvar=False)
    assert statistics.covariance.dtype == np.float64
    np.testing.assert_allclose(statistics.covariance, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cuts", [[1], [128], [1, 2, 3, 200], [256]])
def test_merging_parts_in_any_order_gives_the_whole(cuts: list[int]) -> None:
    parts = [FeatureStatistics.from_features(part) for part in np.split(FEATURES, cuts)]
    whole = FeatureStatistics.from_features(FEATURES)
    for order in (parts, parts[::-1]):
        merged = FeatureStatistics.merged(order)
        assert merged.count == 257
        np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12)
        np.testing.assert_allclose(merged.scatter, whole.scatter, rtol=1e-11, atol=1e-9)


def test_a_mean_far_from_zero_costs_no_precision() -> None:
    far = FEATURES + 1e8  # sums of squares would lose all sixteen digits
    merged = FeatureStatistics.merged(FeatureStatistics.from_features(part) for part in np.split(far, [100, 200]))
    np.testing.assert_allclose(merged.covariance, np.cov(FEATURES, rowvar=False), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("count", [2, 5, 11, 200])
def test_the_root_has_the_covariances_rank(count: int) -> None:
    statistics = FeatureStatistics.from_features(FEATURES[:count])
    root = statistics.covariance_root
    assert root.shape == (11, min(count - 1, 11))
    np.testing.assert_allclose(root @ root.T, statistics.covariance, atol=1e-10)


def test_equal_features_have_an_empty_root() -> None:
    statistics = FeatureStatistics.from_features(np.ones((5, 3)))
    assert statistics.covariance_root.shape == (3, 0)


def test_arrays_bring_the_statistics_back() -> None:
    statistics = FeatureStatistics.from_features(FEATURES)
    again = FeatureStatistics.from_arrays(statistics.to_arrays())
    assert again.count == statistics.count
    np.testing.assert_array_equal(again.mean, statistics.mean)
    np.testing.assert_array_equal(again.scatter, statistics.scatter)
    with pytest.raises(ValueError, match="not feature statistics"):
        FeatureStatistics.from_arrays({**statistics.to_arrays(), "mean": np.zeros(3)})
