"""Reads data and says what could spoil a training, before any training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from servery.data.checks import Finding, check
from servery.data.dataset import Dataset
from servery.data.readers import read


def check_data(
    path: str | Path,
    *,
    target: str = "",
    kinds: Mapping[str, str] | None = None,
    roles: Mapping[str, str] | None = None,
) -> tuple[Dataset, tuple[Finding, ...]]:
    """Read a file or folder and check it.

    Raises:
        DataError: It cannot be read.
    """
    dataset = read(Path(path), target=target, kinds=kinds or {}, roles=roles or {})
    return dataset, check(dataset)
