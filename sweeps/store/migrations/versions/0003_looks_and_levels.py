"""Looks of a study; verdicts with the level of their interval and their p value."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"

_NEW = ("level", "p_value")


def upgrade() -> None:
    """Create `looks`, and `verdicts` anew with two more columns; earlier verdicts keep them empty."""
    op.create_table(
        "looks",
        _name("study"),
        _name("preset"),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("study", "preset", name="pk_looks"),
        _study_key("looks"),
    )
    _make_verdicts_anew(_NEW)


def downgrade() -> None:
    """Drop what is new."""
    _make_verdicts_anew(())
    op.drop_table("looks")


def _make_verdicts_anew(new: tuple[str, ...]) -> None:
    """Make the table with its rows again: a column that SQLite adds would not stand there as it is declared."""
    connection = op.get_bind()
    rows = [dict(row) for row in connection.execute(sa.text("SELECT * FROM verdicts")).mappings()]
    op.drop_table("verdicts")
    table = op.create_table(
        "verdicts",
        _name("study"),
        _name("preset"),
        sa.Column("position", sa.Integer(), nullable=False),
        _name("claim"),
        _name("verdict"),
        *(sa.Column(name, sa.Double(), nullable=True) for name in ("effect", "low", "high", *new)),
        sa.Column("effect_label", sa.Text(), nullable=False),
        sa.Column("num_seeds", sa.Integer(), nullable=False),
        sa.Column("seeds_needed", sa.Integer(), nullable=True),
        _name("protocol"),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("study", "preset", "position", name="pk_verdicts"),
        _study_key("verdicts"),
        *(_finite(name) for name in ("effect", "low", "high", *new)),
    )
    op.bulk_insert(table, [{name: row.get(name) for name in (column.name for column in table.columns)} for row in rows])


def _name(column: str) -> sa.Column[Any]:
    return sa.Column(column, sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False)


def _finite(column: str) -> sa.CheckConstraint:
    condition = f"{column} IS NULL OR coalesce({column} - {column}, 1) = 0"
    return sa.CheckConstraint(condition, name=op.f(f"ck_verdicts_finite_{column}"))


def _study_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["study", "preset"], ["studies.study", "studies.preset"], name=op.f(f"fk_{table}_study_studies")
    )
