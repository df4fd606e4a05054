"""Now: how far a sweep is, what it found so far, what went wrong, and what is left."""

import shlex
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

import streamlit as st

from dashboards.app import desk
from dashboards.app.markup import plain
from dashboards.app.snapshots import Snapshot
from dashboards.figures.style import method_label, method_labels
from sweeps.board import STATES, Board
from sweeps.board import Cell as BoardCell
from sweeps.provenance import hide_credentials
from sweeps.wording import counted, duration

_SHOWN_FAILURES = 10
_MOST_COLUMNS = 12


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of the matrix. shares : percentage of its seeds in every state that occurs. words : all of it as text."""

    text: str
    detail: str
    shares: tuple[tuple[str, float], ...]
    words: str
    link: str


def choose(snapshot: Snapshot) -> desk.Drawing:
    """Nothing is chosen: counts, who is at work, the matrix, failures."""
    return partial(_show, snapshot)


def _show(snapshot: Snapshot) -> None:
    trials = snapshot.frames.trials
    board = snapshot.board
    _numbers(snapshot, board)
    _launches(snapshot, board)
    corner, columns, rows = matrix(snapshot, board)
    desk.shown("matrix.html", corner=corner, columns=columns, rows=rows, metric=board.metric,
               seeds=trials["seed"].nunique(), searches=bool(board.searches))  # fmt: skip
    columns = ["method", "setting", "seed", "digest", "state", "last_update", "updates", "train_s", "evaluate_s"]
    # A run that diverged has no score, whatever it had before.
    values = trials["digest"].map(snapshot.values).where(trials["state"] != "diverged")
    desk.download("now", trials[columns].assign(value=values, protocol=snapshot.frames.preset.headline))
    _failures(snapshot)


def _numbers(snapshot: Snapshot, board: Board) -> None:
    counts, trials = board.counts(), snapshot.frames.trials.drop_duplicates("digest")
    spent_s = float((trials["train_s"].fillna(0) + trials["evaluate_s"].fillna(0)).sum())
    told = [("Results", f"{board.num_done:,} of {board.num_trials:,}")]
    told += [(state.capitalize(), f"{counts[state]:,}") for state in ("diverged", "running", "queued", "failed")]
    told.append(("Computed so far", duration(spent_s)))
    if snapshot.at_work and (counts["running"] or counts["queued"]):
        left_s = snapshot.remaining.wall_s
        told.append(("Left", "not known yet" if left_s is None else duration(left_s)))
    desk.shown("numbers.html", numbers=told)


def _launches(snapshot: Snapshot, board: Board) -> None:
    """Who runs the study; a launch that died cannot say that its trials run no more."""
    unfinished = board.counts()["running"] + board.counts()["queued"]
    if snapshot.at_work:
        st.caption(plain(f"At work: {'; '.join(snapshot.at_work)}."))
    elif unfinished:
        st.warning(f"{counted(unfinished, 'trial')} without a result, and no launch is at work. This command goes on:")
        st.code(again(snapshot), language=None, wrap_lines=True)


def matrix(snapshot: Snapshot, board: Board) -> tuple[str, list[str], list[tuple[str, list[Cell]]]]:
    """What the rows are, names of the columns, and rows of cells: methods by settings, or with many settings these by
    methods.
    """
    methods, settings = board.methods, board.settings
    cells = {(m, s): _cell(snapshot, m, s, board.cell(m, s)) for m in methods for s in settings}
    if len(settings) > _MOST_COLUMNS:
        return "setting", method_labels(methods), [(s, [cells[m, s] for m in methods]) for s in settings]
    return "method", settings, [(method_label(m), [cells[m, s] for s in settings]) for m in methods]


def _cell(snapshot: Snapshot, method: str, setting: str, cell: BoardCell) -> Cell:
    counts = {state: number for state, number in cell.counts.items() if number}
    shares = tuple((state, 100 * counts[state] / cell.total) for state in STATES if state in counts)
    if cell.value is not None:
        text = f"{cell.value:#.3g}".rstrip(".")
    elif cell.counts["diverged"]:
        text = "diverged"
    elif cell.counts["running"]:
        text = f"{cell.fraction:.0%}"
    else:
        text = "failed" if cell.counts["failed"] else "–"
    detail = f"{cell.done}/{cell.total}" if cell.total > 1 else ""
    words = ", ".join(f"{number} {state}" for state, number in counts.items()) or "nothing planned"
    place = snapshot.board.places.get((method, setting), ())
    if not place or setting in snapshot.board.searches:  # of a search: many settings, none of this name
        return Cell(text=text, detail=detail, shares=shares, words=words, link="")
    link = urlencode({"page": "Trial", "study": snapshot.frames.name, "method": method, "setting": setting})
    return Cell(text=text, detail=detail, shares=shares, words=words, link=f"?{link}")


def _failures(snapshot: Snapshot) -> None:
    trials = snapshot.frames.trials
    failed = trials[trials["state"] == "failed"].drop_duplicates("digest")
    retried = trials[(trials["state"] != "failed") & (trials["num_attempts"] > 1)].drop_duplicates("digest")
    if len(failed):
        st.header(f"{counted(len(failed), 'failed trial')}", anchor="failed")
        st.markdown("A failure is no result: the same command tries these trials again.")
        st.code(again(snapshot), language=None, wrap_lines=True)
        for row in failed.head(_SHOWN_FAILURES).itertuples():
            with st.expander(plain(f"{row.method} {row.setting} seed {row.seed}: {last_lines(str(row.error), 1)}")):
                st.code(last_lines(str(row.error), 20), language=None, wrap_lines=True)
        if len(failed) > _SHOWN_FAILURES:
            st.caption(f"These are the first {_SHOWN_FAILURES}; the data below has all of them.")
        desk.download("failed", failed[["method", "setting", "seed", "digest", "num_attempts", "error"]])
    if len(retried):
        st.caption(f"{counted(len(retried), 'trial')} needed more than one attempt; the page Trial tells of each.")


def last_lines(text: str, number: int) -> str:
    """The last lines of an error."""
    return "\n".join(text.strip().splitlines()[-number:])


def again(snapshot: Snapshot) -> str:
    """The command of the newest launch, which goes on with whatever is missing."""
    command = str(snapshot.provenance.get("command", ""))
    key, options = snapshot.frames.records.key, snapshot.source.options
    return hide_credentials(
        command or shlex.join(["python", "-m", "sweeps.launch", key[0], "--preset", key[1], *options])
    )
