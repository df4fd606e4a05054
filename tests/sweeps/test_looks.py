"""Looks: the computed chance of crossing is that of simulated t tests, and a promised level is kept at every look."""

import numpy as np
import pytest
from scipy.special import stdtr, stdtrit
from scipy.stats import binom

from sngan.errors import InputError
from sngan.seeding import numpy_stream
from sweeps.looks import ONCE, Looks, crossing_chance
from sweeps.multiplicity import adjusted_p_values, step_down
from sweeps.statistics import FloatArray

SAMPLES = 100_000


def levels_of(looks: Looks, alpha: float) -> FloatArray:
    return np.array([looks.level(alpha, number) for number in looks.numbers_of_seeds])


def t_p_values(looks: Looks, samples: FloatArray) -> FloatArray:
    """One-sided p values of the mean being above 0 at every look, [looks, samples]."""
    found = []
    for number in looks.numbers_of_seeds:
        seen = samples[:, :number]
        t = seen.mean(axis=1) / seen.std(axis=1, ddof=1) * np.sqrt(number)
        found.append(stdtr(number - 1, -t))
    return np.array(found)


@pytest.mark.parametrize(("first", "last"), [(3, 5), (5, 20), (4, 9)])
@pytest.mark.parametrize("alpha", [0.025, 0.025 / 9])
def test_any_look_is_crossed_as_often_as_promised(first: int, last: int, alpha: float) -> None:
    looks = Looks(first=first, last=last)
    samples = numpy_stream(0, "bootstrap", first, last).standard_normal((SAMPLES, last))
    crossed = (t_p_values(looks, samples) <= levels_of(looks, alpha)[:, None]).any(axis=0)
    low, high = binom.ppf([0.0005, 0.9995], SAMPLES, alpha)
    assert low <= crossed.sum() <= high
    assert crossing_chance(levels_of(looks, alpha), first) == pytest.approx(alpha, rel=0.005)


def test_a_sequential_p_value_is_uniform_or_larger() -> None:
    looks = Looks(first=5, last=12)
    samples = numpy_stream(1, "bootstrap").standard_normal((SAMPLES, looks.last))
    by_look = t_p_values(looks, samples)
    smallest = np.min([looks.p_value(p, number) for p, number in zip(by_look, looks.numbers_of_seeds, strict=True)], 0)
    for alpha in (0.1, 0.01, 0.001):
        assert binom.ppf(0.0005, SAMPLES, alpha) <= (smallest <= alpha).sum() <= binom.ppf(0.9995, SAMPLES, alpha)


def test_levels_and_p_values_are_inverse_and_grow() -> None:
    looks = Looks(first=5, last=20)
    for number in (5, 11, 20):
        alphas = np.array([1e-7, 1e-4, 0.003, 0.025, 0.05])
        levels = np.array([looks.level(float(alpha), number) for alpha in alphas])
        assert looks.p_value(levels, number) == pytest.approx(alphas)
        assert (levels < alphas).all()
        many = looks.p_value(np.exp(np.linspace(np.log(1e-9), 0, 500)), number)
        assert (np.diff(many) >= 0).all()
        assert many.max() == 1
    assert (np.diff(levels_of(looks, 0.025)) > 0).all()
    # Nearly all of the level is left for the end: that is what keeps the power.
    assert 0.4 < looks.level(0.025, 20) / 0.025 < 0.6


def test_a_design_with_one_look_is_the_test_itself() -> None:
    for looks in (ONCE, Looks(first=7, last=7)):
        assert looks.level(0.0123, 7) == 0.0123
        assert looks.p_value(np.array(0.0123), 7) == 0.0123
    assert crossing_chance(np.array([0.02]), 6) == pytest.approx(0.02)


def test_looking_without_a_plan_errs_as_often_as_the_documentation_says() -> None:
    assert 2 * crossing_chance(np.full(3, 0.025), 3) == pytest.approx(0.10, abs=0.005)
    assert 2 * crossing_chance(np.full(8, 0.025), 3) == pytest.approx(0.167, abs=0.005)


def test_with_many_values_the_t_process_is_that_of_known_variance() -> None:
    # Two looks at n and n + 1 of many nearly coincide: what they add is little, and known from the normal law.
    n, level = 200, 0.025
    found = crossing_chance(np.full(2, level), n)
    generator = numpy_stream(2, "bootstrap")
    first = generator.standard_normal(400_000)
    second = (first * np.sqrt(n) + generator.standard_normal(400_000)) / np.sqrt(n + 1)
    bound = float(-stdtrit(1e9, level))
    assert found == pytest.approx(float(((first > bound) | (second > bound)).mean()), abs=0.001)


@pytest.mark.parametrize(("first", "last"), [(1, 5), (6, 5), (3, 1001)])
def test_impossible_looks_are_refused(first: int, last: int) -> None:
    with pytest.raises(InputError, match="from 2 to 1000 seeds"):
        Looks(first=first, last=last)


# --- Holm ---


def test_holms_example() -> None:
    steps = step_down([0.01, 0.04, 0.03, 0.005], 0.05)
    assert [step.adjusted for step in steps] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    # The third step fails at 0.05 / 2: what was not tested has its level too.
    assert [step.alpha for step in steps] == pytest.approx([0.05 / 3, 0.05 / 2, 0.05 / 2, 0.05 / 4])
    assert step_down([], 0.05) == []
    assert adjusted_p_values([0.04, 0.01, 0.03, 0.9]) == pytest.approx([0.09, 0.04, 0.09, 0.9])
    assert adjusted_p_values([0.5, 0.6]) == [1.0, 1.0]


def test_adjusted_p_values_and_levels_say_the_same() -> None:
    generator = numpy_stream(3, "bootstrap")
    for _ in range(200):
        p_values = list(generator.beta(0.3, 3, size=6))
        for p, step in zip(p_values, step_down(p_values, 0.05), strict=True):
            assert (p <= step.alpha) == (step.adjusted <= 0.05)


def test_any_true_hypothesis_is_rejected_in_at_most_five_of_a_hundred_families() -> None:
    generator = numpy_stream(4, "bootstrap")
    wrong, families = 0, 4000
    for _ in range(families):
        true = generator.random(5)
        wrong += any(step.adjusted <= 0.05 for step in step_down([*true, 1e-6, 1e-6], 0.05)[:5])
    assert binom.ppf(0.001, families, 0.045) <= wrong <= binom.ppf(0.999, families, 0.05)
