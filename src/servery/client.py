"""The SDK: ask a Servery server from Python, sync or async; needs neither torch nor numpy."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx
import msgspec

from servery.call import Call
from servery.errors import DeadlineError, InputError, NotReadyError, ServeryError
from servery.job_client import AsyncJobs, Jobs
from servery.prediction import Prediction
from servery.schemas import (
    VERSION,
    ErrorBody,
    ExplainResponse,
    ModelList,
    ModelObject,
    PredictResponse,
    Status,
    UsageEntry,
    UsageList,
)
from servery.settings import Settings

RETRIED = (429, 503)
LONGEST_PAUSE_SECONDS = 10.0
"""A server that asks for a longer one has its error raised at once: a used-up quota of the day, say."""

Message = TypeVar("Message")


Steps = Generator[Call | float, httpx.Response, httpx.Response]
"""What a conversation asks of its transport: send a call, or wait so many seconds."""


class _Core:
    """Builds the requests and reads the answers; the two clients only carry them."""

    def __init__(
        self, base_url: str | None, api_key: str | None, timeout_seconds: float, retries: int
    ) -> None:
        self.base_url = (base_url or os.environ.get("SERVERY_BASE_URL") or _local_url()).rstrip("/")
        self.retries = retries
        self.options: dict[str, Any] = {
            "base_url": self.base_url,
            "timeout": timeout_seconds,
            "trust_env": False,
            "headers": {"user-agent": f"servery-python/{VERSION}", **_authorization(api_key)},
        }

    def steps(self, call: Call) -> Steps:
        """Send a call, again after the pause the server asks for, and return its good answer.

        Raises:
            ServeryError: The server's error, as its own class.
        """
        for attempt in range(self.retries + 1):
            response = yield call
            pause = _pause_seconds(response, attempt)
            if (
                response.status_code not in RETRIED
                or attempt == self.retries
                or pause > LONGEST_PAUSE_SECONDS
            ):
                break
            yield pause
        if response.is_success:
            return response
        raise error_of(response)

    def asked(self, verb: str, model: str, inputs: Any, parameters: Mapping[str, Any]) -> Call:
        """Return the call of a prediction or explanation; one picture without parameters travels as it is."""
        path = f"/v1/models/{quote(model, safe='@')}/{verb}"
        wanted = {name: value for name, value in parameters.items() if value is not None}
        if isinstance(inputs, (bytes, bytearray, memoryview, Path)) and not wanted:
            content = _read(inputs)
            if isinstance(content, bytes):
                return Call("POST", path, content, "application/octet-stream")
        body = {"inputs": _plain(inputs), "parameters": wanted}
        try:
            return Call("POST", path, json.dumps(body, ensure_ascii=False, allow_nan=False).encode())
        except (TypeError, ValueError) as error:
            raise InputError(f"The inputs cannot be sent: {error}.", param="inputs") from error

    def prediction(self, response: httpx.Response) -> Prediction:
        """Read the answer of a prediction."""
        answer = _read_as(response, PredictResponse)
        return Prediction(answer.outputs, answer.model, answer.task, answer.usage, answer.warnings, answer.id)

    def unreachable(self, error: httpx.TransportError) -> ServeryError:
        """Return what a call that got no answer means."""
        if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
            return DeadlineError(
                f"{self.base_url} did not answer in time.",
                hint="Raise timeout_seconds, or send fewer inputs.",
            )
        return NotReadyError(f"No server answers at {self.base_url}: {error}.", hint="servery serve")


MODELS = Call("GET", "/v1/models")
STATUS = Call("GET", "/admin/v1/status")


def _model_call(model: str) -> Call:
    return Call("GET", f"/v1/models/{quote(model, safe='@')}")


def _usage_call(since: str, until: str, key: str, model: str, group: str) -> Call:
    asked = {"since": since, "until": until, "key": key, "model": model, "group": group}
    return Call("GET", f"/admin/v1/usage?{urlencode({n: v for n, v in asked.items() if v})}")


class Client:
    """Asks a server.

    Attributes:
        jobs: Many rows, answered in the background.

    Args:
        base_url: Where it is; None takes SERVERY_BASE_URL, else the address this machine's settings name.
        api_key: None takes SERVERY_API_KEY, else the admin key of this machine's data home, if it can be read.
        timeout_seconds: Longest wait for one answer.
        retries: How often a call is sent again when the server is busy (429, 503) and says when.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout_seconds: float = 30.0,
        *,
        retries: int = 2,
    ) -> None:
        self._core = _Core(base_url, api_key, timeout_seconds, retries)
        self._http = httpx.Client(**self._core.options)
        self.jobs = Jobs(self._send)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def models(self) -> list[ModelObject]:
        """Return every model that can be asked."""
        return _read_as(self._send(MODELS), ModelList).data

    def model(self, model: str) -> ModelObject:
        """Return one model with what it takes and gives.

        Raises:
            ModelNotFoundError: There is none of that id.
        """
        return _read_as(self._send(_model_call(model)), ModelObject)

    def status(self) -> list[dict[str, Any]]:
        """Return what every loaded version is doing, as `schemas.ReplicaStatus`; needs an admin key."""
        return _replicas(self._send(STATUS))

    def usage(
        self, *, since: str = "", until: str = "", key: str = "", model: str = "", group: str = "key,model"
    ) -> list[UsageEntry]:
        """Return what keys used; needs an admin key.

        Args:
            since: Only hours that begin at this moment or later, e.g. "2026-03-01", "2026-03-01T12:00:00Z" or "24h".
            until: Only hours that begin before this moment.
            key: Only this key, by its id or name.
            model: Only this model, "name" or "name@3".
            group: What to tell apart besides the unit: key, model, and one of hour, day and month.
        """
        return _read_as(self._send(_usage_call(since, until, key, model, group)), UsageList).data

    def predict(self, model: str, inputs: Any, **parameters: Any) -> Prediction:
        """Answer one input or a list of them.

        Args:
            model: "name", "name@3" or "name@alias".
            inputs: A text, a row as a dict, a picture as bytes or as the path of its file; or a list of these.
            **parameters: What the task allows to ask, e.g. `top_k=3`.

        Raises:
            ModelNotFoundError: There is no such model.
            InputError: The inputs are not what it takes.
            NotReadyError: No server answers.
        """
        return self._core.prediction(self._send(self._core.asked("predict", model, inputs, parameters)))

    def explain(
        self,
        model: str,
        inputs: Any,
        *,
        label: str | None = None,
        reasons: int = 0,
        counterfactual: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return why one input or each of a list got its answer.

        Args:
            model: "name", "name@3" or "name@alias".
            inputs: As for `predict`.
            label: What to explain; None explains the best label of each input.
            reasons: How many columns that speak against the label are said in words.
            counterfactual: What may change in the smallest change that turns the answer: `{"fixed": [columns],
                "limits": {column: {"min": ..., "max": ...}}, "label": wanted}`, each optional; None looks for none.

        Returns:
            One dict an input: `label`, its `score`, and `effects`, one a part of the input: by how much the score
            falls without it.

        Raises:
            InputError: The model's answers cannot be explained, or it has no such label.
        """
        asked = _explain_parameters(label, reasons, counterfactual)
        return _explanations(self._send(self._core.asked("explain", model, inputs, asked)))

    def text_classification(self, model: str, text: str, *, top_k: int | None = None) -> list[dict[str, Any]]:
        """Return the labels of a text with their scores, the best first."""
        return _labels(self.predict(model, text, top_k=top_k))

    def image_classification(
        self, model: str, image: bytes | Path, *, top_k: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the labels of a picture with their scores, the best first."""
        return _labels(self.predict(model, image, top_k=top_k))

    def tabular_classification(
        self, model: str, table: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]
    ) -> list[str]:
        """Return the best label of every row; `table` is columns of values or a list of rows."""
        return _best_labels(self.predict(model, _rows(table)))

    def _send(self, call: Call) -> httpx.Response:
        steps = self._core.steps(call)
        step = next(steps)
        try:
            while True:
                if isinstance(step, float):
                    time.sleep(step)
                    step = next(steps)
                else:
                    step = steps.send(self._http.request(**step.sent()))
        except StopIteration as done:
            response: httpx.Response = done.value
            return response
        except httpx.TransportError as error:
            raise self._core.unreachable(error) from error


class AsyncClient:
    """Asks a server from asyncio; the arguments and methods are those of `Client`, awaited."""

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout_seconds: float = 30.0,
        *,
        retries: int = 2,
    ) -> None:
        self._core = _Core(base_url, api_key, timeout_seconds, retries)
        self._http = httpx.AsyncClient(**self._core.options)
        self.jobs = AsyncJobs(self._send)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def models(self) -> list[ModelObject]:
        """Return every model that can be asked."""
        return _read_as(await self._send(MODELS), ModelList).data

    async def model(self, model: str) -> ModelObject:
        """Return one model; see `Client.model`."""
        return _read_as(await self._send(_model_call(model)), ModelObject)

    async def status(self) -> list[dict[str, Any]]:
        """Return what every loaded version is doing; see `Client.status`."""
        return _replicas(await self._send(STATUS))

    async def usage(
        self, *, since: str = "", until: str = "", key: str = "", model: str = "", group: str = "key,model"
    ) -> list[UsageEntry]:
        """Return what keys used; see `Client.usage`."""
        return _read_as(await self._send(_usage_call(since, until, key, model, group)), UsageList).data

    async def predict(self, model: str, inputs: Any, **parameters: Any) -> Prediction:
        """Answer one input or a list of them; see `Client.predict`."""
        call = self._core.asked("predict", model, inputs, parameters)
        return self._core.prediction(await self._send(call))

    async def explain(
        self,
        model: str,
        inputs: Any,
        *,
        label: str | None = None,
        reasons: int = 0,
        counterfactual: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return why one input or each of a list got its answer; see `Client.explain`."""
        asked = _explain_parameters(label, reasons, counterfactual)
        return _explanations(await self._send(self._core.asked("explain", model, inputs, asked)))

    async def text_classification(
        self, model: str, text: str, *, top_k: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the labels of a text with their scores, the best first."""
        return _labels(await self.predict(model, text, top_k=top_k))

    async def image_classification(
        self, model: str, image: bytes | Path, *, top_k: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the labels of a picture with their scores, the best first."""
        return _labels(await self.predict(model, image, top_k=top_k))

    async def tabular_classification(
        self, model: str, table: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]
    ) -> list[str]:
        """Return the best label of every row; see `Client.tabular_classification`."""
        return _best_labels(await self.predict(model, _rows(table)))

    async def _send(self, call: Call) -> httpx.Response:
        steps = self._core.steps(call)
        step = next(steps)
        while True:
            try:
                if isinstance(step, float):
                    await asyncio.sleep(step)
                    step = next(steps)
                else:
                    step = steps.send(await self._http.request(**step.sent(is_async=True)))
            except StopIteration as done:
                response: httpx.Response = done.value
                return response
            except httpx.TransportError as error:
                raise self._core.unreachable(error) from error


def error_of(response: httpx.Response) -> ServeryError:
    """Return the error of an answer that is not 2xx, as the class of its code."""
    try:
        told = msgspec.json.decode(response.content, type=ErrorBody).error
    except msgspec.DecodeError:
        error = ServeryError(f"The server answered {response.status_code} without saying why.")
    else:
        kind = {kind.code: kind for kind in _kinds(ServeryError)}.get(told.code, ServeryError)
        error = kind(told.message, hint=told.hint, param=told.param)
        error.request_id = told.request_id
    retry_after = response.headers.get("retry-after", "")
    error.retry_after_seconds = int(retry_after) if retry_after.isdigit() else None
    return error


def _explain_parameters(
    label: str | None, reasons: int, counterfactual: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {"label": label, "reasons": reasons or None, "counterfactual": counterfactual}


def _explanations(response: httpx.Response) -> list[dict[str, Any]]:
    return _read_as(response, ExplainResponse).explanations


def _kinds(root: type[ServeryError]) -> Iterator[type[ServeryError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)


def _authorization(api_key: str | None) -> dict[str, str]:
    key = api_key or os.environ.get("SERVERY_API_KEY") or _local_key()
    return {"authorization": f"Bearer {key}"} if key else {}


def _local_url() -> str:
    settings = Settings()
    return f"http://{settings.host}:{settings.port}"


def _local_key() -> str | None:
    try:
        return Settings().admin_key_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _pause_seconds(response: httpx.Response, attempt: int) -> float:
    asked = response.headers.get("retry-after", "")
    return float(asked) if asked.isdigit() else min(0.5 * 2.0**attempt, LONGEST_PAUSE_SECONDS)


def _read_as(response: httpx.Response, message: type[Message]) -> Message:
    try:
        return msgspec.json.decode(response.content, type=message)
    except msgspec.DecodeError as error:
        raise ServeryError(f"The server's answer cannot be read: {error}.") from error


def _replicas(response: httpx.Response) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = msgspec.to_builtins(_read_as(response, Status).replicas)
    return rows


def _read(source: bytes | bytearray | memoryview | Path) -> bytes | str:
    if not isinstance(source, Path):
        return bytes(source)
    try:
        return source.read_text(encoding="utf-8") if source.suffix == ".txt" else source.read_bytes()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The file {source} cannot be read: {error}.", param="inputs") from error


def _plain(value: Any) -> Any:
    """Return an input as plain JSON types: bytes in base64, numpy's arrays and numbers as Python's."""
    if isinstance(value, (bytes, bytearray, memoryview, Path)):
        content = _read(value)
        return base64.b64encode(content).decode("ascii") if isinstance(content, bytes) else content
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _rows(table: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]) -> Any:
    if isinstance(table, Mapping):
        return {"table": {name: list(values) for name, values in table.items()}}
    return list(table)


def _labels(prediction: Prediction) -> list[dict[str, Any]]:
    return list(prediction[0]["labels"])


def _best_labels(prediction: Prediction) -> list[str]:
    return [output["label"] for output in prediction]
