"""Spectra: the singular values of the discriminator's layers."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Create the table."""
    name = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "spectra",
        sa.Column("trial", name, nullable=False),
        sa.Column("update", sa.Integer(), nullable=False),
        sa.Column("layer", name, nullable=False),
        sa.Column("weight", name, nullable=False),
        sa.Column("singular_values", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("trial", "update", "layer", "weight", name="pk_spectra"),
        sa.ForeignKeyConstraint(["trial"], ["trials.digest"], name="fk_spectra_trial_trials"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("spectra")
