"""Compose and continue: what the command line, Python callers and every later front end call.

>>> take = cadenza.continue_(cadenza.read_midi("in.mid"), cadenza.Wish(bars=8, seed=7))
>>> cadenza.write_midi(take.score, "out.mid")
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.engine.constraints import Constraints
from cadenza.engine.generate import Drawn, Span, sequence_of, stream
from cadenza.engine.sampler import Sampling
from cadenza.engine.steps import Row, joined, roll_of, stream_steps
from cadenza.errors import CadenzaError
from cadenza.plans import LONGEST_BARS, Plan, last_pedal, plan, playable, with_bars, with_notes, within
from cadenza.players import DEFAULT_MODEL, Model, load_model, model_folders
from cadenza.representation import events, pianoroll
from cadenza.representation.events import NO_POSITION, STEPS_PER_QUARTER, EventSequence, Frame
from cadenza.representation.pianoroll import KEYS, SILENT, PianoRoll, RollSequence, notes_of
from cadenza.score import SUSTAIN, Event, Notes, Score, Tempo, TimeSignature, Track, note_array
from cadenza.sequence import Places, SequenceModel

__all__ = [
    "DEFAULT_MODEL",
    "Constraints",
    "Model",
    "Plan",
    "Sampling",
    "Take",
    "Wish",
    "continue_",
    "generate",
    "hear",
    "load_model",
    "model_folders",
    "plan",
    "with_bars",
]

DEFAULT_TEMPOS: Final = {"pop": 84.0, "classical": 108.0, "chorale": 80.0}
"""Quarter notes a minute of a piece that is composed without a tempo; 100 in any other style."""

MOST_BARS: Final = 1024

LONGEST_METRE: Final = 8
"""Whole notes in a bar of a prompt. The longest metres in use have four (4/1, 8/2); beyond eight the file is
damaged, and a few bars of it would be an hour of music. The composer tells bars of up to two apart."""

STYLE_NOTES: Final = 256
"""Notes of a prompt from which its style is told."""

DEFAULT_VELOCITY: Final = 80
"""Of notes from nothing, by a model that draws no velocities."""

HEARD: Final = 1024
"""Steps of a prompt that a model of piano rolls hears: 64 bars of sixteenths, far more than it learnt from at
a time."""


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
    metre = frame.score.metre_at(int(playable(frame.score)["start"].max()))
    if metre.numerator > LONGEST_METRE * metre.denominator:
        raise CadenzaError(
            f"its bars are of {metre.numerator}/{metre.denominator}: more than {LONGEST_METRE} whole notes "
            "is too long to go on in; is its metre right?"
        )
    return frame, prompt


def _in_place(frame: Frame, prompt: EventSequence) -> EventSequence:
    """A prompt moved so that its last onset stands where it is in the score.

    Rows shorten a silence that is longer than any shift; what follows must still come after the prompt.
    """
    last = frame.steps(playable(frame.score)["start"].max(keepdims=True))
    late = int(np.rint(last)[0]) - int(prompt.onsets[-1])
    return replace(prompt, onsets=prompt.onsets + np.int32(max(late, 0)))


def likeliest_style(model: SequenceModel[Any, Any], prompt: EventSequence) -> str | None:
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


def _take(wish: Wish, model: Model, frame: Frame, prompt: EventSequence | None, plan: Plan) -> Take:
    styles = model.sequence_model.styles
    if wish.style is not None and wish.style not in styles:
        raise CadenzaError(f"no style {wish.style!r}: this model knows {', '.join(styles) or 'no styles'}")
    begun = time.perf_counter()
    if model.form is None:
        drawn = list(draw(wish, model, frame, prompt, plan))
        seconds = time.perf_counter() - begun
        score, notes = add(frame, plan, drawn)
        heard = len(prompt) if prompt is not None else 0
        context = getattr(getattr(model.sequence_model, "config", None), "context", heard)
        heard = min(heard, context)
    else:
        stretch = stretch_of(wish, model, model.form, frame.score, plan, continues=prompt is not None)
        rows = list(draw_steps(wish, model, stretch))
        seconds = time.perf_counter() - begun
        score, notes = add_steps(frame.score, plan, stretch, rows)
        heard = len(notes_of(stretch.prompt)) if stretch.prompt is not None else 0
    return Take(
        score=score,
        prompt_end=plan.begin if prompt is not None else 0,
        added=notes,
        model=model.name,
        style=wish.style,
        seed=wish.seed,
        bars=wish.bars,
        seconds=seconds,
        heard=heard,
    )


# --- By events ----------------------------------------------------------------------------------------------


def draw(wish: Wish, model: Model, frame: Frame, prompt: EventSequence | None, plan: Plan) -> Iterator[Drawn]:
    """The notes of a plan one after the other, as they are drawn."""
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
    """A frame's score with drawn notes added, and these notes."""
    sequence = sequence_of(drawn, frame.grid)
    notes = within(_without_overlaps(events.notes_in(frame, sequence, plan.channel)), plan)
    earliest, was_down = last_pedal(frame.score)
    pedal = [
        replace(event, tick=max(min(event.tick, plan.end), earliest))
        for event in events.pedal_events(frame, sequence, plan.channel, was_down)
    ]
    return with_notes(frame.score, notes, pedal, plan), notes


def _without_overlaps(notes: Notes) -> Notes:
    """Notes cut where the same pitch is struck again, which constraints to few pitches can bring about."""
    notes = notes[np.lexsort((notes["start"], notes["pitch"]))].copy()
    same = notes["pitch"][1:] == notes["pitch"][:-1]
    notes["end"][:-1][same] = np.minimum(notes["end"][:-1][same], notes["start"][1:][same])
    return note_array(notes)


# --- By steps of a piano roll -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stretch:
    """A plan in the steps of a piano roll, counted from the beginning of the score."""

    form: PianoRoll
    prompt: RollSequence | None
    """What is heard of the prompt: its last HEARD steps."""
    opening: RollSequence | None
    """The step that a piece from nothing begins with."""
    span: Span
    """What is drawn; it begins after prompt or opening."""
    rest: int
    """Steps that may pass in silence: a bar."""
    until: NDArray[np.int64]
    """Step up to which the prompt holds each key: (88,)."""
    positions: NDArray[np.int16]
    """Of the score's steps in their bars."""
    velocity: int
    """Of notes for which the model draws none: as the prompt's, in the middle."""


def stretch_of(
    wish: Wish, model: Model, form: PianoRoll, score: Score, plan: Plan, *, continues: bool
) -> Stretch:
    """A plan in steps: from the step nearest to its beginning, but after the last onset, to that nearest to
    its end. Raises CadenzaError where these are too many.
    """
    edges = np.array([plan.begin, plan.end, plan.begin + plan.longest])
    begin, end, longest = pianoroll.steps_of(score, edges, form).tolist()
    longest = max(1, longest - begin)
    if end > pianoroll.LONGEST:
        raise CadenzaError(f"that would be {end} steps of the model's piano roll, over {pianoroll.LONGEST}")
    prompt, opening, until, velocity = None, None, np.zeros(KEYS, np.int64), DEFAULT_VELOCITY
    if continues:
        heard = playable(score)
        begin = max(begin, int(pianoroll.steps_of(score, heard["start"].max(keepdims=True), form)[0]) + 1)
        lasting = Track(note_array([]), end=plan.end)
        roll = pianoroll.encode(replace(score, tracks=(*score.tracks, lasting)), form)
        prompt = roll.part(max(0, begin - HEARD), begin)
        until = begin + np.count_nonzero(roll.rows[begin:], axis=0)
        velocity = int(np.median(heard["velocity"]))
    elif model.openings is not None:
        opening = _opening(model.openings, wish)
        begin = 0 if opening is None else 1
    end = max(end, begin + continues)
    positions = pianoroll.positions_of(score, end, form)
    span = Span(begin, end, longest)
    return Stretch(form, prompt, opening, span, max(1, longest // LONGEST_BARS), until, positions, velocity)


def _opening(openings: RollSequence, wish: Wish) -> RollSequence | None:
    """One of the steps that begin a piece, without the keys that are not wanted; None if that leaves none."""
    rows = np.where(wish.constraints.pitches, openings.rows, np.uint8(SILENT))
    fit = np.flatnonzero(rows.any(1))
    if not len(fit):
        return None
    # Not the stream of random numbers of the draws that follow.
    (first,) = np.random.default_rng([wish.seed, 1]).choice(fit, 1).tolist()
    velocities = np.where(rows > 0, openings.velocities, np.uint8(0))
    return replace(openings, rows=rows, velocities=velocities, positions=np.zeros(len(rows), np.int16)).part(
        first, first + 1
    )


def draw_steps(wish: Wish, model: Model, stretch: Stretch) -> Iterator[Row]:
    """The steps of a stretch one after the other, as they are drawn."""
    before = stretch.prompt if stretch.opening is None else stretch.opening
    earlier = stretch.span.begin - (0 if before is None else len(before))
    return stream_steps(
        model.sequence_model,
        before,
        lambda step: (int(stretch.positions[earlier + step]), 0),
        stretch.span,
        stretch.form,
        rest=stretch.rest,
        until=stretch.until,
        constraints=wish.constraints,
        sampling=wish.sampling,
        seed=wish.seed,
    )


def add_steps(score: Score, plan: Plan, stretch: Stretch, drawn: list[Row]) -> tuple[Score, Notes]:
    """A score with the notes of drawn steps added, and these notes."""
    first = stretch.span.begin
    held = np.arange(first, first + len(drawn))[:, None] < stretch.until
    roll = roll_of(drawn, stretch.form, held)
    if stretch.opening is not None:
        roll, first = joined(stretch.opening, roll), first - 1
    notes = notes_of(roll, stretch.velocity).copy()
    for edge in ("start", "end"):
        notes[edge] = pianoroll.ticks_of(score, notes[edge] + first, stretch.form)
    # The nearest steps of begin and end may lie a little off them.
    notes["start"] = notes["start"].clip(plan.begin, plan.end - 1)
    notes["channel"] = plan.channel
    notes = within(notes, plan)
    earliest, was_down = last_pedal(score)
    lift = Event(max(plan.begin, earliest), bytes([0xB0 | plan.channel, SUSTAIN, 0]))
    return with_notes(score, notes, [lift] if was_down else [], plan), notes
