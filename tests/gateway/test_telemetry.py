"""The metrics: well named, adding up, never falling; and the dashboard and the alerts that are built on them."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from servery.gateway.metric import Metric, text
from servery.gateway.tallies import INDEX_BYTES, NUMBERS, Tallies, summed
from servery.gateway.telemetry import METRICS

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = ("_seconds", "_bytes", "_rows", "_files", "_models", "_requests", "_workers")
NAMED = ("servery_workers", "servery_workers_wanted", "servery_models_loaded", "servery_models_failed")
ALLOWED_LABELS = {"model", "version", "task", "protocol", "code", "unit"}

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(exposition: str) -> tuple[Samples, set[str]]:
    """Return all samples, and the names of those that may only grow."""
    found: Samples = {}
    growing = set()
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
            if family.type in ("counter", "histogram"):
                growing.add(sample.name)
    return found, growing


def total(found: Samples, name: str, **labels: str) -> float:
    return sum(
        value
        for (known, pairs), value in found.items()
        if known == name and labels.items() <= dict(pairs).items()
    )


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_rules_of_prometheus(metric: Metric) -> None:
    assert re.fullmatch(r"servery_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not metric.name.endswith(("_count", "_sum", "_bucket", "_info"))
    assert not re.search(
        r"_(ms|milliseconds|minutes|kb|mb|percent|counter|gauge|histogram)(_|$)", metric.name
    )
    assert metric.help.endswith(".")
    assert set(metric.labels) <= ALLOWED_LABELS
    assert (metric.kind == "histogram") == bool(metric.bounds)
    assert list(metric.bounds) == sorted(set(metric.bounds))
    is_unit = metric.name.removesuffix("_total").endswith(UNITS)
    assert metric.kind != "histogram" or is_unit, "what is distributed has a unit"
    assert metric.kind != "gauge" or is_unit or metric.name.endswith("_in_flight") or metric.name in NAMED


def test_no_two_metrics_have_one_name() -> None:
    assert max(Counter(metric.name for metric in METRICS).values()) == 1


def test_labels_and_numbers_come_back_from_the_parser_as_they_went_in() -> None:
    metric = Metric("servery_x_seconds", "X.", "histogram", ("model",), (0.1, 1.0))
    tallies = Tallies()
    nasty = 'a"b\\c\nd 质量'
    place = tallies.place(metric.name, (nasty,), metric.width)
    for value in (0.05, 0.1, 0.2, 5.0):
        metric.observe(tallies.numbers, place, value)
    found, _ = samples(text([metric], summed([tallies])).decode())
    key = (("model", nasty),)
    buckets = {dict(pairs)["le"]: value for (name, pairs), value in found.items() if name.endswith("_bucket")}
    assert buckets == {"0.1": 2, "1": 3, "+Inf": 4}
    assert found["servery_x_seconds_count", key] == 4
    assert found["servery_x_seconds_sum", key] == pytest.approx(5.35)


def test_what_a_dead_worker_counted_is_counted_on_by_the_next() -> None:
    tallies, sibling = Tallies(), Tallies()
    tallies.numbers[tallies.place("a", ("x",), 1)] += 5
    tallies.numbers[tallies.place("b", (), 2) + 1] += 7
    successor = Tallies.__new__(Tallies)  # a fork: the same memory, nothing remembered
    successor.__dict__.update(tallies.__dict__, _places={}, _used=0)
    successor.take_over()
    successor.numbers[successor.place("a", ("x",), 1)] += 1
    successor.numbers[successor.place("c", (), 1)] += 2
    sibling.numbers[sibling.place("a", ("x",), 1)] += 10
    assert summed([tallies, sibling]) == {("a", ("x",)): [16.0], ("b", ()): [0.0, 7.0], ("c", ()): [2.0]}


def test_when_all_room_is_taken_new_labels_share_one_group_and_nothing_is_lost() -> None:
    tallies = Tallies()
    wide = NUMBERS // 100
    for number in range(300):
        tallies.numbers[tallies.place("wide", (f"model-{number}",), wide)] += 1
    for number in range(100_000):
        tallies.numbers[tallies.place("long", (f"{number:0100d}",), 1)] += 1
        if number * 140 > INDEX_BYTES:
            break
    found = summed([tallies])
    assert sum(numbers[0] for (name, _), numbers in found.items() if name == "wide") == 300
    assert found["wide", ("",)][0] > 200
    assert sum(numbers[0] for (name, _), numbers in found.items() if name == "long") == number + 1


def test_counters_add_up_and_never_fall_under_load(
    server: Any, home: Any, call: Callable[..., httpx.Response]
) -> None:
    root = {"authorization": f"Bearer {home.secrets['root']}"}
    before, _ = samples(call("GET", "/metrics", key="watcher").text)
    fallen: list[Any] = []
    statuses: Counter[int] = Counter()
    is_over = threading.Event()

    def watch() -> None:
        last, _ = samples(call("GET", "/metrics").text)
        while not is_over.is_set():
            now, growing = samples(call("GET", "/metrics").text)
            fallen.extend(
                key for key, value in last.items() if key[0] in growing and now.get(key, -1) < value
            )
            last = now

    def ask() -> None:
        with httpx.Client(base_url=server.url, headers=root, timeout=20) as client:
            for number in range(60):
                inputs: Any = ["great fun", "slow"] if number % 3 else 7
                answer = client.post("/v1/models/reviews@1/predict", json={"inputs": inputs})
                statuses[answer.status_code] += 1

    watcher = threading.Thread(target=watch)
    askers = [threading.Thread(target=ask) for _ in range(3)]
    for thread in (watcher, *askers):
        thread.start()
    for thread in askers:
        thread.join()
    is_over.set()
    watcher.join()
    after, _ = samples(call("GET", "/metrics", key="watcher").text)
    assert fallen == []

    def grew(name: str, **labels: str) -> float:
        same = {"model": "reviews", "version": "1", **labels}
        return total(after, name, **same) - total(before, name, **same)

    assert statuses == {200: 120, 422: 60}
    asked = {"task": "text-classification", "protocol": "native"}
    assert grew("servery_requests_total", code="200", **asked) == 120
    assert grew("servery_requests_total", code="422", **asked) == 60
    assert grew("servery_request_errors_total", code="input.invalid", **asked) == 60
    assert grew("servery_request_duration_seconds_count", **asked) == 180
    assert grew("servery_queue_seconds_count", **asked) == 120
    assert grew("servery_compute_seconds_count", **asked) == 120
    assert grew("servery_batch_rows_count", **asked) == 120
    assert grew("servery_units_total", unit="rows", **asked) == 240
    assert grew("servery_batched_rows_total") == 240
    assert 0 < grew("servery_batches_total") <= 120
    assert grew("servery_compute_seconds_sum") < grew("servery_request_duration_seconds_sum")
    assert total(after, "servery_requests_in_flight") >= 1, "the one that asks"
    assert total(after, "servery_workers") == total(after, "servery_workers_wanted") == 1
    assert total(after, "servery_process_memory_bytes") > 20e6
    assert total(after, "servery_process_open_files") > 5
    assert total(after, "servery_process_cpu_seconds_total") > 0
    assert total(after, "servery_models_loaded") >= 5
    assert total(after, "servery_event_loop_lag_seconds_count") > 0


def test_a_stream_tells_when_its_first_piece_came(call: Callable[..., httpx.Response]) -> None:
    body = {"model": "scribe", "messages": [{"role": "user", "content": "one two"}], "stream": True}
    assert call("POST", "/v1/chat/completions", json=body).status_code == 200
    found, _ = samples(call("GET", "/metrics").text)
    name = "servery_first_piece_seconds"
    assert total(found, f"{name}_count", model="scribe") >= 1
    assert total(found, f"{name}_sum", model="scribe") <= total(
        found, "servery_request_duration_seconds_sum", model="scribe"
    )
    assert total(found, "servery_units_total", model="scribe", unit="tokens") > 1


def test_nobody_is_named_in_the_metrics(home: Any, call: Callable[..., httpx.Response]) -> None:
    exposition = call("GET", "/metrics").text
    assert "canary" not in exposition
    for record in home.keys.list():
        assert record.id not in exposition
        assert home.secrets.get(record.name, record.id) not in exposition


def test_a_path_that_does_not_exist_makes_no_label(call: Callable[..., httpx.Response]) -> None:
    call("POST", "/v1/models/made-up-name/predict", json={"inputs": "x"})
    call("GET", "/made/up/path")
    exposition = call("GET", "/metrics").text
    assert "made-up" not in exposition
    assert "made/up" not in exposition


def test_counters_stay_when_a_version_is_evicted_and_loaded_again(house: ModuleType, tmp_path: Path) -> None:
    from servery.data.columns import Kind
    from servery.serving.memory import MB

    def ballast(mark: int) -> Any:
        runtime = house.load_room("runtimes/ballast").BallastRuntime(mark, 25 * MB)
        encoder = house.load_room("encoders/drill").DrillEncoder()
        return house.predictor([("text", Kind.TEXT)], ("even", "odd"), encoder, runtime, "hello")

    with house.open_home(tmp_path / "home") as home:
        for mark in range(2):
            home.register(f"heavy-{mark}", ballast(mark), "production")
        headers = {"authorization": f"Bearer {home.key('root', 'admin')}"}
    process = house.ServerProcess(tmp_path / "home", {"SERVERY_MODEL_MEMORY_MB": "40"})
    process.wait_until_ready()
    last: Samples = {}
    with httpx.Client(base_url=process.url, headers=headers, timeout=20) as client:
        for number in range(8):
            path = f"/v1/models/heavy-{number % 2}/predict"
            assert client.post(path, json={"inputs": "hello"}).status_code == 200
            now, growing = samples(client.get("/metrics").text)
            assert [
                key for key, value in last.items() if key[0] in growing and now.get(key, -1) < value
            ] == []
            last = now
    assert process.stop() == 0
    assert total(last, "servery_model_evictions_total") >= 7
    assert total(last, "servery_batched_rows_total", model="heavy-0") == 4
    assert total(last, "servery_models_loaded") == 1
    assert 25 * MB <= total(last, "servery_model_memory_bytes") <= 40 * MB
    assert total(last, "servery_model_memory_limit_bytes") == 40 * MB


@pytest.fixture(scope="module")
def known_names() -> set[str]:
    """Return the sample names that /metrics has, from the metrics' own text."""
    return {
        f"{metric.name}{suffix}"
        for metric in METRICS
        for suffix in (("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",))
    }


def test_every_metric_is_described_on_a_live_page(call: Callable[..., httpx.Response]) -> None:
    exposition = call("GET", "/metrics").text
    described = set(re.findall(r"^# TYPE (\S+)", exposition, re.MULTILINE))
    assert described == {metric.name for metric in METRICS}


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\bservery_[a-z_]+", expression))


def chinese(title: str) -> bool:
    return bool(re.search(r"[一-鿿]", title))


def test_the_dashboard_names_only_metrics_that_exist_in_both_languages(known_names: set[str]) -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "servery.json").read_text())
    named: set[str] = set()
    panels = dashboard["panels"]
    for panel in panels:
        assert chinese(panel["title"]), panel["title"]
        assert re.search("[A-Za-z]", panel["title"])
        named |= {name for target in panel.get("targets", []) for name in names_in(target["expr"])}
    for variable in dashboard["templating"]["list"]:
        assert chinese(variable["label"])
        named |= names_in(variable["query"])
    assert named <= known_names
    assert len({panel["id"] for panel in panels}) == len(panels)
    used = {name.removesuffix("_bucket") for name in named}
    assert {metric.name for metric in METRICS} <= used, "what is measured is shown"


def test_the_alerts_name_only_metrics_that_exist_in_both_languages(known_names: set[str]) -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    for rule in rules:
        assert names_in(rule["expr"]) <= known_names, rule["alert"]
        assert names_in(rule["expr"]) or rule["expr"].startswith("up{")
        assert chinese(rule["annotations"]["summary"])
        assert chinese(rule["annotations"]["description"])
        assert rule["labels"]["severity"] in ("warning", "critical")
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 8


def test_the_codes_that_the_alerts_watch_exist() -> None:
    from servery import errors

    codes = {error.code for error in vars(errors).values() if hasattr(error, "http_status")}
    rules = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    watched = {code for found in re.findall(r'code=~"([^"]*)"', rules) for code in found.split("|")}
    assert {code for code in watched if not code.isdigit()} <= codes


def test_the_page_for_operators_names_every_metric_and_no_other() -> None:
    page = (DEPLOY.parent / "docs" / "operating.md").read_text()
    assert names_in(page) == {metric.name for metric in METRICS}
