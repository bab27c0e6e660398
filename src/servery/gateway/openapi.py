"""The OpenAPI documents, made from the routes and from the models' signatures; every request field is bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from servery.gateway.permission import Permission
from servery.gateway.route import Route, plain_error
from servery.schemas import REFERENCE_PATTERN, VERSION, ErrorBody, PredictResponse
from servery.serving.replica import Replica

LONGEST_REFERENCE = 257
MOST_VALUES = 10_000
LONGEST_TEXT = 32 * 2**20

_VALUE = {
    "description": "A text, a picture in base64, or a row as an object; the model's own document says which.",
    "anyOf": [
        {"type": "string", "maxLength": LONGEST_TEXT},
        {
            "type": "object",
            "maxProperties": MOST_VALUES,
            "additionalProperties": {
                "type": ["string", "number", "boolean", "null", "array"],
                "maxLength": LONGEST_TEXT,
                "minimum": -1.7976931348623157e308,
                "maximum": 1.7976931348623157e308,
                "maxItems": MOST_VALUES,
                "items": {},
            },
        },
    ],
}
INPUTS_SCHEMA: dict[str, Any] = {
    "anyOf": [*_VALUE["anyOf"], {"type": "array", "minItems": 1, "maxItems": MOST_VALUES, "items": _VALUE}]
}
PARAMETERS_SCHEMA: dict[str, Any] = {
    "description": "What the task lets you ask, e.g. top_k; the model's own document says which.",
    "type": "object",
    "maxProperties": 100,
    "additionalProperties": {
        "type": ["string", "number", "boolean", "null", "array"],
        "maxLength": 10_000,
        "minimum": -1e300,
        "maximum": 1e300,
        "maxItems": 1000,
        "items": {},
    },
}
EXAMPLE = {"inputs": "The staff were friendly and the room was spotless."}
REFERENCE = "#/components/schemas/{name}"


def server_document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the document of a whole server."""
    routes = [route for route in routes if route.tags]  # pages and their files are no API
    structs = [
        s for route in routes for s in (route.request, route.response, route.accepted) if isinstance(s, type)
    ]
    wanted = list(dict.fromkeys([*structs, ErrorBody]))
    schemas, components = msgspec.json.schema_components(wanted, ref_template=REFERENCE)
    schema_of = dict(zip(wanted, schemas, strict=True))
    paths: dict[str, Any] = {}
    seen: Counter[str] = Counter()
    for route in routes:
        operation = _operation(route, schema_of)
        name = operation["operationId"]
        seen[name] += 1
        if seen[name] > 1:  # one handler for several paths
            operation["operationId"] = f"{name}_{seen[name]}"
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return _document("Servery", "Models, served.", paths, components)


def model_document(reference: str, replica: Replica) -> dict[str, Any]:
    """Return the document of one model: its own inputs, parameters, answers and bounds."""
    signature, version, task = replica.predictor.signature, replica.version, replica.task
    wanted = [task.parameters, task.answer, PredictResponse, ErrorBody]
    schemas, components = msgspec.json.schema_components(wanted, ref_template=REFERENCE)
    one = replica.form.json_schema(signature.inputs, replica.limits)
    many = {"type": "array", "minItems": 1, "maxItems": replica.limits.max_inputs, "items": one}
    body = {
        "type": "object",
        "properties": {"inputs": {"anyOf": [one, many]}, "parameters": schemas[0]},
        "required": ["inputs"],
        "additionalProperties": False,
    }
    answer = dict(components["PredictResponse"])
    answer["properties"] = {**answer["properties"], "outputs": {"type": "array", "items": schemas[1]}}
    content: dict[str, Any] = {"schema": body}
    if signature.example is not None:
        content["example"] = {"inputs": signature.example}
    paths = {
        f"/v1/models/{reference}/predict": {
            "post": {
                "summary": f"Predict with {version.reference}",
                "operationId": "predict",
                "requestBody": {"required": True, "content": {"application/json": content}},
                "responses": {"200": _json_answer("The answers, one an input.", answer), **_errors()},
                "security": [{"key": []}],
            }
        },
        f"/v1/models/{reference}": {
            "post": {
                "summary": f"Predict with {version.reference}, as the Hub's inference clients speak",
                "operationId": "predictHub",
                "requestBody": {"required": True, "content": {"application/json": content}},
                "responses": {"200": _json_answer("The Hub's shape of the answer.", {}), **_errors()},
                "security": [{"key": []}],
            }
        },
    }
    return _document(version.reference, f"{replica.hub_task}, by {version.recipe}.", paths, components)


def _document(
    title: str, description: str, paths: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": VERSION, "description": description},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schema_of: dict[type, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.handler.__module__.rpartition(".")[2] + "_" + route.handler.__name__,
        "tags": list(route.tags),
        "x-permission": route.permission.value,
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": {"type": "string", "maxLength": LONGEST_REFERENCE, **_pattern(name)},
            }
            for name in _parameters(route.path)
        ]
        + _query(route),
        "responses": {
            **{str(status): _answer(route, schema_of) for status in route.statuses},
            **_accepted(route, schema_of),
            **_errors(route.error_shape is plain_error),
        },
        "security": [] if route.permission is Permission.PUBLIC else [{"key": []}],
    }
    if route.request is not None:
        content = {"schema": _schema(route.request, schema_of)}
        if route.example is not None:
            content["example"] = route.example
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _accepted(route: Route, schema_of: dict[type, Any]) -> dict[str, Any]:
    if route.accepted is None:
        return {}
    return {"202": _json_answer("The request became a job.", _schema(route.accepted, schema_of))}


def _query(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    (schema,), components = msgspec.json.schema_components([route.query], ref_template=REFERENCE)
    schema = components[schema["$ref"].rpartition("/")[2]]
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": found}
        for name, found in schema["properties"].items()
    ]


def _answer(route: Route, schema_of: dict[type, Any]) -> dict[str, Any]:
    if route.response is None:
        return {"description": route.summary, "content": {route.content_type: {}}}
    answer = _json_answer(route.summary, _schema(route.response, schema_of))
    if route.streams:
        answer["content"]["text/event-stream"] = {}
    return answer


def _json_answer(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _errors(is_plain: bool = True) -> dict[str, Any]:
    error = _PLAIN_ERROR if is_plain else _OTHER_ERROR
    return {"4XX": error, "5XX": error}


_PLAIN_ERROR = _json_answer("What went wrong.", {"$ref": REFERENCE.format(name="ErrorBody")})
_OTHER_ERROR = _json_answer(
    "What went wrong, in the shape of this protocol.", {"type": "object", "required": ["error"]}
)


def _schema(declared: Any, schema_of: dict[type, Any]) -> Any:
    return schema_of[declared] if isinstance(declared, type) else declared


def _parameters(path: str) -> list[str]:
    return [segment[1:].partition("}")[0] for segment in path.split("/") if segment[:1] == "{"]


def _pattern(name: str) -> dict[str, str]:
    return {"pattern": REFERENCE_PATTERN} if name == "model" else {}
