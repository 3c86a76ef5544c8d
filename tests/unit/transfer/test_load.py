"""What a load finds at its target, leaves there, and uses again."""

import os
import threading

import pytest

from modelberth.transfer.errors import Damaged, TransferError
from tests.unit.transfer.conftest import content, fill, noise

MIB = 1024 * 1024
FILES = {"large": noise(9 * MIB), "small/a": b"a", "small/b": noise(2000), "empty": b"", "void/": None}


@pytest.fixture
def source(tmp_path):
    return fill(tmp_path / "source", FILES)


def test_an_intact_target_is_proved_and_nothing_is_fetched(push, fetch, source, registry, tmp_path):
    """A second start reads the folder and asks the store for nothing."""
    digest, _ = push(source)
    fetch(digest, tmp_path / "model")
    before = registry.requests["GET object"]
    assert fetch(digest, tmp_path / "model").fetched_bytes == 0
    assert registry.requests["GET object"] == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda model: (model / "small" / "a").write_bytes(b"b"),
        lambda model: (model / "small" / "a").unlink(),
        lambda model: (model / "small" / "more").write_bytes(b""),
        lambda model: (model / "small" / "a").chmod(0o755),
        lambda model: (model / "void").rmdir(),
        lambda model: ((model / "void").rmdir(), (model / "void").write_bytes(b"")),
        lambda model: ((model / "small" / "a").unlink(), (model / "small" / "a").symlink_to("b")),
        lambda model: ((model / "empty").unlink(), os.mkfifo(model / "empty")),
    ],
)
def test_a_target_that_is_something_else_is_refused_or_replaced(push, fetch, source, tmp_path, spoil):
    """Any difference is found; without `replace` the folder is left as it is, with it the version comes back."""
    digest, _ = push(source)
    model = tmp_path / "out" / "model"
    fetch(digest, model)
    spoil(model)
    with pytest.raises(TransferError, match="exists and is not sha256:"):
        fetch(digest, model)
    fetch(digest, model, replace=True)
    assert content(model) == content(source)
    assert os.listdir(tmp_path / "out") == ["model"]


def test_an_empty_folder_is_a_fine_target(push, fetch, source, tmp_path):
    """A mounted volume begins as an empty folder."""
    digest, _ = push(source)
    (tmp_path / "model").mkdir()
    fetch(digest, tmp_path / "model")
    assert content(tmp_path / "model") == content(source)


def test_a_stopped_load_is_continued(push, fetch, source, registry, tmp_path):
    """What a first start fetched is hashed and used; the second one fetches the rest."""
    digest, _ = push(source)
    served = []

    def stop_after_two(method, kind, path):
        if (method, kind) == ("GET", "object"):
            served.append(path)
            return 400 if len(served) > 2 else None
        return None

    registry.faults = stop_after_two
    with pytest.raises(TransferError):
        fetch(digest, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    registry.faults = lambda method, kind, path: None
    loaded = fetch(digest, tmp_path / "model")
    assert loaded.fetched_bytes <= loaded.size_bytes - 2 * 2001
    assert content(tmp_path / "model") == content(source)


def test_damage_in_the_staging_folder_is_mended(push, fetch, source, registry, tmp_path):
    """Left-overs are hashed before they are used: wrong bytes, too long files, foreign files, links, other types."""
    digest, _ = push(source)
    staging = tmp_path / f".model.{digest[7:23]}.partial"
    fill(staging, {"large": noise(9 * MIB, "other"), "small/a": b"too long", "foreign/file": b"x", "empty/x": b"x"})
    (staging / "small" / "b").symlink_to("/etc/passwd")
    (staging / "void").write_bytes(b"a file")
    fetch(digest, tmp_path / "model")
    assert content(tmp_path / "model") == content(source)


@pytest.mark.parametrize("where", ["target", "staging", "folder in staging"])
def test_links_are_never_followed(push, fetch, source, tmp_path, where):
    """A link in the way is refused or removed, and what it points at is left alone."""
    digest, _ = push(source)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "a").write_bytes(b"precious")
    staging = tmp_path / f".model.{digest[7:23]}.partial"
    if where == "target":
        (tmp_path / "model").symlink_to(precious)
    elif where == "staging":
        staging.symlink_to(precious)
    else:
        staging.mkdir()
        (staging / "small").symlink_to(precious)
    if where == "folder in staging":
        fetch(digest, tmp_path / "model")
        assert content(tmp_path / "model") == content(source)
    else:
        with pytest.raises(TransferError, match="link"):
            fetch(digest, tmp_path / "model", replace=True)
    assert content(precious) == {"a": b"precious"}


def test_left_overs_of_other_versions_are_removed(push, fetch, source, tmp_path):
    """A finished load clears the staging folders of loads of the same target that never finished."""
    digest, _ = push(source)
    fill(tmp_path / ".model.0123456789abcdef.partial", {"old": b"x"})
    fetch(digest, tmp_path / "model")
    assert not (tmp_path / ".model.0123456789abcdef.partial").exists()


def test_two_loads_of_one_target_do_the_work_once(push, fetch, source, registry, tmp_path):
    """Loads of one folder at the same time come one after the other; the second finds the first one's work."""
    digest, _ = push(source)
    results = []
    threads = [threading.Thread(target=lambda: results.append(fetch(digest, tmp_path / "model"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.fetched_bytes > 0 for result in results) == [False, True]
    assert content(tmp_path / "model") == content(source)


def test_a_full_disk_is_told_before_anything_is_fetched(push, fetch, registry, tmp_path, monkeypatch):
    """The bytes needed are compared with the bytes free."""
    digest, _ = push(fill(tmp_path / "source", FILES))
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(TransferError, match="more bytes are needed and 1000 are free"):
        fetch(digest, tmp_path / "model")
    assert registry.requests["GET object"] == 0


def three_of_one_pack(tmp_path):
    return fill(tmp_path / "source", {name: noise(100_000, name) for name in ("a", "b", "c")})


def test_of_a_pack_only_the_run_that_is_lacking_is_fetched(push, fetch, tmp_path):
    """With two of three small files in the staging folder, a third of the pack goes over the wire."""
    source = three_of_one_pack(tmp_path)
    digest, _ = push(source)
    fill(tmp_path / f".model.{digest[7:23]}.partial", {name: noise(100_000, name) for name in ("a", "c")})
    assert fetch(digest, tmp_path / "model").fetched_bytes == 100_000
    assert content(tmp_path / "model") == content(source)


def test_a_run_of_a_tampered_pack_is_refused(push, fetch, registry, tmp_path):
    """A part of an object is verified by its chunks' own digests."""
    digest, _ = push(three_of_one_pack(tmp_path))
    ((key, data),) = registry.objects.items()
    registry.objects[key] = bytes(100_000) + data[100_000:200_000] + bytes(100_000)
    fill(tmp_path / f".model.{digest[7:23]}.partial", {"a": noise(100_000, "a"), "c": noise(100_000, "c")})
    fetch(digest, tmp_path / "model")  # the middle is intact, and nothing else is read
    registry.objects[key] = data[:100_000] + bytes(100_000) + data[200_000:]
    fill(tmp_path / f".again.{digest[7:23]}.partial", {"a": noise(100_000, "a"), "c": noise(100_000, "c")})
    with pytest.raises(Damaged, match="is tampered: the chunk"):
        fetch(digest, tmp_path / "again")


def test_systems_without_folder_descriptors_load_and_verify_too(push, fetch, source, tmp_path, monkeypatch):
    """Windows has no dir_fd, no O_NOFOLLOW, no pwrite: the same folder comes out, and links in the way are refused."""
    monkeypatch.setattr("modelberth.transfer.files._HAS_DIR_FD", False)
    for name in ("preadv", "pwrite", "fchmod"):
        monkeypatch.delattr(os, name)
    digest, _ = push(source)
    fetch(digest, tmp_path / "model")
    assert content(tmp_path / "model") == content(source)
    assert fetch(digest, tmp_path / "model").fetched_bytes == 0
    (tmp_path / "precious").mkdir()
    staging = fill(tmp_path / f".other.{digest[7:23]}.partial", {"x": b""})
    (staging / "small").symlink_to(tmp_path / "precious")
    fetch(digest, tmp_path / "other")
    assert content(tmp_path / "other") == content(source)
    assert content(tmp_path / "precious") == {}


def test_url_pages_are_asked_for_when_they_are_needed(push, fetch, registry, tmp_path, monkeypatch):
    """One question for each page of objects, not one for each object."""
    monkeypatch.setattr("modelberth.transfer.urls.UrlPages.PAGE", 3)
    digest, _ = push(fill(tmp_path / "source", {f"{n}": noise(1024 * 1024, n) for n in range(8)}))
    fetch(digest, tmp_path / "model")
    assert registry.requests["POST urls"] == 3


class TestFolders:
    def test_one_folder_is_loaded_with_paths_from_there_on(self, push, fetch, source, registry, tmp_path):
        """Nothing but its own files are fetched, and it is proved and left alone the second time."""
        digest, _ = push(source)
        loaded = fetch(digest, tmp_path / "part", folder="small")
        assert (loaded.digest, loaded.file_count) == (digest, 2)
        assert content(tmp_path / "part") == {"a": b"a", "b": noise(2000)}
        assert loaded.fetched_bytes < MIB
        assert fetch(digest, tmp_path / "part", folder="small").fetched_bytes == 0
        fill(tmp_path / "part", {"more": b""})
        with pytest.raises(TransferError, match=r"exists and is not sha256:[0-9a-f]+#small: "):
            fetch(digest, tmp_path / "part", folder="small")

    def test_an_empty_folder_is_one(self, push, fetch, source, tmp_path):
        """It is there, so it can be loaded."""
        digest, _ = push(source)
        fetch(digest, tmp_path / "part", folder="void")
        assert content(tmp_path / "part") == {}

    @pytest.mark.parametrize("folder", ["train", "small/a", "smal", "SMALL", "small/a/b"])
    def test_a_folder_that_is_not_there(self, push, fetch, source, tmp_path, folder):
        """The error names those that there are, and nothing is made."""
        digest, _ = push(source)
        with pytest.raises(TransferError, match="the folders are 'small', 'void'"):
            fetch(digest, tmp_path / "part", folder=folder)
        assert not (tmp_path / "part").exists()

    def test_what_is_not_wanted_may_be_damaged(self, push, fetch, source, registry, tmp_path):
        """Another folder's lost bytes keep nobody from this one."""
        digest, _ = push(source)
        large = max(registry.objects, key=lambda key: len(registry.objects[key]))
        del registry.objects[large]
        fetch(digest, tmp_path / "part", folder="small")
        with pytest.raises(Damaged):
            fetch(digest, tmp_path / "whole")


def test_families_are_asked_for_by_name_but_models(push, fetch, source, registry, tmp_path):
    """Registries from before there were several know models only."""
    digest, _ = push(source)
    for family, query in (("models", ""), ("datasets", "family=datasets")):
        registry.seen_queries.clear()
        fetch(digest, tmp_path / family, family=family)
        assert [asked for kind, asked in registry.seen_queries if kind in ("tree", "layout", "urls")] == [query] * 3
