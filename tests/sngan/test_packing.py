"""Trials that share a process: each is what it is alone, whatever becomes of its neighbours."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch

from sngan import packing
from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.memory import least_training_bytes
from sngan.methods import METHODS
from sngan.packing import run_pack
from sngan.results import Evaluation, Outcome, RunOptions
from sngan.state import TrainState
from sngan.training import train
from sngan.trial import run_trial


class Heard:
    """A listener that keeps what it hears, by digest."""

    def __init__(self) -> None:
        self.evaluations: dict[str, list[Evaluation]] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.errors: dict[str, Exception] = {}

    def on_evaluation(self, config: TrialConfig, evaluation: Evaluation) -> None:
        self.evaluations.setdefault(config.digest, []).append(evaluation)

    def on_outcome(self, config: TrialConfig, outcome: Outcome) -> None:
        assert config.digest not in self.outcomes
        self.outcomes[config.digest] = outcome

    def on_error(self, config: TrialConfig, error: Exception) -> None:
        assert config.digest not in self.errors
        self.errors[config.digest] = error


def configs(tiny: TrialConfig) -> list[TrialConfig]:
    base = tiny.replace(updates=24, evaluate_every=12)
    return [
        METHODS["sn"].apply(base),
        METHODS["wgan-gp"].apply(base.replace(n_dis=3)),
        METHODS["batch-norm"].apply(base.replace(updates=12)),
        METHODS["none"].apply(base.replace(seed=1)),
    ]


def told(evaluations: list[Evaluation]) -> list[Any]:
    """All of it but what the clock says."""
    return [
        (
            e.update,
            [(s.protocol, s.value) for s in e.scores],
            {name: value for name, value in e.diagnostics.items() if not name.startswith("seconds")},
            e.diagnoses,
        )
        for e in evaluations
    ]


def alone(config: TrialConfig, options: RunOptions) -> list[Evaluation]:
    seen: list[Evaluation] = []
    run_trial(config, dataclasses.replace(options, storage_dir=None), seen.append)
    return seen


def packed(chosen: list[TrialConfig], options: RunOptions) -> Heard:
    heard = Heard()
    run_pack(chosen, options, heard)
    return heard


def test_packed_equals_alone(tiny: TrialConfig, options: RunOptions) -> None:
    heard = packed(configs(tiny), options)
    assert not heard.errors
    for config in configs(tiny):
        assert told(heard.evaluations[config.digest]) == told(alone(config, options))
        assert heard.outcomes[config.digest].state == "completed"
    again = packed(configs(tiny), options)
    for config in configs(tiny):
        assert told(again.evaluations[config.digest]) == told(heard.evaluations[config.digest])


def patched_train(monkeypatch: pytest.MonkeyPatch, act: Callable[[TrainState], None]) -> None:
    """Have `act` called before every stretch of training."""

    def training(state: TrainState, *arguments: Any, **named: Any) -> None:
        act(state)
        train(state, *arguments, **named)

    monkeypatch.setattr("sngan.trial.train", training)


def test_a_diverging_and_a_failing_trial_leave_their_neighbours_alone(
    tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = configs(tiny)
    diverging, failing, *others = chosen

    def act(state: TrainState) -> None:
        if state.config.digest == diverging.digest:
            next(state.generator.parameters()).data.fill_(torch.nan)
        if state.config.digest == failing.digest and state.update >= 10:
            raise RuntimeError("broken")

    patched_train(monkeypatch, act)
    heard = packed(chosen, options)
    assert heard.outcomes[diverging.digest].state == "diverged"
    assert str(heard.errors[failing.digest]) == "broken"
    assert failing.digest not in heard.outcomes
    monkeypatch.undo()
    for config in others:
        assert told(heard.evaluations[config.digest]) == told(alone(config, options))


def test_out_of_memory_splits_the_pack(
    tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A device that holds two trials at a time: all four end, with the results that they have alone."""
    chosen = configs(tiny)
    trained: list[str] = []

    def act(state: TrainState) -> None:
        recent = {digest for digest in [*trained[-3:], state.config.digest] if digest not in heard.outcomes}
        if len(recent) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        trained.append(state.config.digest)

    patched_train(monkeypatch, act)
    heard = Heard()
    run_pack(chosen, options, heard)
    monkeypatch.undo()
    assert "out of memory with 4 trials at a time: going on with" in caplog.text
    assert not heard.errors
    for config in chosen:
        newest = {e.update: e for e in heard.evaluations[config.digest]}
        assert told(list(newest.values())) == told(alone(config, options))


def test_a_trial_that_does_not_fit_alone_is_an_error(
    tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = configs(tiny)[:2]

    def act(state: TrainState) -> None:
        if state.config.digest == large.digest:
            raise torch.OutOfMemoryError("CUDA out of memory")

    patched_train(monkeypatch, act)
    heard = packed([large, small], options)
    assert "a trial alone runs out of memory" in str(heard.errors[large.digest])
    assert heard.outcomes[small.digest].state == "completed"


def test_seconds_are_shared_out(tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many share the process, what they cost adds up to what passed."""
    ticks = iter(range(100_000))
    monkeypatch.setattr(packing.time, "perf_counter", lambda: float(next(ticks)))
    heard = packed(configs(tiny)[:2], options)
    spent = sum(outcome.train_s + outcome.evaluate_s for outcome in heard.outcomes.values())
    passed = float(next(ticks))
    assert 0.5 * passed < spent <= passed


def test_more_trials_than_fit_are_refused_with_the_numbers(
    tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = configs(tiny)
    needed = [packing._least_bytes(config, options) for config in chosen]
    free = sum(sorted(needed)[-2:])
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (free, 2 * free))
    packing._check_memory(chosen[:2], options, torch.device("cuda"))
    with pytest.raises(InputError, match=r"4 trials at a time do not fit .* need at least 0\.0 GB.*\n.*up to 2\."):
        packing._check_memory(chosen, options, torch.device("cuda"))


def test_least_memory_counts_weights_and_what_backward_needs(tiny: TrialConfig) -> None:
    """By hand for the weights; in proportion to the batch for the rest."""

    def least(batch: int) -> int:
        return least_training_bytes(tiny.replace(generator_batch_size=batch), channels=1, image_size=8)

    state = TrainState.start(tiny, channels=1, image_size=8)
    networks = (state.generator, state.discriminator)
    weights = 4 * 4 * sum(p.numel() for network in networks for p in network.parameters())
    assert least(8) > weights
    by_image = (least(40) - least(8)) / 32
    assert least(8) - weights == pytest.approx(8 * by_image, rel=0.05)
    # At least the outputs of the convolutions of both networks, as floats.
    assert by_image > 4 * (16 * 64 + 16 * 16 + 32 * 16 + 32 * 4 + 64 * 4)
