"""How answers look: a table or facts for people, one JSON value for scripts, progress on the error stream."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from unicodedata import east_asian_width

from servery.errors import ServeryError

HEADING_WIDTH = 10


def print_json(value: Any) -> None:
    """Print one JSON value on the standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print headed lines, the headings in one column."""
    lines = list(facts)
    width = max([HEADING_WIDTH, *(len(heading) + 2 for heading, _ in lines)])
    for heading, text in lines:
        print(f"{heading:<{width}}{text}".rstrip())


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table without rulers, columns as wide as their widest cell."""
    cells = [list(headings), *[["" if v is None else str(v) for v in row] for row in rows]]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(headings))]
    for row in cells:
        line = "   ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        )
        print(line.rstrip())


def print_error(error: ServeryError, as_json: bool = False) -> None:
    """Print an error for people on the error stream, or as JSON on the standard output for scripts."""
    if as_json:
        print_json(error.body())
        return
    print(f"Error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  Try: {error.hint}", file=sys.stderr)
    print(f"  [{error.code}]", file=sys.stderr)


def _width(text: str) -> int:
    # Chinese characters take two cells of a terminal.
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


class TerminalProgress:
    """Draws a bar on a terminal; elsewhere prints a line now and then. Writes to the error stream only."""

    def __init__(self, is_quiet: bool = False) -> None:
        self._is_quiet = is_quiet
        self._is_terminal = sys.stderr.isatty()
        self._has_bar = False
        self._last_line_at = 0.0

    def update(self, stage: str, done: float, total: float, note: str = "") -> None:
        """Draw how far `stage` is."""
        if self._is_quiet:
            return
        share = min(done / total, 1.0) if total else 0.0
        if self._is_terminal:
            bar = "#" * round(share * 24)
            sys.stderr.write(f"\r\x1b[2K{_headed(stage)}[{bar:<24}] {share:4.0%}  {note}")
            self._has_bar = True
            if share >= 1.0:
                self._end_bar()
        elif time.monotonic() - self._last_line_at > 10.0 or share >= 1.0:
            self._last_line_at = time.monotonic()
            sys.stderr.write(f"{_headed(stage)}{share:4.0%}  {note}\n")
        sys.stderr.flush()

    def say(self, heading: str, text: str) -> None:
        """Print one finished fact."""
        if self._is_quiet:
            return
        self._end_bar()
        sys.stderr.write(f"{_headed(heading)}{text}\n")
        sys.stderr.flush()

    def _end_bar(self) -> None:
        if self._has_bar:
            sys.stderr.write("\n")
            self._has_bar = False


def _headed(heading: str) -> str:
    return f"{heading:<{HEADING_WIDTH - 1}} "


def short_metrics(task: str, metrics: Mapping[str, Any]) -> str:
    """Return a version's main metric with its interval, for a table's cell; empty where nobody measured it."""
    # Imported here because most verbs show no metric.
    from servery.tasks.task import LearnableTask, find_task

    asked = find_task(task)
    value = metrics.get(asked.primary_metric) if isinstance(asked, LearnableTask) else None
    if not isinstance(asked, LearnableTask) or value is None:
        return ""
    if isinstance(value, Mapping):
        return f"{asked.primary_metric} {value['value']:.3f} [{value['low']:.3f}-{value['high']:.3f}]"
    return f"{asked.primary_metric} {value:.3f}"
