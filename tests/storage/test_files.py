"""The one write path: the old state or the new one, whatever fails and whoever writes at the same time."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from servery.errors import ConflictError, StorageError
from servery.storage.files import (
    create_once,
    make_folder,
    publish_folder,
    remove_partials,
    rename_folder,
    write_atomically,
)


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Let the kernel refuse every write beyond a size, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_written_file_holds_exactly_the_data(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["state.json"]


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    write_atomically(tmp_path / "secret", b"x", is_private=True)
    create_once(tmp_path / "other", b"x")
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("secret", "other")} == {0o600}


def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    write_atomically(path, b"old")
    with largest_file(4096), pytest.raises(StorageError) as refused:
        write_atomically(path, bytes(100_000))
    assert "Free some space" in str(refused.value.hint)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["weights"]


def test_a_missing_folder_is_one_error_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        write_atomically(tmp_path / "nowhere" / "file", b"x")


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_the_nth_fault_of_a_write_leaves_the_old_or_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    path = tmp_path / "state"
    for nth in range(1, 10):
        write_atomically(path, b"old")
        with monkeypatch.context() as patch:
            calls = fail_nth(patch, call, nth, code)
            with suppress(StorageError):
                write_atomically(path, b"new")
            assert path.read_bytes() in (b"old", b"new")
        assert os.listdir(tmp_path) == ["state"]
        if calls[0] < nth:
            break
    assert 1 < nth < 9


def fail_nth(patch: pytest.MonkeyPatch, call: str, nth: int, code: int) -> list[int]:
    real, calls = getattr(os, call), [0]

    def failing(*arguments: object, **options: object) -> object:
        calls[0] += 1
        if calls[0] == nth:
            raise OSError(code, os.strerror(code))
        return real(*arguments, **options)

    patch.setattr(os, call, failing)
    return calls


def test_of_many_processes_exactly_one_creates_a_file(tmp_path: Path) -> None:
    path = tmp_path / "once"
    program = (
        "import sys; from pathlib import Path; from servery.storage.files import create_once;"
        "sys.stdin.readline(); print(create_once(Path(sys.argv[1]), sys.argv[2].encode() * 1000))"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path), str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(6)
    ]
    answers = [writer.communicate("\n")[0].strip() for writer in writers]
    assert sorted(answers) == ["False"] * 5 + ["True"]
    assert path.read_bytes() == str(answers.index("True")).encode() * 1000
    assert os.listdir(tmp_path) == ["once"]


def test_publishing_syncs_every_file_before_the_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = tmp_path / "staged"
    (staged / "inner").mkdir(parents=True)
    (staged / "a.txt").write_text("a")
    (staged / "inner" / "b.txt").write_text("b")
    # Inode numbers stay the same over the rename.
    names = {path.stat().st_ino: path.name for path in [staged, *staged.rglob("*")]}
    happened: list[str] = []
    fsync, rename = os.fsync, os.rename

    def watched_fsync(descriptor: int) -> None:
        happened.append(names.get(os.fstat(descriptor).st_ino, "parent"))
        fsync(descriptor)

    def watched_rename(source: Path, target: Path) -> None:
        happened.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "rename", watched_rename)
    publish_folder(staged, tmp_path / "final")
    assert set(happened[:4]) == {"a.txt", "b.txt", "inner", "staged"}
    assert happened.index("b.txt") < happened.index("inner") < happened.index("staged")
    assert happened[4:] == ["rename", "parent"]
    assert (tmp_path / "final" / "inner" / "b.txt").read_text() == "b"


def test_a_folder_is_never_published_over_another(tmp_path: Path) -> None:
    (tmp_path / "staged").mkdir()
    (tmp_path / "final").mkdir()
    with pytest.raises(ConflictError):
        publish_folder(tmp_path / "staged", tmp_path / "final")
    assert (tmp_path / "staged").is_dir()


def test_the_folders_above_are_made(tmp_path: Path) -> None:
    (tmp_path / "staged").mkdir()
    rename_folder(tmp_path / "staged", tmp_path / "a" / "b" / "final")
    make_folder(tmp_path / "a" / "b" / "final")
    assert (tmp_path / "a" / "b" / "final").is_dir()


def test_a_file_where_a_folder_should_be_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        make_folder(tmp_path / "file" / "folder")


def test_only_old_partials_are_removed(tmp_path: Path) -> None:
    for name in (".old.1.partial", ".new.2.partial", "kept.txt"):
        (tmp_path / name).write_text("")
    os.utime(tmp_path / ".old.1.partial", (0, 0))
    assert remove_partials(tmp_path) == 1
    assert sorted(os.listdir(tmp_path)) == [".new.2.partial", "kept.txt"]
