"""Commands that compose: from nothing, after a piece, and inside of one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cadenza.cli.options import Bars, Choosing, Composing, FromBar, Out, ToBar, with_options
from cadenza.cli.shell import app, check_output, counted, named, out
from cadenza.errors import CadenzaError
from cadenza.files import all_or_none

if TYPE_CHECKING:
    from cadenza.compose import Model, Take, Wish
    from cadenza.score import Score

Piece = Annotated[Path, typer.Argument(help="MIDI file.")]


@app.command("continue")
@with_options(options=Composing)
def continue_(
    prompt: Annotated[Path, typer.Argument(help="MIDI file to go on from.")],
    *,
    out_file: Out = Path("continued.mid"),
    bars: Bars = 8,
    options: Composing,
) -> None:
    """Go on where a MIDI file stops. The file's own notes come back untouched.

    [bold]cadenza continue in.mid -o out.mid --bars 8 --takes 4 --wav[/bold]

    [bold]cadenza continue in.mid --key "C minor" --range C2-C6 --temperature 0.9[/bold]
    """
    from cadenza.compose import continue_takes

    edits = partial(continue_takes, takes=options.takes)
    _edit_in_takes(prompt, out_file, options, options.wish(bars), edits)


@app.command()
@with_options(options=Composing)
def compose(
    *,
    out_file: Out = Path("composed.mid"),
    bars: Annotated[int, typer.Option(help="Length in bars, 1 to 1024.")] = 16,
    tempo: Annotated[
        float | None, typer.Option(help="Quarter notes a minute, 10 to 480; by default the style's.")
    ] = None,
    metre: Annotated[
        str | None, typer.Option(help="Time signature, such as 3/4 or 6/8; by default 4/4.")
    ] = None,
    form: Annotated[
        str | None, typer.Option(help="Equal sections that return: AABA, or ABA' with a freer return.")
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option("--from", help="Go on from a random place in a corpus or folder, and leave that out."),
    ] = None,
    options: Composing,
) -> None:
    """Compose a piece from nothing.

    [bold]cadenza compose --style pop --bars 16 --tempo 96 -o out.mid --wav --png[/bold]

    [bold]cadenza compose --model note_lstm --from pop909[/bold]
    """
    from cadenza import compose

    wish = options.wish(bars)
    if corpus is not None and not (tempo is metre is form is None):
        raise CadenzaError("--from goes on from a piece: leave --tempo, --metre and --form out")
    plan = None if form is None else compose.Form.parse(form)
    if plan is not None:
        plan.bars_each(bars)
    signature = _metre("4/4" if metre is None else metre)
    writer = _Writer(out_file, options)
    model = compose.load_model(options.model)

    if corpus is not None:
        each = _wishes(wish, options.takes)
        writer.compose(compose.generate_after(corpus, one, model=model) for one in each)
    else:
        writer.compose(
            compose.generate_takes(wish, options.takes, tempo=tempo, metre=signature, form=plan, model=model)
        )


@app.command()
@with_options(choice=Choosing, options=Composing)
def infill(
    piece: Piece, *, out_file: Out = Path("infilled.mid"), choice: Choosing, options: Composing
) -> None:
    """Draw some bars anew, or fill them where they are empty. All other notes stay as they are.

    [bold]cadenza infill in.mid --from-bar 5 --to-bar 8 -o out.mid[/bold]

    [bold]cadenza infill in.mid --from-bar 5 --to-bar 8 --hand left --takes 4[/bold]
    """
    from cadenza.compose import infill

    _edit(piece, out_file, options, options.wish(), partial(infill, part=choice.part()))


@app.command()
@with_options(options=Composing)
def accompany(
    piece: Annotated[Path, typer.Argument(help="MIDI file with a melody, or with an accompaniment.")],
    *,
    out_file: Out = Path("accompanied.mid"),
    melody: Annotated[bool, typer.Option("--melody", help="Draw a melody above it instead.")] = False,
    from_bar: FromBar = 1,
    to_bar: ToBar = None,
    options: Composing,
) -> None:
    """Draw an accompaniment below a melody, or with --melody a melody above an accompaniment.

    [bold]cadenza accompany melody.mid -o out.mid --takes 4[/bold]

    [bold]cadenza accompany left-hand.mid --melody --range C4-C6[/bold]
    """
    from cadenza.compose import Part, accompany

    edit = partial(accompany, part=Part(from_bar, to_bar), melody=melody)
    _edit(piece, out_file, options, options.wish(), edit)


@app.command()
@with_options(options=Composing)
def harmonise(
    piece: Annotated[Path, typer.Argument(help="MIDI file with a melody.")],
    *,
    out_file: Out = Path("harmonised.mid"),
    from_bar: FromBar = 1,
    to_bar: ToBar = None,
    options: Composing,
) -> None:
    """Accompany a melody with the chords that --chords says.

    [bold]cadenza harmonise melody.mid --chords "| Am | F | C | G7 |"[/bold]

    [bold]cadenza harmonise melody.mid --chords "I V vi IV" --key "D major"[/bold]
    """
    from cadenza.compose import Part, harmonise

    wish = options.wish()
    if not wish.asked.chords:
        raise CadenzaError('harmonise needs --chords "| C | F | G7 | C |"; accompany finds its own')
    _edit(piece, out_file, options, wish, partial(harmonise, part=Part(from_bar, to_bar)))


@app.command()
@with_options(choice=Choosing, options=Composing)
def vary(
    piece: Piece,
    *,
    out_file: Out = Path("varied.mid"),
    strength: Annotated[float, typer.Option(help="Share of the notes drawn anew: above 0, to 1.")] = 0.3,
    choice: Choosing,
    options: Composing,
) -> None:
    """Draw some of the notes anew, here and there. All others stay as they are.

    [bold]cadenza vary in.mid --strength 0.3 -o out.mid[/bold]
    """
    from cadenza.compose import vary

    edit = partial(vary, part=choice.part(), strength=strength)
    _edit(piece, out_file, options, options.wish(), edit)


def _edit(path: Path, out_file: Path, options: Composing, wish: Wish, edit: Callable[..., Take]) -> None:
    """Reads a piece, edits it for one take after the other and writes them; errors name the file.

    edit: called with a score, and with a wish and a model by name.
    """

    def edits(score: Score, wish: Wish, model: Model) -> Iterator[Take]:
        for one in _wishes(wish, options.takes):
            yield named(path, partial(edit, score, wish=one, model=model))

    _edit_in_takes(path, out_file, options, wish, edits)


def _edit_in_takes(
    path: Path, out_file: Path, options: Composing, wish: Wish, edits: Callable[..., Iterable[Take]]
) -> None:
    """The same by what returns all takes."""
    from cadenza import compose
    from cadenza.midi import read_midi

    score = read_midi(path)
    named(path, lambda: compose.hear(score))
    writer = _Writer(out_file, options, path)
    model = compose.load_model(options.model)
    writer.compose(named(path, partial(edits, score, wish=wish, model=model)))


def _wishes(wish: Wish, takes: int) -> Iterator[Wish]:
    """The wish of each take."""
    return (replace(wish, seed=wish.seed + i) for i in range(takes))


def _metre(text: str) -> tuple[int, int]:
    if not re.fullmatch(r"[0-9]{1,9}/[0-9]{1,9}", text):
        raise CadenzaError(f"no metre {text!r}: say for example 3/4")
    numerator, denominator = text.split("/")
    return int(numerator), int(denominator)


def _take_paths(path: Path, takes: int) -> list[Path]:
    if not 1 <= takes <= 99:
        raise CadenzaError(f"the number of takes must be from 1 to 99, not {takes}")
    if path.suffix.lower() not in (".mid", ".midi"):
        raise CadenzaError(f"{path}: the output is MIDI, so its name should end in .mid")
    if takes == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{i}{path.suffix}") for i in range(1, takes + 1)]


class _Writer:
    """Writes takes in every form that was asked for.

    What keeps it from that is found before anything is drawn, so that a mistake costs no time. `source` is a
    file that must not be overwritten.
    """

    def __init__(self, out_file: Path, options: Composing, source: Path | None = None) -> None:
        self.options = options
        self.expression = options.expression()
        self.paths = _take_paths(out_file, options.takes)
        for path in self.paths:
            for file in self.files(path):
                check_output(file, source)
        if options.wav or options.mp3:
            from cadenza import audio

            self._bank = audio.load_bank(options.soundfont)

    def files(self, path: Path) -> list[Path]:
        """What is written for a take: its MIDI file, and sound and picture beside it."""
        suffixes = {".wav": self.options.wav, ".mp3": self.options.mp3, ".png": self.options.png}
        return [path, *(path.with_suffix(suffix) for suffix, wanted in suffixes.items() if wanted)]

    def write(self, take: Take, path: Path) -> None:
        """Writes the files of one take."""
        from cadenza.midi import write_midi

        score = take.score
        write_midi(score, path)
        if self.options.wav or self.options.mp3:
            from cadenza import audio

            samples = audio.render(score, self._bank)
            if self.options.wav:
                audio.write_wav(samples, path.with_suffix(".wav"))
            if self.options.mp3:
                audio.write_mp3(samples, path.with_suffix(".mp3"))
        if self.options.png:
            from cadenza.plot import piano_roll

            added = take.added if len(score.notes) > len(take.added) else None
            title = f"{path.stem}: {take.model}, seed {take.seed}"
            piano_roll(score, path.with_suffix(".png"), added=added, title=title)

    def compose(self, drawn: Iterable[Take]) -> None:
        """Writes all takes or none, as they are drawn, then says what there is."""
        from cadenza.compose import expressed

        takes: list[dict[str, Any]] = []
        lines: list[str] = []
        remarks: dict[str, None] = {}
        with all_or_none():
            for drawn_take, path in zip(drawn, self.paths, strict=True):
                take = expressed(drawn_take, self.expression)
                self.write(take, path)
                files = [str(file) for file in self.files(path)]
                takes.append(
                    {
                        "model": take.model,
                        "style": take.style,
                        "seed": take.seed,
                        "notes": len(take.added),
                        "removed": len(take.removed),
                        "bars": take.bars,
                        "seconds": round(take.seconds, 3),
                        "notes_per_second": round(take.notes_per_second, 1),
                        "remarks": take.remarks,
                        "files": files,
                    }
                )
                remarks |= dict.fromkeys(take.remarks)
                lines.append(
                    f"{counted(take.bars, 'bar')}, {counted(len(take.added), 'note')}{_instead(take)} "
                    f"in {take.seconds:.1f} s ({_manner(take)}seed {take.seed}): " + ", ".join(files)
                )
        lines += [f"({remark})" for remark in remarks]
        if self.options.as_json:
            print(json.dumps(takes[0] if len(takes) == 1 else {**takes[0], **_summed(takes), "takes": takes}))
        else:
            out.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)


def _summed(takes: list[dict[str, Any]]) -> dict[str, Any]:
    """Totals of several takes."""
    notes, seconds = sum(t["notes"] for t in takes), sum(t["seconds"] for t in takes)
    return {
        "notes": notes,
        "seconds": round(seconds, 3),
        "notes_per_second": round(notes / seconds, 1) if seconds else 0.0,
        "files": [file for t in takes for file in t["files"]],
    }


def _instead(take: Take) -> str:
    return f" instead of {len(take.removed)}" if len(take.removed) else ""


def _manner(take: Take) -> str:
    return f"{take.style}, " if take.style else ""
