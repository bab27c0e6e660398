"""A language model in the Hugging Face layout becomes a predictor: from a folder, or from parts made on the spot."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from servery.data.columns import Column, Kind, Role
from servery.models.encoders.language import Language
from servery.models.language_tokenizer import LanguageTokenizer
from servery.models.predictor import Predictor
from servery.models.runtimes.causal_language import CausalLanguage
from servery.models.signature import Signature
from servery.nn.networks.causal_decoder import CausalDecoder
from servery.tasks.task import Calibration

RECIPE = "causal-language-model"
COLUMN = "text"
EXAMPLE = "Once upon a time"


def read_language_model(
    folder: Path, threads: int = 1, field: str = "natural-language-processing"
) -> Predictor:
    """Read `config.json`, `model.safetensors` (or its shards), `tokenizer.json` and the chat template of a folder.

    Nothing in the folder is run; weights in other formats are not read.

    Args:
        folder: A local folder.
        threads: Threads one forward pass may use.
        field: The application field it is for.

    Raises:
        ArtifactError: Something is missing, torn, or of another kind of model.
    """
    return _predictor(CausalLanguage.load(folder, {}, threads), field)


def language_model(
    network: CausalDecoder,
    tokenizer: LanguageTokenizer,
    end_tokens: Collection[int],
    field: str = "natural-language-processing",
) -> Predictor:
    """Return a network and its tokenizer as a predictor."""
    return _predictor(CausalLanguage(network, tokenizer, end_tokens), field)


def _predictor(runtime: CausalLanguage, field: str) -> Predictor:
    signature = Signature(
        task="text-generation",
        field=field,
        inputs=(Column(COLUMN, Kind.TEXT, Role.INPUT),),
        example=EXAMPLE,
    )
    encoder = Language(COLUMN, runtime.tokenizer, runtime.network.context_tokens)
    return Predictor(signature, encoder, runtime, Calibration(), recipe=RECIPE)
