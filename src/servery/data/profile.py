"""What the cells of one column look like, and the rules that tell a kind from it.

The thresholds were set by looking at some fifteen public data sets: the ones the fields know, and tables of shops,
clinics, sensors and traffic. Every rule states its reason, and every choice can be overridden by name.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from servery.data import audio
from servery.data.cells import (
    is_code,
    is_missing_word,
    label_separator,
    labels_of,
    name_of,
    numbers_of,
    times_of,
)
from servery.data.columns import Kind
from servery.data.parts import part_of
from servery.data.pictures import is_picture
from servery.data.series import Readings

_MOST = 0.95
"""Share of the present cells that must fit a kind; the others are reported and read as missing."""

_IDENTIFIER_NAME = re.compile(
    r"(?:.*[_\-. ])?(?:id|ids|uuid|guid|key|index|idx|file|filename|path|url|uri|hash|email|phone|编号|序号|id号)"
    r"|.*[a-z](?:Id|ID|No)|file_name|name|full_name|first_name|last_name|姓名|unnamed_\d+",
)
_GROUP_NAME = re.compile(
    r"(?:patient|customer|user|client|subject|person|member|speaker|author|household|account|session|participant"
    r"|student|driver|borrower|device|group)s?(?:[_\-. ]?(?:id|no|nr|number|key))?",
    re.IGNORECASE,
)
_CODE_NAME = re.compile(
    r".*(?:type|code|class|kind|categor|group|region|gender|sex|status|zip|postcode|weekday|month|is_|has_|类|码|性别).*",
    re.IGNORECASE,
)
_TEXT_NAME = re.compile(
    r"(?:text|review|comment|sentence|message|utterance|tweet|post|body|content|question|headline|文本|文字|评论|内容|句子)s?",
    re.IGNORECASE,
)
_PART_NAMES = frozenset({"part", "split", "fold", "subset", "partition"})
_CHINESE = re.compile("[\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True)
class Profile:
    """The present cells of a column and what is asked of them.

    Attributes:
        name: Name of the column.
        rows: Cells, the missing ones with them.
        present: Cells that hold something.
        counts: Distinct cells and how often each occurs.
    """

    name: str
    rows: int
    present: list[Any]
    counts: Counter[Any]

    @classmethod
    def of(cls, name: str, cells: np.ndarray) -> Profile:
        """Look at a column.

        Args:
            name: Name of the column.
            cells: As they were read, (rows,).
        """
        present = [
            c
            for c in cells.tolist()
            if c is not None and c == c and (c != "" if isinstance(c, str) else True)
        ]
        return cls(name, len(cells), present, Counter(present))

    @property
    def distinct(self) -> int:
        """Number of different values."""
        return len(self.counts)

    @property
    def is_unique(self) -> bool:
        """Whether no value occurs twice."""
        return self.distinct == len(self.present)

    @cached_property
    def sample(self) -> list[str]:
        """Up to 2,000 distinct values as names, evenly drawn."""
        values = list(self.counts)
        return [name_of(value) or "" for value in values[:: max(1, len(values) // 2000)]]

    @cached_property
    def numbers(self) -> np.ndarray:
        """Distinct values as numbers, NaN where they are none, float64, (distinct,)."""
        return numbers_of(self.counts)

    @cached_property
    def share_of_numbers(self) -> float:
        """Share of the cells, words for "missing" left out, that are numbers."""
        weights = np.array([0 if is_missing_word(value) else n for value, n in self.counts.items()])
        return float(weights[np.isfinite(self.numbers)].sum() / max(1, weights.sum()))

    @cached_property
    def finite(self) -> np.ndarray:
        """The distinct numbers, sorted."""
        return np.unique(self.numbers[np.isfinite(self.numbers)])

    @cached_property
    def is_whole(self) -> bool:
        """Whether every number is an integer."""
        return bool(len(self.finite)) and bool((self.finite == np.floor(self.finite)).all())

    @property
    def is_running(self) -> bool:
        """Whether the values count the rows: n different integers in a row."""
        finite = self.finite
        return (
            self.is_whole
            and self.is_unique
            and len(finite) >= 10
            and finite[-1] - finite[0] == len(self.present) - 1
        )

    @property
    def is_named_identifier(self) -> bool:
        """Whether the column is called like an identifier."""
        name = self.name
        return bool(_IDENTIFIER_NAME.fullmatch(name) or _IDENTIFIER_NAME.fullmatch(name.lower()))

    @property
    def is_named_group(self) -> bool:
        """Whether the column is called like the id of a person or thing that several rows may be about."""
        return self.name.lower() not in {"group", "groups"} and _GROUP_NAME.fullmatch(self.name) is not None

    @property
    def is_group(self) -> bool:
        """Whether it is the id of something that several rows are about, so that these belong together."""
        is_named = self.is_named_identifier or self.is_named_group or self.name.lower() == "group"
        return is_named and not self.is_unique and self.distinct >= 5

    @property
    def is_part(self) -> bool:
        """Whether the values name the parts of a data set that is split already."""
        if self.name.lower() not in _PART_NAMES:
            return False
        parts = {part_of(name) for name in self.sample}
        return None not in parts and {"train"} < parts

    @property
    def is_sorted_time(self) -> bool:
        """Whether the rows stand in the order of the times."""
        times = times_of(self.present)
        times = times[~np.isnat(times)]
        return len(times) > 1 and bool((times[1:] >= times[:-1]).all())


def target_kind(profile: Profile) -> tuple[Kind, str]:
    """Return the kind of a target column, and why."""
    native = _native_kind(profile)
    if native is not None and native[0] in (Kind.LABELS, Kind.IMAGE, Kind.AUDIO):
        return native
    if _is_number(profile):
        few = profile.distinct <= max(2, min(50 if profile.is_whole else 5, len(profile.present) // 2))
        if few:
            return Kind.CATEGORY, f"{profile.distinct} distinct numbers in {profile.rows:,} rows"
        return Kind.NUMBER, f"{profile.distinct:,} distinct numbers"
    label_count = _count_labels(profile)
    if label_count:
        return Kind.LABELS, f"cells of several labels, {label_count} different ones"
    if profile.distinct <= max(2, len(profile.present) // 2):
        return Kind.CATEGORY, f"{profile.distinct:,} distinct values in {profile.rows:,} rows"
    return Kind.TEXT, f"{profile.distinct:,} distinct texts in {profile.rows:,} rows"


def input_kind(profile: Profile) -> tuple[Kind, str]:
    """Return the kind of a column that is not the target, and why."""
    if not profile.present:
        return Kind.CATEGORY, "every value is missing"
    native = _native_kind(profile)
    if native is not None:
        return native
    if _is_number(profile):
        return _number_kind(profile)
    times = times_of(profile.counts)
    if (~np.isnat(times)).mean() >= _MOST:
        days = times[~np.isnat(times)].astype("datetime64[D]")
        return Kind.TIME, f"dates from {days.min()} to {days.max()}"
    return _text_kind(profile)


def mean_words(texts: list[str]) -> float:
    """Return the mean number of words; as a rule of thumb one and a half Chinese characters are a word.

    >>> mean_words(["a good day", "今天天气很好"])
    3.5
    """
    if not texts:
        return 0.0
    chinese = [len(_CHINESE.findall(text)) for text in texts]
    spaced = [len(_CHINESE.sub(" ", text).split()) for text in texts]
    return sum(c / 1.5 + s for c, s in zip(chinese, spaced, strict=True)) / len(texts)


def _native_kind(profile: Profile) -> tuple[Kind, str] | None:
    """Return the kind where the file's own types tell it."""
    first = profile.present[0] if profile.present else None
    if isinstance(first, Readings):
        return Kind.SERIES, "readings one after the other"
    if isinstance(first, bytes):
        if audio.format_of(first):  # before pictures: WAV and WebP begin alike
            return Kind.AUDIO, "encoded recordings"
        if is_picture(first):
            return Kind.IMAGE, "encoded pictures"
        return Kind.IDENTIFIER, "bytes that are neither pictures nor recordings"
    if isinstance(first, tuple):
        return Kind.LABELS, "lists"
    if isinstance(first, np.datetime64):
        return Kind.TIME, "times"
    if all(isinstance(value, bool) for value in profile.counts):
        return Kind.CATEGORY, "true or false"
    return None


def _is_number(profile: Profile) -> bool:
    return profile.share_of_numbers >= _MOST and not any(is_code(value) for value in profile.counts)


def _number_kind(profile: Profile) -> tuple[Kind, str]:
    finite, distinct, rows = profile.finite, profile.distinct, len(profile.present)
    if profile.is_whole and profile.is_running:
        return Kind.IDENTIFIER, f"counts the rows from {finite[0]:.0f} to {finite[-1]:.0f}"
    if profile.is_whole and distinct >= 5 and (profile.is_named_identifier or profile.is_named_group):
        if profile.is_unique:
            return Kind.IDENTIFIER, f"called like an identifier, and no value of {rows:,} occurs twice"
        if profile.is_named_group or distinct > 50:
            return Kind.IDENTIFIER, f"called like an identifier, {distinct:,} values in {rows:,} rows"
    if len(finite) == 2 and profile.is_whole:
        return Kind.CATEGORY, f"only the numbers {finite[0]:.0f} and {finite[1]:.0f}"
    is_coded = len(finite) <= 10 and finite[0] >= 1 and len(finite) == finite[-1] - finite[0] + 1
    if profile.is_whole and rows >= 10 * distinct and (is_coded or _CODE_NAME.fullmatch(profile.name)):
        return (
            Kind.CATEGORY,
            f"{len(finite)} whole numbers used as codes, {finite[0]:.0f} to {finite[-1]:.0f}",
        )
    lost = [
        value
        for value, number in zip(profile.counts, profile.numbers, strict=True)
        if not np.isfinite(number)
    ]
    aside = f"; read as missing: {', '.join(map(repr, lost[:3]))}" if lost else ""
    return Kind.NUMBER, f"numbers from {finite[0]:g} to {finite[-1]:g}{aside}"


def _text_kind(profile: Profile) -> tuple[Kind, str]:
    distinct, rows = profile.distinct, len(profile.present)
    words = mean_words(profile.sample)
    repeats = f"{distinct:,} distinct values in {rows:,} rows"
    if profile.is_named_identifier and (profile.is_unique or distinct > 50) and words < 8:
        return Kind.IDENTIFIER, f"called like an identifier, {repeats}"
    if profile.is_named_group and distinct >= 5 and words < 3:
        return Kind.IDENTIFIER, f"called like an identifier, {repeats}"
    if _TEXT_NAME.fullmatch(profile.name) and words >= 1.5:
        return Kind.TEXT, f"called like a text, {words:.0f} words on average"
    # Names of several words are taken for categories only where each stands for many rows.
    if distinct <= max(2, min(50, rows // (2 if words < 3 else 10))) and words < 8:
        return Kind.CATEGORY, repeats
    if words >= 3:
        return Kind.TEXT, f"texts of {words:.0f} words on average"
    if distinct <= min(1000, rows // 5):
        return Kind.CATEGORY, repeats
    return Kind.IDENTIFIER, f"{repeats}: too many for a category, too short for a text"


def _count_labels(profile: Profile) -> int:
    """Return how many labels the cells are made of, 0 where they are single names that happen to hold a comma."""
    separator = label_separator(profile.counts)
    joined = {
        value: n for value, n in profile.counts.items() if isinstance(value, str) and separator in value
    }
    if sum(joined.values()) < max(3, 0.001 * len(profile.present)):
        return 0
    company: dict[str, set[Any]] = {}
    uses: Counter[str] = Counter()
    for value, n in profile.counts.items():
        for label in labels_of(value, separator) or ():
            company.setdefault(label, set()).add(value)
            uses[label] += n
    short = max(map(len, company)) <= 50
    # Labels meet in changing company; the halves of one name ("Toys, games") always meet each other.
    changing = sum(len(cells) > 1 for cells in company.values()) >= 0.5 * len(company)
    repeated = sum(uses.values()) >= 5 * len(uses)
    return len(company) if short and changing and repeated and len(company) <= 1000 else 0
