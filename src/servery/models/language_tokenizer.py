"""A language model's tokens in the Hugging Face layout: texts to numbers and back, special tokens, chat template."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from servery.errors import ArtifactError
from servery.models.chat_template import ChatTemplate

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
TEMPLATE_FILE = "chat_template.jinja"
MARKS = ("bos_token", "eos_token", "pad_token", "unk_token")

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class LanguageTokenizer:
    """The tokenizer of a language model.

    Args:
        tokenizer: Texts to numbers.
        marks: Texts of special tokens by their names in the layout, e.g. `eos_token`.
        template: The chat template; None for a plain one.
    """

    def __init__(self, tokenizer: Tokenizer, marks: Mapping[str, str], template: str | None = None) -> None:
        self.tokenizer = tokenizer
        self.marks = dict(marks)
        self.chat = ChatTemplate(template, marks)
        tokenizer.no_padding()
        tokenizer.no_truncation()

    @classmethod
    def read(cls, folder: Path) -> LanguageTokenizer:
        """Read a folder in the Hugging Face layout.

        Raises:
            ArtifactError: It holds no tokenizer, or a torn one.
        """
        try:
            text = (folder / TOKENIZER_FILE).read_text(encoding="utf-8")
            config = _read_json(folder / CONFIG_FILE)
            template_file = folder / TEMPLATE_FILE
            template = (
                template_file.read_text("utf-8") if template_file.exists() else config.get("chat_template")
            )
        except (OSError, ValueError) as error:
            raise ArtifactError(f"The tokenizer in {folder.name} cannot be read: {error}.") from error
        try:
            tokenizer = Tokenizer.from_str(text)
        except Exception as error:  # the library raises nothing narrower
            raise ArtifactError(f"{TOKENIZER_FILE} in {folder.name} is torn: {error}.") from error
        marks = {name: _mark(config[name]) for name in MARKS if config.get(name) is not None}
        return cls(tokenizer, marks, _default_template(template))

    def save(self, folder: Path) -> None:
        """Write the folder's `tokenizer.json` and `tokenizer_config.json`, the chat template within."""
        config: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", **self.marks}
        if self.chat.source is not None:
            config["chat_template"] = self.chat.source
        (folder / TOKENIZER_FILE).write_text(self.tokenizer.to_str(), encoding="utf-8")
        (folder / CONFIG_FILE).write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")

    @property
    def size(self) -> int:
        """Number of tokens."""
        return int(self.tokenizer.get_vocab_size())

    def numbers(self, text: str, *, with_marks: bool = True) -> list[int]:
        """Return the tokens of a text.

        Args:
            text: What to read; special tokens written out in it count as such.
            with_marks: Whether the marks that begin a text are added, if the model has any.
        """
        return list(self.tokenizer.encode(text, add_special_tokens=with_marks).ids)

    def pieces(self, text: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a text, and of each how many of the text's characters come after it."""
        found = self.tokenizer.encode(text)
        return list(found.ids), [len(text) - end for _, end in found.offsets]

    def number(self, mark: str) -> int | None:
        """Return the number of a special token by its name in the layout, None where there is none."""
        text = self.marks.get(mark)
        return None if text is None else self.tokenizer.token_to_id(text)

    def text(self, numbers: Sequence[int]) -> str:
        """Return what tokens read as; special ones as nothing, half a character as U+FFFD."""
        return str(self.tokenizer.decode(list(numbers), skip_special_tokens=True))

    def is_special(self, number: int) -> bool:
        """Return whether a token is a mark and no text."""
        return number in self._special

    def text_alone(self, number: int) -> str:
        """Return what one token reads as; a special one as its name."""
        return str(self.tokenizer.decode([number], skip_special_tokens=False))

    def bytes_of(self, number: int) -> bytes:
        """Return what one token adds to a text, in UTF-8; half a character too."""
        token = self.tokenizer.id_to_token(number)
        if token is None:
            return b""
        if self.is_special(number):
            return str(token).encode()
        found = _BYTE.fullmatch(token)
        if found is not None:
            return bytes([int(found[1], 16)])
        if self._is_byte_level and all(character in BYTE_OF for character in token):
            return bytes(BYTE_OF[character] for character in token)
        return str(token).replace("\u2581", " ").encode()

    @cached_property
    def _special(self) -> frozenset[int]:
        added = self.tokenizer.get_added_tokens_decoder()
        return frozenset(number for number, token in added.items() if token.special)

    @cached_property
    def _is_byte_level(self) -> bool:
        return '"ByteLevel"' in json.dumps(json.loads(self.tokenizer.to_str()).get("decoder"))


def _bytes_by_character() -> dict[str, int]:
    """Return which byte each character of a byte-level vocabulary stands for.

    Source: Radford et al. (2019), section 2.2, as released: printable bytes stand for themselves, the others
    follow from U+0100 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(0x100 + place): byte for place, byte in enumerate(others)}


BYTE_OF = _bytes_by_character()


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is no object")
    return value


def _mark(value: Any) -> str:
    return str(value.get("content", "")) if isinstance(value, dict) else str(value)


def _default_template(value: Any) -> str | None:
    """Return the template itself; of a list of named ones that named "default"."""
    if isinstance(value, list):
        named = {entry.get("name"): entry.get("template") for entry in value if isinstance(entry, dict)}
        value = named.get("default")
    return value if isinstance(value, str) else None
