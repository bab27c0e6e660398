"""Jobs over HTTP: made once, seen by their owner alone, watched, paged, cancelled, resumed, removed."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from servery.client import AsyncClient, Client
from servery.errors import ConflictError, DeadlineError, NotFoundError, ServeryError

Call = Callable[..., httpx.Response]
CSV = {"content-type": "text/csv"}


@pytest.fixture
def client(server: Any, home: Any) -> Iterator[Client]:
    with Client(server.url, api_key=home.secrets["app"]) as client:
        yield client


def slow(rows: int, seconds: float = 0.1) -> list[str]:
    """Rows that take so long a forward pass, however many are in it."""
    return [f"sleep={seconds} row {i}" for i in range(rows)]


def finished(call: Call, job: str, key: str = "app") -> dict[str, Any]:
    until = time.monotonic() + 30
    while (told := call("GET", f"/v1/jobs/{job}", key=key).json())["state"] in ("queued", "running"):
        assert time.monotonic() < until, told
        time.sleep(0.02)
    return dict(told)


def test_a_job_answers_what_a_request_would_and_tells_each_bad_row(client: Client, house: Any) -> None:
    inputs = [house.GOOD, house.BAD, 7, {"id": "a", "text": house.GOOD}]
    job = client.jobs.create("reviews", inputs)
    assert job.model == "reviews@1"
    rows = list(client.jobs.results(job.id))
    one_by_one = list(client.predict("reviews", [house.GOOD, house.BAD]))
    assert [row.get("answer") for row in rows] == [*one_by_one, None, one_by_one[0]]
    assert rows[2]["error"]["code"] == "input.invalid"
    assert [(row["line"], row.get("id")) for row in rows] == [(1, None), (2, None), (3, None), (4, "a")]
    done = client.jobs.wait(job.id)
    assert (done.state, done.rows_total, done.rows_done, done.rows_failed) == ("succeeded", 4, 4, 1)
    assert done.usage["rows"] == 3


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_files_of_every_format_keep_the_ids_of_their_rows(
    client: Client, tmp_path: Path, ending: str
) -> None:
    table = {"key": [f"k{i}" for i in range(300)], "text": [f"great fun {i}" for i in range(300)]}
    path = tmp_path / f"rows.{ending}"
    if ending == "parquet":
        pq.write_table(pa.table(table), path)
    elif ending == "jsonl":
        rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        mark = "\t" if ending == "tsv" else ","
        path.write_text("\n".join(mark.join(r) for r in [tuple(table), *zip(*table.values(), strict=True)]))
    job = client.jobs.create("reviews", file=path, id_column="key", parameters={"top_k": 1})
    found = list(client.jobs.results(job.id))
    assert [row["id"] for row in found] == table["key"]
    assert all(len(row["answer"]["labels"]) == 1 for row in found)
    first = 2 if ending in ("csv", "tsv") else 1
    assert [row["line"] for row in found] == list(range(first, first + 300))


def test_results_come_in_pages_and_in_three_formats(call: Call, client: Client) -> None:
    job = client.jobs.create("reviews", [f"text {i}" for i in range(25)] + [3]).id
    whole = list(client.jobs.results(job))
    pages, cursor = [], "0"
    while cursor is not None:
        page = call("GET", f"/v1/jobs/{job}/results?limit=10&cursor={cursor}", key="app")
        assert page.headers["content-type"] == "application/x-ndjson"
        pages.append([json.loads(line) for line in page.text.splitlines()])
        cursor = page.headers.get("x-next-cursor")
    assert [len(page) for page in pages] == [10, 10, 6]
    assert [row for page in pages for row in page] == whole
    as_csv = call("GET", f"/v1/jobs/{job}/results", key="app", headers={"accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert [row["label"] for row in rows[:25]] == [row["answer"]["label"] for row in whole[:25]]
    assert rows[25]["error_code"] == "input.invalid"
    as_parquet = call("GET", f"/v1/jobs/{job}/results?format=parquet", key="app")
    assert pq.read_table(io.BytesIO(as_parquet.content)).column("line").to_pylist() == list(range(1, 27))
    for cursor in (1, 10**9):
        wrong = call("GET", f"/v1/jobs/{job}/results?cursor={cursor}", key="app")
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (422, "cursor")


def test_the_same_request_makes_one_job_and_another_one_is_refused(call: Call) -> None:
    body = {"model": "reviews", "inputs": ["great fun"]}

    def post(content: Any, key: str | None = "once", path: str = "/v1/jobs", method: str = "POST") -> Any:
        headers = {} if key is None else {"idempotency-key": key}
        return call(method, path, key="app", json=content, headers=headers)

    first, again = post(body), post(body)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.headers["location"] == f"/v1/jobs/{first.json()['id']}"
    assert again.json()["id"] == first.json()["id"]
    assert post({**body, "parameters": {"top_k": 1}}).status_code == 409
    assert post(body, key="twice").json()["id"] != first.json()["id"]
    put = post(body, key=None, path="/v1/jobs/nightly-1", method="PUT")
    assert (put.status_code, put.json()["id"]) == (202, "nightly-1")
    assert post(body, key=None, path="/v1/jobs/nightly-1", method="PUT").status_code == 200
    other = post({**body, "inputs": ["slow"]}, key=None, path="/v1/jobs/nightly-1", method="PUT")
    assert (other.status_code, other.json()["error"]["param"]) == (409, "id")


def test_of_many_equal_requests_at_once_one_makes_the_job(client: Client) -> None:
    made: list[str] = []

    def make() -> None:
        made.append(client.jobs.create("reviews", ["great fun"], idempotency_key="rush").id)

    threads = [threading.Thread(target=make) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 12
    assert len(set(made)) == 1


def test_a_key_sees_its_own_jobs_only_and_an_administrator_all(call: Call) -> None:
    body = {"model": "loans", "inputs": [{"income": 1, "debt_ratio": 0.9, "home": "own"}]}
    for key in ("app", "only-loans"):
        assert call("PUT", "/v1/jobs/same-id", key=key, json=body).status_code == 202
    mine = finished(call, "same-id", key="only-loans")
    assert mine["key"] != finished(call, "same-id", key="app")["key"]
    call("PUT", "/v1/jobs/apps-own", key="app", json=body)
    for method, rest in [
        ("GET", ""),
        ("GET", "/results"),
        ("GET", "/events"),
        ("POST", "/cancel"),
        ("POST", "/resume"),
        ("DELETE", ""),
    ]:
        answer = call(method, f"/v1/jobs/apps-own{rest}", key="only-loans")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        assert call(method, f"/v1/jobs/apps-own{rest}", key="watcher").status_code == 403
    assert call("GET", "/v1/jobs/apps-own", key="root").status_code == 200
    listed = call("GET", "/v1/jobs", key="only-loans").json()["data"]
    assert {job["key"] for job in listed} == {mine["key"]}
    assert len({job["key"] for job in call("GET", "/v1/jobs?limit=1000").json()["data"]}) >= 2
    refused = call("POST", "/v1/jobs", key="only-loans", json={"model": "reviews", "inputs": ["x"]})
    assert refused.status_code == 403
    upload = call("POST", "/v1/jobs?model=reviews", key="only-loans", content="text\nx\n", headers=CSV)
    assert upload.status_code == 403


def test_the_list_has_the_newest_first_and_pages_without_gaps(call: Call, client: Client) -> None:
    ids = [client.jobs.create("reviews", ["x"]).id for _ in range(5)]
    found, cursor = [], ""
    while cursor is not None:
        page = call("GET", f"/v1/jobs?limit=2&cursor={cursor}", key="app").json()
        assert len(page["data"]) <= 2
        found += [job["id"] for job in page["data"]]
        cursor = page["next_cursor"]
    assert found[:5] == ids[::-1]
    assert len(found) == len(set(found))


def events_of(call_url: str, key: str, job: str, last: str | None = None) -> list[tuple[str, str, Any]]:
    headers = {"authorization": f"Bearer {key}", **({} if last is None else {"last-event-id": last})}
    found, current = [], {}
    with httpx.stream("GET", f"{call_url}/v1/jobs/{job}/events", headers=headers, timeout=30) as response:
        if response.status_code == 204:
            return []
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if not line and current:
                found.append((current["event"], current["id"], json.loads(current["data"])))
                current = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(": ")
                current[name] = value
    return found


def test_events_tell_of_every_step_and_go_on_behind_the_last_one_heard(
    client: Client, server: Any, home: Any
) -> None:
    job = client.jobs.create("drill", slow(150)).id
    key = home.secrets["app"]
    events = events_of(server.url, key, job)
    names = [name for name, _, _ in events]
    assert names[0] == "status"
    assert names[-1] == "completed"
    assert "progress" in names
    done = [told["rows_done"] for _, _, told in events]
    assert done == sorted(done)
    assert done[-1] == 150
    numbers = [int(number) for _, number, _ in events]
    assert numbers == sorted(set(numbers))
    heard = events_of(server.url, key, job, last=str(numbers[-2]))
    assert [name for name, _, _ in heard] == ["completed"]
    assert events_of(server.url, key, job, last=str(numbers[-1])) == []


def test_a_cancelled_job_stops_keeps_its_results_and_goes_on_when_resumed(client: Client) -> None:
    job = client.jobs.create("drill", slow(150)).id
    while client.jobs.get(job).rows_done < 10:
        time.sleep(0.02)
    cancelled = client.jobs.cancel(job)
    assert cancelled.state == "cancelled"
    time.sleep(1.0)
    kept = client.jobs.get(job)
    assert kept.rows_done < 150
    with pytest.raises(ServeryError, match="was cancelled"):
        list(client.jobs.results(job))
    assert client.jobs.cancel(job).state == "cancelled"
    assert client.jobs.resume(job).state == "queued"
    assert [row["line"] for row in client.jobs.results(job)] == list(range(1, 151))


def test_a_removed_job_is_gone_with_its_files_also_while_it_runs(client: Client, home: Any) -> None:
    before = {path.name for path in home.settings.jobs.iterdir()}
    job = client.jobs.create("drill", slow(200)).id
    while not client.jobs.get(job).rows_done:
        time.sleep(0.02)
    assert home.settings.jobs.stat().st_mode & 0o777 == 0o700
    client.jobs.remove(job)
    with pytest.raises(NotFoundError):
        client.jobs.get(job)
    time.sleep(0.8)
    assert {path.name for path in home.settings.jobs.iterdir()} <= before


def test_poisoned_rows_are_told_one_by_one(client: Client) -> None:
    texts = [f"fine {i}" for i in range(40)]
    texts[7], texts[19], texts[30] = "poison", "nan", "toolong"
    rows = list(client.jobs.results(client.jobs.create("drill", texts).id))
    failed = {row["line"]: row["error"]["code"] for row in rows if "error" in row}
    assert failed == {8: "internal", 20: "model.non_finite", 31: "input.too_long"}


def test_a_job_past_its_deadline_fails_and_says_how_far_it_came(client: Client) -> None:
    job = client.jobs.wait(client.jobs.create("drill", slow(150), deadline_seconds=1).id)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "request.deadline"
    assert 0 < job.rows_done < 150


def test_a_model_that_cannot_be_loaded_fails_the_job(client: Client) -> None:
    job = client.jobs.wait(client.jobs.create("broken@1", ["x"]).id)
    assert (job.state, job.error and job.error.code) == ("failed", "model.load")


def test_a_file_without_the_models_columns_fails_the_job(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("txt\nx\n")
    job = client.jobs.wait(client.jobs.create("reviews", file=path).id)
    assert (job.state, job.error and job.error.code) == ("failed", "data.column_not_found")


def test_requests_that_wait_are_answered_beside_a_job(client: Client) -> None:
    job = client.jobs.create("drill", slow(2000, 0.02))
    while not client.jobs.get(job.id).rows_done:
        time.sleep(0.02)
    seconds = []
    for _ in range(15):
        started = time.perf_counter()
        client.predict("drill", "sleep=0.001")
        seconds.append(time.perf_counter() - started)
    assert client.jobs.cancel(job.id).rows_done < 2000
    assert sorted(seconds)[7] < 0.3, f"median {sorted(seconds)[7]:.3f} s"


def test_a_prediction_becomes_a_job_for_those_who_would_rather_not_wait(call: Call, house: Any) -> None:
    body = {"inputs": {"table": {"income": [1, 2], "debt_ratio": [0.9, 0.1], "home": ["own", "rent"]}}}
    headers = {"prefer": "respond-async, wait=1"}
    answer = call("POST", "/v1/models/loans/predict", key="app", json=body, headers=headers)
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    finished(call, answer.json()["id"])
    results = call("GET", f"{answer.headers['location']}/results", key="app").text.splitlines()
    waited = call("POST", "/v1/models/loans/predict", key="app", json=body).json()["outputs"]
    assert [json.loads(line)["answer"] for line in results] == waited
    shade = house.picture(250)
    image = call("POST", "/v1/models/shades/predict", key="app", content=shade, headers=headers)
    done = finished(call, image.json()["id"])
    assert (done["rows_done"], done["rows_failed"]) == (1, 0)
    wrong = call("POST", "/v1/models/loans/predict", key="app", json={"inputs": {"x": 1}}, headers=headers)
    assert wrong.status_code == 422


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": "reviews"}, 422, "/inputs"),
        ({"model": "reviews", "inputs": []}, 422, "/inputs"),
        ({"model": "reviews", "inputs": ["x"], "input": {"rows": ["x"]}}, 422, "/inputs"),
        ({"model": "reviews", "inputs": ["x"], "id": "../../etc"}, 422, "id"),
        ({"model": "reviews", "inputs": ["x"], "parameters": {"top_q": 1}}, 422, "/parameters"),
        ({"model": "reviews", "inputs": ["x"], "surprise": 1}, 422, "/"),
        ({"model": "nobody", "inputs": ["x"]}, 404, "model"),
        ({"model": "reviews", "input": {"content": "text\n", "format": "csv"}}, 422, "input"),
        (
            {"model": "reviews", "inputs": ["x"], "webhook": {"url": "http://127.0.0.1/x"}},
            422,
            "/webhook/url",
        ),
        (
            {"model": "reviews", "inputs": ["x"], "webhook": {"url": "file:///etc/passwd"}},
            422,
            "/webhook/url",
        ),
    ],
)
def test_a_job_that_cannot_be_is_refused_and_leaves_nothing(
    call: Call, home: Any, body: Any, status: int, param: str
) -> None:
    before = set(home.settings.jobs.iterdir())
    answer = call("POST", "/v1/jobs", key="app", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text
    assert set(home.settings.jobs.iterdir()) == before


def test_uploads_are_refused_when_they_are_no_rows_or_too_large_or_cut_off(call: Call, home: Any) -> None:
    before = set(home.settings.jobs.iterdir())
    parquet = {"content-type": "application/vnd.apache.parquet"}
    assert call("POST", "/v1/jobs?model=reviews", content=b"no parquet", headers=parquet).status_code == 422
    assert call("POST", "/v1/jobs?model=reviews", content=b"", headers=CSV).status_code == 422
    assert call("POST", "/v1/jobs", content=b"text\nx\n", headers=CSV).json()["error"]["param"] == "model"
    strange = call("POST", "/v1/jobs?model=reviews", content=b"x", headers={"content-type": "image/png"})
    assert strange.status_code == 415
    large = call("POST", "/v1/jobs?model=reviews", content=iter([b"text\n", b"x" * 2**21]), headers=CSV)
    assert large.status_code == 413
    with pytest.raises(httpx.ReadError):
        call("POST", "/v1/jobs?model=reviews", content=_torn(), headers=CSV)
    time.sleep(0.2)
    assert set(home.settings.jobs.iterdir()) == before


def _torn() -> Iterator[bytes]:
    yield b"text\n"
    raise httpx.ReadError("the client's disk is gone")


async def test_the_async_client_has_jobs_too(server: Any, home: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\n" + "great fun\n" * 1500)
    async with AsyncClient(server.url, api_key=home.secrets["app"]) as client:
        job = await client.jobs.create("reviews", file=path, id="from-async")
        rows = [row async for row in client.jobs.results(job.id)]
        assert len(rows) == 1500
        assert (await client.jobs.wait(job.id)).state == "succeeded"
        slow_job = await client.jobs.create("drill", slow(100))
        with pytest.raises(DeadlineError):
            await client.jobs.wait(slow_job.id, timeout_seconds=0.1)
        assert (await client.jobs.cancel(slow_job.id)).state == "cancelled"
        with pytest.raises(ConflictError):
            await client.jobs.create("reviews", ["other"], id="from-async")
        both = await asyncio.gather(client.jobs.remove(job.id), client.jobs.remove(slow_job.id))
        assert {removed.id for removed in both} == {job.id, slow_job.id}
        assert not {job.id, slow_job.id} & {found.id for found in await client.jobs.list()}
