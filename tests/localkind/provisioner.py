"""A volume provisioner for one node: a Pending claim gets a folder and a `local` volume, a Released volume loses both.

A process of the cluster's namespaces, run as `provisioner.py SERVER-IP NODE`. The kubelet gives `local` volumes the
pod's fsGroup (it does not for hostPath), so pods without root can write. Claims for raw block devices stay Pending.
"""

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from localkind.apiclient import ApiClient, ApiError
from localkind.cluster import INSIDE
from localkind.storage import PROVISIONER, STORAGE_CLASS

VOLUMES = INSIDE / "volumes"

Handler = Callable[[dict[str, Any]], None]


def main() -> None:
    """Follow claims and volumes for ever."""
    server, node = sys.argv[1:]
    api = ApiClient(server, INSIDE / "pki")
    claims = threading.Thread(
        target=follow, args=(api, "/api/v1/persistentvolumeclaims", lambda claim: provide(api, node, claim))
    )
    claims.start()
    follow(api, "/api/v1/persistentvolumes", lambda volume: reclaim(api, volume))


def follow(api: ApiClient, path: str, handle: Handler) -> None:
    """List, then watch, then start over: an object is handled in its present state, whatever was missed."""
    while True:
        try:
            listed = api.request("GET", path)
            for item in listed["items"]:
                handle(item)
            version = listed["metadata"]["resourceVersion"]
            with api.open("GET", f"{path}?watch=1&timeoutSeconds=300&resourceVersion={version}", timeout=330) as events:
                for line in events:
                    event = json.loads(line)
                    if event["type"] in ("ADDED", "MODIFIED"):
                        handle(event["object"])
        except (OSError, ApiError, ValueError) as error:  # the API server restarts in tests
            print(f"{path}: {error}", flush=True)
            time.sleep(1)


def provide(api: ApiClient, node: str, claim: dict[str, Any]) -> None:
    """Make the volume of a claim that waits for one; its name is the claim's uid, so a repetition finds it made."""
    spec, metadata = claim["spec"], claim["metadata"]
    if spec.get("storageClassName") != STORAGE_CLASS or spec.get("volumeName") or metadata.get("deletionTimestamp"):
        return
    if spec.get("volumeMode") == "Block":
        print(f"claim {metadata['namespace']}/{metadata['name']}: volumeMode Block cannot be had here", flush=True)
        return
    name = f"pvc-{metadata['uid']}"
    folder = VOLUMES / name
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)  # as other folder provisioners do: any user of a pod may write
    node_is_ours = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": str(folder)},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [node_is_ours]}]}},
        },
    }
    try:
        api.request("POST", "/api/v1/persistentvolumes", volume)
    except ApiError as error:
        if error.status != 409:
            raise


def reclaim(api: ApiClient, volume: dict[str, Any]) -> None:
    """Remove a volume of ours whose claim has gone, the folder first: a volume without folder is taken up again."""
    ours = volume["metadata"].get("annotations", {}).get("pv.kubernetes.io/provisioned-by") == PROVISIONER
    released = volume.get("status", {}).get("phase") == "Released"
    if not ours or not released or volume["spec"]["persistentVolumeReclaimPolicy"] != "Delete":
        return
    name = volume["metadata"]["name"]
    shutil.rmtree(VOLUMES / name, ignore_errors=True)
    try:
        api.request("DELETE", f"/api/v1/persistentvolumes/{name}")
    except ApiError as error:
        if error.status != 404:
            raise


if __name__ == "__main__":
    main()
