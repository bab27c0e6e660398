"""The tables of the metadata database; a change here needs a migration beside it."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
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
    Index(None, "bucket_start"),
)

revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)
