"""A ModelDeployment: one alias of one model, answered by one Deployment.

``decide`` says what to write, ``report`` says what to tell about it. The rule behind both: what serves goes on serving
until its successor is ready, and whatever keeps the successor away is said in the status.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from modelberth.api import names
from modelberth.api.model_deployment import ModelDeploymentSpec
from modelberth.domain import revisions, targets, templates, workloads, writes
from modelberth.domain.injection import Injection, render
from modelberth.domain.objects import Object, annotation, contains, dig, is_controlled_by, label, name_of
from modelberth.domain.revisions import Inputs, Revision
from modelberth.domain.rollouts import LoaderProgress
from modelberth.domain.targets import AliasFacts, Target
from modelberth.domain.verdicts import Verdict, blocked, waiting
from modelberth.domain.writes import Write

MANAGER = names.field_manager("modeldeployments")
HANDOFF_MANAGER = "modelberth/replicas-handoff"


@dataclass(frozen=True, slots=True)
class Applied:
    """What this process applied last to a Deployment, and the generation that came of it."""

    uid: str
    generation: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Observed:
    """All that a decision about one ModelDeployment rests on, read at one time."""

    deployment: Object
    spec: ModelDeploymentSpec
    model: Object | None
    version: Object | None
    artifact: Object | None
    pod_template: Object | None
    workload: Object | None
    service: Object | None
    revisions: tuple[Object, ...]
    replica_sets: tuple[Object, ...]
    pods: tuple[Object, ...]
    progress: Mapping[str, LoaderProgress] | None  # by pod uid; None while the registry cannot be asked
    applied: Applied | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The operator's own settings that reach a new rendering or a namespace."""

    loader_image: str
    registry_url: str
    ca_bundle: str


@dataclass(frozen=True, slots=True)
class Plan:
    """``target`` is what the alias asks for, or what keeps it away; ``revision`` is what the Deployment shall run."""

    target: Target | Verdict
    revision: Revision | None
    writes: tuple[Write, ...]


def decide(observed: Observed, around: Surroundings, *, refusal: Verdict | None = None) -> Plan:
    """The writes that bring the Deployment to its desired state, or keep it where it is while that cannot be had.

    ``refusal`` is what the API server said to the plan that was tried first: then what runs is kept as it is wished.
    """
    target = refusal or find_target(observed)
    running = revisions.running(observed.revisions, observed.workload)
    revision = running if isinstance(target, Verdict) else wanted_revision(observed, target, around)
    if revision is None or isinstance(name_is_free(observed), Verdict):
        return Plan(target, revision, ())
    return Plan(
        target,
        revision,
        (
            *_record(observed, revision),
            *_prepare_namespace(observed, around),
            *_expose(observed, revision),
            *_roll(observed, revision),
            *_forget(observed, revision),
        ),
    )


def find_target(observed: Observed) -> Target | Verdict:
    """The version to serve, or the first reason why there is none."""
    alias = observed.spec.alias
    if observed.model is None:
        return waiting("ModelNotFound", f"spec.model: RegisteredModel {observed.spec.model} does not exist")
    if dig(observed.model, "spec", "aliases", alias) is None:
        known = ", ".join(sorted(dig(observed.model, "spec", "aliases") or {})) or "none"
        return waiting(
            "AliasNotFound", f"spec.alias: RegisteredModel {observed.spec.model} has no alias {alias}; it has {known}"
        )
    target = targets.resolve(AliasFacts(alias, observed.model, observed.version, observed.artifact))
    if isinstance(target, Verdict):
        return target
    return template_is_sound(observed) or name_is_free(observed) or target


def template_is_sound(observed: Observed) -> Verdict | None:
    """The pod template is there, may be used, and leaves room for what is added to it."""
    spec = observed.spec
    where = "spec.template"
    if spec.template_ref is not None:
        where = f"PodTemplate {spec.template_ref.name}: template"
        if observed.pod_template is None:
            return waiting("TemplateNotFound", f"spec.templateRef: PodTemplate {spec.template_ref.name} does not exist")
        if label(observed.pod_template, names.LABEL_TEMPLATE) != "true":
            return waiting(
                "TemplateNotOffered",
                f"spec.templateRef: PodTemplate {spec.template_ref.name} is not offered for use; "
                f"label it {names.LABEL_TEMPLATE}=true",
            )
    found = templates.faults(
        user_template(observed), container=spec.container, mount_path=spec.loader.mount_path, where=where
    )
    first = next(found, None)
    return blocked("TemplateInvalid", first) if first else None


def name_is_free(observed: Observed) -> Verdict | None:
    """Nobody else's Deployment or Service stands under our names: it would be taken over."""
    for taken in (observed.workload, observed.service):
        if taken is not None and not is_controlled_by(taken, observed.deployment):
            return blocked(
                "NameTaken",
                f"{taken['kind']} {name_of(taken)} exists and belongs to somebody else: "
                "delete it or give the ModelDeployment another name",
            )
    return None


def user_template(observed: Observed) -> Object:
    """The pod template that the user gave, inline or by reference."""
    if observed.spec.template_ref is not None:
        return dict(dig(observed.pod_template, "template") or {})
    return observed.spec.template or {}


def wanted_revision(observed: Observed, target: Target, around: Surroundings) -> Revision:
    """The revision for ``target``: as it was rendered once, if the inputs have been seen before."""
    spec = observed.spec
    resources = dict(spec.loader.resources) if spec.loader.resources else None
    inputs = Inputs(
        target=target,
        artifact=str(dig(observed.version, "spec", "artifact")),
        delivery=str(spec.delivery),
        template=user_template(observed),
        container=spec.container,
        mount_path=spec.loader.mount_path,
        loader_image=spec.loader.image,
        loader_resources=resources,
    )
    stored = revisions.find(observed.revisions, input_hash=inputs.hash)
    if stored is not None:
        return stored
    name = revisions.revision_name(name_of(observed.deployment), inputs.hash)
    injection = Injection(
        artifact=inputs.artifact,
        model=target.model,
        alias=target.alias,
        version=target.version,
        digest=target.digest,
        size_bytes=target.size_bytes,
        revision=name,
        deployment=name_of(observed.deployment),
        container=spec.container,
        mount_path=spec.loader.mount_path,
        loader_image=spec.loader.image or around.loader_image,
        resources=resources,
    )
    return Revision(
        name=name,
        number=revisions.next_number(observed.revisions),
        input_hash=inputs.hash,
        version=target.version,
        digest=target.digest,
        template=render(inputs.template, injection),
    )


def _record(observed: Observed, revision: Revision) -> tuple[Write, ...]:
    """A new revision is tried by a dry run, then kept, before anything runs it."""
    if revisions.find(observed.revisions, input_hash=revision.input_hash) is not None:
        return ()
    body = workloads.workload(observed.deployment, observed.spec, revision)
    return (
        writes.check(body, manager=MANAGER),
        writes.create(revisions.manifest(observed.deployment, revision), manager=MANAGER),
    )


def _prepare_namespace(observed: Observed, around: Surroundings) -> tuple[Write, ...]:
    """Before the first pod: the ConfigMap that its loader mounts."""
    if observed.workload is not None:
        return ()
    namespace = observed.deployment["metadata"]["namespace"]
    body = workloads.registry_config_map(namespace, url=around.registry_url, ca_bundle=around.ca_bundle)
    return (Write(writes.Verb.APPLY, body, names.field_manager("registry")),)


def _expose(observed: Observed, revision: Revision) -> tuple[Write, ...]:
    wanted = workloads.service(observed.deployment, observed.spec, revision.template)
    live = observed.service
    if wanted is None:
        return () if live is None else (writes.delete(live, manager=MANAGER),)
    if live is None:
        return (writes.claim(wanted, manager=MANAGER),)
    if contains(live, wanted):
        return ()
    return (writes.apply(wanted, observed=live, manager=MANAGER),)


def _roll(observed: Observed, revision: Revision) -> tuple[Write, ...]:
    body = workloads.workload(observed.deployment, observed.spec, revision)
    live = observed.workload
    if live is None:
        return (writes.claim(body, manager=MANAGER),)
    if is_as_applied(live, body, observed.applied):
        return ()
    handoff: tuple[Write, ...] = ()
    if observed.spec.replicas is None and _owns_replicas(live):
        handoff = (writes.apply(workloads.replicas_handoff(live), observed=live, manager=HANDOFF_MANAGER),)
    return (*handoff, writes.apply(body, observed=live, manager=MANAGER))


def is_as_applied(live: Object, body: Object, applied: Applied | None) -> bool:
    """Whether the Deployment is as this process left it, so that another apply would change nothing.

    A new process does not know and applies once: an apply that changes nothing makes no new generation.
    """
    return (
        applied is not None
        and applied.uid == dig(live, "metadata", "uid")
        and applied.generation == dig(live, "metadata", "generation")
        and applied.fingerprint == workloads.fingerprint(body)
        and contains(dig(live, "metadata", "annotations"), dig(body, "metadata", "annotations"))
        and contains(dig(live, "metadata", "labels"), dig(body, "metadata", "labels"))
    )


def _owns_replicas(live: Object) -> bool:
    """Written by ``workloads.workload`` beside the field, since ownership cannot be read from trimmed objects."""
    return annotation(live, names.ANNOTATION_REPLICAS) == "spec"


def _forget(observed: Observed, revision: Revision) -> tuple[Write, ...]:
    in_use = {revision.name, annotation(observed.workload, names.ANNOTATION_REVISION) or ""}
    for replica_set in observed.replica_sets:
        if dig(replica_set, "spec", "replicas") or dig(replica_set, "status", "replicas"):
            in_use.add(dig(replica_set, "spec", "template", "metadata", "annotations", names.ANNOTATION_REVISION) or "")
    return tuple(
        writes.delete(obj, manager=MANAGER) for obj in revisions.superfluous(observed.revisions, in_use=in_use)
    )
