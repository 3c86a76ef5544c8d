"""Refusals as the HTTP API says them: `{"error": {"code", "message"}}`, each with its status."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelberth.content.errors import FormatError, TooLarge
from modelberth.runtime.errors import ApiError
from modelberth.store.errors import NotFound, StoreError, StoreUnavailable, Tampered, VersionTaken

RETRY_SECONDS = 2


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 (RFC 9457's word)
    """A request that is not answered with what it asked for.

    Attributes:
        status: the HTTP status.
        code: one CamelCase word for programs.
        message: names the field and the mend; never holds a secret.
        headers: of the answer.
    """

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


def unauthorized() -> Problem:
    """One answer for every token or session that does not count, so that trying teaches nothing."""
    return Problem(
        401,
        "Unauthorized",
        "no valid token or session: pods show a token for the audience modelberth as 'Authorization: Bearer …', "
        "users a TransferSession of the namespace as 'Modelberth-Session: name.secret'",
        {"WWW-Authenticate": 'Bearer realm="modelberth"'},
    )


def forbidden(message: str) -> Problem:
    """The caller is known and may not do that."""
    return Problem(403, "Forbidden", message)


def no_content(digest: str) -> Problem:
    """One answer for content that nobody has and for content of another namespace."""
    return Problem(404, "ContentNotFound", f"content {digest} is not in this namespace: push it first")


def busy(message: str, seconds: float = RETRY_SECONDS) -> Problem:
    """Too much at once; the same request will do later."""
    return Problem(429, "TooManyRequests", message, {"Retry-After": str(max(1, round(seconds)))})


def unavailable(code: str, message: str) -> Problem:
    """Something we need does not answer; the same request will do later."""
    return Problem(503, code, message, {"Retry-After": str(RETRY_SECONDS)})


def from_store(error: StoreError) -> Problem:
    """What an error of the store means to a caller."""
    match error:
        case StoreUnavailable():
            return unavailable("StoreUnavailable", str(error))
        case NotFound():
            return Problem(404, "NotFound", str(error))
        case VersionTaken():
            return Problem(409, "VersionTaken", str(error))
        case Tampered():
            return Problem(500, "Tampered", str(error))
        case _:
            return unavailable("StoreDenied", str(error))


def from_format(error: FormatError) -> Problem:
    """What an error of a format means to a caller."""
    if isinstance(error, TooLarge):
        return Problem(413, "TooLarge", str(error))
    return Problem(400, "Invalid", str(error))


def from_api_server(error: ApiError) -> Problem:
    """The API server did not do what we asked: never the caller's fault."""
    return unavailable("KubernetesUnavailable", f"the API server does not answer the registry: {error.message}")
