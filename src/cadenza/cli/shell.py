"""What all commands share: the application, how it ends, and what it says.

A user's mistake ends with one line on standard error and status 2, Ctrl-C with status 130.
"""

from __future__ import annotations

import atexit
import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cadenza import __version__
from cadenza.errors import CadenzaError
from cadenza.files import check_writable

app = typer.Typer(
    name="cadenza",
    help="Composes piano music with you: continues what you play, or begins on its own.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

INTERRUPTED = 130
"""Status after Ctrl-C, as the shell has it; typer returns it rather than letting the interrupt through."""

out = Console()
err = Console(stderr=True)


def main() -> NoReturn:
    """The command `cadenza`."""
    # A pipe that is closed early (cadenza ... | head) ends us quietly, as it does other programs.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Neither a sharp sign nor the name of a file is worth a traceback where the terminal cannot show it.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = app(standalone_mode=False)
        if status == INTERRUPTED:
            raise KeyboardInterrupt
    except CadenzaError as error:
        fail(str(error))
    except typer.TyperException as error:
        if not error.format_message():  # the help was shown
            sys.exit(2)
        fail(f"{error.format_message()} (cadenza --help shows how)")
    except (KeyboardInterrupt, typer.Abort):
        sys.stdout.flush()
        print("cadenza: stopped", file=sys.stderr, flush=True)
        _end_workers()
        # Frees what was shared with them. Not by sys.exit: Python would die of the signal where the interrupt
        # came through its exec(), as it does while a dataclass is made, and show a traceback where another
        # follows.
        atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        os._exit(INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)


def _end_workers() -> None:
    """Ends the processes that prepare a corpus, which leave Ctrl-C to us."""
    if "multiprocessing" not in sys.modules:
        return
    workers = sys.modules["multiprocessing"].active_children()
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.join()
    # Those that led them close their pipes now. Other threads may wait for work for ever, as the studio's do.
    for thread in threading.enumerate():
        if type(thread).__module__ == "concurrent.futures.process":
            thread.join()


def fail(message: str) -> NoReturn:
    """Says a mistake and ends with status 2."""
    say(message)
    sys.exit(2)


def say(message: str) -> None:
    """A line on standard error."""
    # Plain, not through rich: a file's name may look like markup, and wrapping would break the line.
    print("cadenza:", " ".join(message.split()), file=sys.stderr)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"cadenza {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the application itself."""


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]


def check_output(path: Path, source: Path | None) -> None:
    """Raises CadenzaError where a file cannot be written, or is the one that was read."""
    check_writable(path)
    if source is not None and path.exists() and path.samefile(source):
        raise CadenzaError(f"{path}: not written: this is the file that was read; name another with -o")


def counted(number: int, thing: str) -> str:
    """A number of things, in words."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def named(path: Path, call: Callable[[], Any]) -> Any:
    """What a call returns; an error names the file it is about."""
    try:
        return call()
    except CadenzaError as error:
        raise CadenzaError(f"{path}: {error}") from error


def progress() -> Progress:
    """A bar on standard error, where that is a terminal."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
