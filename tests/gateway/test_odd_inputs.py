"""Odd input at every model of the house: refused with what came, what was expected and a hint, or answered and told.

Bodies that are no request at all are in test_bad_input.py.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pytest

from servery.data.audio import wav_of
from servery.tasks.task import all_tasks

Call = Callable[..., httpx.Response]
TOLD, REFUSED, ANY = "told", "refused", "any"
"""What may happen: an answer with a warning, an error; or either, or an answer alone."""


@dataclass(frozen=True)
class Odd:
    """One odd value for a column, and what may come of it.

    Attributes:
        value: What is sent.
        code: Of the error or of the warning that must come; empty for any.
        outcome: Which of the two.
    """

    value: Any
    outcome: str
    code: str = ""


def png(width: int = 8, height: int = 8) -> bytes:
    """A grey picture; what it claims need not be what it holds."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" + bytes(range(8)) * 1 if width == 8 else b"\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def sent(content: bytes) -> str:
    return base64.b64encode(content).decode()


SOUND = wav_of(np.sin(np.arange(8000) / 5), 8000)
SILENCE = wav_of(np.zeros(8000), 8000)
TEXTS = {
    "empty": Odd("", TOLD),
    "blank": Odd(" \n\t ", TOLD),
    "a megabyte": Odd("x " * 490_000, REFUSED),
    "emoji": Odd("😀👍🏽🎉", TOLD),
    "mixed scripts": Odd("I love 中文 и русский عربي", ANY),
    "right to left": Odd("مرحبا بالعالم، كيف الحال؟", ANY),
    "the wrong language": Odd("Das Wetter ist heute leider wieder schlecht", ANY),
    "marks of direction": Odd("\u202eabc\u202c \u200f", ANY),
    "controls": Odd("a\x00b\x07", ANY),
}
PICTURES = {
    "50,000 x 50,000 pixels": Odd(sent(png(50_000, 50_000)), REFUSED, "input.too_large"),
    "a torn PNG": Odd(sent(png()[:-30]), REFUSED),
    "no picture": Odd(sent(b"hello"), REFUSED),
    "nothing": Odd("", REFUSED),
}
RECORDINGS = {
    "0 Hz": Odd(sent(SOUND[:24] + b"\0\0\0\0" + SOUND[28:]), REFUSED, "input.invalid"),
    "silence": Odd(sent(SILENCE), TOLD, "silence"),
    "one sample": Odd(sent(wav_of(np.zeros(1), 8000)), TOLD, "silence"),
    "a torn wav": Odd(sent(SOUND[:100]), REFUSED),
    "no recording": Odd(sent(b"hello"), REFUSED),
}
OF_KIND = {"text": TEXTS, "image": PICTURES, "audio": RECORDINGS}
TRACK = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]


def agents(*tracks: Any, step_seconds: float = 0.5) -> dict[str, Any]:
    named = [{"agent_id": f"a{n}", "positions_m": track} for n, track in enumerate(tracks)]
    return {"step_seconds": step_seconds, "agents": named}


def timed(*times: float) -> dict[str, Any]:
    scene = agents(TRACK)
    scene["agents"][0]["times_s"] = times
    return scene


OF_MODEL: dict[str, dict[str, Odd]] = {
    "reviews": {
        "letters never learned": Odd(TEXTS["right to left"].value, TOLD, "unseen_script"),
        "several scripts": Odd(TEXTS["mixed scripts"].value, TOLD, "unseen_script"),
    },
    "interpreter": {"the wrong language": Odd(TEXTS["right to left"].value, TOLD, "unlike_the_training")},
    "linguist": {"several languages": Odd("I said 你好你好 to her", TOLD, "mixed_scripts")},
    "loans": {
        "missing columns": Odd({"income": 1.0}, REFUSED, "input.invalid"),
        "no column": Odd({}, REFUSED, "input.invalid"),
        "an unknown column": Odd({"income": 1, "debt_ratio": 0, "home": "own", "age": 3}, REFUSED),
        "far outside": Odd({"income": 1e9, "debt_ratio": 0.1, "home": "own"}, TOLD, "outside_range"),
        "an unseen category": Odd({"income": 1, "debt_ratio": 0, "home": "boat"}, TOLD, "unseen_category"),
        "a word for a number": Odd({"income": "much", "debt_ratio": 0, "home": "own"}, REFUSED),
    },
    "shelves": {
        "an unknown user": Odd({"user_id": "nobody", "history": []}, TOLD, "cold_start"),
        "no user and no history": Odd({"user_id": None, "history": []}, TOLD, "cold_start"),
        "an unknown item": Odd({"user_id": "u1", "history": ["never"]}, TOLD, "unknown_items"),
        "the same event twice": Odd({"user_id": "u1", "history": ["mug", "mug"]}, ANY),
        "an event without an item": Odd({"user_id": "u1", "history": [{}]}, REFUSED),
    },
    "weather": {
        "no reading": Odd({"pm25": []}, REFUSED, "input.invalid"),
        "gaps alone": Odd({"pm25": [None, None]}, REFUSED, "input.invalid"),
        "one reading": Odd({"pm25": [1.0]}, TOLD, "short_history"),
        "far outside": Odd({"pm25": [1.0, 1e9, 2.0]}, TOLD, "outside_range"),
        "a missing column": Odd({}, REFUSED, "input.invalid"),
        "a word": Odd({"pm25": ["x"]}, REFUSED, "input.invalid"),
    },
    "walkers": {
        "nobody": Odd(agents(), REFUSED),
        "one position": Odd(agents([[0, 0]]), TOLD, "one_position"),
        "one who vanishes": Odd(agents(TRACK, [[0, 0], None, None]), TOLD, "not_seen_now"),
        "one who appears": Odd(agents(TRACK, [None, None, [0, 0]]), TOLD, "one_position"),
        "two of one name": Odd({**agents(), "agents": agents(TRACK)["agents"] * 2}, REFUSED),
        "faster than anything": Odd(agents([[0, 0], [1e5, 0]]), REFUSED, "input.invalid"),
        "time going backwards": Odd(timed(0.0, 1.0, 0.5), REFUSED, "input.invalid"),
        "a stamp twice": Odd(timed(0.0, 0.5, 0.5), REFUSED, "input.invalid"),
        "steps below zero": Odd(agents(TRACK, step_seconds=-1), REFUSED, "input.invalid"),
    },
    "shipwright": {
        "nothing wanted": Odd({"objectives": {}}, REFUSED),
        "limits that exclude each other": Odd(
            {"objectives": {"speed": "min"}, "limits": {"speed": {"min": 5, "max": 1}}}, REFUSED
        ),
        "limits that nothing keeps": Odd(
            {"objectives": {"speed": "min"}, "limits": {"speed": {"max": -1e9}}}, TOLD, "no_feasible_design"
        ),
        "an unknown quantity": Odd({"objectives": {"beauty": "max"}}, REFUSED, "input.invalid"),
    },
    "capitals": {
        "an unknown entity": Odd({"head": "Atlantis", "relation": "capital_of", "tail": None}, REFUSED),
        "an unknown relation": Odd({"head": "Oslo", "relation": "eats", "tail": None}, REFUSED),
        "nothing known": Odd({"head": None, "relation": None, "tail": None}, REFUSED),
    },
    "founders": {
        "no marks": Odd("Ann founded Acme", REFUSED, "input.invalid"),
        "empty marks": Odd("<e1></e1> founded <e2></e2>", REFUSED, "input.invalid"),
        "a text without a relation": Odd("<e1>Ann</e1> <e2>Acme</e2>", ANY),
        "emoji": Odd("<e1>😀</e1> و <e2>中</e2>", ANY),
        "a megabyte": Odd("<e1>a</e1><e2>b</e2>" + "x " * 490_000, REFUSED, "input.too_long"),
    },
    "signals": {
        "too few numbers": Odd([1, 2], REFUSED, "input.invalid"),
        "too large a number": Odd([1e300, 0, 0, 0], REFUSED, "input.invalid"),
        "a word": Odd([1, 2, 3, "x"], REFUSED, "input.invalid"),
    },
}
PASSED_OVER = {"drill", "broken", "spare"}
"""The drill obeys orders, which these are not; the spare model is loaded and unloaded by other stories."""


@pytest.fixture(scope="module")
def models(house: Any, home: Any, server: Any) -> dict[str, dict[str, Any]]:
    """What the server says of each model."""
    headers = {"authorization": f"Bearer {home.secrets['root']}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=20) as client:
        names = [model["id"] for model in client.get("/v1/models").json()["data"]]
        return {n: client.get(f"/v1/models/{n}").json() for n in names if n not in PASSED_OVER}


def odd_inputs(name: str, model: dict[str, Any]) -> Iterator[tuple[str, Odd]]:
    """Yield what is odd to ask this model."""
    columns = model["inputs"]
    if all(column["kind"] == "text" for column in columns) or len(columns) == 1:
        for what, odd in OF_KIND.get(columns[0]["kind"], {}).items():
            value = odd.value if len(columns) == 1 else {c["name"]: odd.value for c in columns}
            yield what, Odd(value, odd.outcome, odd.code)
    yield from OF_MODEL.get(name, {}).items()


def trouble_with(answer: httpx.Response, odd: Odd) -> str:
    """Return what is wrong with an answer; empty where nothing is."""
    told = answer.json()
    if answer.status_code == 200:
        codes = [warning["code"] for warning in told["warnings"]]
        if odd.outcome == REFUSED or (odd.outcome == TOLD and not codes):
            return f"answered, with the warnings {codes}"
        return "" if odd.outcome == ANY or odd.code in ("", *codes) else f"warned of {codes}"
    error = told["error"]
    if not 400 <= answer.status_code < 500 or not all(error[part] for part in ("code", "message", "hint")):
        return f"{answer.status_code} {error}"
    # A model that cannot do anything with a value may refuse it instead of warning.
    return "" if odd.outcome != REFUSED or odd.code in ("", error["code"]) else f"refused as {error['code']}"


def test_every_task_has_a_model_to_ask(models: dict[str, dict[str, Any]]) -> None:
    like_others = {
        "regression",
        "anomaly-detection",
        "driving-decision",
        "fill-mask",
    }  # rows of tables, a text
    assert {model["task"] for model in models.values()} >= all_tasks().keys() - like_others


def test_every_odd_input_is_refused_with_a_hint_or_answered_and_told(
    models: dict[str, dict[str, Any]], predict: Call
) -> None:
    troubles = []
    for name, model in models.items():
        for what, odd in odd_inputs(name, model):
            more = {"max_tokens": 2} if model["task"] == "text-generation" else {}
            trouble = trouble_with(predict(name, odd.value, **more), odd)
            if trouble:
                troubles.append((name, what, trouble))
    assert not troubles, "\n".join(map(str, troubles))


def test_the_missing_columns_are_named(predict: Call) -> None:
    error = predict("loans", {"income": 1.0}).json()["error"]
    assert "'debt_ratio', 'home'" in error["message"]


def test_the_hint_is_the_model_s_own_example(predict: Call) -> None:
    error = predict("shapes", "an elephant").json()["error"]
    assert error["hint"] == 'this model\'s example: "a circle"'
