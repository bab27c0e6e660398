"""The entry point `servery`: finds the verbs, runs one, turns errors into one readable paragraph."""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from typing import Annotated

import typer

import servery
from servery.cli.output import print_error
from servery.discovery import modules
from servery.errors import ServeryError

app = typer.Typer(
    name="servery",
    help="Models, served: from your data to a governed production API.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if debug:
        os.environ["SERVERY_DEBUG"] = "1"


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(servery.__version__)


def _add_verbs() -> None:
    for module in modules("servery.cli.verbs"):
        name = module.__name__.rsplit(".", 1)[1]
        if hasattr(module, "group"):
            app.add_typer(module.group, name=name)
        else:
            app.command(name)(module.verb)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with the documented exit code.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 4 not allowed, 5 not found, 6 quota or conflict,
    7 the data or input is wrong, 130 interrupted, 141 nobody reads the output.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        _run(words)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has enough; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _run(words: list[str]) -> None:
    try:
        app(words)
    except ServeryError as error:
        _show_traceback()
        print_error(error, as_json="--json" in words)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        raise
    except Exception as error:
        _show_traceback()
        unexpected = ServeryError(
            f"Something unexpected happened: {type(error).__name__}: {error}",
            hint=f"servery --debug {shlex.join(words)}",
        )
        print_error(unexpected, as_json="--json" in words)
        sys.exit(1)


def _show_traceback() -> None:
    if os.environ.get("SERVERY_DEBUG"):
        traceback.print_exc()


_add_verbs()

if __name__ == "__main__":
    main()
