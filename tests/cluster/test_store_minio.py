"""The store over the real MinIO: who wins, what a lost answer means, what the probe finds, how an outage looks."""

import asyncio
import contextlib
import itertools
import socket
import threading
import time
from datetime import UTC, datetime

import pytest

from modelberth.content.collections import artifact
from modelberth.registry.bootstrap import read_setup, run
from modelberth.store.bucket import Bucket
from modelberth.store.connection import Endpoint
from modelberth.store.content_store import ContentStore
from modelberth.store.errors import NotFound, StoreDenied, StoreUnavailable
from modelberth.store.objects import SessionKeys
from modelberth.store.probe import probe
from modelberth.store.types import NewAliasEntry, NewVersion
from tests.cluster.registry_process import StoreAccess, new_store

DIGEST = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def access(control_plane):
    """A bucket and its user."""
    return new_store(control_plane)


@pytest.fixture
def bucket(access):
    """The bucket, opened."""
    opened = access.open()
    yield opened
    opened.close()


@contextlib.contextmanager
def lossy_proxy(target, *, loses):
    """A proxy to the store that drops the answer to the n-th PUT, after the store has acted, where `loses(n)`."""
    host, port = target.host.split(":")
    counter = itertools.count(1)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(client):
            with client, socket.create_connection((host, int(port))) as upstream:
                request = _message(client)
                while request:
                    upstream.sendall(request)
                    answer = _message(upstream)
                    if request.startswith(b"PUT") and loses(next(counter)):
                        return
                    client.sendall(answer)
                    request = _message(client)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=_quietly(serve), args=(client,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _quietly(serve):
    def run(client):
        with contextlib.suppress(OSError):
            serve(client)

    return run


def _message(connection):
    """One HTTP message with a Content-Length, or nothing at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


async def test_sixteen_writers(bucket):
    """Of sixteen writers of one key exactly one wins, for each of many keys."""
    for number in range(20):
        key = f"writers/{time.time_ns()}-{number}"
        won = await asyncio.gather(*(bucket.put_if_absent(key, f"writer {writer}".encode()) for writer in range(16)))
        assert won.count(True) == 1
        assert await bucket.get(key, limit=100) == f"writer {won.index(True)}".encode()


async def test_lost_answers(access):
    """Records whose answers were lost on the way, every other one, are there once, and ours."""
    with lossy_proxy(access.endpoint, loses=lambda number: number % 2 == 1) as address:
        lossy = Bucket(Endpoint(address), access.bucket, lambda: access.user)
        try:
            store = ContentStore(lossy, "cluster")
            space = await store.space("lossy", f"uid-{time.time_ns()}")
            reservation = await store.reserve_version(space, NewVersion(artifact("mnist"), DIGEST, "me"))
        finally:
            lossy.close()
    assert (reservation.created, reservation.record.version) == (True, "v0")


async def test_a_lost_entry_is_not_doubled(access):
    """An alias entry whose answer was lost is returned by the retry, not appended again."""
    entry = NewAliasEntry(
        model="digits",
        alias="production",
        event="Moved",
        version="mnist-v0",
        digest=DIGEST,
        previous="",
        generation=1,
        first_generation=1,
        moved_by="alice",
        at="2026-11-21T09:00:00Z",
        uid="uid",
    )
    direct = access.open()
    try:
        store = ContentStore(direct, "cluster")
        space = await store.space("entries", f"uid-{time.time_ns()}")
        with lossy_proxy(access.endpoint, loses=lambda number: number <= 2) as address:
            lossy = Bucket(Endpoint(address), access.bucket, lambda: access.user)
            with pytest.raises(StoreUnavailable):  # the retry's answer was lost as well
                await ContentStore(lossy, "cluster").append_alias(space, entry, after=0)
            lossy.close()
        assert (await store.append_alias(space, entry, after=0)).sequence == 1
        assert len(await store.alias_history(space, "digits", "production")) == 1
    finally:
        direct.close()


class TestProbe:
    async def test_this_store_holds_the_rules(self, bucket):
        """With scoped sessions this MinIO is usable: every attack of the probe is refused, and nothing is left over."""
        report = await probe(bucket)
        assert report.usable, report.problems
        assert report.problems == ()
        assert await bucket.list_objects("probe/") == []

    async def test_sessions_without_a_scope_are_found_out(self, access, bucket):
        """The same MinIO, did it ignore inline policies, would let both attacks through; the probe sees each."""

        class Unscoped(Bucket):
            async def assume_role(self, policy, *, seconds):
                everything = {"Effect": "Allow", "Action": ["s3:*"], "Resource": [f"arn:aws:s3:::{self.name}/*"]}
                return await super().assume_role({**policy, "Statement": [everything]}, seconds=seconds)

        unscoped = Unscoped(access.endpoint, access.bucket, lambda: access.user)
        try:
            report = await probe(unscoped)
        finally:
            unscoped.close()
        failed = {finding.name for finding in report.findings if not finding.holds}
        assert failed == {"ScopedSessions", "NoUnsignedCopy", "NoForgedUpload"}
        assert not report.usable

    async def test_a_store_without_sts(self, access):
        """Without AssumeRole the store is not used, and the sentence says what is needed."""

        class WithoutSts(Bucket):
            async def assume_role(self, policy, *, seconds):
                raise StoreDenied("STS AssumeRole was refused (404): use a store with STS")

        without = WithoutSts(access.endpoint, access.bucket, lambda: access.user)
        try:
            report = await probe(without)
        finally:
            without.close()
        assert not report.usable
        assert "use a store with STS" in report.problems[0]

    async def test_wrong_sessions_do_not_pass(self, access):
        """Sessions that the store does not know make URLs that do not work; that is found, too."""

        class Broken(Bucket):
            async def assume_role(self, policy, *, seconds):
                return SessionKeys("nobody", "nothing", "token", datetime.max.replace(tzinfo=UTC))

        broken = Broken(access.endpoint, access.bucket, lambda: access.user)
        try:
            report = await probe(broken)
        finally:
            broken.close()
        assert {"PresignedUrls"} <= {finding.name for finding in report.findings if not finding.holds}

    async def test_a_missing_bucket(self, access):
        """A bucket that does not exist, or is somebody else's, is said by its name."""
        missing = Bucket(access.endpoint, f"{access.bucket}-none", lambda: access.user)
        try:
            with pytest.raises((NotFound, StoreDenied), match=f"{access.bucket}-none"):
                await probe(missing)
        finally:
            missing.close()


class TestBootstrap:
    async def test_from_nothing_and_again(self, control_plane, tmp_path):
        """Bucket, user and policy are made by the environment's files; a second run mends and breaks nothing."""
        name = f"boot-{time.time_ns()}"
        files = {
            "STORE_ROOT_ACCESS_KEY_FILE": control_plane.minio.access_key,
            "STORE_ROOT_SECRET_KEY_FILE": control_plane.minio.secret_key,
            "STORE_ACCESS_KEY_FILE": name,
            "STORE_SECRET_KEY_FILE": "0123456789abcdef",
        }
        environment = {"MODELBERTH_STORE_ENDPOINT": control_plane.minio.endpoint, "MODELBERTH_STORE_BUCKET": name}
        for variable, content in files.items():
            (tmp_path / variable).write_text(content)
            environment[f"MODELBERTH_{variable}"] = str(tmp_path / variable)
        setup = read_setup(environment)
        assert [run(setup), run(setup)] == [0, 0]
        opened = StoreAccess(setup.endpoint, setup.bucket, setup.user).open()
        try:
            assert (await probe(opened)).usable
            await opened.put("spaces/x/trees/y", b"tree")
            with pytest.raises(StoreDenied):  # the ordinary user removes nothing of what counts
                await opened.delete("spaces/x/trees/y")
        finally:
            opened.close()

    def test_a_wrong_root(self, control_plane, tmp_path):
        """A wrong root password fails at once instead of being tried for minutes."""
        environment = {"MODELBERTH_STORE_ENDPOINT": control_plane.minio.endpoint}
        for variable in (
            "STORE_ROOT_ACCESS_KEY_FILE",
            "STORE_ROOT_SECRET_KEY_FILE",
            "STORE_ACCESS_KEY_FILE",
            "STORE_SECRET_KEY_FILE",
        ):
            (tmp_path / variable).write_text("wrong-one")
            environment[f"MODELBERTH_{variable}"] = str(tmp_path / variable)
        assert run(read_setup(environment)) == 1
