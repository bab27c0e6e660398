"""From documents to a graph: names found and merged, relations asked of a model, every edge with its evidence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from servery.data.marked_text import MarkedText
from servery.errors import InputError
from servery.pipeline.ask import ask
from servery.pipeline.graph.documents import Document, sentences_of
from servery.pipeline.graph.graph import Edge, Evidence, Graph, Node
from servery.pipeline.graph.mentions import UNTYPED, Named, NameFinder
from servery.pipeline.graph.merging import key_of, merge_names
from servery.pipeline.workspace import Workspace
from servery.progress import Progress, Silence

BATCH = 256
"""Texts asked about at once."""
MOST_NAMES = 12
"""Of one sentence; a list of more names is no statement about each two of them."""
LONGEST_ID = 60


@dataclass(frozen=True)
class Means:
    """What a graph is made with.

    Attributes:
        relations: The model that tells what connects two marked names, e.g. "rel" or "rel@2".
        tagger: The model that finds names; empty for names on the list and capitalised ones.
        names: Names to find besides.
        aliases: Another name to the name it stands for.
        least_score: Edges of which the model is less sure are left out.
        workspace: Where the models are registered; None opens the default data home.
        progress: Hears the news.
    """

    relations: str
    tagger: str = ""
    names: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    least_score: float = 0.5
    workspace: Workspace | None = None
    progress: Progress = field(default_factory=Silence)


@dataclass(frozen=True)
class _Sentence:
    document: str
    text: str
    named: tuple[Named, ...]


@dataclass(frozen=True)
class _Fact:
    head: Named
    relation: str
    tail: Named
    evidence: Evidence


def build_graph(documents: Sequence[Document], means: Means) -> Graph:
    """Return the graph of what some documents say.

    Two names in one sentence are asked about once, in the order of the text; the model's label tells the direction.
    A sentence that stands in a document twice counts once. What connects an entity with itself is left out.

    Args:
        documents: The texts.
        means: The models and what is known besides.

    Raises:
        ModelNotFoundError: There is no model of that name.
        InputError: The model of relations is for another task.
    """
    sentences = list(_sentences(documents, means))
    facts = list(_facts(sentences, means))
    names = [name for sentence in sentences for name in sentence.named]
    entities = merge_names(names, means.aliases)
    sources: dict[str, set[str]] = defaultdict(set)
    for sentence in sentences:
        for name in sentence.named:
            sources[entities[name.text]].add(sentence.document)
    nodes = _nodes(names, entities, sources)
    edges, loops = _edges(facts, entities, {key: node.id for key, node in nodes.items()})
    return Graph(tuple(nodes.values()), edges, tuple(_notes(documents, sentences, edges, loops)))


def _sentences(documents: Sequence[Document], means: Means) -> Iterator[_Sentence]:
    """Yield each distinct sentence of each document with the names in it."""
    pairs = [(d.name, s) for d in documents for s in dict.fromkeys(sentences_of(d.text))]
    texts = [text for _, text in pairs]
    finder = NameFinder((*means.names, *means.aliases, *means.aliases.values()))
    tagged = _tagged(texts, means) if means.tagger else [[] for _ in texts]
    for (document, text), found in zip(pairs, tagged, strict=True):
        others = finder.find(text) if not means.tagger else _listed(finder, text, means, found)
        named = sorted([*found, *others], key=lambda name: name.start)
        yield _Sentence(document, text, tuple(named))


def _listed(finder: NameFinder, text: str, means: Means, found: Sequence[Named]) -> list[Named]:
    """Return names of the user's list that a tagging model missed."""
    wanted = {*means.names, *means.aliases, *means.aliases.values()}
    return [
        name
        for name in finder.find(text)
        if name.text in wanted and all(name.end <= f.start or f.end <= name.start for f in found)
    ]


def _tagged(texts: Sequence[str], means: Means) -> list[list[Named]]:
    answers = _asked(means.tagger, texts, means, "Names")
    if answers and "entities" not in answers[0]:
        raise InputError(f"{means.tagger} finds no names; name a tagging model.", param="tagger")
    return [
        [Named(e["start"], e["end"], text[e["start"] : e["end"]], e["label"]) for e in answer["entities"]]
        for text, answer in zip(texts, answers, strict=True)
    ]


def _facts(sentences: Sequence[_Sentence], means: Means) -> Iterator[_Fact]:
    questions = [
        (sentence, first, second)
        for sentence in sentences
        for first, second in combinations(sentence.named[:MOST_NAMES], 2)
        if key_of(first.text) != key_of(second.text)
    ]
    marked = [str(MarkedText(s.text, (a.start, a.end), (b.start, b.end))) for s, a, b in questions]
    answers = _asked(means.relations, marked, means, "Relations")
    for (sentence, first, second), answer in zip(questions, answers, strict=True):
        if "relation" not in answer:
            raise InputError(
                f"{means.relations} tells no relations; name a model of the task relation-extraction.",
                param="relations",
            )
        if answer["relation"] and answer["score"] >= means.least_score:
            head, tail = (first, second) if answer["head"]["start"] == first.start else (second, first)
            evidence = Evidence(sentence.document, sentence.text, answer["score"])
            yield _Fact(head, answer["relation"], tail, evidence)


def _asked(model: str, texts: Sequence[str], means: Means, stage: str) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    for start in range(0, len(texts), BATCH):
        answers += ask(model, list(texts[start : start + BATCH]), workspace=means.workspace)
        means.progress.update(stage, len(answers), len(texts))
    return answers


def _nodes(
    names: Sequence[Named], entities: Mapping[str, str], sources: Mapping[str, set[str]]
) -> dict[str, Node]:
    """Return the node of each entity by its key: called by its longest name, of its most frequent type."""
    written: dict[str, Counter[str]] = defaultdict(Counter)
    types: dict[str, Counter[str]] = defaultdict(Counter)
    for name in names:
        key = entities[name.text]
        written[key][name.text] += 1
        types[key][name.type] += name.type != UNTYPED
    nodes: dict[str, Node] = {}
    taken: set[str] = set()
    for key in sorted(written):
        label = max(written[key], key=lambda text: (len(text), written[key][text], text))
        kind, count = types[key].most_common(1)[0]
        aliases = tuple(sorted(set(written[key]) - {label}))
        node = Node(_id(key, taken), label, kind if count else UNTYPED, aliases, tuple(sorted(sources[key])))
        taken.add(node.id)
        nodes[key] = node
    return nodes


def _id(key: str, taken: set[str]) -> str:
    plain = "_".join("".join(c if c.isalnum() else " " for c in key).split())[:LONGEST_ID] or "entity"
    number = 1
    while (f"{plain}_{number}" if number > 1 else plain) in taken:
        number += 1
    return f"{plain}_{number}" if number > 1 else plain


def _edges(
    facts: Iterable[_Fact], entities: Mapping[str, str], ids: Mapping[str, str]
) -> tuple[tuple[Edge, ...], int]:
    """Return one edge for each distinct fact, and how many connected an entity with itself."""
    evidence: dict[tuple[str, str, str], list[Evidence]] = defaultdict(list)
    loops = 0
    for fact in facts:
        head, tail = (ids[entities[name.text]] for name in (fact.head, fact.tail))
        if head == tail:
            loops += 1
        else:
            evidence[head, fact.relation, tail].append(fact.evidence)
    edges = []
    for (head, relation, tail), found in sorted(evidence.items()):
        best: dict[tuple[str, str], Evidence] = {}
        for one in sorted(found, key=lambda e: -e.score):
            best.setdefault((one.document, one.sentence), one)
        sources = tuple(best.values())
        edges.append(Edge(head, relation, tail, sources[0].score, sources))
    return tuple(edges), loops


def _notes(
    documents: Sequence[Document], sentences: Sequence[_Sentence], edges: Sequence[Edge], loops: int
) -> Iterator[str]:
    told = {evidence.document for edge in edges for evidence in edge.sources}
    silent = [document.name for document in documents if document.name not in told]
    if silent:
        shown = ", ".join(silent[:5]) + (" ..." if len(silent) > 5 else "")
        yield f"No relation was found in {len(silent)} of {len(documents)} documents: {shown}."
    if not any(sentence.named for sentence in sentences):
        yield "No name was found; scripts without capitals, such as Chinese, need a tagging model or a list of names."
    crowded = sum(len(sentence.named) > MOST_NAMES for sentence in sentences)
    if crowded:
        yield f"{crowded} sentences hold more than {MOST_NAMES} names; only the first {MOST_NAMES} were looked at."
    if loops:
        yield f"{loops} relations of an entity with itself were left out."
