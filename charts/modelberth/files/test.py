"""`helm test`: proves that the release works, from a pod of its own, with Python's standard library.

The registry is Ready behind its Service and certificate; the definitions are served; an operator holds the Lease; and a
tiny version written inline becomes Ready, which takes operator, registry's formats and store together.
"""

import contextlib
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

Object = dict[str, Any]

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
API = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
GROUP = "/apis/modelberth.io/v1alpha1"
NAMESPACE = os.environ["TEST_NAMESPACE"]
KINDS = {"ModelArtifact", "ModelVersion", "RegisteredModel", "ModelDeployment", "TransferSession"}
ARTIFACT, VERSION = "helm-test", "v0"
SECONDS = 90


def main() -> None:
    """Run the proofs one after the other; the first that fails ends the pod with its reason."""
    prove("the registry is Ready", registry_is_ready)
    prove("the definitions are served", definitions_are_served)
    prove("an operator holds the Lease", operator_holds_lease)
    try:
        prove("an inline version becomes Ready", inline_version_gets_ready)
    finally:
        remove()


def prove(what: str, proof: Callable[[], None]) -> None:
    """Repeat a proof until it holds; it says what is wrong by raising AssertionError."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            proof()
        except (AssertionError, OSError) as error:  # urllib's errors are OSErrors
            if time.monotonic() > deadline:
                raise SystemExit(f"FAILED: {what}: {error}") from None
            time.sleep(1)
        else:
            print(f"ok: {what}", flush=True)
            return


def registry_is_ready() -> None:
    context = ssl.create_default_context(cafile="/var/run/modelberth/registry/ca.crt")
    with urllib.request.urlopen(f"{os.environ['REGISTRY_URL']}/readyz", context=context, timeout=5) as answer:
        assert answer.status == 200, f"/readyz answers {answer.status}"


def definitions_are_served() -> None:
    served = {resource["kind"] for resource in call("GET", GROUP)["resources"]}
    assert served >= KINDS, f"not served: {', '.join(sorted(KINDS - served))}"


def operator_holds_lease() -> None:
    own = os.environ["RELEASE_NAMESPACE"]
    spec = call("GET", f"/apis/coordination.k8s.io/v1/namespaces/{own}/leases/modelberth-operator")["spec"]
    assert spec.get("holderIdentity"), "nobody holds it"
    age = datetime.now(UTC) - datetime.fromisoformat(spec["renewTime"])
    assert age < timedelta(seconds=spec["leaseDurationSeconds"]), f"it was last renewed {age} ago"


def inline_version_gets_ready() -> None:
    """The same content under the same name each time: the store keeps one record of it, however often this runs."""
    ensure("modelartifacts", "ModelArtifact", ARTIFACT, {})
    source = {"inline": {"files": {"hello.txt": {"text": "hello\n"}}}}
    version = {"artifact": ARTIFACT, "version": VERSION, "source": source}
    made = ensure("modelversions", "ModelVersion", f"{ARTIFACT}-{VERSION}", version)
    conditions = {entry["type"]: entry for entry in made.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {"status": "Unknown", "message": "nobody has looked at it yet"})
    assert ready["status"] == "True", f"{ready['status']}: {ready['message']}"


def remove() -> None:
    """What was made goes again, the version first, because an artifact with versions cannot be deleted."""
    for plural, name in (("modelversions", f"{ARTIFACT}-{VERSION}"), ("modelartifacts", ARTIFACT)):
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                call("DELETE", place(plural, name))
            if get(plural, name) is None:
                break
            time.sleep(1)


def ensure(plural: str, kind: str, name: str, spec: Object) -> Object:
    found = get(plural, name)
    if found is not None:
        return found
    body = {"apiVersion": "modelberth.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return call("POST", place(plural), body)


def get(plural: str, name: str) -> Object | None:
    try:
        return call("GET", place(plural, name))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def place(plural: str, name: str = "") -> str:
    return f"{GROUP}/namespaces/{NAMESPACE}/{plural}/{name}".rstrip("/")


def call(method: str, path: str, body: Object | None = None) -> Object:
    with open(f"{ACCOUNT}/token", encoding="utf-8") as file:
        headers = {"Authorization": f"Bearer {file.read()}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data, headers, method=method)
    trust = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT  # many a cluster's CA was made without the extensions it asks for
    with urllib.request.urlopen(request, context=trust, timeout=10) as answer:
        parsed: Object = json.load(answer)
        return parsed


main()
