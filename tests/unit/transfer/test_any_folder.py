"""Any folder, under any schedule of faults, comes back byte for byte."""

import os
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from modelberth.content.errors import UnsafePath
from modelberth.content.paths import PathSet
from modelberth.transfer.http import Http
from modelberth.transfer.load import load
from modelberth.transfer.patience import Patience
from modelberth.transfer.progress import Progress
from modelberth.transfer.push import send
from modelberth.transfer.registry_client import RegistryClient
from modelberth.transfer.scan import scan
from tests.unit.content.strategies import paths
from tests.unit.transfer.conftest import content, noise
from tests.unit.transfer.fake_registry import FakeRegistry

MIB = 1024 * 1024
FAULTS = [None, None, None, 503, 500, 429, "break", "lose answer", "expire"]

sizes = st.sampled_from([0, 1, 1000, 300_000, MIB - 1, MIB, 3 * MIB, 8 * MIB, 8 * MIB + 1])
folders = st.dictionaries(paths, st.tuples(sizes, st.integers(0, 2)), min_size=1, max_size=8)


def write(root, files):
    """Write what can stand together in one folder."""
    taken = PathSet()
    for path, (size, seed) in sorted(files.items(), key=lambda item: item[0].encode("utf-8", "surrogatepass")):
        try:
            taken.add(path)
        except UnsafePath:
            continue
        place = os.path.join(root, *path.split("/"))
        try:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "wb") as file:
                file.write(noise(size, seed))
        except OSError:  # what was refused half-way may be in the way
            continue


@settings(max_examples=25)
@given(folders, st.lists(st.sampled_from(FAULTS), max_size=60))
def test_any_folder_survives_any_faults(files, schedule):
    """Whatever fails, and in whatever order: both ways go through once the faults are over, and nothing is left over."""
    left = list(schedule)

    def fault(method, kind, path):
        if not left:
            return None
        found = left.pop()
        if found == "expire":
            registry.generation += 1
            return None
        return found if found != "lose answer" or (method, kind) == ("PUT", "object") else None

    with tempfile.TemporaryDirectory() as place, FakeRegistry() as registry, Http(timeout=30) as http:
        source, target = os.path.join(place, "source"), os.path.join(place, "out", "model")
        os.mkdir(source)
        write(source, files)
        if not os.listdir(source):
            return
        registry.faults = fault
        patience = Patience(seconds=10_000, sleep=lambda _: None)
        client = RegistryClient(http, registry.url, "ns", credentials=list, patience=patience)
        found = scan(source, workers=2, progress=Progress())
        send(client, http, found, workers=2, progress=Progress())
        loaded = load(client, http, found.tree.digest, target, workers=2, progress=Progress())
        assert content(target) == content(source)
        assert os.listdir(os.path.join(place, "out")) == ["model"]
        assert loaded.size_bytes == found.tree.size_bytes
