"""The tables of the metadata database; a change here needs a migration beside it."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

models = Table(
    "models",
    metadata,
    Column("name", String(128), primary_key=True),
    # Kept when versions are removed, so that a number is never given twice.
    Column("last_number", Integer, nullable=False),
    # Until an operator loads it again, no server answers for it.
    Column("is_unloaded", Boolean, nullable=False, server_default=false()),
)

versions = Table(
    "versions",
    metadata,
    Column("model", ForeignKey(models.c.name), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("digest", String(64), nullable=False, index=True),
    Column("task", String(128), nullable=False),
    Column("field", String(128), nullable=False),
    Column("recipe", String(128), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("lineage", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
)

aliases = Table(
    "aliases",
    metadata,
    Column("model", String(128), primary_key=True),
    Column("alias", String(128), primary_key=True),
    Column("number", Integer, nullable=False),
    # The database itself refuses an alias of a version that is gone.
    ForeignKeyConstraint(["model", "number"], [versions.c.model, versions.c.number]),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", String(32), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("detail", JSON, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False, index=True),
    Column("hash", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("limits", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32)),
    Column("revoked_at", String(32)),
    Column("last_used_at", String(32)),
    UniqueConstraint("hash"),
)

usage = Table(
    "usage",
    metadata,
    Column("key_id", ForeignKey(keys.c.id), primary_key=True),
    Column("model", String(128), primary_key=True),
    Column("unit", String(64), primary_key=True),
    Column("bucket_start", String(32), primary_key=True),
    Column("amount", Float, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("compute_seconds", Float, nullable=False, server_default="0"),
    Index(None, "bucket_start"),
)

# What the servers took out of each quota, ahead of spending it.
quotas = Table(
    "quotas",
    metadata,
    Column("key_id", ForeignKey(keys.c.id), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("window_start", String(32), primary_key=True),
    Column("booked", BigInteger, nullable=False),
)

# The last batch each server process wrote and what it was granted, so that a batch sent twice counts once.
ledgers = Table(
    "ledgers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("granted", JSON, nullable=False),
    Column("written_at", String(32), nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    # Names its folder too; ids are their owners' to choose, and unique only among the jobs of one key.
    Column("token", String(32), primary_key=True),
    Column("key_id", ForeignKey(keys.c.id), nullable=False),
    Column("id", String(128), nullable=False),
    Column("idempotency_key", String(256)),
    Column("request_hash", String(64), nullable=False),
    Column("model", String(300), nullable=False),
    Column("task", String(128), nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("input_format", String(16), nullable=False),
    Column("id_column", String(256), nullable=False),
    Column("webhook", JSON(none_as_null=True)),
    Column("state", String(16), nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("created_at", String(32), nullable=False),
    Column("started_at", String(32)),
    Column("finished_at", String(32)),
    Column("deadline_at", String(32)),
    Column("run_after", String(32), nullable=False),
    # Who runs it, and until when nobody else may.
    Column("lease", String(32)),
    Column("lease_until", String(32)),
    Column("runs", Integer, nullable=False),
    # Counts up with everything that a watcher should hear of.
    Column("change", BigInteger, nullable=False),
    Column("rows_total", BigInteger),
    Column("rows_done", BigInteger, nullable=False),
    Column("rows_failed", BigInteger, nullable=False),
    Column("output_bytes", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("compute_seconds", Float, nullable=False),
    UniqueConstraint("key_id", "id"),
    UniqueConstraint("key_id", "idempotency_key"),
    Index(None, "state", "run_after"),
    Index(None, "created_at", "token"),
)

# Messages to webhooks: written with the change they tell of, sent afterwards until they are taken.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("job", ForeignKey(jobs.c.token), nullable=False, index=True),
    Column("event", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    # None: it was taken, or given up.
    Column("next_at", String(32), index=True),
    Column("delivered_at", String(32)),
    Column("last_error", String(300)),
)

revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)
