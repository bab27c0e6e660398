"""Llama-shaped language models in torch, in the Hugging Face layout; many texts grow side by side in one pass."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.growing import GrowingRuntime, Growth
from servery.models.language_config import (
    CONFIG_FILE,
    end_tokens,
    network_arguments,
    read_config,
    written_config,
)
from servery.models.language_tokenizer import LanguageTokenizer
from servery.models.text_growth import TextGrowth, grown, most_tokens
from servery.models.text_scoring import scored
from servery.nn.key_value_pages import PAGE_TOKENS
from servery.nn.network import build_network
from servery.nn.networks.causal_decoder import CausalDecoder
from servery.nn.steadiness import least_steady_rows
from servery.tasks.growing import Piece
from servery.tasks.task import Parameters

FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
CHUNK_TOKENS = 256
"""Tokens of prompts that are read in one step, about: so long do those under way wait for newcomers. A prompt is cut
into chunks of this size whatever runs beside it, so that it always reads the same."""

Result = Piece | Exception | None


class CausalLanguage(GrowingRuntime):
    """A decoder on the CPU with the keys and values of every text under way.

    A text's logits are the same to the last bit whatever grows beside it: prompts are read in passes of their own, cut
    the same way; products have enough rows that their number no longer changes the rounding; and attention reads whole
    pages of one text at a time.

    Args:
        network: The trained network.
        tokenizer: Tokens to text.
        end_tokens: Tokens with which the model itself ends a text.
    """

    name = "causal_language"

    def __init__(
        self, network: CausalDecoder, tokenizer: LanguageTokenizer, end_tokens: Collection[int]
    ) -> None:
        self.network = network.cpu().float().eval()
        self.network.join()
        self.tokenizer = tokenizer
        self.end_tokens = frozenset(end_tokens)
        self._pages = self.network.pages()
        self._least_rows = least_steady_rows(self.network.products())

    @property
    def pages_in_use(self) -> int:
        """Pages of keys and values that belong to texts under way."""
        return self._pages.pages_in_use

    def run(self, batch: Batch) -> np.ndarray:
        """Return the log of each token's chance, see `scored`: objects, (rows,), each float32, (tokens, 2)."""
        size = self.network.lm_head.out_features
        return scored(batch, self.logits, size, self.network.context_tokens)

    def logits(self, tokens: np.ndarray) -> np.ndarray:
        """Return the logits of what follows each token, float32, (rows, length, vocabulary).

        Args:
            tokens: int64, (rows, length).
        """
        with torch.inference_mode():
            return self.network(torch.from_numpy(tokens)).numpy()  # type: ignore[no-any-return]

    def begin(self, batch: Batch, parameters: Parameters) -> TextGrowth:
        """Return a text that is about to grow.

        Raises:
            TooLongError: The context has no room for as many tokens as are asked for.
        """
        prompt = batch["tokens"][0, : batch["lengths"][0]].tolist()
        asked, most = most_tokens(parameters, len(prompt), self.network.context_tokens)
        return TextGrowth(
            prompt, asked, most, self.tokenizer, self.end_tokens, token_bytes=self._pages.token_bytes
        )

    def step(self, growths: Sequence[Growth]) -> list[Result]:
        """Add a token to each text whose prompt is read, and read on in the others, the first ones first."""
        texts = [_text(growth) for growth in growths]
        read: dict[int, int] = {}  # place in `texts` to tokens read in this step
        results: list[Result] = [None] * len(texts)
        logits: dict[int, np.ndarray] = {}
        with torch.inference_mode():
            going = [place for place, text in enumerate(texts) if text.unread == 1]
            # Texts with equally many pages side by side.
            going.sort(key=lambda place: texts[place].read // PAGE_TOKENS)
            if going:
                rows = self._logits([texts[place] for place in going], 1)
                logits = dict(zip(going, rows, strict=True))
                read = dict.fromkeys(going, 1)
            for place, count in _chunks(texts):
                try:
                    logits[place] = self._logits([texts[place]], count)[0]
                    read[place] = count
                except Exception as error:  # it is told to its own client, not to the neighbours
                    results[place] = error
        for place, count in read.items():
            texts[place].read += count
            if not texts[place].unread:
                results[place] = grown(texts[place], logits[place])
        return results

    def end(self, growths: Sequence[Growth]) -> None:
        """Take their pages back."""
        for growth in growths:
            text = _text(growth)
            self._pages.give_back(text.pages)
            text.pages = []

    def _logits(self, texts: Sequence[TextGrowth], count: int) -> np.ndarray:
        """Read `count` more tokens of each text; return the logits of what follows, (texts, vocabulary)."""
        for text in texts:
            missing = -(-(text.read + count) // PAGE_TOKENS) - len(text.pages)
            text.pages += self._pages.take(missing) if missing > 0 else []
        step = self.network.step(
            [text.tokens[text.read : text.read + count] for text in texts],
            [text.read for text in texts],
            [text.pages for text in texts],
            self._pages,
        )
        return self.network.advance(step, self._pages, self._least_rows).numpy()

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, as other programs read them."""
        weights = {
            name: tensor.clone(memory_format=torch.contiguous_format)
            for name, tensor in self.network.state_dict().items()
        }
        if self.network.is_tied:
            weights.pop(HEAD)
        save_file(weights, folder / FILE, metadata={"format": "pt"})
        config = written_config(self.network.arguments, self.end_tokens)
        (folder / CONFIG_FILE).write_text(json.dumps(config), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> CausalLanguage:
        """Read a folder in the Hugging Face layout; sets the threads of torch in this process.

        Raises:
            ArtifactError: It is torn, or of another kind of network.
        """
        torch.set_num_threads(threads)
        config = read_config(folder)
        network = built_network(network_arguments(config))
        try:
            weights = _weights(folder)
            if network.is_tied:
                weights[HEAD] = weights[EMBEDDING]
            network.load_state_dict(weights)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ArtifactError(f"The weights in {folder.name} cannot be read: {error}.") from error
        return cls(network, LanguageTokenizer.read(folder), end_tokens(config))


def built_network(arguments: dict[str, Any]) -> CausalDecoder:
    """Return the network with fresh weights."""
    network = build_network(CausalDecoder.name, arguments)
    assert isinstance(network, CausalDecoder)
    return network


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    index = folder / INDEX_FILE
    names = [FILE]
    if index.exists():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    weights: dict[str, torch.Tensor] = {}
    for name in names:
        if Path(name).name != name:
            raise ValueError(f"{INDEX_FILE} names {name[:100]!r}, which is no file of this folder")
        weights |= load_file(folder / name)
    # Older exports kept what can be computed.
    return {name: tensor.float() for name, tensor in weights.items() if not name.endswith(".inv_freq")}


def _chunks(texts: Sequence[TextGrowth]) -> Iterator[tuple[int, int]]:
    """Yield whose prompts are read on in this step, and by how many tokens."""
    room = CHUNK_TOKENS
    for place, text in enumerate(texts):
        if text.unread > 1 and room > 0:
            count = min(text.unread, CHUNK_TOKENS)
            room -= count
            yield place, count


def _text(growth: Growth) -> TextGrowth:
    assert isinstance(growth, TextGrowth)
    return growth


RUNTIME = CausalLanguage
