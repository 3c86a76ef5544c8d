"""Routes about how far loaders are, and about the registry itself."""

from typing import Annotated, Literal

import prometheus_client
from fastapi import APIRouter, Query, Request, Response

from modelberth import __version__
from modelberth.registry.access import identify, services_of
from modelberth.registry.callers import PodCaller
from modelberth.registry.models import Info, ProgressEntry, ProgressReport, Readiness
from modelberth.registry.parameters import REFUSALS, Namespace
from modelberth.registry.problems import forbidden
from modelberth.registry.progress import merged

FORMATS = {"tree": 1, "layout": 1, "chunks": 1}

router = APIRouter(tags=["registry"])


@router.post("/v1/namespaces/{ns}/progress", status_code=204, responses=REFUSALS, tags=["progress"])
async def report_progress(ns: Namespace, said: ProgressReport, request: Request) -> Response:
    """A pod tells how far its loader is. Which pod it is, its token says."""
    caller = await identify(request, ns)
    if not isinstance(caller, PodCaller) or not caller.pod_uid or caller.namespace != ns:
        raise forbidden("progress is told by a pod of the namespace, with a token that is bound to it")
    services = services_of(request)
    services.progress_rate.take(ns)
    services.progress.report(ns, caller.pod, caller.pod_uid, said)
    return Response(status_code=204)


@router.get("/v1/progress", responses=REFUSALS, tags=["progress"])
async def progress(
    request: Request, scope: Annotated[Literal["all", "replica"], Query()] = "all"
) -> list[ProgressEntry]:
    """How far all loaders are; for who may read the status of every ModelDeployment, as the operator."""
    services = services_of(request)
    caller = await identify(request, None)
    if not isinstance(caller, PodCaller) or not await services.pods.may_see_progress(caller):
        raise forbidden("progress of all pods needs the verb get on modeldeployments.modelberth.io/status cluster-wide")
    mine = services.progress.entries()
    if scope == "replica" or services.peers is None:
        return merged([mine])
    return merged([mine, *await services.peers.progress(request.headers["Authorization"])])


@router.get("/v1/info")
async def info(request: Request) -> Info:
    """What this registry is and can do."""
    state = services_of(request).state
    return Info(version=__version__, formats=FORMATS, mode="direct", problems=list(state.problems))


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Whether the process answers at all."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(request: Request, response: Response) -> Readiness:
    """Whether requests are answered, and what is wrong if not."""
    state = services_of(request).state
    response.status_code = 200 if state.is_ready else 503
    return Readiness(ready=state.is_ready, problems=list(state.problems))


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    text = prometheus_client.generate_latest(services_of(request).metrics.registry)
    return Response(text, media_type=prometheus_client.CONTENT_TYPE_LATEST)
