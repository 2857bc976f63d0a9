"""Takes that are drawn in step are those that are drawn one after the other."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cadenza import compose
from cadenza.architecture import ComposerConfig
from cadenza.compose import Wish, load_model
from cadenza.engine.arithmetic import feed_forward_few, feed_forward_one, norm_few, norm_one
from cadenza.engine.cache import Cache, JointCache
from cadenza.engine.chooser import Drawn, Passage, Span
from cadenza.engine.constraints import Constraints
from cadenza.engine.generate import stream
from cadenza.engine.leaning import Aims
from cadenza.engine.network import NumpyComposer
from cadenza.engine.sampler import Sampler, Sampling, draw_together
from cadenza.engine.together import Together
from cadenza.midi import midi_bytes
from cadenza.models.composer import Composer
from cadenza.representation import events
from cadenza.representation.conditions import ChordTrack
from cadenza.representation.edits import following, gap, highest, in_order, known_notes, stop_at, without
from cadenza.representation.events import EventSequence
from cadenza.score import Score
from cadenza.sequence import Setting

SEEDS = (3, 4, 5, 6)
TINY = ComposerConfig(width=32, heads=1, layers=3, feed_forward=48, context=24, local=4)


@pytest.fixture(scope="module")
def shipped() -> NumpyComposer:
    model = load_model().sequence_model
    assert isinstance(model, NumpyComposer)
    return model


def random_engine(**sizes: int) -> NumpyComposer:
    """Of weights that are nowhere zero, with a context that is soon full."""
    torch.manual_seed(0)
    model = Composer(replace(TINY, **sizes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        for table in model.modules():
            if isinstance(table, nn.Embedding) and table.padding_idx is not None:
                table.weight[table.padding_idx] = 0
    return NumpyComposer(model.config, {name: t.numpy() for name, t in model.state_dict().items()})


def piece(bars: int = 8) -> Score:
    """A bass under a melody, with chords."""
    rows: list[tuple[int, int, int, int]] = []
    for bar in range(bars):
        at = bar * 1920
        rows.append((36 + bar % 5, at, at + 1800, 70))
        rows += [(60 + (i * 5 + bar) % 13, at + i * 240, at + i * 240 + 200, 50 + 5 * i) for i in range(6)]
        rows.append((79, at + 1440, at + 1800, 40))
    return Score.from_notes(rows)


def four_four(step: int) -> tuple[int, int]:
    return step % 96, 96


def alone(
    model: NumpyComposer, passage: Passage, constraints: Constraints, sampling: Sampling
) -> list[list[Drawn]]:
    return [
        list(stream(model, passage, constraints=constraints, sampling=sampling, seed=seed)) for seed in SEEDS
    ]


def together(
    model: NumpyComposer, passage: Passage, constraints: Constraints, sampling: Sampling
) -> list[list[Drawn]]:
    takes: list[list[Drawn]] = [[] for _ in SEEDS]
    for take, note in Together.begin(model, passage, constraints=constraints, sampling=sampling, seeds=SEEDS):
        takes[take].append(note)
    return takes


def part(sequence: EventSequence, first: int, last: int) -> EventSequence:
    return sequence.part(slice(first, last), complete=False)


# --- Drawing ----------------------------------------------------------------------------------------
OPTIONS = {
    "as it is": (Constraints(), Sampling()),
    "wild": (Constraints(), Sampling(temperature=1.6, top_p=1.0)),
    "few": (Constraints(), Sampling(top_k=3, repetition_penalty=1.5)),
    "greedy": (Constraints(), Sampling(greedy=0.3)),
    "cold": (Constraints(), Sampling(temperature=0)),
    "key and range": (Constraints.parse("C minor", "C3-C5"), Sampling()),
    "one key": (Constraints(lowest=60, highest=60), Sampling()),
    "two hands": (Constraints(most=3, hand_span=12), Sampling()),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("prompted", [False, True])
def test_takes_are_those_of_their_seeds(
    shipped: NumpyComposer, options: tuple[Constraints, Sampling], prompted: bool
) -> None:
    prompt = part(events.encode(piece()), 0, 64) if prompted else None
    begin = 0 if prompt is None else 96 * (1 + int(prompt.onsets[-1]) // 96)
    passage = Passage(Span(begin, begin + 4 * 96), four_four, prompt, style="pop")
    assert together(shipped, passage, *options) == alone(shipped, passage, *options)


@pytest.mark.parametrize("seed", range(3))
def test_takes_are_those_of_their_seeds_beyond_the_context(seed: int) -> None:
    model = random_engine()
    passage = Passage(Span(0, 96 * 96), four_four, style="pop")
    sampling = Sampling(temperature=1 + seed / 4)
    found = together(model, passage, Constraints(), sampling)
    assert max(map(len, found)) > 2 * TINY.context
    assert found == alone(model, passage, Constraints(), sampling)


CHORDS = ChordTrack(np.array([0, 96, 200, 300]), np.array([2, 17, 1, 45]))


@pytest.mark.parametrize("is_asked", [False, True])
@pytest.mark.parametrize("may_end", [None, 240])
@pytest.mark.parametrize("look_ahead", [0, 24, 192])
def test_what_is_fixed_is_told_to_each_take_in_its_time(
    look_ahead: int, may_end: int | None, is_asked: bool
) -> None:
    model, whole = random_engine(look_ahead=look_ahead, context=256), events.encode(piece())
    region = gap(whole, 16, 32)
    assert region.stop is not None
    _, apart = without(whole, highest(whole) & (whole.onsets >= 192) & (whole.onsets < region.stop))
    _, later = without(whole, whole.onsets >= region.stop)
    known = in_order(known_notes(apart), stop_at(region.stop, region.stop_place))
    setting = Setting(known, following(later, region.stop))
    aims = Aims()
    if is_asked:
        setting = replace(setting, asked=(3, 5, 2, 20), chords=CHORDS)
        aims = Aims(gap=4.0, pitch=50.0, velocity=90.0)
    span = Span(192, region.stop, may_end=may_end)
    passage = Passage(span, four_four, part(whole, 0, region.begin), setting, "pop", aims=aims)
    options = Constraints(), Sampling(temperature=1.5, top_p=1.0)
    found = together(model, passage, *options)
    assert len({len(take) for take in found}) > 1
    assert found == alone(model, passage, *options)


def test_takes_lean_each_by_its_own_notes(shipped: NumpyComposer) -> None:
    passage = Passage(Span(0, 4 * 96), four_four, style="pop", aims=Aims(gap=12.0, pitch=48.0, velocity=40.0))
    options = Constraints(), Sampling()
    found = together(shipped, passage, *options)
    assert found == alone(shipped, passage, *options)
    assert found != together(shipped, replace(passage, aims=Aims()), *options)


@pytest.mark.parametrize("seed", [0, 4, 9, 12])
def test_hands_that_are_full_at_the_end_of_the_span_end_it(shipped: NumpyComposer, seed: int) -> None:
    """Beyond the span no key is free, and none is needed."""
    passage = Passage(Span(0, 4 * 96), four_four, style="pop")
    limits = Constraints(most=3, hand_span=12)
    drawn = list(stream(shipped, passage, constraints=limits, sampling=Sampling(), seed=seed))
    assert drawn
    assert drawn[-1].onset < 4 * 96


def test_the_prompt_is_left_as_it_was_read(shipped: NumpyComposer) -> None:
    state = shipped.start(part(events.encode(piece()), 0, 20), "pop", four_four)
    keys, known = [cache.keys.copy() for cache in state.caches], state.known.copy()
    joint = shipped.fork(state, 3)
    for _ in range(2):
        shipped.step_together(joint, lambda _, logits, __: logits.argmax(1))
    assert np.array_equal(state.known, known)
    assert all(np.array_equal(c.keys, k) for c, k in zip(state.caches, keys, strict=True))


def test_a_stream_that_is_closed_leaves_nothing_behind(shipped: NumpyComposer) -> None:
    passage = Passage(Span(0, 4 * 96), four_four, style="pop")
    wanted: dict[str, Any] = {"constraints": Constraints(), "sampling": Sampling(), "seeds": SEEDS}
    first = Together.begin(shipped, passage, **wanted)
    drawing = iter(first)
    begun = [next(drawing) for _ in range(5)]
    drawing.close()
    with pytest.raises(StopIteration):
        next(drawing)
    assert [
        note for _, note in zip(range(5), Together.begin(shipped, passage, **wanted), strict=False)
    ] == begun


# --- Its parts --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(temperature=0.7, top_p=1.0),
        Sampling(top_k=4),
        Sampling(repetition_penalty=3.0),
        Sampling(greedy=0.5),
        Sampling(temperature=0),
    ],
)
@pytest.mark.parametrize("strictness", [1.0, 0.25])
def test_draws_together_are_those_of_each(sampling: Sampling, strictness: float) -> None:
    """With ties and masks, and where some symbols may be copied by some."""
    rng = np.random.default_rng(1)
    one, other = ([Sampler(sampling, seed) for seed in range(5)] for _ in range(2))
    for _ in range(100):
        logits = np.round(2 * rng.standard_normal((5, 30)), 1).astype(np.float32)
        logits[rng.random(logits.shape) < 0.3] = -np.inf
        logits[:, 0] = 0
        recent = [rng.integers(30, size=3).tolist() for _ in range(5)]
        symbols = rng.integers(30, size=(5, 4)).tolist()
        copies = [dict.fromkeys(some[:k], 5 * rng.random()) for k, some in enumerate(symbols)]
        if rng.random() < 0.3:
            copies = [{}] * 5
        each = zip(one, logits, recent, copies, strict=True)
        alone = [s.draw(own, lately, strictness, some) for s, own, lately, some in each]
        assert draw_together(other, logits, recent, strictness, copies).tolist() == alone


def test_no_symbol_for_one_of_several() -> None:
    logits = np.zeros((2, 4), np.float32)
    logits[1] = -np.inf
    with pytest.raises(ValueError, match="no symbol"):
        draw_together([Sampler(Sampling(), 1), Sampler(Sampling(), 2)], logits, [(), ()])


def test_a_few_vectors_go_the_way_of_one() -> None:
    rng = np.random.default_rng(0)
    x, up, down = (rng.standard_normal(shape, np.float32) for shape in ((3, 32), (32, 48), (48, 20)))
    assert np.array_equal(norm_few(x), np.stack([norm_one(row) for row in x]))
    slow = np.stack([feed_forward_one(row, up, down) for row in x])
    assert feed_forward_few(x, up, down) == pytest.approx(slow, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("reach", [3, 8])
def test_a_joint_cache_holds_what_the_caches_of_its_takes_would(reach: int) -> None:
    rng = np.random.default_rng(reach)
    empty = Cache(reach, np.empty((2, 4, 0), np.float32), np.empty((2, 0, 4), np.float32))
    empty.take(*rng.standard_normal((2, 2, 5, 4), np.float32))
    joint = JointCache.of(empty, 3)
    apart = [replace(empty, keys=empty.keys.copy(), values=empty.values.copy()) for _ in range(3)]
    for turn in range(30):
        if turn % 7 == 3:  # one of them is told of something
            told = rng.standard_normal((2, 2, turn % 3 + 1, 4), np.float32)
            cache = joint.one(turn % 3, told.shape[2])
            cache.take(*told)
            joint.set_filled(turn % 3, cache.filled)
            apart[turn % 3].take(*told)
        keys, values = rng.standard_normal((2, 3, 2, 4), np.float32)
        every_key, every_value, seen = joint.take(keys, values)
        for take, cache in enumerate(apart):
            own_keys, own_values = cache.take(keys[take, :, None], values[take, :, None])
            mine = np.ones(every_key.shape[-1], bool) if seen is None else seen[take]
            assert np.array_equal(every_key[take][:, :, mine], own_keys)
            assert np.array_equal(every_value[take][:, mine], own_values)
        if turn == 20:
            joint.keep(np.array([0, 2]))
            joint.keep(np.array([0, 1]))
            break


# --- What users ask for -----------------------------------------------------------------------------
def test_takes_of_a_request_are_those_of_its_seeds() -> None:
    model = load_model()
    wish = Wish(bars=2, seed=7)
    takes = compose.continue_takes(piece(2), wish, 3, model=model)
    assert [take.seed for take in takes] == [7, 8, 9]
    for take in takes:
        single = compose.continue_(piece(2), replace(wish, seed=take.seed), model=model)
        assert midi_bytes(take.score) == midi_bytes(single.score)
        assert (take.begin, take.heard, take.style) == (single.begin, single.heard, single.style)


def test_more_takes_than_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cadenza.drafts.AT_ONCE", 2)
    wish = Wish(bars=1, seed=1)
    takes = compose.generate_takes(wish, 5)
    assert [take.seed for take in takes] == [1, 2, 3, 4, 5]
    assert midi_bytes(takes[4].score) == midi_bytes(compose.generate(replace(wish, seed=5)).score)


def test_a_model_that_draws_one_take_at_a_time_does_so() -> None:
    model = load_model("markov")
    takes = compose.generate_takes(Wish(bars=1), 2, model=model)
    assert midi_bytes(takes[1].score) == midi_bytes(compose.generate(Wish(bars=1, seed=2), model=model).score)
