"""A corpus of hostile folders, each with a manifest that fits: one ArtifactError each, fast, and no trace left."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import pickle
import random
import shutil
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servery.errors import ArtifactError
from servery.registry.artifact import seal, verify
from servery.registry.folder import MANIFEST
from servery.registry.onnx_file import check_onnx
from servery.registry.registry import Registry
from servery.registry.strict_json import write_json

Attack = Callable[[Path, Path], None]
"""Changes a sealed folder; the second path is a file outside that must stay untouched and unread."""


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


@pytest.fixture
def sealed(staged: Path, facts: dict[str, Any]) -> Path:
    seal(staged, facts)
    return staged


def fit_manifest(folder: Path, **changes: Any) -> None:
    """Rewrite the manifest as an attacker would: every hash and size right, whatever the files are."""
    value = json.loads((folder / MANIFEST).read_bytes())
    value["files"] = {
        path.relative_to(folder).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size_bytes": path.stat().st_size,
        }
        for path in folder.rglob("*")
        if path.is_file() and path != folder / MANIFEST
    }
    (folder / MANIFEST).write_bytes(write_json(value | changes))


def relist(folder: Path, name: str, facts: dict[str, Any] | None = None) -> None:
    value = json.loads((folder / MANIFEST).read_bytes())
    value["files"][name] = facts or next(iter(value["files"].values()))
    (folder / MANIFEST).write_bytes(write_json(value))


def put(name: str, content: bytes) -> Attack:
    def attack(folder: Path, _outside: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        fit_manifest(folder)

    return attack


def disguised(name: str, wrap: Callable[[bytes], bytes]) -> Attack:
    def attack(folder: Path, outside: Path) -> None:
        payload = wrap(pickle.dumps(Bomb(outside.with_name("exploded"))))
        put(name, payload)(folder, outside)

    return attack


def zipped(data: bytes) -> bytes:
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("data.pkl", data)
        return buffer.getvalue()


def manifest_bytes(change: Callable[[bytes], bytes]) -> Attack:
    def attack(folder: Path, _outside: Path) -> None:
        path = folder / MANIFEST
        path.write_bytes(change(path.read_bytes()))

    return attack


def listed(name: str) -> Attack:
    return lambda folder, _outside: relist(folder, name)


def tensors(header: Any, data: bytes = b"", header_bytes: int | None = None) -> Attack:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if header_bytes is None else header_bytes
    return put("weights.safetensors", struct.pack("<Q", length) + text + data)


def tensor(start: int, end: int, shape: Any = None, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": [2] if shape is None else shape, "data_offsets": [start, end]}


def symbolic_link(folder: Path, outside: Path) -> None:
    (folder / "model.txt").unlink()
    (folder / "model.txt").symlink_to(outside)
    fit_manifest(folder)


def link_to_folder(folder: Path, outside: Path) -> None:
    (folder / "sub").symlink_to(outside.parent)


def manifest_as_link(folder: Path, outside: Path) -> None:
    copy = outside.with_name("manifest-elsewhere.json")
    shutil.move(folder / MANIFEST, copy)
    (folder / MANIFEST).symlink_to(copy)


def hard_link(folder: Path, outside: Path) -> None:
    (folder / "stolen.txt").hardlink_to(outside)
    fit_manifest(folder)


def pipe(folder: Path, _outside: Path) -> None:
    (folder / "model.txt").unlink()
    os.mkfifo(folder / "model.txt")


def pipe_as_manifest(folder: Path, _outside: Path) -> None:
    (folder / MANIFEST).unlink()
    os.mkfifo(folder / MANIFEST)


def device(folder: Path, _outside: Path) -> None:
    (folder / "model.txt").unlink()
    (folder / "model.txt").symlink_to("/dev/zero")


def extra_file(folder: Path, _outside: Path) -> None:
    (folder / "extra.txt").write_text("not in the manifest")


def missing_file(folder: Path, _outside: Path) -> None:
    (folder / "model.txt").unlink()


def truncated(folder: Path, _outside: Path) -> None:
    path = folder / "text" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def swapped(folder: Path, _outside: Path) -> None:
    (folder / "model.txt").rename(folder / "x")
    (folder / "README.md").rename(folder / "model.txt")
    (folder / "x").rename(folder / "README.md")


def same_size_other_content(folder: Path, _outside: Path) -> None:
    path = folder / "README.md"
    path.write_bytes(path.read_bytes().swapcase())


def too_many_files(folder: Path, _outside: Path) -> None:
    for i in range(1001):
        (folder / f"f{i}.txt").write_text("")


def too_deep(folder: Path, _outside: Path) -> None:
    deep = folder.joinpath(*"abcdefgh")
    deep.mkdir(parents=True)
    (deep / "model.txt").write_text("")
    fit_manifest(folder)


def case_clash(folder: Path, _outside: Path) -> None:
    (folder / "MODEL.txt").write_text("tree")
    fit_manifest(folder)


def huge_file(folder: Path, _outside: Path) -> None:
    with (folder / "plan.toml").open("r+b") as file:
        file.truncate(10**9)
    relist(folder, "plan.toml", {"sha256": "0" * 64, "size_bytes": 10**9})


def huge_manifest(folder: Path, _outside: Path) -> None:
    with (folder / MANIFEST).open("r+b") as file:
        file.truncate(10**9)


def no_manifest(folder: Path, _outside: Path) -> None:
    (folder / MANIFEST).unlink()


def no_files(folder: Path, _outside: Path) -> None:
    for path in list(folder.iterdir()):
        if path.name != MANIFEST:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    fit_manifest(folder)


def changed(**changes: Any) -> Attack:
    return lambda folder, _outside: fit_manifest(folder, **changes)


def lists_facts(facts: dict[str, Any]) -> Attack:
    return lambda folder, _outside: relist(folder, "model.txt", facts)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes, wire: int = 2) -> bytes:
    """Return one protobuf field; wire type 2 gets its length in front."""
    return varint(number << 3 | wire) + (varint(len(content)) if wire == 2 else b"") + content


def nested(graph: bytes, levels: int) -> bytes:
    """Return a graph inside an attribute of a node of a graph, and so on."""
    for _ in range(levels):
        graph = field(1, field(5, field(6, graph)))
    return graph


ONNX_HEAD = field(1, varint(10), wire=0)
EXTERNAL = field(13, field(1, b"location") + field(2, b"../../etc/passwd")) + field(14, varint(1), wire=0)


def onnx(graph: bytes) -> Attack:
    return put("model.onnx", ONNX_HEAD + field(7, graph))


DEEP_JSON = b'{"a":' * 100_000 + b"1" + b"}" * 100_000

ATTACKS: dict[str, Attack] = {
    "symbolic link": symbolic_link,
    "link to a folder": link_to_folder,
    "manifest is a link": manifest_as_link,
    "hard link": hard_link,
    "pipe": pipe,
    "pipe as manifest": pipe_as_manifest,
    "device": device,
    "extra file": extra_file,
    "missing file": missing_file,
    "truncated file": truncated,
    "swapped files": swapped,
    "other content of the same size": same_size_other_content,
    "too many files": too_many_files,
    "folders too deep": too_deep,
    "names that clash": case_clash,
    "huge file": huge_file,
    "huge manifest": huge_manifest,
    "no manifest": no_manifest,
    "no files": no_files,
    **{
        f"lists {name[:20]!r}": listed(name)
        for name in ("../outside.txt", "/etc/passwd", "a/../../outside.txt", "C:\\x.txt", "\\\\host\\x.txt")
    },
    **{
        f"lists {name!r}": listed(name)
        for name in ("a\0b.txt", "x" * 4096 + ".txt", "", ".", "manifest.json")
    },
    **{
        f"file {name!r}": put(name, b"{}")
        for name in ("code.py", "lib.so", "weights.pkl", "weights.bin", "model", ".hidden.json", "a b.json")
    },
    "upper-case suffix": put("model.PKL.JSON", b"{}"),
    "raw pickle": disguised("model.txt", bytes),
    "pickle as json": disguised("extra.json", bytes),
    "pickle as onnx": disguised("model.onnx", bytes),
    "pickle as safetensors": disguised("weights.safetensors", bytes),
    "gzip joblib as text": disguised("model.txt", gzip.compress),
    "zlib joblib as onnx": disguised("model.onnx", zlib.compress),
    "zlib joblib as safetensors": disguised("weights.safetensors", zlib.compress),
    "bzip2 joblib as text": disguised("model.txt", bz2.compress),
    "xz joblib as text": disguised("model.txt", lzma.compress),
    "lzma joblib as onnx": disguised("model.onnx", lambda d: lzma.compress(d, format=lzma.FORMAT_ALONE)),
    "torch zip as safetensors": disguised("weights.safetensors", zipped),
    "torch zip as text": disguised("model.txt", zipped),
    "torch zip as onnx": disguised("model.onnx", zipped),
    "empty zip as text": put("model.txt", b"PK\x05\x06" + bytes(18)),
    "numpy as text": put("model.txt", b"\x93NUMPY\x01\x00"),
    "zip behind safetensors": tensors({"a": tensor(0, 8)}, bytes(8) + zipped(b"x")),
    "text with NUL": put("model.txt", b"tree\0"),
    "text that is no UTF-8": put("README.md", b"caf\xe9"),
    "text cut off in a letter": put("README.md", "好".encode()[:2]),
    "toml that is none": put("plan.toml", b"= 1"),
    "toml very deep": put("plan.toml", b"a = " + b"[" * 100_000),
    "json that is none": put("predictor.json", b"{'a': 1}"),
    "json very deep": put("predictor.json", DEEP_JSON),
    "json rather deep": put("predictor.json", b"[" * 70 + b"]" * 70),
    "json with a key twice": put("predictor.json", b'{"a": 1, "a": 2}'),
    "json with NaN": put("predictor.json", b'{"a": NaN}'),
    "json with infinity": put("predictor.json", b"[-Infinity]"),
    "header claims 2**63 bytes": tensors({}, header_bytes=2**63),
    "header claims all bytes and one": tensors(b"{}", header_bytes=3),
    "header too large": tensors(b"{}" + b" " * (17 * 2**20)),
    "header is a list": tensors([]),
    "header very deep": tensors(DEEP_JSON),
    "header has a key twice": tensors(b'{"a":1,"a":2}'),
    "safetensors of 3 bytes": put("weights.safetensors", b"abc"),
    "offsets negative": tensors({"a": tensor(-8, 0)}, bytes(8)),
    "offsets backwards": tensors({"a": tensor(8, 0)}, bytes(8)),
    "offsets overlap": tensors({"a": tensor(0, 8), "b": tensor(4, 12)}, bytes(12)),
    "offsets the same": tensors({"a": tensor(0, 8), "b": tensor(0, 8)}, bytes(8)),
    "offsets leave a gap": tensors({"a": tensor(0, 8), "b": tensor(16, 24)}, bytes(24)),
    "offsets beyond the end": tensors({"a": tensor(0, 800, [200])}, bytes(8)),
    "offsets of strings": tensors(
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": ["0", "8"]}}, bytes(8)
    ),
    "shape does not fit": tensors({"a": tensor(0, 8, [3])}, bytes(8)),
    "shape negative": tensors({"a": tensor(0, 8, [-1, -2])}, bytes(8)),
    "shape of floats": tensors({"a": tensor(0, 8, [2.0])}, bytes(8)),
    "shape of booleans": tensors({"a": tensor(0, 4, [True])}, bytes(4)),
    "shape overflows": tensors({"a": tensor(0, 8, [2**62, 2**62])}, bytes(8)),
    "type unknown": tensors({"a": tensor(0, 8, dtype="OBJECT")}, bytes(8)),
    "type is a list": tensors({"a": tensor(0, 8, dtype=["F32"])}, bytes(8)),
    "tensor with an unknown key": tensors({"a": {**tensor(0, 8), "file": "/etc/passwd"}}, bytes(8)),
    "metadata of objects": tensors({"__metadata__": {"a": {}}}),
    "onnx empty": put("model.onnx", b""),
    "onnx without a graph": put("model.onnx", b"\x08\x0a"),
    "onnx cut off": put("model.onnx", b"\x08\x0a\x3a\xff\xff\x03abc"),
    "onnx of small fields": put("model.onnx", b"\x08\x0a" * 2_000_000),
    "onnx with an endless number": put("model.onnx", b"\x08" + b"\x80" * 11),
    "onnx with groups": put("model.onnx", b"\x0b\x0c"),
    "onnx very deep": onnx(nested(field(5, b""), levels=60)),
    "onnx external data": onnx(field(5, EXTERNAL)),
    "onnx external data, location only": onnx(field(5, field(14, varint(1), wire=0))),
    "onnx external data, number cut to 32 bits": onnx(field(5, field(14, varint(2**32 + 1), wire=0))),
    "onnx external data in a sparse tensor": onnx(field(15, field(1, EXTERNAL))),
    "onnx external data in an attribute": onnx(field(1, field(5, field(5, EXTERNAL)))),
    "onnx external data in attribute tensors": onnx(field(1, field(5, field(10, EXTERNAL)))),
    "onnx external data in a branch": onnx(nested(field(5, EXTERNAL), levels=3)),
    "onnx external data in a function": put(
        "model.onnx", ONNX_HEAD + field(7, b"") + field(25, field(7, field(5, field(5, EXTERNAL))))
    ),
    "onnx external data in training": put(
        "model.onnx", ONNX_HEAD + field(7, b"") + field(20, field(2, field(5, EXTERNAL)))
    ),
    "onnx external data in a second graph": put(
        "model.onnx", ONNX_HEAD + field(7, b"") + field(7, field(5, EXTERNAL))
    ),
    "manifest empty": manifest_bytes(lambda _: b""),
    "manifest is a list": manifest_bytes(lambda _: b"[]\n"),
    "manifest very deep": manifest_bytes(lambda _: DEEP_JSON),
    "manifest with a key twice": manifest_bytes(lambda d: d.replace(b'"field":', b'"task": "x",\n "field":')),
    "manifest with NaN": manifest_bytes(lambda d: d.replace(b"0.75", b"NaN")),
    "manifest with other spaces": manifest_bytes(lambda d: d.replace(b'"task": ', b'"task":')),
    "manifest is no UTF-8": manifest_bytes(lambda d: d.replace(b"mlp", b"\xff\xfe\xff")),
    "manifest with a lone surrogate": manifest_bytes(lambda d: d.replace(b'"mlp"', b'"\\ud800"')),
    "unknown manifest key": changed(trust_remote_code=True),
    "unknown format": changed(format=2),
    "format true": changed(format=True),
    "task is no text": changed(task=["classification"]),
    "metrics are no object": changed(metrics=[]),
    "field is empty": changed(field=""),
    "size is a text": lists_facts({"sha256": "0" * 64, "size_bytes": "1"}),
    "size is negative": lists_facts({"sha256": "0" * 64, "size_bytes": -1}),
    "hash is short": lists_facts({"sha256": "0" * 63, "size_bytes": 1}),
    "file with an unknown key": lists_facts({"sha256": "0" * 64, "size_bytes": 1, "url": "http://x"}),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_hostile_folder_is_refused_with_one_error(
    registry: Registry, sealed: Path, tmp_path: Path, attack: Attack
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("private")
    attack(sealed, outside)
    started, started_waiting = time.process_time(), time.monotonic()
    with pytest.raises(ArtifactError) as refused:
        registry.import_folder("stranger", sealed, "mallory")
    # Processor time, since a busy machine makes everything wait; a pipe that blocks shows in the second figure.
    assert time.process_time() - started < 2.0
    assert time.monotonic() - started_waiting < 30.0
    assert len(refused.value.message) < 10_000
    assert registry.versions() == []
    artifacts = tmp_path / "house" / "artifacts"
    assert [p for p in artifacts.rglob("*") if p != artifacts / ".staging"] == []
    assert outside.read_text() == "private"
    assert not (tmp_path / "exploded").exists()


def test_what_the_attacks_start_from_is_accepted(registry: Registry, sealed: Path) -> None:
    fit_manifest(sealed)
    assert registry.import_folder("friend", sealed, "ada").number == 1


def test_all_problems_are_named_at_once(sealed: Path, tmp_path: Path) -> None:
    for attack in (extra_file, missing_file, truncated, same_size_other_content):
        attack(sealed, tmp_path / "outside.txt")
    with pytest.raises(ArtifactError) as refused:
        verify(sealed)
    for name in ("extra.txt", "model.txt", "text/weights.safetensors", "README.md"):
        assert name in refused.value.message


@pytest.mark.parametrize("attack", ["raw pickle", "symbolic link", "hard link", "pipe", "onnx external data"])
def test_a_hostile_folder_cannot_be_sealed_either(
    staged: Path, facts: dict[str, Any], tmp_path: Path, attack: str
) -> None:
    seal(staged, facts)
    (tmp_path / "outside.txt").write_text("private")
    ATTACKS[attack](staged, tmp_path / "outside.txt")
    with pytest.raises(ArtifactError):
        seal(staged, facts)


def test_every_flipped_bit_is_found(registry: Registry, staged: Path, facts: dict[str, Any]) -> None:
    folder = registry.register("reviews", staged, facts, actor="ada").folder
    generator = random.Random(0)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    cases = 0
    for path in files:
        whole = path.read_bytes()
        for _ in range(28):
            bit = generator.randrange(8 * len(whole))
            torn = bytearray(whole)
            torn[bit // 8] ^= 1 << bit % 8
            path.write_bytes(torn)
            with pytest.raises(ArtifactError):
                registry.verify("reviews")
            cases += 1
        path.write_bytes(whole)
    assert cases >= 200
    assert registry.verify("reviews")


def test_the_walk_finds_what_the_onnx_library_writes_outside(tmp_path: Path) -> None:
    onnx_library = pytest.importorskip("onnx")
    numpy_helper, helper = onnx_library.numpy_helper, onnx_library.helper
    weight = numpy_helper.from_array(np.ones((40, 40), np.float32), "w")
    branch = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["y"])],
        "branch",
        [],
        [helper.make_tensor_value_info("y", onnx_library.TensorProto.FLOAT, [40, 40])],
        [weight],
    )
    choice = helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph(
        [choice],
        "graph",
        [helper.make_tensor_value_info("c", onnx_library.TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("z", onnx_library.TensorProto.FLOAT, [40, 40])],
    )
    model = helper.make_model(graph)
    onnx_library.save(model, tmp_path / "inside.onnx")
    check(tmp_path / "inside.onnx")
    onnx_library.save(model, tmp_path / "outside.onnx", save_as_external_data=True, size_threshold=0)
    assert len(list(tmp_path.iterdir())) > 2
    with pytest.raises(ValueError, match="another file"):
        check(tmp_path / "outside.onnx")


def check(path: Path) -> None:
    with path.open("rb") as file:
        check_onnx(file, path.stat().st_size)


def test_every_sound_type_and_empty_tensors_are_accepted(
    registry: Registry, sealed: Path, tmp_path: Path
) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "a": tensor(0, 3, [3], "F8_E4M3"),
        "b": tensor(3, 9, [3], "BF16"),
        "empty": tensor(9, 9, [0, 4], "F32"),
        "scalar": tensor(9, 17, [], "I64"),
    }
    tensors(header, bytes(17))(sealed, tmp_path)
    assert registry.import_folder("friend", sealed, "ada").number == 1
