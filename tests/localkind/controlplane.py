"""The control plane: etcd, API server, controller manager and MinIO as processes of the cluster's namespaces."""

import http.client
import json
import urllib.request
from pathlib import Path

from . import components
from .apiclient import ApiClient
from .cluster import INSIDE, Cluster

PKI = INSIDE / "pki"
MINIO_USER = "localkind"


def start(cluster: Cluster) -> None:
    """Start everything; returns when the API server is ready, pods could be created, and MinIO answers."""
    write_kubeconfig(cluster, "kube-controller-manager")
    components.start(cluster, "etcd", etcd())
    components.start(cluster, "minio", minio(), minio_environment(cluster))
    components.start(cluster, "kube-apiserver", kube_apiserver(cluster))
    api = ApiClient.of(cluster)
    components.wait_until(cluster, "a ready API server", lambda: api.request("GET", "/readyz") == "ok")
    components.start(cluster, "kube-controller-manager", kube_controller_manager(cluster))
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    components.wait_until(cluster, "the default service account", lambda: bool(api.request("GET", account)))
    components.wait_until(cluster, "a ready MinIO", lambda: answers(f"{cluster.minio_endpoint}/minio/health/ready"))


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
