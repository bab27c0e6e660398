"""An artifact: a folder whose manifest names every file by sha256, with nothing in it that can run code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from servery.errors import ArtifactError
from servery.registry.contents import check_content
from servery.registry.folder import MANIFEST, MAX_MANIFEST_BYTES, open_plain_file, survey
from servery.registry.manifest import FORMAT, Manifest, SealedFile
from servery.storage.clock import utc_now
from servery.storage.files import write_atomically

MAX_PROBLEMS = 20
"""Problems that an error names; the others are counted."""

FACTS = ("task", "field", "recipe", "plan", "signature", "metrics", "lineage")
"""What `seal` is told; task, field and recipe must be there."""
DEFAULTS: Mapping[str, Any] = {"plan": None, "signature": {}, "metrics": {}, "lineage": {}}


def seal(folder: Path, facts: Mapping[str, Any]) -> Manifest:
    """Write the manifest of a folder of finished files; an old manifest in it is replaced.

    Args:
        folder: The files: .json .safetensors .onnx .txt .md .html .toml, also in subfolders.
        facts: `task`, `field` and `recipe` (str), and as far as known `plan` (TOML text or object),
            `signature`, `metrics` and `lineage` (objects of plain JSON types).

    Raises:
        ArtifactError: A file or fact is not allowed; all problems are named.
        StorageError: The manifest cannot be written.
    """
    found, problems = survey(folder)
    files = {}
    for name in sorted(found.keys() - {MANIFEST}):
        try:
            files[name] = _examine(folder, name)
        except (OSError, ValueError) as error:
            problems.append(f"{name}: {error}")
    unknown = sorted(facts.keys() - set(FACTS))
    if unknown:
        problems.append(f"unknown facts {unknown[:5]}; known: {', '.join(FACTS)}")
    if problems:
        raise refusal("cannot be sealed", problems)
    told = {name: facts.get(name, DEFAULTS.get(name)) for name in FACTS}
    try:
        # Decoded again, so that the manifest in hand holds what a reader will see.
        manifest = Manifest.decode(
            Manifest(format=FORMAT, created_at=utc_now(), files=files, **told).encode()
        )
    except ValueError as error:
        raise refusal("cannot be sealed", [str(error)]) from error
    write_atomically(folder / MANIFEST, manifest.encode())
    return manifest


def verify(folder: Path, digest: str | None = None) -> Manifest:
    """Check every byte of an artifact before anything of it is loaded.

    Args:
        folder: The artifact.
        digest: What the sha256 of its manifest must be; None where nobody knows.

    Raises:
        ArtifactError: It is torn, changed or hostile; all problems are named.
    """
    manifest, problems = inspect(folder, digest)
    if manifest is None or problems:
        raise refusal("must not be loaded", problems)
    return manifest


def inspect(folder: Path, digest: str | None = None) -> tuple[Manifest | None, list[str]]:
    """Return the manifest, if it can be read, and everything that is wrong with an artifact."""
    found, problems = survey(folder)
    try:
        manifest = _read_manifest(folder, digest)
    except (OSError, ValueError) as error:
        return None, [*problems, f"{MANIFEST}: {error}"]
    listed = manifest.files
    problems.extend(
        f"{name}: not in the manifest" for name in sorted(found.keys() - {MANIFEST} - listed.keys())
    )
    problems.extend(f"{name}: missing" for name in sorted(listed.keys() - found.keys()))
    for name in sorted(listed.keys() & found.keys()):
        try:
            if found[name] != listed[name].size_bytes:
                raise ValueError(f"{found[name]:,} bytes instead of {listed[name].size_bytes:,}")
            if _examine(folder, name) != listed[name]:
                raise ValueError("its sha256 is not the one in the manifest")
        except (OSError, ValueError) as error:
            problems.append(f"{name}: {error}")
    return manifest, problems


def refusal(consequence: str, problems: list[str]) -> ArtifactError:
    """Return the one error that names all problems, up to a bound."""
    shown = "; ".join(problems[:MAX_PROBLEMS])
    more = f"; and {len(problems) - MAX_PROBLEMS} more" if len(problems) > MAX_PROBLEMS else ""
    return ArtifactError(
        f"The artifact {consequence}: {shown}{more}.",
        hint="Get it again from where it came, or remove the version; load only what Servery made.",
    )


def _examine(folder: Path, name: str) -> SealedFile:
    with open_plain_file(folder / name) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        check_content(file, Path(name).suffix, size_bytes)
    return SealedFile(digest, size_bytes)


def _read_manifest(folder: Path, digest: str | None) -> Manifest:
    with open_plain_file(folder / MANIFEST) as file:
        data = file.read(MAX_MANIFEST_BYTES + 1)
    if len(data) > MAX_MANIFEST_BYTES:
        raise ValueError(f"more than {MAX_MANIFEST_BYTES:,} bytes")
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        raise ValueError("its sha256 is not the one that was registered")
    return Manifest.decode(data)
