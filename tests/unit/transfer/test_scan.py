"""Which folders can be pushed, and which are refused with the path that is in the way."""

import os
import socket

import pytest

from modelberth.content.chunks import CHUNK_SIZE
from modelberth.content.errors import FormatError
from modelberth.transfer.errors import SourceRefused
from modelberth.transfer.progress import Progress
from modelberth.transfer.push import distinct_chunks
from modelberth.transfer.scan import Reader, scan
from tests.unit.transfer.conftest import content, fill, noise


def scanned(folder):
    return scan(str(folder), workers=2, progress=Progress())


def paths(folder):
    return [entry.path for entry in scanned(folder).tree.entries]


def test_links_inside_of_the_folder_are_followed(tmp_path):
    """Links to files and folders count as what they point at."""
    fill(tmp_path / "m", {"real/file": b"content"})
    (tmp_path / "m" / "link").symlink_to("real/file")
    (tmp_path / "m" / "folder").symlink_to("real")
    assert paths(tmp_path / "m") == ["folder/file", "link", "real/file"]


def test_a_hugging_face_cache_is_pushed_once_per_blob(push, fetch, registry, tmp_path):
    """A cache's snapshot is all links to blobs: its files are there under both names, and their bytes are sent once."""
    cache = fill(
        tmp_path / "models--org--name", {"blobs/abc": noise(3_000_000), "blobs/def": b"{}", "refs/main": b"1f"}
    )
    snapshot = cache / "snapshots" / "1f"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to("../../blobs/abc")
    (snapshot / "config.json").symlink_to("../../blobs/def")
    digest, sent = push(cache)
    assert sent.sent_bytes == 3_000_000 + 2 + 2
    fetch(digest, tmp_path / "model")
    assert content(tmp_path / "model")["snapshots/1f/config.json"] == b"{}"


def test_a_snapshot_alone_leaves_its_folder(tmp_path):
    """Pushing only the snapshot would follow links out of the pushed folder: refused, with the link's path."""
    cache = fill(tmp_path / "cache", {"blobs/abc": b"x"})
    (cache / "snapshot").mkdir()
    (cache / "snapshot" / "model").symlink_to("../blobs/abc")
    with pytest.raises(SourceRefused, match="'model' is a link that leaves the pushed folder"):
        scanned(cache / "snapshot")


@pytest.mark.parametrize("kind", ["file", "folder", "over two links", "sibling with the same beginning"])
def test_a_link_that_leaves_the_folder_is_refused(tmp_path, kind):
    """Wherever a link finally leads decides, not how it is written."""
    fill(tmp_path / "outside", {"secret": b"token"})
    fill(tmp_path / "m", {"a": b"x"})
    fill(tmp_path / "m-sibling", {"secret": b"token"})
    target = {"folder": "outside", "sibling with the same beginning": "m-sibling/secret"}.get(kind, "outside/secret")
    if kind == "over two links":
        (tmp_path / "hop").symlink_to(tmp_path / target)
        target = "hop"
    (tmp_path / "m" / "token").symlink_to(tmp_path / target)
    with pytest.raises(SourceRefused, match="'token' is a link that leaves"):
        scanned(tmp_path / "m")


def test_broken_and_endless_links_are_refused(tmp_path):
    """A link to nothing, to itself, and to a folder above it."""
    for name, target in {"broken": "nothing", "itself": "itself", "above": "."}.items():
        folder = fill(tmp_path / name, {"a": b"x"})
        (folder / name).symlink_to(target)
        with pytest.raises(SourceRefused, match=f"'{name}' is a (broken )?link"):
            scanned(folder)


def test_what_is_no_file_is_refused(tmp_path):
    """FIFOs and sockets are named, and not waited for."""
    folder = fill(tmp_path / "m", {"a": b"x"})
    os.mkfifo(folder / "pipe")
    with pytest.raises(SourceRefused, match="'pipe' is a FIFO"):
        scanned(folder)
    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "sock"))
        with pytest.raises(SourceRefused, match="'sock' is a socket"):
            scanned(folder)
    (folder / "sock").unlink()
    (folder / "null").symlink_to("/dev/null")
    with pytest.raises(SourceRefused, match="'null' is a link that leaves"):
        scanned(folder)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("e\u0301", "NFC"),
        ("a\nb", "control character"),
        ("CON.txt", "device name"),
        ("dot.", "dot or a space"),
        ("a:b", "':'"),
        ("\udcff", "UTF-8"),
    ],
)
def test_names_that_no_tree_holds_are_refused_escaped(tmp_path, name, why):
    """The path table holds for pushes, and the message is printable ASCII."""
    folder = fill(tmp_path / "m", {name: b""})
    with pytest.raises(FormatError, match=why) as caught:
        scanned(folder)
    assert str(caught.value).isascii()


def test_case_twins_are_refused(tmp_path):
    """Two files that a system without case would take for one."""
    with pytest.raises(FormatError, match="same file"):
        scanned(fill(tmp_path / "m", {"Model": b"1", "model": b"2"}))


def test_an_empty_or_missing_folder_and_a_file_are_refused(tmp_path):
    """There must be something to push."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "void").mkdir()
    for name, why in {"missing": "No such file", "file": "not a folder", "void": "nothing to push"}.items():
        with pytest.raises(SourceRefused, match=why):
            scanned(tmp_path / name)


@pytest.mark.parametrize("change", ["grow", "rewrite", "replace", "remove", "fifo"])
def test_a_file_that_changes_after_the_scan_is_refused_by_path(client, push, tmp_path, change):
    """Every later look at a file compares it with what was scanned."""
    folder = fill(tmp_path / "m", {"w": noise(2_000_000), "z": b"x"})
    found = scanned(folder)
    victim = folder / "w"
    if change == "grow":
        victim.write_bytes(noise(2_000_001))
    elif change == "rewrite":
        victim.write_bytes(noise(2_000_000, "other"))
    elif change == "replace":
        (folder / "new").write_bytes(noise(2_000_000))
        os.replace(folder / "new", victim)
    else:
        victim.unlink()
        if change == "fifo":
            os.mkfifo(victim)
    with (
        pytest.raises(SourceRefused, match=r"'w' (changed during the push|cannot be read)"),
        Reader(str(folder), found.sources[0]),
    ):
        pass
    with pytest.raises(SourceRefused, match="'w' changed during the push"):
        found.check_unchanged()


def test_a_change_that_keeps_the_times_is_caught_by_the_store(push, client, registry, tmp_path, monkeypatch):
    """Bytes that change under the same size and times do not match the signed checksum: refused by path, not stored."""
    folder = fill(tmp_path / "m", {"w": noise(2_000_000)})
    monkeypatch.setattr("modelberth.transfer.scan._state", lambda status: b"same")

    def rewrite(method, kind, path):
        if kind == "uploads":
            (folder / "w").write_bytes(noise(2_000_000, "other"))

    registry.faults = rewrite
    with pytest.raises(SourceRefused, match="'w' changed during the push"):
        push(folder)
    assert registry.objects == {}


def test_a_small_file_that_changes_is_caught_before_it_is_sent(push, registry, tmp_path, monkeypatch):
    """Each chunk of a pack is hashed again when the pack is put together."""
    folder = fill(tmp_path / "m", {"w": b"one"})
    monkeypatch.setattr("modelberth.transfer.scan._state", lambda status: b"same")

    def rewrite(method, kind, path):
        if kind == "trees":
            (folder / "w").write_bytes(b"two")

    registry.faults = rewrite
    with pytest.raises(SourceRefused, match="'w' changed during the push"):
        push(folder)
    assert registry.requests["PUT object"] == 0


def test_a_file_that_changes_after_it_was_sent_is_not_committed(push, registry, tmp_path):
    """The folder is looked at once more before the commit: a version is what the folder was, whole."""
    folder = fill(tmp_path / "m", {"large": noise(2_000_000), "small": b"x"})

    def rewrite(method, kind, path):
        if (method, kind) == ("PUT", "object") and registry.objects:  # the large file is there, the pack is coming
            (folder / "large").write_bytes(noise(2_000_000, "other"))

    registry.faults = rewrite
    with pytest.raises(SourceRefused, match="'large' changed during the push"):
        push(folder)
    assert registry.requests["POST commits"] == 0


def test_equal_chunks_are_one(tmp_path):
    """A file of two equal chunks and its copy have one chunk to send."""
    data = noise(CHUNK_SIZE) * 2
    found = scanned(fill(tmp_path / "m", {"a": data, "b": data}))
    assert [chunk.length for chunk in distinct_chunks(found)] == [CHUNK_SIZE]
    assert len(found.large) == 1


def test_folders_without_end_are_refused_by_path(tmp_path):
    """Deeper than programs walk, which would else break in the middle; 200 are fine."""
    (tmp_path / "/".join("a" * 200)).mkdir(parents=True)
    assert scan(str(tmp_path), workers=2, progress=Progress()).tree.entries
    (tmp_path / "/".join("a" * 201)).mkdir()
    with pytest.raises(SourceRefused, match="lies more than 200 folders deep"):
        scan(str(tmp_path), workers=2, progress=Progress())
