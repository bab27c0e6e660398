"""What every recipe does at both ends: choose its columns, and put the finished parts together."""

from __future__ import annotations

from collections.abc import Sequence

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.models.encoder import Encoder
from servery.models.envelope import Envelope
from servery.models.notices import with_bounds
from servery.models.predictor import Predictor
from servery.models.recipe import Work
from servery.models.runtime import Runtime
from servery.models.signature import Signature
from servery.models.training_profile import TrainingProfile
from servery.models.wording import Wording
from servery.tasks.task import Calibration

LABEL_TASKS = frozenset({"classification", "multi-label-classification"})
"""The tasks whose outputs are logits, one a label."""
TABLE_KINDS = frozenset({Kind.NUMBER, Kind.TIME, Kind.CATEGORY})


def columns_for(dataset: Dataset, kinds: frozenset[Kind]) -> tuple[Column, ...]:
    """Return the inputs a recipe can read.

    Raises:
        DataError: There is none.
    """
    columns = tuple(column for column in dataset.inputs if column.kind in kinds)
    if not columns:
        found = ", ".join(f"{column.name!r} ({column.kind})" for column in dataset.inputs) or "none"
        raise DataError(
            f"This recipe reads {' or '.join(sorted(kinds))} columns; the inputs are {found}.", param="data"
        )
    return columns


def say_left_out(work: Work, read: Sequence[Column]) -> None:
    """Name the inputs that the recipe does not read."""
    left_out = [f"{c.name!r} ({c.kind})" for c in work.train.inputs if c not in read]
    if left_out:
        work.progress.say("Left out", f"{', '.join(left_out)}: this recipe does not read them")


def assemble(
    work: Work,
    recipe: str,
    columns: tuple[Column, ...],
    labels: tuple[str, ...],
    encoder: Encoder,
    runtime: Runtime,
    reason: str,
) -> Predictor:
    """Return the finished model, not yet calibrated."""
    signature = Signature(
        task=work.task.name,
        field=work.field,
        inputs=with_bounds(columns, work.train),
        labels=labels,
        target=work.train.target.name,
        envelope=Envelope.fit(columns, work.train),
        profile=TrainingProfile.fit(columns, work.train),
        wording=Wording.fit(columns, work.train),
    )
    return Predictor(signature, encoder, runtime, Calibration(), recipe, reason)
