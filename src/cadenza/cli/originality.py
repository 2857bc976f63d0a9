"""The command that says how much of a piece is that of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cadenza.cli.shell import AsJson, app, check_output, counted, named, out, progress, say
from cadenza.errors import CadenzaError

if TYPE_CHECKING:
    from cadenza.originality import Finding, Library, Passage, Report
    from cadenza.score import Score


@app.command()
def originality(
    path: Annotated[Path, typer.Argument(metavar="FILE-or-FOLDER", help="MIDI file, or a folder of them.")],
    *,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Corpus (cadenza corpus list) or folder of MIDI files to look through; may be said again. "
            "By default what the composer was trained on."
        ),
    ] = None,
    people: Annotated[
        str | None,
        typer.Option(help="Of which of them people's pieces are the yardstick; by default the nearest."),
    ] = None,
    not_itself: Annotated[
        bool, typer.Option("--not-itself", help="Leave out pieces whose notes are the same.")
    ] = False,
    png: Annotated[
        Path | None, typer.Option(help="Picture to write: the longest run above the music that it is from.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how much of a piece is also in the music that the composer learnt from, and where.

    [bold]cadenza originality new.mid --png new.png[/bold]

    [bold]cadenza originality takes --against ~/my-midi[/bold]
    """
    from cadenza.corpus import content_hash
    from cadenza.originality import examine

    files = _files(path)
    if png is not None:
        _check_picture(png, path)
    pieces = _heard(files)
    if not pieces:
        raise CadenzaError(f"{path}: none of its {counted(len(files), 'MIDI file')} can be read")
    library, names = _library(against)
    if people is not None and people not in library.corpora:
        known = ", ".join(library.corpora)
        raise CadenzaError(
            f"--people {people}: nobody's pieces are at hand for a yardstick but those of {known}"
        )
    reports: dict[Path, Report] = {}
    with progress() as bar:
        task = bar.add_task("looking", total=len(pieces), note="")
        for file, (score, passage) in pieces.items():
            without = [content_hash(score)] if not_itself else []
            reports[file] = examine(library, passage, without=without, people=people or "")
            bar.advance(task)
    if png is not None:
        _draw(library, reports[path], path.stem, png)
    if as_json:
        print(json.dumps(_as_json(library, names, reports)))
    elif path.is_dir():
        _print_many(library, names, reports)
    else:
        _print_one(library, names, reports[path])
    if len(pieces) < len(files):
        raise typer.Exit(2)


def _check_picture(png: Path, path: Path) -> None:
    """Raises CadenzaError where no picture can be drawn there of what lies at a path."""
    if path.is_dir():
        raise CadenzaError(f"{path}: --png draws one piece: name one of the files in it")
    check_output(png, source=path)
    if png.suffix.lower() != ".png":
        raise CadenzaError(f"{png}: a picture is written: the name should end in .png")


def _files(path: Path) -> list[Path]:
    """The file, or all MIDI files of the folder."""
    from cadenza.corpus import midi_items

    if not path.is_dir():
        return [path]
    files = [item.path for item in midi_items(path)]
    if not files:
        raise CadenzaError(f"{path}: no MIDI file in it or below it")
    return files


def _heard(files: list[Path]) -> dict[Path, tuple[Score, Passage]]:
    """The files that can be read. One bad file among many is said, and does not hide the others."""
    from cadenza.midi import read_midi
    from cadenza.originality import heard

    pieces: dict[Path, tuple[Score, Passage]] = {}
    for file in files:
        try:
            score = read_midi(file)
            pieces[file] = score, named(file, lambda score=score: heard(score))
        except CadenzaError as error:
            if len(files) == 1:
                raise
            say(str(error))
    return pieces


def _library(against: list[str] | None) -> tuple[Library, list[str]]:
    """What is looked through, and the names of its corpora; made now if it is asked for the first time."""
    from cadenza.originality import open_library

    names = against or _trained_on()
    with progress() as bar:
        tasks: dict[str, Any] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, note="")
            bar.update(tasks[what], completed=done, total=total or None)

        return open_library(names, told), names


def _trained_on() -> list[str]:
    """The composer's corpora that are here; says which are not."""
    from cadenza.players import learnt_from

    reasons = learnt_from()
    here = [name for name, reason in reasons.items() if not reason]
    if not here:
        raise CadenzaError(
            f"none of the corpora that the composer learnt from ({', '.join(reasons)}) is here: say "
            "--against FOLDER for one of MIDI files, or set CADENZA_DATA to the folder that they lie in "
            "(`cadenza corpus show` says where each is to be had, `cadenza corpus fetch` downloads some)"
        )
    for name, reason in reasons.items():
        if reason:
            say(f"{name} is not looked through: {reason}")
    return here


def _draw(library: Library, report: Report, title: str, png: Path) -> None:
    from cadenza.originality import panels_of
    from cadenza.plot import laid_over

    match = report.chief.match
    if match is None:
        say(f"{png} is not written: there is no shared run to draw")
    else:
        laid_over(panels_of(library.index, report.passage, match, title), png)


# --- Words --------------------------------------------------------------------------------------------


def _print_one(library: Library, names: list[str], report: Report) -> None:
    from cadenza.originality import TEXTURE_NAMES

    table = Table(box=None, header_style="bold")
    columns = [_column(finding) for finding in report.findings]
    table.add_column("longest run shared")
    for finding in report.findings:
        table.add_column(TEXTURE_NAMES[finding.texture])
    for label in columns[0]:
        table.add_row(label, *(Text(column[label]) for column in columns))
    _write(f"Compared with {_what(library, names)}")
    out.print(table)
    people = report.chief.usual
    if people is not None:
        _write(
            f"people: {counted(people.excerpts, 'excerpt')} of {people.quarters} quarters ({people.corpus})"
        )
    _write(report.verdict)


def _column(finding: Finding) -> dict[str, str]:
    """What is said of one texture."""
    from cadenza.originality import FEWEST_PEOPLE, span

    said = {"quarters": f"{finding.quarters:.1f}"}
    said |= dict.fromkeys(
        ("where", "is in", "where in it", "semitones higher", "notes that match", "found in"), "-"
    )
    match, people = finding.match, finding.usual
    if match is not None:
        said |= {
            "where": span(match),
            "is in": f"{match.source.corpus}/{match.source.name}",
            "where in it": span(match, theirs=True),
            "semitones higher": f"{match.translation.semitones:+d}",
            "notes that match": f"{match.run.share:.0%}",
            "found in": counted(match.pieces, "piece"),
        }
    if people is not None:
        low, high = people.interval
        said["people: median"] = f"{people.median:.1f}"
        told = f"{people.high:.1f} ({low:.1f} to {high:.1f})"
        said["people: 95 %"] = told if people.pieces >= FEWEST_PEOPLE else f"- ({people.pieces} pieces)"
    return said


def _write(line: str) -> None:
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_many(library: Library, names: list[str], reports: dict[Path, Report]) -> None:
    from cadenza.originality import FEWEST_PEOPLE, TEXTURE_NAMES, summary

    table = Table(box=None, header_style="bold")
    for column in ("file", "all notes", "upper line", "verdict"):
        table.add_column(column, overflow="fold")
    for file, report in reports.items():
        runs = [f"{finding.quarters:.1f}" for finding in report.findings]
        table.add_row(*map(Text, [file.name, *runs, report.verdict]))
    _write(f"Quarters of the longest run shared with {_what(library, names)}")
    out.print(table)
    for row in summary(list(reports.values())):
        low, high = row.interval
        said = f"{TEXTURE_NAMES[row.texture]}: median {row.median:.1f}, "
        if row.pieces >= FEWEST_PEOPLE:
            said += f"95th percentile {row.high:.1f} ({low:.1f} to {high:.1f}), "
        said += f"longest {row.longest:.1f}; "
        if row.judged:
            pieces = counted(row.judged, "piece")
            said += f"{row.unusual} of {pieces} above what one in twenty of people's excerpts exceeds"
        else:
            said += f"too few people's pieces to compare with: {FEWEST_PEOPLE} are needed"
        _write(said)


def _what(library: Library, names: list[str]) -> str:
    pieces = len({source.content for source in library.index.sources})
    return f"{counted(pieces, 'piece')} of {', '.join(names)}"


def _as_json(library: Library, names: list[str], reports: dict[Path, Report]) -> dict[str, Any]:
    from cadenza.originality import as_json, summary, summary_json

    files = [{"file": str(file)} | as_json(report) for file, report in reports.items()]
    about = {"against": names, "notes": library.index.notes, "files": files}
    return about | {"summary": [summary_json(row) for row in summary(list(reports.values()))]}
