"""The load generator, in a process of its own: closed loop or constant rate, on one core with little of it.

Run by the other scripts: `python load.py`, a JSON object on its standard input (see `Plan`), one on its standard output
after a line `begin` and a line `end` around the seconds that count. Standard library only. Plain sockets and epoll
instead of an HTTP client: a request costs it 20 to 30 us, so that it takes little from the two cores it shares.

At a constant rate the latency counts from the moment a request was due, whether or not a connection was free: a server
that stalls cannot hide what piled up meanwhile.
"""

from __future__ import annotations

import base64
import itertools
import json
import resource
import select
import socket
import sys
import time
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

SAMPLE_STRIDE = 97
MAX_SAMPLES = 64
GRACE_SECONDS = 3.0
"""At a constant rate: how long late answers are waited for."""
BUCKET_SECONDS = 0.25
FIRST_CONNECTIONS = 16
"""At a constant rate the others are opened as they are needed."""


@dataclass
class Plan:
    """What to do.

    Attributes:
        port: On this machine.
        requests: Whole HTTP requests, base64, sent in turn.
        connections: At most so many at once.
        seconds: What counts.
        warm_seconds: The closed loop before, not counted.
        phases: Requests a second, and for how many seconds, one after the other; none for a closed loop.
    """

    port: int
    requests: list[str]
    connections: int
    seconds: float
    warm_seconds: float = 0.0
    phases: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Answers:
    """Answers of one kind: when each was due, and how long it took since then and since it was sent, in seconds."""

    due: array[float] = field(default_factory=lambda: array("d"))
    seconds: array[float] = field(default_factory=lambda: array("d"))
    seconds_since_sent: array[float] = field(default_factory=lambda: array("d"))

    def add(self, due: float, sent: float, now: float) -> None:
        """Note one."""
        self.due.append(due)
        self.seconds.append(now - due)
        self.seconds_since_sent.append(now - sent)

    def between(self, start: float, end: float) -> Answers:
        """Return those due in a span of time."""
        chosen = Answers()
        for due, seconds, since_sent in zip(self.due, self.seconds, self.seconds_since_sent, strict=True):
            if start <= due < end:
                chosen.add(due, due + seconds - since_sent, due + seconds)
        return chosen


@dataclass
class Tally:
    """What came back within the seconds that count."""

    started: float = 0.0
    good: Answers = field(default_factory=Answers)
    lost: Answers = field(default_factory=Answers)
    refused: dict[str, Answers] = field(default_factory=lambda: defaultdict(Answers))
    errors: Counter[str] = field(default_factory=Counter)
    samples: list[tuple[int, str]] = field(default_factory=list)


class Connection:
    """One connection: what it has asked, and what came back so far."""

    __slots__ = ("asked", "due", "received", "sent", "socket", "unsent")

    def __init__(self, port: int) -> None:
        self.asked = -1  # number of the request under way; -1 for none
        self.due = 0.0
        self.sent = 0.0
        self.received = b""
        self.unsent = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Generator:
    """Sends and receives until the time is over.

    Args:
        plan: What to do.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests = [base64.b64decode(request) for request in plan.requests]
        self.turn = itertools.cycle(range(len(self.requests)))
        self.poll = select.epoll()
        self.by_number: dict[int, Connection] = {}
        self.idle: list[Connection] = []
        self.overdue: deque[float] = deque()
        self.tally = Tally()

    def run(self) -> Tally:
        """Load, warm first, and return what came back."""
        plan = self.plan
        for _ in range(plan.connections if not plan.phases else min(plan.connections, FIRST_CONNECTIONS)):
            self.idle.append(self.connect())
        if plan.warm_seconds and not plan.phases:
            self.load(plan.warm_seconds)
        self.tally = Tally()
        print("begin", flush=True)
        self.tally.started = time.perf_counter()
        if plan.phases:
            self.load_at_rate(self.tally.started)
        else:
            self.load(plan.seconds)
        print("end", flush=True)
        return self.tally

    def load(self, seconds: float) -> None:
        """Load in a closed loop for so long."""
        start = time.perf_counter()
        while self.idle:
            self.ask(self.idle.pop(), time.perf_counter())
        end = start + seconds
        while (now := time.perf_counter()) < end:
            for number, _ in self.poll.poll(min(end - now, 0.5)):
                connection = self.by_number.get(number)
                if connection is not None and self.hear(connection):
                    self.ask(connection, time.perf_counter())

    def load_at_rate(self, start: float) -> None:
        """Send what each phase says when it is due; after the last, wait a little for what is late."""
        dues = _dues(self.plan.phases, start)
        next_due = next(dues, None)
        end = start + sum(seconds for _, seconds in self.plan.phases)
        while next_due is not None or self.is_busy():
            now = time.perf_counter()
            if now > end + GRACE_SECONDS:
                break
            while next_due is not None and next_due <= now:
                self.overdue.append(next_due)
                next_due = next(dues, None)
            self.send_overdue()
            self.listen((next_due if next_due is not None else now + 0.01) - time.perf_counter())
        self.give_up(end + GRACE_SECONDS)

    def is_busy(self) -> bool:
        """Whether requests are due or under way."""
        return bool(self.overdue) or len(self.idle) < len(self.by_number)

    def send_overdue(self) -> None:
        """Send what is due, as far as there are connections."""
        while self.overdue:
            if not self.idle:
                if len(self.by_number) >= self.plan.connections:
                    return
                self.idle.append(self.connect())
            self.ask(self.idle.pop(), self.overdue.popleft())

    def listen(self, seconds: float) -> None:
        """Take in what has arrived, waiting at most so long; select, because epoll alone waits whole milliseconds."""
        if seconds > 0 and not select.select([self.poll], [], [], seconds)[0]:
            return
        for number, _ in self.poll.poll(0):
            connection = self.by_number.get(number)
            if connection is not None and self.hear(connection):
                self.idle.append(connection)

    def give_up(self, now: float) -> None:
        """Count what was never answered, with the time it has waited: to leave it out would flatter the server."""
        waiting = [c for c in self.by_number.values() if c.asked >= 0]
        self.tally.errors["unanswered"] += len(waiting) + len(self.overdue)
        for due, sent in [*((c.due, c.sent) for c in waiting), *((due, now) for due in self.overdue)]:
            self.tally.lost.add(due, sent, now)
        self.overdue.clear()
        for connection in waiting:
            self.drop(connection)

    def connect(self) -> Connection:
        """Open a connection."""
        connection = Connection(self.plan.port)
        self.by_number[connection.socket.fileno()] = connection
        self.poll.register(connection.socket.fileno(), select.EPOLLIN)
        return connection

    def drop(self, connection: Connection) -> None:
        """Close a connection."""
        number = connection.socket.fileno()
        self.poll.unregister(number)
        del self.by_number[number]
        connection.socket.close()
        if connection in self.idle:
            self.idle.remove(connection)

    def ask(self, connection: Connection, due: float) -> None:
        """Send the next request."""
        connection.asked = next(self.turn)
        connection.due = due
        connection.sent = time.perf_counter() if self.plan.phases else due
        self.send(connection, self.requests[connection.asked])

    def send(self, connection: Connection, data: bytes) -> None:
        """Send what the socket takes, and keep the rest."""
        try:
            sent = connection.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # it is closed; `hear` will see that
        if sent < len(data):
            connection.unsent = data[sent:]
            self.poll.modify(connection.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)
        elif connection.unsent:
            connection.unsent = b""
            self.poll.modify(connection.socket.fileno(), select.EPOLLIN)

    def hear(self, connection: Connection) -> bool:
        """Take in what arrived; return whether the connection is free for the next request."""
        if connection.unsent:
            self.send(connection, connection.unsent)
        try:
            data = connection.socket.recv(1 << 18)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            return self.reopen(connection)
        if connection.received:
            data = connection.received + data
        head_end = data.find(b"\r\n\r\n")
        head = data[:head_end].lower() if head_end > 0 else b""
        if not head or not _is_complete(data, head, head_end + 4):
            connection.received = data
            return False
        connection.received = b""
        self.note(connection, head, data)
        connection.asked = -1
        if b"connection: close" in head:
            self.drop(connection)
            if not self.plan.phases:
                self.ask(self.connect(), time.perf_counter())
            return False
        return True

    def reopen(self, connection: Connection) -> bool:
        """The server has closed: an idle connection is forgotten, a request under way is an error."""
        asked = connection.asked
        self.drop(connection)
        if asked >= 0:
            self.tally.errors["closed"] += 1
            if not self.plan.phases:
                self.ask(self.connect(), time.perf_counter())
        return False

    def note(self, connection: Connection, head: bytes, data: bytes) -> None:
        """Count an answer."""
        now = time.perf_counter()
        status = data[9:12]
        tally = self.tally
        if status == b"200":
            tally.good.add(connection.due, connection.sent, now)
            if len(tally.good.due) % SAMPLE_STRIDE == 1 and len(tally.samples) < MAX_SAMPLES:
                tally.samples.append((connection.asked, base64.b64encode(data).decode()))
            return
        kind = status.decode() + " with retry-after" * (b"\r\nretry-after:" in head)
        tally.refused[kind].add(connection.due, connection.sent, now)
        if not tally.errors:
            tally.samples.append((-1, base64.b64encode(data[:2000]).decode()))
        tally.errors[kind] += 1


def _dues(phases: list[tuple[float, float]], start: float) -> Iterator[float]:
    for rate, seconds in phases:
        for number in range(int(rate * seconds)):
            yield start + number / rate
        start += seconds


def _is_complete(data: bytes, head: bytes, body_at: int) -> bool:
    place = head.find(b"\r\ncontent-length:")
    if place >= 0:
        line_end = head.find(b"\r\n", place + 2)
        length = int(head[place + 17 : line_end if line_end > 0 else len(head)])
        return len(data) >= body_at + length
    if b"transfer-encoding: chunked" in head:
        return data.endswith(b"0\r\n\r\n")
    raise ValueError(f"an answer without a length: {head[:200]!r}")


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of sorted values.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    3.0
    """
    return values[min(int(len(values) * share), len(values) - 1)] if values else 0.0


def spread(seconds: array[float]) -> dict[str, float]:
    """Return the percentiles of latencies, in milliseconds."""
    values = sorted(seconds)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {f"{name}_ms": round(percentile(values, share) * 1000, 3) for name, share in shares.items()}


def _in_parts(tally: Tally, spans: list[tuple[float, float]]) -> list[dict[str, Any]]:
    """Return for spans of time, from and to in seconds since the start, what was due in them and what became of it."""
    parts = []
    for start, end in spans:
        start_at, end_at = tally.started + start, tally.started + end
        good = tally.good.between(start_at, end_at)
        refused = {kind: found.between(start_at, end_at) for kind, found in tally.refused.items()}
        parts.append(
            {
                "from": start,
                "answered": len(good.due),
                **spread(good.seconds),
                "lost": len(tally.lost.between(start_at, end_at).due),
                "refused": {
                    kind: {"count": len(found.due), **spread(found.seconds_since_sent)}
                    for kind, found in refused.items()
                    if found.due
                },
            }
        )
    return parts


def _phase_spans(phases: list[tuple[float, float]]) -> list[tuple[float, float]]:
    ends = list(itertools.accumulate(seconds for _, seconds in phases))
    return list(zip([0.0, *ends], ends, strict=False))


def _buckets(seconds: float) -> list[tuple[float, float]]:
    count = int(seconds / BUCKET_SECONDS)
    return [(number * BUCKET_SECONDS, (number + 1) * BUCKET_SECONDS) for number in range(count)]


def main() -> None:
    plan = Plan(**json.load(sys.stdin))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    generator = Generator(plan)
    cpu_started, started = time.process_time(), time.perf_counter()
    tally = generator.run()
    cores = (time.process_time() - cpu_started) / (time.perf_counter() - started)
    result = {
        "answered": len(tally.good.due),
        "seconds": plan.seconds,
        "requests_per_second": len(tally.good.due) / plan.seconds,
        **spread(tally.good.seconds + tally.lost.seconds),
        "errors": {name: count for name, count in tally.errors.items() if count},
        "generator_cores": round(cores, 3),
        "samples": tally.samples,
        "phases": _in_parts(tally, _phase_spans(plan.phases)),
        "buckets": _in_parts(tally, _buckets(plan.seconds)) if len(plan.phases) > 1 else [],
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
