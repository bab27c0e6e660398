"""Table rows in their three layouts."""

import json

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from servery.data.columns import Column, Kind, Role
from servery.errors import ArtifactError, DataError, InputError
from servery.models.encoders.rows import Rows

COLUMNS = (
    Column("age", Kind.NUMBER, Role.INPUT),
    Column("late", Kind.NUMBER, Role.INPUT),
    Column("job", Kind.CATEGORY, Role.INPUT),
    Column("since", Kind.TIME, Role.INPUT),
    Column("note", Kind.TEXT, Role.INPUT),
)
RANDOM = np.random.default_rng(0)
EXAMPLES = [
    {
        "age": float(RANDOM.normal(40, 12)),
        "late": float(row % 4),
        "job": ["cook", "driver", "nurse"][row % 3],
        "since": np.datetime64("2020-01-01", "ns") + np.timedelta64(row, "D"),
    }
    for row in range(120)
]
LAYOUTS = ("one-hot", "indices", "plain")


def fitted(layout: str, transform: str = "standard", examples: list[dict[str, object]] | None = None) -> Rows:
    return Rows.fit(examples or EXAMPLES, COLUMNS, layout=layout, transform=transform)


def test_one_hot_rows_are_those_of_scikit_learn() -> None:
    x = fitted("one-hot").encode(EXAMPLES)["x"]
    numbers = np.array([[e["age"], e["late"]] for e in EXAMPLES])
    assert np.abs(x[:, :2] - StandardScaler().fit_transform(numbers)).max() < 1e-6
    categories = [[e["job"], e["late"]] for e in EXAMPLES]
    marks = OneHotEncoder(sparse_output=False).fit_transform(np.array(categories, dtype=object))
    assert np.array_equal(x[:, 3:], marks)


def test_indices_keep_zero_for_what_is_unseen_or_missing() -> None:
    encoder = fitted("indices")
    batch = encoder.encode(
        [{**EXAMPLES[0], "job": job} for job in ("cook", "driver", "nurse", "pilot", None)]
    )
    assert batch["categories"][:, 0].tolist() == [1, 2, 3, 0, 0]
    assert encoder.category_counts == [4, 5]
    levels = encoder.encode([{**EXAMPLES[0], "late": late} for late in (0, 1.0, 3, 1.5, 9, None)])
    assert levels["categories"][:, 1].tolist() == [1, 2, 4, 0, 0, 0]


def test_plain_rows_keep_what_is_missing() -> None:
    x = fitted("plain").encode([{"job": "driver"}, EXAMPLES[1]])["x"]
    assert np.isnan(x[0, :3]).all()
    assert x[0, 3] == 2
    assert np.isfinite(x[1]).all()


def test_a_missing_number_becomes_the_median_with_a_mark_where_gaps_were_learned() -> None:
    gaps = [{**e, "age": None} if row % 10 == 0 else e for row, e in enumerate(EXAMPLES)]
    encoder = fitted("indices", examples=gaps)
    median = float(np.median([e["age"] for e in gaps if e["age"] is not None]))
    missing, present = encoder.encode([{**EXAMPLES[0], "age": None}, {**EXAMPLES[0], "age": median}])[
        "numbers"
    ]
    assert missing[0] == present[0]
    assert (missing[3], present[3]) == (1.0, 0.0)
    assert fitted("indices").encode([{}])["numbers"].shape == (1, 3)


@pytest.mark.parametrize("value", [1e30, -1e30, float("inf")])
@pytest.mark.parametrize("transform", ["standard", "quantile", "piecewise"])
def test_a_mistyped_number_cannot_swamp_a_model(value: float, transform: str) -> None:
    numbers = fitted("indices", transform).encode([{**EXAMPLES[0], "age": value}])["numbers"]
    assert np.abs(numbers).max() <= 8.0


def test_quantiles_give_a_normal_distribution_and_hinges_what_is_over_them() -> None:
    quantile = fitted("indices", "quantile").encode(EXAMPLES)["numbers"]
    assert abs(quantile[:, 0].mean()) < 0.05
    assert abs(quantile[:, 0].std() - 1) < 0.1
    piecewise = fitted("indices", "piecewise")
    numbers = piecewise.encode(EXAMPLES)["numbers"]
    assert numbers.shape == (120, piecewise.scales.width) == (120, 3 + 15)
    assert np.allclose(numbers[:, 5], np.maximum(numbers[:, 0], 0))


def test_an_unknown_transform_is_refused() -> None:
    with pytest.raises(DataError, match="piecewise"):
        fitted("indices", "logarithmic")


@pytest.mark.parametrize(("column", "value"), [("age", "old"), ("job", 4), ("since", "soon"), ("since", [])])
def test_a_value_of_another_kind_is_refused(column: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        fitted("plain").encode([{column: value}])
    assert caught.value.param == f"/{column}"


def test_times_are_days_as_text_or_as_they_are() -> None:
    x = fitted("plain").encode(
        [{"since": "2020-01-02T12:00:00"}, {"since": np.datetime64("1970-01-02", "ns")}]
    )["x"]
    assert x[:, 2].tolist() == [18263.5, 1.0]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("transform", ["standard", "piecewise"])
def test_state_survives_json_and_torn_state_is_refused(layout: str, transform: str) -> None:
    encoder = fitted(layout, transform)
    state = json.loads(json.dumps(encoder.state()))
    ours, theirs = encoder.encode(EXAMPLES), Rows.restore(state).encode(EXAMPLES)
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in ours)
    for torn in ({}, {**state, "layout": "x"}, {**state, "numbers": []}, {**state, "levels": {"job": [1.0]}}):
        with pytest.raises(ArtifactError):
            Rows.restore(torn)
