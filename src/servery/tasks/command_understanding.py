"""Command understanding: what is to be done (the intent), and with what (the slots)?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

import msgspec
import numpy as np

from servery.data.columns import Column, Kind
from servery.data.commands import (
    Meaning,
    Slots,
    Value,
    fault_of_command,
    meanings_of,
    meant_values,
    same_value,
)
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.metrics.abstention import answered_metrics
from servery.metrics.commands import CommandCounts
from servery.tasks._abstention import fit_least_confidence
from servery.tasks._chains import tags_of
from servery.tasks._frames import (
    Filled,
    FrameLabels,
    decisions_of,
    filled_slots,
    intent_scores,
    labels_for,
    said_value,
    tag_chains,
    with_labels,
)
from servery.tasks._rows import refuse_rows
from servery.tasks._temperature import fit_temperature
from servery.tasks.classification import LabelScore
from servery.tasks.task import Abstention, Answer, Calibration, Judgement, LearnableTask, Parameters


class CommandParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        top_k: Intents that are named, from the best down.
        least_confidence: Abstains where the intent is less likely; null uses what was fitted on validation.
        min_score: Leaves out slots that are less likely.
    """

    top_k: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 3
    least_confidence: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] | None = None
    min_score: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0


class Slot(msgspec.Struct, frozen=True):
    """One thing that a command names.

    Attributes:
        name: Which slot.
        value: A text, or a number where the slot holds numbers.
        score: The chance that it is right, from 0 to 1.
        start: First character of the value in the text; null where the command means it without saying it.
        end: The character after its last.
    """

    name: str
    value: str | float
    score: float
    start: int | None = None
    end: int | None = None


class CommandAnswer(Answer, frozen=True):
    """What a command means.

    Attributes:
        intent: What is to be done.
        score: The chance that the intent is right, from 0 to 1.
        slots: What the command names, those that stand in the text first, in its order.
        abstains: Whether the model would rather not act on it.
        intents: The likeliest intents from the best down.
    """

    intent: str
    score: float
    slots: tuple[Slot, ...]
    abstains: bool = False
    intents: tuple[LabelScore, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What is right of one command.

    Attributes:
        text: The command.
        intent: Its label, -1 for one that the model never met.
        slots: Name to value, as values are compared.
        meant: Labels of the values that it only means, int64.
        spans: Start, end and label of the values that stand in it, int64, (spans, 3).
    """

    text: str
    intent: int
    slots: Mapping[str, Value]
    meant: np.ndarray
    spans: np.ndarray


@dataclass(frozen=True)
class CommandUnderstanding(LearnableTask):
    """One intent and any number of slots a text.

    `targets` are objects, (rows,), each a `Wanted`. `outputs` hold first what is put out for the command as a whole
    (`_frames.FrameLabels.decisions`), wrapped into lines, then what `_chains.chains_of` reads; or the former alone.

    Attributes:
        labels: Those of the model that is measured; they tell how its outputs are read.
    """

    labels: tuple[str, ...] = ()

    name = "command-understanding"
    title = {"en": "Command understanding", "zh": "指令理解"}
    summary = "What is to be done, and with what?"
    primary_metric = "frame_accuracy"
    quality_title = "share of commands understood as a whole"
    parameters = CommandParameters
    answer = CommandAnswer

    def with_labels(self, labels: Sequence[str]) -> Self:
        """Return the task with these labels."""
        return type(self)(tuple(labels))

    def accepts(self, target: Column) -> bool:
        """Whether the target is intents with slots."""
        return target.kind is Kind.COMMAND

    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return intents, slots and meant values, as `_frames` writes them.

        Raises:
            DataError: There are fewer than two intents, or a row has what is no command.
        """
        texts, commands = _read(dataset)
        intents = {command["intent"] for command in commands}
        if len(intents) < 2:
            raise DataError(
                f"The target '{dataset.target.name}' has {len(intents)} intent(s); two are needed.",
                param="target",
            )
        slots = [command.get("slots", {}) for command in commands]
        return labels_for(sorted(intents), meanings_of(texts, slots, meant_values(texts, slots)))

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return what is right of every row; intents and slots that are none of `labels` can never be found.

        Raises:
            DataError: A row has what is no command.
        """
        frames = FrameLabels.of(labels)
        texts, commands = _read(dataset)
        slots = [command.get("slots", {}) for command in commands]
        meant = frozenset(
            (slot.name, same_value(slot.value)) for slot in frames.meant if isinstance(slot.value, str)
        )
        targets = np.empty(len(texts), object)
        rows = zip(texts, commands, slots, meanings_of(texts, slots, meant), strict=True)
        for row, (text, command, filled, meaning) in enumerate(rows):
            targets[row] = _wanted(text, command["intent"], filled, meaning, frames)
        return targets

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return intent and slots of each row; values that stand in the text are read from it by `completed`."""
        asked = parameters if isinstance(parameters, CommandParameters) else CommandParameters()
        least = calibration.least_confidence if asked.least_confidence is None else asked.least_confidence
        frames = FrameLabels.of(labels)
        scores = intent_scores(outputs, frames, calibration.temperature)
        answers: list[Answer] = []
        for chances, filled in zip(
            scores, filled_slots(outputs, frames, calibration.temperature), strict=True
        ):
            order = np.argsort(-chances, kind="stable")[: asked.top_k].tolist()
            ranked = tuple(LabelScore(frames.intents[place], float(chances[place])) for place in order)
            slots = tuple(_slot(one) for one in filled if one.score >= asked.min_score)
            best = ranked[0]
            answers.append(CommandAnswer(best.label, best.score, slots, best.score < least, ranked))
        return answers

    def completed(self, answers: Sequence[Answer], examples: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Return the answers with the values that stand in the texts."""
        return [
            _with_values(answer, _text_of(example)) if isinstance(answer, CommandAnswer) else answer
            for answer, example in zip(answers, examples, strict=True)
        ]

    def notices(self, answers: Sequence[Answer]) -> Mapping[str, str]:
        """Say where the model would rather not act."""
        unsure = sum(isinstance(answer, CommandAnswer) and answer.abstains for answer in answers)
        if not unsure:
            return {}
        return {
            "unsure": f"{unsure} command(s) fit no intent well enough: ask again instead of acting on the answer."
        }

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return every metric by name."""
        found = self.counts(targets, outputs, calibration)
        metrics = found.measure(np.arange(len(targets)))
        if calibration.least_confidence > 0:
            metrics |= answered_metrics(found.scores < calibration.least_confidence, found.is_right)
        return {name: value for name, value in metrics.items() if np.isfinite(value)}

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> Judgement:
        """Return the counts of each row."""
        return self.counts(targets, outputs, calibration)

    def counts(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> CommandCounts:
        """Return what is right of each row."""
        frames = FrameLabels.of(self.labels)
        scores = intent_scores(outputs, frames, calibration.temperature)
        filled = [
            {slot.label.name: same_value(slot.value_in(wanted.text)) for slot in row}
            for row, wanted in zip(
                filled_slots(outputs, frames, calibration.temperature), targets, strict=True
            )
        ]
        rows = list(zip(filled, targets, strict=True))
        return CommandCounts(
            is_intent_right=scores.argmax(axis=1) == np.array([wanted.intent for wanted in targets]),
            hits=np.array([len(said.items() & wanted.slots.items()) for said, wanted in rows], np.int64),
            filled=np.array([len(said) for said in filled], np.int64),
            wanted=np.array([len(wanted.slots) for wanted in targets], np.int64),
            scores=scores.max(axis=1),
        )

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return whether each row is right as a whole, float64, (rows,)."""
        return self.counts(targets, outputs, calibration).is_right.astype(np.float64)

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray) -> Calibration:
        """Fit one temperature by the likelihood of intents, meant values and tags together.

        Source: Guo et al. (2017), On calibration of modern neural networks, section 4.2.
        """
        frames = FrameLabels.of(self.labels)
        decisions = decisions_of(outputs, frames)
        chains = list(tag_chains(outputs, frames, 1.0))
        tags = [_tags(chain.places, chain.lengths, targets[chain.rows]) for chain in chains]
        intents = np.array([wanted.intent for wanted in targets])
        meant = np.zeros((len(targets), len(frames.meant)))
        for row, wanted in enumerate(targets):
            meant[row, wanted.meant] = 1.0

        def loss(temperature: float) -> float:
            logits = decisions / temperature
            of_intents, of_values = logits[:, : len(frames.intents)], logits[:, len(frames.intents) :]
            highest = of_intents.max(axis=1)
            total = highest + np.log(np.exp(of_intents - highest[:, None]).sum(axis=1))
            known = intents >= 0
            wrong = (total - of_intents[np.arange(len(intents)), intents])[known].sum()
            wrong += (np.logaddexp(0.0, of_values) - meant * of_values).sum()
            return float(wrong) + sum(
                chain.softened(temperature).loss(right) for chain, right in zip(chains, tags, strict=True)
            )

        return Calibration(temperature=fit_temperature(loss), fitted_on=len(targets))

    def abstaining(
        self,
        calibration: Calibration,
        targets: np.ndarray,
        outputs: np.ndarray,
        labels: Sequence[str],
        wanted: Abstention,
    ) -> Calibration:
        """Return the calibration with the chance of an intent from which acting costs less than asking again."""
        found = self.counts(targets, outputs, calibration)
        wrong = 1.0 - found.is_right
        cost = np.full(len(wrong), wanted.cost)
        return replace(
            calibration, least_confidence=fit_least_confidence(found.scores, wrong, cost, wanted.cost)
        )

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return the intents as often as they are in training, and no slot, for every row."""
        frames = FrameLabels.of(self.labels)
        counts = Counter(wanted.intent for wanted in targets)
        often = [np.log(counts[place] + 1.0) for place in range(len(frames.intents))]
        return np.tile(np.array([*often, *[-10.0] * len(frames.meant)], np.float32), (rows, 1))

    def aligned(
        self, outputs: np.ndarray, calibration: Calibration, known: Sequence[str], labels: Sequence[str]
    ) -> tuple[np.ndarray, Calibration]:
        """Return the outputs as if the labels were `labels`; slots in the text are left out where these differ."""
        if tuple(known) == tuple(labels):
            return outputs, calibration
        return with_labels(outputs, FrameLabels.of(known), FrameLabels.of(labels)), calibration

    def best_label(self, answer: CommandAnswer) -> str:
        """Return the intent."""
        return answer.intent

    def score_of(self, answer: CommandAnswer, label: str) -> float:
        """Return the score of an intent; 0 where the answer does not name it."""
        return next((named.score for named in answer.intents if named.label == label), 0.0)

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "command-understanding"; the Hub has no such task."""
        return "command-understanding"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return {"intent", "score", "slots"} of each text, the slots as name to value."""
        rows = [
            {"intent": a.intent, "score": a.score, "slots": {slot.name: slot.value for slot in a.slots}}
            for a in answers
            if isinstance(a, CommandAnswer)
        ]
        return rows if is_batch else rows[0]


def _read(dataset: Dataset) -> tuple[list[str], list[dict[str, Any]]]:
    """Return texts and commands of a data set; a DataError names what cannot be."""
    texts = [column.name for column in dataset.inputs if column.kind is Kind.TEXT]
    if len(texts) != 1:
        named = ", ".join(map(repr, texts)) or "none"
        raise DataError(
            f"A command is one text; the text columns are {named}.",
            hint="give the others the role ignored",
            param="roles",
        )
    commands = list(dataset[dataset.target.name])
    faults = [fault_of_command(command) for command in commands]
    refuse_rows(dataset, {row: fault for row, fault in enumerate(faults) if fault})
    return [text or "" for text in dataset[texts[0]]], commands


def _wanted(text: str, intent: str, slots: Slots, meaning: Meaning, frames: FrameLabels) -> Wanted:
    spans = [
        (said.start, said.end, frames.place_of_said[said.name, said.form])
        for said in meaning.said
        if (said.name, said.form) in frames.place_of_said
    ]
    meant = [frames.place_of_meant[slot] for slot in meaning.meant if slot in frames.place_of_meant]
    return Wanted(
        text,
        frames.intents.index(intent) if intent in frames.intents else -1,
        {name: same_value(value) for name, value in slots.items()},
        np.array(meant, np.int64),
        np.array(spans, np.int64).reshape(-1, 3),
    )


def _tags(places: np.ndarray, lengths: np.ndarray, targets: np.ndarray) -> np.ndarray:
    tags = np.zeros(places.shape[:2], np.int64)
    for row, (length, wanted) in enumerate(zip(lengths.tolist(), targets, strict=True)):
        tags[row, :length] = tags_of(wanted.spans, places[row, :length])
    return tags


def _slot(filled: Filled) -> Slot:
    """Return a slot; without its text one that stands there holds the sign of its number, 0 for a text."""
    if filled.label.value is not None:
        return Slot(filled.label.name, filled.label.value, filled.score)
    return Slot(filled.label.name, filled.sign, filled.score, filled.start, filled.end)


def _with_values(answer: CommandAnswer, text: str) -> CommandAnswer:
    slots = (
        slot
        if slot.start is None
        else msgspec.structs.replace(slot, value=said_value(text[slot.start : slot.end], int(slot.value)))
        for slot in answer.slots
    )
    return msgspec.structs.replace(answer, slots=tuple(slots))


def _text_of(example: Mapping[str, Any]) -> str:
    return next((value for value in example.values() if isinstance(value, str)), "")


COMMAND_UNDERSTANDING = CommandUnderstanding()
