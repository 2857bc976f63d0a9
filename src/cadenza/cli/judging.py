"""Commands of blind listening tests."""

from __future__ import annotations

import typer

from cadenza.cli.shell import app

listen = typer.Typer(
    name="listen", help="Blind listening tests: set up, serve, export.", no_args_is_help=True
)
app.add_typer(listen)
