"""The decoder token by token: the same numbers as at once, and to the last bit whatever runs beside it."""

from __future__ import annotations

import pytest
import torch

from servery.nn.key_value_pages import FIRST_PAGES, PAGE_TOKENS, KeyValuePages
from servery.nn.network import build_network
from servery.nn.networks.causal_decoder import CausalDecoder
from servery.nn.rotary import rotated, rotation_rates, rotations
from servery.nn.steadiness import TRIED_ROWS, least_steady_rows

ARGUMENTS = {
    "vocabulary_size": 97,
    "hidden_size": 48,
    "inner_size": 112,
    "num_layers": 2,
    "heads": 6,
    "key_value_heads": 2,
    "head_size": 8,
    "context_tokens": 400,
    "norm_epsilon": 1e-6,
    "rope_theta": 10_000.0,
    "rope_scaling": None,
    "is_tied": False,
    "input_bias": True,
    "output_bias": False,
}


@pytest.fixture(params=[False, True], ids=["separate", "joined"])
def network(request: pytest.FixtureRequest) -> CausalDecoder:
    torch.manual_seed(0)
    made = build_network("causal_decoder", ARGUMENTS).eval()
    assert isinstance(made, CausalDecoder)
    if request.param:
        made.join()
    return made


def texts(count: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(0, 97, (3 + 7 * row,), generator=generator).tolist() for row in range(count)]


def grow(
    network: CausalDecoder, prompts: list[list[int]], steps: int, least_rows: int
) -> list[list[torch.Tensor]]:
    """Read each prompt alone, then take steps together; return the logits of each text."""
    pages = network.pages()
    tokens = [list(prompt) for prompt in prompts]
    owned: list[list[int]] = [[] for _ in prompts]
    logits: list[list[torch.Tensor]] = [[] for _ in prompts]

    def advance(rows: list[int], counts: int) -> None:
        for row in rows:
            owned[row] += pages.take(-(-len(tokens[row]) // PAGE_TOKENS) - len(owned[row]))
        starts = [len(tokens[row]) - counts for row in rows]
        new = [tokens[row][-counts:] for row in rows]
        step = network.step(new, starts, [owned[row] for row in rows], pages)
        for row, found in zip(rows, network.advance(step, pages, least_rows), strict=True):
            logits[row].append(found)
            tokens[row].append(int(found.argmax()))

    with torch.inference_mode():
        for row in range(len(prompts)):
            advance([row], len(prompts[row]))
        for _ in range(steps):
            advance(sorted(range(len(prompts)), key=lambda row: len(tokens[row]) // PAGE_TOKENS), 1)
    return logits


def test_token_by_token_gives_the_logits_of_the_whole_text(network: CausalDecoder) -> None:
    prompts = texts(12)
    for prompt, logits in zip(prompts, grow(network, prompts, 5, 4), strict=True):
        whole = [*prompt, *[int(row.argmax()) for row in logits]]
        expected = network(torch.tensor([whole]))[0, len(prompt) - 1 : -1]
        assert torch.allclose(torch.stack(logits), expected, atol=1e-5)


def test_a_text_has_the_same_bits_alone_and_beside_others(network: CausalDecoder) -> None:
    least_rows = least_steady_rows(
        [*network.products(), *(w.data for w in network.parameters() if w.ndim == 2)]
    )
    prompts = texts(32)
    together = grow(network, prompts, 8, least_rows)
    for row in (0, 1, 8, 9, 17, 31):
        alone = grow(network, [prompts[row]], 8, least_rows)[0]
        assert all(torch.equal(a, b) for a, b in zip(alone, together[row], strict=True))


def test_reading_a_prompt_in_chunks_gives_the_same_logits(network: CausalDecoder) -> None:
    prompt = texts(20)[-1]
    pages = network.pages()
    owned = pages.take(-(-len(prompt) // PAGE_TOKENS))
    with torch.inference_mode():
        for start in range(0, len(prompt), 50):
            step = network.step([prompt[start : start + 50]], [start], [owned], pages)
            last = network.advance(step, pages)
        assert torch.allclose(last, network(torch.tensor([prompt]))[:, -1], atol=1e-5)


def test_pages_double_when_none_is_free_and_are_let_go_when_none_is_used() -> None:
    pages = KeyValuePages(num_layers=2, key_value_heads=2, head_size=4)
    first = pages.take(FIRST_PAGES)
    written = pages.places_of(torch.tensor([first[3]]), torch.tensor([5])).flatten()
    pages.write(1, written, torch.ones(2, 4), torch.full((2, 4), 2.0))
    more = pages.take(1)
    assert pages.pages_in_use == FIRST_PAGES + 1
    assert not set(first) & set(more)
    keys, values = pages.read(1, pages.shelves_of(torch.tensor([[first[3]]])))
    assert keys.shape == (1, 2, PAGE_TOKENS, 4)
    assert keys[0, :, 5].eq(1).all()
    assert values[0, :, 5].eq(2).all()
    assert keys.sum() == 8
    pages.give_back([*first, *more])
    assert (pages.pages_in_use, pages.size_bytes) == (0, 0)


def test_turning_depends_on_the_distance_alone() -> None:
    rates = rotation_rates(8, 10_000.0)
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(8, generator=generator), torch.randn(8, generator=generator)

    def product(first: int, second: int) -> torch.Tensor:
        places = rotations(torch.tensor([first, second]), rates)
        turned = rotated(torch.stack([query, key]), *places)
        return turned[0] @ turned[1]

    assert torch.allclose(product(3, 9), product(103, 109), atol=1e-4)


def test_steadiness_is_one_of_the_tried_counts_and_holds_for_every_weight() -> None:
    weights = [torch.randn(64, 48), torch.randn(300, 64)]
    least = least_steady_rows(weights)
    assert least in TRIED_ROWS
    for weight in weights:
        rows = torch.randn(40, weight.shape[1])
        many = torch.nn.functional.linear(rows, weight)
        assert torch.equal(torch.nn.functional.linear(rows[:least], weight), many[:least])
