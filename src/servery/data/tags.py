"""Tokens with tags (BIO and its relatives) as a text with labelled spans, and back to what can be wrong with spans."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

BEGINS = frozenset("BSU")
"""Prefixes of tags that always begin a span: of BIO, BIOES and BILOU."""
ENDS = frozenset("ESLU")
"""Prefixes after which a span is over."""
OUTSIDE = "O"

Span = dict[str, Any]
"""{"start", "end", "label"}, in characters, the end excluded."""


def spans_of_tags(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return (first token, token after the last, label) of each span.

    A tag that goes on with nothing, or with another label, begins a span, as conlleval reads it.

    Source: Tjong Kim Sang (2004), conlleval, as seqeval's default mode repeats it.

    >>> spans_of_tags(["B-person", "I-person", "O", "I-place", "B-place"])
    [(0, 2, 'person'), (3, 4, 'place'), (4, 5, 'place')]
    """
    spans: list[tuple[int, int, str]] = []
    begun: tuple[int, str] | None = None
    before = OUTSIDE
    for place, tag in enumerate([*tags, OUTSIDE]):
        prefix, _, label = tag.partition("-")
        goes_on = begun is not None and label == begun[1] and prefix not in BEGINS and before not in ENDS
        if begun is not None and not (goes_on and prefix != OUTSIDE):
            spans.append((begun[0], place, begun[1]))
            begun = None
        if begun is None and prefix != OUTSIDE:
            begun = (place, label)
        before = prefix
    return spans


def text_with_spans(tokens: Sequence[str], tags: Sequence[str]) -> tuple[str, list[Span]]:
    """Return the tokens as a text, a space between two unless both are of a script without spaces, and its spans.

    >>> text_with_spans(["在", "上", "海", "见", "Ann"], ["O", "B-place", "I-place", "O", "B-person"])[0]
    '在上海见 Ann'
    """
    text, places = "", []
    for token in tokens:
        if text and token and not (_is_wide(text[-1]) and _is_wide(token[0])):
            text += " "
        places.append((len(text), len(text) + len(token)))
        text += token
    spans = [
        {"start": places[first][0], "end": places[after - 1][1], "label": label}
        for first, after, label in spans_of_tags(tags)
    ]
    return text, spans


def fault_of_tags(tokens: Any, tags: Any) -> str:
    """Return why tokens and tags do not make a tagged text; empty where they do."""
    if not (_are_texts(tokens) and _are_texts(tags)):
        return "tokens and tags must both be lists of texts"
    if len(tokens) != len(tags):
        return f"{len(tokens)} tokens but {len(tags)} tags"
    wrong = next((tag for tag in tags if tag != OUTSIDE and not _is_tag(tag)), None)
    return "" if wrong is None else f"{wrong[:40]!r} is no tag; expected O, B-label or I-label"


def fault_of_spans(text: str, spans: Any) -> str:
    """Return why these are no spans of a text that can be learned; empty where they are.

    >>> fault_of_spans("Ann sings", [{"start": 0, "end": 12, "label": "person"}])
    'the span 0 to 12 lies outside the text of 9 characters'
    """
    if not isinstance(spans, list):
        return 'expected a list of {"start", "end", "label"}'
    for span in spans:
        if not isinstance(span, dict) or not {"start", "end", "label"} <= span.keys():
            return f'expected {{"start", "end", "label"}}, got {str(span)[:80]}'
        start, end, label = span["start"], span["end"], span["label"]
        if not (_is_whole(start) and _is_whole(end) and isinstance(label, str) and label):
            return f"start and end must be whole numbers and label a text, got {str(span)[:80]}"
        if not 0 <= start < end <= len(text):
            return f"the span {start} to {end} lies outside the text of {len(text)} characters"
        if not text[start:end].strip():
            return f"the span {start} to {end} holds only white space"
    ordered = sorted(spans, key=lambda span: span["start"])
    for one, other in pairwise(ordered):
        if other["start"] < one["end"]:
            return f"the spans {one['start']} to {one['end']} and {other['start']} to {other['end']} overlap"
    return ""


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _is_tag(tag: str) -> bool:
    prefix, dash, label = tag.partition("-")
    return bool(dash and label and prefix in {"B", "I", "E", "S", "L", "U"})


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_wide(character: str) -> bool:
    return "\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\uffef"
