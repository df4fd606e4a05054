"""Progress, small interval pictures, provenance and commands, as the templates get them."""

import dataclasses
from pathlib import Path

import pytest

from dashboards import provenance
from dashboards.figures import StudyFrames
from dashboards.views import effect_plot, effect_text, progress_view, protocol_views, verdict_counts, verdict_views
from sweeps.claims import Verdict
from sweeps.study import plan
from tests.dashboards.synthetic import CLAIM, FID, Story, Sweep, make_preset, make_study, open_sweep


def verdict(effect: float | None, low: float | None = None, high: float | None = None) -> Verdict:
    return Verdict(claim=CLAIM.name, verdict="undecided", effect=effect, low=low, high=high, explanation="So far.")


def test_progress_counts_results(frames: StudyFrames, unfinished: Sweep) -> None:
    assert progress_view(frames.trials).finished
    partly = progress_view(unfinished.frames().trials)
    assert not partly.finished
    assert partly.total == 18
    assert sum(state["count"] for state in partly.states) == 18


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (verdict(0.214, -0.187, 0.616), "+0.214 [-0.187, +0.616]"),
        (verdict(-0.5), "-0.5, no interval"),
        (verdict(None), "not known yet"),
    ],
)
def test_effects_in_words(item: Verdict, text: str) -> None:
    assert effect_text(item) == text


@pytest.mark.parametrize("item", [verdict(0.2, -0.1, 0.5), verdict(3.0, 2.0, 4.0), verdict(-7.0), verdict(0.0)])
def test_a_small_picture_holds_zero_effect_and_interval_in_order(item: Verdict) -> None:
    plot = effect_plot(item)
    assert plot is not None
    assert item.effect is not None
    assert plot.zero is not None
    assert (plot.value > plot.zero) == (item.effect > 0)
    ends = [plot.value, plot.zero, *(end for end in (plot.low, plot.high) if end is not None)]
    assert all(0 < end < 200 for end in ends)
    if plot.low is not None and plot.high is not None:
        assert plot.low < plot.value < plot.high


def test_no_effect_has_no_picture() -> None:
    assert effect_plot(verdict(None)) is None


def test_a_verdict_on_a_forgotten_claim_is_shown_by_its_name() -> None:
    assert verdict_views([verdict(0.1)], [])[0]["sentence"] == CLAIM.name
    assert verdict_views([verdict(0.1)], [CLAIM])[0]["sentence"] == CLAIM.sentence
    assert verdict_counts([verdict(0.1)]) == "0 supported, 0 contradicted, 1 undecided."


def test_protocols_tell_what_their_names_mean(frames: StudyFrames) -> None:
    first, second = protocol_views(frames)
    assert (first["label"], first["headline"], first["better"]) == ("FID", True, "lower")
    assert (first["real"], first["floor"]) == ("the first 600 of test", 0.55)
    assert (second["label"], second["real"], second["better"]) == ("Inception Score", "none", "higher")


def test_configs_are_told_without_repetition(frames: StudyFrames) -> None:
    table = provenance.config_table(frames.trials)
    assert len(table.rows) == 132
    assert table.common["updates"] == "800"
    assert {"alpha", "n_dis", "regularizers", "seed", "loss"} <= set(table.fields)
    assert not set(table.fields) & set(table.common)
    row = next(row for row in table.rows if (row["method"], row["setting"], row["seed"]) == ("WGAN-GP", "D", 1))
    values = dict(zip(table.fields, row["values"], strict=True))
    assert (values["alpha"], values["loss"], values["seed"]) == ("1e-3", "wasserstein", "1")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-4, "1e-4"), (True, "yes"), (None, "none"), ([], "none"), (["a", "b"], "a, b"), (64, "64"),
        ({"name": "gradient-penalty", "coefficient": 10.0}, "gradient-penalty(coefficient=10)"),
    ],
)  # fmt: skip
def test_values_in_words(value: object, text: str) -> None:
    assert provenance.shown(value) == text


def test_commands_repeat_what_was_run(frames: StudyFrames, tmp_path: Path) -> None:
    assert provenance.reproduce_commands(frames, {}) == [
        "python -m sweeps.launch robustness --preset quick",
        "python -m sweeps.launch report robustness --preset quick",
    ]
    preset = make_preset(methods=("sn", "batch-norm"), settings=("A",), seeds=3)
    changed = dataclasses.replace(preset, config={**preset.config, "updates": 400, "dequantization": True})
    sweep = open_sweep(tmp_path, changed, Story(grids=False))
    original = make_preset()
    ran = StudyFrames.read(sweep.store, make_study(original), original, tmp_path)
    commands = provenance.reproduce_commands(ran, {"git_commit": "abc"})
    assert commands[0] == "git checkout abc"
    assert commands[1] == (
        "python -m sweeps.launch robustness --preset quick --methods batch-norm,sn --settings A --seeds 3 "
        "--set config.updates=400 --set config.dequantization=True"
    )
    # The options mean what they say: planned again, they are the same trials.
    again = plan(
        original, methods=["batch-norm", "sn"], settings=["A"], seeds=3,
        overrides={"updates": "400", "dequantization": "True"},
    )  # fmt: skip
    assert {trial.digest for trial in again} == set(ran.trials["digest"])
    assert FID in ran.headline.protocol
