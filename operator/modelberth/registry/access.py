"""Who may do what, as FastAPI dependencies: each route declares which right it needs, and gets the space with it.

Order matters. Authentication comes first and costs nothing for forged tokens; the right is asked for before anything
is said about the namespace; the rate is counted for those only who may ask at all.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from modelberth.api.transfer_session import Operation
from modelberth.content.collections import artifact
from modelberth.registry.callers import Caller, PodCaller, RunCaller, SessionCaller
from modelberth.registry.problems import forbidden, no_content, unauthorized
from modelberth.registry.run_callers import RUN_HEADER
from modelberth.registry.services import Backend, Services
from modelberth.store.content_store import ContentStore
from modelberth.store.types import Space

SESSION_HEADER = "Modelberth-Session"


def services_of(request: Request) -> Services:
    """The process's services."""
    services: Services = request.app.state.services
    return services


@dataclass(frozen=True, slots=True)
class Access:
    """A request that may go on.

    Attributes:
        caller: who asks.
        space: the namespace's part of the bucket.
        backend: where the answers are.
        services: everything else.
    """

    caller: Caller
    space: Space
    backend: Backend
    services: Services

    @property
    def store(self) -> ContentStore:
        """The store."""
        return self.backend.store

    @property
    def artifact(self) -> str | None:
        """The only artifact that the caller's session is for; None for any."""
        return self.caller.artifact if isinstance(self.caller, SessionCaller) else None

    def check_artifact(self, name: str) -> None:
        """Refuse another artifact than the session's.

        Raises:
            Problem: 403.
        """
        if self.artifact not in (None, name):
            raise forbidden(f"the session is for artifact {self.artifact} only: create one for {name}")

    async def check_content(self, digest: str) -> None:
        """Refuse content that the session's artifact does not have, as if nobody had it.

        Raises:
            Problem: 404.
        """
        if (
            self.artifact is not None
            and await self.store.find_by_digest(self.space, artifact(self.artifact), digest) is None
        ):
            raise no_content(digest)


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


async def reading_content(request: Request, ns: str) -> Access:
    """For who may read the bytes of versions in the namespace."""
    caller = await identify(request, ns)
    if isinstance(caller, SessionCaller):
        _check_operation(caller, Operation.PULL)
    elif not await services_of(request).pods.may_read_content(caller, ns):
        raise _may_not_read(caller, ns)
    return await _admitted(request, ns, caller)


async def reading_records(request: Request, ns: str) -> Access:
    """For who may read which versions there are: everybody who may read content, and every session."""
    caller = await identify(request, ns)
    if isinstance(caller, PodCaller) and not await services_of(request).pods.may_read_content(caller, ns):
        raise _may_not_read(caller, ns)
    return await _admitted(request, ns, caller)


async def pushing(request: Request, ns: str) -> Access:
    """For sessions that push, and for the pods of runs."""
    caller = await identify(request, ns)
    run = request.headers.get(RUN_HEADER)
    if isinstance(caller, PodCaller) and run is not None:
        return await _admitted(request, ns, await services_of(request).runs.identify(caller, ns, run))
    if not isinstance(caller, SessionCaller):
        raise forbidden("pushing needs a TransferSession with spec.operation Push: create one, or use modelberth push")
    _check_operation(caller, Operation.PUSH)
    return await _admitted(request, ns, caller)


async def reporting_run(request: Request, ns: str, run: str) -> Access:
    """For the pod of the run that the path names, which says so in the header as well."""
    access = await pushing(request, ns)
    if not isinstance(access.caller, RunCaller) or access.caller.run != run:
        raise forbidden(
            f"the attempts of TrainingRun {run} are told by its own pod, with the header {RUN_HEADER}: {run}"
        )
    return access


async def _admitted(request: Request, namespace: str, caller: Caller) -> Access:
    services = services_of(request)
    services.rate.take(namespace)
    backend = services.ready_backend()
    return Access(caller, await backend.namespaces.space(namespace), backend, services)


def _check_operation(caller: SessionCaller, operation: Operation) -> None:
    if caller.operation != operation:
        raise forbidden(f"the session's spec.operation is {caller.operation}: create one for {operation}")


def _may_not_read(caller: PodCaller, namespace: str) -> Exception:
    return forbidden(
        f"{caller.user} needs the verb get on modelversions.modelberth.io/content in namespace {namespace[:63]!a}"
    )


ContentReader = Annotated[Access, Depends(reading_content)]
RecordReader = Annotated[Access, Depends(reading_records)]
Pusher = Annotated[Access, Depends(pushing)]
RunReporter = Annotated[Access, Depends(reporting_run)]
