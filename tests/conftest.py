"""What holds for every test."""

from __future__ import annotations

import os

# Several runs on one machine must not want the same port.
os.environ.setdefault("SERVERY_GRPC_PORT", "0")
