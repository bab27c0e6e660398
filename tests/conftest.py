"""What holds for every test."""

from __future__ import annotations

import os

import pytest

# Several runs on one machine must not want the same port.
os.environ.setdefault("SERVERY_GRPC_PORT", "0")

LONGEST = ("tests/test_readme.py", "tests/test_docs_pages.py", "tests/models/test_every_recipe.py")
"""Begun first, so that no process is left alone with one of them at the end."""
CLOCKS = ("time", "psutil")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files, and give those that watch the clock or the memory a second chance.

    On a machine shared with others a process may lose its core for seconds at any moment.
    """
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
    for item in items:
        module = getattr(item, "module", None)
        if any(hasattr(module, clock) for clock in CLOCKS) or item.nodeid.startswith("tests/gateway"):
            item.add_marker(pytest.mark.flaky(reruns=2))
