"""Progress, small interval pictures, provenance and commands, as the templates get them."""

from pathlib import Path

import pytest

from dashboards import provenance
from dashboards.figures import StudyFrames
from dashboards.views import (
    effect_plot,
    effect_text,
    error_rates,
    progress_view,
    protocol_views,
    verdict_counts,
    verdict_views,
)
from sweeps.claims import Verdict
from sweeps.looks import Looks
from sweeps.store import open_store
from sweeps.study import STUDIES, plan
from sweeps.variation import vary
from tests.dashboards.synthetic import CLAIM, Sweep


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


def test_error_rates_say_whether_seeds_were_added() -> None:
    once, planned = error_rates(9, None), error_rates(9, Looks(first=5, last=20))
    for text in (once, planned):
        assert "In at most 2.5 % of studies like this one any of its 9 claims is wrongly supported" in text
    assert "chosen beforehand" in once
    assert "after every seed from 5 to at most 20, which was fixed before the first look" in planned
    assert "any claim is wrongly supported" in error_rates(1, None)


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


def test_commands_repeat_what_was_run(frames: StudyFrames) -> None:
    assert provenance.reproduce_commands(frames, {}) == [
        "python -m sweeps.launch made-up --preset quick",
        "python -m sweeps.launch report made-up --preset quick",
    ]


def test_commands_of_a_changed_preset_plan_the_same_trials(tmp_path: Path) -> None:
    overrides = {"updates": "7777", "dequantization": "true", "protocols": "fid/gen600-test600-digits"}
    study = vary(STUDIES["robustness"], "quick", overrides)
    preset = next(iter(study.presets.values()))
    store = open_store(f"sqlite:///{tmp_path}/results.db")
    ran = plan(preset, methods=["batch-norm", "sn"], settings=["A"], seeds=3)
    store.register(study.name, preset.name, {}, ran)
    frames = StudyFrames.read(store, study, preset, tmp_path)
    checkout, launch, report = provenance.reproduce_commands(frames, {"git_commit": "abc"})
    assert checkout == "git checkout abc"
    changes = " ".join(f"--set config.{key}={overrides[key]}" for key in ("updates", "dequantization", "protocols"))
    axes = "--methods batch-norm,sn --settings A --seeds 3"
    assert launch == f"python -m sweeps.launch robustness --preset quick {axes} {changes}"
    assert report == f"python -m sweeps.launch report robustness --preset quick {changes}"
