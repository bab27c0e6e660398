"""kill -9 at random moments, many writers at once, and the n-th call that fails: nothing acknowledged is lost."""

from __future__ import annotations

import copy
import errno
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from servery.errors import ServeryError, StorageError
from servery.registry.artifact import seal
from servery.registry.keys import Keys
from servery.registry.registry import Registry
from servery.storage.database import Database

BUSY_HOUSE = Path(__file__).with_name("busy_house.py")


@dataclass
class State:
    """What a house should hold, by what its process acknowledged."""

    numbers: dict[str, set[int]] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    aliases: dict[tuple[str, str], int] = field(default_factory=dict)
    keys: dict[str, bool] = field(default_factory=dict)
    digests: dict[tuple[str, int], str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def after(self, what: dict[str, Any]) -> State:
        """Return the state after one change, acknowledged or only under way."""
        new = copy.deepcopy(self)
        if "register" in what:
            name = what["register"]
            number = new.last[name] = new.last.get(name, 0) + 1
            assert what.get("number", number) == number
            new.numbers.setdefault(name, set()).add(number)
            new.aliases.update({(name, alias): number for alias in what["aliases"]})
            if "digest" in what:
                new.digests[name, number] = what["digest"]
        elif "point" in what:
            new.aliases[what["point"], what["alias"]] = what["number"]
        elif "remove" in what:
            new.numbers[what["remove"]].remove(what["number"])
        elif "create" in what:
            new.keys[what["create"]] = True
            if "secret" in what:
                new.secrets[what["create"]] = what["secret"]
        elif "revoke" in what:
            new.keys[what["revoke"]] = False
        return new

    def picture(self) -> tuple[Any, ...]:
        """Return what must be equal, as sorted lists."""
        versions = [(name, number) for name, numbers in self.numbers.items() for number in numbers]
        return sorted(versions), sorted(self.aliases.items()), sorted(self.keys.items())


def read_state(registry: Registry, keys: Keys) -> State:
    state = State()
    for version in registry.versions():
        state.numbers.setdefault(version.name, set()).add(version.number)
        state.digests[version.name, version.number] = version.digest
        state.aliases.update({(version.name, alias): version.number for alias in version.aliases})
    state.keys = {record.name: record.is_valid() for record in keys.list() if record.name != "admin"}
    return state


class BusyHouse:
    """The process that makes busy processes, which are killed one after the other."""

    def __init__(self) -> None:
        self._maker = subprocess.Popen(
            [sys.executable, str(BUSY_HOUSE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run_and_kill(
        self, home: Path, staged: Path, seed: int, seconds: float, *, when_ready: bool
    ) -> list[dict[str, Any]]:
        """Let a busy process run for a while, kill it with -9, and return every line it said."""
        assert self._maker.stdin is not None
        self._maker.stdin.write(json.dumps([str(home), str(staged), seed]) + "\n")
        self._maker.stdin.flush()
        pid = self._read()["pid"]
        lines = [self._read()] if when_ready else []
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        while "dead" not in (line := self._read()):
            lines.append(line)
        assert line["dead"] == -signal.SIGKILL
        return lines

    def close(self) -> None:
        self._maker.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._maker.stdout is not None
        read: dict[str, Any] = json.loads(self._maker.stdout.readline())
        return read


@pytest.fixture
def busy_house() -> Iterator[BusyHouse]:
    made = BusyHouse()
    yield made
    made.close()


def check_after_kill(home: Path, state: State, lines: list[dict[str, Any]]) -> State:
    """Check that every acknowledged change is there and the one under way is there in full or not at all."""
    under_way: dict[str, Any] = {}
    for line in lines:
        if "will" in line:
            under_way = line["will"]
        elif "did" in line:
            state, under_way = state.after(line["did"]), {}
    database = Database.open(f"sqlite:///{home}/servery.db")
    registry = Registry(database, home / "artifacts")
    keys = Keys(database, home / "pepper.key")
    found = read_state(registry, keys)
    now = state if found.picture() == state.picture() else state.after(under_way)
    assert found.picture() == now.picture(), f"under way: {under_way}"
    kept = now.digests.keys() & found.digests.keys()
    assert {key: now.digests[key] for key in kept} == {key: found.digests[key] for key in kept}
    registered = {e.subject for e in registry.audit(100_000) if e.action == "version.register"}
    assert registered == {f"{name}@{n}" for name, last in now.last.items() for n in range(1, last + 1)}
    for name, is_valid in now.keys.items():
        if name in now.secrets:
            record = keys.find(now.secrets[name])
            assert record is not None
            assert record.is_valid() == is_valid
    check_sound(home, database, registry)
    admin = keys.ensure_admin_key(home / "admin.key") or (home / "admin.key").read_text().strip()
    record = keys.find(admin)
    assert record is not None
    assert record.is_valid()
    database.close()
    now.digests = found.digests
    return now


def check_sound(home: Path, database: Database, registry: Registry) -> None:
    """Check that nothing is torn, nothing dangles, and after a sweep nothing is left over."""
    with database.read() as connection:
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    assert [problems for _, problems in registry.verify_all() if problems] == []
    registry.sweep(0)
    artifacts = home / "artifacts"
    assert {p.name for p in artifacts.glob("??/*")} == {v.digest for v in registry.versions()}
    assert list((artifacts / ".staging").iterdir()) == []


def kill_many_times(busy_house: BusyHouse, tmp_path: Path, staged: Path, rounds: int, seed: int) -> int:
    """Kill a busy process again and again, sometimes in a new house at its very start; count the changes."""
    generator = random.Random(seed)
    home, state, changes = tmp_path / "house", State(), 0
    for round_ in range(rounds):
        is_new = round_ % 6 == 5
        if is_new:
            fresh = tmp_path / f"fresh{round_}"
            lines = busy_house.run_and_kill(
                fresh, staged, round_, generator.uniform(0.0, 0.4), when_ready=False
            )
            check_after_kill(fresh, State(), lines)
            shutil.rmtree(fresh)
        else:
            lines = busy_house.run_and_kill(
                home, staged, round_, generator.uniform(0.0, 0.25), when_ready=True
            )
            state = check_after_kill(home, state, lines)
        changes += sum("did" in line for line in lines)
    return changes


def test_thirty_kills_lose_no_acknowledged_change(
    busy_house: BusyHouse, tmp_path: Path, staged: Path
) -> None:
    assert kill_many_times(busy_house, tmp_path, staged, 30, seed=1) > 20


@pytest.mark.chaos
def test_a_thousand_kills_lose_no_acknowledged_change(
    busy_house: BusyHouse, tmp_path: Path, staged: Path
) -> None:
    assert kill_many_times(busy_house, tmp_path, staged, 1000, seed=time.time_ns()) > 1000


def run_together(program: str, *arguments: list[str]) -> list[str]:
    """Run one program with several argument lists at the same moment; return what each printed."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, *list_],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for list_ in arguments
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return outputs


OPEN = """
import sys
from pathlib import Path
from servery.registry.registry import Registry
from servery.storage.database import Database
home, folder = Path(sys.argv[1]), Path(sys.argv[2])
sys.stdin.readline()
registry = Registry(Database.open(f"sqlite:///{home}/servery.db"), home / "artifacts")
"""


def test_fifty_registrations_of_five_processes_get_fifty_numbers(
    registry: Registry, database: Database, staged: Path, tmp_path: Path
) -> None:
    program = OPEN + (
        "for _ in range(10):\n"
        "    facts = {'task': 'classification', 'field': 'f', 'recipe': sys.argv[3]}\n"
        "    version = registry.register('reviews', folder, facts, actor=sys.argv[3], aliases=['candidate'])\n"
        "    print(version.number)\n"
    )
    home = tmp_path / "house"
    outputs = run_together(program, *[[str(home), str(staged), f"writer{i}"] for i in range(5)])
    numbers = [[int(line) for line in output.split()] for output in outputs]
    assert sorted(number for own in numbers for number in own) == list(range(1, 51))
    assert all(own == sorted(own) for own in numbers)
    written = {v.number: v.recipe for v in registry.versions("reviews")}
    assert written == {number: f"writer{i}" for i, own in enumerate(numbers) for number in own}
    assert registry.aliases("reviews") == {"candidate": 50}
    entries = [e for e in registry.audit(1000) if e.action == "version.register"]
    assert [e.subject for e in reversed(entries)] == [f"reviews@{n}" for n in range(1, 51)]
    check_sound(home, database, registry)


def test_one_artifact_imported_and_removed_by_several_processes_never_loses_its_files(
    registry: Registry, database: Database, staged: Path, facts: dict[str, Any], tmp_path: Path
) -> None:
    seal(staged, facts)
    program = OPEN + (
        "for _ in range(12):\n"
        "    version = registry.import_folder(sys.argv[3], folder, 'ada')\n"
        "    registry.verify(version.reference)\n"
        "    registry.remove(version.reference, actor='ada')\n"
        "registry.import_folder(sys.argv[3], folder, 'ada')\n"
    )
    home = tmp_path / "house"
    run_together(program, *[[str(home), str(staged), f"model{i}"] for i in range(3)])
    assert [v.reference for v in registry.versions()] == ["model0@13", "model1@13", "model2@13"]
    check_sound(home, database, registry)


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
    registry: Registry, database: Database, staged: Path, facts: dict[str, Any], tmp_path: Path
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
