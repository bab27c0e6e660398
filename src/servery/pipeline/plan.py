"""Everything a training needs, readable, editable, re-runnable: `plan.toml`."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from servery.errors import DataError
from servery.tasks.operating_point import Goal


@dataclass(frozen=True)
class Plan:
    """One training, from the data to the registered version.

    Attributes:
        name: Name of the model in the registry.
        field: Name of the field, e.g. "sentiment-analysis".
        data: Path of a file or folder, the name of a known data set, or "sample".
        target: Name of the target column; empty lets the field's or the known set's choice stand.
        recipe: Name of the recipe; empty lets the advice choose.
        task: Name of the task; empty lets the target column decide.
        kinds: Column name to kind, where the inferred kind is wrong.
        roles: Column name to role, where the inferred role is wrong.
        split: "auto", "given", "time", "group", "stratified" or "random".
        seed: Everything random follows from it.
        deadline_seconds: Wall-clock limit of the fit; 0 for none.
        threads: CPU threads of the fit; 0 for all cores.
        max_rows: Most training rows to use, a seeded choice of them; 0 for all.
        export: Whether to make a variant that needs no torch.
        abstention_cost: Cost of not answering, as a share of what a wrong answer costs; 1 lets a model always answer.
        outside: The label which says that none of the others fits; empty lets the field's stand, if the data has it.
        positive: The label to be found; empty lets the field's stand, else the rarer of two.
        goal: What its threshold is chosen for: sensitivity, specificity, missed_cost and false_alarm_cost, or
            acceptance_gain and acceptance_loss; empty draws the line at the best score.
        subgroups: Columns by whose values the report judges the model too; empty lets the field's stand.
        hyperparameters: What differs from the recipe's defaults.
        reason: Why the advice chose this, for people.
    """

    name: str
    field: str
    data: str
    target: str = ""
    recipe: str = ""
    task: str = ""
    kinds: dict[str, str] = dataclasses.field(default_factory=dict)
    roles: dict[str, str] = dataclasses.field(default_factory=dict)
    split: str = "auto"
    seed: int = 0
    deadline_seconds: float = 0.0
    threads: int = 0
    max_rows: int = 0
    export: bool = True
    abstention_cost: float = 0.75
    outside: str = ""
    positive: str = ""
    subgroups: list[str] = dataclasses.field(default_factory=list)
    goal: dict[str, float] = dataclasses.field(default_factory=dict)
    hyperparameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    reason: str = ""

    def __post_init__(self) -> None:
        if self.seed < 0 or self.deadline_seconds < 0 or self.threads < 0 or self.max_rows < 0:
            raise DataError(
                f"The plan has seed {self.seed}, deadline_seconds {self.deadline_seconds}, threads {self.threads} "
                f"and max_rows {self.max_rows}; none may be below 0.",
                param="plan",
            )
        if not 0 < self.abstention_cost <= 1:
            raise DataError(
                f"The plan's abstention_cost is {self.abstention_cost}; expected a share above 0, at most 1.",
                hint="0.5: not to answer is half as bad as to be wrong; 1: always answer",
                param="plan",
            )
        Goal(self.positive, self.goal)

    def with_changes(self, **changes: Any) -> Plan:
        """Return the plan with some values replaced."""
        return replace(self, **changes)

    def to_toml(self) -> str:
        """Return the plan as TOML; tables last, as the format wants.

        >>> print(Plan("reviews", "sentiment-analysis", "reviews.csv").to_toml().splitlines()[0])
        name = "reviews"
        """
        values = asdict(self)
        plain = [f"{k} = {_toml(v)}" for k, v in values.items() if not isinstance(v, dict)]
        tables = [
            f"\n[{k}]\n"
            + "\n".join(f"{json.dumps(n, ensure_ascii=False)} = {_toml(v)}" for n, v in table.items())
            for k, table in values.items()
            if isinstance(table, dict) and table
        ]
        return "\n".join([*plain, *tables]) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> Plan:
        """Read a plan.

        Raises:
            DataError: Not TOML, an unknown key, or one of the three required keys is missing.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise DataError(f"The plan is not TOML: {error}.", param="plan") from error
        known = {f.name for f in fields(cls)}
        unknown, missing = values.keys() - known, {"name", "field", "data"} - values.keys()
        if unknown or missing:
            raise DataError(
                f"The plan has unknown keys {sorted(unknown)} and lacks {sorted(missing)}; "
                f"known: {', '.join(sorted(known))}.",
                param="plan",
            )
        for name, value in values.items():
            default = getattr(cls("", "", ""), name)
            if not isinstance(value, _accepted(default)):
                raise DataError(
                    f"The plan's {name} is {value!r}; expected {type(default).__name__}, such as {default!r}.",
                    param="plan",
                )
        return cls(**values)

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read a plan from a file.

        Raises:
            DataError: The file cannot be read or is no plan.
        """
        try:
            return cls.from_toml(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"The plan {path} cannot be read: {error.strerror}.", param="plan") from error
        except UnicodeDecodeError as error:
            raise DataError(f"The plan {path} is no text file.", param="plan") from error


def _accepted(default: Any) -> tuple[type, ...]:
    return (int, float) if isinstance(default, float) else (type(default),)


def _toml(value: Any) -> str:
    # JSON's strings, numbers, booleans and flat lists are TOML's too.
    return json.dumps(value, ensure_ascii=False)
