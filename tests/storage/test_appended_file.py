"""A file that only grows: what was noted is there after a kill, once, and nothing else."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from servery.errors import ConflictError, StorageError
from servery.storage.appended_file import AppendedFile

WRITER = """
import sys
from pathlib import Path
from servery.storage.appended_file import AppendedFile

path, notes = Path(sys.argv[1]), Path(sys.argv[2])
noted = [int(word) for word in notes.read_text().split()] if notes.exists() else [0, 0]
number, length = noted
with AppendedFile(path, length) as file, notes.open("a+") as note:
    while True:
        for _ in range(7):
            number += 1
            file.append(f"row {number}\\n".encode())
        note.seek(0)
        length = file.sync()
        partial = notes.with_suffix(".partial")
        partial.write_text(f"{number} {length}")
        partial.rename(notes)
"""


def test_a_writer_killed_again_and_again_leaves_every_row_once(tmp_path: Path) -> None:
    path, notes = tmp_path / "rows", tmp_path / "notes"
    for round_number in range(6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(notes)])
        before = notes.read_text() if notes.exists() else ""
        until = time.monotonic() + 20
        while (not notes.exists() or notes.read_text() == before) and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(0.003 * round_number)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    number, length = map(int, notes.read_text().split())
    with AppendedFile(path, length):
        pass
    assert path.read_text().splitlines() == [f"row {i + 1}" for i in range(number)]
    assert number > 7


def test_only_one_process_writes_at_a_time_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    path, notes = tmp_path / "rows", tmp_path / "notes"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(notes)])
    while not notes.exists():
        time.sleep(0.005)
    with pytest.raises(ConflictError, match="Another process"):
        AppendedFile(path)
    writer.kill()
    writer.wait()
    with AppendedFile(path) as file:
        assert file.length == 0


def test_a_file_that_lost_what_was_noted_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"short")
    with pytest.raises(StorageError, match="5 bytes, but 6 were written"):
        AppendedFile(path, 6)
    assert path.read_bytes() == b"short"


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    with AppendedFile(tmp_path / "rows"):
        assert stat.S_IMODE((tmp_path / "rows").stat().st_mode) == 0o600


def test_a_full_disk_is_told_and_what_was_noted_stays(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from servery.errors import StorageError\nfrom servery.storage.appended_file import AppendedFile\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "file = AppendedFile(Path(sys.argv[1]))\nfile.append(b'x' * 600)\nfile.sync()\n"
        "try:\n    file.append(b'y' * 600)\nexcept StorageError as error:\n    print(error.hint, file.length)\n"
    )
    path = tmp_path / "rows"
    told = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, env=os.environ
    ).stdout
    assert "Free some space" in told
    assert told.split()[-1] == "600"
    with AppendedFile(path, 600):
        assert path.read_bytes() == b"x" * 600
