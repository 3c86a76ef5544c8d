"""What the API server can answer besides yes. Each error keeps the server's own words: they go into conditions."""

# ruff: noqa: N818 (named after the API server's own reasons)
from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The API server refused or could not answer.

    Attributes:
        status: the HTTP status; 0 when there was no answer at all.
        reason: the machine-readable reason of the server's Status object (`Conflict`, `Invalid`, …), "" if none.
        message: the server's own sentence.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status={self.status}, reason={self.reason!r}, message={self.message!r})"


class Unauthorized(ApiError):
    """401: the credentials are missing, expired or wrong."""


class Forbidden(ApiError):
    """403: RBAC or an admission policy says no."""


class NotFound(ApiError):
    """404: no such object, or the resource itself is not served (its CRD is missing)."""


class AlreadyExists(ApiError):
    """409 on create: an object of that name is there."""


class Conflict(ApiError):
    """409, or a wrong `uid` in an apply: the object is not the one that was observed. Observe again."""


class Gone(ApiError):
    """410: the resource version or the page asked for is too old. List again."""


class Invalid(ApiError):
    """422 or 400: the object itself is wrong; the same request can never succeed."""


class TooManyRequests(ApiError):
    """429: the server sheds load. `retry_after` is in seconds."""

    def __init__(self, status: int, reason: str, message: str, *, retry_after: float) -> None:
        super().__init__(status, reason, message)
        self.retry_after = retry_after


class ApiUnavailable(ApiError):
    """No answer (connection, time-out: status 0) or a 5xx. A write may have happened all the same."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: Invalid,
    415: Invalid,
    422: Invalid,
}
_DEFAULT_RETRY_AFTER = 1.0
_UNTYPED_PATCH = "failed to create typed patch object"
"""How an API server (1.36) begins its answer to an apply with an unknown field or a value of another type: with 500."""


def error_from_answer(status: int, body: Any, *, retry_after: str | None = None) -> ApiError:
    """The error for an HTTP answer of 400 or more.

    Args:
        status: the HTTP status.
        body: the decoded JSON body (a `Status` object when the API server itself answered), or its text.
        retry_after: the `Retry-After` header, in seconds; other forms of it are ignored.
    """
    reason, message = _words(status, body)
    if status == 429:
        return TooManyRequests(status, reason, message, retry_after=_seconds(retry_after))
    if status == 500 and message.startswith(_UNTYPED_PATCH):
        return Invalid(status, reason, message)
    if status >= 500:
        return ApiUnavailable(status, reason, message)
    if reason == "AlreadyExists":
        return AlreadyExists(status, reason, message)
    if status == 422 and _only_the_uid_differs(body):
        return Conflict(status, reason, message)
    return _BY_STATUS.get(status, ApiError)(status, reason, message)


def _words(status: int, body: Any) -> tuple[str, str]:
    if isinstance(body, dict):
        return str(body.get("reason") or ""), str(body.get("message") or f"HTTP status {status}")
    text = str(body or "").strip()
    return "", text[:500] or f"HTTP status {status}"


def _seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header)) if header else _DEFAULT_RETRY_AFTER
    except ValueError:
        return _DEFAULT_RETRY_AFTER


def _only_the_uid_differs(body: Any) -> bool:
    """An apply that carries a `uid` as its precondition is answered with 422 when the object was recreated."""
    causes = ((body.get("details") or {}).get("causes") or []) if isinstance(body, dict) else []
    return bool(causes) and all(cause.get("field") == "metadata.uid" for cause in causes)
