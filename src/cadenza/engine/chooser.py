"""Chooses symbols of a row within what must hold: masks on the logits of each field, then a draw."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from cadenza.engine.constraints import Constraints
from cadenza.engine.leaning import NO_AIMS, Aims, Leaning
from cadenza.engine.sampler import NO_COPIES, Sampler, Sampling, draw_together
from cadenza.representation.edits import Fixed
from cadenza.representation.events import DURATION, END, PITCH, SHIFT, EventSequence
from cadenza.sequence import FREE, Copies, Mixing, MixingTogether, Places, Setting

REMEMBERED: Final = 48
"""Pitches drawn lately that a repetition penalty falls on."""


LENIENT: Final = 0.25
"""Strictness of the draws of all but pitch. An unlikely pitch is heard as a wrong note, an unlikely rhythm
is not; and as strict with both, short shifts crowd out the long ones and the music grows dense."""


TOP_P_OF_STYLES: Final = {"pop": 0.9, "classical": 0.92}
"""By these long pieces return to what they said about as often as the corpora do (`benchmarks/form.py`), and
are like them in the rest (`benchmarks/samples.py`): in pop draws wander more easily."""


@dataclass(frozen=True)
class Span:
    """Where notes are wanted: onsets in `begin <= step < end`, none held longer than `longest` steps."""

    begin: int
    end: int
    longest: int = int(DURATION.table[-1])
    may_end: int | None = None
    """Step from which on the model may say that nothing more comes; None: it may not."""
    needed: bool = True
    """Whether at least one note is to be drawn."""


Side = Literal["above", "below"]


@dataclass(frozen=True)
class Passage:
    """What is to be drawn, and what surrounds it."""

    span: Span
    places: Places
    """Of the steps of the piece."""
    prompt: EventSequence | None = None
    """What comes before."""
    setting: Setting = FREE
    """What is fixed and asked; models that draw accordingly are an `EditModel`."""
    style: str | None = None
    side: Side | None = None
    """On which side of the fixed notes that sound the drawn ones lie; None for either."""
    single: bool = False
    """Whether drawn notes sound one at a time."""
    aims: Aims = NO_AIMS
    """What they are to be like in the mean."""
    ending: int | None = None
    """Step from which on it is drawn several times (see `engine.ending`); None for never."""


def suited(sampling: Sampling, style: str | None) -> Sampling:
    """A sampling with the top-p of a style, where it names none."""
    if sampling.top_p is None and style in TOP_P_OF_STYLES:
        return replace(sampling, top_p=TOP_P_OF_STYLES[style])
    return sampling


@dataclass(frozen=True)
class Drawn:
    """One note as it was drawn: symbols of its row, onset in steps, place in the bar and the bar's length."""

    row: tuple[int, ...]
    onset: int
    place: tuple[int, int]


@dataclass
class Chooser(Mixing):
    """Masks the logits of each field with what must hold, then samples."""

    sampler: Sampler
    constraints: Constraints
    passage: Passage
    fixed: Fixed = field(init=False)
    too_long: int = field(init=False)
    """Symbol of the first duration that is longer than the span allows; the shortest is always allowed."""
    onset: int = 0
    pitch: int = -1
    """Of the last row, as a symbol; -1 before the first."""
    begun: bool = False
    """Whether a note of this span was drawn."""
    full: bool = False
    """Whether no further note fits into the span."""
    onset_next: int = 0
    pitch_next: int = 0
    until: NDArray[np.int64] = field(default_factory=lambda: np.zeros(PITCH.size, np.int64))
    """Step up to which each key is held."""
    recent: deque[int] = field(default_factory=lambda: deque[int](maxlen=REMEMBERED))
    leaning: Leaning = field(init=False)

    def __post_init__(self) -> None:
        self.leaning = Leaning(self.passage.aims)
        self.fixed = Fixed.of(self.passage.setting.known)
        prompt = self.passage.prompt
        if prompt is not None and len(prompt):
            self.onset, self.pitch = int(prompt.onsets[-1]), int(prompt.rows[-1, 1])
            ends = prompt.onsets + DURATION.decode(prompt.rows[:, 2])
            np.maximum.at(self.until, prompt.rows[:, 1], ends)
        self.too_long = _durations_within(self.span.longest)

    @property
    def span(self) -> Span:
        """Where notes are wanted."""
        return self.passage.span

    @property
    def over(self) -> bool:
        """Whether the span may be left as it is."""
        return self.begun or self.full or self.span.may_end is not None or not self.span.needed

    @property
    def crowded(self) -> bool:
        """Whether there can be onsets at which no key may be struck; else one can always be struck again."""
        return self.constraints.limits or self.passage.single or len(self.fixed) > 0

    def __call__(self, field_index: int, logits: NDArray[np.float32]) -> int:
        return self.mix(field_index, logits, NO_COPIES)

    def mix(self, field: int, logits: NDArray[np.float32], copies: Copies) -> int:
        """See `sequence.Mixing`."""
        logits = logits.copy()
        self.mask(field, logits)
        self.leaning.weigh(field, logits)
        if field == 0:
            symbol = self._shift(logits, copies)
        elif field == 1:
            symbol = self.sampler.draw(logits, self.recent, copies=copies)
        else:
            symbol = self.sampler.draw(logits, strictness=LENIENT, copies=copies)
        self.chosen(field, symbol)
        return symbol

    def mask(self, field_index: int, logits: NDArray[np.float32]) -> None:
        """Masks what may not be drawn, in place; of shifts not yet those to where no key is free."""
        if field_index == 0:
            self._mask_shifts(logits)
        elif field_index == 1:
            # What is drawn beyond the span is dropped: there, no key needs to be free.
            inside = self.onset_next < self.span.end
            logits[~(self._open_keys(self.onset_next) if inside else self.constraints.pitches)] = -np.inf
        elif field_index == 2:
            logits[min(self.too_long, _durations_within(self._room())) :] = -np.inf

    def chosen(self, field_index: int, symbol: int) -> None:
        """Takes note of what was drawn."""
        if field_index == 0:
            self.onset_next = self.span.end if symbol == END else self.onset + SHIFT.values[symbol]
        elif field_index == 1:
            self.pitch_next = symbol

    def _mask_shifts(self, logits: NDArray[np.float32]) -> None:
        if self.span.may_end is None or not self.begun or self.onset < self.span.may_end:
            logits[END] = -np.inf
        if not self.begun:
            onsets = self.onset + SHIFT.table
            # The last shift reaches furthest: where the span begins beyond it, it begins there.
            wanted = onsets >= min(self.span.begin, int(onsets[-1]))
            inside = wanted & (onsets < self.span.end)
            must = self.span.needed and inside.any()
            logits[:END][~(inside if must else wanted)] = -np.inf
        if self.pitch >= 0 and not self.goes_on_up():
            logits[0] = -np.inf

    def goes_on_up(self) -> bool:
        """Whether a key above the last one may be struck at its onset."""
        return bool(self._open_keys(self.onset)[self.pitch + 1 :].any())

    def _shift(self, logits: NDArray[np.float32], copies: Copies) -> int:
        """Draws from masked logits until there is room."""
        while np.isfinite(logits).any():
            symbol = self.sampler.draw(logits, strictness=LENIENT, copies=copies)
            if symbol == END or self._has_room(symbol):
                return symbol
            logits[symbol] = -np.inf
        self.full = True
        return END

    def _has_room(self, shift: int) -> bool:
        """Whether a note fits at the onset that a shift leads to; beyond the span nothing needs to."""
        if not self.crowded:
            return True
        onset = self.onset + SHIFT.values[shift]
        if (shift == 0 and self.pitch >= 0) or onset >= self.span.end:
            return True
        return bool(self._open_keys(onset).any())

    def _open_keys(self, onset: int) -> NDArray[np.bool_]:
        """Keys that may be struck at an onset: (88,).

        None that is held, as in every encoded piece; but where that leaves none, and there can be no onset
        without (see `crowded`), one is struck again.
        """
        unfixed = self.fixed.free(onset)
        allowed = self.constraints.pitches & unfixed & self._on_side(~unfixed)
        free = allowed & (self.until <= onset)
        if self.passage.single and (self.until > onset).any():
            return np.zeros_like(free)
        if self.constraints.limits:
            return free & self.constraints.playable_with(~unfixed | (self.until > onset))
        return free if self.crowded or free.any() else allowed

    def _on_side(self, sounding: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Keys above or below all that sound, as the passage wants it."""
        keys, held = np.arange(PITCH.size), np.flatnonzero(sounding)
        if self.passage.side is None or not len(held):
            return np.ones(PITCH.size, bool)
        return keys > held[-1] if self.passage.side == "above" else keys < held[0]

    def _room(self) -> int:
        """Steps for which the key that was chosen can be held."""
        room = self.fixed.room(self.pitch_next, self.onset_next)
        if not self.constraints.limits:
            return room
        later = self.fixed.starts[(self.fixed.starts > self.onset_next)]
        for onset in np.unique(later[later < self.onset_next + room]).tolist():
            held = ~self.fixed.free(onset) | (self.until > onset)
            if not self.constraints.playable_with(held)[self.pitch_next]:
                return onset - self.onset_next
        return room

    def take(self, row: tuple[int, ...]) -> Drawn:
        """Makes a drawn row the last."""
        if self.begun:
            self.leaning.take(row, self.onset_next - self.onset)
        self.onset, self.pitch, self.begun = self.onset_next, row[1], True
        self.until[row[1]] = self.onset + DURATION.values[row[2]]
        self.recent.append(row[1])
        return Drawn(row, self.onset, self.passage.places(self.onset))


class Choosers(MixingTogether):
    """The choosers of several takes of one passage, which draw in step; each as it would alone."""

    def __init__(
        self, sampling: Sampling, seeds: Sequence[int], constraints: Constraints, passage: Passage
    ) -> None:
        self.constraints = constraints
        self.sampling = suited(sampling, passage.style)
        samplers = [Sampler(self.sampling, seed) for seed in seeds]
        self.each: list[Chooser] = [Chooser(sampler, constraints, passage) for sampler in samplers]
        self._allowed = constraints.pitches
        self._highest = int(np.flatnonzero(self._allowed)[-1])
        self._crowded = any(chooser.crowded for chooser in self.each)
        self._leaning = passage.aims.fields
        self._plain = False
        """Whether all that draw a row have begun, and none is crowded."""
        self._share()

    def __call__(
        self, field_index: int, logits: NDArray[np.float32], takes: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        """See `sequence.ChooseTogether`."""
        return self.mix(field_index, logits, [NO_COPIES] * len(takes), takes)

    def mix(
        self,
        field: int,
        logits: NDArray[np.float32],
        copies: Sequence[Copies],
        takes: NDArray[np.intp],
    ) -> NDArray[np.intp]:
        """See `sequence.MixingTogether`."""
        drawing = self.each if len(takes) == len(self.each) else self._chosen(takes)
        if field == 0:
            self._plain = not self._crowded and all(chooser.begun for chooser in drawing)
            if not self._plain:  # where there may be no room a shift may be drawn more than once
                each = zip(drawing, logits, copies, strict=True)
                return np.array([chooser.mix(field, own, some) for chooser, own, some in each], np.intp)
        if self._plain:
            self._mask(field, logits, drawing, takes)
        else:
            for chooser, own in zip(drawing, logits, strict=True):
                chooser.mask(field, own)
        if field in self._leaning:
            for chooser, own in zip(drawing, logits, strict=True):
                chooser.leaning.weigh(field, own)
        is_pitch = field == 1
        symbols = draw_together(
            [chooser.sampler for chooser in drawing],
            logits,
            [chooser.recent for chooser in drawing] if is_pitch else [()] * len(drawing),
            1.0 if is_pitch else LENIENT,
            copies,
        )
        if field < 2:
            for chooser, symbol in zip(drawing, symbols.tolist(), strict=True):
                chooser.chosen(field, symbol)
        return symbols

    def _mask(
        self,
        field_index: int,
        logits: NDArray[np.float32],
        drawing: list[Chooser],
        takes: NDArray[np.intp],
    ) -> None:
        """What `Chooser.mask` does for each that has begun and is not crowded, in fewer calls."""
        if field_index == 0:
            may_end = drawing[0].span.may_end
            held = self._until[takes, self._highest].tolist()
            for chooser, own, until in zip(drawing, logits, held, strict=True):
                if may_end is None or chooser.onset < may_end:
                    own[END] = -np.inf
                # Nearly always the highest key is free, and need not be looked for.
                above = chooser.pitch < self._highest and until <= chooser.onset
                if not (above or chooser.goes_on_up()):
                    own[0] = -np.inf
        elif field_index == 1:
            free = self._allowed & (
                self._until[takes] <= np.array([[chooser.onset_next] for chooser in drawing])
            )
            free[~free.any(1)] = self._allowed
            np.copyto(logits, -np.inf, where=~free)
        elif field_index == 2:
            logits[:, drawing[0].too_long :] = -np.inf

    def _chosen(self, takes: NDArray[np.intp]) -> list[Chooser]:
        indices: list[int] = takes.tolist()
        return [self.each[take] for take in indices]

    def _share(self) -> None:
        """Lays out side by side what the choosers know of held keys: (takes, 88)."""
        self._until = np.array([chooser.until for chooser in self.each])
        for chooser, until in zip(self.each, self._until, strict=True):
            chooser.until = until

    def keep(self, takes: NDArray[np.intp]) -> None:
        """Goes on with some of the takes only."""
        self.each = self._chosen(takes)
        self._share()


def _durations_within(steps: int) -> int:
    """Symbol of the first duration that is longer than so many steps; the shortest always fits."""
    return int(DURATION.table.searchsorted(max(steps, 1), side="right"))
