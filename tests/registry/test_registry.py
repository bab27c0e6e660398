"""Versions, aliases, removal, sweeping: what the rest of the house relies on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from servery.errors import ArtifactError, ConflictError, InputError, ModelNotFoundError
from servery.registry.artifact import verify
from servery.registry.names import Reference
from servery.registry.registry import Registry, Version
from servery.storage.database import Database


@pytest.fixture
def three(registry: Registry, staged: Path, facts: dict[str, Any]) -> list[Version]:
    return [registry.register("reviews", staged, facts, actor="ada") for _ in range(3)]


def folders(registry: Registry, tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "house" / "artifacts").glob("[0-9a-f][0-9a-f]/*")}


def test_a_registered_version_tells_everything_it_was_told(
    registry: Registry, staged: Path, facts: dict[str, Any]
) -> None:
    version = registry.register("reviews", staged, facts, actor="ada", aliases=["candidate"])
    assert (version.reference, version.task, version.field, version.recipe) == (
        "reviews@1",
        "classification",
        "sentiment-analysis",
        "mlp",
    )
    assert version.metrics == facts["metrics"]
    assert version.lineage == facts["lineage"]
    assert version.aliases == ("candidate",)
    assert version.size_bytes == sum(p.stat().st_size for p in staged.rglob("*") if p.is_file())
    assert registry.resolve("reviews@1") == version
    assert version.to_dict()["folder"] == str(version.folder)
    assert (version.folder / "text" / "weights.safetensors").is_file()


def test_the_staged_folder_stays_as_it_was(registry: Registry, staged: Path, facts: dict[str, Any]) -> None:
    before = sorted(staged.rglob("*"))
    registry.register("reviews", staged, facts, actor="ada")
    assert sorted(staged.rglob("*")) == before


def test_a_name_alone_is_production_or_else_the_newest(registry: Registry, three: list[Version]) -> None:
    assert registry.resolve("reviews").number == 3
    registry.point("reviews", "production", 1, actor="ada")
    assert registry.resolve("reviews").number == 1
    registry.unpoint("reviews", "production", actor="ada")
    assert registry.resolve("reviews").number == 3


def test_an_alias_moves_and_every_move_is_audited(registry: Registry, three: list[Version]) -> None:
    for number in (1, 3, 2):
        registry.point("reviews", "production", number, actor="bob")
    assert registry.aliases("reviews") == {"production": 2}
    assert registry.resolve("reviews@production") == registry.resolve("reviews@2")
    moves = [(e.actor, e.subject, e.detail) for e in registry.audit(3)]
    assert moves == [
        ("bob", "reviews@production", {"number": 2, "before": 3}),
        ("bob", "reviews@production", {"number": 3, "before": 1}),
        ("bob", "reviews@production", {"number": 1, "before": None}),
    ]


def test_every_change_raises_the_revision_and_reading_does_not(
    registry: Registry, three: list[Version]
) -> None:
    revisions = [registry.revision()]
    registry.resolve("reviews")
    registry.versions()
    registry.sweep(0)
    assert registry.revision() == revisions[0]
    registry.point("reviews", "production", 1, actor="ada")
    revisions.append(registry.revision())
    registry.remove("reviews@2", actor="ada")
    revisions.append(registry.revision())
    assert revisions == sorted(set(revisions))


def test_a_number_is_never_given_twice(
    registry: Registry, three: list[Version], staged: Path, facts: dict[str, Any]
) -> None:
    registry.remove("reviews@3", actor="ada")
    assert registry.register("reviews", staged, facts, actor="ada").number == 4
    for version in registry.versions("reviews"):
        registry.remove(version.reference, actor="ada")
    assert registry.names() == []
    assert registry.register("reviews", staged, facts, actor="ada").number == 5


def test_a_version_in_use_is_removed_by_force_only(
    registry: Registry, three: list[Version], tmp_path: Path
) -> None:
    registry.point("reviews", "production", 2, actor="ada")
    with pytest.raises(ConflictError, match="@production"):
        registry.remove("reviews@2", actor="ada")
    assert registry.resolve("reviews").number == 2
    registry.remove("reviews@production", actor="ada", force=True)
    assert registry.aliases("reviews") == {}
    assert folders(registry, tmp_path) == {three[0].digest, three[2].digest}


def test_files_go_only_when_no_other_version_has_them(
    registry: Registry, three: list[Version], tmp_path: Path
) -> None:
    twin = registry.import_folder("twin", three[0].folder, "ada")
    assert twin.digest == three[0].digest
    registry.remove("reviews@1", actor="ada")
    assert registry.verify("twin").digest == twin.digest
    registry.remove("twin", actor="ada")
    assert three[0].digest not in folders(registry, tmp_path)


def test_versions_and_names_are_listed_in_order(
    registry: Registry, three: list[Version], staged: Path, facts: dict[str, Any]
) -> None:
    registry.register("another", staged, facts, actor="ada", aliases=["production"])
    registry.point("reviews", "candidate", 2, actor="ada")
    assert registry.names() == ["another", "reviews"]
    listed = [(v.reference, v.aliases) for v in registry.versions()]
    assert listed == [
        ("another@1", ("production",)),
        ("reviews@1", ()),
        ("reviews@2", ("candidate",)),
        ("reviews@3", ()),
    ]
    assert [v.number for v in registry.versions("reviews")] == [1, 2, 3]
    assert registry.versions("nothing") == []


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("review", "Did you mean 'reviews'"),
        ("reviews@9", "no version 9"),
        ("reviews@prodution", "Did you mean '@production'"),
    ],
)
def test_what_is_not_there_is_named_with_the_nearest_name(
    registry: Registry, three: list[Version], reference: str, hint: str
) -> None:
    registry.point("reviews", "production", 1, actor="ada")
    with pytest.raises(ModelNotFoundError, match=hint):
        registry.resolve(reference)


BAD_NAMES = [
    "",
    "Reviews",
    "../x",
    "a/b",
    "a\0",
    ".a",
    "-a",
    "a" * 129,
    "a b",
    "好",
    "a\n",
    "~",
    "c:",
    "%2e%2e",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_breaks_the_rule_is_refused_everywhere(
    registry: Registry, staged: Path, facts: dict[str, Any], name: str
) -> None:
    for call in (
        lambda: registry.register(name, staged, facts, actor="ada"),
        lambda: registry.register("good", staged, facts, actor="ada", aliases=[name]),
        lambda: registry.import_folder(name, staged, "ada"),
        lambda: registry.resolve(name),
        lambda: registry.resolve(f"good@{name}"),
        lambda: registry.point("good", name, 1, actor="ada"),
    ):
        with pytest.raises(InputError):
            call()
    assert registry.names() == []


def test_an_alias_is_never_a_number(registry: Registry, three: list[Version]) -> None:
    with pytest.raises(InputError):
        registry.point("reviews", "2", 1, actor="ada")
    assert Reference.parse("reviews@2") == Reference("reviews", number=2)


def test_an_alias_never_points_at_nothing(registry: Registry, three: list[Version]) -> None:
    with pytest.raises(ModelNotFoundError):
        registry.point("reviews", "production", 9, actor="ada")
    assert registry.aliases("reviews") == {}


def test_a_change_without_an_actor_is_refused(registry: Registry, three: list[Version]) -> None:
    with pytest.raises(InputError):
        registry.point("reviews", "production", 1, actor="")


@pytest.mark.parametrize(
    "wrong",
    [
        {"task": 3},
        {"recipe": ""},
        {"metrics": {"loss": float("nan")}},
        {"lineage": {"when": object()}},
        {"surprise": 1},
        {"plan": 7},
        {"signature": [1]},
        {"metrics": {1: "a", "1": "b"}},
    ],
)
def test_a_fact_that_cannot_be_kept_is_refused_before_anything_happens(
    registry: Registry, staged: Path, facts: dict[str, Any], tmp_path: Path, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ArtifactError):
        registry.register("reviews", staged, {**facts, **wrong}, actor="ada")
    assert registry.versions() == []
    assert folders(registry, tmp_path) == set()
    assert os.listdir(tmp_path / "house" / "artifacts" / ".staging") == []


def test_a_folder_without_files_is_no_model(
    registry: Registry, facts: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        with pytest.raises(ArtifactError):
            registry.register("reviews", tmp_path / folder, facts, actor="ada")


def test_two_houses_agree_on_the_digest_of_an_artifact(
    registry: Registry, three: list[Version], tmp_path: Path
) -> None:
    away = Database.open(f"sqlite:///{tmp_path}/away/servery.db")
    other = Registry(away, tmp_path / "away" / "artifacts")
    arrived = other.import_folder("reviews", three[1].folder, "bob", digest=three[1].digest)
    assert (arrived.digest, arrived.created_at, arrived.metrics) == (
        three[1].digest,
        three[1].created_at,
        three[1].metrics,
    )
    with pytest.raises(ArtifactError):
        other.import_folder("reviews", three[0].folder, "bob", digest=three[1].digest)
    away.close()


def test_leftovers_are_swept_when_old_and_only_then(
    registry: Registry, database: Database, three: list[Version], tmp_path: Path
) -> None:
    artifacts = tmp_path / "house" / "artifacts"
    orphan = artifacts / "ff" / ("ff" * 32)
    shutil.copytree(three[0].folder, orphan)
    dead = artifacts / ".staging" / "dead"
    dead.mkdir()
    (dead / "weights.safetensors").write_bytes(b"half")
    assert registry.sweep() == 0
    for path in (orphan, dead):
        os.utime(path, (0, 0))
    again = Registry(database, artifacts)
    assert not orphan.exists()
    assert not dead.exists()
    assert again.sweep(0) == 0
    assert [problems for _, problems in again.verify_all()] == [[], [], []]


def test_verify_all_names_the_version_that_is_torn(registry: Registry, three: list[Version]) -> None:
    victim = three[1].folder / "model.txt"
    victim.write_bytes(victim.read_bytes()[:-1])
    shutil.rmtree(three[2].folder)
    found = {version.number: problems for version, problems in registry.verify_all()}
    assert found[1] == []
    assert "model.txt" in found[2][0]
    assert found[3]
    with pytest.raises(ArtifactError, match=r"model\.txt"):
        registry.verify("reviews@2")
    assert registry.verify("reviews@1").digest == three[0].digest


def test_files_that_an_earlier_failure_left_are_replaced_not_trusted(
    registry: Registry, three: list[Version], tmp_path: Path
) -> None:
    away = tmp_path / "away"
    shutil.copytree(three[0].folder, away)
    registry.remove("reviews@1", actor="ada")
    shutil.copytree(away, three[0].folder)
    (three[0].folder / "model.txt").write_text("torn")
    version = registry.import_folder("reviews", away, "ada")
    assert verify(version.folder, version.digest)


def test_an_unloaded_model_says_so_in_every_version_and_each_switch_is_audited_once(
    registry: Registry, three: list[Version]
) -> None:
    name = three[0].name
    assert not any(version.is_unloaded for version in registry.versions(name))
    for switch, is_unloaded in ((registry.unload, True), (registry.load, False)):
        before = registry.revision()
        switch(name, actor="alice")
        switch(name, actor="alice")
        assert registry.revision() > before
        assert all(version.is_unloaded is is_unloaded for version in registry.versions(name))
        assert registry.resolve(name).is_unloaded is is_unloaded
    told = [entry.action for entry in registry.audit(2)]
    assert told == ["model.load", "model.unload"]
    with pytest.raises(ModelNotFoundError):
        registry.unload("nobody", actor="alice")
