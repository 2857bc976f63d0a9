"""The command that sets pieces beside people's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cadenza.cli.options import Soundfont
from cadenza.cli.shell import app, check_output, counted, out, progress
from cadenza.errors import CadenzaError

if TYPE_CHECKING:
    from cadenza.evaluation.report import Evaluation

SOUNDING = 3
"""Pieces of each set that can be heard on the page."""


TOO_FEW = "too few pieces"
"""Where they can tell nothing."""


@app.command()
def evaluate(
    sets: Annotated[
        list[str],
        typer.Argument(metavar="SETS...", help="Models (shipped or checkpoint folders) or folders of MIDI."),
    ],
    *,
    reference: Annotated[
        str, typer.Option(help="Corpus or folder of MIDI files that they are compared with.")
    ],
    out_file: Annotated[
        Path, typer.Option("-o", "--out", help="Page to write; the figures go beside it as JSON.")
    ] = Path("evaluation.html"),
    bars: Annotated[int, typer.Option(help="Of each piece, from its first note on.")] = 16,
    pieces: Annotated[int, typer.Option(help="Of each set; each model draws so many.")] = 24,
    soundfont: Soundfont = None,
) -> None:
    """Compare what models write, or what lies in folders, with what people wrote: figures and sound.

    [bold]cadenza evaluate composer markov --reference pop909[/bold]

    [bold]cadenza evaluate old-takes new-takes --reference my-pieces -o takes.html[/bold]
    """
    from cadenza import audio
    from cadenza.evaluation.entrants import Excerpts
    from cadenza.evaluation.page import page
    from cadenza.evaluation.players import sounding
    from cadenza.evaluation.report import evaluate as compare
    from cadenza.files import all_or_none, atomic_path

    if out_file.suffix.lower() not in (".html", ".htm"):
        raise CadenzaError(f"{out_file}: a page of HTML is written: the name should end in .html")
    figures = out_file.with_suffix(".json")
    for path in (out_file, figures):
        check_output(path, source=None)
    _check_figures(figures)
    with progress() as bar:
        task = bar.add_task("", total=None, note="")

        def advance(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of)

        evaluation = compare(sets, reference, Excerpts(bars, pieces), advance)
        bank = audio.load_bank(soundfont)
        sounds = {
            one.entrant.name: [
                sounding(f"{one.entrant.name}, {label}", score, bank)
                for label, score in list(zip(one.entrant.labels, one.entrant.pieces, strict=True))[:SOUNDING]
            ]
            for one in evaluation.standings
        }
    with all_or_none():
        with atomic_path(figures) as beside:
            beside.write_text(json.dumps(evaluation.as_dict(), indent=1) + "\n", encoding="utf-8")
        with atomic_path(out_file) as beside:
            beside.write_text(page(evaluation, sounds), encoding="utf-8")
    _show(evaluation)
    for path in (out_file, figures):
        out.print(str(path), markup=False, highlight=False, soft_wrap=True)


def _check_figures(path: Path) -> None:
    """Raises CadenzaError where something else than figures of this command lies in their place.

    The page goes where the user said, also over another; the file beside it nobody named.
    """
    if not path.exists():
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not (isinstance(found, dict) and {"reference", "bars", "sets"} <= found.keys()):
        raise CadenzaError(
            f"{path}: not written: this is there already, and not by evaluate; the figures go beside the "
            "page: name that otherwise with -o"
        )


def _show(evaluation: Evaluation) -> None:
    """Prints what tells sets apart at a glance."""
    table = Table(box=None, header_style="bold")
    table.add_column("set")
    published = ("FMD",) if evaluation.has_published else ()
    for column in ("pieces", "distance", *published, "measures that differ"):
        table.add_column(column, justify="right")
    for one in evaluation.standings:
        differing = [name for name, found in one.differences.items() if found.is_significant]
        distance = TOO_FEW if one.differences else ""
        if one.distance is not None:
            distance = f"{one.distance.value:.2f}"
        said = f"{len(differing)} of {counted(len(one.differences), 'measure')}" if one.differences else ""
        if one.differences and not evaluation.tells(one):
            said = TOO_FEW
        theirs = ["" if one.published is None else f"{one.published:.1f}" for _ in published]
        table.add_row(one.entrant.name, str(len(one.entrant.pieces)), distance, *theirs, said)
    out.print(table)
