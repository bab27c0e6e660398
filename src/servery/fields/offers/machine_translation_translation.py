"""Translation between English and Chinese: its sample, known data and recipes."""

from __future__ import annotations

import random

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

_WHO = (
    *(("Tom", "汤姆"), ("Mary", "玛丽"), ("my sister", "我妹妹"), ("our teacher", "我们的老师")),
    *(
        ("the old man", "那位老人"),
        ("her brother", "她哥哥"),
        ("the doctor", "医生"),
        ("a tall woman", "一位高个子女士"),
    ),
    *(
        ("the girl", "那个女孩"),
        ("his father", "他父亲"),
        ("the new student", "新来的学生"),
        ("my friend", "我朋友"),
    ),
)
_WHAT = (
    *(("read", "read", "看", "一本书", "a book"), ("bought", "buy", "买", "一张票", "a ticket")),
    *(("ate", "eat", "吃", "一个苹果", "an apple"), ("drank", "drink", "喝", "一杯茶", "a cup of tea")),
    *(("wrote", "write", "写", "一封信", "a letter"), ("sang", "sing", "唱", "一首歌", "a song")),
    *(("lost", "lose", "丢", "一把钥匙", "a key"), ("found", "find", "找到", "一顶帽子", "a hat")),
    *(("painted", "paint", "画", "一匹马", "a horse"), ("sold", "sell", "卖", "一辆自行车", "a bicycle")),
    *(("heard", "hear", "听到", "一只鸟", "a bird"), ("saw", "see", "看到", "一只猫", "a cat")),
)
"""Past tense, base form and object in English; verb and object in Chinese."""
_WHERE = (
    *(
        ("at home", "在家里"),
        ("in the park", "在公园里"),
        ("at school", "在学校"),
        ("at the station", "在车站"),
    ),
    *(("in the garden", "在花园里"), ("on the train", "在火车上"), ("in Beijing", "在北京"), ("", "")),
)
_WHEN = (
    *(("yesterday", "昨天"), ("this morning", "今天早上"), ("last night", "昨晚"), ("on Monday", "星期一")),
    *(("two days ago", "两天前"), ("last week", "上周"), ("in the summer", "夏天"), ("at noon", "中午")),
)


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Put English and Chinese sentences together from a few dozen words: statements, denials and questions.

    Args:
        rows: How many different pairs.
        seed: Equal seeds give equal sentences.
    """
    chance = random.Random(f"sentences {seed}")
    pairs: dict[str, str] = {}
    while len(pairs) < rows:
        english, chinese = _pair(chance)
        pairs[english] = chinese
    raw = RawTable(
        {"en": object_array(list(pairs)), "zh": object_array(list(pairs.values()))},
        np.arange(1, len(pairs) + 1, dtype=np.int64),
        facts={"made": f"put together with seed {seed}, not real"},
    )
    kinds = {"en": "text", "zh": "text"}
    return build_dataset(raw, "machine-translation-sample", target="zh", kinds=kinds, is_sample=True)


def _pair(chance: random.Random) -> tuple[str, str]:
    """Return one sentence in both languages: Chinese says when and where before what."""
    (who, who_zh), (where, where_zh), (when, when_zh) = (chance.choice(x) for x in (_WHO, _WHERE, _WHEN))
    past, base, verb_zh, thing_zh, thing = chance.choice(_WHAT)
    kind = chance.choice(("says", "says", "denies", "asks"))
    circumstances = " ".join(part for part in (where, when) if part)
    begin, before = who[0].upper() + who[1:], f"{who_zh}{when_zh}{where_zh}"
    if kind == "says":
        return f"{begin} {past} {thing} {circumstances}.", f"{before}{verb_zh}了{thing_zh}。"
    if kind == "denies":
        return f"{begin} did not {base} {thing} {circumstances}.", f"{before}没有{verb_zh}{thing_zh}。"
    return f"Did {who} {base} {thing} {circumstances}?", f"{before}{verb_zh}了{thing_zh}吗？"


_PARTS = {"train": "train.csv.gz", "validation": "val.csv.gz", "test": "test.csv.gz"}


def _tatoeba(name: str, target: str) -> KnownDataset:
    return KnownDataset(
        name=name,
        folder="machine-translation/tatoeba-en-zh",
        files=_PARTS,
        target=target,
        kinds={"en": "text", "zh": "text"},
        ignored=("attribution",),
        license="CC BY 2.0 FR",
        citation="Tatoeba project, as distributed by manythings.org/anki (cmn-eng)",
    )


OFFER = Offer(
    tasks=("translation",),
    form="text",
    recipes=(
        RecipeChoice("translation-memory", "seconds; the translation of the most alike sentence it knows"),
        RecipeChoice(
            "seq2seq-rnn", "minutes; two LSTMs with one vector between them, forgets long sentences"
        ),
        RecipeChoice("seq2seq-attention", "minutes; looks at every word read, the one to use"),
        RecipeChoice("seq2seq-transformer", "longer; attention alone, the better the more data there is"),
    ),
    starter_recipe="translation-memory",
    columns={"en": "a sentence", "zh": "the same in the other language; any two text columns do"},
    target="zh",
    kinds={"en": "text", "zh": "text"},
    known_datasets=(_tatoeba("tatoeba-en-zh", "zh"), _tatoeba("tatoeba-zh-en", "en")),
    sample=sample,
    example="My sister bought a ticket at the station this morning.",
)
