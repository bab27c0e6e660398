"""Aspect-based sentiment: what a review says of one thing in it, in English and Chinese."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

_POLARITIES = ("positive", "negative", "neutral")
_NOISE_SHARE = 0.02
"""Share of the sample's labels drawn at random, as annotators err too."""


def _several(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_ASPECTS: Mapping[str, tuple[str, ...]] = {
    "en": _several(
        "room|soup|battery|screen|service|staff|delivery|price|keyboard|breakfast|location|camera|sound|plot|seat|menu"
    ),
    "zh": _several("房间|汤|电池|屏幕|服务|店员|物流|价格|键盘|早餐|位置|相机|音质|剧情|座椅|菜单"),
}
# Written around the aspect, so that the clause of another aspect says nothing of it.
_CLAUSES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "positive": _several(
            "the {a} was great|we loved the {a}|a wonderful {a}|the {a} is excellent|very happy with the {a}|"
            "the {a} was really lovely|the {a} impressed us|what a superb {a}"
        ),
        "negative": _several(
            "the {a} was awful|we hated the {a}|a terrible {a}|the {a} is useless|very unhappy with the {a}|"
            "the {a} was really poor|the {a} let us down|what a dreadful {a}"
        ),
        "neutral": _several(
            "the {a} was as usual|we asked about the {a}|a {a} like any other|the {a} is new|there is also the {a}|"
            "the {a} was changed in March|the {a} is mentioned online|they have a {a}"
        ),
    },
    "zh": {
        "positive": _several(
            "{a}很棒|{a}非常好|喜欢这里的{a}|{a}让人满意|{a}确实出色|难得这么好的{a}|{a}超值"
        ),
        "negative": _several(
            "{a}很差|{a}太糟糕|讨厌这里的{a}|{a}让人失望|{a}确实难用|难得这么烂的{a}|{a}不值"
        ),
        "neutral": _several(
            "{a}和以前一样|问了一下{a}|这里也有{a}|{a}是新换的|{a}三月份改过|网上提到过{a}|{a}一般"
        ),
    },
}
_JOINTS: Mapping[str, tuple[str, ...]] = {
    "en": _several(", but | and |; |, although |. Besides, "),
    "zh": _several("，但是|，而且|；|，不过|。另外"),
}
_TIMES: Mapping[str, tuple[str, ...]] = {
    "en": _several(
        "|Last week |On Monday |In Leeds |For two nights: |After lunch |With my parents: |Yesterday "
    ),
    "zh": _several("|上周|星期一|在上海，|住了两晚，|午饭后|和爸妈一起，|昨天"),
}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make reviews of two or three things with an opinion on each, and ask for one of them.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = random.Random(f"aspects {seed}")
    reviews: dict[str, tuple[str, str]] = {}
    while len(reviews) < rows:
        language = "en" if len(reviews) % 2 == 0 else "zh"
        text, aspect, polarity = _review(chance, language)
        noisy = chance.choice(_POLARITIES) if chance.random() < _NOISE_SHARE else polarity
        reviews.setdefault(text, (aspect, noisy))
    raw = RawTable(
        {
            "text": object_array(list(reviews)),
            "aspect": object_array([aspect for aspect, _ in reviews.values()]),
            "polarity": object_array([polarity for _, polarity in reviews.values()]),
        },
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, not real reviews"},
    )
    kinds = {"text": "text", "aspect": "text", "polarity": "category"}
    return build_dataset(raw, "sentiment-aspects-sample", target="polarity", kinds=kinds, is_sample=True)


def _review(chance: random.Random, language: str) -> tuple[str, str, str]:
    """Return a text, one of the things in it, and what it says of that."""
    aspects = chance.sample(_ASPECTS[language], chance.choice((2, 2, 3)))
    polarities = [chance.choice(_POLARITIES) for _ in aspects]
    clauses = [
        chance.choice(_CLAUSES[language][polarity]).format(a=aspect)
        for aspect, polarity in zip(aspects, polarities, strict=True)
    ]
    text = chance.choice(_TIMES[language]) + chance.choice(_JOINTS[language]).join(clauses)
    place = chance.randrange(len(aspects))
    return text + ("。" if language == "zh" else "."), aspects[place], polarities[place]


OFFER = Offer(
    tasks=("classification",),
    form="text",
    sample_name="aspects-sample",
    recipes=(
        RecipeChoice("tfidf-linear", "seconds; sees the words beside the aspect"),
        RecipeChoice("cnn", "minutes; sees phrases around the aspect"),
        RecipeChoice("lstm", "minutes; reads in order"),
        RecipeChoice("encoder-finetune", "the best with little data, English; many minutes"),
    ),
    starter_recipe="tfidf-linear",
    columns={
        "text": "the review",
        "aspect": "what in it is asked about, spelled as in the text",
        "polarity": "positive, negative, neutral or others",
    },
    kinds={"aspect": "text", "text": "text"},
    target="polarity",
    sample=sample,
    example={"text": "The soup was great, but we hated the staff.", "aspect": "staff"},
)
