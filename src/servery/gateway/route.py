"""A route as data: who may call it, what it takes and gives, and the table that finds it by method and path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import msgspec

from servery.errors import MalformedError, ServeryError
from servery.gateway.message import Request, Response
from servery.gateway.permission import Permission

Handler = Callable[[Request], Awaitable[Response]]
ErrorShape = Callable[[ServeryError, str], Any]
"""Makes the error object of a protocol from an error and the request's id."""

REMEMBERED_PATHS = 4096


def plain_error(error: ServeryError, request_id: str) -> Any:
    """Return the house's own error object, in OpenAI's shape."""
    return error.body(request_id)


@dataclass(frozen=True)
class Route:
    """One method on one path.

    Attributes:
        method: "GET" (answers HEAD too), "POST", "PUT", "DELETE".
        path: With parameters in braces, each one segment: "/v1/models/{model}/predict". Words may follow a parameter
            behind a colon: "/v1/models/{model}:predict".
        permission: There is no default: whoever adds a route decides who may call it.
        handler: Answers.
        summary: One line for the documentation.
        request: Schema of the JSON body: a msgspec struct, or a JSON Schema.
        query: Message type of what may stand behind the question mark; None for nothing.
        response: Schema of the answer, likewise; None where it is no JSON.
        accepted: Schema of an answer with 202, where a request may become a job.
        example: A body that works.
        tags: Chapters of the documentation.
        content_type: Of an answer that is no JSON.
        statuses: What it answers with when all went well.
        streams: Whether those who ask for it get server-sent events instead.
        names_model_in_body: The model stands in the body, so the gate lets a key for any model pass and the handler
            asks `Request.check_model` before it does anything with one.
        tasks: Names of the tasks whose models it asks; empty for routes that any model answers, or none.
        error_shape: Makes the error object that this protocol's clients read.

    Raises:
        ServeryError: The permission is none of `Permission`, or the method or path cannot be.
    """

    method: str
    path: str
    permission: Permission
    handler: Handler
    summary: str
    request: Any = None
    query: type[msgspec.Struct] | None = None
    response: Any = None
    accepted: Any = None
    example: Any = None
    tags: tuple[str, ...] = ()
    content_type: str = "application/json"
    statuses: tuple[int, ...] = (200,)
    streams: bool = False
    names_model_in_body: bool = False
    tasks: tuple[str, ...] = ()
    error_shape: ErrorShape = plain_error

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
        self._remembered: dict[tuple[str, str], Match] = {}
        self._by_length: dict[int, list[tuple[list[str], Route]]] = {}
        seen: set[tuple[str, str]] = set()
        for route in self.routes:
            if (route.method, route.path) in seen:
                raise ServeryError(f"{route.method} {route.path} is declared twice.")
            seen.add((route.method, route.path))
            segments = route.path.split("/")
            self._by_length.setdefault(len(segments), []).append((segments, route))
        for group in self._by_length.values():
            group.sort(key=lambda entry: [_looseness(segment) for segment in entry[0]])

    def find(self, method: str, raw_path: str) -> Match | None:
        """Return the route for a method and a path as it was sent, or None.

        Raises:
            MalformedError: A parameter is escaped wrongly.
        """
        remembered = self._remembered.get((method, raw_path))
        if remembered is not None:
            return remembered
        wanted = "GET" if method == "HEAD" else method
        sent = raw_path.split("/")
        for segments, route in self._by_length.get(len(sent), ()):
            if route.method == wanted and _fits(segments, sent):
                match = Match(route, MappingProxyType(_parameters(segments, sent)))
                if len(self._remembered) >= REMEMBERED_PATHS:
                    self._remembered.clear()
                self._remembered[method, raw_path] = match
                return match
        return None

    def error_shape(self, raw_path: str) -> ErrorShape:
        """Return how errors look to the clients of a path that has no route: as on the routes beside it."""
        first = raw_path.split("/", 2)[1:2]
        beside = Counter(r.error_shape for r in self.routes if r.path.split("/", 2)[1:2] == first)
        return beside.most_common(1)[0][0] if beside else plain_error

    def methods(self, raw_path: str) -> list[str]:
        """Return the methods that some route has on this path."""
        sent = raw_path.split("/")
        found = {r.method for s, r in self._by_length.get(len(sent), ()) if _fits(s, sent)}
        return sorted(found | {"HEAD"} if "GET" in found else found)


def _looseness(segment: str) -> int:
    if segment[:1] != "{":
        return 0
    return 2 if segment[-1] == "}" else 1


def _fits(segments: list[str], sent: list[str]) -> bool:
    return all(s == t or (s[:1] == "{" and _fits_one(s, t)) for s, t in zip(segments, sent, strict=True))


def _fits_one(segment: str, sent: str) -> bool:
    words = segment.partition("}")[2]
    return sent.endswith(words) and len(sent) > len(words)


def _parameters(segments: list[str], sent: list[str]) -> dict[str, str]:
    found = {}
    for segment, value in zip(segments, sent, strict=True):
        if segment[:1] == "{":
            name, _, words = segment[1:].partition("}")
            found[name] = _unescaped(value.removesuffix(words))
    return found


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
