"""The paths of the API server that are no resources: where it says who issues its tokens, and with which keys."""

import json
from typing import Any

import aiohttp

from modelberth.runtime.connection import Connection
from modelberth.runtime.credentials import CredentialsError
from modelberth.runtime.errors import ApiUnavailable, Unauthorized, error_from_answer
from modelberth.runtime.http_session import Observer, open_session

_SECONDS = 10.0


async def fetch(connection: Connection, path: str, *, observe: Observer | None = None) -> dict[str, Any]:
    """GET of a path, decoded. Asked for rarely, so each time with a session of its own.

    Raises:
        ApiError: the API server refuses or does not answer.
    """
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            await open_session(connection, observe=observe) as session,
            session.get(connection.server + path, timeout=timeout) as response,
        ):
            text = await response.text()
            if response.status >= 400:
                raise error_from_answer(response.status, text)
    except CredentialsError as error:
        raise Unauthorized(0, "NoCredentials", str(error)) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise ApiUnavailable(0, "NoAnswer", f"GET {path}: {type(error).__name__}") from error
    return _object(path, text)


def _object(path: str, text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ApiUnavailable(200, "NoObject", f"GET {path}: the answer is no JSON object")
    return document
