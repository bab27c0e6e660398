"""Recordings from folders named by labels, from tables that name their files, and from files that lie."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from servery.data.audio import wav_of
from servery.data.building import build_dataset
from servery.data.checks import check
from servery.data.columns import Kind, Role
from servery.data.recording_files import read_recordings
from servery.errors import DataError, EmptyDataError


def recording(number: int) -> bytes:
    return wav_of(0.3 * np.random.default_rng(number).standard_normal(800), 8000)


def write(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(recording(number))
    return folder


def test_the_names_of_folders_are_the_labels(tmp_path: Path) -> None:
    table = read_recordings(write(tmp_path, "off/a.wav", "on/a.wav", "on/deep/b.wav"))
    assert list(table.values["label"]) == ["off", "on", "on"]
    assert list(table.values["file_name"]) == ["off/a.wav", "on/a.wav", "on/deep/b.wav"]
    assert list(table.values["audio"]) == [recording(n) for n in range(3)]


def test_folders_of_parts_become_a_column(tmp_path: Path) -> None:
    table = read_recordings(write(tmp_path, "test/on/a.wav", "train/off/a.wav", "train/on/a.wav"))
    assert sorted(zip(table.values["part"], table.values["label"], strict=True)) == [
        ("test", "on"),
        ("train", "off"),
        ("train", "on"),
    ]


def test_a_table_names_the_files_beside_it(tmp_path: Path) -> None:
    write(tmp_path, "clips/a.wav", "clips/b.wav")
    rows = [{"path": f"clips/{name}.wav", "text": f"say {name}"} for name in "ab"]
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, rows)))
    table = read_recordings(tmp_path / "said.jsonl")
    assert list(table.values["text"]) == ["say a", "say b"]
    assert list(table.values["audio"]) == [recording(0), recording(1)]
    (tmp_path / "metadata.csv").write_text("file_name,text\nclips/b.wav,say b\n")
    assert list(read_recordings(tmp_path).values["audio"]) == [recording(1)]


def test_files_that_are_not_there_or_elsewhere_are_bad_rows(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(recording(9))
    folder = write(tmp_path / "data", "a.wav")
    (folder / "said.csv").write_text("file,text\na.wav,one\nb.wav,two\n../secret.wav,three\n")
    table = read_recordings(folder / "said.csv")
    assert list(table.values["text"]) == ["one"]
    assert [bad.line for bad in table.bad_rows] == [3, 4]
    assert "No such file" in table.bad_rows[0].reason
    assert "outside the folder" in table.bad_rows[1].reason
    (folder / "said.csv").write_text("file,text\nb.wav,two\n")
    with pytest.raises(EmptyDataError, match="None of the files"):
        read_recordings(folder / "said.csv")


def test_a_text_that_ends_like_a_file_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nopen song.wav,x\nplay it,y\n")
    assert set(read_recordings(tmp_path / "a.csv").values) == {"text", "label"}


def test_an_empty_folder_says_how_to_lay_it_out(tmp_path: Path) -> None:
    write(tmp_path, "a.wav")
    with pytest.raises(EmptyDataError) as caught:
        read_recordings(tmp_path)
    assert "<label>/<recording>.wav" in str(caught.value.hint)
    with pytest.raises(DataError):
        read_recordings(tmp_path / "nothing")


def test_bytes_that_begin_like_a_recording_are_one_and_torn_ones_are_set_aside(tmp_path: Path) -> None:
    write(tmp_path, *(f"{label}/{n}.wav" for label in ("on", "off") for n in range(6)))
    (tmp_path / "on" / "0.wav").write_bytes(recording(0)[:600])
    dataset = build_dataset(read_recordings(tmp_path), "commands")
    (column,) = dataset.inputs
    assert (column.name, column.kind, column.role) == ("audio", Kind.AUDIO, Role.INPUT)
    assert len(dataset) == 11
    (found,) = [finding for finding in check(dataset) if finding.code == "unreadable_recordings"]
    assert "declares 1,600 bytes" in found.message
