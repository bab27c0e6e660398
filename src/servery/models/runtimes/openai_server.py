"""Models behind another server that speaks OpenAI's language (vLLM, SGLang, llama.cpp, Ollama, another Servery)."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from servery.errors import (
    ArtifactError,
    InputError,
    NotReadyError,
    OverloadedError,
    ServeryError,
)
from servery.models.encoder import Batch
from servery.models.growing import GrowingRuntime, Growth
from servery.models.remote_text import RemoteText
from servery.tasks.generated_text import DEFAULT_TOKENS, TextGenerationParameters
from servery.tasks.growing import Piece
from servery.tasks.task import Parameters

WAIT_SECONDS = 0.02
"""How long a step waits for news: so long do newcomers wait to be sent on."""
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 600.0
"""Longest pause of a server within an answer; the request's own deadline is usually sooner."""
LONGEST_EVENT = 2**20
DEFAULT_PATH = "/v1"
NEUTRAL = {
    "top_k": None,
    "repetition_penalty": 1.0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
    "top_p": 1.0,
}
"""Not sent while they ask for nothing: not every server knows all of them."""


class OpenAIServer(GrowingRuntime):
    """Sends prompts on and hands back what comes, side by side; nothing is computed here.

    Only who may register models chooses the address. It is called as it stands: no redirect is followed, no proxy or
    netrc of the environment is used.

    Args:
        address: Of the server, e.g. "http://gpu-box:8000/v1".
        model: What the server calls the model.
        key_variable: The environment variable that holds the server's key; empty for none.

    Raises:
        InputError: The address can be none.
        ArtifactError: The environment variable is not set.
    """

    name = "openai_server"

    def __init__(self, address: str, model: str, key_variable: str = "") -> None:
        self.address = checked_address(address)
        self.model = model
        self.key_variable = key_variable
        headers = {}
        if key_variable:
            key = os.environ.get(key_variable, "")
            if not key:
                raise ArtifactError(
                    f"The environment variable {key_variable}, which holds the key of {self.address}, is not set.",
                    hint=f"export {key_variable}=...",
                )
            headers["authorization"] = f"Bearer {key}"
        timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
        self._client = httpx.Client(headers=headers, timeout=timeout, trust_env=False)
        self._has_news = threading.Event()

    def models(self) -> frozenset[str]:
        """Ask the server for the names of its models.

        Raises:
            NotReadyError: It cannot be reached, or answers with something else.
        """
        try:
            answer = self._client.get(f"{self.address}/models", timeout=CONNECT_SECONDS)
            _refuse_status(answer.status_code, answer.content)
            return frozenset(str(model["id"]) for model in answer.json()["data"])
        except httpx.HTTPError as error:
            raise _unreachable(self.address, error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise NotReadyError(
                f"{self.address}/models gives no list of models.", hint="is it an OpenAI-compatible server?"
            ) from error

    def run(self, batch: Batch) -> np.ndarray:
        """Refuse: only the server knows its logits.

        Raises:
            ServeryError: Always.
        """
        raise ServeryError("A model behind another server tells no chances of whole texts.")

    def begin(self, batch: Batch, parameters: Parameters) -> RemoteText:
        """Return a text that is about to grow; it is sent with its first step."""
        assert isinstance(parameters, TextGenerationParameters)
        return RemoteText(json.loads(batch["prompts"][0]), parameters, self._has_news)

    def step(self, growths: Sequence[Growth]) -> list[Piece | Exception | None]:
        """Hand on what has come of each text; wait a moment where nothing has."""
        texts = [growth for growth in growths if isinstance(growth, RemoteText)]
        for text in texts:
            text.begin(self._events, self._body(text))
        self._has_news.wait(WAIT_SECONDS)
        self._has_news.clear()
        return [text.take() for text in texts]

    def end(self, growths: Sequence[Growth]) -> None:
        """Leave them: their connections are closed with the next event."""
        for growth in growths:
            assert isinstance(growth, RemoteText)
            growth.is_left = True

    def warm_up(self, batch: Batch, parameters: Parameters) -> None:
        """Ask nothing: a server that is away for a while must not keep the model from being registered."""
        return

    def _body(self, text: RemoteText) -> dict[str, Any]:
        asked, is_chat = text.parameters, "messages" in text.prompt
        body: dict[str, Any] = {
            **text.prompt,
            "model": self.model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": asked.max_tokens or DEFAULT_TOKENS,
            "temperature": asked.temperature,
            "seed": text.seed,
        }
        body |= {
            name: value for name, neutral in NEUTRAL.items() if (value := getattr(asked, name)) != neutral
        }
        if asked.stops:
            body["stop"] = list(asked.stops)
        if asked.logit_bias:
            body["logit_bias"] = asked.logit_bias
        if asked.logprobs is not None:
            chat = {"logprobs": True, "top_logprobs": asked.logprobs}
            body |= chat if is_chat else {"logprobs": asked.logprobs}
        return body

    def _events(self, body: Mapping[str, Any], text: RemoteText) -> Iterator[Mapping[str, Any]]:
        path = "chat/completions" if "messages" in body else "completions"
        try:
            with self._client.stream("POST", f"{self.address}/{path}", json=dict(body)) as answer:
                if answer.status_code != 200:
                    _refuse_status(answer.status_code, answer.read()[:LONGEST_EVENT])
                for line in _lines(answer):
                    if text.is_left or line == "data: [DONE]":
                        return
                    if line.startswith("data:"):
                        yield _event(line.removeprefix("data:"))
        except httpx.HTTPError as error:
            raise _unreachable(self.address, error) from error

    def save(self, folder: Path) -> None:
        """Write nothing: what is needed stands in the options."""
        return

    def options(self) -> dict[str, Any]:
        """Return the address, the model and where its key is found, never the key."""
        return {"address": self.address, "model": self.model, "key_variable": self.key_variable}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> OpenAIServer:
        """Make a client; the server is not asked yet.

        Raises:
            ArtifactError: The options are torn, or the key is missing.
        """
        try:
            return cls(str(options["address"]), str(options["model"]), str(options["key_variable"]))
        except (KeyError, InputError) as error:
            raise ArtifactError(f"The options of the runtime 'openai_server' are torn: {error}.") from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def checked_address(text: str) -> str:
    """Return the address of a server without a slash at its end.

    Raises:
        InputError: It can be none.

    >>> checked_address("http://gpu-box:8000")
    'http://gpu-box:8000/v1'
    """
    try:
        url = httpx.URL(text)
        is_whole = (
            url.scheme in ("http", "https")
            and bool(url.host)
            and not (url.userinfo or url.query or url.fragment)
        )
    except httpx.InvalidURL:
        is_whole = False
    if not is_whole:
        raise InputError(
            f"{text[:200]!r} can be no server's address.",
            hint="http://gpu-box:8000/v1; a key goes into an environment variable, see --key-variable",
            param="source",
        )
    return str(url.copy_with(path=url.path.rstrip("/") or DEFAULT_PATH)).rstrip("/")


def _lines(answer: httpx.Response) -> Iterator[str]:
    for line in answer.iter_lines():
        if len(line) > LONGEST_EVENT:
            raise NotReadyError("The model's server sends events that are too long.")
        yield line


def _event(text: str) -> Mapping[str, Any]:
    event = json.loads(text)
    if not isinstance(event, dict):
        raise NotReadyError("The model's server sends what is no event.")
    if event.get("error"):
        raise NotReadyError(f"The model's server broke off: {_message(event)}")
    return event


def _refuse_status(status: int, body: bytes) -> None:
    """Raise what a server's refusal means here.

    Raises:
        InputError: The request is at fault.
        OverloadedError: It has too much to do.
        NotReadyError: The server is at fault, or knows neither the key nor the model.
    """
    if status == 200:
        return
    try:
        said = _message(json.loads(body))
    except ValueError:
        said = ""
    if status in (400, 413, 422):
        raise InputError(f"The model's server refuses this: {said or status}")
    if status == 429:
        raise OverloadedError(f"The model's server has too much to do: {said or status}")
    raise NotReadyError(f"The model's server answers with status {status}: {said}")


def _message(value: Any) -> str:
    error = value.get("error", value) if isinstance(value, dict) else value
    said = error.get("message", error) if isinstance(error, dict) else error
    return str(said)[:500]


def _unreachable(address: str, error: httpx.HTTPError) -> NotReadyError:
    return NotReadyError(f"The model's server at {address} cannot be reached: {type(error).__name__}.")


RUNTIME = OpenAIServer
