"""A runtime in a process of its own: what hangs, crashes or eats memory there hurts nobody here.

The process gets encoded arrays and gives outputs back over a Unix socket. It is killed when a forward pass takes too
long, and started again when it died, sooner or later depending on how often it did.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import structlog

from servery.errors import ArtifactError, ModelCrashedError, ModelLoadError, ServeryError, ShapeError
from servery.models.encoder import Batch
from servery.models.runtime import Runtime
from servery.serving.frames import Frame, receive, send

START_SECONDS = 120.0
"""Longest a process may take until its model is loaded."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
CALM_SECONDS = 60.0
"""A process that lived so long has died for the first time, whatever was before."""
PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")
"""What the process may know of our environment: no secret is among it."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

log = structlog.get_logger("servery.isolated")


class IsolatedRuntime(Runtime):
    """The runtime of an artifact, in another process; called from one thread at a time.

    Args:
        folder: The artifact.
        threads: Threads one forward pass may use.
        timeout_seconds: A forward pass that takes longer is ended together with its process.
        memory_bytes: Most private memory the process may have; 0 for no bound.

    Raises:
        ModelLoadError: The process could not be brought up.
        ArtifactError: The model cannot be read.
    """

    name = "isolated"

    def __init__(self, folder: Path, *, threads: int, timeout_seconds: float, memory_bytes: int = 0) -> None:
        self._folder = folder
        self._threads = threads
        self._timeout_seconds = timeout_seconds
        self._memory_limit = memory_bytes
        self._lock = threading.Lock()
        self._deaths = 0
        self._rests_until = 0.0
        self._closed = threading.Event()
        self._life = self._start()
        self.name = self._life.runtime_name  # type: ignore[misc]  # to everyone it is the runtime it runs

    @property
    def process_id(self) -> int:
        """Of the process that answers now, or of the last one."""
        return self._life.process.pid

    @property
    def memory_bytes(self) -> int:
        """Resident memory of the process; 0 where the system does not tell or it is not running."""
        return resident_bytes(self.process_id)

    def run(self, batch: Batch) -> np.ndarray:
        """Return the outputs, float32, (rows, ...).

        Raises:
            ModelCrashedError: The process died or hung on this batch, or rests after it did so before.
            ServeryError: What the model raised.
            RuntimeError: What the model raised that is no error of ours.
        """
        with self._lock:
            life = self._living()
            try:
                frame, arrays = life.ask(batch, self._timeout_seconds)
            except TimeoutError:
                life.kill()
                raise ModelCrashedError(
                    f"The model did not answer within {self._timeout_seconds:g} seconds and was stopped.",
                    hint="Send less at once; the operator can allow more with SERVERY_FORWARD_TIMEOUT_SECONDS.",
                ) from None
            except (OSError, EOFError, ValueError) as error:
                life.kill()
                raise self._crashed("The model's process ended while it answered.", 1) from error
        if frame.kind == "error":
            _raise(frame)
        if "outputs" not in arrays:
            raise ShapeError("The model's process answered without outputs.")
        return arrays["outputs"]

    def close(self) -> None:
        """End the process; it does not come back. Returns at once."""
        self._closed.set()
        self._life.process.kill()

    def save(self, folder: Path) -> None:
        """Refuse: the weights are in another process.

        Raises:
            ArtifactError: Always.
        """
        raise ArtifactError("A model in a process of its own is saved by copying its artifact.")

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> IsolatedRuntime:
        """Bring the artifact's runtime up in another process."""
        return cls(folder, threads=threads, timeout_seconds=START_SECONDS)

    def _start(self) -> _Life:
        life = _Life(self._folder, self._threads, self._memory_limit)
        threading.Thread(target=self._watch, args=(life,), name="servery-isolated", daemon=True).start()
        return life

    def _living(self) -> _Life:
        """Return the life that can be asked; begins a new one after a death, unless it is to rest."""
        if not self._life.is_over:
            return self._life
        self._bury(self._life)
        pause = self._rests_until - time.monotonic()
        if self._closed.is_set() or pause > 0:
            raise self._crashed("The model's process ended and will be started again.", pause)
        try:
            self._life = self._start()
        except ServeryError:
            self._count_death(0.0)
            raise
        if self._closed.is_set():
            self._life.process.kill()
        return self._life

    def _watch(self, life: _Life) -> None:
        """Wait for a process's end, and begin the next life without waiting for a request."""
        life.process.wait()
        with self._lock:
            self._bury(life)
        if not self._closed.is_set():
            log.error("model process ended", model=str(self._folder), exit_code=life.process.returncode)
        while not self._closed.is_set():
            self._closed.wait(max(self._rests_until - time.monotonic(), 0))
            try:
                with self._lock:
                    self._living()
                return
            except ServeryError as error:
                log.error("model process does not start", model=str(self._folder), reason=error.message)

    def _bury(self, life: _Life) -> None:
        if not life.is_released:
            life.release()
            self._count_death(time.monotonic() - life.began_at)

    def _count_death(self, lived_seconds: float) -> None:
        self._deaths = 1 if lived_seconds > CALM_SECONDS else self._deaths + 1
        pause = FIRST_PAUSE_SECONDS * 2 ** (self._deaths - 2) if self._deaths > 1 else 0.0
        self._rests_until = time.monotonic() + min(pause, LONGEST_PAUSE_SECONDS)

    def _crashed(self, message: str, pause: float) -> ModelCrashedError:
        error = ModelCrashedError(message, hint="Send it again after the number of seconds in Retry-After.")
        error.retry_after_seconds = max(1, round(pause + 0.5))
        return error


class _Life:
    """One process from its start to its end."""

    def __init__(self, folder: Path, threads: int, memory_bytes: int) -> None:
        self.began_at = time.monotonic()
        self.is_released = False
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        with theirs:
            self.process = subprocess.Popen(
                # -P: a file in the folder the server was started from must not be taken for a library.
                [sys.executable, "-P", "-m", "servery.serving.worker_process", str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=environment | dict.fromkeys(THREADS, str(threads)),
                start_new_session=True,  # Ctrl-C is for the server, which may still need its models
            )
        self._connection = ours
        try:
            load = Frame(kind="load", folder=str(folder), threads=threads, memory_bytes=memory_bytes)
            send(ours, load)
            answered = receive(ours, time.monotonic() + START_SECONDS)[0]
        except (OSError, EOFError, ValueError) as error:
            self.kill()
            self.release()
            raise ModelLoadError(
                "The process of the model ended before it was up.", hint="The reason is in the server's log."
            ) from error
        if answered.kind == "error":
            self.kill()
            self.release()
            _raise(answered)
        self.runtime_name = answered.runtime

    @property
    def is_over(self) -> bool:
        return self.process.poll() is not None

    def ask(self, batch: Batch, timeout_seconds: float) -> tuple[Frame, dict[str, np.ndarray]]:
        ends_at = time.monotonic() + timeout_seconds
        self._connection.settimeout(timeout_seconds)
        send(self._connection, Frame(kind="run"), batch)
        return receive(self._connection, ends_at)

    def kill(self) -> None:
        """End the process; returns when it has ended."""
        self.process.kill()
        self.process.wait()

    def release(self) -> None:
        """Close our ends of what connects us with a process that has ended."""
        self.is_released = True
        self._connection.close()
        if self.process.stdin is not None:
            self.process.stdin.close()


def resident_bytes(process_id: int | None = None) -> int:
    """Return the resident memory of a process, this one where none is named; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{process_id or 'self'}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def _raise(frame: Frame) -> NoReturn:
    for known in _errors(ServeryError):
        if frame.code == known.code:
            raise known(frame.message, hint=frame.hint, param=frame.param)
    raise RuntimeError(frame.message)


def _errors(base: type[ServeryError]) -> list[type[ServeryError]]:
    return [base, *(found for child in base.__subclasses__() for found in _errors(child))]
