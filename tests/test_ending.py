"""The last bars of a piece or a gap are drawn several times, and what leads to what comes is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from cadenza import compose, drafts
from cadenza.compose import Form, Sampling, Wish, continue_, generate, generate_takes, infill, load_model
from cadenza.engine import ending
from cadenza.engine.chooser import Drawn, Passage
from cadenza.engine.ending import chance_of_end, following_score, stream_to_end
from cadenza.parts import Part
from cadenza.representation import events
from cadenza.representation.events import EventSequence, Frame
from cadenza.score import Notes, Score
from cadenza.sequence import JointModel
from cadenza.steering import Asked

BAR = 4 * 480


@pytest.fixture(scope="module")
def model() -> compose.Model:
    return load_model()


def rows(notes: Notes) -> list[tuple[int, ...]]:
    return [tuple(note.tolist()) for note in notes]


def metrical(take: compose.Take) -> EventSequence:
    """A piece as rows."""
    return events.encode_in(Frame(take.score, "metrical", 0, 0))


def over(model: compose.Model, take: compose.Take) -> float:
    """How likely the composer finds a piece to be over at its end."""
    heard = metrical(take)
    return chance_of_end(model.sequence_model, heard, take.style, lambda step: (step % 96, 96))


def test_the_chance_of_an_end_is_that_of_the_likelihood(model: compose.Model) -> None:
    """But for what is recalled, which draws sharpen."""
    take = generate(Wish(bars=2, seed=3), model=model)
    heard = metrical(take)
    assert len(heard) < ending.HEARD
    scores = model.sequence_model.log_probabilities(replace(heard, complete=True), "pop")
    assert over(model, take) == pytest.approx(np.exp(scores[-1, 0]), rel=0.3)


def test_of_several_ends_one_is_kept_that_is_likely_to_be_one(
    model: compose.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes = [Wish(bars=8, seed=seed, style=style) for seed in range(1, 13) for style in ("pop", "classical")]
    several = [generate(wish, model=model) for wish in wishes]
    monkeypatch.setattr(ending, "TRIES", 1)
    first = [generate(wish, model=model) for wish in wishes]
    for chosen, other in zip(several, first, strict=True):
        begin = 5 * BAR
        assert rows(chosen.added[chosen.added["start"] < begin - BAR]) == rows(
            other.added[other.added["start"] < begin - BAR]
        )
        assert chosen.added["start"].max() < 8 * BAR
    means = [np.mean([over(model, take) for take in takes]) for takes in (several, first)]
    assert means[0] > 1.5 * means[1]


def test_what_is_no_end_is_never_kept(model: compose.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def only_the_third(*_: object) -> float:
        asked.append(1)
        return float(len(asked) == 3)

    take = generate(Wish(bars=4, seed=1), model=model)
    monkeypatch.setattr(ending, "chance_of_end", only_the_third)
    third = generate(Wish(bars=4, seed=1), model=model)
    assert len(asked) == ending.TRIES
    asked.clear()
    assert rows(generate(Wish(bars=4, seed=1), model=model).added) == rows(third.added)
    monkeypatch.setattr(ending, "chance_of_end", lambda *_: 0.0)  # then any may be
    assert len(generate(Wish(bars=4, seed=1), model=model).added)
    assert len(take.added)


@pytest.mark.parametrize("bars", [1, 2, 7])
def test_takes_end_as_they_do_alone(model: compose.Model, bars: int) -> None:
    wish = Wish(bars=bars, seed=5, style="classical")
    alone = [generate(replace(wish, seed=seed), model=model) for seed in (5, 6, 7)]
    together = generate_takes(wish, 3, model=model)
    assert [rows(take.added) for take in together] == [rows(take.added) for take in alone]
    assert all(len(take.added) and take.added["start"].max() < bars * BAR for take in alone)


@pytest.mark.parametrize("form", ["AA", "AAB", "A"])
def test_a_form_ends_as_pieces_do(model: compose.Model, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Also where its last section comes again."""
    bars = 4 * len(form)
    wishes = [Wish(bars=bars, seed=seed, style="classical") for seed in range(12)]
    several = [generate(wish, form=Form.parse(form), model=model) for wish in wishes]
    monkeypatch.setattr(ending, "TRIES", 1)
    first = [generate(wish, form=Form.parse(form), model=model) for wish in wishes]
    for chosen, other in zip(several, first, strict=True):
        before = [take.added[take.added["start"] < (bars - 3) * BAR] for take in (chosen, other)]
        assert before[0][["start", "pitch"]].tolist() == before[1][["start", "pitch"]].tolist()
        assert chosen.added["end"].max() <= bars * BAR
    means = [np.mean([over(model, take) for take in takes]) for takes in (several, first)]
    assert means[0] > 1.2 * means[1]


@pytest.mark.parametrize("form", ["ABCA", "AAAA'"])
def test_sections_of_one_bar_have_a_form(model: compose.Model, form: str) -> None:
    take = generate(Wish(bars=4, seed=2), form=Form.parse(form), model=model)
    assert len(take.added)
    assert (take.added["start"] // BAR == 3).any()


def test_a_listener_hears_the_whole_piece(model: compose.Model) -> None:
    told: dict[tuple[int, int], int] = {}

    def listen(notes: Notes) -> None:
        told.update({(n["start"].item(), n["pitch"].item()): n["end"].item() for n in notes})

    take = generate(Wish(bars=6, seed=2), model=model, listen=listen)
    assert set(told) == {(n["start"].item(), n["pitch"].item()) for n in take.added}


def test_what_goes_on_does_not_end(model: compose.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    piece = generate(Wish(bars=2, seed=1), model=model).score
    monkeypatch.setattr(ending, "draw_ending", None)
    assert len(continue_(piece, Wish(bars=2, seed=1), model=model).added)


def test_what_was_drawn_lately_is_penalised_in_the_ending(model: compose.Model) -> None:
    """Of the pitches that begin it hardly one stood shortly before, as elsewhere in the piece."""
    again: list[float] = []
    for seed in range(8):
        wish = Wish(bars=8, seed=seed, style="pop", sampling=Sampling(repetition_penalty=10))
        piece = metrical(generate(wish, model=model))
        pitches, begin = piece.rows[:, 1], int(np.searchsorted(piece.onsets, 5 * 96))
        again += [pitch in pitches[max(0, i - 48) : i] for i, pitch in enumerate(pitches)][begin : begin + 12]
    assert np.mean(again) < 0.6


def test_what_is_asked_of_a_piece_holds_to_its_end(model: compose.Model) -> None:
    """The ending goes on leaning to where the notes before it leaned to."""

    def pitch_of_the_ending(register: int) -> float:
        asked = Asked(register=register)
        takes = [
            generate(Wish(bars=8, seed=seed, style="pop", asked=asked), model=model) for seed in range(3)
        ]
        last = [take.added["pitch"][take.added["start"] >= 5 * BAR] for take in takes]
        return float(np.concatenate(last).mean())

    assert pitch_of_the_ending(48) < 56
    assert pitch_of_the_ending(72) > 64


# --- Gaps ---------------------------------------------------------------------------------------------------


def test_the_score_of_what_follows_is_that_of_the_likelihood(model: compose.Model) -> None:
    """Also where the first shift was counted from elsewhere."""
    piece = metrical(generate(Wish(bars=16, seed=3), model=model))
    assert len(piece) > 160 > ending.HEARD
    heard, after = piece.part(slice(150), complete=False), piece.part(slice(150, 158), complete=False)
    lately = piece.part(slice(150 - ending.HEARD, 158), complete=False)
    scores = model.sequence_model.log_probabilities(lately, "pop")
    expected = pytest.approx(float(scores[-8:].sum()), rel=1e-4)
    assert following_score(model.sequence_model, heard, after, "pop") == expected
    rows = after.rows.copy()
    rows[0, 0] = 7
    assert following_score(model.sequence_model, heard, replace(after, rows=rows), "pop") == expected


def after_the_gap(model: compose.Model, take: compose.Take) -> float:
    """How well the first notes from bar 7 on follow what stands before them."""
    piece = metrical(take)
    at = int(np.searchsorted(piece.onsets, 6 * 96))
    heard, after = piece.part(slice(at), complete=False), piece.part(slice(at, at + 8), complete=False)
    return following_score(model.sequence_model, heard, after, take.style)


def test_of_several_gaps_one_is_kept_that_leads_to_what_follows(
    model: compose.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = [generate(Wish(bars=9, seed=s, style="classical"), model=model).score for s in range(1, 15)]
    wish = Wish(seed=1, style="classical")

    def gaps() -> list[compose.Take]:
        return [infill(piece, Part(3, 6), wish, model=model) for piece in pieces]

    several = gaps()
    assert [rows(take.added) for take in gaps()] == [rows(take.added) for take in several]
    monkeypatch.setattr(ending, "TRIES", 1)
    first = gaps()
    for chosen, other in zip(several, first, strict=True):
        # Only its last two bars are chosen. Lengths are not compared: what follows may cut a note.
        before = [take.added[take.added["start"] < 4 * BAR] for take in (chosen, other)]
        assert before[0][["start", "pitch"]].tolist() == before[1][["start", "pitch"]].tolist()
        assert (chosen.added["start"] >= 2 * BAR).all()
        assert (chosen.added["start"] < 6 * BAR).all()
    means = [np.mean([after_the_gap(model, take) for take in takes]) for takes in (several, first)]
    assert means[0] > means[1] + 2


def test_a_gap_at_the_end_of_a_piece_ends_it(model: compose.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [generate(Wish(bars=8, seed=seed, style="classical"), model=model).score for seed in range(8)]

    def ends() -> float:
        takes = [infill(p, Part(7, 8), Wish(seed=1, style="classical"), model=model) for p in pieces]
        return float(np.mean([over(model, take) for take in takes]))

    chosen = ends()
    monkeypatch.setattr(ending, "TRIES", 1)
    assert chosen > 1.5 * ends()


def test_what_is_drawn_among_notes_that_stay_is_drawn_once(
    model: compose.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece = generate(Wish(bars=6, seed=1), model=model).score
    monkeypatch.setattr(ending, "draw_ending", None)
    assert len(infill(piece, Part(2, 3, hand="right"), Wish(seed=1), model=model).added)
    assert len(infill(piece, Part(2, 6, hand="right"), Wish(seed=1), model=model).added)
    with pytest.raises(TypeError):
        infill(piece, Part(2, 3), Wish(seed=1), model=model)


def test_a_gap_in_free_time_stops_where_what_follows_begins(
    model: compose.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a hundredth of a second later: a note there would be followed by itself."""
    notes = [(60 + i % 9, start, start + 100, 60) for i, start in enumerate(range(17, 6 * BAR, 53))]
    score = Score.from_notes(notes, qpm=97)
    assert events.frame_of(score).grid == "free"
    spans: list[tuple[int, int | None]] = []

    def look(model: object, passage: Passage, *_: object, **how: Any) -> Iterator[Drawn]:
        spans.append((passage.span.end, passage.setting.known.stop))
        return stream_to_end(cast("JointModel[Any, Any]", model), passage, "free", **how)

    monkeypatch.setattr(drafts, "stream_to_end", look)
    for bar in range(2, 6):
        added = infill(score, Part(bar, bar), Wish(seed=1, style="pop"), model=model).added
        assert (added["start"] >= (bar - 1) * BAR).all()
        assert (added["start"] < bar * BAR).all()
    assert len(spans) == 4
    assert all(end == told for end, told in spans)


def chords_every(bars: int) -> Score:
    """Twenty-four bars of held chords."""
    keys = [(48, 55, 64, 72), (45, 57, 64, 72), (41, 57, 65, 69), (43, 59, 62, 71)]
    starts = range(0, 24, bars)
    rows = [(p, b * BAR, (b + bars) * BAR, 64) for i, b in enumerate(starts) for p in keys[i % 4]]
    return Score.from_notes(rows)


def test_no_note_is_forced_where_a_gap_is_divided(model: compose.Model) -> None:
    takes = [
        infill(chords_every(2), Part(8, 10), Wish(seed=seed, style="classical"), model=model)
        for seed in range(10)
    ]
    begun = [(take.added["start"] < 8 * BAR).any() for take in takes]
    assert sum(begun) < 5
    takes = [
        infill(chords_every(4), Part(5, 8), Wish(seed=seed, style="classical"), model=model)
        for seed in range(10)
    ]
    rests = [not (take.added["start"] >= 6 * BAR).any() for take in takes]
    assert any(rests)
    assert all(len(take.added) for take in takes)


def test_a_gap_long_after_the_last_note_is_filled_and_not_the_silence(model: compose.Model) -> None:
    piece = generate(Wish(bars=4, seed=1), model=model).score
    moved = piece.notes.copy()
    for edge in ("start", "end"):
        moved[edge] += 20 * BAR
    both = [
        tuple(note) for note in np.concatenate([piece.notes, moved])[["pitch", "start", "end", "velocity"]]
    ]
    score = Score.from_notes([(int(p), int(s), int(e), int(v)) for p, s, e, v in both])
    for seed in range(6):
        added = infill(score, Part(17, 20), Wish(seed=seed), model=model).added
        assert len(added)
        assert (added["start"] >= 16 * BAR).all()
        assert (added["start"] < 20 * BAR).all()


def test_what_is_certain_is_drawn_once(model: compose.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def count(*_: object) -> float:
        tries.append(1)
        return 0.0

    monkeypatch.setattr(ending, "log_chance", count)
    for sampling, expected in (
        (Sampling(temperature=0), 1),
        (Sampling(greedy=1), 1),
        (Sampling(), ending.TRIES),
    ):
        tries.clear()
        generate(Wish(bars=4, seed=1, sampling=sampling), model=model)
        assert len(tries) == expected


def test_what_the_order_of_rows_excludes_follows_nothing(model: compose.Model) -> None:
    piece = metrical(generate(Wish(bars=2, seed=3), model=model))
    wrong = piece.rows[-1:].copy()
    wrong[0, :2] = 0, piece.rows[-1, 1]
    columns = {name: getattr(piece, name)[-1:] for name in ("onsets", "positions", "bars")}
    again = EventSequence(wrong, **columns, grid="metrical", complete=False)
    assert following_score(model.sequence_model, piece, again, "pop") == -np.inf
