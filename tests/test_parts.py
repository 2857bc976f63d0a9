"""Parts of a piece drawn anew: what stays, what is filled, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadenza import compose
from cadenza.compose import (
    Expression,
    Form,
    Part,
    Take,
    Wish,
    accompany,
    expressed,
    generate,
    harmonise,
    infill,
    score_of,
    vary,
)
from cadenza.engine.constraints import Constraints
from cadenza.engine.sampler import Sampling
from cadenza.errors import CadenzaError
from cadenza.harmony import parse_chords
from cadenza.parts import repeated, share_of, without, without_pedal
from cadenza.representation.events import encode
from cadenza.score import Event, Score, Track, among, note_array
from cadenza.steering import Asked

BAR = 1920


@pytest.fixture(scope="module")
def model() -> compose.Model:
    return compose.load_model()


def two_hands(bars: int = 8) -> Score:
    """A melody above broken chords, each in a track, with pedal and drums."""
    right = [
        (72 + (5 * i + b) % 9, b * BAR + i * 480, b * BAR + i * 480 + 400, 80)
        for b in range(bars)
        for i in range(4)
    ]
    left = [
        (43 + (7 * i + 2 * b) % 12, b * BAR + i * 960, b * BAR + i * 960 + 900, 60)
        for b in range(bars)
        for i in range(2)
    ]
    pedal = [
        Event(b * BAR + at, bytes([0xB0, 64, value]))
        for b in range(bars)
        for at, value in ((0, 127), (1800, 0))
    ]
    score = Score.from_notes(right, name="Right")
    tracks = (
        score.tracks[0],
        Track.named("Left", note_array(left), pedal),
        Track.named("Drums", note_array([(36, 0, 10, 100), (36, 3 * BAR, 3 * BAR + 9, 100)], channel=9)),
    )
    return replace(score, tracks=tracks)


def stayed(score: Score, take: Take) -> None:
    """All that was not removed is there, in its track; all that was added is in a track of its own."""
    for before, after in zip(score.tracks, take.score.tracks, strict=False):
        gone = among(before.notes, take.removed)
        assert np.array_equal(after.notes, before.notes[~gone])
        assert not among(after.notes, take.removed).any()
    *_, own = take.score.tracks
    assert own.name == "Cadenza"
    assert np.array_equal(own.notes, take.added)
    assert (take.score.tempos, take.score.time_signatures) == (score.tempos, score.time_signatures)


def inside(take: Take, first_bar: int, last_bar: int) -> None:
    begin, end = (first_bar - 1) * BAR, last_bar * BAR
    for notes in (take.added, take.removed):
        assert len(notes) == 0 or begin <= notes["start"].min() <= notes["start"].max() < end
    assert take.added["end"].max() <= end


def sounding(score: Score, tick: int) -> np.ndarray:
    """Pitches held at a tick."""
    notes = score.pitched_notes
    return notes["pitch"][(notes["start"] <= tick) & (tick < notes["end"])]


# --- Edits ---


@pytest.mark.parametrize("seed", range(5))
def test_a_gap_is_filled_and_nothing_else_changes(model: compose.Model, seed: int) -> None:
    score = two_hands()
    take = infill(score, Part(3, 5), Wish(seed=seed), model=model)
    stayed(score, take)
    inside(take, 3, 5)
    assert len(take.removed) == 18
    assert (take.begin, take.bars) == (2 * BAR, 3)
    # No bar of it is left empty but perhaps the last.
    assert {0, 1} <= set(((take.added["start"] - 2 * BAR) // BAR).tolist())


@pytest.mark.parametrize(("hand", "expected"), [("left", 2), ("right", 4)])
def test_one_hand_is_drawn_anew(model: compose.Model, hand: str, expected: int) -> None:
    score = two_hands()
    take = infill(score, Part(4, 4, hand=hand), Wish(), model=model)
    stayed(score, take)
    inside(take, 4, 4)
    assert len(take.removed) == expected
    assert (take.removed["pitch"] < 60).all() == (hand == "left")
    for note in take.added:
        other = sounding(without(score, take.removed), int(note["start"]))
        assert (other > note["pitch"]).all() if hand == "left" else (other < note["pitch"]).all()


def test_some_pitches_are_drawn_anew(model: compose.Model) -> None:
    take = infill(two_hands(), Part(2, 3, lowest=70, highest=75), Wish(), model=model)
    stayed(two_hands(), take)
    assert len(take.removed)
    for notes in (take.removed, take.added):
        assert set(notes["pitch"].tolist()) <= set(range(70, 76))


def test_pitches_outside_of_the_key_are_refused(model: compose.Model) -> None:
    wish = Wish(constraints=Constraints.parse("C major", None))
    with pytest.raises(CadenzaError, match="no pitch from 61 to 61 is in the key"):
        infill(two_hands(), Part(2, 3, lowest=61, highest=61), wish, model=model)


@pytest.mark.parametrize("bars", [(1, 1), (8, 8), (1, 8)])
def test_a_gap_at_the_edges(model: compose.Model, bars: tuple[int, int]) -> None:
    score = two_hands()
    take = infill(score, Part(*bars), Wish(seed=2), model=model)
    stayed(score, take)
    inside(take, *bars)


def test_an_empty_gap_is_filled(model: compose.Model) -> None:
    score = two_hands()
    holey = without(score, Part(2, 6).notes(score))
    take = infill(holey, Part(2, 6), Wish(), model=model)
    stayed(holey, take)
    inside(take, 2, 6)
    assert not len(take.removed)
    assert len(take.added)


def test_drawn_notes_never_meet_those_that_stay(model: compose.Model) -> None:
    score = two_hands()
    take = infill(score, Part(2, 7, hand="left"), Wish(seed=4), model=model)
    notes = take.score.pitched_notes
    for pitch in np.unique(notes["pitch"]):
        same = notes[notes["pitch"] == pitch]
        assert (same["start"][1:] >= same["end"][:-1]).all()


@pytest.mark.parametrize("seed", range(4))
def test_drawn_notes_never_meet_those_that_stay_of_a_player(model: compose.Model, seed: int) -> None:
    """Nothing of what stays lies on a step, and its lengths are none that a symbol says."""
    rng = np.random.default_rng(seed)
    starts = [37 * i for i in range(0, 420, 4)]
    rows = [(60 + i % 3, start, start + int(rng.integers(90, 440)), 70) for i, start in enumerate(starts)]
    score = Score.from_notes(rows)
    strict = Wish(seed=seed, constraints=Constraints(lowest=60, highest=62))
    take = vary(score, Part(2, 7), 0.5, strict, model=model)
    notes = without(take.score, take.added).pitched_notes
    for note in take.added:
        same = notes[notes["pitch"] == note["pitch"]]
        assert not ((same["start"] < note["end"]) & (same["end"] > note["start"])).any()


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_a_share_of_the_notes_is_varied(model: compose.Model, strength: float) -> None:
    score = two_hands()
    take = vary(score, Part(1, 8), strength, Wish(seed=3), model=model)
    stayed(score, take)
    share = len(take.removed) / 48
    assert strength - 1e-9 <= share <= strength + 2 / 48


def test_an_accompaniment_lies_below_the_melody(model: compose.Model) -> None:
    melody = replace(two_hands(), tracks=two_hands().tracks[:1])
    take = accompany(melody, Wish(seed=1), model=model)
    stayed(melody, take)
    inside(take, 1, 8)
    assert not len(take.removed)
    for note in take.added:
        assert (note["pitch"] < sounding(melody, int(note["start"]))).all()


def test_a_melody_is_one_voice_above_the_rest(model: compose.Model) -> None:
    left = replace(two_hands(), tracks=two_hands().tracks[1:2])
    take = accompany(left, Wish(seed=1), part=Part(2, 6), melody=True, model=model)
    inside(take, 2, 6)
    assert (take.added["start"][1:] >= take.added["end"][:-1]).all()
    for note in take.added:
        assert (note["pitch"] > sounding(left, int(note["start"]))).all()


def test_harmonising_needs_chords(model: compose.Model) -> None:
    with pytest.raises(CadenzaError, match="no chords to harmonise with"):
        harmonise(two_hands(), Wish(), model=model)
    take = harmonise(two_hands(), Wish(asked=Asked(chords=parse_chords("| C | F |"))), model=model)
    stayed(two_hands(), take)


def test_the_pedal_of_a_gap_is_its_own_and_that_of_the_rest_stays(model: compose.Model) -> None:
    score = two_hands()
    take = infill(score, Part(3, 4), Wish(seed=1), model=model)
    begin, end = 2 * BAR, 4 * BAR
    kept = take.score.tracks[1].controls(64)
    assert not ((kept[:, 0] >= begin) & (kept[:, 0] < end)).any()
    assert np.array_equal(kept, without_pedal(score, begin, end).tracks[1].controls(64))
    own = take.score.tracks[-1].controls(64)
    assert ((own[:, 0] >= begin) & (own[:, 0] <= end)).all()
    one_hand = infill(score, Part(3, 4, hand="left"), Wish(seed=1), model=model)
    assert np.array_equal(one_hand.score.tracks[1].controls(64), score.tracks[1].controls(64))
    assert not len(one_hand.score.tracks[-1].controls(64))


def test_a_pedal_that_is_down_after_a_gap_is_down_again(model: compose.Model) -> None:
    presses = [Event(BAR + 100, bytes([0xB0, 64, 127])), Event(3 * BAR, bytes([0xB0, 64, 0]))]
    score = Score.from_notes([(60 + i, i * 480, i * 480 + 400, 80) for i in range(16)], events=presses)
    take = infill(score, Part(2, 2), Wish(seed=1), model=model)
    assert (2 * BAR, 1) in [tuple(row) for row in _pedal(take.score)] or _down_at(take.score, 2 * BAR)


def _pedal(score: Score) -> list[tuple[int, int]]:
    rows = np.concatenate([track.controls(64) for track in score.tracks])
    return sorted((int(tick), int(value >= 64)) for tick, _, value in rows.tolist())


def _down_at(score: Score, tick: int) -> bool:
    before = [value for at, value in _pedal(score) if at <= tick]
    return bool(before and before[-1])


def test_same_seed_same_edit(model: compose.Model) -> None:
    one, same, other = (infill(two_hands(), Part(3, 6), Wish(seed=s), model=model) for s in (5, 5, 6))
    assert np.array_equal(one.added, same.added)
    assert not np.array_equal(one.added, other.added)


# --- Limits ---


@settings(max_examples=12)
@given(seed=st.integers(0, 1000), most=st.integers(1, 4), span=st.sampled_from([7, 12, 16]))
def test_limits_hold_of_all_that_sounds(model: compose.Model, seed: int, most: int, span: int) -> None:
    constraints = Constraints(most=most, hand_span=span)
    take = generate(Wish(bars=3, seed=seed, constraints=constraints), model=model)
    for onset in np.unique(take.added["start"]):
        held = np.sort(take.added["pitch"][(take.added["start"] <= onset) & (onset < take.added["end"])])
        assert len(held) <= most
        gaps = [held[:k].max() - held[:k].min() if k else 0 for k in range(len(held) + 1)]
        rest = [held[k:].max() - held[k:].min() if k < len(held) else 0 for k in range(len(held) + 1)]
        assert any(max(a, b) <= span for a, b in zip(gaps, rest, strict=True))


def test_limits_hold_together_with_what_stays(model: compose.Model) -> None:
    score = two_hands()
    constraints = Constraints(most=3, hand_span=12)
    take = infill(score, Part(2, 6, hand="left"), Wish(seed=3, constraints=constraints), model=model)
    notes = take.score.pitched_notes
    for onset in np.unique(notes["start"]):
        assert np.count_nonzero((notes["start"] <= onset) & (onset < notes["end"])) <= 3


def test_hands_by_hand() -> None:
    def addable(held: list[int], span: int) -> set[int]:
        keys = np.zeros(88, bool)
        keys[held] = True
        return set(np.flatnonzero(Constraints(hand_span=span).playable_with(keys)).tolist())

    assert addable([], 4) == set(range(88))
    assert addable([40], 4) == set(range(88))  # another hand plays it
    assert addable([40, 60], 4) == set(range(36, 45)) | set(range(56, 65))
    assert addable([10, 20, 30], 4) == set()
    assert addable([40, 41, 42, 43, 44], 4) == set(range(88))
    assert addable([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 9) == set(range(10))


# --- Bad input ---


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Part(9, 12), "there are no bars 9 to 12: the piece has 8"),
        (Part(9), "the piece has 8"),
        (Part(8, 9), "the piece has 8"),
    ],
)
def test_parts_outside_of_the_piece(model: compose.Model, part: Part, message: str) -> None:
    with pytest.raises(CadenzaError, match=message):
        infill(two_hands(), part, Wish(), model=model)


def test_parts_that_make_no_sense() -> None:
    with pytest.raises(CadenzaError, match="did you mean 4 to 8"):
        Part(8, 4)
    with pytest.raises(CadenzaError, match="no bar 0"):
        Part(0, 4)
    with pytest.raises(CadenzaError, match="no hand 'middle'"):
        Part.parse(1, None, None, "middle")


def test_what_contradicts_what_stays(model: compose.Model) -> None:
    score = two_hands()
    with pytest.raises(CadenzaError, match="hold 2 keys in bar 3, more than the 1"):
        infill(score, Part(3, 4, lowest=20, highest=30), Wish(constraints=Constraints(most=1)), model=model)
    held = Score.from_notes([(72, 0, 4 * BAR, 80)])
    high = Wish(constraints=Constraints(lowest=80))
    with pytest.raises(CadenzaError, match="no note fits"):
        accompany(held, high, model=model)


def test_nothing_to_work_on(model: compose.Model) -> None:
    score = two_hands()
    holey = without(score, Part(2, 3).notes(score))
    with pytest.raises(CadenzaError, match="no note to vary"):
        vary(holey, Part(2, 3), 0.5, Wish(), model=model)
    with pytest.raises(CadenzaError, match="no note to accompany in that part"):
        accompany(holey, Wish(), part=Part(2, 3), model=model)
    for strength in (0.0, 1.5):
        with pytest.raises(CadenzaError, match="strength"):
            vary(score, Part(2, 3), strength, Wish(), model=model)


def test_models_that_only_go_on() -> None:
    markov = compose.load_model("markov")
    with pytest.raises(CadenzaError, match="draws nothing into one"):
        infill(two_hands(), Part(2, 3), Wish(), model=markov)
    with pytest.raises(CadenzaError, match="cannot be asked for chords"):
        generate(Wish(asked=Asked(chords=parse_chords("Am | F"))), model=markov)
    with pytest.raises(CadenzaError, match="cannot be asked for a density"):
        generate(Wish(asked=Asked(density=3)), model=compose.load_model("roll_markov"))


@pytest.mark.parametrize("limit", [Constraints(most=2), Constraints(hand_span=12)])
def test_models_by_steps_keep_to_no_limits(limit: Constraints) -> None:
    with pytest.raises(CadenzaError, match="cannot keep to a number of notes"):
        generate(Wish(constraints=limit), model=compose.load_model("roll_markov"))


@pytest.mark.parametrize("sampling", [Sampling(top_p=0.5), Sampling(top_k=3)])
def test_models_by_steps_leave_out_no_unlikely_keys(sampling: Sampling) -> None:
    with pytest.raises(CadenzaError, match="roll_markov draws each key by itself, and top-p or top-k would"):
        generate(Wish(sampling=sampling), model=compose.load_model("roll_markov"))


# --- Form ---


def test_sections_return(model: compose.Model) -> None:
    take = generate(Wish(bars=16, seed=2), form=Form.parse("ABA'A"), model=model)
    notes = take.added

    def section(number: int) -> set[tuple[int, int]]:
        begin = number * 4 * BAR
        own = notes[(notes["start"] >= begin) & (notes["start"] < begin + 4 * BAR)]
        return set(zip((own["start"] - begin).tolist(), own["pitch"].tolist(), strict=True))

    first, contrast, freer, again = map(section, range(4))
    shares = [len(first & other) / len(first) for other in (contrast, freer, again)]
    assert shares[0] < shares[1] < 0.75
    early = {place for place in first if place[0] < 2 * BAR}  # the last two bars of the piece are drawn anew
    assert len(early & again) / len(early) > 0.75
    assert notes["end"].max() <= 16 * BAR
    assert len(take.score.tracks) == 1


def test_what_is_repeated_has_its_pedal() -> None:
    score = two_hands(2)
    left = replace(score, tracks=score.tracks[1:2])
    twice = repeated(left, 0, 2 * BAR, 2 * BAR, left.notes)
    assert np.array_equal(twice.notes["start"][4:], left.notes["start"] + 2 * BAR)
    assert len(twice.tracks[0].controls(64)) == 8


@pytest.mark.parametrize("text", ["", "A1", "'A", "AA BB!", "12"])
def test_no_such_form(text: str) -> None:
    with pytest.raises(CadenzaError, match="no form"):
        Form.parse(text)


def test_forms() -> None:
    assert Form.parse("a a b a'").sections == ("A", "A", "B", "A'")
    assert Form.parse("AABA").bars_each(32) == 8
    with pytest.raises(CadenzaError, match="30 bars make no 4 equal sections: 32 would"):
        Form.parse("AABA").bars_each(30)


@given(share=st.floats(0.01, 1), seed=st.integers(0, 99))
def test_a_share_is_of_whole_onsets(share: float, seed: int) -> None:
    notes = two_hands().pitched_notes
    chosen = share_of(notes, share, seed)
    assert len(chosen) >= share * len(notes) - 1e-9
    rest = notes[~among(notes, chosen)]
    assert not set(chosen["start"].tolist()) & set(rest["start"].tolist())


# --- Playing and judging ---


def test_surprise_is_the_likelihood_note_by_note(model: compose.Model) -> None:
    score = two_hands()
    heard = score_of(score, "pop", model=model)
    assert len(heard.nats) == len(heard.notes) == 48
    exact = -model.sequence_model.log_probabilities(encode(score), "pop")[:48].sum(1)
    assert np.array_equal(heard.nats, exact)
    # Any other chord is less expected than the one that was heard in every bar.
    wrong = Score.from_notes([(60, i * 480, i * 480 + 480, 80) for i in range(15)] + [(99, 7200, 7680, 80)])
    assert score_of(wrong, "pop", model=model).nats.argmax() == 15


def test_surprise_of_what_is_heard_as_one_note(model: compose.Model) -> None:
    twice = Score.from_notes([(60, 0, 480, 80), (60, 3, 480, 90), (64, 480, 960, 80)])
    heard = score_of(twice, model=model)
    assert heard.nats[0] == heard.nats[1]
    with pytest.raises(CadenzaError, match="no style 'polka'"):
        score_of(twice, "polka", model=model)
    with pytest.raises(CadenzaError, match="does not read note by note"):
        score_of(twice, model=compose.load_model("roll_markov"))


def test_a_take_is_played_with_swing(model: compose.Model) -> None:
    take = generate(Wish(bars=2, seed=1), model=model)
    played = expressed(take, Expression(swing=2 / 3, humanise=0))
    assert len(played.added) == len(take.added)
    assert np.array_equal(played.score.notes, played.added)
    assert not np.array_equal(played.added["start"], take.added["start"])
    assert expressed(take, Expression()).score == take.score
