"""What a table is: cells for readers, and the numbers behind them for programs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from dashboards.figures.style import number


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell for readers; `best` ones are set in bold."""

    text: str
    best: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column for readers. kind : "name", "number", or "words" for text of several lines."""

    heading: str
    kind: str = "number"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of a study at a preset.

    name : the stem of its files. study : of which study and preset it is, "robustness-quick". caption : what it holds,
    under which protocol. notes : what its signs mean and what it cannot say, one sentence or two each. columns, rows :
    for readers, the first cell of a row heads it. fields, records : for programs, a header and one tuple per row, with
    None where there is no number and infinity where training diverged.
    """

    name: str
    study: str
    title: str
    caption: str
    notes: tuple[str, ...] = ()
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    fields: tuple[str, ...]
    records: tuple[tuple[object, ...], ...]

    def __post_init__(self) -> None:
        """Hold the widths."""
        assert all(len(row) == len(self.columns) for row in self.rows), self.name
        assert all(len(record) == len(self.fields) for record in self.records), self.name


def range_text(value: float, low: float, high: float, *, num_runs: int) -> str:
    """A median with its quartiles: "20.1 (18.2–23.0)"; alone where one run stands behind it, "missing" without any."""
    if math.isnan(value):
        return "missing"
    if num_runs < 2:
        return number(value)
    return f"{number(value)} ({number(low)}–{number(high)})"


def run_marks(num_diverged: int, num_missing: int) -> str:
    """What a median hides, behind it: " †1" for one diverged run, " ‡2" for two missing ones."""
    return f" †{num_diverged}" * bool(num_diverged) + f" ‡{num_missing}" * bool(num_missing)


_SIGNS = {
    " (": "In brackets the runs at a quarter and at three quarters of the order of seeds; with up to four seeds these "
    "are the lowest and the highest.",
    "†": "†n: n seeds diverged and count as the worst.",
    "‡": "‡n: n seeds are missing and count nowhere.",
}


def sign_notes(cells: Iterable[Cell]) -> list[str]:
    """What the signs of `range_text` and `run_marks` mean, of those that are there."""
    texts = [cell.text for cell in cells]
    return [meaning for sign, meaning in _SIGNS.items() if any(sign in text for text in texts)]
