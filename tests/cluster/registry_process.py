"""The real registry as a process of this machine, against the cluster's API server and MinIO, with the chart's rights.

Other tiers may use it: `with running_registry(cluster, folder) as registry: …`; it is also the cluster's Service
`modelberth-registry`, so that the API server's service proxy leads to it.
"""

import contextlib
import hashlib
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml

from modelberth.api.names import AUDIENCE
from modelberth.runtime.certificates import new_authority, new_serving, service_names
from modelberth.store.administration import Setup, set_up
from modelberth.store.bucket import Bucket
from modelberth.store.connection import Endpoint, KeyPair
from tests.localkind.fixture import RunningCluster

RELEASE_NAMESPACE = "modelberth"
SERVICE = "modelberth-registry"
REGION = "us-east-1"
_READY_SECONDS = 30.0


@dataclass(frozen=True)
class StoreAccess:
    """A bucket of the cluster's MinIO, and the ordinary user that may use it."""

    endpoint: Endpoint
    bucket: str
    user: KeyPair

    def open(self) -> Bucket:
        """The bucket, as operator and registry open it; to be closed."""
        return Bucket(self.endpoint, self.bucket, lambda: self.user, region=REGION)


def new_store(cluster: RunningCluster) -> StoreAccess:
    """A bucket and a user of their own."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    store = StoreAccess(Endpoint(cluster.minio.endpoint), name, KeyPair(name, secrets.token_hex(20)))
    root = KeyPair(cluster.minio.access_key, cluster.minio.secret_key)
    set_up(Setup(store.endpoint, store.bucket, REGION, root, store.user))
    return store


def install_rights(cluster: RunningCluster) -> None:
    """The chart's accounts, roles and bindings; no part that runs."""
    if not cluster.kubectl("get", "namespace", RELEASE_NAMESPACE, "--ignore-not-found").stdout:
        cluster.make_namespace(RELEASE_NAMESPACE)
    helm = [
        str(cluster.bin / "helm"),
        "template",
        "modelberth",
        "charts/modelberth",
        f"--namespace={RELEASE_NAMESPACE}",
    ]
    values = ["--set=s3.endpoint=https://s3.example.com", "--set=s3.accessKey=a", "--set=s3.secretKey=b"]
    text = subprocess.run([*helm, *values], capture_output=True, text=True, check=True).stdout
    kinds = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
    objects = [obj for obj in yaml.safe_load_all(text) if obj and obj["kind"] in kinds]
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f-", input=yaml.safe_dump_all(objects))


@dataclass
class RegistryProcess:
    """A registry that runs.

    Attributes:
        url: where it answers, from this machine.
        ca: the CA of its certificate, PEM.
        store: its bucket.
        log: its log file, one JSON object a line.
        root: the root account of the MinIO, to play its administrator.
        cluster: the cluster that it serves.
    """

    url: str
    ca: Path
    store: StoreAccess
    log: Path
    environment: dict[str, str]
    root: KeyPair
    cluster: RunningCluster
    process: subprocess.Popen[bytes] | None = None
    clients: list[httpx.Client] = field(default_factory=list)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.spawn()
        self.wait_ready()

    def spawn(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "modelberth", "registry"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def wait_ready(self) -> None:
        """Wait until it answers requests.

        Raises:
            AssertionError: it ended, or is not ready in time; with its last words.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                break
            with contextlib.suppress(httpx.TransportError):
                if self.client().get("/readyz").status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"the registry is not ready: {self.log.read_text()[-2000:]}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; returns its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        status = self.process.wait(30)
        self.process = None
        return status

    def client(self, **headers: str) -> httpx.Client:
        """An HTTP client with its base URL and trust."""
        context = ssl.create_default_context(cafile=str(self.ca))
        client = httpx.Client(base_url=self.url, verify=context, headers=headers, timeout=60)
        self.clients.append(client)
        return client

    def close(self) -> None:
        """End it and let go of everything."""
        self.stop()
        for client in self.clients:
            client.close()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def prepare_registry(
    cluster: RunningCluster, folder: Path, *, store: StoreAccess | None = None, **environment: str
) -> RegistryProcess:
    """A registry that could be started, with credentials and certificates below `folder`."""
    store = store or new_store(cluster)
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    authority = new_authority(datetime.now(UTC))
    serving = new_serving(authority, ["localhost", *service_names(SERVICE, RELEASE_NAMESPACE)], datetime.now(UTC))
    files = {
        "ca.crt": authority.certificate,
        "tls.crt": serving.certificate,
        "tls.key": serving.key,
        "access-key": store.user.access_key.encode(),
        "secret-key": store.user.secret_key.encode(),
        "kubeconfig": account_kubeconfig(cluster, SERVICE),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    settings = {
        "KUBECONFIG": str(folder / "kubeconfig"),
        "MODELBERTH_NAMESPACE": RELEASE_NAMESPACE,
        "MODELBERTH_REGISTRY_PORT": str(port),
        "MODELBERTH_TLS_CERT_FILE": str(folder / "tls.crt"),
        "MODELBERTH_TLS_KEY_FILE": str(folder / "tls.key"),
        "MODELBERTH_STORE_ENDPOINT": store.endpoint.url,
        "MODELBERTH_STORE_BUCKET": store.bucket,
        "MODELBERTH_STORE_ACCESS_KEY_FILE": str(folder / "access-key"),
        "MODELBERTH_STORE_SECRET_KEY_FILE": str(folder / "secret-key"),
        **environment,
    }
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    complete = {**inherited, "PYTHONPATH": "operator", **settings}
    return RegistryProcess(
        url=f"https://localhost:{port}",
        ca=folder / "ca.crt",
        store=store,
        log=folder / "registry.log",
        environment=complete,
        root=KeyPair(cluster.minio.access_key, cluster.minio.secret_key),
        cluster=cluster,
    )


@contextlib.contextmanager
def running_registry(
    cluster: RunningCluster, folder: Path, *, store: StoreAccess | None = None, **environment: str
) -> Iterator[RegistryProcess]:
    """A registry that is ready; ended on leaving."""
    registry = prepare_registry(cluster, folder, store=store, **environment)
    try:
        registry.start()
        yield registry
    finally:
        registry.close()


def publish(cluster: RunningCluster, registry: RegistryProcess) -> None:
    """Make it the Service `modelberth-registry`, as the chart's would be."""
    port = int(registry.url.rpartition(":")[2])
    cluster.publish(port, namespace=RELEASE_NAMESPACE, service=SERVICE, port=443, port_name="https")


def account_kubeconfig(cluster: RunningCluster, account: str) -> bytes:
    """A kubeconfig with the token of one of the release's service accounts, and nothing more."""
    token = cluster.kubectl("create", "token", account, f"--namespace={RELEASE_NAMESPACE}").stdout.strip()
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    return yaml.safe_dump(config).encode()


def new_namespace(cluster: RunningCluster) -> str:
    """A namespace of a test's own."""
    name = f"team-{uuid.uuid4().hex[:8]}"
    cluster.make_namespace(name)
    return name


def pod_token(cluster: RunningCluster, namespace: str, *, audience: str = AUDIENCE, pod: str | None = None) -> str:
    """A token as the kubelet projects it: of the default account, bound to a pod that is never scheduled."""
    pod = pod or f"pod-{uuid.uuid4().hex[:8]}"
    template = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod, "namespace": namespace},
        "spec": {"schedulerName": "none", "containers": [{"name": "server", "image": "localhost/none:1"}]},
    }
    cluster.kubectl("apply", "-f-", input=json.dumps(template))
    binding = ["--bound-object-kind=Pod", f"--bound-object-name={pod}"]
    made = cluster.kubectl("create", "token", "default", f"--namespace={namespace}", f"--audience={audience}", *binding)
    return made.stdout.strip()


def session_header(
    cluster: RunningCluster, namespace: str, operation: str, *, ttl_seconds: int = 600, **more: str
) -> str:
    """The header of a TransferSession of the administrator; `more` goes into its spec."""
    secret, name = secrets.token_hex(32), f"session-{uuid.uuid4().hex[:8]}"
    user = cluster.kubectl("auth", "whoami", "-ojsonpath={.status.userInfo.username}").stdout
    spec = {
        "operation": operation,
        "user": user,
        "secretHash": hashlib.sha256(secret.encode()).hexdigest(),
        "ttlSeconds": ttl_seconds,
        **more,
    }
    manifest = {
        "apiVersion": "modelberth.io/v1alpha1",
        "kind": "TransferSession",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    cluster.kubectl("create", "-f-", input=json.dumps(manifest))
    return f"{name}.{secret}"


@pytest.fixture(scope="module")
def registry(control_plane, admission, tmp_path_factory) -> Iterator[RegistryProcess]:
    """A registry for a test module, published as the cluster's Service."""
    install_rights(control_plane)
    with running_registry(control_plane, tmp_path_factory.mktemp("registry")) as running:
        publish(control_plane, running)
        yield running
