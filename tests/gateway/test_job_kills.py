"""Servers killed with -9 while they run a job: it goes on elsewhere, and no row is in the results twice or missing."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from servery.client import Client
from servery.errors import ServeryError

ENVIRONMENT = {"SERVERY_JOB_LEASE_SECONDS": "0.6", "SERVERY_MAX_BATCH_ROWS": "8", "SERVERY_GRPC_PORT": "off"}
SECONDS_A_BATCH = 0.03

Start = Callable[[], Any]


@pytest.fixture
def home(house: ModuleType, tmp_path: Path) -> Iterator[Any]:
    with house.open_home(tmp_path / "home") as home:
        home.register("drill", house.drill(), "production")
        home.key("app", "predict")
        yield home


@pytest.fixture
def start(house: ModuleType, home: Any) -> Iterator[Start]:
    """Start servers on the home; those that live at the end are stopped."""
    started = []

    def start() -> Any:
        started.append(house.ServerProcess(home.folder, ENVIRONMENT))
        started[-1].wait_until_ready()
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            assert process.stop() == 0


def kill(server: Any) -> None:
    server.process.kill()
    assert server.stop() == -signal.SIGKILL


def texts(rows: int) -> list[str]:
    return [f"sleep={SECONDS_A_BATCH} {'x' * (i % 50)}" for i in range(rows)]


def check(found: list[dict[str, Any]], expected: list[str]) -> None:
    """Each row once, in order, each with the answer to its own text: the drill tells how long it was."""
    assert [row["line"] for row in found] == [i + 1 for i in range(len(expected))]
    scores = {text: row["answer"]["labels"][0]["score"] for row, text in zip(found, expected, strict=True)}
    assert len(set(scores.values())) == len(scores)
    assert all(
        row["answer"]["labels"][0]["score"] == scores[text] for row, text in zip(found, expected, strict=True)
    )


def run_with_kills(start: Start, home: Any, file: Path, count: int, kills: int, seed: int) -> list[Any]:
    """Return the results of a job whose server was killed so many times, at random moments."""
    chance = random.Random(seed)
    server = start()
    with Client(server.url, api_key=home.secrets["app"]) as client:
        job = client.jobs.create("drill", file=file, id_column="key", id="survivor").id
    for _ in range(kills):
        time.sleep(chance.uniform(0.2, 1.1))
        kill(server)
        server = start()
    with Client(server.url, api_key=home.secrets["app"]) as client:
        done = client.jobs.wait(job, timeout_seconds=120)
        assert (done.state, done.rows_done, done.rows_failed) == ("succeeded", count, 0)
        assert done.rows_total == count
        found = list(client.jobs.results(job))
    assert [row["id"] for row in found] == [f"k{i}" for i in range(count)]
    return found


def parquet_of(path: Path, rows: list[str]) -> Path:
    pq.write_table(
        pa.table({"key": [f"k{i}" for i in range(len(rows))], "text": rows}), path, row_group_size=70
    )
    return path


def test_a_job_survives_five_kills_without_doing_a_row_twice(start: Start, home: Any, tmp_path: Path) -> None:
    rows = texts(700)
    check(run_with_kills(start, home, parquet_of(tmp_path / "in.parquet", rows), 700, 5, seed=3), rows)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(3))
def test_a_job_survives_thirty_kills(start: Start, home: Any, tmp_path: Path, seed: int) -> None:
    rows = texts(4000)
    path = tmp_path / "in.csv"
    path.write_text("key,text\n" + "".join(f"k{i},{text}\n" for i, text in enumerate(rows)))
    found = run_with_kills(start, home, path, 4000, 30, seed)
    check([{**row, "line": row["line"] - 1} for row in found], rows)


def test_of_two_servers_one_runs_a_job_and_the_other_takes_it_over_when_that_one_dies(
    start: Start, home: Any, tmp_path: Path
) -> None:
    rows = texts(500)
    servers = [start(), start()]
    clients = [Client(server.url, api_key=home.secrets["app"]) for server in servers]
    jobs = [
        clients[0].jobs.create("drill", file=parquet_of(tmp_path / f"{i}.parquet", rows)) for i in range(2)
    ]
    for job in jobs:
        while not clients[0].jobs.get(job.id).rows_done:
            time.sleep(0.02)
    logs = (home.folder / "server.log").read_text()
    assert logs.count("job begun") == 2
    kill(servers[0])
    for job in jobs:
        done = clients[1].jobs.wait(job.id, timeout_seconds=60)
        assert (done.state, done.rows_done) == ("succeeded", 500)
        check(list(clients[1].jobs.results(job.id)), rows)
    assert (home.folder / "server.log").read_text().count("job begun") == 3
    for client in clients:
        client.close()


def test_a_server_that_stops_in_peace_hands_its_job_over_at_once(
    start: Start, home: Any, tmp_path: Path
) -> None:
    rows = texts(400)
    server = start()
    with Client(server.url, api_key=home.secrets["app"]) as client:
        job = client.jobs.create("drill", file=parquet_of(tmp_path / "in.parquet", rows)).id
        while not client.jobs.get(job).rows_done:
            time.sleep(0.02)
    assert server.stop() == 0
    server = start()
    with Client(server.url, api_key=home.secrets["app"]) as client:
        assert client.jobs.wait(job, timeout_seconds=60).rows_done == 400
        check(list(client.jobs.results(job)), rows)


def test_a_process_that_only_slept_writes_nothing_behind_the_one_that_took_over(
    start: Start, home: Any, tmp_path: Path
) -> None:
    rows = texts(400)
    first = start()
    with Client(first.url, api_key=home.secrets["app"]) as client:
        job = client.jobs.create("drill", file=parquet_of(tmp_path / "in.parquet", rows)).id
        while not client.jobs.get(job).rows_done:
            time.sleep(0.02)
    second = start()
    first.process.send_signal(signal.SIGSTOP)
    time.sleep(2.0)  # its lease ends; the other one claims the job, but finds its results still open
    first.process.send_signal(signal.SIGCONT)
    with Client(second.url, api_key=home.secrets["app"]) as client:
        assert client.jobs.wait(job, timeout_seconds=60).state == "succeeded"
        check(list(client.jobs.results(job)), rows)


def test_readers_of_the_results_never_see_a_row_that_is_taken_back(
    start: Start, home: Any, tmp_path: Path
) -> None:
    rows = texts(500)
    server = start()
    seen: list[dict[str, Any]] = []
    is_over = threading.Event()
    urls = [server.url]

    def read() -> None:
        while not is_over.is_set() or len(seen) < 500:
            try:
                with Client(urls[-1], api_key=home.secrets["app"], retries=0) as client:
                    for page in client.jobs.pages("read", limit=20):
                        lines = [row["line"] for row in page]
                        seen.extend(row for row in page if row["line"] > len(seen))
                        assert lines == list(range(lines[0], lines[0] + len(lines)))
            except ServeryError:
                time.sleep(0.05)

    with Client(server.url, api_key=home.secrets["app"]) as client:
        client.jobs.create("drill", file=parquet_of(tmp_path / "in.parquet", rows), id="read")
    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(2):
        time.sleep(0.8)
        kill(server)
        server = start()
        urls.append(server.url)
    with Client(server.url, api_key=home.secrets["app"]) as client:
        client.jobs.wait("read", timeout_seconds=60)
        is_over.set()
        reader.join(timeout=60)
        assert seen == list(client.jobs.results("read"))
