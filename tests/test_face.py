"""The public face: quick to import, complete, and the same for types and at run time."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import servery

HEAVY = ("torch", "numpy", "pandas", "sklearn", "starlette", "uvicorn", "sqlalchemy", "httpx", "matplotlib")
BUDGET_SECONDS = 0.25


def _cpu_seconds_and_modules(code: str) -> tuple[float, set[str]]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return seconds, set(result.stdout.splitlines())


def test_import_servery_loads_nothing_heavy() -> None:
    _, loaded = _cpu_seconds_and_modules("import servery")
    assert not loaded & set(HEAVY)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import contextlib, io\nfrom servery.cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    main(['--help'])"
    )
    _, loaded = _cpu_seconds_and_modules(code)
    assert not loaded & set(HEAVY)


def test_help_and_import_stay_within_their_cpu_budget() -> None:
    # The best of three: what the machine does beside it only ever adds.
    for code in ("import servery", "import sys\nsys.argv=['servery','--help']\nimport servery.cli.main"):
        best = min(_cpu_seconds_and_modules(code)[0] for _ in range(3))
        assert best <= BUDGET_SECONDS, f"{code!r} took {best:.3f} s of CPU"


def test_every_name_of_the_face_can_be_reached() -> None:
    for name in servery.__all__:
        assert getattr(servery, name) is not None


def test_type_checkers_see_the_same_face() -> None:
    source = Path(servery.__file__).read_text(encoding="utf-8")
    typed = source.split("if TYPE_CHECKING:")[-1]
    for name in servery.__all__:
        assert name == "__version__" or f" as {name}\n" in typed


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(servery, "no_such_thing")
