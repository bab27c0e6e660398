"""What a job needs to know of keys: whether its own may still ask, and what it has left."""

from __future__ import annotations

from typing import Protocol

from servery.serving.replica import Replica


class Hold(Protocol):
    """What is held of a key's limits until it is settled or released; the first of the two counts."""

    def settle(self, units: int, compute_seconds: float) -> None:
        """Book what was really used."""

    def release(self) -> None:
        """Give all of it back."""


class Accounts(Protocol):
    """The keys, as jobs see them."""

    async def hold(self, key_id: str, replica: Replica, units: int) -> Hold:
        """Hold what some rows of a job can use at most.

        Args:
            key_id: Whose job it is.
            replica: The model they are for.
            units: Of what its task counts.

        Raises:
            UnauthenticatedError: The key was revoked, or has expired.
            ForbiddenError: It may not ask this model.
            QuotaError: It has not enough left; `retry_after_seconds` says when it will.
        """

    async def weight(self, key_id: str) -> float:
        """Return the key's share of a model's time against that of others, 1.0 where none was set."""
