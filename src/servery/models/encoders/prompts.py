"""Prompts for models that draw one of several things: the words pick which, the seed makes the noise."""

from __future__ import annotations

import difflib
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.errors import ArtifactError, InputError
from servery.models.encoder import Batch, Encoder
from servery.tasks.image_generation import GUIDANCE, HEIGHT, SEED, STEPS, WIDTH

_WORD = re.compile(r"\w+")
_PARTS = re.compile(r"[/>:]")
MOST_NAMED = 12
"""Things that an error lists."""
MOST_COMPARED, SHORTEST_COMPARED = 100, 3
"""Characters of a prompt, and of a word in it, that are compared with what can be drawn."""
LEAST_ALIKE = 0.6
MOST_NOISE = 2**24


class Prompts(Encoder):
    """The one thing that a prompt names, and seeded noise for a generative model.

    A thing is named by its whole name, or by the last part of it: "a wall" names "dngn/wall" where nothing else is a
    wall. More words that fit decide between several. Where there is no prompt, not even an empty one, the seed picks.

    Args:
        column: Name of the column of prompts; an example may carry "seed", "width" and "height" besides.
        things: What can be drawn, in the order of the model's classes.
        noise: Shape of a picture's noise; a number is that of a vector.
        width: Pixels of the model's pictures.
        height: Pixels of the model's pictures.
        draws_in_steps: Whether "steps" and "guidance_scale" mean something to the model.
    """

    name = "prompts"

    def __init__(
        self,
        column: str,
        things: Sequence[str],
        noise: int | Sequence[int],
        width: int,
        height: int,
        draws_in_steps: bool = False,
    ) -> None:
        self.column = column
        self.things = tuple(things)
        self.noise = (noise,) if isinstance(noise, int) else tuple(noise)
        self.width = width
        self.height = height
        self.draws_in_steps = draws_in_steps
        self._places = {_words(thing): place for place, thing in reversed(list(enumerate(self.things)))}
        self._last = [frozenset(_words(_PARTS.split(thing)[-1])) for thing in self.things]

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `thing`, int64, (rows,), and `noise`, standard normal float32, (rows, *noise).

        Without a seed noise is drawn afresh. Of a whole data set (`cut`) a prompt that was never learned gets any of
        the things.

        Raises:
            InputError: A prompt names none or several of the things, or what is asked besides cannot be.
        """
        things, noise = np.empty(len(examples), np.int64), np.empty((len(examples), *self.noise), np.float32)
        for row, example in enumerate(examples):
            self._check(example)
            seed = example.get(SEED)
            chance = np.random.default_rng(secrets.randbits(63) if seed is None else seed)
            noise[row] = chance.standard_normal(self.noise, dtype=np.float32)
            prompt = example.get(self.column)
            # What a request asks for was prepared, and carries a width; rows of data sets do not.
            is_known = not cut or WIDTH in example or _words(str(prompt)) in self._places
            things[row] = self._thing(prompt if is_known else None, chance)
        return {"thing": things, "noise": noise}

    def _thing(self, prompt: object, chance: np.random.Generator) -> int:
        if prompt is None:
            return int(chance.integers(len(self.things)))
        if not isinstance(prompt, str):
            raise InputError(
                f"The prompt is {type(prompt).__name__}; expected a text.", param=f"/{self.column}"
            )
        words = _words(prompt)
        if words in self._places:
            return self._places[words]
        # Who writes a whole name means that one: "dngn/wal" is no "dngn".
        named = [] if _PARTS.search(prompt) else self._named(frozenset(words))
        if len(named) == 1:
            return named[0]
        raise InputError(
            f"This model draws one of: {self._offered(prompt, named)}. The prompt names {self._found(named)}.",
            hint=self._nearest(prompt),
            param=f"/{self.column}",
        )

    def _check(self, example: Mapping[str, Any]) -> None:
        width, height = example.get(WIDTH) or self.width, example.get(HEIGHT) or self.height
        if (width, height) != (self.width, self.height):
            raise InputError(
                f"A picture of {width} x {height} was asked for; this model draws {self.width} x {self.height}.",
                hint="leave the size out",
                param="size",
            )
        asked = [name for name in (STEPS, GUIDANCE) if example.get(name) is not None]
        if asked and not self.draws_in_steps:
            raise InputError(
                f"This model draws at once: {asked[0]} means nothing to it.",
                hint=f"leave {asked[0]} out",
                param=asked[0],
            )

    def _named(self, words: frozenset[str]) -> list[int]:
        fits = [
            (len(words & frozenset(_words(thing))), place)
            for place, thing in enumerate(self.things)
            if self._last[place] <= words
        ]
        return [place for count, place in fits if count == max(fits)[0]]

    def _offered(self, prompt: str, named: Sequence[int]) -> str:
        if len(self.things) <= MOST_NAMED:
            return ", ".join(self.things)
        near = [self.things[place] for place in named] or self._close(prompt)
        shown = list(dict.fromkeys([*near, *self.things]))[:MOST_NAMED]
        return f"{', '.join(shown)} and {len(self.things) - len(shown)} more"

    def _found(self, named: Sequence[int]) -> str:
        return " and ".join(repr(self.things[place]) for place in named[:MOST_NAMED]) or "none of them"

    def _nearest(self, prompt: str) -> str | None:
        close = self._close(prompt)
        return f"Did you mean {close[0]!r}?" if close else None

    def _close(self, prompt: str) -> list[str]:
        """Return the things that are spelled most like the prompt, as a whole or word by word."""
        asked = prompt[:MOST_COMPARED].lower()
        likeness = {
            thing: max(_alike(asked, thing.lower()), _alike_in_words(asked, thing)) for thing in self.things
        }
        close = sorted(likeness, key=lambda thing: -likeness[thing])
        return [thing for thing in close if likeness[thing] > LEAST_ALIKE][:MOST_NAMED]

    def state(self) -> dict[str, Any]:
        """Return the things and the sizes."""
        return {
            "column": self.column,
            "things": list(self.things),
            "noise": list(self.noise),
            "width": self.width,
            "height": self.height,
            "draws_in_steps": self.draws_in_steps,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Prompts:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            noise = [int(size) for size in state["noise"]]
            width, height = int(state["width"]), int(state["height"])
            things = [str(thing) for thing in state["things"]]
            if min(width, height, *noise) < 1 or math.prod(noise) > MOST_NOISE or not things:
                raise ValueError(f"noise {noise}, {width} x {height} pixels and {len(things)} things")
            return cls(str(state["column"]), things, noise, width, height, bool(state["draws_in_steps"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'prompts' is torn: {error!r}.") from error


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _alike_in_words(asked: str, thing: str) -> float:
    """Return how well each longer word that was asked for is found among those of a thing, from 0 to 1."""
    words = [word for word in _words(asked) if len(word) >= SHORTEST_COMPARED]
    best = [max(_alike(word, other) for other in _words(thing)) for word in words]
    return sum(best) / len(best) if best else 0.0


def _words(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case, without the s of a plural.

    >>> _words("mon/statues"), _words("A circle, please")
    (('mon', 'statue'), ('a', 'circle', 'please'))
    """
    words = (word.lower() for part in _WORD.findall(text) for word in part.split("_"))
    return tuple(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words if word)
