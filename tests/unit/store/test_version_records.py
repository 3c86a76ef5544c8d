"""Version records: one meaning per number, whatever is lost, doubled or asked at the same moment."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelberth.content.collections import Collection, artifact, dataset
from modelberth.content.errors import FormatError
from modelberth.store.content_store import ContentStore
from modelberth.store.errors import Tampered, VersionTaken
from modelberth.store.types import NewVersion, Space
from tests.unit.store.s3_double import Stored, running_double

MNIST = artifact("mnist")
SPACE = Space("s" * 26, "team", "uid")


def digest(number):
    return f"sha256:{number:064x}"


def new(number, version=None, versioning="Sequence", collection=MNIST):
    return NewVersion(collection, digest(number), "me", versioning=versioning, version=version)


class TestNumbers:
    async def test_sequence(self, store, space):
        """Sequence counts v0, v1, …, past ten, beyond the largest number and not into holes."""
        given_numbers = [(await store.reserve_version(space, new(n))).record.version for n in range(12)]
        assert given_numbers == [f"v{n}" for n in range(12)]
        await store.reserve_version(space, new(50, "v50"))
        assert (await store.reserve_version(space, new(51))).record.version == "v51"
        assert await store.latest_version(space, MNIST) == "v51"
        assert (await store.versions(space, MNIST))[-3:] == ["v11", "v50", "v51"]

    async def test_semantic(self, store, space):
        """Semantic counts minors of the largest major, beginning with 1.0."""
        first = await store.reserve_version(space, new(1, versioning="Semantic"))
        assert first.record.version == "1.0"
        await store.reserve_version(space, new(2, "3.9", "Semantic"))
        assert (await store.reserve_version(space, new(3, versioning="Semantic"))).record.version == "3.10"

    async def test_the_largest_description(self, store, space):
        """What the API server takes as an object can be read back as a record, for ever."""
        parameters = {f"{number:0128}": "é" * 2500 for number in range(256)}
        large = NewVersion(MNIST, digest(1), "me", spec={"parameters": parameters})
        await store.reserve_version(space, large)
        record = await store.version_record(space, MNIST, "v0")
        assert record.spec == large.spec

    async def test_the_end(self, store, space):
        """No number is reserved that no ModelVersion could have."""
        await store.reserve_version(space, new(1, "v99999999999"))
        with pytest.raises(FormatError, match="nothing follows v99999999999"):
            await store.reserve_version(space, new(2))
        assert await store.versions(space, MNIST) == ["v99999999999"]

    async def test_none_yet(self, store, space):
        """An artifact without versions has no latest one."""
        assert await store.latest_version(space, MNIST) is None
        assert await store.versions(space, MNIST) == []
        assert await store.version_record(space, MNIST, "v0") is None

    @pytest.mark.parametrize(("version", "versioning"), [("1.1", "Sequence"), ("v1", "Semantic"), ("one", "Sequence")])
    async def test_of_the_other_kind(self, store, space, version, versioning):
        """A number that is none of the artifact's versioning is refused with the form that is."""
        with pytest.raises(FormatError):
            await store.reserve_version(space, new(1, version, versioning))

    @pytest.mark.parametrize("family", ["models", "datasets"])
    @pytest.mark.parametrize("name", ["../up", "a/b", "", "UPPER", "a" * 300, "."])
    async def test_names_cannot_climb(self, store, space, family, name):
        """A name that could leave its folder of the bucket is refused before the store is asked."""
        with pytest.raises(FormatError):
            await store.version_record(space, Collection(family, name), "v0")


class TestMeaning:
    async def test_same_content_same_version(self, store, space):
        """Content that the artifact has keeps its number; other artifacts count on their own."""
        first = await store.reserve_version(space, new(1))
        again = await store.reserve_version(space, new(1))
        assert (first.created, again.created) == (True, False)
        assert again.record == first.record
        assert await store.find_by_digest(space, MNIST, digest(1)) == "v0"
        assert await store.find_by_digest(space, artifact("other"), digest(1)) is None

    async def test_taken(self, store, space):
        """A number that means other content is refused; asking for what it means is not."""
        await store.reserve_version(space, new(1, "v4"))
        with pytest.raises(VersionTaken, match="v4 of artifact mnist is sha256:0"):
            await store.reserve_version(space, new(2, "v4"))
        assert not (await store.reserve_version(space, new(1, "v4"))).created

    @pytest.mark.parametrize("other", [artifact("other"), dataset("mnist")])
    async def test_collections_know_nothing_of_each_other(self, store, space, other):
        """A number and a digest mean something within their collection only, a dataset of the same name included."""
        await store.reserve_version(space, new(1, "v4"))
        await store.reserve_version(space, new(2, "v4", collection=other))
        assert (await store.version_record(space, MNIST, "v4")).digest == digest(1)
        assert (await store.version_record(space, other, "v4")).collection == other
        assert await store.find_by_digest(space, other, digest(1)) is None
        assert await store.versions(space, other) == ["v4"]

    async def test_an_explicit_number_for_known_content(self, store, space):
        """The same content may have a second, explicitly given number; the first one stays the answer to its digest."""
        await store.reserve_version(space, new(1))
        second = await store.reserve_version(space, new(1, "v7"))
        assert (second.record.version, second.created) == ("v7", True)
        assert await store.find_by_digest(space, MNIST, digest(1)) == "v0"

    async def test_a_lost_answer_is_our_own_record(self, store, space, s3):
        """A reservation whose answer was lost is still ours, under one number."""
        s3.lose()
        reservation = await store.reserve_version(space, new(1))
        assert (reservation.created, reservation.record.version) == (True, "v0")
        assert await store.versions(space, MNIST) == ["v0"]

    async def test_sixteen_writers(self, store, space):
        """Sixteen writers of different content at once get sixteen numbers without a hole."""
        reservations = await asyncio.gather(*(store.reserve_version(space, new(n)) for n in range(16)))
        numbers = {reservation.record.version for reservation in reservations}
        assert numbers == {f"v{n}" for n in range(16)}

    async def test_sixteen_writers_of_the_same(self, store, space):
        """Sixteen writers of the same content at once are all told the same version."""
        reservations = await asyncio.gather(*(store.reserve_version(space, new(1)) for _ in range(16)))
        assert len({reservation.record.version for reservation in reservations}) == 1

    async def test_what_was_known_is_kept(self, store, space):
        """Spec, source and author are in the record, as they were given."""
        spec = {"metrics": {"accuracy": 0.97}, "description": "größer"}
        reserved = await store.reserve_version(space, NewVersion(MNIST, digest(1), "me", source="inline", spec=spec))
        record = await store.version_record(space, MNIST, "v0")
        assert record == reserved.record
        assert (record.created_by, record.source, record.spec) == ("me", "inline", spec)


class TestFamilies:
    async def test_a_mark_is_for_one_family(self, store, space):
        """Content is of the families that it was marked for, and marking it again changes nothing."""
        for _ in range(2):
            await store.mark_content(space, "datasets", digest(1))
        families = [
            family for family in ("models", "datasets", "runs") if await store.has_family(space, family, digest(1))
        ]
        assert families == ["datasets"]

    async def test_a_reservation_gives_no_right(self, store, space):
        """Whoever knows a digest can reserve a number for it, and the family has its bytes no more than before."""
        await store.reserve_version(space, new(1))
        assert not await store.has_family(space, "models", digest(1))


class TestForgery:
    @pytest.mark.parametrize(
        ("field", "value"),
        [("version", "v1"), ("artifact", "other"), ("format", 2), ("format", True), ("digest", None), ("source", "x")],
    )
    async def test_fields(self, store, space, s3, field, value):
        """A record that is not what its key says, or that we do not understand, is an error naming the object."""
        await store.reserve_version(space, new(1))
        key = next(key for key in s3.objects if "/records/versions/" in key)
        document = json.loads(s3.objects[key].body)
        s3.objects[key] = Stored(json.dumps({**document, field: value}).encode(), {})
        with pytest.raises(Tampered, match=key):
            await store.version_record(space, MNIST, "v0")

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"format":1,"format":1}', b"\xff", b"NaN"])
    async def test_no_document(self, store, space, s3, body):
        """Something else than a JSON object with unique keys is an error naming the object."""
        await store.reserve_version(space, new(1))
        key = next(key for key in s3.objects if "/records/versions/" in key)
        s3.objects[key] = Stored(body, {})
        with pytest.raises(Tampered, match=key):
            await store.version_record(space, MNIST, "v0")

    async def test_a_digest_that_points_elsewhere(self, store, space, s3):
        """A digest's record that names a version of other content is an error, not that version."""
        await store.reserve_version(space, new(1))
        await store.reserve_version(space, new(2))
        key = next(key for key in s3.objects if key.endswith(digest(1)[7:]))
        s3.objects[key] = Stored(b'{"format":1,"version":"v1"}', {})
        with pytest.raises(Tampered, match="does not have the content"):
            await store.find_by_digest(space, MNIST, digest(1))


operations = st.lists(
    st.tuples(
        st.integers(0, 4),  # content
        st.sampled_from([None, None, "v0", "v1", "v2", "v9"]),
        st.sampled_from(["", "lose", "break_off", "conflict"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=10)
@given(operations)
def test_one_meaning_per_version(steps):
    """What a number once meant it means for ever, and unnumbered content has one version.

    Over any reservations, with answers lost, requests dropped and conflicts between.
    """
    meaning, unnumbered, refused = {}, {}, {}

    async def run(double):
        bucket = double.bucket()
        try:
            store = ContentStore(bucket, "cluster")
            for content, version, fault in steps:
                if fault == "conflict":
                    double.answer(409, "ConditionalRequestConflict")
                elif fault:
                    getattr(double, fault)()
                try:
                    record = (await store.reserve_version(SPACE, new(content, version))).record
                except VersionTaken as taken:
                    refused[taken.version] = (taken.digest, digest(content))
                    continue
                finally:
                    double.faults.clear()
                assert record.digest == digest(content) == meaning.setdefault(record.version, record.digest)
                if version is None:
                    assert unnumbered.setdefault(content, record.version) == record.version
            assert all(meaning[number] == said != asked for number, (said, asked) in refused.items())
            for version, expected in meaning.items():
                assert (await store.version_record(SPACE, MNIST, version)).digest == expected
        finally:
            bucket.close()

    with running_double() as double:
        asyncio.run(run(double))
