"""The newcomer's long way through the command line, with real processes and a csv of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def trained(servery: Run, reviews: Path) -> str:
    """The model `reviews`, trained once for this file."""
    words = ["train", "--field", "sentiment-analysis", "--data", str(reviews), "--target", "label"]
    result = servery(*words, "--name", "reviews", "--recipe", "tfidf-linear")
    assert "reviews@1" in result.stderr
    return "reviews"


def test_fields_lists_name_tasks_and_recipes_as_json(servery: Run) -> None:
    fields = json.loads(servery("fields", "--json").stdout)
    by_name = {field["name"]: field for field in fields}
    assert {"sentiment-analysis", "computer-vision", "financial-risk"} <= by_name.keys()
    assert all(offer["tasks"] and offer["recipes"] for field in fields for offer in field["offers"])


def test_fields_reads_well_for_people_in_both_languages(servery: Run) -> None:
    shown = servery("fields").stdout
    assert "sentiment-analysis" in shown
    assert "情感分析" in shown


def test_data_check_names_columns_and_bad_rows_by_line(servery: Run, tmp_path: Path) -> None:
    path = tmp_path / "ragged.csv"
    good = "".join(f"a text about thing number {i} and more,{'ab'[i % 2]}\n" for i in range(40))
    path.write_text(f"text,label\n{good}one,two,three\n")
    result = servery("data", "check", str(path), "--target", "label", "--json", status=0)
    found = json.loads(result.stdout)
    assert found["rows"] == 40
    assert any(42 in finding["lines"] or "42" in finding["message"] for finding in found["findings"])


def test_training_prints_what_comes_next(servery: Run, trained: str) -> None:
    listed = json.loads(servery("models", "--json").stdout)
    assert [v["name"] for v in listed] == [trained]
    assert listed[0]["metrics"]["macro_f1"]["value"] > 0.6


def test_the_report_is_one_file_that_names_no_other_host(servery: Run, trained: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    servery("report", trained, "--output", str(path))
    text = path.read_text(encoding="utf-8")
    assert "<svg" in text
    assert 'src="http' not in text
    assert 'href="http' not in text


def test_run_answers_words_standard_input_and_a_file(servery: Run, trained: str, tmp_path: Path) -> None:
    spoken = json.loads(servery("run", trained, "slow and rude", "--json").stdout)
    piped = json.loads(servery("run", trained, "--json", stdin="slow and rude\n").stdout)
    path = tmp_path / "review.txt"
    path.write_text("slow and rude", encoding="utf-8")
    from_file = json.loads(servery("run", trained, f"@{path}", "--json").stdout)
    assert spoken == piped == from_file
    assert spoken[0]["label"]


def test_run_tells_what_to_know_about_an_answer_beside_it(servery: Run, trained: str) -> None:
    told = servery("run", trained, "😀", "--json")
    assert json.loads(told.stdout)[0]["label"]
    assert "Note: The text has no words" in told.stderr


def test_a_batch_keeps_line_numbers_and_reports_bad_rows(
    servery: Run, trained: str, reviews: Path, tmp_path: Path
) -> None:
    path = tmp_path / "batch.csv"
    path.write_text("review,shop\nslow and rude,a\na,b,c\nvery friendly staff,b\n", encoding="utf-8")
    lines = [
        json.loads(line)
        for line in servery("run", trained, "--batch", str(path), status=7).stdout.splitlines()
    ]
    assert {line["line"] for line in lines if "answer" in line} == {2, 4}
    assert {line["line"] for line in lines if "error" in line} == {3}


def test_evaluating_again_gives_the_same_figures(servery: Run, trained: str) -> None:
    first = json.loads(servery("models", "--json").stdout)[0]["metrics"]["macro_f1"]
    again = json.loads(servery("evaluate", trained, "--json").stdout)
    by_name = {metric["name"]: metric["value"] for metric in again["metrics"]}
    assert by_name["macro_f1"] == pytest.approx(first["value"], abs=1e-9)


def test_cross_validation_tells_every_fold(servery: Run, trained: str) -> None:
    result = json.loads(servery("evaluate", trained, "--cross-validate", "3", "--json").stdout)
    assert len(result["folds"]) == 3


def test_deploy_moves_the_alias_and_show_tells_it(servery: Run, trained: str) -> None:
    servery("deploy", f"{trained}@1", "--alias", "production")
    shown = json.loads(servery("show", trained, "--json").stdout)
    assert shown["aliases"] == ["production"]


def test_verify_finds_a_changed_file(servery: Run, trained: str) -> None:
    shown = json.loads(servery("show", trained, "--json").stdout)
    card = Path(shown["folder"]) / "README.md"
    original = card.read_bytes()
    servery("verify", trained)
    card.chmod(0o644)
    card.write_bytes(original + b"!")
    assert "README.md" in servery("verify", trained, status=1).stderr
    card.write_bytes(original)
    servery("verify")


def test_a_plan_trains_again_to_the_same_figures(servery: Run, trained: str, tmp_path: Path) -> None:
    shown = json.loads(servery("show", trained, "--json").stdout)
    plan = Path(shown["folder"]) / "plan.toml"
    again = json.loads(servery("train", "--plan", str(plan), "--name", "again", "--json").stdout)
    assert again["version"]["metrics"] == shown["metrics"]


def test_removing_a_deployed_version_needs_force(servery: Run, trained: str) -> None:
    servery(
        "train",
        "--field",
        "sentiment-analysis",
        "--data",
        "sample",
        "--name",
        "gone",
        "--recipe",
        "tfidf-linear",
    )
    servery("deploy", "gone")
    assert "alias" in servery("remove", "gone@1", status=6).stderr
    servery("remove", "gone@1", "--force")
    assert "gone" not in servery("models").stdout


def test_keys_are_shown_once_and_listed_without_secret(servery: Run) -> None:
    made = json.loads(servery("keys", "create", "app", "--json").stdout)
    assert made["secret"].startswith("sk-servery-")
    listed = servery("keys", "list", "--json").stdout
    assert made["secret"] not in listed
    servery("keys", "revoke", made["id"])
    by_id = {key["id"]: key for key in json.loads(servery("keys", "list", "--json").stdout)}
    assert by_id[made["id"]]["revoked_at"]


def test_doctor_finds_the_house_in_order(servery: Run) -> None:
    assert "ok" in servery("doctor").stdout


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["train", "--field", "sentimental", "--data", "sample", "--name", "a"], 5, "sentiment-analysis"),
        (["train", "--field", "sentiment-analysis", "--name", "a"], 2, "--data"),
        (["train", "--field", "sentiment-analysis", "--data", "sample", "--name", "../a"], 7, "../a"),
        (
            ["train", "--field", "computer-vision", "--data", "CSV", "--target", "label", "--name", "a"],
            7,
            "text",
        ),
        (
            [
                "train",
                "--field",
                "sentiment-analysis",
                "--data",
                "sample",
                "--name",
                "a",
                "--deadline",
                "10x",
            ],
            2,
            "10x",
        ),
        (
            ["train", "--field", "sentiment-analysis", "--data", "sample", "--name", "a", "--seed", "-1"],
            7,
            "seed",
        ),
        (["keys", "create", "bob", "--scope", "fly"], 7, "models:read"),
        (["report", "reviews", "--output", "/no/such/folder/x.html"], 1, "cannot be written"),
        (["remove", "reviews"], 2, "reviews@1"),
        (["run", "reviews", "x", "--batch", "CSV"], 2, "--batch"),
        (
            ["train", "--field", "sentiment-analysis", "--data", "nothing.csv", "--name", "a"],
            5,
            "nothing.csv",
        ),
        (["run", "nobody", "hello"], 5, "nobody"),
        (["show", "reviews@99"], 5, "reviews"),
        (["evaluate", "nobody", "--cross-validate", "3"], 5, "nobody"),
    ],
)
def test_a_mistake_gets_one_paragraph_and_no_traceback(
    servery: Run, trained: str, reviews: Path, words: list[str], status: int, said: str
) -> None:
    result = servery(*[str(reviews) if word == "CSV" else word for word in words], status=status)
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_reader_that_leaves_early_gets_no_traceback(servery: Run, trained: str) -> None:
    words = f"{sys.executable} -m servery.cli.main fields --json | head -1"
    result = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=True)
    assert "Traceback" not in result.stderr


def test_a_mistake_is_json_for_scripts(servery: Run) -> None:
    result = servery("show", "nobody", "--json", status=5)
    assert json.loads(result.stdout)["error"]["code"] == "model.not_found"
