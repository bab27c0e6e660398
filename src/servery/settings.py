"""What an operator can set: read from the environment (SERVERY_*) when the object is made, never at import."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting, with its default and its bound.

    >>> Settings(home=Path("/tmp/house")).database_url
    'sqlite:////tmp/house/servery.db'
    """

    model_config = SettingsConfigDict(env_prefix="SERVERY_", extra="ignore")

    home: Path = Field(
        default_factory=lambda: user_data_path("servery"),
        description="Folder of the database, the models and the admin key.",
    )
    data: Path | None = Field(
        default=None, description="Folder of data sets, one subfolder a field, one below it a set."
    )
    host: str = Field(default="127.0.0.1", description="Address the server listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the server listens on; 0 picks one.")
    allow_remote: bool = Field(
        default=False, description="Whether the server may listen on an address that others can reach."
    )
    threads: int = Field(
        default=1, ge=1, le=256, description="Threads one model may use inside one forward pass."
    )
    training_threads: int = Field(
        default=0, ge=0, le=256, description="Threads of a training; 0 means all cores."
    )
    max_body_bytes: int = Field(default=32 * 2**20, ge=1024, description="Largest request body.")
    max_header_bytes: int = Field(default=64 * 2**10, ge=1024, description="Largest request head.")
    max_inputs: int = Field(default=1024, ge=1, description="Most inputs in one request.")
    max_text_characters: int = Field(default=100_000, ge=1, description="Longest text of one input.")
    max_image_pixels: int = Field(default=25_000_000, ge=1, description="Most pixels of one picture.")
    max_queue_rows: int = Field(default=4096, ge=1, description="Most inputs waiting for one model.")
    max_batch_rows: int = Field(default=64, ge=1, description="Most inputs in one forward pass.")
    default_deadline_ms: int = Field(
        default=30_000, ge=1, description="Deadline of a request that names none."
    )
    header_timeout_seconds: float = Field(
        default=15.0, gt=0, description="Longest wait for a request's head."
    )
    body_timeout_seconds: float = Field(default=60.0, gt=0, description="Longest wait for a request's body.")
    drain_seconds: float = Field(
        default=10.0, ge=0, description="How long a stopping server lets requests finish."
    )

    @cached_property
    def database_url(self) -> str:
        """SQLAlchemy URL of the metadata database."""
        return f"sqlite:///{self.home / 'servery.db'}"

    @property
    def artifacts(self) -> Path:
        """Folder of the registered versions."""
        return self.home / "artifacts"

    @property
    def runs(self) -> Path:
        """Folder of the trainings under way, with their checkpoints."""
        return self.home / "runs"

    @property
    def admin_key_file(self) -> Path:
        """The first key, readable by its owner only."""
        return self.home / "admin.key"
