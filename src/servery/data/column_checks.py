"""Looks each column over by itself: missing, constant, identifying, empty or overlong values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from servery.data.building import is_missing
from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.data.finding import Finding, counted, first_lines, in_lines, percent


def check_columns(dataset: Dataset) -> list[Finding]:
    """Return what is worth knowing about single columns, in their order."""
    return [finding for column in dataset.columns for look in _LOOKS for finding in look(dataset, column)]


def _missing(dataset: Dataset, column: Column) -> list[Finding]:
    missing = is_missing(dataset[column.name])
    share = float(missing.mean())
    if column.role is not Role.INPUT or not missing.any() or column.kind is Kind.TEXT:
        return []
    message = (
        f"The column {column.name!r} is missing in {counted(int(missing.sum()), 'row')} ({percent(share)}), "
        f"first {in_lines(dataset, missing)}."
    )
    severity = "warning" if share >= 0.2 else "note"
    return [Finding("missing_values", severity, message, column.name, first_lines(dataset, missing))]


def _constant(dataset: Dataset, column: Column) -> list[Finding]:
    if column.role in (Role.TARGET, Role.PART) or column.kind is Kind.IMAGE:
        return []
    values = dataset[column.name][~is_missing(dataset[column.name])]
    if len(values) and len(set(values.tolist())) > 1:
        return []
    what = f"holds {values[0]!r} in every row" if len(values) else "is empty"
    used = "" if column.role is Role.IGNORED else ", yet it is used"
    message = f"The column {column.name!r} {what} and can tell nothing apart{used}."
    return [
        Finding("constant_column", "note" if column.role is Role.IGNORED else "warning", message, column.name)
    ]


def _identifier(dataset: Dataset, column: Column) -> list[Finding]:
    if column.kind is not Kind.IDENTIFIER:
        return []
    if column.role is Role.INPUT:
        message = (
            f"The column {column.name!r} is an identifier, yet it is an input: a model can learn it by heart."
        )
        return [Finding("identifier", "warning", message, column.name)]
    use = "keeps its rows together" if column.role is Role.GROUP else "is left out"
    return [
        Finding("identifier", "note", f"The column {column.name!r} is an identifier and {use}.", column.name)
    ]


def _texts(dataset: Dataset, column: Column) -> list[Finding]:
    if column.role is not Role.INPUT or column.kind is not Kind.TEXT:
        return []
    lengths = np.array([len((text or "").strip()) for text in dataset[column.name]])
    findings = []
    empty = lengths == 0
    if empty.any():
        count = counted(int(empty.sum()), "text is", "texts are")
        message = f"{count} empty in {column.name!r}, first {in_lines(dataset, empty)}."
        findings.append(Finding("empty_text", "warning", message, column.name, first_lines(dataset, empty)))
    median = float(np.median(lengths))
    long = lengths > max(10 * median, 1000)
    if long.any():
        message = (
            f"{counted(int(long.sum()), 'text is', 'texts are')} more than ten times as long as usual in "
            f"{column.name!r} (median {median:.0f} characters, longest {lengths.max():,}), "
            f"first {in_lines(dataset, long)}."
        )
        findings.append(Finding("text_length", "note", message, column.name, first_lines(dataset, long)))
    return findings


def _time_order(dataset: Dataset, column: Column) -> list[Finding]:
    if column.kind is not Kind.TIME or column.role in (Role.TARGET, Role.INPUT):
        return []
    if column.role is Role.TIME:
        message = f"The rows have a time ({column.name!r}): the last ones become the test part."
    else:
        message = f"The column {column.name!r} is a time; give it the role time to test on the latest rows."
    return [Finding("time_order", "note", message, column.name)]


_LOOKS: tuple[Callable[[Dataset, Column], list[Finding]], ...] = (
    _missing,
    _constant,
    _identifier,
    _texts,
    _time_order,
)
