"""The native protocol and the Hub's, the latter spoken by the unmodified `huggingface_hub.InferenceClient`."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient, close_session
from huggingface_hub.errors import HfHubHTTPError
from prometheus_client.parser import text_string_to_metric_families

Call = Callable[..., httpx.Response]
TABLE = {"income": ["1", 2.5, None], "debt_ratio": [0.1, "0.9", 0.95], "home": ["own", "rent", "tent"]}


@pytest.fixture
def hub(server: Any, home: Any) -> Iterator[Callable[[str], InferenceClient]]:
    yield lambda model: InferenceClient(f"{server.url}/v1/models/{model}", token=home.secrets["app"])
    close_session()


def test_the_hub_client_classifies_texts(hub: Any, house: ModuleType) -> None:
    found = hub("reviews").text_classification(house.GOOD)
    assert [element.label for element in found] == ["positive", "negative"]
    assert sum(element.score for element in found) == pytest.approx(1.0)
    assert len(hub("reviews@production").text_classification(house.GOOD, top_k=1)) == 1


def test_the_hub_client_classifies_pictures_raw_and_in_base64(hub: Any, house: ModuleType) -> None:
    assert hub("shades").image_classification(house.picture(250))[0].label == "bright"
    assert hub("shades").image_classification(house.picture(5), top_k=1)[0].label == "dark"


def test_the_hub_client_classifies_tables(hub: Any) -> None:
    assert hub("loans").tabular_classification(TABLE) == ["repay", "default", "default"]


def test_the_hub_client_gets_an_error_it_understands(hub: Any) -> None:
    with pytest.raises(HfHubHTTPError) as missing:
        hub("nobody").text_classification("x")
    assert missing.value.response.status_code == 404
    with pytest.raises(HfHubHTTPError) as wrong:
        hub("reviews").text_classification("x", top_k=0)
    assert wrong.value.response.status_code == 422


# The client's own way to send a picture is deprecated by the HTTP library it uses.
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
async def test_the_async_hub_client_classifies_all_three(server: Any, home: Any, house: ModuleType) -> None:
    async with AsyncInferenceClient(token=home.secrets["app"]) as client:
        url = f"{server.url}/v1/models"
        texts, pictures, rows = await asyncio.gather(
            client.text_classification(house.BAD, model=f"{url}/reviews"),
            client.image_classification(house.picture(250), model=f"{url}/shades"),
            client.tabular_classification(TABLE, model=f"{url}/loans"),
        )
    assert texts[0].label == "negative"
    assert pictures[0].label == "bright"
    assert rows == ["repay", "default", "default"]


def test_the_hub_form_reads_a_picture_without_a_content_type(call: Call, house: ModuleType) -> None:
    for content_type in (None, "", "image/png", "application/octet-stream"):
        headers = {} if content_type is None else {"content-type": content_type}
        answer = call("POST", "/v1/models/shades", content=house.picture(250), headers=headers)
        assert answer.json()[0]["label"] == "bright"
        assert answer.headers["x-model-version"] == "shades@1"
        assert answer.headers["x-usage-rows"] == "1"


def test_the_hub_form_puts_extras_into_headers(call: Call) -> None:
    answer = call("POST", "/v1/models/loans", json={"table": TABLE, "options": {"wait_for_model": True}})
    assert answer.headers["x-warnings"] == "sample_data"
    assert answer.headers["x-usage-rows"] == "3"
    assert float(answer.headers["x-compute-seconds"]) > 0


def test_native_answers_an_envelope(predict: Call, house: ModuleType) -> None:
    one = predict("reviews", house.GOOD, top_k=1).json()
    assert one["model"] == "reviews@1"
    assert one["task"] == "text-classification"
    assert one["usage"]["rows"] == 1
    assert one["warnings"] == []
    assert [o["label"] for o in one["outputs"]] == ["positive"]
    assert len(one["outputs"][0]["labels"]) == 1
    many = predict("reviews@2", [house.GOOD, house.BAD]).json()
    assert [o["label"] for o in many["outputs"]] == ["negative", "positive"]
    assert many["usage"]["rows"] == 2


def test_native_reads_pictures_raw_and_in_base64(call: Call, predict: Call, house: ModuleType) -> None:
    picture = house.picture(250)
    raw = call("POST", "/v1/models/shades/predict", content=picture, headers={"content-type": "image/png"})
    encoded = predict("shades", base64.b64encode(picture).decode())
    assert raw.json()["outputs"] == encoded.json()["outputs"]


def test_an_answer_of_a_model_trained_on_a_sample_says_so(predict: Call) -> None:
    row = {"income": 1, "debt_ratio": 0.5, "home": "own"}
    assert predict("loans", row).json()["warnings"][0]["code"] == "sample_data"


def test_a_curl_without_a_content_type_of_its_own_works(call: Call) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for path in ("/v1/models/reviews/predict", "/v1/models/reviews"):
        assert call("POST", path, content=b'{"inputs": "great"}', headers=headers).status_code == 200


def test_models_are_listed_as_openai_lists_them(call: Call) -> None:
    listing = call("GET", "/v1/models", key="app").json()
    assert listing["object"] == "list"
    by_id = {model["id"]: model for model in listing["data"]}
    assert set(by_id) >= {"broken", "drill", "loans", "reviews", "shades"}
    for model in by_id.values():
        assert model["object"] == "model"
        assert model["created"] > 1_600_000_000
        assert model["owned_by"]
    assert by_id["reviews"]["versions"] == [1, 2]
    assert by_id["reviews"]["version"] == 1
    assert by_id["loans"]["is_sample"]
    one = call("GET", "/v1/models/reviews@2", key="app").json()
    assert one["labels"] == ["negative", "positive"]
    assert one["inputs"] == [{"name": "text", "kind": "text"}]


def test_metrics_parse_and_never_name_a_key(call: Call, predict: Call, home: Any) -> None:
    predict("reviews", "x")
    predict("nobody-" + "x" * 50, "x")
    text = call("GET", "/metrics", key="watcher").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    labels = families["servery_requests"].samples[0].labels
    assert set(labels) == {"model", "version", "task", "protocol", "code"}
    models = {sample.labels["model"] for sample in families["servery_requests"].samples}
    assert models <= {"", *(model["id"] for model in call("GET", "/v1/models").json()["data"])}
    assert families["servery_request_duration_seconds"].type == "histogram"
    assert not any(secret in text for secret in home.secrets.values())
    assert not re.search(r"key-[0-9a-f]{16}", text)


def test_usage_is_counted_a_key_and_a_model(call: Call, home: Any) -> None:
    made = call("POST", "/admin/v1/keys", json={"name": "metered", "scopes": ["predict"]}).json()
    for inputs in ("a", ["a", "b", "c"]):
        body = {"inputs": inputs}
        call("POST", "/v1/models/reviews/predict", key=None, json=body, headers={"x-api-key": made["secret"]})
    used = [u for u in call("GET", "/admin/v1/usage").json()["data"] if u["key"] == made["id"]]
    assert [(u["model"], u["unit"], u["requests"], u["units"]) for u in used] == [("reviews@1", "rows", 2, 4)]


def test_the_status_shows_the_replicas_and_why_one_failed(call: Call, predict: Call) -> None:
    told = predict("broken", "x")
    assert told.status_code == 500
    assert told.json()["error"]["code"] == "model.load"
    status = call("GET", "/admin/v1/status").json()
    by_reference = {row["reference"]: row for row in status["replicas"]}
    assert by_reference["broken@1"]["state"] == "failed"
    assert "cannot be loaded" in by_reference["broken@1"]["reason"]
    assert "reviews@production" in by_reference["reviews@1"]["answers_to"]
    assert by_reference["reviews@1"]["runtime"] == "linear"


def test_an_unexpected_error_tells_nothing_of_itself(predict: Call) -> None:
    answer = predict("drill", "poison")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "canary" not in answer.text
    assert "Traceback" not in answer.text
