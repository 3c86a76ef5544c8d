"""Path parameters and answers that several routes share."""

from typing import Annotated, Any

from fastapi import Path, Query

from modelberth.api.common import ALIAS_PATTERN, DIGEST_PATTERN, LABEL_PATTERN
from modelberth.content.collections import CollectionFamily, Family
from modelberth.registry.models import ErrorAnswer

Namespace = Annotated[str, Path(max_length=63, pattern=LABEL_PATTERN)]
DigestPath = Annotated[str, Path(pattern=DIGEST_PATTERN, description="sha256:<hex> of the content's tree")]
ArtifactPath = Annotated[str, Path(max_length=50, pattern=LABEL_PATTERN, description="the ModelArtifact's name")]
DatasetPath = Annotated[str, Path(max_length=50, pattern=LABEL_PATTERN, description="the Dataset's name")]
FamilyQuery = Annotated[
    Family | None,
    Query(description="whose content is asked for; a session's own family by default, a pod's is models"),
]
CollectionFamilyQuery = Annotated[
    CollectionFamily | None,
    Query(description="looks the name up among models or among datasets only"),
]
ModelPath = Annotated[str, Path(max_length=63, pattern=LABEL_PATTERN, description="the RegisteredModel's name")]
RunPath = Annotated[str, Path(max_length=63, pattern=LABEL_PATTERN, description="the TrainingRun's name")]
AliasPath = Annotated[str, Path(max_length=40, pattern=ALIAS_PATTERN)]

REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorAnswer, "description": "No valid token or session"},
    403: {"model": ErrorAnswer, "description": "The caller may not do that"},
    404: {"model": ErrorAnswer, "description": "There is no such thing, or it is not theirs"},
    429: {"model": ErrorAnswer, "description": "Too much at once; see Retry-After"},
    503: {"model": ErrorAnswer, "description": "Store or API server do not answer; see Retry-After"},
}


def text_body(description: str) -> dict[str, Any]:
    """The OpenAPI entry of a route that reads a plain text as it comes in."""
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


def text_answer(description: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entry of a route that answers a plain text."""
    return {200: {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}}
