"""Where a version comes from and what it is worth, as its report and its manifest tell it."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from servery.data.dataset import Dataset
from servery.data.splits import Split
from servery.evaluation.evaluation import Evaluation
from servery.fields._field import Field
from servery.pipeline.plan import Plan

PACKAGES = ("servery", "torch", "numpy", "scikit-learn", "lightgbm", "onnxruntime", "tokenizers", "pillow")


def facts_of(plan: Plan, field: Field, dataset: Dataset, parts: Split) -> dict[str, Any]:
    """Return what a report tells besides the figures: lineage, split, limits of use."""
    return {
        "name": plan.name,
        "field": field.name,
        "field_title": dict(field.title),
        "limits_of_use": field.limits_of_use,
        "notice": field.notice,
        "subgroups": list(plan.subgroups),
        "is_sample": dataset.source.is_sample,
        "split": {
            "policy": parts.policy,
            "reason": parts.reason,
            "notes": list(parts.notes),
            "dropped": dict(parts.dropped),
            "train": len(parts.train),
            "validation": len(parts.validation),
            "test": len(parts.test),
        },
        "plan": plan.to_toml(),
        "lineage": lineage_of(dataset, plan),
        "environment": environment(),
    }


def manifest_facts(
    plan: Plan, evaluation: Evaluation, facts: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """Return what the manifest says of a version."""
    return {
        "task": plan.task,
        "field": plan.field,
        "recipe": plan.recipe,
        "plan": facts["plan"],
        "metrics": evaluation.summary(),
        "lineage": {
            **facts["lineage"],
            **({"notice": facts["notice"]} if facts["notice"] else {}),
            "environment": facts["environment"],
            "training_seconds": round(seconds, 2),
            "is_trustworthy": evaluation.is_trustworthy,
            "verdict": evaluation.verdict,
        },
    }


def lineage_of(dataset: Dataset, plan: Plan) -> dict[str, Any]:
    """Return which data and which plan a version was made of."""
    return {
        "data": dataset.source.name,
        "data_fingerprint": dataset.source.fingerprint,
        "data_rows": len(dataset),
        "data_facts": dict(dataset.source.facts),
        "is_sample": dataset.source.is_sample,
        "plan_sha256": hashlib.sha256(plan.to_toml().encode()).hexdigest(),
        "seed": plan.seed,
    }


def environment() -> dict[str, str]:
    """Return the versions of Python, the platform and the packages that a result depends on."""
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
