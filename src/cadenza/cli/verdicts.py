"""Commands that say what a listening test showed, and how many listeners one needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from cadenza.cli.judging import listen
from cadenza.cli.shell import AsJson, counted, named, out, say
from cadenza.errors import CadenzaError

if TYPE_CHECKING:
    from cadenza.listening.analysis import Analysis, Section


@listen.command()
def report(
    source: Annotated[
        Path,
        typer.Argument(metavar="FOLDER|CSV", help="A test's folder with its answers.csv, or such a file."),
    ],
    folder: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder to write; by default report, beside the answers."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a listening test showed: tables with intervals and tests, figures, as a page, JSON and CSV.

    [bold]cadenza listen report mytest[/bold]
    """
    from cadenza.listening.reporting import numbers, write_report

    home = source if source.is_dir() else source.parent
    analysis = _analysis(source, home)
    written = write_report(analysis, folder or home / "report")
    if as_json:
        print(json.dumps(numbers(analysis)))
        return
    _tell(analysis)
    out.print(str(written[0]), markup=False, highlight=False, soft_wrap=True)


def _analysis(source: Path, home: Path) -> Analysis:
    """What follows from the answers of a folder or in a file, by the folder's test where there is one."""
    from cadenza.listening.analysis import analyse, guess_design
    from cadenza.listening.answers import ANSWERS, LISTENERS, read_answers, read_listeners
    from cadenza.listening.design import FILE, load_design

    table = home / ANSWERS if source.is_dir() else source
    if source.is_dir() and not table.exists():
        raise CadenzaError(f"{source}: it has no {ANSWERS}: cadenza listen export {source} writes it")
    answers = read_answers(table)
    listeners = read_listeners(home / LISTENERS) if (home / LISTENERS).exists() else None
    design = load_design(home) if (home / FILE).exists() else None
    if listeners and design:  # the test as it is now; what was answered before it was edited is another's
        latest = max(listener.version for listener in listeners)
        earlier = {listener.listener for listener in listeners if listener.version < latest}
        if earlier:
            say(f"{counted(len(earlier), 'listener')} of earlier versions of the test left out")
        listeners = [listener for listener in listeners if listener.listener not in earlier]
        answers = [answer for answer in answers if answer.listener not in earlier]
    return named(table, lambda: analyse(design or guess_design(source.stem, answers), answers, listeners))


def _tell(analysis: Analysis) -> None:
    """The analysis in short, on the terminal."""
    left_out = [rule for rule in analysis.left_out if rule.listeners]
    said = [f"{counted(analysis.listeners, 'listener')} of {analysis.title}"]
    said += [f"{counted(len(rule.listeners), 'listener')} left out: {rule.rule}" for rule in left_out]
    said += [f"Mind: {caution}" for caution in analysis.cautions]
    for section in analysis.sections:
        _say_lines(said)
        out.print()
        out.print(_summary(section))
        said = [f"Mind: {caution}" for caution in section.cautions] + list(section.findings)
    _say_lines(said)


def _say_lines(lines: list[str]) -> None:
    for line in lines:
        out.print(Text(line), highlight=False)


def _summary(section: Section) -> Table:
    """The first table of a question."""
    from cadenza.listening.reporting import cells

    table = Table(title=Text(section.question.text), title_justify="left", box=None, header_style="bold")
    rows = [cells(row) for row in section.tables[0].rows]
    for row in rows:
        for name in ("deviation", "median"):  # their intervals would not fit on a line; the report has them
            if name in row:
                row[name], *_ = row[name].split(" (")
    for i, name in enumerate(rows[0] if rows else ()):
        table.add_column(name, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row.values()))
    return table


EXPECTED = {
    "rating": {"deviation": 1.1, "correlation": 0.4},
    "yes_no": {"share": 0.5, "correlation": 0.4},
    "preference": {"neither": 0.2},
}
"""What is expected of answers of each kind unless it is said."""


@listen.command()
def power(
    kind: Annotated[
        Literal["rating", "yes_no", "preference"], typer.Argument(help="What is asked of each listener.")
    ],
    *,
    difference: Annotated[
        float, typer.Option(help="To be found: of mean ratings, of shares of yes, of shares of the votes.")
    ],
    deviation: Annotated[
        float | None, typer.Option(help="rating: standard deviation of a system's ratings; 1.1.")
    ] = None,
    correlation: Annotated[
        float | None, typer.Option(help="rating, yes_no: between a listener's answers to two systems; 0.4.")
    ] = None,
    share: Annotated[float | None, typer.Option(help="yes_no: the lower share of yes; 0.5.")] = None,
    neither: Annotated[
        float | None, typer.Option(help="preference: share of votes for neither; 0.2.")
    ] = None,
    systems: Annotated[int, typer.Option(min=2, help="Systems that are all compared with each other.")] = 2,
    chance: Annotated[float, typer.Option("--power", help="Share of such tests that find it.")] = 0.8,
    as_json: AsJson = False,
) -> None:
    """Say how many listeners a test needs to find a difference between systems.

    [bold]cadenza listen power rating --difference 0.5[/bold]
    """
    said = {"deviation": deviation, "correlation": correlation, "share": share, "neither": neither}
    pairs = systems * (systems - 1) // 2
    what, needed = _needed(kind, difference, _expected(kind, said), chance, pairs)
    if as_json:
        print(json.dumps({"listeners": needed, "difference": difference, "power": chance, "pairs": pairs}))
        return
    among = f", among {counted(pairs, 'pair')} of systems," if pairs > 1 else ""
    out.print(
        f"To find a difference {what}{among} in {chance:.0%} of such tests, {needed} listeners are needed.",
        highlight=False,
        soft_wrap=True,
    )


def _expected(kind: str, said: dict[str, float | None]) -> dict[str, float]:
    """What is expected of the answers. Raises CadenzaError for what has no meaning for their kind."""
    for name, value in said.items():
        if value is not None and name not in EXPECTED[kind]:
            known = " and ".join(f"--{own}" for own in EXPECTED[kind])
            raise CadenzaError(f"--{name} has no meaning for {kind}; {known} can be given")
    return EXPECTED[kind] | {name: value for name, value in said.items() if value is not None}


def _needed(
    kind: str, difference: float, expected: dict[str, float], chance: float, pairs: int
) -> tuple[str, int]:
    """The difference in words, and the listeners it needs."""
    from cadenza.listening.power import listeners_for_rating, listeners_for_share, listeners_for_votes

    if kind == "preference":
        neither = expected["neither"]
        better, worse = (1 - neither + difference) / 2, (1 - neither - difference) / 2
        what = (
            f"between {better:g} of the votes for one and {worse:g} for the other ({neither:g} for neither)"
        )
        return what, listeners_for_votes(better, worse, power=chance, pairs=pairs)
    correlation = expected["correlation"]
    if kind == "yes_no":
        share = expected["share"]
        what = f"between {share:g} and {share + difference:g} yes (correlation {correlation:g})"
        return what, listeners_for_share(share, difference, correlation, power=chance, pairs=pairs)
    deviation = expected["deviation"]
    of_what = f"(standard deviation {deviation:g}, correlation {correlation:g})"
    needed = listeners_for_rating(difference, deviation, correlation, power=chance, pairs=pairs)
    return f"of {difference:g} in mean ratings {of_what}", needed
