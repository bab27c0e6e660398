"""Summaries by encoders with decoders: BART, T5, Pegasus and their children."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from servery.models.encoder import Batch
from servery.models.encoders.pretrained_articles import WAYS, PretrainedArticles
from servery.models.encoders.pretrained_tokens import read_tokenizer
from servery.models.predictor import Predictor
from servery.models.pretrained_kind import PretrainedFolder, PretrainedKind, text_columns
from servery.models.runtimes.hugging_face import HuggingFace
from servery.models.signature import Signature
from servery.tasks.task import Calibration
from servery.tasks.written import Candidate, Written, outputs_of

TYPES = frozenset(
    {"bart", "mbart", "t5", "mt5", "umt5", "longt5", "pegasus", "pegasus_x", "bigbird_pegasus", "led"}
)
"""What `config.json` calls the models that read texts; others of the same architecture read pictures or sound."""
USUAL: Mapping[str, float] = {"beam_size": 4, "length_penalty": 1.0, "most_tokens": 128}
"""Where neither the caller nor the model's files say how to write."""
THEIR_NAMES = {"beam_size": "num_beams", "length_penalty": "length_penalty", "most_tokens": "max_length"}
REPEATED, LEAST = "no_repeat_ngram_size", "min_length"


class ConditionalGeneration(PretrainedKind):
    """`...ForConditionalGeneration` that reads texts, taught to summarize."""

    name = "conditional_generation"
    tasks = ("summarization",)
    auto_class = "AutoModelForSeq2SeqLM"

    def reads(self, folder: PretrainedFolder) -> bool:
        """Whether it reads a text and writes another."""
        is_writer = folder.architecture.endswith("ForConditionalGeneration")
        return is_writer and folder.config.get("model_type") in TYPES

    def predictor(self, folder: PretrainedFolder, threads: int) -> Predictor:
        """Return the model; how it likes to write is told by its files."""
        signature = Signature(
            task=self.tasks[0],
            field=folder.field or "text-summarization",
            inputs=text_columns("text"),
            example="A short text. It has two sentences.",
        )
        own = (folder.config.get("task_specific_params") or {}).get("summarization") or {}
        told = {**folder.config, **folder.read_json("generation_config.json"), **own}
        encoder = PretrainedArticles(
            ["text"], folder.tokenizer, folder.longest_tokens, str(own.get("prefix") or "")
        )
        settings = {
            "tokenizer": folder.tokenizer.to_str(),
            **{name: int(told.get(name) or 0) for name in (REPEATED, LEAST)},
            **{way: float(told.get(THEIR_NAMES[way]) or usual) for way, usual in USUAL.items()},
        }
        runtime = HuggingFace(folder.path, self.name, settings)
        return Predictor(signature, encoder, runtime, Calibration(), "pretrained")

    def computed(
        self, model: Any, inputs: Mapping[str, Any], batch: Batch, settings: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the written tokens of each row, int64, (rows, longest), and how likely each is, (rows,)."""
        ways = np.stack([np.where(np.isnan(batch[way]), settings[way], batch[way]) for way in WAYS], axis=1)
        written: list[list[int]] = []
        chances = np.zeros(len(ways), np.float32)
        for row, (beams, penalty, most) in enumerate(ways.tolist()):
            is_token = batch["is_token"][row] > 0
            alone = {name: value[row : row + 1, is_token] for name, value in inputs.items()}
            found = model.generate(
                **alone,
                num_beams=max(int(beams), 2),  # a single row has no score of its own
                length_penalty=penalty,
                max_length=None,
                max_new_tokens=int(most),
                min_length=None,
                min_new_tokens=min(settings[LEAST], int(most)),
                no_repeat_ngram_size=settings[REPEATED],
                do_sample=False,
                early_stopping=True,
                output_scores=True,
                return_dict_in_generate=True,
            )
            written.append(found.sequences[0].tolist())
            chances[row] = np.exp(min(float(found.sequences_scores[0]), 0.0))
        tokens = np.zeros((len(written), max(map(len, written))), np.int64)
        for row, numbers in enumerate(written):
            tokens[row, : len(numbers)] = numbers
        lengths = np.array([len(numbers) for numbers in written], np.int64)
        return {"tokens": tokens, "lengths": lengths, "chances": chances}

    def outputs(
        self, found: Mapping[str, np.ndarray], batch: Batch, settings: Mapping[str, Any], folder: Path
    ) -> np.ndarray:
        """Return the summaries, objects, (rows,): see `servery.tasks.written`; of an empty text an empty one."""
        tokenizer = _tokenizer(settings["tokenizer"])
        rows = []
        for row, characters in enumerate(batch["characters"].tolist()):
            numbers = found["tokens"][row, : found["lengths"][row]].tolist()
            text = tokenizer.decode(numbers, skip_special_tokens=True).strip() if characters else ""
            score = round(float(found["chances"][row]), 4) if characters else 0.0
            rows.append(Written((Candidate(text, score),), characters, is_cut=bool(batch["is_cut"][row])))
        return outputs_of(rows)


@lru_cache(8)
def _tokenizer(text: str) -> Tokenizer:
    return read_tokenizer(text)


CONDITIONAL_GENERATION = ConditionalGeneration()
