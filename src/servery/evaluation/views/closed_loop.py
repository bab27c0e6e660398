"""What a report shows of driving decisions: drives over unseen seeds beside idling and chance, and one as a film."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import msgspec
from PIL import Image, ImageDraw

from servery.data.highway import Highway
from servery.data.traffic import COLUMNS, LANE_METRES, LANES, LENGTH_METRES, WIDTH_METRES
from servery.errors import MissingExtraError
from servery.evaluation import figures
from servery.evaluation.closed_loop import (
    FIRST_SEED,
    Drives,
    Frame,
    by_chance,
    by_idling,
    by_model,
    drive,
)
from servery.evaluation.figure import Figure
from servery.evaluation.view import Case, View
from servery.tasks.driving_decision import DrivingDecision
from servery.tasks.task import LearnableTask

DRIVES, SAMPLE_DRIVES = 20, 4
"""Of a report; of a model of generated rows, which shows that the parts work and no more."""
AHEAD_METRES, BEHIND_METRES = 110.0, 30.0
PIXELS_PER_METRE = 5
FRAME_MS = 350
OWN, OTHER_CAR, ROAD, LINE = (20, 140, 120), (90, 110, 160), (70, 72, 78), (190, 190, 186)


class Driver(msgspec.Struct, frozen=True):
    """What one driver came to: each figure with the ends of its 95 % interval."""

    name: str
    crash_rate: tuple[float, float, float]
    mean_return: tuple[float, float, float]
    mean_steps: float


class Driven(msgspec.Struct, frozen=True):
    """What the view found; `missing` says what to install where nothing could be driven."""

    drives: int
    drivers: tuple[Driver, ...] = ()
    gif: str = ""
    missing: str = ""


class ClosedLoop(View):
    """Crash rate and mean return of the model, with and without its shield, of idling and of chance."""

    name = "closed_loop"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task is driving decisions."""
        return isinstance(task, DrivingDecision)

    def look(self, case: Case) -> Driven:
        """Drive; a model that reads other columns than the road gives, or a road that is not there, drives nowhere."""
        if {column.name for column in case.predictor.signature.inputs} - set(COLUMNS):
            return Driven(0, missing="the road gives other columns than this model reads")
        try:
            road = Highway()
        except MissingExtraError as error:
            return Driven(0, missing=error.hint or str(error))
        count = SAMPLE_DRIVES if case.test.source.is_sample else DRIVES
        seeds = range(FIRST_SEED, FIRST_SEED + count)
        found = {
            "this model with its shield": drive(road, by_model(case.predictor), seeds),
            "this model alone": drive(road, by_model(case.predictor, has_shield=False), seeds),
            "doing nothing": drive(road, by_idling(), seeds),
            "doing anything": drive(road, by_chance(), seeds),
        }
        first = next(iter(found.values()))
        drivers = tuple(_driver(name, drives) for name, drives in found.items())
        return Driven(count, drivers, base64.b64encode(film(first.frames)).decode())

    def figures(self, found: Any) -> list[Figure]:
        """Return the figures, or why there are none."""
        seen = msgspec.convert(found, Driven)
        if not seen.drivers:
            return [_nothing(seen)]
        return [_figures(seen), _film(seen)]


def film(frames: Sequence[Frame]) -> bytes:
    """Return a drive from above as a GIF: the own car is green and stays where it is, a picture a decision."""
    width = int((AHEAD_METRES + BEHIND_METRES) * PIXELS_PER_METRE)
    height = int(LANES * LANE_METRES * PIXELS_PER_METRE)
    pictures = [_picture(frame, width, height) for frame in frames]
    written = io.BytesIO()
    pictures[0].save(written, "GIF", save_all=True, append_images=pictures[1:], duration=FRAME_MS, loop=0)
    return written.getvalue()


def _picture(frame: Frame, width: int, height: int) -> Image.Image:
    picture = Image.new("RGB", (width, height), ROAD)
    pen = ImageDraw.Draw(picture)
    for lane in range(1, LANES):
        edge = lane * LANE_METRES * PIXELS_PER_METRE
        for dash in range(0, width, 40):
            pen.line([(dash, edge), (dash + 18, edge)], fill=LINE, width=1)
    for ahead, across, is_own in frame:
        x, y = (ahead + BEHIND_METRES) * PIXELS_PER_METRE, (across + LANE_METRES / 2) * PIXELS_PER_METRE
        long, wide = LENGTH_METRES * PIXELS_PER_METRE / 2, WIDTH_METRES * PIXELS_PER_METRE / 2
        if -long < x < width + long:
            pen.rounded_rectangle([x - long, y - wide, x + long, y + wide], 2, OWN if is_own else OTHER_CAR)
    return picture


def _driver(name: str, drives: Drives) -> Driver:
    return Driver(name, drives.crash_rate, drives.mean_return, float(drives.steps.mean()))


def _figures(seen: Driven) -> Figure:
    own, *others = seen.drivers

    def paint(axes: Any) -> None:
        for place, driver in enumerate(seen.drivers):
            mean, low, high = driver.mean_return
            colour = figures.ACCENT if driver is own else figures.SOFT
            axes.plot([low, high], [place, place], color=colour, alpha=0.45, linewidth=3)
            axes.plot([mean], [place], color=colour, marker="o", markersize=5)
        axes.set_yticks(range(len(seen.drivers)), [driver.name for driver in seen.drivers])
        axes.tick_params(axis="y", length=0, labelcolor=figures.INK)
        axes.set_ylim(len(seen.drivers) - 0.5, -0.5)
        axes.set_xlabel("return of a drive, 30 at most")
        axes.spines["left"].set_visible(False)

    idle = next(driver for driver in others if driver.name == "doing nothing")
    rate, low, high = own.crash_rate
    return Figure(
        "What comes of its decisions",
        f"Over {seen.drives} drives on highway-fast-v0 with unseen seeds, {rate:.0%} ended in a collision "
        f"[{low:.0%} to {high:.0%}], of doing nothing {idle.crash_rate[0]:.0%}; the mean return is "
        f"{own.mean_return[0]:.1f} against {idle.mean_return[0]:.1f}.",
        figures.draw(paint, 5.6, 2.4, "closed-loop"),
        ("Driver", "Collisions", "95 % interval", "Mean return", "95 % interval", "Seconds driven"),
        tuple(
            (
                driver.name,
                f"{driver.crash_rate[0]:.1%}",
                f"{driver.crash_rate[1]:.1%} to {driver.crash_rate[2]:.1%}",
                f"{driver.mean_return[0]:.2f}",
                f"{driver.mean_return[1]:.2f} to {driver.mean_return[2]:.2f}",
                f"{driver.mean_steps:.1f}",
            )
            for driver in seen.drivers
        ),
    )


def _film(seen: Driven) -> Figure:
    words = f"A drive from above, seed {FIRST_SEED}"
    picture = f'<img src="data:image/gif;base64,{html.escape(seen.gif)}" alt="{words}" style="width: 100%">'
    return Figure(
        "One drive",
        "The own car is the green one, which stays where it is while the road goes by; a picture a decision, with the "
        "shield.",
        picture,
        ("Drive", "Decisions"),
        ((f"seed {FIRST_SEED}", "one a second"),),
    )


def _nothing(seen: Driven) -> Figure:
    return Figure(
        "What comes of its decisions",
        f"Not driven: {seen.missing}. The figures above say how often the model does what the demonstrations did, and "
        "nothing of what would come of it.",
        "",
        ("Drives",),
        (("0",),),
    )


CLOSED_LOOP = ClosedLoop()
