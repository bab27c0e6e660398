"""Near copies: texts that differ in a word, pictures that were saved again, and quickly so."""

from __future__ import annotations

import io
import time

import numpy as np
from PIL import Image

from servery.data.building import build_dataset
from servery.data.duplicates import find_duplicates, repeats
from servery.data.raw_table import RawTable, object_array


def groups_of(column: str, cells: list[object]) -> np.ndarray:
    raw = RawTable({column: object_array(cells)}, np.arange(1, len(cells) + 1))
    return find_duplicates(build_dataset(raw, "x", kinds={column: column})).near


def texts(rows: int, words: int, seed: int = 0) -> list[str]:
    chance = np.random.default_rng(seed)
    known = ["".join(chance.choice(list("abcdefghijklmnop"), 6)) for _ in range(4000)]
    return [" ".join(known[i] for i in chance.integers(0, 4000, words)) for _ in range(rows)]


def test_a_long_text_with_one_word_changed_is_a_near_copy_and_another_text_is_none() -> None:
    pool = texts(200, 60)
    changed = [" ".join(["changed", *text.split()[1:]]) for text in pool[:100]]
    groups = groups_of("text", [*pool, *changed])
    assert (groups[200:] == groups[:100]).mean() >= 0.98
    assert len(set(groups[:200].tolist())) == 200


def test_the_same_frame_around_different_contents_is_no_copy() -> None:
    names = texts(100, 6)
    groups = groups_of(
        "text", [f"Dear customer, thank you for asking about {name}. Yours, the shop" for name in names]
    )
    assert len(set(groups.tolist())) == 100


def test_fifty_thousand_texts_take_seconds() -> None:
    pool = texts(45_000, 12)
    started = time.monotonic()
    groups = groups_of("text", [*pool, *(text.upper() for text in pool[:5000])])
    assert time.monotonic() - started < 20
    assert repeats(groups).sum() == 5000


def picture(seed: int, shift: int = 0) -> Image.Image:
    chance = np.random.default_rng(seed)
    rough = Image.fromarray(chance.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(
        (96, 96), Image.Resampling.BICUBIC
    )
    return Image.fromarray(np.roll(np.asarray(rough), shift, axis=1))


def saved(image: Image.Image, format_name: str, **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=format_name, **options)
    return stream.getvalue()


def test_a_picture_saved_again_or_resized_is_a_near_copy_and_another_picture_is_none() -> None:
    originals = [saved(picture(seed), "PNG") for seed in range(60)]
    again = [saved(picture(seed), "JPEG", quality=60) for seed in range(20)]
    smaller = [saved(picture(seed).resize((64, 64)), "PNG") for seed in range(20, 40)]
    groups = groups_of("image", [*originals, *again, *smaller])
    assert len(set(groups[:60].tolist())) == 60
    assert (groups[60:] == groups[:40]).all()
