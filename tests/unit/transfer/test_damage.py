"""An object that is not what its name says is refused by name before a byte is visible."""

import pytest

from modelberth.content.layout import Layout
from modelberth.transfer.errors import Damaged, HttpFailure, TransferError
from modelberth.transfer.fetch import Fetcher
from modelberth.transfer.progress import Progress
from modelberth.transfer.urls import UrlPages
from modelberth.transfer.verify import verify_stored
from tests.unit.transfer.conftest import fill, noise
from tests.unit.transfer.fake_registry import SPACE

MIB = 1024 * 1024
FILES = {"one": noise(MIB, "one"), "two": noise(MIB, "two"), "small/a": noise(900, "a"), "small/b": noise(700, "b")}


def tamper(data, others):
    return bytes([data[0] ^ 1]) + data[1:]


def truncate(data, others):
    return data[:-1]


def lengthen(data, others):
    return data + b"!"


def empty(data, others):
    return b""


def swap(data, others):
    return next(other for other in others if len(other) == len(data) and other != data)


def swap_other_size(data, others):
    return next(other for other in others if len(other) != len(data))


def remove(data, others):
    return None


DAMAGES = [
    (tamper, "tampered"),
    (truncate, "truncated"),
    (empty, "truncated"),
    (lengthen, "tampered"),
    (swap, "swapped"),
    (swap_other_size, "swapped"),
    (remove, "missing"),
]


@pytest.fixture
def pushed(push, registry, tmp_path):
    """A pushed folder; damage(which, how) damages one of its objects and returns the object's digest."""
    digest, _ = push(fill(tmp_path / "source", FILES))

    def damage(which, how):
        key = sorted(registry.objects, key=lambda key: (-len(registry.objects[key]), key))[which]
        changed = how(registry.objects[key], list(registry.objects.values()))
        if changed is None:
            del registry.objects[key]
        else:
            registry.objects[key] = changed
        return key.partition("/")[0]

    return digest, damage


@pytest.mark.parametrize(("how", "kind"), DAMAGES)
def test_a_damaged_chunk_is_named_and_nothing_is_visible(pushed, fetch, tmp_path, how, kind):
    """Each way of damage to a whole-chunk object ends the load; the message names the object, its space and the damage."""
    digest, damage = pushed
    victim = damage(0, how)
    with pytest.raises(Damaged, match=f"object {victim} of spaces/{SPACE} .* is {kind}: ") as caught:
        fetch(digest, tmp_path / "model")
    assert caught.value.kind == kind
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_is_no_damage(pushed, fetch, registry, tmp_path, status):
    """A proxy or a moved bucket answers so: nothing is known about the object, and nobody is told that it is broken."""
    digest, _ = pushed
    registry.faults = lambda method, kind, path: status if kind == "object" else None
    with pytest.raises(HttpFailure) as caught:
        fetch(digest, tmp_path / "model")
    assert caught.value.status == status


@pytest.mark.parametrize(("how", "kind"), [case for case in DAMAGES if case[0] is not swap])
def test_a_damaged_pack_is_named(pushed, fetch, tmp_path, how, kind):
    """The same holds for a pack."""
    digest, damage = pushed
    victim = damage(-1, how)
    with pytest.raises(Damaged, match=f"object {victim} of spaces/{SPACE} .* is {kind}: "):
        fetch(digest, tmp_path / "model")


@pytest.mark.parametrize(("how", "kind"), DAMAGES)
def test_verification_without_a_folder_finds_the_same(pushed, client, how, kind):
    """`verify ADDRESS` reads every object and finds each kind of damage."""
    digest, damage = pushed
    victim = damage(0, how)
    layout = client.layout(digest)
    urls = UrlPages(client, digest, range(len(layout.objects)))
    fetcher = Fetcher(client.http, urls, layout, patience=client.patience, arrived=lambda count: None)
    with pytest.raises(Damaged, match=f"{victim} .* is {kind}"):
        verify_stored(fetcher, layout, range(len(layout.objects)), workers=2, progress=Progress())


def test_verification_of_what_is_intact_reads_every_byte(pushed, client):
    """An intact version passes, and all of its bytes were read."""
    digest, _ = pushed
    layout = client.layout(digest)
    arrived = []
    urls = UrlPages(client, digest, range(len(layout.objects)))
    fetcher = Fetcher(client.http, urls, layout, patience=client.patience, arrived=arrived.append)
    verify_stored(fetcher, layout, range(len(layout.objects)), workers=2, progress=Progress())
    assert sum(arrived) == layout.stored_bytes == 2 * MIB + 1600


def test_an_executable_lie_about_a_pack_is_found(pushed, fetch, registry, tmp_path):
    """A layout whose pieces point at the wrong place of an honest pack is refused by the chunk's own digest."""
    digest, _ = pushed
    layout = Layout.parse(registry.layouts[digest])
    packs = [d for d, piece in layout.chunks.items() if not layout.is_whole_object(piece)]
    chunks = {d: (layout.objects[p.object].digest, p.offset, p.length) for d, p in layout.chunks.items()}
    for chunk in packs:
        holder, offset, length = chunks[chunk]
        chunks[chunk] = (holder, 1600 - length if offset == 0 else 0, length)
    objects = {o.digest: (o.size, o.ulid) for o in layout.objects}
    registry.layouts[digest] = Layout.build(objects, chunks, dict(layout.files)).to_bytes()
    with pytest.raises(Damaged, match="is tampered: the chunk"):
        fetch(digest, tmp_path / "model")


def test_a_tree_with_another_digest_is_refused(pushed, fetch, registry, tmp_path):
    """The registry cannot pass another tree for the one that was asked for."""
    digest, _ = pushed
    registry.trees[digest] = b"modelberth-tree/1\n"
    with pytest.raises(TransferError, match="refused: the tree of"):
        fetch(digest, tmp_path / "model")


def test_a_broken_tree_is_refused(pushed, fetch, registry, tmp_path):
    """A tree that leads out of the folder is refused by its path, whatever its digest."""
    digest, _ = pushed
    registry.trees[digest] = b"modelberth-tree/1\nf " + b"0" * 64 + b" 3 ../evil\n"
    with pytest.raises(TransferError, match=r"'\.\./evil'"):
        fetch(digest, tmp_path / "model")


def test_a_layout_of_another_tree_is_refused(pushed, push, fetch, registry, tmp_path):
    """A layout that does not cover the tree is refused before anything is fetched."""
    digest, _ = pushed
    other, _ = push(fill(tmp_path / "other", {"x": b"x"}))
    registry.layouts[digest] = registry.layouts[other]
    with pytest.raises(TransferError, match="does not fit its tree"):
        fetch(digest, tmp_path / "model")
    assert registry.requests["GET object"] == 0
