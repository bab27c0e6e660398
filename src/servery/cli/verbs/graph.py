"""Make a knowledge graph of documents, and ask and export it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import servery
from servery.cli.options import AsJson, pairs
from servery.cli.output import TerminalProgress, print_facts, print_json, print_table

MOST_SHOWN = 200

File = Annotated[Path, typer.Argument(help="A graph that `servery graph build` wrote.")]

group = typer.Typer(help="Make a knowledge graph of documents, and ask and export it.", no_args_is_help=True)


@group.command()
def build(
    documents: Annotated[
        Path, typer.Argument(help="A text file, a table with a column text, or a folder of them.")
    ],
    relations: Annotated[str, typer.Option(help="The model that tells what connects two names.")],
    tagger: Annotated[
        str, typer.Option(help="The model that finds names; without one capitalised words are names.")
    ] = "",
    names: Annotated[Path | None, typer.Option(help="A file with a name to find on each line.")] = None,
    alias: Annotated[
        list[str] | None, typer.Option(help='Another name, e.g. --alias "Lumen=Lumen Works"; repeatable.')
    ] = None,
    least_score: Annotated[float, typer.Option(min=0.0, max=1.0, help="Leave out less sure edges.")] = 0.5,
    output: Annotated[Path, typer.Option(help="Where to write the graph.")] = Path("graph.json"),
    json: AsJson = False,
) -> None:
    """Make a graph: names found and merged, relations read, every edge with its sentences."""
    graph = servery.build_graph(
        documents,
        relations,
        tagger=tagger,
        names=names,
        aliases=pairs(alias, "--alias"),
        least_score=least_score,
        progress=TerminalProgress(is_quiet=json),
    )
    graph.save(output)
    found = {
        "nodes": len(graph.nodes),
        "edges": len(graph.edges),
        "file": str(output),
        "notes": list(graph.notes),
    }
    if json:
        print_json(found)
        return
    lines = [
        ("Graph", f"{len(graph.nodes):,} nodes, {len(graph.edges):,} edges"),
        *(("Note", note) for note in graph.notes),
    ]
    print_facts(
        [
            *lines,
            ("Saved", str(output)),
            ("Next", f"servery graph export {output} --format svg --output graph.svg"),
        ]
    )


@group.command()
def query(
    graph: File,
    sparql: Annotated[
        str, typer.Argument(help="A SPARQL query; prefixes e, r, g, rdf and rdfs are known.")
    ] = "",
    head: Annotated[str, typer.Option(help="Name of what an edge starts from.")] = "",
    relation: Annotated[str, typer.Option(help="What connects the two.")] = "",
    tail: Annotated[str, typer.Option(help="Name of what an edge leads to.")] = "",
    json: AsJson = False,
) -> None:
    """Ask a graph: by a pattern of names, or in SPARQL."""
    rows = servery.query_graph(graph, sparql, head=head, relation=relation, tail=tail)
    if json:
        print_json(rows)
    elif rows:
        print_table([name.upper() for name in rows[0]], [list(row.values()) for row in rows[:MOST_SHOWN]])
    else:
        print("Nothing fits.")


@group.command()
def export(
    graph: File,
    output: Annotated[Path, typer.Option(help="The file to write; of neo4j a folder.")],
    format: Annotated[str, typer.Option(help="turtle, json-ld, graphml, neo4j or svg.")] = "turtle",
    json: AsJson = False,
) -> None:
    """Write a graph as RDF (Turtle, JSON-LD), GraphML, csv for Neo4j, or a picture."""
    written = servery.export_graph(graph, format, output)
    if json:
        print_json([str(path) for path in written])
    else:
        print_facts([("Saved", str(path)) for path in written])
