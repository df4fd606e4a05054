"""Many results in one transaction are the same as one by one, and all of them or none."""

import math
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import delete, select

from sngan.seeding import numpy_stream
from sweeps.store import ResultStore, frames, open_store
from sweeps.store.connect import transaction
from sweeps.store.tables import Base, ChecksumRow
from tests.sweeps.store.samples import FID, PRESET, STUDY, evaluation, filled, outcome, planned, state_of

TIMES = ("start", "end")


def rows_of(store: ResultStore) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, without the times of attempts."""
    found = {}
    with transaction(store._engine, write=False) as connection:
        for name, table in Base.metadata.tables.items():
            columns = [column for column in table.columns if column.name not in TIMES]
            found[name] = sorted(map(tuple, connection.execute(select(*columns))), key=repr)
    return found


def test_a_batch_stores_what_single_calls_store(url: str, tmp_path: Path) -> None:
    trials = planned()
    values = numpy_stream(0, "metric").uniform(1, 100, size=(len(trials), 2))
    told = [
        (trial.digest, evaluation(update, value))
        for trial, numbers in zip(trials, values.tolist(), strict=True)
        for update, value in zip((500, 1000), numbers, strict=True)
    ]
    told.append((trials[0].digest, evaluation(500, math.nan)))  # told again by a later attempt
    # The second trial had come further before its checkpoint was lost; the third never ends; one outcome comes twice.
    ended = [
        (trials[0].digest, outcome()),
        (trials[1].digest, outcome("diverged", 500, "loss not finite")),
        *((trial.digest, outcome()) for trial in trials[3:]),
        (trials[0].digest, outcome("diverged", 500, "later")),
    ]
    with open_store(url) as batch, open_store(f"sqlite:///{tmp_path / 'single.db'}") as single:
        for store in (batch, single):
            store.register(STUDY, PRESET, {}, trials)
        digests = sorted(trial.digest for trial in trials)
        batch.start_attempts(digests, host="here", device="cpu", versions={"torch": "2"})
        batch.record_many(told, ended)
        for digest in digests:
            single.start_attempt(digest, host="here", device="cpu", versions={"torch": "2"})
        for digest, one in told:
            single.record(digest, one)
        for digest, result in ended:
            single.finish(digest, result)
        assert rows_of(batch) == rows_of(single)
        assert batch.fingerprint(STUDY, PRESET) == single.fingerprint(STUDY, PRESET)
        assert state_of(batch, trials[2].digest) == "running"


def test_a_batch_that_fails_leaves_nothing_and_can_be_told_again(store: ResultStore, trial: str) -> None:
    before = rows_of(store)
    with pytest.raises(LookupError, match="not registered"):
        store.record_many([(trial, evaluation(500))], [("never-registered", outcome())])
    assert rows_of(store) == before
    store.record_many([(trial, evaluation(500)), (trial, evaluation(1000))], [(trial, outcome())])
    assert state_of(store, trial) == "completed"
    assert len(store.evaluations(STUDY, PRESET)) == 4


def test_a_stored_checksum_is_that_of_the_rows(store: ResultStore) -> None:
    filled(store)
    before = store.fingerprint(STUDY, PRESET)
    with transaction(store._engine, write=True) as connection:
        assert connection.execute(delete(ChecksumRow)).rowcount == 8
    assert store.fingerprint(STUDY, PRESET) == before, "trials of an earlier version have none"


def test_registering_again_adds_what_is_new_and_moves_changed_cells(store: ResultStore) -> None:
    filled(store)
    before = rows_of(store)
    store.register(STUDY, PRESET, {"question": "Is it robust?"}, planned())
    assert rows_of(store) == before
    store.register(STUDY, PRESET, {}, planned(seeds=3, updates=2000))
    trials = store.trials(STUDY, PRESET)
    assert len(trials) == 12
    assert set(trials["updates"]) == {2000}
    assert set(trials["digest"]) == {trial.digest for trial in planned(seeds=3, updates=2000)}


def test_newest_values_are_those_of_the_last_evaluation_that_has_one(store: ResultStore) -> None:
    trials = filled(store)
    rows = store.evaluations(STUDY, PRESET)
    last = rows[(rows["protocol"] == FID) & (rows["update"] == 1000)].set_index("digest")["value"]
    assert store.newest_values(STUDY, PRESET, FID[:-9]) == last.to_dict()
    new = planned(methods=["r1"])[0]
    store.register(STUDY, PRESET, {}, [*trials, new])
    store.record_many([(new.digest, evaluation(500, 7.0)), (new.digest, evaluation(1000, None))])
    assert store.newest_values(STUDY, PRESET, FID[:-9])[new.digest] == 7.0
    assert store.newest_values(STUDY, PRESET, "fid/gen600-test600") == {}
    assert store.newest_values(STUDY, PRESET, FID) == store.newest_values(STUDY, PRESET, FID[:-9])


@pytest.mark.parametrize("name", ["evaluations", "diagnostics"])
def test_the_rows_of_a_trial_of_two_cells_stand_in_both(store: ResultStore, name: str) -> None:
    trials = filled(store)
    alone = getattr(store, name)(STUDY, PRESET)
    twin = type(trials[0])(method="sn", setting="twin", seed=9, config=trials[3].config)
    queued = planned(methods=["r1"])[0]
    store.register(STUDY, PRESET, {}, [*trials, twin, queued])
    both = getattr(store, name)(STUDY, PRESET)
    assert list(both.columns) == list(getattr(frames, name.upper()))
    pd.testing.assert_frame_equal(both[both["setting"] != "twin"].reset_index(drop=True), alone)
    own = alone[alone["digest"] == twin.digest].reset_index(drop=True)
    assert len(own) > 0
    copied = both[both["setting"] == "twin"].reset_index(drop=True)
    same = [column for column in own if column not in ("method", "setting", "seed")]
    pd.testing.assert_frame_equal(copied[same], own[same])


def test_configs_are_found_by_what_they_contain_and_columns_are_chosen(store: ResultStore) -> None:
    trials = filled(store)
    seed = store.configs_with(STUDY, PRESET, '"seed": 1')
    assert sorted(seed) == sorted(store.trials(STUDY, PRESET).query("seed == 1")["config"])
    assert len(seed) == len(trials) / 2
    assert store.configs_with(STUDY, PRESET, "%") == [], "not a pattern"
    whole = store.evaluations(STUDY, PRESET)
    some = store.evaluations(STUDY, PRESET, columns=["value", "method", "update"])
    pd.testing.assert_frame_equal(some, whole[["method", "update", "value"]])
