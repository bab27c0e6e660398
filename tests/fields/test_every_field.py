"""What every field owes: words in two languages, a sample, known data and an example; new fields come for free."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from servery.data import audio
from servery.data.building import is_missing
from servery.data.catalog import KnownDataset, read_known
from servery.data.checks import check
from servery.data.columns import Kind
from servery.data.dataset import Dataset
from servery.data.marked_text import parse_marked
from servery.data.pictures import fault_of
from servery.data.scenes import scene_of
from servery.data.splits import split
from servery.errors import UnknownNameError
from servery.fields._field import Field, Offer, all_fields, find_field
from servery.models.signature import Limits
from servery.tasks.form import form_for

FIELDS = list(all_fields().values())
FORMS = {
    "text": {Kind.TEXT},
    "image": {Kind.IMAGE},
    "audio": {Kind.AUDIO},
    "marked-text": {Kind.MARKED_TEXT},
    "scene": {Kind.SCENE},
    "table": {Kind.NUMBER, Kind.CATEGORY, Kind.TIME},
    "series": {Kind.SERIES, Kind.CATEGORY, Kind.TIME},
    "history": {Kind.CATEGORY, Kind.EVENTS},
}
OFFERS = [(field, offer) for field in FIELDS for offer in field.offers]
KNOWN = [(field, offer, known) for field, offer in OFFERS for known in offer.known_datasets]

every_field = pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
every_offer = pytest.mark.parametrize(
    "offer", [offer for _, offer in OFFERS], ids=[f"{field.name}:{offer.tasks[0]}" for field, offer in OFFERS]
)
every_known = pytest.mark.parametrize(
    ("field", "offer", "known"), KNOWN, ids=[f"{field.name}:{known.name}" for field, _, known in KNOWN]
)


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def rows_of(dataset: Dataset) -> list[object]:
    return [tuple(dataset[c.name][row] for c in dataset.columns) for row in range(len(dataset))]


@every_field
def test_a_field_is_named_after_its_file_and_found_by_its_name(field: Field) -> None:
    assert find_field(field.name) is field
    assert (Path(sys.modules["servery.fields"].__path__[0]) / f"{field.name.replace('-', '_')}.py").is_file()


@every_field
def test_a_field_speaks_english_and_chinese(field: Field) -> None:
    for words in (field.title, field.summary):
        assert not is_chinese(words["en"])
        assert is_chinese(words["zh"])
    assert len(field.limits_of_use) > 80


@every_offer
def test_an_offer_has_its_starter_recipe(offer: Offer) -> None:
    assert offer.columns
    names = [choice.name for choice in offer.recipes]
    assert offer.starter_recipe in names
    assert len(set(names)) == len(names)
    assert all(choice.note for choice in offer.recipes)


@every_offer
def test_the_sample_is_the_same_for_the_same_seed_and_says_that_it_is_a_sample(offer: Offer) -> None:
    one, again, other = offer.sample(120, 3), offer.sample(120, 3), offer.sample(120, 4)
    assert len(one) == 120
    assert one.source.is_sample
    assert one.source.path is None
    assert one.source.fingerprint == again.source.fingerprint != other.source.fingerprint
    assert not one.bad_rows


@every_offer
def test_the_sample_has_inputs_of_the_offer_s_form_and_a_target_without_gaps(offer: Offer) -> None:
    sample = offer.sample(120, 0)
    assert sample.input_kinds <= FORMS[offer.form]
    assert sample.inputs
    assert not is_missing(sample[sample.target.name]).any()
    assert all(column.reason for column in sample.columns)


@every_offer
def test_the_sample_splits_and_its_checks_find_no_leak(offer: Offer) -> None:
    sample = offer.sample(600, 0)
    parts = split(sample)
    assert [len(part) for part in parts.parts.values()] == [480, 60, 60]
    if sample.target.kind is Kind.CATEGORY:
        assert set(parts.test[sample.target.name]) == set(sample[sample.target.name])
    assert not [finding for finding in check(sample) if finding.severity == "error" or finding.is_leak]


@every_offer
def test_the_example_fits_the_sample(offer: Offer) -> None:
    sample = offer.sample(120, 0)
    if offer.form == "scene":
        assert scene_of(offer.example).agents
    elif offer.form == "marked-text":
        assert str(parse_marked(offer.example)) == offer.example
    elif offer.form == "text":
        asked = offer.example if isinstance(offer.example, dict) else {"": offer.example}
        assert len(asked) == len(sample.inputs)
        assert all(isinstance(text, str) for text in asked.values())
    elif offer.form == "image":
        assert fault_of(base64.b64decode(offer.example, validate=True)) is None
    elif offer.form == "audio":
        assert audio.fault_of(base64.b64decode(offer.example, validate=True)) is None
    elif offer.form == "series":
        assert form_for(sample.input_kinds).examples(offer.example, sample.inputs, Limits())
    elif offer.form == "history":
        [read] = form_for(sample.input_kinds).examples(offer.example, sample.inputs, Limits())
        met = {event.item for cell in sample["history"] for event in cell}
        assert {event.item for event in read["history"]} <= met
    else:
        assert offer.example.keys() == {column.name for column in sample.inputs}
        for column in sample.inputs:
            value = offer.example[column.name]
            if value is None:  # what is asked for
                continue
            if column.kind is Kind.CATEGORY:
                assert value in column.categories
            else:
                numbers = sample[column.name]
                assert np.nanmin(numbers) <= value <= np.nanmax(numbers)


@every_offer
def test_a_carried_data_set_is_real_and_splits(offer: Offer) -> None:
    if offer.carried is None:
        pytest.skip("scikit-learn carries none for this question")
    carried = offer.carried()
    assert not carried.source.is_sample
    assert carried.input_kinds <= FORMS[offer.form]
    assert carried.source.facts["citation"]
    assert len(split(carried).test) > 50


@every_known
def test_a_known_data_set_states_its_terms(field: Field, offer: Offer, known: KnownDataset) -> None:
    assert known.license
    assert known.citation
    assert "train" in known.files
    assert "test" in known.files
    assert known.target not in known.ignored
    assert known.folder.startswith(f"{field.name}/")


@every_known
def test_a_known_data_set_reads_splits_and_is_no_leak(
    field: Field, offer: Offer, known: KnownDataset
) -> None:
    root = Path(os.environ["SERVERY_DATA"]) if "SERVERY_DATA" in os.environ else None
    if root is None or not known.is_at(root):
        pytest.skip("SERVERY_DATA does not hold it")
    started = time.monotonic()
    dataset = read_known(known, root)
    assert time.monotonic() - started < 20
    assert dataset.target.name == known.target
    assert dataset.input_kinds <= FORMS[offer.form]
    assert not dataset.bad_rows
    assert not [finding for finding in check(dataset) if finding.is_leak]
    assert split(dataset).policy == "given"


def test_an_unknown_field_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'financial-risk'"):
        find_field("financial-risc")


def test_listing_the_fields_loads_no_heavy_library() -> None:
    heavy = ("torch", "sklearn", "pandas", "pyarrow", "scipy", "lightgbm")
    program = (
        "import sys; from servery.fields._field import all_fields; all_fields();"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
