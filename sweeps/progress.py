"""The one door to rich, with sweeps.progress_tables: a sweep's live view in the terminal.

The renderables are built from data by pure functions there; `View` shows them and listens to the engine.
"""

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Self

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.text import Text

from sngan.results import Evaluation, Outcome
from sweeps.board import Board
from sweeps.progress_tables import (
    STYLES,
    counts_line,
    header,
    legend,
    matrix,
    show,
    status_view,
    terminal,
    trial_name,
    view_width,
)
from sweeps.study import PlannedTrial
from sweeps.wording import counted, duration, short_number

_FRAMES_PER_S = 2  # a redraw costs some milliseconds of a core that a trial could use
_LINE_EVERY_S = 15.0  # without a terminal: at most one line in between finished trials
_KEPT_EVENTS = 8


class View:
    """The live view: a context manager around a run of the engine, and a listener of it.

    On a terminal it draws the matrix in place, with the last events below; log messages go above it.
    Elsewhere it writes one line per finished trial, one line in `_LINE_EVERY_S` otherwise, and the matrix at the end.
    Pickling keeps only the data.

    Parameters
    ----------
    board : what is known at the start; the view keeps it up to date.
    title, folder : what runs, and where its results go.
    values : headline scores by digest, from the store, for trials that other launches run.
    """

    def __init__(
        self,
        board: Board,
        *,
        title: str,
        folder: str,
        values: Callable[[], Mapping[str, float]] = dict,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.board = board
        self.title = title
        self.folder = folder
        self._values = values
        self.clock = clock
        self.started_at = clock()
        self.last_line_at = self.started_at
        self.events: deque[Text] = deque(maxlen=_KEPT_EVENTS)
        self._console: Console | None = console or terminal()
        self._live: Live | None = None
        self._lock = threading.RLock()
        self._log: _LogLines | None = None
        self._heard = False
        self._ended = False

    def __getstate__(self) -> dict[str, Any]:
        """Everything but terminal, lock and log handler: Tune pickles its callbacks."""
        kept = dict(self.__dict__)
        for name in ("_console", "_live", "_lock", "_log", "_values"):
            kept.pop(name)
        return kept

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._console = self._live = self._log = None
        self._values = dict
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        console = self._console
        if console is not None and console.is_terminal and not console.is_dumb_terminal:
            self._log = _LogLines(console)
            self._log.install()
            self._live = Live(
                _Drawn(self),
                console=console,
                refresh_per_second=_FRAMES_PER_S,
                vertical_overflow="crop",
            )
            self._live.start(refresh=True)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended = True
        live, self._live = self._live, None
        if live is not None:
            live.stop()  # its last picture stays
        elif self._console is not None and self._heard:
            self.board.stop()
            self._console.print()
            show(status_view(self.board, self.title, width=view_width(self._console)), console=self._console)
        if self._log is not None:
            self._log.remove()
            self._log = None

    def on_start(self, trial: PlannedTrial, attempt: object) -> None:
        """An attempt at `trial` has begun."""
        with self._lock:
            self._heard = True
            self.board.start(trial)
            self._line_now_and_then()

    def on_evaluation(self, trial: PlannedTrial, evaluation: Evaluation) -> None:
        """`trial` has been evaluated."""
        with self._lock:
            self.board.evaluate(trial, evaluation)
            self._line_now_and_then()

    def on_finish(self, trial: PlannedTrial, outcome: Outcome) -> None:
        """`trial` has a result."""
        with self._lock:
            self.board.finish(trial, outcome)
            value = short_number(self.board.statuses[trial.digest].value)
            after = f"after {duration(outcome.train_s + outcome.evaluate_s)}"
            if outcome.state == "diverged":
                text = f"diverged at update {outcome.update} {after}: {outcome.reason}"
            else:
                text = f"{self.board.metric} {value} {after}"
            self._tell(f"{trial_name(trial)} {text}", outcome.state)

    def on_failure(self, trial: PlannedTrial, error: str, final: bool) -> None:
        """An attempt ended without a result."""
        with self._lock:
            self.board.fail(trial, final=final)
            lines = [line.strip() for line in error.splitlines() if line.strip()]
            last = lines[-1].rstrip(".") if lines else "no message"
            what = "failed" if final else "lost an attempt and is tried again"
            self._tell(f"{trial_name(trial)} {what}: {last}", "failed" if final else "running")

    def on_elsewhere(self, states: Mapping[str, str]) -> None:
        """Other launches have ended trials of this study."""
        with self._lock:
            self.board.end_elsewhere(states, self._values())
            self._tell(f"{counted(len(states), 'trial')} ended in other launches of this study", "running")

    def _tell(self, text: str, state: str) -> None:
        """An event: below the matrix, or a line of its own with counter and ETA."""
        stamp = time.strftime("%H:%M:%S")
        self.events.append(
            Text.assemble((f"{stamp} ", "dim"), (text, STYLES[state]), no_wrap=True, overflow="ellipsis")
        )
        if self._live is None:
            self._line(text)

    def _line_now_and_then(self) -> None:
        if self._live is None and self.clock() - self.last_line_at >= _LINE_EVERY_S:
            running = self.board.counts()["running"]
            self._line(f"{running} running, {self.board.work_done():.0%} of the work done")

    def _line(self, text: str) -> None:
        if self._console is None or self._ended:
            return
        self.last_line_at = self.clock()
        counter = f"[{self.board.num_done}/{self.board.num_trials}]"
        line = f"{counter} {text}, ETA {duration(self.board.eta_s())}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def render(self, *, width: int, height: int) -> Group:
        """The whole view, never more than `height` lines: events give way first, then methods."""
        with self._lock:
            now = self.clock()
            frame = None if self._ended else int(now * _FRAMES_PER_S)
            fixed = 6  # header 2, counts 1, blank 1, the matrix's own header 1, legend 1
            rows = max(1, height - 1 - fixed)
            shown = matrix(self.board, width=width, max_rows=rows, frame=frame)
            events = list(self.events)[-max(0, rows - len(shown.rows) - 1) :] if rows > len(shown.rows) + 1 else []
            counts = counts_line(self.board)
            if not self._heard and not self._ended:
                counts.append("  starting ...", style="dim")
            return Group(
                header(self.board, self.title, self.folder, elapsed_s=now - self.started_at, width=width),
                counts,
                Text(""),
                shown,
                legend(self.board),
                *([Text(""), *events] if events else []),
            )


class _Drawn:
    """The view as a renderable that asks for the terminal's present size at every frame."""

    def __init__(self, view: View) -> None:
        self.view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.view.render(width=options.max_width, height=console.size.height)


class _LogLines(logging.Handler):
    """Writes log messages above the live view, in place of root handlers that would write into it."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.replaced: list[logging.Handler] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def install(self) -> None:
        """Take the place of the root logger's handlers that write to standard output or error."""
        root = logging.getLogger()
        streams = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        self.replaced = [h for h in root.handlers if isinstance(h, logging.StreamHandler) and h.stream in streams]
        for handler in self.replaced:
            root.removeHandler(handler)
        root.addHandler(self)

    def remove(self) -> None:
        """Give the place back."""
        root = logging.getLogger()
        root.removeHandler(self)
        for handler in self.replaced:
            root.addHandler(handler)

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message; the console keeps it apart from what is drawn."""
        try:
            style = (
                "red" if record.levelno >= logging.ERROR else "yellow" if record.levelno >= logging.WARNING else "dim"
            )
            self.console.print(Text(self.format(record), style=style))
        except Exception:
            self.handleError(record)
