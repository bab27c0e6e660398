"""One text that grows on another server: read event by event in a thread of its own, handed on between steps."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from servery.errors import NotReadyError, ServeryError
from servery.models.growing import Growth
from servery.tasks.generated_text import (
    DEFAULT_TOKENS,
    Alternative,
    FinishReason,
    TextGenerationAnswer,
    TextGenerationParameters,
    TextPiece,
    Token,
)

UNKNOWN_TOKEN = -1
"""Servers elsewhere tell tokens by their text, not their number."""
BYTES_PER_TOKEN = 4
"""Of a prompt, until the server has counted it; tokenizers of English are near it."""

Events = Iterator[Mapping[str, Any]]
Open = Callable[[Mapping[str, Any], "RemoteText"], Events]
"""Sends a body and yields the events of the answer; stops when the text is left."""


class RemoteText(Growth):
    """A text under way elsewhere.

    Args:
        prompt: {"messages": ...} or {"prompt": ...}.
        parameters: What is asked of it.
        has_news: Told whenever something came.
    """

    def __init__(
        self, prompt: Mapping[str, Any], parameters: TextGenerationParameters, has_news: threading.Event
    ) -> None:
        self.prompt = prompt
        self.parameters = parameters
        self.is_left = False
        self.seed = secrets.randbits(31) if parameters.seed is None else parameters.seed
        self._has_news = has_news
        self._thread: threading.Thread | None = None
        self._arrived: deque[TextPiece | Exception] = deque()
        self._told: list[Token] = []
        self._text = ""
        self._finish_reason: FinishReason | None = None
        self._prompt_tokens = max(1, len(str(prompt).encode()) // BYTES_PER_TOKEN)
        self._completion_tokens = 0
        self._counted: int | None = None

    @property
    def is_done(self) -> bool:
        """Whether its last piece has been handed on."""
        return self._finish_reason is not None

    @property
    def prompt_units(self) -> int:
        """Tokens of the prompt: about, until the server has counted them."""
        return self._prompt_tokens

    @property
    def read_units(self) -> int:
        """Tokens of the prompt, once it was sent."""
        return self._prompt_tokens if self._thread is not None else 0

    @property
    def grown_units(self) -> int:
        """Tokens so far: events, until the server has counted them."""
        return self._completion_tokens if self._counted is None else self._counted

    @property
    def most_grown_units(self) -> int:
        """Most tokens that are asked for."""
        return self.parameters.max_tokens or DEFAULT_TOKENS

    @property
    def answer(self) -> TextGenerationAnswer:
        """The answer as far as it has come."""
        return TextGenerationAnswer(
            text=self._text,
            finish_reason=self._finish_reason,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self.grown_units,
            seed=self.seed,
            tokens=tuple(self._told),
        )

    def begin(self, open_events: Open, body: Mapping[str, Any]) -> None:
        """Send it, the first time; a thread reads what comes."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._read, args=(open_events, body), daemon=True)
            self._thread.start()

    def take(self) -> TextPiece | Exception | None:
        """Return what has come since the last time, one token at a time where they are asked for."""
        pieces: list[TextPiece] = []
        while self._arrived:
            if isinstance(self._arrived[0], Exception):
                return self._joined(pieces) if pieces else self._arrived.popleft()
            piece = self._arrived.popleft()
            assert isinstance(piece, TextPiece)
            pieces.append(piece)
            if self.parameters.logprobs is not None:
                break
        return self._joined(pieces) if pieces else None

    def _joined(self, pieces: list[TextPiece]) -> TextPiece:
        text, last = "".join(piece.text for piece in pieces), pieces[-1]
        self._text += text
        self._told += [piece.token for piece in pieces if piece.token is not None]
        self._finish_reason = last.finish_reason
        return TextPiece(text, last.token, last.finish_reason)

    def _read(self, open_events: Open, body: Mapping[str, Any]) -> None:
        reason: FinishReason | None = None
        try:
            for event in open_events(body, self):
                self._count(event.get("usage"))
                for choice in event.get("choices") or ():
                    reason = self._finished(choice.get("finish_reason")) or reason
                    for piece in _pieces(choice):
                        self._completion_tokens += 1
                        self._arrived.append(piece)
                        self._has_news.set()
            if reason is None and not self.is_left:
                raise NotReadyError("The model's server broke off in the middle of its answer.")
            self._arrived.append(TextPiece("", None, reason))
        except ServeryError as error:
            self._arrived.append(error)
        except Exception as error:  # whatever a server may send that is no event
            self._arrived.append(NotReadyError(f"The model's server answers oddly: {type(error).__name__}."))
        self._has_news.set()

    def _count(self, usage: Any) -> None:
        if isinstance(usage, Mapping):
            self._prompt_tokens = int(usage.get("prompt_tokens") or self._prompt_tokens)
            self._counted = int(usage.get("completion_tokens") or 0)

    def _finished(self, said: str | None) -> FinishReason | None:
        if said is None:
            return None
        if said == "length":
            return "length"
        return "stop" if self.parameters.stops else "end"


def _pieces(choice: Mapping[str, Any]) -> Iterator[TextPiece]:
    """Yield what a choice of an event adds, in the shape of either kind of completions."""
    delta = choice.get("delta")
    text = (delta.get("content") if delta is not None else choice.get("text")) or ""
    tokens = list(_tokens(choice.get("logprobs") or {}))
    if len(tokens) == 1:
        yield TextPiece(text, tokens[0])
    elif tokens:
        yield from (TextPiece(token.text, token) for token in tokens)
    elif text:
        yield TextPiece(text)


def _tokens(told: Mapping[str, Any]) -> Iterator[Token]:
    for entry in told.get("content") or ():
        others = entry.get("top_logprobs") or ()
        alternatives = tuple(
            Alternative(UNKNOWN_TOKEN, other["token"], _bytes(other), float(other["logprob"]))
            for other in others
        )
        yield Token(
            UNKNOWN_TOKEN,
            entry["token"],
            _bytes(entry),
            float(entry["logprob"]),
            alternatives=alternatives,
        )
    places = zip(
        told.get("tokens") or (),
        told.get("token_logprobs") or (),
        told.get("top_logprobs") or _ENDLESS,
        strict=False,
    )
    for text, logprob, others in places:
        alternatives = tuple(
            Alternative(UNKNOWN_TOKEN, name, tuple(name.encode()), float(value))
            for name, value in (others or {}).items()
        )
        yield Token(
            UNKNOWN_TOKEN, text, tuple(text.encode()), float(logprob or 0.0), alternatives=alternatives
        )


class _Endless:
    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


_ENDLESS = _Endless()


def _bytes(entry: Mapping[str, Any]) -> tuple[int, ...]:
    said = entry.get("bytes")
    return tuple(said) if said is not None else tuple(str(entry["token"]).encode())
