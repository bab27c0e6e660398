"""Makes longer recordings of several words from recordings of single words: connected speech whose text is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from servery.data.audio import samples_of, wav_of
from servery.data.parts import part_of
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.errors import DataError

LONGEST_WORD_SECONDS = 10.0


@dataclass(frozen=True)
class ConnectedSpeech:
    """How recordings of one word each are joined; the same file always gives the same sequences.

    A sequence holds one speaker's words, each recording once in a round, with silence before, between and after
    them and noise over all of it. Words of one block of takes stay among themselves, and the block is told, so that
    a validation part can be cut without a recording in common. A training file also gives every word alone: from these
    a model learns to tell words apart, which it may never do where it has to part them first.

    Attributes:
        word: Column of what is said.
        speaker: Column of who says it.
        take: Column of whole numbers: which time it is said.
        takes_a_block: Takes that are mixed with each other.
        fewest_words: In one sequence.
        most_words: In one sequence.
        rounds: How often each recording is used.
        silence_seconds: Shortest and longest silence between two words.
        noise_decibels: Softest and loudest noise, in decibels under the words' mean power.
    """

    word: str
    speaker: str
    take: str
    takes_a_block: int = 5
    fewest_words: int = 2
    most_words: int = 7
    rounds: int = 2
    silence_seconds: tuple[float, float] = (0.05, 0.4)
    noise_decibels: tuple[float, float] = (-40.0, -15.0)

    def read(self, path: Path) -> RawTable:
        """Read a file of single words and return sequences: `audio`, `text`, `speaker`, `block`.

        Raises:
            DataError: The file cannot be read, or has recordings of different rates.
        """
        table = read_raw(path)
        words: dict[tuple[str, int], list[tuple[str, np.ndarray]]] = defaultdict(list)
        rates = set()
        for audio, word, speaker, take in zip(
            *(table.values[name] for name in ("audio", self.word, self.speaker, self.take)), strict=True
        ):
            samples, rate = samples_of(audio, LONGEST_WORD_SECONDS)
            rates.add(rate)
            words[str(speaker), int(take) // self.takes_a_block].append((str(word), samples))
        if len(rates) != 1:
            raise DataError(f"{path.name} has recordings of {len(rates)} rates; only equal ones are joined.")
        is_training = part_of(path.stem) == "train"
        rows = [
            (audio, text, speaker, block)
            for (speaker, block), spoken in sorted(words.items(), key=lambda item: item[0])
            for audio, text in self._sequences(spoken, max(rates), [block, *speaker.encode()], is_training)
        ]
        audios, texts, speakers, blocks = (object_array(list(column)) for column in zip(*rows, strict=True))
        first = {block: block * self.takes_a_block for block in blocks}
        named = [f"takes {first[block]} to {first[block] + self.takes_a_block - 1}" for block in blocks]
        values = {"audio": audios, "text": texts, "speaker": speakers, "block": object_array(named)}
        made = f"joined from {len(table):,} recordings of single words"
        return RawTable(values, np.arange(1, len(rows) + 1, dtype=np.int64), facts={"made": made})

    def _sequences(
        self, spoken: Sequence[tuple[str, np.ndarray]], rate: int, seed: list[int], is_training: bool
    ) -> list[tuple[bytes, str]]:
        chance = np.random.default_rng(seed)
        alone = spoken if is_training else ()
        made = [(wav_of(self._joined([samples], rate, chance), rate), word) for word, samples in alone]
        for _ in range(self.rounds):
            left = list(chance.permutation(len(spoken)))
            while len(left) >= self.fewest_words:
                count = int(chance.integers(self.fewest_words, self.most_words + 1))
                chosen, left = [spoken[place] for place in left[:count]], left[count:]
                text = " ".join(word for word, _ in chosen)
                made.append((wav_of(self._joined([s for _, s in chosen], rate, chance), rate), text))
        return made

    def _joined(self, words: Sequence[np.ndarray], rate: int, chance: Any) -> np.ndarray:
        def silence() -> np.ndarray:
            return np.zeros(int(chance.uniform(*self.silence_seconds) * rate), np.float32)

        parts = [silence()]
        for word in words:
            parts += [word, silence()]
        joined = np.concatenate(parts)
        power = float(np.mean(np.concatenate(list(words)) ** 2))
        noise = chance.standard_normal(len(joined)) * np.sqrt(
            power * 10 ** (chance.uniform(*self.noise_decibels) / 10)
        )
        mixed = joined + noise
        return np.asarray(mixed / max(1.0, float(np.abs(mixed).max())))  # loud ones are softened, not cut off
