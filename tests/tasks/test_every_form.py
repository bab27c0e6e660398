"""What holds for every form, and that what it writes is what it reads back."""

import base64
import io
import json
import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from servery.data.audio import wav_of
from servery.data.columns import Column, Kind, Role
from servery.data.events import Event, in_order
from servery.data.scenes import scene_of
from servery.data.series import pack
from servery.discovery import instances
from servery.errors import InputError, ServeryError
from servery.models.signature import Limits
from servery.tasks.design_generation import Bound, Brief
from servery.tasks.form import Form, form_for

FORMS = {form.name: form for form in instances("servery.tasks.forms", Form)}
LIMITS = Limits(max_inputs=3, max_text_characters=50, max_image_pixels=64 * 64, max_image_bytes=20_000)


def column(name: str, kind: Kind, categories: tuple[str, ...] = ()) -> Column:
    return Column(name, kind, Role.INPUT, categories=categories)


def picture(width: int = 3, height: int = 2, file_format: str = "PNG") -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(written, file_format)
    return written.getvalue()


def recording(samples: int = 100, rate: int = 8000) -> bytes:
    return wav_of(np.sin(np.arange(samples)), rate)


def marked(before: str, first: str, between: str, second: str, behind: str, is_turned: bool) -> str:
    a, b = ("e2", "e1") if is_turned else ("e1", "e2")
    return f"{before}<{a}>{first or 'x'}</{a}>{between}<{b}>{second or 'y'}</{b}>{behind}"


TABLE = (
    column("amount", Kind.NUMBER),
    column("plan/tier", Kind.CATEGORY, ("basic", "gold")),
    column("since", Kind.TIME),
    column("note", Kind.TEXT),
)
GRID = Column("grid", Kind.TENSOR, Role.INPUT, shape=(2, 3), dtype="float32")
COLUMNS = {
    "text": [(column("review", Kind.TEXT),), (column("title", Kind.TEXT), column("body", Kind.TEXT))],
    "image": [
        (column("photo", Kind.IMAGE),),
        (column("photo", Kind.IMAGE), column("age", Kind.NUMBER), column("sex", Kind.CATEGORY)),
    ],
    "table": [TABLE, TABLE[:1]],
    "audio": [(column("call", Kind.AUDIO),)],
    "marked-text": [(column("sentence", Kind.MARKED_TEXT),)],
    "brief": [(column("brief", Kind.BRIEF),)],
    "scene": [(column("scene", Kind.SCENE),)],
    "series": [
        (column("pm25", Kind.SERIES),),
        (column("now", Kind.TIME), column("at", Kind.CATEGORY), column("pm25", Kind.SERIES)),
    ],
    "history": [
        (column("history", Kind.EVENTS),),
        (column("user_id", Kind.CATEGORY), column("history", Kind.EVENTS)),
    ],
    "tensor": [(GRID,), (GRID, Column("mask", Kind.TENSOR, Role.INPUT, shape=(2, 3), dtype="float32"))],
}
CASES = [(FORMS[name], columns) for name, choices in COLUMNS.items() for columns in choices]
case = pytest.mark.parametrize(
    ("form", "columns"), CASES, ids=lambda v: v.name if isinstance(v, Form) else len(v)
)


def scene(step: float, tracks: list[list[float | None]]) -> str:
    """A scene whose agents walk on a line; None is a step at which one was not seen."""
    points = [[None if x is None else [x, -x] for x in [0.0, *track]] for track in tracks]
    return str(scene_of({"step_seconds": step, "agents": [{"positions_m": track} for track in points]}))


TEXTS = st.text(st.characters(codec="utf-8"), max_size=50)
VALUES = {
    Kind.TEXT: TEXTS,
    Kind.IMAGE: st.builds(
        picture, st.integers(1, 64), st.integers(1, 64), st.sampled_from(["PNG", "JPEG", "WEBP"])
    ),
    Kind.AUDIO: st.builds(recording, st.integers(1, 9000), st.sampled_from([1000, 8000, 44_100])),
    Kind.MARKED_TEXT: st.builds(
        marked,
        *[st.text(st.characters(codec="utf-8", exclude_characters="<"), max_size=5)] * 5,
        st.booleans(),
    ),
    Kind.BRIEF: st.builds(
        Brief,
        st.dictionaries(TEXTS, st.sampled_from(["min", "max"]), max_size=2),
        st.dictionaries(TEXTS, st.builds(Bound, st.none() | st.floats(-9, 9), st.none()), max_size=2),
        st.dictionaries(TEXTS, TEXTS | st.floats(-9, 9), max_size=2),
    ),
    Kind.SCENE: st.builds(
        scene,
        st.floats(0.1, 5),
        st.lists(st.lists(st.none() | st.floats(-20, 20), max_size=9), min_size=1, max_size=4),
    ),
    Kind.TENSOR: st.lists(
        st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=6, max_size=6
    ).map(lambda numbers: np.array(numbers, np.float32).reshape(2, 3)),
    Kind.SERIES: st.lists(
        st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=5
    ).map(lambda readings: pack([1.5, *readings])),
    Kind.NUMBER: st.floats(allow_infinity=False),
    Kind.CATEGORY: st.none() | TEXTS,
    Kind.EVENTS: st.none()
    | st.lists(
        st.tuples(TEXTS.filter(str.strip), st.none() | st.integers(-(10**9), 4 * 10**9)), max_size=5
    ).map(lambda pairs: in_order(Event(*pair) for pair in pairs)),
    Kind.TIME: st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)).map(lambda t: np.datetime64(t, "ns")),
}


def bounds_of(schema: Any) -> Iterator[tuple[dict[str, Any], set[str]]]:
    """Yield every schema that admits a string, number, list or object, with what bounds it lacks."""
    needed = {
        "string": {"maxLength"},
        "number": {"minimum", "maximum"},
        "array": {"maxItems"},
        "object": {"additionalProperties", "properties"},
    }
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    for name in types:
        yield schema, needed.get(name, set()) - schema.keys()
    for inner in schema.get("properties", {}).values():
        yield from bounds_of(inner)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and math.isnan(a):
        return math.isnan(b)
    return bool(np.all(a == b))


def test_every_form_has_columns_here():
    assert FORMS.keys() == COLUMNS.keys()


@pytest.mark.parametrize(
    ("kinds", "name"),
    [
        ({Kind.TEXT}, "text"),
        ({Kind.NUMBER, Kind.CATEGORY}, "table"),
        ({Kind.NUMBER, Kind.TEXT, Kind.TIME}, "table"),
        ({Kind.IMAGE}, "image"),
        ({Kind.IMAGE, Kind.NUMBER}, "image"),
        ({Kind.AUDIO}, "audio"),
        ({Kind.SERIES, Kind.TIME, Kind.CATEGORY}, "series"),
        ({Kind.CATEGORY, Kind.EVENTS}, "history"),
    ],
)
def test_the_kinds_decide_the_form(kinds, name):
    assert form_for(frozenset(kinds)).name == name


@case
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_back(form, columns, data):
    rows = data.draw(
        st.lists(st.fixed_dictionaries({c.name: VALUES[c.kind] for c in columns}), min_size=1, max_size=3)
    )
    sent = json.loads(json.dumps([form.to_json(row, columns) for row in rows], allow_nan=False))
    read = form.examples(sent, columns, LIMITS)
    assert len(read) == len(rows)
    for row, back in zip(rows, read, strict=True):
        assert all(same(row[c.name], back[c.name]) for c in columns)
    if len(rows) == 1:
        alone = form.examples(sent[0], columns, LIMITS)
        assert all(same(alone[0][c.name], read[0][c.name]) for c in columns)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["review", "photo", "amount", "table", "note", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@case
@settings(max_examples=100, deadline=None)
@given(inputs=JSON)
def test_any_json_is_read_or_refused_with_an_input_error(form, columns, inputs):
    examples, refused = [], None
    try:
        examples = form.examples(inputs, columns, LIMITS)
    except InputError as error:
        refused = error
    assert (refused is None) == (1 <= len(examples) <= LIMITS.max_inputs)
    assert refused is None or (refused.param or "").startswith("/inputs")
    assert all(example.keys() == {c.name for c in columns} for example in examples)


@case
@settings(max_examples=60, deadline=None)
@given(
    body=st.binary(max_size=300),
    content_type=st.sampled_from(["", "text/plain", "image/png", "audio/wav", "text/csv"]),
)
def test_any_body_is_read_or_refused_with_an_error_of_ours(form, columns, body, content_type):
    examples, refused = [], None
    try:
        examples = form.examples_from_bytes(body, content_type, columns, LIMITS)
    except ServeryError as error:
        refused = error
    assert len(examples) == (1 if refused is None else 0)
    assert refused is None or refused.http_status in {413, 415, 422}


@case
def test_every_value_of_the_schema_is_bounded(form, columns):
    schema = form.json_schema(columns, LIMITS)
    json.dumps(schema, allow_nan=False)
    assert [lacking for _, lacking in bounds_of(schema) if lacking] == []


@case
def test_none_and_too_many_inputs_are_refused(form, columns):
    for inputs in ([], [[]] * 4):
        with pytest.raises(InputError, match=r"at least one|accepts 3 in one request"):
            form.examples(inputs, columns, LIMITS)


@case
def test_a_list_is_a_batch_and_one_input_is_not(form, columns):
    one = form.to_json({c.name: _some(c.kind) for c in columns}, columns)
    assert not form.is_batch(one, columns)
    assert form.is_batch([one], columns)


def _some(kind: Kind) -> Any:
    return {
        Kind.TEXT: "x",
        Kind.IMAGE: picture(),
        Kind.MARKED_TEXT: "<e1>x</e1><e2>y</e2>",
        Kind.AUDIO: recording(),
        Kind.SCENE: scene(0.4, [[1.0]]),
        Kind.NUMBER: 1.0,
        Kind.SERIES: pack([1.0, None]),
        Kind.TENSOR: np.ones((2, 3), np.float32),
        Kind.TIME: np.datetime64("2026-05-01"),
        Kind.EVENTS: (Event("x"),),
    }.get(kind, "x")


def test_the_picture_of_an_example_is_the_encoded_bytes():
    [example] = FORMS["image"].examples(base64.b64encode(picture()).decode(), COLUMNS["image"][0], LIMITS)
    assert example == {"photo": picture()}
