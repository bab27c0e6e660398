"""Models whose answers grow by steps: many side by side, each with its own state, joining and leaving in between."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from servery.models.encoder import Batch
from servery.models.runtime import Runtime
from servery.tasks.growing import Piece
from servery.tasks.task import Answer, Parameters

MOST_SIDE_BY_SIDE = 32
"""Of a call that is no server's; a server has its own bound."""
WARM_UP_STEPS = 3


class Growth(ABC):
    """One answer under way, with everything that is its own: prompt, drawing, memory of what came before."""

    @property
    @abstractmethod
    def is_done(self) -> bool:
        """Whether its last piece has come."""

    @property
    @abstractmethod
    def prompt_units(self) -> int:
        """What its prompt counts as, in the task's unit, once it is read."""

    @property
    @abstractmethod
    def read_units(self) -> int:
        """What has been read of the prompt so far."""

    @property
    @abstractmethod
    def grown_units(self) -> int:
        """What it has grown by so far."""

    @property
    @abstractmethod
    def most_grown_units(self) -> int:
        """What it can grow by at most."""

    @property
    def most_bytes(self) -> int:
        """Memory that it can need at most, beside the model's own; 0 where that is nothing to speak of."""
        return 0

    @property
    @abstractmethod
    def answer(self) -> Answer:
        """The answer as far as it has grown."""


class GrowingRuntime(Runtime):
    """Loaded weights whose answers grow.

    Begun answers cost nothing until their first step. `step` and `end` are called from one thread, never at once.
    """

    @abstractmethod
    def begin(self, batch: Batch, parameters: Parameters) -> Growth:
        """Return an answer that is about to grow.

        Args:
            batch: One encoded example.
            parameters: What is asked of it.

        Raises:
            InputError: It does not fit the model, e.g. has no room for an answer of that length.
        """

    @abstractmethod
    def step(self, growths: Sequence[Growth]) -> list[Piece | Exception | None]:
        """Let each of them grow by one piece.

        What a growth becomes must not depend on which others stand beside it. When this raises, nothing has changed,
        so that it may be called again with fewer of them.

        Args:
            growths: Any that are not done, those begun a step ago and new ones.

        Returns:
            Of each its piece; None where it still reads its prompt; what went wrong where it can go on no more.
        """

    @abstractmethod
    def end(self, growths: Sequence[Growth]) -> None:
        """Let go of what they hold; done or not, they are never stepped again."""

    def answers(self, batches: Sequence[Batch], parameters: Parameters) -> list[Answer]:
        """Let many answers grow to their ends, a bounded number side by side.

        Raises:
            ServeryError: One of them cannot be answered.
        """
        waiting = [self.begin(batch, parameters) for batch in batches]
        growths = list(waiting)
        growing: list[Growth] = []
        try:
            while waiting or growing:
                joining = MOST_SIDE_BY_SIDE - len(growing)
                growing, waiting = [*growing, *waiting[:joining]], waiting[joining:]
                self._stepped(growing)
                self.end([growth for growth in growing if growth.is_done])
                growing = [growth for growth in growing if not growth.is_done]
        finally:
            self.end(growing)
        return [growth.answer for growth in growths]

    def warm_up(self, batch: Batch, parameters: Parameters) -> None:
        """Take the first steps of an answer, so that whatever is set up at the first one is there.

        Raises:
            ServeryError: It cannot be run.
        """
        growth = self.begin(batch, parameters)
        try:
            for _ in range(WARM_UP_STEPS):
                if not growth.is_done:
                    self._stepped([growth])
        finally:
            self.end([growth])

    def _stepped(self, growths: Sequence[Growth]) -> None:
        for result in self.step(growths):
            if isinstance(result, Exception):
                raise result
