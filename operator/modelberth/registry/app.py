"""The application: routes, what surrounds them, and how every refusal is said."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from modelberth import __version__
from modelberth.content.errors import FormatError
from modelberth.registry import content, lineage, reports, runs, steps, uploads, versions
from modelberth.registry.middleware import AccessLog, BodyLimit
from modelberth.registry.models import ErrorAnswer, ErrorDetail
from modelberth.registry.problems import Problem, from_api_server, from_format, from_store
from modelberth.registry.services import Services
from modelberth.runtime.errors import ApiError
from modelberth.store.errors import StoreError

log = logging.getLogger(__name__)


def create_app(services: Services) -> FastAPI:
    """The HTTP service over these collaborators."""
    app = FastAPI(
        title="Modelberth registry",
        version=__version__,
        description="Hands out the content of model versions, takes pushes, and answers what the records say.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    for part in (content, uploads, versions, runs, steps, lineage, reports):
        app.include_router(part.router)
    app.add_middleware(BodyLimit)
    app.add_middleware(AccessLog, metrics=services.metrics)
    _say_refusals(app)
    return app


def _say_refusals(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(StoreError, _on_store)
    app.add_exception_handler(FormatError, _on_format)
    app.add_exception_handler(ApiError, _on_api_server)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)


def _answer(problem: Problem) -> JSONResponse:
    body = ErrorAnswer(error=ErrorDetail(code=problem.code, message=problem.message))
    return JSONResponse(body.model_dump(), status_code=problem.status, headers=dict(problem.headers))


async def _on_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 - registered for this type
    return _answer(error)


async def _on_store(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StoreError)  # noqa: S101 - registered for this type
    problem = from_store(error)
    if problem.status >= 500:
        log.warning("the store failed a request", extra={"route": _route(request), "why": str(error)})
    return _answer(problem)


async def _on_format(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FormatError)  # noqa: S101 - registered for this type
    return _answer(from_format(error))


async def _on_api_server(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)  # noqa: S101 - registered for this type
    log.warning("the API server failed a request", extra={"route": _route(request), "why": error.message})
    return _answer(from_api_server(error))


async def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type
    first: dict[str, Any] = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
    return _answer(Problem(422, "Invalid", f"{where}: {first['msg']}"))


async def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
    phrase = HTTPStatus(error.status_code).phrase
    code = "TooLarge" if error.status_code == 413 else "".join(word.capitalize() for word in phrase.split())
    return _answer(Problem(error.status_code, code, error.detail, dict(error.headers or {})))


def _route(request: Request) -> str:
    return str(getattr(request.scope.get("route"), "path", ""))
