"""The command that opens the studio."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from cadenza.cli.options import ModelName
from cadenza.cli.shell import app, out


@app.command()
def studio(
    *,
    host: Annotated[
        str, typer.Option(help="Address to serve at; 0.0.0.0 lets the whole network in.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to serve at; 0: any that is free.")
    ] = 8711,
    model: ModelName = "composer",
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Corpus or folder of MIDI files to look through for what a piece resembles; may be said "
            "again. By default what the composer was trained on."
        ),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
) -> None:
    """Open the studio: a piano roll in the browser that writes with you.

    [bold]cadenza studio[/bold]
    """
    from cadenza.server.serving import serve

    # Elsewhere a pipe that is closed ends the command; a server outlives whoever hangs up on it.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def told(address: str) -> None:
        out.print(f"The studio is open at {address} (Ctrl-C closes it)", markup=False, highlight=False)

    serve(host, port, model, browser=browser, told=told, against=against or ())
