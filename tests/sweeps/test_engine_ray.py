"""The engine on a real Ray gives the numbers of the one in process, and tells how each trial ended."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.results import Evaluation
from sweeps.engine import last_line, run
from sweeps.signals import STOP_SIGNALS
from tests.sweeps.recording import (
    Full,
    Recorder,
    assert_in_batches,
    endless,
    engine_options,
    observed,
    observed_together,
    planned,
    seen,
    troubled,
)

CONFIG = TrialConfig(updates=2)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
def test_ray_asks_for_further_batches_when_the_one_before_has_ended(tmp_path: Path) -> None:
    assert_in_batches(tmp_path, engine="ray", max_concurrent=1)  # a process per batch, not two


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
def test_both_engines_give_the_same_numbers_bit_for_bit(tmp_path: Path, tiny: TrialConfig, cache_dir: Path) -> None:
    recorders = {}
    for name in ("in-process", "ray"):
        recorders[name] = Recorder()
        options = engine_options(tmp_path / name, cache_dir=cache_dir, engine=name)
        result = run(planned(tiny, 3), options, recorders[name])
        assert len(result.finished) == 3, result.failed
    here, there = recorders["in-process"].scores(), recorders["ray"].scores()
    assert len(here) == 6
    assert here == there
    attempt = recorders["ray"].details("start", 0)[0]
    assert attempt.device == "cpu"
    assert {"python", "torch", "ray"} <= attempt.versions.keys()


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
def test_ray_tries_again_what_may_have_been_bad_luck(tmp_path: Path) -> None:
    trials, recorder = planned(CONFIG, 5), Recorder()
    result = run(trials, engine_options(tmp_path, max_failures=1), recorder, troubled)
    # The lost process: once without a result, then from the start.
    assert recorder.told(0) == ["start", "evaluation", "failure", "start", "evaluation", "evaluation", "finish"]
    error, final = recorder.details("failure", 0)[0]
    assert "the worker process was lost" in last_line(error)
    assert not final
    # The exception: twice, then given up.
    assert recorder.told(1) == ["start", "evaluation", "failure"] * 2
    assert [final for _, final in recorder.details("failure", 1)] == [False, True]
    assert last_line(result.failed[trials[1].digest]) == "RuntimeError: this always happens"
    # The user's mistake: once. Divergence: a result.
    assert recorder.told(2) == ["start", "evaluation", "failure"]
    assert recorder.details("failure", 2) == [("the checkpoint is damaged. Move it away.", True)]
    assert recorder.told(3) == ["start", "evaluation", "finish"]
    assert recorder.details("finish", 3)[0].state == "diverged"
    assert result.finished == {trials[seed].digest for seed in (0, 3, 4)}
    assert result.failed.keys() == {trials[seed].digest for seed in (1, 2)}
    assert not result.interrupted


def most_at_once(seen_trials: list[dict[str, Any]]) -> int:
    """The largest number of trials that ran at the same time."""
    return max(sum(other["start"] <= trial["start"] < other["end"] for other in seen_trials) for trial in seen_trials)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
def test_two_cpus_run_two_trials_at_a_time_with_a_thread_each_in_processes_used_again(tmp_path: Path) -> None:
    result = run(planned(CONFIG, 6), engine_options(tmp_path), Recorder(), observed_together)
    trials = seen(tmp_path)
    assert len(result.finished) == len(trials) == 6
    assert most_at_once(trials) == 2
    assert {trial["torch_threads"] for trial in trials} == {1}
    assert {trial["omp_threads"] for trial in trials} == {"1"}
    assert len({trial["pid"] for trial in trials}) == 2
    assert {trial["gpus"] for trial in trials} == {""}, "a trial without a GPU sees none"


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
def test_a_gpu_is_shared_and_processes_are_fresh_when_asked(tmp_path: Path) -> None:
    options = engine_options(tmp_path, gpus_per_trial=0.5, cpus_per_trial=0.5, max_concurrent=1, fresh_process=True)
    run(planned(CONFIG, 2), options, Recorder(), observed)
    trials = seen(tmp_path)
    assert {trial["device"] for trial in trials} == {"cuda"}
    assert {trial["gpus"] for trial in trials} == {"0"}
    assert most_at_once(trials) == 1, "max_concurrent"
    assert len({trial["pid"] for trial in trials}) == 2


@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("changes", [{"cpus_per_trial": 3.0}, {"gpus_per_trial": 2.0}])
def test_ray_refuses_what_it_could_only_wait_for(tmp_path: Path, changes: dict[str, Any]) -> None:
    recorder = Recorder()
    with pytest.raises(InputError, match="no machine here has both"):
        run(planned(CONFIG, 1), engine_options(tmp_path, **changes), recorder, observed)
    assert recorder.events == []


class Stopping(Recorder):
    """A listener during whose first evaluation a stop is asked for."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self.number: signal.Signals | None = number
        self.at = 0.0

    def on_evaluation(self, trial: Any, evaluation: Evaluation) -> None:
        super().on_evaluation(trial, evaluation)
        if self.number is not None:
            self.at, number, self.number = time.monotonic(), self.number, None
            signal.raise_signal(number)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)])
def test_ray_stops_within_seconds_and_blames_no_trial(tmp_path: Path, number: signal.Signals) -> None:
    recorder, before = Stopping(number), [signal.getsignal(each) for each in STOP_SIGNALS]
    result = run(planned(CONFIG, 4), engine_options(tmp_path), recorder, endless)
    assert time.monotonic() - recorder.at < 10
    assert result.interrupted
    assert not result.finished
    assert not result.failed
    assert "failure" not in [name for name, _, _ in recorder.events]
    assert [signal.getsignal(each) for each in STOP_SIGNALS] == before


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
def test_ray_passes_on_an_error_of_the_listener(tmp_path: Path) -> None:
    recorder = Full()
    with pytest.raises(InputError, match="disk is full"):
        run(planned(CONFIG, 6)[4:], engine_options(tmp_path), recorder, troubled)
    assert "failure" not in [name for name, _, _ in recorder.events]
