"""The language of texts by the library lingua, which brings what it learned along."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servery.errors import ArtifactError, MissingExtraError
from servery.models.encoder import Batch
from servery.models.runtime import Runtime

LEAST_SHARE = 1e-9
"""Stands in for a share of 0, whose logarithm nobody can use."""
SHARE_DIGITS = 6
"""The library adds up in an order that changes from process to process: further digits are noise."""
UNDETERMINED = "und"
ACCURACIES = ("high", "low")


class Lingua(Runtime):
    """Shares of runs of one to five characters (or three, for "low") in each language; naive Bayes over them.

    What it knows of a language is read from the library when first needed: a second for most, and for "high" up to
    about 900 MB in all; 60 MB for "low".

    Source: the library lingua-language-detector, version 2.1.

    Args:
        labels: ISO 639-1 codes of the languages told apart, and "und" for texts without words.
        accuracy: "high" or "low".
    """

    name = "lingua"

    def __init__(self, labels: Sequence[str], accuracy: str) -> None:
        library = _library()
        codes = [label for label in labels if label != UNDETERMINED]
        known = known_languages()
        unknown = [code for code in codes if code not in known]
        if unknown or accuracy not in ACCURACIES:
            raise ArtifactError(f"lingua knows no language {unknown[:5]} or no accuracy {accuracy!r}.")
        builder = library.LanguageDetectorBuilder.from_languages(*(known[code] for code in codes))
        self._detector = (builder.with_low_accuracy_mode() if accuracy == "low" else builder).build()
        self.labels, self.accuracy = tuple(labels), accuracy
        self._places = {known[label]: place for place, label in enumerate(labels) if label != UNDETERMINED}

    def run(self, batch: Batch) -> np.ndarray:
        """Return the logarithms of the languages' shares, float32, (rows, labels)."""
        rows = zip(batch["bytes"], batch["lengths"].tolist(), strict=True)
        # A character cut in two at the end says nothing.
        texts = [bytes(row[:length]).decode(errors="ignore") for row, length in rows]
        return np.stack([self._logits(text) for text in texts])

    def _logits(self, text: str) -> np.ndarray:
        logits = np.full(len(self.labels), math.log(LEAST_SHARE), np.float32)
        shares = (
            self._detector.compute_language_confidence_values(text) if any(map(str.isalpha, text)) else []
        )
        if not any(share.value for share in shares):
            logits[self.labels.index(UNDETERMINED)] = 0.0
            return logits
        for share in shares:
            logits[self._places[share.language]] = math.log(
                max(round(share.value, SHARE_DIGITS), LEAST_SHARE)
            )
        return logits

    def save(self, folder: Path) -> None:
        """Write nothing: the library is a part of the installation."""

    def options(self) -> dict[str, Any]:
        """Return the languages and the accuracy."""
        return {"labels": list(self.labels), "accuracy": self.accuracy}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> Lingua:
        """Build the detector anew.

        Raises:
            ArtifactError: The options are not those of this runtime.
            MissingExtraError: The library is not installed.
        """
        try:
            return cls([str(label) for label in options["labels"]], str(options["accuracy"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The languages in {folder.name} cannot be read: {error!r}.") from error


def known_languages() -> dict[str, Any]:
    """Return the library's languages by their ISO 639-1 code, sorted by it.

    Raises:
        MissingExtraError: The library is not installed.
    """
    found = {language.iso_code_639_1.name.lower(): language for language in _library().Language.all()}
    return dict(sorted(found.items()))


def _library() -> Any:
    try:
        import lingua
    except ImportError as error:
        raise MissingExtraError.named("languages") from error
    return lingua


RUNTIME = Lingua
