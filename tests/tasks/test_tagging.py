"""Tagging: chains against sums over every chain, exact places in characters, targets that cannot be, answers."""

import itertools

import msgspec
import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.columns import Kind
from servery.data.raw_table import RawTable, object_array
from servery.errors import DataError
from servery.tasks._chains import Chains, chains_of, span_scores, spans_in, tag_count, tags_of
from servery.tasks.tagging import TAGGING, Entity, TaggingAnswer, TaggingParameters
from servery.tasks.task import Calibration

LABELS = ("person", "place")
NONE = Calibration()


def rows_of(texts, spans):
    raw = RawTable(
        {
            "text": object_array(texts),
            "entities": object_array([msgspec.json.encode(found).decode() for found in spans]),
        },
        np.arange(1, len(texts) + 1),
    )
    kinds = {"text": "text", "entities": "spans"}
    return build_dataset(raw, "rows", target="entities", kinds=kinds, roles={"text": "input"})


def output(words, transitions=None, labels=2):
    """One row's output: words are (start, end, likes by tag)."""
    tags = tag_count(labels)
    row = np.zeros((tags + len(words), 2 + tags), np.float32)
    if transitions is not None:
        row[:tags, 2:] = transitions
    for place, (start, end, likes) in enumerate(words):
        row[tags + place, :2] = start, end
        for tag, like in likes.items():
            row[tags + place, 2 + tag] = like
    return row


def random_chains(seed, lengths=(4, 1, 0), labels=2):
    chance = np.random.default_rng(seed)
    tags, longest = tag_count(labels), max(lengths)
    rows = np.empty(len(lengths), object)
    for row, length in enumerate(lengths):
        rows[row] = np.zeros((tags + longest, 2 + tags))
        rows[row][tags : tags + length, 2:] = chance.normal(size=(length, tags))
        rows[row][tags : tags + length, 1] = np.arange(1, length + 1)
        rows[row][tags : tags + length, 0] = np.arange(length)
    transitions = chance.normal(size=(tags, tags))
    for row in rows:
        row[:tags, 2:] = transitions
    [chains] = chains_of(rows, labels, 1.0)
    return chains


def legal_chains(chains: Chains, row: int):
    """Yield every chain a row can have, with its potential."""
    tags = chains.emissions.shape[2]
    for chain in itertools.product(range(tags), repeat=int(chains.lengths[row])):
        before = (0, *chain)
        if any(t and t % 2 == 0 and b not in (t, t - 1) for b, t in itertools.pairwise(before)):
            continue
        potential = sum(chains.emissions[row, place, tag] for place, tag in enumerate(chain))
        yield chain, potential + sum(chains.transitions[b, t] for b, t in itertools.pairwise(chain))


@pytest.mark.parametrize("seed", range(5))
def test_the_best_chain_and_its_likelihood_are_those_of_trying_every_chain(seed):
    chains = random_chains(seed)
    best, total = chains.best(), 0.0
    tags = np.zeros_like(best)
    for row, length in enumerate(chains.lengths.tolist()):
        every = dict(legal_chains(chains, row))
        winner = max(every, key=lambda chain: every[chain])
        assert tuple(best[row, :length].tolist()) == winner
        assert not best[row, length:].any()
        tags[row, :length] = winner
        total -= every[winner] - np.log(sum(np.exp(p) for p in every.values()))
    assert chains.loss(tags) == pytest.approx(total)


@pytest.mark.parametrize("seed", range(5))
def test_a_span_s_score_is_the_share_of_all_chains_that_have_exactly_it(seed):
    chains = random_chains(seed)
    row = int(chains.lengths.argmax())
    every = list(legal_chains(chains, row))
    total = sum(np.exp(potential) for _, potential in every)
    for span in [(0, 0, 0), (1, 2, 1), (0, 3, 0), (3, 3, 1)]:
        having = sum(np.exp(p) for chain, p in every if span in spans_in(np.array(chain)))
        found = [[span] if number == row else [] for number in range(3)]
        [score] = span_scores(chains, found)[row]
        assert score == pytest.approx(having / total)


def test_a_chain_never_goes_on_with_what_did_not_begin():
    [answer] = TAGGING.decode(
        np.array([output([(0, 3, {2: 9.0}), (4, 8, {4: 9.0})])]), LABELS, NONE, TAGGING.parameters()
    )
    tags = chains_of(np.array([output([(0, 3, {2: 9.0, 1: 1.0}), (4, 8, {2: 5.0})])]), 2, 1.0)
    assert next(iter(tags)).best().tolist() == [[1, 2]]
    assert all(entity.start < entity.end for entity in answer.entities)


def test_answers_have_places_in_characters_scores_and_words():
    words = [(0, 3, {1: 8.0}), (4, 8, {2: 8.0}), (9, 11, {0: 8.0}), (12, 16, {3: 8.0})]
    example = {"text": "Ann Lind in Rome"}
    answers = TAGGING.decode(np.array([output(words)]), LABELS, NONE, TAGGING.parameters())
    [answer] = TAGGING.completed(answers, [example])
    assert [(e.label, e.start, e.end, e.word) for e in answer.entities] == [
        ("person", 0, 8, "Ann Lind"),
        ("place", 12, 16, "Rome"),
    ]
    assert all(0.9 < entity.score < 1 for entity in answer.entities)
    softer = TAGGING.decode(
        np.array([output(words)]), LABELS, Calibration(temperature=4.0), TAGGING.parameters()
    )
    assert softer[0].entities[0].score < answer.entities[0].score
    assert msgspec.json.decode(msgspec.json.encode(answer), type=TaggingAnswer) == answer


def test_words_are_counted_in_code_points_whatever_the_script():
    text = "😀 محمد في القاهرة 在上海"
    start = text.index("上海")
    answer = TaggingAnswer((Entity("place", 0.9, start, start + 2), Entity("person", 0.9, 2, 6)))
    [done] = TAGGING.completed([answer], [{"text": text}])
    assert [entity.word for entity in done.entities] == ["上海", "محمد"]


def test_callers_leave_out_labels_and_unlikely_entities():
    words = [(0, 3, {1: 9.0}), (4, 8, {3: 1.5})]
    outputs = np.array([output(words)])

    def ask(**asked):
        [answer] = TAGGING.decode(outputs, LABELS, NONE, TaggingParameters(**asked))
        return [entity.label for entity in answer.entities]

    assert ask() == ["person", "place"]
    assert ask(min_score=0.8) == ["person"]
    assert ask(ignore_labels=("person",)) == ["place"]
    assert ask(aggregation_strategy="simple", stride=3) == ["person", "place"]
    for body in (b'{"min_score":1.1}', b'{"aggregation_strategy":"none"}', b'{"top_k":1}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(body, type=TaggingParameters)


def test_one_text_is_a_list_on_the_hub_and_several_are_lists():
    answer = TaggingAnswer((Entity("place", 0.5, 0, 4, "Rome"),))
    shaped = {"entity_group": "place", "score": 0.5, "word": "Rome", "start": 0, "end": 4}
    assert TAGGING.hub_name(frozenset({Kind.TEXT})) == "token-classification"
    assert TAGGING.hub_answers([answer], frozenset({Kind.TEXT}), False) == [shaped]
    assert TAGGING.hub_answers([answer, TaggingAnswer(())], frozenset({Kind.TEXT}), True) == [[shaped], []]


def test_a_text_without_words_has_no_entity():
    outputs = np.zeros((2, tag_count(2) + 1, 2 + tag_count(2)), np.float32)
    assert TAGGING.decode(outputs, LABELS, NONE, TAGGING.parameters()) == [TaggingAnswer(())] * 2
    targets = TAGGING.encode_targets(rows_of(["", "x"], [[], []]), LABELS)
    assert TAGGING.quality(targets, outputs, NONE).tolist() == [1.0, 1.0]
    assert TAGGING.calibrate(targets, outputs).fitted_on == 2


def test_targets_are_exact_places_and_words_that_a_span_touches_carry_its_tags():
    rows = rows_of(
        ["Ann Lind in Rome"],
        [[{"start": 12, "end": 16, "label": "place"}, {"start": 0, "end": 8, "label": "person"}]],
    )
    assert TAGGING.labels_of(rows) == LABELS
    [spans] = TAGGING.encode_targets(rows, LABELS)
    assert spans.tolist() == [[0, 8, 0], [12, 16, 1]]
    assert tags_of(spans, np.array([[0, 3], [4, 8], [9, 11], [12, 16]])).tolist() == [1, 2, 0, 3]


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        ([{"start": 0, "end": 99, "label": "person"}], "line 2: the span 0 to 99 lies outside"),
        ([{"start": 0, "end": 3, "label": "a"}, {"start": 2, "end": 8, "label": "a"}], "line 2: .* overlap"),
        ([{"start": 0, "end": 3, "label": "tool"}], "line 2: the label 'tool' is none of person, place"),
    ],
)
def test_targets_that_cannot_be_are_named_with_their_lines(spans, told):
    rows = rows_of(["Bo", "Ann Lind"], [[], spans])
    with pytest.raises(DataError, match=told):
        TAGGING.encode_targets(rows, LABELS)


def test_data_without_a_span_or_with_two_texts_cannot_be_learned():
    with pytest.raises(DataError, match="nothing to learn"):
        TAGGING.labels_of(rows_of(["Bo"], [[]]))
    raw = RawTable(
        {name: object_array(["a"]) for name in ("text", "title")} | {"entities": object_array(["[]"])},
        np.array([1]),
    )
    kinds = {"text": "text", "title": "text", "entities": "spans"}
    roles = {"text": "input", "title": "input"}
    with pytest.raises(DataError, match="places in one text; the text columns are 'text', 'title'"):
        TAGGING.labels_of(build_dataset(raw, "rows", target="entities", kinds=kinds, roles=roles))


def test_measures_count_exact_spans_and_resamples_count_by_rows():
    rows = rows_of(
        ["Ann in Rome", "Bo"],
        [[{"start": 0, "end": 3, "label": "person"}, {"start": 7, "end": 11, "label": "place"}], []],
    )
    targets = TAGGING.encode_targets(rows, LABELS)
    right = output([(0, 3, {1: 9.0}), (4, 6, {0: 9.0}), (7, 11, {1: 9.0})])  # Rome as a person
    outputs = np.array([right, output([(0, 2, {3: 9.0})] + [(0, 0, {})] * 2)])
    measured = TAGGING.measure(targets, outputs, NONE)
    assert measured["entity_precision"] == pytest.approx(1 / 3)
    assert measured["entity_recall"] == pytest.approx(1 / 2)
    assert measured["entity_f1"] == pytest.approx(2 / 5)
    assert measured["place_f1"] == pytest.approx(4 / 5)
    assert TAGGING.quality(targets, outputs, NONE).tolist() == [0.5, 0.0]
    judged = TAGGING.judge(targets, outputs, NONE)
    for chosen in ([0, 0], [1, 1], [0, 1, 1]):
        places = np.array(chosen)
        whole = TAGGING.measure(targets[places], outputs[places], NONE)
        assert judged.measure(places) == pytest.approx(whole)
        assert judged.primary(places) == whole["entity_f1"]


def test_nothing_is_said_by_a_model_that_ignores_its_input():
    targets = TAGGING.encode_targets(rows_of(["Ann"], [[{"start": 0, "end": 3, "label": "person"}]]), LABELS)
    measured = TAGGING.measure(targets, TAGGING.trivial_outputs(targets, 2, 1), NONE)
    assert (measured["entity_f1"], measured["entity_recall"]) == (0.0, 0.0)


def test_a_model_with_other_labels_is_compared_by_name():
    outputs = np.array([output([(0, 3, {1: 9.0}), (4, 8, {3: 9.0})])])
    aligned, calibration = TAGGING.aligned(outputs, NONE, LABELS, ("city", "place", "person"))
    [answer] = TAGGING.decode(aligned, ("city", "place", "person"), calibration, TAGGING.parameters())
    assert [entity.label for entity in answer.entities] == ["person", "place"]


def test_the_temperature_softens_a_model_that_is_too_sure():
    chance = np.random.default_rng(0)
    texts, spans, rows = [], [], []
    for _ in range(60):
        is_there, is_right = chance.random() < 0.5, chance.random() < 0.75
        texts.append("Ann")
        spans.append([{"start": 0, "end": 3, "label": "person"}] if is_there else [])
        rows.append(
            output(
                [(0, 3, {1: 9.0 if is_there == is_right else 0.0, 0: 0.0 if is_there == is_right else 9.0})]
            )
        )
    targets = TAGGING.encode_targets(rows_of(texts, spans), LABELS)
    calibration = TAGGING.calibrate(targets, np.array(rows))
    assert 4 < calibration.temperature < 20
    before, after = (TAGGING.measure(targets, np.array(rows), c)["ece"] for c in (NONE, calibration))
    assert after < 0.5 * before
