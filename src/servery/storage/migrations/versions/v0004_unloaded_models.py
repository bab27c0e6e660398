"""Models that an operator unloaded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; every model there is stays loaded."""
    op.add_column("models", sa.Column("is_unloaded", sa.Boolean, nullable=False, server_default=sa.false()))
