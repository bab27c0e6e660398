"""Reads the triples of a knowledge graph: head, relation and tail, and whether each is a fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.errors import DataError

HEAD, RELATION, TAIL, TRUTH = "head", "relation", "tail", "truth"
_SPOKEN: Mapping[str, tuple[str, ...]] = {
    HEAD: ("head", "subject", "source", "from", "h", "s", "头实体", "主语"),
    RELATION: ("relation", "predicate", "property", "type", "r", "p", "关系", "谓语"),
    TAIL: ("tail", "object", "target", "to", "t", "o", "尾实体", "宾语"),
    TRUTH: ("truth", "is_true", "is_fact", "label"),
}
"""What the columns of triples are called, the first one found counts."""
_FALSE = frozenset({"0", "0.0", "false", "no", "-1", "否"})


def read_triples(path: Path) -> RawTable:
    """Read a file or folder of triples as the columns head, relation, tail and truth.

    Subject, predicate, object and the like are renamed; without a column that says otherwise every triple is a fact.

    Raises:
        DataError: The file is missing, or has no columns that could be head, relation and tail.
    """
    raw = read_raw(path)
    lowered = {name.lower(): name for name in raw.values}
    found = {
        ours: next((lowered[name] for name in names if name in lowered), None)
        for ours, names in _SPOKEN.items()
    }
    missing = [ours for ours in (HEAD, RELATION, TAIL) if found[ours] is None]
    if missing:
        raise DataError(
            f"{path.name} has no column for {', '.join(missing)}; its columns are {', '.join(raw.values)}.",
            hint="call them head, relation and tail in the first line of the file",
            param="data",
        )
    renamed = {theirs: ours for ours, theirs in found.items() if theirs is not None}
    values = {renamed.get(name, name): cells for name, cells in raw.values.items()}
    return with_truth(replace(raw, values=values))


def with_truth(raw: RawTable) -> RawTable:
    """Return triples with their truth as 1 or 0; 1 where nothing is said."""
    said = raw.values.get(TRUTH)
    truth = [1.0] * len(raw) if said is None else [_truth_of(cell) for cell in said]
    values = {**raw.values, TRUTH: object_array(truth)}
    loops = sum(head == tail for head, tail in zip(values[HEAD], values[TAIL], strict=True))
    return replace(raw, values=values, facts={**raw.facts, **({"self_loops": str(loops)} if loops else {})})


def with_negatives(facts: RawTable, wrong: RawTable) -> RawTable:
    """Return the rows of both, with the truth 1 for the first and 0 for the others."""
    values = {
        name: np.concatenate([facts.values[name], wrong.values[name]]) for name in (HEAD, RELATION, TAIL)
    }
    truth = [1.0] * len(facts) + [0.0] * len(wrong)
    lines = np.concatenate([facts.line_numbers, wrong.line_numbers])
    return RawTable(
        {**values, TRUTH: object_array(truth)}, lines, (*facts.bad_rows, *wrong.bad_rows), facts.facts
    )


def _truth_of(cell: object) -> float | None:
    if cell is None:
        return None
    return 0.0 if str(cell).strip().lower() in _FALSE else 1.0
