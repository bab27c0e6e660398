"""Tiny pretrained models made on the spot from their configs, in the Hugging Face layout, one a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

TEXTS = [
    "the quick brown fox jumps over the lazy dog",
    "ada lovelace lived in london",
    "the sky is blue and the grass is green",
    "早上好，今天天气很好",
]
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "initializer_range": 0.5,
}
PICTURE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
    "initializer_range": 0.5,
    "id2label": {0: "cat", 1: "dog", 2: "fox"},
}
YOLOS: dict[str, Any] = {
    **PICTURE,
    "initializer_range": 0.1,
    "image_size": [32, 48],
    "num_detection_tokens": 6,
}
SEGFORMER: dict[str, Any] = {
    "depths": [1, 1, 1, 1],
    "hidden_sizes": [8, 8, 16, 16],
    "num_attention_heads": [1, 1, 2, 2],
    "decoder_hidden_size": 16,
    "initializer_range": 0.1,
    "id2label": {0: "sky", 1: "sea", 2: "sand"},
}
WRITER: dict[str, Any] = {
    "d_model": 32,
    **{
        f"{side}_{what}": size
        for side in ("encoder", "decoder")
        for what, size in (("layers", 1), ("ffn_dim", 48))
    },
    **{f"{side}_attention_heads": 4 for side in ("encoder", "decoder")},
    "max_position_embeddings": 32,
    "init_std": 0.5,
    **{"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 3},
    "forced_eos_token_id": 3,
    "task_specific_params": {"summarization": {"prefix": "the sky ", "max_length": 12, "num_beams": 2}},
}
LABELS = {0: "bad", 1: "fine", 2: "good"}
TAGS = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "classification": ("BertConfig", "BertForSequenceClassification", {**SHAPE, "id2label": LABELS}),
    "multi-label-classification": (
        "RobertaConfig",
        "RobertaForSequenceClassification",
        {**SHAPE, "id2label": LABELS, "problem_type": "multi_label_classification", "type_vocab_size": 1},
    ),
    "text-ranking": ("BertConfig", "BertForSequenceClassification", {**SHAPE, "num_labels": 1}),
    "tagging": ("BertConfig", "BertForTokenClassification", {**SHAPE, "id2label": TAGS}),
    "fill-mask": ("BertConfig", "BertForMaskedLM", SHAPE),
    "sentence-embedding": ("MPNetConfig", "MPNetModel", SHAPE),
    "summarization": ("BartConfig", "BartForConditionalGeneration", WRITER),
    "image-classification": ("ViTConfig", "ViTForImageClassification", PICTURE),
    "image-detection": ("YolosConfig", "YolosForObjectDetection", YOLOS),
    "image-segmentation": ("SegformerConfig", "SegformerForSemanticSegmentation", SEGFORMER),
}
"""Name of a task to the library's classes of config and model, and the config."""


def make(task: str, folder: Path) -> Path:
    """Write a model that answers a task, seeded; return its folder."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    size = 0 if task.startswith("image") else _write_tokenizer(folder)
    config_name, model_name, said = KINDS[task]
    more = {"vocab_size": size} if size else {}
    torch.manual_seed(0)
    transformers.utils.logging.disable_progress_bar()
    config = getattr(transformers, config_name)(**said, **more)
    getattr(transformers, model_name)(config).save_pretrained(folder)
    return folder


def _write_tokenizer(folder: Path) -> int:
    words = sorted({word for text in TEXTS for word in text.split()})
    letters = sorted({letter for text in TEXTS for letter in text if letter != " "})
    pieces = [*MARKS, *words, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in MARKS])
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return int(tokenizer.get_vocab_size())
