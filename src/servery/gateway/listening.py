"""A recording told word by word: heard in stretches, each word told once what follows can no longer change it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import numpy as np

from servery.data.audio import described, samples_of, wav_of
from servery.gateway.growing import tellable
from servery.gateway.message import Request, Response
from servery.gateway.prediction import LARGE_BODY_BYTES, Asked, Predicted
from servery.gateway.sse import CONTENT_TYPE, HEADERS, event
from servery.serving.batcher import Answered
from servery.serving.replica import Replica
from servery.tasks.task import Parameters
from servery.tasks.transcription import SpokenWord, TranscriptionAnswer

STRETCH_SECONDS = 8.0
"""Heard at once: long enough for a sentence, short enough for the first words to come soon."""
OPEN_SECONDS = 1.0
"""A word that ends less before a stretch does may go on, and is heard again in the next one."""


@dataclass
class Listening:
    """A recording under way.

    Attributes:
        request: Who asks.
        replica: Who answers; the request holds a lease of it.
        asked: The one recording, and what is asked of its transcription.
        words: What was heard so far.
        heard_seconds: How far.
    """

    request: Request
    replica: Replica
    asked: Asked
    words: list[SpokenWord] = field(default_factory=list)
    heard_seconds: float = 0.0
    _took: list[Answered] = field(default_factory=list)

    @property
    def answer(self) -> TranscriptionAnswer:
        """What was heard so far."""
        text = " ".join(spoken.word for spoken in self.words)
        return TranscriptionAnswer(text, round(self.heard_seconds, 3), tuple(self.words))

    @property
    def predicted(self) -> Predicted:
        """The answer as any other prediction."""
        answered = Answered(
            [self.answer],
            max((took.queue_seconds for took in self._took), default=0.0),
            sum(took.compute_seconds for took in self._took),
            max((took.batch_rows for took in self._took), default=0),
        )
        return Predicted(self.asked, answered, self.replica)

    async def words_as_heard(self, deadline: float) -> AsyncGenerator[list[SpokenWord]]:
        """Yield the words of each stretch, reserved before and settled after, however it ends.

        Args:
            deadline: In the event loop's time.

        Raises:
            InputError: The recording cannot be read.
            QuotaError: The key has not enough left.
            OverloadedError: Too many wait already.
            DeadlineError: The deadline passed.
        """
        reservation = await self.request.reserve(
            self.replica, self.replica.task.most_units(self.asked.examples)
        )
        try:
            async for words in self._stretches(deadline):
                self.words += words
                yield words
        finally:
            answered = self.predicted.answered
            if not self._took:
                reservation.release()
            else:
                units = self.replica.task.units_of(answered.answers)
                reservation.settle(units, answered.compute_seconds)
                measures = self.request.measures
                measures.queue_seconds = answered.queue_seconds
                measures.compute_seconds = answered.compute_seconds
                measures.batch_rows, measures.unit = answered.batch_rows, self.replica.task.unit
                measures.units = units

    async def _stretches(self, deadline: float) -> AsyncGenerator[list[SpokenWord]]:
        (column, content), *_ = self.asked.examples[0].items()
        whole_seconds = described(content).seconds
        if whole_seconds <= STRETCH_SECONDS:
            words = await self._heard({column: content}, 0.0, deadline)
            self.heard_seconds = whole_seconds
            yield words
            return
        samples, rate = await asyncio.to_thread(samples_of, content, whole_seconds)
        start = 0.0
        while start < whole_seconds:
            end = min(start + STRETCH_SECONDS, whole_seconds)
            stretch = wav_of(_between(samples, rate, start, end), rate)
            words = await self._heard({column: stretch}, start, deadline)
            self.heard_seconds = end
            told, start = settled(words, start, end, end >= whole_seconds)
            yield told

    async def _heard(self, example: dict[str, bytes], start: float, deadline: float) -> list[SpokenWord]:
        owner, weight = self.request.share
        parameters: Parameters = self.asked.parameters
        took = await self.replica.answer([example], parameters, deadline, owner, weight)
        self._took.append(took)
        (answer,) = took.answers
        assert isinstance(answer, TranscriptionAnswer)
        return [
            SpokenWord(w.word, round(w.start + start, 3), round(w.end + start, 3), w.log_probability)
            for w in answer.words
        ]


@dataclass(frozen=True)
class Telling:
    """How a protocol tells a recording word by word; each returns whole server-sent events.

    Attributes:
        word: Tells one word, given how many came before it.
        end: Tells that all is there.
        headers: Of the response, once the first stretch was heard.
        error_name: Name of the event that tells what went wrong after the head was sent.
    """

    word: Callable[[SpokenWord, int], bytes]
    end: Callable[[Listening], bytes]
    headers: Callable[[Predicted], list[tuple[bytes, bytes]]]
    error_name: str = ""


async def listened(
    request: Request,
    protocol: str,
    reference: str,
    read: Callable[[Replica], Asked],
    size: int,
    telling: Telling,
) -> Response:
    """Answer word by word a request whose body has been read.

    The first stretch was heard before the head is sent, so that what is refused has its status. Up to then the
    request's deadline holds, and for the rest too where the client named one.

    Args:
        request: Who asks, and until when.
        protocol: What telemetry calls it.
        reference: The model.
        read: Reads what is asked, once the model is known.
        size: Bytes to read; many are read in a thread.
        telling: How the protocol tells it.

    Raises:
        ModelNotFoundError: There is no such model.
        CancelledError: The client went away.
        ServeryError: See `Listening.words_as_heard`.
    """
    deadline = request.deadline()
    last = deadline if request.header("x-deadline-ms") is not None else math.inf
    stream = _told(request, protocol, reference, read, size, telling, last)
    listening = await request.within(deadline, anext(stream))
    assert isinstance(listening, Listening)

    async def events() -> AsyncGenerator[bytes]:
        async with aclosing(stream):
            async for told in stream:
                assert isinstance(told, bytes)
                yield told

    headers = [*telling.headers(listening.predicted), *HEADERS]
    return Response(content_type=CONTENT_TYPE, headers=headers, stream=events())


async def _told(
    request: Request,
    protocol: str,
    reference: str,
    read: Callable[[Replica], Asked],
    size: int,
    telling: Telling,
    deadline: float,
) -> AsyncGenerator[Listening | bytes]:
    """Yield what listens, once the first stretch was heard; then the events."""
    replica = await request.gateway.engine.replica(reference)
    with replica.lease():
        request.note(replica, protocol)
        asked = await asyncio.to_thread(read, replica) if size > LARGE_BODY_BYTES else read(replica)
        listening, is_begun, count = Listening(request, replica, asked), False, 0
        try:
            async with aclosing(listening.words_as_heard(deadline)) as stretches:
                async for words in stretches:
                    if not is_begun:
                        is_begun = True
                        yield listening
                    for spoken in words:
                        yield telling.word(spoken, count)
                        count += 1
            yield telling.end(listening)
        except Exception as error:
            if not is_begun:
                raise
            yield event(request.error_shape(tellable(error, request), request.id), telling.error_name)


def settled(
    words: Sequence[SpokenWord], start: float, end: float, is_last: bool
) -> tuple[list[SpokenWord], float]:
    """Return the words of a stretch that can be told, and where the next stretch begins.

    Args:
        words: Of the stretch, in seconds of the whole recording.
        start: Where the stretch begins.
        end: Where it ends.
        is_last: Whether the recording ends there.

    >>> def word(start, end): return SpokenWord("a", start, end, 0.0)
    >>> told, start = settled([word(0.5, 0.9), word(2.1, 2.5), word(7.2, 7.8)], 0.0, 8.0, False)
    >>> len(told), start
    (2, 4.85)
    """
    if is_last:
        return list(words), end
    told = [word for word in words if word.end <= end - OPEN_SECONDS]
    if len(told) == len(words):
        return told, end - OPEN_SECONDS
    first_open = words[len(told)].start
    # In the middle of the pause before the open word, so that neither side of the cut loses a sound.
    cut = (told[-1].end + first_open) / 2 if told else (start + first_open) / 2
    # A word as long as a stretch would be heard for ever.
    return (told, cut) if cut - start >= OPEN_SECONDS else (list(words), end)


def _between(samples: np.ndarray, rate: int, start: float, end: float) -> np.ndarray:
    return samples[round(start * rate) : round(end * rate)]
