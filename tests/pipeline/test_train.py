"""From a plan to a registered version: what a user relies on, in one process and over kills."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from servery.errors import DataError, UnknownNameError, UntrustworthyError
from servery.fields._field import find_field
from servery.models.predictor import Predictor
from servery.pipeline.advice import advise
from servery.pipeline.deploy import deploy
from servery.pipeline.local import load
from servery.pipeline.plan import Plan
from servery.pipeline.reevaluate import evaluate
from servery.pipeline.train import train
from servery.pipeline.workspace import Workspace
from servery.tasks.classification import ClassificationAnswer
from servery.tasks.form import form_for


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def test_the_version_answers_as_its_report_says(workspace: Workspace) -> None:
    trained = train(Plan("loans", "financial-risk", "sample", recipe="gradient-boosting"), workspace)
    again, _ = evaluate("loans@1", workspace)
    assert again.summary() == trained.evaluation.summary()
    assert trained.evaluation.primary.value > trained.evaluation.primary.trivial  # type: ignore[operator]


def test_the_artifact_holds_no_pickle_and_carries_its_plan_card_and_report(workspace: Workspace) -> None:
    version = train(Plan("a", "sentiment-analysis", "sample", recipe="tfidf-linear"), workspace).version
    names = {path.name for path in version.folder.iterdir()}
    assert {"manifest.json", "predictor.json", "plan.toml", "README.md", "report.html"} <= names
    assert {path.suffix for path in version.folder.iterdir()} <= {
        ".json",
        ".safetensors",
        ".onnx",
        ".txt",
        ".md",
        ".html",
        ".toml",
    }
    assert Plan.read(version.folder / "plan.toml").recipe == "tfidf-linear"
    assert "sample data" in (version.folder / "README.md").read_text(encoding="utf-8")


def test_a_copy_of_the_target_is_called_not_trustworthy_and_not_deployed(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "leaky.csv"
    generator = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["income", "age", "collections_letter", "defaulted"])
        for _ in range(300):
            late = generator.random() < 0.3
            row = [generator.integers(900, 9000), generator.integers(18, 80)]
            writer.writerow([*row, "sent" if late else "none", "yes" if late else "no"])
    trained = train(
        Plan("leaky", "financial-risk", str(path), target="defaulted", recipe="logistic"), workspace
    )
    assert not trained.evaluation.is_trustworthy
    assert "collections_letter" in trained.evaluation.verdict
    with pytest.raises(UntrustworthyError, match="leaky@1"):
        deploy("leaky@1", workspace=workspace)
    deploy("leaky@1", workspace=workspace, force=True)
    assert workspace.registry.resolve("leaky@production").number == 1


def test_a_deadline_is_kept_and_the_best_so_far_is_returned(workspace: Workspace) -> None:
    # Loading torch and friends is not part of a training; do it before the clock starts.
    train(Plan("warm", "computer-vision", "sample", recipe="mlp", hyperparameters={"epochs": 1}), workspace)
    plan = Plan("vision", "computer-vision", "sample", recipe="cnn", deadline_seconds=20.0)
    started = time.monotonic()
    trained = train(plan, workspace)
    assert time.monotonic() - started <= 20.0 * 1.05
    assert trained.version.reference == "vision@1"


def test_advice_names_reasons_costs_and_alternatives(workspace: Workspace) -> None:
    advice, plan = advise(Plan("a", "sentiment-analysis", "sample"), workspace)
    assert plan.recipe == advice.chosen.recipe.name
    assert advice.chosen.recipe.name in plan.reason
    assert len(advice.candidates) == 9
    assert all(candidate.cost.seconds > 0 for candidate in advice.candidates)


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        (Plan("a", "sentiment-analysis", "sample", recipe="lstmm"), UnknownNameError),
        (Plan("a", "sentiment-analysis", "sample", target="nothing"), DataError),
        (Plan("a", "sentiment-analysis", "goemotions"), DataError),
        (
            Plan("a", "sentiment-analysis", "sample", recipe="tfidf-linear", hyperparameters={"speed": 3}),
            UnknownNameError,
        ),
    ],
)
def test_a_plan_that_cannot_be_followed_says_why_and_registers_nothing(
    workspace: Workspace, plan: Plan, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SERVERY_DATA", raising=False)
    with pytest.raises(error):
        train(plan, Workspace.open(workspace.settings.home))
    assert workspace.registry.names() == []


def test_a_model_in_this_process_takes_what_a_request_takes(workspace: Workspace) -> None:
    field = find_field("computer-vision")
    train(
        Plan("see", field.name, "sample", recipe="mlp", hyperparameters={"epochs": 2}, export=False),
        workspace,
    )
    model = load("see", workspace)
    dataset = field.offers[0].sample(20, 3)
    columns = model.predictor.signature.inputs
    encoded = form_for(model.predictor.signature.kinds).to_json(dataset.example(0), columns)
    from_bytes = model(dataset[dataset.inputs[0].name][0])
    assert list(model(encoded)) == list(from_bytes)
    assert "<table" in from_bytes._repr_html_()


TRAIN = [
    "-m",
    "servery.cli.main",
    "train",
    "--field",
    "sentiment-analysis",
    "--data",
    "sample",
    "--name",
    "a",
]
SMALL = ["--recipe", "gru", "--set", "epochs=4", "--json", "--threads", "1"]


def _start(home: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SERVERY_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, *TRAIN, *SMALL],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _weights(home: Path) -> dict[str, bytes]:
    folder = Workspace.open(home).registry.resolve("a").folder
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".onnx", ".safetensors")}


def _kill_after(process: subprocess.Popen[bytes], home: Path, seconds: float) -> None:
    """Kill the training some time after its run folder appeared: inside the baseline, the fit or the export."""
    until = time.monotonic() + 120
    while not list((home / "runs").glob("a-*")):
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_training_killed_anywhere_ends_with_the_same_weights(tmp_path: Path) -> None:
    assert _start(tmp_path / "whole").wait(timeout=300) == 0
    home, generator = tmp_path / "killed", random.Random(7)
    for _ in range(3):
        _kill_after(_start(home), home, generator.uniform(0.0, 2.5))
    assert _start(home).wait(timeout=300) == 0
    assert _weights(home) == _weights(tmp_path / "whole")
    assert [v.number for v in Workspace.open(home).registry.versions("a")] == [1]


def test_a_model_that_knows_what_is_outside_leaves_it_unanswered(workspace: Workspace) -> None:
    plan = Plan("intents", "natural-language-processing", "sample", recipe="tfidf-linear")
    trained = train(plan, workspace)
    assert trained.plan.outside == "oos"
    metrics = trained.evaluation.summary()
    assert metrics["out_of_scope_recall"]["value"] > 0.8
    assert metrics["in_scope_accuracy"]["value"] > 0.8
    predictor = Predictor.load(trained.version.folder)
    known, unknown = predictor.predict([{"text": "set an alarm for noon"}, {"text": "why is the sea salty"}])
    assert isinstance(known, ClassificationAnswer)
    assert isinstance(unknown, ClassificationAnswer)
    assert (known.label, known.abstains) == ("alarm", False)
    assert unknown.abstains


def test_a_label_for_outside_must_occur_and_an_abstention_cost_something(workspace: Workspace) -> None:
    plan = Plan("intents", "natural-language-processing", "sample", outside="nothing")
    with pytest.raises(DataError, match="'nothing' for what is outside does not occur"):
        train(plan, workspace)
    with pytest.raises(DataError, match="abstention_cost is 0"):
        plan.with_changes(abstention_cost=0.0)


def test_pictures_find_the_question_that_reads_pictures_where_a_field_has_several(tmp_path: Path) -> None:
    folder = tmp_path / "chests"
    pictures = find_field("medical-diagnosis").offers[1].sample(60, 0)
    for number, (picture, finding) in enumerate(zip(pictures["image"], pictures["finding"], strict=True)):
        (folder / finding).mkdir(parents=True, exist_ok=True)
        (folder / finding / f"{number}.png").write_bytes(picture)
    plan = Plan(
        "chests", "medical-diagnosis", str(folder), recipe="mlp", hyperparameters={"epochs": 1}, export=False
    )
    trained = train(plan, Workspace.open(tmp_path / "home"))
    assert trained.evaluation.recipe == "mlp"
    assert trained.version.lineage["notice"].startswith("Not a medical device")
