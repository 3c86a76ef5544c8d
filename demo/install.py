"""Modelberth with a MinIO beside it, installed by the chart as on any cluster."""

import base64
from dataclasses import dataclass

from demo import images
from demo.cluster import Cluster
from demo.progress import Progress
from demo.shell import ROOT, run

NAMESPACE = "modelberth"
STORE_NODE_PORT = 30900
BUCKET = "modelberth"


@dataclass(frozen=True)
class StoreRoot:
    """The store's administrator, whom nothing in Modelberth knows; the demo forges with it."""

    endpoint: str
    user: str
    password: str


def install(cluster: Cluster, progress: Progress) -> StoreRoot:
    """Bring the images, install or upgrade the release, let it prove itself, and return the store's administrator."""
    loaded = images.bring(cluster, progress)
    endpoint = f"{cluster.node_address()}:{STORE_NODE_PORT}"
    values = {
        "minio.enabled": "true",
        "minio.service.type": "NodePort",
        "minio.service.nodePort": str(STORE_NODE_PORT),
        # This machine pushes from outside of the cluster, by the node's address.
        "s3.externalEndpoint": f"http://{endpoint}",
    }
    helm = [str(cluster.bin / "helm"), "--kubeconfig", str(cluster.kubeconfig), "--namespace", NAMESPACE]
    settings = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    where = ["--namespace", NAMESPACE, "--ignore-not-found", "--output=name"]
    was_there = cluster.kubectl("get", "deployment/modelberth-operator", *where).strip() != ""
    with progress.step("helm upgrade --install modelberth"):
        chart = str(ROOT / "charts" / "modelberth")
        command = [*helm, "upgrade", "--install", "modelberth", chart, "--create-namespace", *settings]
        run([*command, "--wait", "--timeout", "5m"], progress=progress)
    if was_there and images.MODELBERTH in loaded:
        with progress.step("its pods, with the image that was just built under the same tag"):
            parts = ["deployment/modelberth-operator", "deployment/modelberth-registry"]
            cluster.kubectl("rollout", "restart", *parts, "--namespace", NAMESPACE)
            for part in parts:
                cluster.kubectl("rollout", "status", part, "--namespace", NAMESPACE, "--timeout=3m")
    with progress.step("helm test modelberth"):
        run([*helm, "test", "modelberth", "--timeout", "3m"], progress=progress)
    secret = cluster.get("secret", "modelberth-minio", NAMESPACE)["data"]
    user, password = (base64.b64decode(secret[key]).decode() for key in ("rootUser", "rootPassword"))
    return StoreRoot(endpoint, user, password)
