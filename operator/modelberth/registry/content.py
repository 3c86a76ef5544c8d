"""Routes that hand out content: tree, layout, and presigned URLs of the objects."""

from fastapi import APIRouter, Response

from modelberth.api.conditions import timestamp
from modelberth.content.layout import StoredObject
from modelberth.registry.access import Access, ContentReader
from modelberth.registry.models import Urls, UrlsRequest
from modelberth.registry.parameters import REFUSALS, DigestPath, Namespace, text_answer
from modelberth.registry.problems import Problem, no_content
from modelberth.store.errors import NotFound

router = APIRouter(prefix="/v1/namespaces/{ns}/content/{digest}", tags=["content"], responses=REFUSALS)


class PlainText(Response):
    """A canonical text."""

    media_type = "text/plain; charset=utf-8"


@router.get("/tree", response_class=PlainText, responses=text_answer("The tree"))
async def tree(ns: Namespace, digest: DigestPath, access: ContentReader) -> Response:  # noqa: ARG001 - in access
    """What the content is: its canonical tree."""
    return PlainText(await _text(access, digest, "tree"))


@router.get("/layout", response_class=PlainText, responses=text_answer("The layout"))
async def layout(ns: Namespace, digest: DigestPath, access: ContentReader) -> Response:  # noqa: ARG001 - in access
    """Where the bytes lie; only of content that is committed."""
    return PlainText(await _text(access, digest, "layout"))


@router.post("/urls")
async def urls(ns: Namespace, digest: DigestPath, wanted: UrlsRequest, access: ContentReader) -> Urls:  # noqa: ARG001
    """Presigned URLs of objects, by their number in the layout; good for 15 minutes."""
    endpoint = access.services.endpoints.choose(access.caller, wanted.endpoint)
    objects = await _objects(access, digest)
    beyond = [number for number in wanted.objects if number >= len(objects)]
    if beyond:
        raise Problem(
            422, "NoSuchObject", f"objects: the layout has no object number {beyond[0]}; it has {len(objects)} objects"
        )
    signer = await access.store.sessions.reader(access.space, endpoint)
    access.services.metrics.urls.labels(scope="reader").inc(len(wanted.objects))
    prefix = access.space.prefix
    return Urls(
        expires_at=timestamp(signer.expires_at),
        urls={str(number): signer.presigner.get(prefix + objects[number].key) for number in wanted.objects},
    )


async def _text(access: Access, digest: str, what: str) -> bytes:
    key = (access.space.id, digest, what)
    await access.check_content(digest)
    text = access.services.texts.get(key)
    if text is None:
        contents = access.store.contents
        try:
            read = contents.tree_text if what == "tree" else contents.layout_text
            text = await read(access.space, digest)
        except NotFound:
            raise no_content(digest) from None
        access.services.texts.put(key, text)
    return text


async def _objects(access: Access, digest: str) -> tuple[StoredObject, ...]:
    key = (access.space.id, digest)
    await access.check_content(digest)
    objects = access.services.objects.get(key)
    if objects is None:
        try:
            objects = (await access.store.contents.layout(access.space, digest)).objects
        except NotFound:
            raise no_content(digest) from None
        access.services.objects.put(key, objects)
    return objects
