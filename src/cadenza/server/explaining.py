"""How a server tells errors: in words, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from cadenza.errors import CadenzaError

LATER: Final = "3"
"""Seconds after which who was told to come back (503) may do so."""


def explain_errors(app: FastAPI, statuses: Mapping[type[CadenzaError], int]) -> None:
    """Makes a server tell users' mistakes in words, with status 400, or that of the first kind that fits."""

    async def explained(_: Request, error: Exception) -> JSONResponse:
        status = next((status for kind, status in statuses.items() if isinstance(error, kind)), 400)
        headers = {"Retry-After": LATER} if status == 503 else None
        return JSONResponse({"error": str(error)}, status, headers)

    app.add_exception_handler(CadenzaError, explained)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """A request that is not as the API has it: the first thing that is wrong."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
    where = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse({"error": f"{where}: {first['msg']}".removeprefix(": ")}, 422)
