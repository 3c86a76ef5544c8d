"""Which spaces a bucket has."""

from modelberth.store import keys
from modelberth.store.content_store import ContentStore
from modelberth.store.types import Space


async def test_the_spaces_of_a_cluster(bucket, s3):
    """Each once, whatever lies in it; not those of other clusters, and not what is no space."""
    mine, other = ContentStore(bucket, "mine"), ContentStore(bucket, "other")
    for number in range(4):
        space = await mine.space(f"team-{number}", f"uid-{number}")
        for key in range(5):
            await bucket.put(f"{space.prefix}records/x/{key}", b"")
    await other.space("elsewhere", "uid-9")
    await bucket.put("spaces/nonsense/x", b"")
    await bucket.put(keys.space_record(Space("broken", "", "")), b"{")
    assert {found async for found in mine.spaces()} == {(f"team-{number}", f"uid-{number}") for number in range(4)}
    assert [found async for found in ContentStore(bucket, "new").spaces()] == []
