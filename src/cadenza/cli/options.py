"""Options that several commands share, and what they say together."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from cadenza.cli.shell import AsJson

if TYPE_CHECKING:
    from cadenza.compose import Expression, Part, Wish
    from cadenza.steering import Asked

Out = Annotated[Path, typer.Option("-o", "--out", help="MIDI file to write.", show_default=True)]
Bars = Annotated[int, typer.Option(help="Bars to add, 1 to 1024.")]
Seed = Annotated[int, typer.Option(help="Same seed, same music.")]
Takes = Annotated[int, typer.Option(help="Versions, 1 to 99: NAME-1.mid, ..., seeds SEED, SEED+1, ...")]
Temperature = Annotated[float, typer.Option(help="0 to 5: 0 plays safe, 1 as learnt, above wild.")]
TopP = Annotated[
    float | None,
    typer.Option(
        "--top-p", help="Above 0, to 1: draw among the likeliest that hold it. Left out: as suits the style."
    ),
]
TopK = Annotated[int, typer.Option("--top-k", help="Draw among so many of the likeliest; 0: no limit.")]
Penalty = Annotated[
    float, typer.Option("--repetition-penalty", help="1 to 10: above 1, recent pitches are less likely.")
]
Greedy = Annotated[float, typer.Option(help="0 to 1: share of the draws that take the likeliest.")]
Key = Annotated[str | None, typer.Option(help='Only pitches of a key, such as "C minor" or "F# major".')]
Range = Annotated[str | None, typer.Option("--range", help="Only pitches such as C3-C6.")]
MostNotes = Annotated[int | None, typer.Option(help="Most keys held at once, those that stay among them.")]
HandSpan = Annotated[
    int | None, typer.Option(help="Semitones that a hand reaches: two hands can play it (a tenth: 16).")
]
Swing = Annotated[
    float, typer.Option(help="Share of a quarter that its first eighth takes: 0.5 straight, 0.67 swung.")
]
Humanise = Annotated[float, typer.Option(help="Milliseconds by which added notes stray, 0 to 60.")]
Style = Annotated[
    str | None,
    typer.Option(help="pop, classical or chorale, or what --model knows; by default what fits."),
]
ModelName = Annotated[
    str, typer.Option("--model", help="A shipped model (cadenza models) or a checkpoint folder.")
]
Wav = Annotated[bool, typer.Option("--wav", help="Write the sound as well.")]
Mp3 = Annotated[bool, typer.Option("--mp3", help="Write the sound as MP3 as well.")]
Png = Annotated[bool, typer.Option("--png", help="Write a picture of the piano roll as well.")]
Musicxml = Annotated[bool, typer.Option("--musicxml", help="Write sheet music (MusicXML) as well.")]
Svg = Annotated[bool, typer.Option("--svg", help="Write a picture of the sheet music as well.")]
Soundfont = Annotated[Path | None, typer.Option(help="SoundFont (.sf2, .sf3) to play with.")]
Density = Annotated[float | None, typer.Option(help="Notes a quarter, about: 0.5 sparse, 8 dense.")]
Register = Annotated[str | None, typer.Option(help="Pitch about which the notes lie, such as C5.")]
Dynamics = Annotated[str | None, typer.Option(help="How loud, about: ppp to fff, or a velocity.")]
Chords = Annotated[
    str | None, typer.Option(help='Chords of each bar, again and again: "| Am | F | C G | G7 |", or "I vi".')
]
FromBar = Annotated[int, typer.Option(help="First bar, counted from 1.")]
ToBar = Annotated[int | None, typer.Option(help="Last bar; by default the piece's last.")]
Pitches = Annotated[str | None, typer.Option(help="Only the notes from one pitch to another: C4-C6.")]
Hand = Annotated[str | None, typer.Option(help="Only what this hand plays: left or right.")]


@dataclass(frozen=True, kw_only=True)
class Composing:
    """How notes are drawn, and what is written: the options of every command that composes."""

    seed: Seed = 1
    takes: Takes = 1
    temperature: Temperature = 1.0
    top_p: TopP = None
    top_k: TopK = 0
    repetition_penalty: Penalty = 1.0
    greedy: Greedy = 0.0
    style: Style = None
    key: Key = None
    pitch_range: Range = None
    chords: Chords = None
    density: Density = None
    register: Register = None
    dynamics: Dynamics = None
    most_notes: MostNotes = None
    hand_span: HandSpan = None
    swing: Swing = 0.5
    humanise: Humanise = 0.0
    model: ModelName = "composer"
    wav: Wav = False
    mp3: Mp3 = False
    png: Png = False
    musicxml: Musicxml = False
    svg: Svg = False
    soundfont: Soundfont = None
    as_json: AsJson = False

    def wish(self, bars: int = 8) -> Wish:
        """What is wished for. Raises CadenzaError for values out of range."""
        from cadenza import compose

        return compose.Wish(
            bars,
            self.seed,
            self.style,
            compose.Constraints.parse(self.key, self.pitch_range, self.most_notes, self.hand_span),
            self._asked(),
            compose.Sampling(self.temperature, self.top_p, self.top_k, self.repetition_penalty, self.greedy),
        )

    def expression(self) -> Expression:
        """How it is played. Raises CadenzaError for values out of range."""
        from cadenza.compose import Expression

        return Expression(self.swing, self.humanise)

    def _asked(self) -> Asked:
        from cadenza.engine.constraints import parse_pitch
        from cadenza.harmony import find_tonality, parse_chords
        from cadenza.steering import Asked, parse_dynamics

        key = None if self.key is None else find_tonality(self.key)
        return Asked(
            self.density,
            None if self.register is None else parse_pitch(self.register),
            None if self.dynamics is None else parse_dynamics(self.dynamics),
            key,
            () if self.chords is None else parse_chords(self.chords, key),
        )


@dataclass(frozen=True, kw_only=True)
class Choosing:
    """Which part of a piece is meant."""

    from_bar: FromBar = 1
    to_bar: ToBar = None
    pitches: Pitches = None
    hand: Hand = None

    def part(self) -> Part:
        """The part. Raises CadenzaError for values out of range."""
        from cadenza.compose import Part

        return Part.parse(self.from_bar, self.to_bar, self.pitches, self.hand)


Command = TypeVar("Command", bound=Callable[..., Any])


def with_options(**groups: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command an option for each field of the dataclasses that some of its parameters are.

    The command is called with these made; what it is declared with besides stays as it is.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name not in groups]
        options = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=get_type_hints(kind, include_extras=True)[field.name],
            )
            for kind in groups.values()
            for field in fields(kind)
        ]

        @functools.wraps(command)
        def run(*given: Any, **named: Any) -> None:
            made = {
                name: kind(**{field.name: named.pop(field.name) for field in fields(kind)})
                for name, kind in groups.items()
            }
            command(*given, **named, **made)

        # Read by typer, which must not look at what is wrapped.
        del run.__wrapped__
        parameters = [*own, *options]
        run.__dict__["__signature__"] = signature.replace(parameters=parameters)
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate
