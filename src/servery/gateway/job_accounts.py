"""The keys of jobs: a job asks as its key would, for as long as that key may."""

from __future__ import annotations

import asyncio

from servery.errors import UnauthenticatedError
from servery.gateway.access import check
from servery.gateway.ledger import Ledger, Reservation
from servery.gateway.permission import Permission
from servery.registry.keys import KeyRecord, Keys
from servery.serving.replica import Replica


class JobAccounts:
    """Looks a job's key up, and holds of its limits.

    Args:
        keys: Where they are kept.
        ledger: What they have left.
    """

    def __init__(self, keys: Keys, ledger: Ledger) -> None:
        self._keys = keys
        self._ledger = ledger
        self._known: dict[str, KeyRecord | None] = {}
        self._generation = 0

    def forget(self) -> None:
        """Look every key up again; called when anything about keys has changed."""
        self._generation += 1
        self._known.clear()

    async def hold(self, key_id: str, replica: Replica, units: int) -> Reservation:
        """Hold what some rows of a job can use at most.

        Raises:
            UnauthenticatedError: The key was revoked, or has expired.
            ForbiddenError: It may not ask this model.
            QuotaError: It has not enough left.
        """
        key = await self._key(key_id)
        if key is None or not key.is_valid():
            raise UnauthenticatedError("The key of this job was revoked, or has expired.")
        check(key, Permission.PREDICT, replica.version.name)
        return await self._ledger.reserve(key, replica.version.reference, replica.task.unit, units)

    async def weight(self, key_id: str) -> float:
        """Return the key's share of a model's time against that of others, 1.0 where none was set."""
        key = await self._key(key_id)
        return 1.0 if key is None else float(key.limits.get("weight", 1.0))

    async def _key(self, key_id: str) -> KeyRecord | None:
        if key_id in self._known:
            return self._known[key_id]
        generation = self._generation
        key = await asyncio.to_thread(self._keys.get, key_id)
        # A key that was revoked while it was looked up must not be remembered as good.
        if generation == self._generation:
            self._known[key_id] = key
        return key
