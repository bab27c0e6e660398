"""Looks a data set over before anything is learned from it and says what a careful colleague would say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from servery.data.boxes import check_boxes
from servery.data.column_checks import check_columns
from servery.data.columns import Kind, Role
from servery.data.dataset import Dataset
from servery.data.duplicates import Duplicates, find_duplicates, repeats
from servery.data.finding import SEVERITIES, Finding, counted, first_lines, in_lines, percent
from servery.data.leaks import find_leaks
from servery.data.number_leaks import find_number_leaks

__all__ = ["Finding", "check"]

_RARE_ROWS = 10
_UNUSABLE = (
    ("bad_rows", "row", None),
    ("unreadable_pictures", "picture", Kind.IMAGE),
    ("unreadable_recordings", "recording", Kind.AUDIO),
)
"""Code of a finding, what was bad, and the kind of the column that could not be read."""


def check(dataset: Dataset) -> tuple[Finding, ...]:
    """Return everything worth knowing about a data set, the gravest first.

    Args:
        dataset: With or without a target; without one the checks that need it are left out.
    """
    findings = [*_bad_rows(dataset), *check_columns(dataset)]
    has_target = any(c.role is Role.TARGET for c in dataset.columns)
    if dataset.inputs:
        duplicates = find_duplicates(dataset)
        findings += [*_copies(dataset, duplicates), *_copies_across_parts(dataset, duplicates)]
        findings += _conflicts(dataset, duplicates) if has_target else []
    if has_target:
        findings += [
            *_classes(dataset),
            *check_boxes(dataset),
            *find_leaks(dataset),
            *find_number_leaks(dataset),
        ]
    return tuple(sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity)))


def _bad_rows(dataset: Dataset) -> list[Finding]:
    kinds = {c.name: c.kind for c in dataset.inputs}
    findings = []
    for code, noun, kind in _UNUSABLE:
        rows = [bad for bad in dataset.bad_rows if _fault_of(bad.reason, kinds) is kind]
        if rows:
            share = len(rows) / (len(dataset) + len(dataset.bad_rows))
            message = (
                f"{counted(len(rows), noun)} ({percent(share)}) could not be used, first line {rows[0].line}: "
                f"{rows[0].reason}."
            )
            lines = tuple(bad.line for bad in rows[:5])
            findings.append(Finding(code, "warning", message, lines=lines))
    return findings


def _fault_of(reason: str, kinds: Mapping[str, Kind]) -> Kind | None:
    """Return the kind of the file that a row was set aside for; None where it was for another reason."""
    kind = kinds.get(reason.split(":")[0])
    return kind if kind in (Kind.IMAGE, Kind.AUDIO) else None


def _copies(dataset: Dataset, duplicates: Duplicates) -> list[Finding]:
    exact = np.flatnonzero(repeats(duplicates.exact))
    near = np.setdiff1d(np.flatnonzero(repeats(duplicates.near)), exact)
    findings = []
    for code, rows, how in (
        ("duplicate_rows", exact, "the same"),
        ("near_duplicates", near, "nearly the same"),
    ):
        if len(rows):
            message = (
                f"{counted(len(rows), 'row has', 'rows have')} {how} inputs as an earlier row "
                f"({percent(len(rows) / len(dataset))}), first {in_lines(dataset, rows)}."
            )
            severity = "warning" if len(rows) > 0.01 * len(dataset) else "note"
            findings.append(Finding(code, severity, message, lines=first_lines(dataset, rows)))
    return findings


def _copies_across_parts(dataset: Dataset, duplicates: Duplicates) -> list[Finding]:
    part = next((c.name for c in dataset.columns if c.role is Role.PART), None)
    if part is None:
        return []
    is_test = dataset[part] == "test"
    copied = np.flatnonzero(is_test & np.isin(duplicates.near, duplicates.near[~is_test]))
    if not len(copied):
        return []
    message = (
        f"{counted(len(copied), 'test row has', 'test rows have')} a copy in another part "
        f"({percent(len(copied) / is_test.sum())}), first {in_lines(dataset, copied)}; "
        "the split leaves the copies out of training."
    )
    return [Finding("copies_across_parts", "warning", message, lines=first_lines(dataset, copied))]


def _conflicts(dataset: Dataset, duplicates: Duplicates) -> list[Finding]:
    """Find equal inputs with different targets; no model can get all of them right."""
    if dataset.target.kind not in (Kind.CATEGORY, Kind.LABELS):
        return []
    answers: dict[int, Counter[object]] = {}
    for group, answer in zip(duplicates.exact.tolist(), dataset[dataset.target.name], strict=True):
        answers.setdefault(group, Counter())[answer] += 1
    torn = {group for group, counts in answers.items() if len(counts) > 1}
    if not torn:
        return []
    rows = np.flatnonzero(np.isin(duplicates.exact, list(torn)))
    lost = sum(answers[g].total() - max(answers[g].values()) for g in torn)
    message = (
        f"{len(rows):,} rows have the same inputs as another but a different {dataset.target.name!r}, first "
        f"{in_lines(dataset, rows)}; no model can be right on more than {percent(1 - lost / len(dataset))} "
        "of the rows."
    )
    severity = "warning" if lost > 0.01 * len(dataset) else "note"
    return [Finding("conflicting_labels", severity, message, dataset.target.name, first_lines(dataset, rows))]


def _classes(dataset: Dataset) -> list[Finding]:
    """Look at how often each class, or each of several labels, occurs."""
    target = dataset.target
    if target.kind not in (Kind.CATEGORY, Kind.LABELS):
        return []
    cells = dataset[target.name]
    counts = (
        Counter(label for cell in cells for label in cell) if target.kind is Kind.LABELS else Counter(cells)
    )
    if len(counts) < 2:
        message = (
            f"The target {target.name!r} has {len(counts)} class; a model needs at least two to tell apart."
        )
        return [Finding("one_class", "error", message, target.name)]
    findings = []
    largest, most = counts.most_common(1)[0]
    share = most / len(dataset)
    if target.kind is Kind.CATEGORY and share >= 0.75:
        message = (
            f"{percent(share)} of the rows are {largest!r}: always answering that is right as often, "
            "so accuracy says little here."
        )
        severity = "warning" if share >= 0.9 else "note"
        findings.append(Finding("class_imbalance", severity, message, target.name))
    rare = sorted((count, str(name)) for name, count in counts.items() if count < _RARE_ROWS)
    if rare:
        shown = ", ".join(f"{name!r} ({count})" for count, name in rare[:5])
        message = (
            f"{len(rare):,} of {len(counts):,} classes have fewer than {_RARE_ROWS} rows: "
            f"{shown}{' ...' if len(rare) > 5 else ''}."
        )
        findings.append(Finding("rare_classes", "warning", message, target.name))
    return findings
