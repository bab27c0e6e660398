"""schemathesis sends what our OpenAPI document allows, and what it forbids; nothing may be a server error."""

import math
import os
import random

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

URL = os.environ["SERVERY_JUDGED_URL"]
HEADERS = {"authorization": f"Bearer {os.environ['SERVERY_JUDGED_KEY']}"}
CASES = int(os.environ.get("SERVERY_FUZZ_CASES", "500"))
"""Of all operations and modes together; each gets the same share."""
SEED = int(os.environ.get("SERVERY_FUZZ_SEED", "1"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MODELS = [
    *("reviews", "loans", "shades", "signals", "meaning", "scribe", "tones", "shapes", "unwanted"),
    *("reviews@1", "reviews@production", "nobody", "reviews@99", "réviews", "reviews\x00", "../admin"),
]
KNOWN = {
    "model": MODELS,
    "stored": ["spare", "nobody"],
    "job": ["judged"],
    "version": ["1", "99"],
    "name": ["reviews"],
}
"""Path parameters that name something: three times out of four, something that exists or nearly does."""

httpx.put(
    f"{URL}/v1/jobs/judged", headers=HEADERS, json={"model": "reviews", "inputs": ["great fun"]}
).raise_for_status()
schema = schemathesis.openapi.from_url(f"{URL}/openapi.json", headers=HEADERS)
choose = random.Random(SEED)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Mostly ask for what exists."""
    for name in KNOWN.keys() & (path_parameters or {}).keys():
        if choose.random() < 0.75:
            path_parameters[name] = choose.choice(KNOWN[name])
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    """Likewise where the body names the model."""
    if isinstance(body, dict) and isinstance(body.get("model"), str) and choose.random() < 0.75:
        body["model"] = choose.choice(MODELS)
    return body


OPERATIONS = [found.ok() for found in schema.get_all_operations()]
NEEDLESS = {"GET /livez", "GET /readyz", "GET /ping", "GET /v2/health/live", "GET /v2/health/ready"}
"""Nothing about them can be wrong."""
PAIRS = [
    pytest.param(operation, mode, id=f"{operation.label} {mode.value}")
    for operation in OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.label not in NEEDLESS
]
SHARE = math.ceil(CASES / len(PAIRS))


@pytest.mark.parametrize(("operation", "mode"), PAIRS)
def test_no_answer_is_a_server_error_or_undocumented(operation, mode):
    @seed(SEED)
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=SHARE,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def send(case):
        response = case.call(base_url=URL, headers=HEADERS, timeout=20)
        case.validate_response(response, checks=CHECKS)

    send()
