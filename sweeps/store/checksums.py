"""Checksums of trials' results: what a study's fingerprint is added up from.

A finished trial never changes again, so its checksum is stored with its result, and a study's fingerprint reads one
row per trial instead of every evaluation.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from sweeps.store.tables import Base, EvaluationRow, SampleRow, TrialRow, table_of

_RESULTS: dict[type[Base], tuple[str, ...]] = {
    EvaluationRow: ("update", "protocol", "value", "spread", "floor"),
    SampleRow: ("update", "path"),
}


def checksum(*values: Any) -> int:
    """128 bits that are the same in every process and database."""
    return int.from_bytes(hashlib.blake2b(repr(values).encode(), digest_size=16).digest(), "big")


def hexadecimal(number: int) -> str:
    """A sum of checksums as 32 hex digits. Sums do not depend on an order."""
    return f"{number % 2**128:032x}"


def of_trials(connection: Connection, which: ColumnElement[bool], rows_at_once: int = 50_000) -> dict[str, int]:
    """The sum of the checksums of the evaluations and grids of every trial that satisfies `which`, by digest.

    Trials without any are absent.
    """
    found: dict[str, int] = {}
    for table, names in _RESULTS.items():
        query = _query(table, names, which).execution_options(yield_per=rows_at_once)
        for digest, rows in groupby(_plain(connection, query), key=lambda row: row[0]):
            found[digest] = found.get(digest, 0) + checksum(table.__tablename__, list(rows))
    return found


def _query(table: type[Base], names: Sequence[str], which: ColumnElement[bool]) -> Select[Any]:
    columns = table_of(table).columns
    wanted = select(TrialRow.digest).where(which)
    query = select(columns.trial, *(columns[name] for name in names)).where(columns.trial.in_(wanted))
    return query.order_by(*table_of(table).primary_key.columns)


def _plain(connection: Connection, query: Select[Any]) -> Iterator[tuple[Any, ...]]:
    for part in connection.execute(query).partitions():
        yield from map(tuple, part)
