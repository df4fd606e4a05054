"""Cost estimates recover the costs that synthetic trials were made from."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest

from sngan.regularizers.gradient_penalty import GradientPenalty
from sngan.regularizers.r1 import R1
from sweeps.costs import estimate
from sweeps.store import ResultStore, frames, open_store
from sweeps.study import PlannedTrial
from tests.sweeps.store.samples import PRESET, STUDY, filled, planned

COST = {"sn": (2e-5, 1e-5), "wgan-gp": (6e-5, 1e-5)}
PER_EVALUATION_S = 1.5


def true_seconds(trial: PlannedTrial) -> float:
    config = trial.config
    discriminator, generator = COST[trial.method]
    train = config.updates * (
        config.n_dis * config.batch_size * discriminator + config.generator_batch_size * generator
    )
    return train + PER_EVALUATION_S * -(-config.updates // config.evaluate_every)


def measured(trials: Sequence[PlannedTrial], state: str = "completed", device: str = "cpu") -> pd.DataFrame:
    """What the store would tell of `trials` if they cost exactly what they should."""
    rows = []
    for trial in trials:
        config = trial.config
        num = -(-config.updates // config.evaluate_every)
        known = {name: getattr(config, name) for name in frames.COSTS if hasattr(config, name)}
        known |= {"digest": trial.digest, "method": trial.method, "setting": trial.setting, "state": state}
        known |= {"regularizers": json.dumps(config.to_dict()["regularizers"], sort_keys=True)}
        known |= {"protocols": ",".join(config.protocols), "last_update": config.updates, "num_evaluations": num}
        known |= {"host": "here", "device": device, "evaluate_s": num * PER_EVALUATION_S}
        rows.append({**known, "train_s": true_seconds(trial) - known["evaluate_s"]})
    return pd.DataFrame(rows, columns=list(frames.COSTS)).astype(dict(frames.COSTS))


@pytest.fixture
def empty() -> pd.DataFrame:
    return measured([])


def changed(trials: Sequence[PlannedTrial], **config: object) -> list[PlannedTrial]:
    return [
        PlannedTrial(method=t.method, setting=t.setting, seed=t.seed, config=t.config.replace(**config)) for t in trials
    ]


def test_costs_of_both_networks_are_told_apart_and_scaled() -> None:
    pilot = planned(settings=("A", "B"), seeds=1)  # n_dis 5 and 1
    target = changed(
        planned(settings=("C", "D"), seeds=2),
        updates=7777,
        evaluate_every=1000,
        batch_size=32,
        generator_batch_size=128,
    )
    result = estimate(target, measured(pilot))
    assert result.seconds == pytest.approx({trial.digest: true_seconds(trial) for trial in target})
    assert result.known_s == pytest.approx(sum(map(true_seconds, target)))
    assert (result.num_unknown, result.explanation) == (0, "")


def test_one_proportion_of_updates_scales_with_the_length() -> None:
    pilot = planned(settings=("A",), seeds=2)
    target = changed(planned(settings=("D",)), updates=3000)  # n_dis 5, too
    result = estimate(target, measured(pilot))
    assert result.seconds == pytest.approx({trial.digest: true_seconds(trial) for trial in target})


def test_costs_are_never_negative() -> None:
    pilot = measured(planned(methods=("sn",), settings=("A", "B"), seeds=1))
    pilot.loc[pilot["n_dis"] == 1, "train_s"] = 1e-3  # no positive cost of a generator update explains this
    result = estimate(planned(methods=("sn",), settings=("A", "B")), pilot)
    assert all(value is not None and value > 0 for value in result.seconds.values())


def test_what_was_never_measured_is_unknown_and_named(empty: pd.DataFrame) -> None:
    target = planned()
    nothing = estimate(target, empty)
    assert set(nothing.seconds.values()) == {None}
    assert (nothing.known_s, nothing.num_unknown) == (0, 8)
    assert nothing.unmeasured == ("sn on digits with small-cnn", "wgan-gp on digits with small-cnn")
    half = estimate(target, measured(planned(methods=("sn",))))
    assert half.num_unknown == 4
    assert half.explanation == ("4 of 8 trials have no comparable measurement yet: wgan-gp on digits with small-cnn.")


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"dataset": "cifar10"}, "sn on cifar10 with small-cnn"),
        ({"architecture": "standard-cnn"}, "sn on digits with standard-cnn"),
        ({"width_factor": 2.0}, "sn on digits with small-cnn"),
        ({"conditioning": "projection"}, "sn on digits with small-cnn"),
        ({"precision": "bf16"}, "sn on digits with small-cnn"),
        ({"protocols": ("is/gen600x1-digits",)}, "is/gen600x1-digits on digits with small-cnn"),
    ],
)
def test_other_data_networks_or_protocols_are_not_comparable(config: dict[str, object], named: str) -> None:
    trials = planned(methods=("sn",))
    result = estimate(changed(trials, **config), measured(trials))
    assert set(result.seconds.values()) == {None}
    assert result.unmeasured == (named,)


def test_a_penalty_costs_the_same_whatever_its_weight_and_another_kind_of_it_may_not() -> None:
    trials = planned(methods=("wgan-gp",))
    heavier = changed(trials, regularizers=(GradientPenalty(coefficient=3.7),))
    expected = {trial.digest: true_seconds(trial) for trial in heavier}
    assert estimate(heavier, measured(trials)).seconds == pytest.approx(expected)
    other = changed(trials, regularizers=(R1(),))
    assert estimate(other, measured(trials)).num_unknown == len(other)


def test_measuring_nothing_costs_nothing() -> None:
    pilot = planned(methods=("sn",))
    target = changed(pilot, protocols=())
    result = estimate(target, measured(pilot))
    expected = {t.digest: true_seconds(t) - 2 * PER_EVALUATION_S for t in target}
    assert result.seconds == pytest.approx(expected)


def test_diverged_trials_and_other_devices_are_left_out() -> None:
    trials = planned(methods=("sn",))
    frame = pd.concat([measured(trials), measured(trials, device="cuda").assign(train_s=1e-3)])
    assert estimate(trials, frame, device="cpu").known_s == pytest.approx(sum(map(true_seconds, trials)))
    assert estimate(trials, frame, device="cuda").known_s < estimate(trials, frame, device="cpu").known_s
    assert estimate(trials, measured(trials, state="diverged")).num_unknown == len(trials)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResultStore]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}") as opened:
        yield opened


def test_the_store_tells_what_the_estimate_needs(store: ResultStore) -> None:
    assert estimate(planned(), store.expected_costs()).num_unknown == 8
    filled(store)
    target = changed(planned(), updates=2000)
    result = estimate(target, store.expected_costs())
    # All trials of the sample took 20 s + 2 s, whatever n_dis, for half as many updates and evaluations.
    assert result.seconds == pytest.approx(dict.fromkeys((trial.digest for trial in target), 44.0))
    # A pilot keeps its use when its cells mean longer trials.
    store.register(STUDY, PRESET, {}, target)
    assert set(store.expected_costs()["method"]) == {""}
    assert estimate(planned(), store.expected_costs()).num_unknown == 0
