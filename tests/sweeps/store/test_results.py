"""What every database must do as a store of results: each number whole, absent, or refused."""

import math
import struct
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from sngan.results import Diagnosis, Spectrum
from sngan.seeding import numpy_stream
from sweeps.store import ResultStore
from sweeps.store.connect import transaction
from sweeps.store.tables import EvaluationRow
from tests.sweeps.store.samples import (
    FID,
    KID,
    PRESET,
    STUDY,
    evaluation,
    many_trials,
    outcome,
    row_of,
    score,
)


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
