"""Layers against torch's own and against hand-worked cases."""

import pytest
import torch
from torch import nn

from servery.nn.attention import SelfAttention, sine_positions
from servery.nn.convolution import ResidualBlock, WordConvolutions
from servery.nn.embedding import CategoryEmbeddings, TokenEmbedding
from servery.nn.recurrence import CELLS, BothDirections

LENGTHS = torch.tensor([5, 1, 3])
IS_TOKEN = torch.arange(5)[None, :] < LENGTHS[:, None]


@pytest.fixture
def vectors() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(3, 5, 4) * IS_TOKEN[..., None]


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_both_directions_are_torchs_packed_bidirectional_layer(cell: str, vectors: torch.Tensor) -> None:
    ours = BothDirections(cell, 4, 6)
    theirs = CELLS[cell](4, 6, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name, parameter in ours.forwards.named_parameters():
            getattr(theirs, name).copy_(parameter)
            getattr(theirs, f"{name}_reverse").copy_(getattr(ours.backwards, name))
    packed = nn.utils.rnn.pack_padded_sequence(vectors, LENGTHS, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    difference = (ours(vectors, IS_TOKEN) - expected)[IS_TOKEN]
    assert difference.abs().max() < 1e-6


def test_attention_is_torchs_with_a_padding_mask(vectors: torch.Tensor) -> None:
    ours = SelfAttention(4, 2, 0.0)
    theirs = nn.MultiheadAttention(4, 2, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.queries_keys_values.weight)
        theirs.in_proj_bias.copy_(ours.queries_keys_values.bias)
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    expected, _ = theirs(vectors, vectors, vectors, key_padding_mask=~IS_TOKEN)
    assert (ours(vectors, IS_TOKEN) - expected)[IS_TOKEN].abs().max() < 1e-6


def test_places_are_told_apart_by_their_sines() -> None:
    places = sine_positions(50, 8)
    assert places.shape == (50, 8)
    three = torch.tensor(3.0)
    assert torch.allclose(places[3, :2], torch.stack([three.sin(), three.cos()]))
    assert torch.cdist(places, places).add(torch.eye(50)).min() > 0.1


def test_a_filter_wider_than_the_text_still_answers(vectors: torch.Tensor) -> None:
    layer = WordConvolutions(4, [1, 2, 3, 4], 5)
    answers = layer(vectors, IS_TOKEN)
    assert answers.shape == (3, 20)
    alone = layer(vectors[1:2, :1], IS_TOKEN[1:2, :1])
    assert torch.allclose(answers[1:2], alone, atol=1e-6)


def test_a_fresh_residual_block_changes_nothing() -> None:
    block = ResidualBlock(8, 8, 1, 0.0)
    pixels = torch.rand(2, 8, 6, 6)
    assert torch.allclose(block(pixels), pixels)
    assert ResidualBlock(8, 16, 2, 0.0)(torch.rand(2, 8, 7, 5)).shape == (2, 16, 4, 3)


def test_a_block_is_left_out_for_some_rows_in_training_only() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(8, 8, 1, 0.5)
    nn.init.ones_(block.second[1].weight)
    pixels = torch.rand(64, 8, 4, 4)
    is_left_out = (block(pixels) == pixels).all(dim=(1, 2, 3))
    assert 0.3 < is_left_out.float().mean() < 0.7
    assert not (block.eval()(pixels) == pixels).all(dim=(1, 2, 3)).any()


def test_tokens_are_left_out_in_training_only_and_padding_never() -> None:
    torch.manual_seed(0)
    embedding = TokenEmbedding(9, 4, token_dropout=0.5, dropout=0.0)
    tokens = torch.full((100, 20), 5)
    tokens[:, 10:] = 0
    vectors, is_token = embedding(tokens)
    is_unknown = (vectors == embedding.table.weight[1]).all(dim=2)
    assert 0.4 < is_unknown[:, :10].float().mean() < 0.6
    assert (vectors[:, 10:] == 0).all()
    assert torch.equal(is_token, tokens > 0)
    assert (embedding.eval()(tokens)[0][:, :10] == embedding.table.weight[5]).all()


def test_category_vectors_grow_with_the_number_of_categories() -> None:
    embeddings = CategoryEmbeddings([3, 10, 100], largest=8)
    assert [table.embedding_dim for table in embeddings.tables] == [2, 5, 8]  # type: ignore[union-attr]
    assert embeddings(torch.tensor([[2, 9, 99], [0, 0, 0]])).shape == (2, 15)
