"""Files before rows, and the n-th call that fails: the old state or the new one, never mixed."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from servery.errors import ServeryError, StorageError
from servery.registry.keys import Keys
from servery.registry.registry import Registry
from servery.storage.database import Database

CheckSound = Callable[[Path, Database, Registry], None]


def test_the_row_is_committed_after_all_files_are_durable_and_named(
    registry: Registry, staged: Path, facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    fsync, rename = os.fsync, os.rename

    def watched_fsync(descriptor: int) -> None:
        happened.append("sync")
        fsync(descriptor)

    def watched_rename(source: Path, target: Path) -> None:
        happened.append("rename")
        rename(source, target)

    def committed(_connection: Any) -> None:
        happened.append("commit")

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "rename", watched_rename)
    event.listen(Engine, "commit", committed)
    try:
        registry.register("reviews", staged, facts, actor="ada")
    finally:
        event.remove(Engine, "commit", committed)
    things = sum(1 for path in staged.rglob("*")) + len(["the manifest", "the folder"])
    assert happened.count("rename") == happened.count("commit") == 1
    assert happened.index("rename") >= things
    # After the rename comes the folder that holds the new name, then the row, then nothing.
    assert happened[happened.index("rename") :] == ["rename", "sync", "commit"]


FAILING_CALLS = ("fsync", "rename", "replace", "link", "open", "mkdir", "unlink", "rmdir", "scandir", "stat")


@contextmanager
def failing(patch: pytest.MonkeyPatch, call: str, nth: int, *, once: bool) -> Iterator[list[int]]:
    """Let the n-th call of one kind fail as on a broken or full disk, and the later ones too unless `once`."""
    real, calls = getattr(os, call), [0]

    def broken(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == nth or (calls[0] > nth and not once):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **options)

    with patch.context() as inner:
        inner.setattr(os, call, broken)
        yield calls


def faults(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any], check: Callable[[bool], None]) -> int:
    """Run `act` with every single fault there is, then `check(whether it was acknowledged)`; count the faults."""
    count = 0
    for call in FAILING_CALLS:
        for once in (True, False):
            for nth in range(1, 200):
                with failing(monkeypatch, call, nth, once=once) as calls:
                    acknowledged = False
                    with suppress(ServeryError):
                        act()
                        acknowledged = True
                check(acknowledged)
                if calls[0] < nth:
                    break
                count += 1
    return count


def test_every_single_fault_of_a_registration_leaves_the_old_or_the_new_state(
    registry: Registry,
    database: Database,
    staged: Path,
    facts: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    check_sound: CheckSound,
) -> None:
    for name in ("report.html", "README.md", "model.onnx", "plan.toml"):
        (staged / name).unlink()
    known = 0

    def act() -> None:
        registry.register("reviews", staged, facts, actor="ada", aliases=["candidate"])

    def check(acknowledged: bool) -> None:
        nonlocal known
        versions = registry.versions()
        assert len(versions) == known + acknowledged
        if acknowledged:
            assert versions[-1].aliases == ("candidate",)
        known = len(versions)
        check_sound(tmp_path / "house", database, registry)
        if known > 3:
            registry.remove("reviews@candidate", actor="ada", force=True)
            known -= 1

    assert faults(monkeypatch, act, check) > 40


def test_every_single_fault_of_a_removal_leaves_the_old_or_the_new_state(
    registry: Registry,
    database: Database,
    staged: Path,
    facts: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    check_sound: CheckSound,
) -> None:
    registry.register("reviews", staged, facts, actor="ada")
    keeper = registry.versions()[0]

    def act() -> None:
        registry.remove("victim", actor="ada")

    def check(acknowledged: bool) -> None:
        left = [v.name for v in registry.versions()]
        assert left == (["reviews"] if acknowledged else ["reviews", "victim"])
        check_sound(tmp_path / "house", database, registry)
        if acknowledged:
            renew()

    def renew() -> None:
        registry.register("victim", keeper.folder, facts, actor="ada")

    renew()
    assert faults(monkeypatch, act, check) > 5


def test_every_single_fault_of_the_first_start_leaves_no_half_made_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database: Path
) -> None:
    home = tmp_path / "start"

    def act() -> None:
        database = Database.open(f"sqlite:///{home}/servery.db")
        try:
            Keys(database, home / "pepper.key").ensure_admin_key(home / "admin.key")
        finally:
            database.close()

    def check(acknowledged: bool) -> None:
        act()
        database = Database.open(f"sqlite:///{home}/servery.db")
        keys = Keys(database, home / "pepper.key")
        assert [record.name for record in keys.list()] == ["admin"]
        assert keys.find((home / "admin.key").read_text().strip()) == keys.list()[0]
        database.close()
        begin()

    def begin() -> None:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        shutil.copy(empty_database, home / "servery.db")

    begin()
    assert faults(monkeypatch, act, check) > 10


def test_a_disk_that_fills_at_any_byte_leaves_the_old_or_the_new_state(
    registry: Registry,
    database: Database,
    staged: Path,
    facts: dict[str, Any],
    tmp_path: Path,
    check_sound: CheckSound,
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    known = failures = 0
    for size_bytes in [*range(0, 8192, 512), *range(8192, 400_000, 16_384)]:
        acknowledged = False
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
        try:
            registry.register("reviews", staged, facts, actor="ada")
            acknowledged = True
        except StorageError as error:
            hint = error.hint
            assert hint
            failures += 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert len(registry.versions()) == known + acknowledged
        known += acknowledged
        check_sound(tmp_path / "house", database, registry)
    assert failures > 10
    assert known > 0
    registry.register("reviews", staged, facts, actor="ada")
