"""The studio's server as a whole: routes, pages, and how errors are told."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from cadenza import __version__
from cadenza.errors import CadenzaError
from cadenza.server.composing import composing
from cadenza.server.exchange import exchange
from cadenza.server.guard import Guard
from cadenza.server.jobs import BusyError, Jobs

PAGES: Final = Path(__file__).parent.parent / "studio"
"""The pages of the studio: plain files."""


def create_app(host: str, model: str, jobs: Jobs) -> FastAPI:
    """The studio's server, for requests to a host; `model` is the one that is offered first."""
    app = FastAPI(
        title="Cadenza studio",
        version=__version__,
        # Their pages load from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.add_middleware(Guard, host=host)
    app.add_exception_handler(CadenzaError, _explained)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.include_router(composing(model, jobs))
    app.include_router(exchange())

    @app.get("/api/health")
    async def health() -> dict[str, str]:
        """Whether the server is there, and its version."""
        return {"version": __version__}

    app.mount("/", StaticFiles(directory=PAGES, html=True))
    return app


async def _explained(_: Request, error: Exception) -> JSONResponse:
    """A mistake of the user's."""
    return JSONResponse({"error": str(error)}, 503 if isinstance(error, BusyError) else 400)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """A request that is not as the API has it: the first thing that is wrong."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
    where = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse({"error": f"{where}: {first['msg']}".removeprefix(": ")}, 422)
