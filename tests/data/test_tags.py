"""Tags of tokens become spans of a text, as conlleval reads them, and what cannot be spans is told."""

import pytest

from servery.data.tags import fault_of_spans, fault_of_tags, spans_of_tags, text_with_spans


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O", []),
        ("B-a I-a O", [(0, 2, "a")]),
        ("B-a B-a", [(0, 1, "a"), (1, 2, "a")]),
        ("I-a I-a", [(0, 2, "a")]),  # goes on with nothing: begins
        ("O I-a B-a", [(1, 2, "a"), (2, 3, "a")]),
        ("B-a I-b I-b", [(0, 1, "a"), (1, 3, "b")]),  # goes on with another label: begins
        ("B-a O I-a", [(0, 1, "a"), (2, 3, "a")]),
        ("S-a S-a B-a E-a E-a", [(0, 1, "a"), (1, 2, "a"), (2, 4, "a"), (4, 5, "a")]),  # BIOES
        ("U-a B-a I-a L-a I-a", [(0, 1, "a"), (1, 4, "a"), (4, 5, "a")]),  # BILOU
        ("B-creative-work I-creative-work", [(0, 2, "creative-work")]),
        ("", []),
    ],
)
def test_tags_are_read_as_conlleval_reads_them(tags, expected):
    assert spans_of_tags(tags.split()) == expected


def test_spans_point_at_the_words_of_the_text():
    tokens = ["I", "saw", "Rick", "and", "Morty", "😂", "!"]
    tags = ["O", "O", "B-w", "I-w", "I-w", "O", "O"]
    text, spans = text_with_spans(tokens, tags)
    assert text == "I saw Rick and Morty 😂 !"
    assert [text[span["start"] : span["end"]] for span in spans] == ["Rick and Morty"]


def test_characters_of_scripts_without_spaces_are_joined_without_any():
    text, spans = text_with_spans([*"我在上海", "IBM", *"上班"], ["O", "O", "B-p", "I-p", "B-o", "O", "O"])
    assert text == "我在上海 IBM 上班"
    assert [text[span["start"] : span["end"]] for span in spans] == ["上海", "IBM"]


@pytest.mark.parametrize(
    ("tokens", "tags", "told"),
    [
        (["a", "b"], ["O"], "2 tokens but 1 tags"),
        ("a b", ["O", "O"], "lists of texts"),
        (["a"], [1], "lists of texts"),
        (["a"], ["PERSON"], "'PERSON' is no tag"),
        (["a"], ["B-"], "is no tag"),
        (["a"], ["O"], ""),
        ([], [], ""),
    ],
)
def test_what_is_wrong_with_tags_is_told(tokens, tags, told):
    fault = fault_of_tags(tokens, tags)
    assert told in fault
    assert bool(told) == bool(fault)


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        ([], ""),
        ([{"start": 0, "end": 3, "label": "a"}, {"start": 3, "end": 5, "label": "b"}], ""),
        ("none", "expected a list"),
        ([["a"]], "expected {"),
        ([{"start": 0, "end": 3}], "expected {"),
        ([{"start": "0", "end": 3, "label": "a"}], "whole numbers"),
        ([{"start": True, "end": 3, "label": "a"}], "whole numbers"),
        ([{"start": 0, "end": 3, "label": ""}], "whole numbers"),
        ([{"start": -1, "end": 3, "label": "a"}], "outside the text of 9"),
        ([{"start": 3, "end": 3, "label": "a"}], "outside the text"),
        ([{"start": 5, "end": 10, "label": "a"}], "outside the text of 9"),
        ([{"start": 3, "end": 4, "label": "a"}], "only white space"),
        (
            [{"start": 2, "end": 6, "label": "b"}, {"start": 0, "end": 3, "label": "a"}],
            "0 to 3 and 2 to 6 overlap",
        ),
    ],
)
def test_what_is_wrong_with_spans_is_told(spans, told):
    fault = fault_of_spans("Ann sings", spans)
    assert told in fault
    assert bool(told) == bool(fault)
