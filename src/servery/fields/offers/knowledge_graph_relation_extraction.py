"""The offer of relation extraction: invented sentences about people, firms and towns, English and Chinese."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.relation_files import RELATION, SENTENCE, read_relations
from servery.fields._field import Offer, RecipeChoice

KINDS = {SENTENCE: "marked_text", RELATION: "category"}
NO_RELATION = "no_relation"
_NOISE_SHARE = 0.02
_PEOPLE = {
    "en": "Ada Arden|Bela Brook|Cyril Dahl|Dora Egger|Emil Falk|Freya Gant|Goran Holm|Hana Isler|Igor Jorn|Lena Lund",
    "zh": "李明|王芳|张伟|刘洋|陈静|杨帆|赵磊|周敏|吴涛|孙丽",
}
_FIRMS = {
    "en": "Lumen Works|Tidal Foods|Quill Press|Orbit Rail|Fern Textiles|Cobalt Mining|Northwind Bank|Halden Labs",
    "zh": "星河科技|远山食品|青石出版社|明川铁路|白桦纺织|蓝湖矿业|北风银行|晨光实验室",
}
_TOWNS = {
    "en": "Solmar|Norhaven|Port Lume|Greyford|Kell|Asterby|Ostwick|Three Mills",
    "zh": "云溪|白沙|青岭|石桥镇|南浦|东山|平川|柳河",
}
_ENTITIES = {"person": _PEOPLE, "firm": _FIRMS, "town": _TOWNS}

# Of each relation: what its head and tail are, and sentences; the tail may stand first.
_SENTENCES: Mapping[str, tuple[str, str, Mapping[str, tuple[str, ...]]]] = {
    "works_for": (
        "person",
        "firm",
        {
            "en": (
                "{head} has worked for {tail} {when}.",
                "{tail} hired {head} as {job} {when}.",
                "{head}, {job} at {tail}, declined to comment {when}.",
                "{when_first}, {tail} promoted its employee {head}.",
            ),
            "zh": (
                "{head}{when}在{tail}担任{job}。",
                "{tail}{when}聘请了{head}。",
                "{tail}的{job}{head}{when}没有回应。",
            ),
        },
    ),
    "founded": (
        "person",
        "firm",
        {
            "en": (
                "{head} founded {tail} {when}.",
                "{tail} was founded by {head} {when}.",
                "{when_first}, {head} set up the company {tail}.",
                "{tail}, the start-up that {head} created, grew {when}.",
            ),
            "zh": (
                "{head}{when}创办了{tail}。",
                "{tail}由{head}{when}创立。",
                "{tail}是{head}{when}一手创建的企业。",
            ),
        },
    ),
    "born_in": (
        "person",
        "town",
        {
            "en": (
                "{head} was born in {tail} {when}.",
                "{tail} is the birthplace of {head}, {job}.",
                "{head}, a native of {tail}, came back {when}.",
            ),
            "zh": (
                "{head}{when}出生于{tail}。",
                "{tail}是{job}{head}的出生地。",
                "{head}是土生土长的{tail}人。",
            ),
        },
    ),
    "based_in": (
        "firm",
        "town",
        {
            "en": (
                "{head} is based in {tail}, it said {when}.",
                "{tail} is home to the headquarters of {head}.",
                "{head} moved its head office to {tail} {when}.",
            ),
            "zh": (
                "{head}总部{when}迁至{tail}。",
                "{tail}是{head}总部的所在地。",
                "总部位于{tail}的{head}{when}发布了报告。",
            ),
        },
    ),
    NO_RELATION: (
        "person",
        "town",
        {
            "en": (
                "{head} read a book about {tail} {when}.",
                "{head} flew over {tail} {when}.",
                "A letter to {head} mentioned {tail} {when}.",
                "{tail} was on the map that {head} bought {when}.",
            ),
            "zh": (
                "{head}{when}路过{tail}。",
                "{when}寄给{head}的信里提到了{tail}。",
                "{head}{when}读了一本关于{tail}的书。",
            ),
        },
    ),
}
_WHEN = {
    "en": "last year|in March|since 2019|on Monday|two years ago|after the war|this spring|in 2021",
    "zh": "去年|三月|2019年|周一|两年前|战后|今年春天|2021年",
}
_JOBS = {
    "en": "an engineer|a lawyer|head of sales|a chemist|an editor",
    "zh": "工程师|律师|销售主管|化学家|编辑",
}
_OPENINGS = {
    "en": "|According to the report, |As expected, |The paper wrote: |Reportedly, |We learned that ",
    "zh": "|据报道，|不出所料，|报纸写道：|据悉，|我们得知，",
}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make sentences of five relations, a third of them Chinese, with a few labels wrong.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = random.Random(f"relations {seed}")
    made: dict[str, str] = {}
    while len(made) < rows:
        sentence, label = _sentence(chance, "zh" if len(made) % 3 == 2 else "en")
        made.setdefault(
            sentence, chance.choice(list(made.values())) if made and chance.random() < _NOISE_SHARE else label
        )
    raw = RawTable(
        {SENTENCE: object_array(list(made)), RELATION: object_array(list(made.values()))},
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, not real people or firms"},
    )
    return build_dataset(raw, "relation-extraction-sample", target=RELATION, kinds=KINDS, is_sample=True)


def _sentence(chance: random.Random, language: str) -> tuple[str, str]:
    relation = chance.choice(list(_SENTENCES))
    head_kind, tail_kind, templates = _SENTENCES[relation]
    head, tail = (chance.choice(_ENTITIES[kind][language].split("|")) for kind in (head_kind, tail_kind))
    template = chance.choice(templates[language])
    when = chance.choice(_WHEN[language].split("|"))
    # In a text the first entity is e1, as in most data sets; the label tells the direction.
    is_turned = template.index("{tail}") < template.index("{head}")
    marks = ("e2", "e1") if is_turned else ("e1", "e2")
    text = template.format(
        head=f"<{marks[0]}>{head}</{marks[0]}>",
        tail=f"<{marks[1]}>{tail}</{marks[1]}>",
        when=when,
        when_first=when[:1].upper() + when[1:],
        job=chance.choice(_JOBS[language].split("|")),
    )
    direction = "(e2,e1)" if is_turned else "(e1,e2)"
    label = relation if relation == NO_RELATION else relation + direction
    return chance.choice(_OPENINGS[language].split("|")) + text, label


OFFER = Offer(
    tasks=("relation-extraction",),
    form="marked-text",
    recipes=(
        RecipeChoice("tfidf-linear", "seconds; words by region, hard to beat without pretrained weights"),
        RecipeChoice("cnn", "minutes; short phrases around the entities"),
        RecipeChoice("lstm", "minutes; reads in order in both directions"),
        RecipeChoice("attention", "minutes; the same, with the words weighed"),
        RecipeChoice(
            "encoder-finetune",
            "ten minutes; a pretrained encoder trained further, by far the best on English",
        ),
    ),
    starter_recipe="tfidf-linear",
    columns={
        SENTENCE: (
            "a text with <e1>one entity</e1> and <e2>another</e2>; or text, head_start, head_end, tail_start, tail_end"
        ),
        RELATION: "what connects them, with its direction: works_for(e1,e2), works_for(e2,e1); or Other for none",
    },
    known_datasets=(
        KnownDataset(
            name="semeval2010-task8",
            folder="knowledge-graph/semeval2010-task8",
            files={"train": "train.csv.gz", "test": "test.csv.gz"},
            target=RELATION,
            kinds=KINDS,
            ignored=("id", "comment"),
            read=read_relations,
            license="CC BY 3.0",
            citation=(
                "Hendrickx et al. 2010, SemEval-2010 Task 8: Multi-Way Classification of Semantic Relations Between "
                "Pairs of Nominals"
            ),
        ),
    ),
    target=RELATION,
    kinds=KINDS,
    read=read_relations,
    sample=sample,
    example="<e1>Ada Arden</e1> has worked for <e2>Lumen Works</e2> since 2019.",
)
