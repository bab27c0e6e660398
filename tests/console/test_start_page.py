"""The start page in a real browser: the key, the list, asking each kind of model, and what must never happen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Visits = Callable[..., Any]

LABELLING = ["computer-vision", "financial-risk", "moods", "sentiment-analysis", "vandal"]
MODELS = sorted([*LABELLING, "autonomous-driving"])

UNLABELLED = """
() => [...document.querySelectorAll("input, select, textarea, button, a, summary, canvas")]
  .filter((control) => control.checkVisibility())
  .filter((control) => !(control.labels?.[0]?.textContent || control.ariaLabel || control.textContent).trim())
  .map((control) => control.outerHTML)
"""
HEADINGS = """
() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
  .filter((heading) => heading.checkVisibility()).map((heading) => Number(heading.tagName[1]))
"""
PALE = """
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const channels = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colours) => {
    const [r, g, b] = channels(colours).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const pale = [];
  for (const element of document.querySelectorAll("body *")) {
    const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!says || !element.checkVisibility({ opacityProperty: true })) continue;
    const below = [];
    for (let e = element; e; e = e.parentElement) below.unshift(getComputedStyle(e).backgroundColor);
    const [high, low] = [light(below), light([...below, getComputedStyle(element).color])].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) pale.push(`${contrast.toFixed(2)} ${element.outerHTML.slice(0, 80)}`);
  }
  return pale;
}
"""
"""Texts with less than 4.5:1 of contrast to what lies under them. Source: WCAG 2.2, 1.4.3 and relative luminance."""


def example(house: Any, model: str) -> Any:
    return house.call("GET", f"/v1/models/{model}").json()["example"]


def test_a_key_shows_the_models_it_may_use(visit: Visits, house: Any) -> None:
    page = visit().enter(house.keys["app"])
    assert page.locator(".model-name").all_inner_texts() == MODELS
    risk = page.locator("[data-model=financial-risk]")
    assert risk.locator(".state").inner_text() == "ready"
    assert risk.locator(".sample").inner_text() == "sample data"
    assert risk.locator(".model-title").inner_text() == "Financial risk 金融风险"
    assert page.locator("[data-model=computer-vision] .sample").is_hidden()
    assert page.locator("#door").is_hidden()
    assert page.locator("[data-model][aria-current=true] .model-name").all_inner_texts() == [MODELS[0]]


def test_the_key_is_kept_in_this_tab_and_nowhere_else(visit: Visits, house: Any) -> None:
    begun = visit()
    page = begun.enter(house.keys["app"])
    assert page.input_value("#key") == ""
    assert page.evaluate("JSON.stringify([localStorage, document.cookie])") == '[{},""]'
    assert page.context.cookies() == []
    assert not any(house.keys["app"] in address for address in begun.requests)
    page.reload()
    page.wait_for_selector("[data-model]")
    other = page.context.new_page()
    other.goto(house.url)
    assert other.get_by_label("Key").is_visible()


def test_a_forgotten_key_closes_the_page(visit: Visits, house: Any) -> None:
    page = visit().enter(house.keys["app"])
    page.get_by_role("button", name="Forget the key").click()
    assert page.get_by_label("Key").is_visible()
    assert page.locator("[data-model]").count() == 0
    assert page.evaluate("sessionStorage.length") == 0


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("sk-servery-wrong", "This needs a valid key."),
        ("ключ", "A key is made of letters, digits and dashes only."),
        (None, "it needs the scope 'models:read'."),
    ],
)
def test_a_key_that_does_not_fit_gets_the_servers_sentence(
    refused: Any, house: Any, key: str | None, sentence: str
) -> None:
    page = refused.page
    page.goto(house.url)
    page.get_by_label("Key").fill(key or house.keys["asker"])
    page.get_by_role("button", name="Show the models").click()
    trouble = page.get_by_role("alert").first
    trouble.wait_for()
    assert sentence in trouble.inner_text()
    assert page.locator("#workplace").is_hidden()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_revoked_key_brings_the_visitor_back_to_the_door(refused: Any, house: Any) -> None:
    record, secret = house.workspace.keys.create("short-lived", ["models:read"], actor="test")
    page = refused.enter(secret)
    house.workspace.keys.revoke(record.id, actor="test")
    while house.call("GET", "/v1/models", key=secret).status_code != 401:
        time.sleep(0.05)
    page.evaluate(
        "document.dispatchEvent(new Event('visibilitychange'))"
    )  # as when the visitor comes back to it
    page.wait_for_selector("#door", state="visible")
    assert "valid key" in page.inner_text("#trouble")


def test_a_text_is_asked_and_answered(inside: Any, house: Any) -> None:
    page = inside.open("sentiment-analysis")
    for text in (
        "The staff were friendly and the room was spotless.",
        "Broken on arrival, never again.\nAwful.",
    ):
        page.get_by_label("text").fill(text)
        assert inside.ask() == house.label("sentiment-analysis", text)
    bars = page.locator("#answer .bars li")
    assert bars.count() == 3
    widths = [
        float(w.rstrip("%"))
        for w in page.eval_on_selector_all(".meter span", "all => all.map(e => e.style.width)")
    ]
    assert widths == sorted(widths, reverse=True)
    assert sum(widths) == pytest.approx(100)
    assert bars.nth(0).locator(".bar-score").inner_text() == f"{widths[0]:.1f}%"
    assert "do not rely on it" in page.inner_text("#answer .note")
    page.get_by_text("As JSON").click()
    shown = json.loads(page.inner_text("#answer pre"))
    assert shown["outputs"][0]["label"] == page.inner_text("#answer .best")


def test_a_picture_is_shown_and_answered(inside: Any, house: Any, png: Callable[[int], bytes]) -> None:
    page = inside.open("computer-vision")
    chooser = page.get_by_label("picture", exact=True)
    for shade, label in ((250, "bright"), (5, "dark")):
        chooser.set_input_files({"name": f"it's {shade}.png", "mimeType": "image/png", "buffer": png(shade)})
        page.get_by_role("img", name=f"it's {shade}.png, 8 × 8").wait_for()
        pixel = page.eval_on_selector("canvas", "c => [...c.getContext('2d').getImageData(4, 4, 1, 1).data]")
        assert pixel == [shade, shade, shade, 255]
        assert inside.ask() == label
    page.get_by_role("button", name="Use the example").click()
    page.get_by_role("img", name="The example's picture").wait_for()
    assert inside.ask() == house.label("computer-vision", example(house, "computer-vision"))


def test_a_row_is_asked_with_a_control_for_every_column(inside: Any, house: Any) -> None:
    page = inside.open("financial-risk")
    model = house.call("GET", "/v1/models/financial-risk").json()
    for column in model["inputs"]:
        control = page.get_by_label(column["name"], exact=True)
        assert (
            control.evaluate("e => e.type") == {"number": "number", "category": "select-one"}[column["kind"]]
        )
    employment = page.get_by_label("employment").locator("option").all_inner_texts()
    assert employment == ["(missing)", "employed", "retired", "self-employed", "student", "unemployed"]
    safe = {"income": 90000, "loan_amount": 500, "debt_ratio": 0.01, "late_payments": 0, "age": 50}
    risky = {"income": 9000, "loan_amount": 60000, "debt_ratio": 0.95, "late_payments": 9, "age": 20}
    for row, employment_kind in ((safe, "retired"), (risky, "unemployed")):
        for name, value in row.items():
            page.get_by_label(name, exact=True).fill(str(value))
        page.get_by_label("employment").select_option(label=employment_kind)
        page.get_by_label("purpose").select_option(label="home")
        asked = {**row, "employment": employment_kind, "purpose": "home"}
        assert inside.ask() == house.label("financial-risk", asked)
    assert page.inner_text("#answer .best") == "yes"


def test_an_empty_control_is_sent_as_missing(inside: Any, house: Any) -> None:
    page = inside.open("financial-risk")
    page.get_by_label("income").fill("")
    page.get_by_label("purpose").select_option(label="(missing)")
    with page.expect_request("**/predict") as asked:
        inside.ask()
    row = asked.value.post_data_json["inputs"]
    assert row["income"] is None
    assert row["purpose"] is None
    assert row["age"] == example(house, "financial-risk")["age"]


def test_half_a_number_is_not_taken_for_a_missing_one(inside: Any, house: Any) -> None:
    page = inside.open("financial-risk")
    page.get_by_label("income").fill("")
    page.get_by_label("income").press_sequentially("1e")
    page.get_by_role("button", name="Ask").click()
    page.wait_for_timeout(200)
    assert page.get_by_label("income").evaluate("e => e.validity.badInput && e === document.activeElement")
    assert not any(address.endswith("/predict") for address in inside.requests)


def test_a_model_of_many_labels_shows_the_selected_ones(inside: Any, house: Any) -> None:
    page = inside.open("moods")
    page.get_by_label("text").fill("gamma number 2")
    shown = inside.ask().split(" · ")
    output = house.call("POST", "/v1/models/moods/predict", json={"inputs": "gamma number 2"}).json()[
        "outputs"
    ][0]
    assert shown == [label["label"] for label in output["labels"] if label["selected"]]
    assert page.locator("#answer .chosen").count() == len(shown)


def test_a_refused_input_says_which_and_why(refused: Any, house: Any) -> None:
    page = refused.enter(house.keys["app"])
    refused.open("computer-vision")
    page.get_by_label("picture", exact=True).set_input_files(
        {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    page.get_by_text("Your browser cannot show this file").wait_for()
    page.get_by_role("button", name="Ask").click()
    page.locator("#question-trouble").wait_for()
    assert "is no PNG, JPEG, GIF, BMP or WebP picture" in page.inner_text("#question-trouble")
    refused.open("sentiment-analysis")
    page.get_by_label("text").fill("x" * 100_001)
    page.get_by_role("button", name="Ask").click()
    page.locator("#question-trouble").wait_for()
    assert "this model accepts 100,000" in page.inner_text("#question-trouble")
    assert page.get_by_label("text").get_attribute("aria-invalid") == "true"


def test_the_shown_curl_gives_the_shown_answer(inside: Any, house: Any, tmp_path: Any, png: Any) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    page = inside.page
    (tmp_path / "it's.png").write_bytes(png(250))

    def call() -> str:
        page.wait_for_function("document.querySelector('#curl').textContent.startsWith('curl')")
        environment = {**os.environ, "KEY": house.keys["app"]}
        line = page.locator("#curl").text_content()
        told = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, check=True
        )
        return str(json.loads(told.stdout)["outputs"][0]["label"])

    inside.open("sentiment-analysis")
    page.get_by_label("text").fill("It's a 'great' \"thing\" $(exit 1) \\ `x`\n很好")
    assert call() == inside.ask()
    inside.open("financial-risk")
    assert call() == inside.ask()
    inside.open("computer-vision")
    page.get_by_label("picture", exact=True).set_input_files(tmp_path / "it's.png")
    assert call() == inside.ask() == "bright"


def test_texts_from_models_are_never_run(inside: Any, house: Any) -> None:
    page = inside.open("vandal")
    labels = house.call("GET", "/v1/models/vandal").json()["labels"]
    page.get_by_label("</script>").fill('<img src=x onerror="window.isHacked=1">')
    shown = inside.ask()
    assert shown in labels
    assert "<" in shown
    assert all(label in page.inner_text("#facts") for label in labels)
    page.get_by_text("As JSON").click()
    assert shown in json.loads(page.inner_text("#answer pre"))["outputs"][0]["label"]
    page.wait_for_timeout(300)
    assert page.evaluate("window.isHacked") is None


def test_the_policy_holds_even_for_our_own_scripts(visit: Visits, house: Any) -> None:
    begun = visit()
    begun.page.goto(house.url)
    refused = begun.page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return ''; } catch (error) { return error.name; } }"
    )
    assert refused == "TypeError"
    begun.troubles.clear()  # the browser reports what it refused


def test_metrics_documents_and_reports_open_with_the_key(inside: Any, house: Any) -> None:
    page = inside.open("sentiment-analysis")
    page.get_by_role("link", name="Metrics").click()
    page.wait_for_selector("#viewer[open]")
    assert "servery_requests_total" in page.inner_text("#viewer-text")
    page.keyboard.press("Escape")
    page.locator("#asked").get_by_role("link", name="OpenAPI").click()
    page.wait_for_selector("#viewer[open]")
    assert json.loads(page.inner_text("#viewer-text"))["info"]["title"] == "sentiment-analysis@1"
    page.get_by_role("button", name="Close").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Report").click()
    assert download.value.suggested_filename == "sentiment-analysis-report.html"
    assert "<h1>sentiment-analysis</h1>" in download.value.path().read_text("utf-8")


def test_a_new_model_appears_by_itself(visit: Visits, house: Any) -> None:
    page = visit().enter(house.keys["app"])
    registry = house.workspace.registry
    registry.import_folder("zebra", registry.resolve("moods").folder, actor="test")
    page.wait_for_selector("[data-model=zebra]")
    assert page.locator(".model-name").all_inner_texts() == [*MODELS, "zebra"]
    assert page.locator("[data-model=zebra] .state").inner_text() == "loads when asked"
    registry.remove("zebra@1", actor="test")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector("[data-model=zebra]", state="detached")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1200, "dark")])
def test_every_state_of_the_page_can_be_read_and_used(
    visit: Visits, house: Any, width: int, scheme: str
) -> None:
    begun = visit(width=width, scheme=scheme)
    page = begun.page

    def check() -> None:
        assert page.evaluate(UNLABELLED) == []
        levels = page.evaluate(HEADINGS)
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(below - above <= 1 for above, below in pairwise(levels))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(PALE) == []

    page.goto(house.url)
    check()
    begun.enter(house.keys["app"])
    for model in LABELLING:
        begun.open(model)
        begun.ask()
        for summary in page.locator("#asked-open summary:visible").all():
            summary.click()
        check()
    page.goto(f"{house.url}/docs")
    for summary in page.locator("details:not([open]) > summary").all()[:5]:
        summary.click()
    check()


def test_the_page_is_used_by_keyboard_alone(visit: Visits, house: Any) -> None:
    page = visit().enter(house.keys["app"])
    page.locator("[data-model=sentiment-analysis]").focus()
    page.keyboard.press("Enter")
    page.get_by_label("text").wait_for()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    page.keyboard.press("Control+A")
    page.keyboard.type("Lovely.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer .best")
    assert page.inner_text("#answer .best") == house.label("sentiment-analysis", "Lovely.")


def test_a_chinese_visitor_reads_chinese(visit: Visits, house: Any) -> None:
    begun = visit(locale="zh-CN")
    page = begun.page
    page.goto(house.url)
    page.get_by_label("密钥").fill(house.keys["app"])
    page.get_by_role("button", name="显示模型").click()
    page.wait_for_selector("[data-model]")
    begun.open("financial-risk")
    page.get_by_role("button", name="提问").click()
    page.wait_for_selector("#answer .best")
    assert page.locator("[data-model=financial-risk] .state").inner_text() == "就绪"
    assert "样例数据" in page.inner_text("#answer .note")
    page.get_by_role("link", name="English").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Models, served."


def test_the_calls_on_the_api_page_go_where_the_page_came_from(visit: Visits, house: Any) -> None:
    begun = visit()
    other_name = house.url.replace("127.0.0.1", "localhost")
    begun.page.goto(f"{other_name}/docs")
    calls = begun.page.locator("pre[data-origin]").all_text_contents()
    assert len(calls) > 20
    assert all(other_name in call for call in calls)
    begun.requests[:] = [address.replace(other_name, house.url) for address in begun.requests]
