"""The operator broken on purpose, one way at a time, to prove that the invariants notice.

Each mutation names the invariant that has to catch it. They are mistakes that such operators are known for, applied by
replacing one function while the schedules run.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from modelberth.domain import (
    content_version,
    deployment_report,
    model_deployment,
    registered_model,
    rollouts,
    targets,
    workloads,
    writes,
)
from modelberth.domain.model_deployment import Surroundings
from modelberth.domain.objects import Object, name_of, namespace_of
from modelberth.domain.revisions import Revision
from modelberth.domain.rollouts import Rollout
from modelberth.domain.targets import Target
from modelberth.domain.verdicts import Standing, Verdict
from modelberth.reconcile import base, mapping, transfer_session
from modelberth.reconcile import collection as reconcile_collection
from modelberth.reconcile import content_version as reconcile_version
from modelberth.reconcile import model_deployment as reconcile_deployment
from modelberth.reconcile import registered_model as reconcile_model
from modelberth.runtime import watches
from modelberth.runtime.cache import Cache
from modelberth.runtime.errors import ApiError
from modelberth.runtime.resources import DEPLOYMENTS, MODEL_VERSIONS, REPLICA_SETS, Resource
from modelberth.store.types import AliasEntry, NewVersion, Reservation, VersionRecord
from tests.simulation import bucket
from tests.simulation.bucket import digest_of
from tests.simulation.invariants import Broken

Patch = pytest.MonkeyPatch


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mistake and the invariant that notices it."""

    name: str
    invariant: str
    make: Callable[[Patch], None]

    def must_be_caught(self, run_seed: Callable[[int], object], seeds: Iterable[int]) -> None:
        """Some schedule that the operator passes breaks the invariant, once the mutation is in."""
        others = set()
        for seed in seeds:
            with pytest.MonkeyPatch.context() as patch:
                self.make(patch)
                broken = _broken_by(run_seed, seed)
            if broken == self.invariant and _broken_by(run_seed, seed) is None:
                return
            others.add(broken)
        pytest.fail(f"{self.name}: '{self.invariant}' notices in none of the schedules; noticed: {others}")


def _broken_by(run_seed: Callable[[int], object], seed: int) -> str | None:
    """The invariant that a schedule breaks, if it breaks one."""
    try:
        run_seed(seed)
    except Broken as broken:
        return broken.invariant
    return None


RECORD = "a version record never changes"
DIGEST = "a version's digest never changes"
SPEC = "the operator writes no spec"
FENCE = "the operator overwrites only what it has seen"
TEMPLATE = "a template changes only with its inputs"
SERVING = "what serves never goes away without a successor"
CLAIM = "status never claims the unobserved"
GAPS = "an alias history has no gaps"
TWICE = "an alias history says nothing twice"
GROWS = "an alias history only grows"
BUGS = "a reconciler fails only for its surroundings"
QUIET = "every schedule ends quiet"
DESIRED = "every schedule ends in the desired state"


def record_overwritten(patch: Patch) -> None:
    """The last writer of a version number wins."""

    def reserve(self: bucket.Bucket, space: str, new: NewVersion) -> Reservation:
        number = str(new.version)
        record = VersionRecord(new.collection, number, new.digest, "2026-01-31T12:00:00Z", new.created_by)
        self.records[space, new.collection, number] = record
        self.writes += 1
        return Reservation(record, created=True)

    patch.setattr(bucket.Bucket, "reserve", reserve)


def digest_worked_out_again(patch: Patch) -> None:
    """A version's digest is worked out at every look, from something that changes."""
    original = content_version.status_of

    def status_of(version: Object, verdict: Verdict, stored: Any, users: list[str], *, now: datetime) -> dict[str, Any]:
        status = original(version, verdict, stored, users, now=now)
        return {**status, "digest": digest_of(str(users))} if "digest" in status else status

    patch.setattr(content_version, "status_of", status_of)


def spec_corrected(patch: Patch) -> None:
    """The operator writes its findings into the spec."""
    original = base.write_status

    async def write_status(resource: Resource, observed: Object, status: Mapping[str, Any], **options: Any) -> bool:
        if resource == MODEL_VERSIONS:
            return await original(resource, observed, status, **options)
        body = {
            "metadata": {"name": name_of(observed), "namespace": namespace_of(observed)},
            "spec": {"description": "seen"},
        }
        key = namespace_of(observed), name_of(observed)
        await options["kube"].apply(resource, *key, body, manager=options["manager"])
        return await original(resource, observed, status, **options)

    _replace_write_status(patch, write_status)


def status_without_fence(patch: Patch) -> None:
    """A status is written whatever became of the object meanwhile."""

    async def write_status(
        resource: Resource, observed: Object, status: Mapping[str, Any], *, manager: str, kube: Any, cache: Cache
    ) -> bool:
        body = {"metadata": {"name": name_of(observed), "namespace": namespace_of(observed)}, "status": dict(status)}
        key = namespace_of(observed), name_of(observed)
        cache.observe(await kube.apply(resource, *key, body, manager=manager, subresource="status"))
        return True

    _replace_write_status(patch, write_status)


def workload_without_fence(patch: Patch) -> None:
    """A Deployment is applied without the uid and the version that were observed."""
    original = writes.apply

    def apply(body: Object, *, observed: Object, manager: str) -> Any:
        write = original(body, observed=observed, manager=manager)
        metadata = {
            key: value for key, value in write.body["metadata"].items() if key not in ("uid", "resourceVersion")
        }
        return dataclasses.replace(write, body={**write.body, "metadata": metadata})

    patch.setattr(writes, "apply", apply)


def template_rendered_again(patch: Patch) -> None:
    """The template is rendered at every look, with whatever loader this release brings."""
    original = model_deployment.wanted_revision

    def wanted_revision(observed: Any, target: Target, around: Surroundings) -> Revision:
        revision = original(observed, target, around)
        loader, *others = revision.template["spec"]["initContainers"]
        spec = {**revision.template["spec"], "initContainers": [{**loader, "image": around.loader_image}, *others]}
        return dataclasses.replace(revision, template={**revision.template, "spec": spec})

    patch.setattr(model_deployment, "wanted_revision", wanted_revision)


def always_recreated(patch: Patch) -> None:
    """The old pods end before the new ones are there."""
    original = workloads.workload

    def workload(owner: Object, spec: Any, revision: Revision) -> Object:
        body = original(owner, spec, revision)
        body["spec"]["strategy"] = {"type": "Recreate"}
        return body

    patch.setattr(workloads, "workload", workload)


def workload_deleted_with_its_version(patch: Patch) -> None:
    """When the alias cannot be followed, the Deployment goes."""
    original = model_deployment.decide

    def decide(observed: Any, around: Surroundings) -> model_deployment.Plan:
        plan = original(observed, around)
        if isinstance(plan.target, Verdict) and observed.workload is not None:
            gone = writes.delete(observed.workload, manager=model_deployment.MANAGER)
            return dataclasses.replace(plan, writes=(gone,))
        return plan

    patch.setattr(model_deployment, "decide", decide)


def served_by_wish(patch: Patch) -> None:
    """Replicas asked for are taken for replicas that answer."""
    original = rollouts.served

    def served(replica_sets: Any) -> Any:
        wished = [{**obj, "status": {"readyReplicas": obj["spec"]["replicas"]}} for obj in replica_sets]
        return original(wished)

    patch.setattr(rollouts, "served", served)


def stale_counts_believed(patch: Patch) -> None:
    """The Deployment's counts are read though its controller has not seen the new template."""
    complete = property(lambda self: self.replicas == self.updated == self.available == self.wanted)
    patch.setattr(Rollout, "is_complete", complete)


def status_before_the_child(patch: Patch) -> None:
    """The status says what the writes shall do, and is written whatever becomes of them."""

    def judge(observed: Any, plan: Any, *args: Any, **options: Any) -> Verdict:
        if isinstance(plan.target, Verdict):
            return plan.target
        return Verdict("Served", Standing.READY, "Served", f"{plan.target.version} answers")

    patch.setattr(deployment_report, "_judge", judge)


def current_from_desired(patch: Patch) -> None:
    """An alias stands for what the spec asks for, whoever serves it."""

    def judge_alias(observed: Any, alias: str) -> Verdict:
        target = targets.resolve(observed.facts(alias))
        return target if isinstance(target, Verdict) else Verdict("Served", Standing.READY, "Served", "answers")

    patch.setattr(registered_model, "judge_alias", judge_alias)


def sequence_counted_twice(patch: Patch) -> None:
    """A sequence number is skipped when the writer has retried."""
    original = bucket.Bucket.put_entry

    def put_entry(self: bucket.Bucket, space: str, entry: AliasEntry) -> AliasEntry:
        written = original(self, space, entry)
        skipped = dataclasses.replace(written, sequence=written.sequence + 1) if entry.sequence > 1 else written
        self.aliases[space, entry.model, entry.alias][-1] = skipped
        return skipped

    patch.setattr(bucket.Bucket, "put_entry", put_entry)


def history_appended_twice(patch: Patch) -> None:
    """After a lost answer the entry is written once more."""
    patch.setattr(bucket, "already_said", lambda replayed, new: None)


def history_rewritten(patch: Patch) -> None:
    """The newest entry replaces the one before."""

    def put_entry(self: bucket.Bucket, space: str, entry: AliasEntry) -> AliasEntry:
        first = dataclasses.replace(entry, sequence=1)
        self.aliases[space, entry.model, entry.alias] = [first]
        self.writes += 1
        return first

    patch.setattr(bucket.Bucket, "put_entry", put_entry)


def bug_on_a_half_filled_object(patch: Patch) -> None:
    """A reconciler takes for granted that an object has a status."""
    original = registered_model.summary

    def summary(aliases: Mapping[str, Mapping[str, Any]]) -> str:
        for entry in aliases.values():
            entry["current"]
        return original(aliases)

    patch.setattr(registered_model, "summary", summary)


def time_in_a_message(patch: Patch) -> None:
    """A message that is never twice the same: every look is a write, every write wakes the next look."""
    original = content_version.status_of
    ticks = iter(range(10**9))

    def status_of(version: Object, verdict: Verdict, stored: Any, users: list[str], *, now: datetime) -> dict[str, Any]:
        status = original(version, verdict, stored, users, now=now)
        conditions = [{**entry, "message": f"looked {next(ticks)} times"} for entry in status["conditions"]]
        return {**status, "conditions": conditions}

    patch.setattr(content_version, "status_of", status_of)


def refusals_swallowed(patch: Patch) -> None:
    """An error of the API server ends the reconcile as if all had been done."""
    original = base._carry_out

    async def carry_out(write: Any, kube: Any) -> Object | None:
        try:
            return await original(write, kube)
        except ApiError:
            return None

    patch.setattr(base, "_carry_out", carry_out)


def nobody_woken_by_pods(patch: Patch) -> None:
    """Changes of Deployments and ReplicaSets wake nobody."""
    rules = {resource: rule for resource, rule in mapping._RULES.items() if resource not in (DEPLOYMENTS, REPLICA_SETS)}
    patch.setattr(mapping, "_RULES", rules)
    patch.setattr(deployment_report, "_look_again", lambda *_: None)


def ghosts_in_the_cache(patch: Patch) -> None:
    """Deletes that no watch told are never noticed."""
    patch.setattr(watches, "COMPARE_SECONDS", 10.0**9)
    patch.setattr(watches.Comparer, "ask", lambda self, name: None)


def sessions_never_looked_at_again(patch: Patch) -> None:
    """A delay is forgotten: what ends by itself is never ended."""
    patch.setattr(transfer_session, "Result", lambda left: base.DONE)


def _replace_write_status(patch: Patch, write_status: Any) -> None:
    for module in (reconcile_collection, reconcile_deployment, reconcile_model, reconcile_version, transfer_session):
        patch.setattr(module, "write_status", write_status)


MUTATIONS = [
    Mutation("record overwritten", RECORD, record_overwritten),
    Mutation("digest worked out again", DIGEST, digest_worked_out_again),
    Mutation("spec corrected", SPEC, spec_corrected),
    Mutation("status without fence", FENCE, status_without_fence),
    Mutation("workload without fence", FENCE, workload_without_fence),
    Mutation("template rendered again", TEMPLATE, template_rendered_again),
    Mutation("always recreated", SERVING, always_recreated),
    Mutation("workload deleted with its version", SERVING, workload_deleted_with_its_version),
    Mutation("served by wish", CLAIM, served_by_wish),
    Mutation("stale counts believed", CLAIM, stale_counts_believed),
    Mutation("status before the child", CLAIM, status_before_the_child),
    Mutation("current from desired", CLAIM, current_from_desired),
    Mutation("sequence counted twice", GAPS, sequence_counted_twice),
    Mutation("history appended twice", TWICE, history_appended_twice),
    Mutation("history rewritten", GROWS, history_rewritten),
    Mutation("bug on a half-filled object", BUGS, bug_on_a_half_filled_object),
    Mutation("time in a message", QUIET, time_in_a_message),
    Mutation("refusals swallowed", CLAIM, refusals_swallowed),
    Mutation("nobody woken by pods", DESIRED, nobody_woken_by_pods),
    Mutation("ghosts in the cache", DESIRED, ghosts_in_the_cache),
    Mutation("sessions never looked at again", DESIRED, sessions_never_looked_at_again),
]
