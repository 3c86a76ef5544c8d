"""Models, data and the files of runs lie in one store: a right on one family opens nothing of another, by any route."""

import pytest

from modelberth.content.collections import artifact, dataset
from modelberth.runtime.resources import DATASETS, MODEL_ARTIFACTS
from modelberth.store.inline import pack_inline
from modelberth.store.types import NewVersion
from tests.unit.registry.test_access import add_session

TEAM = "/v1/namespaces/team"
RESOURCES = {"models": "modelversions", "datasets": "datasetversions", "runs": "trainingruns"}
FAMILIES = list(RESOURCES)


@pytest.fixture
async def space(world):
    """The space of the namespace."""
    return await world.services.backend.namespaces.space("team")


async def stored(world, space, family, text):
    """Content of a family; its digest."""
    summary = await world.store.put_inline(space, {"file": text.encode()})
    await world.store.mark_content(space, family, summary.digest)
    return summary.digest


async def send(http, files, digest=None):
    """Push as a client does, but claim a digest of one's own choice; the commit's answer."""
    content = pack_inline(files)
    await http.put(f"{TEAM}/trees/{content.tree.digest}", content=content.tree.to_bytes())
    return await http.post(f"{TEAM}/commits/{digest or content.tree.digest}", content=content.layout.to_bytes())


async def texts(http, digest, **query):
    """The statuses of all three routes that hand out content."""
    base = f"{TEAM}/content/{digest}"
    answers = [await http.get(f"{base}/{what}", params=query) for what in ("tree", "layout")]
    answers.append(await http.post(f"{base}/urls", params=query, json={"objects": [0]}))
    return {answer.status_code for answer in answers}


class TestReading:
    @pytest.mark.parametrize("family", FAMILIES)
    async def test_a_pod_reads_the_families_that_it_may(self, world, space, family):
        """A family is asked for by its name, and needs the right on its own kind; the others are refused by theirs."""
        digests = {of: await stored(world, space, of, of) for of in FAMILIES}
        world.kube.allowed = lambda spec: spec["resourceAttributes"]["resource"] == RESOURCES[family]
        async with world.client(**world.pod()) as http:
            for of, digest in digests.items():
                assert await texts(http, digest, family=of) == ({200} if of == family else {403})
                if of != family:  # nor under the family that it may read
                    assert await texts(http, digest, family=family) == {404}
                    refusal = await http.get(f"{TEAM}/content/{digest}/tree", params={"family": of})
                    assert f"{RESOURCES[of]}.modelberth.io/content" in refusal.text

    async def test_a_loader_that_names_no_family_asks_for_models(self, world, space):
        """Loaders from before there were datasets go on as they did."""
        model, data = [await stored(world, space, family, family) for family in ("models", "datasets")]
        async with world.client(**world.pod()) as http:
            assert await texts(http, model) == {200}
            assert await texts(http, data) == {404}

    @pytest.mark.parametrize("family", FAMILIES)
    async def test_a_session_is_for_one_family(self, world, space, family):
        """Its own without naming it; another one is refused, named or not."""
        digests = {of: await stored(world, space, of, of) for of in FAMILIES}
        async with world.client(**add_session(world, "Pull", family=family)) as http:
            for of, digest in digests.items():
                assert await texts(http, digest) == ({200} if of == family else {404})
                assert await texts(http, digest, family=of) == ({200} if of == family else {403})

    async def test_content_that_two_families_have(self, world, space):
        """The same bytes as a model and as a dataset are read as either, by whoever may."""
        digest = await stored(world, space, "models", "both")
        await world.store.mark_content(space, "datasets", digest)
        for family in ("models", "datasets"):
            async with world.client(**add_session(world, "Pull", name=family, family=family)) as http:
                assert await texts(http, digest) == {200}

    async def test_a_session_for_one_dataset(self, world, space):
        """Reads what that dataset has, and neither other data nor records of others."""
        digest, other = [await stored(world, space, "datasets", text) for text in ("mine", "other")]
        await world.store.reserve_version(space, NewVersion(dataset("housing"), digest, "me"))
        async with world.client(**add_session(world, "Pull", family="datasets", dataset="housing")) as http:
            assert await texts(http, digest) == {200}
            assert await texts(http, other) == {404}
            assert (await http.get(f"{TEAM}/datasets/housing/versions")).status_code == 200
            for path in ("datasets/other/versions", "artifacts/housing/versions"):
                answer = await http.get(f"{TEAM}/{path}")
                assert (answer.status_code, "dataset housing only" in answer.text) == (403, True)


class TestPushing:
    async def test_what_is_pushed_is_the_sessions_family(self, world):
        """The commit marks it, and no other family gets at it."""
        async with world.client(**add_session(world, "Push", family="datasets")) as http:
            reserved = (
                await http.post(
                    f"{TEAM}/datasets/housing/versions",
                    json={"digest": pack_inline({}).tree.digest, "spec": {"labels": {"region": "north"}}},
                )
            ).json()
            assert (reserved["version"], reserved["committed"]) == ("v0", False)
            assert (await send(http, {})).status_code == 200
        space = await world.services.backend.namespaces.space("team")
        record = await world.store.version_record(space, dataset("housing"), "v0")
        assert record.spec == {"labels": {"region": "north"}}
        assert await world.store.has_family(space, "datasets", record.digest)
        assert not await world.store.has_family(space, "models", record.digest)

    @pytest.mark.parametrize(("family", "other"), [("models", "datasets"), ("datasets", "artifacts")])
    async def test_a_version_of_the_other_family(self, world, family, other):
        """A session reserves in its own family only."""
        async with world.client(**add_session(world, "Push", family=family)) as http:
            answer = await http.post(f"{TEAM}/{other}/x/versions", json={"digest": pack_inline({}).tree.digest})
        assert (answer.status_code, f"the session is for {family}" in answer.text) == (403, True)

    async def test_a_digest_opens_nothing(self, world, space):
        """Whoever knows a dataset's digest can reserve a model for it, and commit nothing without its files' digests."""
        digest = await stored(world, space, "datasets", "secret")
        async with world.client(**add_session(world, "Push")) as http:
            reserved = (await http.post(f"{TEAM}/artifacts/thief/versions", json={"digest": digest})).json()
            assert reserved["committed"] is False
            for files in ({}, {"file": b"guessed"}, {"other": b"secret!"}):
                assert (await send(http, files, digest)).status_code == 400
        async with world.client(**add_session(world, "Pull", name="reader")) as http:
            assert await texts(http, digest) == {404}

    async def test_the_same_files_are_the_proof(self, world, space):
        """Whoever has the files themselves pushes them as a model, too, and then reads them as one."""
        digest = await stored(world, space, "datasets", "mine")
        async with world.client(**add_session(world, "Push")) as http:
            assert (await send(http, {"file": b"mine"})).json()["digest"] == digest
        async with world.client(**add_session(world, "Pull", name="reader")) as http:
            assert await texts(http, digest) == {200}

    @pytest.mark.parametrize("changed", [{"versioning": "Semantic"}, {"version": "1.0"}, {"spec": {"metrics": {}}}])
    async def test_what_no_dataset_has(self, world, changed):
        """Fields of models are refused by their name."""
        async with world.client(**add_session(world, "Push", family="datasets")) as http:
            answer = await http.post(
                f"{TEAM}/datasets/housing/versions", json={"digest": pack_inline({}).tree.digest, **changed}
            )
        assert (answer.status_code, next(iter(changed)) in answer.text) == (422, True)


class TestResolving:
    @pytest.fixture
    async def both(self, world, space):
        """An artifact and a dataset `housing`, each with v0; the dataset has v1 as well."""
        for collection, number in ((artifact("housing"), 0), (dataset("housing"), 1), (dataset("housing"), 2)):
            await world.store.reserve_version(space, NewVersion(collection, f"sha256:{number:064x}", "me"))
        aliases = {"reviewed": {"version": "housing-v1"}}
        status = {"latestVersion": "housing-v1", "aliases": {"reviewed": {"current": "housing-v1"}}}
        world.kube.put(DATASETS, "team", "housing", spec={"aliases": aliases}, status=status)

    async def ask(self, http, address, **more):
        return await http.get(f"{TEAM}/resolve", params={"address": address, **more})

    @pytest.mark.usefixtures("both")
    @pytest.mark.parametrize(
        "address", ["housing:v1", "housing", "housing:latest", "housing:reviewed", f"housing@sha256:{2:064x}"]
    )
    async def test_what_only_the_dataset_has(self, world, address):
        """Is found without saying where, and the answer says whose it is; a folder plays no part."""
        async with world.client(**add_session(world)) as http:
            found = (await self.ask(http, f"{address}#train")).json()
        assert (found["family"], found["name"], found["version"]) == ("datasets", "housing", "v1")

    @pytest.mark.usefixtures("both")
    async def test_what_both_have(self, world):
        """A version, an alias or the newest one of both is an error naming both, until the family is said."""
        world.kube.put(
            MODEL_ARTIFACTS,
            "team",
            "housing",
            spec={"aliases": {"reviewed": {"version": "housing-v0"}}},
            status={"latestVersion": "housing-v0", "aliases": {"reviewed": {"current": "housing-v0"}}},
        )
        async with world.client(**add_session(world)) as http:
            for address in ("housing:v0", "housing", "housing:reviewed"):
                answer = await self.ask(http, address)
                assert (answer.status_code, "Ambiguous" in answer.json()["error"]["code"]) == (409, True)
                assert "ModelArtifact housing" in answer.text
                assert "Dataset housing" in answer.text
                for family in ("models", "datasets"):
                    assert (await self.ask(http, address, family=family)).json()["family"] == family

    @pytest.mark.usefixtures("both")
    async def test_a_pod_without_rights_on_data(self, world):
        """Is told nothing of a dataset's versions."""
        world.kube.allowed = lambda spec: spec["resourceAttributes"]["resource"] == "modelversions"
        async with world.client(**world.pod()) as http:
            assert (await self.ask(http, "housing:v1")).status_code == 403
            assert (await http.get(f"{TEAM}/datasets/housing/versions")).status_code == 403
            assert (await http.get(f"{TEAM}/artifacts/housing/versions")).status_code == 200
