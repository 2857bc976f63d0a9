"""Serves the studio on an address of this machine until it is stopped."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final

import uvicorn

from cadenza import compose
from cadenza.corpus import find_corpus
from cadenza.errors import CadenzaError
from cadenza.server.app import create_app
from cadenza.server.jobs import Jobs

GRACE: Final = 1
"""Seconds that requests which are under way are given at the end."""


def serve(
    host: str,
    port: int,
    model: str,
    *,
    browser: bool,
    told: Callable[[str], None],
    against: Sequence[str] = (),
) -> None:
    """Serves until Ctrl-C; `told` is called with the address once it answers there.

    Port 0 is any that is free. `against`: see `resembling`. Raises CadenzaError for an unknown model or
    corpus, and where nothing can listen there.
    """
    compose.load_model(model)
    for name in against:
        find_corpus(name)
    with open_socket(host, port) as listener:
        address = shown_address(host, listener)
        jobs = Jobs()
        config = uvicorn.Config(
            create_app(host, model, jobs, against),
            log_level="warning",
            timeout_graceful_shutdown=GRACE,
            server_header=False,
        )
        told(address)
        if browser:
            # In a thread, for a browser of the terminal would only return when it is closed. That nothing
            # answers yet does no harm: who asks is already in the queue.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        _Server(config, jobs).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends what streams as soon as it is told to end, for it waits until all that is asked is answered."""

    def __init__(self, config: uvicorn.Config, jobs: Jobs) -> None:
        super().__init__(config)
        self._jobs = jobs

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal does."""
        self._jobs.close()
        super().handle_exit(sig, frame)


def shown_address(host: str, listener: socket.socket) -> str:
    """The address at which a browser of this machine finds what listens."""
    # One name always, for a browser keeps the work of each apart.
    shown = "127.0.0.1" if host in ("localhost", "0.0.0.0") else f"[{host}]" if ":" in host else host  # noqa: S104
    return f"http://{shown}:{listener.getsockname()[1]}/"


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises CadenzaError where it cannot."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:
        why = error.strerror or str(error)
        raise CadenzaError(
            f"nothing can be served at {host}, port {port}: {why.lower()}; is something open there already? "
            "Name another with --port"
        ) from error
