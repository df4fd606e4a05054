"""What every database must do as a store: the contract, run over SQLite and PostgreSQL."""

import json
import math
import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from sngan.config import TrialConfig
from sngan.results import Diagnosis, Spectrum
from sngan.seeding import numpy_stream
from sweeps.claims import Verdict
from sweeps.looks import Looks
from sweeps.store import ResultStore, TrialState, frames, open_store
from sweeps.store.connect import transaction
from sweeps.store.tables import AttemptRow, EvaluationRow
from tests.sweeps.store_samples import (
    DATABASES,
    FID,
    KID,
    PRESET,
    STUDY,
    evaluation,
    filled,
    fresh_database,
    many_trials,
    outcome,
    planned,
    score,
)


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_database(request.param, tmp_path) as place:
        yield place


@pytest.fixture
def store(url: str) -> Iterator[ResultStore]:
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def trial(store: ResultStore) -> str:
    """Digest of the first of a study's registered trials."""
    trials = planned()
    store.register(STUDY, PRESET, {"question": "Why?"}, trials)
    return trials[0].digest


def state_of(store: ResultStore, digest: str) -> TrialState:
    return store.states(STUDY, PRESET)[digest]


def row_of(store: ResultStore, digest: str) -> pd.Series:
    trials = store.trials(STUDY, PRESET)
    return trials[trials["digest"] == digest].iloc[0]


def attempts_of(store: ResultStore, digest: str) -> list[AttemptRow]:
    with transaction(store._engine, write=False) as connection:
        rows = connection.execute(select(AttemptRow).where(AttemptRow.trial == digest).order_by(AttemptRow.id))
        return list(rows)


# Registering


def test_registered_trials_are_queued_in_the_order_of_the_plan(store: ResultStore) -> None:
    trials = planned()
    store.register(STUDY, PRESET, {"question": "Why?"}, trials)
    frame = store.trials(STUDY, PRESET)
    assert list(frame["digest"]) == [trial.digest for trial in trials]
    assert [*zip(frame["method"], frame["setting"], frame["seed"], strict=True)] == [
        (trial.method, trial.setting, trial.seed) for trial in trials
    ]
    assert set(store.states(STUDY, PRESET).values()) == {TrialState.QUEUED}
    first = frame.iloc[0]
    assert (first["alpha"], first["beta1"], first["beta2"], first["n_dis"]) == (1e-4, 0.5, 0.9, 5)
    assert (first["dataset"], first["architecture"], first["updates"]) == ("digits", "small-cnn", 1000)
    assert TrialConfig.from_dict(json.loads(first["config"])) == trials[0].config


def test_registering_again_keeps_results_and_renews_the_description(store: ResultStore) -> None:
    filled(store)
    store.set_provenance(STUDY, PRESET, {"git_commit": "abc"})
    before = (store.trials(STUDY, PRESET), store.evaluations(STUDY, PRESET))
    store.register(STUDY, PRESET, {"question": "New?"}, planned())
    pd.testing.assert_frame_equal(store.trials(STUDY, PRESET), before[0])
    pd.testing.assert_frame_equal(store.evaluations(STUDY, PRESET), before[1])
    [study] = store.studies().to_dict("records")
    assert study["question"] == "New?"
    assert json.loads(study["provenance"]) == {"git_commit": "abc"}


def test_more_seeds_extend_a_study(store: ResultStore) -> None:
    filled(store)
    store.register(STUDY, PRESET, {}, planned(seeds=3))
    states = store.trials(STUDY, PRESET)["state"].value_counts()
    assert states.to_dict() == {"completed": 7, "diverged": 1, "queued": 4}


def test_part_of_a_plan_leaves_the_rest_of_the_study(store: ResultStore) -> None:
    filled(store)
    store.register(STUDY, PRESET, {}, planned(methods=["sn"], seeds=1))
    assert len(store.trials(STUDY, PRESET)) == 8


def test_a_cell_means_the_config_planned_last_and_an_old_one_comes_back_with_its_result(store: ResultStore) -> None:
    filled(store)
    store.register(STUDY, PRESET, {}, planned(updates=2000))
    assert set(store.trials(STUDY, PRESET)["state"]) == {"queued"}
    assert len(store.evaluations(STUDY, PRESET)) == 0
    store.register(STUDY, PRESET, {}, planned())
    assert len(store.evaluations(STUDY, PRESET)) == 32


def test_two_studies_share_a_trial_and_its_result(store: ResultStore) -> None:
    trials = filled(store)
    store.register("other", PRESET, {}, planned(methods=["sn"]))
    assert set(store.states("other", PRESET).values()) == {TrialState.COMPLETED}
    assert len(store.evaluations("other", PRESET)) == 16
    known = store.known_states([trials[0].digest, "0" * 16])
    assert known == {trials[0].digest: TrialState.COMPLETED}


def test_a_study_that_was_never_launched_is_empty(store: ResultStore) -> None:
    assert store.states("none", PRESET) == {}
    assert store.verdicts("none", PRESET) == []
    for name in ("trials", "evaluations", "diagnostics", "spectra", "samples", "progress"):
        frame = getattr(store, name)("none", PRESET)
        assert len(frame) == 0
        assert list(frame.columns) == list(getattr(frames, name.upper()))
    assert len(store.studies()) == 0
    assert len(store.expected_costs()) == 0


def test_registering_is_chunked_and_complete(store: ResultStore) -> None:
    trials = many_trials(5_600)
    store.register(STUDY, PRESET, {}, trials)
    assert set(store.states(STUDY, PRESET)) == {trial.digest for trial in trials}
    assert len(store.known_states(trial.digest for trial in trials)) == 5_600
    store.requeue(trial.digest for trial in trials)


# States


def reach(store: ResultStore, digest: str, state: str) -> None:
    """Bring a queued trial into `state`."""
    if state != "queued":
        store.start_attempt(digest, host="here", device="cpu", versions={})
    if state == "failed":
        store.fail(digest, "boom")
    if state in ("completed", "diverged"):
        store.record(digest, evaluation(1000))
        store.finish(digest, outcome(state, reason="loss is nan" if state == "diverged" else ""))


ACTIONS = {
    "requeue": lambda store, digest: store.requeue([digest]),
    "start_attempt": lambda store, digest: store.start_attempt(digest, host="here", device="cpu", versions={}),
    "record": lambda store, digest: store.record(digest, evaluation(500)),
    "complete": lambda store, digest: store.finish(digest, outcome()),
    "diverge": lambda store, digest: store.finish(digest, outcome("diverged")),
    "fail": lambda store, digest: store.fail(digest, "boom"),
}
UNFINISHED = {
    "requeue": {"queued": "queued", "running": "queued", "failed": "queued"},
    "start_attempt": dict.fromkeys(("queued", "running", "failed"), "running"),
    "record": {"queued": "queued", "running": "running", "failed": "failed"},
    "complete": dict.fromkeys(("queued", "running", "failed"), "completed"),
    "diverge": dict.fromkeys(("queued", "running", "failed"), "diverged"),
    "fail": dict.fromkeys(("queued", "running", "failed"), "failed"),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_leads_from_every_state_where_it_must(store: ResultStore, action: str) -> None:
    trials = {state: trial.digest for state, trial in zip(TrialState, planned(), strict=False)}
    store.register(STUDY, PRESET, {}, planned())
    for state, digest in trials.items():
        reach(store, digest, state.value)
        assert state_of(store, digest) is state
        ACTIONS[action](store, digest)
        wanted = state.value if state.finished else UNFINISHED[action][state.value]
        assert state_of(store, digest).value == wanted


@pytest.mark.parametrize("state", ["completed", "diverged"])
@pytest.mark.parametrize("action", [*ACTIONS, "worse record"])
def test_a_finished_trial_keeps_its_results_whatever_comes(
    store: ResultStore, trial: str, state: str, action: str
) -> None:
    reach(store, trial, state)
    before = (store.evaluations(STUDY, PRESET), row_of(store, trial), store.fingerprint(STUDY, PRESET))
    if action == "worse record":
        store.record(trial, evaluation(1000, 99.0, train_s=1e6))
    else:
        ACTIONS[action](store, trial)
    pd.testing.assert_frame_equal(store.evaluations(STUDY, PRESET), before[0])
    pd.testing.assert_series_equal(row_of(store, trial).drop("num_attempts"), before[1].drop("num_attempts"))
    assert store.fingerprint(STUDY, PRESET) == before[2]


def test_why_a_trial_ended_is_kept(store: ResultStore, trial: str) -> None:
    reach(store, trial, "failed")
    assert row_of(store, trial)["error"] == "boom"
    store.start_attempt(trial, host="here", device="cpu", versions={})
    assert row_of(store, trial)["error"] == ""
    store.finish(trial, outcome("diverged", reason="loss is nan"))
    assert (row_of(store, trial)["reason"], row_of(store, trial)["error"]) == ("loss is nan", "")


def test_unregistered_trials_and_studies_cannot_be_changed(store: ResultStore) -> None:
    for action in ("start_attempt", "record", "complete", "fail"):
        with pytest.raises(LookupError, match="0123456789abcdef is not registered"):
            ACTIONS[action](store, "0123456789abcdef")
    with pytest.raises(LookupError, match="not registered"):
        store.set_provenance("none", PRESET, {})
    store.requeue(["0123456789abcdef"])


def test_hostile_texts_come_back_readable(store: ResultStore, trial: str) -> None:
    error = "a 'quote'; DROP TABLE trials; --\nline \x00 \udcff ü 画"
    store.fail(trial, error)
    assert row_of(store, trial)["error"] == error.replace("\x00", "\ufffd").replace("\udcff", "?")
    name = "sn'; --"
    store.register(name, "a b/ü", {"question": "\x00?"}, planned())
    assert len(store.trials(name, "a b/ü")) == 8
    assert store.studies().set_index("study").loc[name, "question"] == "\x00?"


# Attempts


def test_attempts_say_where_and_when(store: ResultStore, trial: str) -> None:
    begin = datetime.now(UTC) - timedelta(seconds=1)
    number = store.start_attempt(trial, host="node-1", device="cuda (H200)", versions={"torch": "2.15"})
    store.fail(trial, "worker died")
    second = store.start_attempt(trial, host="node-2", device="cpu", versions={})
    store.finish(trial, outcome())
    first, last = attempts_of(store, trial)
    assert (first.id, last.id) == (number, second)
    assert (first.host, first.device, first.versions) == ("node-1", "cuda (H200)", {"torch": "2.15"})
    assert (first.error, last.error) == ("worker died", "")
    times = [begin, first.start, first.end, last.start, last.end, datetime.now(UTC)]
    assert all(time.utcoffset() == timedelta(0) for time in times)
    assert times == sorted(times)
    assert row_of(store, trial)["num_attempts"] == 2


def test_an_attempt_that_never_told_its_end_is_interrupted(store: ResultStore, trial: str) -> None:
    store.start_attempt(trial, host="a", device="cpu", versions={})
    store.start_attempt(trial, host="b", device="cpu", versions={})
    store.requeue([trial])
    attempts = attempts_of(store, trial)
    assert [attempt.error for attempt in attempts] == ["interrupted", "interrupted"]
    assert all(attempt.end is not None for attempt in attempts)


# Evaluations


def test_an_evaluation_is_stored_whole(store: ResultStore, trial: str) -> None:
    store.record(trial, evaluation(500))
    rows = store.evaluations(STUDY, PRESET).to_dict("records")
    assert [row["protocol"] for row in rows] == [FID, KID]
    wanted = {
        "digest": trial, "method": "sn", "setting": "A", "seed": 0, "state": "queued", "alpha": 1e-4, "beta1": 0.5,
        "beta2": 0.9, "n_dis": 5, "update": 500, "protocol": KID, "metric": "kid", "value": 0.125, "spread": 0.5,
        "num_generated": 600, "num_real": 600, "split": "test", "extractor": "digits-1a2b3c4d", "floor": 1.25,
        "seconds": 0.25,
    }  # fmt: skip
    assert rows[1] == wanted
    assert math.isnan(rows[0]["spread"])
    diagnostics = store.diagnostics(STUDY, PRESET)
    assert dict(zip(diagnostics["name"], diagnostics["value"], strict=True)) == evaluation(500).diagnostics
    assert list(store.samples(STUDY, PRESET)["path"]) == ["samples/x/u000500.png"]
    row = row_of(store, trial)
    assert (row["last_update"], row["train_s"], row["evaluate_s"]) == (500, 10.0, 1.0)
    assert row["samples"] == "samples/x/u000500.png"
    others = store.trials(STUDY, PRESET)["samples"].tolist()[1:]
    assert others == [None] * 7


def test_reporting_again_changes_nothing_and_costs_never_go_back(store: ResultStore, trial: str) -> None:
    reports = [evaluation(500, samples="a.png"), evaluation(1000, 11.0, samples="b.png", train_s=20.0)]
    for report in reports:
        store.record(trial, report)
    before = (store.evaluations(STUDY, PRESET), store.diagnostics(STUDY, PRESET), store.trials(STUDY, PRESET))
    for report in reports:
        store.record(trial, report)
        after = (store.evaluations(STUDY, PRESET), store.diagnostics(STUDY, PRESET), store.trials(STUDY, PRESET))
        for left, right in zip(before, after, strict=True):
            pd.testing.assert_frame_equal(left, right)
    assert row_of(store, trial)["samples"] == "b.png"
    assert row_of(store, trial)["train_s"] == 20.0


def test_a_trial_that_starts_from_nothing_overwrites_what_it_measures_again(store: ResultStore, trial: str) -> None:
    for update in (500, 1000, 1500):
        store.record(trial, evaluation(update, 50.0))
    store.record(trial, evaluation(500, 40.0))
    store.finish(trial, outcome("diverged", update=500))
    left = store.evaluations(STUDY, PRESET)
    assert set(left["update"]) == {500}
    assert left.set_index("protocol").loc[FID, "value"] == 40.0
    assert set(store.samples(STUDY, PRESET)["update"]) == {500}
    assert set(store.diagnostics(STUDY, PRESET)["update"]) == {500}
    assert row_of(store, trial)["last_update"] == 500


def test_diagnoses_are_stored_at_their_own_updates(store: ResultStore, trial: str) -> None:
    spectra = (Spectrum(layer="layer1", weight="raw", values=(2.5, 1 / 3)),)
    first = Diagnosis(update=0, values={"layer1/sigma": 2.5, "layer1/stable-rank": math.nan}, spectra=spectra)
    report = replace(evaluation(500), diagnoses=(first, Diagnosis(update=250, values={"layer1/sigma": 2.0})))
    for _ in range(2):
        store.record(trial, report)
    rows = store.diagnostics(STUDY, PRESET).query("name.str.startswith('layer')")
    assert list(zip(rows["update"], rows["name"], rows["value"], strict=True))[::2] == [
        (0, "layer1/sigma", 2.5), (250, "layer1/sigma", 2.0),
    ]  # fmt: skip
    assert math.isnan(rows["value"].iloc[1])
    (row,) = store.spectra(STUDY, PRESET).to_dict("records")
    assert (row["digest"], row["update"], row["layer"], row["weight"]) == (trial, 0, "layer1", "raw")
    assert row["singular_values"] == [2.5, 1 / 3]
    assert row_of(store, trial)["last_update"] == 500


def test_diagnoses_of_a_diverged_trial_outlive_its_last_evaluation(store: ResultStore, trial: str) -> None:
    def diagnosis(update: int, value: float) -> Diagnosis:
        values = (value,) if math.isfinite(value) else ()
        spectrum = Spectrum(layer="layer1", weight="effective", values=values)
        return Diagnosis(update=update, values={"layer1/gradient": value}, spectra=(spectrum,))

    # An earlier attempt whose checkpoint was lost had come further.
    store.record(trial, replace(evaluation(500), diagnoses=(diagnosis(500, 1.0),)))
    store.record(trial, replace(evaluation(1000), diagnoses=(diagnosis(750, 2.0), diagnosis(1000, 3.0))))
    last = replace(outcome("diverged", update=500), diagnoses=(diagnosis(600, 9e9), diagnosis(700, math.inf)))
    store.finish(trial, last)
    rows = store.diagnostics(STUDY, PRESET).query("name == 'layer1/gradient'")
    assert list(rows["update"]) == [500, 600, 700]
    assert list(rows["value"])[:2] == [1.0, 9e9]
    assert math.isnan(rows["value"].iloc[2])
    spectra = store.spectra(STUDY, PRESET).query("layer == 'layer1'")
    assert list(zip(spectra["update"], spectra["singular_values"], strict=True)) == [
        (500, [1.0]), (600, [9e9]), (700, []),
    ]  # fmt: skip
    assert row_of(store, trial)["last_update"] == 500


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None])
def test_what_is_not_finite_is_absent(store: ResultStore, trial: str, bad: float | None) -> None:
    scores = (score(bad, spread=bad, floor=bad),)
    report = replace(evaluation(500), scores=scores, diagnostics={} if bad is None else {"loss/generator": bad})
    store.record(trial, replace(report, train_s=bad or 0.0, evaluate_s=bad or 0.0))
    with transaction(store._engine, write=False) as connection:
        query = select(EvaluationRow.value, EvaluationRow.spread, EvaluationRow.floor)
        assert connection.execute(query).one() == (None, None, None)
    frame = store.evaluations(STUDY, PRESET)
    assert frame[["value", "spread", "floor"]].isna().all(axis=None)
    assert frame["value"].dtype == np.float64
    assert store.diagnostics(STUDY, PRESET)["value"].isna().all()
    assert row_of(store, trial)["train_s"] == 0.0


@pytest.mark.parametrize("bad", ["inf", "-inf", "nan"])
def test_the_database_itself_holds_no_number_that_is_not_finite(store: ResultStore, trial: str, bad: str) -> None:
    store.record(trial, evaluation(500))
    statement = text("UPDATE evaluations SET value = :bad")
    if bad == "nan" and store.url.startswith("sqlite"):  # SQLite knows no NaN: it stores NULL, which is "absent"
        with transaction(store._engine, write=True) as connection:
            connection.execute(statement, {"bad": math.nan})
            assert set(connection.execute(select(EvaluationRow.value)).scalars()) == {None}
        return
    with pytest.raises(IntegrityError), transaction(store._engine, write=True) as connection:
        connection.execute(statement, {"bad": float(bad)})


def test_finite_numbers_come_back_bit_for_bit(store: ResultStore, trial: str) -> None:
    patterns = numpy_stream(0, "metric").integers(0, 2**64, size=600, dtype=np.uint64).view(np.float64)
    special = [0.1, 1 / 3, 5e-324, -2.2250738585072014e-308, sys.float_info.max, 2.0**53 + 2, 1e22, 3.0, 123456789.125]
    numbers = [*(float(number) for number in patterns if math.isfinite(number)), *special]
    few_numbers = numbers[:9] + special
    for update, number in enumerate(few_numbers):
        report = replace(evaluation(update), scores=(score(number, spread=number, floor=number),))
        store.record(trial, replace(report, diagnostics={"loss/generator": number}))
    many = [replace(evaluation(100 + i), scores=(score(number),)) for i, number in enumerate(numbers)]
    store.record_many((trial, report) for report in many)
    frame = store.evaluations(STUDY, PRESET)
    bits = [struct.pack("<d", value) for value in frame["value"]]
    assert bits == [struct.pack("<d", value) for value in few_numbers + numbers]
    few = frame[frame["update"] < 100]
    for name in ("spread", "floor"):
        assert [value.hex() for value in few[name]] == [value.hex() for value in few_numbers]
    values = store.diagnostics(STUDY, PRESET).query("name == 'loss/generator' and update < 100")["value"]
    assert [value.hex() for value in values] == [value.hex() for value in few_numbers]


def test_zero_has_no_sign_in_any_database(store: ResultStore, trial: str) -> None:
    store.record(trial, evaluation(500, -0.0))
    assert math.copysign(1, store.evaluations(STUDY, PRESET)["value"].iloc[0]) == 1


def test_twenty_thousand_evaluations(store: ResultStore) -> None:
    trials = many_trials(500)
    store.register(STUDY, PRESET, {}, trials)
    items = [(trial.digest, evaluation(update, update + trial.seed)) for trial in trials for update in range(1, 21)]
    store.record_many(items)
    frame = store.evaluations(STUDY, PRESET)
    assert len(frame) == 20_000
    assert frame["value"].notna().all()
    fid = frame[frame["protocol"] == FID]
    assert (fid["value"] == fid["update"] + fid["seed"]).all()
    assert (store.progress(STUDY, PRESET)["num_evaluations"] == 40).all()
    assert (store.trials(STUDY, PRESET)["last_update"] == 20).all()


# Frames


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
        "updates": 1000, "batch_size": 64, "generator_batch_size": 64, "n_dis": 5, "evaluate_every": 500,
        "protocols": f"{FID[:-9]},{KID[:-9]}", "state": "completed", "last_update": 1000, "num_evaluations": 2,
        "host": "here", "device": "cpu", "train_s": 20.0, "evaluate_s": 2.0,
    }  # fmt: skip
