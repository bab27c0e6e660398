"""What the start page draws of the answers of different tasks, in a real browser."""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servery.data.audio import wav_of

pytestmark = pytest.mark.browser

GATEWAY = Path(__file__).parents[1] / "gateway" / "house.py"
ROOMS = {
    "names": ("names", "names"),
    "quarters": ("detector", "detector"),
    "regions": ("regions", "regions"),
    "tones": ("openai_models", "tones"),
    "abridger": ("summarizers", "abridger"),
    "capitals": ("graphs", "capitals"),
    "founders": ("graphs", "founders"),
    "shapes": ("openai_models", "shapes"),
    "shelves": ("shelves", "shelves"),
    "weather": ("homes", "weather"),
    "butler": ("homes", "butler"),
    "walkers": ("walkers", "walkers"),
    "shipwright": ("designers", "shipwright"),
}
"""Models to ask: the room they stand in, and what makes them there."""


def models() -> Any:
    """Return the module of the gateway's tests that makes tiny models of every task."""
    if "servery_test_house" not in sys.modules:
        spec = importlib.util.spec_from_file_location("servery_test_house", GATEWAY)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["servery_test_house"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["servery_test_house"])
    return sys.modules["servery_test_house"]


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A visit to a server with a tiny model of each task."""
    conftest = sys.modules[browser_conftest()]
    folder, made = tmp_path_factory.mktemp("drawn") / "home", models()
    with made.open_home(folder) as home:
        every = made.load_room("openai_models").all_models()
        for name, (room, maker) in ROOMS.items():
            model = every[name] if room == "openai_models" else getattr(made.load_room(room), maker)()
            home.register(name, model, "production")
        key = home.key("app", "predict", "models:read")
    process, url = conftest.started(folder)
    begun = conftest.Visit.begin(browser, url)
    begun.enter(key)
    yield begun
    begun.page.context.close()
    begun.check()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stdout.close()


def browser_conftest() -> str:
    return next(
        name
        for name, module in sys.modules.items()
        if getattr(module, "__file__", "") == str(Path(__file__).parent / "conftest.py")
    )


def drawn(begun: Any, model: str, text: str | None = None) -> Any:
    """Ask a model, with the example or a text, and return what is drawn."""
    page = begun.open(model)
    if text is not None:
        page.locator("#input-0").fill(text)
    page.get_by_role("button", name="Ask").click()
    page.wait_for_selector("#answer .drawn > div")
    return page.locator("#answer .drawn")


def test_entities_are_marked_in_the_text(page: Any) -> None:
    marks = drawn(page, "names", "😀 Ann Lind lives in Rome.").locator("mark").all_inner_texts()
    assert [mark.split() for mark in marks] == [["Ann", "Lind", "person"], ["Rome", "place"]]


def test_boxes_lie_where_the_things_are(page: Any) -> None:
    answer = drawn(page, "quarters")
    boxes = answer.locator("rect").evaluate_all("all => all.map(e => e.getBBox()).map(b => [b.x, b.y])")
    assert boxes == [[0, 0], [16, 16]]
    frame, over = (answer.locator(f".layers > {part}").bounding_box() for part in ("canvas", "svg"))
    assert frame == over
    assert answer.locator("tbody tr").count() == 2


def test_masks_are_laid_over_the_picture(page: Any) -> None:
    tab = page.open("regions")
    picture = models().load_room("detector").picture(1)
    tab.locator("#input-0").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture})
    tab.get_by_role("button", name="Ask").click()
    tab.wait_for_selector("#answer tbody tr:nth-child(2)")
    tab.wait_for_timeout(300)
    colour = "e => [...e.getContext('2d').getImageData(%d, 4, 1, 1).data]"
    dark, bright = (tab.locator("canvas.over").evaluate(colour % x) for x in (4, 28))
    assert dark != bright
    assert 0 < dark[3] < 255
    assert tab.locator("#answer td.dotted").all_inner_texts() == ["dark", "bright"]


def test_a_recording_is_shown_and_its_words_stand_at_their_time(page: Any) -> None:
    seconds = np.arange(16_000) / 8000
    sound = wav_of(np.sin(2 * np.pi * seconds * np.where(seconds < 1, 300, 900)) / 2, 8000)
    tab = page.open("tones")
    tab.locator("#input-0").set_input_files({"name": "a.wav", "mimeType": "audio/wav", "buffer": sound})
    tab.get_by_role("img", name="a.wav, 2.0 s").wait_for()
    tab.get_by_role("button", name="Ask").click()
    tab.wait_for_selector("#answer .word")
    assert tab.inner_text("#answer .best")
    assert tab.get_by_role("button", name="Record").is_visible()


def test_a_summary_is_marked_in_its_source(page: Any) -> None:
    answer = drawn(page, "abridger")
    source = page.page.input_value("#input-0")
    assert all(mark in source for mark in answer.locator("mark").all_inner_texts())
    assert answer.locator("mark").count() >= 1


def test_facts_are_nodes_and_arrows(page: Any) -> None:
    assert drawn(page, "founders").locator("svg text").all_text_contents() == ["Ann", "Acme", "founded"]
    answer = drawn(page, "capitals")
    assert answer.locator("line.edge").count() == 6
    assert "中国" in answer.locator("svg").first.get_attribute("aria-label")


def test_pictures_are_drawn_by_seed_one_by_one_or_as_a_grid(page: Any) -> None:
    tab = page.open("shapes")
    tab.get_by_text("Settings").click()
    tab.get_by_label("seed").fill("3")
    tab.locator("#setting-n").fill("4")
    with tab.expect_request("**/predict") as asked:
        tab.get_by_role("button", name="Ask").click()
    assert asked.value.post_data_json["parameters"] == {"n": 4, "seed": 3}
    tab.wait_for_selector("#answer figure:nth-of-type(1)")
    assert tab.locator("#answer figure").count() == 4
    tab.get_by_label("grid").select_option(label="true")
    tab.get_by_role("button", name="Ask").click()
    tab.wait_for_selector("#answer figure >> text=(4)")
    assert tab.locator("#answer figure").count() == 1
    with tab.expect_download() as saved:
        tab.get_by_role("button", name="Save").click()
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")


def test_items_a_forecast_tracks_a_command_and_designs_are_drawn(page: Any) -> None:
    items = drawn(page, "shelves").locator("li").all_inner_texts()
    assert len(items) == 5
    assert items[0].startswith("teapot")
    forecast = drawn(page, "weather", "12, 14, , 15")
    assert forecast.locator("polygon.band").count() == 1
    assert forecast.locator("polyline.past").count() == 2  # nothing is drawn where a reading is missing
    assert forecast.locator("tbody tr").count() == 3
    assert drawn(page, "walkers").locator("svg text").all_text_contents() == ["ann"]
    command = drawn(page, "butler", "lights on")
    assert command.locator(".best").inner_text() == "HassTurnOn"
    designs = drawn(page, "shipwright")
    assert designs.locator("thead th").all_inner_texts()[:3] == ["length_m", "wood", "speed"]
    assert designs.locator("tbody tr").count() == 10
