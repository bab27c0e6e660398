"""The registry: immutable versions of models, aliases that move, every change audited.

A version exists when its row exists. Its files are durable before that: copied -> sealed -> fsync ->
rename -> fsync of the folder -> row. Files without a row are what a kill left behind; `sweep` removes them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, Select, delete, insert, select, update

from servery.errors import ConflictError, ModelNotFoundError, ServeryError
from servery.registry import artifact
from servery.registry.audit import AuditEntry, Change, audited_change, read_audit, read_revision
from servery.registry.manifest import Manifest
from servery.registry.names import Reference, checked_alias, checked_name
from servery.registry.store import Store
from servery.registry.version import Version
from servery.storage import tables
from servery.storage.database import Database
from servery.storage.files import sync_tree, writing

PRODUCTION = "production"
"""The alias that a name alone means, where it is set."""
SAFE_AGE_SECONDS = 3600.0
"""Younger files without a row may belong to a registration under way."""

__all__ = ["PRODUCTION", "SAFE_AGE_SECONDS", "AuditEntry", "Registry", "Version"]


class Registry:
    """Versions and aliases of all models, safe to use from threads and processes at once.

    Args:
        database: Where the rows are.
        artifacts: Folder of the files.

    Raises:
        StorageError: The folder or the database cannot be used.
    """

    def __init__(self, database: Database, artifacts: Path) -> None:
        self._database = database
        self._artifacts = artifacts
        self._store = Store(artifacts)
        self.sweep()

    def register(
        self,
        name: str,
        staged: Path,
        facts: Mapping[str, Any],
        *,
        actor: str,
        aliases: Sequence[str] = (),
    ) -> Version:
        """Make a new version from a folder of finished files, which stays as it is.

        When this returns, the version survives a kill and a power cut.

        Args:
            name: Name of the model; new or known.
            staged: The files; see `artifact.seal` for what they may be.
            facts: What the manifest says; see `artifact.seal`.
            actor: Who is named in the audit.
            aliases: Aliases that point at the new version from its first moment.

        Raises:
            ArtifactError: A file or a fact is not allowed.
            InputError: The name or an alias breaks the rule.
            StorageError: Nothing was registered.
        """
        _check_names(name, aliases)
        with self._store.staged_copy(staged) as copy:
            manifest = artifact.seal(copy, facts)
            return self._add(name, copy, manifest, "version.register", actor, aliases)

    def import_folder(self, name: str, folder: Path, actor: str, *, digest: str | None = None) -> Version:
        """Make a new version from an artifact that was sealed elsewhere; its digest stays the same.

        Args:
            name: Name of the model; new or known.
            folder: The artifact; it is copied first and then checked, so it may change meanwhile.
            actor: Who is named in the audit.
            digest: The digest it must have, from a source that is trusted; None where nobody knows.

        Raises:
            ArtifactError: It is torn, changed or hostile; all problems are named.
            InputError: The name breaks the rule.
            StorageError: Nothing was registered.
        """
        _check_names(name, ())
        with self._store.staged_copy(folder) as copy:
            manifest = artifact.verify(copy, digest)
            return self._add(name, copy, manifest, "version.import", actor, ())

    def resolve(self, reference: str) -> Version:
        """Return the version a model id means.

        Args:
            reference: `name@3`, `name@alias`, or `name` alone: @production if set, else the newest version.

        Raises:
            InputError: It is no reference.
            ModelNotFoundError: There is no such model, version or alias.
        """
        with self._database.read() as connection:
            return self._resolve(connection, Reference.parse(reference))

    def versions(self, name: str | None = None) -> list[Version]:
        """Return the versions of one model or of all, by name and number."""
        with self._database.read() as connection:
            return self._versions(connection, _of_model(name))

    def names(self) -> list[str]:
        """Return the names of the models that have a version, sorted."""
        with self._database.read() as connection:
            return _names(connection)

    def aliases(self, name: str) -> dict[str, int]:
        """Return the aliases of a model and the numbers they point at."""
        with self._database.read() as connection:
            return {row.alias: row.number for row in _alias_rows(connection, name)}

    def point(self, name: str, alias: str, number: int, *, actor: str) -> None:
        """Let an alias point at a version; whoever resolves it sees the old version or the new one.

        Raises:
            InputError: The name or the alias breaks the rule.
            ModelNotFoundError: There is no such version.
        """
        _check_names(name, [alias])
        with audited_change(self._database, actor) as change:
            self._resolve(change.connection, Reference(name, number=number))
            _point(change, name, alias, number)

    def unpoint(self, name: str, alias: str, *, actor: str) -> None:
        """Remove an alias; the version it points at stays.

        Raises:
            ModelNotFoundError: There is no such alias.
        """
        _check_names(name, [alias])
        with audited_change(self._database, actor) as change:
            version = self._resolve(change.connection, Reference(name, alias=alias))
            change.connection.execute(
                delete(tables.aliases).where(tables.aliases.c.model == name, tables.aliases.c.alias == alias)
            )
            change.record("alias.remove", f"{name}@{alias}", number=version.number)

    def unload(self, name: str, *, actor: str) -> None:
        """Take a model out of service, on every server, until it is loaded again.

        Raises:
            ModelNotFoundError: There is no such model.
        """
        self._switch(name, True, "model.unload", actor)

    def load(self, name: str, *, actor: str) -> None:
        """Put a model back into service.

        Raises:
            ModelNotFoundError: There is no such model.
        """
        self._switch(name, False, "model.load", actor)

    def remove(self, reference: str, *, actor: str, force: bool = False) -> None:
        """Remove a version; its number is never given again.

        Args:
            reference: The version.
            actor: Who is named in the audit.
            force: Whether aliases that point at it go with it.

        Raises:
            ConflictError: An alias points at it, and `force` is not set.
            ModelNotFoundError: There is no such version.
        """
        with audited_change(self._database, actor) as change:
            version = self._resolve(change.connection, Reference.parse(reference))
            if version.aliases and not force:
                raise ConflictError(
                    f"{version.reference} is in use: @{', @'.join(version.aliases)} points at it.",
                    hint=f"servery deploy {version.name}@OTHER --alias {version.aliases[0]}",
                )
            for table in (tables.aliases, tables.versions):
                change.connection.execute(
                    delete(table).where(table.c.model == version.name, table.c.number == version.number)
                )
            change.record(
                "version.remove", version.reference, digest=version.digest, aliases=list(version.aliases)
            )
        # The version is gone whether or not its files can be removed now; if not, `sweep` does it later.
        with suppress(ServeryError):
            self._discard_if_unused(version.digest)

    def verify(self, reference: str) -> Manifest:
        """Check every byte of a version; do it before each load.

        Raises:
            ArtifactError: It is torn or changed; all problems are named.
            ModelNotFoundError: There is no such version.
        """
        version = self.resolve(reference)
        return artifact.verify(version.folder, version.digest)

    def verify_all(self) -> list[tuple[Version, list[str]]]:
        """Check every byte of every version; return each with its problems, none where it is sound."""
        return [(version, artifact.inspect(version.folder, version.digest)[1]) for version in self.versions()]

    def audit(self, limit: int = 100) -> list[AuditEntry]:
        """Return the newest changes, the newest first."""
        return read_audit(self._database, limit)

    def revision(self) -> int:
        """Return a number that grows with every change of versions, aliases and keys; cheap to poll."""
        return read_revision(self._database)

    def sweep(self, older_than_seconds: float = SAFE_AGE_SECONDS) -> int:
        """Remove files that belong to no version: what a kill, a crash or a full disk left behind.

        Returns:
            How many folders were removed.

        Raises:
            StorageError: They cannot be removed.
        """
        with writing(self._artifacts):
            removed = self._store.remove_leftovers(older_than_seconds)
            published = self._store.digests(older_than_seconds)
        with self._database.read() as connection:
            used = set(connection.scalars(select(tables.versions.c.digest)))
        orphans = [digest for digest in published if digest not in used]
        return removed + sum(self._discard_if_unused(digest) for digest in orphans)

    def _add(
        self,
        name: str,
        copy: Path,
        manifest: Manifest,
        action: str,
        actor: str,
        aliases: Sequence[str],
    ) -> Version:
        digest = manifest.digest
        # Before the lock is taken, since this is what takes long.
        with writing(copy):
            sync_tree(copy)
        try:
            with audited_change(self._database, actor) as change:
                if not _is_used(change.connection, digest):
                    self._store.publish(copy, digest)
                number = _insert(change.connection, name, manifest, digest)
                change.record(action, f"{name}@{number}", digest=digest)
                for alias in aliases:
                    _point(change, name, alias, number)
                return self._resolve(change.connection, Reference(name, number=number))
        except BaseException:
            # Tidying up now matters most when the disk is full; if it fails too, `sweep` does it later.
            with suppress(ServeryError):
                self._discard_if_unused(digest)
            raise

    def _discard_if_unused(self, digest: str) -> bool:
        # The write lock keeps a registration of the same content from relying on files that go away.
        with self._database.begin() as connection:
            connection.execute(select(tables.revision).with_for_update())
            if _is_used(connection, digest):
                return False
            self._store.discard(digest)
            return True

    def _switch(self, name: str, is_unloaded: bool, action: str, actor: str) -> None:
        checked_name(name)
        with audited_change(self._database, actor) as change:
            if self._resolve(change.connection, Reference(name)).is_unloaded != is_unloaded:
                row = update(tables.models).where(tables.models.c.name == name)
                change.connection.execute(row.values(is_unloaded=is_unloaded))
                change.record(action, name)

    def _resolve(self, connection: Connection, reference: Reference) -> Version:
        query = _of_model(reference.name)
        pointed = {row.alias: row.number for row in _alias_rows(connection, reference.name)}
        number = reference.number
        if reference.alias is not None:
            if reference.alias not in pointed:
                raise _not_found(connection, reference, pointed)
            number = pointed[reference.alias]
        elif number is None:
            number = pointed.get(PRODUCTION)
        if number is None:
            query = query.order_by(None).order_by(tables.versions.c.number.desc()).limit(1)
        else:
            query = query.where(tables.versions.c.number == number)
        found = self._versions(connection, query)
        if not found:
            raise _not_found(connection, reference, pointed)
        return found[0]

    def _versions(self, connection: Connection, query: Select[Any]) -> list[Version]:
        rows = list(connection.execute(query).mappings())
        if not rows:
            return []
        pointing: dict[tuple[str, int], list[str]] = {}
        one_model = rows[0]["model"] if rows[0]["model"] == rows[-1]["model"] else None
        for row in _alias_rows(connection, one_model):
            pointing.setdefault((row.model, row.number), []).append(row.alias)
        return [self._version(row, pointing.get((row["model"], row["number"]), [])) for row in rows]

    def _version(self, row: RowMapping, aliases: Iterable[str]) -> Version:
        return Version(
            name=row["model"],
            folder=self._store.folder(row["digest"]),
            aliases=tuple(aliases),
            **{key: row[key] for key in row if key != "model"},
        )


def _check_names(name: str, aliases: Sequence[str]) -> None:
    checked_name(name)
    for alias in aliases:
        checked_alias(alias)


def _of_model(name: str | None) -> Select[Any]:
    query = (
        select(tables.versions, tables.models.c.is_unloaded)
        .join(tables.models)
        .order_by(tables.versions.c.model, tables.versions.c.number)
    )
    return query if name is None else query.where(tables.versions.c.model == name)


def _names(connection: Connection) -> list[str]:
    query = select(tables.versions.c.model).distinct().order_by(tables.versions.c.model)
    return list(connection.scalars(query))


def _alias_rows(connection: Connection, name: str | None) -> list[Row[Any]]:
    query = select(tables.aliases).order_by(tables.aliases.c.model, tables.aliases.c.alias)
    return list(connection.execute(query if name is None else query.where(tables.aliases.c.model == name)))


def _is_used(connection: Connection, digest: str) -> bool:
    query = select(tables.versions.c.number).where(tables.versions.c.digest == digest).limit(1)
    return connection.scalar(query) is not None


def _insert(connection: Connection, name: str, manifest: Manifest, digest: str) -> int:
    last = connection.scalar(select(tables.models.c.last_number).where(tables.models.c.name == name))
    number = 1 if last is None else last + 1
    if last is None:
        connection.execute(insert(tables.models).values(name=name, last_number=number))
    else:
        connection.execute(
            update(tables.models).where(tables.models.c.name == name).values(last_number=number)
        )
    row = {key: getattr(manifest, key) for key in ("task", "field", "recipe", "metrics", "lineage")}
    connection.execute(
        insert(tables.versions).values(
            model=name,
            number=number,
            digest=digest,
            size_bytes=manifest.size_bytes,
            created_at=manifest.created_at,
            **row,
        )
    )
    return number


def _point(change: Change, name: str, alias: str, number: int) -> None:
    here = (tables.aliases.c.model == name, tables.aliases.c.alias == alias)
    before = change.connection.scalar(select(tables.aliases.c.number).where(*here))
    if before is None:
        change.connection.execute(insert(tables.aliases).values(model=name, alias=alias, number=number))
    else:
        change.connection.execute(update(tables.aliases).where(*here).values(number=number))
    change.record("alias.point", f"{name}@{alias}", number=number, before=before)


def _not_found(
    connection: Connection, reference: Reference, aliases: Mapping[str, int]
) -> ModelNotFoundError:
    names = _names(connection)
    if reference.name not in names:
        near = difflib.get_close_matches(reference.name, names, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        known = (", ".join(names[:10]) or "none") + more
        return ModelNotFoundError(
            f"There is no model {reference.name!r}. Known: {known}.{guess}",
            hint="servery models",
            param="model",
        )
    if reference.alias is not None:
        known = ", ".join(f"@{alias}" for alias in aliases) or "none"
        near = difflib.get_close_matches(reference.alias, aliases, n=1)
        guess = f" Did you mean '@{near[0]}'?" if near else ""
        message = f"The model {reference.name!r} has no alias {reference.alias!r}. Known: {known}.{guess}"
    else:
        message = f"The model {reference.name!r} has no version {reference.number}."
    return ModelNotFoundError(message, hint=f"servery show {reference.name}", param="model")
