"""schemathesis sends what our OpenAPI document allows, and what it forbids; nothing may be a server error."""

import os
import random

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

URL = os.environ["SERVERY_JUDGED_URL"]
HEADERS = {"authorization": f"Bearer {os.environ['SERVERY_JUDGED_KEY']}"}
CASES = int(os.environ.get("SERVERY_FUZZ_CASES_AN_OPERATION", "12"))
SEED = int(os.environ.get("SERVERY_FUZZ_SEED", "1"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MODELS = ["reviews", "loans", "shades", "reviews@1", "reviews@production", "nobody", "reviews@99"]

schema = schemathesis.openapi.from_url(f"{URL}/openapi.json", headers=HEADERS)
choose = random.Random(SEED)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Three times out of four, ask a model that exists."""
    if path_parameters and "model" in path_parameters and choose.random() < 0.75:
        path_parameters["model"] = choose.choice(MODELS)
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    """Likewise where the body names the model."""
    if isinstance(body, dict) and isinstance(body.get("model"), str) and choose.random() < 0.75:
        body["model"] = choose.choice(MODELS)
    return body


OPERATIONS = [found.ok() for found in schema.get_all_operations()]
NEEDLESS = {f"GET {path}" for path in ("/livez", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready")}
"""Nothing about them can be wrong."""


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_answer_is_a_server_error_or_undocumented(operation, mode):
    if operation.label in NEEDLESS and mode is GenerationMode.NEGATIVE:
        return

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=CASES,
        deadline=None,
        derandomize=SEED == 1,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def send(case):
        response = case.call(base_url=URL, headers=HEADERS, timeout=20)
        case.validate_response(response, checks=CHECKS)

    send()
