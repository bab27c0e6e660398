"""From a folder with a pretrained BERT-like encoder, as the Hub has them, to a model that embeds or ranks texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer

from servery.data.columns import Column, Kind, Role
from servery.errors import ArtifactError
from servery.models.encoder_layouts import LAYOUTS
from servery.models.encoders.pretrained_tokens import PretrainedTokens, read_tokenizer
from servery.models.predictor import Predictor
from servery.models.runtimes.torch_network import TorchNetwork
from servery.models.signature import Signature
from servery.nn.network import build_network
from servery.tasks.sentence_embedding import SENTENCE_EMBEDDING
from servery.tasks.task import Calibration
from servery.tasks.text_ranking import TEXT_RANKING


def read_sentence_encoder(folder: Path, field: str = "text") -> Predictor:
    """Return a model that turns a text into a vector.

    Args:
        folder: With `config.json` of a type in `LAYOUTS`, `model.safetensors` and `tokenizer.json`; the folders of
            Sentence Transformers besides say how the tokens' vectors are pooled (else their mean) and how long a text
            may be.
        field: The field the model is for.

    Raises:
        ArtifactError: The folder holds no such model.
    """
    return _read(folder, field, SENTENCE_EMBEDDING.name, ("text",), pooling_of(folder), "A short text.")


def read_cross_encoder(folder: Path, field: str = "text") -> Predictor:
    """Return a model that scores how well a document answers a query.

    Args:
        folder: As for `read_sentence_encoder`, of a sequence classifier with one label.
        field: The field the model is for.

    Raises:
        ArtifactError: The folder holds no such model.
    """
    example = {"query": "A question?", "document": "An answer."}
    return _read(folder, field, TEXT_RANKING.name, ("query", "document"), "score", example)


@dataclass(frozen=True)
class PretrainedBert:
    """What a folder with a pretrained encoder holds.

    Attributes:
        arguments: What `nn.networks.bert_encoder` is built with.
        weights: By our names of them, float32.
        tokenizer: As it was read.
        max_tokens: Longest text it reads.
    """

    arguments: dict[str, Any]
    weights: dict[str, torch.Tensor]
    tokenizer: Tokenizer
    max_tokens: int


def pooling_of(folder: Path) -> str:
    """Return how a text's vector is made of its tokens' vectors: "mean", or "first".

    Raises:
        ArtifactError: The folder asks for another way.
    """
    told = _json(folder / "1_Pooling" / "config.json", optional=True)
    if told and not (told.get("pooling_mode_cls_token") or told.get("pooling_mode_mean_tokens")):
        raise ArtifactError(
            f"{folder.name} pools its tokens in a way that is not known here; mean or cls is."
        )
    return "first" if told.get("pooling_mode_cls_token") else "mean"


def read_bert(folder: Path, pooling: str) -> PretrainedBert:
    """Read a pretrained encoder of the BERT kind: its shape, weights and tokenizer.

    Args:
        folder: As for `read_sentence_encoder`.
        pooling: As `nn.networks.bert_encoder` has it; decides which weights are wanted.

    Raises:
        ArtifactError: The folder holds no such model.
    """
    config = _json(folder / "config.json")
    layout = LAYOUTS.get(str(config.get("model_type")))
    if layout is None or config.get(layout.activation, "gelu") != "gelu":
        raise ArtifactError(
            f"{folder.name} is of type {config.get('model_type')!r} with "
            f"{config.get(layout.activation if layout else 'hidden_act')!r}; "
            f"{', '.join(map(repr, LAYOUTS))} with 'gelu' are read."
        )
    try:
        arguments = {**layout.arguments(config), "pooling": pooling}
        found = layout.weights(load_file(folder / "model.safetensors"), config)
        wanted = build_network("bert_encoder", arguments).state_dict()
        weights = {name: found[name].float() for name in wanted}
        if wrong := [name for name, weight in weights.items() if weight.shape != wanted[name].shape]:
            raise ValueError(f"{wrong[0]} is not of the shape that config.json says")
        tokenizer = read_tokenizer((folder / "tokenizer.json").read_text(encoding="utf-8"))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ArtifactError(f"The model in {folder.name} cannot be read: {error!r}.") from error
    told = _json(folder / "sentence_bert_config.json", optional=True)
    longest = min(told.get("max_seq_length") or arguments["max_tokens"], arguments["max_tokens"])
    return PretrainedBert(arguments, weights, tokenizer, longest)


def _read(
    folder: Path, field: str, task: str, columns: tuple[str, ...], pooling: str, example: Any
) -> Predictor:
    read = read_bert(folder, pooling)
    network = build_network("bert_encoder", read.arguments)
    network.load_state_dict(read.weights)
    signature = Signature(
        task=task,
        field=field,
        inputs=tuple(Column(name, Kind.TEXT, Role.INPUT) for name in columns),
        example=example,
    )
    encoder = PretrainedTokens(columns, read.tokenizer, read.max_tokens)
    return Predictor(signature, encoder, TorchNetwork(network), Calibration(), recipe="pretrained-bert")


def _json(path: Path, optional: bool = False) -> dict[str, Any]:
    if optional and not path.exists():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path.name} cannot be read: {error}.") from error
    if not isinstance(value, dict):
        raise ArtifactError(f"{path.name} is no object.")
    return value
