"""Models of the Hub: looked at before they are fetched; a stand-in of the Hub at the network's edge."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.constants
import pytest

from servery.errors import ArtifactError, NotReadyError, TooLargeError
from servery.pipeline import add as adding
from servery.pipeline import hub
from servery.pipeline.add import add
from servery.pipeline.local import load
from servery.pipeline.workspace import Workspace

COMMIT = "c" * 40


def tiny() -> Any:
    path = Path(__file__).parents[1] / "models" / "pretrained_tiny.py"
    if "servery_test_pretrained" not in sys.modules:
        spec = importlib.util.spec_from_file_location("servery_test_pretrained", path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["servery_test_pretrained"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["servery_test_pretrained"])
    return sys.modules["servery_test_pretrained"]


class Hub(BaseHTTPRequestHandler):
    """The four calls that the client makes; `asked` notes the files that were fetched."""

    folders: dict[str, Path] = {}
    asked: list[str] = []

    def log_message(self, *words: Any) -> None:
        return

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/"):
            _, _, _, owner, name, *rest = path.split("/")
            self._told(f"{owner}/{name}", rest)
            return
        _, owner, name, _, _, file = path.split("/", 5)
        content = self.folders[f"{owner}/{name}"] / file
        if not content.exists():
            self._send(404, b"", {"x-error-code": "EntryNotFound"})
            return
        if self.command == "GET":
            self.asked.append(file)
        self._send(200, content.read_bytes(), {"etag": f'"{file}"', "x-repo-commit": COMMIT})

    def _told(self, name: str, rest: list[str]) -> None:
        if name not in self.folders:
            self._send(404, b"{}", {"x-error-code": "RepoNotFound"})
            return
        files = sorted(file for file in self.folders[name].iterdir())
        if rest[:1] == ["tree"]:
            entries = [
                {"type": "file", "path": file.name, "oid": file.name, "size": file.stat().st_size}
                for file in files
            ]
            self._send(200, json.dumps(entries).encode(), {})
            return
        said = {
            "id": name,
            "sha": COMMIT,
            "siblings": [{"rfilename": file.name, "size": file.stat().st_size} for file in files],
            "cardData": {"license": "apache-2.0"},
        }
        self._send(200, json.dumps(said).encode(), {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def at_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Path]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(hub, "_client", lambda: huggingface_hub.HfApi(endpoint=address, token=False))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    Hub.folders, Hub.asked = {}, []
    yield Hub.folders
    server.shutdown()
    server.server_close()
    huggingface_hub.close_session()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def test_a_model_is_fetched_at_its_commit_without_code_and_pickles(
    at_the_hub: dict[str, Path], workspace: Workspace, tmp_path: Path
) -> None:
    folder = tiny().make("classification", tmp_path / "there")
    (folder / "modeling_evil.py").write_text("raise SystemExit", encoding="utf-8")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    at_the_hub["ada/moods"] = folder
    version = add("hf:ada/moods", workspace=workspace)
    assert version.name == "moods"
    assert version.lineage["revision"] == COMMIT
    assert version.lineage["license"] == "apache-2.0"
    assert not {"modeling_evil.py", "pytorch_model.bin"} & set(Hub.asked)
    assert load("moods", workspace)("the fox").outputs


def test_what_does_not_fit_or_brings_code_is_never_fetched(
    at_the_hub: dict[str, Path], workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny().make("classification", tmp_path / "there")
    at_the_hub["ada/moods"] = folder
    monkeypatch.setattr(adding, "machine_memory_bytes", lambda: 2**20)
    with pytest.raises(TooLargeError, match="needs about"):
        add("hf:ada/moods", workspace=workspace)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "evil--Model"}}))
    at_the_hub["ada/evil"] = folder
    with pytest.raises(ArtifactError, match="code of its own"):
        add("hf:ada/evil@main", workspace=workspace)
    assert set(Hub.asked) == {"config.json"}


def test_what_is_not_there_is_named(
    at_the_hub: dict[str, Path], workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"pickle")
    at_the_hub["ada/pickled"] = tmp_path / "pickled"
    with pytest.raises(ArtifactError, match=r"only pytorch_model\.bin"):
        add("hf:ada/pickled", workspace=workspace)
    with pytest.raises(ArtifactError, match="does not give ada/nothing"):
        add("hf:ada/nothing", workspace=workspace)
    monkeypatch.setattr(
        hub, "_client", lambda: huggingface_hub.HfApi(endpoint="http://127.0.0.1:9", token=False)
    )
    with pytest.raises(NotReadyError, match="cannot be reached"):
        add("hf:ada/moods", workspace=workspace)
