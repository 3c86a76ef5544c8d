"""The default StorageClass: claims get a folder of the node, made and removed by the process of provisioner.py."""

import sys
from pathlib import Path

from . import components
from .apiclient import ApiClient
from .cluster import Cluster

PROVISIONER = "localkind.modelberth.io/folder"
STORAGE_CLASS = "standard"
_SCRIPT = Path(__file__).with_name("provisioner.py")


def start(api: ApiClient, cluster: Cluster) -> None:
    """Publish the class and start its provisioner."""
    storage_class = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",  # one node: there is nothing to wait for
    }
    api.apply(f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE_CLASS}", storage_class)
    arguments = [cluster.node_ip, cluster.node_name]
    components.start(cluster, "provisioner", arguments, runner=[sys.executable, "-I", str(_SCRIPT)])
