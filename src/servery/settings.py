"""What an operator can set: read from the environment (SERVERY_*) when the object is made, never at import."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting, with its default and its bound.

    >>> Settings(home=Path("/tmp/house")).database_url
    'sqlite:////tmp/house/servery.db'
    """

    model_config = SettingsConfigDict(env_prefix="SERVERY_", env_parse_none_str="off", extra="ignore")

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
    grpc_port: int | None = Field(
        default=8001,
        ge=0,
        le=65535,
        description="Port of the inference protocol over gRPC; 0 picks one, and so does `port` 0; `off` for none.",
    )
    workers: int = Field(
        default=1, ge=1, le=256, description="Processes that share the port and answer at the same time."
    )
    model_memory_mb: int = Field(
        default=-1,
        ge=-1,
        description="Memory that all loaded models may take together, in MB of 2**20 bytes, shared out among the "
        "workers; 0 is no bound, -1 is half of what the machine has.",
    )
    request_log: str | None = Field(
        default="file",
        description="Where every request leaves one line: `file` (logs/requests.jsonl in the data home), a path, "
        "`stderr`, or `off`.",
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
    max_audio_seconds: int = Field(default=600, ge=1, description="Longest recording of one input.")
    max_queue_rows: int = Field(default=4096, ge=1, description="Most inputs waiting for one model.")
    max_batch_rows: int = Field(default=64, ge=1, description="Most inputs in one forward pass.")
    max_growing: int = Field(
        default=32, ge=1, le=1024, description="Most answers that grow side by side in one model, e.g. texts."
    )
    max_growing_mb: int = Field(
        default=1024,
        ge=1,
        description="Memory that the answers growing in one model may need together, in MB of 2**20 bytes, e.g. for "
        "keys and values of texts; more wait.",
    )
    placement: Literal["auto", "inline", "thread", "process"] = Field(
        default="auto",
        description="Where models run: on the event loop, in a thread, in a process of their own, or where a "
        "measurement at first load says.",
    )
    placements: dict[str, Literal["auto", "inline", "thread", "process"]] = Field(
        default={}, description='The same for single models, by name, e.g. `{"reviews": "process"}`.'
    )
    forward_timeout_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Longest forward pass of a model in a process of its own; then the process is ended.",
    )
    isolated_memory_mb: int = Field(
        default=0,
        ge=0,
        description="Private memory that the process of one model may have, in MB of 2**20 bytes; 0 is no bound.",
    )
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

    jobs_at_once: int = Field(
        default=1, ge=0, le=64, description="Jobs that one server process runs at the same time; 0 for none."
    )
    job_rows_in_flight: int = Field(
        default=256, ge=1, description="Most rows of one job that wait for its model at the same time."
    )
    job_lease_seconds: float = Field(
        default=10.0,
        gt=0,
        description="How long after the last sign of life a job is taken from a dead process.",
    )
    job_retention_days: float = Field(
        default=7.0, gt=0, description="How long after its end a job is kept, with its input and its results."
    )
    max_jobs_per_key: int = Field(default=100, ge=1, description="Most jobs of one key that are not over.")
    max_job_result_bytes: int = Field(
        default=16 * 2**30,
        ge=1024,
        description="Largest results of one job; it fails when it would have more.",
    )
    max_upload_bytes: int = Field(
        default=2**30, ge=1024, description="Largest file of rows that is sent for a job."
    )
    webhook_allow_private: bool = Field(
        default=False,
        description="Whether webhooks may be sent to addresses of this machine and its own network.",
    )
    webhook_retry_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Pause before a webhook is sent a second time; each further one is longer.",
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
    def jobs(self) -> Path:
        """Folder of the jobs, with their inputs and results."""
        return self.home / "jobs"

    @property
    def runs(self) -> Path:
        """Folder of the trainings under way, with their checkpoints."""
        return self.home / "runs"

    @property
    def measurements(self) -> Path:
        """Folder of how fast each version is on this machine."""
        return self.home / "measurements"

    @property
    def admin_key_file(self) -> Path:
        """The first key, readable by its owner only."""
        return self.home / "admin.key"
