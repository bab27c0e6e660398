"""Turns the figures of `compare.py` into the table of the documentation, with what was to be reached.

Run: `python benchmarks/serving/table.py benchmarks/serving/results/FILE.json`.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads import ROWS, Row

CROWDED_CORES = 0.15
"""From so much taken by others or the hypervisor on, a run is marked: alone it supports nothing."""


@dataclass(frozen=True)
class Summary:
    """All rounds of one system in one row of the table."""

    system: str
    runs: Sequence[dict[str, Any]]

    def median(self, name: str) -> float:
        """Return the median of a figure."""
        return float(statistics.median(run[name] for run in self.runs))

    def range(self, name: str, digits: int) -> str:
        """Return the median of a figure and how far it ranges."""
        values = [run[name] for run in self.runs]
        return f"{self.median(name):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"

    @property
    def errors(self) -> int:
        """Failed requests of all rounds."""
        return sum(sum(run["errors"].values()) for run in self.runs)

    @property
    def crowded(self) -> int:
        """Rounds in which others took a noticeable part of the machine."""
        return sum(max(run["foreign_cores"], run["stolen_cores"]) >= CROWDED_CORES for run in self.runs)


def rendered(report: dict[str, Any]) -> str:
    """Return the whole report in Markdown."""
    parts = [_heading(report)]
    for row in ROWS:
        summaries = summarised(report, row)
        if summaries:
            parts += [f"### {row.title}", _row_table(report, row, summaries)]
            parts += [f"- {line}" for line in _verdicts(report, row, summaries)]
    parts += [
        f"- not measured: {p['system']} on {p['model']}: {p['problem'][:300]}" for p in report["problems"]
    ]
    return "\n".join(_spaced(parts)) + "\n"


def summarised(report: dict[str, Any], row: Row) -> dict[str, Summary]:
    """Return the systems that were measured in a row, ours first."""
    names = dict.fromkeys(run["system"] for run in report["runs"] if run["row"] == row.name)
    order = sorted(names, key=lambda name: (not name.startswith("servery"), name))
    return {
        name: Summary(name, [r for r in report["runs"] if r["row"] == row.name and r["system"] == name])
        for name in order
    }


def _spaced(parts: Sequence[str]) -> Iterator[str]:
    for before, part in zip(["", *parts], parts, strict=False):
        if not (before.startswith("- ") and part.startswith("- ")):
            yield ""
        yield part


def _heading(report: dict[str, Any]) -> str:
    told = report["machine"]
    versions = ", ".join(system["version"] for system in report["systems"].values())
    return (
        f"{report['begun']}, {told['cores']} cores of {told['cpu']}, {told['memory_gib']} GiB, "
        f"Python {report['python']}; {report['options']['rounds']} alternating rounds. {versions}."
    )


def _row_table(report: dict[str, Any], row: Row, summaries: dict[str, Summary]) -> str:
    ours = summaries.get("servery") or next(iter(summaries.values()))
    lines = [
        "| system | answers/s (range) | ours is | p50 ms | p99 ms (range) | CPU ms an answer (in the kernel) | cores"
        " | memory MiB | threads | others took, stolen | generator | failed |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in summaries.items():
        ratio = ours.median("requests_per_second") / max(found.median("requests_per_second"), 1e-9)
        lines.append(
            f"| {report['systems'][name]['title']}{' †' * (found.crowded > 0)} "
            f"| {found.range('requests_per_second', 0 if found.median('requests_per_second') > 100 else 1)} "
            f"| {'-' if found is ours else f'{ratio:.1f}x'} "
            f"| {found.median('p50_ms'):,.1f} | {found.range('p99_ms', 1)} "
            f"| {found.median('cpu_ms'):.3f} ({found.median('kernel_share'):.0%}) "
            f"| {found.median('system_cores'):.2f} | {found.median('memory_mib'):,.0f} "
            f"| {found.median('threads'):.0f} "
            f"| {found.median('foreign_cores'):.2f}, {found.median('stolen_cores'):.2f} "
            f"| {found.median('generator_cores'):.2f} | {found.errors} |"
        )
    for processes, rates in sorted(_limits(report, row).items()):
        lines.append(
            f"| no server, {processes} process{'es' * (processes > 1)}, batch {max(row.limit_batch // processes, 1)} "
            f"| {statistics.median(rates):,.1f} ({min(rates):,.1f}-{max(rates):,.1f}) | | | | | | | | | | |"
        )
    return "\n".join(lines)


def _limits(report: dict[str, Any], row: Row) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for limit in report["limits"]:
        if limit["row"] == row.name:
            found.setdefault(limit["processes"], []).append(limit["forward_per_second"])
    return found


def _verdicts(report: dict[str, Any], row: Row, summaries: dict[str, Summary]) -> Iterator[str]:
    if "servery" not in summaries:
        return
    for words, is_kept in TARGETS.get(row.name, _nothing)(report, row, summaries):
        yield f"{'kept' if is_kept else '**missed**'}: {words}"


Verdicts = Iterator[tuple[str, bool]]
Target = Callable[[dict[str, Any], Row, dict[str, Summary]], Verdicts]


def _nothing(report: dict[str, Any], row: Row, summaries: dict[str, Summary]) -> Verdicts:
    yield from ()


def _quicker(least: Mapping[str, float], ours: str = "servery") -> Target:
    def judged(report: dict[str, Any], row: Row, summaries: dict[str, Summary]) -> Verdicts:
        for peer, ratio in least.items():
            if peer in summaries and ours in summaries:
                found = summaries[ours].median("requests_per_second") / summaries[peer].median(
                    "requests_per_second"
                )
                yield f"{found:.1f}x {peer}, to reach {ratio:g}x", found >= ratio

    return judged


def _at_most(name: str, most: float, ours: str = "servery") -> Target:
    def judged(report: dict[str, Any], row: Row, summaries: dict[str, Summary]) -> Verdicts:
        found = summaries[ours].median(name)
        yield f"{name} {found:.3g}, to reach {most:g}", found <= most

    return judged


def _share_of_peers(name: str, share: float) -> Target:
    def judged(report: dict[str, Any], row: Row, summaries: dict[str, Summary]) -> Verdicts:
        peers = {k: v.median(name) for k, v in summaries.items() if not k.startswith("servery")}
        if peers:
            best = min(peers, key=peers.__getitem__)
            found = summaries["servery"].median(name) / peers[best]
            yield f"{name} is {found:.2f} of the best peer's ({best}), to reach {share:.2f}", found <= share

    return judged


def _share_of_limit(share: float) -> Target:
    def judged(report: dict[str, Any], row: Row, summaries: dict[str, Summary]) -> Verdicts:
        for system, processes in (("servery-1", 1), ("servery", 2)):
            # One connection keeps one worker busy at a time.
            rates = _limits(report, row).get(min(processes, row.connections))
            if rates and system in summaries:
                found = summaries[system].median("requests_per_second") / statistics.median(rates)
                yield f"{system}: {found:.0%} of the in-process limit, to reach {share:.0%}", found >= share

    return judged


def _all(*targets: Target) -> Target:
    def judged(report: dict[str, Any], row: Row, summaries: dict[str, Summary]) -> Verdicts:
        for target in targets:
            yield from target(report, row, summaries)

    return judged


TWO_WORKERS = _quicker({"servery-1": 1.7})
PEERS = {"litserve": 12, "fastapi": 8, "triton": 6, "torchserve": 4, "bentoml": 15, "mlserver": 15}
ENCODER = _all(_share_of_limit(0.9), _quicker({"litserve": 1.8, "triton": 1.8}, "servery-1"))
HEAVY = _all(_share_of_limit(0.97), _share_of_peers("p99_ms", 1.0))
TARGETS: dict[str, Target] = {
    "mlp-json-64": _all(_quicker(PEERS), _at_most("p99_ms", 15), _at_most("cpu_ms", 0.2), TWO_WORKERS),
    "mlp-json-1": _share_of_peers("p50_ms", 1 / 4),
    "mlp-json-300": _share_of_peers("p99_ms", 1 / 3),
    "mlp-binary-64": _all(_quicker({"triton": 6}), _at_most("cpu_ms", 0.15), TWO_WORKERS),
    "lstm-16": _quicker({"litserve": 5, "triton": 2}),
    "encoder-16": ENCODER,
    "encoder-64": ENCODER,
    "heavy-1": HEAVY,
    "heavy-16": HEAVY,
}


def main() -> None:
    for name in sys.argv[1:]:
        print(rendered(json.loads(Path(name).read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
