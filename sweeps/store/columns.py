"""Millions of rows of results as a data frame, without an object per number: texts are looked up once each, and what
all rows of a trial share is taken from a frame of the trials.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

IntArray = NDArray[np.intp]


class _Texts:
    """A column of texts: each distinct one once, and where it stands."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self._parts: list[NDArray[np.int32]] = []

    def extend(self, values: Sequence[str]) -> None:
        places = self.places
        for value in dict.fromkeys(values):
            places.setdefault(value, len(places))
        self._parts.append(np.fromiter(map(places.__getitem__, values), dtype=np.int32, count=len(values)))

    @property
    def codes(self) -> NDArray[np.int32]:
        return np.concatenate(self._parts) if self._parts else np.zeros(0, dtype=np.int32)

    def taken(self, rows: IntArray) -> Any:
        return pd.array(list(self.places), dtype="str").take(self.codes[rows])


class _Numbers:
    """A column of numbers; absent ones are NaN."""

    def __init__(self, kind: str) -> None:
        self._kind = np.dtype(kind)
        self._parts: list[NDArray[Any]] = []

    def extend(self, values: Sequence[float | None]) -> None:
        self._parts.append(np.array(values, dtype=self._kind))

    def taken(self, rows: IntArray) -> Any:
        return np.concatenate(self._parts)[rows] if self._parts else np.zeros(0, dtype=self._kind)


class TrialRows:
    """Rows of results in the order of their trials' digests, which come in parts and leave as one frame.

    types : column -> "str", "int64" or "float64", as rows have them after the digest.
    """

    def __init__(self, types: Mapping[str, str]) -> None:
        self._digests = _Texts()
        self._columns = {name: _Texts() if kind == "str" else _Numbers(kind) for name, kind in types.items()}

    def extend(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows: a digest and a value of every column."""
        digests, *columns = zip(*rows, strict=True)
        self._digests.extend(digests)
        for column, values in zip(self._columns.values(), columns, strict=True):
            column.extend(values)

    def frame(self, cells: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
        """The rows of every cell's trial, in the order of `cells`, with the columns `names`: those of the cell (digest
        among them) and of the rows. The trial of two cells stands there twice.
        """
        cell, row = _joined(self._digests, cells["digest"].tolist())
        columns = {name: column.taken(row) for name, column in self._columns.items()}
        shared = {name: cells[name].array.take(cell) for name in cells}
        return pd.DataFrame({name: columns[name] if name in columns else shared[name] for name in names})


def _joined(digests: _Texts, wanted: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Number of the cell, and of the row, of every row of the frame."""
    length = np.bincount(digests.codes, minlength=len(digests.places) + 1).astype(np.intp)
    first = np.cumsum(length) - length
    # A trial without rows is the one after the last: its length is 0.
    trials = np.array([digests.places.get(digest, len(digests.places)) for digest in wanted], dtype=np.intp)
    lengths = length[trials]
    cell = np.repeat(np.arange(len(wanted)), lengths)
    within = np.arange(len(cell)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return cell, first[trials][cell] + within
