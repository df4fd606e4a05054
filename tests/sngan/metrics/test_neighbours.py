"""Precision, recall, density and coverage against their definitions, closed forms and torch-fidelity's."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

from sngan.metrics import neighbours
from sngan.metrics.neighbours import NEIGHBOURS, nearest_distances, neighbour_scores

Array = NDArray[np.float32]


def normal(n: int, d: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def scores(generated: Array, real: Array) -> dict[str, float]:
    return neighbour_scores(generated, real, nearest_distances(real))


def all_distances(x: Array, y: Array) -> NDArray[np.float64]:
    """Euclidean distances [n, m] by the definition."""
    return np.linalg.norm(x[:, None].astype(np.float64) - y[None], axis=2)


def by_definition(generated: Array, real: Array) -> dict[str, float]:
    """The four metrics from the whole matrices of distances; a point's own distance 0 comes first in its row."""
    across = all_distances(generated, real)
    of_real, of_generated = (np.sort(all_distances(x, x), axis=1) for x in (real, generated))
    return {
        "precision": float((across <= of_real[:, 3]).any(axis=1).mean()),
        "recall": float((across <= of_generated[:, [3]]).any(axis=0).mean()),
        "density": float((across < of_real[:, 5]).sum(axis=1).mean() / 5),
        "coverage": float((across.min(axis=0) < of_real[:, 5]).mean()),
    }


@pytest.mark.parametrize(("n", "m", "d", "shift"), [(80, 120, 3, 0.0), (150, 60, 8, 0.5), (6, 6, 2, 0.1)])
def test_they_are_their_definitions(n: int, m: int, d: int, shift: float) -> None:
    generated, real = normal(n, d, 0) * np.float32(1.2) + np.float32(shift), normal(m, d, 1)
    expected = by_definition(generated, real)
    assert scores(generated, real) == pytest.approx(expected, abs=1e-12)
    assert expected["precision"] > 0


def test_nearest_distances_are_the_sorted_rows_of_all_distances() -> None:
    x = normal(50, 4, 2)
    expected = np.sort(all_distances(x, x), axis=1)[:, 1:6] ** 2
    np.testing.assert_allclose(nearest_distances(x), expected, rtol=1e-6)
    np.testing.assert_array_equal(nearest_distances(x, 3), nearest_distances(x)[:, :3])


@pytest.mark.parametrize("seed", range(3))
def test_precision_and_recall_agree_with_torch_fidelity(seed: int) -> None:
    generated, real = normal(400, 16, seed) * np.float32(0.9), normal(500, 16, seed + 10)
    theirs = prc_features_to_metric(
        torch.from_numpy(generated).double(),
        torch.from_numpy(real).double(),
        prc_neighborhood=3,
        prc_batch_size=100,
        save_cpu_ram=True,
        verbose=False,
    )
    ours = scores(generated, real)
    assert ours["precision"] == pytest.approx(theirs[KEY_METRIC_PRECISION], abs=1e-6)
    assert ours["recall"] == pytest.approx(theirs[KEY_METRIC_RECALL], abs=1e-6)
    assert 0.05 < ours["recall"] < ours["precision"] < 0.999


@pytest.mark.parametrize("d", [2, 64, 700])
def test_a_set_against_itself_has_all_and_density_one(d: int) -> None:
    # Every point's own ball, open, holds itself and its four nearest: five in all, whatever the set.
    x = np.abs(normal(300, d, 3))
    assert scores(x, x.copy()) == {"precision": 1.0, "recall": 1.0, "density": 1.0, "coverage": 1.0}
    assert scores(x[::-1].copy(), x) == {"precision": 1.0, "recall": 1.0, "density": 1.0, "coverage": 1.0}


def test_sets_far_apart_have_nothing() -> None:
    assert scores(normal(40, 5, 4), normal(50, 5, 5) + 100) == dict.fromkeys(NEIGHBOURS, 0.0)


def line(start: int, stop: int) -> Array:
    """Points at whole numbers of a line, in three dimensions."""
    return np.arange(start, stop, dtype=np.float32)[:, None] * np.array([[2, 2, 1]], np.float32) / 3


def test_copies_of_one_real_point_have_closed_forms() -> None:
    # On a line the fifth neighbour is 3 away: open balls around 48 to 52 hold the copies. Their own radius is 0.
    found = scores(line(50, 51).repeat(20, axis=0), line(0, 100))
    assert found == pytest.approx({"precision": 1.0, "recall": 0.01, "density": 1.0, "coverage": 0.05})


def test_a_single_real_outlier_raises_precision_and_hardly_density() -> None:
    real = np.concatenate([line(0, 100), line(10_000, 10_001)])
    found = scores(line(5000, 5020), real)  # only the outlier's huge ball holds them
    assert found["precision"] == 1.0
    assert found["density"] == pytest.approx(1 / 5)
    assert found["coverage"] == pytest.approx(1 / 101)


def test_a_single_generated_outlier_raises_recall_and_not_coverage() -> None:
    generated = np.concatenate([line(0, 10), line(300, 301)])  # its third neighbour is 293 away
    found = scores(generated, line(100, 200))
    assert found["recall"] == 1.0
    assert found["coverage"] == 0.0


def test_real_duplicates_have_balls_of_radius_zero() -> None:
    real = np.concatenate([normal(1, 40, 6).repeat(8, axis=0), normal(30, 40, 7) + 50])
    assert (nearest_distances(real)[:8] == 0).all()
    # A copy of theirs lies on their closed balls of radius 0, and in no open one.
    found = scores(real[:1].repeat(6, axis=0), real)
    assert found["precision"] == 1.0
    assert found["density"] == found["coverage"] == 0.0


@pytest.mark.parametrize("block", [5, 64, 300, 10_000])
def test_the_block_size_does_not_matter(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generated, real = normal(170, 20, 8), normal(260, 20, 9)
    generated[:60] = real[100:160]  # shared points: ties at the balls' surfaces
    expected = scores(generated, real)
    largest = 0
    compute = neighbours._squared_distances

    def counted(x: Tensor, y: Tensor) -> Tensor:
        nonlocal largest
        largest = max(largest, len(x) * len(y))
        return compute(x, y)

    monkeypatch.setattr(neighbours, "_BLOCK", block)
    monkeypatch.setattr(neighbours, "_squared_distances", counted)
    assert scores(generated, real) == expected
    assert largest <= block**2


def test_where_the_origin_lies_does_not_matter() -> None:
    generated, real = normal(100, 10, 10).astype(np.float64), normal(120, 10, 11).astype(np.float64)
    expected = neighbour_scores(generated, real, nearest_distances(real))
    far = real + 1e4
    assert neighbour_scores(generated + 1e4, far, nearest_distances(far)) == expected


@pytest.mark.parametrize("metric", NEIGHBOURS)
def test_each_alone_is_what_it_is_together(metric: str) -> None:
    generated, real = normal(90, 6, 12) * 1.3, normal(110, 6, 13)
    together = scores(generated, real)
    assert neighbour_scores(generated, real, nearest_distances(real), [metric]) == {metric: together[metric]}


def test_recall_is_precision_with_the_sets_exchanged() -> None:
    x, y = normal(130, 4, 14), normal(90, 4, 15) * 1.5
    assert scores(x, y)["recall"] == scores(y, x)["precision"]


def test_equal_distributions_have_density_one_on_average() -> None:
    densities = [scores(normal(200, 5, seed), normal(300, 5, seed + 100))["density"] for seed in range(20)]
    error = np.std(densities, ddof=1) / np.sqrt(len(densities))
    assert np.mean(densities) == pytest.approx(1, abs=3 * error)


def mixture(n: int, modes: int, seed: int) -> Array:
    """Points around `modes` of ten centres."""
    centres = normal(10, 12, 99) * 4
    return centres[np.arange(n) % modes] + normal(n, 12, seed)


def test_dropped_modes_lower_recall_and_coverage_alone() -> None:
    real = mixture(600, 10, 16)
    found = [scores(mixture(600, modes, 17), real) for modes in (10, 7, 4, 1)]
    for metric in ("recall", "coverage"):
        values = [each[metric] for each in found]
        assert values == sorted(values, reverse=True)
        assert values[0] > 5 * values[-1]
    for metric in ("precision", "density"):
        assert min(each[metric] for each in found) > 0.9 * found[0][metric]


def test_noise_lowers_precision_and_density() -> None:
    real = mixture(600, 10, 18)
    found = [scores(mixture(600, 10, 19) + level * normal(600, 12, 20), real) for level in (0, 0.5, 1, 2)]
    for metric in ("precision", "density"):
        values = [each[metric] for each in found]
        assert values == sorted(values, reverse=True)
        assert values[0] > 3 * values[-1]


def test_too_few_points_are_a_bug() -> None:
    with pytest.raises(AssertionError, match="5 points have no 5 neighbours"):
        nearest_distances(normal(5, 2, 0))
