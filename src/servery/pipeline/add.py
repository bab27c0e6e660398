"""Registers a model that was made elsewhere: of the Hugging Face Hub, of a folder, or behind another server."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from servery.errors import ArtifactError, InputError, TooLargeError
from servery.models.growing import GrowingRuntime
from servery.models.memory_estimate import machine_memory_bytes, needed_bytes, weights_in
from servery.models.predictor import Predictor
from servery.models.pretrained_kind import CONFIG_FILE, PretrainedFolder, kind_of
from servery.models.remote_model import read_remote
from servery.pipeline.hub import fetch, look
from servery.pipeline.lineage import environment
from servery.pipeline.workspace import Workspace
from servery.progress import Progress, Silence
from servery.registry.names import checked_name
from servery.registry.registry import Version
from servery.tasks.form import form_for

HUB, REMOTE = "hf:", "openai:"
MB = 2**20


@dataclass(frozen=True)
class Origin:
    """Where a model comes from, as its card and lineage tell it."""

    source: str
    revision: str = ""
    license: str = ""
    weights: int = 0


@dataclass(frozen=True)
class Wish:
    """What is wanted of a source.

    Attributes:
        source: "hf:organisation/name[@revision]", a folder, or "openai:URL#model".
        name: Name in the registry; empty for one like the source's.
        task: The task it must answer; empty for what its files say.
        field: The application field; empty for the kind's own.
        key_variable: Of a server elsewhere: the environment variable that holds its key; empty for none.
        force: Add it even if it needs more memory than there is.
    """

    source: str
    name: str = ""
    task: str = ""
    field: str = ""
    key_variable: str = ""
    force: bool = False


def add(
    source: str,
    name: str = "",
    *,
    task: str = "",
    field: str = "",
    key_variable: str = "",
    force: bool = False,
    workspace: Workspace | None = None,
    progress: Progress | None = None,
    aliases: Sequence[str] = (),
    actor: str = "local",
) -> Version:
    """Register a model that was made elsewhere, after it answered its own example once.

    Args:
        source: "hf:organisation/name[@revision]", a folder in the Hugging Face layout, or "openai:URL#model".
        name: Name in the registry; empty for one like the source's.
        task: The task it must answer; empty for what its files say.
        field: The application field it is for; empty for the one of its kind.
        key_variable: Of a server elsewhere: the environment variable that holds its key; empty for none.
        force: Add it even if it needs more memory than there is.
        workspace: Where to register; None opens the default data home.
        progress: Hears the news.
        aliases: Aliases the version gets at once.
        actor: Who is named in the audit.

    Raises:
        ArtifactError: It brings code of its own, weights as pickle, or is of no kind that is known here.
        TooLargeError: It needs more memory than this machine has.
        InputError: The source cannot be one, or the name breaks the rule.
        NotReadyError: The Hub or the server cannot be reached.
    """
    wish = Wish(source, name, task, field, key_variable, force)
    checked_name(wish.name or named_after(source))
    workspace, progress = workspace or Workspace.open(), progress or Silence()
    predictor, origin = _read(wish, workspace, progress)
    try:
        progress.say("Try", "its own example")
        _try(predictor)
        with tempfile.TemporaryDirectory(dir=workspace.settings.home) as folder:
            predictor.save(Path(folder))
            (Path(folder) / "README.md").write_text(_card(predictor, origin), encoding="utf-8")
            facts = _facts(predictor, origin)
            return workspace.registry.register(
                wish.name or named_after(source), Path(folder), facts, actor=actor, aliases=aliases
            )
    finally:
        predictor.runtime.close()


def named_after(source: str) -> str:
    """Return a name for the registry like that of a source.

    >>> named_after("hf:Qwen/Qwen2.5-0.5B@main"), named_after("openai:http://gpu:8000/v1#meta/Llama 3")
    ('qwen2.5-0.5b', 'llama-3')
    """
    plain = source.removeprefix(HUB).partition("@")[0] if source.startswith(HUB) else source
    last = plain.rpartition("#")[2].rstrip("/").rpartition("/")[2].lower()
    return re.sub(r"[^a-z0-9._-]+", "-", last).strip("-._")[:128] or "model"


def _read(wish: Wish, workspace: Workspace, progress: Progress) -> tuple[Predictor, Origin]:
    threads = workspace.settings.threads
    if wish.source.startswith(REMOTE):
        if wish.task not in ("", "text-generation"):
            raise InputError(
                f"A model behind another server answers text-generation, not {wish.task}.", param="task"
            )
        predictor = read_remote(wish.source.removeprefix(REMOTE), wish.key_variable)
        return predictor, Origin(wish.source)
    if wish.source.startswith(HUB):
        name, _, revision = wish.source.removeprefix(HUB).partition("@")
        model = look(name, revision)
        refuse_code(model.config, name)
        _check_memory(model.weights, wish, progress)
        progress.say("Fetch", f"{name} at {model.revision[:12]}")
        path = fetch(model)
        origin = Origin(wish.source, model.revision, model.license, model.weights)
    else:
        path = Path(wish.source).expanduser()
        if not path.is_dir():
            raise InputError(
                f"There is no folder {wish.source!r}.",
                hint="a folder with config.json and safetensors, hf:organisation/name, or openai:URL#model",
                param="source",
            )
        weights = weights_in(path)
        _check_memory(weights, wish, progress)
        origin = Origin(path.name, weights=weights)
    folder = PretrainedFolder(path, read_config(path), wish.field)
    kind = kind_of(folder, wish.task)
    progress.say("Kind", f"{folder.architecture}: {kind.tasks[0]}")
    return replace(
        kind.predictor(folder, threads), runtime_reason=f"as it came: {folder.architecture}"
    ), origin


def read_config(path: Path) -> dict[str, Any]:
    """Return what a folder's `config.json` says.

    Raises:
        ArtifactError: There is none, it is torn, or the model brings code of its own.
    """
    try:
        config = json.loads((path / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{CONFIG_FILE} in {path.name} cannot be read: {error}.") from error
    if not isinstance(config, dict):
        raise ArtifactError(f"{CONFIG_FILE} in {path.name} is no object.")
    refuse_code(config, path.name)
    return config


def refuse_code(config: dict[str, Any], name: str) -> None:
    """Refuse a model that is more than weights.

    Raises:
        ArtifactError: It brings code of its own, or is quantized.
    """
    if config.get("auto_map") or config.get("custom_pipelines"):
        raise ArtifactError(
            f"{name} brings code of its own to run; code from elsewhere is never run here.",
            hint="take a model of an architecture that the transformers library has itself, or serve it elsewhere and "
            "add it with openai:URL#model",
        )
    if config.get("quantization_config"):
        raise ArtifactError(
            f"{name} is quantized; only full weights are read.", hint="take the model it was made from"
        )


def _check_memory(weights: int, wish: Wish, progress: Progress) -> None:
    needed, there = needed_bytes(weights), machine_memory_bytes()
    progress.say("Estimate", f"{weights:,} weights; a process with it takes about {needed / MB:,.0f} MB")
    if there and needed > there and not wish.force:
        raise TooLargeError(
            f"The model needs about {needed / MB:,.0f} MB of memory; this machine has {there / MB:,.0f} MB.",
            hint="take a smaller one, or --force",
            param="source",
        )


def _try(predictor: Predictor) -> None:
    signature = predictor.signature
    example = form_for(signature.kinds).examples(signature.example, signature.inputs, signature.limits)[0]
    if isinstance(predictor.runtime, GrowingRuntime):
        predictor.runtime.warm_up(predictor.encode([example]), predictor.task.parameters())
    else:
        predictor.predict([example])


def _facts(predictor: Predictor, origin: Origin) -> dict[str, Any]:
    return {
        "task": predictor.signature.task,
        "field": predictor.signature.field,
        "recipe": predictor.recipe,
        "lineage": {
            "source": origin.source,
            "revision": origin.revision,
            "license": origin.license,
            "weights": origin.weights,
            "is_sample": False,
            "is_trustworthy": True,
            "verdict": "made elsewhere, not evaluated here",
            "environment": environment(),
        },
    }


def _card(predictor: Predictor, origin: Origin) -> str:
    header = {"pipeline_tag": predictor.task.hub_name(predictor.signature.kinds), "library_name": "servery"}
    header |= {"license": origin.license} if origin.license else {}
    yaml = "\n".join(f"{key}: {json.dumps(value)}" for key, value in header.items())
    revision = f" at revision {origin.revision}" if origin.revision else ""
    return f"""---
{yaml}
---
# {named_after(origin.source)}

Made elsewhere and added from `{origin.source}`{revision}. It was not evaluated here: `servery evaluate` measures it on
your data. License: {origin.license or "see its source"}.
"""
