"""The process of one isolated model: reads arrays from a socket, runs the model, writes its outputs; nothing else.

Run as `python -m servery.serving.worker_process DESCRIPTOR` by `serving/isolated.py`. It loads the model's runtime
only: no gateway, no registry, no keys.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import threading
from pathlib import Path

import numpy as np

from servery.errors import ArtifactError, ServeryError
from servery.models.runtime import Runtime, find_runtime
from servery.serving.frames import Frame, receive, send


def main(descriptor: int) -> None:
    """Serve one connection until it ends."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    with socket.socket(fileno=descriptor) as connection:
        try:
            runtime = _load(receive(connection)[0])
        except EOFError:
            return
        except Exception as error:  # a torn model file may make its reader raise anything
            send(connection, _error(error))
            return
        send(connection, Frame(kind="ready", runtime=runtime.name))
        while _answer_one(connection, runtime):
            pass


def _leave_with_parent() -> None:
    # The parent holds the other end of standard input and never writes: it ends when the parent does, however.
    while os.read(0, 1):
        pass
    os._exit(0)


def _load(frame: Frame) -> Runtime:
    if frame.memory_bytes:
        # Private memory, not the address space: libraries reserve much of that and never use it.
        resource.setrlimit(resource.RLIMIT_DATA, (frame.memory_bytes, frame.memory_bytes))
    folder = Path(frame.folder)
    try:
        description = json.loads((folder / "predictor.json").read_text(encoding="utf-8"))
        name, options = description["runtime"], description["runtime_options"]
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"The predictor in {folder.name} cannot be read: {error!r}.") from error
    return find_runtime(name).load(folder, options, frame.threads)


def _answer_one(connection: socket.socket, runtime: Runtime) -> bool:
    try:
        batch = receive(connection)[1]
    except (EOFError, ConnectionError):
        return False
    try:
        send(connection, Frame(kind="outputs"), {"outputs": np.asarray(runtime.run(batch))})
    except ConnectionError:
        return False
    except Exception as error:  # a model may raise anything; the parent tells it to whom it concerns
        send(connection, _error(error))
    return True


def _error(error: Exception) -> Frame:
    if isinstance(error, ServeryError):
        return Frame(kind="error", code=error.code, message=error.message, hint=error.hint, param=error.param)
    return Frame(kind="error", message=f"{type(error).__name__}: {error}"[:10_000])


if __name__ == "__main__":
    main(int(sys.argv[1]))
