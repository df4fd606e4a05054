"""Leases: which launch runs a trial, so that several launches can share a study."""

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    """Create the table; nobody holds anything yet."""
    name = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "leases",
        sa.Column("trial", name, nullable=False),
        sa.Column("holder", name, nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("trial", name="pk_leases"),
        sa.ForeignKeyConstraint(["trial"], ["trials.digest"], name=op.f("fk_leases_trial_trials")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_leases_holder", "leases", ["holder"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_leases_holder", "leases")
    op.drop_table("leases")
