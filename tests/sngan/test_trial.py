"""run_trial: evaluations in order, exact resume after any stop, divergence as a result, honest refusals."""

import dataclasses
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from sngan.adam import Adam
from sngan.checkpoints import checkpoint_path, load_any_checkpoint, save_checkpoint
from sngan.config import TrialConfig
from sngan.diagnostics import diagnosed_updates
from sngan.errors import InputError
from sngan.inputs import describe_inputs
from sngan.methods import METHODS
from sngan.metrics.evaluator import Evaluator
from sngan.metrics.protocols import PROTOCOLS
from sngan.regularizers.base import weighted_layers
from sngan.regularizers.gradient_penalty import GradientPenalty
from sngan.results import Evaluation, Outcome, RunOptions
from sngan.state import TrainState
from sngan.trial import evaluate_checkpoint, run_trial


def run(config: TrialConfig, options: RunOptions) -> tuple[Outcome, list[Evaluation]]:
    seen: list[Evaluation] = []
    return run_trial(config, options, seen.append), seen


def results(evaluations: list[Evaluation]) -> list[tuple[object, ...]]:
    """What may not depend on when and how often a trial was stopped: everything but seconds."""
    return [
        (
            e.update,
            [(s.protocol, s.value, s.spread) for s in e.scores],
            {name: value for name, value in e.diagnostics.items() if not name.startswith("seconds")},
            e.diagnoses,
        )
        for e in evaluations
    ]


def test_reports_every_evaluation_in_order(tiny: TrialConfig, options: RunOptions) -> None:
    outcome, seen = run(tiny.replace(updates=10), options)
    assert outcome.state == "completed"
    assert outcome.update == 10
    assert [e.update for e in seen] == [4, 8, 10]
    score = seen[0].scores[0]
    assert score.protocol.startswith("fid/gen600-test600-digits-")
    assert (score.num_generated, score.num_real, score.split) == (600, 600, "test")
    assert score.floor is not None
    assert seen[0].diagnostics["seconds_per_update"] > 0
    assert outcome.train_s > 0


def test_a_conditional_trial_is_measured_by_every_protocol(tiny: TrialConfig, options: RunOptions) -> None:
    names = tuple(name for name, protocol in PROTOCOLS.items() if protocol.extractor == "digits")
    config = tiny.replace(conditioning="projection", protocols=names)
    outcome, seen = run(config, options)
    assert outcome.state == "completed"
    assert options.storage_dir is not None
    for evaluation in seen:
        assert [score.protocol.rpartition("-")[0] for score in evaluation.scores] == list(names)
        assert all(score.value is not None and score.floor is not None for score in evaluation.scores)
    again = evaluate_checkpoint(checkpoint_path(options.storage_dir, config.digest), names, options)
    assert [score.value for score in again] == [score.value for score in seen[-1].scores]


def test_grids_are_images_of_the_same_latents(tiny: TrialConfig, options: RunOptions) -> None:
    _, seen = run(tiny, options)
    assert options.storage_dir is not None
    for evaluation in seen:
        assert evaluation.samples is not None
        with Image.open(options.storage_dir / evaluation.samples) as picture:
            side = 3 * (8 * 8 + 9)  # images of 8 pixels, lines between and around, each pixel three times
            assert picture.size == (side, side)


class Stop(Exception):  # noqa: N818 - it is no error
    pass


def diagnose_often(patch: pytest.MonkeyPatch) -> None:
    """More diagnoses than a trial of a few updates would have: also between evaluations, also off their rhythm."""
    patch.setattr("sngan.diagnostics._LEAST_STEPS", 8)


@pytest.mark.parametrize("method", METHODS)
def test_stopped_and_resumed_equals_uninterrupted(
    method: str, tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in a report, in training between evaluations, and after the end."""
    diagnose_often(monkeypatch)
    config = METHODS[method].apply(tiny.replace(updates=30, evaluate_every=15, n_dis=1))
    often = dataclasses.replace(options, checkpoint_every_s=0.0)
    alone = dataclasses.replace(options, storage_dir=None)
    _, expected = run(config, alone)

    def stop(evaluation: Evaluation) -> None:
        raise Stop

    with pytest.raises(Stop):
        run_trial(config, often, stop)
    calls = 0
    original = Adam.step

    def die_in_training(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls > 26:
            raise Stop
        return original(*args, **kwargs)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Adam, "step", die_in_training)
        with pytest.raises(Stop):
            run(config, often)
    _, seen = run(config, often)
    assert results(seen) == results(expected)
    outcome, again = run(config, often)
    assert outcome.state == "completed"
    assert again == seen, "a finished trial reports the same once more"


@pytest.mark.parametrize("update", [4, 8, 12])
def test_stopped_while_it_measures_no_evaluation_is_lost(
    update: int, tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint then holds a state trained up to an evaluation that was never made."""
    diagnose_often(monkeypatch)
    config = tiny.replace(updates=12)
    _, expected = run(config, dataclasses.replace(options, storage_dir=None))
    original = Evaluator.evaluate
    calls = 0

    def die_while_measuring(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 4
        if calls == update:
            raise Stop
        return original(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Evaluator, "evaluate", die_while_measuring)
        with pytest.raises(Stop):
            run(config, dataclasses.replace(options, checkpoint_every_s=0.0))
    _, seen = run(config, options)
    assert results(seen) == results(expected)


@pytest.mark.parametrize("update", [1, 5, 6, 10, 11])
def test_stopped_anywhere_no_diagnosis_is_lost_or_made_twice(
    update: int, tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    diagnose_often(monkeypatch)
    config = METHODS["sn"].apply(tiny.replace(updates=12))
    assert diagnosed_updates(config) == (0, 3, 6, 9, 12)
    _, expected = run(config, dataclasses.replace(options, storage_dir=None))
    assert [[d.update for d in e.diagnoses] for e in expected] == [[0, 3], [6], [9, 12]]
    monkeypatch.setattr("sngan.trial._UPDATES_PER_STRETCH", 1)
    kept = save_checkpoint

    def die_after_a_checkpoint(path: Path, config: TrialConfig, content: Mapping[str, Any]) -> None:
        kept(path, config, content)
        if content["training"]["update"] == update:
            raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sngan.trial.save_checkpoint", die_after_a_checkpoint)
        with pytest.raises(Stop):
            run(config, dataclasses.replace(options, checkpoint_every_s=0.0))
    _, seen = run(config, options)
    assert results(seen) == results(expected)


def test_diagnoses_before_a_divergence_come_with_the_outcome(
    tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    diagnose_often(monkeypatch)
    config = tiny.replace(regularizers=(GradientPenalty(coefficient=1e39),), updates=12)
    outcome, seen = run(config, options)
    assert outcome.state == "diverged"
    assert seen == []
    assert [diagnosis.update for diagnosis in outcome.diagnoses] == [0, 3]
    assert math.isfinite(outcome.diagnoses[0].values["layer1/gradient"])
    assert not math.isfinite(outcome.diagnoses[1].values["layer1/gradient"])
    again, _ = run(config, options)
    assert repr(again) == repr(outcome), "not a number equals nothing, not even itself"


def test_a_checkpoint_without_diagnoses_goes_on(
    tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the version before they were made has written it."""
    diagnose_often(monkeypatch)
    config = tiny.replace(updates=12)

    def stop(evaluation: Evaluation) -> None:
        raise Stop

    with pytest.raises(Stop):
        run_trial(config, options, stop)
    assert options.storage_dir is not None
    path = checkpoint_path(options.storage_dir, config.digest)
    saved = load_any_checkpoint(path)
    del saved["diagnoses"]
    for evaluation in saved["evaluations"]:
        del evaluation["diagnoses"]
    save_checkpoint(path, config, {key: value for key, value in saved.items() if key != "config"})
    outcome, seen = run(config, options)
    assert outcome.state == "completed"
    assert [[d.update for d in e.diagnoses] for e in seen] == [[], [6], [9, 12]]


def test_divergence_is_an_outcome_that_says_when(
    tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = TrainState.start.__func__  # type: ignore[attr-defined]

    def poisoned(cls: type[TrainState], *args: object, **kwargs: object) -> TrainState:
        state: TrainState = original(cls, *args, **kwargs)
        with torch.no_grad():
            weighted_layers(state.discriminator)[0].weight[0, 0, 0, 0] = torch.inf
        return state

    monkeypatch.setattr(TrainState, "start", classmethod(poisoned))
    outcome, seen = run(tiny, options)
    assert outcome.state == "diverged"
    assert "not finite between updates 0 and 4" in outcome.reason
    assert seen == []
    again, _ = run(tiny, options)
    assert repr(again) == repr(outcome)


def test_images_that_are_not_finite_are_divergence_even_when_weights_are(
    tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = TrainState.start.__func__  # type: ignore[attr-defined]

    def poisoned(cls: type[TrainState], *args: object, **kwargs: object) -> TrainState:
        state: TrainState = original(cls, *args, **kwargs)
        # Only sampling uses the running averages: training itself stays finite.
        state.generator.norms[0].running_var.fill_(-1e6)  # type: ignore[union-attr, index, operator]
        return state

    monkeypatch.setattr(TrainState, "start", classmethod(poisoned))
    outcome, seen = run(tiny, options)
    assert outcome.state == "diverged"
    assert "images" in outcome.reason
    assert seen == []


def test_overflow_diverges_by_itself(tiny: TrialConfig, options: RunOptions) -> None:
    """No planted fault: a penalty of absurd weight overflows."""
    outcome, _ = run(tiny.replace(regularizers=(GradientPenalty(coefficient=1e39),)), options)
    assert outcome.state == "diverged"
    assert "loss/penalty" in outcome.reason


def test_a_damaged_checkpoint_is_refused_and_kept(tiny: TrialConfig, options: RunOptions) -> None:
    run(tiny, options)
    assert options.storage_dir is not None
    path = checkpoint_path(options.storage_dir, tiny.digest)
    data = path.read_bytes()[:-1]
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        run(tiny, options)
    assert path.read_bytes() == data


def test_a_foreign_checkpoint_is_refused(tiny: TrialConfig, options: RunOptions) -> None:
    run(tiny, options)
    assert options.storage_dir is not None
    other = tiny.replace(seed=9)
    target = checkpoint_path(options.storage_dir, other.digest)
    target.parent.mkdir()
    shutil.copy(checkpoint_path(options.storage_dir, tiny.digest), target)
    with pytest.raises(InputError, match="seed: 9 here, 0 there"):
        run(other, options)


def test_evaluate_checkpoint_repeats_the_last_score(tiny: TrialConfig, options: RunOptions) -> None:
    _, seen = run(tiny, options)
    assert options.storage_dir is not None
    path = checkpoint_path(options.storage_dir, tiny.digest)
    (score,) = evaluate_checkpoint(path, tiny.protocols, options)
    assert score.value == seen[-1].scores[0].value


def test_describe_inputs_names_content(tiny: TrialConfig, options: RunOptions) -> None:
    described = describe_inputs(tiny, options)
    assert described["dataset"] == "digits"
    assert len(described["dataset_digest"]) == 64
    assert described["extractor_digits"].startswith("digits-")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"dataset": "digit"}, "digits"),
        ({"architecture": "standard-cnn"}, "32, 48, 64 pixels, not 8"),
        ({"architecture": "standard-cn"}, "standard-cnn"),
        ({"protocols": ("fid/gen600-test600-digit",)}, "Did you mean 'digits'"),
        ({"protocols": ("fid/gen600-test601-digits",)}, "600"),
    ],
)
def test_wrong_inputs_are_found_before_training(
    change: dict[str, object], expected: str, tiny: TrialConfig, options: RunOptions
) -> None:
    with pytest.raises(InputError, match=expected):
        describe_inputs(tiny.replace(**change), options)


@pytest.mark.parametrize(("device", "expected"), [("gpu", "cpu, cuda"), ("cuda", "no GPU")])
def test_wrong_devices(device: str, expected: str, tiny: TrialConfig, options: RunOptions) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match=expected):
        run(tiny, dataclasses.replace(options, device=device))


def test_storage_that_cannot_be_written_is_an_input_error(tiny: TrialConfig, tmp_path: Path, cache_dir: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        run(tiny, RunOptions(cache_dir=cache_dir, storage_dir=tmp_path / "file"))
