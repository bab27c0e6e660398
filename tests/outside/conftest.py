"""One furnished server for all judges: a model of every task the tests' house has."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

collect_ignore = ["judges"]  # they run in their own environment

HOUSE = Path(__file__).parent.parent / "gateway" / "house.py"


def _house() -> Any:
    if "servery_test_house" not in sys.modules:
        spec = importlib.util.spec_from_file_location("servery_test_house", HOUSE)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["servery_test_house"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["servery_test_house"])
    return sys.modules["servery_test_house"]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """The house's home and a running server on it."""
    house = _house()
    with house.open_home(tmp_path_factory.mktemp("outside") / "home") as home:
        house.furnish(home)
        server = house.ServerProcess(home.folder, {})
        server.wait_until_ready(60)
        yield home, server
        assert server.stop() == 0
