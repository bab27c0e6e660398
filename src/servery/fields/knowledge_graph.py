"""Knowledge graphs: what connects two entities, which facts are missing, and graphs made of documents."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers.knowledge_graph_link_prediction import OFFER as LINK_PREDICTION
from servery.fields.offers.knowledge_graph_relation_extraction import OFFER as RELATION_EXTRACTION

FIELD = Field(
    name="knowledge-graph",
    title={"en": "Knowledge graph", "zh": "知识图谱"},
    summary={
        "en": "Completes and checks the facts of a graph, finds relations in texts, and makes a graph of documents.",
        "zh": "补全并核对图谱中的事实，从文本中抽取关系，并由文档构建图谱。",
    },
    offers=(RELATION_EXTRACTION, LINK_PREDICTION),
    limits_of_use=(
        "A predicted fact is a guess that fits the others, not evidence: show where an edge comes from, and check it "
        "before anyone acts on it. Facts about living people are personal data. A model of links knows only the "
        "entities it was trained with."
    ),
)
