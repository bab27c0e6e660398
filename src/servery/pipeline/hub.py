"""A model of the Hugging Face Hub: looked at first, then fetched; descriptions and weights, never code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servery.errors import ArtifactError, MissingExtraError, NotReadyError

WANTED = ("*.json", "*.safetensors", "vocab.txt", "merges.txt", "*.model", "*.jinja", "LICENSE*", "README.md")
HALF_PRECISION_BYTES = 2
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")


@dataclass(frozen=True)
class HubModel:
    """What the Hub says of a model before it is fetched.

    Attributes:
        name: "organisation/name".
        revision: The commit that is meant.
        weights: Number of weights, as the Hub counted them; else at most so many, by the size of the files.
        license: As its card states it; empty where it does not.
        config: What its `config.json` says.
    """

    name: str
    revision: str
    weights: int
    license: str
    config: dict[str, Any]


def look(name: str, revision: str = "") -> HubModel:
    """Ask the Hub what a model is.

    Args:
        name: "organisation/name".
        revision: A branch, tag or commit; empty for the newest.

    Raises:
        MissingExtraError: The Hub's client is not installed.
        ArtifactError: The Hub has no such model, or one without safetensors.
        NotReadyError: The Hub cannot be reached.
    """
    client = _client()
    info = _asked(name, lambda: client.model_info(name, revision=revision or None, files_metadata=True))
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    size_bytes = sum(
        size for file, size in sizes.items() if file.endswith(".safetensors") and "/" not in file
    )
    if not size_bytes:
        others = [file for file in sizes if file.endswith(PICKLES)]
        raise ArtifactError(
            f"{name} has no weights as safetensors" + (f", only {others[0]}." if others else "."),
            hint="weights as pickle are never read; ask its authors, or convert a copy with the model's own library",
        )
    path = _asked(name, lambda: client.hf_hub_download(name, "config.json", revision=info.sha))
    counted = getattr(info.safetensors, "total", None)
    card = info.card_data.to_dict() if info.card_data is not None else {}
    return HubModel(
        name=name,
        revision=str(info.sha),
        # Unless the Hub has counted them, the worst that the files can hold: two bytes a weight.
        weights=int(counted or size_bytes // HALF_PRECISION_BYTES),
        license=str(card.get("license") or ""),
        config=json.loads(Path(path).read_text(encoding="utf-8")),
    )


def fetch(model: HubModel) -> Path:
    """Fetch a model's descriptions and weights, and return the folder they lie in.

    Raises:
        ArtifactError: The Hub does not give them.
        NotReadyError: The Hub cannot be reached.
    """
    client = _client()
    return Path(
        _asked(
            model.name,
            lambda: client.snapshot_download(
                model.name, revision=model.revision, allow_patterns=list(WANTED)
            ),
        )
    )


def _client() -> Any:
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise MissingExtraError.named("hf") from None
    return HfApi()


def _asked(name: str, ask: Callable[[], Any]) -> Any:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return ask()
    except (HFValidationError, HfHubHTTPError, ValueError) as error:
        raise ArtifactError(
            f"The Hub does not give {name}: {str(error).splitlines()[0][:300]}",
            hint="check its name; a private or gated model takes HF_TOKEN in the environment",
        ) from error
    except Exception as error:  # of whatever carries the client's requests in its version
        raise NotReadyError(
            f"The Hub cannot be reached: {type(error).__name__}.",
            hint="fetch the model elsewhere and name its folder",
        ) from error
