"""Triples under the names that people give to their columns."""

from pathlib import Path

import pytest

from servery.data.triple_files import read_triples
from servery.errors import DataError


@pytest.mark.parametrize("names", ["head,relation,tail", "Subject,Predicate,Object", "source,type,target"])
def test_columns_of_other_names_become_head_relation_and_tail(names: str, tmp_path: Path) -> None:
    path = tmp_path / "graph.csv"
    path.write_text(f"{names}\nBeijing,capital_of,China\n北京,首都,中国\n", encoding="utf-8")
    raw = read_triples(path)
    assert raw.values["head"].tolist() == ["Beijing", "北京"]
    assert raw.values["truth"].tolist() == [1.0, 1.0]


def test_triples_known_to_be_wrong_keep_their_truth_and_loops_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "graph.csv"
    path.write_text("head,relation,tail,label\na,r,b,1\na,r,c,false\nd,r,d,-1\n", encoding="utf-8")
    raw = read_triples(path)
    assert raw.values["truth"].tolist() == [1.0, 0.0, 0.0]
    assert raw.facts["self_loops"] == "1"


def test_a_file_without_a_relation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "graph.csv"
    path.write_text("head,tail\na,b\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column for relation"):
        read_triples(path)
