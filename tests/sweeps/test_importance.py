"""Importance of hyperparameters: known shares of the variance, and Optuna's own function."""

import dataclasses
from collections.abc import Callable

import numpy as np
import optuna
import pytest

from sngan.seeding import numpy_stream
from sweeps.search import agreed, importances, open_memory
from sweeps.spaces import (
    Axis,
    Choice,
    Range,
    Tried,
)


def cube(*names: str) -> dict[str, Axis]:
    return {name: Range(low=0.0, high=1.0) for name in names}


def sampled(function: Callable[..., float], space: dict[str, Axis], count: int) -> list[Tried]:
    stream = numpy_stream(0, "search", count)
    points = stream.random((count, len(space)))
    return [
        Tried(values=dict(zip(space, map(float, point), strict=True)), score=float(function(*point)), ended=True)
        for point in points
    ]


def test_importance_of_an_additive_function_is_its_known_share_of_the_variance() -> None:
    """f = 2 a + b + 0 c on the unit cube: variances 4/12 and 1/12, so shares 0.8, 0.2 and 0."""
    space = cube("a", "b", "c")
    found = importances(sampled(lambda a, b, c: (2 * a + b) / 3, space, 200), space)
    assert [found[name].share for name in space] == pytest.approx([0.8, 0.2, 0.0], abs=0.06)
    for name, share in (("a", 0.8), ("b", 0.2)):
        low, high = found[name].low, found[name].high
        assert low is not None
        assert high is not None
        assert 0 <= low <= found[name].share <= high <= 1
        assert low - 0.06 <= share <= high + 0.06


@pytest.mark.thorough
def test_importance_weighs_a_logarithmic_range_by_its_logarithm() -> None:
    """f = (2 u + b) / 3 with alpha = 1e-5 * 1000^u: shares 0.8 and 0.2 as for plain u, whatever alpha's values are."""
    plain = {**cube("u", "b"), "n_dis": Choice(options=(1, 5))}
    space = {"alpha": Range(low=1e-5, high=1e-2, log=True), **plain}
    del space["u"]
    tried = [
        dataclasses.replace(
            one, values={"alpha": min(1e-2, 1e-5 * 1e3 ** one.values["u"]), "b": one.values["b"], "n_dis": 1}
        )
        for one in sampled(lambda u, b: (2 * u + b) / 3, cube("u", "b"), 200)
    ]
    found = importances(tried, space)
    assert [found[name].share for name in space] == pytest.approx([0.8, 0.2, 0.0], abs=0.06)
    # The ends of a range are in it, however their logarithms are rounded.
    ends = [dataclasses.replace(tried[0], values={**tried[0].values, "alpha": end}, score=end) for end in (1e-5, 1e-2)]
    assert set(importances([*tried, *ends], space)) == set(space)


def test_importance_leaves_to_interactions_what_is_theirs() -> None:
    """f = (2 a - 1)(2 b - 1), moved to [0, 1]: all of the variance is an interaction, no main effect has any."""
    space = cube("a", "b")
    found = importances(sampled(lambda a, b: (1 + (2 * a - 1) * (2 * b - 1)) / 2, space, 200), space)
    assert max(found[name].share for name in space) < 0.15


@pytest.mark.thorough
def test_importance_is_what_optunas_own_function_says() -> None:
    space = cube("a", "b", "c")
    tried = sampled(lambda a, b, c: (np.exp(a) + b * b + 0.1 * a * c) / 5, space, 150)
    found = importances(tried, space)
    with open_memory(None) as memory:
        study = agreed(tried, name="x", space=space, memory=memory)
        theirs = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=1)
        )
    # Theirs are made to add up to 1, and come from another seed and four times as many trees, so that the forests' own
    # noise is left.
    total = sum(one.share for one in found.values())
    assert {name: one.share / total for name, one in found.items()} == pytest.approx(theirs, abs=0.05)


def test_importance_needs_different_scores_and_enough_of_them() -> None:
    space = cube("a", "b")
    equal = sampled(lambda a, b: 0.5, space, 20)
    assert importances(equal, space) == {}
    assert importances([], space) == {}
    few = importances(sampled(lambda a, b: a, space, 5), space)
    assert all(one.low is None and one.high is None for one in few.values())
    unfinished = [dataclasses.replace(one, score=None, ended=False) for one in equal]
    known = sampled(lambda a, b: a, space, 30)
    assert importances([*known, *unfinished], space) == importances(known, space)
