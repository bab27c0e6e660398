"""Every error a user of Servery can meet, in one tree, each with a stable code and an HTTP status.

ServeryError                      internal                 500
├── DataError                     data.invalid             422   the data set is wrong
│   ├── DataNotFoundError         data.not_found           404   no such file
│   ├── ColumnNotFoundError       data.column_not_found    422
│   ├── BadRowsError              data.bad_rows            422
│   ├── EmptyDataError            data.empty               422
│   └── UntrustworthyError        data.untrustworthy       409   a leak is suspected
├── InputError                    input.invalid            422   one request is wrong
│   ├── UsageError                usage                    400   the command line was used wrongly
│   ├── MalformedError            input.malformed          400
│   ├── TooLongError              input.too_long           422
│   ├── TooLargeError             input.too_large          413
│   ├── HeaderTooLargeError       input.header_too_large   431
│   ├── TooSlowError              input.too_slow           408
│   ├── UnsupportedMediaError     input.unsupported_media  415
│   ├── UnsupportedParameterError input.unsupported        400   a parameter that other servers may know
│   └── ModelTaskError            model.task               400   the model exists, but answers other questions
├── NotFoundError                 not_found                404
│   ├── ModelNotFoundError        model.not_found          404
│   ├── RouteNotFoundError        route.not_found          404
│   └── UnknownNameError          name.unknown             404   field, task, recipe, data set ...
├── MethodNotAllowedError         route.method_not_allowed 405
├── UnauthenticatedError          access.key_missing       401
├── ForbiddenError                access.forbidden         403
├── ConflictError                 conflict                 409
├── QuotaError                    quota.exceeded           429   so much a day, a month or altogether
│   └── RateLimitError            rate.exceeded            429   so much a minute
├── OverloadedError               server.overloaded        503
├── NotReadyError                 server.not_ready         503
├── DeadlineError                 request.deadline         504
├── CancelledError                request.cancelled        499
├── ArtifactError                 artifact.invalid         422   a model folder is torn, hostile or unknown
├── ModelLoadError                model.load               500
├── ModelCrashedError             model.crashed            503   its own process died or hung, and comes back
├── NonFiniteError                model.non_finite         500
├── TrainingError                 training.failed          500
│   └── InterruptedTrainingError  training.interrupted     503   saved; the same command continues
├── ShapeError                    shape.mismatch           500
├── StorageError                  storage.failed           507
└── MissingExtraError             extra.missing            501   an optional library is not installed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, ClassVar


class ServeryError(Exception):
    """Something a user should read: what came, what was expected, what to do next.

    Args:
        message: One or two sentences, with the values that caused it.
        hint: What to do next; on the command line it is printed as a `Try:` line, so it may be a command.
        param: The request field or option at fault, as a JSON pointer or an option's name.

    >>> ServeryError("the disk is full", hint="servery doctor").body("r1")["error"]["code"]
    'internal'
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "server_error"

    retry_after_seconds: int | None = None
    """When asking again may help; sent as `Retry-After`."""
    request_id: str | None = None
    """Of the request that failed, where a server told it."""

    def __init__(self, message: str, *, hint: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.param = param

    def body(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the error object that goes on the wire (OpenAI's shape, with hint and request id)."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
                "hint": self.hint,
                "request_id": request_id,
            }
        }


class DataError(ServeryError):
    """The data set cannot be used as it is."""

    code = "data.invalid"
    http_status = 422
    exit_code = 7
    kind = "invalid_request_error"


class DataNotFoundError(DataError):
    """There is no file or folder of that name."""

    code = "data.not_found"
    http_status = 404
    exit_code = 5


class ColumnNotFoundError(DataError):
    """A named column is not in the data."""

    code = "data.column_not_found"


class BadRowsError(DataError):
    """Rows could not be read, and nobody allowed leaving them out."""

    code = "data.bad_rows"


class EmptyDataError(DataError):
    """There is nothing to learn from."""

    code = "data.empty"


class UntrustworthyError(DataError):
    """A check found that a score on this data would not be worth believing."""

    code = "data.untrustworthy"
    http_status = 409


class InputError(ServeryError):
    """A request's content is wrong."""

    code = "input.invalid"
    http_status = 422
    exit_code = 7
    kind = "invalid_request_error"


class UsageError(InputError):
    """An option of the command line is missing or cannot be read."""

    code = "usage"
    http_status = 400
    exit_code = 2


class MalformedError(InputError):
    """The body cannot be decoded at all."""

    code = "input.malformed"
    http_status = 400


class TooLongError(InputError):
    """A text or list is longer than the model accepts."""

    code = "input.too_long"


class TooLargeError(InputError):
    """A body or picture is larger than the server accepts."""

    code = "input.too_large"
    http_status = 413


class HeaderTooLargeError(InputError):
    """The request's header is larger than the server accepts."""

    code = "input.header_too_large"
    http_status = 431


class TooSlowError(InputError):
    """The request took too long to arrive."""

    code = "input.too_slow"
    http_status = 408


class UnsupportedMediaError(InputError):
    """The content type or encoding is not one this route reads."""

    code = "input.unsupported_media"
    http_status = 415


class UnsupportedParameterError(InputError):
    """The protocol knows this parameter; nothing here can do what it asks."""

    code = "input.unsupported"
    http_status = 400


class ModelTaskError(InputError):
    """The model exists, but this is no question it answers."""

    code = "model.task"
    http_status = 400


class NotFoundError(ServeryError):
    """What was asked for is not here."""

    code = "not_found"
    http_status = 404
    exit_code = 5
    kind = "invalid_request_error"


class ModelNotFoundError(NotFoundError):
    """No model, version or alias of that name."""

    code = "model.not_found"


class RouteNotFoundError(NotFoundError):
    """No route of that path."""

    code = "route.not_found"


class UnknownNameError(NotFoundError):
    """No field, task, recipe or data set of that name.

    >>> print(UnknownNameError.among("field", "sumarization", ["summarization"]).message)
    There is no field 'sumarization'. Known: summarization. Did you mean 'summarization'?
    """

    code = "name.unknown"

    @classmethod
    def among(cls, noun: str, name: str, known: Iterable[str]) -> UnknownNameError:
        """Build the error with the known names and the nearest one."""
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        return cls(f"There is no {noun} {name!r}. Known: {', '.join(names) or 'none'}.{guess}", param=noun)


class MethodNotAllowedError(ServeryError):
    """The route exists, but not for this method."""

    code = "route.method_not_allowed"
    http_status = 405
    kind = "invalid_request_error"


class UnauthenticatedError(ServeryError):
    """No key, or one that is unknown, expired or revoked."""

    code = "access.key_missing"
    http_status = 401
    exit_code = 4
    kind = "authentication_error"


class ForbiddenError(ServeryError):
    """The key is known, but its scopes do not allow this."""

    code = "access.forbidden"
    http_status = 403
    exit_code = 4
    kind = "permission_error"


class ConflictError(ServeryError):
    """The change does not fit the present state."""

    code = "conflict"
    http_status = 409
    exit_code = 6
    kind = "invalid_request_error"


class QuotaError(ServeryError):
    """A quota of the key is used up."""

    code = "quota.exceeded"
    http_status = 429
    exit_code = 6
    kind = "rate_limit_error"


class RateLimitError(QuotaError):
    """The key asks faster than it may; it frees again within a minute."""

    code = "rate.exceeded"


class OverloadedError(ServeryError):
    """The queue is full; the request was refused before any work."""

    code = "server.overloaded"
    http_status = 503


class NotReadyError(ServeryError):
    """The server is starting or draining."""

    code = "server.not_ready"
    http_status = 503


class DeadlineError(ServeryError):
    """The request's deadline passed before its answer was ready."""

    code = "request.deadline"
    http_status = 504
    kind = "timeout_error"


class CancelledError(ServeryError):
    """The client went away; its work was dropped."""

    code = "request.cancelled"
    http_status = 499


class ArtifactError(ServeryError):
    """A model folder is torn, hostile or of an unknown format."""

    code = "artifact.invalid"
    http_status = 422


class ModelLoadError(ServeryError):
    """A version could not be brought up; the one before keeps serving."""

    code = "model.load"


class ModelCrashedError(ServeryError):
    """The process of an isolated model died or was stopped while it answered; it is started again."""

    code = "model.crashed"
    http_status = 503


class NonFiniteError(ServeryError):
    """The model produced NaN or infinity; it is never sent as an answer."""

    code = "model.non_finite"


class TrainingError(ServeryError):
    """Training could not go on."""

    code = "training.failed"


class InterruptedTrainingError(TrainingError):
    """Training was stopped from outside and saved; the same command continues it."""

    code = "training.interrupted"
    http_status = 503
    exit_code = 130


class ShapeError(ServeryError):
    """Two arrays do not fit together."""

    code = "shape.mismatch"


class StorageError(ServeryError):
    """A write to the database or the files did not succeed."""

    code = "storage.failed"
    http_status = 507


class MissingExtraError(ServeryError):
    """An optional library is needed for this.

    >>> MissingExtraError.named("onnx").hint
    "pip install 'servery[onnx]'"
    """

    code = "extra.missing"
    http_status = 501

    @classmethod
    def named(cls, extra: str) -> MissingExtraError:
        """Build the error with the install command for one extra."""
        return cls(
            f"This needs the optional part '{extra}', which is not installed.",
            hint=f"pip install 'servery[{extra}]'",
        )
