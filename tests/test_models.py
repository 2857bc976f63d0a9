"""Laws that every model of events must keep."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from cadenza.architecture import ComposerConfig, EventLSTMConfig, rotary_frequencies
from cadenza.batches import torch_batch
from cadenza.engine.arithmetic import (
    feed_forward_one,
    log_softmax,
    norm,
    norm_one,
    squared_relu,
    turn_tables,
)
from cadenza.engine.network import NumpyComposer
from cadenza.models.base import EventBatch, EventModel
from cadenza.models.composer import Composer, local_attention
from cadenza.models.event_lstm import EventLSTM
from cadenza.models.markov import Markov
from cadenza.representation import events
from cadenza.representation.events import END, FIELDS, EventSequence
from cadenza.score import Event, Score
from cadenza.windows import window

TINY = ComposerConfig(width=32, heads=1, layers=3, feed_forward=48, context=128, local=4)
STYLES = TINY.styles


def piece(bars: int = 6) -> EventSequence:
    """A walking bass under broken chords, with pedal, chords and a rest."""
    rows: list[tuple[int, int, int, int]] = []
    for bar in range(bars):
        at = bar * 1920
        rows.append((36 + bar % 5, at, at + 1800, 70))
        rows += [(60 + (i * 5 + bar) % 13, at + i * 240, at + i * 240 + 200, 50 + 5 * i) for i in range(6)]
        rows += [(64, at + 1440, at + 1560, 90), (67, at + 1440, at + 1800, 40)]
    pedal = [
        Event(bar * 1920 + shift, bytes([0xB0, 64, value]))
        for bar in range(bars)
        for shift, value in ((0, 0), (60, 127))
    ]
    return events.encode(Score.from_notes(rows, events=pedal))


def randomised(model: EventModel) -> EventModel:
    """The model with no parameter at zero, so that nothing hides behind an initial value."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        for table in model.modules():
            if isinstance(table, torch.nn.Embedding) and table.padding_idx is not None:
                table.weight[table.padding_idx] = 0  # what is not asked adds nothing
    return model.eval()


MODELS = {
    "composer": lambda: randomised(Composer(TINY)),
    "event_lstm": lambda: randomised(EventLSTM(EventLSTMConfig(width=24))),
}


def batch_of(sequence: EventSequence, first: int = 0, length: int | None = None) -> EventBatch:
    return torch_batch(window(sequence, first, length or len(sequence) + 1, "pop"), STYLES)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> EventModel:
    return MODELS[request.param]()


@torch.no_grad()
@pytest.mark.parametrize("row", [0, 1, 2, 5, 20])
@pytest.mark.parametrize("field", range(len(FIELDS)))
def test_the_probabilities_of_a_choice_sum_to_one(model: EventModel, row: int, field: int) -> None:
    batch = batch_of(piece(bars=3), length=32)
    copies = EventBatch(
        **{f.name: torch.cat([getattr(batch, f.name)] * FIELDS[field].size) for f in fields(batch)}
    )
    copies.next_rows[:, row, field] = torch.arange(FIELDS[field].size)
    total = float(model(copies)[:, row, field].exp().sum())
    is_choice = field < 4 or row == 0 or batch.next_rows[0, row, 0] > 0
    # What is no choice has probability one whatever stands there.
    assert total == pytest.approx(1.0 if is_choice else FIELDS[field].size, abs=1e-4)


@torch.no_grad()
def test_the_future_cannot_change_the_past(model: EventModel) -> None:
    batch = batch_of(piece())
    before = model(batch)
    for changed in (7, 20):
        rows, next_rows = batch.rows.clone(), batch.next_rows.clone()
        rows[0, changed + 1 :] = torch.tensor([12, 80, 3, 30, 2])
        next_rows[0, changed:] = torch.tensor([12, 80, 3, 30, 2])
        onsets = batch.onsets.clone()
        onsets[0, changed + 1 :] += 1000
        after = model(replace(batch, rows=rows, next_rows=next_rows, onsets=onsets))
        assert torch.allclose(after[:, :changed], before[:, :changed], atol=1e-5)
        assert not torch.allclose(after[:, changed + 1 :], before[:, changed + 1 :], atol=1e-2)


@torch.no_grad()
def test_nothing_is_known_at_the_start(model: EventModel) -> None:
    """The first draw is the same whatever piece follows."""
    one, other = batch_of(piece()), batch_of(events.encode(Score.from_notes([(90, 960, 1000, 20)])))
    rows = other.next_rows[:, :1]
    first = model(replace(one, next_rows=torch.cat([rows, one.next_rows[:, 1:]], dim=1)))[0, 0, 0]
    assert float(first) == pytest.approx(float(model(other)[0, 0, 0]), abs=1e-5)


@torch.no_grad()
def test_what_is_no_choice_costs_nothing(model: EventModel) -> None:
    batch = batch_of(piece())
    scores = model(batch)[0]
    assert (scores[-1, 1:] == 0).all()
    assert scores[-1, 0] < 0
    within = (batch.next_rows[0, 1:, 0] == 0).nonzero()[:, 0] + 1
    assert len(within)
    assert (scores[within, 4] == 0).all()
    assert (scores[:-1, :4] < 0).all()


@torch.no_grad()
def test_a_lower_pitch_in_the_same_onset_is_impossible(model: EventModel) -> None:
    batch = batch_of(piece())
    row = int((batch.next_rows[0, 1:, 0] == 0).nonzero()[0, 0]) + 1
    rows = batch.next_rows.clone()
    rows[0, row, 1] = batch.rows[0, row, 1]
    assert model(replace(batch, next_rows=rows))[0, row, 1] == -torch.inf


@pytest.mark.parametrize("name", MODELS)
def test_one_bar_can_be_learnt_by_heart(name: str) -> None:
    torch.manual_seed(1)
    model: EventModel = Composer(TINY) if name == "composer" else EventLSTM(EventLSTMConfig(width=48))
    batch = batch_of(piece(bars=1))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loss = torch.tensor(0.0)
    for _ in range(150):
        loss = -model(batch).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1


@torch.no_grad()
def test_local_attention_is_attention_with_a_band() -> None:
    query, key, value = torch.randn(3, 2, 2, 11, 8).unbind(0)
    age = torch.arange(11)[:, None] - torch.arange(11)
    band = (age >= 0) & (age < 4)
    slow = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=band)
    assert torch.allclose(local_attention(query, key, value, 4), slow, atol=1e-6)


# --- The engine's arithmetic against torch's ------------------------------------------------------
def engine_of(model: Composer) -> NumpyComposer:
    return NumpyComposer(model.config, {name: t.numpy() for name, t in model.state_dict().items()})


@pytest.mark.usefixtures("all_recalled")
@torch.no_grad()
@pytest.mark.parametrize("grid", ["metrical", "free"])
def test_engine_and_torch_agree(grid: events.Grid) -> None:
    model = randomised(Composer(TINY))
    assert isinstance(model, Composer)
    score = events.decode(piece())
    sequence = events.encode(score, grid)
    expected = model(batch_of(sequence))[0].numpy()
    engine = engine_of(model)
    assert engine.log_probabilities(sequence, "pop") == pytest.approx(expected, abs=1e-4)
    assert stepped(engine, sequence) == pytest.approx(expected, abs=1e-4)


def stepped(engine: NumpyComposer, sequence: EventSequence) -> np.ndarray:
    """The scores of a piece drawn row by row, each draw being forced."""
    places = dict(
        zip(
            sequence.onsets.tolist(),
            zip(sequence.positions.tolist(), sequence.bars.tolist(), strict=True),
            strict=True,
        )
    )
    first = (0 if sequence.grid == "metrical" else events.NO_POSITION, int(sequence.bars[0]))
    state = engine.start(None, "pop", lambda _: first)
    state.places = places.__getitem__
    rows = [*sequence.rows.tolist(), [END, 0, 0, 0, 0]]
    scores = np.zeros((len(rows), len(FIELDS)))
    for t, row in enumerate(rows):

        def choose(field: int, logits: np.ndarray, t: int = t, row: list[int] = row) -> int:
            scores[t, field] = log_softmax(logits)[row[field]]
            return row[field]

        engine.step(state, choose)
    return scores


@torch.no_grad()
def test_a_prompt_in_one_pass_leaves_what_single_steps_leave() -> None:
    model = randomised(Composer(TINY))
    assert isinstance(model, Composer)
    engine, sequence = engine_of(model), piece()
    at = dict(
        zip(
            sequence.onsets.tolist(),
            zip(sequence.positions.tolist(), sequence.bars.tolist(), strict=True),
            strict=True,
        )
    )
    one = engine.start(None, "pop", lambda _: (0, 96))
    one.places = at.__getitem__
    for row in sequence.rows.tolist():
        engine.step(one, lambda field, _, row=row: row[field])
    other = engine.start(sequence, "pop", lambda _: (0, 96))
    assert other.known == pytest.approx(one.known, abs=1e-4)
    assert (other.onset, other.pitch, other.pedal) == (one.onset, one.pitch, one.pedal)


@torch.no_grad()
def test_notes_beyond_the_context_are_forgotten() -> None:
    """A note sees the last `context` notes through each global layer, and a long prompt is cut to them."""
    config = replace(TINY, context=8, local=4, layers=1)
    model = randomised(Composer(config))
    assert isinstance(model, Composer)
    engine, sequence = engine_of(model), piece()
    long = engine.start(sequence, None, lambda _: (0, 96))
    cut = slice(len(sequence) - 8, None)
    tail = EventSequence(
        sequence.rows[cut], sequence.onsets[cut], sequence.positions[cut], sequence.bars[cut], sequence.grid
    )
    assert engine.start(tail, None, lambda _: (0, 96)).known == pytest.approx(long.known, abs=1e-4)
    rows = iter(sequence.rows.tolist() * 3)
    for _ in range(60):
        row = next(rows)
        engine.step(long, lambda field, _, row=row: row[field])
    assert max(cache.values.shape[1] for cache in long.caches) <= 2 * 8
    assert np.isfinite(long.known).all()


@pytest.mark.usefixtures("all_recalled")
@torch.no_grad()
def test_steps_beyond_the_context_agree_with_the_batched_pass() -> None:
    """Note by note the caches are filled and moved again and again."""
    model = randomised(Composer(replace(TINY, context=8)))
    assert isinstance(model, Composer)
    engine, sequence = engine_of(model), piece()
    assert stepped(engine, sequence) == pytest.approx(engine.log_probabilities(sequence, "pop"), abs=1e-4)


def test_one_vector_goes_the_way_of_many() -> None:
    rng = np.random.default_rng(0)
    x, up, down = (rng.standard_normal(shape, np.float32) for shape in (32, (32, 48), (48, 20)))
    assert norm_one(x) == pytest.approx(norm(x[None])[0], rel=1e-5)
    slow = squared_relu(norm(x[None]) @ up) @ down
    assert feed_forward_one(x, up, down) == pytest.approx(slow[0], rel=1e-4, abs=1e-4)


def test_tables_hold_every_rotation() -> None:
    """Their periods are whole steps, so the table is right however far a piece goes."""
    at = np.array([[0, 0, 0], [1, 1, 1], [1535, 1023, 87], [1536, 1024, 20], [100_003, 30_001, 60]])
    angles = at / [events.STEPS_PER_QUARTER, 1, 1] @ rotary_frequencies()
    expected = (2 * angles.shape[1]) ** 0.25 * np.exp(1j * angles)
    found = [table[where % len(table)] for table, where in zip(turn_tables(), at.T, strict=True)]
    assert np.concatenate(found, axis=-1) == pytest.approx(expected, abs=1e-5)


# --- Markov ---------------------------------------------------------------------------------------
def test_markov_steps_offer_what_its_likelihood_says() -> None:
    sequence = piece()
    model = Markov.fit(
        [sequence, events.encode(Score.from_notes([(50, 0, 10, 20), (60, 0, 99, 40), (70, 480, 500, 9)]))]
    )
    scores = model.log_probabilities(sequence, None)
    state = model.start(None, None, lambda _: (0, 96))
    for t, row in enumerate(sequence.rows.tolist()):

        def choose(field: int, logits: np.ndarray, t: int = t, row: list[int] = row) -> int:
            assert log_softmax(logits)[row[field]] == pytest.approx(scores[t, field], abs=1e-5)
            return row[field]

        assert model.step(state, choose) == tuple(row)


def test_markov_interpolates_after_witten_and_bell() -> None:
    """After shift 24 twice came 24 once; order 1: 24 after 24 once, END once; order 0: 24 twice, 0, END."""
    sequence = events.encode(Score.from_notes([(60, 0, 480, 80), (60, 480, 960, 80), (60, 960, 1440, 80)]))
    model = Markov.fit([sequence])
    uniform = 1 / FIELDS[0].size
    order0 = (np.array([1, 2, 1]) + 3 * uniform) / (4 + 3)  # shifts 0, 24, END
    order1 = (np.array([0, 1, 1]) + 2 * order0) / (2 + 2)
    order2 = (np.array([0, 0, 1]) + 1 * order1) / (1 + 1)
    scores = model.log_probabilities(sequence, None)
    assert scores[3, 0] == pytest.approx(np.log(order2[2]))
    assert model.distribution(0, (0, 24, 24 * 256 + 24)).sum() == pytest.approx(1)


def test_markov_comes_back_from_its_tensors() -> None:
    sequence = piece()
    model = Markov.fit([sequence])
    again = Markov.from_tensors(model.tensors())
    assert np.array_equal(again.log_probabilities(sequence, None), model.log_probabilities(sequence, None))
