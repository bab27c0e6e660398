"""The fingerprint changes with every value and with nothing else."""

from __future__ import annotations

import time

import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.data.fingerprint import fingerprint
from servery.data.raw_table import object_array

COLUMNS = (
    Column("text", Kind.TEXT, Role.INPUT, "why"),
    Column("size", Kind.NUMBER, Role.INPUT),
    Column("when", Kind.TIME, Role.TIME),
    Column("tags", Kind.LABELS, Role.TARGET),
    Column("picture", Kind.IMAGE, Role.IGNORED),
)


def values() -> dict[str, np.ndarray]:
    return {
        "text": object_array(["ab", "c", None]),
        "size": np.array([0.0, np.nan, 2.5]),
        "when": np.array(["2024-01-01", "NaT", "2024-01-03"], dtype="datetime64[ns]"),
        "tags": object_array([("a", "b"), (), ("ab",)]),
        "picture": object_array([b"x", b"yz", None]),
    }


def test_equal_data_has_an_equal_fingerprint_however_it_came() -> None:
    other = {name: np.concatenate([array[:1], array[1:]]) for name, array in values().items()}
    other["size"] = np.array([-0.0, float("nan"), 2.5])
    reasoned = [Column(c.name, c.kind, c.role, "other reason") for c in COLUMNS]
    assert fingerprint(reasoned, other) == fingerprint(COLUMNS, values())
    assert len(fingerprint(COLUMNS, values())) == 64


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("text", object_array(["a", "bc", None])),
        ("text", object_array(["ab", "c", ""])),
        ("size", np.array([0.0, 1.0, 2.5])),
        ("when", np.array(["2024-01-01", "2024-01-02", "2024-01-03"], dtype="datetime64[ns]")),
        ("tags", object_array([("a",), ("b",), ("ab",)])),
        ("tags", object_array([("ab",), (), ("ab",)])),
        ("picture", object_array([b"xy", b"z", None])),
    ],
)
def test_any_other_value_gives_another_fingerprint(name: str, cells: np.ndarray) -> None:
    assert fingerprint(COLUMNS, values() | {name: cells}) != fingerprint(COLUMNS, values())


def test_another_name_kind_or_role_gives_another_fingerprint() -> None:
    changed = [
        Column("texts", Kind.TEXT, Role.INPUT),
        Column("text", Kind.CATEGORY, Role.INPUT),
        Column("text", Kind.TEXT, Role.IGNORED),
    ]
    cells = {"text": values()["text"], "texts": values()["text"]}
    prints = {fingerprint([column], cells) for column in (COLUMNS[0], *changed)}
    assert len(prints) == 4


def test_fifty_thousand_rows_take_less_than_a_second() -> None:
    cells = {"text": object_array([f"some text of the usual length, number {i}" * 3 for i in range(50_000)])}
    started = time.monotonic()
    fingerprint(COLUMNS[:1], cells)
    assert time.monotonic() - started < 1
