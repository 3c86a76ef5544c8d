"""The control plane: etcd, API server, controller manager and MinIO as processes of the cluster's namespaces."""

import http.client
import json
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from . import sandbox
from .apiclient import ApiClient, wait_for
from .cluster import INSIDE, Cluster
from .host import LocalkindError
from .tools import bin_folder

PKI = INSIDE / "pki"
MINIO_USER = "localkind"


def start(cluster: Cluster) -> None:
    """Start everything; returns when the API server is ready, pods could be created, and MinIO answers."""
    write_kubeconfig(cluster, "kube-controller-manager")
    start_component(cluster, "etcd", etcd())
    start_component(cluster, "minio", minio(), minio_environment(cluster))
    start_component(cluster, "kube-apiserver", kube_apiserver(cluster))
    api = ApiClient.of(cluster)
    wait_for("a ready API server", lambda: api.request("GET", "/readyz") == "ok")
    start_component(cluster, "kube-controller-manager", kube_controller_manager(cluster))
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    wait_for("the default service account", lambda: bool(api.request("GET", account)))
    wait_for("a ready MinIO", lambda: answers(f"{cluster.minio_endpoint}/minio/health/ready"))


def etcd() -> list[str]:
    """A single member; a cluster for tests need not survive a power cut."""
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return [
        f"--data-dir={INSIDE}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]


def kube_apiserver(cluster: Cluster) -> list[str]:
    """RBAC as in production; admission plugins and API versions are those that are on by default."""
    return [
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={cluster.service_cidr}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--bind-address=0.0.0.0",
        "--secure-port=6443",
        f"--advertise-address={cluster.node_ip}",
        f"--tls-cert-file={PKI}/apiserver.crt",
        f"--tls-private-key-file={PKI}/apiserver.key",
        f"--client-ca-file={PKI}/ca.crt",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-signing-key-file={PKI}/sa.key",
        f"--service-account-key-file={PKI}/sa.pub",
        f"--kubelet-client-certificate={PKI}/admin.crt",
        f"--kubelet-client-key={PKI}/admin.key",
        # The default starts with the node's name, which no DNS knows: exec, logs and port-forward would fail.
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
    ]


def kube_controller_manager(cluster: Cluster) -> list[str]:
    """All controllers, each with its own service account's rights."""
    return [
        f"--kubeconfig={kubeconfig('kube-controller-manager')}",
        f"--authentication-kubeconfig={kubeconfig('kube-controller-manager')}",
        f"--authorization-kubeconfig={kubeconfig('kube-controller-manager')}",
        f"--service-account-private-key-file={PKI}/sa.key",
        f"--root-ca-file={PKI}/ca.crt",
        f"--cluster-signing-cert-file={PKI}/ca.crt",
        f"--cluster-signing-key-file={PKI}/ca.key",
        f"--cluster-cidr={cluster.pod_cidr}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        "--kube-api-qps=500",  # the default of 20 spreads the start of all controllers over five seconds
        "--kube-api-burst=500",
    ]


def minio() -> list[str]:
    """One drive, reachable at the node's address from the host and from pods."""
    return ["server", f"{INSIDE}/minio", "--address=:9000", "--quiet"]


def minio_environment(cluster: Cluster) -> dict[str, str]:
    """The root account; by environment, so that no process list shows it."""
    return {
        "MINIO_ROOT_USER": MINIO_USER,
        "MINIO_ROOT_PASSWORD": cluster.minio_secret,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
    }


def answers(url: str) -> bool:
    """Whether a server takes requests: it says 200 to a readiness question."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - http
            return bool(answer.status == http.client.OK)
    except OSError:
        return False


def kubeconfig(client: str) -> Path:
    """A component's kubeconfig, as the component sees it."""
    return INSIDE / "conf" / f"{client}.kubeconfig"


def write_kubeconfig(cluster: Cluster, client: str) -> None:
    """Write a component's kubeconfig (JSON is YAML)."""
    folder = cluster.folder / "conf"
    folder.mkdir(exist_ok=True)
    server = {"server": cluster.server, "certificate-authority": f"{PKI}/ca.crt"}
    user = {"client-certificate": f"{PKI}/{client}.crt", "client-key": f"{PKI}/{client}.key"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": server}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": client}}],
        "current-context": "local",
    }
    (folder / f"{client}.kubeconfig").write_text(json.dumps(document, indent=2))


def start_component(
    cluster: Cluster,
    name: str,
    arguments: list[str],
    environment: Mapping[str, str] | None = None,
    runner: list[str] | None = None,
) -> None:
    """Start a program of the cluster and remember how, so that it can be started again after it was stopped.

    Args:
        cluster: where it runs.
        name: the program, and what it is called from then on.
        arguments: the program's.
        environment: what it finds there besides PATH, HOME and LANG.
        runner: the command that takes the arguments, where it is no built program.
    """
    command = [*(runner or [str(bin_folder() / name)]), *arguments]
    folder = cluster.folder / "components"
    folder.mkdir(mode=0o700, exist_ok=True)
    recipe = {"command": command, "environment": dict(environment or {})}
    (folder / f"{name}.json").write_text(json.dumps(recipe, indent=2))
    restart_component(cluster, name)


def restart_component(cluster: Cluster, name: str) -> None:
    """Start a program that the cluster was created with and that does not run now.

    Raises:
        LocalkindError: for a name the cluster was not created with, or one that runs.
    """
    file = cluster.folder / "components" / f"{name}.json"
    if not file.exists():
        known = ", ".join(sorted(entry.stem for entry in file.parent.glob("*.json")))
        raise LocalkindError(f"cluster {cluster.name!r} has no component {name!r}: it has {known}")
    if name in sandbox.components(cluster):
        raise LocalkindError(f"{name} of cluster {cluster.name!r} runs already: stop it first")
    recipe = json.loads(file.read_text())
    sandbox.spawn(cluster, name, recipe["command"], recipe["environment"])
