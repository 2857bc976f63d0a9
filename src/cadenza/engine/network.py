"""The composer's arithmetic in NumPy, one step a note, with cached keys and values.

It computes what `cadenza.models.composer` computes (a test compares them) on weights of the same names. A
prompt goes through in one batched pass; after that each note costs one pass over the weights, which is what
bounds the speed on a CPU; for a small model, so does the number of NumPy calls, some half a microsecond each.
Where this file departs from the torch model's wording it is to save some: rotary pairs are complex numbers
(the weights are reordered once), all that is embedded lies in one table, and softmax needs no maximum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.architecture import BAR_UNIT, ComposerConfig, coordinates, rotary_frequencies, style_index
from cadenza.representation.events import END, FIELDS, NO_POSITION, SHIFT, EventSequence
from cadenza.sequence import Choose, Places, SequenceModel

Array = NDArray[np.float32]

EPSILON: Final = np.float32(1e-6)
CHUNK: Final = 256
"""Notes scored in one pass."""
HIGHEST_PITCH: Final = FIELDS[1].size - 1


def norm(x: Array) -> Array:
    """Root-mean-square normalisation of the last axis."""
    return x / np.sqrt(np.vecdot(x, x)[..., None] / x.shape[-1] + EPSILON)


def rotate(x: Array, turns: NDArray[np.complex64]) -> Array:
    """Each pair (2k, 2k + 1) of the last axis, as a complex number, times its turn."""
    return (x.view(np.complex64) * turns).view(np.float32)


def paired(weight: Array, heads: int) -> Array:
    """Rows of a query-key-value matrix reordered: the torch model's rotary pairs are (k, k + half) of a head.

    Queries and keys are permuted alike, so their products are what they were.
    """
    query_key, value = np.split(weight, [2 * len(weight) // 3])
    halves = query_key.reshape(2, heads, 2, -1, weight.shape[1])
    return np.concatenate([halves.swapaxes(2, 3).reshape(query_key.shape), value])


def side_by_side(matrices: Sequence[Array]) -> list[Array]:
    """Copies of matrices, transposed, in one stretch of memory in the order given.

    x @ w.T reads the rows of w, which stay contiguous. One large stretch gets large memory pages where the
    system has them, and a pass over it takes a fifth less time.
    """
    stretch = np.concatenate([matrix.ravel() for matrix in matrices])
    parts = np.split(stretch, np.cumsum([matrix.size for matrix in matrices[:-1]]))
    return [part.reshape(matrix.shape).T for part, matrix in zip(parts, matrices, strict=True)]


def squared_relu(x: Array) -> Array:
    """What lies between the two matrices of a feed-forward layer."""
    return np.square(np.maximum(x, 0))


def log_softmax(x: Array) -> NDArray[np.float64]:
    """Along the last axis, in double precision."""
    exact = x.astype(np.float64)
    exact = exact - exact.max(-1, keepdims=True)
    return exact - np.log(np.exp(exact).sum(-1, keepdims=True))


@dataclass
class ComposerState:
    """Everything that the notes so far have left behind; `step` changes it in place.

    keys, values: (layers, heads, capacity, 32), filled up to `filled`. known: (width,), the trunk's
    output for the next row. onset, pitch: of the last note, in steps and as a symbol; pitch is -1 before the
    first.
    """

    keys: Array
    values: Array
    filled: int
    count: int
    known: Array
    onset: int
    pitch: int
    pedal: int
    style: int
    places: Places


@dataclass(frozen=True)
class _Block:
    query_key_value: Array
    out: Array
    up: Array
    down: Array


@dataclass(frozen=True)
class _Head:
    hidden: Array
    logits: Array
    bias: Array

    def __call__(self, known: Array) -> Array:
        return squared_relu(norm(known) @ self.hidden) @ self.logits + self.bias


class NumpyComposer(SequenceModel[ComposerState]):
    """A composer that plays."""

    def __init__(self, config: ComposerConfig, weights: Mapping[str, Array]) -> None:
        self.config = config
        self.styles = config.styles
        self._frequencies = rotary_frequencies()

        def table(name: str) -> Array:
            return np.ascontiguousarray(weights[f"{name}.weight"], dtype=np.float32)

        tables = [table(f"embedding.fields.{i}") for i in range(len(FIELDS))]
        tables += [table(f"embedding.{name}") for name in ("position", "bar", "style")]
        self._embedding = np.concatenate(tables)
        self._offsets = np.cumsum([0, *map(len, tables[:-1])])
        self._start = weights["embedding.start"].astype(np.float32)
        matrices: list[Array] = []
        for i in range(config.layers):
            block = [table(f"blocks.{i}.{part}") for part in ("query_key_value", "out", "up", "down")]
            matrices += [paired(block[0], config.heads), *block[1:]]
        for i in range(len(FIELDS)):
            matrices += [table(f"heads.heads.{i}.hidden"), table(f"heads.heads.{i}.logits")]
        biases = [weights[f"heads.heads.{i}.logits.bias"].astype(np.float32) for i in range(len(FIELDS))]
        matrices = side_by_side(matrices)
        first = 4 * config.layers
        self._blocks = [_Block(*matrices[i : i + 4]) for i in range(0, first, 4)]
        pairs = zip(matrices[first::2], matrices[first + 1 :: 2], biases, strict=True)
        self._heads = [_Head(hidden, logits, bias) for hidden, logits, bias in pairs]
        self._chosen = [table(f"heads.chosen.{i}") for i in range(len(FIELDS) - 1)]
        self._chosen_position = table("heads.position")

    # --- The trunk ------------------------------------------------------------------------------------------

    def _embed(self, rows: NDArray[np.integer], places: NDArray[np.integer], style: int) -> Array:
        """Inputs of rows (notes, 5) at places (notes, 2)."""
        symbols = np.empty((len(rows), len(self._offsets)), np.int64)
        symbols[:, : len(FIELDS)] = rows
        symbols[:, -3], symbols[:, -2], symbols[:, -1] = places[:, 0], places[:, 1] // BAR_UNIT, style
        return self._embedding[symbols + self._offsets].sum(1)

    def _embed_start(self, place: tuple[int, int], style: int) -> Array:
        symbols = np.array([place[0], place[1] // BAR_UNIT, style])
        return self._start + self._embedding[symbols + self._offsets[len(FIELDS) :]].sum(0)

    def _turns(
        self, onsets: NDArray[np.integer], first: int, pitches: NDArray[np.integer]
    ) -> NDArray[np.complex64]:
        """What queries and keys are multiplied by, (notes, pairs): rotations, shrunk by attention's scale."""
        angles = coordinates(onsets, first, pitches) @ self._frequencies
        return ((2 * angles.shape[1]) ** -0.25 * np.exp(1j * angles)).astype(np.complex64)

    def _read(self, state: ComposerState, x: Array, turns: NDArray[np.complex64]) -> Array:
        """Takes `x` (notes, width) through the blocks after what `state` holds; every note's output."""
        notes, heads = len(x), self.config.heads
        self._make_room(state, notes)
        begin, end = state.filled, state.filled + notes
        for i, block in enumerate(self._blocks):
            qkv = (norm(x) @ block.query_key_value).reshape(notes, 3, heads, -1).transpose(1, 2, 0, 3)
            query, key = rotate(norm(qkv[:2]), turns)
            state.keys[i, :, begin:end] = key
            state.values[i, :, begin:end] = qkv[2]
            reach = self.config.reach(i)
            seen = slice(max(0, begin + 1 - reach), end)
            # Queries and keys are normalised, so no score exceeds the root of their length: exp is safe.
            weights = np.exp(query @ state.keys[i, :, seen].transpose(0, 2, 1))
            if notes > 1:
                age = np.arange(begin, end)[:, None] - np.arange(seen.start, end)
                weights = np.where((age >= 0) & (age < reach), weights, np.float32(0))
            mixed = (weights @ state.values[i, :, seen]) / weights.sum(-1, keepdims=True)
            x = x + mixed.transpose(1, 0, 2).reshape(notes, -1) @ block.out
            x += squared_relu(norm(x) @ block.up) @ block.down
        state.filled, state.count = end, state.count + notes
        return norm(x)

    def _make_room(self, state: ComposerState, notes: int) -> None:
        """Moves the last context to the front where the cache is full: once in a context, note by note."""
        if state.filled + notes <= state.keys.shape[2]:
            return
        keep = min(state.filled, self.config.context - 1)
        capacity = max(2 * self.config.context, keep + notes)
        for name in ("keys", "values"):
            old = getattr(state, name)
            new = np.empty((*old.shape[:2], capacity, old.shape[3]), np.float32)
            new[:, :, :keep] = old[:, :, state.filled - keep : state.filled]
            setattr(state, name, new)
        state.filled = keep

    # --- SequenceModel --------------------------------------------------------------------------------------

    def start(self, prompt: EventSequence | None, style: str | None, places: Places) -> ComposerState:
        """See `SequenceModel.start`. A prompt's rows are read from its `places`, not asked of `places`."""
        shape = (self.config.layers, self.config.heads, 0, self.config.width // self.config.heads)
        state = ComposerState(
            keys=np.empty(shape, np.float32),
            values=np.empty(shape, np.float32),
            filled=0,
            count=0,
            known=np.empty(0, np.float32),
            onset=0,
            pitch=-1,
            pedal=0,
            style=style_index(self.styles, style),
            places=places,
        )
        x, onsets, pitches = self._inputs(prompt, state)
        state.known = self._read(state, x, self._turns(onsets, 0, pitches))[-1]
        if prompt is not None and len(prompt):
            state.onset = int(prompt.onsets[-1])
            state.pitch, state.pedal = int(prompt.rows[-1, 1]), int(prompt.rows[-1, 4])
        return state

    def _inputs(
        self, prompt: EventSequence | None, state: ComposerState
    ) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
        """Embeddings, onsets and pitches of the start and of a prompt's notes.

        Of its last notes only, and without the start, where a prompt is longer than the context.
        """
        place = state.places(0)
        start = self._embed_start(place, state.style)[None]
        if prompt is None or not len(prompt):
            return start, np.zeros(1, np.int64), np.zeros(1, np.int64)
        keep = slice(max(0, len(prompt) - self.config.context), None)
        rows = prompt.rows[keep].astype(np.int64)
        where = np.stack([prompt.positions[keep], prompt.bars[keep]], axis=1).astype(np.int64)
        x, onsets, pitches = self._embed(rows, where, state.style), prompt.onsets[keep], rows[:, 1]
        if len(prompt) >= self.config.context:
            return x, onsets.astype(np.int64), pitches
        return (
            np.concatenate([start, x]),
            np.concatenate([[0], onsets]).astype(np.int64),
            np.concatenate([[0], pitches]),
        )

    def step(self, state: ComposerState, choose: Choose) -> tuple[int, ...]:
        """See `SequenceModel.step`."""
        row: list[int] = []
        known, place, within = state.known, (NO_POSITION, 0), False
        for i, head in enumerate(self._heads):
            if i == len(FIELDS) - 1 and within:
                row.append(state.pedal)
                break
            logits = head(known)
            if i == 0 and state.pitch == HIGHEST_PITCH:
                logits[0] = -np.inf
            if i == 1 and within:
                logits[: state.pitch + 1] = -np.inf
            row.append(choose(i, logits))
            if i == 0:
                if row[0] == END:
                    return (END, 0, 0, 0, 0)
                within = row[0] == 0 and state.pitch >= 0
                state_onset = state.onset + int(SHIFT.table[row[0]])
                place = state.places(state_onset)
                known = known + self._chosen_position[place[0]]
            if i < len(self._chosen):
                known = known + self._chosen[i][row[i]]
        self._take(state, row, place)
        return tuple(row)

    def _take(self, state: ComposerState, row: list[int], place: tuple[int, int]) -> None:
        """Makes a drawn row the last of the notes so far."""
        rows = np.array([row])
        state.onset += int(SHIFT.table[row[0]])
        state.pitch, state.pedal = row[1], row[4]
        turns = self._turns(np.array([state.onset]), state.count, rows[:, 1])
        state.known = self._read(state, self._embed(rows, np.array([place]), state.style), turns)[-1]

    def log_probabilities(self, sequence: EventSequence, style: str | None) -> NDArray[np.float64]:
        """See `SequenceModel.log_probabilities`.

        Each note sees what it would see in generation: the cached notes of its context, in chunks.
        """
        places = np.stack([sequence.positions, sequence.bars], axis=1).astype(np.int64)
        first_bar = int(places[0, 1]) if len(sequence) else 0
        first = (0, first_bar) if sequence.grid == "metrical" else (NO_POSITION, 0)
        state = self.start(None, style, lambda _: first)
        rows = sequence.rows.astype(np.int64)
        known = [state.known[None]]
        for i in range(0, len(rows), CHUNK):
            part = slice(i, i + CHUNK)
            turns = self._turns(sequence.onsets[part], state.count, rows[part, 1])
            known.append(self._read(state, self._embed(rows[part], places[part], state.style), turns))
        drawn = np.concatenate([rows, [[END, 0, 0, 0, 0]]])
        led_to = np.concatenate([places, [[NO_POSITION, 0]]])
        scores = self._score(np.concatenate(known), drawn, led_to)
        return scores if sequence.complete else scores[:-1]

    def _score(self, known: Array, rows: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Log-probabilities of rows, each drawn from what is known before it."""
        ended = rows[:, 0] == END
        within = rows[:, 0] == 0
        within[0] = False
        before = np.concatenate([[-1], rows[:-1, 1]])
        scores = np.zeros(rows.shape)
        for i, head in enumerate(self._heads):
            logits = head(known)
            if i == 0:
                logits[before == HIGHEST_PITCH, 0] = -np.inf
            if i == 1:
                logits[within[:, None] & (np.arange(logits.shape[1]) <= before[:, None])] = -np.inf
            scores[:, i] = np.take_along_axis(log_softmax(logits), rows[:, i : i + 1], axis=1)[:, 0]
            if i == 0:
                known = known + self._chosen_position[places[:, 0]]
            if i < len(self._chosen):
                known = known + self._chosen[i][rows[:, i]]
        scores[ended, 1:] = 0
        scores[within, -1] = 0
        return scores
