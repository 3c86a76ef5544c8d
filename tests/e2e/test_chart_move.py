"""The main job, on a cluster installed by the chart: push, move the alias, the Deployment rolls."""

import base64
import json
from pathlib import Path

from tests.e2e.support import (
    RELEASE_NAMESPACE,
    Cluster,
    Object,
    eventually,
    model_deployment,
    model_folder,
    registered_model,
    requests,
)


def test_helm_test_proves_the_installation(release: Cluster) -> None:
    """`helm test` passes and leaves no version behind."""
    said = release.helm("test", "modelberth", "--timeout=3m")
    assert "Succeeded" in said, said
    assert not release.list(RELEASE_NAMESPACE, "modelversions")


def test_an_alias_moves_under_load_without_a_lost_request(release: Cluster, namespace: str, tmp_path: Path) -> None:
    """Moving the alias brings the new version in and lets the old one leave, and every request is answered."""
    first = release.push(namespace, model_folder(tmp_path, "first"), "words", "--metric", "accuracy=0.5")
    second = release.push(namespace, model_folder(tmp_path, "second"), "words")
    assert (first, second) == ("words-v0", "words-v1")
    release.apply(namespace, registered_model("words", first), model_deployment("words"))
    release.wait_served(namespace, "words", first)
    with requests(release, namespace, "words") as asked:
        eventually(lambda: len(asked.outcomes()) > 50, "requests are answered before the move")
        release.apply(namespace, registered_model("words", second))
        release.wait_served(namespace, "words", second)
        answered = len(asked.outcomes())
        eventually(lambda: len(asked.outcomes()) > answered + 100, "requests go on being answered")
        assert asked.errors() == []
        assert asked.versions() == {first, second}
    status = release.get(namespace, "registeredmodel", "words")["status"]["aliases"]["production"]
    events = [(entry["event"], entry["version"]) for entry in status["history"]]
    assert {("Moved", first), ("Served", first), ("Moved", second), ("Served", second)} <= set(events)
    deployment = release.get(namespace, "modeldeployment", "words")["status"]
    assert [served["version"] for served in deployment["served"]] == [second]
    assert deployment["state"] == "Served"


def test_the_same_content_again_is_the_version_that_exists(release: Cluster, namespace: str, tmp_path: Path) -> None:
    """Pushing an unchanged folder makes no new version."""
    folder = model_folder(tmp_path, "same")
    assert release.push(namespace, folder, "words") == release.push(namespace, folder, "words") == "words-v0"
    assert [found["metadata"]["name"] for found in release.list(namespace, "modelversions")] == ["words-v0"]


def test_a_missing_version_never_takes_down_what_serves(release: Cluster, namespace: str, tmp_path: Path) -> None:
    """An alias to a version that does not exist waits and says so; what served goes on serving."""
    first = release.push(namespace, model_folder(tmp_path, "first"), "words")
    release.apply(namespace, registered_model("words", first), model_deployment("words", replicas=1))
    release.wait_served(namespace, "words", first)
    pods = {pod["metadata"]["uid"] for pod in _serving(release, namespace)}
    release.apply(namespace, registered_model("words", "words-v7"))

    def waits() -> bool:
        alias = release.get(namespace, "registeredmodel", "words")["status"]["aliases"]["production"]
        return alias["state"] == "Waiting" and "words-v7" in alias["message"]

    eventually(waits, "the alias waits for words-v7 and names it")
    assert release.get(namespace, "registeredmodel", "words")["status"]["aliases"]["production"]["current"] == first
    assert {pod["metadata"]["uid"] for pod in _serving(release, namespace)} == pods


def test_no_key_of_the_store_reaches_a_users_namespace(release: Cluster, namespace: str, tmp_path: Path) -> None:
    """Neither pods, Secrets, ConfigMaps nor logs of a namespace with a served model hold a credential of the store."""
    first = release.push(namespace, model_folder(tmp_path, "first"), "words")
    release.apply(namespace, registered_model("words", first), model_deployment("words", replicas=1))
    release.wait_served(namespace, "words", first)
    secrets = [release.get(RELEASE_NAMESPACE, "secret", name) for name in ("modelberth-store", "modelberth-minio")]
    keys = {field: value for secret in secrets for field, value in _decoded(secret).items()}
    seen = _all_that_is_there(release, namespace)
    assert first in seen, "the search sees what is there"
    assert not [field for field in ("secretKey", "rootPassword") if keys[field] in seen]
    assert "X-Amz-Signature" not in seen


def _all_that_is_there(release: Cluster, namespace: str) -> str:
    """Every object that could hold a credential, the plain text of the Secrets among them, and every log."""
    kinds = ("pods", "secrets", "configmaps", "events", "controllerrevisions", "deployments", "modelberth")
    seen = [json.dumps(release.list(namespace, kind)) for kind in kinds]
    seen += [text for secret in release.list(namespace, "secrets") for text in _decoded(secret).values()]
    for pod in release.list(namespace, "pods"):
        name = pod["metadata"]["name"]
        seen.append(release.kubectl("logs", name, "--all-containers", f"--namespace={namespace}"))
    return "\n".join(seen)


def _decoded(secret: Object) -> dict[str, str]:
    return {name: base64.b64decode(value).decode(errors="replace") for name, value in secret.get("data", {}).items()}


def _serving(release: Cluster, namespace: str) -> list[Object]:
    return release.list(namespace, "pods", "--selector=modelberth.io/deployment=words")
