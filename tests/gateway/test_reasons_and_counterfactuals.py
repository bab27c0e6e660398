"""Reasons and counterfactuals over HTTP, the Python client and the command line: the same answer from each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from servery.client import Client
from servery.data.dataset import Dataset
from servery.fields.financial_risk import sample
from servery.models.recipe import Budget, Work, find_recipe
from servery.models.score_profile import with_score_profile
from servery.tasks.classification import CLASSIFICATION

Call = Callable[..., httpx.Response]
ROW = {
    "income": 21000.0,
    "loan_amount": 30000.0,
    "debt_ratio": 0.8,
    "age": 24.0,
    "employment": "unemployed",
    "purpose": "business",
    "late_payments": 4.0,
}


@pytest.fixture(scope="module")
def train() -> Dataset:
    return sample(600, 0)


@pytest.fixture(scope="module")
def card(home: Any, train: Dataset) -> str:
    """A scorecard, registered beside the house's models."""
    recipe = find_recipe("scorecard", "table", "classification")
    work = Work(
        CLASSIFICATION,
        "financial-risk",
        train,
        train,
        dict(recipe.defaults),
        0,
        Budget(None, 1),
        loop=None,  # type: ignore[arg-type]  # it trains no network
    )
    model = with_score_profile(recipe.make(work).predictor, list(train.take(range(200)).examples()))  # type: ignore[arg-type]
    home.register("card", model, "production")
    return "card"


@pytest.fixture(scope="module")
def explain(server: Any, home: Any, card: str) -> Callable[..., httpx.Response]:
    def send(model: str = card, inputs: Any = ROW, **parameters: Any) -> httpx.Response:
        return httpx.post(
            f"{server.url}/v1/models/{model}/explain",
            json={"inputs": inputs, "parameters": parameters},
            headers={"authorization": f"Bearer {home.secrets['root']}"},
            timeout=20,
        )

    return send


def test_a_refusal_gets_its_reasons_and_what_would_turn_it(explain: Call) -> None:
    answer = explain(label="no", reasons=3, counterfactual={"fixed": ["age"]})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    [found] = body["explanations"]
    assert (found["method"], found["unit"]) == ("contributions", "log-odds")
    assert len(found["reasons"]) == 3
    assert found["points"] > 0
    turned = found["counterfactual"]
    assert turned["is_found"]
    assert "age" not in turned["example"]
    after = explain(inputs={**ROW, **turned["example"]}).json()["explanations"][0]
    assert after["label"] == turned["label"] == "no"
    assert body["usage"]["rows"] == 1 + turned["looks"]


def test_the_client_and_the_command_line_say_the_same(
    explain: Call, server: Any, home: Any, card: str
) -> None:
    question = {"fixed": ["age"], "limits": {"late_payments": {"min": 1}}}
    [sent] = explain(label="no", reasons=2, counterfactual=question).json()["explanations"]
    with Client(server.url, api_key=home.secrets["root"]) as client:
        assert client.explain(card, ROW, label="no", reasons=2, counterfactual=question) == [sent]
    environment = {**os.environ, "SERVERY_HOME": str(home.folder), "SERVERY_PORT": "1"}
    words = ["explain", card, json.dumps(ROW), "--label", "no", "--reasons", "2", "--counterfactual"]
    words += ["--fix", "age", "--limit", "late_payments>=1", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "servery.cli.main", *words], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    [said] = json.loads(done.stdout)
    assert said["reasons"] == sent["reasons"]
    assert said["counterfactual"]["words"] == sent["counterfactual"]["words"]


def test_where_no_change_turns_the_answer_that_is_the_answer(explain: Call) -> None:
    answer = explain(counterfactual={"fixed": list(ROW)})
    assert answer.status_code == 200
    [found] = answer.json()["explanations"]
    assert found["counterfactual"]["is_found"] is False
    assert "No change was found" in found["counterfactual"]["words"]
    assert found["reasons"] == []


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"counterfactual": {"fixed": ["agee"]}}, "age"),
        ({"counterfactual": {"limits": {"purpose": {"max": 1}}}}, "only a number"),
        ({"counterfactual": {"label": "maybe"}}, "maybe"),
        ({"reasons": 21}, "reasons"),
        ({"counterfactual": {"fix": []}}, "fix"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_what_is_known(
    explain: Call, parameters: Any, word: str
) -> None:
    answer = explain(**parameters)
    assert answer.status_code == 422
    assert word in answer.json()["error"]["message"]


def test_a_text_model_has_no_counterfactual_and_says_why(explain: Call) -> None:
    answer = explain("reviews", "great and rude", counterfactual={})
    assert answer.status_code == 422
    assert "counterfactuals" in answer.json()["error"]["message"]


def test_more_rows_than_are_searched_at_once_are_refused(explain: Call) -> None:
    answer = explain(inputs=[ROW] * 5, counterfactual={})
    assert answer.status_code == 422
    assert "at most 4" in answer.json()["error"]["message"]


def test_the_command_line_shows_the_drift_of_a_file_of_live_rows(
    home: Any, card: str, tmp_path: Path
) -> None:
    rows = [{**example, "employment": "student"} for example in sample(300, 9).examples()]
    path = tmp_path / "live.jsonl"
    lines = [json.dumps({k: None if v != v else v for k, v in row.items()}) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    environment = {**os.environ, "SERVERY_HOME": str(home.folder)}
    command = [sys.executable, "-m", "servery.cli.main", "drift", card, "--data", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("employment"))
    assert "moved" in line
    assert "100.0%" in line
    told = json.loads(subprocess.run([*command, "--json"], env=environment, capture_output=True).stdout)
    assert told[0]["is_score"]
