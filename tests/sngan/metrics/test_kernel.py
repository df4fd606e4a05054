"""The kernel distance against the definition, its unbiasedness, and torch-fidelity's."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

from sngan.metrics import kernel
from sngan.metrics.kernel import kernel_distance

Array = NDArray[np.float64]


def normal(n: int, d: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(n, d))


def by_definition(x: Array, y: Array) -> float:
    def k(a: Array, b: Array) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    n, m = len(x), len(y)
    within_x = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def test_two_whole_sets_of_one_size_are_the_definition() -> None:
    x, y = normal(12, 5, 0), normal(12, 5, 1) + 0.5
    value, spread = kernel_distance(x, y)
    assert value == pytest.approx(by_definition(x, y), rel=1e-10)
    assert spread is None  # every subset would be the same


def test_subsets_are_drawn_without_replacement_and_averaged() -> None:
    x, y = normal(3, 4, 2), normal(2, 4, 3)
    # Of three rows two are drawn: every subset's value is one of three.
    possible = [by_definition(x[[i, j]], y) for i, j in ((0, 1), (0, 2), (1, 2))]
    value, spread = kernel_distance(x, y, num_subsets=1)
    assert min(abs(value - p) for p in possible) < 1e-9
    value, spread = kernel_distance(x, y, num_subsets=4000)
    assert value == pytest.approx(np.mean(possible), abs=4 * np.std(possible) / np.sqrt(4000))
    assert spread == pytest.approx(np.std(possible), rel=0.05)


@pytest.mark.parametrize(("n", "m", "size"), [(30, 40, 10), (25, 9, 9), (2500, 40, 30)])
def test_whole_kernel_and_one_by_one_agree(n: int, m: int, size: int) -> None:
    x, y = torch.from_numpy(normal(n, 6, 4)), torch.from_numpy(normal(m, 6, 5) + 0.2)
    in_x, in_y = kernel._draw(n, m, size, 7)
    whole = kernel._sums_of_parts(x, y, in_x, in_y)
    single = kernel._sums_one_by_one(x, y, in_x, in_y)
    torch.testing.assert_close(whole, single, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("size", [10, 45])
def test_the_choice_between_them_does_not_show(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = normal(50, 6, 6), normal(60, 6, 7)
    value = kernel_distance(x, y, subset_size=size)
    monkeypatch.setattr(kernel, "_sums_of_parts", kernel._sums_one_by_one)
    assert kernel_distance(x, y, subset_size=size) == pytest.approx(value, rel=1e-9)


def test_it_is_unbiased_at_few_samples() -> None:
    stream = np.random.default_rng(8)
    values = np.array([kernel_distance(*stream.normal(size=(2, 8, 3)))[0] for _ in range(600)])
    error = values.std() / np.sqrt(len(values))
    assert abs(values.mean()) < 3 * error
    assert values.min() < 0  # as an unbiased estimate of 0 must be
    # The estimate with the diagonals is far off zero: the test can tell the two apart.
    bias = np.mean([(np.square(x).sum(axis=1) / 3 + 1) ** 3 for x in stream.normal(size=(600, 8, 3))]) * 2 / 8
    assert bias > 10 * error


def test_farther_means_are_farther_apart() -> None:
    x, y = normal(300, 8, 9), normal(300, 8, 10)
    values = [kernel_distance(x, y + shift)[0] for shift in (0, 0.25, 0.5, 1)]
    assert values == sorted(values)
    assert values[1] > 3 * abs(values[0])


def test_the_subsets_are_the_same_at_every_call() -> None:
    x, y = normal(40, 4, 11), normal(50, 4, 12)
    assert kernel_distance(x, y, subset_size=20) == kernel_distance(x, y, subset_size=20)
    assert kernel_distance(x.astype(np.float32), y, subset_size=20) == pytest.approx(
        kernel_distance(x, y, subset_size=20), rel=1e-4
    )


def test_it_agrees_with_torch_fidelity() -> None:
    x, y = torch.from_numpy(normal(200, 16, 13)), torch.from_numpy(normal(200, 16, 14) * 1.1 + 0.1)
    whole = kid_features_to_metric(x, y, kid_subsets=2, kid_subset_size=200, verbose=False, rng_seed=0)
    assert kernel_distance(x, y)[0] == pytest.approx(whole[KEY_METRIC_KID_MEAN], rel=1e-9)
    theirs = kid_features_to_metric(x, y, kid_subsets=400, kid_subset_size=50, verbose=False, rng_seed=0)
    value, spread = kernel_distance(x, y, num_subsets=400, subset_size=50)
    assert spread is not None
    error = spread * np.sqrt(2 / 400)  # theirs draws other subsets
    assert value == pytest.approx(theirs[KEY_METRIC_KID_MEAN], abs=4 * error)
