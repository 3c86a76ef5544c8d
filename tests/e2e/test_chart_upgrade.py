"""Upgrading and uninstalling Modelberth leave what serves alone."""

from pathlib import Path

from tests.e2e.support import (
    IMAGE,
    RELEASE_NAMESPACE,
    ROOT,
    Cluster,
    Object,
    eventually,
    model_deployment,
    model_folder,
    registered_model,
)

NEXT = "0.1.0-next"


def served_by(release: Cluster, namespace: str) -> tuple[Object, list[tuple[str, str, int]]]:
    """The Deployment's pod template, and its pods by name and uid with their restarts."""
    template: Object = release.get(namespace, "deployment", "words-a")["spec"]["template"]
    pods = release.list(namespace, "pods", "--selector=modelberth.io/deployment=words")
    found = [
        (
            pod["metadata"]["name"],
            pod["metadata"]["uid"],
            sum(c["restartCount"] for c in pod["status"]["containerStatuses"]),
        )
        for pod in pods
    ]
    return template, sorted(found)


def holder(release: Cluster) -> str:
    """Which operator acts."""
    spec = release.get(RELEASE_NAMESPACE, "lease", "modelberth-operator")["spec"]
    return str(spec.get("holderIdentity"))


def operator_pods(release: Cluster) -> set[str]:
    selector = "--selector=app.kubernetes.io/component=operator"
    return {pod["metadata"]["name"] for pod in release.list(RELEASE_NAMESPACE, "pods", selector)}


def serve(release: Cluster, namespace: str, tmp_path: Path) -> str:
    version = release.push(namespace, model_folder(tmp_path, "first"), "words")
    release.apply(namespace, registered_model("words", version), model_deployment("words"))
    release.wait_served(namespace, "words", version)
    return version


def acts(release: Cluster, namespace: str, folder: Path) -> None:
    """The operator does its work: a version that is pushed now gets Ready."""
    release.push(namespace, folder, "proof")


def test_an_upgrade_changes_no_template_and_restarts_nothing(release: Cluster, namespace: str, tmp_path: Path) -> None:
    """Another image and other settings of the operator, and so another loader image, leave running pods alone."""
    serve(release, namespace, tmp_path)
    before, old = served_by(release, namespace), operator_pods(release)
    archive = tmp_path / "next.tar"
    release.load(f"{IMAGE}:{NEXT}", ROOT / "images" / "modelberth" / "Dockerfile", ROOT, archive)
    try:
        release.install(f"image.tag={NEXT}", "operator.logLevel=debug")
        eventually(lambda: not operator_pods(release) & old, "the old operators are gone")
        eventually(lambda: any(name in holder(release) for name in operator_pods(release)), "a new operator acts")
        acts(release, namespace, model_folder(tmp_path, "proof"))
        # Whatever the new operator thinks of this ModelDeployment, it has thought it once it observed this change.
        patch = '{"spec": {"noProgressSeconds": 599}}'
        release.kubectl("patch", "mdep", "words", f"--namespace={namespace}", "--type=merge", f"--patch={patch}")
        eventually(lambda: _observed(release, namespace), "the new operator has looked at the ModelDeployment")
        assert served_by(release, namespace) == before
    finally:
        release.install()


def _observed(release: Cluster, namespace: str) -> bool:
    found = release.get(namespace, "modeldeployment", "words")
    return bool(found["status"]["observedGeneration"] == found["metadata"]["generation"])


def test_uninstalling_leaves_objects_pods_and_bytes(release: Cluster, namespace: str, tmp_path: Path) -> None:
    """After `helm uninstall` definitions, objects, Deployments and the store's volume are there; and it comes back."""
    version = serve(release, namespace, tmp_path)
    before = served_by(release, namespace)
    release.helm("uninstall", "modelberth", "--wait", "--timeout=3m")
    try:
        assert served_by(release, namespace) == before
        assert release.get(namespace, "modelversion", version)["status"]["digest"]
        assert release.get(namespace, "registeredmodel", "words")["spec"]["aliases"]["production"]["version"] == version
        assert release.list(RELEASE_NAMESPACE, "persistentvolumeclaims")
        # Nothing hangs: a namespace with every kind in use goes away while nobody runs who could let it go.
        release.kubectl("create", "namespace", "left-behind")
        release.apply("left-behind", registered_model("words", "words-v0"), model_deployment("words", replicas=0))
        release.kubectl("delete", "namespace", "left-behind", "--timeout=60s")
    finally:
        release.install()
    release.wait_served(namespace, "words", version)
    assert served_by(release, namespace) == before
    assert release.push(namespace, tmp_path / "first", "words") == version, "the bytes and the record are still there"
