"""`make demo` from beginning to end: two models, an alias that moves under load, and a forgery that is refused."""

import time
from dataclasses import dataclass
from typing import Any

from demo import models, tamper
from demo.cluster import Cluster
from demo.install import StoreRoot, install
from demo.models import ARTIFACT, HELD_OUT, Pushed
from demo.progress import Progress
from demo.shell import ROOT
from demo.stage import ALIAS, IMAGES_HELD_OUT, MODEL, PATIENCE_SECONDS, Stage, show_count
from demo.traffic import PER_SECOND, Traffic

NAMESPACE = "demo"
MANIFEST = ROOT / "examples" / "quickstart" / "model.yaml"
REFUSAL_PATIENCE_SECONDS = 120.0


def show(cluster: Cluster, progress: Progress) -> None:
    """The whole demo on a cluster that runs.

    Raises:
        CommandError: a program failed.
        LookupError: something is not as it ought to be.
        TimeoutError: something did not come about.
    """
    progress.headline("Modelberth and a store")
    root = install(cluster, progress)
    stage = Stage(cluster, NAMESPACE, MANIFEST)

    progress.headline("Two versions of a model")
    trained = models.train(progress)
    stage.make_namespace()
    weak = models.push(cluster, trained["shallow"], NAMESPACE, progress)
    good = models.push(cluster, trained["vectors"], NAMESPACE, progress)
    progress.say(stage.kubectl("get", "modelversions").rstrip())

    progress.headline(f"{weak.name} in production")
    stage.serve(weak.name, progress)
    with Traffic(cluster, NAMESPACE, HELD_OUT) as traffic:
        with progress.step(f"asking for {IMAGES_HELD_OUT} images that no model has seen, {PER_SECOND} per second"):
            traffic.wait_for(weak.name, IMAGES_HELD_OUT, PATIENCE_SECONDS)
        stage.show_move(traffic, weak.name, good.name, progress)
        bad = models.push(cluster, trained["neighbours"], NAMESPACE, progress)
        _show_refusal(stage, traffic, Forgery(root, bad, spared=good), progress)
    _show_around(cluster, progress)


@dataclass(frozen=True)
class Forgery:
    """A version whose bytes are changed, and the one that serves meanwhile."""

    root: StoreRoot
    bad: Pushed
    spared: Pushed


def _show_refusal(stage: Stage, traffic: Traffic, forgery: Forgery, progress: Progress) -> None:
    good, bad = forgery.spared, forgery.bad
    progress.headline(f"The store's administrator changes bytes of {bad.name}, and production moves to it")
    victim = tamper.tamper(forgery.root, bad.digest, spared=good.digest)
    progress.say(f"   overwritten: {victim}")
    traffic.begin()
    try:
        with progress.step("kubectl apply, and the refusal"):
            stage.move(bad.name)
            message = _wait_for_refusal(stage.cluster, bad)
        progress.say(f"   status: {message}")
        with progress.step("who answers meanwhile, for five seconds more"):
            answered_so_far = traffic.so_far().versions[good.name].answered
            traffic.wait_for(good.name, answered_so_far + 5 * PER_SECOND, PATIENCE_SECONDS)
        count = traffic.so_far()
        answered = {version: tally.answered for version, tally in count.versions.items()}
        show_count(count, progress)
        progress.say(f"   answered by: {answered}")
        if bad.name in answered:
            raise LookupError(f"{bad.name} was tampered with and yet answered")
    finally:
        with progress.step(f"moving {ALIAS} back to {good.name}"):
            stage.move(good.name)


def _wait_for_refusal(cluster: Cluster, bad: Pushed) -> str:
    """What the ModelDeployment says once a loader has refused the version.

    Raises:
        TimeoutError: nothing was refused.
    """
    deadline = time.monotonic() + REFUSAL_PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status = cluster.get("modeldeployment", MODEL, NAMESPACE).get("status", {})
        ready: dict[str, Any] = next((entry for entry in status.get("conditions", []) if entry["type"] == "Ready"), {})
        if (status.get("desired") or {}).get("version") == bad.name and "refused" in ready.get("message", ""):
            return f"{status.get('state')}: {ready['message']}"
        time.sleep(0.5)
    raise TimeoutError(f"{bad.name} was not refused in {REFUSAL_PATIENCE_SECONDS:.0f} s: {status}")


def _show_around(cluster: Cluster, progress: Progress) -> None:
    progress.headline("To look around")
    progress.say(f"   export KUBECONFIG={cluster.kubeconfig} PATH={cluster.bin}:$PATH")
    progress.say(f"   kubectl get modelberth -n {NAMESPACE}                 # everything of ours")
    progress.say(f"   kubectl describe rmod {MODEL} -n {NAMESPACE}          # alias, history, why")
    progress.say(f"   kubectl edit rmod {MODEL} -n {NAMESPACE}              # move the alias by hand")
    progress.say(f"   .venv/bin/modelberth history {MODEL}:{ALIAS} -n {NAMESPACE}")
    progress.say(f"   .venv/bin/modelberth verify {ARTIFACT}:v1 -n {NAMESPACE}")
    progress.say("   make demo-down                                 # remove all of it")
