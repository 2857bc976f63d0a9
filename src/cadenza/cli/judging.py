"""Commands of blind listening tests."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cadenza.cli.shell import app, counted, out, progress
from cadenza.errors import CadenzaError

if TYPE_CHECKING:
    from cadenza.listening.running import OpenTest

listen = typer.Typer(help="Blind listening tests: set up, serve, export.", no_args_is_help=True)
app.add_typer(listen, name="listen")

Database = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Where answers are kept, as sqlite:///a.sqlite; by default in FOLDER."),
]
Folder = Annotated[Path, typer.Argument(help="Folder of the test.")]


@listen.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make; its name becomes part of the address.")],
    *,
    clips: Annotated[
        list[str], typer.Option(metavar="SYSTEM=DIR", help="A system and a folder of its clips; repeat it.")
    ],
    design: Annotated[str, typer.Option(help="rating, quality, aspects or preference.")] = "rating",
) -> None:
    """Set up a listening test: copy the clips of each system, write a test.toml that can be edited.

    [bold]cadenza listen new mytest --clips composer=out --clips human=originals[/bold]
    """
    from cadenza.listening.ready import new_test
    from cadenza.listening.running import test_name

    test_name(folder)
    sources: dict[str, Path] = {}
    for given in clips:
        system, equals, source = given.partition("=")
        if not equals:
            raise CadenzaError(f"--clips {given}: say whose they are, as in --clips composer={given}")
        if system in sources:
            raise CadenzaError(f"--clips {given}: the system {system} has its clips already: one folder each")
        sources[system] = Path(source)
    seconds = new_test(folder, design, sources)
    for line in (
        f"{folder / 'test.toml'}: clips of {seconds:g} seconds; edit what is asked",
        f"cadenza listen serve {folder}",
    ):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@listen.command()
def serve(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Folders of tests.")],
    *,
    host: Annotated[
        str, typer.Option(help="Address to serve at; 0.0.0.0 lets the network in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any that is free.")] = 8712,
    database: Database = None,
    new_version: Annotated[
        bool, typer.Option("--new-version", help="Go on with a test that was changed after it was begun.")
    ] = False,
) -> None:
    """Serve listening tests, each at its own address, until Ctrl-C.

    [bold]cadenza listen serve mytest[/bold]
    """
    # A server outlives whoever hangs up on its output.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    tests = [_opened(folder, database, new_version=new_version) for folder in folders]
    names = [test.name for test in tests]
    for name in names:
        if names.count(name) > 1:
            raise CadenzaError(f"two tests are called {name}: rename the folder of one")
    from cadenza.server.listening import serve_tests

    def told(address: str) -> None:
        out.print(f"Open at {address} (Ctrl-C closes it)", markup=False, highlight=False, soft_wrap=True)

    serve_tests(tests, host, port, told)


def _opened(folder: Path, database: str | None, *, new_version: bool) -> OpenTest:
    """A test that can be served."""
    require_extra()
    from cadenza.listening.running import open_test

    with progress() as bar:
        task = bar.add_task(f"{folder.name}: clips", total=None, note="")
        return open_test(
            folder,
            database,
            new_version=new_version,
            tell=lambda done, of: bar.update(task, completed=done, total=of),
        )


@listen.command()
def export(
    folder: Folder,
    out_folder: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder to write to; by default that of the test.")
    ] = None,
    database: Database = None,
) -> None:
    """Write what was answered as answers.csv and listeners.csv, also while the test goes on.

    [bold]cadenza listen export mytest[/bold]
    """
    require_extra()
    from cadenza.files import all_or_none
    from cadenza.listening import answers, store
    from cadenza.listening.running import open_store, test_name

    if database is None and not (folder / store.FILE).is_file():
        raise CadenzaError(f"{folder}: no answers: there is no {store.FILE} in it; was it served?")
    kept = open_store(folder, database, make=False)
    kept.check_known(test_name(folder))
    given, listeners = kept.answers(test_name(folder))
    home = out_folder or folder
    with all_or_none():
        answers.write_answers(given, home / answers.ANSWERS)
        answers.write_listeners(listeners, home / answers.LISTENERS)
    out.print(
        f"{home / answers.ANSWERS}: {counted(len(given), 'answer')} of {counted(len(listeners), 'listener')}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def require_extra() -> None:
    """Raises CadenzaError where the packages that listening tests need are not installed."""
    from importlib.util import find_spec

    for package in ("sqlalchemy", "scipy"):
        if find_spec(package) is None:
            raise CadenzaError(f"listening tests need {package}: pip install 'cadenza[listen]'")
