"""Every page of the documentation is followed: its blocks run as they stand, against a real server."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "tests" / "gateway" / "house.py"
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
STANDS_FOR = {"sentiment-analysis": "reviews", "financial-risk": "loans", "computer-vision": "shades"}
"""The pages ask the starters of `servery up`; the tests' house has smaller ones."""


@dataclass(frozen=True)
class Block:
    page: Path
    number: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT / 'docs')}:{self.number}"


def is_followed(page: Path) -> bool:
    """Whether a page's blocks run here; those of a translation are the same as the page's own."""
    made = page.name in ("reference.md", "benchmarks.md") or "decisions" in page.parts
    return not made and not page.name.endswith(".zh-CN.md")


TRANSLATIONS = sorted((ROOT / "docs").rglob("*.zh-CN.md"))


@pytest.mark.parametrize("page", TRANSLATIONS, ids=lambda page: page.name)
def test_a_translation_says_to_type_what_the_page_says(page: Path) -> None:
    original = page.with_name(page.name.replace(".zh-CN.md", ".md"))
    said, meant = (BLOCK.findall(p.read_text(encoding="utf-8")) for p in (page, original))
    assert said == meant


def blocks() -> list[Block]:
    found = []
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if is_followed(page):
            matches = BLOCK.findall(page.read_text(encoding="utf-8"))
            found += [Block(page, number, *match) for number, match in enumerate(matches, 1)]
    return found


def load_house() -> Any:
    if "servery_test_house" not in sys.modules:
        spec = importlib.util.spec_from_file_location("servery_test_house", HOUSE)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["servery_test_house"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["servery_test_house"])
    return sys.modules["servery_test_house"]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, dict[str, str], Path]]:
    """A running server, and the environment and folder of somebody who follows the pages."""
    house = load_house()
    folder = tmp_path_factory.mktemp("pages")
    with house.open_home(folder / "home") as home:
        house.furnish(home)
        for starter, tiny in STANDS_FOR.items():
            home.register(starter, getattr(house, tiny)(), "production", is_sample=True)
        home.settings.admin_key_file.write_text(home.secrets["root"])
        home.settings.admin_key_file.chmod(0o600)
        server = house.ServerProcess(home.folder, {})
        server.wait_until_ready(60)
        environment = {
            **os.environ,
            "SERVERY_HOME": str(home.folder),
            "SERVERY_PORT": str(server.port),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        yield server, environment, folder
        server.stop()


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_a_block_of_a_page_runs_as_it_stands(reader: tuple[Any, dict[str, str], Path], block: Block) -> None:
    server, environment, folder = reader
    code = block.code.replace("http://127.0.0.1:8000", server.url).replace("127.0.0.1:8001", server.grpc)
    shell = ["bash", "-euo", "pipefail", "-c", code]
    command = shell if block.language == "bash" else [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert '"error"' not in done.stdout, done.stdout[-2000:]
