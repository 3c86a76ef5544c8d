"""Who may do what, as FastAPI dependencies: each route declares which right it needs, and gets the space with it.

Order matters. Authentication comes first and costs nothing for forged tokens; the right is asked for before anything
is said about the namespace; the rate is counted for those only who may ask at all.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request

from modelberth.api.names import CONTENT_SUBRESOURCE
from modelberth.api.transfer_session import Operation
from modelberth.content.collections import Collection, CollectionFamily, Family
from modelberth.registry.callers import Caller, PodCaller, RunCaller, SessionCaller
from modelberth.registry.parameters import FamilyQuery
from modelberth.registry.pods import CONTENT_RESOURCES
from modelberth.registry.problems import Problem, forbidden, no_content, unauthorized
from modelberth.registry.run_callers import RUN_HEADER
from modelberth.registry.services import Backend, Services
from modelberth.store.content_store import ContentStore
from modelberth.store.types import Space

SESSION_HEADER = "Modelberth-Session"
_FAMILIES: Final[tuple[CollectionFamily, ...]] = ("models", "datasets")
_FIRST_FAMILY: Final = "models"
"""What a pod asks for that names no family: loaders from before there were several."""


def services_of(request: Request) -> Services:
    """The process's services."""
    services: Services = request.app.state.services
    return services


@dataclass(frozen=True, slots=True)
class Access:
    """A request that may go on.

    Attributes:
        caller: who asks.
        family: whose content they are about.
        space: the namespace's part of the bucket.
        backend: where the answers are.
        services: everything else.
    """

    caller: Caller
    family: Family
    space: Space
    backend: Backend
    services: Services

    @property
    def store(self) -> ContentStore:
        """The store."""
        return self.backend.store

    @property
    def collection(self) -> Collection | None:
        """The only collection that the caller's session is for; None for all."""
        return self.caller.collection if isinstance(self.caller, SessionCaller) else None

    def check_collection(self, collection: Collection) -> None:
        """Refuse another collection than the session's.

        Raises:
            Problem: 403.
        """
        if self.collection not in (None, collection):
            raise forbidden(f"the session is for {self.collection} only: create one for {collection}")

    def check_all(self) -> None:
        """Refuse a session for one collection, for what concerns others as well.

        Raises:
            Problem: 403.
        """
        if self.collection is not None:
            raise forbidden(
                f"the session is for {self.collection} only: create one without spec.{self.collection.field}"
            )

    def check_push(self, collection: Collection) -> None:
        """Refuse to reserve a version outside of what the session is for.

        Raises:
            Problem: 403.
        """
        if self.family != collection.family:
            raise forbidden(f"{collection}: the session is for {self.family}: create one for {collection.family}")
        self.check_collection(collection)

    async def check_records(self, collection: Collection) -> None:
        """Refuse records of a collection: of another one than the session's, or of a family that a pod may not read.

        Raises:
            Problem: 403.
        """
        self.check_collection(collection)
        caller, namespace = self.caller, self.space.namespace
        if isinstance(caller, PodCaller) and not await self.services.pods.may_read_content(
            caller, namespace, collection.family
        ):
            raise _may_not_read(caller, namespace, collection.family)

    async def check_reserved(self, digest: str) -> None:
        """Refuse content that the session's collection does not have, as if nobody had it.

        Raises:
            Problem: 404.
        """
        if self.collection is None:
            return
        if await self.store.find_by_digest(self.space, self.collection, digest) is None:
            raise no_content(digest)

    async def check_content(self, digest: str) -> None:
        """Refuse content that is not of the family, or not of the session's collection, as if nobody had it.

        Raises:
            Problem: 404.
        """
        mark = self.space.id, self.family, digest
        if not self.services.marks.get(mark):
            if not await self.store.has_family(self.space, self.family, digest):
                raise no_content(digest)
            self.services.marks.put(mark, value=True)
        await self.check_reserved(digest)


async def identify(request: Request, namespace: str | None) -> PodCaller | SessionCaller:
    """Who asks.

    Raises:
        Problem: 401 unless exactly one valid proof is shown.
    """
    services = services_of(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    session = request.headers.get(SESSION_HEADER, "")
    if session and namespace is not None:  # a proxy on the way may have an Authorization of its own
        caller: PodCaller | SessionCaller = await services.sessions.authenticate(namespace, session)
    elif scheme.lower() == "bearer" and token:
        caller = await services.pods.authenticate(token.strip())
    else:
        raise unauthorized()
    request.state.caller = caller.user
    return caller


async def reading_content(request: Request, ns: str, family: FamilyQuery = None) -> Access:
    """For who may read the bytes of a family's content in the namespace."""
    caller = await identify(request, ns)
    if isinstance(caller, SessionCaller):
        _check_operation(caller, Operation.PULL)
        if family not in (None, caller.family):
            raise forbidden(f"family: the session is for {caller.family}: create one for {family}")
        return await _admitted(request, ns, caller, caller.family)
    wanted = family or _FIRST_FAMILY
    if not await services_of(request).pods.may_read_content(caller, ns, wanted):
        raise _may_not_read(caller, ns, wanted)
    return await _admitted(request, ns, caller, wanted)


async def reading_records(request: Request, ns: str) -> Access:
    """For who may read which versions there are: everybody who may read content, and every session."""
    caller = await identify(request, ns)
    if isinstance(caller, SessionCaller):
        return await _admitted(request, ns, caller, caller.family)
    for family in _FAMILIES:
        if await services_of(request).pods.may_read_content(caller, ns, family):
            return await _admitted(request, ns, caller, family)
    raise _may_not_read(caller, ns, _FIRST_FAMILY)


async def reading_runs(request: Request, ns: str) -> Access:
    """For who may read what training runs left: their records have the ends of logs."""
    caller = await identify(request, ns)
    if isinstance(caller, SessionCaller):
        if caller.family != "runs":
            raise forbidden(f"the session is for {caller.family}: create one with spec.family runs")
    elif not await services_of(request).pods.may_read_content(caller, ns, "runs"):
        raise _may_not_read(caller, ns, "runs")
    return await _admitted(request, ns, caller, "runs")


async def pushing(request: Request, ns: str) -> Access:
    """For sessions that push, and for the pods of runs."""
    caller = await identify(request, ns)
    run = request.headers.get(RUN_HEADER)
    if isinstance(caller, PodCaller) and run is not None:
        return await _admitted(request, ns, await services_of(request).runs.identify(caller, ns, run), "runs")
    if not isinstance(caller, SessionCaller):
        raise forbidden("pushing needs a TransferSession with spec.operation Push: create one, or use modelberth push")
    _check_operation(caller, Operation.PUSH)
    return await _admitted(request, ns, caller, caller.family)


async def reporting_run(request: Request, ns: str, run: str) -> Access:
    """For the pod of the run that the path names, which says so in the header as well."""
    access = await pushing(request, ns)
    if not isinstance(access.caller, RunCaller) or access.caller.run != run:
        raise forbidden(
            f"the attempts of TrainingRun {run} are told by its own pod, with the header {RUN_HEADER}: {run}"
        )
    return access


async def _admitted(request: Request, namespace: str, caller: Caller, family: Family) -> Access:
    services = services_of(request)
    services.rate.take(namespace)
    backend = services.ready_backend()
    return Access(caller, family, await backend.namespaces.space(namespace), backend, services)


def _check_operation(caller: SessionCaller, operation: Operation) -> None:
    if caller.operation != operation:
        raise forbidden(f"the session's spec.operation is {caller.operation}: create one for {operation}")


def _may_not_read(caller: PodCaller, namespace: str, family: Family) -> Problem:
    return forbidden(
        f"{caller.user} needs the verb get on {CONTENT_RESOURCES[family]}/{CONTENT_SUBRESOURCE} "
        f"in namespace {namespace[:63]!a}"
    )


ContentReader = Annotated[Access, Depends(reading_content)]
RecordReader = Annotated[Access, Depends(reading_records)]
Pusher = Annotated[Access, Depends(pushing)]
RunReader = Annotated[Access, Depends(reading_runs)]
RunReporter = Annotated[Access, Depends(reporting_run)]
