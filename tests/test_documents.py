"""The papers a newcomer meets say what is true: made pages are fresh, every error code and setting is listed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_reference_page_is_what_the_code_says() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (ROOT / "docs" / "reference.md").read_text(encoding="utf-8") == generate.page(), "run: make docs"


def test_every_link_between_the_papers_leads_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} points at {target}"


def test_both_readmes_show_the_same_commands() -> None:
    def commands(name: str) -> list[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        return re.findall(r"^(servery \w+(?: \w+)?)", text, re.MULTILINE)

    assert commands("README.md") == commands("README.zh-CN.md")


def test_every_source_file_says_in_line_one_what_it_is_for() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        assert path.read_text(encoding="utf-8").startswith('"""'), path


def test_no_path_of_a_builders_machine_is_in_the_project() -> None:
    suspicious = re.compile(r"(?<![\w.])/(root|home|Users)/\w")
    for path in [*ROOT.rglob("*.py"), *ROOT.rglob("*.md"), *ROOT.rglob("*.toml"), ROOT / "Makefile"]:
        if not {".venv", ".venv-clients", ".bench"} & set(path.parts) and path != Path(__file__):
            assert not suspicious.search(path.read_text(encoding="utf-8")), path
