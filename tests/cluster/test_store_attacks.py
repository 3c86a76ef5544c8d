"""The attack table of the store's design, line by line, against the real registry and the real MinIO.

An attacker here holds what a user of a namespace gets: a session, a pod's token, presigned URLs. Nothing else.
"""

import base64
import io
import json
import socket
import time
import uuid
import zlib
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from minio import Minio
from minio.commonconfig import ENABLED, Filter
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule

from modelberth.content.layout import Layout
from modelberth.content.tree import Tree
from tests.cluster.pushing import Client, folder, sha256, some_bytes
from tests.cluster.registry_process import new_namespace, pod_token, prepare_registry, registry, session_header

__all__ = ["registry"]

UNKNOWN = "sha256:" + "f" * 64


@pytest.fixture(scope="module")
def victim(control_plane, registry):
    """Somebody else, with content of their own."""
    namespace = new_namespace(control_plane)
    with registry.client() as http:
        yield Client(http, namespace, session_header(control_plane, namespace, "Push"))


@pytest.fixture(scope="module")
def stolen(victim):
    """The victim's content."""
    content = folder({"secret": some_bytes(1_200_000, 99)})
    victim.push("secret", content)
    return content


@pytest.fixture(scope="module")
def attacker(control_plane, registry):
    """A user who may push into a namespace of their own."""
    namespace = new_namespace(control_plane)
    with registry.client() as http:
        yield Client(http, namespace, session_header(control_plane, namespace, "Push"))


@pytest.fixture(scope="module")
def reader(control_plane, attacker):
    """The same user, reading."""
    return Client(attacker.http, attacker.namespace, session_header(control_plane, attacker.namespace, "Pull"))


@pytest.fixture(scope="module")
def download_url(attacker, reader):
    """A download URL of the attacker's own content."""
    content = folder({"own": some_bytes(1_100_000, 51)})
    attacker.push("own", content)
    return reader.post(f"/content/{content.tree.digest}/urls", json={"objects": [0]}).json()["urls"]["0"]


@pytest.fixture
def root(registry):
    """The administrator of the store, who sees and may do everything."""
    return Minio(registry.store.endpoint.host, registry.root.access_key, registry.root.secret_key, secure=False)


def one_upload(client, body):
    """A presigned upload for these bytes: URL and headers."""
    target = client.targets({sha256(body): body})[sha256(body)]
    assert not target["present"]
    return target


def key_of(url, bucket):
    return urlsplit(url).path.removeprefix(f"/{bucket}/")


def keys_below(root, bucket, prefix):
    return {found.object_name for found in root.list_objects(bucket, prefix=prefix, recursive=True)}


def space_of(client, registry):
    """The prefix of the client's space, read off an upload URL."""
    url = one_upload(client, uuid.uuid4().bytes)["url"]
    return key_of(url, registry.store.bucket).partition("data/")[0]


class TestUploadUrls:
    """What the holder of an upload URL cannot do with it."""

    @pytest.mark.usefixtures("stolen")
    def test_copying_from_another_space(self, registry, root, attacker, victim):
        """An unsigned x-amz-copy-source of another space is refused with 403 and nothing foreign appears."""
        body = uuid.uuid4().bytes
        target = one_upload(attacker, body)
        bucket = registry.store.bucket
        foreign = next(iter(keys_below(root, bucket, space_of(victim, registry) + "data/")))
        source = {"x-amz-copy-source": quote(f"/{bucket}/{foreign}")}
        answer = httpx.put(target["url"], content=body, headers={**target["headers"], **source})
        assert answer.status_code == 403
        assert key_of(target["url"], bucket) not in keys_below(root, bucket, space_of(attacker, registry))

    def test_copying_within_the_own_space(self, registry, attacker):
        """The same attack from an object of the own space is refused as well: an upload session reads nothing."""
        body, other = uuid.uuid4().bytes, uuid.uuid4().bytes
        first = one_upload(attacker, other)
        httpx.put(first["url"], content=other, headers=first["headers"]).raise_for_status()
        target = one_upload(attacker, body)
        source = {"x-amz-copy-source": quote(urlsplit(first["url"]).path)}
        assert httpx.put(target["url"], content=body, headers={**target["headers"], **source}).status_code == 403

    @pytest.mark.usefixtures("stolen")
    @pytest.mark.parametrize("where", ["foreign data", "foreign record", "own record", "own live object"])
    def test_forging_by_the_key_id(self, registry, root, attacker, victim, where):
        """The key id and token of a URL, without a signature, write nothing: not elsewhere, not over what is live."""
        bucket = registry.store.bucket
        own, foreign = space_of(attacker, registry), space_of(victim, registry)
        # What was pushed by another session of the same namespace is as much out of reach as another namespace.
        live = min(keys_below(root, bucket, foreign + "data/"))
        key = {
            "foreign data": live,
            "foreign record": f"{foreign}records/versions/secret/v7",
            "own record": f"{own}records/versions/forged/v0",
            "own live object": None,
        }[where]
        if key is None:
            attacker.push("live", folder({"live": some_bytes(1_100_000, 5)}))
            key = min(keys_below(root, bucket, own + "data/"))
            forger = Client(attacker.http, attacker.namespace, _another_session(registry, attacker))
        else:
            forger = attacker
        before = keys_below(root, bucket, "spaces/")
        etag = root.stat_object(bucket, key).etag if key in before else None
        assert forge(registry, one_upload(forger, uuid.uuid4().bytes)["url"], key) == 403
        assert key in before or key not in keys_below(root, bucket, "spaces/")
        assert (root.stat_object(bucket, key).etag if key in before else None) == etag

    def test_forged_bytes_are_never_a_dedup_source(self, registry, root, attacker):
        """Bytes forged under a digest within the own push are neither used again nor committed."""
        body = some_bytes(1_100_000, 31)
        content = folder({"f": body})
        target = one_upload(attacker, body)
        forge(registry, target["url"], key_of(target["url"], registry.store.bucket), b"x" * len(body))
        again = attacker.targets(content.objects)[sha256(body)]
        assert not again["present"]
        digest = content.tree.digest
        attacker.reserve("forged", digest)
        attacker.put(f"/trees/{digest}", content.tree.to_bytes())
        answer = attacker.commit(digest, content.layout({sha256(body): target["ulid"]}))
        assert (answer.status_code, answer.json().get("missing")) == (409, [sha256(body)])

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ("wrong bytes", 400),
            ("longer body", 403),
            ("shorter body", 403),
            ("no checksum header", 400),
            ("no If-None-Match", 400),
            ("another checksum", 403),
            ("GET", 403),
            ("DELETE", 403),
            ("another key", 403),
            ("another host", 403),
        ],
    )
    def test_every_change_is_refused(self, registry, root, attacker, change, expected):
        """An upload URL stores exactly one content under exactly one key: whatever is changed, nothing is stored."""
        body = uuid.uuid4().bytes
        target = one_upload(attacker, body)
        url, headers, method, sent = target["url"], dict(target["headers"]), "PUT", body
        match change:
            case "wrong bytes":
                sent = bytes(reversed(body))
            case "longer body":
                sent = body + b"!"
            case "shorter body":
                sent = body[:-1]
            case "no checksum header":
                del headers["x-amz-checksum-sha256"]
            case "no If-None-Match":
                del headers["If-None-Match"]
            case "another checksum":
                sent = bytes(reversed(body))
                headers["x-amz-checksum-sha256"] = base64.b64encode(bytes.fromhex(sha256(sent))).decode()
            case "another key":
                url = url.replace(target["ulid"], target["ulid"][:-1] + ("0" if target["ulid"][-1] != "0" else "1"))
            case "another host":
                headers["Host"] = "other.example.com"
            case _:
                method, sent = change, b""
        answer = httpx.request(method, url, content=sent, headers=headers)
        assert answer.status_code == expected, answer.text
        key = key_of(target["url"], registry.store.bucket)
        assert key not in keys_below(root, registry.store.bucket, key.rpartition("/")[0])

    def test_replay_after_commit(self, attacker):
        """The URL of an object that is there answers 412 to the same bytes and 4xx to others: it never changes."""
        body = some_bytes(1_100_000, 41)
        content = folder({"r": body})
        target = one_upload(attacker, body)
        httpx.put(target["url"], content=body, headers=target["headers"]).raise_for_status()
        digest = content.tree.digest
        attacker.reserve("replayed", digest)
        attacker.put(f"/trees/{digest}", content.tree.to_bytes())
        assert attacker.commit(digest, content.layout({sha256(body): target["ulid"]})).status_code == 200
        assert httpx.put(target["url"], content=body, headers=target["headers"]).status_code == 412
        other = bytes(reversed(body))
        assert httpx.put(target["url"], content=other, headers=target["headers"]).status_code in (400, 412)


class TestDownloadUrls:
    """What the holder of a download URL cannot do with it."""

    @pytest.mark.parametrize("change", ["PUT", "DELETE", "another key", "another host", "expired", "longer life"])
    @pytest.mark.usefixtures("stolen")
    def test_every_change_is_refused(self, registry, root, victim, download_url, change):
        """A download URL reads one object until it expires; as anything else it is answered with 403."""
        url = download_url
        assert httpx.get(url).status_code == 200
        method, headers = "GET", {}
        match change:
            case "another key":
                foreign = min(keys_below(root, registry.store.bucket, space_of(victim, registry) + "data/"))
                url = url.replace(key_of(url, registry.store.bucket), foreign)
            case "another host":
                headers["Host"] = "other.example.com"
            case "expired":
                url = url.replace("X-Amz-Expires=900", "X-Amz-Expires=0")
            case "longer life":
                url = url.replace("X-Amz-Expires=900", "X-Amz-Expires=604800")
            case _:
                method = change
        assert httpx.request(method, url, headers=headers).status_code in (400, 403)

    def test_ranges_are_read(self, download_url):
        """An unsigned Range works: a loader resumes in the middle."""
        answer = httpx.get(download_url, headers={"Range": "bytes=5-9"})
        assert (answer.status_code, answer.content) == (206, some_bytes(1_100_000, 51)[5:10])


class TestTokens:
    """Who is not answered."""

    def request(self, registry, namespace, **headers):
        with registry.client(**headers) as http:
            return http.get(f"/v1/namespaces/{namespace}/content/{UNKNOWN}/tree")

    def test_none(self, registry, attacker):
        """Without a token or a session the answer is 401 and says what is needed."""
        answer = self.request(registry, attacker.namespace)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "Unauthorized")

    def test_api_audience(self, control_plane, registry, attacker):
        """A token that the API server itself would accept is refused: nobody hands such a one to us."""
        token = control_plane.kubectl("create", "token", "default", f"--namespace={attacker.namespace}").stdout.strip()
        assert self.request(registry, attacker.namespace, Authorization=f"Bearer {token}").status_code == 401

    def test_two_audiences(self, control_plane, registry, attacker):
        """A token for us and for the API server is refused: it could be replayed there."""
        both = ["--audience=modelberth", "--audience=https://kubernetes.default.svc.cluster.local"]
        made = control_plane.kubectl("create", "token", "default", f"--namespace={attacker.namespace}", *both)
        answer = self.request(registry, attacker.namespace, Authorization=f"Bearer {made.stdout.strip()}")
        assert answer.status_code == 401

    def test_forged_ones_cause_no_review(self, control_plane, registry, attacker):
        """Tokens of another issuer, of another key, expired or cut off are refused without asking the API server."""
        good = pod_token(control_plane, attacker.namespace)
        claims = jwt.decode(good, options={"verify_signature": False})
        kid = jwt.get_unverified_header(good)["kid"]
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        forged = [
            jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid}),
            jwt.encode({**claims, "iss": "https://elsewhere"}, key, algorithm="RS256", headers={"kid": "other"}),
            jwt.encode({**claims, "exp": 1}, key, algorithm="RS256", headers={"kid": kid}),
            jwt.encode(claims, "", algorithm="none"),
            jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": kid}),
            good[:-8] + "AAAAAAAA",
            good.rpartition(".")[0] + ".",
            "no token at all",
        ]
        before = reviews(registry)
        statuses = {self.request(registry, attacker.namespace, Authorization=f"Bearer {t}").status_code for t in forged}
        assert statuses == {401}
        assert reviews(registry) == before
        assert self.request(registry, attacker.namespace, Authorization=f"Bearer {good}").status_code == 404
        assert reviews(registry) > before

    def test_of_a_deleted_pod(self, control_plane, registry, attacker):
        """A token of a pod that is gone is refused by the API server's own word."""
        token = pod_token(control_plane, attacker.namespace, pod="gone")
        control_plane.kubectl("delete", "pod", "gone", f"--namespace={attacker.namespace}", "--now")
        deadline = time.monotonic() + 30
        while self.request(registry, attacker.namespace, Authorization=f"Bearer {token}").status_code != 401:
            assert time.monotonic() < deadline  # the API server itself remembers a token for ten seconds
            time.sleep(0.5)

    def test_sessions_of_other_namespaces_and_wrong_secrets(self, registry, attacker, victim):
        """A session counts in its own namespace only, with its own secret only; both refusals read alike."""
        session = attacker.headers["Modelberth-Session"]
        wrong = session.rpartition(".")[0] + "." + "0" * 64
        answers = [
            self.request(registry, victim.namespace, **{"Modelberth-Session": session}),
            self.request(registry, attacker.namespace, **{"Modelberth-Session": wrong}),
            self.request(registry, attacker.namespace, **{"Modelberth-Session": "nobody." + "0" * 64}),
        ]
        assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}

    def test_sessions_do_what_they_are_for(self, attacker, reader):
        """A Push session reads no content, a Pull session pushes nothing."""
        assert attacker.get(f"/content/{UNKNOWN}/tree").status_code == 403
        assert reader.post("/artifacts/a/versions", json={"digest": UNKNOWN}).status_code == 403

    def test_sessions_for_one_artifact(self, control_plane, attacker):
        """A session for one artifact neither reserves nor commits nor lists anything of another one."""
        header = session_header(control_plane, attacker.namespace, "Push", artifact="mine")
        limited = Client(attacker.http, attacker.namespace, header)
        content = folder({"limited": uuid.uuid4().bytes})
        attacker.reserve("other", content.tree.digest)
        assert limited.post("/artifacts/other/versions", json={"digest": UNKNOWN}).status_code == 403
        assert limited.get("/artifacts/other/versions").status_code == 403
        assert limited.put(f"/trees/{content.tree.digest}", content.tree.to_bytes()).status_code == 404
        limited.push("mine", content)


class TestOtherNamespaces:
    """Nobody learns what others have."""

    def test_a_foreign_digest_reads_like_an_unknown_one(self, registry, control_plane, attacker, reader, stolen):
        """In the own namespace a digest of another one is answered exactly as one that nobody has."""
        token = pod_token(control_plane, attacker.namespace)
        with registry.client(Authorization=f"Bearer {token}") as http:
            for path in ("tree", "layout"):
                base = f"/v1/namespaces/{attacker.namespace}/content"
                foreign, unknown = (http.get(f"{base}/{d}/{path}") for d in (stolen.tree.digest, UNKNOWN))
                assert foreign.status_code == unknown.status_code == 404
                assert foreign.text.replace(stolen.tree.digest, UNKNOWN) == unknown.text
        urls = reader.post(f"/content/{stolen.tree.digest}/urls", json={"objects": [0]})
        assert (urls.status_code, urls.json()["error"]["code"]) == (404, "ContentNotFound")

    def test_a_foreign_namespace_reads_like_no_namespace(self, registry, control_plane, attacker, victim, stolen):
        """Asking in another namespace is 403 whether content, or the namespace itself, exists or not."""
        token = pod_token(control_plane, attacker.namespace)
        with registry.client(Authorization=f"Bearer {token}") as http:
            answers = [
                http.get(f"/v1/namespaces/{namespace}/content/{digest}/tree")
                for namespace in (victim.namespace, "no-such-namespace")
                for digest in (stolen.tree.digest, UNKNOWN)
            ]
        texts = {answer.text.replace(victim.namespace, "no-such-namespace") for answer in answers}
        assert {answer.status_code for answer in answers} == {403}
        assert len(texts) == 1

    def test_dedup_stays_within_the_space(self, attacker, stolen):
        """Objects that another namespace has are not there for this one."""
        assert not any(target["present"] for target in attacker.targets(stolen.objects).values())

    def test_a_layout_cannot_claim_foreign_objects(self, attacker, victim, stolen):
        """Committing another namespace's layout, its ULIDs included, finds nothing of it here."""
        digest = stolen.tree.digest
        ulids = {name: target["ulid"] for name, target in victim.targets(stolen.objects).items()}
        attacker.reserve("claimed", digest)
        attacker.put(f"/trees/{digest}", stolen.tree.to_bytes())
        answer = attacker.commit(digest, stolen.layout(ulids))
        assert (answer.status_code, sorted(answer.json()["missing"])) == (409, sorted(stolen.objects))

    def test_a_namespace_made_again_has_nothing(self, control_plane, registry):
        """After deleting and recreating a namespace the old digest is 404, and the old space stays as it was."""
        namespace = new_namespace(control_plane)
        with registry.client() as http:
            before = Client(http, namespace, session_header(control_plane, namespace, "Push"))
            content = folder({"old": uuid.uuid4().bytes})
            before.push("old", content)
            control_plane.kubectl("delete", "namespace", namespace)
            control_plane.kubectl("create", "namespace", namespace)
            after = Client(http, namespace, session_header(control_plane, namespace, "Pull"))
            answer = after.get(f"/content/{content.tree.digest}/tree")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ContentNotFound")
            pushing = Client(http, namespace, session_header(control_plane, namespace, "Push"))
            assert pushing.get("/artifacts/old/versions").json() == []
            assert before.get("/artifacts/old/versions").status_code in (200, 401)  # remembered for 30 s, of no use:
            assert before.get("/artifacts/old/versions").json() != [{"version": "v0"}]


class TestBodies:
    """What is no tree, no layout, or too much."""

    def tree(self, *lines):
        return b"modelberth-tree/1\n" + b"".join(line.encode() + b"\n" for line in lines)

    @pytest.mark.parametrize(
        ("lines", "status"),
        [
            ([f"f {'0' * 64} 1 a", f"f {'0' * 64} 1 a/b"], 400),
            ([f"f {'0' * 64} 1 caf\u0065\u0301"], 400),
            ([f"f {'0' * 64} 1 a\0b"], 400),
            ([f"f {'0' * 64} 1 a", f"f {'0' * 64} 1 a"], 400),
            ([f"f {'0' * 64} 1 b", f"f {'0' * 64} 1 a"], 400),
            ([f"f {'0' * 64} 01 a"], 400),
            ([f"f {'0' * 64} 1 ../a"], 400),
            ([f"f {'0' * 64} 1 /a"], 400),
            ([f"f {'0' * 64} 1 CON"], 400),
            ([f"f {'0' * 64} 1 {'x' * 256}"], 400),
            ([f"f {'0' * 64} 1 A", f"f {'0' * 64} 1 a"], 400),
            ([f"f {'0' * 64} 1 a", "trailing"], 400),
            (["f"], 400),
        ],
        ids=[
            "file and folder",
            "NFD",
            "NUL",
            "doubled",
            "reordered",
            "number",
            "parent",
            "absolute",
            "device",
            "long",
            "case",
            "trailing",
            "cut",
        ],
    )
    def test_bad_trees(self, attacker, lines, status):
        """Every other spelling of a tree, and every path that not every system can keep, is refused by its line."""
        body = self.tree(*lines)
        answer = attacker.put(f"/trees/sha256:{sha256(body)}", body)
        assert (answer.status_code, "tree" in answer.text or "path" in answer.text) == (status, True)

    def test_a_tree_that_is_too_deep(self, attacker):
        """A path of 10,000 folders is refused: as a path, or as a line without end where it comes in pieces."""
        body = self.tree(f"f {'0' * 64} 1 {'d/' * 10_000}x")
        assert attacker.put(f"/trees/sha256:{sha256(body)}", body).status_code in (400, 413)

    def test_a_tree_that_is_no_text(self, attacker):
        """A lone surrogate in UTF-8's clothes, or any other broken encoding, is refused."""
        for path in (b"\xed\xa0\x80", b"\xff"):
            body = b"modelberth-tree/1\nf " + b"0" * 64 + b" 1 " + path + b"\n"
            assert attacker.put(f"/trees/sha256:{sha256(body)}", body).status_code == 400

    def test_a_digest_that_its_chunks_do_not_make(self, attacker):
        """A large file's digest is computed from its chunks: a layout whose chunks make another one is refused."""
        right = folder({"large": some_bytes(9 * 1024 * 1024, 61)})
        (entry,) = right.tree.entries
        wrong = Tree.build([replace(entry, digest="a" * 64)])
        attacker.reserve("claims", wrong.digest)
        attacker.put(f"/trees/{wrong.digest}", wrong.to_bytes())
        ulids = attacker.upload(right.objects)
        objects = {name: (len(body), ulids[name]) for name, body in right.objects.items()}
        lie = Layout.build(objects, right.chunks, {"a" * 64: right.large[entry.digest]})
        answer = attacker.commit(wrong.digest, lie)
        assert (answer.status_code, "do not make its digest" in answer.text) == (400, True)

    def test_a_tree_under_another_digest(self, attacker):
        """A tree is stored under its own digest only."""
        answer = attacker.put(f"/trees/{UNKNOWN}", folder({"a": b"a"}).tree.to_bytes())
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "DigestMismatch")

    def test_an_endless_tree(self, registry, attacker):
        """A tree of 10 GB is refused while it comes in, and the process stays small."""

        def lines():
            yield b"modelberth-tree/1\n"
            folders = b"/".join([b"d" * 200] * 19)
            for number in range(2_500_000):
                yield b"f %s 1 %s/%08d\n" % (b"1" * 64, folders, number)

        with registry.client() as http:
            try:
                url = f"{attacker.base}/trees/{UNKNOWN}"
                status = http.put(url, headers=attacker.headers, content=lines()).status_code
            except httpx.TransportError:  # the connection ends while we go on sending
                status = 413
        assert status == 413
        status_file = Path(f"/proc/{registry.process.pid}/status").read_text()
        peak = int(next(line for line in status_file.splitlines() if "VmHWM" in line).split()[1])
        assert peak < 600 * 1024, f"{peak} KiB"

    def test_json_beyond_its_limit(self, attacker):
        """A JSON body over its limit is refused by its announced length."""
        answer = attacker.post("/uploads", content=b" " * (2 * 1024 * 1024))
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "TooLarge")

    def test_unknown_fields_are_refused(self, attacker):
        """A field that the registry does not know is an error that names it, never dropped."""
        answer = attacker.post("/artifacts/a/versions", json={"digest": UNKNOWN, "aliass": "x"})
        assert (answer.status_code, "aliass" in answer.text) == (422, True)


class TestAdministrators:
    """Somebody with the store's own credentials changes what lies there."""

    def test_a_forged_record_is_noticed(self, registry, root, attacker):
        """A record that does not say what its key says is an error naming the object, not another version."""
        attacker.reserve("recorded", "sha256:" + "1" * 64)
        key = f"{space_of(attacker, registry)}records/versions/recorded/v0"
        forged = json.loads(root.get_object(registry.store.bucket, key).read())
        put(root, registry, key, json.dumps({**forged, "version": "v1"}).encode())
        answer = attacker.get("/artifacts/recorded/versions")
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "Tampered")
        assert key in answer.json()["error"]["message"]

    def test_a_swapped_tree_is_noticed(self, registry, root, attacker, reader):
        """A tree that does not have its digest is never handed out."""
        content = folder({"swapped": uuid.uuid4().bytes})
        attacker.push("swapped", content)
        key = f"{space_of(attacker, registry)}trees/{content.tree.digest.removeprefix('sha256:')}"
        put(root, registry, key, folder({"other": b""}).tree.to_bytes())
        answer = reader.get(f"/content/{content.tree.digest}/tree")
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "Tampered")

    def test_numbers_are_not_used_again(self, attacker, registry, root):
        """Removing content keeps its number taken: the next version gets another one."""
        content = folder({"number": uuid.uuid4().bytes})
        attacker.push("numbered", content)
        space = space_of(attacker, registry)
        root.remove_object(registry.store.bucket, f"{space}layouts/{content.tree.digest.removeprefix('sha256:')}")
        again = attacker.reserve("numbered", content.tree.digest)
        assert (again["version"], again["committed"]) == ("v0", False)
        assert attacker.reserve("numbered", "sha256:" + "2" * 64)["version"] == "v1"

    def test_an_expiry_rule_is_reported(self, control_plane, root, tmp_path):
        """A lifecycle rule that would remove content is one of the registry's problems, by its name."""
        prepared = prepare_registry(control_plane, tmp_path)
        rule = Rule(ENABLED, rule_filter=Filter(prefix="spaces/"), rule_id="tidy-up", expiration=Expiration(days=30))
        root.set_bucket_lifecycle(prepared.store.bucket, LifecycleConfig([rule]))
        try:
            prepared.start()
            problems = prepared.client().get("/v1/info").json()["problems"]
        finally:
            prepared.close()
        assert any("tidy-up" in problem for problem in problems)


def test_logs_hold_no_secret(control_plane, registry, attacker, reader):
    """Neither tokens nor session secrets nor signatures are in the log, whatever was asked and refused."""
    token = pod_token(control_plane, attacker.namespace)
    with registry.client(Authorization=f"Bearer {token}") as http:
        http.get(f"/v1/namespaces/{attacker.namespace}/resolve", params={"address": f"nothing:{token[:40].lower()}"})
        http.get(f"/v1/namespaces/{attacker.namespace}/content/{token}/tree")
    url = one_upload(attacker, uuid.uuid4().bytes)["url"]
    reader.get("/resolve", params={"address": url[:300]})
    query = parse_qs(urlsplit(url).query)
    secrets = [
        token,
        attacker.headers["Modelberth-Session"].rpartition(".")[2],
        query["X-Amz-Signature"][0],
        query["X-Amz-Security-Token"][0],
        registry.store.user.secret_key,
    ]
    log = registry.log.read_text()
    assert '"route"' in log
    assert [secret[:12] for secret in secrets if secret in log] == []


def test_slow_senders_hold_nobody_up(registry, attacker):
    """Connections that announce a body and never send it leave the others answered."""
    port = int(registry.url.rpartition(":")[2])
    idle = [socket.create_connection(("localhost", port)) for _ in range(50)]
    try:
        assert attacker.get("/artifacts/none/versions").status_code == 200
    finally:
        for connection in idle:
            connection.close()


def _another_session(registry, client):
    """A second session of the same user in the same namespace."""
    return session_header(registry.cluster, client.namespace, "Push")


def put(root, registry, key, body):
    root.put_object(registry.store.bucket, key, io.BytesIO(body), len(body))


def reviews(registry):
    """How many reviews the registry has asked of the API server: they are all that it POSTs."""
    with registry.client() as http:
        lines = http.get("/metrics").text.splitlines()
    posts = [line for line in lines if line.startswith("rest_client_requests_total") and 'method="POST"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in posts)


def forge(registry, url, key, body=b"forged"):
    """Upload without any signature, showing the key id and the token of a URL; the status of the answer."""
    query = parse_qs(urlsplit(url).query)
    credential, token = (quote(query[name][0], safe="") for name in ("X-Amz-Credential", "X-Amz-Security-Token"))
    checksum = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    headers = {
        "Content-Encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(body)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    chunked = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % (len(body), body, checksum.encode())
    target = f"{registry.store.endpoint.base}/{registry.store.bucket}/{quote(key)}"
    address = f"{target}?X-Amz-Credential={credential}&X-Amz-Security-Token={token}"
    return httpx.put(address, content=chunked, headers=headers).status_code
