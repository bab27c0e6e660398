"""The tensors that a model takes and gives, found once for each loaded version."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from servery.data.columns import Column
from servery.serving.replica import Replica


@dataclass(frozen=True)
class Interface:
    """Columns by name, in order."""

    inputs: dict[str, Column]
    outputs: dict[str, Column]


_KNOWN: WeakKeyDictionary[Replica, Interface] = WeakKeyDictionary()


def interface_of(replica: Replica) -> Interface:
    """Return what a loaded version takes and gives."""
    found = _KNOWN.get(replica)
    if found is None:
        signature = replica.predictor.signature
        outputs = replica.task.output_tensors(signature.labels)
        found = Interface({c.name: c for c in signature.inputs}, {c.name: c for c in outputs})
        _KNOWN[replica] = found
    return found
