"""Push and load through the real registry, the real API server and the real MinIO."""

import io
import json
import threading
import uuid

import httpx
import pytest
from minio import Minio

from modelberth.content.layout import Layout
from modelberth.registry.peers import Peers
from tests.cluster.api_server import connect
from tests.cluster.pushing import SESSION, Client, folder, some_bytes
from tests.cluster.registry_process import (
    new_namespace,
    pod_token,
    registry,
    running_registry,
    session_header,
)

__all__ = ["registry"]

FILES = {"weights.bin": some_bytes(9 * 1024 * 1024), "config.json": b"{}", "empty": b"", "deep/er/ÿ.txt": b"text"}


@pytest.fixture(scope="module")
def namespace(control_plane, registry):
    """A namespace for the tests of this module; they keep apart by artifact."""
    return new_namespace(control_plane)


@pytest.fixture(scope="module")
def pusher(control_plane, registry, namespace):
    """A user who may push there."""
    with registry.client() as http:
        yield Client(http, namespace, session_header(control_plane, namespace, "Push"))


@pytest.fixture(scope="module")
def puller(control_plane, registry, namespace):
    """A user who may pull there."""
    with registry.client() as http:
        yield Client(http, namespace, session_header(control_plane, namespace, "Pull"))


@pytest.fixture
def artifact():
    """An artifact name of the test's own."""
    return f"a{uuid.uuid4().hex[:8]}"


def test_what_is_pushed_comes_back(pusher, puller, artifact):
    """A folder with a file of two chunks, small, empty and non-ASCII files loads byte for byte as it was pushed."""
    content = folder(FILES)
    reserved = pusher.push(artifact, content)
    assert (reserved["version"], reserved["created"], reserved["committed"]) == ("v0", True, False)
    assert puller.load(content.tree.digest) == FILES


def test_the_same_content_again_is_the_same_version(pusher, artifact):
    """Pushing content that the artifact has answers with its version, that it is there, and sends nothing."""
    content = folder({"a": some_bytes(2_000_000, 7), "b": b"b" + artifact.encode()})
    first = pusher.push(artifact, content)
    again = pusher.reserve(artifact, content.tree.digest)
    assert again == {**first, "created": False, "committed": True}
    assert all(target["present"] for target in pusher.targets(content.objects).values())


def test_numbers_go_on(pusher, artifact):
    """Other content gets the next number; Semantic counts minors of the largest major; explicit numbers are kept."""
    digests = [f"sha256:{number:064x}" for number in range(5)]
    assert [pusher.reserve(artifact, digest)["version"] for digest in digests[:2]] == ["v0", "v1"]
    assert pusher.reserve(artifact, digests[2], version="v9")["version"] == "v9"
    assert pusher.reserve(artifact, digests[3])["version"] == "v10"
    taken = pusher.post(f"/artifacts/{artifact}/versions", json={"digest": digests[4], "version": "v9"})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "VersionTaken")
    semantic = f"{artifact}-s"
    assert pusher.reserve(semantic, digests[0], versioning="Semantic")["version"] == "1.0"
    assert pusher.reserve(semantic, digests[1], versioning="Semantic", version="2.0")["version"] == "2.0"
    assert pusher.reserve(semantic, digests[2], versioning="Semantic")["version"] == "2.1"


def test_sixteen_pushes_at_once_get_sixteen_numbers(registry, pusher, artifact):
    """Reservations of different content at the same moment never share a number and leave no hole."""
    numbers, errors = [], []

    def reserve(number):
        try:
            with registry.client() as http:
                own = Client(http, pusher.namespace, pusher.headers[SESSION])
                numbers.append(own.reserve(artifact, f"sha256:{number:064x}")["version"])
        except AssertionError as error:
            errors.append(error)

    threads = [threading.Thread(target=reserve, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(numbers, key=lambda name: int(name[1:])) == [f"v{number}" for number in range(16)]


def test_commit_says_what_is_missing(pusher, artifact):
    """A commit before all uploads names the missing objects; after them the same request succeeds, again and again."""
    content = folder({"x": some_bytes(1_500_000, 11) + artifact.encode(), "y": some_bytes(1_200_000, 12)})
    digest = content.tree.digest
    pusher.reserve(artifact, digest)
    pusher.put(f"/trees/{digest}", content.tree.to_bytes())
    targets = pusher.targets(content.objects)
    layout = content.layout({name: target["ulid"] for name, target in targets.items()})
    first, second = sorted(content.objects)
    httpx.put(targets[first]["url"], content=content.objects[first], headers=targets[first]["headers"])
    answer = pusher.commit(digest, layout)
    assert (answer.status_code, answer.json()["missing"]) == (409, [second])
    httpx.put(targets[second]["url"], content=content.objects[second], headers=targets[second]["headers"])
    done = [pusher.commit(digest, layout) for _ in range(2)]
    size = sum(map(len, content.objects.values()))
    expected = {"digest": digest, "fileCount": 2, "sizeBytes": size, "storedBytes": size}
    assert [answer.json() for answer in done] == [expected, expected]


def test_commit_before_the_tree_is_refused(pusher):
    """Content whose tree was never sent cannot be committed, and the answer says what to send."""
    content = folder({"z": b"never sent"})
    answer = pusher.commit(content.tree.digest, content.layout(pusher.upload(content.objects)))
    assert answer.status_code == 404
    assert "send it first" in answer.json()["error"]["message"]


def test_a_pack_that_lies_is_refused(pusher, artifact):
    """A layout that swaps two pieces of a pack is refused: the pieces are hashed, not believed."""
    content = folder({"1": b"first" + artifact.encode(), "2": b"other" + artifact.encode()})
    digest = content.tree.digest
    pusher.reserve(artifact, digest)
    pusher.put(f"/trees/{digest}", content.tree.to_bytes())
    (one, (pack, start, length)), (two, (_, other, _)) = content.chunks.items()
    ulids = pusher.upload(content.objects)
    lie = Layout.build(
        {pack: (len(content.objects[pack]), ulids[pack])},
        {one: (pack, other, length), two: (pack, start, length)},
        {},
    )
    answer = pusher.commit(digest, lie)
    assert answer.status_code == 400
    assert "is not what lies at its place" in answer.json()["error"]["message"]


def test_lost_objects_come_back_by_pushing_again(registry, pusher, puller, artifact):
    """When somebody deletes an object of committed content, a commit of the same bytes under a new key mends it."""
    files = {"w": some_bytes(1_100_000, 21) + artifact.encode()}
    content = folder(files)
    pusher.push(artifact, content)
    with httpx.Client() as http:
        urls = puller.post(f"/content/{content.tree.digest}/urls", json={"objects": [0]}).json()["urls"]
        key = httpx.URL(urls["0"]).path.removeprefix(f"/{registry.store.bucket}/")
        _remove(registry, key)
        assert http.get(urls["0"]).status_code == 404
    answer = pusher.commit(content.tree.digest, content.layout(pusher.upload(content.objects)))
    assert answer.status_code == 200
    assert puller.load(content.tree.digest) == files


def test_changed_objects_are_replaced_by_pushing_again(registry, pusher, puller, artifact):
    """Other bytes of the same size, put there by an administrator: pushing the right ones again mends the version."""
    files = {"w": some_bytes(1_100_000, 22) + artifact.encode()}
    content = folder(files)
    pusher.push(artifact, content)
    (body,) = content.objects.values()
    urls = puller.post(f"/content/{content.tree.digest}/urls", json={"objects": [0]}).json()["urls"]
    key = httpx.URL(urls["0"]).path.removeprefix(f"/{registry.store.bucket}/")
    _administrator(registry).put_object(registry.store.bucket, key, io.BytesIO(b"X" + body[1:]), len(body))
    assert pusher.commit(content.tree.digest, content.layout(pusher.upload(content.objects))).status_code == 200
    assert puller.load(content.tree.digest) == files


def _remove(registry, key):
    _administrator(registry).remove_object(registry.store.bucket, key)


def _administrator(registry):
    root = registry.root
    return Minio(registry.store.endpoint.host, root.access_key, root.secret_key, secure=False)


def test_drafts_are_listed(pusher, artifact):
    """A reserved version is in the list at once; whether its content is there is said beside it."""
    content = folder({"draft": artifact.encode()})
    pusher.push(artifact, content)
    pusher.reserve(artifact, "sha256:" + "d" * 64)
    listed = pusher.get(f"/artifacts/{artifact}/versions").json()
    assert [(entry["version"], entry["committed"]) for entry in listed] == [("v0", True), ("v1", False)]
    assert pusher.get(f"/artifacts/{artifact}/versions", params={"last": 1}).json() == listed[1:]
    assert listed[0]["createdBy"] == "kubernetes-admin"


def test_two_registries_are_one(control_plane, registry, pusher, artifact, tmp_path):
    """What is committed through one replica loads through another at once: neither keeps anything of its own."""
    namespace, files = pusher.namespace, {"m": b"through two" + artifact.encode()}
    content = folder(files)
    pusher.push(artifact, content)
    with running_registry(control_plane, tmp_path / "second", store=registry.store) as second, second.client() as http:
        assert (
            Client(http, namespace, session_header(control_plane, namespace, "Pull")).load(content.tree.digest) == files
        )


def test_a_pod_loads_what_its_namespace_has(control_plane, registry, pusher, artifact):
    """A pod of the namespace reads by its projected token alone: tree, layout, URLs and addresses."""
    namespace, content = pusher.namespace, folder({"p": b"for pods" + artifact.encode()})
    pusher.push(artifact, content)
    token = pod_token(control_plane, namespace)
    with registry.client(Authorization=f"Bearer {token}") as http:
        base = f"/v1/namespaces/{namespace}"
        assert http.get(f"{base}/content/{content.tree.digest}/tree").content == content.tree.to_bytes()
        address = f"{artifact}@{content.tree.digest}"
        assert http.get(f"{base}/resolve", params={"address": address}).json() == {
            "namespace": namespace,
            "family": "models",
            "name": artifact,
            "artifact": artifact,
            "version": "v0",
            "digest": content.tree.digest,
            "via": "digest",
        }


async def test_progress_reaches_the_operator(control_plane, registry, namespace):
    """What a pod tells of its load is seen by whoever may read the status of ModelDeployments, from any replica."""
    token = pod_token(control_plane, namespace, pod="loading")
    said = {"digest": "sha256:" + "a" * 64, "bytes": 5, "total": 10}
    with registry.client(Authorization=f"Bearer {token}") as http:
        assert http.post(f"/v1/namespaces/{namespace}/progress", json=said).status_code == 204
        assert http.get("/v1/progress").status_code == 403
    operator = control_plane.kubectl(
        "create", "token", "modelberth-operator", "--namespace=modelberth", "--audience=modelberth"
    ).stdout.strip()
    with registry.client(Authorization=f"Bearer {operator}") as http:
        told = [entry for entry in http.get("/v1/progress").json() if entry["namespace"] == namespace]
    uid = control_plane.kubectl(
        "get", "pod", "loading", f"--namespace={namespace}", "-ojsonpath={.metadata.uid}"
    ).stdout
    assert [(entry["pod"], entry["podUID"], entry["bytes"], entry["total"]) for entry in told] == [
        ("loading", uid, 5, 10)
    ]
    port, name = int(registry.url.rpartition(":")[2]), "modelberth-registry.modelberth.svc"
    replicas = await Peers("localhost", port=port, server_name=name, ca_file=registry.ca).progress(f"Bearer {operator}")
    assert uid in {entry.pod_uid for entries in replicas for entry in entries}


def test_the_service_proxy_leads_here(control_plane, registry, namespace, pusher, artifact):
    """A session works through the API server's service proxy: a laptop needs nothing but its kubeconfig."""
    pusher.reserve(artifact, "sha256:" + "1" * 64)
    proxy = "/api/v1/namespaces/modelberth/services/https:modelberth-registry:443/proxy"
    with connect(control_plane.kubeconfig) as http:
        answer = http.get(f"{proxy}{pusher.base}/artifacts/{artifact}/versions", headers=pusher.headers)
    assert (answer.status_code, [entry["version"] for entry in answer.json()]) == (200, ["v0"])


def test_the_openapi_document_names_the_answers(registry):
    """The document that FastAPI writes has a schema for every answer of every route."""
    with registry.client() as http:
        document = http.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                bodiless = status in ("202", "204")
                assert bodiless or answer.get("content"), f"{method} {path} {status}"
    assert json.dumps(document)


def test_a_right_on_models_is_none_on_data(control_plane, registry, namespace):
    """An account that may read models reads no dataset, and the other way, by no route and under no family's name."""
    elsewhere = new_namespace(control_plane)
    account = f"system:serviceaccount:{elsewhere}:default"
    digests = {}
    with registry.client() as http:
        for family, kind in (("models", "artifacts"), ("datasets", "datasets")):
            pusher = Client(http, namespace, session_header(control_plane, namespace, "Push", family=family))
            content = folder({"file": family.encode()})
            pusher.push("both", content, kind=kind)
            digests[family] = content.tree.digest
    for family, resource in (("models", "modelversions"), ("datasets", "datasetversions")):
        role = f"reads-{family}"
        rights = ("--verb=get", f"--resource={resource}.modelberth.io/content", f"--namespace={namespace}")
        control_plane.kubectl("create", "role", role, *rights)
        control_plane.kubectl("create", "rolebinding", role, f"--role={role}", f"--user={account}", f"-n{namespace}")
        headers = {"Authorization": f"Bearer {pod_token(control_plane, elsewhere)}"}
        with registry.client() as http:
            for asked, digest in digests.items():
                for named in ("models", "datasets"):
                    statuses = {
                        http.request(method, url, params={"family": named}, headers=headers, **body).status_code
                        for method, url, body in _content_routes(namespace, digest)
                    }
                    expected = 403 if named != family else 200 if asked == family else 404
                    assert statuses == {expected}, (family, asked, named)
            listed = {
                of: http.get(f"/v1/namespaces/{namespace}/{kind}/both/versions", headers=headers).status_code
                for of, kind in (("models", "artifacts"), ("datasets", "datasets"))
            }
            assert listed == {of: 200 if of == family else 403 for of in listed}
        control_plane.kubectl("delete", "rolebinding", role, f"-n{namespace}")


def _content_routes(namespace, digest):
    base = f"/v1/namespaces/{namespace}/content/{digest}"
    return (
        ("GET", f"{base}/tree", {}),
        ("GET", f"{base}/layout", {}),
        ("POST", f"{base}/urls", {"json": {"objects": [0]}}),
    )


def test_a_datasets_digest_is_no_way_to_its_bytes(control_plane, registry, namespace):
    """Whoever may push and pull models, and knows a dataset's digest, reserves it and still reads nothing."""
    content = folder({"secret": b"rows"})
    with registry.client() as http:
        data = Client(http, namespace, session_header(control_plane, namespace, "Push", family="datasets"))
        data.push("hidden", content, kind="datasets")
        thief = Client(http, namespace, session_header(control_plane, namespace, "Push"))
        assert thief.reserve("hidden", content.tree.digest)["committed"] is False
        guessed = folder({"secret": b"guess"})
        ulids = thief.upload(guessed.objects)
        assert thief.commit(content.tree.digest, guessed.layout(ulids)).status_code == 400
        reader = Client(http, namespace, session_header(control_plane, namespace, "Pull"))
        assert reader.get(f"/content/{content.tree.digest}/tree").status_code == 404
