"""A stated goal goes all the way: from the plan to the answer, the card and the report; a protected column does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from servery.errors import DataError, UnknownNameError
from servery.pipeline.local import load
from servery.pipeline.plan import Plan
from servery.pipeline.reevaluate import cross_validate, evaluate
from servery.pipeline.train import Trained, train
from servery.pipeline.workspace import Workspace

PATIENT = {
    "age": 61.0,
    "systolic_mmhg": 132.0,
    "cholesterol_mg_dl": 252.0,
    "max_heart_rate_bpm": 141.0,
    "chest_pain": "typical",
    "smokes": "no",
}


def plan(**changes: object) -> Plan:
    asked = Plan("hearts", "medical-diagnosis", "sample", recipe="logistic", roles={"sex": "protected"})
    return asked.with_changes(**{"goal": {"sensitivity": 0.95}, **changes})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Workspace]:
    workspace = Workspace.open(tmp_path_factory.mktemp("decisions") / "home")
    return train(plan(), workspace), workspace


def test_the_answer_says_where_the_line_is_and_for_what_goal(trained: tuple[Trained, Workspace]) -> None:
    answer = load("hearts", trained[1])(PATIENT)[0]
    decision = answer["decision"]
    assert decision["positive"] == "present"
    assert decision["goal"] == "a sensitivity of at least 0.95"
    score = next(pair["score"] for pair in answer["labels"] if pair["label"] == "present")
    assert (answer["label"] == "present") == (score >= decision["threshold"])


def test_card_plan_and_report_tell_it_too(trained: tuple[Trained, Workspace]) -> None:
    folder = trained[0].version.folder
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "`present` is said from a score of" in card
    assert "a sensitivity of at least 0.95" in card
    assert Plan.read(folder / "plan.toml").goal == {"sensitivity": 0.95}
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert all(
        title in report for title in ("The operating point", "Decision curve of present", "By sex", "By age")
    )


def test_the_model_never_reads_the_protected_column_but_is_judged_by_it(
    trained: tuple[Trained, Workspace],
) -> None:
    model = load("hearts", trained[1])
    assert "sex" not in {column.name for column in model.predictor.signature.inputs}
    judged = {column["column"]: column for column in trained[0].evaluation.views["subgroups"]["columns"]}
    assert {group["name"] for group in judged["sex"]["groups"]} == {"male", "female"}
    assert (judged["sex"]["is_input"], judged["age"]["is_input"]) == (False, True)


def test_measured_again_the_line_and_the_figures_are_the_same(trained: tuple[Trained, Workspace]) -> None:
    again, _ = evaluate("hearts@1", trained[1])
    assert again.summary() == trained[0].evaluation.summary()


def test_folds_are_dealt_out_anew_and_the_interval_holds_the_mean(trained: tuple[Trained, Workspace]) -> None:
    found = cross_validate("hearts", 2, trained[1], repeats=2)
    assert (len(found.folds), found.repeats) == (4, 2)
    assert found.folds[:2] != found.folds[2:]
    assert found.low["roc_auc"] < found.mean["roc_auc"] < found.high["roc_auc"]
    assert dict(found.headline())["roc_auc"].endswith("over 2 x 2 folds")


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"positive": "maybe"}, DataError, "does not occur"),
        ({"roles": {"gender": "protected"}}, UnknownNameError, "gender"),
        ({"roles": {"sex": "secret"}}, UnknownNameError, "secret"),
        ({"subgroups": ["gender"]}, UnknownNameError, "gender"),
    ],
)
def test_what_the_data_does_not_have_is_named(changes: dict, error: type, said: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=said):
        train(plan(**changes), Workspace.open(tmp_path / "home"))


def test_numbers_have_no_label_to_be_found(tmp_path: Path) -> None:
    asked = Plan("beams", "ai-assisted-design", "sample", recipe="linear", goal={"sensitivity": 0.9})
    with pytest.raises(DataError, match="no label to be found"):
        train(asked, Workspace.open(tmp_path / "home"))
