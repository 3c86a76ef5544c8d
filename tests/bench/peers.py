"""What transfers are compared with, each as a process of its own.

    python -m tests.bench.peers copy SOURCE TARGET             one file, read and written by MiB, then fsync
    python -m tests.bench.peers copy-folder SOURCE TARGET      file by file, then sync
    python -m tests.bench.peers get URL TARGET                 one HTTP stream, then fsync
    python -m tests.bench.peers put URL SOURCE                 one HTTP stream
    python -m tests.bench.peers fget BUCKET KEY TARGET [sync]  minio-py, then fsync if asked to
    python -m tests.bench.peers fput BUCKET KEY SOURCE         minio-py
    python -m tests.bench.peers fget-all BUCKET PREFIX TARGET  minio-py, object by object
    python -m tests.bench.peers fput-all BUCKET PREFIX SOURCE  minio-py, file by file

minio-py finds the store in $BENCH_ENDPOINT, $BENCH_ACCESS_KEY and $BENCH_SECRET_KEY.
"""

import http.client
import os
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from minio import Minio

_MIB = 1024 * 1024


def copy(source: str, target: str) -> None:
    """One file to another."""
    with open(source, "rb", buffering=0) as reading, open(target, "wb", buffering=0) as writing:
        _pour(reading.readinto, writing.fileno())


def copy_folder(source: str, target: str) -> None:
    """A folder to a new one."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    os.sync()


def get(url: str, target: str) -> None:
    """The answer to a GET, as it comes."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request("GET", f"{parts.path}?{parts.query}")
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(f"GET: {response.status}")
    with open(target, "wb", buffering=0) as writing:
        _pour(response.readinto, writing.fileno())


def put(url: str, source: str) -> None:
    """A file as the body of a PUT."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, blocksize=_MIB)
    with open(source, "rb") as reading:
        length = str(os.fstat(reading.fileno()).st_size)
        connection.request("PUT", f"{parts.path}?{parts.query}", body=reading, headers={"Content-Length": length})
        status = connection.getresponse().status
    if status != 200:
        raise SystemExit(f"PUT: {status}")


def fget(bucket: str, key: str, target: str, sync: str = "") -> None:
    """minio-py's download of one object into a file."""
    _client().fget_object(bucket, key, target)
    if sync:
        with open(target, "rb+") as written:
            os.fsync(written.fileno())


def fput(bucket: str, key: str, source: str) -> None:
    """minio-py's upload of one file."""
    _client().fput_object(bucket, key, source)


def fget_all(bucket: str, prefix: str, target: str) -> None:
    """minio-py's download of all objects below a prefix, then sync."""
    client = _client()
    for found in client.list_objects(bucket, prefix=prefix, recursive=True):
        key = str(found.object_name)
        client.fget_object(bucket, key, os.path.join(target, key.removeprefix(prefix)))
    os.sync()


def fput_all(bucket: str, prefix: str, source: str) -> None:
    """minio-py's upload of all files of a folder."""
    client = _client()
    for folder, _, names in os.walk(source):
        for name in names:
            path = os.path.join(folder, name)
            client.fput_object(bucket, prefix + os.path.relpath(path, source), path)


def _client() -> "Minio":
    from minio import Minio

    variables = (os.environ[f"BENCH_{name}"] for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"))
    host, access_key, secret_key = variables
    return Minio(host, access_key=access_key, secret_key=secret_key, secure=False, region="us-east-1")


def _pour(readinto: Callable[[memoryview], int | None], target: int) -> None:
    """Everything that there is to read, through one buffer, and on to the disk."""
    buffer = memoryview(bytearray(_MIB))
    while count := readinto(buffer):
        written = 0
        while written < count:
            written += os.write(target, buffer[written:count])
    os.fsync(target)


_PEERS: dict[str, Callable[..., None]] = {
    "copy": copy,
    "copy-folder": copy_folder,
    "get": get,
    "put": put,
    "fget": fget,
    "fput": fput,
    "fget-all": fget_all,
    "fput-all": fput_all,
}

if __name__ == "__main__":
    _PEERS[sys.argv[1]](*sys.argv[2:])
