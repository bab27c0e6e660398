"""One place to work: the settings with the database, the registry and the keys they name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from servery.registry.keys import Keys
from servery.registry.registry import Registry
from servery.settings import Settings
from servery.storage.database import Database


@dataclass(frozen=True)
class Workspace:
    """An opened data home.

    Attributes:
        settings: Where everything lies.
        registry: Versions and aliases.
        keys: Who may call.
    """

    settings: Settings
    registry: Registry
    keys: Keys

    @classmethod
    def open(cls, home: Path | str | None = None) -> Workspace:
        """Open the data home, making it if it is new.

        Args:
            home: Its folder; None lets SERVERY_HOME or the platform's data folder decide.

        Raises:
            StorageError: The folder cannot be made or its database cannot be opened.
        """
        settings = Settings() if home is None else Settings(home=Path(home))
        settings.home.mkdir(parents=True, exist_ok=True)
        database = Database.open(settings.database_url)
        registry = Registry(database, settings.artifacts)
        return cls(settings, registry, Keys(database, settings.home / "pepper.key"))

    def threads(self, asked: int) -> int:
        """Return the CPU threads of a training: those asked for, else the settings', else all cores."""
        return asked or self.settings.training_threads or os.cpu_count() or 1

    def run_folder(self, name: str, identity: str) -> Path:
        """Return the folder in which one training keeps its checkpoints, made if it is new."""
        folder = self.settings.runs / f"{name}-{identity}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def admin_key(home: Path | str | None = None) -> str:
    """Return the admin key of a data home, making it if there is none.

    Args:
        home: The data home's folder; None lets SERVERY_HOME or the platform's data folder decide.
    """
    workspace = Workspace.open(home)
    made = workspace.keys.ensure_admin_key(workspace.settings.admin_key_file)
    return made or workspace.settings.admin_key_file.read_text(encoding="utf-8").strip()
