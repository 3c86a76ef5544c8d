"""Connections, and what errors say and keep to themselves."""

import base64
import socket
import ssl
import threading
import time
from contextlib import contextmanager

import pytest

from modelberth.transfer.errors import HttpFailure, TransferError, Unreachable
from modelberth.transfer.http import Http, describe, store_failure

QUERY = "X-Amz-Signature=secret"


@contextmanager
def server(*answers):
    """Answers each connection with the next of the given bytes; yields (port, requests of connections closed since)."""
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            for answer in answers:
                try:
                    connection, _ = listener.accept()
                except OSError:  # the test has failed already, and closed the listener
                    return
                with connection:
                    request = connection.recv(65536)
                    connection.sendall(answer)
                seen.append(request)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], seen
        thread.join()


def answer(body, status="200 OK", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.fixture
def http():
    with Http(timeout=30) as made:
        yield made


def test_a_redirect_is_an_error(http):
    """It is not followed, for it would carry our credentials elsewhere; and its body is not the answer."""
    moved = answer(b"moved", "302 Found", "Location: http://elsewhere/")
    with server(moved) as (port, _), pytest.raises(HttpFailure, match="HTTP 302"):
        http.call("GET", f"http://127.0.0.1:{port}/x")


def test_a_url_is_shown_without_its_query_and_user():
    """What authorises is never shown."""
    assert describe(f"https://user:pass@host:9000/bucket/key?{QUERY}") == "https://host:9000/bucket/key"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error": {"code": "VersionTaken", "message": "v4 is taken"}}', "v4 is taken (HTTP 409 VersionTaken)"),
        (b'{"kind": "Status", "reason": "AlreadyExists", "message": "it is."}', "it is (HTTP 409 AlreadyExists)"),
        (b"<Error><Code>AccessDenied</Code><StringToSign>secret</StringToSign></Error>", "URL: HTTP 409 AccessDenied"),
        (b"<html>secret</html>", "URL: HTTP 409"),
        (b"[]", "URL: HTTP 409"),
    ],
)
def test_an_error_has_the_other_sides_words_and_no_more(http, body, expected):
    """The sentence and code of a JSON error, without a URL. Who gives no sentence is named by the URL."""
    with server(answer(body, "409 Conflict")) as (port, _), pytest.raises(HttpFailure) as caught:
        http.call("GET", f"http://127.0.0.1:{port}/x?{QUERY}")
    assert str(caught.value) == expected.replace("URL", f"http://127.0.0.1:{port}/x")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<Error><Code>AccessDenied</Code><StringToSign>secret</StringToSign></Error>", "it: HTTP 403 AccessDenied"),
        (b'{"error": {"code": "secret", "message": "cannot reach /b/k?X-Amz-Signature=secret"}}', "it: HTTP 403"),
        (b'{"reason": "secret", "detail": "no upstream for /b/k?X-Amz-Signature=secret"}', "it: HTTP 403"),
        (b"<html>secret</html>", "it: HTTP 403"),
    ],
)
def test_whoever_answers_for_the_store_gets_no_word_in(http, body, expected):
    """Of the answer to a signed request only the store's code is taken: a gateway's sentence may repeat the request."""
    with (
        server(answer(body, "403 Forbidden")) as (port, _),
        http.send("GET", f"http://127.0.0.1:{port}/x?{QUERY}") as response,
    ):
        failed = store_failure("it", response)
    assert (str(failed), failed.reason) == (expected, "")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
)
def test_a_broken_answer_is_unreachable_without_secrets(http, raw):
    """Whatever goes wrong below HTTP becomes one kind of error that may be tried again."""
    with server(raw) as (port, _), pytest.raises(Unreachable) as caught:
        http.call("GET", f"http://127.0.0.1:{port}/x?{QUERY}")
    assert "secret" not in str(caught.value)


def test_refused_and_unresolvable_and_untrusted_are_told_apart(http):
    """The sentence says what to look at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="refused"):
        http.call("GET", f"http://127.0.0.1:{port}/")
    with pytest.raises(Unreachable, match="does not resolve"):
        http.call("GET", "http://name.invalid/")
    with server(b"not tls") as (port, _), pytest.raises(Unreachable):
        http.call("GET", f"https://127.0.0.1:{port}/")
    with pytest.raises(TransferError, match="not an http or https URL"):
        http.call("GET", "ftp://host/")


def test_a_connection_that_the_server_closed_is_not_used_again(http):
    """An idle connection that has ended is replaced before anything is sent on it."""
    with server(answer(b"one"), answer(b"two")) as (port, seen):
        assert http.call("GET", f"http://127.0.0.1:{port}/") == b"one"
        while not seen:  # until the server has closed the connection
            time.sleep(0.01)
        assert http.call("GET", f"http://127.0.0.1:{port}/") == b"two"
    assert len(seen) == 2


def test_headers_may_come_several_times(http):
    """Impersonation groups are several headers of one name."""
    with server(answer(b"")) as (port, seen):
        http.call("GET", f"http://127.0.0.1:{port}/", headers=[("Impersonate-Group", "a"), ("Impersonate-Group", "b")])
    assert seen[0].count(b"Impersonate-Group: ") == 2


def test_a_proxy_is_asked_for_a_tunnel():
    """With the name and password of its URL, which the server behind it never sees."""
    with server(b"HTTP/1.1 403 Forbidden\r\n\r\n") as (port, seen):
        proxy = f"http://jane:p%40ss@127.0.0.1:{port}"
        tls = ssl.create_default_context()
        with Http(tls=tls, timeout=30, proxy_for=lambda _: proxy) as http, pytest.raises(Unreachable) as caught:
            http.call("GET", "https://registry.example/x")
    assert seen[0].startswith(b"CONNECT registry.example:443 HTTP/1.")
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"jane:p@ss") in seen[0]
    assert "p@ss" not in str(caught.value)


def test_an_answer_beyond_its_limit_is_refused(http):
    """A server cannot fill the memory."""
    with server(answer(b"x" * 1000)) as (port, _), pytest.raises(TransferError, match="more than 100 bytes"):
        http.call("GET", f"http://127.0.0.1:{port}/", limit=100)
