"""Who calls, and what the key allows; known keys are remembered until anything about keys changes."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence

from servery.errors import ForbiddenError, InputError, NotReadyError, StorageError, UnauthenticatedError
from servery.gateway.permission import Permission
from servery.registry.keys import ADMIN_SCOPE, KeyRecord, Keys
from servery.registry.limits import changed, check_units
from servery.tasks.task import all_tasks

REMEMBERED_KEYS = 10_000
LONGEST_SECRET = 256


class Access:
    """Finds the key of a request.

    A secret is remembered under its whole keyed hash, made with a number that lives as long as the process: no two
    secrets share an entry, and no look-up time tells anything about a secret. Unknown secrets are remembered too,
    so that guessing them costs the database nothing twice.

    Args:
        keys: Where they are kept.
    """

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._known: dict[bytes, KeyRecord | None] = {}
        self._generation = 0
        self._pepper = os.urandom(32)

    def forget(self) -> None:
        """Forget every remembered key; called when the registry's revision changes."""
        self._generation += 1
        self._known.clear()

    async def key_of(self, headers: Mapping[bytes, bytes]) -> KeyRecord:
        """Return the valid key that a request carries.

        Raises:
            UnauthenticatedError: None, or an unknown, expired or revoked one; they are not told apart.
        """
        secret = _secret(headers)
        if secret is None or len(secret) > LONGEST_SECRET:
            raise _unauthenticated()
        digest = hashlib.blake2b(secret, key=self._pepper, digest_size=32).digest()
        if digest in self._known:
            key = self._known[digest]
        else:
            key = await self._look_up(secret, digest)
        if key is None or not key.is_valid():
            raise _unauthenticated()
        return key

    async def _look_up(self, secret: bytes, digest: bytes) -> KeyRecord | None:
        generation = self._generation
        try:
            key = await asyncio.to_thread(self.keys.find, secret.decode("latin-1"))
        except StorageError as error:
            raise NotReadyError("Keys cannot be checked at the moment.") from error
        # A key that was revoked while it was looked up must not be remembered as good.
        if generation == self._generation:
            if len(self._known) >= REMEMBERED_KEYS:
                self._known.clear()
            self._known[digest] = key
        return key


def check(key: KeyRecord, permission: Permission, model: str | None) -> None:
    """Refuse what a key's scopes do not allow.

    "admin" allows everything; "predict" allows it for every model, "predict:reviews" for that model.

    Raises:
        ForbiddenError: They do not.
    """
    allowed = {ADMIN_SCOPE, permission.value}
    if model is not None:
        allowed.add(f"{permission.value}:{model.partition('@')[0]}")
    if allowed.isdisjoint(key.scopes):
        raise ForbiddenError(
            f"The key {key.name!r} may not do this: it needs the scope {permission.value!r}.",
            hint=f"servery keys create NAME --scope {permission.value}",
        )


def may_ask_some_model(key: KeyRecord) -> bool:
    """Return whether a key may ask at least one model."""
    return any(scope.partition(":")[0] in (ADMIN_SCOPE, Permission.PREDICT.value) for scope in key.scopes)


def checked_scopes(scopes: Sequence[str]) -> list[str]:
    """Return scopes that some route asks for; a comma separates several.

    Raises:
        InputError: One is unknown.

    >>> checked_scopes(["predict:reviews,models:read"])
    ['predict:reviews', 'models:read']
    """
    known = [permission.value for permission in Permission if permission is not Permission.PUBLIC]
    asked = [scope.strip() for text in scopes for scope in text.split(",") if scope.strip()]
    for scope in asked:
        is_of_a_model = scope.startswith(f"{Permission.PREDICT}:")
        if scope not in known and not is_of_a_model:
            raise InputError(
                f"There is no scope {scope!r}. Known: {', '.join(known)}, predict:MODEL.", param="scopes"
            )
    return asked


def checked_limits(limits: Mapping[str, int | float | None]) -> dict[str, int | float | None]:
    """Return limits of units that some task counts; None stands for a limit to be removed.

    Raises:
        InputError: A name or a number cannot be.
        UnknownNameError: No task counts that unit.

    >>> checked_limits({"requests_per_minute": 600, "rows_total": None})
    {'requests_per_minute': 600, 'rows_total': None}
    """
    changed({}, limits)
    check_units(limits, {task.unit for task in all_tasks().values()})
    return dict(limits)


def _secret(headers: Mapping[bytes, bytes]) -> bytes | None:
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, secret = authorization.partition(b" ")
        return secret.strip() if scheme.lower() == b"bearer" else None
    return headers.get(b"x-api-key")


def _unauthenticated() -> UnauthenticatedError:
    return UnauthenticatedError(
        "This needs a valid key.", hint="Send the header Authorization: Bearer YOUR_KEY."
    )
