"""Files of many rows answered without a server: streamed, resumed after kill -9, in every format."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from servery.errors import ColumnNotFoundError, ConflictError, DataNotFoundError, InputError, UnknownNameError
from servery.pipeline.batch import predict_file, predict_to_file
from servery.pipeline.workspace import Workspace
from servery.storage.appended_file import AppendedFile

HOUSE = Path(__file__).parents[1] / "gateway" / "house.py"


def load_house() -> Any:
    spec = importlib.util.spec_from_file_location("servery_batch_house", HOUSE)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["servery_batch_house"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["servery_batch_house"])
    return sys.modules["servery_batch_house"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    house = load_house()
    folder = tmp_path_factory.mktemp("batch") / "home"
    with house.open_home(folder) as home:
        home.register("reviews", house.reviews(), "production")
        home.register("shades", house.shades(), "production")
    return Workspace.open(folder)


def rows_file(path: Path, count: int) -> Path:
    words = ["great", "fun", "slow", "rude", "quick"]
    texts = [f"{words[i % 5]} {words[i % 3]} {i}" for i in range(count)]
    pq.write_table(pa.table({"id": list(range(count)), "text": texts}), path, row_group_size=5000)
    return path


def test_rows_are_streamed_with_their_ids_and_errors(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,text\na,great fun\nb,slow,rude\nc,\nd,rude\n")
    found = list(predict_file("reviews", path, {"top_k": 1}, workspace))
    assert [(row["line"], row.get("id")) for row in found] == [(2, "a"), (3, None), (4, "c"), (5, "d")]
    assert [row["answer"]["label"] for row in found if "answer" in row] == ["positive", "negative"]
    assert [row["error"]["code"] for row in found if "error" in row] == ["data.bad_rows", "input.invalid"]
    assert json.dumps(found)


def test_the_three_formats_say_the_same(workspace: Workspace, tmp_path: Path) -> None:
    path = rows_file(tmp_path / "rows.parquet", 700)
    for ending in ("jsonl", "csv", "parquet"):
        counts = predict_to_file("reviews", path, tmp_path / f"out.{ending}", {}, workspace)
        assert (counts.rows, counts.failed) == (700, 0)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    with (tmp_path / "out.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    for line, row, cell in zip(lines, table, cells, strict=True):
        assert line["answer"]["label"] == row["label"] == cell["label"]
        assert line["answer"]["score"] == row["score"] == float(cell["score"])
        assert str(line["id"]) == row["id"] == cell["id"]
    assert {p.name for p in tmp_path.iterdir()} == {"rows.parquet", "out.jsonl", "out.csv", "out.parquet"}


def test_a_folder_of_pictures_is_a_batch_too(workspace: Workspace, tmp_path: Path) -> None:
    house = sys.modules["servery_batch_house"]
    for label, shade in (("dark", 5), ("bright", 250)):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        (tmp_path / "pictures" / label / "one.png").write_bytes(house.picture(shade))
    found = list(predict_file("shades", tmp_path / "pictures", None, workspace))
    assert sorted(row["answer"]["label"] for row in found) == ["bright", "dark"]


def test_what_cannot_be_asked_is_said_before_anything_is_written(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("txt\nx\n")
    output = tmp_path / "out.jsonl"
    with pytest.raises(ColumnNotFoundError, match="lacks text"):
        predict_to_file("reviews", path, output, {}, workspace)
    with pytest.raises(DataNotFoundError):
        predict_to_file("reviews", tmp_path / "nothing.csv", output, {}, workspace)
    with pytest.raises(UnknownNameError, match="xlsx"):
        predict_to_file("reviews", path, tmp_path / "out.xlsx", {}, workspace)
    with pytest.raises(InputError, match="top_q"):
        predict_to_file("reviews", rows_file(tmp_path / "r.parquet", 3), output, {"top_q": 1}, workspace)
    assert not list(tmp_path.glob("out*"))


def test_two_processes_do_not_write_one_output(workspace: Workspace, tmp_path: Path) -> None:
    path = rows_file(tmp_path / "rows.parquet", 3)
    with AppendedFile(tmp_path / "out.jsonl.partial"), pytest.raises(ConflictError, match="Another process"):
        predict_to_file("reviews", path, tmp_path / "out.jsonl", {}, workspace)


def test_notes_of_another_question_are_not_gone_on_with(workspace: Workspace, tmp_path: Path) -> None:
    path, output = rows_file(tmp_path / "rows.parquet", 40), tmp_path / "out.jsonl"
    (tmp_path / "out.jsonl.partial").write_text('{"line": 1, "answer": "of another question"}\n')
    for notes in ('{"identity": "another", "rows": 1, "failed": 0, "length": 45}', "torn"):
        (tmp_path / "out.jsonl.progress").write_text(notes)
        assert predict_to_file("reviews", path, output, {}, workspace).rows == 40
        assert "another question" not in output.read_text()


SLOW_BATCH = """
import sys
from pathlib import Path
import servery.pipeline.batch as batch
from servery.pipeline.workspace import Workspace

batch.NOTE_SECONDS = 0.02
batch.predict_to_file("reviews", Path(sys.argv[2]), Path(sys.argv[3]), {}, Workspace.open(Path(sys.argv[1])))
"""


def killed_batch(workspace: Workspace, path: Path, output: Path, kills: int, seed: int) -> int:
    """Run a batch until it is done, killing it at random moments; return how many kills hit a run under way."""
    chance, hits = random.Random(seed), 0
    command = [sys.executable, "-c", SLOW_BATCH, str(workspace.settings.home), str(path), str(output)]
    partial = output.with_name(f"{output.name}.partial")
    while not output.exists():
        size = partial.stat().st_size if partial.exists() else 0
        process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        while hits < kills and process.poll() is None:
            if partial.exists() and partial.stat().st_size > size:
                time.sleep(chance.uniform(0.0, 0.3))
                process.send_signal(signal.SIGKILL)
                hits += process.wait() == -signal.SIGKILL
            time.sleep(0.001)
        assert process.wait() in (0, -signal.SIGKILL)
    return hits


@pytest.mark.parametrize(("rows", "kills"), [(60_000, 5), pytest.param(400_000, 40, marks=pytest.mark.chaos)])
def test_a_batch_killed_again_and_again_ends_with_every_row_once(
    workspace: Workspace, tmp_path: Path, rows: int, kills: int
) -> None:
    path = rows_file(tmp_path / "rows.parquet", rows)
    hits = killed_batch(workspace, path, tmp_path / "out.jsonl", kills, seed=7)
    assert hits >= min(kills, 3)
    predict_to_file("reviews", path, tmp_path / "whole.jsonl", {}, workspace)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(rows))
    assert not list(tmp_path.glob("out.jsonl.*"))
