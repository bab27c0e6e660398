"""Texts that go on, by Llama-shaped decoders."""

from __future__ import annotations

from servery.models.language_model import read_language_model
from servery.models.predictor import Predictor
from servery.models.pretrained_kind import PretrainedFolder, PretrainedKind


class CausalLanguageModel(PretrainedKind):
    """`...ForCausalLM` in the shapes of Llama, Mistral and Qwen2; others are refused by name."""

    name = "causal_language_model"
    tasks = ("text-generation",)

    def reads(self, folder: PretrainedFolder) -> bool:
        """Whether it writes on."""
        return folder.architecture.endswith(("ForCausalLM", "LMHeadModel"))

    def predictor(self, folder: PretrainedFolder, threads: int) -> Predictor:
        """Return the model, served with our own keys, values and batches.

        Raises:
            ArtifactError: It is of another shape.
        """
        return read_language_model(folder.path, threads, folder.field or "natural-language-processing")


CAUSAL_LANGUAGE_MODEL = CausalLanguageModel()
