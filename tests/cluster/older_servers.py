"""What the chart has for API servers that do not serve MutatingAdmissionPolicy, at work on one that does."""

from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from tests.cluster.api_server import Api
from tests.cluster.installed import rendered
from tests.localkind.fixture import RunningCluster


@contextmanager
def refusing_stamps(api: Api, control_plane: RunningCluster, policy_name: str) -> Iterator[None]:
    """The policy that refuses stamps, for the ConfigMaps of the namespace, which nothing else stamps."""
    objects = [obj for obj in rendered(control_plane) if obj["metadata"]["name"] == policy_name]
    policy, binding = sorted(objects, key=lambda obj: obj["kind"])
    for obj in objects:
        obj["metadata"]["name"] = api.namespace
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    rule |= {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    binding["spec"] |= {
        "policyName": api.namespace,
        "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": api.namespace}}},
    }
    control_plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(objects))
    yield
    control_plane.kubectl("delete", "-f", "-", input=yaml.safe_dump_all(objects))


def config_map(name: str, **annotations: str) -> dict:
    """A ConfigMap with these annotations."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "annotations": annotations}}
