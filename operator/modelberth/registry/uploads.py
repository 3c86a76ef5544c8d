"""Routes that take content: the tree, URLs to send objects to, and the commit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from modelberth.api.conditions import timestamp
from modelberth.content.errors import FormatError
from modelberth.content.layout import Layout
from modelberth.content.tree import TreeParser
from modelberth.registry.access import Access, Pusher
from modelberth.registry.callers import RunCaller
from modelberth.registry.models import (
    Committed,
    ErrorAnswer,
    ErrorDetail,
    MissingObjects,
    UploadsAnswer,
    UploadsRequest,
    UploadTarget,
)
from modelberth.registry.parameters import REFUSALS, DigestPath, Namespace, text_body
from modelberth.registry.problems import Problem, no_content
from modelberth.store.commits import Incomplete
from modelberth.store.errors import NotFound
from modelberth.store.run_types import RunId
from modelberth.store.types import ContentSummary
from modelberth.store.uploads import PlannedObject, WantedObject

_COMMIT_RETRY_SECONDS = 1
_BODY_SECONDS = 300.0
"""How long a body may take: few are received at once, and a laptop that fell asleep must not keep a place."""

router = APIRouter(prefix="/v1/namespaces/{ns}", tags=["push"], responses=REFUSALS)
_commit_answers: dict[int | str, dict[str, Any]] = {
    200: {"model": Committed},
    202: {"description": "Still verifying: send the same request again after Retry-After seconds"},
    400: {"model": ErrorAnswer, "description": "The layout does not hold the tree"},
    409: {"model": MissingObjects, "description": "Objects are missing: upload these again"},
}


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Receive a body.

    Raises:
        Problem: 408 where it does not arrive in time.
    """
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            yield
    except TimeoutError:
        raise Problem(
            408, "BodyTimeout", f"the body did not arrive within {_BODY_SECONDS:.0f} s: send it again"
        ) from None


@router.put("/trees/{digest}", status_code=204, openapi_extra=text_body("The canonical tree, at most 32 MiB"))
async def put_tree(ns: Namespace, digest: DigestPath, access: Pusher, request: Request) -> Response:  # noqa: ARG001
    """Store a tree. It is checked as it comes in, and refused at the first line that breaks a rule."""
    await access.check_reserved(digest)
    async with access.services.receiving:
        parser, parts = TreeParser(), []
        async with _in_time():
            async for part in request.stream():
                await asyncio.to_thread(parser.feed, part)
                parts.append(part)
        found = parser.close()
        if found != digest:
            raise Problem(400, "DigestMismatch", f"the tree's digest is {found}, not {digest}: send it under its own")
        await access.store.contents.put_tree(access.space, digest, b"".join(parts))
    return Response(status_code=204)


@router.post("/uploads", response_model_exclude_none=True)
async def uploads(ns: Namespace, wanted: UploadsRequest, access: Pusher) -> UploadsAnswer:  # noqa: ARG001
    """For each object: where it lies already, or where to send it within 15 minutes."""
    endpoint = access.services.endpoints.choose(access.caller, wanted.endpoint)
    objects = [WantedObject(item.sha256, item.size) for item in wanted.objects]
    plan = await access.store.uploads.plan(access.space, objects, endpoint, who=access.caller.uid)
    access.services.metrics.urls.labels(scope="writer").inc(sum(item.upload is not None for item in plan.objects))
    return UploadsAnswer(expires_at=timestamp(plan.expires_at), uploads=[_target(item) for item in plan.objects])


@router.post(
    "/commits/{digest}",
    response_model=Committed,
    responses=_commit_answers,
    openapi_extra=text_body("The canonical layout, at most 64 MiB"),
)
async def commit(ns: Namespace, digest: DigestPath, access: Pusher, request: Request) -> Response:  # noqa: ARG001
    """Prove that every byte of a tree is in the store. Asking again with the same body asks for the outcome."""
    await access.check_reserved(digest)
    async with access.services.receiving, _in_time():
        text = await request.body()

    async def verified() -> ContentSummary:
        layout = await asyncio.to_thread(Layout.parse, text)
        return await access.store.commits.commit(access.space, digest, layout)

    counted = access.services.metrics.commits
    try:
        summary = await access.services.jobs.run(access.space, digest, text, verified)
    except Incomplete as error:
        counted.labels(result="incomplete").inc()
        return _missing(error)
    except NotFound:
        raise no_tree(digest) from None
    except FormatError:
        counted.labels(result="refused").inc()
        raise
    if summary is None:
        return Response(status_code=202, headers={"Retry-After": str(_COMMIT_RETRY_SECONDS)})
    await _mark(access, digest)
    counted.labels(result="committed").inc()
    return _committed(access, summary)


async def _mark(access: Access, digest: str) -> None:
    """Say whose content it is now."""
    caller = access.caller
    await access.store.mark_content(access.space, access.family, digest)
    if isinstance(caller, RunCaller):
        await access.store.enter_run_content(access.space, RunId(caller.run, caller.run_uid), digest)


def no_tree(digest: str) -> Problem:
    """A commit before its tree."""
    problem = no_content(digest)
    problem.message = f"there is no tree {digest} in this namespace: send it first"
    return problem


def _target(item: PlannedObject) -> UploadTarget:
    if item.upload is None:
        return UploadTarget(sha256=item.digest, ulid=item.ulid, present=True)
    return UploadTarget(
        sha256=item.digest, ulid=item.ulid, present=False, url=item.upload.url, headers=item.upload.headers
    )


def _missing(error: Incomplete) -> JSONResponse:
    detail = ErrorDetail(code="ObjectsMissing", message=str(error))
    return JSONResponse(MissingObjects(error=detail, missing=list(error.missing)).model_dump(), status_code=409)


def _committed(access: Access, summary: ContentSummary) -> JSONResponse:
    access.services.texts.drop((access.space.id, summary.digest, "layout"))
    access.services.objects.drop((access.space.id, summary.digest))
    answer = Committed(
        digest=summary.digest,
        file_count=summary.file_count,
        size_bytes=summary.size_bytes,
        stored_bytes=summary.stored_bytes,
    )
    return JSONResponse(answer.model_dump(by_alias=True))
