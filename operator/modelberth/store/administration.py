"""Setting up a MinIO: the bucket, and an ordinary user that may use it and assume roles (the root account cannot).

Needed once, for the chart's own MinIO; an administrator of another store does the same by hand (docs/store.md).
Idempotent: running it again mends what was changed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from modelberth.store import keys
from modelberth.store.connection import Endpoint, KeyPair, connection_pool
from modelberth.store.errors import StoreDenied, StoreError, StoreUnavailable

_BUCKET_ACTIONS = [
    "s3:ListBucket",
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "s3:GetLifecycleConfiguration",
]
_MADE_ALREADY = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})


@dataclass(frozen=True, slots=True)
class Setup:
    """What is to be there afterwards.

    Attributes:
        endpoint: the MinIO.
        bucket: the bucket's name.
        region: the region of both.
        root: MinIO's root account; used here and nowhere else.
        user: the ordinary user that operator and registry will be.
        ca_file: certificates to trust, PEM; None for the system's.
    """

    endpoint: Endpoint
    bucket: str
    region: str
    root: KeyPair
    user: KeyPair
    ca_file: Path | None = None


def user_policy(bucket: str) -> dict[str, Any]:
    """What the ordinary user may do: read and write objects of the bucket, delete only what the probe wrote."""
    objects = f"arn:aws:s3:::{bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": _BUCKET_ACTIONS, "Resource": [objects]},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": [f"{objects}/*"]},
            {"Effect": "Allow", "Action": ["s3:DeleteObject"], "Resource": [f"{objects}/{keys.PROBE}*"]},
        ],
    }


def set_up(setup: Setup) -> None:
    """Make bucket, user and policy, or mend them. Blocks.

    Raises:
        StoreUnavailable: MinIO does not answer (yet).
        StoreDenied: the root account is wrong, or the store is no MinIO.
    """
    try:
        _make_bucket(setup)
        _make_user(setup)
    except S3Error as error:
        raise _meaning(setup, int(error.response.status), str(error.code)) from None
    except MinioException as error:
        # MinioAdmin's error has the server's JSON in its text, which names no secret, but users and policies.
        raise StoreDenied(f"{setup.endpoint.base} refuses to be administered: {type(error).__name__}") from None
    except (HTTPError, OSError) as error:
        raise StoreUnavailable(f"{setup.endpoint.base} does not answer: {type(error).__name__}") from None


def _make_bucket(setup: Setup) -> None:
    client = Minio(
        setup.endpoint.host,
        setup.root.access_key,
        setup.root.secret_key,
        secure=setup.endpoint.is_tls,
        region=setup.region,
        http_client=connection_pool(setup.ca_file),
    )
    try:
        if not client.bucket_exists(setup.bucket):
            client.make_bucket(setup.bucket, location=setup.region)
    except S3Error as error:
        if error.code not in _MADE_ALREADY:
            raise


def _make_user(setup: Setup) -> None:
    admin = MinioAdmin(
        endpoint=setup.endpoint.host,
        credentials=StaticProvider(setup.root.access_key, setup.root.secret_key),
        secure=setup.endpoint.is_tls,
        region=setup.region,
        http_client=connection_pool(setup.ca_file),
    )
    name = f"modelberth-{setup.bucket}"  # one MinIO may serve several installations
    admin.policy_add(name, policy=user_policy(setup.bucket))
    admin.user_add(setup.user.access_key, setup.user.secret_key)
    admin.policy_set(name, user=setup.user.access_key)


def _meaning(setup: Setup, status: int, code: str) -> StoreError:
    if status >= 500:
        return StoreUnavailable(f"{setup.endpoint.base} answered {status} {code}")
    return StoreDenied(f"{setup.endpoint.base} refuses the root account ({code}): check its user and password")
