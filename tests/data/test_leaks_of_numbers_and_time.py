"""Leaks of a number and of time: each is planted, and each must be found; honest data must stay clean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.checks import check
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.split_leaks import find_split_leaks
from servery.data.splits import split
from servery.errors import UntrustworthyError
from servery.pipeline.deploy import deploy
from servery.pipeline.plan import Plan
from servery.pipeline.train import train
from servery.pipeline.workspace import Workspace

ROWS = 400
CHANCE = np.random.default_rng(8)
CLOCK = np.arange(ROWS)
LOAD = 50 + 10 * np.sin(CLOCK / 24 * 2 * np.pi) + np.cumsum(CHANCE.normal(0, 1, ROWS))


def table(target: str = "load", part: np.ndarray | None = None, **columns: np.ndarray) -> Dataset:
    cells = {
        "at": object_array([str(np.datetime64("2026-01-01T00:00") + 60 * hour) for hour in CLOCK]),
        "outside": object_array((LOAD / 5 + CHANCE.normal(0, 2, ROWS)).round(3).tolist()),
        "load": object_array(LOAD.round(3).tolist()),
        **{name: object_array(values.tolist()) for name, values in columns.items()},
    }
    if part is not None:
        cells["part"] = object_array(part.tolist())
    kinds = {"at": "time", target: "number"} | {
        name: "number" for name, values in columns.items() if values.dtype.kind == "f"
    }
    return build_dataset(
        RawTable(cells, np.arange(2, ROWS + 2)), "loads", target=target, kinds=kinds, roles={"at": "time"}
    )


def leaks(dataset: Dataset) -> set[str]:
    return {finding.code for finding in check(dataset) if finding.is_leak}


def test_an_honest_series_has_no_leak() -> None:
    yesterday = np.concatenate([np.full(24, np.nan), LOAD[:-24]]).round(3)
    assert leaks(table(yesterday=yesterday)) == set()


@pytest.mark.parametrize(
    "copy",
    [LOAD * 2 + 7, LOAD + CHANCE.normal(0, 0.02, ROWS), np.exp(LOAD / 30)],
    ids=["another unit", "rounded otherwise", "a curve of it"],
)
def test_a_column_that_is_the_number_in_other_words_is_a_leak(copy: np.ndarray) -> None:
    assert leaks(table(bill=copy)) == {"target_copy"}


@pytest.mark.parametrize("steps", [1, 24])
def test_a_column_from_the_future_is_a_leak(steps: int) -> None:
    ahead = np.concatenate([LOAD[steps:], np.full(steps, np.nan)]).round(3)
    (finding,) = [f for f in check(table(forecast=ahead)) if f.is_leak]
    assert finding.code == "future_column"
    assert f"of {steps} row(s) later" in finding.message


def test_a_series_whose_parts_were_drawn_at_random_is_a_leak() -> None:
    drawn = np.where(CHANCE.random(ROWS) < 0.2, "test", "train")
    (finding,) = find_split_leaks(split(table(part=drawn)))
    assert finding.code == "times_across_parts"
    assert find_split_leaks(split(table(), "random"))[0].code == "times_across_parts"


@pytest.mark.parametrize("policy", ["last", "first", "middle"])
def test_one_stretch_of_time_to_judge_by_is_none(policy: str) -> None:
    start = {"last": ROWS - 80, "first": 0, "middle": 160}[policy]
    part = np.where(np.isin(CLOCK, np.arange(start, start + 80)), "test", "train")
    assert find_split_leaks(split(table(part=part))) == []
    assert find_split_leaks(split(table())) == []


def test_windows_that_overlap_across_the_parts_are_a_leak() -> None:
    windows = {
        f"lag_{lag}": np.concatenate([np.full(lag, LOAD[0]), LOAD[:-lag]]).round(3) for lag in (1, 2, 3)
    }
    drawn = np.where(CHANCE.random(ROWS) < 0.2, "test", "train")
    assert [f.code for f in find_split_leaks(split(table(part=drawn, **windows)))] == ["times_across_parts"]


def test_a_patient_on_both_sides_of_a_random_split_is_a_leak() -> None:
    patients = np.array([f"p{row // 4:03d}" for row in range(ROWS)])
    dataset = build_dataset(
        RawTable(
            {
                "patient": object_array(patients.tolist()),
                "pulse": object_array(CHANCE.normal(70, 9, ROWS).round(1).tolist()),
                "ill": object_array(CHANCE.choice(["yes", "no"], ROWS).tolist()),
            },
            np.arange(2, ROWS + 2),
        ),
        "visits",
        target="ill",
        roles={"patient": "group"},
    )
    assert [f.code for f in find_split_leaks(split(dataset, "random"))] == ["group_across_parts"]
    assert find_split_leaks(split(dataset)) == []


def test_a_model_of_leaking_data_is_not_trusted_and_not_deployed_without_force(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    plan = Plan("loads", "ai-assisted-design", "given", recipe="linear", threads=1)
    trained = train(plan, workspace, dataset=table(bill=LOAD * 2))
    assert not trained.evaluation.is_trustworthy
    assert "not trustworthy" in trained.evaluation.verdict.lower()
    with pytest.raises(UntrustworthyError):
        deploy("loads@1", "production", workspace=workspace)
    deploy("loads@1", "production", workspace=workspace, force=True)
