"""The other workers of a server: each answers questions of the others over a Unix socket in a private folder."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from servery.gateway.tallies import Tallies

ANSWER_SECONDS = 1.0
"""A sibling that takes longer is busy or dead; the answer goes without it."""
LONGEST_WORK_SECONDS = 600.0
LONGEST_QUESTION = 64

log = structlog.get_logger("servery.siblings")


@dataclass(frozen=True)
class Worker:
    """One process of a server, as the server made it.

    Attributes:
        number: From 0.
        all_tallies: The numbers of every worker, its own at `number`.
        folder: Where the workers' sockets are, for the server's own user only; None where there is one worker.
    """

    number: int = 0
    all_tallies: tuple[Tallies, ...] = field(default_factory=lambda: (Tallies(),))
    folder: Path | None = None

    @property
    def tallies(self) -> Tallies:
        """Its own numbers."""
        return self.all_tallies[self.number]


class Siblings:
    """Asks the other workers, and answers them.

    Args:
        worker: Which one this is.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._answers: dict[str, Callable[[], Awaitable[bytes]]] = {}
        self._server: asyncio.Server | None = None

    def answer(self, question: str, with_: Callable[[], Awaitable[bytes]]) -> None:
        """Have a sibling's question answered from now on."""
        self._answers[question] = with_

    async def start(self) -> None:
        """Begin to answer."""
        if self.worker.folder is not None:
            path = self._socket(self.worker.number)
            path.unlink(missing_ok=True)  # of a worker that was killed
            self._server = await asyncio.start_unix_server(self._reply, path)

    async def stop(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()

    async def ask(self, question: str, timeout_seconds: float = ANSWER_SECONDS) -> list[bytes]:
        """Return what the other workers answer; of those that do in time."""
        if self.worker.folder is None:
            return []
        others = [n for n in range(len(self.worker.all_tallies)) if n != self.worker.number]
        told = await asyncio.gather(*(self._ask(number, question, timeout_seconds) for number in others))
        return [answer for answer in told if answer is not None]

    async def _ask(self, number: int, question: str, timeout_seconds: float) -> bytes | None:
        try:
            async with asyncio.timeout(timeout_seconds):
                reader, writer = await asyncio.open_unix_connection(self._socket(number))
                try:
                    writer.write(question.encode() + b"\n")
                    length = int.from_bytes(await reader.readexactly(8), "little")
                    return await reader.readexactly(length)
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.warning("worker does not answer", worker=number, error=type(error).__name__)
            return None

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(LONGEST_WORK_SECONDS):
                question = (await reader.readuntil(b"\n"))[:LONGEST_QUESTION].decode().strip()
                answer = await self._answers[question]()
                writer.write(len(answer).to_bytes(8, "little") + answer)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.warning("worker went away while it asked", error=type(error).__name__)
        finally:
            writer.close()

    def _socket(self, number: int) -> Path:
        assert self.worker.folder is not None
        return self.worker.folder / f"worker-{number}.sock"
