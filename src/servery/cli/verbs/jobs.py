"""See, read and end the jobs of the running server."""

from __future__ import annotations

from json import dumps as encode_json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import servery
from servery.cli.options import AsJson
from servery.cli.output import TerminalProgress, print_facts, print_json, print_table
from servery.errors import StorageError

if TYPE_CHECKING:
    from servery.schemas import JobObject

JobId = Annotated[str, typer.Argument(help="The job's id.")]

group = typer.Typer(help="See, read and end the jobs of the running server.", no_args_is_help=True)


@group.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(help="How many at most, the newest first.")] = 20, json: AsJson = False
) -> None:
    """List the jobs, the newest first."""
    with servery.Client() as client:
        jobs = client.jobs.list(limit)
    if json:
        print_json([_plain(job) for job in jobs])
        return
    print_table(
        ["ID", "MODEL", "STATE", "ROWS", "ERRORS", "CREATED", "WHY"],
        [
            [j.id, j.model, j.state, _rows(j), j.rows_failed, j.created_at[:19], j.error and j.error.message]
            for j in jobs
        ],
    )


@group.command()
def show(job: JobId, json: AsJson = False) -> None:
    """Show one job."""
    with servery.Client() as client:
        found = client.jobs.get(job)
    _print(found, json)


@group.command()
def watch(job: JobId, json: AsJson = False) -> None:
    """Watch a job until it is over."""
    progress = TerminalProgress(is_quiet=json)
    with servery.Client() as client:
        for found in client.jobs.watch(job):
            total = found.rows_total or (found.rows_done if found.state == "succeeded" else 0)
            progress.update("Rows", found.rows_done, total, f"{_rows(found)}, {found.state}")
    _print(found, json)


@group.command()
def results(
    job: JobId,
    output: Annotated[Path | None, typer.Option(help="A file to write, as JSON lines.")] = None,
) -> None:
    """Print the results of a job as JSON lines, as they come, until it is over."""
    with servery.Client() as client:
        lines = (encode_json(row, ensure_ascii=False) for row in client.jobs.results(job))
        if output is None:
            for line in lines:
                print(line)
            return
        try:
            with output.open("w", encoding="utf-8") as stream:
                stream.writelines(f"{line}\n" for line in lines)
        except OSError as error:
            raise StorageError(f"{output} cannot be written: {error.strerror}.", param="--output") from error


@group.command()
def cancel(job: JobId, json: AsJson = False) -> None:
    """End a job; what it has answered can still be read."""
    with servery.Client() as client:
        _print(client.jobs.cancel(job), json)


@group.command()
def resume(job: JobId, json: AsJson = False) -> None:
    """Go on with a failed or cancelled job, where it stopped."""
    with servery.Client() as client:
        _print(client.jobs.resume(job), json)


@group.command()
def remove(job: JobId, json: AsJson = False) -> None:
    """Remove a job with its input and its results."""
    with servery.Client() as client:
        client.jobs.remove(job)
    if json:
        print_json({"removed": job})
    else:
        print(f"Removed {job}")


def _print(job: JobObject, as_json: bool) -> None:
    if as_json:
        print_json(_plain(job))
        return
    facts = [("Job", job.id), ("Model", job.model), ("State", job.state), ("Rows", _rows(job))]
    facts.append(("Errors", str(job.rows_failed)))
    if job.error is not None:
        facts.append(("Why", job.error.message))
    if job.expires_at is not None:
        facts.append(("Kept until", job.expires_at[:19]))
    print_facts(facts)


def _rows(job: JobObject) -> str:
    return f"{job.rows_done:,}" if job.rows_total is None else f"{job.rows_done:,}/{job.rows_total:,}"


def _plain(job: JobObject) -> dict[str, Any]:
    # Imported here so that a list of the commands does not wait for it.
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(job)
    return found
