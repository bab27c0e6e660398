"""Texts cut into sentences, clauses and words, in English, in Chinese and in between."""

import pytest

from servery.models.document import Document


def sentences(text: str) -> list[str]:
    document = Document.of(text)
    return [document.piece(*span) for span in document.sentences.tolist()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We train. It works! Why?", ["We train.", "It works!", "Why?"]),
        (
            "See e.g. Figure 2, by Liu et al. (2018). Good.",
            ["See e.g. Figure 2, by Liu et al. (2018).", "Good."],
        ),
        (
            "It is 3.5 times faster. (So they say.) Yes.",
            ["It is 3.5 times faster.", "(So they say.)", "Yes."],
        ),
        ("我们提出一种方法。结果“很好。”是吗？", ["我们提出一种方法。", "结果“很好。”", "是吗？"]),
        ("采用该方法,精度提高.仿真结果表明误差为0.5.", ["采用该方法,精度提高.", "仿真结果表明误差为0.5."]),
        (
            "A heading\n\nThe text was\nwrapped here.\nNext",
            ["A heading", "The text was\nwrapped here.", "Next"],
        ),
        ("混合 text here. 然后 more。End", ["混合 text here.", "然后 more。", "End"]),
        ("no stop at all", ["no stop at all"]),
        ("مرحبا بالعالم. كيف الحال؟", ["مرحبا بالعالم.", "كيف الحال؟"]),
        ("", []),
        (" \n\t", []),
        ("!!! 😀 ...", []),
    ],
)
def test_sentences_end_where_a_reader_says(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_clauses_are_what_stands_between_marks() -> None:
    document = Document.of("目的 观察疗效,方法如下:分两组。Then, we (all) stop.")
    pieces = [document.piece(*span) for span in document.clauses.tolist()]
    assert pieces == ["目的 观察疗效", "方法如下", "分两组", "Then", "we (all) stop"]


def test_a_piece_stands_in_the_text_where_it_says_and_words_are_counted() -> None:
    text = "İstanbul'da well-known 模型 works."
    document = Document.of(text)
    first, last = document.sentences[0].tolist()
    assert document.piece(first, last) == text
    assert text[document.begins[3] : document.ends[3]] == "da"
    assert document.words_before[-1] == document.is_word.sum() == 8
    joined = [document.piece(place, place) for place in range(len(document)) if not document.can_begin[place]]
    assert joined == ["stanbul", "'", "da", "-", "known", "."]
