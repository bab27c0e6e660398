"""A data home with tiny trained models, the whole server on it in a process of its own, and a browser."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import find_field
from servery.pipeline.plan import Plan
from servery.pipeline.train import train
from servery.pipeline.workspace import Workspace

HOSTILE = (
    '<img src=x onerror="window.isHacked=1">',
    "</script><script>window.isHacked=1</script>",
    "\"'><svg/onload=window.isHacked=1>",
)
"""Labels that a careless page would run."""

SERVE = """
import json
from servery.console.server import serve
from servery.settings import Settings
serve(Settings(), lambda url, new_key, settings: print(json.dumps(url), flush=True))
"""


@dataclass
class House:
    """A furnished data home and the server on it."""

    workspace: Workspace
    url: str
    keys: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, key: str | None = "root", **more: Any) -> httpx.Response:
        headers = {} if key is None else {"authorization": f"Bearer {self.keys.get(key, key)}"}
        return httpx.request(method, self.url + path, headers=headers, timeout=20, **more)

    def label(self, model: str, inputs: Any) -> str:
        answer = self.call("POST", f"/v1/models/{model}/predict", json={"inputs": inputs})
        return str(answer.json()["outputs"][0]["label"])

    def train(self, name: str, field: str, dataset: Dataset, recipe: str, **hyperparameters: Any) -> None:
        plan = Plan(name, field, "given", recipe=recipe, threads=1, hyperparameters=hyperparameters)
        train(plan, self.workspace, dataset=dataset, aliases=["production"])


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The starters' names, so that the calls on the API page work as they stand there, and two awkward models."""
    folder = tmp_path_factory.mktemp("console")
    house = House(Workspace.open(folder), "")
    sentiment, risk = find_field("sentiment-analysis"), find_field("financial-risk")
    house.train(sentiment.name, sentiment.name, sentiment.sample(150, 0), "tfidf-linear")
    house.train(risk.name, risk.name, risk.sample(200, 0), "logistic")
    house.train("computer-vision", "computer-vision", shades(), "mlp", epochs=5)
    house.train("vandal", sentiment.name, texts(HOSTILE[1], list(HOSTILE), "category"), "tfidf-linear")
    house.train(
        "moods",
        sentiment.name,
        texts("text", [["glad"], ["sad"], ["glad", "calm"]], "labels"),
        "tfidf-linear",
    )
    for name, *scopes in [("root", "admin"), ("app", "predict", "models:read"), ("asker", "predict")]:
        house.keys[name] = house.workspace.keys.create(name, scopes, actor="test")[1]
    process, house.url = started(folder)
    yield house
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert process.stdout is not None
    process.stdout.close()


def started(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", "SERVERY_HOME": str(folder), "SERVERY_PORT": "0"},
        text=True,
    )
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())
    end = time.monotonic() + 20
    while httpx.get(f"{url}/readyz").status_code != 200:
        assert time.monotonic() < end, "the server did not become ready"
        time.sleep(0.05)
    return process, url


def texts(column: str, labels: list[Any], kind: str) -> Dataset:
    """Texts that say by their first word which of the labels is theirs."""
    first = ["alpha", "beta", "gamma"]
    rows = [(f"{first[i % 3]} number {i}", labels[i % 3]) for i in range(90)]
    values = [";".join(label) if isinstance(label, list) else label for _, label in rows]
    raw = RawTable(
        {column: object_array([text for text, _ in rows]), "label": object_array(values)},
        np.arange(1, len(rows) + 1, dtype=np.int64),
    )
    return build_dataset(raw, "texts", target="label", kinds={column: "text", "label": kind})


def shades() -> Dataset:
    """Grey pictures, dark or bright."""
    grey = [(3 * i) % 100 + 150 * (i % 2) for i in range(60)]
    raw = RawTable(
        {
            "picture": object_array([picture(shade) for shade in grey]),
            "label": object_array(["bright" if shade >= 150 else "dark" for shade in grey]),
        },
        np.arange(1, len(grey) + 1, dtype=np.int64),
    )
    return build_dataset(raw, "shades", target="label", kinds={"picture": "image", "label": "category"})


def picture(shade: int) -> bytes:
    """A grey PNG of 8 x 8 pixels."""
    stream = io.BytesIO()
    Image.new("L", (8, 8), shade).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def png() -> Callable[[int], bytes]:
    return picture


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium; a module's fixture, because Playwright's loop must not outlive these tests."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@dataclass
class Visit:
    """Pages of one visitor; what went wrong in them is noted.

    Attributes:
        page: The page.
        requests: Every address that was asked for.
        troubles: Errors on the console, uncaught exceptions and dialogs.
    """

    page: Any
    url: str
    requests: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def enter(self, key: str) -> Any:
        """Open the start page and let the visitor in."""
        self.page.goto(self.url)
        self.page.get_by_label("Key").fill(key)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#asked-open", state="visible")
        return self.page

    def open(self, model: str) -> Any:
        self.page.click(f"[data-model='{model}']")
        self.page.wait_for_selector("#asked-open", state="visible")
        return self.page

    def ask(self) -> str:
        """Ask, and return the label that is shown."""
        self.page.get_by_role("button", name="Ask").click()
        self.page.wait_for_selector("#answer .best")
        return str(self.page.inner_text("#answer .best"))


@pytest.fixture
def visit(browser: Any, house: House) -> Iterator[Callable[..., Visit]]:
    """Begin a visit; at its end nothing may have gone wrong, or to another host.

    A test that provokes a refusal says so by `is_refused=True`: browsers put every 4xx on the console.
    """
    visits: list[tuple[Visit, bool]] = []

    def begin(
        width: int = 1200, scheme: str = "light", locale: str = "en-US", is_refused: bool = False
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            locale=locale,
            accept_downloads=True,
        )
        context.set_default_timeout(10_000)
        page = context.new_page()
        begun = Visit(page, house.url)
        context.on("request", lambda request: begun.requests.append(request.url))
        page.on("console", lambda told: told.type == "error" and begun.troubles.append(told.text))
        page.on("pageerror", lambda error: begun.troubles.append(str(error)))
        page.on("dialog", lambda dialog: (begun.troubles.append(dialog.message), dialog.dismiss()))
        visits.append((begun, is_refused))
        return begun

    yield begin
    for begun, is_refused in visits:
        begun.page.context.close()
        left = [
            told for told in begun.troubles if not (is_refused and told.startswith("Failed to load resource"))
        ]
        assert left == []
        elsewhere = [url for url in begun.requests if not url.startswith((house.url, f"blob:{house.url}"))]
        assert elsewhere == []
        assert begun.requests
