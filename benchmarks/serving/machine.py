"""What the machine did: CPU and memory of a system's processes, cores lost to others and to the hypervisor.

A system's processes are found by a mark in their environment, so that those which a system starts and lets go of
(a Java server, its Python worker) are counted, and stopped, all the same.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "SERVERY_BENCHMARK_MARK"
TICK_SECONDS = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Moment:
    """CPU seconds up to a moment.

    Attributes:
        at: In seconds of the monotonic clock.
        of_system: By process of the system.
        in_kernel: The kernel's part of these.
        busy: Of the whole machine.
        stolen: Taken by the hypervisor.
        own: Of this process and its other children (the load generator among them).
    """

    at: float
    of_system: dict[int, float]
    in_kernel: dict[int, float]
    busy: float
    stolen: float
    own: float


@dataclass(frozen=True)
class Use:
    """Cores used between two moments, and the part of the system's CPU that its calls to the kernel took."""

    system_cores: float
    foreign_cores: float
    stolen_cores: float
    system_cpu_seconds: float
    kernel_share: float


def marked(mark: str) -> list[int]:
    """Return the processes that carry a mark."""
    wanted = f"{MARK}={mark}\0".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                if wanted in (folder / "environ").read_bytes() + b"\0":
                    found.append(int(folder.name))
    return found


def moment(mark: str, others: list[int]) -> Moment:
    """Look at the machine.

    Args:
        mark: Of the system.
        others: Processes of our own besides this one, e.g. the load generator.
    """
    fields = [
        int(field) * TICK_SECONDS for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    ]
    user, nice, system, _idle, _waiting, interrupt, soft_interrupt, stolen = fields[:8]
    return Moment(
        time.monotonic(),
        {number: cpu_seconds(number) for number in marked(mark)},
        {number: kernel_seconds(number) for number in marked(mark)},
        user + nice + system + interrupt + soft_interrupt,
        stolen,
        sum(map(cpu_seconds, [os.getpid(), *others])),
    )


def between(before: Moment, after: Moment) -> Use:
    """Return what was used between two moments."""
    seconds = after.at - before.at
    system = _grown(before.of_system, after.of_system)
    foreign = after.busy - before.busy - system - (after.own - before.own)
    return Use(
        system / seconds,
        max(foreign, 0.0) / seconds,
        (after.stolen - before.stolen) / seconds,
        system,
        _grown(before.in_kernel, after.in_kernel) / max(system, TICK_SECONDS),
    )


def _grown(before: dict[int, float], after: dict[int, float]) -> float:
    return sum(value - before.get(number, 0.0) for number, value in after.items())


def cpu_seconds(number: int) -> float:
    """Return what a process has used, all its threads together; 0 if it is gone."""
    return sum(_user_and_kernel_seconds(number))


def kernel_seconds(number: int) -> float:
    """Return what a process has used inside the kernel, all its threads together; 0 if it is gone."""
    return _user_and_kernel_seconds(number)[1]


def _user_and_kernel_seconds(number: int) -> tuple[float, float]:
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0.0
    return int(fields[11]) * TICK_SECONDS, int(fields[12]) * TICK_SECONDS


def memory_mib(mark: str) -> float:
    """Return the memory of a system's processes, each shared page counted once among its sharers (PSS), in MiB."""
    return sum(pss_kib(number) for number in marked(mark)) / 1024


def pss_kib(number: int) -> int:
    """Return one process's proportional set size; 0 if it is gone."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return 0


def threads(mark: str) -> int:
    """Return how many threads a system has."""
    count = 0
    for number in marked(mark):
        with suppress(OSError):
            count += len(list(Path(f"/proc/{number}/task").iterdir()))
    return count


def stop(mark: str, patience_seconds: float = 4.0) -> None:
    """End every process that carries a mark: first with a word, then by force."""
    for kind, seconds in ((signal.SIGTERM, patience_seconds), (signal.SIGKILL, 5.0)):
        for number in marked(mark):
            with suppress(ProcessLookupError):
                os.kill(number, kind)
        end = time.monotonic() + seconds
        while marked(mark):
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        else:
            return


def describe() -> dict[str, str | int]:
    """Return the machine in a few words."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text().split()[1]
    return {
        "cpu": model[0].partition(":")[2].strip() if model else "unknown",
        "cores": os.cpu_count() or 0,
        "memory_gib": round(int(memory) / 2**20),
        "kernel": os.uname().release,
    }
