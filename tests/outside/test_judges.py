"""Clients that others wrote, unmodified and in an environment of their own, judge a running server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PYTHON = HERE.parent.parent / ".venv-clients" / "bin" / "python"
LONGEST_SECONDS = float(os.environ.get("SERVERY_JUDGE_SECONDS", "300"))
JUDGES = sorted(path.stem for path in (HERE / "judges").glob("judge_*.py"))


@pytest.mark.parametrize("judge", JUDGES)
def test_a_client_that_others_wrote_is_content(judge: str, furnished: tuple[Any, Any]) -> None:
    assert PYTHON.exists(), "make .venv-clients/.installed"
    home, server = furnished
    told = {
        "SERVERY_JUDGED_URL": server.url,
        "SERVERY_JUDGED_GRPC": server.grpc,
        "SERVERY_JUDGED_KEY": home.secrets["root"],
        "OMP_NUM_THREADS": "1",
    }
    command = [
        PYTHON,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        HERE / "judges",
    ]
    done = subprocess.run(
        [*map(str, command), "-o", "asyncio_mode=auto", str(HERE / "judges" / f"{judge}.py")],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
