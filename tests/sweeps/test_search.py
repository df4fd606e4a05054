"""Searches: what is proposed depends on the seed and on results alone, and the store can give all of it back."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.methods import METHODS, SETTINGS
from sngan.results import Evaluation, Outcome
from sngan.seeding import numpy_stream
from sweeps.scores import Transform
from sweeps.search import SAMPLERS, agreed, importances, open_memory, propose
from sweeps.searching import Searches, searches_of
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
from sweeps.store import ResultStore, TrialState, open_store
from sweeps.study import PlannedTrial, Preset
from tests.dashboards.synthetic import FID, make_searched_preset, score

SEARCH = make_searched_preset().search
assert SEARCH is not None
SPACE = space_of(SEARCH, "wgan-gp")
CONFIG = TrialConfig()


def badness(config: TrialConfig) -> float | None:
    """A made-up FID; None for a run that diverges. Best at alpha 3e-4 and a small beta1."""
    if config.alpha > 4e-3:
        return None
    return float(5 * np.exp(abs(np.log10(config.alpha / 3e-4)) + config.beta1) + 0.01 * (config.seed % 7))


def tell(store: ResultStore, trial: PlannedTrial, fid: float | None) -> None:
    """Give a trial its result, as the engine would."""
    store.start_attempt(trial.digest, host="here", device="cpu", versions={})
    measured = (score(FID, "fid", fid, 0.55, spread=None),)
    updates = trial.config.updates
    told = Evaluation(update=updates, scores=measured, diagnostics={}, train_s=1.0, evaluate_s=0.1, samples=None)
    store.record(trial.digest, told)
    state: Any = "diverged" if fid is None else "completed"
    store.finish(trial.digest, Outcome(state=state, update=updates, reason="", train_s=1.0, evaluate_s=0.1))


@dataclasses.dataclass(frozen=True)
class Played:
    """A study with searches and its store, to be played without any training."""

    store: ResultStore
    searches: Searches

    def step(self, order: Callable[[list[PlannedTrial]], list[PlannedTrial]] = list) -> list[PlannedTrial]:
        """Register what is wanted and give every new trial a result, in some order; the trials that got one."""
        trials = self.searches.plan(self.store)
        self.store.register(self.searches.study, self.searches.preset.name, {}, trials)
        states = self.store.known_states(trial.digest for trial in trials)
        missing = {t.digest: t for t in trials if not states[t.digest].finished}
        for trial in order(list(missing.values())):
            tell(self.store, trial, badness(trial.config))
        return list(missing.values())

    def to_the_end(self) -> list[PlannedTrial]:
        while self.step():
            pass
        return self.searches.plan(self.store)


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., Played]]:
    """Makes a study of its own in a folder of its own; with a file for Optuna only where asked, for it is slow."""
    opened = []

    def make(name: str, preset: Preset | None = None, *, file: bool = False, **changes: Any) -> Played:
        preset = preset or make_searched_preset(("none", "wgan-gp"), budget=4, seeds=2)
        folder = tmp_path / name
        store = open_store(f"sqlite:///{folder}/results.db")
        opened.append(store)
        varied = {"methods": None, "seeds": None, "memory": folder / "optuna.db" if file else None, **changes}
        searches = searches_of("made-up", preset, settings=None, **varied)
        assert searches is not None
        return Played(store, searches)

    yield make
    for store in opened:
        store.close()


def cells(trials: list[PlannedTrial]) -> dict[tuple[str, str, int], str]:
    return {trial.cell: trial.digest for trial in trials}


# Spaces


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


def searched(sampler: str, *, seed: int = 0, memory: Path | None = None, rounds: int = 4) -> list[Tried]:
    """A search of a few rounds, told a score for every proposal."""
    tried: list[Tried] = []
    with open_memory(memory) as storage:
        for _ in range(rounds):
            for values in propose(
                tried, 3, name="one", space=SPACE, sampler=sampler, seed=seed, round_size=3, memory=storage
            ):
                fid = badness(configured("wgan-gp", values, CONFIG))
                tried = [*tried, Tried(values=values, score=0.0 if fid is None else 1 / (1 + fid), ended=True)]
    return tried


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


def test_what_runs_together_is_no_news_until_the_round_is_over(play: Callable[..., Played]) -> None:
    """A half-told round gives no proposals, so the order in which trials end changes nothing."""
    forwards, backwards = play("forwards"), play("backwards")
    while forwards.step():
        backwards.step(lambda trials: trials[::-1])
    trials = forwards.searches.plan(forwards.store)
    assert cells(trials) == cells(backwards.searches.plan(backwards.store))
    assert len(trials) == forwards.searches.num_trials == 2 * 2 * 2 * (4 + 1)


# What a study of searches is


def test_every_method_and_sampler_has_the_same_budget_and_paired_optimizers(play: Callable[..., Played]) -> None:
    trials = play("one").to_the_end()
    by_cell = {trial.cell: trial.config for trial in trials}
    for sampler, method, seed in itertools.product(SAMPLERS, ("none", "wgan-gp"), (0, 1)):
        places = [name for m, name, k in by_cell if (m, k) == (method, seed)]
        assert len(places_in(places, sampler)) == 4
        assert len(places_in(places, sampler, best=True)) == 1
    for number, seed in itertools.product(range(4), (0, 1)):
        none, gp = (by_cell[method, f"random-{number:03}", seed] for method in ("none", "wgan-gp"))
        assert (none.alpha, none.beta1, none.beta2, none.n_dis) == (gp.alpha, gp.beta1, gp.beta2, gp.n_dis)
        assert none.seed == gp.seed == seed
    assert by_cell["none", "random-000", 0].alpha != by_cell["none", "random-000", 1].alpha


def test_the_best_configuration_is_trained_again_with_another_seed(play: Callable[..., Played]) -> None:
    by_cell = {trial.cell: trial.config for trial in play("one").to_the_end()}
    for sampler, seed in itertools.product(SAMPLERS, (0, 1)):
        tried = [by_cell["wgan-gp", f"{sampler}-{number:03}", seed] for number in range(4)]
        best = min(tried, key=lambda config: badness(config) or np.inf)
        again = by_cell["wgan-gp", f"{sampler}-best-0", seed]
        assert again.replace(seed=seed) == best
        assert again.seed not in (0, 1)


@pytest.mark.slow
def test_a_killed_search_goes_on_with_the_same_proposals(play: Callable[..., Played]) -> None:
    whole = cells(play("whole").to_the_end())
    killed = play("killed", file=True)
    killed.step()
    # Killed after it asked, before the store knew: what Optuna alone knows is asked again.
    killed.searches.plan(killed.store)
    asked = cells(killed.searches.plan(killed.store))
    # Killed in the middle of a round.
    killed.step(lambda trials: trials[:3])
    assert asked.items() <= cells(killed.searches.plan(killed.store)).items()
    assert cells(killed.to_the_end()) == whole


def history(played: Played) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that Optuna's file holds."""
    with open_memory(played.searches.memory) as memory:
        return {
            name: [
                (trial.number, trial.state, trial.value, trial.params, trial.distributions)
                for trial in optuna.load_study(study_name=name, storage=memory).trials
            ]
            for name in sorted(optuna.get_all_study_names(memory))
        }


def test_a_lost_file_is_made_again_from_the_store_and_equals_the_first(play: Callable[..., Played]) -> None:
    played = play("one", file=True)
    played.step()
    played.step(lambda trials: trials[:5])  # some of its trials still run
    played.searches.plan(played.store)
    kept = history(played)
    assert len(kept) == 2 * 2 * 2
    states = {state for trials in kept.values() for _, state, *_ in trials}
    assert states == {optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING}
    assert played.searches.memory is not None
    played.searches.memory.unlink()
    played.searches.plan(played.store)
    assert history(played) == kept


def test_the_store_wins_over_what_optuna_says(play: Callable[..., Played]) -> None:
    played = play("one", file=True)
    played.step()
    played.searches.plan(played.store)
    kept = history(played)
    with open_memory(played.searches.memory) as memory:
        name = next(iter(kept))
        study = optuna.load_study(study_name=name, storage=memory)
        study.add_trial(optuna.trial.create_trial(value=0.99, params=study.trials[0].params,
                                                  distributions=study.trials[0].distributions))  # fmt: skip
    played.searches.plan(played.store)
    assert history(played) == kept


def test_diverged_trials_are_told_as_the_worst_score_and_nothing_is_ever_not_finite(
    play: Callable[..., Played],
) -> None:
    played = play("one", make_searched_preset(("none",), budget=8, seeds=2), file=True)
    trials = {trial.cell: trial.config for trial in played.to_the_end()}
    transform = Transform.of("fid", 0.55)
    seen = set()
    for name, told in history(played).items():
        _, _, method, sampler, _, seed = name.split()
        for number, state, value, _, _ in told:
            fid = badness(trials[method, f"{sampler}-{number:03}", int(seed)])
            assert state is optuna.trial.TrialState.COMPLETE
            assert np.isfinite(value)
            assert value == (0.0 if fid is None else pytest.approx(float(transform(np.asarray(fid)))))
            seen.add(fid is None)
    assert seen == {True, False}, "some diverge, some do not"
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(AssertionError):
            Tried(values={}, score=wrong, ended=True)


def test_a_failed_trial_holds_its_own_search_and_no_other(play: Callable[..., Played]) -> None:
    played = play("one")
    trials = played.searches.plan(played.store)
    played.store.register(played.searches.study, played.searches.preset.name, {}, trials)
    for trial in {t.digest: t for t in trials}.values():
        if trial.cell[0] == "none" and trial.seed == 0:
            played.store.start_attempt(trial.digest, host="here", device="cpu", versions={})
            played.store.fail(trial.digest, "OSError: no space left on device")
        else:
            tell(played.store, trial, badness(trial.config))
    new = cells(played.searches.plan(played.store)).keys() - cells(trials).keys()
    assert {(method, seed) for method, _, seed in new} == {("none", 1), ("wgan-gp", 0), ("wgan-gp", 1)}


def test_a_result_without_a_number_is_left_out_by_the_sampler(tmp_path: Path) -> None:
    tried = [Tried(values=one.values, score=None, ended=True) for one in searched("tpe")[:3]]
    with open_memory(tmp_path / "optuna.db") as memory:
        study = agreed(tried, name="x", space=SPACE, memory=memory)
        assert {trial.state for trial in study.trials} == {optuna.trial.TrialState.FAIL}
        assert len(propose(tried, 2, name="x", space=SPACE, sampler="tpe", seed=0, round_size=3, memory=memory)) == 2


def test_more_seeds_and_methods_extend_a_study(play: Callable[..., Played]) -> None:
    played = play("one", seeds=1, methods=["none"])
    before = cells(played.to_the_end())
    wider = Played(played.store, dataclasses.replace(played.searches, seeds=2, methods=("none", "wgan-gp")))
    assert before.items() < cells(wider.to_the_end()).items()
    states = played.store.states("made-up", "quick")
    assert set(states.values()) <= {TrialState.COMPLETED, TrialState.DIVERGED}


def test_a_mistake_is_told(tmp_path: Path, play: Callable[..., Played]) -> None:
    (tmp_path / "optuna.db").write_text("no database")
    with (
        pytest.raises(InputError, match=r"cannot use .*optuna\.db.*\n.*Delete it"),
        open_memory(tmp_path / "optuna.db"),
    ):
        pass
    with pytest.raises(InputError, match="searches its settings"):
        searches_of("x", make_searched_preset(), methods=None, settings=["A"], seeds=None, memory=None)
    played = play("one")
    played.step()
    narrow = {**played.searches.search.optimizer, "alpha": Range(low=1e-5, high=2e-5, log=True)}
    search = dataclasses.replace(played.searches.search, optimizer=narrow)
    with pytest.raises(InputError, match=r"outside what is searched[\s\S]*--out"):
        dataclasses.replace(played.searches, search=search).plan(played.store)


# Importance


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
