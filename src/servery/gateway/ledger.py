"""What every key used, and may still use: reserved before the work, settled after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from servery.gateway.account import Account, Holds, give_back, headers, take
from servery.gateway.bookkeeper import Bookkeeper
from servery.gateway.meter import Meter
from servery.gateway.quota import Quota
from servery.gateway.rate_board import RateBoard
from servery.registry.bookkeeping import Bookkeeping
from servery.registry.keys import KeyRecord
from servery.storage.database import Database


class Reservation:
    """What one request holds of its key's limits until it is settled or released; the first of the two counts."""

    __slots__ = ("_book", "_holds", "_is_open", "_key_id", "_model", "_unit", "_units")

    def __init__(
        self, book: Bookkeeper, key_id: str, model: str, unit: str, holds: Holds = (), units: int = 0
    ) -> None:
        self._book = book
        self._key_id = key_id
        self._model = model
        self._unit = unit
        self._holds = holds
        self._units = units
        self._is_open = True

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What is left of the key's limits, as `x-ratelimit-*`."""
        return headers(self._holds) if self._holds else []

    def settle(self, units: int, compute_seconds: float) -> None:
        """Book what was really used; what was reserved beyond it is given back."""
        if self._is_open:
            self._is_open = False
            for meter, counts_units in self._holds:
                if counts_units:
                    meter.give(self._units - units)
            self._book.book(self._key_id, self._model, self._unit, units, compute_seconds)

    def release(self) -> None:
        """Give all of it back: nothing was answered."""
        if self._is_open:
            self._is_open = False
            give_back(self._holds, self._units)


class Ledger:
    """The limits and the usage of all keys, in this process.

    Rates are exact over all processes of the machine (`RateBoard`), quotas over all processes of the database: a
    process spends only blocks that were booked before. Usage is written several times a second.

    Args:
        bookkeeping: The way to the database.
        board: The buckets of the rates.
        clock: The time in seconds since 1970; quotas and usage go by the calendar.
    """

    def __init__(
        self, bookkeeping: Bookkeeping, board: RateBoard, clock: Callable[[], float] = time.time
    ) -> None:
        self._book = Bookkeeper(bookkeeping, clock)
        self._board = board
        self._clock = clock
        self._accounts: dict[str, Account] = {}

    @classmethod
    def open(cls, database: Database, home: Path) -> Ledger:
        """Return the ledger of a data home.

        Raises:
            StorageError: The file that its processes share cannot be made.
        """
        return cls(Bookkeeping(database), RateBoard(home / "rates.board"))

    async def reserve(self, key: KeyRecord, model: str, unit: str, units: int) -> Reservation:
        """Hold units for a request that is about to be answered.

        Args:
            key: Who asks.
            model: The version that will answer, "name@3".
            unit: What its task counts.
            units: As many as the request can use at most.

        Raises:
            QuotaError: The key has not so much left; `retry_after_seconds` says when it will.
            NotReadyError: A quota cannot be checked because the database does not answer.
        """
        if not key.limits:
            return Reservation(self._book, key.id, model, unit)
        holds = self._account(key).holds(unit)
        while lacking := take(holds, units):
            await self._renew(lacking, key)
        return Reservation(self._book, key.id, model, unit, holds, units)

    def headers(self, key: KeyRecord, unit: str) -> list[tuple[bytes, bytes]]:
        """Return what is left of a key's limits, as `x-ratelimit-*`, for a request that was refused."""
        return headers(self._account(key).holds(unit)) if key.limits else []

    async def flush(self) -> None:
        """Write the usage of this process that is not in the database yet.

        Raises:
            NotReadyError: The database does not take it at the moment; nothing is lost.
        """
        await self._book.next_write()

    async def stop(self) -> None:
        """Write everything, and return what was booked of quotas and not used."""
        await self._book.stop()
        self._board.close()

    def _account(self, key: KeyRecord) -> Account:
        account = self._accounts.get(key.id)
        if account is None or not account.is_current(key.limits, self._clock()):
            account = Account(key, self._board, self._book.note, self._clock, account)
            self._accounts[key.id] = account
        return account

    async def _renew(self, lacking: Iterable[tuple[Meter, int]], key: KeyRecord) -> None:
        """Wait until the blocks of some quotas are larger, or raise why they cannot be."""
        for meter, amount in lacking:
            if not (isinstance(meter, Quota) and meter.can_grow(amount)):
                raise meter.refusal(key.name, amount)
        for meter, amount in lacking:
            if isinstance(meter, Quota):
                meter.need(amount)
        await self._book.next_write()
