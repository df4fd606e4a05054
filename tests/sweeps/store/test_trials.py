"""What every database must do as a store of trials: plans, states, attempts; over SQLite and PostgreSQL."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from sngan.config import TrialConfig
from sweeps.store import ResultStore, TrialState, frames
from tests.sweeps.store.samples import (
    PRESET,
    STUDY,
    attempts_of,
    evaluation,
    filled,
    many_trials,
    outcome,
    planned,
    row_of,
    state_of,
)

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
    store.start_attempt(trial, host="node-1", device="cuda (H200)", versions={"torch": "2.15"})
    store.fail(trial, "worker died")
    store.start_attempt(trial, host="node-2", device="cpu", versions={})
    store.finish(trial, outcome())
    first, last = attempts_of(store, trial)
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
