"""Where a model is on stage: an alias of a RegisteredModel, moved by one line of a manifest, and requests meanwhile."""

import re
from dataclasses import dataclass
from pathlib import Path

from demo.cluster import Cluster
from demo.progress import Progress
from demo.shell import ROOT
from demo.timeline import Timeline
from demo.traffic import Count, Traffic

MODEL = "digits"
ALIAS = "production"
DEPLOYMENT = ROOT / "examples" / "quickstart" / "deployment.yaml"
IMAGES_HELD_OUT = 360
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Stage:
    """The alias production of the model digits in a namespace.

    Attributes:
        cluster: where.
        namespace: what the demo makes.
        manifest: the RegisteredModel, with the one line that is changed to move the alias.
    """

    cluster: Cluster
    namespace: str
    manifest: Path

    def make_namespace(self) -> None:
        """A namespace under the restricted Pod Security Standard: what is injected must fit in there too."""
        namespace = f"""
apiVersion: v1
kind: Namespace
metadata:
  name: {self.namespace}
  labels: {{pod-security.kubernetes.io/enforce: restricted}}
"""
        self.cluster.kubectl("apply", "--filename=-", input=namespace)

    def serve(self, version: str, progress: Progress) -> None:
        """Bring a first version into production: the alias, and the ModelDeployment that follows it."""
        with progress.step(f"kubectl apply -f {self.manifest.relative_to(ROOT)} -f {DEPLOYMENT.relative_to(ROOT)}"):
            self.move(version)
            self.kubectl("apply", "--filename", str(DEPLOYMENT))
            current = f"--for=jsonpath={{.status.aliases.{ALIAS}.state}}=Served"
            self.kubectl("wait", current, f"rmod/{MODEL}", "--timeout=300s")
            current = f"--for=jsonpath={{.status.aliases.{ALIAS}.current}}={version}"
            self.kubectl("wait", current, f"rmod/{MODEL}", "--timeout=300s")
        progress.say(self.kubectl("get", "modeldeployments").rstrip())

    def move(self, version: str) -> None:
        """Change the one line of the manifest, and apply it."""
        edited, changed = re.subn(
            r"^( +version: ).+$", rf"\g<1>{version}", self.manifest.read_text(), flags=re.MULTILINE
        )
        if changed != 1:
            raise LookupError(f"{self.manifest} has {changed} lines `version: …`, not one")
        self.kubectl("apply", "--filename=-", input=edited)

    def show_move(self, traffic: Traffic, old: str, new: str, progress: Progress) -> None:
        """Move the alias while requests go on, and tell what happened when."""
        progress.headline(f"The alias moves: {ALIAS} = {new}")
        before = traffic.so_far()
        with Timeline(self.cluster, self.namespace, MODEL, new) as timeline:
            with progress.step("kubectl apply, and the roll under load"):
                timeline.applied()
                self.move(new)
                timeline.note("kubectl apply answered")
                if not timeline.wait_served(PATIENCE_SECONDS):
                    raise TimeoutError(f"{ALIAS} is not Served yet: kubectl describe rmod,mdep -n {self.namespace}")
            with progress.step(f"asking {new} for the same {IMAGES_HELD_OUT} images"):
                traffic.wait_for(new, IMAGES_HELD_OUT, PATIENCE_SECONDS)
            after = traffic.so_far()
            progress.say("\n   seconds  what happened")
            for moment in timeline.moments(after.first_answer.get(new)):
                progress.say(f"   {moment.seconds:7.2f}  {moment.what}")
        show_count(after, progress)
        served = f"{before.versions[old].accuracy:.1%} by {old}, then {after.versions[new].accuracy:.1%} by {new}"
        progress.say(f"   accuracy of what was served: {served}")

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - the name in subprocess
        """Run kubectl in the namespace and return what it prints."""
        return self.cluster.kubectl(arguments[0], "--namespace", self.namespace, *arguments[1:], input=input)


def show_count(count: Count, progress: Progress) -> None:
    """How many requests were sent, and what became of them."""
    progress.say(f"\n   requests on fresh connections: {count.sent} sent, {len(count.errors)} failed")
    for error in sorted(set(count.errors)):
        progress.say(f"     {count.errors.count(error)} × {error}")
    progress.say(f"   slowest answer: {count.slowest * 1000:.0f} ms")
