"""Compose and continue: what the command line, Python callers and every later front end call.

>>> take = cadenza.continue_(cadenza.read_midi("in.mid"), cadenza.Wish(bars=8, seed=7))
>>> cadenza.write_midi(take.score, "out.mid")
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.corpus import excerpt
from cadenza.drafts import Draft, Listener, draft_around, drafts_of
from cadenza.engine.chooser import Side
from cadenza.engine.constraints import Constraints
from cadenza.engine.sampler import Sampling
from cadenza.errors import CadenzaError
from cadenza.expression import Expression
from cadenza.parts import (
    Part,
    begins_in,
    check_limits,
    in_one_track,
    plan_of,
    repeated,
    share_of,
    surroundings,
    without,
    without_pedal,
)
from cadenza.plans import LONGEST_BARS, Form, Plan, Wish, last_pedal, plan, playable, with_bars
from cadenza.players import DEFAULT_MODEL, Model, load_model, model_folders
from cadenza.representation import events
from cadenza.representation.events import EventSequence, Frame
from cadenza.score import Notes, Score, Tempo, TimeSignature, among, note_array
from cadenza.sequence import SequenceModel
from cadenza.steering import MOST_DENSE

__all__ = [
    "DEFAULT_MODEL",
    "Constraints",
    "Expression",
    "Form",
    "Listener",
    "Model",
    "Part",
    "Plan",
    "Sampling",
    "Surprise",
    "Take",
    "Wish",
    "accompany",
    "continue_",
    "continue_takes",
    "expressed",
    "generate",
    "generate_after",
    "generate_takes",
    "harmonise",
    "hear",
    "infill",
    "load_model",
    "model_folders",
    "plan",
    "score_of",
    "vary",
    "with_bars",
]

DEFAULT_TEMPOS: Final = {"pop": 84.0, "classical": 108.0, "chorale": 80.0}
"""Quarter notes a minute of a piece that is composed without a tempo; 100 in any other style."""

LONGEST_METRE: Final = 8
"""Whole notes in a bar of a prompt. The longest metres in use have four (4/1, 8/2); beyond eight the file is
damaged, and a few bars of it would be an hour of music. The composer tells bars of up to two apart."""

EXCERPT_BARS: Final = 8
"""Of a corpus, before what `generate_after` composes."""

ANEW: Final = 0.15
"""Share of a section's notes that are drawn anew where it comes again,"""
ANEW_IF_MARKED: Final = 0.5
"""and where it comes again with a mark."""
CLOSING: Final = 2
"""Bars at the end of a piece whose last section comes again that do not, at most half of it: it is to end."""

SECTION_SEEDS: Final = 1 << 20
"""From the seed of a section to that of the next: far apart, for takes have seeds side by side."""
SEEDS: Final = 1 << 32

SIDE_OF_HAND: Final[dict[str, Side]] = {"left": "below", "right": "above"}

WHOLE: Final = Part()
"""All of a piece."""

STYLE_NOTES: Final = 256
"""Notes of a prompt from which its style is told."""


@dataclass(frozen=True)
class Take:
    """What was composed."""

    score: Score
    """The whole: the prompt, untouched, and what was added to it."""
    begin: int
    """Tick from which on notes were added; 0 without a prompt."""
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
    remarks: tuple[str, ...] = ()
    """What of the prompt it did not hear as it is, in sentences."""
    removed: Notes = field(default_factory=lambda: note_array([]))
    """The notes that were there before, and made room."""

    @property
    def notes_per_second(self) -> float:
        """Drawn notes a second."""
        return len(self.added) / self.seconds if self.seconds else 0.0


def generate(
    wish: Wish,
    *,
    tempo: float | None = None,
    metre: tuple[int, int] = (4, 4),
    form: Form | None = None,
    model: Model | None = None,
    listen: Listener | None = None,
) -> Take:
    """Composes from nothing, in a metre, at a tempo in quarter notes a minute (by default the style's).

    Without a style, in the model's first. In a form, its sections are equally long, and where a letter comes
    again, most notes of its first section do. `listen` is told the notes as they are drawn. Raises
    CadenzaError for a metre or tempo out of range, and for a form that the bars or the model do not fit.
    """
    return generate_takes(wish, 1, tempo=tempo, metre=metre, form=form, model=model, listen=listen)[0]


def generate_takes(
    wish: Wish,
    takes: int,
    *,
    tempo: float | None = None,
    metre: tuple[int, int] = (4, 4),
    form: Form | None = None,
    model: Model | None = None,
    listen: Listener | None = None,
) -> list[Take]:
    """Several takes of one piece from nothing, of the wish's seed and those after it: see `generate`.

    Each is what `generate` makes of its seed; drawn together, as they are where nobody listens and the model
    can, they take less time.
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
    if form is not None:
        seeds = range(wish.seed, wish.seed + takes)
        return [_in_form(replace(wish, seed=seed), form, model, frame, listen) for seed in seeds]
    plan = Plan(0, wish.bars * bar, LONGEST_BARS * bar, 0, 0, ends=True)
    return _takes(wish, model, frame, None, plan, takes=takes, listen=listen)


def _in_form(wish: Wish, form: Form, model: Model, frame: Frame, listen: Listener | None) -> Take:
    """A piece from nothing in a form, section after section."""
    _check_style(wish, model)
    bar = frame.score.bar_ticks(frame.score.metre_at(0))
    length = form.bars_each(wish.bars) * bar
    total = len(form.sections) * length
    score = frame.score
    drafts: list[Draft] = []
    first: dict[str, int] = {}

    def draw(begin: int, end: int, wish: Wish, pedals: bool) -> None:
        nonlocal score
        around = surroundings(frame, score, begin, end, stops=end == total)
        plan = Plan(begin, end, LONGEST_BARS * bar, 0, 0)
        drafts.append(draft_around(wish, model, around, plan, pedals=pedals, listen=listen))
        score = in_one_track(drafts[-1].score)

    for i, section in enumerate(form.sections):
        begin, end = i * length, (i + 1) * length
        source = first.setdefault(section[0], begin)
        sown = replace(wish, seed=(wish.seed + i * SECTION_SEEDS) % SEEDS)
        if source < begin:
            # A section that ended on may not end the piece.
            closing = max(1, min(CLOSING, length // bar // 2)) * bar if end == total else 0
            kept = length - closing
            notes = score.notes[(score.notes["start"] >= source) & (score.notes["start"] < source + kept)]
            anew = share_of(notes, ANEW_IF_MARKED if section.endswith("'") else ANEW, sown.seed)
            score = repeated(score, source, begin, kept, notes[~among(notes, anew)])
            if len(anew):
                draw(begin, begin + kept, _as_dense(sown, len(anew) * score.ticks_per_quarter / kept), False)
            begin += kept
        if begin < end:
            draw(begin, end, sown, True)
    seconds = sum(draft.seconds for draft in drafts)
    return replace(_taken(wish, model, drafts[-1], 0), score=score, added=score.notes, seconds=seconds)


def _as_dense(wish: Wish, density: float) -> Wish:
    """A wish for so many notes a quarter, where none is wished for.

    Around what stays of a section that returns, the composer would write ever more.
    """
    if wish.asked.density is not None or not density:
        return wish
    return replace(wish, asked=replace(wish.asked, density=min(density, MOST_DENSE)))


def continue_(
    score: Score,
    wish: Wish,
    *,
    begin: int | None = None,
    model: Model | None = None,
    listen: Listener | None = None,
) -> Take:
    """Composes what comes after a score, which comes back untouched.

    The added notes begin at the tick `begin`, by default where the last note has ended, at the next bar line
    at the latest, and fill `bars` bars (after the rest of a bar that is under way). `listen` is told them as
    they are drawn. Raises CadenzaError for what `hear` refuses, and where a note begins at `begin` or later.
    """
    return continue_takes(score, wish, 1, begin=begin, model=model, listen=listen)[0]


def continue_takes(
    score: Score,
    wish: Wish,
    takes: int,
    *,
    begin: int | None = None,
    model: Model | None = None,
    listen: Listener | None = None,
) -> list[Take]:
    """Several takes of a continuation, of the wish's seed and those after it: see `continue_`.

    Each is what `continue_` makes of its seed; drawn together, as they are where nobody listens and the model
    can, they take less time.
    """
    frame, prompt = hear(score)
    model = model or load_model()
    if wish.style is None:
        wish = replace(wish, style=likeliest_style(model.sequence_model, prompt))
    if begin is not None and begin <= int(playable(score)["start"].max()):
        raise CadenzaError(f"notes can only be added after the last of the prompt, not at tick {begin}")
    where = plan(frame.score, wish.bars, begin)
    taken = _takes(wish, model, frame, prompt, where, takes=takes, listen=listen)
    signatures = score.time_signatures
    return [replace(take, score=replace(take.score, time_signatures=signatures)) for take in taken]


def generate_after(corpus: str, wish: Wish, *, model: Model | None = None) -> Take:
    """Composes on from a random place in a corpus (a name or a folder), which is left out of the take.

    The place follows from the wish's seed. Raises CadenzaError as `corpus.excerpt` does.
    """
    prompt = excerpt(corpus, wish.seed, EXCERPT_BARS)
    take = continue_(replace(prompt, midi_format=1), wish, model=model)
    *_, added = take.score.tracks
    score = replace(take.score, tracks=(added,)).crop(take.begin, added.length + 1)
    return replace(take, score=score, begin=0, added=score.notes)


def infill(
    score: Score, part: Part, wish: Wish, *, model: Model | None = None, listen: Listener | None = None
) -> Take:
    """Draws a part of a score anew, or fills it where it is empty; everything else stays.

    Of a part of some pitches, what is drawn is of these; of all that one hand plays, it lies on that hand's
    side of what the other plays. Raises CadenzaError for a part outside the score, for limits that the notes
    that stay break, where no note fits, and as `hear` does.
    """
    all_pitches = (part.lowest, part.highest) == (WHOLE.lowest, WHOLE.highest)
    side = SIDE_OF_HAND[part.hand] if part.hand is not None and all_pitches else None
    return _anew(score, part, part.notes(with_bars(score)), wish, model, side=side, listen=listen)


def harmonise(
    score: Score,
    wish: Wish,
    *,
    part: Part = WHOLE,
    melody: bool = False,
    model: Model | None = None,
    listen: Listener | None = None,
) -> Take:
    """Accompanies a melody with the chords that the wish asks for; see `accompany`.

    Raises CadenzaError as that does, and for a wish without chords.
    """
    if not wish.asked.chords:
        raise CadenzaError("no chords to harmonise with; accompany finds its own")
    return accompany(score, wish, part=part, melody=melody, model=model, listen=listen)


def vary(
    score: Score,
    part: Part,
    strength: float,
    wish: Wish,
    *,
    model: Model | None = None,
    listen: Listener | None = None,
) -> Take:
    """Draws a share of a part's notes anew, chosen by the wish's seed; strength is the share, above 0 to 1.

    Raises CadenzaError as `infill` does, and for a part without notes.
    """
    if not 0 < strength <= 1:
        raise CadenzaError(f"the strength must be above 0 and at most 1 (all notes anew), not {strength:g}")
    notes = part.notes(with_bars(score))
    if not len(notes):
        raise CadenzaError("there is no note to vary in that part: infill fills it")
    return _anew(score, part, share_of(notes, strength, wish.seed), wish, model, listen=listen)


def accompany(
    score: Score,
    wish: Wish,
    *,
    part: Part = WHOLE,
    melody: bool = False,
    model: Model | None = None,
    listen: Listener | None = None,
) -> Take:
    """Draws an accompaniment below a melody; or, with `melody`, a melody above an accompaniment.

    All notes of the score stay. Raises CadenzaError as `infill` does, and where nothing is to be accompanied.
    """
    if not len(part.notes(with_bars(score))):
        raise CadenzaError("there is no note to accompany" + (" in that part" if part != WHOLE else ""))
    side: Side = "above" if melody else "below"
    return _anew(score, part, note_array([]), wish, model, side=side, single=melody, listen=listen)


def _anew(
    score: Score,
    part: Part,
    removed: Notes,
    wish: Wish,
    model: Model | None,
    *,
    side: Side | None = None,
    single: bool = False,
    listen: Listener | None = None,
) -> Take:
    """Draws notes into a part of a score from which some were removed."""
    frame, heard = hear(score)
    model = model or load_model()
    wish = replace(wish, constraints=wish.constraints.between(part.lowest, part.highest))
    begin, end = part.bounds(frame.score)
    kept = without(frame.score, removed)
    check_limits(wish.constraints, kept, begin, end)
    # What nothing is left of gets a pedal of its own too.
    whole = not begins_in(kept, begin, end)
    _, pedal_after = last_pedal(kept, end)
    if whole:
        kept = without_pedal(kept, begin, end)
    around = surroundings(frame, kept, begin, end, stops=True)
    if wish.style is None:
        wish = replace(wish, style=likeliest_style(model.sequence_model, heard))
    _check_style(wish, model)
    plan = plan_of(frame.score, begin, end, pedal_after=whole and pedal_after)
    draft = draft_around(wish, model, around, plan, pedals=whole, side=side, single=single, listen=listen)
    lines = frame.score.bar_lines(end)
    bars = int(((lines >= begin) & (lines < end)).sum())
    take = _taken(replace(wish, bars=bars), model, draft, begin)
    score = replace(take.score, time_signatures=score.time_signatures)
    return replace(take, score=score, removed=removed)


def expressed(take: Take, expression: Expression) -> Take:
    """A take whose added notes are played with swing, or not quite in time.

    Raises CadenzaError for swing in a metre without beats of a quarter.
    """
    every = take.score.pitched_notes
    played = expression.play(take.added, take.score, take.seed, every[~among(every, take.added)])
    *others, last = take.score.tracks
    kept = last.notes[~among(last.notes, take.added)]
    track = replace(last, notes=note_array(np.concatenate([kept, played])))
    return replace(take, score=replace(take.score, tracks=(*others, track)), added=played)


@dataclass(frozen=True)
class Surprise:
    """How unexpected each note of a score was to a model, given what came before it."""

    notes: Notes
    """The notes that the model hears: pitched, and on the piano's keys."""
    bars: NDArray[np.int64]
    """The bar of each, counted from 1: (notes,)."""
    nats: NDArray[np.float64]
    """Negative log-probability of each: (notes,)."""
    style: str | None
    """Under which it was measured."""


def score_of(score: Score, style: str | None = None, *, model: Model | None = None) -> Surprise:
    """The surprise of each note of a score; without a style, under its likeliest.

    Notes that are one on the model's grid share what it has. Raises CadenzaError as `hear` does, for a style
    that the model does not know, and for a model that reads no events.
    """
    model = model or load_model()
    if model.form is not None:
        raise CadenzaError(f"the model {model.name} does not read note by note: take the composer")
    frame, heard = hear(score)
    _check_style(Wish(style=style), model)
    style = likeliest_style(model.sequence_model, heard) if style is None else style
    nats = -model.sequence_model.log_probabilities(heard, style)[: len(heard)].sum(1)
    notes = playable(frame.score)
    steps = np.maximum(np.rint(frame.steps(notes["start"])).astype(np.int64), 0)
    own = steps * 128 + notes["pitch"]
    rows = heard.onsets.astype(np.int64) * 128 + events.PITCH.decode(heard.rows[:, 1])
    lines = frame.score.bar_lines(int(notes["start"].max()) + 1)
    bars = np.searchsorted(lines, notes["start"], side="right")
    return Surprise(notes, bars, nats[np.searchsorted(rows, own)], style)


def hear(score: Score) -> tuple[Frame, EventSequence]:
    """A prompt as the composer hears it.

    Raises CadenzaError where it has no note that a piano could play, or bars beyond `LONGEST_METRE`.
    """
    frame = events.frame_of(with_bars(score))
    prompt = events.encode_in(frame, true_onsets=True)
    metre = frame.score.metre_at(int(playable(frame.score)["start"].max()))
    if metre.numerator > LONGEST_METRE * metre.denominator:
        raise CadenzaError(
            f"its bars are of {metre.numerator}/{metre.denominator}: more than {LONGEST_METRE} whole notes "
            "is too long to go on in; is its metre right?"
        )
    return frame, prompt


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


def _takes(
    wish: Wish,
    model: Model,
    frame: Frame,
    prompt: EventSequence | None,
    plan: Plan,
    *,
    takes: int,
    listen: Listener | None,
) -> list[Take]:
    _check_style(wish, model)
    seeds = range(wish.seed, wish.seed + takes)
    begin = plan.begin if prompt is not None else 0
    drafts = drafts_of(wish, model, frame, prompt, plan, seeds=seeds, listen=listen)
    return [
        _taken(replace(wish, seed=seed), model, draft, begin)
        for seed, draft in zip(seeds, drafts, strict=True)
    ]


def _check_style(wish: Wish, model: Model) -> None:
    styles = model.sequence_model.styles
    if wish.style is not None and wish.style not in styles:
        raise CadenzaError(f"no style {wish.style!r}: this model knows {', '.join(styles) or 'no styles'}")


def _taken(wish: Wish, model: Model, draft: Draft, begin: int) -> Take:
    return Take(
        score=draft.score,
        begin=begin,
        added=draft.notes,
        model=model.name,
        style=wish.style,
        seed=wish.seed,
        bars=wish.bars,
        seconds=draft.seconds,
        heard=draft.heard,
        remarks=draft.remarks,
    )
