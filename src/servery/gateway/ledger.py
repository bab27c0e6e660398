"""What every key used, and may still use: reserved before the work, settled after it."""

from __future__ import annotations

from servery.registry.keys import KeyRecord
from servery.schemas import UsageEntry


class Reservation:
    """What one request holds of its key's limits until it is settled or released; one of the two, once."""

    __slots__ = ("_key_id", "_ledger", "_model", "_unit")

    def __init__(self, ledger: Ledger, key_id: str, model: str, unit: str) -> None:
        self._ledger = ledger
        self._key_id = key_id
        self._model = model
        self._unit = unit

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What is left of the key's limits, as `x-ratelimit-*`."""
        return []

    def settle(self, units: int, compute_seconds: float) -> None:
        """Book what was really used; what was reserved beyond it is given back."""
        self._ledger.book(self._key_id, self._model, self._unit, units, compute_seconds)

    def release(self) -> None:
        """Give all of it back: nothing was answered."""


class Ledger:
    """The limits and the usage of all keys."""

    def __init__(self) -> None:
        self._usage: dict[tuple[str, str, str], list[float]] = {}

    async def reserve(self, key: KeyRecord, model: str, unit: str, units: int) -> Reservation:
        """Hold units for a request that is about to be answered.

        Args:
            key: Who asks.
            model: The version that will answer, "name@3".
            unit: What its task counts.
            units: As many as the request can use at most.

        Raises:
            QuotaError: The key has not so much left; `retry_after_seconds` says when it will.
        """
        return Reservation(self, key.id, model, unit)

    def book(self, key_id: str, model: str, unit: str, units: int, compute_seconds: float) -> None:
        """Note what a key used of a model."""
        entry = self._usage.setdefault((key_id, model, unit), [0, 0, 0.0])
        entry[0] += 1
        entry[1] += units
        entry[2] += compute_seconds

    def usage(self) -> list[UsageEntry]:
        """Return what every key used since the server started."""
        return [
            UsageEntry(key, model, unit, int(requests), int(units), seconds)
            for (key, model, unit), (requests, units, seconds) in sorted(self._usage.items())
        ]
