"""Pretrained models as the transformers library runs them, for kinds that no reader of our own fits; imports torch."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from servery.errors import ArtifactError, MissingExtraError
from servery.models.encoder import Batch
from servery.models.pretrained_kind import find_kind
from servery.models.runtime import Runtime

FOLDER = "model"
"""Of the artifact: what came from the Hub, as it came."""
KEPT = ("*.json", "*.safetensors")


class HuggingFace(Runtime):
    """A pretrained model on the CPU in float32. Code that comes with a model is never run.

    Args:
        folder: With `config.json` and the weights as safetensors.
        kind: Name of the kind under `models/pretrained/`.
        settings: What the kind noted when the model was added.

    Raises:
        MissingExtraError: The library is not installed.
        ArtifactError: The folder cannot be read as that kind.
    """

    name = "hugging_face"

    def __init__(self, folder: Path, kind: str, settings: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.kind = find_kind(kind)
        self.settings = dict(settings or {})
        try:
            import transformers
        except ImportError:
            raise MissingExtraError.named("hf") from None
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        try:
            model = getattr(transformers, self.kind.auto_class).from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
            )
        except Exception as error:  # the library raises whatever its parts raise
            raise ArtifactError(f"The model in {folder.name} cannot be read: {str(error)[:500]}.") from error
        self.model = model.eval()
        self._takes = frozenset(inspect.signature(self.model.forward).parameters)

    def run(self, batch: Batch) -> np.ndarray:
        """Return the outputs as the kind makes them, a row an input."""
        given = self.kind.inputs(batch, self.settings)
        inputs = {name: torch.from_numpy(array) for name, array in given.items() if name in self._takes}
        with torch.inference_mode():
            found = self.kind.computed(self.model, inputs, batch, self.settings)
        arrays = {
            name: value.float().numpy() if isinstance(value, torch.Tensor) else value
            for name, value in found.items()
            if isinstance(value, torch.Tensor | np.ndarray)
        }
        return self.kind.outputs(arrays, batch, self.settings, self.folder)

    def save(self, folder: Path) -> None:
        """Copy what came from the Hub into the subfolder `model`."""
        (folder / FOLDER).mkdir()
        for pattern in KEPT:
            for file in sorted(self.folder.glob(pattern)):
                shutil.copyfile(file, folder / FOLDER / file.name)

    def options(self) -> dict[str, Any]:
        """Return the kind and what it noted."""
        return {"kind": self.kind.name, "settings": self.settings}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> HuggingFace:
        """Read the subfolder `model`; sets the threads of torch in this process.

        Raises:
            ArtifactError: It is torn.
        """
        torch.set_num_threads(threads)
        try:
            return cls(folder / FOLDER, str(options["kind"]), options["settings"])
        except KeyError as error:
            raise ArtifactError(f"The options of the runtime 'hugging_face' lack {error}.") from error


RUNTIME = HuggingFace
