"""Makes processes that change a house without end, and say before and after each change what they do.

For every line `[home, staged, seed]` on its input it forks one, so that the libraries are loaded only once.
Every line of the output is a JSON object: {"pid": ...} of the new process, {"ready": true} when the house is open,
{"will": ...} before a change, {"did": ...} once it was acknowledged, {"dead": ...} when the process has ended.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import alembic.migration  # noqa: F401 - loaded before the fork, so that kills hit the migration too

from servery.registry.keys import Keys
from servery.registry.registry import Registry
from servery.storage.database import Database

NAMES = ("reviews", "pictures", "loans")
ALIASES = ("production", "candidate")


def say(**line: Any) -> None:
    # One call, so that a kill never leaves half a line.
    os.write(1, f"{json.dumps(line)}\n".encode())


def register(registry: Registry, staged: Path, generator: random.Random) -> None:
    name, aliases = generator.choice(NAMES), generator.choice([[], ["candidate"]])
    say(will={"register": name, "aliases": aliases})
    facts = {"task": "classification", "field": "f", "recipe": "mlp", "metrics": {"x": generator.random()}}
    version = registry.register(name, staged, facts, actor="busy", aliases=aliases)
    say(did={"register": name, "aliases": aliases, "number": version.number, "digest": version.digest})


def point(registry: Registry, _staged: Path, generator: random.Random) -> None:
    versions = registry.versions()
    if versions:
        version, alias = generator.choice(versions), generator.choice(ALIASES)
        what = {"point": version.name, "alias": alias, "number": version.number}
        say(will=what)
        registry.point(version.name, alias, version.number, actor="busy")
        say(did=what)


def remove(registry: Registry, _staged: Path, generator: random.Random) -> None:
    free = [version for version in registry.versions() if not version.aliases]
    if len(free) > 3:
        version = generator.choice(free)
        what = {"remove": version.name, "number": version.number}
        say(will=what)
        registry.remove(version.reference, actor="busy")
        say(did=what)


def change_keys(keys: Keys, generator: random.Random) -> None:
    valid = [record for record in keys.list() if record.is_valid() and record.name != "admin"]
    if len(valid) > 3:
        record = generator.choice(valid)
        say(will={"revoke": record.name})
        keys.revoke(record.name, actor="busy")
        say(did={"revoke": record.name})
        return
    name = f"key{generator.randrange(10**9)}"
    say(will={"create": name})
    _, secret = keys.create(name, ["predict"], actor="busy")
    say(did={"create": name, "secret": secret})


def main(home: Path, staged: Path, seed: int) -> None:
    generator = random.Random(seed)
    database = Database.open(f"sqlite:///{home}/servery.db")
    registry = Registry(database, home / "artifacts")
    keys = Keys(database, home / "pepper.key")
    keys.ensure_admin_key(home / "admin.key")
    say(ready=True)
    while True:
        change = generator.choice([register, register, point, remove, None])
        if change is None:
            change_keys(keys, generator)
        else:
            change(registry, staged, generator)


if __name__ == "__main__":
    for line in sys.stdin:
        home, staged, seed = json.loads(line)
        pid = os.fork()
        if pid == 0:
            say(pid=os.getpid())
            main(Path(home), Path(staged), seed)
        _, status = os.waitpid(pid, 0)
        say(dead=os.waitstatus_to_exitcode(status))
