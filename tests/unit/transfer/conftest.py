import hashlib
import os

import pytest

from modelberth.transfer.http import Http
from modelberth.transfer.load import load
from modelberth.transfer.patience import Patience
from modelberth.transfer.progress import Progress
from modelberth.transfer.push import send
from modelberth.transfer.registry_client import RegistryClient
from modelberth.transfer.scan import scan
from tests.unit.transfer.fake_registry import FakeRegistry


@pytest.fixture
def registry():
    with FakeRegistry() as fake:
        yield fake


@pytest.fixture
def client(registry):
    """A client whose pauses take no time; `client.http` reaches the store, too."""
    with Http(timeout=30) as http:
        patience = Patience(seconds=20, sleep=lambda _: None)
        made = RegistryClient(
            http, registry.url, "ns", credentials=lambda: [("Modelberth-Session", "s.x")], patience=patience
        )
        made.http = http
        yield made


@pytest.fixture
def push(client):
    """Scan and send a folder: `push(folder)` gives (digest, Sent)."""

    def run(folder, workers=3):
        progress = Progress()
        scanned = scan(str(folder), workers=workers, progress=progress)
        return scanned.tree.digest, send(client, client.http, scanned, workers=workers, progress=progress)

    return run


@pytest.fixture
def fetch(client):
    """Load into a folder: `fetch(digest, target)` gives Loaded."""

    def run(digest, target, **options):
        return load(client, client.http, digest, str(target), workers=3, progress=Progress(), **options)

    return run


def fill(folder, files):
    """Write {path: bytes}; a path that ends with a slash is an empty folder."""
    for path, data in files.items():
        place = folder / path
        if path.endswith("/"):
            place.mkdir(parents=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    return folder


def noise(size, seed=0):
    """Bytes that do not repeat, the same ones for the same seed."""
    return hashlib.shake_256(str(seed).encode()).digest(size)


def content(folder):
    """{path: bytes} of all files, and empty folders with a slash."""
    found = {}
    for place, folders, files in os.walk(folder):
        below = os.path.relpath(place, folder)
        prefix = "" if below == "." else below + "/"
        if not folders and not files and prefix:
            found[prefix] = None
        for name in files:
            with open(os.path.join(place, name), "rb") as file:
                found[prefix + name] = file.read()
    return found
