"""What every database answers: frames in one order, and what is new."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from sweeps.claims import Verdict
from sweeps.looks import Looks
from sweeps.store import ResultStore, frames, open_store
from tests.sweeps.store.samples import (
    FID,
    KID,
    PRESET,
    STUDY,
    evaluation,
    filled,
    planned,
)


@pytest.mark.parametrize("name", ["trials", "evaluations", "diagnostics", "spectra", "samples", "progress"])
def test_frames_have_the_same_columns_and_types_with_and_without_rows(store: ResultStore, name: str) -> None:
    filled(store)
    full, empty = getattr(store, name)(STUDY, PRESET), getattr(store, name)("none", PRESET)
    wanted = getattr(frames, name.upper())
    assert len(full) > 0
    assert list(full.columns) == list(wanted)
    assert full.dtypes.to_dict() == empty.dtypes.to_dict()
    assert [column for column in full if full[column].dtype.kind == "i"] == [
        c for c, k in wanted.items() if k == "int64"
    ]


def test_frames_are_ordered_by_seed_method_setting_update(store: ResultStore) -> None:
    filled(store)
    frame = store.evaluations(STUDY, PRESET)
    keys = [*zip(*(frame[name] for name in ("seed", "method", "setting", "update", "protocol")), strict=True)]
    assert keys == sorted(keys)
    assert len(frame) == 32


def test_large_frames_are_read_in_parts(store: ResultStore, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(store)
    whole = store.evaluations(STUDY, PRESET)
    monkeypatch.setattr(frames, "CHUNK", 7)
    pd.testing.assert_frame_equal(store.evaluations(STUDY, PRESET), whole)


def test_studies_are_counted_by_state(store: ResultStore) -> None:
    filled(store)
    store.register("other", "big", {"question": "Other?"}, planned(methods=["r1"]))
    store.start_attempt(planned(methods=["r1"])[0].digest, host="a", device="cpu", versions={})
    store.fail(planned(methods=["r1"])[1].digest, "boom")
    store.set_provenance("other", "big", {"started": "2026-01-01T00:00:00+00:00", "gpus": ["x"]})
    store.set_provenance("other", "big", {"started": "2026-01-02T00:00:00+00:00", "gpus": []})
    rows = {row["study"]: row for row in store.studies().to_dict("records")}
    assert {name: rows[STUDY][name] for name in ("completed", "diverged", "queued", "num_trials")} == {
        "completed": 7, "diverged": 1, "queued": 0, "num_trials": 8,
    }  # fmt: skip
    other = rows["other"]
    assert (other["running"], other["failed"], other["queued"], other["num_trials"]) == (1, 1, 2, 4)
    assert (other["preset"], other["question"]) == ("big", "Other?")
    assert json.loads(other["provenance"])["gpus"] == []
    assert json.loads(other["launches"]) == ["2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"]


def test_verdicts_come_back_in_order_and_are_replaced(store: ResultStore) -> None:
    store.register(STUDY, PRESET, {}, planned())
    verdicts = [
        Verdict(
            claim="z-first", verdict="supported", effect=1 / 3, low=0.1, high=0.5, effect_label="log ratio of FID",
            level=0.99, p_value=0.012,
            num_seeds=5, seeds_needed=None, protocol=FID, explanation="It is.",
        ),
        Verdict(
            claim="a-second", verdict="undecided", effect=None, low=None, high=None, effect_label="", num_seeds=1,
            seeds_needed=12, protocol="", explanation="Too few seeds.",
        ),
    ]  # fmt: skip
    store.record_verdicts(STUDY, PRESET, verdicts)
    assert store.verdicts(STUDY, PRESET) == verdicts
    store.record_verdicts(STUDY, PRESET, [replace(verdicts[1], low=-math.inf)])
    assert store.verdicts(STUDY, PRESET) == [verdicts[1]]


def test_looks_are_fixed_once(store: ResultStore) -> None:
    store.register(STUDY, PRESET, {}, planned())
    assert store.looks(STUDY, PRESET) is None
    first, other = Looks(first=5, last=20), Looks(first=6, last=40)
    assert store.plan_looks(STUDY, PRESET, first) == first
    assert store.plan_looks(STUDY, PRESET, other) == first, "an earlier plan stays"
    store.register(STUDY, PRESET, {"question": "again"}, planned())
    assert store.looks(STUDY, PRESET) == first
    assert store.looks(STUDY, "another preset") is None


# What is new


def test_progress_shows_which_trials_have_news(store: ResultStore, trial: str) -> None:
    store.record(trial, evaluation(500))
    rows = store.progress(STUDY, PRESET).set_index("digest")
    assert len(rows) == 8
    assert rows.loc[trial].to_dict() == {"state": "queued", "last_update": 500, "num_evaluations": 2}
    assert (rows.drop(trial)["num_evaluations"] == 0).all()


CHANGES = {
    "state": lambda store, digest: store.fail(digest, "boom"),
    "evaluation": lambda store, digest: store.record(digest, evaluation(1000)),
    "value": lambda store, digest: store.record(digest, evaluation(500, math.nextafter(12.5, 13))),
    "absent value": lambda store, digest: store.record(digest, evaluation(500, None)),
    "sample": lambda store, digest: store.record(digest, evaluation(500, samples="other.png")),
    "more trials": lambda store, digest: store.register(STUDY, PRESET, {}, planned(seeds=3)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_changes_with_every_result(store: ResultStore, trial: str, change: str) -> None:
    store.record(trial, evaluation(500))
    before = store.fingerprint(STUDY, PRESET)
    CHANGES[change](store, trial)
    assert store.fingerprint(STUDY, PRESET) != before


def test_the_fingerprint_ignores_costs_attempts_and_where_results_are_kept(
    store: ResultStore, trial: str, tmp_path: Path
) -> None:
    store.start_attempt(trial, host="here", device="cpu", versions={})
    store.record(trial, evaluation(500))
    before = store.fingerprint(STUDY, PRESET)
    assert before == store.fingerprint(STUDY, PRESET)
    store.record(trial, evaluation(500, train_s=1e6))
    store.start_attempt(trial, host="there", device="cuda", versions={"torch": "3"})
    store.set_provenance(STUDY, PRESET, {"host": "there"})
    store.register("other", PRESET, {}, planned(methods=["r1"]))
    assert store.fingerprint(STUDY, PRESET) == before
    with open_store(f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        copy.register(STUDY, PRESET, {}, list(reversed(planned())))
        copy.start_attempt(trial, host="elsewhere", device="cpu", versions={})
        copy.record(trial, evaluation(500))
        assert copy.fingerprint(STUDY, PRESET) == before


def test_costs_are_those_of_finished_trials_counted_once(store: ResultStore) -> None:
    trials = filled(store)
    filled(store, study="other")
    store.register(STUDY, PRESET, {}, planned(seeds=3))
    costs = store.expected_costs()
    assert list(costs.columns) == list(frames.COSTS)
    assert sorted(costs["digest"]) == sorted(trial.digest for trial in trials)
    row = costs[costs["digest"] == trials[0].digest].iloc[0].to_dict()
    regularizers = trials[0].config.to_dict()["regularizers"]
    assert row == {
        "digest": trials[0].digest, "method": "sn", "setting": "A", "dataset": "digits", "architecture": "small-cnn",
        "width_factor": 1.0, "conditioning": "none", "loss": "non-saturating",
        "regularizers": json.dumps(regularizers, sort_keys=True),
        "precision": "fp32", "updates": 1000, "batch_size": 64, "generator_batch_size": 64, "n_dis": 5,
        "evaluate_every": 500, "protocols": f"{FID[:-9]},{KID[:-9]}", "state": "completed",
        "last_update": 1000, "num_evaluations": 2,
        "host": "here", "device": "cpu", "train_s": 20.0, "evaluate_s": 2.0,
    }  # fmt: skip
