"""Pretrained BERT-like encoders: the same vectors and scores as `transformers` computes from the same folder."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from servery.errors import ArtifactError, TooLongError
from servery.models.predictor import Predictor
from servery.models.runtimes.onnx import Onnx
from servery.models.sentence_encoders import read_cross_encoder, read_sentence_encoder
from servery.optimize.export import onnx_bytes

TEXTS = ["the cat sleeps", "rain", "the dog and the cat eat bread in the rain", "unknown wörds", ""]
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "the",
    "cat",
    "dog",
    "sleep",
    "##s",
    "eat",
    "bread",
    "rain",
    "in",
    "and",
]
TOLERANCE = 1e-5


def tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordPiece({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    # As the Hub's files have it: cutting and padding that a server must not do silently.
    made.enable_truncation(4)
    made.enable_padding(length=4)
    return made


def folder_of(kind: type, folder: Path) -> tuple[Path, torch.nn.Module]:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=24,
        num_labels=1,
        initializer_range=0.5,
    )
    network = kind(config).eval()
    network.save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    return folder, network


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    return folder_of(BertModel, tmp_path_factory.mktemp("embedder"))


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    return folder_of(BertForSequenceClassification, tmp_path_factory.mktemp("judge"))


def reference_vectors(network: torch.nn.Module, pooling: str) -> np.ndarray:
    plain = tokenizer()
    plain.no_truncation()
    plain.no_padding()
    rows = []
    with torch.inference_mode():
        for text in TEXTS:  # one by one: no padding to get wrong
            ids = torch.tensor([plain.encode(text).ids])
            states = network(input_ids=ids).last_hidden_state[0]
            vector = states.mean(dim=0) if pooling == "mean" else states[0]
            rows.append(torch.nn.functional.normalize(vector, dim=0))
    return torch.stack(rows).numpy()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_those_of_transformers(embedder, tmp_path, pooling):
    folder, network = embedder
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "1_Pooling").mkdir()
    told = {f"pooling_mode_{name}": name == f"{pooling}_token{'s' * (pooling == 'mean')}" for name in
            ("cls_token", "mean_tokens")}  # fmt: skip
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(told))
    answers = read_sentence_encoder(tmp_path).predict([{"text": text} for text in TEXTS])
    mine = np.array([answer.embedding for answer in answers])
    assert np.abs(mine - reference_vectors(network, pooling)).max() < TOLERANCE
    assert [answer.tokens for answer in answers] == [6, 3, 12, 4, 2]


SMALL = {"vocab_size": len(WORDS), "max_position_embeddings": 24, "initializer_range": 0.5}
OTHERS = {
    "xlm-roberta": lambda: XLMRobertaModel(
        XLMRobertaConfig(
            **{**SMALL, "max_position_embeddings": 26},
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=32,
            pad_token_id=1,
        )
    ),
    "distilbert": lambda: DistilBertModel(
        DistilBertConfig(**SMALL, dim=16, n_layers=2, n_heads=4, hidden_dim=32)
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_encoders_of_the_kind_give_the_vectors_of_transformers(kind, tmp_path):
    torch.manual_seed(0)
    network = OTHERS[kind]().eval()
    network.save_pretrained(tmp_path)
    plain = tokenizer()
    plain.save(str(tmp_path / "tokenizer.json"))
    # The unknown word is token 1, which is padding to XLM-RoBERTa: texts of known words only.
    texts = [text for text in TEXTS if "unknown" not in text]
    answers = read_sentence_encoder(tmp_path).predict([{"text": text} for text in texts])
    plain.no_truncation()
    plain.no_padding()
    expected = []
    with torch.inference_mode():
        for text in texts:
            states = network(input_ids=torch.tensor([plain.encode(text).ids])).last_hidden_state[0]
            expected.append(torch.nn.functional.normalize(states.mean(dim=0), dim=0).numpy())
    assert np.abs(np.array([answer.embedding for answer in answers]) - np.array(expected)).max() < TOLERANCE


def test_scores_of_pairs_are_those_of_transformers(judge):
    folder, network = judge
    pairs = [("the cat", text) for text in TEXTS]
    plain = tokenizer()
    plain.no_truncation()
    plain.no_padding()
    expected = []
    with torch.inference_mode():
        for pair in pairs:
            row = plain.encode(*pair)
            ids, parts = torch.tensor([row.ids]), torch.tensor([row.type_ids])
            expected.append(network(input_ids=ids, token_type_ids=parts).logits[0, 0].sigmoid().item())
    examples = [{"query": query, "document": document} for query, document in pairs]
    answers = read_cross_encoder(folder).predict(examples)
    assert [answer.score for answer in answers] == pytest.approx(expected, abs=TOLERANCE)
    assert max(expected) - min(expected) > 0.1  # seeded weights that tell the pairs apart


def test_a_model_is_saved_loaded_and_exported_and_answers_the_same(embedder, tmp_path):
    made = read_sentence_encoder(embedder[0], field="sentiment-analysis")
    examples = [{"text": text} for text in TEXTS]
    again = Predictor.load(made.save(tmp_path))
    assert again.predict(examples) == made.predict(examples)
    exported = Onnx(onnx_bytes(made.runtime.network, made.encode(examples)), 1)
    for rows in (examples, examples[:1]):
        assert np.abs(exported.run(made.encode(rows)) - made.run(made.encode(rows))).max() < TOLERANCE


def test_a_text_over_the_models_length_is_refused_and_never_cut(embedder, tmp_path):
    long = {"text": "the cat " * 12}
    with pytest.raises(TooLongError, match="26 tokens; this model reads at most 24"):
        read_sentence_encoder(embedder[0]).predict([long])
    for file in embedder[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 5}')
    shorter = read_sentence_encoder(tmp_path)
    with pytest.raises(TooLongError, match="at most 5"):
        shorter.predict([{"text": TEXTS[0]}])
    assert shorter.encoder.encode([long], cut=True)["tokens"].shape == (1, 5)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("config.json", '{"model_type": "t5"}', "'t5'"),
        ("config.json", "[]", "no object"),
        ("config.json", "{", "cannot be read"),
        ("config.json", '{"model_type": "bert"}', "vocab_size"),
        ("model.safetensors", "hello", "cannot be read"),
        ("tokenizer.json", "{}", "tokenizer"),
    ],
)
def test_a_folder_that_holds_no_such_model_is_refused(embedder, tmp_path, file, content, words):
    for source in embedder[0].iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / file).write_text(content)
    with pytest.raises(ArtifactError, match=words):
        read_sentence_encoder(tmp_path)


def test_an_encoder_without_a_score_is_no_cross_encoder(embedder):
    with pytest.raises(ArtifactError, match="score"):
        read_cross_encoder(embedder[0])
