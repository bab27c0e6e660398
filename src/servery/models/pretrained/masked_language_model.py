"""Words at a mask, by the encoders that were taught with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tokenizers import Tokenizer

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.encoders.masked_tokens import MaskedTokens
from servery.models.encoders.pretrained_tokens import read_tokenizer
from servery.models.predictor import Predictor
from servery.models.pretrained_kind import PretrainedFolder, PretrainedKind, text_columns
from servery.models.runtimes.hugging_face import HuggingFace
from servery.models.sampling import likeliest, log_chances
from servery.models.signature import Signature
from servery.tasks.fill_mask import MOST_CANDIDATES, Filling
from servery.tasks.task import Calibration

MASKS = ("[MASK]", "<mask>")


class MaskedLanguageModel(PretrainedKind):
    """`...ForMaskedLM`."""

    name = "masked_language_model"
    tasks = ("fill-mask",)
    auto_class = "AutoModelForMaskedLM"

    def reads(self, folder: PretrainedFolder) -> bool:
        """Whether it fills masks."""
        return folder.architecture.endswith("ForMaskedLM")

    def predictor(self, folder: PretrainedFolder, threads: int) -> Predictor:
        """Return the model.

        Raises:
            ArtifactError: Its tokenizer has no mask.
        """
        tokenizer = folder.tokenizer
        mask = next((mask for mask in MASKS if tokenizer.token_to_id(mask) is not None), None)
        if mask is None:
            raise ArtifactError(
                f"The tokenizer of {folder.path.name} has none of the masks {', '.join(MASKS)}."
            )
        signature = Signature(
            task=self.tasks[0],
            field=folder.field or "natural-language-processing",
            inputs=text_columns("text"),
            example=f"The sky is {mask}.",
        )
        encoder = MaskedTokens(["text"], tokenizer, folder.longest_tokens, mask)
        settings = {"mask": encoder.mask_number, "tokenizer": tokenizer.to_str()}
        return Predictor(
            signature, encoder, HuggingFace(folder.path, self.name, settings), Calibration(), "pretrained"
        )

    def outputs(
        self, found: Mapping[str, np.ndarray], batch: Batch, settings: Mapping[str, Any], folder: Path
    ) -> np.ndarray:
        """Return the likeliest fillings of each row as JSON, objects, (rows,)."""
        tokenizer = _tokenizer(settings["tokenizer"])
        rows = np.empty(len(batch["tokens"]), object)
        for row, (tokens, is_token) in enumerate(zip(batch["tokens"], batch["is_token"], strict=True)):
            place = int(np.flatnonzero(tokens == settings["mask"])[0])
            chances = log_chances(found["logits"][row, place])
            fillings = [
                _filling(
                    tokenizer, tokens[is_token > 0].tolist(), place, number, float(np.exp(chances[number]))
                )
                for number in likeliest(chances, min(MOST_CANDIDATES, len(chances)))
            ]
            rows[row] = msgspec.json.encode(fillings).decode()
        return rows


def _filling(tokenizer: Tokenizer, tokens: list[int], place: int, number: int, score: float) -> Filling:
    filled = [*tokens[:place], number, *tokens[place + 1 :]]
    return Filling(number, tokenizer.decode([number]), score, tokenizer.decode(filled))


@lru_cache(8)
def _tokenizer(text: str) -> Tokenizer:
    return read_tokenizer(text)


MASKED_LANGUAGE_MODEL = MaskedLanguageModel()
