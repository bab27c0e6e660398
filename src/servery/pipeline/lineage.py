"""Where a version comes from: the data's fingerprint, the code's version and the environment it was made in."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from servery.data.dataset import Dataset
from servery.pipeline.plan import Plan

PACKAGES = ("servery", "torch", "numpy", "scikit-learn", "lightgbm", "onnxruntime", "tokenizers", "pillow")


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
