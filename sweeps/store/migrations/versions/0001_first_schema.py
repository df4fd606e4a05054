"""First schema: studies, trials, attempts, evaluations, diagnostics, samples, verdicts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Create all tables."""
    _create_studies_and_trials()
    _create_results()
    op.create_table(
        "verdicts",
        _name("study"),
        _name("preset"),
        _integer("position"),
        _name("claim"),
        _name("verdict"),
        _number("effect", nullable=True),
        _number("low", nullable=True),
        _number("high", nullable=True),
        _text("effect_label"),
        _integer("num_seeds"),
        _integer("seeds_needed", nullable=True),
        _name("protocol"),
        _text("explanation"),
        sa.PrimaryKeyConstraint("study", "preset", "position", name="pk_verdicts"),
        _study_key("verdicts"),
        *_finite("verdicts", "effect", "low", "high"),
    )


def downgrade() -> None:
    """Drop all tables."""
    for table in (
        "verdicts",
        "samples",
        "diagnostics",
        "evaluations",
        "attempts",
        "study_trials",
        "trials",
        "studies",
    ):
        op.drop_table(table)


def _create_studies_and_trials() -> None:
    op.create_table(
        "studies",
        _name("study"),
        _name("preset"),
        sa.Column("description", sa.JSON(), nullable=False),
        sa.Column("provenance", sa.JSON(), nullable=False),
        sa.Column("launches", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("study", "preset", name="pk_studies"),
    )
    op.create_table(
        "trials",
        _name("digest"),
        sa.Column("config", sa.JSON(), nullable=False),
        _number("alpha"),
        _number("beta1"),
        _number("beta2"),
        _integer("n_dis"),
        _name("dataset"),
        _name("architecture"),
        _integer("updates"),
        _name("state"),
        _integer("last_update"),
        _number("train_s"),
        _number("evaluate_s"),
        _text("reason"),
        _text("error"),
        sa.PrimaryKeyConstraint("digest", name="pk_trials"),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'completed', 'diverged', 'failed')", name=op.f("ck_trials_state")
        ),
        *_finite("trials", "train_s", "evaluate_s"),
    )
    op.create_index("ix_trials_state", "trials", ["state"])
    op.create_table(
        "study_trials",
        _name("study"),
        _name("preset"),
        _name("method"),
        _name("setting"),
        _integer("seed"),
        _name("trial"),
        sa.PrimaryKeyConstraint("study", "preset", "method", "setting", "seed", name="pk_study_trials"),
        _study_key("study_trials"),
        _trial_key("study_trials"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_study_trials_trial", "study_trials", ["trial"])


def _create_results() -> None:
    op.create_table(
        "attempts",
        _integer("id"),
        _name("trial"),
        _text("host"),
        _text("device"),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=True),
        _text("error"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        _trial_key("attempts"),
    )
    op.create_index("ix_attempts_trial", "attempts", ["trial"])
    op.create_table(
        "evaluations",
        _name("trial"),
        _integer("update"),
        _name("protocol"),
        _name("metric"),
        _number("value", nullable=True),
        _number("spread", nullable=True),
        _integer("num_generated"),
        _integer("num_real"),
        _name("split"),
        _name("extractor"),
        _number("floor", nullable=True),
        _number("seconds", nullable=True),
        sa.PrimaryKeyConstraint("trial", "update", "protocol", name="pk_evaluations"),
        _trial_key("evaluations"),
        *_finite("evaluations", "value", "spread", "floor"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "diagnostics",
        _name("trial"),
        _integer("update"),
        _name("name"),
        _number("value", nullable=True),
        sa.PrimaryKeyConstraint("trial", "update", "name", name="pk_diagnostics"),
        _trial_key("diagnostics"),
        *_finite("diagnostics", "value"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "samples",
        _name("trial"),
        _integer("update"),
        _text("path"),
        sa.PrimaryKeyConstraint("trial", "update", name="pk_samples"),
        _trial_key("samples"),
        sqlite_with_rowid=False,
    )


# A migration says what a revision was, for ever: it shares no definition with the tables of today.
def _name(column: str) -> sa.Column[Any]:
    kind = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    return sa.Column(column, kind, nullable=False)


def _text(column: str) -> sa.Column[Any]:
    return sa.Column(column, sa.Text(), nullable=False)


def _integer(column: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(column, sa.Integer(), nullable=nullable)


def _number(column: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(column, sa.Double(), nullable=nullable)


def _finite(table: str, *columns: str) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(
            f"{column} IS NULL OR coalesce({column} - {column}, 1) = 0",
            name=op.f(f"ck_{table}_finite_{column}"),
        )
        for column in columns
    ]


def _study_key(table: str) -> sa.ForeignKeyConstraint:
    columns = ["study", "preset"]
    return sa.ForeignKeyConstraint(
        columns, [f"studies.{column}" for column in columns], name=f"fk_{table}_study_studies"
    )


def _trial_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["trial"], ["trials.digest"], name=f"fk_{table}_trial_trials")
