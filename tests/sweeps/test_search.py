"""Searches: what is proposed depends on the seed and on results alone, and the store can give all of it back."""

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from sngan.errors import InputError
from sweeps.search import SAMPLERS, agreed, open_memory, propose
from sweeps.searching import searches_of
from sweeps.spaces import (
    Range,
    Tried,
    places_in,
)
from sweeps.store import TrialState
from sweeps.study import PlannedTrial
from sweeps.transforms import Transform
from tests.dashboards.synthetic import make_searched_preset
from tests.sweeps.search_samples import SPACE, Played, badness, searched, tell


def cells(trials: list[PlannedTrial]) -> dict[tuple[str, str, int], str]:
    return {trial.cell: trial.digest for trial in trials}


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


@pytest.mark.thorough
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
