"""Batches of piano rolls: what is drawn, how often, and what it weighs."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.batches import RollBatches, openings_of
from cadenza.corpus import Split
from cadenza.dataset import Piece, Prepared
from cadenza.errors import CadenzaError
from cadenza.midi import write_midi
from cadenza.recipe import Recipe, RollDataConfig, TrainingConfig
from cadenza.representation.pianoroll import (
    HELD,
    KEYS,
    NO_POSITION,
    STRUCK,
    PianoRoll,
    RollSequence,
    Segments,
)
from cadenza.score import Score
from cadenza.segments import Epochs, Place, RandomSegments, batches, chunks, sides
from cadenza.sizes import BiaxialConfig

FORM = PianoRoll()
DIGITS = 12
"""Keys that spell a step's number in a corpus."""
SPELT = 2 ** np.arange(DIGITS)


def corpus(*lengths: int, split: Split = "train", name: str = "mine", first: int = 1) -> Prepared:
    """Pieces of given lengths; every step of the corpus spells its own number, from `first` on."""
    numbers = np.arange(first, first + sum(lengths))
    rows = np.zeros((len(numbers), KEYS), np.uint8)
    rows[:, :DIGITS] = (numbers[:, None] >> np.arange(DIGITS)) & 1
    ends = np.cumsum([0, *lengths]).tolist()
    positions = np.concatenate([np.arange(length) % 16 for length in lengths]).astype(np.int16)
    pieces = [
        Piece(f"{i:03d}", split, "metrical", native=True, start=ends[i], stop=ends[i + 1], content="")
        for i in range(len(lengths))
    ]
    arrays: dict[str, Any] = {"rows": rows, "velocities": rows * np.uint8(80), "positions": positions}
    return Prepared(name, name, Path(), FORM, tuple(pieces), (), arrays, "")


def spelt(rows: np.ndarray) -> np.ndarray:
    """Numbers of steps; 0 is silence."""
    return rows[..., :DIGITS] @ SPELT


def predicted(segments: Iterable[Segments]) -> Counter[int]:
    """How much every step weighs among what is drawn."""
    total: Counter[int] = Counter()
    for one in segments:
        for number, weight in zip(spelt(one.next_rows).flat, one.weight.flat, strict=True):
            total[int(number)] += int(weight)
    return +total


def same(one: Segments, other: Segments) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(vars(one).values(), vars(other).values(), strict=True))


def check(segments: Segments) -> None:
    """What holds of every segment: each step is known after it was drawn, and padding is silence."""
    drawn, known = spelt(segments.next_rows), spelt(segments.rows)
    assert (segments.next_rows[segments.weight > 0].any(-1)).all()
    assert np.array_equal(segments.velocities > 0, segments.rows > 0)
    assert np.array_equal(segments.next_velocities > 0, segments.next_rows > 0)
    assert np.array_equal(segments.positions == NO_POSITION, known == 0)
    for row, before in zip(drawn, known, strict=True):
        for t in range(1, len(row)):
            assert before[t] == (row[t - 1] if row[t] else 0)


# --- Random segments --------------------------------------------------------------------------------
def source(*corpora: Prepared, **changes: int) -> RandomSegments:
    settings = {"length": 8, "batch": 6, "most": 0, "seed": 1} | changes
    return RandomSegments(corpora, "*", **settings)


def test_a_batch_depends_on_the_seed_and_its_step_alone() -> None:
    music = corpus(40, 30)
    fresh = source(music).draw(3)
    used = source(music)
    for step in (0, 7, 3):
        again = used.draw(step)
    assert same(again, fresh)
    assert not same(used.draw(4), fresh)
    assert not same(source(music, seed=2).draw(3), fresh)


def test_random_segments_lie_within_their_piece_and_reach_both_ends() -> None:
    one = source(corpus(11, 8, 7), batch=200)
    batch = one.draw(0)
    check(batch)
    assert (batch.weight == 1).all()
    firsts = set(spelt(batch.next_rows[:, 0]).tolist())
    # The piece of eleven steps has four segments, that of eight one, that of seven none.
    assert firsts == {1, 2, 3, 4, 12}


def test_every_piece_is_as_likely_however_long() -> None:
    batch = source(corpus(200, 8, 60), batch=3000).draw(0)
    numbers = spelt(batch.next_rows[:, 0])
    shares = [(numbers <= 200).mean(), (numbers == 201).mean(), (numbers > 208).mean()]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.03)


def test_the_piece_before_is_not_known_at_the_beginning_of_one() -> None:
    batch = source(corpus(9, 8), batch=100).draw(0)
    begins = np.isin(spelt(batch.next_rows[:, 0]), [1, 10])
    assert begins.any()
    assert not batch.rows[begins, 0].any()
    assert (batch.positions[begins, 0] == NO_POSITION).all()
    assert (spelt(batch.rows[~begins, 0]) == 1).all()


@pytest.mark.parametrize("most", [1, 5])
def test_so_many_segments_are_chosen_once(most: int) -> None:
    music = corpus(500, 400)
    one = source(music, most=most, batch=20)
    seen = [set(spelt(one.draw(step).next_rows[:, 0]).tolist()) for step in range(5)]
    assert len(set.union(*seen)) == most
    again = source(music, most=most, batch=20)
    assert same(again.draw(4), one.draw(4))
    other = source(music, most=most, batch=20, seed=2)
    assert set(spelt(other.draw(0).next_rows[:, 0]).tolist()) != set.union(*seen)


def test_only_the_training_pieces_that_match_are_drawn() -> None:
    both = (corpus(20, 20, 20), corpus(20, name="held out", split="valid", first=100))
    only = RandomSegments(both, "00[02]", 8, 200, 0, 1)
    numbers = spelt(only.draw(0).next_rows)
    assert set(((numbers - 1) // 20).flat) == {0, 2}


@pytest.mark.parametrize(
    ("pieces", "length", "message"),
    [
        ("*", 8, r"no training piece matches '\*' and has 8 steps"),
        ("solo/*", 4, r"no training piece matches 'solo/\*' and has 4 steps"),
    ],
)
def test_pieces_that_are_all_too_short_or_of_other_names(pieces: str, length: int, message: str) -> None:
    with pytest.raises(CadenzaError, match=message):
        RandomSegments((corpus(7, 3),), pieces, length, 4, 0, 1).draw(0)


def test_a_context_may_lie_before_the_piece_and_shortens_what_is_asked_of_it() -> None:
    batch = source(corpus(6, 5), length=8, context=2, batch=100).draw(0)
    check(batch)
    assert not batch.weight[:, :2].any()
    assert batch.weight[:, 2:].all()
    assert set(spelt(batch.next_rows[:, 2]).tolist()) == {1}


# --- Epochs and chunks ------------------------------------------------------------------------------
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.integers(1, 5),
    st.integers(2, 20),
    st.integers(0, 3),
)
def test_an_epoch_visits_every_step_once(lengths: list[int], batch: int, length: int, context: int) -> None:
    context = min(context, length - 1)
    music = (corpus(*lengths), corpus(3, 50, name="more", first=sum(lengths) + 1))
    one = Epochs(music, "*", length, batch, seed=1, context=context)
    for epoch in range(2):
        drawn = [one.draw(epoch * one.batches + k) for k in range(one.batches)]
        assert predicted(drawn) == dict.fromkeys(range(1, sum(lengths) + 54), 1)
        for segments in drawn:
            check(segments)
            assert segments.weight.shape[0] <= batch
            assert segments.weight.shape[1] <= length


def test_another_epoch_another_order_and_the_same_one_again() -> None:
    music = corpus(*[4] * 24)

    def order(epoch: int, seed: int = 1) -> list[list[int]]:
        one = Epochs((music,), "*", 16, 4, seed)
        return [spelt(one.draw(epoch * 6 + k).next_rows[:, 0]).tolist() for k in range(6)]

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert order(0) != order(0, seed=2)
    assert sorted(first for firsts in order(0) for first in firsts) == list(range(1, 97, 4))


def test_a_piece_is_cut_into_stretches_of_like_length_without_a_remainder() -> None:
    one = Epochs((corpus(33, 16, 17),), "*", 16, 1, seed=1)
    assert sorted(one.draw(k).weight.shape[1] for k in range(one.batches)) == [8, 9, 11, 11, 11, 16]
    known = Epochs((corpus(33),), "*", 16, 1, seed=1, context=4)
    assert sorted(one.weight.sum() for one in map(known.draw, range(known.batches))) == [11, 11, 11]


def test_stretches_of_like_length_share_a_batch() -> None:
    one = Epochs((corpus(2, 30, 3, 29, 2, 31),), "*", 40, 2, seed=1)
    assert sorted(one.draw(k).weight.shape[1] for k in range(one.batches)) == [2, 29, 31]
    padding = sum(int((one.draw(k).weight == 0).sum()) for k in range(one.batches))
    assert padding == 0 + (29 - 3) + 1


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(2, 20),
    st.integers(0, 19),
    st.integers(1, 4),
)
def test_chunks_cover_what_is_held_out(lengths: list[int], length: int, context: int, batch: int) -> None:
    context = min(context, length - 1)
    held_out = corpus(*lengths, split="valid")
    places = chunks(held_out, "valid", "*", length, context)
    assert predicted(batches(places, batch)) == dict.fromkeys(range(1, sum(lengths) + 1), 1)
    assert all(context < place.length <= length for place in places)
    assert chunks(held_out, "train", "*", length, context) == []


def test_padding_is_silence_of_no_weight() -> None:
    music = corpus(3, 7)
    (batch,) = batches([Place(music, piece, 0, piece.rows) for piece in music.pieces], 2)
    assert batch.weight.tolist() == [[1, 1, 1, 0, 0, 0, 0], [1] * 7]
    assert not batch.rows[0, 3:].any()
    assert not batch.next_rows[0, 3:].any()
    assert spelt(batch.next_rows).tolist() == [[1, 2, 3, 0, 0, 0, 0], [4, 5, 6, 7, 8, 9, 10]]


def test_a_split_and_a_pattern_choose_the_pieces() -> None:
    music = corpus(2, 2, 2)
    assert [piece.name for piece in sides(music, "train", "00[12]")] == ["001", "002"]
    assert sides(music, "valid", "*") == []


# --- What a training run is fed ---------------------------------------------------------------------
@pytest.fixture
def music(tmp_path: Path, cache: Path) -> str:
    """A folder of 24 pieces of eight to 31 steps."""
    del cache
    folder = tmp_path / "tunes"
    folder.mkdir()
    for k in range(24):
        notes = [(48 + (i * (k + 2)) % 24, i * 240, i * 240 + 200, 60 + k) for i in range(4 + k // 2)]
        write_midi(Score.from_notes(notes), folder / f"{k}.mid")
    return str(folder)


def fed(music: str, training: TrainingConfig | None = None, **data: int | str) -> RollBatches:
    config = RollDataConfig(corpora=(music,), **data)  # pyright: ignore[reportArgumentType]
    training = training or TrainingConfig(batch=3, optimiser="adam")
    return RollBatches(Recipe("biaxial", BiaxialConfig(), config, training), config, FORM)


def test_with_epochs_every_held_out_step_is_scored_once(music: str) -> None:
    feed = fed(music, order="epochs", window=8)
    (name,) = feed.held_out
    steps = sum(piece.rows for piece in feed.corpora[0].side("valid"))
    assert sum(float(batch.weight.sum()) for batch in feed.held_out[name]) == steps
    # Whole pieces, however short the windows are.
    longest = max(piece.rows for piece in feed.corpora[0].side("valid"))
    assert max(batch.rows.shape[1] for batch in feed.held_out[name]) == longest
    assert feed.epoch == len([feed.draw(k) for k in range(feed.epoch)]) > 1


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_at_most_so_many_held_out_windows(music: str, most: int) -> None:
    feed = fed(music, TrainingConfig(batch=3, optimiser="adam", validation_windows=most), window=8)
    (held_out,) = feed.held_out.values()
    full = sum(piece.rows // 8 for piece in feed.corpora[0].side("valid"))
    assert full > 3
    assert sum(len(batch.rows) for batch in held_out) <= min(most, full)
    assert all(bool((batch.weight == 1).all()) for batch in held_out)
    assert feed.epoch == 0


def test_openings_are_steps_in_which_a_bar_and_a_note_begin() -> None:
    rows = np.zeros((5, KEYS), np.uint8)
    rows[0, 40], rows[1, 40], rows[2, 41], rows[3, 42], rows[4, 43] = HELD, STRUCK, STRUCK, STRUCK, STRUCK
    loud = rows * np.uint8(10)
    metrical = np.array([0, 1, 0, 2, 0], np.int16)
    free = np.full(5, NO_POSITION, np.int16)
    found = openings_of([(rows, loud, metrical), (rows, loud, free), (rows[:1], loud[:1], metrical[1:2])])
    assert [np.flatnonzero(row).tolist() for row in found["rows"]] == [[41], [40]]
    assert found["velocities"].max(1).tolist() == [20, 20]
    assert openings_of([(rows[1:2], loud[1:2], metrical[1:2])]) == {}


def test_a_run_keeps_openings_of_its_training_music(music: str) -> None:
    openings = fed(music, order="epochs", window=8).groups["openings"]
    assert 0 < len(openings["rows"]) <= 64
    assert (openings["rows"] == STRUCK).any(1).all()
    assert np.array_equal(openings["velocities"] > 0, openings["rows"] > 0)


def test_segments_are_of_the_corpus_that_was_prepared(music: str) -> None:
    """Through files, preparation and memory maps: every batch lies somewhere in one training piece."""
    feed = fed(music, window=8)
    pieces = [feed.corpora[0].sequence(piece) for piece in feed.corpora[0].side("train")]
    for stretch in feed.draw(0).next_rows.numpy():
        assert any(lies_in(stretch, piece) for piece in pieces if isinstance(piece, RollSequence))


def lies_in(stretch: np.ndarray, piece: RollSequence) -> bool:
    count = len(stretch)
    return any(np.array_equal(stretch, piece.rows[at : at + count]) for at in range(len(piece) - count + 1))
