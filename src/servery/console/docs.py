"""What the API page says: every route with its call and its messages, the errors, the permissions, the bounds."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from servery import errors
from servery.console.members import Message
from servery.errors import ServeryError
from servery.fields._field import Field, all_fields
from servery.gateway.permission import Permission
from servery.gateway.route import Route
from servery.settings import Settings

READERS_MODEL = "MODEL"
"""Stands in an example for a model that only the reader may have."""
FIRST_TAGS = ("predictions", "models", "jobs", "feedback", "keys", "operation", "health")
"""Chapters that come first, in this order; others follow as they are found."""

PERMISSIONS = {
    Permission.PUBLIC: "Needs no key.",
    Permission.PREDICT: "Ask any model; predict:reviews allows the model reviews alone.",
    Permission.MODELS_READ: "List and describe the models, and read their reports.",
    Permission.METRICS_READ: "Read the metrics.",
    Permission.ADMIN: "Everything, also what only an operator should do.",
}


@dataclass(frozen=True)
class Operation:
    """One route, ready to be shown.

    Attributes:
        anchor: Its id on the page.
        pieces: Its path, cut where a parameter begins or ends; the parameters are every second one.
        curl: A call as it is pasted into a shell; empty for routes that only refuse.
        request: The body; None where there is none.
        response: The answer; None where it is no JSON.
    """

    anchor: str
    method: str
    pieces: tuple[str, ...]
    summary: str
    permission: str
    curl: str
    request: Message | None
    response: Message | None
    content_type: str


def chapters(routes: Iterable[Route], url: str) -> list[tuple[str, list[Operation]]]:
    """Return the routes that carry a tag, grouped by their first one."""
    found: dict[str, list[Operation]] = {tag: [] for tag in FIRST_TAGS}
    for route in routes:
        if route.tags:
            found.setdefault(route.tags[0], []).append(_operation(route, url))
    return [(tag, operations) for tag, operations in found.items() if operations]


def first_calls(url: str) -> list[tuple[Field, str]]:
    """Return for each form of input a field, and how its starter model is asked."""
    by_form = {field.offers[0].form: field for field in reversed(all_fields().values())}
    return [(field, _curl("POST", _predict_path(field), url, _question(field))) for field in by_form.values()]


def error_rows() -> list[tuple[str, int, str]]:
    """Return the code, the status and the meaning of every error, by status."""
    found = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, ServeryError)]
    rows = [(error.code, error.http_status, _meaning(error)) for error in found]
    return sorted(rows, key=lambda row: (row[1], row[0]))


def bound_rows(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield the meaning, the value and the environment variable of every setting that bounds a request."""
    for name, info in Settings.model_fields.items():
        if name.startswith("max_") or name.endswith(("_seconds", "_ms")):
            yield info.description or "", _amount(name, getattr(settings, name)), f"SERVERY_{name.upper()}"


def _meaning(error: type[ServeryError]) -> str:
    # The docstring of the root speaks of the whole tree; alone on the wire it is what nobody foresaw.
    if error is ServeryError:
        return "Something unexpected went wrong in the server."
    return (error.__doc__ or "").strip().partition("\n")[0]


def _operation(route: Route, url: str) -> Operation:
    is_public = route.permission is Permission.PUBLIC
    return Operation(
        anchor=re.sub(r"\W+", "-", f"{route.method}{route.path}").strip("-").lower(),
        method=route.method,
        pieces=tuple(re.split(r"(\{\w+\})", route.path)),
        summary=route.summary,
        permission=route.permission.value,
        curl=_curl(route.method, _example_path(route), url, _example(route), is_public)
        if _can_be_shown(route)
        else "",
        request=None if route.request is None else Message(route.request),
        response=None if route.response is None else Message(route.response),
        content_type=route.content_type,
    )


def _can_be_shown(route: Route) -> bool:
    return route.method != "POST" or route.example is not None or "{" in route.path


def _example(route: Route) -> Any:
    if isinstance(route.example, dict) and "model" in route.example:
        return {**route.example, "model": _example_model(route)}
    return route.example


def _example_path(route: Route) -> str:
    """A path to paste: a starter for a model, capitals for what only the reader knows."""
    path = route.path.replace("{model}", _example_model(route))
    is_told_in_query = "model" in getattr(route.query, "__struct_fields__", ()) and not _names_model(route)
    path += f"?model={_example_model(route)}" if is_told_in_query else ""
    return re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), path)


def _names_model(route: Route) -> bool:
    return isinstance(route.example, dict) and "model" in route.example


def _example_model(route: Route) -> str:
    """The starter of the example field, where the route asks models of any task."""
    return READERS_MODEL if route.tasks else _example_field().name


def _example_field() -> Field:
    """The field whose starter the routes' own examples suit: it tells texts apart."""
    found = [
        field
        for field in all_fields().values()
        if field.offers[0].form == "text" and "classification" in field.offers[0].tasks
    ]
    return min(found, key=lambda field: len(json.dumps(field.offers[0].example)))


def _predict_path(field: Field) -> str:
    return f"/v1/models/{field.name}/predict"


def _question(field: Field) -> dict[str, Any]:
    return {"inputs": field.offers[0].example}


def _curl(method: str, path: str, url: str, body: Any = None, is_public: bool = False) -> str:
    verb = "" if method == "GET" or (method == "POST" and body is not None) else f"-X {method} "
    lines = [f"curl -s {verb}{url}{path}"]
    if not is_public:
        lines.append('-H "Authorization: Bearer $KEY"')
    if body is not None:
        lines.append(f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}")
    return " \\\n  ".join(lines)


def _amount(name: str, value: float) -> str:
    if name.endswith("_bytes"):
        return f"{value:,} bytes"
    unit = {"ms": " ms", "seconds": " s"}.get(name.rpartition("_")[2], "")
    return f"{value:,g}{unit}" if isinstance(value, float) else f"{value:,}{unit}"
