"""A stranger follows the README: every block of both languages runs, against a real server, on a csv of their own."""

from __future__ import annotations

import csv
import html
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from servery.fields._field import all_fields, find_field

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```(bash|python)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class House:
    """A server started by `servery up`, with the environment and folder of its user."""

    url: str
    environment: dict[str, str]
    folder: Path
    log: Path

    def get(self, path: str) -> httpx.Response:
        key = (Path(self.environment["SERVERY_HOME"]) / "admin.key").read_text().strip()
        return httpx.get(f"{self.url}{path}", headers={"Authorization": f"Bearer {key}"})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("stranger")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "SERVERY_HOME": str(folder / "home"),
        "SERVERY_PORT": str(port),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    environment.pop("SERVERY_DATA", None)
    _write_reviews(folder / "reviews.csv")
    log = folder / "up.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            ["servery", "up"], env=environment, cwd=folder, stdout=stream, stderr=stream
        )
    try:
        made = House(f"http://127.0.0.1:{port}", environment, folder, log)
        _wait_for_starters(made)
        yield made
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0, log.read_text()


def _write_reviews(path: Path) -> None:
    dataset = find_field("sentiment-analysis").offers[0].sample(300, 2)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(zip(dataset[dataset.inputs[0].name], dataset[dataset.target.name], strict=True))


def _wait_for_starters(house: House) -> None:
    until = time.monotonic() + 400
    while time.monotonic() < until:
        try:
            ready = {m["id"] for m in house.get("/v1/models").json().get("data", [])}
            told = re.findall(
                r"^(?:Try)?\s+servery run ", house.log.read_text(encoding="utf-8"), re.MULTILINE
            )
            if all_fields().keys() <= ready and len(told) >= len(all_fields()):
                return
        except (httpx.TransportError, OSError):
            pass
        time.sleep(0.5)
    pytest.fail(f"no starters after seven minutes:\n{house.log.read_text()}")


def test_every_starter_prints_a_line_that_works_as_pasted(house: House) -> None:
    text = house.log.read_text(encoding="utf-8")
    lines = re.findall(r"^(?:Try)?\s+(curl .*|servery run .*)$", text, re.MULTILINE)
    assert len(lines) == 2 * len(all_fields())
    for line in lines:
        result = _run(["bash", "-c", line], house)
        assert '"error"' not in result.stdout
        assert result.stdout.strip()


def test_every_call_on_the_api_page_works_as_it_stands(house: House) -> None:
    page = httpx.get(f"{house.url}/docs").text
    calls = [
        html.unescape(call) for call in re.findall(r"<pre [^>]*data-origin[^>]*>(.*?)</pre>", page, re.DOTALL)
    ]
    key = (Path(house.environment["SERVERY_HOME"]) / "admin.key").read_text().strip()
    # Capitals are for the reader to fill in.
    whole = [c for c in calls if not re.search(r"/[A-Z]+\b", c.partition("\n")[0]) and '"MODEL"' not in c]
    assert len(whole) >= len(calls) / 2
    for call in whole:
        assert house.url in call
        told = _run(["bash", "-c", f"KEY={key}; {call} -o /dev/null -w '%{{http_code}}'"], house).stdout
        assert told in ("200", "201", "202"), call


def test_samples_are_labelled_where_they_show(house: House) -> None:
    models = {m["id"]: m for m in house.get("/v1/models").json()["data"]}
    assert models["financial-risk"]["is_sample"] is True
    assert "(sample data)" in house.log.read_text(encoding="utf-8")


def test_the_chinese_readme_says_to_type_the_same() -> None:
    said, meant = (
        [(language, re.sub(r'"[^"\n]*"', "TEXT", code)) for language, code in blocks_of(name)]
        for name in ("README.zh-CN.md", "README.md")
    )
    assert said == meant


def test_every_block_of_the_readme_runs(house: House) -> None:
    blocks = blocks_of("README.md")
    assert len(blocks) >= 4
    for language, code in blocks:
        own = code.replace("http://127.0.0.1:8000", house.url)
        command = (
            ["bash", "-euo", "pipefail", "-c", own] if language == "bash" else [sys.executable, "-c", own]
        )
        result = _run(command, house)
        assert '"error"' not in result.stdout, result.stdout


def blocks_of(readme: str) -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / readme).read_text(encoding="utf-8"))


def test_the_demo_runs(house: House) -> None:
    result = _run([sys.executable, str(ROOT / "examples" / "quickstart.py")], house)
    assert "first@1" in result.stdout


def _run(command: list[str], house: House) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command,
        env=house.environment,
        cwd=house.folder,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result
