"""Keys and certificates of one cluster, made with openssl: a CA, the API server's certificate, clients by subject."""

import subprocess
from pathlib import Path

from .cluster import Cluster
from .host import LocalkindError

_DAYS = "3650"
_CONFIGURATION = "[req]\ndistinguished_name=subject\n[subject]\n"  # openssl's own default would mark every one a CA

CONTROL_PLANE_CLIENTS = {
    "admin": "/O=system:masters/CN=kubernetes-admin",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
}
NODE_CLIENTS = {
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kube-proxy": "/CN=system:kube-proxy",
}


def make(cluster: Cluster) -> None:
    """Write `pki/`: ca, apiserver, sa (service-account tokens) and one certificate per client."""
    folder = cluster.folder / "pki"
    folder.mkdir(mode=0o700)
    (folder / "openssl.cnf").write_text(_CONFIGURATION)
    _certificate(folder, "ca", f"/CN={cluster.name}-ca", "basicConstraints=critical,CA:TRUE", signed=False)
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    addresses = ["127.0.0.1", cluster.service_ip, cluster.node_ip]
    alternatives = [f"DNS:{name}" for name in ["localhost", *names]] + [f"IP:{address}" for address in addresses]
    _certificate(
        folder,
        "apiserver",
        "/CN=kube-apiserver",
        f"subjectAltName={','.join(alternatives)}",
        "extendedKeyUsage=serverAuth",
    )
    clients = dict(CONTROL_PLANE_CLIENTS)
    if cluster.level == "node":
        clients |= NODE_CLIENTS | {"kubelet": f"/O=system:nodes/CN=system:node:{cluster.node_name}"}
    for name, subject in clients.items():
        _certificate(folder, name, subject, "extendedKeyUsage=clientAuth")
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{folder}/sa.key")
    _openssl("pkey", "-in", f"{folder}/sa.key", "-pubout", "-out", f"{folder}/sa.pub")


def _certificate(folder: Path, name: str, subject: str, *extensions: str, signed: bool = True) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    files = ["-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt", "-config", f"{folder}/openssl.cnf"]
    issuer = ["-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key"] if signed else []
    added = [word for extension in extensions for word in ("-addext", extension)]
    _openssl("req", "-x509", "-new", *key, *files, *issuer, "-subj", subject, "-days", _DAYS, *added)


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalkindError(f"openssl {arguments[0]} failed (version 3 is needed): {done.stderr.strip()[-400:]}")
