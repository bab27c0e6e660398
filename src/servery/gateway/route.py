"""A route as data: who may call it, what it takes and gives, and the table that finds it by method and path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

from servery.errors import MalformedError, ServeryError
from servery.gateway.message import Request, Response

Handler = Callable[[Request], Awaitable[Response]]


class Permission(StrEnum):
    """What a key must be allowed, to call a route. `PUBLIC` needs no key and is for a short list of routes."""

    PUBLIC = "public"
    PREDICT = "predict"
    MODELS_READ = "models:read"
    METRICS_READ = "metrics:read"
    ADMIN = "admin"


@dataclass(frozen=True)
class Route:
    """One method on one path.

    Attributes:
        method: "GET" (answers HEAD too), "POST", "PUT", "DELETE".
        path: With parameters in braces, each one segment: "/v1/models/{model}/predict".
        permission: There is no default: whoever adds a route decides who may call it.
        handler: Answers.
        summary: One line for the documentation.
        request: Schema of the JSON body: a msgspec struct, or a JSON Schema.
        response: Schema of the answer, likewise; None where it is no JSON.
        example: A body that works.
        tags: Chapters of the documentation.
        content_type: Of an answer that is no JSON.

    Raises:
        ServeryError: The permission is none of `Permission`, or the method or path cannot be.
    """

    method: str
    path: str
    permission: Permission
    handler: Handler
    summary: str
    request: Any = None
    response: Any = None
    example: Any = None
    tags: tuple[str, ...] = ()
    content_type: str = "application/json"

    def __post_init__(self) -> None:
        if not isinstance(self.permission, Permission):
            raise ServeryError(
                f"{self.method} {self.path} declares the permission {self.permission!r}; "
                f"it must be one of {', '.join(p.name for p in Permission)}."
            )
        if self.method not in ("GET", "POST", "PUT", "DELETE") or not self.path.startswith("/"):
            raise ServeryError(f"{self.method} {self.path} is not a method and a path that can be routed.")


@dataclass(frozen=True, slots=True)
class Match:
    """A route and the values of its path's parameters."""

    route: Route
    parameters: Mapping[str, str] = field(default_factory=dict)


class RouteTable:
    """Every route of a server.

    Fixed segments are compared as they were sent: an escaped or doubled slash, another case or a dot segment
    is another path, so that no spelling slips past a permission.

    Raises:
        ServeryError: Two routes have the same method and path.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._by_length: dict[int, list[tuple[list[str], Route]]] = {}
        seen: set[tuple[str, str]] = set()
        for route in self.routes:
            if (route.method, route.path) in seen:
                raise ServeryError(f"{route.method} {route.path} is declared twice.")
            seen.add((route.method, route.path))
            segments = route.path.split("/")
            self._by_length.setdefault(len(segments), []).append((segments, route))

    def find(self, method: str, raw_path: str) -> Match | None:
        """Return the route for a method and a path as it was sent, or None.

        Raises:
            MalformedError: A parameter is escaped wrongly.
        """
        wanted = "GET" if method == "HEAD" else method
        sent = raw_path.split("/")
        for segments, route in self._by_length.get(len(sent), ()):
            if route.method == wanted and _fits(segments, sent):
                return Match(route, _parameters(segments, sent))
        return None

    def methods(self, raw_path: str) -> list[str]:
        """Return the methods that some route has on this path."""
        sent = raw_path.split("/")
        found = {r.method for s, r in self._by_length.get(len(sent), ()) if _fits(s, sent)}
        return sorted(found | {"HEAD"} if "GET" in found else found)


def _fits(segments: list[str], sent: list[str]) -> bool:
    return all(s == t or (s[:1] == "{" and t != "") for s, t in zip(segments, sent, strict=True))


def _parameters(segments: list[str], sent: list[str]) -> dict[str, str]:
    return {s[1:-1]: _unescaped(t) for s, t in zip(segments, sent, strict=True) if s[:1] == "{"}


def _unescaped(segment: str) -> str:
    if "%" not in segment:
        return segment
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise MalformedError("The path holds an escape that is not UTF-8.") from error


def static(
    path: str, body: bytes, content_type: str, summary: str, permission: Permission, **headers: str
) -> Route:
    """Return a route that always gives the same bytes, e.g. a page or a style sheet."""
    response = Response(
        body=body,
        content_type=content_type,
        headers=[(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    )

    async def answer(_: Request) -> Response:
        return response

    return Route("GET", path, permission, answer, summary, content_type=content_type)
