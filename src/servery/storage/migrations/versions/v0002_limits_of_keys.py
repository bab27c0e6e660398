"""Limits of keys: what was booked of each quota, how far each process has written, and seconds of computing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the two tables, and the column."""
    op.add_column("usage", sa.Column("compute_seconds", sa.Float, nullable=False, server_default="0"))
    op.create_table(
        "quotas",
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("window_start", sa.String(32), nullable=False),
        sa.Column("booked", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key_id", "name", "window_start", name="pk_quotas"),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name="fk_quotas_key_id"),
    )
    op.create_table(
        "ledgers",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("granted", sa.JSON, nullable=False),
        sa.Column("written_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledgers"),
    )
