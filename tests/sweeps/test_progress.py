"""The terminal: cells, tables and the live view as text, at several sizes; plain lines elsewhere."""

import io
import logging
import pickle
import re
import sys
from dataclasses import replace
from typing import get_args

import pytest
from rich.console import Console, RenderableType

from sngan.methods import METHODS
from sweeps.board import Board, Cell
from sweeps.claims import Verdict
from sweeps.engine_interface import Attempt, Listener
from sweeps.progress import View
from sweeps.progress_tables import Counted, cell_text, matrix, plain_table, show, status_view, verdict_table
from sweeps.study import STUDIES, PlannedTrial
from sweeps.wording import duration, effect_text, level_text, p_text, short_number
from tests.sweeps.store.samples import FID, evaluation, outcome, planned

HEADLINE = FID[:-9]
ATTEMPT = Attempt(host="here", device="cpu", versions={})
SETTINGS = ("A", "B", "C", "D", "E", "F")


def as_text(renderable: RenderableType, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def a_cell(value: float | None = None, fraction: float = 0.0, **counts: int) -> Cell:
    states = ("completed", "diverged", "failed", "running", "queued")
    return Cell(counts={state: counts.get(state, 0) for state in states}, value=value, fraction=fraction)


MAIN = STUDIES["robustness"].preset("cifar10").methods


def half_done(methods: tuple[str, ...] = MAIN, seeds: int = 2) -> tuple[Board, list[PlannedTrial]]:
    """A board on which the first seed is finished, one seed diverged, one failed, and two trials run."""
    trials = planned(methods=methods, settings=SETTINGS, seeds=seeds)
    board = Board(trials, HEADLINE, slots=2, clock=lambda: 0.0)
    first = trials[: len(trials) // seeds]
    for number, trial in enumerate(first):
        board.start(trial)
        if number == 1:
            board.finish(trial, outcome("diverged"))
        elif number == 2:
            board.fail(trial, final=True)
        else:
            board.evaluate(trial, evaluation(1000, 10.0 + number))
            board.finish(trial, outcome())
    for trial in trials[len(first) : len(first) + 2]:
        board.start(trial)
        board.evaluate(trial, evaluation(500))
    return board, trials


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "—"), (0.2, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (185, "3:05 min"), (3723, "1:02:03"), (-1, "0 s")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "—"), (0.01234, "0.012"), (0.99996, "1.00"), (9.994, "9.99"), (9.996, "10.0"), (99.96, "100"),
     (123.4, "123"), (9994.0, "9994"), (9996.0, "10k"), (123456.0, "123k"), (-5.0, "-5.00")],
)  # fmt: skip
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert short_number(value) == text
    assert len(text) <= 5


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (a_cell(), ""),
        (a_cell(queued=2), "·"),
        (a_cell(12.34, completed=2), "2/2 12.3"),
        (a_cell(12.34, completed=1), "12.3"),
        (a_cell(12.34, completed=1, queued=1), "1/2 12.3"),
        (a_cell(12.34, completed=1, running=1), "1/2 12.3⠋"),
        (a_cell(fraction=0.45, running=1, queued=1), "0/2 45%⠋"),
        (a_cell(12.34, completed=2, diverged=1), "3/3 12.3✗"),
        (a_cell(12.34, completed=2, diverged=1, failed=1), "3/4 12.3✗!"),
        (a_cell(diverged=2), "2/2 div"),
        (a_cell(diverged=1, failed=1), "1/2 div!"),
        (a_cell(failed=1), "fail"),
        (a_cell(failed=1, queued=1), "0/2 fail"),
        (a_cell(completed=1), "done"),
    ],
)
def test_cells_say_what_they_are_without_colours(cell: Cell, text: str) -> None:
    assert cell_text(cell, frame=0).plain.strip() == text


def test_cells_leave_out_counts_where_there_is_no_room() -> None:
    whole, part = a_cell(12.34, completed=2), a_cell(12.34, completed=1, queued=1)
    texts = {
        kind: (cell_text(whole, counted=kind).plain.strip(), cell_text(part, counted=kind).plain.strip())
        for kind in get_args(Counted)
    }
    assert texts == {"all": ("2/2 12.3", "1/2 12.3"), "partial": ("12.3", "1/2 12.3"), "none": ("12.3", "12.3")}


@pytest.mark.parametrize("width", [80, 120])
def test_the_matrix_of_the_main_job_fits_the_terminal(width: int) -> None:
    board, _ = half_done()
    lines = as_text(matrix(board, width=width, frame=0), width).splitlines()
    assert len(lines) == 1 + len(MAIN), "no line is wrapped"
    assert all(len(line) <= width for line in lines)
    assert not any("…" in line for line in lines), "nothing is cut"
    assert re.split(r"\s+", lines[0].strip()) == ["method", *SETTINGS]
    text = "\n".join(lines)
    assert all(METHODS[name].label in text for name in MAIN)
    assert re.search(r"None\s+1/2 10\.0⠋?\s+1/2 div", text)


def test_small_terminals_get_less() -> None:
    board, _ = half_done()
    lines = as_text(matrix(board, width=60), 60).splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert re.search(r"None\s+10\.0\s+div\s+fail", "\n".join(lines)), "scores stay, counts go"
    lines = as_text(matrix(board, width=80, max_rows=4), 80).splitlines()
    assert len(lines) == 5
    assert lines[-1].strip() == f"… {len(MAIN) - 3} more"


@pytest.mark.parametrize("size", [(80, 24), (120, 30), (80, 10), (40, 8), (200, 60)])
def test_the_view_never_outgrows_the_terminal(size: tuple[int, int]) -> None:
    board, trials = half_done()
    view = View(board, title="robustness quick", folder="/a/very/long/folder/of/results" * 3, clock=lambda: 0.0)
    for trial in trials[:20]:
        view.on_finish(trial, outcome())
    width, height = size
    lines = as_text(view.render(width=width, height=height), width).splitlines()
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)


def test_the_view_says_what_runs_how_far_and_how_long() -> None:
    trials = planned(methods=["sn"], settings=["A", "B"], seeds=2)
    now = [0.0]
    board = Board(trials, HEADLINE, slots=2, clock=lambda: now[0])
    view = View(board, title="robustness quick", folder="runs", clock=lambda: now[0])
    text = as_text(view.render(width=80, height=24), 80)
    assert "robustness quick  results in runs" in text
    assert "0/4 trials  elapsed 0 s  ETA —" in text
    assert "4 queued  starting ..." in text
    view.on_start(trials[0], ATTEMPT)
    now[0] = 61.0
    view.on_evaluation(trials[0], evaluation(1000, 7.5, train_s=60.0))
    view.on_finish(trials[0], replace(outcome(), train_s=60.0, evaluate_s=6.0))
    text = as_text(view.render(width=80, height=24), 80)
    # One third of the work of A and B is left twice over A's 66 s: 22 + 66 + 22 s on two slots, A's 66 s at least.
    assert "1/4 trials  elapsed 1:01 min  ETA 1:06 min" in text
    assert "sn A s0 FID 7.50 after 1:06 min" in text
    assert "1 completed  3 queued\n" in re.sub(" +\n", "\n", text), "started long ago"


def test_events_tell_of_divergence_and_failure() -> None:
    trials = planned(methods=["sn"], settings=["A"], seeds=3)
    view = View(Board(trials, HEADLINE), title="t", folder="f", console=Console(file=io.StringIO()))
    view.on_finish(trials[0], outcome("diverged", update=500, reason="loss is not finite"))
    view.on_failure(trials[1], "Traceback ...\nRuntimeError: boom\n", final=True)
    view.on_failure(trials[2], "ActorDiedError: gone", final=False)
    text = as_text(view.render(width=120, height=30))
    assert "sn A s0 diverged at update 500 after 22 s: loss is not finite" in text
    assert "sn A s1 failed: RuntimeError: boom" in text
    assert "sn A s2 lost an attempt and is tried again: ActorDiedError: gone" in text


def test_without_a_terminal_there_is_a_line_per_trial_and_few_others() -> None:
    now = [0.0]
    trials = planned(methods=["sn"], settings=["A"], seeds=4)
    file = io.StringIO()
    board = Board(trials, HEADLINE, slots=2, clock=lambda: now[0])
    with View(board, title="t", folder="f", console=Console(file=file, width=40), clock=lambda: now[0]) as view:
        for trial in trials:
            view.on_start(trial, ATTEMPT)
            for update in range(100, 1001, 100):
                now[0] += 1.0
                view.on_evaluation(trial, evaluation(update, 12.0 + trial.seed, train_s=update / 100))
            view.on_finish(trial, replace(outcome(), train_s=10.0, evaluate_s=1.0))
    lines = file.getvalue().splitlines()
    finished = [line for line in lines if " FID " in line]
    assert finished == [
        "[1/4] sn A s0 FID 12.0 after 11 s, ETA 16 s",
        "[2/4] sn A s1 FID 13.0 after 11 s, ETA 11 s",
        "[3/4] sn A s2 FID 14.0 after 11 s, ETA 11 s",
        "[4/4] sn A s3 FID 15.0 after 11 s, ETA 0 s",
    ]
    assert lines[: lines.index("")] == finished, "40 evaluations in 40 s say no more: a line came within the last 15 s"
    assert lines[lines.index("") + 1] == "t"
    assert re.search(r"13\.5", file.getvalue()), "the median of the scores, in the matrix at the end"


def test_without_a_terminal_a_long_silence_is_broken() -> None:
    now = [0.0]
    trials = planned(methods=["sn"], settings=["A"], seeds=1)
    file = io.StringIO()
    board = Board(trials, HEADLINE, clock=lambda: now[0])
    with View(board, title="t", folder="f", console=Console(file=file), clock=lambda: now[0]) as view:
        view.on_start(trials[0], ATTEMPT)
        for update in range(100, 1001, 100):
            now[0] += 5.0
            view.on_evaluation(trials[0], evaluation(update, train_s=update / 25))
    lines = file.getvalue().splitlines()
    assert "1 queued" in file.getvalue(), "at the end nothing runs"
    assert [line.partition("] ")[2] for line in lines[: lines.index("")]] == [
        "1 running, 30% of the work done, ETA 31 s",
        "1 running, 60% of the work done, ETA 18 s",
        "1 running, 90% of the work done, ETA 4 s",
    ]


@pytest.fixture
def terminal() -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, color_system=None, width=100, height=30, legacy_windows=False
    )


def test_messages_stand_above_the_live_view(terminal: Console) -> None:
    trials = planned(methods=["sn"], settings=["A"], seeds=1)
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    root.addHandler(handler)
    try:
        with View(Board(trials, HEADLINE), title="robustness", folder="runs", console=terminal) as view:
            assert handler not in root.handlers, "it would write into the drawing"
            view.on_start(trials[0], ATTEMPT)
            logging.getLogger("sweeps.tracking").warning("MLflow [not markup] is away")
            print("printed", file=sys.stderr)
            view.on_evaluation(trials[0], evaluation(500))
        assert handler in root.handlers, "its place is given back"
    finally:
        root.removeHandler(handler)
    assert isinstance(terminal.file, io.StringIO)
    drawn = terminal.file.getvalue()
    assert "WARNING sweeps.tracking: MLflow [not markup] is away" in drawn
    assert "printed" in drawn
    after_warning = drawn[drawn.index("is away") :]
    assert "results in runs" in after_warning, "the view is drawn again below the message"


def test_the_last_picture_stays_and_stands_still(terminal: Console) -> None:
    trials = planned(methods=["sn"], settings=["A"], seeds=2)
    with View(Board(trials, HEADLINE), title="robustness", folder="runs", console=terminal) as view:
        for trial in trials:
            view.on_start(trial, ATTEMPT)
        view.on_evaluation(trials[0], evaluation(500))
    assert isinstance(terminal.file, io.StringIO)
    last = terminal.file.getvalue()[terminal.file.getvalue().rindex("method") :]
    assert "0/2 25%" in last
    assert not re.search("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", last), "nothing runs any more"


def test_the_view_listens_and_survives_pickling(terminal: Console) -> None:
    trials = planned(methods=["sn"], settings=["A"], seeds=1)
    with View(Board(trials, HEADLINE), title="t", folder="f", console=terminal) as view:
        listener: Listener = view
        listener.on_start(trials[0], ATTEMPT)
        copy = pickle.loads(pickle.dumps(view))
    copy.on_evaluation(trials[0], evaluation(500, 4.0))
    copy.on_finish(trials[0], outcome())
    assert copy.board.cell("sn", "A").value == 4.0
    assert view.board.cell("sn", "A").value is None


def test_status_and_verdicts_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    board, _ = half_done(methods=("sn", "wgan-gp"))
    text = as_text(status_view(board, "robustness quick", width=80), 80)
    assert text.startswith("robustness quick\n10 completed  1 diverged  1 failed  2 running  10 queued")
    assert "FID at the last update, median over seeds" in text
    verdicts = [
        Verdict(claim="sn-is-robust", verdict="undecided", effect=0.512, low=-1.0, high=2.0, num_seeds=2,
                p_value=0.123, level=0.95, seeds_needed=9, protocol=FID,
                explanation="Two seeds are too few. " + "More words. " * 20),
        Verdict(claim="is-cheap", verdict="supported", effect=1.5, num_seeds=5, explanation="Yes."),
        Verdict(claim="unknown", verdict="contradicted", num_seeds=0, explanation="No."),
        Verdict(claim="to-come", verdict="undecided", num_seeds=0, explanation="No result yet for sn. Of FID."),
        Verdict(claim="later", verdict="undecided", num_seeds=0, protocol=FID,
                explanation="No result yet for wgan-gp."),
    ]  # fmt: skip
    for width in (80, 120):
        text = as_text(verdict_table(verdicts, width=width), width)
        assert all(len(line) <= width for line in text.splitlines())
        assert re.search(
            r"sn-is-robust +\? undecided +0\.512 \[-1, 2\] +0\.12 +2 \(9\)\n    Two seeds are too few", text
        )
        assert re.search(r"is-cheap +✓ supported +1\.5 +— +5", text)
        assert re.search(r"unknown +✗ contradicted +— +— +0", text)
        assert re.search(r"\nto-come  \? undecided  No result yet for sn *\nlater    \? undecided  No result yet", text)
    waiting = as_text(verdict_table(verdicts[-1:], width=80), 80)
    assert waiting.rstrip() == "later  ? undecided  No result yet for wgan-gp", "no heads above nothing"
    assert effect_text(verdicts[1]) == "1.5"
    show(plain_table(("name", "count"), [("sn", 12), ("[bold]x", 3)], title="Methods"))
    printed = capsys.readouterr().out
    assert "Methods" in printed
    assert re.search(r"sn +12\n\[bold\]x +3", printed), "text is text, and numbers stand right"


@pytest.mark.parametrize(
    ("level", "text"),
    [(0.95, "95 %"), (1 - 0.05 / 9, "99.4 %"), (1 - 0.05 / 90, "99.94 %"), (0.9, "90 %"), (None, "")],
)
def test_the_level_of_an_interval_in_words(level: float | None, text: str) -> None:
    assert level_text(level) == text


def test_p_values_in_words() -> None:
    assert [p_text(p) for p in (None, 1.0, 0.04967, 0.0123, 1e-5)] == ["—", "1", "0.05", "0.012", "< 0.001"]


def test_a_narrow_encoding_loses_characters_not_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    board, _ = half_done(methods=("sn",))
    show(status_view(board, "robustness", width=80))
    sys.stdout.flush()
    assert b"SN" in raw.getvalue()
