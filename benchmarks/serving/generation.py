"""Tokens a second at 1, 8 and 32 streams, in process and over HTTP, against transformers' generate one at a time.

Run: `OMP_NUM_THREADS=1 python benchmarks/serving/generation.py [--http]`. One run, same weights, same prompts, greedy.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import torch

from servery.models.predictor import Predictor
from servery.tasks.generated_text import TextGenerationParameters

TESTS = Path(__file__).parents[2] / "tests" / "gateway"
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {},
    "10M": {
        "hidden_size": 320,
        "inner_size": 864,
        "num_layers": 8,
        "heads": 10,
        "key_value_heads": 5,
        "head_size": 32,
        "context_tokens": 1024,
    },
}
STREAMS = (1, 8, 32)
TOKENS = 96
NEVER = {"1": -100.0}
"""The end token, so that every text has all its tokens."""


def load(name: str) -> Any:
    """Return a module of the tests' house."""
    spec = importlib.util.spec_from_file_location(f"bench_{Path(name).name}", TESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def prompts(streams: int) -> list[dict[str, Any]]:
    return [{"text": f"{place}: Once upon a time there was"} for place in range(streams)]


def in_process(model: Predictor, streams: int) -> float:
    """Return tokens a second of the runtime alone."""
    parameters = TextGenerationParameters(temperature=0, max_tokens=TOKENS, logit_bias=NEVER)
    started = time.perf_counter()
    model.predict(prompts(streams), parameters)
    return streams * TOKENS / (time.perf_counter() - started)


def transformers_one_at_a_time(folder: Path, count: int = 2) -> float:
    """Return tokens a second of `generate`, one prompt after the other."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    asked = [tokenizer(prompt["text"], return_tensors="pt") for prompt in prompts(count)]
    options = {"min_new_tokens": TOKENS, "max_new_tokens": TOKENS, "do_sample": False}
    with torch.inference_mode():
        model.generate(**asked[0], **options)
        started = time.perf_counter()
        for one in asked:
            model.generate(**one, **options)
        return count * TOKENS / (time.perf_counter() - started)


async def over_http(url: str, key: str, streams: int) -> tuple[float, float]:
    """Return tokens a second of streams over HTTP, and the median milliseconds to the first of them."""
    firsts: list[float] = []

    async def one(client: httpx.AsyncClient, prompt: str) -> int:
        body = {"model": "bench", "prompt": prompt, "max_tokens": TOKENS, "temperature": 0}
        body |= {"stream": True, "stream_options": {"include_usage": True}, "logit_bias": NEVER}
        started = time.perf_counter()
        last = "{}"
        async with client.stream("POST", "/v1/completions", json=body) as answer:
            assert answer.status_code == 200
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    if last == "{}":
                        firsts.append(time.perf_counter() - started)
                    last = line[6:]
        return int(json.loads(last)["usage"]["completion_tokens"])

    limits = httpx.Limits(max_connections=streams)
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=600, limits=limits) as client:
        started = time.perf_counter()
        made = await asyncio.gather(*(one(client, prompt["text"]) for prompt in prompts(streams)))
        rate = sum(made) / (time.perf_counter() - started)
    return rate, sorted(firsts)[len(firsts) // 2] * 1000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", action="store_true", help="measure streams over HTTP too")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"one thread; load average {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores; best of {asked.rounds}"
    )
    for name, changes in SIZES.items():
        model: Predictor = load("rooms/scribe").scribe(**changes)
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder))
            theirs = max(transformers_one_at_a_time(Path(folder)) for _ in range(asked.rounds))
        print(f"{name}: transformers generate, one at a time: {theirs:.0f} tokens/s")
        for streams in STREAMS:
            rate = max(in_process(model, streams) for _ in range(asked.rounds))
            print(f"{name}: {streams} in process: {rate:.0f} tokens/s, {rate / theirs:.1f}x")
        if asked.http:
            _http(name, model, theirs, asked.rounds)


def _http(name: str, model: Predictor, theirs: float, rounds: int) -> None:
    house = load("house")
    with tempfile.TemporaryDirectory() as folder, house.open_home(Path(folder) / "home") as home:
        home.register("bench", model, "production")
        key = home.key("bench", "predict")
        server = house.ServerProcess(home.folder, {})
        try:
            server.wait_until_ready(60)
            for streams in STREAMS:
                found = [asyncio.run(over_http(server.url, key, streams)) for _ in range(rounds)]
                rate, first_ms = max(found)
                print(
                    f"{name}: {streams} over HTTP: {rate:.0f} tokens/s, {rate / theirs:.1f}x, first {first_ms:.0f} ms"
                )
        finally:
            server.stop()


if __name__ == "__main__":
    main()
