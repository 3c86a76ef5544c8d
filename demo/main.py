"""`make demo` from beginning to end; `make demo-down` removes it."""

import re
import sys
import time
from dataclasses import dataclass
from typing import Any

from demo import cluster as clusters
from demo import images, models, tamper
from demo.cluster import Cluster
from demo.install import StoreRoot, install
from demo.models import ARTIFACT, HELD_OUT, Pushed
from demo.progress import Progress
from demo.shell import ROOT, CommandError
from demo.timeline import Timeline
from demo.traffic import PER_SECOND, Count, Traffic

NAMESPACE = "demo"
MODEL = "digits"
ALIAS = "production"
EXAMPLES = ROOT / "examples" / "quickstart"
IMAGES_HELD_OUT = 360  # demo/train.py
PATIENCE_SECONDS = 300.0
REFUSAL_PATIENCE_SECONDS = 120.0


def main() -> int:
    """Run `up` or `down` and return the exit status."""
    progress = Progress()
    try:
        if sys.argv[1:] == ["down"]:
            clusters.stop(progress)
        else:
            progress.headline("A cluster")
            show(clusters.start(progress), progress)
    except (CommandError, LookupError, TimeoutError) as error:
        progress.say(f"\nThe demo stopped: {error}")
        return 1
    except KeyboardInterrupt:
        progress.say("\nInterrupted. Run it again to go on, or `make demo-down` to remove everything.")
        return 130
    return 0


def show(cluster: Cluster, progress: Progress) -> None:
    """The whole demo on a cluster that runs.

    Raises:
        CommandError: a program failed.
        LookupError: something is not as it ought to be.
        TimeoutError: something did not come about.
    """
    progress.headline("Modelberth and a store")
    images.bring(cluster, progress)
    root = install(cluster, progress)

    progress.headline("Two versions of a model")
    trained = models.train(progress)
    _make_namespace(cluster)
    weak = models.push(cluster, trained["shallow"], NAMESPACE, progress)
    good = models.push(cluster, trained["vectors"], NAMESPACE, progress)
    progress.say(cluster.kubectl("get", "modelversions", "--namespace", NAMESPACE).rstrip())

    progress.headline(f"{weak.name} in production")
    _apply_examples(cluster, weak, progress)
    with Traffic(cluster, NAMESPACE, HELD_OUT) as traffic:
        with progress.step(f"asking for {IMAGES_HELD_OUT} images that no model has seen, {PER_SECOND} per second"):
            traffic.wait_for(weak.name, IMAGES_HELD_OUT, PATIENCE_SECONDS)
        _show_move(cluster, traffic, weak, good, progress)
        bad = models.push(cluster, trained["neighbours"], NAMESPACE, progress)
        _show_refusal(cluster, traffic, Forgery(root, bad, spared=good), progress)
    _show_around(cluster, progress)


def _make_namespace(cluster: Cluster) -> None:
    """A namespace under the restricted Pod Security Standard: the injected loader must fit in there too."""
    namespace = f"""
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels: {{pod-security.kubernetes.io/enforce: restricted}}
"""
    cluster.kubectl("apply", "--filename=-", input=namespace)


def _apply_examples(cluster: Cluster, version: Pushed, progress: Progress) -> None:
    with progress.step("kubectl apply -f examples/quickstart/"):
        _move(cluster, version)
        cluster.kubectl("apply", "--namespace", NAMESPACE, "--filename", str(EXAMPLES / "deployment.yaml"))
        current = f"--for=jsonpath={{.status.aliases.{ALIAS}.state}}=Served"
        cluster.kubectl("wait", "--namespace", NAMESPACE, current, f"rmod/{MODEL}", "--timeout=300s")
        current = f"--for=jsonpath={{.status.aliases.{ALIAS}.current}}={version.name}"
        cluster.kubectl("wait", "--namespace", NAMESPACE, current, f"rmod/{MODEL}", "--timeout=300s")
    progress.say(cluster.kubectl("get", "modeldeployments", "--namespace", NAMESPACE).rstrip())


def _move(cluster: Cluster, version: Pushed) -> None:
    """Change the one line of examples/quickstart/model.yaml, and apply it."""
    text = (EXAMPLES / "model.yaml").read_text()
    edited, changed = re.subn(rf"version: {ARTIFACT}-v\d+", f"version: {version.name}", text)
    if changed != 1:
        raise LookupError(f"{EXAMPLES / 'model.yaml'} has {changed} lines `version: {ARTIFACT}-v…`, not one")
    cluster.kubectl("apply", "--namespace", NAMESPACE, "--filename=-", input=edited)


def _show_move(cluster: Cluster, traffic: Traffic, weak: Pushed, good: Pushed, progress: Progress) -> None:
    progress.headline(f"The alias moves: {ALIAS} = {good.name}")
    before = traffic.so_far()
    with Timeline(cluster, NAMESPACE, MODEL, good.name) as timeline:
        with progress.step("kubectl apply, and the roll under load"):
            timeline.applied()
            _move(cluster, good)
            timeline.note("kubectl apply answered")
            if not timeline.wait_served(PATIENCE_SECONDS):
                raise TimeoutError(f"{ALIAS} is not Served yet: kubectl describe rmod,mdep -n {NAMESPACE}")
        with progress.step(f"asking {good.name} for the same {IMAGES_HELD_OUT} images"):
            traffic.wait_for(good.name, IMAGES_HELD_OUT, PATIENCE_SECONDS)
        after = traffic.so_far()
        progress.say("\n   seconds  what happened")
        for moment in timeline.moments(after.first_answer.get(good.name)):
            progress.say(f"   {moment.seconds:7.2f}  {moment.what}")
    _show_count(after, progress)
    served = [f"{before.versions[weak.name].accuracy:.1%} by {weak.name}"]
    served.append(f"{after.versions[good.name].accuracy:.1%} by {good.name}")
    progress.say(f"   accuracy of what was served: {', then '.join(served)}")


def _show_count(count: Count, progress: Progress) -> None:
    progress.say(f"\n   requests on fresh connections: {count.sent} sent, {len(count.errors)} failed")
    for error in sorted(set(count.errors)):
        progress.say(f"     {count.errors.count(error)} × {error}")
    progress.say(f"   slowest answer: {count.slowest * 1000:.0f} ms")


@dataclass(frozen=True)
class Forgery:
    """A version whose bytes are changed, and the one that serves meanwhile."""

    root: StoreRoot
    bad: Pushed
    spared: Pushed


def _show_refusal(cluster: Cluster, traffic: Traffic, forgery: Forgery, progress: Progress) -> None:
    good, bad = forgery.spared, forgery.bad
    progress.headline(f"The store's administrator changes bytes of {bad.name}, and production moves to it")
    victim = tamper.tamper(forgery.root, bad.digest, spared=good.digest)
    progress.say(f"   overwritten: {victim}")
    traffic.begin()
    try:
        with progress.step("kubectl apply, and the refusal"):
            _move(cluster, bad)
            message = _wait_for_refusal(cluster, bad)
        progress.say(f"   status: {message}")
        with progress.step("who answers meanwhile, for five seconds more"):
            answered_so_far = traffic.so_far().versions[good.name].answered
            traffic.wait_for(good.name, answered_so_far + 5 * PER_SECOND, PATIENCE_SECONDS)
        count = traffic.so_far()
        answered = {version: tally.answered for version, tally in count.versions.items()}
        _show_count(count, progress)
        progress.say(f"   answered by: {answered}")
        if bad.name in answered:
            raise LookupError(f"{bad.name} was tampered with and yet answered")
    finally:
        with progress.step(f"moving {ALIAS} back to {good.name}"):
            _move(cluster, good)


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
