"""A designer keeps its promises: limits with the whole interval, the best front, and better than chance."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servery.errors import ArtifactError, InputError
from servery.models.predictor import Predictor
from servery.models.runtimes.design_search import DesignSearch
from servery.tasks.design_generation import Bound, Brief, DesignAnswer, DesignParameters

ROOM = Path(__file__).parents[2] / "gateway" / "rooms" / "designers.py"


def room() -> Any:
    name = "servery_test_designers"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOM)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="module")
def shipwright() -> Predictor:
    return room().shipwright()


def asked(designer: Predictor, brief: Brief, **more: Any) -> DesignAnswer:
    [answer] = designer.predict([{"brief": brief}], DesignParameters(**{"evaluations": 80, **more}))
    assert isinstance(answer, DesignAnswer)
    return answer


def speed_of(design: dict[str, Any]) -> float:
    return design["length_m"] + (design["wood"] == "pine")


def price_of(design: dict[str, Any]) -> float:
    return 2 * design["length_m"] + 4 * (design["wood"] == "oak")


def test_a_limit_is_kept_with_the_whole_interval_and_the_best_lies_at_its_edge(shipwright: Predictor) -> None:
    answer = asked(shipwright, Brief({"speed": "max"}, {"price": Bound(max=12.0)}), count=5)
    assert len(answer.candidates) == 5
    for candidate in answer.candidates:
        assert candidate.is_feasible
        assert candidate.predicted["price"].high <= 12.0
        assert candidate.predicted["price"].value == pytest.approx(price_of(candidate.design), abs=1e-4)
        assert candidate.predicted["speed"].value == pytest.approx(speed_of(candidate.design), abs=1e-4)
    best = answer.candidates[0].design
    assert best["wood"] == "pine"
    assert 5.3 < best["length_m"] <= (12.0 - room().MARGIN) / 2


def test_two_aims_give_a_front_that_none_of_it_beats(shipwright: Predictor) -> None:
    answer = asked(shipwright, Brief({"speed": "max", "price": "min"}), count=8)
    front = [c.design for c in answer.candidates if c.is_on_front]
    assert len(front) == 8
    for one in front:
        assert not any(speed_of(o) >= speed_of(one) and price_of(o) < price_of(one) - 1e-4 for o in front), (
            "beaten by its neighbour"
        )
    lengths = [design["length_m"] for design in front]
    assert max(lengths) - min(lengths) > 6.0, "spread over the front"


def test_the_search_wins_more_than_as_many_random_designs(shipwright: Predictor) -> None:
    brief = Brief({"speed": "max"}, {"price": Bound(max=12.0)})
    won = [asked(shipwright, brief, seed=seed).against_random for seed in range(3)]
    assert np.mean([each.search for each in won]) > np.mean([each.random for each in won])


def test_fixed_and_bounded_dimensions_stay_where_they_were_put(shipwright: Predictor) -> None:
    brief = Brief({"price": "min"}, {"length_m": Bound(min=4.0, max=5.0)}, {"wood": "oak"})
    designs = [candidate.design for candidate in asked(shipwright, brief).candidates]
    assert {design["wood"] for design in designs} == {"oak"}
    assert all(4.0 <= design["length_m"] <= 5.0 for design in designs)


def test_the_same_seed_gives_the_same_designs_and_another_one_others(shipwright: Predictor) -> None:
    brief = Brief({"speed": "max", "price": "min"})
    assert asked(shipwright, brief, seed=3) == asked(shipwright, brief, seed=3)
    assert asked(shipwright, brief, seed=3) != asked(shipwright, brief, seed=4)


def test_where_nothing_keeps_the_limits_the_nearest_are_shown_and_it_is_said(shipwright: Predictor) -> None:
    brief = Brief({"price": "min"}, {"speed": Bound(min=50.0)})
    answer = asked(shipwright, brief, count=3)
    assert answer.feasible == 0
    assert not any(candidate.is_feasible for candidate in answer.candidates)
    assert answer.candidates[0].exceeds["speed"] == pytest.approx(50 - 11 + room().MARGIN, abs=0.6)
    assert "'speed'" in shipwright.task.notices([answer])["no_feasible_design"]


@pytest.mark.parametrize(
    ("brief", "said"),
    [
        (Brief({}), "wants nothing"),
        (Brief({"weight": "min"}), "There is no 'weight'"),
        (Brief({"speed": "max"}, {"wood": Bound(max=3.0)}), "is a choice"),
        (Brief({"speed": "max"}, {"length_m": Bound(min=99.0)}), "leave nothing"),
        (Brief({"speed": "max"}, {"price": Bound(min=3.0, max=1.0)}), "Nothing is at least 3"),
        (Brief({"speed": "max"}, {}, {"wood": "steel"}), "one of oak, pine"),
        (Brief({"speed": "max"}, {}, {"length_m": "long"}), "a number from 2 to 10"),
    ],
)
def test_an_impossible_brief_is_told_what_is_wrong(shipwright: Predictor, brief: Brief, said: str) -> None:
    with pytest.raises(InputError, match=said):
        shipwright.encode([{"brief": brief}])


def test_it_answers_the_same_after_saving_and_loading(shipwright: Predictor, tmp_path: Path) -> None:
    brief = Brief({"speed": "max"}, {"price": Bound(max=12.0)})
    loaded = Predictor.load(shipwright.save(tmp_path))
    assert asked(loaded, brief) == asked(shipwright, brief)
    with pytest.raises(ArtifactError):
        DesignSearch.load(tmp_path, {}, 1)
    (tmp_path / "quantity-1" / "predictor.json").write_text("{")
    with pytest.raises(ArtifactError):
        Predictor.load(tmp_path)
