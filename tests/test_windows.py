"""Windows of events: what is known and what is drawn, how both are varied, and how they are drawn."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.augmentation import Augmentation
from cadenza.dataset import Prepared, prepare
from cadenza.representation import events
from cadenza.representation.edits import DRAWN, STOP, Elements
from cadenza.representation.events import END, FIELDS, NO_POSITION, EventSequence, encode
from cadenza.score import Event, Score
from cadenza.windows import Windows, WindowSource, evaluation_windows, stacked, window

MakeFolder = Callable[..., Path]


def piece(bars: int = 4, grid: events.Grid = "metrical") -> EventSequence:
    """Chords and a melody with pedal, in three quarters."""
    rows = [(48, bar * 1440, bar * 1440 + 1400, 60) for bar in range(bars)]
    rows += [(64 + i % 7, i * 240, i * 240 + 200, 70 + i % 9) for i in range(bars * 6)]
    pedal = [Event(bar * 1440, bytes([0xB0, 64, 127 * (bar % 2)])) for bar in range(bars)]
    return encode(Score.from_notes(rows, metre=(3, 4), events=pedal), grid)


# --- Windows ---


def test_a_window_by_hand() -> None:
    sequence = piece(1)
    one = window(sequence, 0, 10, "waltz")
    w = one.elements
    assert w.is_start[0].tolist() == [True] + [False] * 9
    assert w.rows[0, 0].tolist() == [0] * 5
    assert w.onsets[0].tolist() == [0, *sequence.onsets.tolist(), 0, 0]
    assert w.places[0, 0].tolist() == [0, 72]
    assert w.next_rows[0, :7].tolist() == sequence.rows.tolist()
    assert w.next_rows[0, 7].tolist() == [END, 0, 0, 0, 0]
    assert w.next_places[0, 7].tolist() == [NO_POSITION, 0]
    assert w.drawn[0].tolist() == [True] * 8 + [False] * 2
    assert one.styles == ("waltz",)
    assert window(piece(1, "free"), 0, 3, "").elements.places[0, 0].tolist() == [NO_POSITION, 0]


@given(st.integers(0, 40), st.integers(1, 50), st.booleans())
def test_each_draw_follows_what_is_known(first: int, length: int, complete: bool) -> None:
    sequence = replace(piece(), complete=complete)
    count = len(sequence)
    first = min(first, count)
    w = window(sequence, first, length, "").elements
    for t, drawn in enumerate(range(first, first + length)):
        assert w.is_start[0, t] == (drawn == 0)
        if 1 <= drawn <= count:
            assert w.rows[0, t].tolist() == sequence.rows[drawn - 1].tolist()
            assert w.onsets[0, t] == sequence.onsets[drawn - 1]
            assert w.places[0, t].tolist() == [sequence.positions[drawn - 1], sequence.bars[drawn - 1]]
        if drawn < count:
            assert w.next_rows[0, t].tolist() == sequence.rows[drawn].tolist()
            assert w.next_places[0, t].tolist() == [sequence.positions[drawn], sequence.bars[drawn]]
        assert w.drawn[0, t] == (drawn < count or (drawn == count and complete))
    ends = (w.next_rows[0, :, 0] == END) & w.drawn[0]
    assert ends.sum() == (complete and first <= count < first + length)


@given(st.integers(1, 40), st.integers(0, 39))
def test_evaluation_draws_each_row_and_the_end_once(length: int, overlap: int) -> None:
    overlap %= length
    sequence = piece()
    drawn: list[list[int]] = []
    for w, context in evaluation_windows(sequence, length, overlap, ""):
        assert w.elements.rows.shape[1] <= length
        assert not drawn or context >= overlap
        assert np.all(w.elements.drawn)
        drawn += w.elements.next_rows[0, context:].tolist()
    assert drawn == [*sequence.rows.tolist(), [END, 0, 0, 0, 0]]


def test_an_overlap_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="windows of 8 draws cannot overlap by 8"):
        next(evaluation_windows(piece(), 8, 8, ""))


def test_windows_are_stacked() -> None:
    both = stacked([window(piece(), 0, 5, "a"), window(piece(), 3, 5, "b")])
    assert both.elements.rows.shape == (2, 5, 5)
    assert both.styles == ("a", "b")


# --- Augmentation ---


def in_order(sequence: EventSequence) -> bool:
    """Whether onsets ascend and pitches within an onset do."""
    steps = list(zip(sequence.onsets.tolist(), sequence.rows[:, 1].tolist(), strict=True))
    return steps == sorted(set(steps))


@given(st.integers(0, 2**32 - 1), st.sampled_from(["metrical", "free"]), st.integers(0, 10))
def test_varied_rows_keep_tables_and_order(seed: int, grid: events.Grid, first: int) -> None:
    sequence = piece(grid=grid)
    part = slice(first, first + 12)
    cut = EventSequence(
        sequence.rows[part], sequence.onsets[part], sequence.positions[part], sequence.bars[part], grid
    )
    varied = Augmentation(stretch=0.5).apply(cut, np.random.default_rng(seed))
    for column, field in zip(varied.rows.T, FIELDS, strict=True):
        assert 0 <= column.min() <= column.max() < len(field.values)
    assert in_order(varied)
    assert np.array_equal(np.diff(varied.onsets) == 0, np.diff(cut.onsets) == 0)
    assert np.array_equal(np.diff(varied.onsets), events.SHIFT.decode(varied.rows[1:, 0]))
    assert np.array_equal(varied.rows[:, 4], cut.rows[:, 4])
    if grid == "metrical":
        assert np.array_equal(varied.rows[:, [0, 2]], cut.rows[:, [0, 2]])


def test_all_twelve_keys_are_heard() -> None:
    sequence, rng = piece(), np.random.default_rng(0)
    moves = {int(Augmentation().apply(sequence, rng).rows[0, 1] - sequence.rows[0, 1]) for _ in range(300)}
    assert moves == set(range(-6, 6))


def test_at_the_edges_of_the_piano_transposition_is_bounded() -> None:
    low = encode(Score.from_notes([(22, 0, 480, 80), (60, 480, 960, 80)]))
    high = encode(Score.from_notes([(106, 0, 480, 80), (60, 480, 960, 80)]))
    rng = np.random.default_rng(0)
    assert {int(Augmentation().apply(low, rng).rows[0, 1]) for _ in range(200)} == set(range(7))
    assert {int(Augmentation().apply(high, rng).rows[0, 1]) for _ in range(200)} == set(range(79, 88))


def test_without_augmentation_nothing_is_varied() -> None:
    nothing = Augmentation(transpose=0, velocity=0, stretch=0.0)
    # No step down and none up: the upper bound lies below the lower.
    for grid in ("metrical", "free"):
        varied = nothing.apply(piece(grid=grid), np.random.default_rng(0))
        assert varied.rows.tolist() == piece(grid=grid).rows.tolist()
        assert varied.onsets.tolist() == piece(grid=grid).onsets.tolist()


# --- Batches ---


@pytest.fixture
def prepared(cache: Path, midi_folder: MakeFolder) -> Prepared:
    assert not cache.exists()
    return prepare(str(midi_folder(files=24)), workers=1)


def same(one: Windows, two: Windows) -> bool:
    names = [field.name for field in fields(Elements)]
    same = (np.array_equal(getattr(one.elements, name), getattr(two.elements, name)) for name in names)
    return one.styles == two.styles and all(same)


def test_a_batch_follows_from_seed_and_step(prepared: Prepared) -> None:
    def source(seed: int) -> WindowSource:
        return WindowSource((prepared, prepared), (1.0, 3.0), 6, 4, Augmentation(), seed)

    batches = [source(7).draw(step) for step in range(5)]
    one = source(7)
    assert all(same(one.draw(step), batches[step]) for step in (3, 0, 4, 2, 1))
    assert not same(batches[0], batches[1])
    assert not same(batches[0], source(8).draw(0))


def test_batches_hold_training_pieces_only(prepared: Prepared) -> None:
    nothing = Augmentation(transpose=0, velocity=0, stretch=0.0)
    source = WindowSource((prepared,), (1.0,), 40, 32, nothing, 0)
    w = source.draw(0).elements
    known = {prepared.sequence(p).rows.tobytes(): p.split for p in prepared.pieces}
    heard: set[str] = set()
    for rows, is_drawn, start in zip(w.next_rows, w.drawn, w.is_start, strict=True):
        assert start[0]
        drawn = rows[is_drawn]
        assert drawn[-1, 0] == END
        heard.add(known[drawn[:-1].astype(np.int16).tobytes()])
    assert heard == {"train"}


def test_windows_in_the_middle_know_the_row_before(prepared: Prepared) -> None:
    nothing = Augmentation(transpose=0, velocity=0, stretch=0.0)
    w = WindowSource((prepared,), (1.0,), 4, 64, nothing, 0).draw(1).elements
    assert np.array_equal(w.rows[:, 1:], w.next_rows[:, :-1])
    middle = ~w.is_start[:, 0]
    assert middle.any()
    assert np.all(w.rows[middle, 0, 1] > 0)
    assert np.all(w.drawn), "a window that fits into its piece has no padding"


def test_windows_at_the_end_draw_it_and_every_other_is_told(prepared: Prepared) -> None:
    nothing = Augmentation(transpose=0, velocity=0, stretch=0.0)
    source = WindowSource(
        (prepared,), (1.0,), 12, 64, nothing, 0, beginnings=0.0, endings=1.0, look_ahead=192
    )
    w = source.draw(0).elements
    told = 0
    for rows, drawn, kinds, onsets, places in zip(
        w.next_rows, w.drawn, w.kinds, w.onsets, w.places, strict=True
    ):
        assert rows[drawn][-1, 0] == END
        assert not (rows[drawn][:-1, 0] == END).any()
        if (kinds == STOP).any():
            told += 1
            (stop,) = np.flatnonzero(kinds == STOP)
            assert onsets[stop] > onsets[kinds == DRAWN].max()
            assert places[stop, 0] in (0, NO_POSITION), "a piece with bars ends on a bar line"
    assert 16 < told < 48
