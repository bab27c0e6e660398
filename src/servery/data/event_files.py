"""Reads a log of events as rows of users at a moment: what they did before it, and what they did next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from servery.data.cells import name_of, times_of
from servery.data.dataset import BadRow
from servery.data.events import EPOCH, SECOND, Event
from servery.data.parts import part_of
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.errors import DataError

USER, HISTORY, NEXT, PART = "user_id", "history", "next", "part"
KINDS = {USER: "category", HISTORY: "events", NEXT: "events"}
ROLES = {USER: "input", HISTORY: "input"}
_SPOKEN: Mapping[str, tuple[str, ...]] = {
    USER: (
        "user_id",
        "user",
        "customer_id",
        "customerid",
        "customer",
        "visitor_id",
        "session_id",
        "用户",
        "客户",
    ),
    "item_id": (
        "item_id",
        "item",
        "product_id",
        "product",
        "sku",
        "stockcode",
        "movie_id",
        "article_id",
        "物品",
        "商品",
    ),
    "timestamp": ("timestamp", "time", "date", "datetime", "invoicedate", "created_at", "时间", "日期"),
    "text": ("text", "title", "name", "description", "item_text", "名称", "标题"),
}
"""What the columns of a log are called, the first one found counts; only the text may be missing."""
_CUTS = (0.7, 0.8, 0.9)
"""Shares of the events before the moments of a log that brings no parts."""


@dataclass(frozen=True)
class Log:
    """Events as arrays of one length, in any order.

    Attributes:
        users: Names, objects.
        items: Names, objects.
        seconds: Since 1970, int64.
        texts: Item to what it is called.
    """

    users: np.ndarray
    items: np.ndarray
    seconds: np.ndarray
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Moments:
    """Where the log is cut, in seconds since 1970.

    The rows of a part are the users with what they did before its moment and from there to the next one.
    """

    train: int
    validation: int
    test: int


def read_events(path: Path) -> RawTable:
    """Read a file or folder of events as rows of users at a moment, with a column `part`.

    A log that is one file is cut where 70, 80 and 90 % of its events have passed; one in parts where they begin.

    Raises:
        DataError: The file is missing, has no columns for user, item and time, or its parts overlap in time.
    """
    raw = read_raw(path)
    columns = _columns(raw, path.name)
    users, items = ([name_of(cell) for cell in columns[name]] for name in (USER, "item_id"))
    times = times_of(columns["timestamp"])
    bad = [
        BadRow(int(raw.line_numbers[row]), f"the event lacks its {lacking}")
        for row in range(len(raw))
        if (lacking := _lacking(users[row], items[row], times[row]))
    ]
    kept = np.setdiff1d(raw.line_numbers, [row.line for row in bad]) if bad else raw.line_numbers
    rows = np.flatnonzero(np.isin(raw.line_numbers, kept))
    if not len(rows):
        raise DataError(f"{path.name} has no event with user, item and time.", param="data")
    texts = columns.get("text", object_array([None] * len(raw)))
    log = Log(
        object_array(users)[rows],
        object_array(items)[rows],
        ((times[rows] - EPOCH) // SECOND).astype(np.int64),
        texts_of(zip(items, texts, strict=True)),
    )
    parts = raw.values[PART][rows] if PART in raw.values else None
    table = rows_of_log(log, moments_of(log.seconds, parts))
    return RawTable(table.values, table.line_numbers, (*raw.bad_rows, *bad), {**raw.facts, **table.facts})


def texts_of(pairs: Iterable[tuple[str | None, Any]]) -> dict[str, str]:
    """Return what each item is called by its last event that says so."""
    return {item: text.strip() for item, text in pairs if item and isinstance(text, str) and text.strip()}


def moments_of(seconds: np.ndarray, parts: np.ndarray | None = None) -> Moments:
    """Return where to cut a log.

    Args:
        seconds: Of each event, (events,).
        parts: What part each event belongs to, as the data says; None lets the number of events decide.

    Raises:
        DataError: An event of the train part is later than the first one of the test part.
    """
    if parts is None:
        return Moments(*(int(np.quantile(seconds, share)) + 1 for share in _CUTS))
    spoken = np.array([part_of(str(part)) or "train" for part in parts])
    if not (spoken == "test").any() or not (spoken == "train").any():
        raise DataError("The events come in parts, but train or test is missing.", param="data")
    test = int(seconds[spoken == "test"].min())
    late = int((seconds[spoken != "test"] > test).sum())
    if late:
        raise DataError(
            f"{late:,} events of the other parts are later than the first one of the test part: nobody could have "
            "known them.",
            hint="cut the log at one moment for all users, or bring it as one file",
            param="data",
        )
    length = int(seconds.max()) + 1 - test
    is_validation = spoken == "validation"
    validation = int(seconds[is_validation].min()) if is_validation.any() else test - length
    return Moments(2 * validation - test, validation, test)


def rows_of_log(log: Log, moments: Moments) -> RawTable:
    """Return the rows of all users: `user_id`, `history`, `next` and `part`.

    Train rows are all users met before the validation's moment, also those who did nothing next; of the other parts
    only users who did something next are rows, among them those without a history.
    """
    order = _once(log)
    users, seconds = log.users[order], log.seconds[order]
    events = _events(log.items[order], seconds, log.texts)
    starts = np.flatnonzero(np.append(True, users[1:] != users[:-1]))
    ends = np.append(starts[1:], len(users))
    rows: dict[str, list[tuple[Any, ...]]] = {"train": [], "validation": [], "test": []}
    bounds = np.array([moments.train, moments.validation, moments.test])
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        begin, middle, last = (start + np.searchsorted(seconds[start:end], bounds)).tolist()
        cuts = {"train": (begin, middle), "validation": (middle, last), "test": (last, end)}
        for part, (cut, until) in cuts.items():
            if until > (start if part == "train" else cut):
                line = int(order[start]) + 1
                rows[part].append((users[start], events[start:cut], events[cut:until], part, line))
    every = [row for part in rows.values() for row in part]
    if not every:
        raise DataError("The log has no event.", param="data")
    values = dict(
        zip((USER, HISTORY, NEXT, PART), map(object_array, list(zip(*every, strict=True))[:4]), strict=True)
    )
    facts = {
        "events": f"{len(users):,} of {len(starts):,} users and {len(set(log.items)):,} items",
        "moments": ", ".join(str(np.datetime64(int(moment), "s")) for moment in bounds),
    }
    return RawTable(values, np.array([row[4] for row in every], np.int64), (), facts)


def _once(log: Log) -> np.ndarray:
    """Return the events by user and time; an item that stands twice on one bill is one event."""
    users, items = (np.unique(names.astype(str), return_inverse=True)[1] for names in (log.users, log.items))
    order = np.lexsort((items, log.seconds, users))
    columns = np.stack([users, items, log.seconds])[:, order]
    return np.asarray(order[np.append(True, (np.diff(columns, axis=1) != 0).any(axis=0))])


def _events(items: np.ndarray, seconds: np.ndarray, texts: Mapping[str, str]) -> tuple[Event, ...]:
    return tuple(
        Event(item, second, texts.get(item, ""))
        for item, second in zip(items.tolist(), seconds.tolist(), strict=True)
    )


def _columns(raw: RawTable, name: str) -> dict[str, np.ndarray]:
    lowered = {column.lower(): column for column in raw.values}
    found = {
        ours: next((lowered[spoken] for spoken in names if spoken in lowered), None)
        for ours, names in _SPOKEN.items()
    }
    missing = [ours for ours in (USER, "item_id", "timestamp") if found[ours] is None]
    if missing:
        raise DataError(
            f"{name} has no column for {', '.join(missing)}; its columns are {', '.join(raw.values)}.",
            hint="a log of events has a line an event with user_id, item_id and timestamp",
            param="data",
        )
    return {ours: raw.values[theirs] for ours, theirs in found.items() if theirs is not None}


def _lacking(user: str | None, item: str | None, time: np.datetime64) -> str:
    absent: Sequence[tuple[str, bool]] = (
        ("user", not user),
        ("item", not item),
        ("time", bool(np.isnat(time))),
    )
    return ", ".join(name for name, is_absent in absent if is_absent)
