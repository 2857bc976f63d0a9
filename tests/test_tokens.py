"""Music as text: what a token is, that it can be undone, and what a vocabulary knows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.errors import CadenzaError
from cadenza.representation import pianoroll
from cadenza.representation.chords import Chords, Names, rows_of, words_of
from cadenza.representation.messages import END, OFF, ON, TIME, Messages, Performance
from cadenza.representation.pianoroll import LOWEST
from cadenza.representation.tokens import TokenForm, TokenSequence, Vocabulary
from cadenza.score import Score, Tempo, Track, note_array
from cadenza.streams import Stream, TokenWindows

FORMS: list[TokenForm] = [Chords(2), Chords(1, truncated=True), Names(), Messages(), Performance()]

Row = tuple[int, int, int, int]


def notes(most_ticks: int = 4000) -> st.SearchStrategy[list[Row]]:
    """Pitch, start, end, velocity, in ticks of which 480 are a quarter."""
    row = st.tuples(
        st.integers(15, 112), st.integers(0, most_ticks), st.integers(1, 1200), st.integers(1, 127)
    )
    rows = st.lists(row.map(lambda r: (r[0], r[1], r[1] + r[2], r[3])), min_size=1, max_size=20)
    return rows.filter(lambda kept: any(21 <= r[0] <= 108 for r in kept))


def spelt(form: TokenForm, score: Score) -> list[str]:
    return [form.spell(word) for word in form.encode(score).words]


def table(score: Score, track: int) -> list[Row]:
    return [
        (int(n["pitch"]), int(n["start"]), int(n["end"]), int(n["velocity"]))
        for n in score.tracks[track].notes
    ]


def test_chords_by_hand() -> None:
    score = Score.from_notes([(60, 0, 480, 80), (64, 240, 480, 80), (67, 240, 720, 80), (60, 960, 1200, 80)])
    assert spelt(Chords(2), score) == ["60", "60-64-67", "67", "rest", "60"]
    # By quarters, halves up: a note lasts at least one of them.
    assert spelt(Chords(1), score) == ["60", "64-67", "60"]


def test_more_than_four_keys_are_truncated_to_three_of_them() -> None:
    cluster = [60, 62, 64, 65, 67]
    rows = [(p, 0, 480, 80) for p in cluster] + [(p, 480, 960, 80) for p in cluster[:4]]
    four = Chords(1, truncated=True)
    first, second = spelt(four, Score.from_notes(rows))
    assert second == "60-62-64-65"
    three = [int(pitch) for pitch in first.split("-")]
    assert len(three) == 3
    assert set(three) < set(cluster)
    assert spelt(four, Score.from_notes(rows)) == [first, second]


def test_names_by_hand() -> None:
    rows = [(60, 0, 10, 80), (64, 3, 900, 80), (67, 0, 100, 80), (70, 480, 500, 80), (54, 960, 970, 80)]
    assert spelt(Names(), Score.from_notes(rows)) == ["C4.E4.G4", "B-4", "F#3"]


def test_messages_by_hand() -> None:
    left, right = [(48, 0, 480, 80)], [(60, 0, 240, 80), (60, 240, 480, 80), (62, 960, 1200, 80)]
    tracks = tuple(Track.named("", note_array(rows)) for rows in (right, [], left))
    score = Score(480, tracks, (Tempo.from_qpm(0, 120),))
    assert spelt(Messages(), score) == [
        *("on-60-0", "off-60-240", "on-60-0", "off-60-240", "on-62-480", "off-62-240", "end"),
        *("on-48-0", "off-48-480", "end"),
    ]
    # Twice the resolution, the same messages.
    double = [tuple((p, 2 * s, 2 * e, v) for p, s, e, v in rows) for rows in (right, left)]
    twice = Score(960, tuple(Track.named("", note_array(rows)) for rows in double))
    assert spelt(Messages(), twice) == spelt(Messages(), score)


def test_a_performance_by_hand() -> None:
    # 120 quarters a minute: 480 ticks are half a second.
    score = Score.from_notes([(60, 0, 480, 90), (64, 0, 480, 90), (62, 1440, 1920, 30)])
    assert spelt(Performance(), score) == [
        *("velocity-90", "on-60", "on-64", "time-50", "off-60", "off-64", "time-100"),
        *("velocity-30", "on-62", "time-50", "off-62"),
    ]


@given(notes())
def test_messages_can_be_undone(rows: list[Row]) -> None:
    """What comes back is the roll of the same clock; of tracks, each by itself; velocities are forgotten."""
    form = Messages()
    halves = [rows[::2], rows[1::2]]
    score = Score(480, tuple(Track.named("", note_array(half)) for half in halves))
    back = form.decode(form.encode(score), velocity=64)
    played = [half for half in halves if any(21 <= row[0] <= 108 for row in half)]
    assert len(back.tracks) == len(played)
    for track, half in enumerate(played):
        kept, first, last = pianoroll.notes_on_grid(score, form.clock, note_array(half))
        wanted = zip(kept["pitch"].tolist(), first.tolist(), last.tolist(), strict=True)
        assert table(back, track) == [(pitch, start, end, 64) for pitch, start, end in wanted]


@given(notes())
def test_a_performance_can_be_undone(rows: list[Row]) -> None:
    form = Performance()
    score = Score.from_notes(rows)
    back = form.decode(form.encode(score))
    wanted = pianoroll.quantise(score, form.clock)
    near = [(p, s, e) for p, s, e, _ in table(wanted, 0)]
    assert [(p, s, e) for p, s, e, _ in table(back, 0)] == near
    apart = [abs(a[3] - b[3]) for a, b in zip(table(back, 0), table(wanted, 0), strict=True)]
    assert max(apart) <= 2


@given(notes())
def test_chords_are_the_frames_of_a_roll(rows: list[Row]) -> None:
    form = Chords(4)
    score = Score.from_notes(rows)
    frames = pianoroll.encode(score, form.clock).rows
    words = form.encode(score).words
    assert np.array_equal(rows_of(words), frames)
    assert np.array_equal(words_of(rows_of(words)), words)
    again = form.encode(form.decode(TokenSequence(words, form)))
    assert np.array_equal(again.words[: len(words)], words[: len(again)])


@given(notes())
def test_every_form_comes_back_from_its_arrays(rows: list[Row]) -> None:
    for form in FORMS:
        sequence = form.encode(Score.from_notes(rows))
        back = form.sequence(form.arrays(sequence), sequence.grid)
        assert np.array_equal(back.words, sequence.words)
        assert sequence.words.shape == (len(sequence), form.width)
        form.check(sequence.words)


@pytest.mark.parametrize("form", FORMS)
def test_scores_without_a_key_of_the_piano_are_refused(form: TokenForm) -> None:
    with pytest.raises(CadenzaError, match="outside the piano's keys"):
        form.encode(Score.from_notes([(120, 0, 480, 80)]))
    with pytest.raises(CadenzaError, match="no note in it"):
        form.encode(Score.from_notes([]))


def test_keys_and_times_are_what_constraints_ask_for() -> None:
    words = Messages().encode(Score.from_notes([(60, 0, 480, 80), (64, 0, 480, 80)])).words
    assert words[:, 0].tolist() == [ON, ON, OFF, OFF, END]
    assert [np.flatnonzero(keys).tolist() for keys in Messages().keys(words)] == [
        *([60 - LOWEST], [64 - LOWEST], [], [], [])
    ]
    assert Messages().times(words)[0].tolist() == [0, 0, 480, 0, 0]
    chords = Chords(2).encode(Score.from_notes([(60, 0, 480, 80)])).words
    assert Chords(2).times(chords)[1].tolist() == [1, 1]


def test_a_vocabulary_counts_and_finds() -> None:
    form = Chords(1)
    words = words_of(np.eye(88, dtype=np.uint8)[[40, 40, 43, 40, 43, 87, 0]])
    vocabulary = Vocabulary.of(form, [words[:3], words[3:]])
    assert [form.spell(word) for word in vocabulary.words] == ["61", "64", "108", "21"]
    assert vocabulary.counts.tolist() == [3, 2, 1, 1]
    assert vocabulary.find(words).tolist() == [0, 0, 1, 0, 1, 2, 3]
    assert (vocabulary.statistics.tokens, vocabulary.statistics.vocabulary) == (7, 4)
    assert vocabulary.statistics.rare == 1.0
    # A key of the highest bit and none of the others: bytes of 0 before it, none after.
    unknown = words_of(np.eye(88, dtype=np.uint8)[[39]] | np.eye(88, dtype=np.uint8)[[40]])
    assert vocabulary.find(unknown).tolist() == [-1]
    assert form.spell(vocabulary.nearest(unknown[0])) == "61"
    with pytest.raises(
        CadenzaError, match=r"the token '60-61' is unknown to the model: of its 4 tokens .* '61'"
    ):
        vocabulary.numbers(unknown)


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=12), min_size=1, max_size=5))
def test_a_vocabulary_is_a_dictionary(pieces: list[list[int]]) -> None:
    form = Chords(1)
    spelt_ = [words_of(np.array(piece, np.uint8)[:, None] >> np.arange(88) & 1) for piece in pieces]
    vocabulary = Vocabulary.of(form, spelt_)
    count = {token: sum(piece.count(token) for piece in pieces) for piece in pieces for token in piece}
    assert len(vocabulary) == len(count)
    assert sorted(vocabulary.counts.tolist(), reverse=True) == vocabulary.counts.tolist()
    for piece, words in zip(pieces, spelt_, strict=True):
        numbers = vocabulary.find(words)
        assert np.array_equal(vocabulary.words[numbers], words)
        assert [count[token] for token in piece] == vocabulary.counts[numbers].tolist()


def test_the_nearest_message_is_of_the_same_kind_and_key() -> None:
    score = Score.from_notes([(60, 0, 480, 80), (62, 480, 600, 80), (64, 2000, 2100, 80)])
    form = Messages()
    vocabulary = Vocabulary.of(form, [form.encode(score).words])
    other = form.encode(Score.from_notes([(60, 0, 500, 80), (62, 900, 1000, 80)])).words
    assert [form.spell(vocabulary.nearest(word)) for word in other] == [
        *("on-60-0", "off-60-480", "on-62-0", "off-62-120", "end")
    ]


@pytest.mark.parametrize(
    ("words", "form"),
    [
        ([[ON, 20, 0, 0]], Messages()),
        ([[OFF, 109, 0, 0]], Messages()),
        ([[9, 60, 0, 0]], Performance()),
        ([[4, 200, 0, 0]], Performance()),
    ],
)
def test_what_is_no_message_is_found(words: list[list[int]], form: TokenForm) -> None:
    with pytest.raises(ValueError, match="no messages"):
        form.check(np.array(words, np.uint8))


def test_time_of_a_performance_leads_to_where_it_is_asked_for() -> None:
    (voice,) = Performance().voices(Score.from_notes([(60, 0, 480, 80)]), 275)
    assert voice.at == 275
    times = [int(w[2]) << 8 | int(w[3]) for w in voice.words if w[0] == TIME]
    assert times == [50, 100, 100, 25]


# --- Batches --------------------------------------------------------------------------------------------


def slowly(pieces: list[list[int]], known: int, length: int, context: int) -> list[tuple[int, ...]]:
    """Every target of every window, with the tokens that it is drawn after, nearest last."""
    found: list[tuple[int, ...]] = []
    for piece in pieces:
        told = [known + 1, *(known if token < 0 else token for token in piece)]
        for i, token in enumerate(piece):
            first = i // length * length
            if token >= 0:
                found.append((*told[max(0, first - context) : i + 1], token))
    return sorted(found)


@given(
    st.lists(st.lists(st.integers(-1, 3), min_size=1, max_size=9), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(0, 4),
    st.integers(1, 3),
)
def test_windows_draw_every_token_once_after_those_before_it(
    pieces: list[list[int]], length: int, context: int, batch: int
) -> None:
    stream = Stream.of([np.array(piece) for piece in pieces], 4)
    windows = TokenWindows(stream, length, context, batch, seed=1)
    for epoch in range(2):
        found: list[tuple[int, ...]] = []
        for number in range(windows.batches):
            arrays = windows.draw(epoch * windows.batches + number)
            for tokens, targets, weight in zip(arrays.tokens, arrays.targets, arrays.weight, strict=True):
                found += [
                    (*tokens[: i + 1].tolist(), int(targets[i])) for i in np.flatnonzero(weight).tolist()
                ]
        assert sorted(found) == slowly(pieces, 4, length, context)


def test_another_epoch_another_order() -> None:
    windows = TokenWindows(Stream.of([np.arange(60)], 60), 2, 0, 3, seed=1)
    first, again, later = windows.draw(0), windows.draw(0), windows.draw(windows.batches)
    assert np.array_equal(first.targets, again.targets)
    assert not np.array_equal(first.targets, later.targets)
    held = list(windows.held_out(4))
    assert len(held) <= 4
    assert held[0].targets[0].tolist() == [0, 1]
