"""Makes the environments of the peers, one after the other, at the lowest priority.

Run: `python benchmarks/serving/install.py` (about 1.2 GB each), or with names: `install.py litserve triton`.
They lie in the user's cache, or where SERVERY_BENCHMARK_CACHE says; delete the folder to be rid of them.
"""

from __future__ import annotations

import argparse
import subprocess

from systems import systems_named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("systems", nargs="*", help="which; all if none is named")
    for system in systems_named(parser.parse_args().systems):
        try:
            system.install()
        except subprocess.CalledProcessError as error:
            print(f"{system.name}: {error}")
            continue
        print(f"{system.name}: {system.missing() or system.version()}")


if __name__ == "__main__":
    main()
