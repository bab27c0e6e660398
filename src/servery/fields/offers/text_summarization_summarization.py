"""Summaries of short reports: an invented sample in English and Chinese, and abstracts with one line each."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np

from servery.data.article_files import SUMMARIES, TEXTS, read_articles
from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

_ENGLISH: Mapping[str, Sequence[str]] = {
    "place": (
        "the harbour",
        "the old town",
        "the north valley",
        "the airport",
        "the university",
        "the fish market",
    ),
    "who": (
        "the city",
        "a group of engineers",
        "the water company",
        "two students",
        "the railway",
        "a local clinic",
    ),
    "what": (
        *(
            "a lamp that dims itself",
            "a map of noise",
            "a cheaper filter",
            "a night bus",
            "a warning by phone",
        ),
        *(
            "a bridge of wood",
            "a garden on the roof",
            "a smaller pump",
            "a shared workshop",
            "a school kitchen",
        ),
    ),
    "gain": (
        *(
            "saves a third of the power",
            "halves the waiting time",
            "keeps the cellars dry",
            "costs a tenth as much",
        ),
        *("doubles the number of visitors", "makes the street quieter", "brings back the birds"),
    ),
    "background": (
        "People in {place} have complained for years.",
        "Until now nobody had an answer for {place}.",
        "The question came up after the storm of last winter.",
        "Money for such plans is scarce, and time is scarcer.",
        "Similar plans failed twice before.",
    ),
    "detail": (
        "The trial ran for {number} weeks and cost little.",
        "More than {number} people were asked what they think of it.",
        "Some doubt that this will last beyond the summer.",
        "The parts come from a workshop in {place}.",
        "A longer report is due in the spring.",
        "The mayor came to see it in {place}, and stayed for lunch.",
    ),
    "point": (
        "In this report we show that {what}, made by {who}, {gain}.",
        "It turns out that {what} by {who} {gain}.",
        "Our main result is that {what} from {who} {gain}.",
    ),
    "summary": ("{What} by {who} {gain}.",),
}
_CHINESE: Mapping[str, Sequence[str]] = {
    "place": ("港口", "老城区", "北部山谷", "机场", "大学", "鱼市"),
    "who": ("市政府", "一组工程师", "自来水公司", "两名学生", "铁路公司", "一家诊所"),
    "what": (
        *("自动调光的路灯", "噪声地图", "廉价滤水器", "夜班公交", "手机预警"),
        *("木结构桥", "屋顶花园", "小型水泵", "共享工坊", "学校厨房"),
    ),
    "gain": (
        "节省三分之一的电",
        "使等候时间减半",
        "保持地下室干燥",
        "成本仅为十分之一",
        "使游客翻倍",
        "让街道更安静",
    ),
    "background": (
        "{place}的居民多年来一直抱怨。",
        "此前没有人能解决{place}的问题。",
        "去年冬天的风暴之后，人们提出了这个问题。",
    ),
    "detail": (
        "试验持续了{number}周，花费不多。",
        "共有{number}多人接受了调查。",
        "有人怀疑它能否持续到夏天以后。",
        "详细报告将于春天发表。",
    ),
    "point": ("本文表明，{who}的{what}能够{gain}。", "结果显示，{who}的{what}可以{gain}。"),
    "summary": ("{who}的{what}{gain}",),
}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Write short reports in invented sentences, one of which says what matters; every third report is Chinese.

    Args:
        rows: How many different reports.
        seed: Equal seeds give equal reports.
    """
    chance = random.Random(f"reports {seed}")
    reports: dict[str, str] = {}
    while len(reports) < rows:
        text, summary = _report(chance, _CHINESE if len(reports) % 3 == 2 else _ENGLISH)
        reports[text] = summary
    raw = RawTable(
        {"text": object_array(list(reports)), "summary": object_array(list(reports.values()))},
        np.arange(1, len(reports) + 1, dtype=np.int64),
        facts={"made": f"put together with seed {seed}, not real"},
    )
    kinds = {"text": "text", "summary": "text"}
    return build_dataset(raw, "summarization-sample", target="summary", kinds=kinds, is_sample=True)


def _report(chance: random.Random, words: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Return a report and its summary: the point stands after the background, and details after the point."""
    told = {name: chance.choice(words[name]) for name in ("who", "what", "gain")}
    told["What"] = told["what"][0].upper() + told["what"][1:]
    background = chance.sample(words["background"], chance.randint(1, 2))
    details = chance.sample(words["detail"], chance.randint(2, 4))
    sentences = [*background, chance.choice(words["point"]), *details]
    filled = [
        sentence.format(place=chance.choice(words["place"]), number=chance.randint(3, 90), **told)
        for sentence in sentences
    ]
    gap = "" if words is _CHINESE else " "
    return gap.join(filled), chance.choice(words["summary"]).format(**told)


_SCITLDR = KnownDataset(
    name="scitldr-a",
    folder="text-summarization/scitldr-a",
    files={"train": "train.jsonl.gz", "validation": "dev.jsonl.gz", "test": "test.jsonl.gz"},
    target="target",
    kinds={"source": "text", "target": "texts"},
    ignored=("paper_id", "title", "source_labels"),
    read=read_articles,
    license="Apache-2.0",
    citation="Cachola et al. 2020, TLDR: Extreme Summarization of Scientific Documents, Findings of EMNLP",
)
_CSL_TITLE = KnownDataset(
    name="csl-title-zh",
    folder="text-summarization/csl-title-zh",
    files={"train": "train.csv.gz", "validation": "val.csv.gz", "test": "test.csv.gz"},
    target="title",
    kinds={"abstract": "text", "title": "text"},
    license="Apache-2.0",
    citation="Li et al. 2022, CSL: A Large-scale Chinese Scientific Literature Dataset, COLING",
)

OFFER = Offer(
    tasks=("summarization",),
    form="text",
    recipes=(
        RecipeChoice("lead", "seconds; the beginning of the text, nothing is learned but its length"),
        RecipeChoice(
            "textrank", "seconds; the sentences most like the others, nothing is learned but their number"
        ),
        RecipeChoice("sentence-ranker", "a minute; the sentence that learned cues point to, as it stands"),
        RecipeChoice(
            "phrase-ranker", "a minute; the best piece of a sentence: for lines and titles, the one to use"
        ),
        RecipeChoice(
            "pointer-generator", "many minutes; writes anew and copies, the better the more texts there are"
        ),
    ),
    starter_recipe="phrase-ranker",
    columns={
        "text": "a text",
        "summary": "what it says in short, or a list of texts each of which says it well",
    },
    target="summary",
    kinds={**dict.fromkeys(TEXTS, "text"), **dict.fromkeys(SUMMARIES, "texts"), "title": "text"},
    known_datasets=(_SCITLDR, _CSL_TITLE),
    sample=sample,
    read=read_articles,
    example=(
        "People in the old town have complained for years. Similar plans failed twice before. Our main result is that "
        "a night bus from two students halves the waiting time. The trial ran for 40 weeks and cost little."
    ),
)
