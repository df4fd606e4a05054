"""The tables of the results database. Column names are a contract: people query them with plain SQL.

A change here needs a new file in migrations/versions; a test holds that both agree.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class TrialState(StrEnum):
    """What is known of a trial. Completed and diverged are results, the others are not."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        """True for a result: it never changes again."""
        return self in FINISHED


FINISHED = (TrialState.COMPLETED, TrialState.DIVERGED)


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware time, always UTC, also in SQLite, which stores times without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """`value` in UTC; a time without a zone is refused, for nobody could say what it means."""
        if value is None:
            return None
        assert value.tzinfo is not None, "times in the store are timezone-aware"
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The stored time with zone UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Names sort by code point in both databases, whatever the language of a PostgreSQL server.
Name = String().with_variant(String(collation="C"), "postgresql")


def finite(column: str) -> CheckConstraint:
    """A constraint that `column` is finite or absent: infinity less itself is neither 0 nor absent."""
    return CheckConstraint(f"{column} IS NULL OR coalesce({column} - {column}, 1) = 0", name=f"finite_{column}")


class Base(DeclarativeBase):
    """All tables. Constraints have names, so that later migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    # JSON keeps no type arguments, hence one entry for every annotation in use.
    type_annotation_map = {  # noqa: RUF012 (read by SQLAlchemy on the class)
        dict[str, Any]: JSON,
        list[str]: JSON,
        list[float]: JSON,
        float: Double(),
        datetime: UtcDateTime(),
    }


class StudyRow(Base):
    """A study at one preset: its description as launched last, and where it ran.

    provenance : of the newest launch. launches : start of every launch, ISO 8601 in UTC.
    """

    __tablename__ = "studies"

    study: Mapped[str] = mapped_column(Name, primary_key=True)
    preset: Mapped[str] = mapped_column(Name, primary_key=True)
    description: Mapped[dict[str, Any]]
    provenance: Mapped[dict[str, Any]]
    launches: Mapped[list[str]]


class TrialRow(Base):
    """A trial: its config is its identity. The columns from alpha to updates repeat the config, for queries.

    last_update : newest evaluated update, 0 before the first. train_s, evaluate_s : seconds, over all attempts.
    reason : why it diverged, else "". error : why it failed, else "".
    """

    __tablename__ = "trials"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'completed', 'diverged', 'failed')", name="state"),
        finite("train_s"),
        finite("evaluate_s"),
        Index(None, "state"),
    )

    digest: Mapped[str] = mapped_column(Name, primary_key=True)
    config: Mapped[dict[str, Any]]
    alpha: Mapped[float]
    beta1: Mapped[float]
    beta2: Mapped[float]
    n_dis: Mapped[int]
    dataset: Mapped[str] = mapped_column(Name)
    architecture: Mapped[str] = mapped_column(Name)
    updates: Mapped[int]
    state: Mapped[str] = mapped_column(Name)
    last_update: Mapped[int]
    train_s: Mapped[float]
    evaluate_s: Mapped[float]
    reason: Mapped[str] = mapped_column(Text)
    error: Mapped[str] = mapped_column(Text)


def _trial_reference() -> Mapped[str]:
    return mapped_column(Name, ForeignKey("trials.digest"), primary_key=True)


class StudyTrialRow(Base):
    """A cell of a study (method, setting, seed) and the trial that it means.

    The same trial may stand in several studies. A cell means one trial: the one that was planned last.
    """

    __tablename__ = "study_trials"
    __table_args__ = (
        ForeignKeyConstraint(["study", "preset"], ["studies.study", "studies.preset"]),
        Index(None, "trial"),
        {"sqlite_with_rowid": False},
    )

    study: Mapped[str] = mapped_column(Name, primary_key=True)
    preset: Mapped[str] = mapped_column(Name, primary_key=True)
    method: Mapped[str] = mapped_column(Name, primary_key=True)
    setting: Mapped[str] = mapped_column(Name, primary_key=True)
    seed: Mapped[int] = mapped_column(Integer, primary_key=True)
    trial: Mapped[str] = mapped_column(Name, ForeignKey("trials.digest"))


class AttemptRow(Base):
    """One try at a trial. `end` is empty while it runs; `error` is "" when it ended with a result."""

    __tablename__ = "attempts"
    __table_args__ = (Index(None, "trial"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    trial: Mapped[str] = mapped_column(Name, ForeignKey("trials.digest"))
    host: Mapped[str] = mapped_column(Text)
    device: Mapped[str] = mapped_column(Text)
    versions: Mapped[dict[str, Any]]
    start: Mapped[datetime]
    end: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(Text)


# Without row ids, SQLite keeps these tables once, in the order of their keys: half the space, and the rows of
# a trial lie together.
class EvaluationRow(Base):
    """One measured number of one trial, with everything that it depends on (sngan.results.Score)."""

    __tablename__ = "evaluations"
    __table_args__ = (finite("value"), finite("spread"), finite("floor"), {"sqlite_with_rowid": False})

    trial: Mapped[str] = _trial_reference()
    update: Mapped[int] = mapped_column(Integer, primary_key=True)
    protocol: Mapped[str] = mapped_column(Name, primary_key=True)
    metric: Mapped[str] = mapped_column(Name)
    value: Mapped[float | None]
    spread: Mapped[float | None]
    num_generated: Mapped[int]
    num_real: Mapped[int]
    split: Mapped[str] = mapped_column(Name)
    extractor: Mapped[str] = mapped_column(Name)
    floor: Mapped[float | None]
    seconds: Mapped[float | None]


class DiagnosticRow(Base):
    """A mean over the updates since the evaluation before, such as a loss, or a value of a diagnosis at this update
    (sngan.diagnostics). Not finite is stored as absent.
    """

    __tablename__ = "diagnostics"
    __table_args__ = (finite("value"), {"sqlite_with_rowid": False})

    trial: Mapped[str] = _trial_reference()
    update: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(Name, primary_key=True)
    value: Mapped[float | None]


class SpectrumRow(Base):
    """All singular values of one layer's weight matrix at one update, largest first (sngan.results.Spectrum)."""

    __tablename__ = "spectra"
    __table_args__ = ({"sqlite_with_rowid": False},)

    trial: Mapped[str] = _trial_reference()
    update: Mapped[int] = mapped_column(Integer, primary_key=True)
    layer: Mapped[str] = mapped_column(Name, primary_key=True)
    weight: Mapped[str] = mapped_column(Name, primary_key=True)
    singular_values: Mapped[list[float]]


class SampleRow(Base):
    """A file with a grid of generated images, relative to the folder of results."""

    __tablename__ = "samples"
    __table_args__ = ({"sqlite_with_rowid": False},)

    trial: Mapped[str] = _trial_reference()
    update: Mapped[int] = mapped_column(Integer, primary_key=True)
    path: Mapped[str] = mapped_column(Text)


class ChecksumRow(Base):
    """32 hex digits of a finished trial's evaluations and grids (sweeps.store.checksums).

    There is none for a trial that an earlier version finished.
    """

    __tablename__ = "checksums"
    __table_args__ = ({"sqlite_with_rowid": False},)

    trial: Mapped[str] = _trial_reference()
    checksum: Mapped[str] = mapped_column(String)


class LeaseRow(Base):
    """Who runs an unfinished trial, until when; a lease whose time is over means nothing (sweeps.store.leases).

    holder : a launch, by a name that no other has. about : that launch in words.
    """

    __tablename__ = "leases"
    __table_args__ = (Index(None, "holder"), {"sqlite_with_rowid": False})

    trial: Mapped[str] = _trial_reference()
    holder: Mapped[str] = mapped_column(Name)
    about: Mapped[str] = mapped_column(Text)
    expires: Mapped[datetime]


class LooksRow(Base):
    """At which numbers of seeds a study is judged (sweeps.looks.Looks), fixed before the first look; or no row."""

    __tablename__ = "looks"
    __table_args__ = (ForeignKeyConstraint(["study", "preset"], ["studies.study", "studies.preset"]),)

    study: Mapped[str] = mapped_column(Name, primary_key=True)
    preset: Mapped[str] = mapped_column(Name, primary_key=True)
    first: Mapped[int]
    last: Mapped[int]


class VerdictRow(Base):
    """What the newest statistics say on a claim (sweeps.claims.Verdict), in the order of the claims."""

    __tablename__ = "verdicts"
    __table_args__ = (
        ForeignKeyConstraint(["study", "preset"], ["studies.study", "studies.preset"]),
        finite("effect"),
        finite("low"),
        finite("high"),
        finite("level"),
        finite("p_value"),
    )

    study: Mapped[str] = mapped_column(Name, primary_key=True)
    preset: Mapped[str] = mapped_column(Name, primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    claim: Mapped[str] = mapped_column(Name)
    verdict: Mapped[str] = mapped_column(Name)
    effect: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    level: Mapped[float | None]
    p_value: Mapped[float | None]
    effect_label: Mapped[str] = mapped_column(Text)
    num_seeds: Mapped[int]
    seeds_needed: Mapped[int | None]
    protocol: Mapped[str] = mapped_column(Name)
    explanation: Mapped[str] = mapped_column(Text)


def table_of(row: type[Base]) -> Table:
    """The table that a class describes."""
    table = row.__table__
    assert isinstance(table, Table)
    return table
