"""Several processes that write at the same time: every number once, no file lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from servery.registry.artifact import seal
from servery.registry.registry import Registry
from servery.storage.database import Database

CheckSound = Callable[[Path, Database, Registry], None]


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
    registry: Registry, database: Database, staged: Path, tmp_path: Path, check_sound: CheckSound
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
    registry: Registry,
    database: Database,
    staged: Path,
    facts: dict[str, Any],
    tmp_path: Path,
    check_sound: CheckSound,
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
