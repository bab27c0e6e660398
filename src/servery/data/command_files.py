"""Reads commands with their intent and slots."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from servery.data.cells import structure_of
from servery.data.commands import fault_of_command
from servery.data.dataset import BadRow
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.errors import EmptyDataError

INTENT, SLOTS, COMMAND = "intent", "slots", "command"


def read_commands(path: Path) -> RawTable:
    """Read a file or folder whose columns `intent` and `slots` become one, `command`.

    `slots` is a JSON object of names and values, empty or missing where a command fills none. Rows whose intent or
    slots cannot be are set aside in `bad_rows`.

    Raises:
        EmptyDataError: No usable row is left.
        DataError: The file is missing or torn.
    """
    raw = read_raw(path)
    if INTENT not in raw.values or COMMAND in raw.values:
        return raw
    empty: list[Any] = [None] * len(raw)
    pairs = zip(raw.values[INTENT], raw.values.get(SLOTS, empty), strict=True)
    commands = [_command(intent, slots) for intent, slots in pairs]
    faults = [fault_of_command(command) for command in commands]
    kept = [row for row, fault in enumerate(faults) if not fault]
    bad = [
        BadRow(line, fault) for line, fault in zip(raw.line_numbers.tolist(), faults, strict=True) if fault
    ]
    if not kept:
        raise EmptyDataError(f"No row can be used. Line {bad[0].line}: {bad[0].reason}.", param="data")
    others = {name: cells[kept] for name, cells in raw.values.items() if name not in (INTENT, SLOTS)}
    written = object_array([orjson.dumps(commands[row]).decode() for row in kept])
    return replace(
        raw,
        values={**others, COMMAND: written},
        line_numbers=raw.line_numbers[kept],
        bad_rows=(*raw.bad_rows, *bad),
    )


def _command(intent: Any, slots: Any) -> dict[str, Any]:
    # A torn cell stays what it is, so that the fault can name it.
    read = {} if slots is None or slots == "" else structure_of(slots)
    return {"intent": intent, "slots": slots if read is None else read}
