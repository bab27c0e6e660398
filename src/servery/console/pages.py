"""The console's routes: the start page, the API page, the models' reports, and the files that the pages load."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from servery.console.docs import PERMISSIONS, bound_rows, chapters, error_rows, first_calls
from servery.console.members import Message
from servery.console.words import LANGUAGES, language_of, words
from servery.errors import NotFoundError
from servery.evaluation.metric_names import title_of
from servery.fields._field import all_fields
from servery.gateway.message import Request, Response
from servery.gateway.permission import Permission
from servery.gateway.route import Route, static
from servery.gateway.server import address
from servery.schemas import VERSION, ErrorBody
from servery.tasks.task import LearnableTask, Task, all_tasks

CONTENT_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
HTML = "text/html; charset=utf-8"
POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing inline, nothing from elsewhere, and no text is ever parsed as markup or script."""
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
"""A report is one file with its own style, and runs no script."""


def pages() -> tuple[Route, ...]:
    """Return the console's routes."""
    return (*_static_files(), _start_page(), _docs_page(), _report_page())


def _static_files() -> Iterator[Route]:
    folder = files("servery.console").joinpath("static")
    found = {file.name: file for file in folder.iterdir() if file.is_file()}
    found |= {f"drawings/{name}": folder.joinpath("drawings", name) for name in drawings()}
    for path, file in sorted(found.items()):
        yield static(
            f"/static/{path}",
            file.read_bytes(),
            CONTENT_TYPES[file.name.rpartition(".")[2]],
            f"The console's {path}.",
            Permission.PUBLIC,
            cache_control="no-cache",
        )


def drawings() -> list[str]:
    """Return the files that draw answers, by name; each draws the answers that hold what it knows."""
    folder = files("servery.console").joinpath("static", "drawings")
    return sorted(file.name for file in folder.iterdir() if file.name.endswith(".js"))


def _start_page() -> Route:
    bodies = {language: _start(language) for language in LANGUAGES}

    async def start_page(request: Request) -> Response:
        language = language_of(request.scope.get("query_string", b""), request.header("accept-language"))
        return _page(bodies[language], POLICY, vary="accept-language")

    return Route("GET", "/", Permission.PUBLIC, start_page, "The start page.", content_type=HTML)


def _start(language: str) -> bytes:
    fields, tasks = all_fields(), all_tasks()
    shared = {
        "words": words(language),
        "fields": {name: dict(field.title) for name, field in fields.items()},
        "tasks": {name: _task(task, language) for name, task in tasks.items()},
        "drawings": drawings(),
    }
    return _render("start.html", language=language, fields=list(fields.values()), shared=shared)


def _task(task: Task, language: str) -> dict[str, str]:
    metric = task.primary_metric if isinstance(task, LearnableTask) else ""
    return {
        "title": task.title[language],
        "metric": metric,
        "metric_title": title_of(metric) if metric else "",
    }


def _docs_page() -> Route:
    bodies: list[bytes] = []

    async def docs_page(request: Request) -> Response:
        if not bodies:  # the route table is complete only once the server runs; it never changes after that
            bodies.append(await asyncio.to_thread(_docs, request))
        return _page(bodies[0], POLICY)

    return Route("GET", "/docs", Permission.PUBLIC, docs_page, "The API page.", content_type=HTML)


def _docs(request: Request) -> bytes:
    settings, routes = request.gateway.settings, request.gateway.table.routes
    url = address(settings)
    return _render(
        "docs.html",
        language="en",
        url=url,
        chapters=chapters(routes, url),
        first_calls=first_calls(url),
        errors=error_rows(),
        error_message=Message(ErrorBody),
        permissions=PERMISSIONS,
        bounds=list(bound_rows(settings)),
    )


def _report_page() -> Route:
    async def report_page(request: Request) -> Response:
        version = await request.gateway.engine.version(request.parameters["model"])
        return _page(await asyncio.to_thread(_report, version.folder, version.reference), REPORT_POLICY)

    return Route(
        "GET",
        "/v1/models/{model}/report.html",
        Permission.MODELS_READ,
        report_page,
        "Read a model's evaluation report",
        tags=("models",),
        content_type=HTML,
    )


def _report(folder: Path, reference: str) -> bytes:
    try:
        return (folder / "report.html").read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(
            f"{reference} has no report.", hint=f"servery evaluate {reference}", param="model"
        ) from error


def _page(body: bytes, policy: str, **headers: str) -> Response:
    told = {"content-security-policy": policy, "cache-control": "no-cache", **headers}
    return Response(
        body=body,
        content_type=HTML,
        headers=[(name.encode(), value.encode()) for name, value in told.items()],
    )


def _render(template: str, language: str, **values: Any) -> bytes:
    environment = Environment(
        loader=PackageLoader("servery.console"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return (
        environment.get_template(template)
        .render(
            version=VERSION, language=language, html_lang=LANGUAGES[language], words=words(language), **values
        )
        .encode()
    )
