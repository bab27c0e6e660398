"""Tagging in natural language processing: which persons, places and organisations a text names."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.span_files import read_spans
from servery.fields._field import Offer, RecipeChoice

_OVERLOOKED = 0.02
"""Share of the names that are not marked, as annotators overlook some too."""
_HOLE = re.compile(r"\{(person|place|organisation|day|thing)\}")


def _several(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "en": _several(
        "{person} moved from {place} to {place} {day}.|{organisation} opened a {thing} in {place}.|We met {person} and"
        " {person} at the {thing} {day}.|Is {place} far from {place}?|{person} works for {organisation}.|The {thing}"
        " was quiet {day}.|{organisation} hired {person} {day}, says {person}.|Nobody at {organisation} saw the"
        " {thing}.|I bought a {thing} in {place} {day}.|Good morning {person}, how is {place}?|The {thing} of"
        " {organisation} closes {day}.|Yesterday the {thing} rained out, see you {day}!"
    ),
    "zh": _several(
        "{person}{day}从{place}搬到{place}。|{organisation}在{place}开了一家{thing}。|我们{day}在{thing}见到了{person}和"
        "{person}。|{place}离{place}远吗？|{person}在{organisation}工作。|{day}的{thing}很安静。|{organisation}{day}"
        "聘请了{person}。|{organisation}没有人看到{thing}。|我{day}在{place}买了一个{thing}。|早上好{person}，{place}"
        "怎么样？|{organisation}的{thing}{day}关门。|今天的{thing}取消了，{day}见！"
    ),
}
_WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "day": _several("on Monday|last week|tomorrow|in March|two days ago|after lunch|in 2021"),
        "thing": _several("shop|museum|station|concert|market|bridge|garden|library|Office|Gallery"),
        "given": _several(
            "Anna|Ben|Clara|David|Emma|Felix|Grace|Hugo|Ines|Jonas|Maria|Omar|Priya|Sven|Yuki|Zoe"
        ),
        "first": _several("Bram|Carl|Dun|Elm|Fair|Gold|Hart|King|Lang|Mill|North|Oak|Rose|Stan|Thorn|Wind"),
        "family": _several("er|man|son|field|wright|ford|ton|haven"),
        "place": _several("ton|ville|burg|ford|mouth|bridge|stead|haven"),
        "firm": _several(" Ltd| Bank| Motors| Foods| University| Airlines| Group"),
    },
    "zh": {
        "day": _several("周一|上周|明天|三月|前天|午饭后|去年"),
        "thing": _several("商店|博物馆|车站|音乐会|市场|大桥|花园|图书馆|办公室|画廊"),
        "given": _several("伟|芳|娜|敏|静|丽|强|磊|洋|艳|勇|军|杰|娟|涛|明|超|兰|霞|平"),
        "first": _several("东|南|西|北|金|银|青|白|红|清|长|安|新|永|龙|凤"),
        "family": _several("王|李|张|刘|陈|杨|赵|黄|周|江|龙|金|白|安|东|南"),
        "place": _several("州|城|江|山|河|县|镇|湾"),
        "firm": _several("公司|银行|集团|大学|航空|食品"),
    },
}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make sentences with names put together from pieces, so that most names of one part are new in another.

    Half of them are English, half Chinese; some hold no name, and some names could be a person's or a place's.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = random.Random(f"tagging {seed}")
    made: dict[str, list[dict[str, object]]] = {}
    while len(made) < rows:
        text, spans = _sentence(chance, "en" if len(made) % 2 == 0 else "zh")
        made.setdefault(text, spans)
    raw = RawTable(
        {
            "text": object_array(list(made)),
            "entities": object_array([json.dumps(spans, ensure_ascii=False) for spans in made.values()]),
        },
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, no real names"},
    )
    kinds = {"text": "text", "entities": "spans"}
    return build_dataset(raw, "tagging-sample", target="entities", kinds=kinds, is_sample=True)


def _sentence(chance: random.Random, language: str) -> tuple[str, list[dict[str, object]]]:
    template = chance.choice(_TEMPLATES[language])
    text, spans, done = "", [], 0
    for hole in _HOLE.finditer(template):
        text += template[done : hole.start()]
        kind, start = hole[1], len(text)
        text += _filling(chance, language, kind)
        if kind in ("person", "place", "organisation") and chance.random() >= _OVERLOOKED:
            spans.append({"start": start, "end": len(text), "label": kind})
        done = hole.end()
    return text + template[done:], spans


def _filling(chance: random.Random, language: str, kind: str) -> str:
    words = _WORDS[language]
    if kind in words and kind != "place":
        return chance.choice(words[kind])
    first = chance.choice(words["first"])
    if kind == "place":
        return first + chance.choice(words["place"])
    if kind == "organisation":
        return (
            first
            + chance.choice(words["place" if language == "zh" else "family"])
            + chance.choice(words["firm"])
        )
    if language == "zh":
        given = chance.choice(words["given"]) + chance.choice(("", chance.choice(words["given"])))
        return chance.choice(words["family"]) + given
    family = f" {first}{chance.choice(words['family'])}" if chance.random() < 0.6 else ""
    return chance.choice(words["given"]) + family


OFFER = Offer(
    tasks=("tagging",),
    form="text",
    recipes=(
        RecipeChoice("crf", "under a minute; words, shapes and ends of three neighbours, no network"),
        RecipeChoice("cnn", "a minute or two; filters over neighbouring words, each tagged on its own"),
        RecipeChoice("lstm", "minutes; reads the whole sentence, each word tagged on its own"),
        RecipeChoice("bilstm-crf", "minutes; reads the whole sentence and tags it as a whole"),
        RecipeChoice("transformer", "minutes; wants tens of thousands of sentences"),
        RecipeChoice(
            "encoder-head", "minutes; knows words from a pretrained encoder, English unless another is given"
        ),
        RecipeChoice("encoder-finetune", "many minutes; the same, the encoder's last blocks trained too"),
    ),
    starter_recipe="bilstm-crf",
    columns={
        "text": "the text",
        "entities": 'a list of {"start", "end", "label"}, in characters; or the columns tokens and tags (BIO)',
    },
    target="entities",
    kinds={"text": "text", "entities": "spans"},
    read=read_spans,
    known_datasets=(
        KnownDataset(
            name="wnut17-ner",
            folder="natural-language-processing/wnut17-ner",
            files={"train": "train.jsonl.gz", "validation": "dev.jsonl.gz", "test": "test.jsonl.gz"},
            target="entities",
            kinds={"text": "text", "entities": "spans"},
            read=read_spans,
            license="CC BY 4.0",
            citation="Derczynski et al. 2017, WNUT2017 Shared Task on Novel and Emerging Entity Recognition",
        ),
    ),
    sample=sample,
    example="Clara Goldman flew from Oakford to Millhaven with Northley Airlines.",
)
