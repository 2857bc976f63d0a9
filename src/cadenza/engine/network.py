"""The composer in NumPy, one step a note, with cached keys and values.

It computes what `cadenza.models.composer` computes (a test compares them) on weights of the same names. A
prompt goes through in one batched pass; after that each note costs one pass over the weights, which is what
bounds the speed on a CPU; so does the number of NumPy calls, half a microsecond each in a small model and
twice that in one whose weights sweep the caches. Where this file and `trunk` depart from the torch model's
wording it is to save some.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.architecture import RECALL_WIDTH, ComposerConfig, style_index
from cadenza.engine.arithmetic import (
    feed_forward_few,
    feed_forward_one,
    log_softmax,
    norm,
    side_by_side,
    squared_relu,
)
from cadenza.engine.cache import Array, Cache, JointCache
from cadenza.engine.recall import LEVELS, Matches, Memory, Recall, Targets, go_on
from cadenza.engine.trunk import PARTS, Block, Trunk, block_matrices, table
from cadenza.representation.conditions import CONDITIONS, NO_CHORDS
from cadenza.representation.edits import (
    AFTER,
    BEGINS,
    DRAWN,
    SEAMS,
    SOUNDS,
    Elements,
    Fixed,
    Known,
    Seam,
    distance,
    index_of,
)
from cadenza.representation.events import END, FIELDS, NO_POSITION, SHIFT, EventSequence
from cadenza.sequence import FREE, Choose, ChooseTogether, JointModel, Places, Setting

RESOLVE: Final = 3.0
"""How many times as strongly as it was learnt the end of a piece is told to what is drawn: most pieces end in
some way, and few in any one, so the mean of all says little (the log has what came of 1, 2 and 3)."""

CHUNK: Final = 256
"""Notes scored in one pass."""
HIGHEST_PITCH: Final = FIELDS[1].size - 1
KEYS: Final = np.arange(FIELDS[1].size)
STEPS_OF_SHIFTS: Final = np.append(SHIFT.table, 0)
"""By symbol, END among them."""


@dataclass
class ComposerState:
    """Everything that the notes so far have left behind; `step` changes it in place.

    caches: one a layer. memory: the notes that can be recalled. count: elements so far, the start included.
    known: (width,), the trunk's output for the next row. onset, pitch, pedal: of the last drawn note, in
    steps and as symbols; pitch is -1 before it. fixed: the notes of the setting. seam: its own. asked:
    (width,), what is added to each input for what is asked.
    """

    caches: list[Cache]
    memory: Memory
    count: int
    known: Array
    onset: int
    pitch: int
    pedal: int
    style: int
    places: Places
    setting: Setting
    fixed: Fixed
    seam: Seam
    asked: Array


@dataclass
class JointState:
    """What the notes so far of several takes have left behind; see `ComposerState`.

    caches: one a layer. memories: one a take. counts, onsets, pitches, pedals: (takes,). known: (takes,
    width). What all takes have in common stands in `shared`, the state that they go on from.
    """

    caches: list[JointCache]
    memories: list[Memory]
    counts: NDArray[np.int64]
    known: Array
    onsets: NDArray[np.int64]
    pitches: NDArray[np.int64]
    pedals: NDArray[np.int64]
    shared: ComposerState


COUNTED: Final = ("counts", "onsets", "pitches", "pedals")
"""Fields of a `JointState` that hold a number for each take."""


def _checked(array: NDArray[Any], kind: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    """A copy of an array that was read. Raises ValueError where it is of another type or shape."""
    if array.dtype != kind or array.shape != shape:
        raise ValueError(f"an array is of type {array.dtype} and shape {array.shape}, not {shape}")
    return array.copy()


def _places(sequence: EventSequence) -> NDArray[np.int64]:
    """Position in the bar and length of the bar of each row: (rows, 2)."""
    return np.stack([sequence.positions, sequence.bars], axis=1).astype(np.int64)


@dataclass(frozen=True)
class _Head:
    hidden: Array
    logits: Array
    bias: Array

    def __call__(self, known: Array) -> Array:
        return squared_relu(norm(known) @ self.hidden) @ self.logits + self.bias

    def one(self, known: Array) -> Array:
        """The same for one vector."""
        return feed_forward_one(known, self.hidden, self.logits) + self.bias

    def few(self, known: Array) -> Array:
        """The same for a few vectors."""
        return feed_forward_few(known, self.hidden, self.logits) + self.bias


class NumpyComposer(JointModel[ComposerState, JointState]):
    """A composer that plays."""

    def __init__(self, config: ComposerConfig, weights: Mapping[str, Array]) -> None:
        self.config = config
        self.styles = config.styles
        self.look_ahead = config.look_ahead
        matrices = block_matrices(config, weights)
        for i in range(len(FIELDS)):
            matrices += [table(weights, f"heads.heads.{i}.{part}") for part in ("hidden", "logits")]
        matrices = side_by_side(matrices)
        first = len(PARTS) * config.layers
        blocks = [Block(*matrices[i : i + len(PARTS)]) for i in range(0, first, len(PARTS))]
        self._trunk = Trunk(config, weights, blocks)
        self._asked = [table(weights, f"embedding.asked.{i}") for i in range(len(CONDITIONS))]
        self._chord, self._next_chord = (table(weights, f"embedding.{n}") for n in ("chord", "next_chord"))
        biases = [weights[f"heads.heads.{i}.logits.bias"].astype(np.float32) for i in range(len(FIELDS))]
        pairs = zip(matrices[first::2], matrices[first + 1 :: 2], biases, strict=True)
        self._heads = [_Head(hidden, logits, bias) for hidden, logits, bias in pairs]
        self._chosen = [table(weights, f"heads.chosen.{i}") for i in range(len(FIELDS) - 1)]
        self._chosen_position = table(weights, "heads.position")
        self._ahead, self._chosen_chord = table(weights, "heads.ahead"), table(weights, "heads.chord")
        self._begins, self._sounds = table(weights, "heads.begins"), table(weights, "heads.sounds")
        self._seam, self._seam_there = table(weights, "heads.seam"), table(weights, "heads.seam_there")
        self._joins = table(weights, "heads.joins")
        self._recall = Recall(weights)
        # Where drawn notes are near the end of the piece, that is told more strongly than it was learnt.
        stronger = np.where(np.arange(SEAMS) < FIELDS[0].size, 1, RESOLVE).astype(np.float32)[:, None]
        self._seam_drawn: Array = stronger * self._seam
        self._seam_there_drawn: Array = stronger * self._seam_there

    # --- SequenceModel --------------------------------------------------------------------------------------

    def start(
        self,
        prompt: EventSequence | None,
        style: str | None,
        places: Places,
        setting: Setting = FREE,
    ) -> ComposerState:
        """See `EditModel.start`. A prompt's rows are read from its `places`, not asked of `places`."""
        state = self._empty_state(style, places, setting)
        self._read_after(state)
        x, onsets, pitches = self._inputs(prompt, state)
        if prompt is not None and len(prompt):
            heard = len(x) - (len(x) > len(prompt))
            self._recall.read(state.memory, prompt.rows[-heard:].astype(np.int64), drawn=True)
            state.onset = int(prompt.onsets[-1])
            state.pitch, state.pedal = int(prompt.rows[-1, 1]), int(prompt.rows[-1, 4])
        x[-1] += self._asked_now(state)
        index = state.count + np.arange(len(x))
        state.known = self._trunk.read(state.caches, x, self._trunk.turns(onsets, index, pitches))[-1]
        state.count += len(x)
        return state

    def _asked_now(self, state: ComposerState) -> Array:
        """What is added to an input after the last drawn note for what is asked: (width,)."""
        return self._asked_at(state, state.onset)

    def _asked_at(self, state: ComposerState, onset: int) -> Array:
        """The same after a drawn note at an onset."""
        chords = state.setting.chords
        if chords is NO_CHORDS:
            return state.asked
        now = np.array([onset])
        return state.asked + self._chord[chords.at(now)[0]] + self._next_chord[chords.after(now)[0]]

    def _read_after(self, state: ComposerState) -> None:
        """Takes the notes that follow a region into a state, before anything else; of many the first.

        At least half of the context is left to what comes before.
        """
        after = state.setting.after
        if after is None or not len(after):
            return
        after = after.part(slice(self.config.context // 2), complete=False)
        places = np.stack([after.positions, after.bars], axis=1).astype(np.int64)
        rows = after.rows.astype(np.int64)
        x = self._trunk.embed_elements(rows, places, np.full(len(rows), AFTER), state.style)
        self._trunk.read(state.caches, x, self._trunk.turns(after.onsets, np.arange(len(x)), rows[:, 1]))
        self._recall.read(state.memory, rows, drawn=False)
        state.count = len(x)

    def _empty_state(self, style: str | None, places: Places, setting: Setting = FREE) -> ComposerState:
        """Before anything was read, not even the start."""
        heads, size = self.config.heads, self.config.width // self.config.heads
        keys, values = np.empty((heads, size, 0), np.float32), np.empty((heads, 0, size), np.float32)
        return ComposerState(
            caches=[Cache(self.config.reach(layer), keys, values) for layer in range(self.config.layers)],
            memory=Memory(self.config.context),
            count=0,
            known=np.empty(0, np.float32),
            onset=0,
            pitch=-1,
            pedal=0,
            style=style_index(self.styles, style),
            places=places,
            setting=setting,
            fixed=Fixed.of(setting.known),
            seam=Seam.of(setting.known, setting.after),
            asked=np.add.reduce([t[s] for t, s in zip(self._asked, setting.asked, strict=True)]),
        )

    def _inputs(
        self, prompt: EventSequence | None, state: ComposerState
    ) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
        """Embeddings, onsets and pitches of the start and of a prompt's notes.

        Of its last notes only, and without the start, where a prompt is longer than the context.
        """
        place = state.places(0)
        start = self._trunk.embed_start(place, state.style)[None]
        if prompt is None or not len(prompt):
            return start, np.zeros(1, np.int64), np.zeros(1, np.int64)
        room = self.config.context - state.count
        keep = slice(max(0, len(prompt) - room), None)
        rows = prompt.rows[keep].astype(np.int64)
        where = np.stack([prompt.positions[keep], prompt.bars[keep]], axis=1).astype(np.int64)
        x, onsets, pitches = self._trunk.embed(rows, where, state.style), prompt.onsets[keep], rows[:, 1]
        if len(prompt) >= room:
            return x, onsets.astype(np.int64), pitches
        return (
            np.concatenate([start, x]),
            np.concatenate([[0], onsets]).astype(np.int64),
            np.concatenate([[0], pitches]),
        )

    def tell(self, state: ComposerState, known: Known) -> None:
        """See `EditModel.tell`."""
        if not len(known):
            return
        rows = known.rows.astype(np.int64)
        rows[:, 0] = distance(known.onsets - state.onset)
        x = self._trunk.embed_elements(rows, known.places, known.kinds, state.style) + self._asked_now(state)
        index = np.full(len(x), state.count - 1)
        state.known = self._trunk.read(
            state.caches, x, self._trunk.turns(known.onsets, index, known.rows[:, 1])
        )[-1]

    def step(self, state: ComposerState, choose: Choose) -> tuple[int, ...]:
        """See `SequenceModel.step`."""
        row: list[int] = []
        known, place, within = state.known, (NO_POSITION, 0), False
        recalled = self._recall.recalled(state.memory, known)
        if state.setting is not FREE:
            known = known + self._before(state, np.array([state.onset]))[0]
        for i, head in enumerate(self._heads):
            if i == len(FIELDS) - 1 and within:
                row.append(state.pedal)
                break
            logits = head.one(known)
            if i == 0 and state.pitch == HIGHEST_PITCH:
                logits[0] = -np.inf
            if i == 1 and within:
                logits[: state.pitch + 1] = -np.inf
            row.append(recalled.draw(i, logits, choose))
            if i == 0:
                if row[0] == END:
                    return (END, 0, 0, 0, 0)
                within = row[0] == 0 and state.pitch >= 0
                onset = state.onset + SHIFT.values[row[0]]
                place = state.places(onset)
                known = known + self._chosen_position[place[0]] + self._there(state, onset)
            if i < len(self._chosen):
                known = known + self._chosen[i][row[i]]
                recalled.drew(i, row[i])
        self._take(state, row, place)
        return tuple(row)

    def _before(self, state: ComposerState, onsets: NDArray[np.integer]) -> Array:
        """What is known after onsets of what lies ahead: fixed notes, and the seam; (onsets, width)."""
        seams = state.seam.ahead(onsets, self.look_ahead)
        ahead = self._ahead[state.fixed.ahead(onsets, self.look_ahead)] + self._seam_drawn[seams]
        if state.seam.keys.any():
            ahead[seams > 0] += self._joins[state.seam.keys].sum(0)
        return ahead

    def _there(self, state: ComposerState, onset: int) -> Array | float:
        """What is known of an onset once a shift leads to it: chord, fixed notes, how far the seam lies."""
        there: Array | float = 0.0
        if state.setting.chords is not NO_CHORDS:
            there = self._chosen_chord[state.setting.chords.at(np.array([onset]))[0]]
        if len(state.fixed):
            keys = state.fixed.beside(np.array([onset]))[0]
            there = there + self._begins[keys == BEGINS].sum(0) + self._sounds[keys == SOUNDS].sum(0)
        if state.seam.stop is not None:
            there = there + self._seam_there_drawn[state.seam.ahead(np.array([onset]), self.look_ahead)[0]]
        return there

    def _take(self, state: ComposerState, row: list[int], place: tuple[int, int]) -> None:
        """Makes a drawn row the last of the notes so far."""
        state.onset += SHIFT.values[row[0]]
        state.pitch, state.pedal = row[1], row[4]
        self._recall.follow(state.memory, row)
        x = self._trunk.embed_one(row, place, state.style)
        if state.setting is not FREE:
            x += self._asked_now(state)
        state.known = self._trunk.read_one(
            state.caches, x, self._trunk.turns(state.onset, state.count, state.pitch)
        )
        state.count += 1

    # --- JointModel -----------------------------------------------------------------------------------------

    def fork(self, state: ComposerState, takes: int) -> JointState:
        """See `JointModel.fork`."""

        def each(value: int) -> NDArray[np.int64]:
            return np.full(takes, value, np.int64)

        return JointState(
            caches=[JointCache.of(cache, takes) for cache in state.caches],
            memories=[state.memory.copy() for _ in range(takes)],
            counts=each(state.count),
            known=np.stack([state.known] * takes),
            onsets=each(state.onset),
            pitches=each(state.pitch),
            pedals=each(state.pedal),
            shared=state,
        )

    def keep(self, joint: JointState, takes: NDArray[np.intp]) -> None:
        """See `JointModel.keep`."""
        for cache in joint.caches:
            cache.keep(takes)
        joint.memories = [joint.memories[take] for take in takes]
        joint.counts, joint.known = joint.counts[takes], joint.known[takes]
        joint.onsets, joint.pitches = joint.onsets[takes], joint.pitches[takes]
        joint.pedals = joint.pedals[takes]

    @property
    def fingerprint(self) -> str:
        """See `JointModel.fingerprint`."""
        digest = sha256(repr(self.config).encode())
        digest.update(self._trunk.embedding.tobytes())
        for block in self._trunk.blocks:
            digest.update(block.query_key_value.tobytes())
        for array in (self._recall.table, self._recall.lasting):
            digest.update(array.tobytes())
        return digest.hexdigest()

    def arrays_of(self, joint: JointState) -> dict[str, NDArray[Any]]:
        """See `JointModel.arrays_of`."""
        arrays: dict[str, NDArray[Any]] = {name: getattr(joint, name) for name in ("known", *COUNTED)}
        for i, cache in enumerate(joint.caches):
            arrays |= {f"{name}.{i}": array for name, array in cache.arrays().items()}
        # All takes have as many notes, for each step adds one to each.
        some = joint.memories or [Memory(0)]
        seen, takes = [memory.seen() for memory in some], slice(len(joint.memories))
        arrays["recall.keys"] = np.stack([keys for keys, _ in seen])[takes]
        arrays["recall.rows"] = np.stack([rows for _, rows in seen])[takes]
        recent = np.array([memory.recent for memory in some], np.int64)
        arrays["recall.recent"] = recent.reshape(len(some), -1, len(FIELDS))[takes]
        return arrays

    def joint_of(
        self, arrays: Mapping[str, NDArray[Any]], style: str | None, places: Places, setting: Setting
    ) -> JointState:
        """See `JointModel.joint_of`."""
        shared = self._empty_state(style, places, setting)
        takes = len(arrays["known"])
        heads, size = self.config.heads, self.config.width // self.config.heads
        caches: list[JointCache] = []
        for i, cache in enumerate(shared.caches):
            capacity = arrays[f"values.{i}"].shape[2:3]
            keys = _checked(arrays[f"keys.{i}"], np.float32, (takes, heads, size, *capacity))
            values = _checked(arrays[f"values.{i}"], np.float32, (takes, heads, *capacity, size))
            filled = _checked(arrays[f"filled.{i}"], np.int64, (takes,))
            if (filled < 0).any() or (filled > capacity).any():
                raise ValueError("a cache is filled beyond its size")
            caches.append(JointCache(cache.reach, keys, values, filled))
        counted = {name: _checked(arrays[name], np.int64, (takes,)) for name in COUNTED}
        for name, least, most in (("pitches", -1, HIGHEST_PITCH), ("pedals", 0, FIELDS[4].size - 1)):
            if (counted[name] < least).any() or (counted[name] > most).any():
                raise ValueError(f"its {name} are none")
        known = _checked(arrays["known"], np.float32, (takes, self.config.width))
        memories = [self._memory_of(arrays, take, takes) for take in range(takes)]
        return JointState(caches=caches, memories=memories, known=known, shared=shared, **counted)

    def _memory_of(self, arrays: Mapping[str, NDArray[Any]], take: int, takes: int) -> Memory:
        """The memory of one take. Raises ValueError where the arrays hold none."""
        notes, recent = arrays["recall.rows"].shape[1:2], arrays["recall.recent"].shape[1:2]
        fields = len(FIELDS)
        keys = _checked(arrays["recall.keys"], np.float32, (takes, *notes, RECALL_WIDTH))
        rows = _checked(arrays["recall.rows"], np.int64, (takes, *notes, fields))
        last = _checked(arrays["recall.recent"], np.int64, (takes, *recent, fields))
        sizes = np.array([field.size for field in FIELDS])
        if any(((symbols < 0) | (symbols >= sizes)).any() for symbols in (rows, last)):
            raise ValueError("its recalled rows are none")
        memory = Memory(self.config.context)
        self._recall.read(memory, last[take], drawn=True)
        memory.filled = 0
        memory.add(keys[take], rows[take])
        memory.find_lasted()
        return memory

    def tell_one(self, joint: JointState, take: int, known: Known) -> None:
        """See `JointModel.tell_one`."""
        if not len(known):
            return
        caches = [cache.one(take, len(known)) for cache in joint.caches]
        alone = replace(
            joint.shared, caches=caches, count=int(joint.counts[take]), onset=int(joint.onsets[take])
        )
        self.tell(alone, known)
        joint.known[take] = alone.known
        for cache, told in zip(joint.caches, caches, strict=True):
            cache.set_filled(take, told.filled)

    def step_together(self, joint: JointState, choose: ChooseTogether) -> NDArray[np.int64]:
        """See `JointModel.step_together`."""
        shared, known = joint.shared, joint.known
        takes = drawn = np.arange(len(known))
        rows = np.zeros((len(takes), len(FIELDS)), np.int64)
        places: list[tuple[int, int]] = []
        within = np.zeros(len(takes), bool)
        some_within = False
        recalled = self._recall.recalled_together(joint.memories, known)
        if shared.setting is not FREE:
            known = known + self._before(shared, joint.onsets)
        for i, head in enumerate(self._heads):
            if i == len(FIELDS) - 1 and some_within:
                rows[within, i] = joint.pedals[within]
                drawn = drawn[~within[drawn]]
            if not len(drawn):
                break
            logits = head.few(known if len(drawn) == len(takes) else known[drawn])
            if i == 0:
                logits[joint.pitches == HIGHEST_PITCH, 0] = -np.inf
            elif i == 1 and some_within:
                not_above = joint.pitches[drawn, None] >= KEYS
                logits[not_above & within[drawn, None]] = -np.inf
            symbols = recalled.draw(i, logits, drawn, choose)
            rows[drawn, i] = symbols
            recalled.drew(i, symbols, drawn)
            if i == 0:
                drawn = takes[symbols != END]
                within = (symbols == 0) & (joint.pitches >= 0)
                some_within = bool(within.any())
                onsets = (joint.onsets + STEPS_OF_SHIFTS[symbols]).tolist()
                places = [shared.places(onset) for onset in onsets]
                known = self._led_to(known, shared, onsets, places)
            if i < len(self._chosen):
                known = known + self._chosen[i][rows[:, i]]
        self._take_few(joint, rows, np.array(places, np.int64))
        return rows

    def _led_to(
        self, known: Array, state: ComposerState, onsets: list[int], places: list[tuple[int, int]]
    ) -> Array:
        """What is known once shifts lead takes to onsets: (takes, width)."""
        known = known + self._chosen_position[[position for position, _ in places]]
        if state.setting is not FREE:
            for take, onset in enumerate(onsets):
                known[take] += self._there(state, onset)
        return known

    def _take_few(self, joint: JointState, rows: NDArray[np.int64], places: NDArray[np.int64]) -> None:
        """Makes drawn rows the last of the takes."""
        joint.onsets = joint.onsets + STEPS_OF_SHIFTS[rows[:, 0]]
        joint.pitches, joint.pedals = rows[:, 1], rows[:, 4]
        for memory, row in zip(joint.memories, rows.tolist(), strict=True):
            self._recall.follow(memory, row)
        x = self._trunk.embed(rows, places, joint.shared.style)
        if joint.shared.setting is not FREE:
            x += [self._asked_at(joint.shared, onset) for onset in joint.onsets.tolist()]
        turns = self._trunk.turns(joint.onsets, joint.counts, joint.pitches)
        joint.known = self._trunk.read_few(joint.caches, x, turns)
        joint.counts = joint.counts + 1

    # --- Likelihood -----------------------------------------------------------------------------------------

    def log_probabilities(self, sequence: EventSequence, style: str | None) -> NDArray[np.float64]:
        """See `SequenceModel.log_probabilities`."""
        rows = sequence.rows.astype(np.int64)
        drawn = np.concatenate([rows, [[END, 0, 0, 0, 0]]])
        led_to = np.concatenate([_places(sequence), [[NO_POSITION, 0]]])
        last = np.concatenate([[-1], rows[:, 1]])
        known = self.states(sequence, style)
        own = self._score(known, drawn, led_to, last, 0.0)
        vectors = self._recall.vectors(rows)
        queries = np.concatenate([np.zeros((1, RECALL_WIDTH), np.float32), vectors])
        scores = np.empty_like(own)
        lasted, linked = np.zeros(len(rows), np.int64), np.arange(len(rows)) > 0
        for i in range(0, len(own), CHUNK):
            part, first = slice(i, i + CHUNK), max(0, i - self.config.context)
            notes = slice(first, i + CHUNK)
            near = (queries[part] @ queries[:-1][notes].T).astype(np.float64)
            ages = np.arange(len(own))[part, None] - np.arange(len(rows))[notes]
            near[(ages < 1) | (ages > self.config.context)] = -np.inf
            levels = np.zeros(near.shape, np.int64)
            for t in range(i, min(i + CHUNK, len(own))):
                # One more than may be copied, for from it is counted on.
                read = slice(max(0, first - 1), t)
                if t:
                    go_on(lasted[read], rows[read], linked[read], rows[t - 1])
                levels[t - i, : t - first] = LEVELS[lasted[first:t]]
            matches = Matches(near, levels, rows[notes])
            scores[part] = self._recall.scores(
                own[part], known[part], matches, Targets(drawn[part], last[part])
            )
        return scores if sequence.complete else scores[:-1]

    def states(self, sequence: EventSequence, style: str | None) -> Array:
        """The trunk's output before each row, from which it is drawn, and after the last: (rows + 1, width).

        Each note sees what it would see in generation: the cached notes of its context, in chunks.
        """
        places = _places(sequence)
        first_bar = int(places[0, 1]) if len(sequence) else 0
        first = (0, first_bar) if sequence.grid == "metrical" else (NO_POSITION, 0)
        state = self.start(None, style, lambda _: first)
        rows = sequence.rows.astype(np.int64)
        known = [state.known[None]]
        for i in range(0, len(rows), CHUNK):
            part = slice(i, i + CHUNK)
            index = state.count + np.arange(len(rows[part]))
            turns = self._trunk.turns(sequence.onsets[part], index, rows[part, 1])
            known.append(
                self._trunk.read(
                    state.caches, self._trunk.embed(rows[part], places[part], state.style), turns
                )
            )
            state.count += len(index)
        return np.concatenate(known)

    def score(self, elements: Elements, style: str | None) -> NDArray[np.float64]:
        """Natural log-probability of every field of each row that is drawn: (drawn, 5)."""
        state = self._empty_state(style, lambda _: (0, 0))
        known: list[Array] = []
        index, begin = index_of(elements.kinds), int(elements.is_start.argmax())
        for i in range(0, len(elements.kinds), CHUNK):
            part = slice(i, i + CHUNK)
            x = self._trunk.embed_elements(
                elements.rows[part], elements.places[part], elements.kinds[part], state.style
            )
            if elements.is_start[part].any():
                x[begin - i] = self._trunk.embed_start(elements.places[begin].tolist(), state.style)
            for k, asked in enumerate((*self._asked, self._chord, self._next_chord)):
                x += asked[np.concatenate([elements.asked, elements.chords], axis=1)[part, k]]
            turns = self._trunk.turns(elements.onsets[part], index[part], elements.rows[part, 1])
            known.append(self._trunk.read(state.caches, x, turns))
        drawn = elements.drawn
        beside = elements.beside[drawn]
        there = (beside == BEGINS) @ self._begins + (beside == SOUNDS) @ self._sounds
        there = there + self._seam_there[elements.seam[drawn, 1]]
        ahead: Array = self._ahead[elements.ahead[drawn]] + self._seam[elements.seam[drawn, 0]]
        joined: Array = np.matmul(elements.joins[drawn], self._joins, dtype=np.float32)
        read: Array = np.concatenate(known)[drawn]
        own = self._score(
            read + ahead + joined,
            elements.next_rows[drawn],
            elements.next_places[drawn],
            elements.last[drawn],
            there + self._chosen_chord[elements.chords[drawn, 2]],
        )
        targets = Targets(elements.next_rows[drawn], elements.last[drawn])
        return self._recall.scores(own, read, self._matches(elements), targets)

    def _matches(self, elements: Elements) -> Matches:
        """What may be copied in place of each row that is drawn."""
        after = np.flatnonzero(elements.kinds == AFTER)
        drawn = np.flatnonzero((elements.kinds == DRAWN) & ~elements.is_start)
        notes, memory = np.concatenate([after, drawn]), Memory(len(elements.kinds))
        self._recall.read(memory, elements.rows[after], drawn=False)
        self._recall.read(memory, elements.rows[drawn], drawn=True)
        keys, rows = memory.seen()
        found = np.concatenate(
            [np.zeros((1, RECALL_WIDTH), np.float32), self._recall.vectors(elements.rows[drawn])]
        )
        places = np.flatnonzero(elements.drawn)
        latest = np.searchsorted(drawn, places, side="right")
        near = (found[latest] @ keys.T).astype(np.float64)
        ages = np.searchsorted(notes, places, side="right")[:, None] - np.arange(len(notes))
        near[(ages < 1) | (ages > self.config.context)] = -np.inf
        lasted = [np.zeros(len(rows), np.int64)]
        for row in elements.rows[drawn].tolist():
            lasted.append(lasted[-1].copy())
            go_on(lasted[-1], rows, memory.linked[: len(rows)], row)
        return Matches(near, LEVELS[np.stack(lasted)[latest]], rows)

    def _score(
        self,
        known: Array,
        rows: NDArray[np.int64],
        places: NDArray[np.int64],
        last: NDArray[np.int64],
        there: Array | float,
    ) -> NDArray[np.float64]:
        """Log-probabilities of rows, each drawn from what is known before it, after one of pitch `last`.

        there: (rows, width), what becomes known with the onset, besides its place.
        """
        ended = rows[:, 0] == END
        within = (rows[:, 0] == 0) & (last >= 0)
        scores = np.zeros(rows.shape)
        for i, head in enumerate(self._heads):
            logits = head(known)
            if i == 0:
                logits[last == HIGHEST_PITCH, 0] = -np.inf
            if i == 1:
                logits[within[:, None] & (np.arange(logits.shape[1]) <= last[:, None])] = -np.inf
            scores[:, i] = np.take_along_axis(log_softmax(logits), rows[:, i : i + 1], axis=1)[:, 0]
            if i == 0:
                known = known + self._chosen_position[places[:, 0]] + there
            if i < len(self._chosen):
                known = known + self._chosen[i][rows[:, i]]
        scores[ended, 1:] = 0
        scores[within, -1] = 0
        return scores
