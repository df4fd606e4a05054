"""Rank tests against scipy, published tables and full enumeration, and their errors where nothing differs."""

from itertools import product

import numpy as np
import pytest
import scipy.stats

from sngan.seeding import numpy_stream
from sweeps import rank_tests
from sweeps.rank_tests import block_ranks, compare_ranks, friedman, wilcoxon
from tests.sweeps.score_samples import equal_methods, table_of

METHODS = ("none", "weight-clipping", "gan-gp", "wgan-gp", "layer-norm", "weight-norm", "orthonormal", "sn")

# Hollander and Wolfe 1999, Table 7.1: seconds of 22 baseball players rounding first base in three ways.
ROUNDING_TIMES = np.array(
    [
        [5.40, 5.85, 5.20, 5.55, 5.90, 5.45, 5.40, 5.45, 5.25, 5.85, 5.25,
         5.65, 5.60, 5.05, 5.50, 5.45, 5.55, 5.45, 5.50, 5.65, 5.70, 6.30],
        [5.50, 5.70, 5.60, 5.50, 5.85, 5.55, 5.40, 5.50, 5.15, 5.80, 5.20,
         5.55, 5.35, 5.00, 5.50, 5.55, 5.55, 5.50, 5.45, 5.60, 5.65, 6.30],
        [5.55, 5.75, 5.50, 5.40, 5.70, 5.60, 5.35, 5.35, 5.00, 5.70, 5.10,
         5.45, 5.45, 4.95, 5.40, 5.50, 5.35, 5.55, 5.25, 5.40, 5.55, 6.25],
    ]
)  # fmt: skip
# Demsar 2006, Table 2: AUC of C4.5 with tuned m minus that of C4.5, on 14 data sets, in thousandths.
AUC_GAINS = np.array([5, -8, 17, 33, 6, -5, 7, 0, 63, 0, 22, 47, 9, 21]) / 1000
# The largest smaller sum of ranks that is significant at 5 %, two-sided, by number of blocks: any textbook's table.
CRITICAL_SUMS = {6: 0, 7: 2, 8: 3, 9: 5, 10: 8, 11: 10, 12: 13, 15: 25, 20: 52}


def test_friedman_of_a_published_example() -> None:
    assert friedman(block_ranks(ROUNDING_TIMES)) == pytest.approx((11.143, 0.003805), rel=1e-4)


def test_wilcoxon_of_a_published_example() -> None:
    """Sums of ranks 93 and 12, z = -2.54 there, hence 0.011 by the normal approximation."""
    theirs = scipy.stats.wilcoxon(AUC_GAINS, zero_method="zsplit", method="asymptotic")
    assert theirs.statistic == 12
    assert wilcoxon(AUC_GAINS) == pytest.approx(0.011, abs=0.004)


@pytest.mark.parametrize(("num_blocks", "critical"), CRITICAL_SUMS.items())
def test_wilcoxon_keeps_the_printed_critical_values(num_blocks: int, critical: int) -> None:
    assert wilcoxon(_with_sum(num_blocks, critical)) <= 0.05
    assert wilcoxon(_with_sum(num_blocks, critical + 1)) > 0.05


def _with_sum(num_blocks: int, negative: int) -> np.ndarray:
    """Differences 1 to n in size of which the negative ones' ranks sum to `negative`."""
    differences = np.arange(1.0, num_blocks + 1)
    for size in range(num_blocks, 0, -1):
        if size <= negative:
            differences[size - 1] *= -1
            negative -= size
    return differences


@pytest.mark.parametrize("shape", [(3, 4), (8, 30), (5, 60)])
@pytest.mark.parametrize("digits", [1, 12])
def test_friedman_is_scipys(shape: tuple[int, int], digits: int) -> None:
    blocks = numpy_stream(0, "bootstrap", *shape, digits).random(shape).round(digits)
    theirs = scipy.stats.friedmanchisquare(*blocks)
    assert friedman(block_ranks(blocks)) == pytest.approx((theirs.statistic, theirs.pvalue))


@pytest.mark.parametrize("num_blocks", [5, 12, 30, 45])
def test_wilcoxon_without_ties_is_scipys_exact_one(num_blocks: int) -> None:
    differences = numpy_stream(1, "bootstrap", num_blocks).standard_normal(num_blocks) + 0.3
    assert wilcoxon(differences) == pytest.approx(scipy.stats.wilcoxon(differences, method="exact").pvalue)


@pytest.mark.parametrize("seed", range(6))
def test_wilcoxon_with_ties_and_zeros_counts_all_signs(seed: int) -> None:
    differences = numpy_stream(2, "bootstrap", seed).integers(-3, 5, size=11) / 8
    ranks = scipy.stats.rankdata(np.abs(differences)) * (differences != 0)
    seen = abs((ranks * np.sign(differences)).sum())
    sums = np.array([abs(float((ranks * signs).sum())) for signs in product((-1, 1), repeat=11)])
    assert wilcoxon(differences) == pytest.approx(np.mean(sums >= seen - 1e-9))


def test_nothing_but_ties_is_no_difference() -> None:
    assert wilcoxon(np.zeros(6)) == 1.0
    assert friedman(block_ranks(np.ones((4, 6)))) == (0.0, 1.0)


def test_a_better_method_stands_alone_and_equal_ones_in_a_group() -> None:
    values = equal_methods(METHODS, 5, numpy_stream(3, "bootstrap"))
    values[METHODS.index("sn")] /= 3
    found = compare_ranks(table_of(values, METHODS))
    assert found is not None
    assert found.methods[0] == "sn"
    assert found.mean_ranks == tuple(sorted(found.mean_ranks))
    assert sum(found.mean_ranks) == pytest.approx(8 * 9 / 2)
    assert (found.num_blocks, found.num_seeds, len(found.pairs)) == (30, 5, 28)
    assert found.p_value < 1e-6
    assert all(pair.adjusted < 0.05 for pair in found.pairs if "sn" in (pair.first, pair.second))
    assert found.groups == (found.methods[1:],)


def test_groups_overlap_without_joining_what_differs() -> None:
    """Neighbours alike, the ends different: two groups that share the middle."""
    stream = numpy_stream(4, "bootstrap")
    values = equal_methods(("none", "sn", "r1"), 5, stream, noise=0.3)
    values[1] *= 0.83
    values[2] *= 0.83**2
    found = compare_ranks(table_of(values, ("none", "sn", "r1")))
    assert found is not None
    different = {(pair.first, pair.second) for pair in found.pairs if pair.adjusted < 0.05}
    assert different == {("r1", "none")}
    assert found.groups == (("r1", "sn"), ("sn", "none"))


def test_diverged_runs_share_the_last_ranks() -> None:
    values = np.full((3, 6, 4), 20.0)
    values[2] = 10.0
    diverged = np.zeros(values.shape, dtype=np.bool_)
    diverged[:2] = True
    found = compare_ranks(table_of(values, ("none", "r1", "sn"), diverged=diverged))
    assert found is not None
    assert found.methods == ("sn", "none", "r1")
    assert found.mean_ranks == (1.0, 2.5, 2.5)


def test_only_blocks_that_all_methods_have_count() -> None:
    values = equal_methods(METHODS, 4, numpy_stream(5, "bootstrap"))
    values[0, 2, 1], values[3, :, 3] = np.nan, np.nan
    found = compare_ranks(table_of(values, METHODS))
    assert found is not None
    assert (found.num_blocks, found.num_seeds) == (17, 3)


def test_a_method_without_any_run_does_not_empty_the_comparison() -> None:
    values = equal_methods(METHODS, 3, numpy_stream(6, "bootstrap"))
    values[0] = np.nan
    found = compare_ranks(table_of(values, METHODS))
    assert found is not None
    assert set(found.methods) == set(METHODS[1:])


def test_two_seeds_have_ranks_and_no_tests() -> None:
    values = equal_methods(METHODS, 2, numpy_stream(7, "bootstrap"))
    values[-1] /= 50
    found = compare_ranks(table_of(values, METHODS))
    assert found is not None
    assert (found.num_blocks, found.pairs, found.groups) == (12, (), ())


def test_nothing_to_compare() -> None:
    assert compare_ranks(table_of(np.ones((2, 6, 5)), ("sn", "r1"))) is None
    values = np.full((3, 2, 2), np.nan)
    values[0, 0, 0] = values[1, 0, 1] = values[2, 1, 1] = 1.0
    assert compare_ranks(table_of(values, ("sn", "r1", "none"), settings=("A", "B"))) is None


def test_equal_methods_are_rarely_called_different_while_blocks_are_independent() -> None:
    independent, shared = _false_alarms(0.0), _false_alarms(0.1)
    assert independent <= 0.06
    # What the module's text warns of: a seed that is lucky for a method at every setting is not six blocks.
    assert shared > 0.15


def _false_alarms(luck: float) -> float:
    """Part of 100 sweeps of 8 equal methods in which any pair is called different; `luck`: a seed's with a method."""
    stream = numpy_stream(8, "bootstrap")
    alarms = 0
    for _ in range(100):
        values = equal_methods(METHODS, 5, stream) * np.exp(luck * stream.standard_normal((8, 1, 5)))
        found = compare_ranks(table_of(values, METHODS))
        assert found is not None
        alarms += min(pair.adjusted for pair in found.pairs) < 0.05
    return alarms / 100


def test_many_blocks_have_about_the_exact_p_value(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = numpy_stream(11, "bootstrap")
    for shift in (0.0, 0.1):
        differences = np.round(stream.standard_normal(200) + shift, 1)  # ties and zeros among them
        monkeypatch.setattr(rank_tests, "_MOST_EXACT", 200)
        exact = wilcoxon(differences)
        monkeypatch.setattr(rank_tests, "_MOST_EXACT", 10)
        assert wilcoxon(differences) == pytest.approx(exact, rel=0.05)
        assert wilcoxon(differences) != exact
