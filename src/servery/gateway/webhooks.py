"""Tells webhooks of jobs: signed, again and again until it is taken, never while a request waits for it.

Source: Standard Webhooks specification 1.0.0, "Webhook headers" and "Signature scheme" (github.com/standard-webhooks).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
import time

import structlog

from servery.errors import ForbiddenError, InputError, NotReadyError, ServeryError
from servery.gateway.outgoing import post
from servery.schemas import VERSION
from servery.serving.jobs.deliveries import Deliveries, Delivery
from servery.settings import Settings

SECRET_PREFIX = "whsec_"
TIMEOUT_SECONDS = 15.0
POLL_SECONDS = 0.5
AT_ONCE = 16
GONE = 410
"""What a receiver answers that wants no more; the specification's own word for it."""

log = structlog.get_logger("servery.webhooks")


class WebhookSender:
    """Sends what is due, from one server process.

    Args:
        deliveries: The messages.
        settings: Whether private addresses may be called.
    """

    def __init__(self, deliveries: Deliveries, settings: Settings) -> None:
        self._deliveries = deliveries
        self._allow_private = settings.webhook_allow_private
        self._task: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop; what was being sent may be sent once more by another process."""
        tasks = [*self._under_way, *([] if self._task is None else [self._task])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            try:
                # A receiver that does not answer takes one place of many, and no time of the others.
                due = await asyncio.to_thread(self._deliveries.take, AT_ONCE - len(self._under_way))
            except ServeryError as error:
                log.warning("messages to webhooks cannot be reached", error=error.code)
                due = []
            for delivery in due:
                task = asyncio.create_task(self._send(delivery))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            await asyncio.sleep(POLL_SECONDS)

    async def _send(self, delivery: Delivery) -> None:
        try:
            status = await post(
                delivery.webhook.url,
                delivery.body,
                signed_headers(delivery, int(time.time())),
                allow_private=self._allow_private,
                timeout_seconds=TIMEOUT_SECONDS,
            )
        except (InputError, ForbiddenError) as error:
            await self._note(delivery, error.message, is_final=True)
        except NotReadyError as error:
            await self._note(delivery, error.message)
        else:
            problem = None if 200 <= status < 300 else f"It answered {status}."
            await self._note(delivery, problem, is_final=status == GONE)

    async def _note(self, delivery: Delivery, problem: str | None, *, is_final: bool = False) -> None:
        """Note what came of an attempt; where that fails, the message is sent once more."""
        # Not the address: it may hold a secret of its owner.
        log.info("webhook called", delivery=delivery.id, attempt=delivery.attempts, problem=problem)
        try:
            if problem is None:
                await asyncio.to_thread(self._deliveries.taken, delivery)
            else:
                await asyncio.to_thread(self._deliveries.failed, delivery, problem, is_final=is_final)
        except ServeryError as error:
            log.warning("messages to webhooks cannot be reached", error=error.code)


def signed_headers(delivery: Delivery, timestamp: int) -> dict[str, str]:
    """Return the headers of a message.

    Args:
        delivery: The message.
        timestamp: Of this attempt, in seconds since 1970.
    """
    signature = sign(delivery.webhook.secret, delivery.id, timestamp, delivery.body)
    return {
        "content-type": "application/json",
        "user-agent": f"servery/{VERSION}",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
    }


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a message: HMAC-SHA256 over its id, the timestamp and its body, in base64.

    The numbers are those of the specification's example.

    >>> body = b'{"test": 2432232314}'
    >>> sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key(secret), content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def new_secret() -> str:
    """Return a secret that nobody has."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def checked_secret(secret: str) -> str:
    """Return a secret that can sign.

    Raises:
        InputError: It begins like base64 and is none, or is too short to be a secret.
    """
    try:
        is_long = len(_key(secret)) >= 16
    except (binascii.Error, ValueError) as error:
        raise InputError(
            "The secret begins with whsec_, but what follows is not base64.", param="/webhook/secret"
        ) from error
    if not is_long:
        raise InputError("The secret is shorter than 16 bytes.", param="/webhook/secret")
    return secret


def _key(secret: str) -> bytes:
    if secret.startswith(SECRET_PREFIX):
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    return secret.encode()
