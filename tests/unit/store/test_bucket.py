"""The one module that wraps minio, against an S3 service with faults."""

import hashlib
import socket

import pytest

from modelberth.store import bucket as bucket_module
from modelberth.store import connection as connection_module
from modelberth.store.bucket import Bucket
from modelberth.store.connection import Endpoint, KeyFiles, KeyPair
from modelberth.store.errors import NotFound, StoreDenied, StoreUnavailable, Tampered


class TestPutIfAbsent:
    async def test_the_first_one_stays(self, bucket, s3):
        """The second writer is told that its object is not the one that is there."""
        assert await bucket.put_if_absent("key", b"first")
        assert not await bucket.put_if_absent("key", b"second")
        assert s3.objects["key"].body == b"first"

    async def test_a_lost_answer_is_still_a_success(self, bucket, s3):
        """When the store wrote our object and the answer was lost, the retry's 412 is recognised as our own write."""
        s3.lose()
        assert await bucket.put_if_absent("key", b"mine")
        assert [method for method, _ in s3.requests] == ["PUT", "PUT", "GET"]

    async def test_a_lost_answer_after_another_writer(self, bucket, s3):
        """A broken connection before another writer's object is no success."""
        await bucket.put("key", b"theirs")
        s3.break_off()
        assert not await bucket.put_if_absent("key", b"mine")

    async def test_an_undecided_conflict_is_asked_again(self, bucket, s3):
        """409 ConditionalRequestConflict decides nothing: the write is sent again."""
        s3.answer(409, "ConditionalRequestConflict")
        assert await bucket.put_if_absent("key", b"mine")

    async def test_conflicts_without_end_are_an_outage(self, bucket, s3, monkeypatch):
        """A store that never decides counts as unavailable."""
        monkeypatch.setattr(bucket_module, "_CONFLICT_ATTEMPTS", 2)
        s3.answer(409, "ConditionalRequestConflict", times=2)
        with pytest.raises(StoreUnavailable, match="does not decide"):
            await bucket.put_if_absent("key", b"mine")


class TestErrors:
    async def test_nobody_listens(self):
        """A store that cannot be reached is unavailable, within seconds, and the message names its address."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        lonely = Bucket(Endpoint(address), "bucket", lambda: KeyPair("key", "secret"))
        try:
            with pytest.raises(StoreUnavailable, match=address):
                await lonely.get("key", limit=1)
        finally:
            lonely.close()

    async def test_a_store_that_does_not_answer_is_left_alone_for_a_while(self, s3):
        """Few workers share all the operator's work: the next call fails at once instead of holding another one."""
        resting = Bucket(Endpoint(s3.url), "bucket", lambda: KeyPair("key", "secret"), rest_seconds=60)
        s3.answer(503, "SlowDown", method="GET", times=100)
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await resting.get("key", limit=1)
        asked = len(s3.requests)
        with pytest.raises(StoreUnavailable, match="a moment ago"):
            await resting.get("key", limit=1)
        assert len(s3.requests) == asked
        resting.close()

    async def test_nobody_answers(self, monkeypatch):
        """A store that accepts connections and says nothing is unavailable after its time is up."""
        monkeypatch.setattr(connection_module, "READ_SECONDS", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
            waiting = Bucket(Endpoint(address), "bucket", lambda: KeyPair("key", "secret"))
            try:
                with pytest.raises(StoreUnavailable):
                    await waiting.put("key", b"body")
            finally:
                waiting.close()

    @pytest.mark.parametrize(
        ("status", "code", "expected"),
        [
            (503, "SlowDown", StoreUnavailable),
            (500, "InternalError", StoreUnavailable),
            (429, "TooManyRequests", StoreUnavailable),
            (403, "AccessDenied", StoreDenied),
            (403, "SignatureDoesNotMatch", StoreDenied),
            (400, "AuthorizationHeaderMalformed", StoreDenied),
            (404, "NoSuchBucket", NotFound),
        ],
    )
    async def test_by_status(self, bucket, s3, status, code, expected):
        """What passes is unavailable, what only a change mends is denied, what is not there is not found."""
        s3.answer(status, code, times=3)
        with pytest.raises(expected):
            await bucket.put("key", b"body")

    async def test_a_passing_error_is_not_noticed(self, bucket, s3):
        """One 503 is tried again without a word."""
        s3.answer(503, "SlowDown")
        await bucket.put("key", b"body")
        assert s3.objects["key"].body == b"body"

    async def test_messages_hold_no_secret(self, bucket, s3):
        """An error names object and address, and nothing of what signed the request."""
        s3.answer(403, "AccessDenied", method="GET")
        with pytest.raises(StoreDenied) as caught:
            await bucket.get("spaces/x/trees/y", limit=1)
        assert "secret" not in str(caught.value)
        assert "Signature" not in str(caught.value)


class TestReading:
    async def test_beyond_the_limit(self, bucket, s3):
        """An object larger than it may be is refused instead of read."""
        await bucket.put("key", b"12345")
        assert await bucket.get("key", limit=5) == b"12345"
        with pytest.raises(Tampered, match="more than 4 bytes"):
            await bucket.get("key", limit=4)

    async def test_missing(self, bucket):
        """An object that is not there is not found by get, and None by head."""
        with pytest.raises(NotFound):
            await bucket.get("key", limit=1)
        assert await bucket.head("key") is None

    async def test_head_tells_what_was_given(self, bucket):
        """Metadata and the checksum that the store computed come back."""
        body = b"body"
        digest = hashlib.sha256(body).hexdigest()
        await bucket.put("key", body, metadata={"size-bytes": "7"}, sha256=digest)
        info = await bucket.head("key")
        assert (info.size, dict(info.metadata), info.sha256) == (4, {"size-bytes": "7"}, digest)

    async def test_list_pages(self, bucket):
        """A list is complete over all its pages, begins behind a key, and ends at its limit."""
        names = [f"folder/{number:02d}" for number in range(10)]
        for name in names:
            await bucket.put(name, b"")
        await bucket.put("other", b"")
        assert [info.key for info in await bucket.list_objects("folder/")] == names
        assert [info.key for info in await bucket.list_objects("folder/", start_after="folder/06")] == names[7:]
        assert [info.key for info in await bucket.list_objects("folder/", limit=4)] == names[:4]


class TestKeyFiles:
    def test_rotation(self, tmp_path):
        """A rotated Secret takes effect within ten seconds, without a restart."""
        now = [0.0]
        (tmp_path / "a").write_text("first\n")
        (tmp_path / "s").write_text("secret")
        keys = KeyFiles(tmp_path / "a", tmp_path / "s", monotonic=lambda: now[0])
        assert keys() == KeyPair("first", "secret")
        (tmp_path / "a").write_text("second")
        assert keys().access_key == "first"
        now[0] = 10.0
        assert keys().access_key == "second"

    @pytest.mark.parametrize("content", [None, "", " \n"])
    def test_missing_or_empty(self, tmp_path, content):
        """A file that is missing or empty is an outage whose message names the file."""
        (tmp_path / "a").write_text("key")
        if content is not None:
            (tmp_path / "s").write_text(content)
        with pytest.raises(StoreUnavailable, match=str(tmp_path / "s")):
            KeyFiles(tmp_path / "a", tmp_path / "s")()

    def test_nothing_is_shown(self):
        """A key pair's secret is not in its repr."""
        assert "hidden" not in repr(KeyPair("key", "hidden"))


@pytest.mark.parametrize(
    ("url", "host", "base"),
    [
        ("http://minio:9000", "minio:9000", "http://minio:9000"),
        ("https://s3.example.com", "s3.example.com", "https://s3.example.com"),
        ("https://s3.example.com:443/", "s3.example.com", "https://s3.example.com"),
        ("http://s3.example.com:80", "s3.example.com", "http://s3.example.com"),
        ("https://[fd00::1]:9000", "[fd00::1]:9000", "https://[fd00::1]:9000"),
    ],
)
def test_the_host_that_is_signed(url, host, base):
    """The signed host is what clients send: without the scheme's own port, with brackets for IPv6."""
    assert (Endpoint(url).host, Endpoint(url).base) == (host, base)


@pytest.mark.parametrize(
    "url", ["minio:9000", "ftp://x", "https://x/path", "https://x?a=b", "https://u:p@x", "https://"]
)
def test_addresses_that_cannot_be_signed(url):
    """An endpoint with anything but scheme, host and port is refused."""
    with pytest.raises(ValueError, match="store endpoint"):
        Endpoint(url)
