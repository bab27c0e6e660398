"""Every route of a live server: who may call it, what it bounds, whether its example works."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import msgspec
import pytest

from servery.errors import ServeryError
from servery.gateway.app import protocol_routes
from servery.gateway.message import Request, Response
from servery.gateway.permission import Permission
from servery.gateway.route import Route, RouteTable
from servery.schemas import ErrorBody

ROUTES = protocol_routes()
PUBLIC = {"/livez", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready"}
"""Every route of the gateway that needs no key. Think twice before you add one."""
WORDS = {
    "model": "reviews",
    "name": "reviews",
    "alias": "walked",
    "key": "nobody",
    "version": "1",
    "stored": "spare",
}
WORDS["job"] = "walked-job"  # the server fixture makes it
MODELS = {
    "text-generation": "scribe",
    "sentence-embedding": "meaning",
    "transcription": "tones",
    "image-generation": "shapes",
    "multi-label-classification": "unwanted",
}
"""The house's model of each task that has one of its own."""
REFUSED = {"/v1/audio/translations", "/v1/images/edits", "/v1/images/variations"}
"""Routes of OpenAI's that no model here can answer; they say so."""

Call = Callable[..., httpx.Response]


def path_of(route: Route) -> str:
    path = route.path
    for name, word in {**WORDS, "model": model_of(route)}.items():
        path = path.replace(f"{{{name}}}", word)
    is_told_in_query = "model" in getattr(route.query, "__struct_fields__", ()) and "model" not in (
        route.example or {}
    )
    return f"{path}?model={model_of(route)}" if is_told_in_query else path


def model_of(route: Route) -> str:
    return next((MODELS[task] for task in route.tasks if task in MODELS), WORDS["model"])


def example_of(route: Route) -> Any:
    named = isinstance(route.example, dict) and "model" in route.example
    return {**route.example, "model": model_of(route)} if named else route.example


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


def raw_request(port: int, head: str) -> str:
    """Send a head exactly as written, and return the status line."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{head}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode("latin-1"))
        return connection.makefile("rb").readline().decode()


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_a_route_declares_who_may_call_it(route: Route) -> None:
    assert isinstance(route.permission, Permission)
    assert (route.permission is Permission.PUBLIC) == (route.path in PUBLIC)
    assert route.summary
    assert route.tags


async def _nothing(request: Request) -> Response:
    return Response()


@pytest.mark.parametrize("permission", [None, "", "everybody", "public", "admin"])
def test_a_route_without_a_declared_permission_cannot_be_made(permission: Any) -> None:
    with pytest.raises(ServeryError, match="permission"):
        Route("GET", "/secret", permission, _nothing, "A hole.")


def test_two_routes_of_the_same_method_and_path_are_refused() -> None:
    route = Route("GET", "/once", Permission.ADMIN, _nothing, "Once.")
    with pytest.raises(ServeryError, match="twice"):
        RouteTable([route, route])


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE"])
@pytest.mark.parametrize("route", [r for r in ROUTES if r.path not in PUBLIC], ids=named)
def test_no_method_on_a_guarded_path_answers_without_a_key(call: Call, route: Route, method: str) -> None:
    answer = call(method, path_of(route), key=None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("route", [r for r in ROUTES if r.path not in PUBLIC], ids=named)
def test_no_spelling_of_a_guarded_path_answers_without_a_key(server: Any, route: Route) -> None:
    path = path_of(route)
    first, rest = path[1:].split("/")[0], "/".join(path[1:].split("/")[1:])
    spellings = {
        f"//{path[1:]}",
        f"{path}/",
        f"/./{path[1:]}",
        f"/%2e/{path[1:]}",
        f"/livez/..{path}",
        f"/livez/%2e%2e{path}",
        f"/{first}%2f{rest}",
        f"/%{ord(first[0]):02x}{path[2:]}",
        path.upper(),
        f"{path};x",
        f"{path}?/livez",
        f"{path}#/livez",
        f"http://127.0.0.1{path}",
        f"{path}%00",
    }
    for spelling in sorted(spellings):
        status = raw_request(server.port, f"{route.method} {spelling} HTTP/1.1\r\nX-Original-URL: /livez")
        assert status.split()[1] in ("400", "401"), (spelling, status)


def test_a_path_that_does_not_exist_is_401_without_a_key_and_404_with_one(call: Call) -> None:
    for path in ("/v1/nothing", "/v1/models/nobody/predict/more", "/admin", "/favicon.ico"):
        assert call("GET", path, key=None).status_code == 401
        answer = call("GET", path)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "route.not_found"


def test_a_method_that_a_path_does_not_have_is_405_with_the_ones_it_has(call: Call) -> None:
    answer = call("DELETE", "/v1/models")
    assert answer.status_code == 405
    assert "GET, HEAD" in answer.json()["error"]["hint"]


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_head_is_get_without_the_body(call: Call, route: Route) -> None:
    if route.method == "GET":
        answer = call("HEAD", path_of(route))
        assert answer.status_code == 200
        assert answer.content == b""


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_an_answer_is_what_the_route_declares(call: Call, route: Route) -> None:
    body = example_of(route)
    if route.method == "DELETE" and "{job}" in route.path:
        made = call("PUT", "/v1/jobs/to-remove", json={"model": "reviews", "inputs": ["great fun"]})
        assert made.status_code == 202
        answer = call("DELETE", "/v1/jobs/to-remove")
    elif route.method == "DELETE":
        made = call("POST", "/admin/v1/keys", json={"name": "to-revoke", "scopes": ["predict"]})
        assert made.status_code == 201
        answer = call("DELETE", f"/admin/v1/keys/{made.json()['id']}")
    else:
        answer = call(route.method, path_of(route), json=body)
    if route.path.endswith("sharedmemory/region/{region}/register"):
        assert (answer.status_code, answer.json()["code"]) == (400, "input.malformed")
        return
    if route.path in REFUSED:
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "model.task")
        return
    assert answer.is_success, answer.text
    if isinstance(route.response, type):
        msgspec.convert(answer.json(), route.response, strict=True)


@pytest.mark.parametrize("path", ["/livez", "/v1/models", "/nowhere", "/v1/models/nobody"])
def test_every_answer_carries_its_request_id_and_says_nosniff(call: Call, path: str) -> None:
    sent = call("GET", path, headers={"x-request-id": "mine-1.2_3"})
    assert sent.headers["x-request-id"] == "mine-1.2_3"
    assert sent.headers["x-content-type-options"] == "nosniff"
    assert "total;dur=" in sent.headers["server-timing"]
    made = call("GET", path, headers={"x-request-id": "<script>" + "x" * 100})
    assert made.headers["x-request-id"].startswith("req_")
    if not made.is_success:
        error = msgspec.json.decode(made.content, type=ErrorBody).error
        assert error.request_id == made.headers["x-request-id"]
        assert error.code
        assert error.message


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", []):
                yield f"{method} {path} {parameter['name']}", parameter["schema"]
            if "requestBody" in operation:
                yield f"{method} {path}", operation["requestBody"]["content"]["application/json"]["schema"]


def unbounded(schema: dict[str, Any], components: dict[str, Any], place: str) -> Iterator[str]:
    """Yield every place in a schema of a request that has no bound."""
    if "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    kinds = schema.get("type", [])
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    if not kinds and not {"anyOf", "enum"} & schema.keys():
        yield f"{place}: no type"
    if "string" in kinds and not {"maxLength", "enum"} & schema.keys():
        yield f"{place}: a string without maxLength"
    if kinds & {"number", "integer"} and not {"minimum", "maximum"} <= schema.keys():
        yield f"{place}: a number without minimum and maximum"
    if "array" in kinds:
        if "maxItems" not in schema:
            yield f"{place}: a list without maxItems"
        if schema.get("items"):
            yield from unbounded(schema["items"], components, f"{place}[]")
    if "object" in kinds:
        more = schema.get("additionalProperties", True)
        if more is True or (more and "maxProperties" not in schema):
            yield f"{place}: an open object"
        for name, inner in schema.get("properties", {}).items():
            yield from unbounded(inner, components, f"{place}.{name}")
        if isinstance(more, dict):
            yield from unbounded(more, components, f"{place}.*")
    for choice in schema.get("anyOf", []):
        yield from unbounded(choice, components, place)


@pytest.mark.parametrize(
    "path",
    ["/openapi.json", *(f"/v1/models/{m}/openapi.json" for m in ("reviews", "loans", "shades", "scribe"))],
)
def test_every_field_of_every_request_is_bounded(call: Call, path: str) -> None:
    document = call("GET", path).json()
    components = document["components"]["schemas"]
    found = list(bodies(document))
    assert found
    assert [where for place, s in found for where in unbounded(s, components, place)] == []


@pytest.mark.parametrize("model", ["reviews", "loans"])
def test_the_example_in_a_models_document_round_trips(call: Call, model: str) -> None:
    document = call("GET", f"/v1/models/{model}/openapi.json").json()
    for path, operations in document["paths"].items():
        example = operations["post"]["requestBody"]["content"]["application/json"]["example"]
        assert call("POST", path, json=example).status_code == 200


def test_the_servers_document_has_every_route_with_its_permission(call: Call) -> None:
    paths = call("GET", "/openapi.json").json()["paths"]
    for route in ROUTES:
        operation = paths[route.path][route.method.lower()]
        assert operation["x-permission"] == route.permission.value
        assert (operation["security"] == []) == (route.permission is Permission.PUBLIC)
