"""Spaces, trees, layouts, uploads and commits."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from modelberth.content.errors import FormatError, TooLarge
from modelberth.content.layout import Layout
from modelberth.content.tree import Tree
from modelberth.store import keys
from modelberth.store.commits import Commits, Incomplete
from modelberth.store.connection import Endpoint
from modelberth.store.contents import Contents, summarise
from modelberth.store.errors import NotFound, StoreDenied, Tampered
from modelberth.store.inline import pack_inline
from modelberth.store.spaces import Spaces, space_of
from modelberth.store.ulids import new_series, new_ulid
from modelberth.store.uploads import WantedObject
from tests.unit.store.s3_double import Stored

ENDPOINT = Endpoint("http://minio.example.com:9000")
FILES = {"a.txt": b"alpha", "b/c.bin": bytes(range(256)) * 8000, "empty": b""}


def sha256(body):
    return hashlib.sha256(body).hexdigest()


class TestSpaces:
    def test_the_id_is_fixed(self):
        """The id follows from the uids alone: this one is part of the format for ever."""
        assert space_of("cluster", "team", "uid").id == "dvhl22rrgcbhzw2uh3brcc2wng"
        assert space_of("cluster", "renamed", "uid").id == "dvhl22rrgcbhzw2uh3brcc2wng"

    def test_every_uid_has_its_own(self):
        """A namespace made again, the same uid in another cluster, and shifted texts have other spaces."""
        ids = {space_of(*uids).id for uids in (("c", "n", "u1"), ("c", "n", "u2"), ("d", "n", "u1"), ("cn", "", "u1"))}
        assert len(ids) == 4

    async def test_entered_once(self, bucket, s3):
        """Entering writes whose space it is; entering again, from here or elsewhere, changes nothing."""
        first = await Spaces(bucket, "cluster").enter("team", "uid")
        assert await Spaces(bucket, "cluster").enter("team", "uid") == first
        said = json.loads(s3.objects[f"spaces/{first.id}/space.json"].body)
        assert said == {
            "format": 1,
            "cluster": "cluster",
            "namespace": "team",
            "namespaceUID": "uid",
            "epoch": 1,
            "closed": False,
        }
        assert json.loads(s3.objects["modelberth.json"].body) == {"format": 1}

    async def test_remembered(self, bucket, s3):
        """A space that was entered is not asked for again."""
        spaces = Spaces(bucket, "cluster")
        await spaces.enter("team", "uid")
        before = len(s3.requests)
        await spaces.enter("team", "uid")
        assert len(s3.requests) == before

    @pytest.mark.parametrize(
        ("change", "expected"),
        [({"closed": True}, StoreDenied), ({"epoch": 2}, StoreDenied), ({"namespaceUID": "x"}, Tampered)],
    )
    async def test_taken_over(self, bucket, s3, change, expected):
        """A space that was closed, taken over by another cluster or swapped is not written any more."""
        space = await Spaces(bucket, "cluster").enter("team", "uid")
        key = f"{space.prefix}space.json"
        s3.objects[key] = Stored(json.dumps({**json.loads(s3.objects[key].body), **change}).encode(), {})
        with pytest.raises(expected, match=key):
            await Spaces(bucket, "cluster").enter("team", "uid")

    async def test_a_bucket_of_a_newer_program(self, bucket, s3):
        """A bucket whose format we do not know is left alone."""
        s3.objects["modelberth.json"] = Stored(b'{"format":2}', {})
        with pytest.raises(Tampered, match="upgrade"):
            await Spaces(bucket, "cluster").enter("team", "uid")


class TestInline:
    async def test_stored_and_committed(self, store, space, s3):
        """Inline files become a tree, objects that the store checked, and a layout that is complete."""
        summary = await store.put_inline(space, FILES)
        assert (summary.file_count, summary.size_bytes) == (3, sum(map(len, FILES.values())))
        assert await store.content(space, summary.digest) == summary
        tree, layout = (
            await store.contents.tree(space, summary.digest),
            await store.contents.layout(space, summary.digest),
        )
        layout.check_complete(tree)
        for stored in layout.objects:
            assert sha256(s3.objects[space.prefix + stored.key].body) == stored.digest

    async def test_again(self, store, space, s3):
        """The same files again write nothing."""
        first = await store.put_inline(space, FILES)
        before = dict(s3.objects)
        assert await store.put_inline(space, dict(reversed(FILES.items()))) == first
        assert s3.objects == before

    async def test_over_a_broken_connection(self, store, space, s3):
        """Lost answers leave no trace."""
        s3.lose(times=1)
        summary = await store.put_inline(space, FILES)
        assert await store.content(space, summary.digest) == summary

    async def test_nothing_at_all(self, store, space):
        """No file and only empty files are content like any other."""
        assert (await store.put_inline(space, {})).file_count == 0
        assert (await store.put_inline(space, {"empty": b""})).stored_bytes == 0

    def test_bad_paths(self):
        """A path that no tree may hold is refused."""
        with pytest.raises(FormatError):
            pack_inline({"../up": b""})

    def test_too_large(self):
        """A file of more than one chunk is to be pushed."""
        with pytest.raises(TooLarge, match="big"):
            pack_inline({"big": bytes(8 * 1024 * 1024 + 1)})


class TestContents:
    async def test_unknown(self, store, space):
        """What was never stored is None, or not found."""
        digest = "sha256:" + "0" * 64
        assert await store.content(space, digest) is None
        with pytest.raises(NotFound):
            await store.contents.tree_text(space, digest)

    async def test_without_metadata(self, store, space, s3):
        """A layout that a backup brought back without metadata is summed up from its text."""
        summary = await store.put_inline(space, FILES)
        key = next(key for key in s3.objects if "/layouts/" in key)
        s3.objects[key].headers.clear()
        assert await store.content(space, summary.digest) == summary

    @pytest.mark.parametrize("what", ["trees", "layouts"])
    async def test_swapped(self, store, space, s3, what):
        """A tree or layout that is something else is an error naming the object."""
        summary = await store.put_inline(space, FILES)
        key = next(key for key in s3.objects if f"/{what}/" in key)
        s3.objects[key].body = b"modelberth-tree/1\nnonsense\n"
        read = store.contents.tree if what == "trees" else store.contents.layout
        with pytest.raises(Tampered, match=key):
            await read(space, summary.digest)


class TestUploads:
    async def test_only_what_is_missing(self, store, space, s3):
        """What the store has checked under its digest is there; everything else gets a URL for its own key."""
        await store.put_inline(space, FILES)
        there, new = sha256(FILES["b/c.bin"]), sha256(b"new")
        wanted = [WantedObject(there, len(FILES["b/c.bin"])), WantedObject(new, 3)]
        plan = await store.uploads.plan(space, wanted, ENDPOINT, who="push")
        present, missing = plan.objects
        assert present.upload is None
        assert f"{space.prefix}data/{there[:2]}/{there}/{present.ulid}" in s3.objects
        assert f"/{space.prefix}data/{new[:2]}/{new}/{missing.ulid}?" in missing.upload.url
        assert missing.upload.url.startswith(f"{ENDPOINT.url}/bucket/")

    @pytest.mark.parametrize("headers", [{}, {"x-amz-checksum-sha256": "AAAA"}])
    async def test_unchecked_bytes_are_not_used(self, store, space, s3, headers):
        """Bytes that lie under a digest without the store's own checksum count as missing."""
        digest = sha256(b"real")
        s3.objects[f"{space.prefix}data/{digest[:2]}/{digest}/{new_ulid()}"] = Stored(b"fake", headers)
        plan = await store.uploads.plan(space, [WantedObject(digest, 4)], ENDPOINT, who="push")
        assert plan.objects[0].upload is not None

    async def test_each_push_has_its_own_series(self, store, space, s3):
        """A push signs with a session that may only write ULIDs of its own series; another push has another one."""
        item = [WantedObject(sha256(b"x"), 1)]
        ulids = [(await store.uploads.plan(space, item, ENDPOINT, who=who)).objects[0].ulid for who in ("a", "a", "b")]
        assert ulids[0][:16] == ulids[1][:16] != ulids[2][:16]
        resources = [json.loads(policy)["Statement"][0]["Resource"] for policy in s3.policies]
        assert resources == [[f"arn:aws:s3:::bucket/{space.prefix}data/*/{ulid[:16]}*"] for ulid in ulids[::2]]

    async def test_sessions_outlive_their_urls(self, store, space, s3):
        """A session with less left than a URL lives is replaced before it signs."""
        s3.session_seconds = 600
        for _ in range(2):
            await store.sessions.reader(space, ENDPOINT)
        assert len(s3.policies) == 2
        s3.session_seconds = 3600
        for _ in range(3):
            signer = await store.sessions.reader(space, ENDPOINT)
        assert len(s3.policies) == 3
        assert 800 < (signer.expires_at - datetime.now(UTC)).total_seconds() <= 900

    def test_ulids(self):
        """ULIDs have one spelling, are never equal, and begin with their series."""
        from modelberth.content.layout import is_ulid

        series = new_series()
        ulids = [new_ulid(series) for _ in range(100)]
        assert len(set(ulids)) == 100
        assert all(is_ulid(ulid) and ulid.startswith(series) for ulid in ulids)
        assert is_ulid(new_ulid())


class TestCommits:
    @pytest.fixture
    def content(self):
        """Files, not stored yet."""
        return pack_inline(FILES)

    async def upload(self, store, space, content, *, checked=True):
        await store.contents.put_tree(space, content.tree.digest, content.tree.to_bytes())
        for stored in content.layout.objects:
            checksum = stored.digest if checked else None
            await store.contents.bucket.put(space.prefix + stored.key, content.objects[stored.digest], sha256=checksum)

    async def test_whole(self, store, space, content):
        """Content whose objects are all there is committed, again and again, with the same numbers."""
        await self.upload(store, space, content)
        expected = summarise(content.tree, content.layout)
        for _ in range(2):
            assert await store.commits.commit(space, content.tree.digest, content.layout) == expected
        assert await store.content(space, content.tree.digest) == expected

    async def test_no_tree(self, store, space, content):
        """Without its tree nothing is committed."""
        with pytest.raises(NotFound):
            await store.commits.commit(space, content.tree.digest, content.layout)

    async def test_missing_and_short(self, store, space, content, s3):
        """Missing objects and those of another size are named, and nothing is committed."""
        await self.upload(store, space, content)
        first, second = content.layout.objects
        del s3.objects[space.prefix + first.key]
        s3.objects[space.prefix + second.key].body += b"!"
        with pytest.raises(Incomplete) as caught:
            await store.commits.commit(space, content.tree.digest, content.layout)
        assert caught.value.missing == (first.digest, second.digest)
        assert await store.content(space, content.tree.digest) is None

    async def test_a_store_without_checksums(self, store, space, content, s3):
        """Where the store keeps no checksum every object is read: right bytes are committed, wrong ones named."""
        s3.keeps_checksums = False
        await self.upload(store, space, content, checked=False)
        whole = next(stored for stored in content.layout.objects if stored.size > 1024 * 1024)
        right = s3.objects[space.prefix + whole.key].body
        s3.objects[space.prefix + whole.key].body = bytes(len(right))
        with pytest.raises(Incomplete) as caught:
            await store.commits.commit(space, content.tree.digest, content.layout)
        assert caught.value.missing == (whole.digest,)
        s3.objects[space.prefix + whole.key].body = right
        assert (await store.commits.commit(space, content.tree.digest, content.layout)).file_count == 3

    async def test_an_incomplete_layout(self, store, space, content):
        """A layout that does not hold every file of the tree is refused."""
        await self.upload(store, space, content)
        with pytest.raises(FormatError, match="no line for"):
            await store.commits.commit(space, content.tree.digest, Layout.build({}, {}, {}))

    async def test_a_pack_that_lies(self, store, space):
        """A piece that is not what the layout says is refused by its digest."""
        content = pack_inline({"1": b"one", "2": b"two"})
        await self.upload(store, space, content)
        (stored,) = content.layout.objects
        swapped = {sha256(b"two"): (stored.digest, 0, 3), sha256(b"one"): (stored.digest, 3, 3)}
        lie = Layout.build({stored.digest: (stored.size, stored.ulid)}, swapped, {})
        with pytest.raises(FormatError, match="is not what lies at its place"):
            await store.commits.commit(space, content.tree.digest, lie)

    async def test_pushing_again_mends(self, store, space, content, s3):
        """Committed content that lost an object takes the layout of a new push; whole content keeps its own."""
        await self.upload(store, space, content)
        await store.commits.commit(space, content.tree.digest, content.layout)
        again = pack_inline(FILES)
        await self.upload(store, space, again)
        await store.commits.commit(space, again.tree.digest, again.layout)
        assert await store.contents.layout(space, content.tree.digest) == content.layout
        del s3.objects[space.prefix + content.layout.objects[0].key]
        await store.commits.commit(space, again.tree.digest, again.layout)
        assert await store.contents.layout(space, content.tree.digest) == again.layout

    async def test_of_two_first_commits_one_layout_holds(self, store, space, content, s3):
        """Readers may hold the first layout already: a slower commit of the same content keeps it, and succeeds."""
        again = pack_inline(FILES)
        for each in (content, again):
            await self.upload(store, space, each)

        class Slow(Contents):
            async def write_layout(self, *arguments, **keywords):
                await store.commits.commit(space, content.tree.digest, content.layout)
                return await super().write_layout(*arguments, **keywords)

        slow = Commits(store.contents.bucket, Slow(store.contents.bucket))
        assert await slow.commit(space, again.tree.digest, again.layout) == summarise(content.tree, content.layout)
        assert await store.contents.layout(space, content.tree.digest) == content.layout

    async def test_a_broken_layout_that_was_quicker_is_mended(self, store, space, content, s3):
        """What stands there by the time of the write is judged like what stood there before."""
        await self.upload(store, space, content)

        class Slow(Contents):
            async def write_layout(self, *arguments, mend, **keywords):
                if not mend:
                    s3.objects[keys.layout(space, content.tree.digest)] = Stored(b"broken", {})
                return await super().write_layout(*arguments, mend=mend, **keywords)

        slow = Commits(store.contents.bucket, Slow(store.contents.bucket))
        assert await slow.commit(space, content.tree.digest, content.layout) == summarise(content.tree, content.layout)
        assert await store.contents.layout(space, content.tree.digest) == content.layout

    async def test_swapped_bytes_are_noticed(self, store, space, content, s3):
        """Committed content that got other bytes of the same size takes the layout of a new push, too."""
        await self.upload(store, space, content)
        await store.commits.commit(space, content.tree.digest, content.layout)
        swapped = s3.objects[space.prefix + content.layout.objects[0].key]
        swapped.body, swapped.headers = bytes(len(swapped.body)), {}
        again = pack_inline(FILES)
        await self.upload(store, space, again)
        await store.commits.commit(space, again.tree.digest, again.layout)
        assert await store.contents.layout(space, content.tree.digest) == again.layout

    async def test_an_empty_tree(self, store, space):
        """Content without a byte has a layout without a line."""
        tree = Tree.build([])
        await store.contents.put_tree(space, tree.digest, tree.to_bytes())
        summary = await store.commits.commit(space, tree.digest, Layout.build({}, {}, {}))
        assert (summary.file_count, summary.stored_bytes) == (0, 0)
