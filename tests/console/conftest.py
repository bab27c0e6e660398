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
    """Some starters' names, and two awkward models."""
    folder = tmp_path_factory.mktemp("console")
    house = House(Workspace.open(folder), "")
    sentiment, risk = find_field("sentiment-analysis"), find_field("financial-risk")
    house.train(sentiment.name, sentiment.name, sentiment.offers[0].sample(150, 0), "tfidf-linear")
    house.train(risk.name, risk.name, risk.offers[0].sample(200, 0), "logistic")
    house.train("computer-vision", "computer-vision", shades(), "mlp", epochs=5)
    driving = find_field("autonomous-driving")
    house.train(driving.name, driving.name, driving.offers[0].sample(40, 0), "constant-velocity")
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
        url: Of the server.
        requests: Every address that was asked for.
        troubles: Errors on the console, uncaught exceptions and dialogs.
    """

    page: Any
    url: str
    requests: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @classmethod
    def begin(
        cls, browser: Any, url: str, *, width: int = 1200, scheme: str = "light", locale: str = "en-US"
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, locale=locale
        )
        context.set_default_timeout(10_000)
        page = context.new_page()
        begun = cls(page, url)
        context.on("request", lambda request: begun.requests.append(request.url))
        page.on("console", lambda told: told.type == "error" and begun.troubles.append(told.text))
        page.on("pageerror", lambda error: begun.troubles.append(str(error)))
        page.on("dialog", lambda dialog: (begun.troubles.append(dialog.message), dialog.dismiss()))
        return begun

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
        self.page.wait_for_selector("#question button:enabled >> text=Ask")
        return str(self.page.inner_text("#answer .best"))

    def check(self) -> None:
        """Nothing may have gone wrong, and nothing may have been asked of another host."""
        assert self.troubles == []
        own = (self.url, f"blob:{self.url}")
        assert [address for address in self.requests if not address.startswith(own)] == []
        assert self.requests


@pytest.fixture
def visit(browser: Any, house: House) -> Iterator[Callable[..., Visit]]:
    """Begin a visit with a browser context of its own; it is checked when the test ends."""
    visits: list[Visit] = []

    def begin(**wishes: Any) -> Visit:
        visits.append(Visit.begin(browser, house.url, **wishes))
        return visits[-1]

    yield begin
    for begun in visits:
        begun.page.context.close()
        begun.check()


@pytest.fixture
def refused(visit: Callable[..., Visit]) -> Iterator[Visit]:
    """A visit to which the server says no: the browser puts every 4xx on the console."""
    begun: Visit = visit()
    yield begun
    begun.troubles[:] = [t for t in begun.troubles if not t.startswith("Failed to load resource")]


@pytest.fixture(scope="module")
def guest(browser: Any, house: House) -> Iterator[Visit]:
    begun = Visit.begin(browser, house.url)
    begun.enter(house.keys["root"])
    yield begun
    begun.page.context.close()


@pytest.fixture
def inside(guest: Visit) -> Iterator[Visit]:
    """A visit that is under way, for tests that open a model first; it is checked when the test ends."""
    guest.requests.clear()
    yield guest
    guest.check()
