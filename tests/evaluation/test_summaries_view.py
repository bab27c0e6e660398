"""The report's view of summarization: what was chosen is marked, what was made up is told, texts stay texts."""

from typing import Any

import msgspec
import numpy as np

from servery.data.building import build_dataset
from servery.data.raw_table import RawTable, object_array
from servery.evaluation.view import Case
from servery.evaluation.views.summaries import SUMMARIES
from servery.models.encoders.utf8 import Utf8
from servery.models.predictor import Predictor
from servery.models.runtimes.text_rank import TextRank
from servery.models.signature import Signature
from servery.tasks.classification import CLASSIFICATION
from servery.tasks.summarization import SUMMARIZATION
from servery.tasks.task import Calibration
from servery.tasks.written import Candidate, Passage, Written, outputs_of

TEXTS = ["First <b>one</b>. Then two.", "甲。乙丙。", "Only this here."]
WRITTEN = (
    Written((Candidate("Then two.", 0.9),), 27, passages=(Passage("Then two.", 18, 27, 0.9),), count=1),
    Written((Candidate("乙丙。", 0.9),), 5, passages=(Passage("乙丙。", 2, 5, 0.9),), count=1),
    Written((Candidate("Only that here", 0.9),), 15),
)


def found(written: tuple[Written, ...]) -> Any:
    raw = RawTable(
        {"text": object_array(TEXTS), "summary": object_array(["then two", "丙", "only this"])},
        np.arange(1, 4),
    )
    rows = build_dataset(raw, "rows", target="summary", kinds={"text": "text", "summary": "text"})
    signature = Signature("summarization", "test", rows.inputs, (), "summary")
    predictor = Predictor(signature, Utf8(["text"]), TextRank(1, 0.85, 0.5), Calibration(), "test")
    targets = SUMMARIZATION.encode_targets(rows, ())
    case = Case(predictor, SUMMARIZATION, rows, rows, targets, outputs_of(written), SUMMARIZATION)
    return msgspec.json.decode(msgspec.json.encode(SUMMARIES.look(case)))


def marked(pieces: list[dict[str, Any]]) -> list[str]:
    return [piece["text"] for piece in pieces if piece["is_marked"]]


def test_examples_go_from_the_best_to_the_worst_and_what_was_chosen_is_marked() -> None:
    examples = found(WRITTEN)["examples"]
    qualities = [example["quality"] for example in examples]
    assert qualities == sorted(qualities, reverse=True)
    assert qualities[0] == 1.0
    assert marked(examples[0]["source"]) == ["Then two."]
    assert {"".join(piece["text"] for piece in example["source"]) for example in examples} == set(TEXTS)


def test_words_that_the_text_lacks_are_marked_in_a_summary_written_anew() -> None:
    (example,) = [e for e in found(WRITTEN)["examples"] if not marked(e["source"])]
    assert marked(example["summary"]) == ["that "]
    examples = found((Written((Candidate("乙BERT的丙", 0.9),), 5),) * 3)["examples"]
    (chinese,) = [e for e in examples if e["source"][0]["text"] == TEXTS[1]]
    assert marked(chinese["summary"]) == ["BERT的"]


def test_places_are_counted_in_tenths_and_drawn_only_where_something_was_chosen() -> None:
    told = found(WRITTEN)
    assert told["tenths"] == [0, 0, 0, 0, 1, 0, 1, 0, 0, 0]
    examples, places = SUMMARIES.figures(told)
    assert places.rows[6] == ("7", "1")
    assert "50%" in places.svg
    assert "First &lt;b&gt;one" in examples.svg
    assert "<b>one" not in examples.svg
    assert len(SUMMARIES.figures(found((WRITTEN[2],) * 3))) == 1


def test_it_looks_at_summaries_only() -> None:
    assert SUMMARIES.accepts(SUMMARIZATION)
    assert not SUMMARIES.accepts(CLASSIFICATION)
