"""Commands: where the values of their slots stand, what is only meant, and files of them."""

import json
from pathlib import Path

import pytest

from servery.data.command_files import read_commands
from servery.data.commands import fault_of_command, meanings_of, meant_values, places_of
from servery.data.number_words import forms_of, number_said
from servery.errors import EmptyDataError


def test_a_value_is_found_as_a_whole_word_whatever_its_case() -> None:
    assert places_of("Attic attics ATTIC", "attic") == [(0, 5), (13, 18)]
    assert places_of("打开TV开关", "tv") == [(2, 4)]


def test_a_number_is_no_part_of_a_longer_one() -> None:
    assert places_of("set 5 to 15, not 5.5 or 5%", 5) == [(4, 5), (24, 25)]
    assert places_of("三十五度", 5) == []
    assert places_of("三十五度", 35) == [(0, 3)]


@pytest.mark.parametrize("number", range(101))
def test_a_number_in_words_is_read_back(number: int) -> None:
    assert {number_said(form) for form in forms_of(number)} == {number}


def test_what_is_rarely_said_is_meant() -> None:
    texts = ["is the lamp on", "is the door open", "turn it to 50"]
    slots = [{"state": "on"}, {"state": "on"}, {"level": 50}]
    meant = meant_values(texts, slots)
    assert meant == {("state", "on")}
    found = meanings_of(texts, slots, meant)
    assert [one.meant for one in found] == [(("state", "on"),), (("state", "on"),), ()]
    [level] = found[2].said
    assert (level.name, level.start, level.end, level.form) == ("level", 11, 13, "number")


def test_the_same_value_of_two_slots_is_told_apart_by_what_stands_around_it() -> None:
    texts = ["add 5 minutes to the 9 minute timer", "add 7 minutes to the 2 minute timer"]
    texts.append("to the 3 minute timer add 3 minutes")
    slots = [{"minutes": 5, "start": 9}, {"minutes": 7, "start": 2}, {"minutes": 3, "start": 3}]
    last = meanings_of(texts, slots, frozenset())[2]
    assert [(said.name, said.start) for said in last.said] == [("start", 7), ("minutes", 26)]


def test_a_longer_value_takes_its_words_first_and_no_two_overlap() -> None:
    [one] = meanings_of(
        ["bedroom lamp in the bedroom"], [{"area": "Bedroom", "name": "Bedroom Lamp"}], frozenset()
    )
    assert [(said.name, said.start) for said in one.said] == [("name", 0), ("area", 20)]


def test_a_value_below_zero_is_found_by_its_size() -> None:
    [one] = meanings_of(["volume down by 20%"], [{"step": -20}], frozenset())
    assert (one.said[0].form, one.said[0].start) == ("-number", 15)


@pytest.mark.parametrize(
    "cell",
    [None, "x", {"slots": {}}, {"intent": " "}, {"intent": "{a}"}, {"intent": "A", "slots": [1]}]
    + [
        {"intent": "A", "slots": {name: value}}
        for name, value in (("a", True), ("a", ""), ("a}", 1), ("", 1))
    ],
)
def test_what_is_no_command_is_named(cell: object) -> None:
    assert fault_of_command(cell)


def test_a_file_becomes_texts_and_commands_and_torn_rows_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "commands.csv"
    path.write_text(
        'text,intent,slots\nopen it,Open,\nshut it,Shut,"{""name"": ""it""}"\nhm,Hm,"[1"\n', "utf-8"
    )
    raw = read_commands(path)
    assert [json.loads(cell) for cell in raw.values["command"]] == [
        {"intent": "Open", "slots": {}},
        {"intent": "Shut", "slots": {"name": "it"}},
    ]
    assert [bad.line for bad in raw.bad_rows] == [4]
    path.write_text('text,intent,slots\nhm,Hm,"[1"\n', "utf-8")
    with pytest.raises(EmptyDataError, match="Line 2"):
        read_commands(path)
