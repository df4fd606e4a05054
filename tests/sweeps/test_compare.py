"""Two stores are equal exactly when their results are, bit for bit."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from sweeps.compare import compare
from sweeps.store import ResultStore, open_store
from sweeps.store.connect import transaction
from tests.sweeps.store.samples import (
    FID,
    PRESET,
    STUDY,
    evaluation,
    filled,
    fresh_database,
    outcome,
    planned,
)

Stores = tuple[ResultStore, ResultStore]


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    """The same study with the same results, twice."""
    urls = [f"sqlite:///{tmp_path / side / 'results.db'}" for side in ("left", "right")]
    with open_store(urls[0]) as left, open_store(urls[1]) as right:
        filled(left)
        filled(right)
        yield left, right


def run(store: ResultStore, statement: str) -> None:
    with transaction(store._engine, write=True) as connection:
        assert connection.execute(text(statement)).rowcount == 1


def test_equal_results_have_no_differences(stores: Stores) -> None:
    assert compare(*stores, STUDY, PRESET) == []


def test_hosts_times_and_the_order_of_reports_are_no_results(stores: Stores, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'third.db'}") as third:
        trials = planned()
        third.register(STUDY, PRESET, {"question": "else?"}, list(reversed(trials)))
        left = stores[0].evaluations(STUDY, PRESET)
        for trial in reversed(trials):
            values = left[left["digest"] == trial.digest].pivot_table(index="update", columns="metric", values="value")
            third.start_attempt(trial.digest, host="there", device="cuda", versions={})
            third.fail(trial.digest, "worker died")
            third.start_attempt(trial.digest, host="there", device="cuda", versions={})
            for update in (500, 500, 1000):  # resumed: reported again
                report = evaluation(update, values.loc[update, "fid"], kid=values.loc[update, "kid"], train_s=77.0)
                third.record(trial.digest, report)
            third.finish(trial.digest, outcome("diverged" if trial is trials[-1] else "completed"))
        assert compare(stores[0], third, STUDY, PRESET) == []


def test_a_store_in_postgresql_can_be_compared_with_one_in_sqlite(stores: Stores, tmp_path: Path) -> None:
    with fresh_database("postgresql", tmp_path) as url, open_store(url) as other:
        filled(other)
        assert compare(stores[0], other, STUDY, PRESET) == []
        assert other.fingerprint(STUDY, PRESET) == stores[0].fingerprint(STUDY, PRESET)


def test_one_bit_is_a_difference(stores: Stores) -> None:
    digest = planned()[0].digest
    value = float(stores[0].evaluations(STUDY, PRESET)["value"].iloc[0])
    other = math.nextafter(value, math.inf)
    run(
        stores[1],
        f"UPDATE evaluations SET value = {other!r} WHERE trial = '{digest}' AND \"update\" = 500 AND metric = 'fid'",
    )
    [line] = compare(*stores, STUDY, PRESET)
    assert line == f"sn A seed 0 update 500 {FID}: value {value!r} on the left, {other!r} on the right"


ONE = f"trial = '{planned()[0].digest}' AND \"update\" = 500 AND metric = 'kid'"
CASES: dict[str, tuple[Callable[[ResultStore], object], *tuple[str, ...]]] = {
    "value absent": (
        lambda store: run(store, f"UPDATE evaluations SET value = NULL WHERE {ONE}"),
        ": value ",
        "absent on the {side}",
    ),
    "spread": (
        lambda store: run(store, f"UPDATE evaluations SET spread = 0.75 WHERE {ONE}"),
        ": spread ",
        "0.75 on the {side}",
    ),
    "spread absent": (
        lambda store: run(store, f"UPDATE evaluations SET spread = NULL WHERE {ONE}"),
        ": spread ",
        "absent on the {side}",
    ),
    "evaluation missing": (lambda store: run(store, f"DELETE FROM evaluations WHERE {ONE}"), "only on the {opposite}"),
    "state": (
        lambda store: run(store, f"UPDATE trials SET state = 'queued' WHERE digest = '{planned()[0].digest}'"),
        "sn A seed 0: state",
    ),
    "more trials": (
        lambda store: store.register(
            STUDY, PRESET, {}, [*planned(), *planned(methods=["r1"], settings=["C"], seeds=1)]
        ),
        "r1 C seed 0: trial only on the {side}",
    ),
    "another config": (
        lambda store: store.register(STUDY, PRESET, {}, planned(updates=1500)[:1]),
        "sn A seed 0: config differs: updates",
    ),
}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("case", CASES)
def test_every_difference_is_one_line_that_names_it(stores: Stores, case: str, side: str) -> None:
    change, *words = CASES[case]
    change(stores[("left", "right").index(side)])
    [line] = compare(*stores, STUDY, PRESET)
    opposite = "right" if side == "left" else "left"
    assert all(part.format(side=side, opposite=opposite) in line for part in words), line


def test_a_store_without_the_study_lacks_all_its_trials(stores: Stores, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'empty.db'}") as empty:
        assert len(compare(stores[0], empty, STUDY, PRESET)) == 8
        assert compare(empty, empty, STUDY, PRESET) == ["robustness-quick was launched in neither store"]


def test_sample_grids_are_compared_when_both_folders_are_given(stores: Stores, tmp_path: Path) -> None:
    folders = [tmp_path / "left", tmp_path / "right"]
    paths = stores[0].samples(STUDY, PRESET)["path"]
    assert len(paths) == 16
    for folder in folders:
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(path.encode())
    left, right = stores

    def differences() -> list[str]:
        return compare(left, right, STUDY, PRESET, left_dir=folders[0], right_dir=folders[1])

    assert differences() == []
    (folders[1] / paths[0]).write_bytes(b"other")
    (folders[0] / paths[1]).unlink()
    run(right, f"DELETE FROM samples WHERE path = '{paths[2]}'")
    assert [line.split(" samples: ")[1] for line in differences()] == [
        "the images differ",
        "the file is missing on the left",
        "only on the left",
    ]
    assert compare(left, right, STUDY, PRESET) == []
