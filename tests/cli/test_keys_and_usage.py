"""Keys with limits, and what they used, from the command line."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from servery.registry.bookkeeping import Batch, Bookkeeping
from servery.registry.usage import Used
from servery.storage.clock import read_moment
from servery.storage.database import Database

Run = Callable[..., CompletedProcess[str]]


def test_a_key_is_made_with_limits_and_they_are_changed_one_by_one(servery: Run) -> None:
    words = [
        "--scope",
        "predict",
        "--rows-per-minute",
        "6000",
        "--requests-total=9",
        "--weight",
        "2.5",
        "--json",
    ]
    made = json.loads(servery("keys", "create", "app", *words).stdout)
    assert made["limits"] == {"rows_per_minute": 6000, "requests_total": 9, "weight": 2.5}
    assert made["scopes"] == ["predict"]
    shown = servery("keys", "limit", "app", "--requests-total", "none", "--tokens-per-month", "5").stdout
    assert "rows_per_minute=6000, weight=2.5, tokens_per_month=5" in shown
    listed = {key["name"]: key for key in json.loads(servery("keys", "list", "--json").stdout)}
    assert listed["app"]["limits"] == {"rows_per_minute": 6000, "weight": 2.5, "tokens_per_month": 5}
    table = servery("keys", "list").stdout
    assert "LIMITS" in table
    assert "tokens_per_month=5" in table


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["app", "--row-per-day", "5"], 5, "Did you mean 'rows'?"),
        (["app", "--rows-per-week", "5"], 7, "There is no limit 'rows_per_week'"),
        (["app", "--rows-per-day", "many"], 2, "must be a number or none"),
        (["app", "--rows-per-day"], 2, "is no list of limits"),
        (["app", "--rows-per-day", "-5"], 7, "must be a whole number from 0"),
        (["--rows-per-day", "5", "app"], 2, "The key comes before its limits"),
        (["nobody", "--rows-per-day", "5"], 5, "There is no key 'nobody'"),
    ],
)
def test_limits_that_cannot_be_are_told_with_what_can(
    servery: Run, words: list[str], status: int, told: str
) -> None:
    assert told in servery("keys", "limit", *words, status=status).stderr


def test_usage_is_shown_as_a_table_as_json_and_as_csv(servery: Run, home: Path) -> None:
    made = json.loads(servery("keys", "create", "billed", "--json").stdout)
    database = Database.open(f"sqlite:///{home}/servery.db")
    hours = [read_moment("2026-03-01T10:00"), read_moment("2026-03-02T11:00")]
    used = [Used(made["id"], "reviews@1", "rows", hour, 2, 10, 0.5) for hour in hours]
    Bookkeeping(database).write(Batch([*used, Used(made["id"], "scribe@2", "tokens", hours[1], 1, 99, 0.25)]))
    database.close()
    table = servery("usage").stdout.splitlines()
    assert table[0].split() == ["KEY", "KEY", "ID", "MODEL", "UNIT", "REQUESTS", "UNITS", "COMPUTE", "S"]
    assert table[1].split() == ["billed", made["id"], "reviews@1", "rows", "4", "20", "1.0"]
    by_day: list[dict[str, Any]] = json.loads(
        servery("usage", "--by", "key,day", "--since", "2026-03-02", "--json").stdout
    )
    assert [(row["start"], row["unit"], row["units"], row["model"]) for row in by_day] == [
        ("2026-03-02", "rows", 10, ""),
        ("2026-03-02", "tokens", 99, ""),
    ]
    text = servery("usage", "--by", "hour", "--model", "reviews", "--key", "billed", "--csv").stdout
    assert list(csv.reader(io.StringIO(text))) == [
        ["start", "unit", "requests", "units", "compute_seconds"],
        ["2026-03-01T10", "rows", "2", "10", "0.5"],
        ["2026-03-02T11", "rows", "2", "10", "0.5"],
    ]
    assert (
        json.loads(servery("usage", "--until", time.strftime("%Y-%m-%d", time.gmtime(0)), "--json").stdout)
        == []
    )
    assert "no group 'color'" in servery("usage", "--by", "color", status=7).stderr
