"""Several processes that answer as one server: started, watched, replaced when they die, stopped together.

They are forked, not started anew: what is imported is shared by all of them, and so is the memory in which they
count. The process that watches them opens no database and starts no thread, so that it can fork at any time.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

import structlog

from servery.errors import ServeryError, StorageError
from servery.gateway.siblings import Worker
from servery.gateway.tallies import Tallies
from servery.settings import Settings

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
"""Before a worker that died is replaced; doubled with each death until one has lived for `SOUND_SECONDS`."""
SOUND_SECONDS = 60.0
LAST_SECONDS = 5.0
"""After the time to drain: how long a worker may take to close before it is killed."""
STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})
LONGEST_SOCKET_PATH = 90
"""Systems allow little more than a hundred bytes."""

log = structlog.get_logger("servery.workers")

Addresses = Mapping[str, str]
Work = Callable[["Worker", "Lifeline"], None]
"""What a worker does until it is told to stop."""


class Lifeline:
    """A worker's end of the socket between it and the process that watches it."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def fileno(self) -> int:
        """Return what becomes readable when the watching process is gone."""
        return self._end.fileno()

    def tell(self, addresses: Addresses) -> None:
        """Say that this worker listens, and where besides HTTP."""
        self._end.sendall(json.dumps(dict(addresses)).encode() + b"\n")


@dataclass
class _Place:
    """One worker, and the one that takes its place."""

    number: int
    process: int = 0
    end: socket.socket | None = None
    started_at: float = 0.0
    pause_seconds: float = 0.0
    start_at: float = 0.0
    addresses: Addresses | None = None


class Workers:
    """The workers of one server, as the process sees them that watches over them.

    Args:
        settings: How many, and how long they may drain.
        work: What each does.
        is_up: Called once, when all of them listen, with the addresses besides HTTP.
    """

    def __init__(self, settings: Settings, work: Work, is_up: Callable[[Addresses], None]) -> None:
        self._settings = settings
        self._work = work
        self._is_up = is_up
        self._tallies = tuple(Tallies() for _ in range(settings.workers))
        self._places = [_Place(number) for number in range(settings.workers)]
        self._selector = DefaultSelector()
        self._kill_at = 0.0
        self._is_told = False
        self._failure: ServeryError | None = None

    def run(self) -> None:
        """Run them until a signal comes.

        Raises:
            StorageError: They cannot start.
            ServeryError: One did not end in time and was killed.
        """
        with _run_folder(self._settings) as folder, self._signals():
            self._folder = folder
            for place in self._places:
                self._start(place)
            while any(place.process for place in self._places) or not self._kill_at:
                for key, _ in self._selector.select(self._seconds_to_next()):
                    self._hear(key.data)
                self._start_due()
                self._kill_late()
        if self._failure is not None:
            raise self._failure

    @contextmanager
    def _signals(self) -> Iterator[None]:
        # A signal only writes a byte: whatever it asks for is done by the loop, between two of its turns.
        bell, ear = socket.socketpair()
        bell.setblocking(False)
        ear.setblocking(False)
        self._selector.register(ear, EVENT_READ, ear)
        before = {number: signal.signal(number, lambda *_: None) for number in (*STOPPING, signal.SIGCHLD)}
        waker = signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(waker)
            for number, handler in before.items():
                signal.signal(number, handler)
            bell.close()
            ear.close()

    def _hear(self, who: _Place | socket.socket) -> None:
        if isinstance(who, socket.socket):
            if not STOPPING.isdisjoint(who.recv(4096)):
                self._stop()
            self._bury_dead()
        elif who.end is not None:  # else it was buried a moment ago
            told = who.end.recv(65536)
            if told:
                who.addresses = json.loads(told)
                self._tell_once()

    def _tell_once(self) -> None:
        told = [place.addresses for place in self._places if place.addresses is not None]
        if not self._is_told and len(told) == len(self._places):
            self._is_told = True
            self._is_up(told[0])

    def _start(self, place: _Place) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal that comes before the worker has its own handlers must not be lost on those it inherits.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        process = os.fork()
        if process == 0:
            self._become(place.number, theirs, ours)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        theirs.close()
        place.process, place.end, place.started_at = process, ours, time.monotonic()
        self._selector.register(ours, EVENT_READ, place)

    def _become(self, number: int, theirs: socket.socket, ours: socket.socket) -> None:
        """Turn into a worker; never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            # Ctrl-C reaches every process of a terminal; the one that watches passes it on, once.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
            # Its brothers must see their lines cut when the watching process dies, so it holds none of them.
            for key in list(self._selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]
            ours.close()
            self._selector.close()
            self._tallies[number].take_over()
            self._work(Worker(number, self._tallies, self._folder), Lifeline(theirs))
            code = 0
        except ServeryError as error:
            log.error("worker cannot go on", worker=number, reason=error.message, hint=error.hint)
        except BaseException as error:  # the last place where it can be told
            log.error("worker failed", worker=number, error=type(error).__name__, reason=str(error))
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _bury_dead(self) -> None:
        for place in self._places:
            if place.process:
                process, status = os.waitpid(place.process, os.WNOHANG)
                if process:
                    self._bury(place, os.waitstatus_to_exitcode(status))

    def _bury(self, place: _Place, exit_code: int) -> None:
        assert place.end is not None
        self._selector.unregister(place.end)
        place.end.close()
        place.process, place.end, place.addresses = 0, None, None
        if self._kill_at:
            if exit_code not in (0, -signal.SIGTERM) and self._failure is None:
                self._failure = ServeryError("A worker did not stop by itself; requests may have been lost.")
        elif not self._is_told:
            self._failure = StorageError("A worker could not start.", hint="The lines above say why.")
            self._stop()
        else:
            now = time.monotonic()
            is_sound = now - place.started_at > SOUND_SECONDS
            pause = FIRST_PAUSE_SECONDS if is_sound or not place.pause_seconds else place.pause_seconds * 2
            place.pause_seconds = min(pause, LONGEST_PAUSE_SECONDS)
            place.start_at = now + place.pause_seconds
            log.error("worker died", worker=place.number, exit_code=exit_code, again_in_seconds=pause)

    def _start_due(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if not place.process and not self._kill_at and place.start_at <= now:
                self._start(place)

    def _stop(self) -> None:
        """Tell all to stop; the second time, at once."""
        if not self._kill_at:
            self._kill_at = time.monotonic() + self._settings.drain_seconds + LAST_SECONDS
        self._send(signal.SIGTERM)

    def _kill_late(self) -> None:
        if self._kill_at and time.monotonic() > self._kill_at:
            self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        for place in self._places:
            if place.process:
                os.kill(place.process, number)

    def _seconds_to_next(self) -> float | None:
        if self._kill_at:
            return max(0.05, self._kill_at - time.monotonic())
        waiting = [place.start_at for place in self._places if not place.process]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None


@contextmanager
def _run_folder(settings: Settings) -> Iterator[Path]:
    """Give a folder of this server's own for its sockets, and remove it at the end."""
    runs = settings.home / "run"
    folder = runs / str(os.getpid())
    if len(os.fsencode(folder)) > LONGEST_SOCKET_PATH:
        folder = Path(tempfile.mkdtemp(prefix="servery-"))
    else:
        runs.mkdir(mode=0o700, exist_ok=True)
        runs.chmod(0o700)
        for left in runs.iterdir():
            if not _is_alive(left.name) or left == folder:
                shutil.rmtree(left, ignore_errors=True)
        folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_alive(name: str) -> bool:
    try:
        os.kill(int(name), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
