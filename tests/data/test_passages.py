"""Running text becomes rows: every character asked for once, with what stands before it."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from servery.data.building import build_dataset
from servery.data.passages import BLOCK, KINDS, PASSAGE, ROLES, TEXT, passages, read_passages
from servery.data.splits import split
from servery.errors import DataError

STORY = "".join(f"Line {number} of a story that goes on for a while.\n" for number in range(400))


def test_the_passages_of_a_text_are_the_text_and_each_has_what_stands_before_it() -> None:
    raw = passages([STORY])
    assert "".join(raw.values[PASSAGE]) == STORY
    before = ""
    for whole, passage in zip(raw.values[TEXT], raw.values[PASSAGE], strict=True):
        assert whole == before + passage
        before = passage


def test_a_text_begins_without_the_end_of_the_one_before() -> None:
    raw = passages(["a" * 300, "b" * 300])
    assert [text[0] for text in raw.values[TEXT]] == ["a", "a", "b", "b"]
    assert raw.values[TEXT][2] == "b" * 256


def test_the_same_text_is_read_from_every_format(tmp_path: Path) -> None:
    plain, packed, lines = (tmp_path / name for name in ("story.txt", "packed.txt.gz", "story.jsonl"))
    plain.write_bytes(STORY.replace("\n", "\r\n").encode())
    packed.write_bytes(gzip.compress(STORY.encode()))
    lines.write_text(json.dumps({"text": STORY, "id": 1}) + "\n", encoding="utf-8")
    for path in (plain, packed, lines):
        assert read_passages(path).values[PASSAGE].tolist() == passages([STORY]).values[PASSAGE].tolist()


def test_a_folder_holds_parts_or_texts(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / f"{part}.txt").write_text(f"{part} {STORY}", encoding="utf-8")
    assert set(read_passages(tmp_path).values["part"]) == {"train", "test"}
    (tmp_path / "test.txt").rename(tmp_path / "two.txt")
    (tmp_path / "train.txt").rename(tmp_path / "one.txt")
    assert "part" not in read_passages(tmp_path).values


def test_bytes_that_are_no_text_are_not_learned(tmp_path: Path) -> None:
    path = tmp_path / "torn.txt"
    path.write_bytes("早上好，今天天气很好。".encode() * 60 + b"\xff\xfe torn")
    assert "\ufffd" in "".join(read_passages(path).values[PASSAGE])


def test_the_last_passages_are_held_out_so_that_no_neighbour_is_learned() -> None:
    kinds, roles = ({name: told[name] for name in told if name != BLOCK} for told in (KINDS, ROLES))
    dataset = build_dataset(passages([STORY]), "story", target=PASSAGE, kinds=kinds, roles=roles)
    parts = split(dataset)
    assert parts.policy == "time"
    assert max(parts.train["place"]) < min(parts.validation["place"])
    assert max(parts.validation["place"]) < min(parts.test["place"])


def test_whole_blocks_of_a_given_train_part_are_for_validation(tmp_path: Path) -> None:
    chance = random.Random(0)
    for part in ("train", "test"):
        story = " ".join(f"{chance.randint(0, 10**6)}" for _ in range(9000))
        (tmp_path / f"{part}.txt").write_text(story, encoding="utf-8")
    dataset = build_dataset(
        read_passages(tmp_path),
        "story",
        target=PASSAGE,
        kinds={TEXT: "text", PASSAGE: "text", BLOCK: "identifier"},
        roles={BLOCK: "group"},
    )
    parts = split(dataset)
    assert parts.policy == "given"
    blocks = [set(part[BLOCK]) for part in (parts.train, parts.validation, parts.test)]
    assert not blocks[0] & blocks[1]
    assert not (blocks[0] | blocks[1]) & blocks[2]
    assert 0.05 < len(parts.validation) / len(parts.train) < 0.2


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.txt", b" \n", "empty"),
        ("picture.png", b"\x89PNG\r\n", "no format"),
        ("table.csv", b"words,label\na,b\n", "called 'text'"),
        ("archive.txt", b"PK\x03\x04 rest", "zip"),
    ],
)
def test_what_holds_no_text_is_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_passages(path)
    with pytest.raises(DataError, match="no file"):
        read_passages(tmp_path / "absent.txt")
