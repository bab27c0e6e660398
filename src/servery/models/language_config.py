"""What `config.json` of the Hugging Face layout says about a Llama-shaped language model, read and written."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from servery.errors import ArtifactError

CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"
KINDS = ("llama", "mistral", "qwen2")
"""Values of `model_type` whose networks are this one, as far as `network_arguments` does not refuse."""
ROPE_KINDS = ("default", "linear", "llama3")
THETA = 10_000.0
LARGEST = 2**31


def read_config(folder: Path) -> dict[str, Any]:
    """Return what `config.json` says, with the end tokens of `generation_config.json` if it has them.

    Raises:
        ArtifactError: It is missing or torn.
    """
    config = _read(folder / CONFIG_FILE)
    if (folder / GENERATION_FILE).exists():
        said = _read(folder / GENERATION_FILE).get("eos_token_id")
        config["eos_token_id"] = said if said is not None else config.get("eos_token_id")
    return config


def network_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the network `causal_decoder`.

    Raises:
        ArtifactError: It describes another network, or none.
    """
    kind = config.get("model_type")
    if kind not in KINDS:
        raise ArtifactError(
            f"This is a model of type {kind!r}; language models of {', '.join(KINDS)} can be read here.",
            hint="convert it to one of these shapes",
        )
    _refuse_others(config)
    heads, hidden_size = _size(config, "num_attention_heads"), _size(config, "hidden_size")
    has_bias = bool(config.get("attention_bias", False))
    rope = _rope(config)
    return {
        "vocabulary_size": _size(config, "vocab_size"),
        "hidden_size": hidden_size,
        "inner_size": _size(config, "intermediate_size"),
        "num_layers": _size(config, "num_hidden_layers"),
        "heads": heads,
        "key_value_heads": _size(config, "num_key_value_heads")
        if config.get("num_key_value_heads")
        else heads,
        "head_size": _size(config, "head_dim") if config.get("head_dim") else hidden_size // heads,
        "context_tokens": _size(config, "max_position_embeddings"),
        "norm_epsilon": float(config.get("rms_norm_eps", 1e-6)),
        "rope_theta": float(rope.pop("rope_theta", THETA)),
        "rope_scaling": rope if rope.get("rope_type", "default") != "default" else None,
        "is_tied": bool(config.get("tie_word_embeddings", False)),
        "input_bias": has_bias or kind == "qwen2",
        "output_bias": has_bias and kind != "qwen2",
    }


def end_tokens(config: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the tokens with which the model ends a text.

    Raises:
        ArtifactError: They are no numbers.
    """
    said = config.get("eos_token_id")
    tokens = said if isinstance(said, list) else [] if said is None else [said]
    if not all(type(token) is int for token in tokens):
        raise ArtifactError(f"{CONFIG_FILE} says eos_token_id is {str(said)[:100]}; it must be numbers.")
    return tuple(tokens)


def written_config(arguments: Mapping[str, Any], ends: Collection[int]) -> dict[str, Any]:
    """Return the `config.json` of a network with these arguments, as other programs read it."""
    kind = "qwen2" if arguments["input_bias"] and not arguments["output_bias"] else "llama"
    rope = {
        "rope_type": "default",
        **(arguments["rope_scaling"] or {}),
        "rope_theta": arguments["rope_theta"],
    }
    return {
        "architectures": ["LlamaForCausalLM" if kind == "llama" else "Qwen2ForCausalLM"],
        "model_type": kind,
        "vocab_size": arguments["vocabulary_size"],
        "hidden_size": arguments["hidden_size"],
        "intermediate_size": arguments["inner_size"],
        "num_hidden_layers": arguments["num_layers"],
        "num_attention_heads": arguments["heads"],
        "num_key_value_heads": arguments["key_value_heads"],
        "head_dim": arguments["head_size"],
        "max_position_embeddings": arguments["context_tokens"],
        "rms_norm_eps": arguments["norm_epsilon"],
        "rope_theta": arguments["rope_theta"],
        "rope_parameters": rope,
        "tie_word_embeddings": arguments["is_tied"],
        "attention_bias": arguments["input_bias"],
        "hidden_act": "silu",
        "dtype": "float32",
        "eos_token_id": sorted(ends) or None,
    }


def _refuse_others(config: Mapping[str, Any]) -> None:
    window, context = config.get("sliding_window"), config.get("max_position_embeddings", 0)
    others = {
        "hidden_act": config.get("hidden_act", "silu") != "silu",
        "mlp_bias": bool(config.get("mlp_bias", False)),
        "sliding_window": bool(window and window < context and config.get("use_sliding_window", True)),
        "quantization_config": config.get("quantization_config") is not None,
    }
    for name, is_other in others.items():
        if is_other:
            raise ArtifactError(
                f"The model's {name} is {str(config[name])[:100]}, which cannot be read here."
            )


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of the turns, in the names of newer layouts: older ones have them in other places."""
    said = config.get("rope_parameters") or config.get("rope_scaling") or {}
    rope = {"rope_theta": config.get("rope_theta", THETA), **said}
    kind = rope.pop("type", None) or rope.get("rope_type", "default")
    rope["rope_type"] = kind
    if kind not in ROPE_KINDS:
        raise ArtifactError(
            f"The model's rope_type is {str(kind)[:100]!r}; {', '.join(ROPE_KINDS)} can be read."
        )
    return rope


def _size(config: Mapping[str, Any], name: str) -> int:
    value = config.get(name)
    if type(value) is not int or not 1 <= value < LARGEST:
        raise ArtifactError(
            f"{CONFIG_FILE} says {name} is {str(value)[:100]}; it must be a whole number from 1."
        )
    return value


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path.name} in {path.parent.name} cannot be read: {error}.") from error
    if not isinstance(value, dict):
        raise ArtifactError(f"{path.name} in {path.parent.name} is no object.")
    return value
