"""What a store really does, tried at start: a store that lets an attack through is not used, whatever it is called.

Everything happens under `probe/<ulid>/`, in two folders that play two spaces, with the same sessions and URLs that
users will get. A client that holds a URL is imitated without any identity of ours.
"""

import base64
import hashlib
import secrets
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from modelberth.store import keys
from modelberth.store.bucket import Bucket
from modelberth.store.errors import NotFound, StoreDenied, StoreError
from modelberth.store.lifecycle import touching
from modelberth.store.objects import SessionKeys
from modelberth.store.sessions import SESSION_SECONDS, reader_policy, writer_policy
from modelberth.store.signing import Presigner, Upload
from modelberth.store.ulids import new_series, new_ulid
from modelberth.store.version_records import utc_now

_FORGED = b"forged"
_TRAILER = "x-amz-checksum-crc32"


@dataclass(frozen=True, slots=True)
class Finding:
    """One property of the store.

    Attributes:
        name: of the property, for programs.
        holds: whether the store has it.
        message: what that means and what to do; for people.
        required: whether the store is not used without it.
    """

    name: str
    holds: bool
    message: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of a probe."""

    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether every required property holds."""
        return all(finding.holds for finding in self.findings if finding.required)

    @property
    def problems(self) -> tuple[str, ...]:
        """What does not hold, required or not, as sentences."""
        return tuple(finding.message for finding in self.findings if not finding.holds)


async def probe(bucket: Bucket, *, now: Callable[[], datetime] = utc_now) -> Report:
    """Try the store.

    Raises:
        StoreUnavailable: it does not answer; nothing is known.
        StoreDenied: not even our own identity may use it.
        NotFound: the bucket is missing.
    """
    if not await bucket.exists():
        raise NotFound(f"bucket {bucket.name} does not exist at {bucket.endpoint.base}: create it")
    findings = [*await _bucket_rules(bucket)]
    try:
        attempt = await _Attempt.begin(bucket, now())
    except StoreDenied as error:
        return Report((Finding("ScopedSessions", holds=False, message=str(error)), *findings))
    try:
        findings = [*await attempt.findings(), *findings]
    finally:
        await attempt.clean_up()
    return Report(tuple(findings))


async def _bucket_rules(bucket: Bucket) -> list[Finding]:
    try:
        rules = touching(await bucket.expiry_rules(), "spaces/")
        versioning = await bucket.versioning()
    except StoreDenied:
        sentence = "the bucket's lifecycle and versioning cannot be read: allow s3:GetLifecycleConfiguration and "
        return [Finding("BucketRules", holds=False, message=sentence + "s3:GetBucketVersioning", required=False)]
    names = ", ".join(rule.id for rule in rules)
    return [
        Finding(
            "NoExpiry",
            holds=not rules,
            message=f"lifecycle rules remove or archive content: take spaces/ out of the rules {names}",
            required=False,
        ),
        Finding(
            "Unversioned",
            holds=versioning != "Enabled",
            message="the bucket is versioned: what is deleted can be written again with another meaning; "
            "use a bucket without versioning, or keep everybody from deleting",
            required=False,
        ),
    ]


class _Attempt:
    """One run: `a` is the attacker's space, `b` the one of somebody else."""

    def __init__(
        self, bucket: Bucket, *, folder: str, series: str, reader: SessionKeys, writer: SessionKeys, now: datetime
    ) -> None:
        self._bucket = bucket
        self._series = series
        self._own = f"{folder}a/data/"
        self._records = f"{folder}a/records/"
        self._foreign = f"{folder}b/data/"
        self._reader_keys = reader
        self._writer_keys = writer
        self._reader = Presigner(bucket.endpoint, bucket.name, bucket.region, reader, now=now)
        self._writer = Presigner(bucket.endpoint, bucket.name, bucket.region, writer, now=now)
        self._body = secrets.token_bytes(64)
        self._digest = hashlib.sha256(self._body).hexdigest()
        self._secret = secrets.token_bytes(64)
        self._stored: list[str] = []

    @classmethod
    async def begin(cls, bucket: Bucket, now: datetime) -> "_Attempt":
        """Get the sessions and store what is to be stolen."""
        folder, series = f"{keys.PROBE}{new_ulid()}/", new_series()
        own = f"{folder}a/data/"
        reader = await bucket.assume_role(reader_policy(bucket.name, own), seconds=SESSION_SECONDS)
        writer = await bucket.assume_role(writer_policy(bucket.name, own, series), seconds=SESSION_SECONDS)
        attempt = cls(bucket, folder=folder, series=series, reader=reader, writer=writer, now=now)
        await attempt._store(f"{attempt._foreign}secret", attempt._secret)
        return attempt

    async def findings(self) -> list[Finding]:
        """Everything that can be tried with URLs."""
        return [
            await self._uploads_work(),
            await self._checksums_hold(),
            await self._first_write_wins(),
            await self._scopes_hold(),
            await self._copies_are_refused(),
            await self._forgeries_are_refused(),
            await self._checksums_are_kept(),
        ]

    async def clean_up(self) -> None:
        """Remove what was written; where deleting is not allowed, it stays, and it is small."""
        for key in self._stored:
            with suppress(StoreError):
                await self._bucket.delete(key)

    async def _uploads_work(self) -> Finding:
        upload = self._upload("good")
        sent = await self._put(upload, self._body)
        status, body = await self._bucket.send("GET", self._reader.get(self._key("good")), {})
        return Finding(
            "PresignedUrls",
            holds=sent == 200 and status == 200 and body == self._body,
            message=f"presigned URLs do not work: PUT was answered {sent}, GET {status}; "
            "check that the clocks agree within 15 minutes and that the region is right",
        )

    async def _checksums_hold(self) -> Finding:
        wrong = self._upload("wrong")
        await self._put(wrong, secrets.token_bytes(64))
        bare = self._upload("bare")
        await self._bucket.send("PUT", bare.url, {"If-None-Match": "*"}, secrets.token_bytes(64))
        kept = await self._bucket.head(self._key("wrong")) or await self._bucket.head(self._key("bare"))
        return Finding(
            "SignedChecksum",
            holds=kept is None,
            message="the store takes bytes that do not have the signed x-amz-checksum-sha256: use one that checks it",
        )

    async def _first_write_wins(self) -> Finding:
        again = await self._put(self._upload("good"), self._body)
        mine = f"{self._records}once"
        first = await self._bucket.put_if_absent(mine, b"first")
        self._stored.append(mine)
        second = await self._bucket.put_if_absent(mine, b"second")
        return Finding(
            "IfNoneMatch",
            holds=again != 200 and first and not second,
            message="the store ignores If-None-Match on PUT, which records rely on: use one that keeps it",
        )

    async def _scopes_hold(self) -> Finding:
        secret, good = f"{self._foreign}secret", self._key("good")
        outside = f"{self._records}written"
        attempts = [
            await self._bucket.send("GET", self._reader.get(secret), {}),
            await self._bucket.send("GET", self._writer.get(good), {}),
        ]
        others = f"{self._own}others/{new_series()}"  # where another push of the same space writes
        for signer, key in ((self._reader, self._key("by-reader")), (self._writer, outside), (self._writer, others)):
            self._stored.append(key)
            attempts.append((await self._put(signer.put(key, self._digest, len(self._body)), self._body), b""))
        return Finding(
            "ScopedSessions",
            holds=all(status == 403 for status, _ in attempts),
            message="the store does not keep the policy of a session: a URL of one namespace reaches into another; "
            "use a store whose STS AssumeRole enforces inline policies",
        )

    async def _copies_are_refused(self) -> Finding:
        upload = self._upload("stolen")
        source = quote(f"/{self._bucket.name}/{self._foreign}secret")
        headers = {**upload.headers, "x-amz-copy-source": source}
        status, _ = await self._bucket.send("PUT", upload.url, headers, self._body)
        return Finding(
            "NoUnsignedCopy",
            holds=status >= 400 and await self._bucket.head(self._key("stolen")) is None,
            message="an upload URL with an added x-amz-copy-source header copies content of other namespaces: "
            "use a store that refuses it",
        )

    async def _forgeries_are_refused(self) -> Finding:
        written = [
            await self._forge(f"{folder}{name}", session)
            for name, session in (("by-reader", self._reader_keys), ("by-writer", self._writer_keys))
            for folder in (self._foreign, self._records, f"{self._own}others/")
        ]
        return Finding(
            "NoForgedUpload",
            holds=not any(written),
            message="the key id in a URL is enough to write anywhere (uploads with an unsigned trailer are not "
            "authenticated): use a store without this fault",
        )

    async def _forge(self, key: str, session: SessionKeys) -> bool:
        """An upload that shows the key id and the token of a URL, and no signature at all."""
        self._stored.append(key)
        upload = self._upload("never-sent")
        credential = dict(part.split("=", 1) for part in upload.url.partition("?")[2].split("&"))["X-Amz-Credential"]
        scope = credential.partition("%2F")[2]
        url = (
            f"{self._bucket.endpoint.base}/{self._bucket.name}/{quote(key)}"
            f"?X-Amz-Credential={session.access_key}%2F{scope}&X-Amz-Security-Token={quote(session.token, safe='')}"
        )
        checksum = base64.b64encode(zlib.crc32(_FORGED).to_bytes(4)).decode()
        headers = {
            "Content-Encoding": "aws-chunked",
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-decoded-content-length": str(len(_FORGED)),
            "x-amz-trailer": _TRAILER,
        }
        body = b"%x\r\n%b\r\n0\r\n%b:%b\r\n\r\n" % (len(_FORGED), _FORGED, _TRAILER.encode(), checksum.encode())
        await self._bucket.send("PUT", url, headers, body)
        return await self._bucket.head(key) is not None

    async def _checksums_are_kept(self) -> Finding:
        info = await self._bucket.head(self._key("good"))
        return Finding(
            "ChecksumKept",
            holds=info is not None and info.sha256 == self._digest,
            message="the store does not tell the SHA-256 it checked: every push is sent whole and read again",
            required=False,
        )

    async def _put(self, upload: Upload, body: bytes) -> int:
        status, _ = await self._bucket.send("PUT", upload.url, upload.headers, body)
        return status

    async def _store(self, key: str, body: bytes) -> None:
        self._stored.append(key)
        await self._bucket.put(key, body)

    def _upload(self, name: str) -> Upload:
        key = self._key(name)
        if key not in self._stored:
            self._stored.append(key)
        return self._writer.put(key, self._digest, len(self._body))

    def _key(self, name: str) -> str:
        """Where the attacker's own push writes."""
        return f"{self._own}{name}/{self._series}"
