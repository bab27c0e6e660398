"""From documents to a graph and out again, with a real model of relations."""

import csv
import io
import json
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

import servery
from servery.errors import DataError, DataNotFoundError, InputError, UnknownNameError
from servery.pipeline.graph.documents import Document, read_documents, sentences_of
from servery.pipeline.graph.exports import to_graphml, to_neo4j, to_svg
from servery.pipeline.graph.graph import Edge, Evidence, Graph, Node, load_graph
from servery.pipeline.graph.mentions import NameFinder
from servery.pipeline.graph.merging import merge_names
from servery.pipeline.graph.rdf import select, to_json_ld, to_turtle
from servery.pipeline.workspace import Workspace

DOCUMENTS = {
    "paper": (
        "Ada Arden founded Lumen Works in 2021. Lumen Works is based in Solmar, it said last year. "
        "Arden was born in Norhaven. Arden was born in Norhaven."
    ),
    "firm": "Dr. Bela Brook has worked for LUMEN WORKS since 2019.",
    "weather": "It rained, and nothing else happened.",
    "报纸": "据报道，李明在星河科技担任工程师。",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A home with a model of relations, trained on the sample."""
    workspace = Workspace.open(tmp_path_factory.mktemp("home"))
    plan = servery.Plan(
        field="knowledge-graph", data="sample", name="rel", recipe="tfidf-linear", export=False
    )
    servery.train(plan, workspace)
    return workspace


@pytest.fixture(scope="module")
def graph(home: Workspace) -> Graph:
    return servery.build_graph(DOCUMENTS, "rel", names=("李明", "星河科技"), workspace=home)


def facts(graph: Graph) -> set[tuple[str, str, str]]:
    labels = graph.labels()
    return {(labels[e.source], e.relation, labels[e.target]) for e in graph.edges}


def test_documents_become_facts_with_merged_names(graph: Graph) -> None:
    assert facts(graph) >= {
        ("Ada Arden", "founded", "Lumen Works"),
        ("Ada Arden", "born_in", "Norhaven"),
        ("Lumen Works", "based_in", "Solmar"),
        ("Bela Brook", "works_for", "Lumen Works"),
        ("李明", "works_for", "星河科技"),
    }
    [works] = [node for node in graph.nodes if node.label == "Lumen Works"]
    assert works.aliases == ("LUMEN WORKS",)
    assert works.sources == ("firm", "paper")


def test_every_edge_names_the_sentence_it_was_read_in_and_a_repeated_one_counts_once(graph: Graph) -> None:
    [edge] = [edge for edge in graph.edges if edge.relation == "born_in"]
    assert [(e.document, e.sentence) for e in edge.sources] == [("paper", "Arden was born in Norhaven.")]
    assert edge.score == edge.sources[0].score >= 0.5
    assert all(
        evidence.sentence in " ".join(DOCUMENTS.values()) for e in graph.edges for evidence in e.sources
    )


def test_a_document_without_a_relation_is_named(graph: Graph) -> None:
    assert any("weather" in note for note in graph.notes)


def test_a_graph_is_kept_and_read_back(graph: Graph, tmp_path: Path) -> None:
    assert load_graph(graph.save(tmp_path / "graph.json")) == graph


def test_it_is_asked_by_names_or_aliases(graph: Graph) -> None:
    [row] = servery.query_graph(graph, head="arden", relation="born_in")
    assert (row["tail"], row["sentence"]) == ("Norhaven", "Arden was born in Norhaven.")
    assert servery.query_graph(graph, head="nobody") == []


def test_it_is_asked_in_sparql_with_scores_and_sentences(graph: Graph) -> None:
    found = select(graph, "SELECT ?name WHERE { ?p r:works_for e:lumen_works ; rdfs:label ?name }")
    assert found == [{"name": "Bela Brook"}]
    evidence = select(
        graph,
        "SELECT ?text ?score WHERE { ?s rdf:predicate r:born_in ; g:sentence ?text ; g:score ?score }",
    )
    assert evidence[0]["text"] == "Arden was born in Norhaven."
    assert 0.5 <= float(evidence[0]["score"]) <= 1.0
    assert select(graph, "ASK { ?p r:founded ?firm }") == [{"answer": "true"}]


@pytest.mark.parametrize(
    "query",
    [
        "SELEC ?x",
        "DELETE WHERE { ?a ?b ?c }",
        "SELECT * WHERE { SERVICE <http://x.y/> { ?a ?b ?c } }",
        "SELECT * { service silent<http://x.y/> {?a ?b ?c}}",
        "CONSTRUCT { ?a r:x ?b } WHERE { ?a r:founded ?b }",
    ],
)
def test_a_query_that_is_none_of_ours_is_refused(graph: Graph, query: str) -> None:
    with pytest.raises(InputError):
        select(graph, query)


def test_rdf_holds_every_edge_twice_as_a_triple_and_with_its_evidence(graph: Graph) -> None:
    import pyoxigraph

    for text, kind in (
        (to_turtle(graph), pyoxigraph.RdfFormat.TURTLE),
        (to_json_ld(graph), pyoxigraph.RdfFormat.JSON_LD),
    ):
        quads = list(pyoxigraph.parse(text.encode(), format=kind))
        plain = {q for q in quads if q.predicate.value.startswith("urn:servery:graph:relation:")}
        assert len(plain) == len(graph.edges)
        statements = [
            q
            for q in quads
            if q.object == pyoxigraph.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#Statement")
        ]
        assert len(statements) == sum(len(edge.sources) for edge in graph.edges)


def test_graphml_and_neo4j_hold_nodes_and_edges_with_their_sentences(graph: Graph) -> None:
    space = {"g": "http://graphml.graphdrawing.org/xmlns"}
    root = ElementTree.fromstring(to_graphml(graph))
    assert len(root.findall(".//g:node", space)) == len(graph.nodes)
    assert len(root.findall(".//g:edge", space)) == len(graph.edges)
    files = {name: list(csv.DictReader(io.StringIO(text))) for name, text in to_neo4j(graph).items()}
    ids = {row["id:ID"] for row in files["nodes.csv"]}
    assert all({row[":START_ID"], row[":END_ID"]} <= ids for row in files["relationships.csv"])
    assert "Arden was born in Norhaven." in {row["sentence"] for row in files["relationships.csv"]}


def test_the_picture_is_a_drawing_with_every_name(graph: Graph) -> None:
    root = ElementTree.fromstring(to_svg(graph))
    texts = "".join(root.itertext())
    assert all(graph.labels()[end] in texts for edge in graph.edges for end in (edge.source, edge.target))


def test_markup_and_control_characters_in_names_do_no_harm() -> None:
    nodes = (Node("a", "<script>&\x01", "entity"), Node("b", 'b" ; }', "entity"))
    edge = Edge("a", "is <of>", "b", 0.9, (Evidence("d", "text \x00 <b>", 0.9),))
    odd = Graph(nodes, (edge,))
    ElementTree.fromstring(to_graphml(odd))
    assert "<script>" not in to_svg(odd)
    assert select(odd, "SELECT ?x WHERE { ?x rdfs:label ?l . FILTER(CONTAINS(?l, 'script')) }")


def test_documents_are_read_from_files_folders_and_tables(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One.", encoding="utf-8")
    (tmp_path / "b.csv").write_text("title,text\nx,Two.\ny,三。\n", encoding="utf-8")
    assert [d.name for d in read_documents(tmp_path)] == ["a.txt", "b.csv#x", "b.csv#y"]
    assert read_documents(tmp_path / "a.txt") == [Document("a.txt", "One.")]
    with pytest.raises(DataNotFoundError):
        read_documents(tmp_path / "missing")
    (tmp_path / "c.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column called text"):
        read_documents(tmp_path / "c.csv")


def test_a_megabyte_of_text_is_cut_into_sentences_in_a_second() -> None:
    started = time.monotonic()
    sentences = sentences_of("Ann Lind met Bo Falk in Oslo. " * 20_000 + "x" * 400_000)
    assert len(sentences) > 20_000
    assert max(map(len, sentences)) <= 600
    NameFinder().find(sentences[-1])
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("sentence", "names"),
    [
        ("According to Ann Lind's report, the Bank of Oslo bought it.", ["Ann Lind", "Bank of Oslo"]),
        ("On Monday Dr. Lind met Falk, Inc.", ["Lind", "Falk, Inc"]),
        ("她在Lumen Works工作。", ["Lumen Works"]),
        ("nothing here 123 !!", []),
        ("", []),
    ],
)
def test_capitalised_runs_are_names_and_openings_are_not(sentence: str, names: list[str]) -> None:
    assert [name.text for name in NameFinder().find(sentence)] == names


def test_listed_names_are_found_in_any_script_and_not_within_words() -> None:
    finder = NameFinder(["李明", "ann"])
    assert [n.text for n in finder.find("李明 and ann and annex")] == ["李明", "ann"]


def test_short_forms_join_the_only_name_they_can_stand_for() -> None:
    finder = NameFinder(["United Tin Works"])
    named = [
        n
        for s in ("Ada Arden", "Arden", "UTW", "United Tin Works", "Bo Falk", "Cy Falk", "Falk")
        for n in finder.find(s)
    ]
    joined = merge_names(named, {"The Boss": "Ada Arden"})
    assert joined["Arden"] == joined["Ada Arden"]
    assert joined["UTW"] == joined["United Tin Works"]
    assert joined["Falk"] not in (joined["Bo Falk"], joined["Cy Falk"])


def test_a_model_of_another_task_is_refused(home: Workspace) -> None:
    plan = servery.Plan(
        field="sentiment-analysis", data="sample", name="mood", recipe="tfidf-linear", export=False
    )
    servery.train(plan, home)
    with pytest.raises(InputError, match="relation-extraction"):
        servery.build_graph(DOCUMENTS, "mood", workspace=home)


def test_torn_files_and_unknown_formats_are_refused(graph: Graph, tmp_path: Path) -> None:
    torn = tmp_path / "torn.json"
    torn.write_text(json.dumps({"nodes": [], "edges": [{"source": "x"}]}), encoding="utf-8")
    with pytest.raises(DataError, match="holds no graph"):
        load_graph(torn)
    with pytest.raises(DataNotFoundError):
        load_graph(tmp_path / "missing.json")
    with pytest.raises(UnknownNameError, match="graphml"):
        servery.export_graph(graph, "grapml", tmp_path / "x")
