"""kill -9 at random moments: nothing acknowledged is lost, nothing is torn, nothing dangles."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from servery.registry.keys import Keys
from servery.registry.registry import Registry
from servery.storage.database import Database

CheckSound = Callable[[Path, Database, Registry], None]

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
        self, home: Path, staged: Path, seed: int, *, changes: int, seconds: float
    ) -> list[dict[str, Any]]:
        """Let a busy process make some changes, then kill it with -9 a moment later; return what it said.

        Args:
            home: The house it changes.
            staged: What it registers.
            seed: What it does follows from it.
            changes: Acknowledged changes to wait for; -1 not even waits for the house to be open.
            seconds: How long to wait after that.
        """
        assert self._maker.stdin is not None
        self._maker.stdin.write(json.dumps([str(home), str(staged), seed]) + "\n")
        self._maker.stdin.flush()
        pid = self._read()["pid"]
        lines: list[dict[str, Any]] = []
        while sum("did" in line or "ready" in line for line in lines) <= changes:
            lines.append(self._read())
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


def check_after_kill(check_sound: CheckSound, home: Path, state: State, lines: list[dict[str, Any]]) -> State:
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


def kill_many_times(
    busy_house: BusyHouse, check_sound: CheckSound, tmp_path: Path, staged: Path, rounds: int, seed: int
) -> int:
    """Kill a busy process again and again, sometimes in a new house at its very start; count the changes."""
    generator = random.Random(seed)
    home, state, changes = tmp_path / "house", State(), 0
    for round_ in range(rounds):
        if round_ % 60 == 0:
            # A new house now and then keeps the checks fast.
            shutil.rmtree(home, ignore_errors=True)
            state = State()
        is_new = round_ % 6 == 5
        if is_new:
            fresh = tmp_path / f"fresh{round_}"
            lines = busy_house.run_and_kill(
                fresh, staged, round_, changes=-1, seconds=generator.uniform(0.0, 0.4)
            )
            check_after_kill(check_sound, fresh, State(), lines)
            shutil.rmtree(fresh)
        else:
            lines = busy_house.run_and_kill(
                home, staged, round_, changes=generator.randrange(6), seconds=generator.uniform(0.0, 0.05)
            )
            state = check_after_kill(check_sound, home, state, lines)
        changes += sum("did" in line for line in lines)
    return changes


def test_thirty_kills_lose_no_acknowledged_change(
    busy_house: BusyHouse, check_sound: CheckSound, tmp_path: Path, staged: Path
) -> None:
    assert kill_many_times(busy_house, check_sound, tmp_path, staged, 30, seed=1) > 30


@pytest.mark.chaos
def test_a_thousand_kills_lose_no_acknowledged_change(
    busy_house: BusyHouse, check_sound: CheckSound, tmp_path: Path, staged: Path
) -> None:
    assert kill_many_times(busy_house, check_sound, tmp_path, staged, 1000, seed=time.time_ns()) > 1000
