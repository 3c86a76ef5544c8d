"""The node: container runtime, kubelet, scheduler, Service routing and DNS, on top of a control plane."""

import json
from pathlib import Path
from typing import Any

from . import components, loading, sandbox, storage
from .apiclient import ApiClient
from .cluster import INSIDE, Cluster
from .controlplane import PKI, answers, kubeconfig, write_kubeconfig
from .host import CNI_PLUGINS

DNS_READY_PORT = 8181
PAUSE_IMAGE = "localhost/pause:1"


def start(cluster: Cluster) -> None:
    """Start everything; returns when the node is Ready and a Pod would find DNS, Services and storage."""
    for client in ("kube-scheduler", "kube-proxy", "kubelet", "admin"):
        write_kubeconfig(cluster, client)
    sandbox.make_cgroups(cluster)
    _write_configuration(cluster)
    components.start(cluster, "containerd", [f"--config={INSIDE}/conf/containerd.toml"])
    components.start(cluster, "kube-scheduler", _kube_scheduler())
    components.start(cluster, "kube-proxy", [f"--config={INSIDE}/conf/kube-proxy.json"])
    components.start(cluster, "coredns", [f"-conf={INSIDE}/conf/Corefile"])
    components.wait_until(cluster, "containerd's socket", (cluster.folder / "containerd" / "containerd.sock").exists)
    loading.load_pause(cluster, PAUSE_IMAGE)
    components.start(cluster, "kubelet", _kubelet(cluster))
    api = ApiClient.of(cluster)
    _publish_dns(api, cluster)
    storage.start(api, cluster)
    components.wait_until(cluster, "a Ready node", lambda: _is_ready(api, cluster))
    dns = f"http://{cluster.node_ip}:{DNS_READY_PORT}/ready"
    components.wait_until(cluster, "a ready CoreDNS", lambda: answers(dns))


def _write_configuration(cluster: Cluster) -> None:
    folder = cluster.folder / "conf"
    snapshotter = _snapshotter(cluster.folder)
    (folder / "node.json").write_text(json.dumps({"snapshotter": snapshotter}))
    (folder / "containerd.toml").write_text(_containerd(snapshotter))
    (folder / "kubelet.json").write_text(json.dumps(_kubelet_configuration(cluster), indent=2))
    (folder / "kube-proxy.json").write_text(json.dumps(_kube_proxy_configuration(cluster), indent=2))
    (folder / "Corefile").write_text(_corefile(cluster))
    (folder / "resolv.conf").write_text("")  # the node reaches no name server but the cluster's own
    (folder / "cni").mkdir()
    (folder / "cni" / "10-localkind.conflist").write_text(json.dumps(_pod_network(cluster), indent=2))


def _containerd(snapshotter: str) -> str:
    return f"""version = 3
root = "{INSIDE}/containerd/root"
state = "{INSIDE}/containerd/state"
disabled_plugins = ["io.containerd.nri.v1.nri"]
[grpc]
  address = "{loading.CONTAINERD_SOCKET}"
[ttrpc]
  address = "{loading.CONTAINERD_SOCKET}.ttrpc"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "{snapshotter}"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE a lower oom_score_adj than the runtime's own is refused and no sandbox starts.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{CNI_PLUGINS}"]
    conf_dir = "{INSIDE}/conf/cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def _snapshotter(folder: Path) -> str:
    """`overlayfs`, except where the state itself lies on one (a container's disk): that nests no further."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    around = [words for words in mounts if folder.resolve().is_relative_to(words[4])]
    deepest = max(around, key=lambda words: len(words[4]))
    return "native" if deepest[deepest.index("-") + 1] == "overlay" else "overlayfs"


def _pod_network(cluster: Cluster) -> dict[str, Any]:
    """Point-to-point links routed by the node: replies always pass it, so Services need no bridge netfilter."""
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": cluster.pod_cidr}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": f"{INSIDE}/cni",
    }
    return {
        "cniVersion": "1.0.0",
        "name": "localkind",
        "plugins": [{"type": "ptp", "ipMasq": False, "ipam": addresses}],
    }


def _kubelet(cluster: Cluster) -> list[str]:
    return [
        f"--config={INSIDE}/conf/kubelet.json",
        f"--kubeconfig={kubeconfig('kubelet')}",
        f"--hostname-override={cluster.node_name}",
        f"--node-ip={cluster.node_ip}",
        f"--root-dir={INSIDE}/kubelet",
    ]


def _kubelet_configuration(cluster: Cluster) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{PKI}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cluster.cgroup}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{loading.CONTAINERD_SOCKET}",
        "resolvConf": f"{INSIDE}/conf/resolv.conf",
        "clusterDNS": [cluster.dns_ip],
        "clusterDomain": "cluster.local",
        "podLogsDir": f"{INSIDE}/pod-logs",
        "volumePluginDir": f"{INSIDE}/volume-plugins",
        "imageGCHighThresholdPercent": 100,  # loaded images cannot be pulled again
        "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%"},
        "nodeStatusUpdateFrequency": "2s",
    }


def _kube_scheduler() -> list[str]:
    return [
        f"--kubeconfig={kubeconfig('kube-scheduler')}",
        f"--authentication-kubeconfig={kubeconfig('kube-scheduler')}",
        f"--authorization-kubeconfig={kubeconfig('kube-scheduler')}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
    ]


def _kube_proxy_configuration(cluster: Cluster) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig("kube-proxy"))},
        "mode": "nftables",
        "clusterCIDR": cluster.pod_cidr,
        "hostnameOverride": cluster.node_name,
        # The table's size belongs to the machine and cannot be set from a network namespace.
        "conntrack": {"maxPerCore": 0, "min": 0},
    }


def _corefile(cluster: Cluster) -> str:
    """Names of the cluster and no others: there is no way out to ask anybody else."""
    return f""".:53 {{
    bind {cluster.node_ip}
    errors
    ready {cluster.node_ip}:{DNS_READY_PORT}
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig("admin")} local
        pods insecure
        ttl 5
    }}
}}
"""


def _publish_dns(api: ApiClient, cluster: Cluster) -> None:
    """Make the CoreDNS process the Service `kube-dns`, by a hand-made EndpointSlice."""
    ports = [("dns", "UDP"), ("dns-tcp", "TCP")]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns"},
        "spec": {
            "clusterIP": cluster.dns_ip,
            "ports": [{"name": name, "port": 53, "protocol": protocol} for name, protocol in ports],
        },
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "kube-dns", "labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [cluster.node_ip], "conditions": {"ready": True}}],
        "ports": [{"name": name, "port": 53, "protocol": protocol} for name, protocol in ports],
    }
    api.apply("/api/v1/namespaces/kube-system/services/kube-dns", service)
    api.apply("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns", endpoints)


def _is_ready(api: ApiClient, cluster: Cluster) -> bool:
    node = api.request("GET", f"/api/v1/nodes/{cluster.node_name}")
    return any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"]["conditions"])
