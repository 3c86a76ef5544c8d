"""Why a transfer did not go through. Messages carry no tokens and no query of a signed URL."""


class TransferError(Exception):
    """A push, load or verification failed; the message is for the person who asked for it."""


class Unreachable(TransferError):  # noqa: N818 (a condition that may pass)
    """No complete answer came: refused or broken connection, time-out, name that does not resolve."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


class HttpFailure(TransferError):  # noqa: N818 (the other side's answer)
    """An answer of 400 or more, in the other side's own words; only where it gave none, with the URL that was asked.

    Attributes:
        status: the HTTP status.
        code: the error code of the registry (`CamelCase`), of the store, or of the API server; "" if none.
        reason: the other side's own sentence, or "".
        retry_after: seconds it asks to wait, or None.
    """

    def __init__(
        self, where: str, status: int, *, code: str = "", reason: str = "", retry_after: float | None = None
    ) -> None:
        answer = f"HTTP {status} {code}".rstrip()
        super().__init__(f"{reason.rstrip('.')} ({answer})" if reason else f"{where}: {answer}")
        self.status = status
        self.code = code
        self.reason = reason
        self.retry_after = retry_after


class SourceRefused(TransferError):  # noqa: N818 (what happened to the folder)
    """A file or link in the pushed folder cannot be part of a version; the message names its path."""


class Damaged(TransferError):  # noqa: N818 (the state of the object)
    """An object of the store is not what its name says; the message names it and how it differs.

    Attributes:
        kind: tampered, truncated, missing or swapped.
    """

    def __init__(self, name: str, kind: str, why: str) -> None:
        super().__init__(f"object {name} is {kind}: {why}")
        self.kind = kind
