"""Checks the machine, the data home and the whole way from data to an answer, on a tiny sample."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from servery.errors import ServeryError
from servery.fields._field import all_fields
from servery.models.recipe import all_recipes
from servery.pipeline.lineage import environment
from servery.pipeline.local import load
from servery.pipeline.plan import Plan
from servery.pipeline.train import train
from servery.pipeline.workspace import Workspace

FREE_BYTES_WANTED = 2**30


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at."""

    check: str
    is_ok: bool
    found: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)


def diagnose(workspace: Workspace | None = None) -> tuple[Diagnosis, ...]:
    """Look at Python, the packages, the data home, the data sets, the disk, and train a tiny model for real."""
    workspace = workspace or Workspace.open()
    checks: tuple[tuple[str, Callable[[Workspace], tuple[bool, str]]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("home", _home),
        ("disk", _disk),
        ("artifacts", _artifacts),
        ("data sets", _data_sets),
        ("recipes", _recipes),
        ("training", _training),
    )
    return tuple(_looked_at(name, look, workspace) for name, look in checks)


def _looked_at(name: str, look: Callable[[Workspace], tuple[bool, str]], workspace: Workspace) -> Diagnosis:
    try:
        return Diagnosis(name, *look(workspace))
    except (ServeryError, OSError) as error:
        return Diagnosis(name, False, str(error))


def _python(workspace: Workspace) -> tuple[bool, str]:
    return sys.version_info >= (3, 11), f"{sys.version.split()[0]}, {os.cpu_count()} cores"


def _packages(workspace: Workspace) -> tuple[bool, str]:
    found = environment()
    absent = [name for name, version in found.items() if version == "absent"]
    return not absent, f"absent: {', '.join(absent)}" if absent else f"torch {found['torch']}"


def _home(workspace: Workspace) -> tuple[bool, str]:
    home = workspace.settings.home
    return os.access(home, os.W_OK), str(home)


def _disk(workspace: Workspace) -> tuple[bool, str]:
    free = shutil.disk_usage(workspace.settings.home).free
    return free > FREE_BYTES_WANTED, f"{free / 2**30:.1f} GB free"


def _artifacts(workspace: Workspace) -> tuple[bool, str]:
    checked = workspace.registry.verify_all()
    torn = [version.reference for version, problems in checked if problems]
    return not torn, f"torn: {', '.join(torn)}" if torn else f"{len(checked)} versions, every hash right"


def _data_sets(workspace: Workspace) -> tuple[bool, str]:
    root = workspace.settings.data
    if root is None:
        return True, "SERVERY_DATA is not set; samples are used"
    known = [k for field in all_fields().values() for k in field.known_datasets]
    present = [k.name for k in known if k.is_at(root)]
    return bool(present), f"{len(present)} of {len(known)} known data sets in {root}"


def _recipes(workspace: Workspace) -> tuple[bool, str]:
    names = sorted({recipe.name for recipe in all_recipes()})
    return bool(names), ", ".join(names)


def _training(workspace: Workspace) -> tuple[bool, str]:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        small = Workspace.open(folder)
        trained = train(Plan("doctor", "sentiment-analysis", "sample", recipe="tfidf-linear"), small)
        answers = load("doctor", small)("slow and rude")
    seconds = time.monotonic() - started
    return len(answers) == 1, f"{trained.version.recipe} trained and asked in {seconds:.1f} s"
