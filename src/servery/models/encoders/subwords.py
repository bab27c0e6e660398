"""Texts as rows of subwords, which can be put together again: for models that write."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from servery.errors import ArtifactError, InputError, TooLongError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders._familiar import Familiar
from servery.models.encoders._words import CJK, text_of
from servery.models.pieces import END, RESERVED, SPACE, UNKNOWN
from servery.tasks.written import HOW, WISHES

MOST_SENTENCES = 64
"""Of one text; each is a row of the batch."""
FACTS = ("characters", "unknown", "is_foreign")
"""What is to be known of each text."""
UNKNOWN_PIECE = "<unknown>"

_PIECE = rf"{SPACE}?(?:[{CJK}]|[^\W_{CJK}]+(?:['’][^\W_{CJK}]+)*|[^\w{SPACE}])|{SPACE}|_"
_SPACELESS = re.compile(rf"[{CJK}\u3000-\u303f\uff00-\uffef]")
_SENTENCE = re.compile(r".+?(?:[。！？…]+[”’」』）]*|[.!?]+[\"'”’)]*(?=\s|$)|\n|$)", re.DOTALL)


class Subwords(Encoder):
    """Byte-pair encoding over what is read and what is written, learned together; spaces are kept.

    Each CJK character is split off first, so that Chinese is written character by character. The tokens that occur in
    what is to be written have the lower numbers: those below `written_size` can be written.

    A text longer than nearly all of the training is read sentence by sentence.

    Source: Sennrich, Haddow, Birch (2016), Neural machine translation of rare words with subword units, section 3.2
    (joint byte-pair encoding); the mark for a space: Kudo and Richardson (2018), SentencePiece, section 3.2.

    Args:
        columns: Names of the text columns that are read.
        target: Name of the column that is written.
        tokenizer: The learned tokenizer.
        order: The tokenizer's numbers in the order of the model's, which begin at RESERVED.
        written_size: Number of tokens that can be written, the first ones.
        max_tokens: Most tokens of one sentence, its end included.
        familiar: What the training texts were like; None until they were looked at.
    """

    name = "subwords"

    def __init__(
        self,
        columns: Sequence[str],
        target: str,
        tokenizer: Tokenizer,
        order: Sequence[int],
        written_size: int,
        max_tokens: int,
        familiar: Familiar | None = None,
    ) -> None:
        self.columns, self.target = tuple(columns), target
        self.order, self.written_size, self.max_tokens = list(order), written_size, max_tokens
        self._tokenizer = tokenizer
        self.vocabulary_size = RESERVED + len(self.order)
        unknown = tokenizer.token_to_id(UNKNOWN_PIECE)
        numbers = {theirs: RESERVED + place for place, theirs in enumerate(self.order)}
        self._number = {theirs: number for theirs, number in numbers.items() if theirs != unknown}
        self.familiar = familiar or Familiar([0] * self.vocabulary_size, float("inf"), max_tokens)

    @classmethod
    def fit(
        cls,
        examples: Sequence[Mapping[str, Any]],
        columns: Sequence[str],
        texts: Sequence[str],
        target: str,
        *,
        vocabulary_size: int = 6_000,
        max_tokens: int = 128,
    ) -> Subwords:
        """Learn the subwords of the training texts.

        Args:
            examples: The training rows.
            columns: Names of the columns that are read.
            texts: What is to be written for each row.
            target: Name of that column.
            vocabulary_size: Most tokens to learn, single characters included.
            max_tokens: Most tokens of one sentence.
        """
        read = [_marked(text_of(example, columns)) for example in examples]
        written = [_marked(text) for text in texts]
        tokenizer = _learned([*read, *written], vocabulary_size)
        said = {number for found in tokenizer.encode_batch(written) for number in found.ids}
        order = sorted(range(tokenizer.get_vocab_size()), key=lambda number: (number not in said, number))
        made = cls(columns, target, tokenizer, order, RESERVED + len(said), max_tokens)
        rows = [made.numbers(text) for text in read]
        made.familiar = Familiar.fit(rows, [len(text) for text in read], made.vocabulary_size)
        return made

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the sentences of all texts, and what is asked and to be known of each text.

        Returns:
            `tokens`, int64, (sentences, length of the longest), padded with 0; `text`, int64, (sentences,), the row
            whose sentence it is; float32, (rows,), each of WISHES; `characters`, of the text; `unknown`, how many
            of them were never learned; `is_foreign`, 1 where a text is not like those learned from.

        Raises:
            TooLongError: A sentence or a text is too long, and `cut` is false.
            InputError: A value is no text, or another language was asked for.
        """
        sentences: list[list[int]] = []
        owners: list[int] = []
        known = {name: np.zeros(len(examples), np.float32) for name in (*WISHES, *FACTS)}
        for row, example in enumerate(examples):
            text = text_of(example, self.columns)
            marked = _marked(text)
            whole = self.numbers(marked)
            known["characters"][row] = len(text)
            known["unknown"][row] = whole.count(UNKNOWN)
            known["is_foreign"][row] = self.familiar.is_foreign(whole, len(marked))
            for name, wish in self._wishes(example).items():
                known[name][row] = wish
            for numbers in self._sentences(text, whole, cut):
                sentences.append([*numbers, END])
                owners.append(row)
        tokens = np.zeros((len(sentences), max(map(len, sentences), default=1)), np.int64)
        for place, numbers in enumerate(sentences):
            tokens[place, : len(numbers)] = numbers
        return {"tokens": tokens, "text": np.array(owners, np.int64), **known}

    def numbers(self, marked: str) -> list[int]:
        """Return the tokens of a text whose spaces are marked."""
        found = self._tokenizer.encode(marked, add_special_tokens=False)
        return [self._number.get(number, UNKNOWN) for number in found.ids]

    def read_rows(self, examples: Sequence[Mapping[str, Any]]) -> list[list[int]]:
        """Return the tokens of whole texts with their end, cut at max_tokens; for training."""
        return self.written_rows([text_of(example, self.columns) for example in examples])

    def written_rows(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of texts with their end, cut at max_tokens; for training."""
        return [[*self.numbers(_marked(text))[: self.max_tokens - 1], END] for text in texts]

    def pieces(self) -> list[str]:
        """Return what each token stands for; nothing for those before RESERVED."""
        return [""] * RESERVED + [self._tokenizer.id_to_token(theirs) or "" for theirs in self.order]

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the number of tokens of each example."""
        return [len(self.numbers(_marked(text_of(example, self.columns)))) for example in examples]

    def _sentences(self, text: str, whole: list[int], cut: bool) -> Iterator[list[int]]:
        if not whole:
            return
        if len(whole) < min(self.familiar.whole_tokens, self.max_tokens):
            yield whole
            return
        sentences = [numbers for part in _SENTENCE.findall(text) if (numbers := self.numbers(_marked(part)))]
        longest = max(map(len, sentences))
        if not cut and (len(sentences) > MOST_SENTENCES or longest >= self.max_tokens):
            raise TooLongError(
                f"A text has {len(sentences):,} sentences, the longest of {longest:,} tokens; this model reads at "
                f"most {MOST_SENTENCES} sentences of {self.max_tokens - 1} tokens.",
                hint="send its parts one by one, as a list or with --batch",
            )
        for numbers in sentences[:MOST_SENTENCES]:
            yield numbers[: self.max_tokens - 1]

    def _wishes(self, example: Mapping[str, Any]) -> dict[str, float]:
        """Return what is asked of the writer, and the usual where nothing is.

        Raises:
            InputError: Another language was asked for.
        """
        how = example.get(HOW) or {}
        for name, column in (("src_lang", self.columns[0]), ("tgt_lang", self.target)):
            asked = how.get(name)
            # Only columns called like a language can be compared with one: "en" with "en", "eng_Latn" and "en_XX".
            if asked and len(column) <= 3 and asked.lower()[:2] != column.lower()[:2]:
                raise InputError(
                    f"{name} is {asked!r}, but this model goes from {self.columns[0]!r} to {self.target!r}.",
                    hint=f"leave {name} out, or ask another model",
                    param=f"/parameters/{name}",
                )
        return {name: usual if how.get(name) is None else how[name] for name, usual in WISHES.items()}

    def state(self) -> dict[str, Any]:
        """Return the tokenizer, its numbers and the limits, as plain JSON types."""
        return {
            "columns": list(self.columns),
            "target": self.target,
            "tokenizer": json.loads(self._tokenizer.to_str()),
            "order": self.order,
            "written_size": self.written_size,
            "max_tokens": self.max_tokens,
            "familiar": self.familiar.state(),
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Subwords:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            columns, target = [str(column) for column in state["columns"]], str(state["target"])
            order, familiar = [int(number) for number in state["order"]], Familiar.restore(state["familiar"])
            written, longest = int(state["written_size"]), int(state["max_tokens"])
            if not columns or not RESERVED < written <= RESERVED + len(order) == len(familiar.counts):
                raise ValueError(f"{len(order)} tokens, {len(familiar.counts)} counts, {written} written")
            tokenizer = Tokenizer.from_str(json.dumps(state["tokenizer"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'subwords' is torn: {error!r}.") from error
        except Exception as error:  # the library raises nothing narrower
            raise ArtifactError(f"The tokenizer of the encoder 'subwords' is torn: {error}.") from error
        return cls(columns, target, tokenizer, order, written, longest, familiar)


def _marked(text: str) -> str:
    """Return a text with its spaces as marks, one before each word of a script that has spaces.

    >>> _marked("Tom  likes tea."), _marked("汤姆爱茶。")
    ('▁Tom▁likes▁tea.', '汤姆爱茶。')
    """
    marked = SPACE.join(unicodedata.normalize("NFC", text).replace(SPACE, " ").split())
    return marked if not marked or _SPACELESS.match(marked) else SPACE + marked


def _learned(texts: Sequence[str], vocabulary_size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN_PIECE))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECE), "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size, min_frequency=2, show_progress=False, special_tokens=[UNKNOWN_PIECE]
    )
    tokenizer.train_from_iterator(texts, trainer)
    # Else whoever writes the mark into a text would have it taken for the mark.
    return Tokenizer.from_str(json.dumps({**json.loads(tokenizer.to_str()), "added_tokens": []}))
