"""Messages to webhooks: stored with the change they tell of, handed to one sender at a time, kept until taken."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from servery.schemas import JobObject
from servery.serving.jobs.job import Webhook
from servery.storage.clock import utc_now, utc_text
from servery.storage.database import Database
from servery.storage.tables import deliveries, jobs

MOST_ATTEMPTS = 12
"""About a day with the default pause."""
LONGEST_PAUSE_SECONDS = 4 * 3600.0
SENDING_SECONDS = 20.0
"""How long a message that is being sent is left alone by others; longer than one attempt may take."""


@dataclass(frozen=True)
class Delivery:
    """A message that is due.

    Attributes:
        id: Stays the same however often it is sent.
        webhook: Where it goes, and the secret that signs it.
        body: Its exact bytes.
        attempts: How often it was sent, this time included.
    """

    id: str
    webhook: Webhook
    body: bytes
    attempts: int


class Deliveries:
    """The messages of one house.

    Args:
        database: Where they are.
        retry_seconds: Pause after the first attempt; each further one is three times as long.
    """

    def __init__(self, database: Database, retry_seconds: float) -> None:
        self._database = database
        self._retry_seconds = retry_seconds

    def take(self, limit: int) -> list[Delivery]:
        """Take messages that are due; a process that dies while it sends them loses none."""
        if limit < 1:
            return []
        query = (
            select(deliveries, jobs.c.webhook)
            .join(jobs, jobs.c.token == deliveries.c.job)
            .where(deliveries.c.next_at <= utc_now())
            .order_by(deliveries.c.next_at)
            .limit(limit)
        )
        with self._database.read() as connection:
            if connection.execute(query).first() is None:
                return []
        with self._database.begin() as connection:
            locked = query.with_for_update(skip_locked=True, of=deliveries)
            rows = connection.execute(locked).mappings().all()
            for row in rows:
                connection.execute(
                    update(deliveries)
                    .where(deliveries.c.id == row["id"])
                    .values(attempts=row["attempts"] + 1, next_at=_in(SENDING_SECONDS))
                )
        return [
            Delivery(r["id"], Webhook.from_dict(r["webhook"]), r["body"].encode(), r["attempts"] + 1)
            for r in rows
        ]

    def taken(self, delivery: Delivery) -> None:
        """Note that the receiver has it."""
        self._note(delivery, next_at=None, delivered_at=utc_now(), last_error=None)

    def failed(self, delivery: Delivery, reason: str, *, is_final: bool = False) -> None:
        """Note that the receiver has not taken it, and when it is sent again, unless it is given up."""
        is_over = is_final or delivery.attempts >= MOST_ATTEMPTS
        pause = min(self._retry_seconds * 3.0 ** (delivery.attempts - 1), LONGEST_PAUSE_SECONDS)
        # Half to one and a half of it: what failed together does not come back together.
        next_at = None if is_over else _in(pause * random.uniform(0.5, 1.5))
        self._note(delivery, next_at=next_at, last_error=reason[:300])

    def _note(self, delivery: Delivery, **values: str | None) -> None:
        with self._database.begin() as connection:
            connection.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(values))


def note_delivery(connection: Connection, token: str, event: str, told: JobObject) -> None:
    """Store a message about a job, in the transaction of the change it tells of."""
    now = utc_now()
    body = msgspec.json.encode({"type": event, "timestamp": now, "data": told}).decode()
    connection.execute(
        insert(deliveries).values(
            id=f"msg_{secrets.token_hex(12)}",
            job=token,
            event=event,
            body=body,
            attempts=0,
            next_at=now,
        )
    )


def forget_deliveries(connection: Connection, tokens: Sequence[str]) -> None:
    """Forget every message about these jobs."""
    connection.execute(delete(deliveries).where(deliveries.c.job.in_(tokens)))


def _in(seconds: float) -> str:
    return utc_text(datetime.now(UTC) + timedelta(seconds=seconds))
