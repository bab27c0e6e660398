"""Outlives a benchmark that is killed, ends everything it had started, clears its folder away, and goes.

Run by `running.py`: `python reaper.py MARK FOLDER`, with a pipe as standard input that closes when the benchmark ends.
"""

from __future__ import annotations

import shutil
import sys

import machine


def main() -> None:
    sys.stdin.buffer.read()
    mark, folder = sys.argv[1:]
    machine.stop(mark, patience_seconds=2.0)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
