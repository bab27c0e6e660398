"""KServe's first protocol, and the routes of SageMaker and MLflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Call = Callable[..., httpx.Response]
ROW = {"income": 1.0, "debt_ratio": 0.9, "home": "rent"}


def native(call: Call, model: str, inputs: Any) -> Any:
    return call("POST", f"/v1/models/{model}/predict", json={"inputs": inputs}).json()["outputs"]


def test_instances_in_and_the_native_answers_out(call: Call) -> None:
    answer = call("POST", "/v1/models/reviews:predict", json={"instances": ["great fun", "rude"]})
    assert answer.json()["predictions"] == native(call, "reviews", ["great fun", "rude"])
    assert answer.headers["x-model-version"] == "reviews@1"


def test_a_pinned_version_and_an_alias_answer_too(call: Call) -> None:
    for reference in ("reviews@2", "reviews@production"):
        answer = call("POST", f"/v1/models/{reference}:predict", json={"instances": ["great fun"]})
        assert answer.json()["predictions"] == native(call, reference, ["great fun"])


def test_kserve_explanations_are_the_native_ones(call: Call) -> None:
    ours = call("POST", "/v1/models/reviews/explain", json={"inputs": ["great fun"]}).json()["explanations"]
    assert (
        call("POST", "/v1/models/reviews:explain", json={"instances": ["great fun"]}).json()["explanations"]
        == ours
    )


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/models/nobody:predict", {"instances": ["a"]}, 404),
        ("/v1/models/reviews:predict", {"instances": "a"}, 422),
        ("/v1/models/reviews:predict", {"instances": []}, 422),
        ("/v1/models/reviews:predict", {"instances": [1]}, 422),
        ("/v1/models/reviews:predict", {"something": ["a"]}, 422),
        ("/v1/models/:predict", {"instances": ["a"]}, 404),
    ],
)
def test_kserve_errors_are_a_sentence(call: Call, path: str, body: Any, status: int) -> None:
    answer = call("POST", path, json=body)
    assert answer.status_code == status
    assert isinstance(answer.json()["error"], str) or status == 404


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": [ROW]},
        {"instances": [ROW]},
        {"dataframe_records": [ROW]},
        {"dataframe_split": {"columns": list(ROW), "data": [list(ROW.values())]}},
        {"dataframe_split": {"index": [0], "columns": list(ROW), "data": [list(ROW.values())]}, "params": {}},
    ],
)
def test_every_form_of_mlflow_gets_the_same_predictions(call: Call, body: Any) -> None:
    answer = call("POST", "/invocations?model=loans", json=body)
    assert answer.json()["predictions"] == native(call, "loans", [ROW])


def test_the_header_of_sagemaker_names_the_model(call: Call) -> None:
    headers = {"x-amzn-sagemaker-target-model": "loans"}
    assert call("POST", "/invocations", json={"inputs": ROW}, headers=headers).status_code == 200


def test_a_key_for_one_model_reaches_that_model_only(call: Call) -> None:
    assert call("POST", "/invocations?model=loans", json={"inputs": ROW}, key="only-loans").status_code == 200
    assert (
        call("POST", "/invocations?model=reviews", json={"inputs": "a"}, key="only-loans").status_code == 403
    )
    assert call("POST", "/invocations?model=loans", json={"inputs": ROW}, key="watcher").status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/invocations", {"inputs": "a"}, 404),
        ("/invocations?model=nobody", {"inputs": "a"}, 404),
        ("/invocations?model=loans&model=reviews", {"inputs": "a"}, 400),
        ("/invocations?modle=loans", {"inputs": "a"}, 422),
        ("/invocations?model=loans", {"inputs": ROW, "instances": [ROW]}, 422),
        ("/invocations?model=loans", {}, 422),
        ("/invocations?model=loans", {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, 422),
        ("/invocations?model=loans", {"dataframe_split": 7}, 422),
        ("/invocations?model=%ff", {"inputs": "a"}, 400),
    ],
)
def test_a_wrong_call_is_told_what_is_wrong(call: Call, path: str, body: Any, status: int) -> None:
    answer = call("POST", path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


def test_ping_needs_no_key(call: Call) -> None:
    assert call("GET", "/ping", key=None).json() == {"status": "ready"}
