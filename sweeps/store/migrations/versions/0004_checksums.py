"""Checksums of finished trials, so that nothing is read again to see whether anything is new."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Create the table; trials that are finished already have no row, and are read whole as before."""
    op.create_table(
        "checksums",
        sa.Column("trial", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("checksum", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("trial", name="pk_checksums"),
        sa.ForeignKeyConstraint(["trial"], ["trials.digest"], name=op.f("fk_checksums_trial_trials")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("checksums")
