"""The third schema: jobs, and the messages that tell of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "jobs",
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("idempotency_key", sa.String(256)),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("model", sa.String(300), nullable=False),
        sa.Column("task", sa.String(128), nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("input_format", sa.String(16), nullable=False),
        sa.Column("id_column", sa.String(256), nullable=False),
        sa.Column("webhook", sa.JSON),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("error", sa.JSON),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("started_at", sa.String(32)),
        sa.Column("finished_at", sa.String(32)),
        sa.Column("deadline_at", sa.String(32)),
        sa.Column("run_after", sa.String(32), nullable=False),
        sa.Column("lease", sa.String(32)),
        sa.Column("lease_until", sa.String(32)),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.Column("rows_total", sa.BigInteger),
        sa.Column("rows_done", sa.BigInteger, nullable=False),
        sa.Column("rows_failed", sa.BigInteger, nullable=False),
        sa.Column("output_bytes", sa.BigInteger, nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Column("compute_seconds", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_jobs"),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name="fk_jobs_key_id"),
        sa.UniqueConstraint("key_id", "id", name="uq_jobs_key_id_id"),
        sa.UniqueConstraint("key_id", "idempotency_key", name="uq_jobs_key_id_idempotency_key"),
    )
    op.create_index("ix_jobs_state_run_after", "jobs", ["state", "run_after"])
    op.create_index("ix_jobs_created_at_token", "jobs", ["created_at", "token"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("job", sa.String(32), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.String(32)),
        sa.Column("delivered_at", sa.String(32)),
        sa.Column("last_error", sa.String(300)),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["job"], ["jobs.token"], name="fk_deliveries_job"),
    )
    op.create_index("ix_deliveries_next_at", "deliveries", ["next_at"])
    op.create_index("ix_deliveries_job", "deliveries", ["job"])
