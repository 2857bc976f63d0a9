"""The composer's arithmetic in NumPy, one step a note, with cached keys and values.

It computes what `cadenza.models.composer` computes (a test compares them) on weights of the same names. A
prompt goes through in one batched pass; after that each note costs one pass over the weights, which is what
bounds the speed of a small model on a CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.architecture import BAR_UNIT, ComposerConfig, coordinates, rotary_frequencies, style_index
from cadenza.representation.events import END, FIELDS, NO_POSITION, SHIFT, EventSequence
from cadenza.sequence import Choose, Places, SequenceModel

Array = NDArray[np.float32]

EPSILON: Final = np.float32(1e-6)
HIGHEST_PITCH: Final = FIELDS[1].size - 1


def norm(x: Array) -> Array:
    """Root-mean-square normalisation of the last axis."""
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON)


def rotate(x: Array, cos: Array, sin: Array) -> Array:
    """Each pair (k, k + half) of the last axis turned by its angle."""
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


def softmax(x: Array) -> Array:
    """Along the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(x: Array) -> NDArray[np.float64]:
    """Along the last axis, in double precision."""
    x = x.astype(np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


@dataclass
class ComposerState:
    """Everything that the notes so far have left behind; `step` changes it in place.

    keys, values: (layers, heads, capacity, 32), the last `filled` notes. known: (width,), the trunk's output
    for the next row. onset, pitch: of the last note, in steps and as a symbol; pitch is -1 before the first.
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
        return np.square(np.maximum(norm(known) @ self.hidden, 0)) @ self.logits + self.bias


class NumpyComposer(SequenceModel[ComposerState]):
    """A composer that plays."""

    def __init__(self, config: ComposerConfig, weights: Mapping[str, Array]) -> None:
        self.config = config
        self.styles = config.styles
        self._frequencies = rotary_frequencies()

        def table(name: str) -> Array:
            return np.ascontiguousarray(weights[f"{name}.weight"], dtype=np.float32)

        def matrix(name: str) -> Array:
            # Kept transposed as it lies: x @ w.T reads the rows of w, which are contiguous.
            return table(name).T

        self._fields = [table(f"embedding.fields.{i}") for i in range(len(FIELDS))]
        self._position, self._bar = table("embedding.position"), table("embedding.bar")
        self._style, self._start = table("embedding.style"), weights["embedding.start"].astype(np.float32)
        self._blocks = [
            _Block(*(matrix(f"blocks.{i}.{part}") for part in ("query_key_value", "out", "up", "down")))
            for i in range(config.layers)
        ]
        self._heads = [
            _Head(
                matrix(f"heads.heads.{i}.hidden"),
                matrix(f"heads.heads.{i}.logits"),
                weights[f"heads.heads.{i}.logits.bias"].astype(np.float32),
            )
            for i in range(len(FIELDS))
        ]
        self._chosen = [table(f"heads.chosen.{i}") for i in range(len(FIELDS) - 1)]
        self._chosen_position = table("heads.position")

    # --- The trunk ------------------------------------------------------------------------------------------

    def _embed(self, rows: NDArray[np.integer], places: NDArray[np.integer], style: int) -> Array:
        x = sum((table[rows[:, i]] for i, table in enumerate(self._fields)), np.float32(0))
        return x + self._position[places[:, 0]] + self._bar[places[:, 1] // BAR_UNIT] + self._style[style]

    def _embed_start(self, place: tuple[int, int], style: int) -> Array:
        return self._start + self._position[place[0]] + self._bar[place[1] // BAR_UNIT] + self._style[style]

    def _angles(self, onsets: NDArray[np.integer], first: int, pitches: NDArray[np.integer]) -> tuple[Array, Array]:
        angles = coordinates(onsets, first, pitches) @ self._frequencies
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def _read(self, state: ComposerState, x: Array, cos: Array, sin: Array) -> Array:
        """Takes `x` (notes, width) through the blocks after what `state` holds; every note's output."""
        notes, heads = len(x), self.config.heads
        self._make_room(state, notes)
        begin, end = state.filled, state.filled + notes
        ages = np.arange(begin, end)[:, None] - np.arange(end)
        scale = np.float32((self.config.width // heads) ** -0.5)
        for i, block in enumerate(self._blocks):
            qkv = (norm(x) @ block.query_key_value).reshape(notes, 3, heads, -1).transpose(1, 2, 0, 3)
            state.keys[i, :, begin:end] = rotate(norm(qkv[1]), cos, sin)
            state.values[i, :, begin:end] = qkv[2]
            reach = self.config.reach(i)
            seen = slice(max(0, begin + 1 - reach), end)
            scores = (rotate(norm(qkv[0]), cos, sin) * scale) @ state.keys[i, :, seen].transpose(0, 2, 1)
            if notes > 1:
                age = ages[:, seen]
                scores += np.where((age < 0) | (age >= reach), -np.inf, 0).astype(np.float32)
            mixed = softmax(scores) @ state.values[i, :, seen]
            x = x + mixed.transpose(1, 0, 2).reshape(notes, -1) @ block.out
            x = x + np.square(np.maximum(norm(x) @ block.up, 0)) @ block.down
        state.filled, state.count = end, state.count + notes
        return norm(x)

    def _make_room(self, state: ComposerState, notes: int) -> None:
        """Drops what lies more than a context back when the cache is full."""
        keep = min(state.filled, self.config.context - 1)
        if state.filled + notes <= state.keys.shape[2] and (notes > 1 or state.filled < state.keys.shape[2]):
            return
        capacity = max(state.keys.shape[2], keep + notes)
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
        state.known = self._read(state, x, *self._angles(onsets, 0, pitches))[-1]
        if prompt is not None and len(prompt):
            state.onset = int(prompt.onsets[-1])
            state.pitch, state.pedal = int(prompt.rows[-1, 1]), int(prompt.rows[-1, 4])
        return state

    def _inputs(
        self, prompt: EventSequence | None, state: ComposerState
    ) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
        """Embeddings, onsets and pitches of the start and of a prompt's notes: of its last ones, where a prompt
        is longer than the context, and then without the start."""
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
        cos, sin = self._angles(np.array([state.onset]), state.count, rows[:, 1])
        state.known = self._read(state, self._embed(rows, np.array([place]), state.style), cos, sin)[-1]

    def log_probabilities(self, sequence: EventSequence, style: str | None) -> NDArray[np.float64]:
        """See `SequenceModel.log_probabilities`. Memory grows with the square of the notes, up to the context."""
        raise NotImplementedError
