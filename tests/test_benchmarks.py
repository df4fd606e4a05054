"""The benchmarks' own arithmetic, on timings that are made up, and that every script still starts."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import machine, tables
from tests.benchmarks.slots import Run, gaps, packing
from tests.benchmarks.turns import Answers, Turns, comparison_rows, repeated, spread, take_turns

FOLDER = Path(__file__).parent / "benchmarks"
SCRIPTS = sorted(file.stem for file in FOLDER.glob("*.py") if "\nif __name__" in file.read_text())
MADE_UP = Turns({"ours": [1.0, 3.0, 2.0, 4.0, 10.0], "theirs": [2.0, 3.0, 8.0, 5.0, 10.0]})


def test_things_take_turns_after_a_warm_up() -> None:
    order: list[str] = []
    works = {name: lambda name=name: order.append(name) for name in "ab"}  # type: ignore[misc]
    taken = take_turns(works, 2, warm_up=1)
    assert "".join(order) == "ababab"
    assert {name: len(seconds) for name, seconds in taken.seconds.items()} == {"a": 2, "b": 2}
    assert all(second >= 0 for seconds in taken.seconds.values() for second in seconds)


def test_a_ratio_is_the_median_of_those_within_turns_with_their_quartiles() -> None:
    # 0.5, 1, 0.25, 0.8, 1: not the ratio of the medians, which is 3 / 5.
    assert MADE_UP.ratio("ours", "theirs") == pytest.approx((0.8, 0.5, 1.0))
    assert MADE_UP.ratio("theirs", "ours") == pytest.approx((1.25, 1.0, 2.0))
    assert MADE_UP.time("ours") == pytest.approx((3.0, 2.0, 4.0))
    assert spread([7.0]) == (7.0, 7.0, 7.0)
    assert str(spread([1.0, 2.0, 3.0])) == "2 (1.5 - 2.5)"


def test_a_machine_that_slows_down_changes_no_ratio() -> None:
    slower = [1.0, 7.0, 3.0]
    turns = Turns({"ours": [0.2 * s for s in slower], "theirs": [0.5 * s for s in slower]})
    assert turns.ratio("ours", "theirs") == pytest.approx((0.4, 0.4, 0.4))


def test_a_run_of_many_pieces_is_told_by_the_piece() -> None:
    calls: list[int] = []
    repeated(lambda: calls.append(0), 5)()
    assert len(calls) == 5
    assert MADE_UP.divided({"ours": 10.0}).seconds == {
        "ours": pytest.approx([0.1, 0.3, 0.2, 0.4, 1.0]),
        "theirs": MADE_UP.seconds["theirs"],
    }


def test_what_is_kept_of_a_comparison_holds_every_turn_and_the_target() -> None:
    kept = MADE_UP.compared("ours", {"theirs": 0.9})
    assert kept["seconds"] == {name: list(seconds) for name, seconds in MADE_UP.seconds.items()}
    assert kept["ours / theirs"] == {"theirs": {"median": 0.8, "low": 0.5, "high": 1.0}}
    assert (kept["turns"], kept["targets"]) == (5, {"theirs": 0.9})
    mine, theirs = comparison_rows("a case", MADE_UP, "ours", {"theirs": 0.9})
    assert mine == ["a case", "ours", "3 (2 - 4)", "", ""]
    assert theirs == ["a case", "theirs", "5 (3 - 8)", "0.8 (0.5 - 1)", "<= 0.9"]


def test_answers_are_remembered_beside_the_times() -> None:
    answers = Answers()
    take_turns(answers.of({"one": lambda: 1.0, "two": lambda: 2.0}), 1)
    assert answers.values == {"one": 1.0, "two": 2.0}


def test_gaps_are_those_between_trials_of_one_slot() -> None:
    # Slots: [0, 4] [4.5, 6] [7, 8] and [1, 5] [5.25, 9].
    runs = [Run(1, 5), Run(0, 4), Run(5.25, 9), Run(4.5, 6), Run(7, 8)]
    assert gaps(runs, 2) == pytest.approx([0.5, 0.25, 1.0])
    assert gaps(runs, 5) == []
    assert gaps([Run(0, 1), Run(0.75, 2)], 1) == [0.0]


def test_packing_tells_start_gaps_end_and_overhead() -> None:
    told = packing([Run(12, 14), Run(12, 15), Run(14.5, 18), Run(15.5, 17)], 10, 20, 2)
    assert told["wall_s"] == 10
    assert told["first_trial_after_s"] == 2
    assert told["end_after_last_trial_s"] == 2
    assert told["gap_s"] == {"median": 0.5, "low": 0.5, "high": 0.5}
    assert told["sum_of_trial_s"] == 10
    assert told["wall / (sum of trials / slots)"] == 2
    assert told["overhead_per_trial_s"] == 2.5  # ten idle seconds of two slots, of four trials


def test_a_smoke_run_keeps_nothing_and_pieces_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "RESULTS", tmp_path)
    assert machine.earlier("sums") == {}
    machine.keep("sums", "python", {"first": 1}, smoke=True)
    assert list(tmp_path.iterdir()) == []
    machine.keep("sums", "python", {"first": 1})
    kept = json.loads((tmp_path / "sums.json").read_text())
    assert kept["results"] == machine.earlier("sums") == {"first": 1}
    assert {"processor", "instructions", "cores", "torch"} <= kept["machine"].keys()


def test_every_comparison_is_found_and_told_with_its_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    machine.keep("a_benchmark", "python", {"threads": 2, "slow case": MADE_UP.compared("ours", {"theirs": 0.5})})
    machine.keep("b_benchmark", "python", MADE_UP.compared("ours", {"theirs": 0.9}))
    text = tables.rewritten("by hand\n<!-- tables: begin -->\nsuperseded\n<!-- tables: end -->\nafter\n")
    assert "| a_benchmark | slow case | theirs | 0.8 (0.5 - 1) | 5 | at most 0.5 | **no** |" in text
    assert "| b_benchmark |  | theirs | 0.8 (0.5 - 1) | 5 | at most 0.9 | yes |" in text
    assert text.startswith("by hand\n")
    assert text.endswith("after\n")
    assert "superseded" not in text
    assert tables.rewritten(text) == text


def test_the_page_of_results_says_what_is_measured() -> None:
    text = tables.PAGE.read_text()
    assert tables.rewritten(text) == text, "python -m tests.benchmarks.tables"


# One process after another would import torch and Ray anew for each.
_ALL_HELP = """
import runpy, sys
for script in sys.argv[1:]:
    sys.argv = [script, "--help"]
    try:
        runpy.run_module(f"tests.benchmarks.{script}", run_name="__main__")
    except SystemExit as end:
        print(f"== {script} ended with {end.code}")
"""


@pytest.mark.thorough
def test_every_benchmark_says_what_it_is() -> None:
    command = [sys.executable, "-c", _ALL_HELP, *SCRIPTS]
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER.parents[1])
    assert done.returncode == 0, done.stderr
    told = dict(zip(SCRIPTS, re.split(r"== .*\n", done.stdout), strict=False))
    for script in SCRIPTS:
        assert f"== {script} ended with 0" in done.stdout
        assert f"python -m tests.benchmarks.{script}" in told[script]
        assert "--smoke" in told[script]
