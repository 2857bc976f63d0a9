"""How each kind of model writes into a plan: note after note, step after step, or token after token."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from cadenza.engine.chooser import Drawn, Passage, Side, Span
from cadenza.engine.ending import draw_ending, stream_to_end, until_ending
from cadenza.engine.generate import sequence_of, stream
from cadenza.engine.leaning import Aims
from cadenza.engine.steps import Row, joined, roll_of, stream_steps
from cadenza.engine.together import Together
from cadenza.engine.words import stream_words
from cadenza.errors import CadenzaError
from cadenza.parts import Surroundings
from cadenza.plans import LONGEST_BARS, Plan, Wish, last_pedal, playable, with_notes, within
from cadenza.players import Model
from cadenza.representation import events, pianoroll
from cadenza.representation.edits import FIXED, stop_at
from cadenza.representation.events import (
    NO_POSITION,
    SHIFT,
    STEPS_PER_QUARTER,
    STEPS_PER_SECOND,
    EventSequence,
    Frame,
    Grid,
)
from cadenza.representation.pianoroll import KEYS, SILENT, PianoRoll, RollSequence, notes_of
from cadenza.representation.tokens import Vocabulary, Voice
from cadenza.score import SUSTAIN, Event, Notes, Score, Track, note_array
from cadenza.sequence import FREE, EditModel, JointModel, Places, SequenceModel, Setting
from cadenza.steering import Asked

DEFAULT_VELOCITY: Final = 80
"""Of notes from nothing, by a model that draws no velocities."""

HEARD: Final = 1024
"""Steps of a prompt that a model of piano rolls hears: 64 bars of sixteenths, far more than it learnt from at
a time."""

AT_ONCE: Final = 8
"""Takes drawn in step, at most: each keeps the keys and values of a context, up to 3 MB."""

HANDS: Final = 2
"""Voices of a piece from nothing, where the voices of a piece are written one after the other."""

GROWTH: Final = 1.5
"""How much denser than what is known drawn notes may become,"""
DENSE: Final = 8.0
"""taking for known, in notes a beat, what hardly a piece of the corpora goes beyond for four bars,"""
USUAL: Final = 5.0
"""and after a prompt at least what is usual in them."""
FOUR_BARS: Final = 16
"""In beats."""

ENDING: Final = 3
"""Bars at the end of a piece from nothing that are drawn several times, at most half of it,"""
JOINING: Final = 2
"""and of a gap in which nothing stays."""

TOLD_EVERY: Final = 4
"""Steps or tokens after which a listener is told of the notes that they make."""

Listener = Callable[[Notes], None]
"""Is told the notes of a draft, in ticks, while they are drawn.

Of notes with one onset and pitch the last one holds; what the draft says in the end holds before all of them.
What it raises ends the drawing.
"""

T = TypeVar("T")


@dataclass(frozen=True)
class Draft:
    """What a model wrote."""

    score: Score
    """The plan's score and what was added to it."""
    notes: Notes
    """What was added."""
    heard: int
    """Notes of the prompt that the model took into account."""
    remarks: tuple[str, ...]
    """What of the prompt the model did not hear as it is, in sentences."""
    seconds: float
    """Spent on drawing."""


def draft_of(
    wish: Wish,
    model: Model,
    frame: Frame,
    prompt: EventSequence | None,
    plan: Plan,
    *,
    listen: Listener | None = None,
) -> Draft:
    """What a model writes into a plan; without a prompt, from nothing. A listener hears it come.

    Raises CadenzaError where the model cannot be asked for what the wish holds.
    """
    begun = time.perf_counter()
    _check_wish(wish, model)
    if isinstance(model.form, PianoRoll):
        stretch = stretch_of(wish, model, model.form, frame.score, plan, continues=prompt is not None)
        rows = _overheard(
            draw_steps(wish, model, stretch), listen, lambda rows: add_steps(frame.score, plan, stretch, rows)
        )
        seconds = time.perf_counter() - begun
        heard = 0 if stretch.prompt is None else len(notes_of(stretch.prompt))
        remarks = () if stretch.prompt is None else _cut(stretch.span.begin, HEARD, "steps")
        return Draft(*add_steps(frame.score, plan, stretch, rows), heard, remarks, seconds)
    if isinstance(model.form, Vocabulary):
        text = text_of(model, model.form, frame.score, plan, continues=prompt is not None)
        tokens = _overheard(
            draw_tokens(wish, model, text), listen, lambda drawn: add_tokens(frame.score, plan, text, drawn)
        )
        seconds = time.perf_counter() - begun
        heard = sum(len(n) for voice in text.voices for n in text.vocabulary.form.notes(voice.words))
        return Draft(*add_tokens(frame.score, plan, text, tokens), heard, text.remarks, seconds)
    drawn = _overheard_notes(draw(wish, model, frame, prompt, plan), listen, frame, plan)
    seconds = time.perf_counter() - begun
    every = 0 if prompt is None else len(prompt)
    heard = min(every, model.context or every)
    return Draft(*add(frame, plan, drawn), heard, _cut(every, heard, "notes"), seconds)


def drafts_of(
    wish: Wish,
    model: Model,
    frame: Frame,
    prompt: EventSequence | None,
    plan: Plan,
    *,
    seeds: Sequence[int],
    listen: Listener | None = None,
) -> list[Draft]:
    """What `draft_of` returns for each of several seeds; in step, where the model can and nobody listens."""
    if len(seeds) == 1 or listen or not isinstance(model.sequence_model, JointModel):
        return [
            draft_of(replace(wish, seed=seed), model, frame, prompt, plan, listen=listen) for seed in seeds
        ]
    player = cast("JointModel[Any, Any]", model.sequence_model)
    every = 0 if prompt is None else len(prompt)
    heard = min(every, model.context or every)
    passage = passage_of(wish, model, frame, prompt, plan)
    drafts: list[Draft] = []
    for i in range(0, len(seeds), AT_ONCE):
        begun = time.perf_counter()
        takes = _draw_in_step(wish, player, passage, frame.grid, seeds[i : i + AT_ONCE])
        seconds = (time.perf_counter() - begun) / len(takes)
        remarks = _cut(every, heard, "notes")
        drafts += [Draft(*add(frame, plan, drawn), heard, remarks, seconds) for drawn in takes]
    return drafts


def _draw_in_step(
    wish: Wish, model: JointModel[Any, Any], passage: Passage, grid: Grid, seeds: Sequence[int]
) -> list[list[Drawn]]:
    """The notes of a passage for each of several seeds."""
    how: dict[str, Any] = {"constraints": wish.constraints, "sampling": wish.sampling}
    takes: list[list[Drawn]] = [[] for _ in seeds]
    before = until_ending(passage)
    if before is not passage or passage.ending is None:
        for take, note in Together[Any].begin(model, before, seeds=seeds, **how):
            takes[take].append(note)
    if passage.ending is not None:
        for drawn, seed in zip(takes, seeds, strict=True):
            drawn.extend(draw_ending(model, passage, drawn, grid, seed=seed, **how))
    return takes


def draft_around(
    wish: Wish,
    model: Model,
    around: Surroundings,
    plan: Plan,
    *,
    pedals: bool,
    side: Side | None = None,
    single: bool = False,
    listen: Listener | None = None,
) -> Draft:
    """What a model writes into a part of a piece around what stays there, which the frame's score holds.

    pedals: whether it writes the sustain pedal as well. side and single: see `engine.chooser.Passage`. A
    listener hears it come.
    Raises CadenzaError where the model cannot, and where no note fits.
    """
    if not isinstance(model.sequence_model, EditModel):
        raise CadenzaError(
            f"the model {model.name} goes on after a piece, and draws nothing into one: "
            "leave --model out to let the composer do that"
        )
    begun = time.perf_counter()
    first, stop, longest = _steps(around.frame, plan)
    places = places_in(around.frame, plan.end)
    setting = asking(around.setting, wish.asked, around.frame, plan)
    told, may_end, ending = setting.known.stop, None, None
    if told is not None:
        stop = max(told, first + 1)  # or a note could be drawn where those that follow begin
        may_end = _bars_before(1, places, first, stop)
        if not (setting.known.kinds == FIXED).any():
            bars = ENDING if setting.after is None else JOINING
            ending = _bars_before(bars, places, first, stop)
    span = Span(first, stop, longest - first, may_end)
    prompt = within_reach(around.prompt, first, places)
    aims = aims_of(wish.asked, around.frame, prompt)
    passage = Passage(span, places, prompt, setting, wish.style, side, single, aims, ending)
    notes = _stream(wish, model.sequence_model, passage, around.frame.grid)
    drawn = _overheard_notes(notes, listen, around.frame, plan)
    seconds = time.perf_counter() - begun
    score, notes = around.frame.score, note_array([])
    if drawn:
        score, notes = add(around.frame, plan, drawn, pedals=pedals, inside=True)
    if not len(notes):
        raise CadenzaError("no note fits: the notes that stay and what is asked for leave no key free")
    return Draft(score, notes, around.heard, (), seconds)


def _overheard_notes(
    drawn: Iterator[Drawn], listen: Listener | None, frame: Frame, plan: Plan
) -> list[Drawn]:
    """All notes that are drawn, each told to a listener."""
    every: list[Drawn] = []
    for note in drawn:
        every.append(note)
        if listen:
            listen(within(events.notes_in(frame, sequence_of([note], frame.grid), plan.channel), plan))
    return every


def _overheard(
    drawn: Iterator[T], listen: Listener | None, added: Callable[[list[T]], tuple[Score, Notes]]
) -> list[T]:
    """All that is drawn. A listener is told every few steps or tokens what notes they make so far."""
    every: list[T] = []
    told: dict[tuple[int, int], int] = {}
    for symbol in drawn:
        every.append(symbol)
        if listen and len(every) % TOLD_EVERY == 0:
            _, notes = added(every)
            ends = {(n["start"].item(), n["pitch"].item()): n["end"].item() for n in notes}
            listen(notes[np.array([told.get(at) != end for at, end in ends.items()], bool)])
            told = ends
    return every


def _cut(every: int, most: int, things: str) -> tuple[str, ...]:
    """A remark where less than all of a prompt is heard."""
    return (f"the model heard the last {most:,} of the prompt's {every:,} {things}",) if every > most else ()


# --- By events ----------------------------------------------------------------------------------------------


def draw(wish: Wish, model: Model, frame: Frame, prompt: EventSequence | None, plan: Plan) -> Iterator[Drawn]:
    """The notes of a plan one after the other, as they are drawn."""
    return _stream(wish, model.sequence_model, passage_of(wish, model, frame, prompt, plan), frame.grid)


def passage_of(wish: Wish, model: Model, frame: Frame, prompt: EventSequence | None, plan: Plan) -> Passage:
    """What is to be drawn for a plan. Raises CadenzaError as `asking` does.

    A model that draws around what is known is told where the piece ends.
    """
    first, end, longest = _steps(frame, plan)
    if prompt is not None:
        first = max(first, int(prompt.onsets[-1]) + 1)
    places = places_in(frame, plan.end)
    prompt = within_reach(prompt, first, places)
    told = isinstance(model.sequence_model, EditModel) and not wish.asked.is_nothing
    setting = asking(FREE, wish.asked, frame, plan) if told else FREE
    span, ending = Span(first, max(end, first + 1), longest - first), None
    if plan.ends and isinstance(model.sequence_model, EditModel):
        setting = replace(setting, known=stop_at(end, places(end)))
        span = replace(span, may_end=_bars_before(1, places, first, end))
    if plan.ends and isinstance(model.sequence_model, JointModel):
        ending = max(_bars_before(ENDING, places, first, end), (first + end) // 2)
    aims = aims_of(wish.asked, frame, prompt)
    return Passage(span, places, prompt, setting, wish.style, aims=aims, ending=ending)


def within_reach(prompt: EventSequence | None, first: int, places: Places) -> EventSequence | None:
    """A prompt from which a shift leads to `first`, the step where notes are to begin.

    Its onsets are moved later by whole bars, or in free time by steps, where the silence between is longer
    than the longest shift: else notes would be drawn into it.
    """
    reach = int(SHIFT.table[-1])
    if prompt is None or first - prompt.onsets[-1] <= reach:
        return prompt
    bar = places(first)[1] or 1
    late = -(-(first - int(prompt.onsets[-1]) - reach) // bar) * bar
    return replace(prompt, onsets=prompt.onsets + late)


def aims_of(asked: Asked, frame: Frame, prompt: EventSequence | None) -> Aims:
    """What is asked of the mean of all notes, on the grid of a frame, and what it keeps to unasked.

    So that no passage grows denser and denser there are at most half as many notes again as in the densest
    four bars of the prompt, or, where next to nothing is known, of the corpora (`benchmarks/growth.py`).
    """
    beat = STEPS_PER_QUARTER if frame.grid == "metrical" else STEPS_PER_SECOND / 2
    densest = DENSE
    if prompt is not None and len(prompt):
        after = np.searchsorted(prompt.onsets, prompt.onsets + FOUR_BARS * beat)
        densest = max(USUAL, int((after - np.arange(len(prompt))).max()) / FOUR_BARS)
    gap = None if asked.density is None else beat / asked.density
    return Aims(gap, beat / (GROWTH * densest), asked.register, asked.dynamics)


def _bars_before(bars: int, places: Places, first: int, stop: int) -> int:
    """The step so many bars, or seconds, before a region of the steps from `first` up to `stop` stops."""
    return max(first, stop - bars * (places(stop - 1)[1] or STEPS_PER_SECOND))


def asking(setting: Setting, asked: Asked, frame: Frame, plan: Plan) -> Setting:
    """A setting in which something is asked of what a plan adds.

    Raises CadenzaError for chords where there are no bars.
    """
    if not asked.chords:
        return replace(setting, asked=asked.symbols())
    if frame.grid == "free":
        raise CadenzaError("chords need bars, and the piece is played freely: its notes follow no metre")
    lines = frame.score.bar_lines(plan.end)
    lines = lines[max(0, int(np.searchsorted(lines, plan.begin, side="right")) - 1) :]
    steps = np.rint(frame.steps(lines + frame.offset)).astype(np.int64)
    return replace(setting, asked=asked.symbols(), chords=asked.track(steps.tolist()))


def _check_wish(wish: Wish, model: Model) -> None:
    """Raises CadenzaError for a wish that a model cannot be asked for. A key holds as a mask of any model."""
    asked, sampling = replace(wish.asked, key=None), wish.sampling
    if not (asked.is_nothing or model.form is None):
        raise CadenzaError(
            f"the model {model.name} cannot be asked for a density, a register, dynamics or chords: "
            "leave these out, or --model"
        )
    if asked.chords and not isinstance(model.sequence_model, EditModel):
        raise CadenzaError(f"the model {model.name} cannot be asked for chords: leave them out, or --model")
    if wish.constraints.limits and model.form is not None:
        raise CadenzaError(
            f"the model {model.name} does not draw note by note, so it cannot keep to a number of notes at "
            "once or the span of a hand: leave these out, or --model"
        )
    if isinstance(model.form, PianoRoll) and (sampling.top_k or sampling.top_p not in (1, None)):
        raise CadenzaError(
            f"the model {model.name} draws each key by itself, and top-p or top-k would silence all that are "
            "less likely to sound than not: leave these out, or --model"
        )


def _steps(frame: Frame, plan: Plan) -> tuple[int, int, int]:
    """Where a plan begins, where it ends, and how far a note of its beginning may reach, in steps."""
    ticks = np.array([plan.begin, plan.end, plan.begin + plan.longest])
    begin, end, longest = (int(np.ceil(step - 1e-6)) for step in frame.steps(ticks))
    return begin, end, longest


def _stream(
    wish: Wish, model: SequenceModel[EventSequence, Any], passage: Passage, grid: Grid
) -> Iterator[Drawn]:
    how: dict[str, Any] = {"constraints": wish.constraints, "sampling": wish.sampling, "seed": wish.seed}
    if passage.ending is not None and isinstance(model, JointModel):
        return stream_to_end(cast("JointModel[Any, Any]", model), passage, grid, **how)
    return stream(model, passage, **how)


def places_in(frame: Frame, end: int) -> Places:
    """Positions in the bars of a frame up to a tick and some bars beyond."""
    if frame.grid == "free":
        return lambda _: (NO_POSITION, 0)
    ticks_per_step = frame.score.ticks_per_quarter / STEPS_PER_QUARTER
    last = round((end - frame.origin) / ticks_per_step) + 8 * events.LONGEST_BAR
    positions, bars = (column.tolist() for column in frame.places(np.arange(last)))
    return lambda step: (positions[min(step, last - 1)], bars[min(step, last - 1)])


def add(
    frame: Frame, plan: Plan, drawn: list[Drawn], *, pedals: bool = True, inside: bool = False
) -> tuple[Score, Notes]:
    """A frame's score with drawn notes added, with or without their pedal, and these notes.

    inside: whether they lie among notes that stay, and must not meet these.
    """
    sequence = sequence_of(drawn, frame.grid)
    notes = within(_without_overlaps(events.notes_in(frame, sequence, plan.channel)), plan)
    if inside:
        notes = _clear_of(frame, frame.score.pitched_notes, notes)
    if not pedals:
        return with_notes(frame.score, notes, [], plan), notes
    earliest, was_down = last_pedal(frame.score, plan.end)
    pedal = [
        replace(event, tick=max(min(event.tick, plan.end), earliest))
        for event in events.pedal_events(frame, sequence, plan.channel, was_down)
    ]
    if plan.pedal_after:
        pedal.append(Event(plan.end, bytes([0xB0 | plan.channel, SUSTAIN, 127])))
    return with_notes(frame.score, notes, pedal, plan), notes


def _without_overlaps(notes: Notes) -> Notes:
    """Notes cut where the same pitch is struck again, which constraints to few pitches can bring about."""
    notes = notes[np.lexsort((notes["start"], notes["pitch"]))].copy()
    same = notes["pitch"][1:] == notes["pitch"][:-1]
    notes["end"][:-1][same] = np.minimum(notes["end"][:-1][same], notes["start"][1:][same])
    return note_array(notes)


def _clear_of(frame: Frame, stayed: Notes, notes: Notes) -> Notes:
    """Drawn notes that do not meet those that stayed.

    What stays is heard as long as a symbol says, and sounds to the tick: where the two differ by less than a
    step, the drawn note gives way; where by more, it is left out.
    """
    notes = notes.copy()
    fits = np.ones(len(notes), bool)
    for i, (start, end, pitch) in enumerate(notes[["start", "end", "pitch"]].tolist()):
        same = stayed[(stayed["pitch"] == pitch) & (stayed["start"] < end) & (stayed["end"] > start)]
        for other_start, other_end in same[["start", "end"]].tolist():
            over = float(np.diff(frame.steps(np.array([start, other_end])))[0])
            if other_start > start:
                notes["end"][i] = min(int(notes["end"][i]), other_start)
            elif over < 1:
                notes["start"][i] = max(int(notes["start"][i]), other_end)
            else:
                fits[i] = False
        fits[i] &= notes["start"][i] < notes["end"][i]
    return note_array(notes[fits])


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
        # Keys that are held are held, also those that a model of one voice does not hear.
        roll = pianoroll.encode(replace(score, tracks=(*score.tracks, lasting)), replace(form, voices="all"))
        prompt = pianoroll.in_voices(roll.part(max(0, begin - HEARD), begin), form.voices)
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
    return _placed(score, plan, notes)


def _placed(score: Score, plan: Plan, notes: Notes) -> tuple[Score, Notes]:
    """A score with notes in ticks added on the plan's channel, the pedal lifted before them."""
    notes = notes.copy()
    # The nearest steps of begin and end may lie a little off them.
    notes["start"] = notes["start"].clip(plan.begin, plan.end - 1)
    notes["channel"] = plan.channel
    notes = within(notes, plan)
    earliest, was_down = last_pedal(score)
    lift = Event(max(plan.begin, earliest), bytes([0xB0 | plan.channel, SUSTAIN, 0]))
    return with_notes(score, notes, [lift] if was_down else [], plan), notes


# --- By tokens ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    """A plan in tokens."""

    vocabulary: Vocabulary
    voices: list[Voice]
    """What is known of each voice."""
    span: Span
    """What is drawn, in steps of the form's clock from the beginning of the score."""
    rest: int
    """Steps that may pass in silence: a bar."""
    velocity: int
    """Of notes for which the tokens have none: as the prompt's, in the middle."""
    remarks: tuple[str, ...] = ()
    """On what of the prompt is left out or said otherwise."""


def text_of(model: Model, vocabulary: Vocabulary, score: Score, plan: Plan, *, continues: bool) -> Text:
    """A plan in tokens; of a prompt, as much as the model is shown at a time."""
    form = vocabulary.form
    edges = np.array([plan.begin, plan.end, plan.begin + plan.longest])
    begin, end, longest = pianoroll.steps_of(score, edges, form.clock).tolist()
    rest = max(1, (longest - begin) // LONGEST_BARS)
    if not continues:
        voices = [Voice(np.zeros((0, form.width), np.uint8), 0)] * (1 if form.end is None else HANDS)
        return Text(vocabulary, voices, Span(0, end), rest, DEFAULT_VELOCITY)
    heard = playable(score)
    begin = max(begin, int(pianoroll.steps_of(score, heard["start"].max(keepdims=True), form.clock)[0]) + 1)
    whole = form.voices(score, begin)
    voices = [replace(v, words=v.words[-model.context :]) for v in whole]
    every, shown = (sum(len(v.words) for v in of) for of in (whole, voices))
    remarks = _cut(every, shown, "tokens")
    if unknown := sum(int((vocabulary.find(v.words) < 0).sum()) for v in voices):
        told = f"{unknown:,} of the {shown:,} tokens it heard are not in its vocabulary"
        remarks += (f"{told}: it took each for the nearest that is",)
    span = Span(begin, max(end, begin + 1))
    return Text(vocabulary, voices, span, rest, int(np.median(heard["velocity"])), remarks)


def draw_tokens(wish: Wish, model: Model, text: Text) -> Iterator[tuple[int, int]]:
    """The tokens of a text as they are drawn, each with the number of its voice."""
    return stream_words(
        model.sequence_model,
        text.vocabulary,
        text.voices,
        text.span,
        rest=text.rest,
        constraints=wish.constraints,
        sampling=wish.sampling,
        seed=wish.seed,
    )


def add_tokens(score: Score, plan: Plan, text: Text, drawn: list[tuple[int, int]]) -> tuple[Score, Notes]:
    """A score with the notes of drawn tokens added, and these notes."""
    form = text.vocabulary.form
    parts: list[Notes] = []
    for number, voice in enumerate(text.voices):
        words = text.vocabulary.words[[token for of, token in drawn if of == number]]
        for notes in form.notes(words, text.velocity) if len(words) else []:
            # What came too soon waited for the beginning.
            first = max(voice.at, text.span.begin - int(form.times(words[:1])[0][0]))
            parts.append(notes.copy())
            for edge in ("start", "end"):
                parts[-1][edge] = pianoroll.ticks_of(score, notes[edge] + first, form.clock)
    return _placed(score, plan, _without_overlaps(np.concatenate([note_array([]), *parts])))
