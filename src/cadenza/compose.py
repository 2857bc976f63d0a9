"""Compose and continue: what the command line, Python callers and every later front end call.

>>> take = cadenza.continue_(cadenza.read_midi("in.mid"), cadenza.Wish(bars=8, seed=7))
>>> cadenza.write_midi(take.score, "out.mid")
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.architecture import ComposerConfig, check_tensors
from cadenza.checkpoint import Checkpoint, Tensors, load_checkpoint, load_tensors
from cadenza.engine.constraints import Constraints
from cadenza.engine.generate import Drawn, Span, sequence_of, stream
from cadenza.engine.network import NumpyComposer
from cadenza.engine.sampler import Sampling
from cadenza.errors import CadenzaError
from cadenza.files import is_folder
from cadenza.models.markov import Markov
from cadenza.representation import events
from cadenza.representation.events import NO_POSITION, STEPS_PER_QUARTER, EventSequence, Frame
from cadenza.score import Event, Notes, Score, Tempo, TimeSignature, Track, note_array
from cadenza.sequence import Places, SequenceModel

WEIGHTS: Final = Path(__file__).parent / "weights"
"""The checkpoints that ship with the package, a folder each."""

DEFAULT_MODEL: Final = "composer"

DEFAULT_TEMPOS: Final = {"pop": 84.0, "classical": 108.0, "chorale": 80.0}
"""Quarter notes a minute of a piece that is composed without a tempo; 100 in any other style."""

MOST_BARS: Final = 1024

LONGEST_METRE: Final = 8
"""Whole notes in a bar of a prompt. The longest metres in use have four (4/1, 8/2); beyond eight the file is
damaged, and a few bars of it would be an hour of music. The composer tells bars of up to two apart."""

STYLE_NOTES: Final = 256
"""Notes of a prompt from which its style is told."""

LONGEST_BARS: Final = 4
"""No note is held longer than so many bars."""


@dataclass(frozen=True)
class Model:
    """A model that plays, with what its checkpoint says of it."""

    name: str
    sequence_model: SequenceModel[Any]
    checkpoint: Checkpoint
    parameters: int
    """Numbers in its tensors."""


@dataclass(frozen=True)
class Take:
    """What was composed."""

    score: Score
    """The whole: the prompt, untouched, and what was added to it."""
    prompt_end: int
    """Tick from which on the added notes begin; 0 without a prompt."""
    added: Notes
    """The notes that were added."""
    model: str
    style: str | None
    """In which it was composed."""
    seed: int
    bars: int
    seconds: float
    """Spent on drawing the notes, the prompt included."""
    heard: int
    """Notes of the prompt that the model took into account."""

    @property
    def notes_per_second(self) -> float:
        """Drawn notes a second."""
        return len(self.added) / self.seconds if self.seconds else 0.0


def model_folders() -> dict[str, Path]:
    """Names and folders of the checkpoints that ship with the package."""
    return {path.parent.name: path.parent for path in sorted(WEIGHTS.glob("*/model.json"))}


def load_model(name: str | Path = DEFAULT_MODEL) -> Model:
    """A model by the name of a shipped checkpoint, or from a checkpoint folder.

    Raises CadenzaError for an unknown name and for a damaged or older checkpoint.
    """
    shipped = model_folders()
    folder = shipped.get(str(name), Path(name))
    if not (name and is_folder(folder)):
        raise CadenzaError(
            f"no model {str(name)!r}: neither shipped ({', '.join(shipped)}) nor a checkpoint folder"
        )
    checkpoint = load_checkpoint(folder)
    if checkpoint.model not in _PLAYERS:
        raise CadenzaError(
            f"the model {checkpoint.model} of {folder} can be trained and compared, not played"
        )
    tensors = load_tensors(folder, checkpoint)
    try:
        player = _PLAYERS[checkpoint.model](checkpoint.sizes, tensors)
    except (CadenzaError, LookupError, TypeError, ValueError) as error:
        raise CadenzaError(f"the checkpoint {folder} is damaged: {error}") from error
    return Model(folder.name, player, checkpoint, sum(tensor.size for tensor in tensors.values()))


def _composer(sizes: Mapping[str, Any], tensors: Tensors) -> NumpyComposer:
    """The composer of a checkpoint. Raises CadenzaError or TypeError where sizes and tensors do not fit."""
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in sizes.items()}  # pyright: ignore[reportUnknownArgumentType]
    config = ComposerConfig(**fields)
    check_tensors(tensors, config.shapes())
    return NumpyComposer(config, tensors)


def _markov(_: Mapping[str, Any], tensors: Tensors) -> Markov:
    """The Markov model of a checkpoint. Raises LookupError or ValueError where its tensors are no counts."""
    model = Markov.from_tensors(tensors)
    for field_, orders in zip(events.FIELDS, model.tables, strict=True):
        for order, table in enumerate(orders):
            if not _are_counts(table.keys, table.counts, field_.size):
                raise ValueError(f"the tensors {field_.name}.{order} hold no counts")
    return model


def _are_counts(keys: NDArray[Any], counts: NDArray[Any], symbols: int) -> bool:
    """Whether keys and counts can be those of `markov.Counts` for a field of so many symbols."""
    if not (keys.dtype == counts.dtype == np.int64 and keys.ndim == 1 and keys.shape == counts.shape):
        return False
    return bool((np.diff(keys) > 0).all() and (keys % 256 < symbols).all() and (counts > 0).all())


_PLAYERS: Final[dict[str, Callable[[Mapping[str, Any], Tensors], SequenceModel[Any]]]] = {
    "composer": _composer,
    "markov": _markov,
}
"""What makes each model that plays from a checkpoint's sizes and tensors."""


@dataclass(frozen=True)
class Wish:
    """What is asked for. Raises CadenzaError for values out of range."""

    bars: int = 8
    """Bars to add, 1 to 1024."""
    seed: int = 1
    """Of the random draws, 0 or more."""
    style: str | None = None
    """One of the model's styles; None takes the one under which the prompt is likeliest."""
    constraints: Constraints = field(default_factory=Constraints)
    """What every note keeps to."""
    sampling: Sampling = field(default_factory=Sampling)
    """How adventurous the draws are."""

    def __post_init__(self) -> None:
        if not 1 <= self.bars <= MOST_BARS:
            raise CadenzaError(f"the number of bars must be from 1 to {MOST_BARS}, not {self.bars}")
        if self.seed < 0:
            raise CadenzaError(f"the seed must be 0 or more, not {self.seed}")
        if self.style == "":
            raise CadenzaError("no style '': leave it out, or name one of the model's")


def generate(
    wish: Wish,
    *,
    tempo: float | None = None,
    metre: tuple[int, int] = (4, 4),
    model: Model | None = None,
) -> Take:
    """Composes from nothing, in a metre, at a tempo in quarter notes a minute (by default the style's).

    Without a style, in the model's first. Raises CadenzaError for a metre or tempo out of range.
    """
    model = model or load_model()
    if wish.style is None:
        wish = replace(wish, style=next(iter(model.sequence_model.styles), None))
    qpm = DEFAULT_TEMPOS.get(wish.style or "", 100.0) if tempo is None else tempo
    if not 10 <= qpm <= 480:
        raise CadenzaError(f"the tempo must be from 10 to 480 quarter notes a minute, not {qpm:.12g}")
    beats, unit = metre
    if unit not in (1, 2, 4, 8, 16, 32) or not 0 < beats <= 2 * unit:
        raise CadenzaError(
            f"no metre '{beats}/{unit}': bars of up to two whole notes, counted in 1, 2, 4, 8, 16 or 32"
        )
    empty = Score(480, (), (Tempo.from_qpm(0, qpm),), (TimeSignature(0, *metre),))
    frame = Frame(empty, "metrical", 0, 0)
    bar = empty.bar_ticks(empty.time_signatures[0])
    plan = Plan(0, wish.bars * bar, LONGEST_BARS * bar, 0, 0)
    return _take(wish, model, frame, None, plan)


def continue_(score: Score, wish: Wish, *, model: Model | None = None) -> Take:
    """Composes what comes after a score, which comes back untouched.

    The added notes begin where the last note has ended, at the next bar line at the latest, and fill `bars`
    bars (after the rest of a bar that is under way). Raises CadenzaError for what `hear` refuses.
    """
    frame, prompt = hear(score)
    model = model or load_model()
    if wish.style is None:
        wish = replace(wish, style=likeliest_style(model.sequence_model, prompt))
    take = _take(wish, model, frame, prompt, plan(frame.score, wish.bars))
    return replace(take, score=replace(take.score, time_signatures=score.time_signatures))


def hear(score: Score) -> tuple[Frame, EventSequence]:
    """A prompt as the composer hears it.

    Raises CadenzaError where it has no note that a piano could play, or bars beyond `LONGEST_METRE`.
    """
    frame = events.frame_of(with_bars(score))
    prompt = _in_place(frame, events.encode_in(frame))
    metre = frame.score.metre_at(int(_playable(frame.score)["start"].max()))
    if metre.numerator > LONGEST_METRE * metre.denominator:
        raise CadenzaError(
            f"its bars are of {metre.numerator}/{metre.denominator}: more than {LONGEST_METRE} whole notes "
            "is too long to go on in; is its metre right?"
        )
    return frame, prompt


def _playable(score: Score) -> Notes:
    """The notes that the composer hears: pitched, and on the piano's keys."""
    notes = score.pitched_notes
    return notes[(notes["pitch"] >= events.LOWEST) & (notes["pitch"] <= events.HIGHEST)]


def _in_place(frame: Frame, prompt: EventSequence) -> EventSequence:
    """A prompt moved so that its last onset stands where it is in the score.

    Rows shorten a silence that is longer than any shift; what follows must still come after the prompt.
    """
    last = frame.steps(_playable(frame.score)["start"].max(keepdims=True))
    late = int(np.rint(last)[0]) - int(prompt.onsets[-1])
    return replace(prompt, onsets=prompt.onsets + np.int32(max(late, 0)))


def likeliest_style(model: SequenceModel[Any], prompt: EventSequence) -> str | None:
    """The style under which the last notes of a prompt are likeliest; None for a model without styles."""
    last = slice(max(0, len(prompt) - STYLE_NOTES), None)
    end = EventSequence(
        prompt.rows[last],
        prompt.onsets[last] - prompt.onsets[last][0],
        prompt.positions[last],
        prompt.bars[last],
        prompt.grid,
        complete=False,
    )
    return max(model.styles, key=lambda style: model.log_probabilities(end, style)[1:].sum(), default=None)


def with_bars(score: Score) -> Score:
    """The score in 4/4 where its metre is of bars of a single beat, else as it is.

    Such a metre (POP909's files have 1/4) is a sequencer's default that says nothing of bars.
    """
    if all(signature.numerator == 1 for signature in score.time_signatures):
        return replace(score, time_signatures=(TimeSignature(0, 4, 4),))
    return score


@dataclass(frozen=True)
class Plan:
    """Where the added notes go, in ticks, and how: begin <= onset < end, none longer than `longest`."""

    begin: int
    end: int
    longest: int
    channel: int
    program: int


def plan(score: Score, bars: int) -> Plan:
    """The plan of a continuation."""
    notes = _playable(score)
    last_onset, last_end = int(notes["start"].max()), int(notes["end"].max())
    bar = score.bar_ticks(score.metre_at(last_onset))
    lines = score.bar_lines(max(last_onset, last_end) + bar * (bars + 2)).tolist()
    next_line = lines[bisect_right(lines, last_onset)]
    sixteenth = score.ticks_per_quarter // 4
    # A legato player lets go a little early or late: what ends near a bar line ends on it.
    begin = next_line if last_end > next_line - sixteenth else max(last_end, last_onset + 1)
    first_line = lines[bisect_right(lines, begin - 1)]
    end = lines[lines.index(first_line) + bars]
    channels = np.bincount(notes["channel"], minlength=16)
    channel = int(channels.argmax())
    return Plan(begin, end, LONGEST_BARS * bar, channel, _program(score, channel, begin))


def _program(score: Score, channel: int, tick: int) -> int:
    """The program of a channel at a tick, 0 where none was set."""
    changes = [
        event
        for track in score.tracks
        for event in track.events
        if event.message[0] == 0xC0 | channel and event.tick <= tick
    ]
    return max(changes, key=lambda event: event.tick).message[1] if changes else 0


def _take(wish: Wish, model: Model, frame: Frame, prompt: EventSequence | None, plan: Plan) -> Take:
    begun = time.perf_counter()
    drawn = list(draw(wish, model, frame, prompt, plan))
    seconds = time.perf_counter() - begun
    score, notes = add(frame, plan, drawn)
    context = getattr(getattr(model.sequence_model, "config", None), "context", None)
    heard = len(prompt) if prompt is not None else 0
    return Take(
        score=score,
        prompt_end=plan.begin if prompt is not None else 0,
        added=notes,
        model=model.name,
        style=wish.style,
        seed=wish.seed,
        bars=wish.bars,
        seconds=seconds,
        heard=min(heard, context) if context else heard,
    )


def draw(wish: Wish, model: Model, frame: Frame, prompt: EventSequence | None, plan: Plan) -> Iterator[Drawn]:
    """The notes of a plan one after the other, as they are drawn."""
    styles = model.sequence_model.styles
    if wish.style is not None and wish.style not in styles:
        raise CadenzaError(f"no style {wish.style!r}: this model knows {', '.join(styles) or 'no styles'}")
    ticks = np.array([plan.begin, plan.end, plan.begin + plan.longest])
    first, end, longest = (int(np.ceil(step - 1e-6)) for step in frame.steps(ticks))
    if prompt is not None:
        first = max(first, int(prompt.onsets[-1]) + 1)
    places = places_in(frame, plan.end)
    span = Span(first, max(end, first + 1), longest - first)
    return stream(
        model.sequence_model,
        prompt,
        wish.style,
        places,
        span,
        constraints=wish.constraints,
        sampling=wish.sampling,
        seed=wish.seed,
    )


def places_in(frame: Frame, end: int) -> Places:
    """Positions in the bars of a frame up to a tick and some bars beyond."""
    if frame.grid == "free":
        return lambda _: (NO_POSITION, 0)
    ticks_per_step = frame.score.ticks_per_quarter / STEPS_PER_QUARTER
    last = round((end - frame.origin) / ticks_per_step) + 8 * events.LONGEST_BAR
    positions, bars = (column.tolist() for column in frame.places(np.arange(last)))
    return lambda step: (positions[min(step, last - 1)], bars[min(step, last - 1)])


def add(frame: Frame, plan: Plan, drawn: list[Drawn]) -> tuple[Score, Notes]:
    """A frame's score with drawn notes added, and these notes.

    They go into a track of their own, on the channel and with the program of the prompt; into the one track
    of a file of type 0. Nothing sounds beyond the plan's end.
    """
    sequence = sequence_of(drawn, frame.grid)
    notes = _without_overlaps(events.notes_in(frame, sequence, plan.channel))
    notes = notes[notes["start"] < plan.end].copy()
    # In free time the same number of steps is more ticks where the tempo is faster.
    latest = np.minimum(notes["start"] + plan.longest, plan.end)
    notes["end"] = np.maximum(np.minimum(notes["end"], latest), notes["start"] + 1)
    notes = note_array(notes)
    # The prompt's last lift may lie a little after its end: what is pressed before would be lifted with it.
    changes = events.sustain(frame.score)
    was_down = bool(len(changes) and changes[-1, 1])
    earliest = int(changes[-1, 0]) + 1 if len(changes) else 0
    pedal = [
        replace(event, tick=max(min(event.tick, plan.end), earliest))
        for event in events.pedal_events(frame, sequence, plan.channel, was_down)
    ]
    return _with_notes(frame.score, notes, pedal, plan), notes


def _without_overlaps(notes: Notes) -> Notes:
    """Notes cut where the same pitch is struck again, which constraints to few pitches can bring about."""
    notes = notes[np.lexsort((notes["start"], notes["pitch"]))].copy()
    same = notes["pitch"][1:] == notes["pitch"][:-1]
    notes["end"][:-1][same] = np.minimum(notes["end"][:-1][same], notes["start"][1:][same])
    return note_array(notes)


def _with_notes(score: Score, notes: Notes, pedal: list[Event], plan: Plan) -> Score:
    if score.midi_format == 0 and len(score.tracks) == 1:
        (track,) = score.tracks
        merged = tuple(sorted([*track.events, *pedal], key=lambda event: event.tick))
        joined = Track(note_array(np.concatenate([track.notes, notes])), merged, track.end)
        return replace(score, tracks=(joined,))
    # Not before the added notes begin: the channel's program may have been another one until then.
    program = Event(plan.begin, bytes([0xC0 | plan.channel, plan.program]))
    added = Track.named("Cadenza", notes, [program, *pedal])
    return replace(score, tracks=(*score.tracks, added), midi_format=max(1, score.midi_format))
