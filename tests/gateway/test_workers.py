"""Several workers behind one port: they answer as one server, whatever happens to one of them."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from servery.gateway.server import threads_of
from servery.settings import Settings

UNUSED = ssl.create_default_context()
"""httpx makes one of these for each client, in a tenth of a second, also where nothing is encrypted."""

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Crew:
    """A server with workers, and a client that opens a connection a request, so that all of them get some."""

    def __init__(self, house: ModuleType, home: Any, workers: int = 2, **environment: str) -> None:
        self.home = home
        self.process = house.ServerProcess(home.folder, {"SERVERY_WORKERS": str(workers), **environment})
        self.url = self.process.url
        self.good = house.GOOD

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.home.secrets[more.pop('key', 'root')]}"}
        return httpx.request(method, f"{self.url}{path}", headers=headers, timeout=20, verify=UNUSED, **more)

    def predict(self, text: str = "", model: str = "reviews", **more: Any) -> httpx.Response:
        path = f"/v1/models/{model}/predict"
        return self.call("POST", path, json={"inputs": text or self.good}, **more)

    def workers(self) -> list[int]:
        return sorted(self.call("GET", "/admin/v1/status").json()["workers"])

    def counters(self) -> Samples:
        return counters(self.call("GET", "/metrics").text)


def counters(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if family.type == "counter" or (
                family.type == "histogram" and not sample.name.endswith("_created")
            ):
                found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def falling(before: Samples, after: Samples) -> list[Any]:
    return [name for name, value in before.items() if after.get(name, -1.0) < value]


def until(fact: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


@pytest.fixture
def furnished(house: ModuleType, tmp_path: Path) -> Iterator[Any]:
    with house.open_home(tmp_path / "home") as home:
        home.register("reviews", house.reviews(), "production")
        home.register("reviews", house.reviews(turn=-1.0))
        home.register("drill", house.drill(), "production")
        home.key("root", "admin")
        yield home


@pytest.fixture
def crew(house: ModuleType, furnished: Any) -> Iterator[Crew]:
    crew = Crew(house, furnished)
    crew.process.wait_until_ready()
    yield crew
    assert crew.process.stop() == 0


def test_any_worker_answers_for_all(crew: Crew) -> None:
    for _ in range(40):
        assert crew.predict().status_code == 200
    told = [crew.call("GET", "/admin/v1/status").json() for _ in range(12)]
    assert len({status["process_id"] for status in told}) == 2, "both were asked"
    assert {tuple(sorted(status["workers"])) for status in told} == {tuple(crew.workers())}
    rows = {row["reference"]: row for row in told[-1]["replicas"]}
    assert rows["reviews@1"]["requests"] == 40
    key = ("model", "reviews"), ("protocol", "native"), ("task", "text-classification"), ("version", "1")
    labels = tuple(sorted([("code", "200"), *key]))
    for _ in range(4):
        found = crew.counters()
        assert found["servery_requests_total", labels] == 40
        assert found["servery_request_duration_seconds_count", tuple(sorted(key))] == 40
        assert found["servery_batched_rows_total", (("model", "reviews"), ("version", "1"))] == 40


def test_nothing_of_the_workers_can_be_read_by_others(crew: Crew) -> None:
    runs = crew.home.folder / "run"
    assert runs.stat().st_mode & 0o777 == 0o700
    folders = list(runs.iterdir())
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700]
    assert {entry.name for entry in folders[0].iterdir()} == {"worker-0.sock", "worker-1.sock"}


def test_a_worker_killed_under_load_costs_only_its_requests_in_flight(crew: Crew) -> None:
    seen: list[str] = []
    fallen: list[Any] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            try:
                seen.append(str(crew.predict().status_code))
            except httpx.TransportError as error:
                seen.append(type(error).__name__)

    def watch() -> None:
        before: Samples = {}
        while not is_over.is_set():
            try:
                after = crew.counters()
            except httpx.TransportError:
                continue  # it was asked of the one that died
            fallen.extend(falling(before, after))
            before = after

    threads = [threading.Thread(target=work) for work in (ask, ask, ask, ask, watch)]
    for thread in threads:
        thread.start()
    until(lambda: seen.count("200") > 50)
    before = crew.workers()
    victim = before[0]
    os.kill(victim, signal.SIGKILL)
    count = len(seen)
    until(lambda: len(seen) > count + 50)
    until(lambda: len(crew.workers()) == 2)
    count = len(seen)
    until(lambda: len(seen) > count + 50)
    is_over.set()
    for thread in threads:
        thread.join()
    outcomes = Counter(seen)
    answered = outcomes.pop("200")
    assert sum(outcomes.values()) <= 8, f"at most what was in flight and what knocked as it died: {outcomes}"
    assert set(outcomes) <= {"ReadError", "RemoteProtocolError", "ConnectError"}
    assert victim not in crew.workers()
    assert fallen == []
    counted = sum(
        value
        for (name, labels), value in crew.counters().items()
        if name == "servery_requests_total" and ("model", "reviews") in labels
    )
    assert answered <= counted <= answered + sum(outcomes.values()), "what the dead one counted is not lost"


def test_a_moved_alias_and_a_revoked_key_are_seen_by_all_at_once(crew: Crew) -> None:
    made = crew.call("POST", "/admin/v1/keys", json={"name": "app", "scopes": ["predict"]}).json()
    crew.home.secrets["app"] = made["secret"]
    assert {crew.predict(key="app").status_code for _ in range(8)} == {200}
    moved = crew.call("PUT", "/admin/v1/models/reviews/aliases/production", json={"version": 2})
    assert moved.status_code == 200
    answers = [crew.predict(key="app").json() for _ in range(12)]
    assert {(answer["model"], answer["outputs"][0]["label"]) for answer in answers} == {
        ("reviews@2", "negative")
    }
    assert crew.call("DELETE", f"/admin/v1/keys/{made['id']}").status_code == 200
    assert {crew.predict(key="app").status_code for _ in range(12)} == {401}


@pytest.mark.parametrize("to_all", [False, True], ids=["TERM", "ctrl-c"])
def test_a_stop_lets_every_worker_finish(house: ModuleType, furnished: Any, to_all: bool) -> None:
    crew = Crew(house, furnished, SERVERY_PLACEMENT="thread")
    crew.process.wait_until_ready()
    workers = crew.workers()
    answers: list[int] = []

    def ask_slowly() -> None:
        answers.append(crew.predict("sleep=2", model="drill").status_code)

    threads = [threading.Thread(target=ask_slowly) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: crew.call("GET", "/admin/v1/status").json()["requests_in_flight"] > 8)
    # A terminal sends Ctrl-C to every process in it, the workers too.
    for process in [crew.process.process.pid, *(workers if to_all else [])]:
        os.kill(process, signal.SIGINT if to_all else signal.SIGTERM)
    assert crew.process.process.wait(20) == 0
    for thread in threads:
        thread.join()
    assert answers == [200] * 8
    assert not any(is_alive(worker) for worker in workers)
    assert list((furnished.folder / "run").iterdir()) == []
    crew.process.stop()


def test_workers_stop_when_nobody_watches_over_them_any_more(house: ModuleType, furnished: Any) -> None:
    crew = Crew(house, furnished)
    crew.process.wait_until_ready()
    workers = crew.workers()
    crew.process.process.kill()
    until(lambda: not any(is_alive(worker) for worker in workers))
    crew.process.stop()
    again = Crew(house, furnished)
    again.process.wait_until_ready()
    assert len(list((furnished.folder / "run").iterdir())) == 1, "what the killed one left is cleared away"
    assert again.process.stop() == 0


def test_workers_that_cannot_start_end_the_server_with_the_reason(house: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file stands where the folder should be")
    environment = {"SERVERY_PORT": "0", "SERVERY_WORKERS": "2"}
    ended = subprocess.run(
        [sys.executable, house.__file__ or str(Path(__file__).with_name("house.py")), str(tmp_path)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert ended.stdout == ""
    assert "artifacts" in ended.stderr
    assert "A worker could not start." in ended.stderr


@pytest.mark.parametrize(("threads", "workers", "expected"), [(1, 2, 1), (64, 1000, 1), (1, 1, 1)])
def test_workers_never_ask_for_more_threads_than_there_are_cores(
    threads: int, workers: int, expected: int
) -> None:
    settings = Settings.model_construct(threads=threads, workers=workers)
    assert threads_of(settings) == expected


def test_all_cores_go_to_one_worker_and_are_shared_out_among_several() -> None:
    cores = len(os.sched_getaffinity(0))
    assert threads_of(Settings(threads=256)) == cores
    assert threads_of(Settings(threads=256, workers=cores)) == 1


def test_a_worker_that_dies_again_and_again_is_replaced_ever_later(crew: Crew) -> None:
    log = crew.home.folder / "server.log"
    for deaths in range(1, 4):
        until(lambda: len(crew.workers()) == 2)
        os.kill(max(crew.workers()), signal.SIGKILL)  # the newest process: the one that replaced the last
        until(lambda count=deaths: log.read_text().count("worker died") == count)
    lines = [line for line in log.read_text().splitlines() if "worker died" in line]
    pauses = [json.loads(line)["again_in_seconds"] for line in lines]
    assert pauses == [0.25, 0.5, 1.0]
    until(lambda: len(crew.workers()) == 2)
