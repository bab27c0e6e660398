"""The start page and the offline API docs, made from the fields and the live route table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, select_autoescape

from servery import __version__
from servery.fields._field import all_fields
from servery.gateway.message import Request, Response
from servery.gateway.route import Permission, Route, static

CONTENT_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
POLICY = "default-src 'self'; style-src 'self'; script-src 'self'; frame-ancestors 'none'; base-uri 'none'"
HTML = "text/html; charset=utf-8"


def pages() -> tuple[Route, ...]:
    """Return the console's routes: `/`, `/docs` and what they load."""
    return (*_static_files(), _start_page(), _docs_page())


def _static_files() -> Iterable[Route]:
    for file in sorted(files("servery.console").joinpath("static").iterdir(), key=lambda f: f.name):
        content_type = CONTENT_TYPES[file.name.rsplit(".", 1)[1]]
        yield static(
            f"/static/{file.name}",
            file.read_bytes(),
            content_type,
            f"The console's {file.name}.",
            Permission.PUBLIC,
        )


def _start_page() -> Route:
    body = _render("start.html", fields=list(all_fields().values()))
    return static("/", body, HTML, "The start page.", Permission.PUBLIC, content_security_policy=POLICY)


def _docs_page() -> Route:
    async def answer(request: Request) -> Response:
        body = _render("docs.html", groups=_groups(request.gateway.table.routes))
        return Response(body=body, content_type=HTML, headers=[(b"content-security-policy", POLICY.encode())])

    return Route("GET", "/docs", Permission.PUBLIC, answer, "Every route of this server.", content_type=HTML)


def _render(template: str, **values: Any) -> bytes:
    environment = Environment(
        loader=PackageLoader("servery.console"), autoescape=select_autoescape(), trim_blocks=True
    )
    return environment.get_template(template).render(version=__version__, **values).encode()


def _groups(routes: Iterable[Route]) -> list[tuple[str, list[dict[str, Any]]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for route in routes:
        if route.tags:
            groups.setdefault(route.tags[0], []).append(_operation(route))
    return list(groups.items())


def _operation(route: Route) -> dict[str, Any]:
    return {
        "method": route.method,
        "path": route.path,
        "summary": route.summary,
        "permission": route.permission.value,
        "curl": _curl(route),
        "request": _schema(route.request),
        "response": _schema(route.response),
    }


def _curl(route: Route) -> str:
    parts = ["curl -s"]
    if route.method != "GET":
        parts.append(f"-X {route.method}")
    parts.append(f"http://127.0.0.1:8000{route.path}")
    if route.permission is not Permission.PUBLIC:
        parts.append('-H "Authorization: Bearer $KEY"')
    if route.example is not None:
        parts.append(f"-d '{json.dumps(route.example, ensure_ascii=False)}'")
    return " \\\n  ".join(parts)


def _schema(of: Any) -> str:
    if of is None:
        return ""
    schema = of if isinstance(of, dict) else msgspec.json.schema(of)
    return json.dumps(schema, indent=2, ensure_ascii=False)
