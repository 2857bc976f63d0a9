"""Commands that look at music and listen to it."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from cadenza.cli.options import ModelName, Soundfont
from cadenza.cli.shell import AsJson, app, check_output, counted, named, out, say
from cadenza.errors import CadenzaError

if TYPE_CHECKING:
    from cadenza.score import Score


@app.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(help="MIDI files.")],
    as_json: AsJson = False,
) -> None:
    """Say what is in a MIDI file: notes, bars, tempo, metre, key, grid, and what is wrong with it.

    [bold]cadenza inspect in.mid[/bold]
    """
    from cadenza.inspection import inspect_score
    from cadenza.midi import read_midi

    failed = False
    for path in files:
        try:
            inspection = inspect_score(read_midi(path))
        except CadenzaError as error:
            # One bad file among many should not hide the others.
            failed = True
            say(str(error))
            continue
        if as_json:
            print(json.dumps({"file": str(path)} | inspection.as_dict()))
            continue
        # As Text: names of files and tracks may look like markup.
        table = Table(title=Text(str(path)), title_justify="left", show_header=False, box=None)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in inspection.lines():
            table.add_row(name, Text(value))
        out.print(table)
    if failed:
        raise typer.Exit(2)


@app.command()
def surprise(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="MIDI file.")],
    style: Annotated[str | None, typer.Option(help="By default the one that it is likest.")] = None,
    model: ModelName = "composer",
    as_json: AsJson = False,
) -> None:
    """Say how unexpected each bar of a piece is to the composer, and which notes are most of all.

    [bold]cadenza surprise in.mid[/bold]
    """
    from cadenza.compose import load_model, score_of
    from cadenza.inspection import pitch_name
    from cadenza.midi import read_midi

    score = read_midi(path)
    player = load_model(model)
    heard = named(path, lambda: score_of(score, style, model=player))
    columns = (heard.bars, heard.notes["start"], heard.notes["pitch"], heard.nats)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    mean = sum(nats for *_, nats in rows) / len(rows)
    if as_json:
        notes = [{"bar": b, "start": s, "pitch": p, "nats": round(nats, 4)} for b, s, p, nats in rows]
        print(json.dumps({"style": heard.style, "nats": mean, "notes": notes}))
        return
    manner = f", as {heard.style}" if heard.style else ""
    out.print(f"{mean:.2f} nats a note over {counted(len(rows), 'note')}{manner}", highlight=False)
    table = Table(box=None, header_style="bold")
    for column in ("bar", "nats a note", "most unexpected note"):
        table.add_column(column, justify="right")
    for bar, group in groupby(rows, key=itemgetter(0)):
        own = [(nats, pitch) for _, _, pitch, nats in group]
        nats, pitch = max(own)
        table.add_row(
            str(bar), f"{sum(n for n, _ in own) / len(own):.2f}", f"{pitch_name(pitch)} ({nats:.2f})"
        )
    out.print(table)


@app.command()
def render(
    file: Annotated[Path, typer.Argument(help="MIDI file.")],
    out_file: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="File to write; by default the MIDI file's name in .wav."),
    ] = None,
    soundfont: Soundfont = None,
    find_beats: Annotated[
        bool, typer.Option("--find-beats", help="Sheet music of what was played without a click.")
    ] = False,
) -> None:
    """Turn a MIDI file into sound (.wav, .mp3), sheet music (.musicxml, .mxl, .svg) or a piano roll (.png).

    [bold]cadenza render in.mid -o in.mp3[/bold]

    [bold]cadenza render in.mid -o in.musicxml[/bold]
    """
    from cadenza import notation
    from cadenza.midi import read_midi

    score = read_midi(file)
    target = out_file or file.with_suffix(".wav")
    kind = target.suffix.lower()
    if kind not in (".wav", ".mp3", ".png", *notation.SUFFIXES):
        raise CadenzaError(f"{target}: the name should end in .wav, .mp3, .png, .musicxml, .mxl or .svg")
    drums = len(score.notes) - len(score.pitched_notes)
    if drums == len(score.notes):
        raise CadenzaError(
            f"{file}: there {'are only drums' if drums else 'is no note'} in it: nothing to play"
        )
    check_output(target, source=file)
    if kind == ".png":
        from cadenza.plot import piano_roll

        piano_roll(score, target, title=file.stem)
    elif kind in notation.SUFFIXES:
        named(file, lambda: _write_notation(score, target, file.stem, find_beats=find_beats))
    else:
        from cadenza import audio

        samples = audio.render(score, audio.load_bank(soundfont))
        (audio.write_wav if kind == ".wav" else audio.write_mp3)(samples, target)
    if drums:
        say(f"{file}: {counted(drums, 'drum note')} left out")
    out.print(str(target), markup=False, highlight=False, soft_wrap=True)


def _write_notation(score: Score, target: Path, title: str, *, find_beats: bool) -> None:
    """Writes sheet music, and says where beats should have been found first."""
    from cadenza.metre import with_metre
    from cadenza.notation import write_notation
    from cadenza.representation.events import grid_report

    if find_beats:
        score = with_metre(score)
    elif grid_report(score).grid == "free":
        say(f"{title}: it was played without a click: --find-beats writes it down along its beats")
    write_notation(score, target, title=title)
