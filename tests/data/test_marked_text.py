"""Texts with two marks: read, written, and refused where a mark is wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.data.marked_text import MarkedText, parse_marked
from servery.data.relation_files import read_relations
from servery.errors import DataError, InputError

PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="<"), max_size=20)


@given(*[PLAIN] * 3, *[PLAIN.filter(bool)] * 2, st.booleans())
def test_what_is_written_is_read_back(
    before: str, between: str, behind: str, first: str, second: str, is_turned: bool
) -> None:
    text = before + first + between + second + behind
    places = [(len(before), len(before + first)), (len(before + first + between), len(text) - len(behind))]
    marked = MarkedText(text, *(places[::-1] if is_turned else places))
    assert parse_marked(str(marked)) == marked
    assert marked.swapped.swapped == marked
    assert "".join([marked.regions[0], first, marked.regions[1], second, marked.regions[2]]) == text


@pytest.mark.parametrize(
    "text",
    [
        "no marks at all",
        "<e1>Ann</e1> alone",
        "<e1>Ann</e1> and <e1>Bo</e1> and <e2>Cy</e2>",
        "<e1>Ann and <e2>Bo</e2>",
        "<e1></e1> and <e2>Bo</e2>",
        "<e1>Ann <e2>Bo</e2></e1>",
        "</e1>Ann<e1> and <e2>Bo</e2>",
        "",
    ],
)
def test_wrong_marks_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_marked(text)


@pytest.mark.parametrize("head", [(0, 99), (-1, 2), (3, 3), (4, 2)])
def test_an_entity_outside_the_text_is_named(head: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="has 11 characters") as caught:
        MarkedText("Ann met Bo.", head, (8, 10))
    assert caught.value.param == "/head"


def test_a_file_with_marks_or_places_reads_the_same_and_wrong_rows_are_set_aside(tmp_path: Path) -> None:
    marked, placed = tmp_path / "marked.csv", tmp_path / "placed.csv"
    marked.write_text("text,relation\n<e1>Ann</e1> met <e2>Bo</e2>.,met\nno marks,met\n", encoding="utf-8")
    placed.write_text(
        "text,head_start,head_end,tail_start,tail_end,relation\nAnn met Bo.,0,3,8,10,met\nAnn met Bo.,0,3,8,99,met\n",
        encoding="utf-8",
    )
    for path in (marked, placed):
        raw = read_relations(path)
        assert raw.values["sentence"].tolist() == ["<e1>Ann</e1> met <e2>Bo</e2>."]
        assert [bad.line for bad in raw.bad_rows] == [3]


def test_a_file_without_a_text_says_what_it_should_be_called(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,relation\nx,y\n", encoding="utf-8")
    with pytest.raises(DataError, match="sentence or text"):
        read_relations(path)
