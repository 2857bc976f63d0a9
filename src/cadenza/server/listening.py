"""The server of listening tests: routes over `cadenza.listening.running`, and the page of a test.

Who takes part holds a token, sent as `Authorization: Bearer TOKEN`. There are no cookies, and requests are
not logged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import uvicorn
from fastapi import APIRouter, FastAPI, Header
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from cadenza import __version__
from cadenza import listening as package
from cadenza.listening.database import UnavailableError
from cadenza.listening.running import OpenTest, RefusedError, UnknownError
from cadenza.server.explaining import explain_errors
from cadenza.server.guard import Guard
from cadenza.server.serving import GRACE, open_socket, shown_address

PAGE: Final = Path(package.__file__).parent / "page"
"""The page of a test: plain files."""
MOST_BYTES: Final = 2**16
"""Of a request's body."""
LONG: Final = 100
"""Characters of a key or a token; more than any has."""

KEPT: Final = {"Cache-Control": "private, max-age=3600"}
"""A clip may be heard again, and only by whom it was given."""

Bearer = Annotated[str, Header(max_length=LONG)]
Key = Annotated[str, Field(max_length=LONG)]


class Beginning(BaseModel):
    """What a listener sends to take part."""

    model_config = ConfigDict(extra="forbid")

    consent: bool = False
    background: dict[Key, str] = Field(default={}, max_length=LONG)
    """Answers about the listener, by key."""


class Answered(BaseModel):
    """The answers to a trial."""

    model_config = ConfigDict(extra="forbid")

    values: dict[Key, StrictInt] = Field(max_length=LONG)
    """By the question's key."""


def create_app(tests: Sequence[OpenTest]) -> FastAPI:
    """The server of some tests, each at /t/NAME/."""
    app = FastAPI(title="Cadenza listening tests", version=__version__, docs_url=None, redoc_url=None)
    # Any name will do: a test is meant for others, and what gives a right is no cookie, but a token.
    app.add_middleware(Guard, host=None, most_bytes=MOST_BYTES)
    explain_errors(app, {UnavailableError: 503, UnknownError: 404, RefusedError: 409})
    app.include_router(_routes({test.name: test for test in tests}))
    app.mount("/page", StaticFiles(directory=PAGE))
    return app


Named = Callable[[str], OpenTest]
"""Gives a test by its name, or raises UnknownError."""


def _routes(tests: dict[str, OpenTest]) -> APIRouter:
    """The routes. They are no coroutines, since they wait for the database: each runs in a thread."""
    router = APIRouter()

    def named(name: str) -> OpenTest:
        if name not in tests:
            raise UnknownError("there is no such test here")
        return tests[name]

    @router.get("/", response_class=Response)
    def front() -> Response:
        """Where there is one test, that; else nothing that would tell of the others."""
        if len(tests) == 1:
            return RedirectResponse(f"t/{next(iter(tests))}/")
        return PlainTextResponse("Listening tests. Please follow the whole address that you were given.\n")

    _shown(router, named)
    _taken_part(router, named)
    return router


def _shown(router: APIRouter, named: Named) -> None:
    """Adds what is shown and played."""

    @router.get("/t/{name}/", response_class=Response)
    def page(name: str) -> Response:
        """The page of a test."""
        named(name)
        return FileResponse(PAGE / "index.html")

    @router.get("/t/{name}/api/test")
    def test(name: str) -> dict[str, Any]:
        """What the page needs to know before the first clip."""
        return named(name).described()

    @router.get("/t/{name}/volume", response_class=Response)
    def volume(name: str) -> Response:
        """What the volume is set by."""
        return FileResponse(named(name).volume(), media_type="audio/mpeg")

    @router.get("/t/{name}/sounds/{ticket}/{side}", response_class=Response)
    def sound(name: str, ticket: str, side: int) -> Response:
        """The sound of a trial."""
        return FileResponse(named(name).heard(ticket, side), media_type="audio/mpeg", headers=KEPT)


def _taken_part(router: APIRouter, named: Named) -> None:
    """Adds what listeners send."""

    @router.put("/t/{name}/api/listener")
    def begin(name: str, given: Beginning, authorization: Bearer) -> dict[str, Any]:
        """Takes part, or goes on where this token was; where the listener is."""
        return named(name).begin(_token(authorization), given.background, consent=given.consent)

    @router.get("/t/{name}/api/listener")
    def state(name: str, authorization: Bearer) -> dict[str, Any]:
        """Where a listener is."""
        return named(name).state(_token(authorization))

    @router.put("/t/{name}/api/answers/{ticket}")
    def answer(name: str, ticket: str, given: Answered, authorization: Bearer) -> dict[str, Any]:
        """Keeps the answers to a trial; where the listener is then. May be sent again."""
        return named(name).answer(_token(authorization), ticket, given.values)


def _token(authorization: str) -> str:
    return authorization.removeprefix("Bearer ")


def serve_tests(tests: Sequence[OpenTest], host: str, port: int, told: Callable[[str], None]) -> None:
    """Serves until Ctrl-C; `told` is called with the address of each test once it answers there.

    Port 0 is any that is free. Raises CadenzaError where nothing can listen there.
    """
    with open_socket(host, port) as listener:
        config = uvicorn.Config(
            create_app(tests),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=GRACE,
            server_header=False,
        )
        for test in tests:
            told(f"{shown_address(host, listener)}t/{test.name}/")
        uvicorn.Server(config).run(sockets=[listener])
