"""Spaces and samplers of searches: every value inside, every proposal repeatable."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sngan.errors import InputError
from sngan.methods import METHODS, SETTINGS
from sngan.plugins.loading import use_plugins
from sngan.seeding import numpy_stream
from sweeps.search import SAMPLERS, open_memory, propose
from sweeps.spaces import SAMPLERS as NAMED
from sweeps.spaces import (
    Axis,
    Choice,
    Place,
    Range,
    Tried,
    Value,
    configured,
    names_of,
    place_of,
    places_in,
    space_of,
    values_of,
)
from tests.plugin_samples import penalty
from tests.sweeps.search_samples import CONFIG, SEARCH, SPACE, searched


def test_samplers_have_names_for_people() -> None:
    assert SAMPLERS.keys() == NAMED.keys()


def test_places_are_named_and_read_back() -> None:
    assert SEARCH is not None
    for setting in SEARCH.settings:
        assert str(place_of(setting)) == setting
        assert setting not in SETTINGS
    assert len(set(SEARCH.settings)) == 2 * (SEARCH.budget + SEARCH.retrain)
    assert [place_of(name) for name in ("A", "sn", "A(n_dis=2)", "grid-001", "tpe-best")] == [None] * 5
    assert places_in(["tpe-010", "A", "tpe-002", "random-000", "tpe-best-0"], "tpe") == ["tpe-002", "tpe-010"]
    assert Place(sampler="tpe", number=2, best=True).seed(3) != Place(sampler="tpe", number=1, best=True).seed(3) != 3


def test_a_regularizer_of_ones_own_names_what_is_searched(tmp_path: Path) -> None:
    fields = 'gamma: float = 3.0\ntaps: int = 2\nsearched = {"gamma": (0.1, 10.0)}'
    path = tmp_path / "mine.py"
    path.write_text(penalty("value = self.gamma * value", fields=fields))
    assert SEARCH is not None
    try:
        use_plugins([path])
        space = space_of(SEARCH, "mine")
        assert list(space)[4:] == ["gamma"]
        assert space["gamma"] == Range(low=0.1, high=10.0, log=True)
        values = {"alpha": 1e-3, "beta1": 0.5, "beta2": 0.9, "n_dis": 1, "gamma": 0.7}
        config = configured("mine", values, CONFIG)
        assert config.regularizers[0].to_dict()["gamma"] == 0.7
        assert values_of(config, space) == values
        wins = dataclasses.replace(SEARCH, own={"mine": {"gamma": Range(low=1.0, high=2.0)}})
        assert space_of(wins, "mine")["gamma"] == Range(low=1.0, high=2.0)
        assert "gamma" not in space_of(SEARCH, "mine(gamma=1)")
    finally:
        use_plugins([])


@pytest.mark.parametrize("method", METHODS)
def test_values_and_configs_are_one(method: str) -> None:
    assert SEARCH is not None
    wide = dataclasses.replace(SEARCH, own={
        "gradient-penalty": {"coefficient": Range(low=0.1, high=100.0, log=True)},
        "weight-clipping": {"limit": Range(low=1e-3, high=1.0, log=True)},
        "scale": {"factor": Range(low=0.7, high=4.0, log=True)},
    })  # fmt: skip
    space = space_of(wide, method)
    stream = numpy_stream(0, "search")
    values: dict[str, Value] = {key: float(stream.uniform(0.8, 0.9)) for key in space if key != "n_dis"}
    values["n_dis"] = 5
    config = configured(method, values, CONFIG)
    assert values_of(config, space) == values
    # The names under which any study would run it mean the same trial.
    named_method, setting = names_of(method, values)
    assert METHODS[named_method].apply(SETTINGS[setting].apply(CONFIG)).digest == config.digest


def test_a_value_in_the_methods_name_is_not_searched() -> None:
    assert SEARCH is not None
    assert "coefficient" not in space_of(SEARCH, "wgan-gp(coefficient=3)")
    values: dict[str, Value] = {"alpha": 1e-3, "beta1": 0.1, "beta2": 0.9, "n_dis": 1}
    assert configured("wgan-gp(coefficient=3)", values, CONFIG).regularizers[0].to_dict()["coefficient"] == 3.0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"budget": 0}, "budget is 0"),
        ({"budget": 5, "round_size": 2}, "round size is 2; allowed: whole numbers that divide the budget, 5"),
        ({"samplers": ("rondom",)}, "Did you mean 'random'"),
        ({"optimizer": {"alpha": Range(low=1e-4, high=1e-3)}}, "searched fields"),
        ({"retrain": -1}, "retrain is -1"),
    ],
)
def test_a_search_that_cannot_be_is_refused(changes: dict[str, Any], named: str) -> None:
    assert SEARCH is not None
    with pytest.raises(InputError, match=named):
        dataclasses.replace(SEARCH, **changes)
    for wrong in ((1.0, 1.0, False), (0.0, 1.0, True)):
        with pytest.raises(InputError, match="range"):
            Range(low=wrong[0], high=wrong[1], log=wrong[2])
    with pytest.raises(InputError, match="choices"):
        Choice(options=(1,))


# Samplers


def inside(axis: Axis, value: Value) -> bool:
    return value in axis.options if isinstance(axis, Choice) else axis.low <= float(value) <= axis.high


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_stays_in_the_space_and_repeats_itself_and_nothing_else(sampler: str, tmp_path: Path) -> None:
    found = searched(sampler)
    assert len(found) == 12
    assert all(inside(axis, one.values[key]) for one in found for key, axis in SPACE.items())
    assert {type(one.values["n_dis"]) for one in found} == {int}
    assert len({repr(one.values) for one in found}) == 12
    assert searched(sampler) == found
    assert searched(sampler, memory=tmp_path / "optuna.db") == found
    other = searched(sampler, seed=1)
    assert not {one.values["alpha"] for one in found} & {one.values["alpha"] for one in other}


def test_samplers_share_the_first_round_and_then_part() -> None:
    first, second = searched("random"), searched("tpe")
    assert first[:3] == second[:3]
    assert not {repr(one.values) for one in first[3:]} & {repr(one.values) for one in second[3:]}


def test_tpe_learns_and_random_search_does_not() -> None:
    def told(sampler: str, best: float) -> list[float]:
        """The learning rates of the last round, after scores that are best at one of them."""
        tried: list[Tried] = []
        with open_memory(None) as storage:
            for _ in range(6):
                for values in propose(
                    tried, 5, name="x", space=SPACE, sampler=sampler, seed=0, round_size=5, memory=storage
                ):
                    near = 1 / (1 + abs(np.log10(float(values["alpha"]) / best)))
                    tried = [*tried, Tried(values=values, score=float(near), ended=True)]
        return [float(np.log10(float(one.values["alpha"]))) for one in tried[-10:]]

    assert told("random", 1e-4) == told("random", 5e-3)
    assert np.median(told("tpe", 3e-5)) < -4 < -2.9 < np.median(told("tpe", 5e-3))
