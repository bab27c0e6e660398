"""What a key can be allowed to do."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """What a key must be allowed, to call a route. `PUBLIC` needs no key and is for a short list of routes."""

    PUBLIC = "public"
    PREDICT = "predict"
    MODELS_READ = "models:read"
    METRICS_READ = "metrics:read"
    ADMIN = "admin"
