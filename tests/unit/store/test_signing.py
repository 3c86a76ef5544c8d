"""Presigned URLs, against the client library's own signer and against what must be in them."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from minio.credentials.credentials import Credentials
from minio.signer import presign_v4

from modelberth.store.connection import Endpoint
from modelberth.store.objects import SessionKeys
from modelberth.store.signing import Presigner

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
KEYS = SessionKeys("AKID", "secret+/=", "token+/=&x", NOW + timedelta(hours=1))
HEX = "0" * 62 + "ff"


def presigner(url="https://s3.example.com:9000", bucket="bucket"):
    return Presigner(Endpoint(url), bucket, "eu-central-1", KEYS, now=NOW)


@pytest.mark.parametrize("key", ["spaces/x/data/00/abc/01M7", "with space/ÿ+&=?#%", "a~b_c-d.e"])
@pytest.mark.parametrize("url", ["https://s3.example.com:9000", "http://minio", "https://s3.example.com:443"])
def test_the_same_signature_as_the_library(key, url):
    """A GET has the signature that minio-py's presigner computes for the same credentials and moment."""
    ours = presigner(url).get(key)
    bare = urlsplit(ours)._replace(query="")
    credentials = Credentials(KEYS.access_key, KEYS.secret_key, KEYS.token)
    # The library leaves the session's token to its caller.
    bare = bare._replace(query="X-Amz-Security-Token=token%2B%2F%3D%26x")
    theirs = presign_v4(method="GET", url=bare, region="eu-central-1", credentials=credentials, date=NOW, expires=900)
    assert parse_qs(urlsplit(ours).query) == parse_qs(theirs.query)
    assert urlsplit(ours).path == theirs.path


def test_an_upload_signs_what_it_promises():
    """A PUT signs length, checksum and If-None-Match; the caller gets the headers to send."""
    upload = presigner().put("key", HEX, 5)
    query = parse_qs(urlsplit(upload.url).query)
    assert query["X-Amz-SignedHeaders"] == ["content-length;host;if-none-match;x-amz-checksum-sha256"]
    checksum = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP8="
    assert upload.headers == {"If-None-Match": "*", "x-amz-checksum-sha256": checksum}
    assert query["X-Amz-Expires"] == ["900"]


def test_everything_is_part_of_the_signature():
    """Another key, content, length, host or method has another signature."""
    signer = presigner()
    urls = [
        signer.put("key", HEX, 5).url,
        signer.put("other", HEX, 5).url,
        signer.put("key", "1" * 64, 5).url,
        signer.put("key", HEX, 6).url,
        presigner("https://other.example.com:9000").put("key", HEX, 5).url,
        presigner(bucket="another").put("key", HEX, 5).url,
        signer.get("key"),
    ]
    assert len({parse_qs(urlsplit(url).query)["X-Amz-Signature"][0] for url in urls}) == len(urls)


def test_secrets_stay_inside():
    """The secret key is in no URL, and a session shows neither its secret nor its token."""
    assert "secret" not in presigner().get("key")
    assert KEYS.secret_key not in repr(KEYS)
    assert KEYS.token not in repr(KEYS)
