"""Starts a system and stops it with all its processes; asks it; loads it. What is started dies, whatever happens."""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import machine
import numpy as np
from machine import MARK, Use
from systems._system import HERE, System, free_port

from models import Made

START_SECONDS = 90.0
MEMORY_SECONDS = 1.0
"""How often the memory is looked at: it costs some milliseconds, which a long run can spare."""
TOLERANCE = 1e-4
"""Of a score: another batch size changes the last digits, another model the first."""


class WrongAnswerError(Exception):
    """A system answered, but not what the model says."""


@dataclass
class Running:
    """A system that answers.

    Attributes:
        system: Which.
        made: With which model.
        port: Where.
        mark: Its processes carry it.
        start_seconds: From the command to the first right answer.
        log: What it printed.
    """

    system: System
    made: Made
    port: int
    mark: str
    log: Path
    start_seconds: float = 0.0
    requests: dict[str, list[bytes]] = field(default_factory=dict)

    def requests_on(self, wire: str) -> list[bytes]:
        """Return the requests about every input."""
        if wire not in self.requests:
            self.requests[wire] = [self.system.request(self.made, v, wire) for v in self.made.inputs]
        return self.requests[wire]

    def ask(self, number: int, wire: str = "json", timeout_seconds: float = 30.0) -> tuple[int, bytes, bytes]:
        """Ask about one input; return status, head and body."""
        return raw_ask(self.port, self.requests_on(wire)[number], timeout_seconds)

    def check(self, head: bytes, body: bytes, number: int, wire: str) -> None:
        """Hold an answer against what the model says without a server.

        Raises:
            WrongAnswerError: It differs.
        """
        try:
            scores = np.array(self.system.scores(self.made, head, body, wire))
        except (ValueError, KeyError, IndexError, TypeError, StopIteration) as error:
            raise WrongAnswerError(f"{self.system.name} answered {body[:300]!r} ({error!r})") from error
        expected = self.made.expected[number]
        if scores.shape != expected.shape or np.abs(scores - expected).max() > TOLERANCE:
            raise WrongAnswerError(f"{self.system.name} answered {scores}, the model says {expected}")


@contextlib.contextmanager
def running(system: System, made: Made, environment: dict[str, str] | None = None) -> Iterator[Running]:
    """Start a system, wait for its first right answer, and stop all of it at the end.

    Args:
        system: Which.
        made: The model.
        environment: More variables for it.

    Raises:
        RuntimeError: It did not start.
        WrongAnswerError: It answers something else.
    """
    mark = uuid.uuid4().hex
    work = Path(tempfile.mkdtemp(prefix="servery-benchmark-"))
    port = free_port()
    refuse_taken(port)
    found = Running(system, made, port, mark, work / "output.log")
    reaper = subprocess.Popen(
        [sys.executable, str(HERE / "reaper.py"), mark, str(work)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        started = time.monotonic()
        process = _start(found, work, environment or {})
        _wait(found, process, started)
        yield found
    finally:
        machine.stop(mark)
        assert reaper.stdin is not None
        reaper.stdin.close()
        reaper.wait(30)


def _start(found: Running, work: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = found.system.command(found.made, found.port, work)
    variables = found.system.all_variables(found.made, found.port, work)
    with found.log.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=work,
            env={**variables, **environment, MARK: found.mark},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children.append(process)
    return process


def _wait(found: Running, process: subprocess.Popen[bytes], started: float) -> None:
    while True:
        with contextlib.suppress(OSError, ValueError):
            status, head, body = found.ask(0)
            if status == 200:
                found.start_seconds = time.monotonic() - started
                found.check(head, body, 0, "json")
                return
        if process.poll() is not None or time.monotonic() - started > START_SECONDS:
            state = "ended" if process.poll() is not None else "did not answer"
            raise RuntimeError(
                f"{found.system.name} {state}:\n{found.log.read_text(errors='replace')[-3000:]}"
            )
        time.sleep(0.02)


def refuse_taken(port: int) -> None:
    """Check that nobody listens on a port: an orphan would answer in place of the system.

    Raises:
        RuntimeError: Somebody does.
    """
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise RuntimeError(f"Somebody listens on port {port} already.")


def raw_ask(port: int, request: bytes, timeout_seconds: float = 30.0) -> tuple[int, bytes, bytes]:
    """Send one whole HTTP request on a connection of its own; return status, head and body.

    Raises:
        OSError: There is no connection, or it broke.
        ValueError: What came back is no answer.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds) as connection:
        connection.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += _received(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if not lengths:
            while not body.endswith(b"0\r\n\r\n"):
                body += _received(connection)
            return int(head[9:12]), head, _joined(body)
        while len(body) < int(lengths[0].partition(b":")[2]):
            body += _received(connection)
        return int(head[9:12]), head, body


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 18)
    if not data:
        raise OSError("the server closed the connection")
    return data


def _joined(chunked: bytes) -> bytes:
    parts = b""
    while chunked:
        size, _, rest = chunked.partition(b"\r\n")
        parts += rest[: int(size, 16)]
        chunked = rest[int(size, 16) + 2 :]
    return parts


@dataclass
class Loaded:
    """What a load brought: the generator's result, and what the machine did in the seconds that count."""

    result: dict[str, Any]
    use: Use
    memory_mib: float
    threads: int

    @property
    def cpu_ms(self) -> float:
        """CPU of all of the system's processes for one answer, in milliseconds."""
        answered: int = self.result["answered"]
        return self.use.system_cpu_seconds * 1000 / max(answered, 1)


def load(
    target: Running,
    wire: str,
    *,
    connections: int,
    seconds: float,
    rate: float = 0.0,
    warm_seconds: float = 0.5,
    phases: list[tuple[float, float]] | None = None,
) -> Loaded:
    """Load a system and check a sample of its answers.

    Args:
        target: Which.
        wire: "json" or "binary".
        connections: At most so many.
        seconds: What counts.
        rate: Requests a second; 0 for a closed loop.
        warm_seconds: Of a closed loop, the time before that does not count.
        phases: Several rates and their seconds, instead of `rate` and `seconds`.

    Raises:
        WrongAnswerError: One of them is not what the model says.
        RuntimeError: The generator failed.
    """
    plan = phases or ([(rate, seconds)] if rate else [])
    generator = start_load(
        target.port,
        target.requests_on(wire),
        connections=connections,
        seconds=sum(part for _, part in plan) or seconds,
        phases=plan,
        warm_seconds=warm_seconds,
    )
    expect(generator, "begin")
    before = machine.moment(target.mark, [generator.pid])
    memory = _until_end(generator, target.mark)
    after = machine.moment(target.mark, [generator.pid])
    threads = machine.threads(target.mark)
    result = finish_load(generator)
    for number, answer in result["samples"]:
        head, _, body = base64.b64decode(answer).partition(b"\r\n\r\n")
        if number >= 0:
            body = _joined(body) if b"content-length:" not in head.lower() else body
            target.check(head, body, number, wire)
    return Loaded(result, machine.between(before, after), memory, threads)


def _until_end(generator: subprocess.Popen[bytes], mark: str) -> float:
    """Wait for the end of what counts; return the most memory that the system had meanwhile, in MiB."""
    assert generator.stdout is not None
    most = 0.0
    while not select.select([generator.stdout], [], [], MEMORY_SECONDS)[0]:
        most = max(most, machine.memory_mib(mark))
    expect(generator, "end")
    return max(most, machine.memory_mib(mark))


def start_load(port: int, requests: list[bytes], **plan: Any) -> subprocess.Popen[bytes]:
    """Start the load generator; `finish_load` waits for it."""
    generator = subprocess.Popen(
        [sys.executable, str(HERE / "load.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    _children.append(generator)
    told = {"port": port, "requests": [base64.b64encode(request).decode() for request in requests], **plan}
    assert generator.stdin is not None
    generator.stdin.write(json.dumps(told).encode())
    generator.stdin.close()
    return generator


def finish_load(generator: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for the load generator, and return what it found.

    Raises:
        RuntimeError: It failed.
    """
    assert generator.stdout is not None
    lines = generator.stdout.read().splitlines()
    if generator.wait(30) != 0 or not lines:
        raise RuntimeError("The load generator failed; see what it printed above.")
    return dict(json.loads(lines[-1]))


def expect(generator: subprocess.Popen[bytes], word: str) -> None:
    """Wait until the load generator says a word.

    Raises:
        RuntimeError: It said something else, or nothing.
    """
    assert generator.stdout is not None
    line = generator.stdout.readline().strip()
    if line != word.encode():
        raise RuntimeError(f"The load generator said {line!r} instead of {word!r}.")


_children: list[subprocess.Popen[bytes]] = []


def _end_children() -> None:
    for child in _children:
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end this process as Ctrl-C does, so that what it started is stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))


atexit.register(_end_children)
assert os.name == "posix", "reads /proc"
