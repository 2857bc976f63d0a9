"""Parts of a piece that are fixed: where they are told, what they cost, and that nothing meets them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cadenza.architecture import ComposerConfig
from cadenza.batches import torch_batch
from cadenza.engine.arithmetic import log_softmax
from cadenza.engine.chooser import Passage, Span
from cadenza.engine.constraints import Constraints
from cadenza.engine.generate import stream
from cadenza.engine.network import NumpyComposer
from cadenza.engine.sampler import Sampling
from cadenza.models.composer import Composer
from cadenza.representation import events
from cadenza.representation.conditions import ChordTrack
from cadenza.representation.edits import (
    AFTER,
    DRAWN,
    FIXED,
    NOTHING,
    STOP,
    Elements,
    Region,
    Seam,
    elements_of,
    ending,
    following,
    gap,
    highest,
    in_order,
    known_notes,
    random_region,
    stop_at,
    without,
)
from cadenza.representation.events import DURATION, END, FIELDS, NO_POSITION, EventSequence
from cadenza.score import Event, Score
from cadenza.sequence import Setting
from cadenza.windows import asked, padded, window

TINY = ComposerConfig(width=32, heads=1, layers=3, feed_forward=48, context=256, local=4)
AHEAD = [0, 24, 192]


def piece(bars: int = 6, grid: events.Grid = "metrical") -> EventSequence:
    """A bass under a melody that at times rests or holds, with chords and pedal."""
    rows: list[tuple[int, int, int, int]] = []
    for bar in range(bars):
        at = bar * 1920
        rows.append((36 + bar % 5, at, at + 1800, 70))
        rows += [(60 + (i * 5 + bar) % 13, at + i * 240, at + i * 240 + 200, 50 + 5 * i) for i in range(6)]
        rows += [(64, at + 1440, at + 1560, 90), (79, at + 1440, at + 1800, 40)]
    pedal = [Event(bar * 1920, bytes([0xB0, 64, 127 * (bar % 2)])) for bar in range(bars)]
    return events.encode(Score.from_notes(rows, events=pedal), grid)


def composer(look_ahead: int) -> Composer:
    """Of weights that are nowhere zero, so that nothing hides."""
    torch.manual_seed(0)
    model = Composer(replace(TINY, look_ahead=look_ahead))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        for table in model.modules():
            if isinstance(table, nn.Embedding) and table.padding_idx is not None:
                table.weight[table.padding_idx] = 0  # what is not asked adds nothing
    return model.eval()


def engine_of(model: Composer) -> NumpyComposer:
    return NumpyComposer(model.config, {k: v.numpy() for k, v in model.state_dict().items()})


def cut(sequence: EventSequence, first: int, last: int) -> EventSequence:
    return sequence.part(slice(first, last), complete=last >= len(sequence))


def random_elements(seed: int, look_ahead: int) -> tuple[EventSequence, int, Region, Elements]:
    rng = np.random.default_rng(seed)
    whole = piece(grid="free" if seed % 3 == 2 else "metrical")
    first = int(rng.integers(2))
    begin = int(rng.integers(8)) if first else 0
    part = cut(whole, begin, int(rng.integers(begin + 4, len(whole) + 1)))
    region = random_region(part, first, rng)
    return part, first, region, elements_of(part, first, region, look_ahead)


# --- What is told, and when -------------------------------------------------------------------------
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("look_ahead", AHEAD)
def test_where_nothing_is_fixed_it_is_a_window(first: int, look_ahead: int) -> None:
    whole = piece()
    elements = elements_of(whole, first, Region(np.zeros(len(whole), bool)), look_ahead)
    plain = window(whole, first, len(whole) + 1 - first, "pop")
    for name, array in vars(plain.elements).items():
        assert np.array_equal(array[0], getattr(elements, name)), name


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from(AHEAD))
def test_every_note_is_drawn_or_told_once(seed: int, look_ahead: int) -> None:
    part, first, region, elements = random_elements(seed, look_ahead)
    drawn, fixed = without(part, region.fixed)
    targets = elements.next_rows[elements.drawn]
    ends = part.complete or region.stop is not None
    assert np.array_equal(targets[: len(targets) - ends, 1:], drawn.rows[first:, 1:])
    assert (targets[len(targets) - ends :, 0] == END).all()
    later = fixed.onsets >= (10**6 if region.stop is None else region.stop)
    assert np.array_equal(elements.rows[elements.kinds == AFTER, 1:], fixed.rows[later, 1:])
    assert (elements.kinds[: np.count_nonzero(later)] == AFTER).all()
    told = elements.rows[elements.kinds == FIXED]
    # What lies further than the look-ahead behind the last drawn note is not told of any more.
    in_time = ~later & (fixed.onsets <= (drawn.onsets[-1] if len(drawn) else 0) + look_ahead)
    assert np.array_equal(told[:, 1:], fixed.rows[in_time, 1:])
    assert np.count_nonzero(elements.kinds == STOP) <= (region.stop is not None)
    assert len(elements.kinds) <= len(part) + 2


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from(AHEAD))
def test_what_is_known_is_told_in_time_and_no_earlier(seed: int, look_ahead: int) -> None:
    _, first, region, elements = random_elements(seed, look_ahead)
    is_known = (elements.kinds == FIXED) | (elements.kinds == STOP)
    drawn_so_far = np.cumsum(elements.kinds == DRAWN) - 1 + first  # rows of the piece that were drawn
    assert (drawn_so_far[is_known] >= region.begin).all()
    for t in np.flatnonzero(elements.drawn & (drawn_so_far >= region.begin)):
        later = elements.onsets[t + 1 :][is_known[t + 1 :]]
        now = elements.onsets[: t + 1][elements.kinds[: t + 1] == DRAWN][-1]
        assert (later > now + look_ahead).all()


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([24, 192]))
def test_a_fixed_note_carries_how_far_ahead_it_lies(seed: int, look_ahead: int) -> None:
    *_, elements = random_elements(seed, look_ahead)
    for t in np.flatnonzero(elements.kinds == FIXED):
        now = elements.onsets[:t][elements.kinds[:t] == DRAWN][-1]
        ahead = max(0, int(elements.onsets[t] - now))
        assert elements.rows[t, 0] == int(events.SHIFT.encode(min(ahead, 768)))


def test_a_gap_is_of_whole_bars() -> None:
    whole = piece(4)
    region = gap(whole, 12, 20)  # rows of the second and of the third bar
    assert (region.stop, region.stop_place) == (192, (0, 96))
    assert np.array_equal(region.fixed, whole.onsets >= 192)
    assert region.begin == np.count_nonzero(whole.onsets < 96)
    one_bar = gap(whole, 12, 13)
    assert one_bar.stop == 192
    free = gap(piece(4, "free"), 12, 20)
    assert free.stop_place == (NO_POSITION, 0)


def test_a_piece_ends_at_the_bar_line_after_its_last_onset() -> None:
    whole = piece(4)
    region = ending(whole, 0)
    assert (region.stop, region.stop_place, region.fixed.any()) == (384, (0, 96), False)
    elements = elements_of(whole, 0, region, 48)
    assert np.count_nonzero(elements.kinds == STOP) == 1
    assert elements.next_rows[elements.drawn][-1].tolist() == [END, 0, 0, 0, 0]
    free = piece(2, "free")
    assert ending(free, 0).stop == free.onsets[-1] + 100


def test_the_melody_is_what_lies_highest_but_not_under_a_held_note() -> None:
    rows = [(72, 0, 960, 80), (60, 0, 480, 80), (64, 480, 960, 80), (67, 960, 1440, 80), (48, 1440, 1920, 80)]
    sequence = events.encode(Score.from_notes(rows))
    assert events.PITCH.decode(sequence.rows[highest(sequence), 1]).tolist() == [72, 67, 48]


# --- The models -------------------------------------------------------------------------------------
@torch.no_grad()
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("look_ahead", AHEAD)
def test_engine_and_torch_agree_on_edits(seed: int, look_ahead: int) -> None:
    model = composer(look_ahead)
    *_, elements = random_elements(seed, look_ahead)
    batch = torch_batch(padded(elements, len(elements.kinds) + 3, "pop"), TINY.styles)
    expected = model(batch)[0, : len(elements.drawn)].numpy()[elements.drawn]
    assert engine_of(model).score(elements, "pop") == pytest.approx(expected, abs=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("seed", range(6))
def test_engine_and_torch_agree_on_what_is_asked(seed: int) -> None:
    part, _, region, elements = random_elements(seed, 48)
    told = asked(elements, part, region, np.random.default_rng(seed))
    batch = torch_batch(padded(told, len(told.kinds) + 3, None), TINY.styles)
    scores = composer(48)(batch)[0].numpy()
    assert np.isfinite(scores).all()
    expected = scores[: len(told.drawn)][told.drawn]
    assert engine_of(composer(48)).score(told, None) == pytest.approx(expected, abs=1e-4)


CHORDS = ChordTrack(np.array([0, 96, 200, 300]), np.array([2, 17, 1, 45]))
ASKED = (3, 5, 2, 20)


@pytest.mark.usefixtures("all_recalled")
@torch.no_grad()
@pytest.mark.parametrize("voices", [False, True])
@pytest.mark.parametrize("is_asked", [False, True])
@pytest.mark.parametrize("look_ahead", AHEAD)
def test_what_is_drawn_step_by_step_is_what_the_likelihood_says(
    look_ahead: int, is_asked: bool, voices: bool
) -> None:
    """A gap in the middle of a piece, with or without its melody, every draw being forced."""
    engine, whole = engine_of(composer(look_ahead)), piece()
    region = gap(whole, 18, 30)
    stop = region.stop
    assert stop is not None
    if voices:
        inside = highest(whole) & (np.arange(len(whole)) >= region.begin)
        region = replace(region, fixed=region.fixed | inside)
    drawn, fixed = without(whole, region.fixed)
    prompt = replace(cut(drawn, 0, region.begin), complete=False)
    inside = fixed.onsets < stop
    known = in_order(known_notes(fixed.part(inside, complete=False)), stop_at(stop, region.stop_place))
    after = following(fixed.part(~inside, complete=True), stop)
    setting = Setting(known, after, ASKED, CHORDS) if is_asked else Setting(known, after)
    elements = elements_of(whole, 0, region, look_ahead)
    if is_asked:
        from_here = np.arange(len(elements.kinds)) >= len(after) + region.begin
        latest = np.maximum.accumulate(np.where(elements.kinds == DRAWN, np.arange(len(from_here)), 0))
        now = elements.onsets[latest]
        chords = np.column_stack([CHORDS.at(now), CHORDS.after(now), CHORDS.at(elements.next_onsets)])
        elements = replace(
            elements, asked=np.array(ASKED) * from_here[:, None], chords=chords * from_here[:, None]
        )
    expected = engine.score(elements, "pop")[region.begin :]
    rows = [*drawn.rows[region.begin :].tolist(), [END, 0, 0, 0, 0]]
    places = dict(
        zip(
            whole.onsets.tolist(),
            zip(whole.positions.tolist(), whole.bars.tolist(), strict=True),
            strict=True,
        )
    )
    first = (0, int(whole.bars[0]))
    state = engine.start(prompt, "pop", lambda _: first, setting)
    state.places = places.__getitem__
    told, scores = 0, np.zeros((len(rows), len(FIELDS)))
    for t, row in enumerate(rows):
        until = np.searchsorted(known.onsets, state.onset + look_ahead, side="right")
        engine.tell(state, known.part(told, max(told, int(until))))
        told = max(told, int(until))

        def choose(field: int, logits: np.ndarray, t: int = t, row: list[int] = row) -> int:
            scores[t, field] = log_softmax(logits)[row[field]]
            return row[field]

        engine.step(state, choose)
    assert scores == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("look_ahead", [24, 192])
def test_what_is_not_told_yet_changes_nothing(look_ahead: int) -> None:
    engine, whole = engine_of(composer(look_ahead)), piece()
    fixed = highest(whole)
    fixed[0] = False
    later = np.flatnonzero(fixed)[-1]
    rows = whole.rows.copy()
    rows[later, 1] += 5
    region = Region(fixed)
    one, other = (
        engine.score(elements_of(sequence, 0, region, look_ahead), "pop")
        for sequence in (whole, replace(whole, rows=rows))
    )
    onsets = whole.onsets[~fixed]
    before = np.concatenate([[0], onsets])[: len(one)] + look_ahead < whole.onsets[later]
    assert before.any()
    assert one[before, 0] == pytest.approx(other[before, 0], abs=1e-5)
    # Once a shift leads to it, it is heard.
    elsewhere = before & (np.append(onsets, 0)[: len(one)] < whole.onsets[later])
    assert one[elsewhere] == pytest.approx(other[elsewhere], abs=1e-5)
    assert not np.allclose(one[~before], other[~before])


# --- Drawing ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("look_ahead", AHEAD)
def test_nothing_drawn_meets_what_is_fixed(seed: int, look_ahead: int) -> None:
    engine, whole = engine_of(composer(look_ahead)), piece()
    region = gap(whole, 18, 30)
    fixed = region.fixed | highest(whole)
    prompt = replace(cut(whole, 0, region.begin), complete=False)
    assert region.stop is not None
    _, apart = without(whole, fixed & (whole.onsets >= 96) & (whole.onsets < region.stop))
    _, later = without(whole, whole.onsets >= region.stop)
    known = in_order(known_notes(apart), stop_at(region.stop, region.stop_place))
    after = following(later, region.stop)
    bars = {step: (step % 96, 96) for step in range(1000)}
    span = Span(96, region.stop, may_end=region.stop - 48)
    drawn = list(
        stream(
            engine,
            Passage(span, bars.__getitem__, prompt, Setting(known, after), "pop"),
            constraints=Constraints(),
            sampling=Sampling(temperature=2.0, top_p=1.0),
            seed=seed,
        )
    )
    assert all(96 <= note.onset < region.stop for note in drawn)
    for note in drawn:
        same = apart.rows[:, 1] == note.row[1]
        starts, ends = apart.onsets[same], (apart.onsets + DURATION.decode(apart.rows[:, 2]))[same]
        end = note.onset + DURATION.values[note.row[2]]
        assert not ((starts < end) & (note.onset < ends)).any()


def test_what_follows_leaves_half_of_the_context() -> None:
    engine, whole = engine_of(composer(192)), piece(80)
    begin, stop = int(whole.onsets[300]), int(whole.onsets[320])
    prompt = whole.part(slice(0, 300), complete=False)
    after = following(whole.part(slice(320, None), complete=True), stop)
    some = after.part(slice(engine.config.context // 2), complete=False)
    states = [engine.start(prompt, "pop", lambda _: (0, 96), Setting(after=of)) for of in (after, some)]
    assert [state.onset for state in states] == [int(prompt.onsets[-1])] * 2 < [begin] * 2
    assert states[0].count == engine.config.context
    assert (states[0].known == states[1].known).all()


def test_where_nothing_is_drawn_nothing_is_told() -> None:
    whole = piece()
    region = Region(np.ones(len(whole), bool), 0, int(whole.onsets[-1]) + 96, (0, 96))
    elements = elements_of(whole, 0, region, 192)
    for seed in range(8):
        told = asked(elements, whole, region, np.random.default_rng(seed))
        assert not told.asked.any()
        assert not told.chords.any()


def test_how_far_a_seam_lies_is_told_within_the_look_ahead() -> None:
    after = events.encode(Score.from_notes([(60, 0, 480, 80), (64, 0, 480, 80), (67, 480, 960, 80)]))
    known = stop_at(100, (0, 96))
    onsets = np.array([0, 51, 52, 99, 100])
    near = events.SHIFT.encode(np.array([48, 1]))
    join = Seam.of(known, after)
    assert join.ahead(onsets, 48).tolist() == [0, 0, *near.tolist(), 0]
    assert events.PITCH.decode(np.flatnonzero(join.keys)).tolist() == [60, 64]
    end = Seam.of(known, None)
    assert end.ends
    assert end.ahead(onsets, 48).tolist() == [0, 0, *(near + FIELDS[0].size).tolist(), 0]
    assert not Seam.of(NOTHING, None).ahead(onsets, 48).any()
