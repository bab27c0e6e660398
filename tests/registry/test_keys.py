"""Keys: shown once, stored as a hash, refused at once when revoked or expired."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from servery.errors import ConflictError, InputError, StorageError, UnknownNameError
from servery.registry.audit import read_audit, read_revision
from servery.registry.keys import Keys
from servery.storage.database import Database


@pytest.fixture
def pepper_file(tmp_path: Path) -> Path:
    return tmp_path / "house" / "pepper.key"


@pytest.fixture
def keys(database: Database, pepper_file: Path) -> Keys:
    return Keys(database, pepper_file)


def test_a_secret_finds_its_key_and_no_other_string_does(keys: Keys) -> None:
    record, secret = keys.create("ci", ["predict"], limits={"rows_per_minute": 60}, actor="ada")
    other, _ = keys.create("web", ["predict", "admin"], actor="ada")
    assert keys.find(secret) == record
    assert record.limits == {"rows_per_minute": 60}
    assert other.scopes == ("admin", "predict")
    for wrong in (
        "",
        "sk-servery-",
        secret[:-1],
        secret + "A",
        secret[:-1] + "é",
        secret.upper(),
        "x" * 10**6,
    ):
        assert keys.find(wrong) is None


def test_secrets_hold_256_random_bits(keys: Keys) -> None:
    secrets_ = {keys.create(f"key{i}", ["predict"], actor="ada")[1] for i in range(5)}
    assert len(secrets_) == 5
    assert all(s.startswith("sk-servery-") and len(s) - len("sk-servery-") == 43 for s in secrets_)


def test_no_secret_and_no_plain_hash_is_on_the_disk(keys: Keys, tmp_path: Path) -> None:
    import hashlib

    _, secret = keys.create("ci", ["predict"], actor="ada")
    stored = b"".join(path.read_bytes() for path in (tmp_path / "house").iterdir() if path.is_file())
    random_part = secret.removeprefix("sk-servery-")
    for trace in (random_part, hashlib.sha256(secret.encode()).hexdigest()):
        assert trace.encode() not in stored


def test_the_hash_depends_on_the_pepper(keys: Keys, tmp_path: Path) -> None:
    _, secret = keys.create("ci", ["predict"], actor="ada")
    away = Database.open(f"sqlite:///{tmp_path}/away/servery.db")
    other = Keys(away, tmp_path / "away" / "pepper.key")
    source = sqlite3.connect(tmp_path / "house" / "servery.db")
    source.backup(target := sqlite3.connect(tmp_path / "away" / "servery.db"))
    source.close()
    target.close()
    assert [record.name for record in other.list()] == ["ci"]
    assert other.find(secret) is None
    away.close()


def test_a_revoked_key_is_refused_at_once_and_its_name_is_free(keys: Keys, database: Database) -> None:
    record, secret = keys.create("ci", ["predict"], actor="ada")
    before = read_revision(database)
    assert not keys.revoke("ci", actor="bob").is_valid()
    assert read_revision(database) > before
    found = keys.find(secret)
    assert found is not None
    assert not found.is_valid()
    again, _ = keys.create("ci", ["predict"], actor="ada")
    assert keys.revoke(record.id, actor="bob").revoked_at == found.revoked_at
    assert keys.revoke(again.id, actor="bob").id == again.id
    assert [record.is_valid() for record in keys.list()] == [False, False]
    assert {e.action for e in read_audit(database)} == {"key.create", "key.revoke"}


def test_an_expired_key_is_refused_from_that_moment_on(keys: Keys) -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    record, _ = keys.create("ci", ["predict"], expires_at=noon, actor="ada")
    assert record.is_valid(noon - timedelta(microseconds=1))
    assert not record.is_valid(noon)
    with pytest.raises(InputError):
        keys.create("naive", ["predict"], expires_at=datetime(2030, 1, 1), actor="ada")


def test_a_name_in_use_an_unknown_name_and_bad_scopes_are_refused(keys: Keys) -> None:
    keys.create("ci", ["predict"], actor="ada")
    with pytest.raises(ConflictError):
        keys.create("ci", ["predict"], actor="ada")
    with pytest.raises(UnknownNameError, match="Known: ci"):
        keys.revoke("web", actor="ada")
    for scopes in ([], "predict", ["with space"], ["x" * 200]):
        with pytest.raises(InputError):
            keys.create("other", scopes, actor="ada")
    assert [record.name for record in keys.list()] == ["ci"]


def test_limits_change_one_by_one_and_are_audited(keys: Keys, database: Database) -> None:
    record, secret = keys.create("ci", ["predict"], limits={"rows_per_day": 60, "weight": 2}, actor="ada")
    before = read_revision(database)
    keys.limit("ci", {"rows_per_day": 70, "tokens_total": 5}, actor="bob")
    changed = keys.limit(record.id, {"weight": None}, actor="bob")
    assert read_revision(database) == before + 2
    assert changed.limits == {"rows_per_day": 70, "tokens_total": 5}
    assert keys.find(secret) == changed
    newest = read_audit(database)[0]
    assert (newest.actor, newest.action, newest.subject) == ("bob", "key.limit", "key:ci")
    assert newest.detail["limits"] == changed.limits
    with pytest.raises(UnknownNameError, match="Known: ci"):
        keys.limit("web", {"weight": 1}, actor="bob")


@pytest.mark.parametrize(
    "limits",
    [
        {"rows": 5},
        {"rows_per_week": 5},
        {"per_day": 5},
        {"Rows_per_day": 5},
        {"rows_per_day ": 5},
        {"rows_per_day": -1},
        {"rows_per_day": 1.5},
        {"rows_per_day": True},
        {"rows_per_day": "5"},
        {"rows_per_day": 10**15 + 1},
        {"weight": 0},
        {"weight": float("nan")},
        {"weight": 1001},
        {"a" * 40 + "_total": 1},
        {f"{'abcdefghij'[i % 10]}{'klmn'[i // 10]}_total": 1 for i in range(33)},
    ],
)
def test_limits_that_cannot_be_are_refused_and_change_nothing(keys: Keys, limits: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        keys.create("new", ["predict"], limits=limits, actor="ada")
    keys.create("ci", ["predict"], limits={"rows_per_day": 60}, actor="ada")
    with pytest.raises(InputError):
        keys.limit("ci", limits, actor="ada")
    assert [(record.name, record.limits) for record in keys.list()] == [("ci", {"rows_per_day": 60})]


def test_the_secret_files_are_for_the_owner_only(keys: Keys, pepper_file: Path, tmp_path: Path) -> None:
    admin = tmp_path / "house" / "admin.key"
    keys.ensure_admin_key(admin)
    assert [stat.S_IMODE(file.stat().st_mode) for file in (pepper_file, admin)] == [0o600, 0o600]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_pepper_that_others_can_read_is_refused(keys: Keys, database: Database, pepper_file: Path) -> None:
    pepper_file.chmod(0o644)
    with pytest.raises(StorageError) as refused:
        Keys(database, pepper_file)
    assert str(refused.value.hint).startswith("chmod 600")


def test_a_pepper_that_is_gone_or_torn_is_an_error_and_no_new_one_is_made(
    keys: Keys, database: Database, pepper_file: Path
) -> None:
    keys.create("ci", ["predict"], actor="ada")
    whole = pepper_file.read_bytes()
    pepper_file.write_bytes(whole[:10])
    with pytest.raises(StorageError, match="torn"):
        Keys(database, pepper_file)
    pepper_file.unlink()
    with pytest.raises(StorageError, match="gone"):
        Keys(database, pepper_file)
    assert not pepper_file.exists()


def test_a_copy_of_a_secret_that_a_kill_left_is_removed(
    keys: Keys, database: Database, pepper_file: Path
) -> None:
    left = pepper_file.with_name(".admin.key.0f.partial")
    left.touch()
    os.utime(left, (0, 0))
    Keys(database, pepper_file)
    assert not left.exists()


def test_the_admin_key_is_made_once(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "house" / "admin.key"
    secret = keys.ensure_admin_key(file)
    assert secret is not None
    assert file.read_text().strip() == secret
    found = keys.find(secret)
    assert found is not None
    assert found.scopes == ("admin",)
    assert keys.ensure_admin_key(file) is None
    keys.revoke("admin", actor="ada")
    file.unlink()
    assert keys.ensure_admin_key(file) is None
    assert not file.exists()


def test_a_kill_between_the_admin_file_and_its_row_is_made_good(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "admin.key"
    file.touch(0o600)
    left_behind = "sk-servery-" + "a" * 43
    file.write_text(left_behind + "\n")
    assert keys.ensure_admin_key(file) == left_behind
    assert keys.find(left_behind) is not None


def test_an_admin_file_that_holds_no_key_is_refused(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "admin.key"
    file.touch(0o600)
    with pytest.raises(StorageError):
        keys.ensure_admin_key(file)
    assert keys.list() == []


def test_processes_that_start_at_once_make_one_admin_key(tmp_path: Path) -> None:
    home = tmp_path / "fresh"
    program = (
        "import sys; from pathlib import Path; from servery.storage.database import Database;"
        "from servery.registry.keys import Keys; home = Path(sys.argv[1]); sys.stdin.readline();"
        "database = Database.open(f'sqlite:///{home}/servery.db');"
        "print(Keys(database, home / 'pepper.key').ensure_admin_key(home / 'admin.key'))"
    )
    starters = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("\n")
        starter.stdin.flush()
    answers = [starter.communicate()[0].strip() for starter in starters]
    made = [answer for answer in answers if answer != "None"]
    assert len(made) == 1, answers
    assert (home / "admin.key").read_text().strip() == made[0]
    database = Database.open(f"sqlite:///{home}/servery.db")
    keys = Keys(database, home / "pepper.key")
    assert [record.scopes for record in keys.list()] == [("admin",)]
    assert keys.find(made[0]) is not None
    database.close()
