"""An administrator of the store changes bytes of a version behind everybody's back."""

import io

from minio import Minio

from demo.install import BUCKET, StoreRoot


def tamper(root: StoreRoot, digest: str, *, spared: str) -> str:
    """Overwrite one object of a version by other bytes of the same length, and return the object's name.

    Args:
        root: the store's administrator: nobody else could.
        digest: of the version that is tampered with, `sha256:…`.
        spared: the digest of a version that keeps its bytes: objects that both share are left alone.
    """
    client = Minio(root.endpoint, access_key=root.user, secret_key=root.password, secure=False)
    space = _space_of(client, digest)
    victim = min(_objects(client, space, digest) - _objects(client, space, spared))
    size = client.stat_object(BUCKET, victim).size or 0
    forged = b"forged " * (size // 7 + 1)
    client.put_object(BUCKET, victim, io.BytesIO(forged[:size]), size)
    return victim


def _space_of(client: Minio, digest: str) -> str:
    """The folder of the bucket, `spaces/<id>/`, in which a version with this content lies."""
    wanted = f"layouts/{_hex(digest)}"
    for folder in client.list_objects(BUCKET, prefix="spaces/"):
        space = str(folder.object_name)
        if any(True for _ in client.list_objects(BUCKET, prefix=space + wanted)):
            return space
    raise LookupError(f"no space of bucket {BUCKET} holds {digest}")


def _objects(client: Minio, space: str, digest: str) -> set[str]:
    """The names of a version's objects, from its layout: lines `o <hex> <size> <ulid>` (docs/formats.md)."""
    answer = client.get_object(BUCKET, f"{space}layouts/{_hex(digest)}")
    try:
        lines = [line.split() for line in answer.read().decode().splitlines()]
    finally:
        answer.close()
        answer.release_conn()
    return {f"{space}data/{words[1][:2]}/{words[1]}/{words[3]}" for words in lines if words[0] == "o"}


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
