"""Composing with the model that ships: what every take must keep to."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from cadenza import compose
from cadenza.compose import Wish, continue_, generate, load_model, plan
from cadenza.drafts import passage_of
from cadenza.engine.constraints import Constraints
from cadenza.engine.sampler import Sampling
from cadenza.errors import CadenzaError
from cadenza.midi import midi_bytes
from cadenza.plans import Plan
from cadenza.representation.edits import STOP
from cadenza.representation.events import EventSequence, Frame, Grid
from cadenza.score import Event, Score, Tempo, TimeSignature, Track, note_array
from cadenza.sequence import FREE

MELODY = [(60, 0, 480, 80), (64, 480, 960, 70), (67, 960, 1440, 90), (72, 1440, 1920, 60), (48, 0, 1900, 50)]


@pytest.fixture(scope="module")
def model() -> compose.Model:
    return load_model()


def two_bars(**changes: object) -> Score:
    rows = MELODY + [(p + 2, s + 1920, e + 1920, v) for p, s, e, v in MELODY]
    return replace(Score.from_notes(rows, qpm=96), **changes)


def test_what_is_added_begins_after_the_prompt_and_fills_the_bars(model: compose.Model) -> None:
    take = continue_(two_bars(), Wish(bars=4, seed=3), model=model)
    assert take.begin == 3840
    assert len(take.added) > 4
    assert take.added["start"].min() >= 3840
    assert take.added["start"].max() >= 3840 + 2 * 1920
    assert take.added["end"].max() <= 3840 + 4 * 1920


def test_adding_can_begin_at_any_tick_after_the_last_onset(model: compose.Model) -> None:
    take = continue_(two_bars(), Wish(bars=1), begin=4000, model=model)
    assert take.begin == 4000
    assert take.added["start"].min() >= 4000
    assert take.added["end"].max() <= 3 * 1920 + 1920
    with pytest.raises(CadenzaError, match="only be added after the last of the prompt, not at tick 3360"):
        continue_(two_bars(), Wish(bars=1), begin=3360, model=model)


@pytest.mark.parametrize("name", ["composer", "roll_markov", "token_lstm"])
def test_a_listener_hears_what_comes(name: str) -> None:
    told: list[tuple[int, int, int]] = []
    take = continue_(
        two_bars(),
        Wish(bars=4, seed=3),
        model=load_model(name),
        listen=lambda notes: told.extend(notes[["start", "pitch", "end"]].tolist()),
    )
    heard = {(start, pitch): end for start, pitch, end in told}
    drawn = {(n["start"], n["pitch"]): n["end"] for n in take.added}
    # What the last few steps or tokens make is told by the take alone.
    last = take.added["start"].max()
    missed = {at for at in drawn if at not in heard}
    assert all(start > last - 1920 for start, _ in missed)
    assert len(missed) <= 8


def test_what_a_listener_raises_ends_the_drawing(model: compose.Model) -> None:
    told: list[int] = []

    def enough(notes: np.ndarray) -> None:
        told.append(len(notes))
        raise InterruptedError

    with pytest.raises(InterruptedError):
        continue_(two_bars(), Wish(bars=64), model=model, listen=enough)
    assert told == [1]


def test_the_prompt_comes_back_untouched(model: compose.Model) -> None:
    drums = Track.named("Drums", note_array([(36, 0, 10, 100)], channel=9))
    words = Event(120, b"\xff\x05la")
    prompt = two_bars(ticks_per_quarter=480)
    prompt = replace(
        prompt, tracks=(replace(prompt.tracks[0], events=(*prompt.tracks[0].events, words)), drums)
    )
    take = continue_(prompt, Wish(bars=1), model=model)
    assert take.score.tracks[:-1] == prompt.tracks
    assert (take.score.tempos, take.score.time_signatures) == (prompt.tempos, prompt.time_signatures)
    assert take.score.tracks[-1].name == "Cadenza"


def test_a_file_of_type_0_stays_one(model: compose.Model) -> None:
    prompt = two_bars(midi_format=0)
    take = continue_(prompt, Wish(bars=1), model=model)
    assert (take.score.midi_format, len(take.score.tracks)) == (0, 1)
    kept = take.score.notes[take.score.notes["start"] < take.begin]
    assert np.array_equal(kept, prompt.notes)
    assert set(prompt.tracks[0].events) <= set(take.score.tracks[0].events)


def test_same_seed_same_bytes_and_another_seed_other_notes(model: compose.Model) -> None:
    def played(seed: int) -> bytes:
        return midi_bytes(continue_(two_bars(), Wish(bars=2, seed=seed), model=model).score)

    assert played(7) == played(7)
    assert played(7) != played(8)


def test_every_resolution_and_a_free_performance(model: compose.Model) -> None:
    random = np.random.default_rng(0)
    starts = np.cumsum(random.integers(90, 400, 60))
    free = Score.from_notes(
        [(int(p), int(s), int(s) + 200, 70) for p, s in zip(random.integers(50, 80, 60), starts, strict=True)]
    )
    for prompt in (free, *(two_bars_at(tpq) for tpq in (24, 96, 120, 384, 960, 1000))):
        take = continue_(prompt, Wish(bars=2), model=model)
        assert len(take.added)
        assert take.score.ticks_per_quarter == prompt.ticks_per_quarter
        assert (take.added["end"] > take.added["start"]).all()


def two_bars_at(ticks_per_quarter: int) -> Score:
    rows = [(p, s * ticks_per_quarter // 480, e * ticks_per_quarter // 480, v) for p, s, e, v in MELODY]
    return Score.from_notes(rows, ticks_per_quarter=ticks_per_quarter)


def test_key_and_range_hold_for_every_note(model: compose.Model) -> None:
    constraints = Constraints.parse("C minor", "C3-C5")
    for seed in range(4):
        wish = Wish(bars=4, seed=seed, constraints=constraints, sampling=Sampling(temperature=1.5, top_p=1.0))
        pitches = continue_(two_bars(), wish, model=model).added["pitch"]
        assert set(pitches % 12) <= {0, 2, 3, 5, 7, 8, 10, 11}
        assert pitches.min() >= 48
        assert pitches.max() <= 72


@pytest.mark.parametrize("metre", [(3, 4), (6, 8), (5, 4), (2, 2), (1, 16)])
@pytest.mark.parametrize("seed", [1, 2])
def test_any_metre_and_even_a_single_key_comes_to_an_end(
    model: compose.Model, metre: tuple[int, int], seed: int
) -> None:
    constraints = Constraints(lowest=60, highest=60)
    wish = Wish(bars=6, seed=seed, style="classical", constraints=constraints)
    take = generate(wish, metre=metre, model=model)
    bar = 1920 * metre[0] // metre[1]
    assert set(take.added["pitch"]) == {60}
    assert take.added["start"].max() < 6 * bar
    assert take.added["end"].max() <= 6 * bar
    assert (take.added["start"][1:] >= take.added["end"][:-1]).all()


def test_in_a_file_of_few_ticks_a_quarter_no_key_is_struck_twice_at_once(model: compose.Model) -> None:
    prompt = Score.from_notes([(60 + i, i, i + 1, 80) for i in range(8)], ticks_per_quarter=1)
    for seed in (1, 2, 3):
        added = continue_(prompt, Wish(bars=8, seed=seed, style="pop"), model=model).added
        for pitch in set(added["pitch"].tolist()):
            own = added[added["pitch"] == pitch]
            assert (own["start"][1:] >= own["end"][:-1]).all()


def test_no_note_is_longer_than_four_bars_nor_open(model: compose.Model) -> None:
    for style in model.sequence_model.styles:
        take = generate(
            Wish(bars=8, style=style, sampling=Sampling(temperature=2, top_p=1)), metre=(2, 4), model=model
        )
        lengths = take.added["end"] - take.added["start"]
        assert lengths.max() <= 4 * 960
        pedal = take.score.tracks[-1].controls(64)
        assert not len(pedal) or pedal[-1, 2] == 0


@pytest.mark.parametrize(
    ("last", "begin"),
    [
        ((60, 1440, 1920, 80), 1920),  # ends on the bar line
        ((60, 1440, 1870, 80), 1920),  # a little early
        ((60, 960, 1440, 80), 1440),  # in the middle: goes on there
        ((60, 960, 5000, 80), 1920),  # held over the bar line: joins in at it
        ((60, 1930, 2400, 80), 2400),
    ],
)
def test_where_a_continuation_begins(last: tuple[int, int, int, int], begin: int) -> None:
    score = Score.from_notes([(48, 0, 100, 80), last])
    found = plan(score, 2)
    assert found.begin == begin
    first_line = -(-begin // 1920) * 1920
    assert found.end == first_line + 2 * 1920


def test_bars_follow_the_metre_in_force() -> None:
    score = replace(two_bars(), time_signatures=(TimeSignature(0, 4, 4), TimeSignature(1920, 3, 4)))
    assert plan(score, 4).end - plan(score, 4).begin == pytest.approx(4 * 1440, abs=1440)


def test_the_channel_and_program_of_the_prompt_go_on(model: compose.Model) -> None:
    track = Track.named("Organ", note_array(MELODY, channel=3), program=19)
    take = continue_(Score(480, (track,)), Wish(bars=1), model=model)
    assert set(take.added["channel"]) == {3}
    assert take.score.tracks[-1].programs() == {3: 19}


def test_a_program_that_is_set_later_holds_from_then_on_only(model: compose.Model) -> None:
    head = [Event(960, bytes([0xC0, 48]))]
    track = Track(note_array(MELODY), tuple(head))
    take = continue_(Score(480, (track,)), Wish(bars=1), model=model)
    changes = [e for e in take.score.tracks[-1].events if e.message[0] & 0xF0 == 0xC0]
    assert changes == [Event(take.begin, bytes([0xC0, 48]))]


@pytest.mark.parametrize("late", [0, 5, 700])
def test_the_prompts_last_lift_does_not_lift_what_was_added(model: compose.Model, late: int) -> None:
    begin = plan(Score(480, (Track(note_array(MELODY)),)), 2).begin
    moves = [Event(0, bytes([0xB0, 64, 127])), Event(begin + late, bytes([0xB0, 64, 0]))]
    prompt = Score(480, (Track(note_array(MELODY), tuple(moves)),))
    for seed in range(1, 6):
        take = continue_(prompt, Wish(bars=2, seed=seed, style="classical"), model=model)
        added = take.score.tracks[-1].controls(64)
        # Every press of the added part comes after the lift, so the lift takes nothing away.
        assert (added[:, 0] > begin + late).all()
        presses = added[:, 2] >= 64
        assert (np.diff(presses.astype(int)) != 0).all()


def test_a_model_without_styles_is_asked_for_none() -> None:
    with pytest.raises(CadenzaError, match="no style 'jazz': this model knows no styles"):
        generate(Wish(bars=1, style="jazz"), model=load_model("markov"))


@pytest.mark.parametrize(
    ("rows", "channel", "message"),
    [
        ([], 0, "there is no note in it"),
        (MELODY, 9, "only drums in it"),
        ([(10, 0, 10, 80)], 0, "every note lies outside the piano's keys"),
    ],
)
def test_prompts_without_a_note_for_a_piano(
    model: compose.Model, rows: list[tuple[int, int, int, int]], channel: int, message: str
) -> None:
    score = Score(480, (Track(note_array(rows, channel)),))
    with pytest.raises(CadenzaError, match=message):
        continue_(score, Wish(), model=model)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"bars": 0}, "number of bars must be from 1 to 1024, not 0"),
        ({"bars": 5000}, "number of bars must be from 1 to 1024"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"style": ""}, "no style ''"),
    ],
)
def test_wishes_out_of_range(wish: dict[str, Any], message: str) -> None:
    with pytest.raises(CadenzaError, match=message):
        Wish(**wish)


def test_unknown_style_tempo_and_model(model: compose.Model, tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match="no style 'jazz': this model knows pop"):
        generate(Wish(style="jazz"), model=model)
    with pytest.raises(CadenzaError, match="tempo must be from 10 to 480"):
        generate(Wish(), tempo=1000, model=model)
    with pytest.raises(CadenzaError, match=r"not 480\.000001"):
        generate(Wish(), tempo=480.000001, model=model)
    for name in ("nobody", "", "n" * 300):
        with pytest.raises(CadenzaError, match=f"no model '{name}': there are biaxial"):
            load_model(name)
    with pytest.raises(
        CadenzaError, match=r"no model 'token-lstm': did you mean token_lstm\? There are biaxial"
    ):
        load_model("token-lstm")
    with pytest.raises(CadenzaError, match="holds no checkpoint"):
        load_model(tmp_path)


def test_a_prompt_longer_than_the_context_is_heard_from_behind(model: compose.Model) -> None:
    rows = [(60 + i % 12, i * 120, i * 120 + 100, 80) for i in range(1500)]
    take = continue_(Score.from_notes(rows), Wish(bars=1), model=model)
    assert take.heard == 1024
    assert take.remarks == ("the model heard the last 1,024 of the prompt's 1,500 notes",)
    assert continue_(Score.from_notes(rows[:1024]), Wish(bars=1), model=model).remarks == ()
    assert len(take.added)


def test_bars_of_one_beat_are_read_as_four(model: compose.Model) -> None:
    """POP909's files have 1/4; eight bars are meant as eight bars of music."""
    prompt = two_bars(time_signatures=(TimeSignature(0, 1, 4),))
    take = continue_(prompt, Wish(bars=4), model=model)
    assert take.score.time_signatures == prompt.time_signatures
    assert take.added["start"].max() > 3840 + 2 * 1920
    assert take.added["end"].max() <= 3840 + 4 * 1920


def test_four_bars_are_the_longest_in_free_time_too(model: compose.Model) -> None:
    rows = [(50 + i % 20, s, s + 70, 60) for i, s in enumerate(np.cumsum([37, 91, 53, 71, 113] * 8).tolist())]
    prompt = replace(Score.from_notes(rows, qpm=300), time_signatures=(TimeSignature(0, 3, 16),))
    for seed in range(3):
        wish = Wish(bars=30, seed=seed, sampling=Sampling(temperature=2, top_p=1))
        added = continue_(prompt, wish, model=model).added
        assert (added["end"] - added["start"]).max() <= 4 * 3 * 120


def test_a_prompt_without_a_style_gets_the_likeliest(model: compose.Model) -> None:
    sequence_model = model.sequence_model
    prompt = compose.events.encode(two_bars())
    scores = {
        style: sequence_model.log_probabilities(prompt, style)[1:-1].sum() for style in sequence_model.styles
    }
    take = continue_(two_bars(), Wish(bars=1), model=model)
    assert take.style == max(scores, key=lambda style: scores[style])
    assert continue_(two_bars(), Wish(bars=1, style="chorale"), model=model).style == "chorale"


@pytest.mark.parametrize("gap", [1, 18, 300])
@pytest.mark.parametrize("last", [60, 5])
def test_nothing_is_added_before_the_end_of_a_prompt_with_a_gap(
    model: compose.Model, gap: int, last: int
) -> None:
    rows = [(60 + i % 12, i * 240, i * 240 + 200, 70) for i in range(32)]
    at = 32 * 240 + gap * 1920
    take = continue_(Score.from_notes([*rows, (last, at, at + 480, 70)]), Wish(bars=2), model=model)
    assert take.added["start"].min() >= take.begin
    assert len(take.added) < 300


@pytest.mark.parametrize("metre", [(255, 1), (0, 4), (4, 0), (4, 5), (9, 4), (-3, 4)])
def test_metres_in_which_nothing_is_composed(model: compose.Model, metre: tuple[int, int]) -> None:
    with pytest.raises(
        CadenzaError, match=rf"no metre '{metre[0]}/{metre[1]}': bars of up to two whole notes"
    ):
        generate(Wish(), metre=metre, model=model)


def test_bars_of_a_prompt_are_bounded(model: compose.Model) -> None:
    long = two_bars(time_signatures=(TimeSignature(0, 8, 1),))
    assert len(continue_(long, Wish(bars=1), model=model).added)
    for metre in ((255, 1), (17, 2)):
        with pytest.raises(
            CadenzaError, match=f"its bars are of {metre[0]}/{metre[1]}: more than 8 whole notes"
        ):
            continue_(two_bars(time_signatures=(TimeSignature(0, *metre),)), Wish(bars=1), model=model)
    passing = (TimeSignature(0, 255, 1), TimeSignature(1920, 4, 4))
    assert len(continue_(two_bars(time_signatures=passing), Wish(bars=1), model=model).added)


@pytest.fixture
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(compose.model_folders()[request.param], tmp_path / "m"))


@pytest.mark.parametrize("copied", ["composer"], indirect=True)
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"layers": 2}, r"there is no place for the tensor 'blocks\.2\.down\.weight'"),
        ({"layers": 5}, r"the tensor blocks\.4\.query_key_value\.weight is missing"),
        ({"feed_forward": 256}, r"blocks\.0\.up\.weight is of shape \(512, 160\), not \(256, 160\)"),
        ({"styles": ["pop"]}, r"embedding\.style\.weight is of shape \(4, 160\), not \(2, 160\)"),
        ({"styles": [1, 2, 3]}, "styles must be different names"),
        ({"context": 0}, "context must be a whole number above 0"),
        ({"context": -1}, "context must be a whole number above 0"),
        ({"local": 0}, "local must be a whole number above 0"),
        ({"depth": 3}, "unexpected keyword argument 'depth'"),
    ],
)
def test_sizes_that_do_not_fit_the_weights(copied: Path, sizes: dict[str, Any], message: str) -> None:
    about = json.loads((copied / "model.json").read_text())
    (copied / "model.json").write_text(json.dumps(about | {"sizes": about["sizes"] | sizes}))
    with pytest.raises(CadenzaError, match=f"the checkpoint .* is damaged: .*{message}"):
        load_model(copied)


@pytest.mark.parametrize("copied", ["markov"], indirect=True)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda keys: keys[:-1].copy(), r"the tensors pitch\.0 hold no counts"),
        (lambda keys: keys[::-1].copy(), r"the tensors pitch\.0 hold no counts"),
        (lambda keys: keys + 100, r"the tensors pitch\.0 hold no counts"),
        (lambda keys: keys.astype(np.float64), r"the tensors pitch\.0 hold no counts"),
        (lambda keys: keys[None].copy(), r"the tensors pitch\.0 hold no counts"),
        (None, r"'pitch\.0\.keys'"),
    ],
)
def test_counts_that_are_none(copied: Path, change: Callable[[Any], Any] | None, message: str) -> None:
    (path,) = copied.glob("*.safetensors")
    tensors = load_file(path)
    keys = tensors.pop("pitch.0.keys")
    save_file(tensors if change is None else tensors | {"pitch.0.keys": change(keys)}, path)
    with pytest.raises(CadenzaError, match=f"the checkpoint .* is damaged: {message}"):
        load_model(copied)


@pytest.mark.parametrize("copied", ["composer"], indirect=True)
def test_a_model_that_cannot_play(copied: Path) -> None:
    about = json.loads((copied / "model.json").read_text())
    (copied / "model.json").write_text(json.dumps(about | {"model": "event_lstm"}))
    with pytest.raises(CadenzaError, match="can be trained and compared, not played"):
        load_model(copied)
    (copied / "model.json").write_text(json.dumps(about | {"model": "comp\noser"}))
    with pytest.raises(CadenzaError, match=r"this version knows no model 'comp\\noser'"):
        load_model(copied)


@pytest.mark.parametrize(
    ("grid", "onsets", "gap"),
    [
        ("metrical", None, 24 / 12),
        ("metrical", np.arange(0, 1600, 96), 24 / 7.5),  # a note a bar: what is usual counts
        ("metrical", np.concatenate([np.arange(0, 1536, 24), np.arange(1536, 1920, 2)]), 24 / (1.5 * 12)),
        ("free", np.repeat(np.arange(0, 4000, 50), 8), 50 / (1.5 * 8)),
    ],
)
def test_draws_lean_against_half_as_many_notes_again(
    model: compose.Model, grid: Grid, onsets: NDArray[np.int_] | None, gap: float
) -> None:
    prompt = None
    if onsets is not None:
        rows, nowhere = np.zeros((len(onsets), 5), np.int16), np.zeros(len(onsets), np.int16)
        prompt = EventSequence(rows, onsets.astype(np.int32), nowhere, nowhere, grid, complete=False)
    score = Score(480, (), (Tempo.from_qpm(0, 100),), (TimeSignature(0, 4, 4),))
    plan = Plan(0, 8 * 1920, 4 * 1920, 0, 0)
    passage = passage_of(Wish(), model, Frame(score, grid, 0, 0), prompt, plan)
    assert passage.aims.least_gap == pytest.approx(gap)


def test_where_a_piece_ends_is_told(model: compose.Model) -> None:
    score = Score(480, (), (Tempo.from_qpm(0, 100),), (TimeSignature(0, 3, 4),))
    frame, ends = Frame(score, "metrical", 0, 0), Plan(0, 8 * 1440, 4 * 1440, 0, 0, ends=True)
    passage = passage_of(Wish(), model, frame, None, ends)
    known = passage.setting.known
    assert (known.kinds.tolist(), known.onsets.tolist(), known.places.tolist()) == ([STOP], [576], [[0, 72]])
    assert passage.span.may_end == 7 * 72
    for other, player in ((replace(ends, ends=False), model), (ends, load_model("markov"))):
        passage = passage_of(Wish(), player, frame, None, other)
        assert passage.setting is FREE
        assert passage.span.may_end is None
