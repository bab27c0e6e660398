"""A few thousand spoilt inputs for everything that reads bytes from outside; `make fuzz` sends millions."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from servery.errors import TooLongError
from servery.gateway import json_bounds
from servery.gateway.inference import grpc_bounds
from servery.gateway.inference.grpc_messages import message


def load_targets() -> ModuleType:
    name = "servery_fuzz_targets"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "targets.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


TARGETS = load_targets().TARGETS
EXAMPLES = int(os.environ.get("SERVERY_FUZZ_EXAMPLES", "150"))
TOKENS = [
    b"{",
    b"[",
    b"]",
    b'"',
    b"\\",
    b":",
    b",",
    b"\0",
    b"\xff",
    b"-1",
    b"1e999",
    b"9" * 25,
    b"\r\n",
    b"--x",
    b"%",
]


@st.composite
def spoilt(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with a few bytes replaced, cut out, or put in."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 6))
        data = data[:start] + draw(st.sampled_from(TOKENS) | st.binary(max_size=5)) + data[start + size :]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_our_own_errors_is_raised(name: str) -> None:
    target = TARGETS[name]
    assert any(target(seed) for seed in target.seeds)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize="SERVERY_FUZZ_EXAMPLES" not in os.environ,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=spoilt(target.seeds) | st.binary(max_size=200))
    def send(data: bytes) -> None:
        target(data)

    send()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a:"{}[],\\é\n'), max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(value=VALUES)
def test_the_bounds_of_json_count_names_objects_and_lists_and_nothing_in_texts(value: Any) -> None:
    body = json.dumps(value, ensure_ascii=False).encode()
    objects, lists, names = counted(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_bounds, "UNCHECKED_BYTES", 0)
        for bound, count in (("MOST_OBJECTS", objects), ("MOST_LISTS", lists), ("MOST_NAMES", names)):
            with pytest.MonkeyPatch.context() as tight:
                tight.setattr(json_bounds, bound, count)
                json_bounds.check_json_bounds(body)
                if count and bound != "MOST_NAMES":
                    tight.setattr(json_bounds, bound, count - 1)
                    with pytest.raises(TooLongError):
                        json_bounds.check_json_bounds(body)


def counted(value: Any) -> tuple[int, int, int]:
    """How many objects and lists there are, and names in the one that has most."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    found = [counted(one) for one in inner]
    objects = sum(one[0] for one in found) + isinstance(value, dict)
    lists = sum(one[1] for one in found) + isinstance(value, list)
    names = max([len(value) if isinstance(value, dict) else 0, *(one[2] for one in found)])
    return objects, lists, names


@pytest.mark.parametrize("names", [json_bounds.MOST_NAMES, json_bounds.MOST_NAMES + 1])
def test_an_object_has_as_many_names_as_a_row_may_have_columns(names: int) -> None:
    body = json.dumps({f"column {number}": number for number in range(names)}).encode()
    if names == json_bounds.MOST_NAMES:
        json_bounds.check_json_bounds(body)
    else:
        with pytest.raises(TooLongError, match="names in one object"):
            json_bounds.check_json_bounds(body)


def test_quotes_that_never_end_are_walked_through_once() -> None:
    body = b'{"a":' + b"[" * (json_bounds.MOST_LISTS - 1) + b'"' + b'\\":[' * 2_000_000
    json_bounds.check_json_bounds(body)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=4), max_size=4), max_size=4), st.integers(0, 3))
def test_the_fields_of_a_message_are_counted_as_they_stand(texts: list[list[bytes]], raw: int) -> None:
    inputs = [{"name": "x", "contents": {"bytes_contents": some}} for some in texts]
    body = message("ModelInferRequest")(inputs=inputs, raw_input_contents=[b"r"] * raw).SerializeToString()
    fields = raw + sum(1 + 2 + len(some) for some in texts)
    assert len(list(grpc_bounds._walked(body))) == fields
