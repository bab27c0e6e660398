"""Lets atheris look for inputs that break a decoder, guided by what it reaches in our code.

Run: `make fuzz`, or `python tests/fuzz/program.py [SECONDS [TARGET]]`. What breaks one is kept in `build/fuzz`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SECONDS = 20
LONGEST_BYTES = 4096
SLOWEST_SECONDS = 10
KEPT = Path("build/fuzz")


def fuzz(name: str, seconds: str) -> None:
    """Search in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["servery"], enable_loader_override=False):
        import targets
    target = targets.TARGETS[name]
    corpus = KEPT / name.replace(" ", "-")
    shutil.rmtree(corpus, ignore_errors=True)
    corpus.mkdir(parents=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)

    def once(data: bytes) -> None:
        target(data)

    options = {
        "max_total_time": seconds,
        "max_len": LONGEST_BYTES,
        "timeout": SLOWEST_SECONDS,
        "rss_limit_mb": 4096,
        "artifact_prefix": f"{KEPT}/{corpus.name}-",
        "verbosity": 0,
        "print_final_stats": 1,
    }
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)], once)
    atheris.Fuzz()


def main(seconds: str = str(SECONDS), *names: str) -> int:
    """Search for each target in a process of its own; return how many were broken."""
    import targets

    broken = []
    for name in names or targets.TARGETS:
        done = subprocess.run(
            [sys.executable, __file__, seconds, name, "here"], capture_output=True, text=True
        )
        told = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        print(f"{name:12} {'broken' if done.returncode else 'whole'} {' '.join(told)}", flush=True)
        if done.returncode:
            broken.append(name)
            print(done.stderr[-4000:])
    return len(broken)


if __name__ == "__main__":
    if sys.argv[3:] == ["here"]:
        fuzz(sys.argv[2], sys.argv[1])
    else:
        sys.exit(main(*sys.argv[1:]))
