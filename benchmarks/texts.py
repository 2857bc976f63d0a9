"""What is measured of corpora and models of tokens beside training: counts, likelihood, draws, embeddings.

Draws are plain: after a prompt one token after the other, with no rule but the sampling. The measures that
tell them from the corpus are taken of stretches as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cadenza.compose import Model, Sampling, load_model
from cadenza.corpus import Split, excerpt
from cadenza.dataset import prepare_as
from cadenza.engine.sampler import Sampler
from cadenza.errors import CadenzaError
from cadenza.measures import notes_per_quarter, scale_consistency
from cadenza.plot import INK, PAPER, QUIET
from cadenza.representation.chords import Chords
from cadenza.representation.messages import END, OFF, ON, Messages
from cadenza.representation.pianoroll import LOWEST
from cadenza.representation.tokens import TokenForm, TokenSequence, Vocabulary, Words


@dataclass(frozen=True)
class Text:
    """A corpus as tokens."""

    form: TokenForm
    corpus: str

    def pieces(self, split: Split) -> list[Words]:
        """Of a split."""
        corpus = prepare_as(self.form, self.corpus)
        return [corpus.sequence(piece).words for piece in corpus.side(split)]

    @property
    def known(self) -> Vocabulary:
        """The vocabulary of the training split."""
        return _known(self)


@cache
def _known(text: Text) -> Vocabulary:
    return Vocabulary.of(text.form, text.pieces("train"))


def about(text: Text) -> dict[str, float]:
    """What can be said of a corpus without any network."""
    vocabulary = text.known
    shares = vocabulary.counts / vocabulary.counts.sum()
    found = vocabulary.find(np.concatenate(text.pieces("valid")))
    return {
        "tokens": vocabulary.statistics.tokens,
        "vocabulary": len(vocabulary),
        "rare": vocabulary.statistics.rare,
        "unknown": float((found < 0).mean()),
        "entropy": float(-(shares * np.log(shares)).sum()),
        "by frequency": float(-np.log(shares[found[found >= 0]]).mean()),
    }


def likelihood(text: Text) -> Callable[[Path], float]:
    """Measures a network on the whole validation split: nats a known token."""

    def measure(folder: Path) -> float:
        score = load_model(folder).sequence_model.log_probabilities
        sequences = (TokenSequence(words, text.form) for words in text.pieces("valid"))
        nats = np.concatenate([-score(sequence, None)[:, 0] for sequence in sequences])
        return float(nats[np.isfinite(nats)].mean())

    return measure


# --- Draws ------------------------------------------------------------------------------------------------

LENGTH = 128
"""Tokens of a draw."""
TAKES = 3
"""Draws by which a scheme is measured."""
SEEDED, HEARD = 50, 100
"""Tokens of a seed sequence, and of what is heard of eight bars of the corpus."""
GRAM = 4
"""Tokens that are looked for again."""

SCHEMES = {
    "arg-max": Sampling(temperature=0),
    "mixture": Sampling(top_p=1, greedy=0.5),
    "full distribution": Sampling(top_p=1),
    "temperature 0.5": Sampling(top_p=1, temperature=0.5),
    "temperature 0.8": Sampling(top_p=1, temperature=0.8),
    "temperature 1.2": Sampling(top_p=1, temperature=1.2),
}


def seed_sequence(text: Text, seed: int) -> Words:
    """The beginning of a validation piece."""
    return text.pieces("valid")[seed][:SEEDED]


def random_place(text: Text, seed: int) -> Words:
    """The end of eight bars of the corpus, as `compose.generate_after` picks them."""
    words = text.form.encode(excerpt(text.corpus, seed, 8)).words
    return words[: -1 if text.form.end is not None else None][-HEARD:]


STARTS: dict[str, Callable[[Text, int], Words | None]] = {
    "a seed sequence": seed_sequence,
    "empty input": lambda _, __: None,
    "a random place": random_place,
}


def drawn(model: Model, sampling: Sampling, prompt: Words | None, seed: int) -> Words:
    """What a model draws after a prompt; what this says of unknown tokens is said by the nearest."""
    vocabulary, network = model.form, model.sequence_model
    assert isinstance(vocabulary, Vocabulary)
    known = None
    if prompt is not None:
        unknown = vocabulary.find(prompt) < 0
        nearest = [
            vocabulary.nearest(word) if new else word for word, new in zip(prompt, unknown, strict=True)
        ]
        known = TokenSequence(np.array(nearest), vocabulary.form)
    state = network.start(known, None, lambda _: (0, 0))
    sampler = Sampler(sampling, seed)
    numbers = [network.step(state, lambda _, logits: sampler.draw(logits))[0] for _ in range(LENGTH)]
    return vocabulary.words[numbers]


def by_frequency(text: Text, seed: int) -> Words:
    """Tokens by how frequent they are, whatever stands before them: a baseline of the paper."""
    shares = text.known.counts / text.known.counts.sum()
    return text.known.words[np.random.default_rng(seed).choice(len(shares), LENGTH, p=shares)]


def of_corpus(text: Text) -> list[Words]:
    """Stretches of validation pieces, one a piece."""
    return [words[:LENGTH] for words in text.pieces("valid") if len(words) >= LENGTH]


def taken(text: Text, scheme: str, start: str) -> Callable[[Path], dict[str, float]]:
    """Measures what a checkpoint draws by a scheme."""

    def measure(folder: Path) -> dict[str, float]:
        model = load_model(folder)
        prompts = [STARTS[start](text, seed) for seed in range(1, TAKES + 1)]
        draws = [drawn(model, SCHEMES[scheme], p, seed) for seed, p in enumerate(prompts, 1)]
        return heard(text.form, draws)

    return measure


def heard(form: TokenForm, draws: Sequence[Words]) -> dict[str, float]:
    """What can be told of tokens without any model: means over stretches."""
    each = [repetition(words) | {"density": density(form, words)} for words in draws]
    if isinstance(form, Messages):
        each = [one | on_and_off(words) for one, words in zip(each, draws, strict=True)]
    if isinstance(form, Chords):
        each = [one | harmony(form, words) for one, words in zip(each, draws, strict=True)]
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


def repetition(words: Words) -> dict[str, float]:
    """Shares of tokens like the one before, of GRAM tokens in a row that came before, of different tokens."""
    spelt = [word.tobytes() for word in words]
    grams = list(zip(*(spelt[i:] for i in range(GRAM)), strict=False))
    return {
        "repeated": float(np.mean([a == b for a, b in pairwise(spelt)])),
        "recurring": 1 - len(set(grams)) / len(grams),
        "different": len(set(spelt)) / len(spelt),
    }


def density(form: TokenForm, words: Words) -> float:
    """Notes begun in a quarter; none in silence."""
    try:
        return notes_per_quarter(form.decode(TokenSequence(words, form)))
    except CadenzaError:
        return 0.0


def on_and_off(words: Words) -> dict[str, float]:
    """Of messages: the share of offs that let go of a key that is down, and of time in silence."""
    down: set[int] = set()
    offs = closing = passed = silent = 0
    times = Messages().times(words)[0]
    for (kind, pitch), wait in zip(words[:, :2].tolist(), times.tolist(), strict=True):
        passed += wait
        silent += 0 if down else wait
        if kind == ON:
            down.add(pitch)
        elif kind == OFF:
            offs, closing = offs + 1, closing + (pitch in down)
            down.discard(pitch)
        elif kind == END:
            down.clear()
    return {"closing": closing / max(1, offs), "silent": silent / max(1, passed)}


def harmony(form: Chords, words: Words) -> dict[str, float]:
    """Of chords: keys that neighbours share, of those that are in either; notes in the best scale, of all."""
    keys = form.keys(words)
    both, either = (keys[1:] & keys[:-1]).sum(1), (keys[1:] | keys[:-1]).sum(1)
    try:
        scale = scale_consistency(form.decode(TokenSequence(words, form)))
    except CadenzaError:
        scale = 0.0
    return {"kept": float(both.sum() / max(1, either.sum())), "scale": scale}


def told_of_voices(text: Text) -> Callable[[Path], dict[str, float]]:
    """Measures what the voices before it tell of the last voice of a piece of messages: nats a token of it,
    after those of its own piece and after those of another.
    """

    def measure(folder: Path) -> dict[str, float]:
        score = load_model(folder).sequence_model.log_probabilities
        split = [last_voice(words) for words in text.pieces("valid")]
        befores, lasts = [before for before, _ in split], [last for _, last in split]

        def nats(shift: int) -> float:
            others = befores[shift:] + befores[:shift]
            scores = [
                -score(TokenSequence(np.concatenate(pair), text.form), None)[len(pair[0]) :, 0]
                for pair in zip(others, lasts, strict=True)
            ]
            every = np.concatenate(scores)
            return float(every[np.isfinite(every)].mean())

        return {"own": nats(0), "another": nats(1)}

    return measure


def last_voice(words: Words) -> tuple[Words, Words]:
    """A piece of messages, cut before its last voice."""
    ends = np.flatnonzero(words[:, 0] == END)
    cut = int(ends[-2]) + 1 if len(ends) > 1 else 0
    return words[:cut], words[cut:]


# --- Embeddings -------------------------------------------------------------------------------------------

MEDIUM = (48, 72)
"""The pitches in the middle, both included: an octave on either side of middle C."""
TICKS = 60
"""Of the messages that are shown."""


@dataclass(frozen=True)
class Points:
    """Vectors of notes: (notes, units), their pitches, and whether they are let go rather than struck."""

    vectors: NDArray[np.float64]
    pitches: NDArray[np.int64]
    off: NDArray[np.bool_]


def points_of(folder: Path, sounding: NDArray[np.bool_] | None) -> Points:
    """Vectors of single notes of a checkpoint: of messages those of 60 ticks, of chords those of one key, of
    the sigmoid model, which has a vector a key, those of `sounding` keys.
    """
    model = load_model(folder)
    network: Any = model.sequence_model
    if not isinstance(model.form, Vocabulary):
        assert sounding is not None
        keys = np.flatnonzero(sounding)
        vectors = network.keys.weight.detach().double().numpy()[keys]
        return Points(vectors, LOWEST + keys, np.zeros(len(keys), bool))
    words, form = model.form.words, model.form.form
    vectors = network.embedding.weight.detach().double().numpy()[: len(words)]
    if isinstance(form, Messages):
        kind, pitches = words[:, 0], words[:, 1].astype(np.int64)
        chosen = (form.times(words)[0] == TICKS) & (kind != END)
        return Points(vectors[chosen], pitches[chosen], kind[chosen] == OFF)
    keys = form.keys(words)
    chosen = keys.sum(1) == 1
    return Points(vectors[chosen], keys[chosen].argmax(1) + LOWEST, np.zeros(int(chosen.sum()), bool))


def embedded(
    picture: Path, title: str, sounding: NDArray[np.bool_] | None
) -> Callable[[Path], dict[str, float]]:
    """Draws the t-SNE of a checkpoint's vectors and measures what they know of pitch."""

    def measure(folder: Path) -> dict[str, float]:
        points = points_of(folder, sounding)
        flat = tsne(points.vectors)
        scatter(points, flat, picture, title)
        return order(points) | {"notes": len(points.pitches), "line": line(points, flat)}

    return measure


def tsne(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two dimensions of vectors."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(vectors) - 1) / 3)
    made: NDArray[Any] = TSNE(2, perplexity=perplexity, init="pca", random_state=1).fit_transform(vectors)
    return made.astype(np.float64)


def scatter(points: Points, flat: NDArray[np.float64], path: Path, title: str) -> None:
    """Circles for what is struck, crosses for what is let go, with their pitches, from blue to red."""
    from matplotlib.figure import Figure

    figure = Figure((8, 7), 120, facecolor=PAPER, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    for off, marker in ((False, "o"), (True, "x")):
        here = points.off == off
        axes.scatter(
            *flat[here].T, c=points.pitches[here], cmap="coolwarm", vmin=30, vmax=90, marker=marker, s=28
        )
    for (x, y), pitch in zip(flat.tolist(), points.pitches.tolist(), strict=True):
        axes.annotate(str(pitch), (x, y), (3, 3), textcoords="offset points", fontsize=6, color=QUIET)
    axes.set_xticks([])
    axes.set_yticks([])
    figure.savefig(path)


def order(points: Points) -> dict[str, float]:
    """What the nearest of a vector's neighbours (by angle) have in common with it, and what chance gives.

    kind: struck or let go alike, of medium and of other pitches. pitch: semitones to the nearest of its own
    kind. third: whether that is as low, medium or high as it.
    """
    unit = points.vectors / np.linalg.norm(points.vectors, axis=1, keepdims=True)
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, -np.inf)
    alike = points.off[likeness.argmax(1)] == points.off
    medium = (points.pitches >= MEDIUM[0]) & (points.pitches <= MEDIUM[1])
    own = np.where(points.off[:, None] == points.off, likeness, -np.inf).argmax(1)
    third = np.digitize(points.pitches, (MEDIUM[0], MEDIUM[1] + 1))
    random = np.random.default_rng(1)
    by_chance = list(shuffled(points, own, third, random))
    return {
        "kind, medium": float(alike[medium].mean()),
        "kind, others": float(alike[~medium].mean()),
        "pitch": float(np.abs(points.pitches - points.pitches[own]).mean()),
        "third": float((third == third[own]).mean()),
        "pitch by chance": float(np.mean([one[0] for one in by_chance])),
        "third by chance": float(np.mean([one[1] for one in by_chance])),
    }


def shuffled(
    points: Points, own: NDArray[np.intp], third: NDArray[np.intp], random: np.random.Generator
) -> Iterator[tuple[float, float]]:
    """The same with the pitches of each kind dealt out anew, a hundred times."""
    for _ in range(100):
        deal = np.arange(len(own))
        for off in (False, True):
            deal[points.off == off] = random.permutation(np.flatnonzero(points.off == off))
        pitches, thirds = points.pitches[deal], third[deal]
        yield float(np.abs(pitches - pitches[own]).mean()), float((thirds == thirds[own]).mean())


def line(points: Points, flat: NDArray[np.float64]) -> float:
    """Share of the variance of pitch that lies along a straight line of the map; mean of the kinds."""
    shares: list[float] = []
    for off in np.unique(points.off):
        here = points.off == off
        plane = np.column_stack([flat[here], np.ones(here.sum())])
        pitches = points.pitches[here].astype(np.float64)
        left = pitches - plane @ np.linalg.lstsq(plane, pitches)[0]
        shares.append(1 - float(left.var() / pitches.var()))
    return float(np.mean(shares))
