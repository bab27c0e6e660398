"""Triples of a knowledge graph as numbers of their entities and relations; what is asked for is left open."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.triple_files import HEAD, RELATION, TAIL
from servery.errors import ArtifactError, InputError
from servery.models.encoder import Batch, Encoder
from servery.tasks.link_prediction import DEFAULT_TOP_K

ASKED = -1
"""Stands where the value is what is asked for."""
UNKNOWN = -2
"""Stands for a name never met, in the whole triples of data sets; a request with one is refused."""
COMPARED_NAMES = 20_000
"""Names that an unknown one is compared with; comparing with millions would hold up the others' requests."""


class Triples(Encoder):
    """A number for each entity and each relation of the training triples.

    Args:
        entities: Names, in the order of their numbers.
        relations: Names, in the order of their numbers.
    """

    name = "triples"

    def __init__(self, entities: Sequence[str], relations: Sequence[str]) -> None:
        self.entities = tuple(entities)
        self.relations = tuple(relations)
        self._numbers = {
            HEAD: {name: number for number, name in enumerate(self.entities)},
            RELATION: {name: number for number, name in enumerate(self.relations)},
        }
        self._numbers[TAIL] = self._numbers[HEAD]

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `head`, `relation`, `tail`, `top_k` and `exclude_known`, int64, (rows,).

        Raises:
            InputError: A name is unknown (and `cut` is false) or no text, or more than one value is asked for.
        """
        # A question about an unknown name has no answer; a whole triple with one is not believed.
        allowed = [
            cut and all(example.get(c) is not None for c in (HEAD, RELATION, TAIL)) for example in examples
        ]
        batch: Batch = {
            column: np.array(
                [
                    self._number(example.get(column), column, a)
                    for example, a in zip(examples, allowed, strict=True)
                ],
                np.int64,
            )
            for column in (HEAD, RELATION, TAIL)
        }
        if (sum((batch[column] == ASKED).astype(int) for column in (HEAD, RELATION, TAIL)) > 1).any():
            raise InputError(
                "Only one of head, relation and tail may be null: it is what is asked for.",
                hint='e.g. {"head": "...", "relation": "...", "tail": null}',
                param=f"/{TAIL}",
            )
        top_k = [int(example.get("top_k", DEFAULT_TOP_K)) for example in examples]
        return {
            **batch,
            "top_k": np.array(top_k, np.int64),
            "exclude_known": np.array(
                [int(example.get("exclude_known", False)) for example in examples], np.int64
            ),
        }

    def _number(self, value: Any, column: str, is_allowed: bool) -> int:
        if value is None:
            return ASKED
        if not isinstance(value, str):
            raise InputError(f"{column!r} is {value!r}; expected the name of one.", param=f"/{column}")
        number = self._numbers[column].get(value, UNKNOWN)
        if number == UNKNOWN and not is_allowed:
            raise self._unknown(value, column)
        return number

    def _unknown(self, value: str, column: str) -> InputError:
        known = self.relations if column == RELATION else self.entities
        noun = RELATION if column == RELATION else "entity"
        near = _nearest(value, known)
        return InputError(
            f"This model knows no {noun} {value[:80]!r}; the nearest it knows: {', '.join(map(repr, near)) or 'none'}.",
            hint=f"it knows {len(known):,}; train again with triples that hold the new one",
            param=f"/{column}",
        )

    def state(self) -> dict[str, Any]:
        """Return the names, as plain JSON types."""
        return {"entities": list(self.entities), "relations": list(self.relations)}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Triples:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            entities, relations = ([str(name) for name in state[key]] for key in ("entities", "relations"))
            if not isinstance(state["entities"], list) or not entities or not relations:
                raise ValueError("no entity or no relation")
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'triples' is torn: {error!r}.") from error
        return cls(entities, relations)


def _nearest(value: str, known: Sequence[str]) -> list[str]:
    folded = value[:80].casefold()
    same = [name for name in known if name.casefold() == folded]
    if same:
        return same[:3]
    likely = known if len(known) <= COMPARED_NAMES else [n for n in known if n[:1].casefold() == folded[:1]]
    return difflib.get_close_matches(value[:80], likely[:COMPARED_NAMES], n=3)
