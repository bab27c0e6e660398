"""Splits: no row, copy or group on two sides, the same parts for the same seed, and the policy the data asks for."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.duplicates import find_duplicates
from servery.data.raw_table import RawTable, object_array
from servery.data.splits import Split, split
from servery.errors import DataError, EmptyDataError, UnknownNameError


def dataset_of(values: dict[str, list[Any]], **options: Any) -> Dataset:
    rows = len(next(iter(values.values())))
    raw = RawTable({name: object_array(cells) for name, cells in values.items()}, np.arange(1, rows + 1))
    return build_dataset(raw, "x", **options)


def lines(parts: Split) -> dict[str, set[int]]:
    return {name: set(part.line_numbers.tolist()) for name, part in parts.parts.items()}


def texts(rows: int, seed: int = 0) -> list[str]:
    chance = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(500)]
    return [" ".join(chance.choice(words, 8)) for _ in range(rows)]


def are_apart(sides: Iterable[Iterable[object]]) -> bool:
    """Whether no two sides have anything in common."""
    return all(set(one).isdisjoint(other) for one, other in combinations(list(sides), 2))


@settings(max_examples=40, deadline=None)
@given(
    choices=st.lists(st.integers(0, 60), min_size=12, max_size=120),
    seed=st.integers(0, 5),
    policy=st.sampled_from(["auto", "stratified", "random"]),
)
def test_no_row_and_no_copy_stands_in_two_parts(choices: list[int], seed: int, policy: str) -> None:
    pool = texts(61)
    values = {"text": [pool[i] for i in choices], "label": ["abc"[i % 3] for i in choices]}
    dataset = dataset_of(values, target="label", kinds={"text": "text", "label": "category"})
    try:
        parts = split(dataset, policy, seed)
    except DataError:
        # Too few different texts for three parts, or too few classes.
        assert len(set(choices)) < 20 or len(set(values["label"])) < 2
        return
    assert are_apart(lines(parts).values())
    assert are_apart(part["text"] for part in parts.parts.values())
    assert sum(len(part) for part in parts.parts.values()) == len(dataset)
    assert policy == "random" or set(parts.train["label"]) == set(dataset["label"])
    assert lines(split(dataset, policy, seed)) == lines(parts)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 12), min_size=12, max_size=30), seed=st.integers(0, 3))
def test_no_group_stands_in_two_parts(sizes: list[int], seed: int) -> None:
    owners = [f"p{i}" for i, size in enumerate(sizes) for _ in range(size)]
    numbers = np.random.default_rng(seed).normal(size=len(owners)).tolist()
    values = {"owner": owners, "size": numbers, "answer": [0.5 * x for x in numbers]}
    kinds = {"owner": "identifier", "size": "number", "answer": "number"}
    dataset = dataset_of(values, target="answer", kinds=kinds, roles={"owner": "group"})
    parts = split(dataset, "auto", seed)
    assert parts.policy == "group"
    assert are_apart(part["owner"] for part in parts.parts.values())
    assert are_apart(lines(parts).values())
    assert len(parts.train) > len(dataset) / 2


def table(rows: int = 200, **more: list[Any]) -> dict[str, list[Any]]:
    chance = np.random.default_rng(1)
    label = ["yes" if x < 0.2 else "no" for x in chance.random(rows)]
    return {"size": chance.normal(size=rows).tolist(), **more, "label": label}


def test_classes_are_spread_evenly() -> None:
    dataset = dataset_of(table(1000), target="label")
    parts = split(dataset)
    assert parts.policy == "stratified"
    assert [len(part) for part in parts.parts.values()] == [800, 100, 100]
    shares = [float((part["label"] == "yes").mean()) for part in parts.parts.values()]
    assert max(shares) - min(shares) < 0.015


def test_another_seed_gives_other_parts() -> None:
    dataset = dataset_of(table(), target="label")
    assert lines(split(dataset, seed=0)) != lines(split(dataset, seed=1))


def test_a_class_of_one_row_is_learned_and_its_absence_elsewhere_is_said() -> None:
    values = table(100)
    values["label"][17] = "rare"
    parts = split(dataset_of(values, target="label", kinds={"label": "category"}))
    assert "rare" in set(parts.train["label"])
    assert any("test part has no row of 1 classes: rare" in note for note in parts.notes)


def test_the_last_rows_by_time_are_the_test_part() -> None:
    days = [str(np.datetime64("2024-01-01") + i) for i in range(200)]
    parts = split(dataset_of(table(day=days), target="label"))
    assert parts.policy == "time"
    assert parts.train["day"].max() < parts.validation["day"].min()
    assert parts.validation["day"].max() < parts.test["day"].min()
    assert [len(part) for part in parts.parts.values()] == [160, 20, 20]


def test_rows_of_the_same_day_stay_on_one_side() -> None:
    days = [str(np.datetime64("2024-01-01") + i // 7) for i in range(200)]
    parts = split(dataset_of(table(day=days), target="label"))
    assert are_apart(part["day"].tolist() for part in parts.parts.values())


def test_given_parts_are_kept_and_copies_of_test_rows_are_left_out_of_training() -> None:
    pool = texts(90)
    copies = [pool[80].upper() + " !", pool[81]]
    values = {
        "text": [*pool, *copies],
        "part": ["train"] * 70 + ["val"] * 10 + ["test"] * 10 + ["train", "val"],
        "label": ["a", "b"] * 46,
    }
    parts = split(dataset_of(values, target="label"))
    assert parts.policy == "given"
    assert lines(parts)["test"] == set(range(81, 91))
    assert parts.dropped == {"train": 1, "validation": 1}
    assert parts.dropped_near == 1
    assert "2 copies" in parts.summary()


def test_a_validation_part_is_cut_from_the_train_part_where_none_is_given() -> None:
    values = table(100, part=["train"] * 80 + ["test"] * 20)
    parts = split(dataset_of(values, target="label"))
    assert [len(part) for part in parts.parts.values()] == [71, 9, 20]
    assert lines(parts)["test"] == set(range(81, 101))


def test_equal_rows_of_a_small_table_are_not_taken_for_copies() -> None:
    chance = np.random.default_rng(0)
    values = {name: chance.choice(["x", "y", "z"], 300).tolist() for name in ("a", "b")}
    values["label"] = chance.choice(["yes", "no"], 300).tolist()
    parts = split(dataset_of(values, target="label"))
    assert sum(len(part) for part in parts.parts.values()) == 300
    assert "equal rows are not taken for copies" in parts.notes[0]


def test_rows_of_several_labels_reach_every_part() -> None:
    chance = np.random.default_rng(0)
    pairs = [chance.choice(["a", "b", "c", "d"], chance.integers(1, 3), replace=False) for _ in range(300)]
    cells = [tuple(sorted(pair.tolist())) for pair in pairs]
    parts = split(dataset_of({"text": texts(300), "tags": cells}, target="tags"))
    for part in parts.parts.values():
        assert {label for cell in part["tags"] for label in cell} == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"policy": "sorted"}, UnknownNameError, "split policy"),
        ({"policy": "time"}, DataError, "needs a column with the role time"),
        ({"shares": (0.9, 0.2, 0.1)}, DataError, "sum to 1"),
    ],
)
def test_a_split_that_cannot_be_is_refused(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        split(dataset_of(table(), target="label"), **change)


def test_too_few_rows_and_too_few_classes_are_refused() -> None:
    with pytest.raises(EmptyDataError, match="at least 10"):
        split(dataset_of(table(9), target="label"))
    with pytest.raises(DataError, match="only one class: 'a'"):
        split(dataset_of({**table(50), "label": ["a"] * 50}, target="label", kinds={"label": "category"}))
    with pytest.raises(DataError, match="no column to learn from"):
        split(dataset_of({"id": list(range(50)), "label": ["a", "b"] * 25}, target="label"))


def test_ten_rows_are_enough() -> None:
    values = {"size": [i * 1.5 for i in range(10)], "label": ["a", "b"] * 5}
    parts = split(dataset_of(values, target="label", kinds={"label": "category"}))
    assert [len(part) for part in parts.parts.values()] == [8, 1, 1]


def test_the_groups_of_near_copies_are_found() -> None:
    pool = texts(50)
    near = pool[3].replace(pool[3].split()[0], "Other", 1)
    dataset = dataset_of(
        {"text": [*pool, pool[3], pool[3].title() + "...", near], "label": ["a"] * 53}, target="label"
    )
    groups = find_duplicates(dataset)
    assert groups.exact[50] == groups.exact[3] != groups.exact[51]
    assert groups.near[50] == groups.near[51] == groups.near[3]
    assert len(set(groups.near.tolist())) <= 51


def test_a_part_that_is_none_and_a_time_that_is_none_are_refused() -> None:
    with pytest.raises(DataError, match="holds 'fold 1'"):
        dataset_of(table(fold=["fold 1", "fold 2"] * 100), target="label", roles={"fold": "part"})
    dataset = dataset_of(table(colour=["red", "blue"] * 100), target="label", roles={"colour": "time"})
    with pytest.raises(DataError, match="of kind category"):
        split(dataset)
