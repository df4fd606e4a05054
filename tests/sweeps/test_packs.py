"""Trials that share a GPU, through Ray: each has its own messages, failures and retries. The GPU is a number here."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sngan.checkpoints import checkpoint_path
from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.methods import METHODS
from sngan.plugins.loading import use_plugins
from sngan.results import Outcome, RunOptions
from sngan.trial import run_trial
from sweeps import engine_ray
from sweeps.engine import EngineOptions, check_here, run
from sweeps.engine_interface import Unshared
from sweeps.ray_worker import train_pack
from sweeps.study import PlannedTrial
from tests.plugin_samples import penalty, write
from tests.sweeps.recording import Recorder, planned

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("cluster")]

CONFIG = TrialConfig(updates=12, evaluate_every=6, n_dis=1, protocols=("fid/gen600-test600-digits",))


def options(folder: Path, trials_per_gpu: int) -> EngineOptions:
    """A whole GPU for every pack, and the CPU to compute on."""
    run_options = RunOptions(cache_dir=folder / "cache", storage_dir=folder, device="cpu")
    return EngineOptions(run=run_options, trials_per_gpu=trials_per_gpu, num_gpus=1)


@pytest.mark.thorough
def test_packs_give_the_numbers_of_trials_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeps.engine_interface.gpus_of_a_trial", lambda options, there: 1.0)
    trials = planned(CONFIG, 3)
    packed, single = Recorder(), Recorder()
    result = run(trials, options(tmp_path / "packed", 2), packed)
    assert result.finished == {trial.digest for trial in trials}
    assert not result.failed
    run(trials, dataclasses.replace(options(tmp_path / "single", 1), engine="in-process"), single)
    assert packed.scores() == single.scores()
    assert len(packed.scores()) == 6
    for trial in trials:
        assert packed.told(trial.seed) == ["start", "evaluation", "evaluation", "finish"]


@pytest.mark.thorough
def test_trials_that_fail_in_a_pack_are_alone_in_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others end, undisturbed. A user's mistake is final; another error is tried again."""
    monkeypatch.setattr("sweeps.engine_interface.gpus_of_a_trial", lambda options, there: 1.0)
    sound, damaged, plain = planned(CONFIG, 3)
    checkpoint = checkpoint_path(tmp_path, damaged.digest)
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"not a checkpoint")
    marker = tmp_path / "failed-once"
    body = f"""from pathlib import Path
if not Path({str(marker)!r}).exists():
    Path({str(marker)!r}).touch()
    raise RuntimeError("only once")"""
    plugin = write(tmp_path, penalty(body))
    use_plugins([plugin])
    try:
        config = METHODS["mine"].apply(CONFIG)
        failing = PlannedTrial(method="mine", setting="A", seed=3, config=config.replace(seed=3))
        recorder = Recorder()
        chosen = dataclasses.replace(options(tmp_path, 4), plugins={plugin.name: plugin.read_bytes()})
        result = run([sound, damaged, plain, failing], chosen, recorder)
    finally:
        use_plugins([])
    assert result.finished == {sound.digest, plain.digest, failing.digest}
    assert set(result.failed) == {damaged.digest}
    assert [final for _, final in recorder.details("failure", 1)] == [True]
    ((error, final),) = recorder.details("failure", 3)
    assert not final
    assert "only once" in error
    assert recorder.details("failure", 0) == recorder.details("failure", 2) == []


def test_packs_fill_all_gpus_before_they_grow(tmp_path: Path) -> None:
    assert engine_ray._pack_size(5, options(tmp_path, 2)) == 2
    assert engine_ray._pack_size(5, options(tmp_path, 8)) == 5
    assert engine_ray._pack_size(5, dataclasses.replace(options(tmp_path, 8), max_concurrent=3)) == 3


def test_a_pack_that_cannot_be_tried_again_takes_nothing_from_those_that_ended() -> None:
    """A trial of the pack raised, the others have results; then the GPU has no room for a second attempt."""
    recorder = Recorder()
    relay = engine_ray._Relay(recorder, Unshared())
    ended, other = planned(CONFIG, 2)
    relay.expect([ended, other])
    outcome = Outcome(state="completed", update=12, reason="", train_s=1.0, evaluate_s=0.0)
    relay.on_trial_result(None, {"digest": ended.digest, "outcome": dataclasses.asdict(outcome)})
    for trial in (ended, other):
        relay.on_trial_result(None, {"digest": trial.digest, "input_error": "no room"})
    assert relay.finished == {ended.digest}
    assert relay.failed == {other.digest: "no room"}
    assert recorder.told(ended.seed) == ["finish"]


def test_a_trial_that_was_given_up_here_and_begun_elsewhere_is_not_lost() -> None:
    class TakenOver(Unshared):
        def lost(self) -> set[str]:
            return {given_up.digest}

    (given_up,) = planned(CONFIG, 1)
    relay = engine_ray._Relay(Recorder(), TakenOver())
    relay._tune_stop = lambda *_: None
    relay.failed[given_up.digest] = "no luck"
    relay.on_step_end([])
    assert not relay.ending
    del relay.failed[given_up.digest]
    relay.on_step_end([])
    assert isinstance(relay.error, InputError)
    assert "another launch may be running" in str(relay.error)


def test_sharing_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    run_options = RunOptions(cache_dir=tmp_path, storage_dir=tmp_path, device="auto")
    with pytest.raises(InputError, match="--trials-per-gpu 4: no GPU is there"):
        check_here(EngineOptions(run=run_options, trials_per_gpu=4, num_cpus=2, num_gpus=0))


def test_an_error_of_a_whole_pack_is_told_of_each_of_its_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that fails before any trial has begun, say; Tune hears of it, too, and tries again."""
    told: list[dict[str, Any]] = []

    def fail(*_: object) -> None:
        raise RuntimeError("the device is lost")

    monkeypatch.setattr("sweeps.ray_worker.tune.report", told.append)
    monkeypatch.setattr("sweeps.ray_worker.run_pack", fail)
    configs = {trial.digest: trial.config.to_dict() for trial in planned(CONFIG, 2)}
    with pytest.raises(RuntimeError, match="the device is lost"):
        train_pack(
            {"pack": list(configs)},
            configs=configs,
            options=options(tmp_path, 2).run,
            plugins={},
            storage=None,
            run_trial=run_trial,
        )
    assert [message["digest"] for message in told if "the device is lost" in message.get("error", "")] == list(configs)
