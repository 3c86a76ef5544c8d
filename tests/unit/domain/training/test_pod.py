"""The pod of an attempt: restricted, with the token where the program does not see it, and parameters as they are."""

import json

from modelberth.domain.training.pod import Attempt, attempt_of, config, is_ours, render
from modelberth.domain.training.template import settle
from modelberth.training.config import RunConfig
from tests.unit.domain.training.builders import INPUTS, pipeline_spec, run


def rendered(**fields):
    return render(Attempt(run(), 2, INPUTS, settle(pipeline_spec(**fields)), "modelberth:1"))


def by_name(entries):
    return {entry["name"]: entry for entry in entries}


def test_it_is_ours_and_knows_its_number():
    """Owner, labels and annotation say whose attempt it is."""
    pod = rendered()
    assert pod["metadata"]["name"] == "one-2"
    assert is_ours(pod, run())
    assert attempt_of(pod) == 2
    assert not is_ours(pod, run("two"))


def test_it_passes_the_restricted_standard():
    """Nobody is root, nothing is escalated, no token of the API server comes in."""
    spec = rendered()["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]) == (True, 65532)
    for container in (*spec["initContainers"], *spec["containers"]):
        context = container["securityContext"]
        assert (context["allowPrivilegeEscalation"], context["capabilities"]) == (False, {"drop": ["ALL"]})
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_the_program_never_sees_the_token():
    """The registry's token is mounted into our two containers only."""
    spec = rendered()["spec"]
    mounts = {
        container["name"]: {mount["name"] for mount in container["volumeMounts"]}
        for container in (*spec["initContainers"], *spec["containers"])
    }
    assert mounts["train"] == {"modelberth-work"}
    assert (
        mounts["modelberth-prepare"]
        == mounts["modelberth-report"]
        == {"modelberth-work", "modelberth-token", "modelberth-registry"}
    )


def test_the_report_is_there_before_the_program():
    """It opens the lock that the program could replace: the kubelet starts containers in their order. People who ask
    for the pod's log are shown the program's.
    """
    pod = rendered()
    assert [container["name"] for container in pod["spec"]["containers"]] == ["modelberth-report", "train"]
    assert pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "train"


def test_parameters_reach_the_program_letter_by_letter():
    """What the kubelet would take for a variable is left as it was written; Secrets come by reference."""
    fields = {"environment": {"A": "$(HOME) $$ ${x}"}, "secretEnvironment": {"T": {"name": "s", "key": "k"}}}
    program = by_name(rendered(**fields)["spec"]["containers"])["train"]
    env = by_name(program["env"])
    assert env["A"]["value"] == "$$(HOME) $$$$ $${x}"
    assert env["T"]["valueFrom"] == {"secretKeyRef": {"name": "s", "key": "k"}}
    assert env["artifacts_directory"]["value"] == "artifacts"
    assert env["save_training_data"]["value"] == "false"
    assert env["HOME"]["value"] == "/modelberth/home"
    assert program["command"] == ["python3", "-u", "/modelberth/bin/harness.py", "/modelberth"]


def test_our_containers_read_what_they_are_told():
    """The configuration is what the containers' own reader understands."""
    pod = rendered(activeDeadlineSeconds=60)
    written = by_name(by_name(pod["spec"]["initContainers"])["modelberth-prepare"]["env"])["MODELBERTH_RUN_CONFIG"]
    read = RunConfig.parse(written["value"].replace("$$", "$"))
    assert (read.run, read.uid, read.attempt, read.deadline_seconds) == ("one", "uid-one", 2, 60)
    assert (read.dataset.name, read.dataset.folder, read.evaluation) == ("housing-v1", "train", None)
    attempt = Attempt(run(), 2, INPUTS, settle(pipeline_spec(activeDeadlineSeconds=60)), "modelberth:1")
    assert json.loads(written["value"]) == config(attempt)


def test_extras_are_taken_over():
    """Placement, labels and storage are the user's; our own labels stay."""
    pod = rendered(
        pod={
            "nodeSelector": {"gpu": "yes"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "labels": {"kueue.x-k8s.io/queue-name": "a"},
            "imagePullSecrets": [{"name": "pull"}],
            "serviceAccountName": "trainer",
            "runAsUser": 1000,
        },
        storage={"sizeLimit": "1Gi"},
        resources={"limits": {"nvidia.com/gpu": 1}},
    )
    spec = pod["spec"]
    assert pod["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "a"
    assert (spec["nodeSelector"], spec["tolerations"]) == ({"gpu": "yes"}, [{"key": "gpu", "operator": "Exists"}])
    assert (spec["serviceAccountName"], spec["imagePullSecrets"]) == ("trainer", [{"name": "pull"}])
    assert spec["securityContext"]["runAsUser"] == 1000
    assert spec["volumes"][0]["emptyDir"] == {"sizeLimit": "1Gi"}
    assert by_name(spec["containers"])["train"]["resources"] == {"limits": {"nvidia.com/gpu": 1}}
