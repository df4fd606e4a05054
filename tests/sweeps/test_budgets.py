"""What trying several configurations is worth, against every choice that there is; and the rule that claims use."""

from itertools import combinations

import numpy as np
import pytest

from sngan.errors import InputError
from sngan.metrics.catalog import METRICS
from sngan.seeding import numpy_stream
from sweeps.budgets import best_share, best_so_far, best_weights, budget_curve, expected_best
from sweeps.rules.tuned import Tuned
from sweeps.scores import ScoreTable
from sweeps.transforms import Transform, worsened
from tests.sweeps.score_samples import table_of

SCORES = numpy_stream(0, "bootstrap").random((3, 7))
PLACES = (*(f"random-{n:03}" for n in range(4)), "random-best-0", "random-best-1", "tpe-000", "tpe-001")


@pytest.mark.parametrize("tries", range(1, 8))
def test_the_expected_best_is_the_mean_over_all_choices(tries: int) -> None:
    chosen = [SCORES[:, list(choice)].max(axis=1) for choice in combinations(range(7), tries)]
    np.testing.assert_allclose(expected_best(SCORES, tries), np.mean(chosen, axis=0), rtol=1e-12)


def test_ties_and_missing_scores() -> None:
    assert expected_best(np.array([0.0, 0.0, 1.0, 1.0]), 2) == pytest.approx(1 - 1 / 6)
    assert np.isnan(expected_best(np.array([0.2, np.nan]), 1))
    assert best_weights(1000, 500).sum() == pytest.approx(1)
    for tries in (0, 8):
        with pytest.raises(InputError, match="number of tries"):
            expected_best(SCORES, tries)


def test_a_curve_rises_from_the_mean_to_the_best_whatever_the_order() -> None:
    curve = budget_curve(SCORES, ordered=False)
    np.testing.assert_allclose(curve[:, 0], SCORES.mean(axis=1))
    np.testing.assert_allclose(curve[:, -1], SCORES.max(axis=1))
    assert (np.diff(curve, axis=1) > 0).all()
    np.testing.assert_allclose(budget_curve(SCORES[:, ::-1], ordered=False), curve)


def test_where_the_order_counts_the_curve_is_the_best_so_far() -> None:
    np.testing.assert_array_equal(best_so_far(np.array([0.2, 0.1, 0.5, 0.3])), [0.2, 0.2, 0.5, 0.5])
    np.testing.assert_array_equal(best_so_far(np.array([0.2, np.nan, 0.5])), [0.2, np.nan, np.nan])


def test_the_best_share_is_rounded_up() -> None:
    assert list(best_share(np.array([0.1, 0.9, np.nan, 0.5]), 0.05)) == [0.9]
    assert len(best_share(np.arange(40.0), 0.05)) == 2
    assert len(best_share(np.arange(41.0), 0.05)) == 3
    assert len(best_share(np.array([np.nan]), 0.05)) == 0


@pytest.mark.parametrize("metric", METRICS)
def test_a_score_and_its_value_are_inverse(metric: str) -> None:
    transform = Transform.of(metric, 0.5 if metric == "fid" else 9.0)
    shares = metric in ("precision", "recall", "coverage")
    values = np.array([0.2, 0.7, 1.0] if shares else [1.5, 3.0, 9.0])
    np.testing.assert_allclose(transform.value(transform(values)), values)
    worst = np.inf if METRICS[metric].lower_is_better else 1.0 if metric == "is" else 0.0
    assert transform.value(np.zeros(1))[0] == worst


def table(num_seeds: int = 3) -> ScoreTable:
    values = numpy_stream(1, "bootstrap").lognormal(3, 0.5, (2, len(PLACES), num_seeds))
    diverged = np.zeros(values.shape, dtype=np.bool_)
    diverged[1, 2, 0] = True
    return table_of(values, ("none", "sn"), settings=PLACES, diverged=diverged)


def test_the_rule_compares_what_so_many_tries_find() -> None:
    scores = table()
    none, sn = (scores.pick(name, PLACES[:4]).T for name in ("none", "sn"))
    found = Tuned(method="sn", others=("none",), tries=2, others_tries=3, ratio=1.25).contrasts(scores)
    expected = expected_best(sn, 2) - worsened(expected_best(none, 3), 1.25)
    np.testing.assert_allclose(found[0].per_seed, expected)
    assert "SN after 2 tries of random search, minus None after 3 tries" in found[0].label


def test_with_the_whole_budget_the_rule_takes_what_was_trained_again() -> None:
    scores = table()
    found = Tuned(method="sn", others=("none",)).contrasts(scores)[0]
    again = PLACES[4:6]
    np.testing.assert_allclose(found.per_seed, scores.pick("sn", again).mean(0) - scores.pick("none", again).mean(0))


def test_a_sampler_that_learns_is_taken_in_its_order() -> None:
    scores = table()
    found = Tuned(method="sn", others=("none",), sampler="tpe", tries=1, others_tries=2).contrasts(scores)[0]
    first, both = scores.pick("sn", ["tpe-000"])[0], scores.pick("none", ["tpe-000", "tpe-001"]).max(0)
    np.testing.assert_allclose(found.per_seed, first - both)


def test_too_few_tries_are_no_comparison() -> None:
    found = Tuned(method="sn", others=("none",), tries=5, others_tries=5).contrasts(table())[0]
    assert np.isnan(found.per_seed).all()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sampler": "tpee"}, "Did you mean 'tpe'"),
        ({"others": ()}, "at least one method"),
        ({"ratio": 0.5}, "ratio of rule tuned is 0.5"),
        ({"tries": -1}, "tries of rule tuned is -1"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(changes: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        Tuned(**{"method": "sn", "others": ("none",), **changes})  # type: ignore[arg-type]
