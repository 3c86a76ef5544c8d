"""`make demo-training` from beginning to end: data trains versions, the better one goes into production, and every
question about it has an answer.
"""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo import models
from demo.cluster import STATE, Cluster
from demo.install import install
from demo.progress import Progress
from demo.shell import ROOT, run
from demo.stage import ALIAS, IMAGES_HELD_OUT, MODEL, PATIENCE_SECONDS, Stage
from demo.traffic import PER_SECOND, Traffic
from modelberth.api.conditions import timestamp

NAMESPACE = "demo-training"
PIPELINE = "digits"
ARTIFACT = "digits-classifier"
DATASET = "digits-images"
EXAMPLES = ROOT / "examples" / "training"
DATA = STATE / "data"
MISTAKE = "digits-mistake"
BROKEN = "broken"
RUN_SECONDS = 300.0
_ENDED = ("Succeeded", "Failed", "Skipped")


def show(cluster: Cluster, progress: Progress) -> None:
    """The whole demo on a cluster that runs.

    Raises:
        CommandError: a program failed.
        LookupError: something is not as it ought to be.
        TimeoutError: something did not come about.
    """
    progress.headline("Modelberth and a store")
    install(cluster, progress)
    Story(cluster, progress).show()


class Story:
    """One namespace, made anew, in which all of it happens."""

    def __init__(self, cluster: Cluster, progress: Progress) -> None:
        self._cluster = cluster
        self._progress = progress
        self._stage = Stage(cluster, NAMESPACE, EXAMPLES / "model.yaml")

    def show(self) -> None:
        """From the first data to the last question."""
        self._begin()
        self._train_first()
        self._stage.serve(f"{ARTIFACT}-1.1", self._progress)
        self._train_second()
        before_the_move = self._move()
        self._skip()
        self._fail()
        self._ask(before_the_move)
        self._show_around()

    def _begin(self) -> None:
        self._progress.headline("Data, a package, a pipeline")
        with self._progress.step(f"namespace {NAMESPACE}, made anew"):
            self._cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")
            self._stage.make_namespace()
        python = models.environment(self._progress)
        with self._progress.step("scikit-learn's 1,797 images of handwritten digits as folders"):
            run([python, ROOT / "demo" / "training" / "write_data.py", DATA], progress=self._progress)
        self._command("push", DATA / "first", "--dataset", DATASET, "--label", "origin=scikit-learn")
        package = ["--artifact", ARTIFACT, "--versioning", "Semantic", "--version", "1.0"]
        self._command("push", EXAMPLES / "package", *package)
        with self._progress.step("kubectl apply -f examples/training/pipeline.yaml"):
            self._stage.kubectl("apply", "--filename", str(EXAMPLES / "pipeline.yaml"))
            ready = "--for=condition=Ready"
            self._stage.kubectl("wait", ready, f"trainingpipeline/{PIPELINE}", "--timeout=60s")

    def _train_first(self) -> None:
        self._progress.headline("A hundred images make version 1.1")
        self._command("train", PIPELINE, "--follow")
        self._say_runs()

    def _train_second(self) -> None:
        self._progress.headline("New data makes version 1.2 by itself")
        known = set(self._runs())
        self._command("push", DATA / "second", "--dataset", DATASET, "--derived-from", f"{DATASET}-v0")
        with self._progress.step("the pipeline has seen it, and trains"):
            self._wait_for(next(iter(self._wait_for_new(known))), "Succeeded")
        self._say_runs()

    def _move(self) -> str:
        """Production goes from 1.1 to 1.2; returns a moment before that."""
        old, new = f"{ARTIFACT}-1.1", f"{ARTIFACT}-1.2"
        with Traffic(self._cluster, NAMESPACE, DATA / "held-out.json") as traffic:
            with self._progress.step(f"asking {old} for {IMAGES_HELD_OUT} images, {PER_SECOND} per second"):
                traffic.wait_for(old, IMAGES_HELD_OUT, PATIENCE_SECONDS)
            moment = timestamp(datetime.now(UTC))
            self._stage.show_move(traffic, old, new, self._progress)
        return moment

    def _skip(self) -> None:
        self._progress.headline("The same once more costs nothing")
        self._command("train", PIPELINE, "--follow")
        self._say_runs()

    def _fail(self) -> None:
        self._progress.headline("A package with a mistake")
        package = ["--artifact", MISTAKE, "--versioning", "Semantic", "--version", "1.0"]
        self._command("push", EXAMPLES / "broken", *package)
        with self._progress.step("kubectl create -f examples/training/broken-run.yaml"):
            self._stage.kubectl("create", "--filename", str(EXAMPLES / "broken-run.yaml"))
            self._wait_for(BROKEN, "Failed")
        self._command("why", BROKEN)

    def _ask(self, before_the_move: str) -> None:
        """Each question is one command."""
        production = f"{MODEL}:{ALIAS}"
        newest = self._newest_run()
        for question, words in (
            ("On which data, with which parameters?", ("describe", f"{ARTIFACT}:1.2")),
            ("What did its run do?", ("run", "describe", newest)),
            (
                "Which runs used this data, and which was best?",
                ("runs", "--data", f"{DATASET}:v1", "--sort", "accuracy"),
            ),
            ("What is deployed, and since when?", ("deployed", production)),
            (f"And what was, at {before_the_move}?", ("deployed", production, "--at", before_the_move)),
            ("What is production made of?", ("lineage", production, "--up")),
            ("The first data were bad: what has learned from them?", ("lineage", f"{DATASET}:v0", "--down")),
        ):
            self._progress.headline(question)
            self._command(*words)
        self._progress.headline("Does the same run again give the same version?")
        self._command("reproduce", f"{ARTIFACT}:1.2")
        self._progress.headline("With which scikit-learn?")
        self._command("describe", f"{ARTIFACT}:1.2", "--libraries", grep="scikit-learn")

    def _command(self, *words: str | Path, grep: str = "") -> None:
        """Run the command line, and show the command and what it said, or the lines of it that hold a word."""
        shown = " ".join(str(word.relative_to(ROOT)) if isinstance(word, Path) else word for word in words)
        with self._progress.step(f"modelberth {shown}" + (f" | grep {grep}" if grep else "")):
            said = self._cluster.modelberth(*words, "--namespace", NAMESPACE, progress=self._progress)
        for line in said.splitlines():
            if grep in line:
                self._progress.say(f"   {line}".rstrip())

    def _say_runs(self) -> None:
        self._progress.say(self._stage.kubectl("get", "trainingruns").rstrip())

    def _runs(self) -> dict[str, str]:
        """Phases by the runs' names, the oldest first."""
        form = "--output=jsonpath={range .items[*]}{.metadata.name} {.status.phase}{'\\n'}{end}"
        lines = self._stage.kubectl("get", "trainingruns", "--sort-by=.metadata.creationTimestamp", form).splitlines()
        return {name: phase for name, _, phase in (line.partition(" ") for line in lines)}

    def _newest_run(self) -> str:
        """The run that made the newest version."""
        return str(self._version(f"{ARTIFACT}-1.2")["spec"]["lineage"]["run"]["trainingRun"])

    def _version(self, name: str) -> dict[str, Any]:
        return self._cluster.get("modelversion", name, NAMESPACE)

    def _wait_for_new(self, known: set[str]) -> set[str]:
        """The runs that there are besides those known.

        Raises:
            TimeoutError: none came.
        """
        deadline = time.monotonic() + RUN_SECONDS
        while not (new := set(self._runs()) - known):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no run was started: kubectl describe trainingpipeline {PIPELINE} -n {NAMESPACE}")
            time.sleep(0.5)
        return new

    def _wait_for(self, name: str, phase: str) -> None:
        """Until a run has ended.

        Raises:
            LookupError: it ended in another way.
            TimeoutError: it has not.
        """
        deadline = time.monotonic() + RUN_SECONDS
        while (seen := self._runs().get(name, "")) not in _ENDED:
            self._progress.detail(seen)
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"run {name} is {seen or 'not seen yet'}: kubectl describe trun {name} -n {NAMESPACE}"
                )
            time.sleep(0.5)
        if seen != phase:
            raise LookupError(
                f"run {name} ended {seen} instead of {phase}: kubectl describe trun {name} -n {NAMESPACE}"
            )

    def _show_around(self) -> None:
        say = self._progress.say
        self._progress.headline("To look around")
        say(f"   export KUBECONFIG={self._cluster.kubeconfig} PATH={self._cluster.bin}:$PATH")
        say(f"   kubectl get modelberth -n {NAMESPACE}")
        say(f"   .venv/bin/modelberth train {PIPELINE} --env GAMMA=0.01 --follow -n {NAMESPACE}")
        say(f"   .venv/bin/modelberth get {ARTIFACT}:1.2 --zip package.zip -n {NAMESPACE}")
        say(f"   .venv/bin/modelberth lineage {MODEL}:{ALIAS} --output svg -n {NAMESPACE} > lineage.svg")
        say("   make demo-down                                 # remove all of it")
