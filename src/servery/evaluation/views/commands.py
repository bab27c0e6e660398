"""What a report shows of commands: each script and each slot by itself, and commands that were misunderstood."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.commands import same_value
from servery.evaluation.figure import Figure, Key
from servery.evaluation.figures import ACCENT, DASHES, INK, SOFT, draw
from servery.evaluation.slices import script_of
from servery.evaluation.view import Case, View
from servery.metrics.commands import CommandCounts
from servery.tasks._frames import FrameLabels, filled_slots, intent_scores
from servery.tasks.command_understanding import CommandUnderstanding
from servery.tasks.task import LearnableTask

MOST_MISTAKES = 12
MOST_SLOTS = 20
METRICS = ("intent_accuracy", "slot_f1", "frame_accuracy")
COLOURS = ((ACCENT, 1.0), (INK, 1.0), (SOFT, 0.5))


class Commands(View):
    """Intents, slots and whole commands by script, F1 by slot, and mistakes."""

    name = "commands"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task is to understand commands."""
        return isinstance(task, CommandUnderstanding)

    def look(self, case: Case) -> dict[str, Any]:
        """Return metrics by script, counts by slot, and some commands with what was said of them."""
        task = case.predictor.task
        assert isinstance(task, CommandUnderstanding)
        counts = task.counts(case.targets, case.outputs, case.predictor.calibration)
        frames = FrameLabels.of(task.labels)
        filled = filled_slots(case.outputs, frames, case.predictor.calibration.temperature)
        said = [
            {slot.label.name: slot.value_in(wanted.text) for slot in row}
            for row, wanted in zip(filled, case.targets, strict=True)
        ]
        return {
            "scripts": _by_script(case.targets, counts),
            "slots": _by_slot(case.targets, said),
            "mistakes": _mistakes(case, counts, said),
            "rows": len(case.targets),
        }

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return the figures of what `look` found."""
        slots = [_slots(found["slots"])] if found["slots"] else []
        mistakes = [_wrong(found["mistakes"], found["rows"])] if found["mistakes"] else []
        return [_scripts(found["scripts"]), *slots, *mistakes]


def _by_script(targets: np.ndarray, counts: CommandCounts) -> list[dict[str, Any]]:
    scripts = np.array([script_of(wanted.text) for wanted in targets], object)
    found = []
    for script, rows in Counter(scripts.tolist()).most_common():
        metrics = counts.measure(np.flatnonzero(scripts == script))
        found.append({"script": script, "rows": rows, **{name: metrics[name] for name in METRICS}})
    return found


def _by_slot(targets: np.ndarray, said: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    hits: Counter[str] = Counter()
    filled: Counter[str] = Counter()
    there: Counter[str] = Counter()
    for wanted, slots in zip(targets, said, strict=True):
        filled.update(list(slots))
        there.update(list(wanted.slots))
        hits.update(name for name, value in slots.items() if wanted.slots.get(name) == same_value(value))
    return [
        {"slot": name, "there": count, "filled": filled[name], "f1": 2 * hits[name] / (count + filled[name])}
        for name, count in there.most_common(MOST_SLOTS)
    ]


def _mistakes(case: Case, counts: CommandCounts, said: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the wrongly understood commands of which the model was surest."""
    command = case.test[case.test.target.name]
    wrong = np.flatnonzero(~counts.is_right)
    chosen = wrong[np.argsort(-counts.scores[wrong], kind="stable")][:MOST_MISTAKES].tolist()
    frames = FrameLabels.of(case.predictor.signature.labels)
    best = intent_scores(case.outputs, frames, 1.0).argmax(axis=1)
    return [
        {
            "line": int(case.test.line_numbers[row]),
            "text": case.targets[row].text,
            "truth": _written(command[row]["intent"], command[row].get("slots", {})),
            "said": _written(frames.intents[best[row]], said[row]),
            "score": float(counts.scores[row]),
        }
        for row in chosen
    ]


def _written(intent: str, slots: Mapping[str, Any]) -> str:
    return f"{intent}({', '.join(f'{name}={slots[name]}' for name in sorted(slots))})"


def _scripts(scripts: Sequence[Mapping[str, Any]]) -> Figure:
    worst = min(scripts, key=lambda s: float(s["frame_accuracy"]))

    def paint(axes: Any) -> None:
        for place, script in enumerate(scripts):
            for number, name in enumerate(METRICS):
                colour, alpha = COLOURS[number]
                height = place + 0.26 * (number - 1)
                axes.barh(height, script[name], height=0.22, color=colour, alpha=alpha)
                axes.text(script[name] + 0.012, height, f"{script[name]:.3f}", va="center", fontsize=8)
        axes.set_yticks(range(len(scripts)), [script["script"] for script in scripts])
        axes.tick_params(axis="y", labelcolor=INK, length=0)
        axes.set_xlim(0, 1.12)
        axes.set_ylim(len(scripts) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)

    return Figure(
        "By script",
        f"Of the {worst['rows']:,} commands in {worst['script']} script {worst['frame_accuracy']:.1%} were understood "
        f"as a whole, {worst['intent_accuracy']:.1%} of their intents.",
        draw(paint, 5.2, 0.4 + 0.9 * len(scripts), "scripts"),
        ("Script", "Commands", "Intent accuracy", "Slot F1", "Whole commands"),
        tuple((s["script"], f"{s['rows']:,}", *(f"{s[name]:.3f}" for name in METRICS)) for s in scripts),
        (Key("intents"), Key("slots, F1", "ink", DASHES[1]), Key("whole commands", "soft", DASHES[2])),
    )


def _slots(slots: Sequence[Mapping[str, Any]]) -> Figure:
    worst = min(slots, key=lambda slot: float(slot["f1"]))

    def paint(axes: Any) -> None:
        for place, slot in enumerate(slots):
            axes.barh(place, slot["f1"], height=0.55, color=ACCENT)
            axes.text(slot["f1"] + 0.012, place, f"{slot['f1']:.3f}", va="center", fontsize=8)
        axes.set_yticks(range(len(slots)), [f"{slot['slot']} ({slot['there']})" for slot in slots])
        axes.tick_params(axis="y", labelcolor=INK, length=0)
        axes.set_xlim(0, 1.12)
        axes.set_ylim(len(slots) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)

    return Figure(
        "By slot",
        f"Hardest is {worst['slot']}, with an F1 of {worst['f1']:.3f} over {worst['there']} of them; a slot is right "
        "where its value is.",
        draw(paint, 5.2, 0.5 + 0.3 * len(slots), "slots"),
        ("Slot", "There", "Filled", "F1"),
        tuple((s["slot"], f"{s['there']}", f"{s['filled']}", f"{s['f1']:.3f}") for s in slots),
    )


def _wrong(mistakes: Sequence[Mapping[str, Any]], rows: int) -> Figure:
    items = "".join(
        f'<li style="margin-bottom: .7em" dir="auto">{html.escape(m["text"])}<br>'
        f'<span style="color: var(--soft)">said {html.escape(m["said"])} ({m["score"]:.2f}), truly '
        f"{html.escape(m['truth'])}</span></li>"
        for m in mistakes
    )
    return Figure(
        "What was misunderstood",
        f"Of {rows:,} test commands those wrong ones of whose intent the model was surest, line "
        f"{mistakes[0]['line']} first.",
        f'<ul style="padding-left: 1.2em">{items}</ul>',
        ("Line", "Command", "Truth", "Said", "Score"),
        tuple((f"{m['line']}", m["text"], m["truth"], m["said"], f"{m['score']:.2f}") for m in mistakes),
    )


COMMANDS = Commands()
