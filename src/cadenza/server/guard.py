"""What stands before every route: who may ask, how much may be sent, and what pages may load."""

from __future__ import annotations

import ipaddress
import json
import socket
from math import ceil
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES: Final = 32 * 2**20
"""Of a request's body; the same as of a MIDI file."""

DRAINED: Final = 2**28
"""Bytes of a body that is too large that are read and thrown away, so that the sender hears the refusal."""

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Refuses requests that name another host (DNS rebinding), come from another site, or are too large."""

    def __init__(self, app: ASGIApp, host: str | None, most_bytes: int = MOST_BYTES) -> None:
        """`host` is the one that is listened on; None where any site may ask by any name, as it can where
        nothing that a browser sends by itself, such as a cookie, gives a right.
        """
        self.app = app
        self.host = host
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, with safe headers on its answer, or refuses it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = headers.get("host", "")
        origin = headers.get("origin")
        if self.host is not None and not may_name(asked, self.host):
            await _refuse(send, 403, f"this studio does not answer to the name {asked[:100]!r}")
        elif self.host is not None and origin is not None and urlsplit(origin).netloc != asked:
            await _refuse(send, 403, f"this studio does not answer to pages of {origin[:100]}")
        elif scope["method"] in ("POST", "PUT", "PATCH"):
            await self._with_body(scope, receive, send)
        else:
            await self.app(scope, receive, _with_headers(send))

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads the whole body, up to its limit, then lets the request through."""
        body, size, more = bytearray(), 0, True
        while more and size <= DRAINED:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size <= self.most_bytes:
                body += chunk
            else:
                body.clear()
            more = message.get("more_body", False)
        if size > self.most_bytes:
            await _refuse(
                send, 413, f"{_amount(size)} were sent: at most {_amount(self.most_bytes)} are taken"
            )
            return
        told = False

        async def whole() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self.app(scope, whole, _with_headers(send))


def _amount(size: int) -> str:
    """A number of bytes in words, rounded up so that what is too much also reads as more."""
    return f"{ceil(size / 2**20)} MiB" if size >= 2**20 else f"{ceil(size / 2**10)} KiB"


def may_name(asked: str, host: str) -> bool:
    """Whether a request to a server that listens on `host` may call it `asked`.

    Names of this machine only, and the host itself; where it listens on every address, any address by number.
    """
    try:
        name = urlsplit(f"//{asked}").hostname or ""
    except ValueError:
        return False
    if name in {"localhost", "127.0.0.1", "::1", host.lower()}:
        return True
    if host not in ("0.0.0.0", "::"):  # noqa: S104
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == socket.gethostname().lower()
    return True


def _with_headers(send: Send) -> Send:
    async def safely(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            # Else browsers keep pages for days, and those of an earlier version meet a later server.
            headers.setdefault("Cache-Control", "no-cache")
        await send(message)

    return safely


async def _refuse(send: Send, status: int, why: str) -> None:
    """Answers with an error in words."""
    body = json.dumps({"error": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    send = _with_headers(send)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
