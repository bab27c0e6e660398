"""Brings the names of one entity together: spellings, short forms and initials."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from servery.pipeline.graph.mentions import UNTYPED, Named

_ARTICLE = re.compile(r"^(?:the|a|an|mr|mrs|ms|dr|prof)\.?\s+", re.IGNORECASE)
_FORM = re.compile(
    r"[,\s]+(?:inc|ltd|llc|plc|corp|co|gmbh|ag|sa)\.?$|(?:有限公司|股份有限公司|集团)$", re.IGNORECASE
)
_SPACE = re.compile(r"[\s\-_.’']+")


def key_of(name: str) -> str:
    """Return what two spellings of one name have in common.

    >>> key_of("The Lumen-Works, Inc."), key_of("ＬＵＭＥＮ works")
    ('lumen works', 'lumen works')
    """
    plain = _ARTICLE.sub("", unicodedata.normalize("NFKC", name).strip())
    return _SPACE.sub(" ", _FORM.sub("", plain) or plain).strip().casefold()


def merge_names(named: Sequence[Named], aliases: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return for each name as it is written the key of the entity it stands for.

    Names with one key are one entity. A name of one word joins the only longer name that begins or ends with it, and
    initials the only name they are made of; where two would do, none is taken.

    Args:
        named: Every name that was found.
        aliases: What the user knows: another name to the name it stands for.
    """
    keys = Counter(key_of(name.text) for name in named)
    kinds: dict[str, set[str]] = defaultdict(set)
    for name in named:
        kinds[key_of(name.text)] |= {name.type} - {UNTYPED}
    longer = _only_longer(keys, kinds)
    told = {key_of(alias): key_of(name) for alias, name in (aliases or {}).items()}
    joined = {key: _followed(key, {**longer, **told}) for key in keys}
    return {name.text: joined[key_of(name.text)] for name in named}


def _only_longer(keys: Mapping[str, int], kinds: Mapping[str, set[str]]) -> dict[str, str]:
    """Return single words and initials with the only longer name that they can stand for."""
    holders: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        words = key.split()
        if len(words) > 1:
            for short in (words[0], words[-1], "".join(word[0] for word in words)):
                holders[short].add(key)
    return {
        short: next(iter(found))
        for short, found in holders.items()
        if short in keys
        and len(short) > 1
        and len(found) == 1
        and _agree(kinds[short], kinds[next(iter(found))])
    }


def _agree(one: set[str], other: set[str]) -> bool:
    return not one or not other or bool(one & other)


def _followed(key: str, links: Mapping[str, str]) -> str:
    seen = {key}
    while key in links and links[key] not in seen:
        key = links[key]
        seen.add(key)
    return key
