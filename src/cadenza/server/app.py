"""The studio's server as a whole: routes and pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from cadenza import __version__
from cadenza.server.composing import composing
from cadenza.server.exchange import exchange
from cadenza.server.explaining import explain_errors
from cadenza.server.guard import Guard
from cadenza.server.jobs import BusyError, Jobs
from cadenza.server.resembling import resembling

PAGES: Final = Path(__file__).parent.parent / "studio"
"""The pages of the studio: plain files."""


def create_app(host: str, model: str, jobs: Jobs, against: Sequence[str] = ()) -> FastAPI:
    """The studio's server, for requests to a host; `model` is the one that is offered first.

    against: see `resembling`.
    """
    app = FastAPI(
        title="Cadenza studio",
        version=__version__,
        # Their pages load from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.add_middleware(Guard, host=host)
    explain_errors(app, {BusyError: 503})
    app.include_router(composing(model, jobs))
    app.include_router(resembling(against))
    app.include_router(exchange())

    @app.get("/api/health")
    async def health() -> dict[str, str]:
        """Whether the server is there, and its version."""
        return {"version": __version__}

    app.mount("/", StaticFiles(directory=PAGES, html=True))
    return app
