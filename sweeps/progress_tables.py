"""What the terminal shows, as renderables built from data; `sweeps.progress` puts them on the screen."""

import io
import sys
from collections.abc import Iterator, Sequence
from typing import Literal

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sngan.methods import METHODS
from sweeps.board import Board, Cell
from sweeps.claims import Verdict
from sweeps.study import PlannedTrial
from sweeps.wording import duration, effect_text, level_text, p_text, short_number

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
STYLES = {
    "completed": "green",
    "diverged": "magenta",
    "failed": "bold red",
    "running": "cyan",
    "queued": "dim",
}
Counted = Literal["all", "partial", "none"]
_READABLE = 110  # columns of running text
_VERDICT_MARKS = {"supported": ("✓", "green"), "contradicted": ("✗", "red"), "undecided": ("?", "yellow")}


def cell_text(cell: Cell, *, frame: int | None = None, counted: Counted = "all") -> Text:
    """A cell in words: seeds with a result, then the median score, or how far it is, or what went wrong.

    "2/2 12.3", "1/2 12.3⠹", "0/2 45%", "2/2 div", "fail", "·". A mark after a score says that a seed of the
    cell diverged (✗), failed (!) or is running (the spinner, when `frame` is given). `counted` says which
    cells start with the count.
    """
    counts = cell.counts
    if cell.total == 0:
        return Text("")
    if counts["queued"] == cell.total:
        return Text("· ", style=STYLES["queued"])
    state, body = _cell_body(cell)
    # A mark repeats nothing that the body already says.
    marks = "✗" if counts["diverged"] and state != "diverged" else ""
    marks += "!" if counts["failed"] and state != "failed" else ""
    if counts["running"] and frame is not None:
        marks += SPINNER[frame % len(SPINNER)]
    with_count = cell.total > 1 and (counted == "all" or (counted == "partial" and cell.done < cell.total))
    count = f"{cell.done}/{cell.total} " if with_count else ""
    # Room for one mark, so that the scores of a column stand below each other.
    return Text.assemble((count, "dim"), (body, STYLES[state]), (marks or " ", STYLES[_mark_state(cell)]))


def _cell_body(cell: Cell) -> tuple[str, str]:
    if cell.value is not None:
        return "completed", short_number(cell.value)
    if cell.counts["diverged"]:
        return "diverged", "div"
    if cell.counts["running"]:
        return "running", f"{cell.fraction:.0%}"
    if cell.counts["failed"]:
        return "failed", "fail"
    return ("completed", "done") if cell.counts["completed"] else ("queued", "·")


def _mark_state(cell: Cell) -> str:
    return next(state for state in ("failed", "running", "diverged", "completed", "queued") if cell.counts[state])


def matrix(board: Board, *, width: int, max_rows: int | None = None, frame: int | None = None) -> Table:
    """Methods x settings, filled; with less text where it is narrow, with fewer methods where it is short."""
    methods, settings = board.methods, board.settings
    shown = methods if max_rows is None or len(methods) <= max_rows else methods[: max(1, max_rows - 1)]
    labels = [METHODS[name].label if name in METHODS else name for name in shown]
    counted, gap, label_width = _layout(width, len(settings), max([6, *map(len, labels)]))
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("method", no_wrap=True, max_width=label_width, overflow="ellipsis")
    for setting in settings:
        table.add_column(f"{setting} ", justify="right", no_wrap=True, min_width=5, overflow="ellipsis")
    for name, label in zip(shown, labels, strict=True):
        cells = (board.cell(name, setting) for setting in settings)
        table.add_row(label, *(cell_text(cell, frame=frame, counted=counted) for cell in cells))
    if len(shown) < len(methods):
        table.add_row(Text(f"… {len(methods) - len(shown)} more", style="dim"))
    return table


def _layout(width: int, num_settings: int, label_width: int) -> tuple[Counted, int, int]:
    """Which cells tell their count, the gap between columns, and the width of the labels."""
    if width >= label_width + 2 + num_settings * 12:
        return "all", 2, label_width
    if width >= label_width + 1 + num_settings * 10:
        return "partial", 1, label_width
    return "none", 1, max(6, min(label_width, width - 1 - num_settings * 7))


def counts_line(board: Board) -> Text:
    """Number of trials in each state that occurs, in words."""
    parts = [(f"{number} {state}", STYLES[state]) for state, number in board.counts().items() if number]
    return Text("  ", no_wrap=True, overflow="ellipsis").join(Text(text, style=style) for text, style in parts)


def legend(board: Board) -> Text:
    """One line that explains the cells."""
    seeds = max((len(digests) for digests in board.places.values()), default=0)
    over = "" if seeds <= 1 else "best of the search, " if board.searches else "median over seeds, "
    one = "trial" if board.searches else "seed"
    text = f"{board.metric} at the last update, {over}✗ a {one} diverged, ! a {one} failed"
    return Text(text, style="dim", no_wrap=True, overflow="ellipsis")


def header(board: Board, title: str, folder: str, *, elapsed_s: float, width: int) -> Group:
    """Two lines: what runs, where the results go; how much is done and how long it takes."""
    total = board.num_trials
    first = Text.assemble((title, "bold"), ("  results in ", "dim"), (folder, "dim"), no_wrap=True, overflow="ellipsis")
    times = f"{board.num_done}/{total} trials  elapsed {duration(elapsed_s)}  ETA {duration(board.eta_s())}"
    second = Table.grid(padding=(0, 2, 0, 0))
    second.add_row(
        ProgressBar(
            total=1.0,
            completed=board.work_done(),
            width=max(8, min(40, width - len(times) - 8)),
            complete_style="cyan",
            finished_style="green",
        ),
        Text(f"{board.work_done():.0%}"),
        Text(times, no_wrap=True),
    )
    return Group(first, second)


def status_view(board: Board, title: str, *, width: int) -> Group:
    """The `status` command's answer: the same matrix, standing still."""
    return Group(Text(title, style="bold"), counts_line(board), Text(""), matrix(board, width=width), legend(board))


def verdict_table(verdicts: Sequence[Verdict], *, width: int) -> Group:
    """Claim, verdict, effect with its interval, adjusted p, seeds used (and needed to decide); below each, why. Claims
    that lack results stand at the end, with the beginning of what they lack.
    """
    waiting = [verdict for verdict in verdicts if _lacks_results(verdict)]
    judged = [verdict for verdict in verdicts if not _lacks_results(verdict)]
    return Group(*_judged_table(judged, width=width), *_waiting_lines(waiting))


def _lacks_results(verdict: Verdict) -> bool:
    return verdict.verdict == "undecided" and verdict.effect is None and verdict.num_seeds == 0


def _waiting_lines(verdicts: Sequence[Verdict]) -> Iterator[Text]:
    claims = max((len(verdict.claim) for verdict in verdicts), default=0)
    mark, style = _VERDICT_MARKS["undecided"]
    for verdict in verdicts:
        why = verdict.explanation.partition(". ")[0].rstrip(".")
        name = (f"{mark} {verdict.verdict}", style)
        yield Text.assemble(f"{verdict.claim:{claims}}  ", name, (f"  {why}", "dim"), no_wrap=True, overflow="ellipsis")


def _judged_table(verdicts: Sequence[Verdict], *, width: int) -> Iterator[RenderableType]:
    if not verdicts:
        return
    rows = [("claim", "verdict", "effect [interval]", "adjusted p", "seeds (needed)")]
    rows += [
        (
            verdict.claim,
            f"{_VERDICT_MARKS[verdict.verdict][0]} {verdict.verdict}",
            effect_text(verdict),
            p_text(verdict.p_value),
            f"{verdict.num_seeds} ({verdict.seeds_needed_text})" if verdict.seeds_needed else f"{verdict.num_seeds}",
        )
        for verdict in verdicts
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    claim, name, effect, p_value, seeds = rows[0]
    heads = f"{claim:{widths[0]}}  {name:{widths[1]}}  {effect:{widths[2]}}  {p_value:{widths[3]}}  {seeds}"
    yield Text(heads, style="bold", no_wrap=True, overflow="ellipsis")
    for verdict, (claim, name, effect, p_value, seeds) in zip(verdicts, rows[1:], strict=True):
        named = (f"{name:{widths[1]}}", _VERDICT_MARKS[verdict.verdict][1])
        line = Text.assemble(f"{claim:{widths[0]}}  ", named, f"  {effect:{widths[2]}}  {p_value:{widths[3]}}  {seeds}")
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line
        level = f" ({level_text(verdict.level)} interval)" if verdict.level else ""
        why = Padding(Text(verdict.explanation + level, style="dim"), (0, 0, 0, 4), expand=False)
        yield Constrain(why, min(width, _READABLE))


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> Table:
    """A table of text for --list and --dry-run; numbers stand right."""
    table = Table(
        box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", title=title, title_justify="left"
    )
    for index, name in enumerate(columns):
        numbers = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        table.add_column(name, justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    return table


def terminal() -> Console:
    """A console on today's standard output, which writes "?" for what its encoding lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console(file=sys.stdout, highlight=False)


def show(renderable: RenderableType, *, console: Console | None = None) -> None:
    """Print a renderable to standard output; without a terminal it is plain text of full width."""
    console = console or terminal()
    if not console.is_terminal:
        console.width = max(console.width, 120)
    console.print(renderable)


def view_width(console: Console | None = None) -> int:
    """Columns of the terminal; 120 where there is none."""
    console = console or terminal()
    return console.width if console.is_terminal else 120


def trial_name(trial: PlannedTrial) -> str:
    """What people call a trial: "sn C s0"."""
    return f"{trial.method} {trial.setting} s{trial.seed}"
