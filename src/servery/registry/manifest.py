"""The manifest of an artifact: a closed schema with one way to write it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, fields
from typing import Any

from servery.registry.strict_json import read_json, write_json

FORMAT = 1

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SealedFile:
    """What the manifest says about one file."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """What is known about an artifact, independent of the name it gets in a registry.

    Attributes:
        format: Version of this schema.
        task: Name of the task.
        field: Name of the field.
        recipe: Name of the recipe.
        plan: How it was trained: the plan as TOML text, or as an object; None where there is none.
        signature: Summary of what it takes and gives.
        metrics: The figures of its evaluation.
        lineage: Fingerprint of the data, version of the code, packages of the environment.
        created_at: When it was sealed, ISO 8601 in UTC.
        files: Path inside the folder, with `/`, to hash and size; the manifest itself is not among them.
    """

    format: int
    task: str
    field: str
    recipe: str
    plan: dict[str, Any] | str | None
    signature: dict[str, Any]
    metrics: dict[str, Any]
    lineage: dict[str, Any]
    created_at: str
    files: dict[str, SealedFile]

    @property
    def size_bytes(self) -> int:
        """All files together, without the manifest."""
        return sum(file.size_bytes for file in self.files.values())

    @property
    def digest(self) -> str:
        """sha256 of the manifest file: the address of the artifact."""
        return hashlib.sha256(self.encode()).hexdigest()

    def check(self) -> None:
        """Check the types of the facts; `decode` has done it already.

        Raises:
            ValueError: One of them is not what the schema says.
        """
        for name in ("task", "field", "recipe", "created_at"):
            value = getattr(self, name)
            if not isinstance(value, str) or not 1 <= len(value) <= 128:
                raise ValueError(f"{name} must be a text of 1 to 128 characters")
        for name in ("signature", "metrics", "lineage"):
            if not isinstance(getattr(self, name), dict):
                raise ValueError(f"{name} must be an object")
        if not isinstance(self.plan, dict | str | None):
            raise ValueError("plan must be TOML text, an object or null")

    def encode(self) -> bytes:
        """Return the bytes of the manifest file; there is only this one way to write it."""
        return write_json(asdict(self))

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Read the bytes of a manifest file.

        Raises:
            ValueError: It is not exactly what `encode` would write.
        """
        value = read_json(data)
        if not isinstance(value, dict):
            raise ValueError("no object")
        if type(value.get("format")) is not int or value["format"] != FORMAT:
            raise ValueError(f"format {str(value.get('format'))[:20]!r}; this Servery reads {FORMAT}")
        names = {f.name for f in fields(cls)}
        unknown, missing = sorted(value.keys() - names), sorted(names - value.keys())
        if unknown or missing:
            raise ValueError(f"unknown keys {unknown[:5]}, missing keys {missing}")
        manifest = cls(**{**value, "files": _sealed_files(value["files"])})
        manifest.check()
        if manifest.encode() != data:
            raise ValueError("not in the form in which Servery writes it")
        return manifest


def _sealed_files(value: Any) -> dict[str, SealedFile]:
    if not isinstance(value, dict) or not value:
        raise ValueError("files must be an object that lists at least one file")
    files = {}
    for name, facts in value.items():
        if not isinstance(facts, dict) or facts.keys() != {"sha256", "size_bytes"}:
            raise ValueError(f"{name}: it must have sha256 and size_bytes")
        if not isinstance(facts["sha256"], str) or not _DIGEST.fullmatch(facts["sha256"]):
            raise ValueError(f"{name}: its sha256 is none")
        if type(facts["size_bytes"]) is not int or facts["size_bytes"] < 0:
            raise ValueError(f"{name}: its size_bytes is none")
        files[name] = SealedFile(**facts)
    return files
