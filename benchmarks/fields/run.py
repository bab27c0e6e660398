"""Trains and measures every row of a field's bar, and sets the figures beside floor, published and target.

Run: `SERVERY_DATA=... python benchmarks/fields/run.py --field speech-recognition`. A row is a plain `servery train` in
a data home of its own: the model learns from the training part, and the test part is looked at once, at the end. A row
with `folds` is measured by cross-validation over all rows instead, dealt out `repeats` times.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

BARS = Path(__file__).with_name("bars")
DEADLINE = "15m"
"""The most that the bar allows a training to take."""
HEADINGS = ("data", "task", "recipe", "metric", "floor", "published", "target", "measured", "seconds", "note")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--field", default="", help="one field; all of them when left out")
    parser.add_argument("--data", default="", help="one data set of it")
    parser.add_argument("--recipe", default="", help="one recipe of it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print what the files say, and train nothing")
    arguments = parser.parse_args()
    found: list[dict[str, Any]] = []
    for path in sorted(BARS.glob("*.toml")):
        if arguments.field in ("", path.stem):
            rows = tomllib.loads(path.read_text(encoding="utf-8"))["row"]
            found += [{"field": path.stem, **row} for row in rows if _is_asked(row, arguments)]
    if not arguments.show:
        found = [measured(row, arguments.threads) for row in found]
    print("\n".join(table(found)))


def measured(row: dict[str, Any], threads: int) -> dict[str, Any]:
    """Train one row in a fresh data home and return it with its figures; a row with a script is measured by that."""
    if row.get("script"):
        subprocess.run([sys.executable, str(BARS.parent / row["script"])], check=True)
        return row
    command = [
        sys.executable,
        "-m",
        "servery.cli.main",
        "train",
        "--json",
        "--name",
        "bar",
        "--field",
        row["field"],
    ]
    command += ["--data", row["data"], "--threads", str(threads), "--deadline", DEADLINE]
    for option in ("task", "recipe"):
        command += [f"--{option}", row[option]] if row.get(option) else []
    command += ["--target", row["target_column"]] if row.get("target_column") else []
    for name, value in row.get("settings", {}).items():
        command += ["--set", f"{name}={value}"]
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(command, env=_environment(home), capture_output=True, text=True)
        if row.get("folds") and not done.returncode:
            done = subprocess.run(_folded(row), env=_environment(home), capture_output=True, text=True)
    seconds = time.monotonic() - started
    if done.returncode:
        sys.stderr.write(done.stderr)
        return {**row, "measured": "failed", "seconds": round(seconds)}
    if row.get("folds"):
        return {**row, "measured": _over_folds(row, json.loads(done.stdout)), "seconds": round(seconds)}
    metrics = {m["name"]: m["value"] for m in json.loads(done.stdout)["evaluation"]["metrics"]}
    print(
        json.dumps({"data": row["data"], "recipe": row.get("recipe"), "seconds": seconds, **metrics}),
        flush=True,
    )
    wanted = [name.strip() for name in row["metric"].split("/")]
    figures = [f"{metrics[name]:.4g}" for name in wanted if name in metrics]
    return {**row, "measured": " / ".join(figures), "seconds": round(seconds)}


def _folded(row: dict[str, Any]) -> list[str]:
    command = [sys.executable, "-m", "servery.cli.main", "evaluate", "bar", "--json"]
    return [*command, "--cross-validate", str(row["folds"]), "--repeats", str(row.get("repeats", 1))]


def _over_folds(row: dict[str, Any], found: dict[str, Any]) -> str:
    names = [name.strip() for name in row["metric"].split("/")]
    print(json.dumps({"data": row["data"], "recipe": row.get("recipe"), **found["mean"]}), flush=True)
    return " / ".join(f"{found['mean'][n]:.3f} [{found['low'][n]:.3f}-{found['high'][n]:.3f}]" for n in names)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the rows as lines of a Markdown table."""
    lines = [f"| field | {' | '.join(HEADINGS)} |", "|---" * (len(HEADINGS) + 1) + "|"]
    for row in rows:
        lines.append(f"| {row['field']} | " + " | ".join(str(row.get(name, "")) for name in HEADINGS) + " |")
    return lines


def _is_asked(row: dict[str, Any], arguments: argparse.Namespace) -> bool:
    return all(getattr(arguments, name) in ("", row.get(name)) for name in ("data", "recipe"))


def _environment(home: str) -> dict[str, str]:
    return {**os.environ, "SERVERY_HOME": home}


if __name__ == "__main__":
    main()
