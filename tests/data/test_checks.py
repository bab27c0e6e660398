"""What a careful colleague would say about a data set: each check finds its case and stays quiet otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.checks import Finding, check
from servery.data.dataset import BadRow
from servery.data.leaks import recall_alone
from servery.data.raw_table import RawTable, object_array

ROWS = 200
CHANCE = np.random.default_rng(0)
LABELS = ["yes" if x < 0.4 else "no" for x in CHANCE.random(ROWS)]
IS_YES = np.array(LABELS) == "yes"
SIZES = CHANCE.normal(size=ROWS).tolist()


def findings(
    values: dict[str, list[Any]], bad_rows: tuple[BadRow, ...] = (), **options: Any
) -> dict[str, Finding]:
    rows = len(next(iter(values.values())))
    raw = RawTable(
        {name: object_array(cells) for name, cells in values.items()}, np.arange(2, rows + 2), bad_rows
    )
    return {finding.code: finding for finding in check(build_dataset(raw, "x", **options))}


def table(**more: list[Any]) -> dict[str, list[Any]]:
    return {"size": SIZES, **more, "label": LABELS}


def test_an_honest_table_has_nothing_to_tell() -> None:
    assert findings(table(), target="label") == {}


def test_the_gravest_finding_stands_first() -> None:
    raw = RawTable(
        {n: object_array(c) for n, c in table(copy=LABELS, one=["x"] * ROWS).items()}, np.arange(ROWS)
    )
    severities = [finding.severity for finding in check(build_dataset(raw, "x", target="label"))]
    assert severities == ["error", "note"]


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("answer", ["A" if yes else "B" for yes in IS_YES]),
        ("score", (IS_YES + CHANCE.uniform(0, 0.9, ROWS)).tolist()),
        ("code", [{True: 10, False: 20}[yes] + i % 3 for i, yes in enumerate(IS_YES)]),
    ],
)
def test_a_column_that_tells_the_target_is_a_leak(name: str, cells: list[Any]) -> None:
    found = findings(table(**{name: cells}), target="label")["target_copy"]
    assert found.is_leak
    assert found.severity == "error"
    assert found.column == name
    assert "100 %" in found.message


def test_a_column_named_like_the_target_is_suspected_and_is_a_leak_if_it_nearly_tells_it() -> None:
    noise = CHANCE.normal(size=ROWS).tolist()
    assert findings(table(label_date_days=noise), target="label")["leak_suspect"].severity == "warning"
    nearly = (3.6 * IS_YES + CHANCE.normal(size=ROWS)).tolist()
    assert findings(table(label_score=nearly), target="label")["target_copy"].is_leak
    assert "target_copy" not in findings(table(height=nearly), target="label")


def test_a_column_filled_for_one_class_only_is_a_leak() -> None:
    refund = [float(i) if yes and i % 4 else None for i, yes in enumerate(IS_YES)]
    found = findings(table(refund=refund), target="label")["filled_for_one_class"]
    assert found.is_leak
    assert "'yes'" in found.message


def test_texts_that_hold_their_label_are_a_leak() -> None:
    texts = [
        f"review {i}: I would answer {label.upper()} to number {i * 7}" for i, label in enumerate(LABELS)
    ]
    assert findings({"text": texts, "label": LABELS}, target="label")["label_in_text"].is_leak


def test_a_patient_on_both_sides_of_given_parts_is_a_leak() -> None:
    values = table(patient_id=[100 + i // 3 for i in range(ROWS)], part=["train", "test"] * (ROWS // 2))
    found = findings(values, target="label")["group_across_parts"]
    assert found.is_leak
    assert "patient_id" in found.message


def test_rare_values_do_not_count_as_telling_the_target() -> None:
    unique = object_array([f"v{i}" for i in range(ROWS)])
    assert recall_alone(unique, IS_YES.astype(int)) == 0
    halves = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0])
    assert recall_alone(halves, np.array([0, 0, 0, 0, 1, 1, 1, 1])) == 1


def test_copies_and_conflicts_are_told_with_their_lines() -> None:
    texts = [f"this is text {i} about a thing called {i * 31}" for i in range(ROWS)]
    values = {"text": [*texts, texts[4], texts[5] + "!!"], "label": [*LABELS, "maybe", "no"]}
    found = findings(values, target="label", kinds={"label": "category", "text": "text"})
    assert found["duplicate_rows"].lines == (202,)
    assert found["near_duplicates"].lines == (203,)
    assert found["conflicting_labels"].lines == (6, 202)
    assert "99.5 %" in found["conflicting_labels"].message


def test_copies_across_given_parts_are_told() -> None:
    texts = [f"this is text {i} about a thing called {i * 31}" for i in range(ROWS)]
    values = {"text": [*texts, texts[4]], "part": ["train"] * ROWS + ["test"], "label": [*LABELS, "no"]}
    found = findings(values, target="label")["copies_across_parts"]
    assert found.message.startswith("1 test row has a copy")
    assert "line 202 of test" in found.message


def test_missing_values_are_a_note_or_from_a_fifth_on_a_warning() -> None:
    few = [None if i == 7 else x for i, x in enumerate(SIZES)]
    many = [None if i % 3 else x for i, x in enumerate(SIZES)]
    assert findings(table(few=few), target="label")["missing_values"].severity == "note"
    assert findings(table(few=few), target="label")["missing_values"].lines == (9,)
    assert findings(table(many=many), target="label")["missing_values"].severity == "warning"


def test_columns_that_tell_nothing_are_named() -> None:
    values = table(one=["x"] * ROWS, customer_no=list(range(ROWS)))
    found = findings(values, target="label")
    assert found["constant_column"].severity == "note"
    assert found["identifier"].column == "customer_no"
    used = findings(values, target="label", roles={"customer_no": "input", "one": "input"})
    assert used["constant_column"].severity == "warning"
    assert used["identifier"].severity == "warning"


@pytest.mark.parametrize(("share", "severity"), [(0.8, "note"), (0.95, "warning")])
def test_an_uneven_target_is_told(share: float, severity: str) -> None:
    labels = ["no" if i < share * ROWS else "yes" for i in range(ROWS)]
    assert findings({"size": SIZES, "label": labels}, target="label")["class_imbalance"].severity == severity


def test_rare_classes_are_named_with_their_counts() -> None:
    labels = ["rare"] * 3 + LABELS[3:]
    assert "'rare' (3)" in findings({"size": SIZES, "label": labels}, target="label")["rare_classes"].message


def test_a_single_class_is_an_error() -> None:
    values = {"size": SIZES, "label": ["a"] * ROWS}
    assert findings(values, target="label", kinds={"label": "category"})["one_class"].severity == "error"


def test_empty_and_overlong_texts_are_told() -> None:
    texts: list[Any] = [f"this is text {i} about a thing called {i * 31}" for i in range(ROWS)]
    texts[3], texts[8], texts[12] = None, "   ", "long " * 1000
    found = findings({"text": texts, "label": LABELS}, target="label")
    assert found["empty_text"].lines == (5, 10)
    assert found["text_length"].lines == (14,)


def test_a_time_is_told_with_what_it_means_for_the_split() -> None:
    days = [str(np.datetime64("2024-01-01") + i) for i in range(ROWS)]
    assert "test part" in findings(table(day=days), target="label")["time_order"].message
    mixed = days[100:] + days[:100]
    assert "role time" in findings(table(day=mixed), target="label")["time_order"].message


def test_bad_rows_and_unreadable_pictures_are_told_apart() -> None:
    found = findings(
        table(), (BadRow(3, "2 cells, expected 3"), BadRow(7, "1 cells, expected 3")), target="label"
    )
    assert found["bad_rows"].lines == (3, 7)
    assert "first line 3: 2 cells, expected 3" in found["bad_rows"].message
    assert "unreadable_pictures" not in found


def test_data_without_a_target_is_checked_too() -> None:
    assert set(findings({"size": [1.5, 1.5, 2.5, 3.25], "one": ["x"] * 4})) == {
        "duplicate_rows",
        "constant_column",
    }


def test_a_finding_is_plain_json() -> None:
    assert Finding("a", "note", "b.", lines=(1, 2)).to_dict() == {
        "code": "a",
        "severity": "note",
        "message": "b.",
        "column": "",
        "lines": [1, 2],
        "is_leak": False,
    }
