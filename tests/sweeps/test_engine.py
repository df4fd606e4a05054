"""Options of an engine, and what the one in process makes of trials; test_engine_ray.py has the other."""

import dataclasses
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.results import Evaluation, Score
from sweeps import engine_ray
from sweeps.engine import EngineOptions, check_here, last_line, num_slots, run
from sweeps.engine_interface import Unshared, error_text, gpus_of_a_trial
from sweeps.signals import STOP_SIGNALS, StopRequested, interrupt, signals_handled
from sweeps.study import PlannedTrial
from tests.sweeps.recording import (
    Full,
    Recorder,
    assert_in_batches,
    engine_options,
    evaluation,
    outcome,
    planned,
    troubled,
)

CONFIG = TrialConfig(updates=2)


# Options


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"cpus_per_trial": -1.0}, "--cpus-per-trial is -1.0"),
        ({"cpus_per_trial": 0.0}, "--cpus-per-trial is 0.0"),
        ({"cpus_per_trial": float("nan")}, "--cpus-per-trial is nan"),
        ({"gpus_per_trial": -0.5}, "--gpus-per-trial is -0.5"),
        ({"gpus_per_trial": 1.5}, "--gpus-per-trial is 1.5"),
        ({"gpus_per_trial": float("inf")}, "--gpus-per-trial is inf"),
        ({"trials_per_gpu": 0}, "--trials-per-gpu is 0"),
        ({"trials_per_gpu": 2, "gpus_per_trial": 0.5}, "leave out --gpus-per-trial"),
        ({"trials_per_gpu": 2, "gpus_per_trial": None, "engine": "in-process"}, "leave out --engine in-process"),
        ({"max_concurrent": 0}, "--max-concurrent is 0"),
        ({"max_failures": -1}, "--max-failures is -1"),
        ({"engine": "in-proces"}, "Did you mean 'in-process'"),
    ],
)
def test_impossible_options_are_refused_by_name(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        engine_options(tmp_path, **changes)


def test_a_trial_has_as_many_threads_as_cpus_and_the_device_that_it_was_given(tmp_path: Path) -> None:
    options = engine_options(tmp_path, cpus_per_trial=3.0)
    assert options.run_options(0).num_threads == 3
    assert options.run_options(0).device == "cpu"
    assert options.run_options(0.25).device == "cuda"
    assert engine_options(tmp_path, cpus_per_trial=0.5).run_options(0).num_threads == 1


def test_a_gpu_is_the_default_where_there_is_one_and_asking_for_one_where_there_is_none_is_an_error(
    tmp_path: Path,
) -> None:
    run_options = engine_options(tmp_path).run
    default = EngineOptions(run=run_options)
    assert gpus_of_a_trial(default, 2) == 1.0
    assert gpus_of_a_trial(default, 0) == 0.0
    assert gpus_of_a_trial(EngineOptions(run=run_options, gpus_per_trial=0.25), 2) == 0.25
    cuda = EngineOptions(run=type(run_options)(cache_dir=tmp_path, device="cuda"))
    with pytest.raises(InputError, match="a trial gets no GPU"):
        cuda.run_options(0)


@pytest.mark.parametrize(
    ("changes", "slots"),
    [
        ({"num_cpus": 2, "num_gpus": 0}, 2),
        ({"num_cpus": 8, "num_gpus": 0, "cpus_per_trial": 3.0}, 2),
        ({"num_cpus": 8, "num_gpus": 0, "max_concurrent": 3}, 3),
        ({"num_cpus": 16, "num_gpus": 2, "gpus_per_trial": 0.25}, 8),
        ({"num_cpus": 16, "num_gpus": 2, "gpus_per_trial": 0.4}, 4),
        ({"num_cpus": 16, "num_gpus": 4, "gpus_per_trial": 2.0}, 2),
        ({"num_cpus": 16, "num_gpus": 2, "gpus_per_trial": None, "trials_per_gpu": 12}, 24),
        ({"num_cpus": 16, "num_gpus": 2, "gpus_per_trial": None, "trials_per_gpu": 12, "max_concurrent": 20}, 20),
        ({"num_cpus": 16, "num_gpus": 0, "engine": "in-process"}, 1),
    ],
)
def test_slots_are_what_cpus_gpus_and_the_user_allow(tmp_path: Path, changes: dict[str, Any], slots: int) -> None:
    assert num_slots(engine_options(tmp_path, **changes)) == slots


# What travels


@pytest.mark.parametrize(
    ("changes", "device", "told"),
    [
        ({"cpus_per_trial": 1024.0}, "auto", "asks for 1024 CPUs and 0 GPUs; no machine here has both"),
        ({"gpus_per_trial": 64.0}, "auto", "and 64 GPUs; no machine here has both"),
        ({"gpus_per_trial": 0.0}, "cuda", "a trial gets no GPU"),
        ({}, "meta", "device 'meta' cannot be used here"),
    ],
)
def test_what_this_machine_cannot_give_is_told_before_anything_starts(
    tmp_path: Path, changes: dict[str, Any], device: str, told: str
) -> None:
    options = engine_options(tmp_path)
    options = dataclasses.replace(options, run=dataclasses.replace(options.run, device=device), **changes)
    with pytest.raises(InputError, match=told):
        check_here(options)
    check_here(dataclasses.replace(options, address="auto"))  # a cluster's machines are not known before it is asked
    check_here(engine_options(tmp_path))


def test_an_evaluation_survives_the_way_to_the_driver() -> None:
    score = Score(
        protocol="is/gen600x1-digits-1a2b3c4d", metric="is", value=None, spread=0.5, num_generated=600, num_real=0,
        split="", extractor="digits-1a2b3c4d", floor=None, seconds=0.25,
    )  # fmt: skip
    told = Evaluation(
        update=5, scores=(score,), diagnostics={"loss/generator": 0.5}, train_s=1.0, evaluate_s=2.0,
        samples=Path("samples/x/u000005.png"),
    )  # fmt: skip
    assert Evaluation.from_dict(told.to_dict()) == told
    assert Evaluation.from_dict(evaluation(1).to_dict()) == evaluation(1)


def test_an_error_text_ends_with_a_summary() -> None:
    try:
        raise RuntimeError("two\nlines")
    except RuntimeError as error:
        text = error_text(error)
    assert "Traceback" in text
    assert last_line(text) == "RuntimeError: two lines"
    assert error_text(InputError("damaged.\nMove it away.")) == "damaged. Move it away."
    assert last_line(" \n") == "no message"


def test_what_tune_saves_of_the_relay_holds_nothing() -> None:
    relay = engine_ray._Relay(Recorder(), Unshared())
    assert pickle.loads(pickle.dumps(relay)).__dict__ == {}


# Signals


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_stop_is_a_keyboard_interrupt_and_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(StopRequested, match=number.name), signals_handled(interrupt):
        signal.raise_signal(number)
    assert signal.getsignal(number) == before


# In this process


def test_in_process_runs_each_digest_once_and_goes_on_after_a_failure(tmp_path: Path) -> None:
    trials, recorder = planned(CONFIG, 5)[1:], Recorder()
    result = run([*trials, *trials], engine_options(tmp_path, engine="in-process"), recorder, troubled)
    assert [name for name, _, _ in recorder.events if name == "start"] == ["start"] * 4
    assert [recorder.told(seed) for seed in (1, 2, 3, 4)] == [
        ["start", "evaluation", "failure"],
        ["start", "evaluation", "failure"],
        ["start", "evaluation", "finish"],
        ["start", "evaluation", "evaluation", "finish"],
    ]
    assert result.finished == {trials[2].digest, trials[3].digest}
    assert result.failed.keys() == {trials[0].digest, trials[1].digest}
    assert last_line(result.failed[trials[0].digest]) == "RuntimeError: this always happens"
    assert result.failed[trials[1].digest] == "the checkpoint is damaged. Move it away."
    assert not result.interrupted


def test_in_process_stops_on_a_signal_and_blames_no_trial(tmp_path: Path) -> None:
    def stopped(config: TrialConfig, *_: object) -> Any:
        if config.seed == 1:
            signal.raise_signal(signal.SIGTERM)
        return outcome("completed", 2)

    trials, recorder = planned(CONFIG, 3), Recorder()
    result = run(trials, engine_options(tmp_path, engine="in-process"), recorder, stopped)
    assert result.interrupted
    assert result.finished == {trials[0].digest}
    assert not result.failed
    assert recorder.told(2) == []


def test_an_error_of_the_listener_is_the_sweeps_not_the_trials(tmp_path: Path) -> None:
    recorder = Full()
    with pytest.raises(InputError, match="disk is full"):
        run(planned(CONFIG, 5)[4:], engine_options(tmp_path, engine="in-process"), recorder, troubled)
    assert recorder.told(4) == ["start", "evaluation"]


def test_nothing_to_run_starts_nothing(tmp_path: Path) -> None:
    result = run([], engine_options(tmp_path), Recorder(), troubled)
    assert (result.finished, result.failed, result.interrupted) == (frozenset(), {}, False)


def test_further_batches_are_asked_for_when_the_one_before_has_ended(tmp_path: Path) -> None:
    assert_in_batches(tmp_path, engine="in-process")


def test_further_batches_alone_are_run_too_and_none_is_after_a_stop(tmp_path: Path) -> None:
    trials, recorder = planned(CONFIG, 6)[4:], Recorder()
    options = engine_options(tmp_path, engine="in-process")
    assert len(run([], options, recorder, troubled, then=[[], trials]).finished) == 2

    def stopped(*_: object) -> Any:
        signal.raise_signal(signal.SIGTERM)

    def more() -> Iterator[list[PlannedTrial]]:
        raise AssertionError("asked for a batch after a stop")
        yield []

    assert run(trials, options, Recorder(), stopped, then=more()).interrupted
