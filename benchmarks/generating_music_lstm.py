"""Banić et al.'s experiments, made again: an LSTM over names of notes and chords of POP909.

python benchmarks/generating_music_lstm.py train         # works off the queue; a second process may help
python benchmarks/generating_music_lstm.py train --gpu   # nine minutes of the queue for a GPU (see runs.py)
python benchmarks/generating_music_lstm.py report        # writes docs/results/generating-music-lstm.md

Protocol. A token is what is struck at one onset. Loss: nats a token, mean over the tokens that a model
knows; how many it knows is told beside. Networks are compared after windows of 99 tokens, on the same places
of the validation songs and only where the vocabulary of the 250 songs has the next token, so that neither a
larger vocabulary nor a shorter memory counts. Music: 32 bars after 8 of a random place in the corpus, the
same places for all models, drawn from the full distribution.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import protocol
import report
import runs
from numpy.typing import NDArray

from cadenza import measures
from cadenza.compose import Model, Sampling, Wish, generate_after, load_model, model_folders
from cadenza.corpus import find_corpus
from cadenza.dataset import Piece, Prepared, prepare, prepare_as
from cadenza.midi import write_midi
from cadenza.plot import curves, piano_roll
from cadenza.recipe import Recipe, load_recipe
from cadenza.representation import events
from cadenza.representation.chords import Names
from cadenza.representation.tokens import TokenSequence, Vocabulary, Words
from cadenza.score import Score
from cadenza.streams import Stream

NAME = "generating-music-lstm"
CORPUS = "pop909"
EPOCHS = (5, 10, 20)
"""Of the paper's experiments."""
BEST = 10
"""The epochs that it settles for,"""
LIKELIEST = 5
"""and those after which validation is lowest here."""
TEMPERATURES = (0.5, 0.75, 1.0, 1.25, 1.5)
SIZES = (25, 50, 100, 250, 0)
"""Songs whose vocabularies are counted; 0: all that are trained on."""

CONTEXT = 99
"""Tokens before the one that is drawn; with it they are the paper's window of 100."""
PLACES = 2048
"""Validation tokens on which networks are compared."""
TAKES = 12
BARS = 32
TIMED = 25
"""Songs that are prepared by either program."""

FIGURES = report.RESULTS / NAME


def planned(name: str, recipe: str = "", **changes: str) -> runs.Planned:
    """A run of one of the paper's recipes."""
    return runs.Planned(name, f"{NAME}/{recipe or name}", changes)


SONGS = planned("songs-250")
ALL_SONGS = planned("songs-909")
MANY = planned("many-to-one")
RIVAL = planned("performance-250")
PLAIN = planned("no-dropout", "songs-250", **{"model.recurrent_dropout": "0.0"})

QUEUE = [SONGS, RIVAL, MANY, ALL_SONGS, PLAIN]

TWENTY = {"training.epochs": "20", "training.keep": str(list(EPOCHS))}
GPU_QUEUE = [
    runs.on_gpu(SONGS, {}),
    runs.on_gpu(MANY, TWENTY),
    runs.on_gpu(ALL_SONGS, TWENTY),
    runs.on_gpu(RIVAL, {}),
    runs.on_gpu(PLAIN, {}),
    *(runs.on_gpu(run, {}) for run in runs.seeds("songs-250", f"{NAME}/songs-250", 3)[1:]),
]
"""As published also where one core cannot: twenty epochs many-to-one, and of all songs."""


def recipe_of(name: str, **changes: str) -> Recipe:
    """A recipe of the paper."""
    return load_recipe(runs.ROOT / "recipes" / NAME / f"{name}.toml", changes)


# --- Songs and vocabularies -------------------------------------------------------------------------------


@cache
def corpus() -> Prepared[TokenSequence]:
    """POP909 as names."""
    return prepare_as(Names(), CORPUS)


def words_of(pieces: Sequence[Piece]) -> list[Words]:
    """The tokens of songs."""
    return [corpus().sequence(piece).words for piece in pieces]


@cache
def vocabulary_of(most: int) -> Vocabulary:
    """The vocabulary of so many training songs, those of a run with seed 1; 0: of all."""
    from cadenza.batches import TokenBatches, batches_of

    source = batches_of(recipe_of("songs-250", **{"data.most": str(most)}))
    assert isinstance(source, TokenBatches)
    return source.vocabulary


def vocabularies() -> list[dict[str, float]]:
    """What vocabularies of more and more songs know of the validation songs."""
    rows: list[dict[str, float]] = []
    valid = words_of(corpus().side("valid"))
    for most in SIZES:
        vocabulary = vocabulary_of(most)
        known = [vocabulary.find(words) >= 0 for words in valid]
        about = vocabulary.statistics
        rows.append(
            {
                "songs": most or len(corpus().side("train")),
                "tokens": about.tokens,
                "vocabulary": about.vocabulary,
                "rare": about.rare,
                "known": float(np.concatenate(known).mean()),
                "frequencies": by_frequency(vocabulary, valid),
                "most frequent": float(vocabulary.counts[0] / about.tokens),
            }
        )
    return rows


def by_frequency(vocabulary: Vocabulary, pieces: Sequence[Words]) -> float:
    """Nats a known token of a model that knows only how often each is struck."""
    found = np.concatenate([vocabulary.find(words) for words in pieces])
    rates = np.log(vocabulary.counts / vocabulary.counts.sum())
    return float(-rates[found[found >= 0]].mean())


# --- Networks ---------------------------------------------------------------------------------------------


@cache
def places() -> tuple[Stream, NDArray[np.int64]]:
    """The validation songs in the vocabulary of the 250 songs, and known tokens, evenly spaced."""
    vocabulary = vocabulary_of(250)
    pieces = words_of(corpus().side("valid"))
    stream = Stream.of([vocabulary.find(words) for words in pieces], len(vocabulary))
    everywhere = stream.windows(1)
    known = everywhere[stream.tokens[everywhere] < stream.vocabulary]
    return stream, known[np.linspace(0, len(known) - 1, PLACES).astype(int)]


def frequencies_after_windows() -> float:
    """Nats a token, at the same places, by how often each occurs in the 250 songs."""
    stream, where = places()
    counts = vocabulary_of(250).counts
    return float(-np.log(counts / counts.sum())[stream.tokens[where]].mean())


def after_windows(folder: Path) -> dict[str, float]:
    """How likely a network finds validation tokens after the 99 before them: those of the 250 songs'."""
    import torch

    model = load_model(folder)
    assert isinstance(model.form, Vocabulary)
    vocabulary, network = model.form, model.sequence_model
    assert isinstance(network, torch.nn.Module)
    pieces = words_of(corpus().side("valid"))
    stream = Stream.of([vocabulary.find(words) for words in pieces], len(vocabulary))
    _, where = places()
    assert (stream.tokens[where] < len(vocabulary)).all(), "its songs are not among those of the comparison"
    scores = np.concatenate([_scored(network, stream, part) for part in np.array_split(where, PLACES // 64)])
    return {"nats": float(-scores.mean()), "right": float((scores > np.log(0.5)).mean())}


def _scored(network: Any, stream: Stream, places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Log-probabilities of the tokens at places of a stream."""
    import torch

    from cadenza.models.tokens import TokenBatch

    batch = TokenBatch.of(stream.batch(places, 1, CONTEXT))
    with torch.no_grad():
        return network(batch).sum((1, 2)).double().numpy()


# --- Music ------------------------------------------------------------------------------------------------


def heard_before(length: int) -> Callable[[Score], float]:
    """Share of the groups of so many onsets, pitches alone, that were struck before in the piece."""

    def measure(score: Score) -> float:
        notes = measures.pitched(score)
        firsts = np.flatnonzero(np.diff(notes["start"], prepend=notes["start"][0] - 1))
        onsets = [chord.tobytes() for chord in np.split(notes["pitch"], firsts[1:])]
        groups = [tuple(onsets[i : i + length]) for i in range(len(onsets) - length + 1)]
        return 1 - len(set(groups)) / len(groups) if groups else 0.0

    return measure


def keys_an_onset(score: Score) -> float:
    """Keys that are struck together, on average."""
    notes = measures.pitched(score)
    return len(notes) / len(np.unique(notes["start"]))


SHOWN: dict[str, Callable[[Score], float]] = {
    "pairs heard before": heard_before(2),
    "fours heard before": heard_before(4),
    "repeated onsets": measures.repeated_onsets,
    "repeated bars": measures.self_repetition,
    "keys an onset": keys_an_onset,
    "pitch classes": measures.pitch_classes_used,
    "pitch-class entropy": measures.pitch_class_entropy,
    "in one scale": measures.scale_consistency,
    "pitch range": measures.pitch_range,
    "mean pitch": measures.mean_pitch,
}


def by_ear(scores: Sequence[Score]) -> dict[str, float]:
    """Means over the scores that are not silent."""
    found = [score for score in scores if len(score.pitched_notes)]
    return {name: statistics.fmean(measure(score) for score in found) for name, measure in SHOWN.items()}


def music(
    name: str, temperature: float = 1.0, top_p: float = 1.0, style: str | None = None
) -> Callable[[Path], dict[str, float]]:
    """Lets a checkpoint go on from random places; keeps the first piece as MIDI and picture."""

    def measure(folder: Path) -> dict[str, float]:
        model = load_model(folder)
        takes = [continued(model, seed, temperature, top_p, style) for seed in range(1, TAKES + 1)]
        write_midi(takes[0], FIGURES / f"{name}.mid")
        piano_roll(takes[0], FIGURES / f"{name}.png", title=name, bars_per_system=16)
        return by_ear(takes)

    return measure


def continued(model: Model, seed: int, temperature: float, top_p: float, style: str | None) -> Score:
    """What a model writes after a random place of the corpus, which follows from the seed."""
    sampling = Sampling(temperature=temperature, top_p=top_p)
    return generate_after(CORPUS, Wish(BARS, seed, style, sampling=sampling), model=model).score


def corpus_as_names() -> dict[str, float]:
    """Of stretches from the middle of validation songs, as long as what is drawn and in the same rhythm."""
    length = BARS * 8
    pieces = [corpus().sequence(piece) for piece in corpus().side("valid")]
    middles = [(p, (len(p) - length) // 2) for p in pieces if len(p) >= length]
    return by_ear(
        [Names().decode(TokenSequence(p.words[first : first + length], p.form)) for p, first in middles]
    )


def corpus_as_played() -> dict[str, float]:
    """Of the same songs as they are played, as many bars from their middle."""
    prepared = prepare(CORPUS)
    return by_ear([middle(events.decode(prepared.sequence(piece))) for piece in prepared.side("valid")])


def middle(score: Score) -> Score:
    """Its bars in the middle; fewer where it is shorter."""
    lines = score.bar_lines().tolist()
    first = max(0, (len(lines) - 1 - BARS) // 2)
    return score.crop(lines[first], lines[min(first + BARS, len(lines) - 1)])


# --- Preparing --------------------------------------------------------------------------------------------


def preparing() -> dict[str, Any]:
    """CPU seconds to prepare the same songs, from MIDI files to windows of numbers, here and by music21."""
    known, folder = find_corpus(CORPUS)
    items = known.items(folder)
    chosen = [item.path for item in items[:: max(1, len(items) // TIMED)][:TIMED]]
    with tempfile.TemporaryDirectory() as scratch:
        songs = [Path(scratch, "songs", f"{path.stem}.mid") for path in chosen]
        warm = Path(scratch, "warm", "one.mid")
        for source, target in zip([*chosen, chosen[0]], [*songs, warm], strict=True):
            target.parent.mkdir(exist_ok=True)
            copyfile(source, target)
        with cache_in(Path(scratch, "cache")):
            ours, theirs = our_preparation, their_preparation
            ours([warm])
            theirs([warm])
            return {
                "songs": [path.stem for path in chosen],
                "cadenza": cpu_seconds(lambda: ours(songs)),
                "music21": cpu_seconds(lambda: theirs(songs)),
                "machine": protocol.machine("numpy", "symusic", "music21"),
            }


def our_preparation(songs: Sequence[Path]) -> None:
    """As training prepares a folder of songs that it has never seen, in one process."""
    prepared = prepare_as(Names(), str(songs[0].parent), workers=1)
    words = [prepared.sequence(piece).words for piece in prepared.pieces]
    assert len(words) == len(songs)
    vocabulary = Vocabulary.of(Names(), words)
    stream = Stream.of([vocabulary.find(one) for one in words], len(vocabulary))
    stream.batch(stream.windows(1), 1, CONTEXT)


def their_preparation(songs: Sequence[Path]) -> None:
    """As the paper describes it: every file parsed by music21, its elements named, names numbered."""
    from music21 import chord, converter, note

    names: list[str] = []
    for path in songs:
        parsed: Any = converter.parse(str(path), format="midi", forceSource=True)
        for element in parsed.flatten().notes:
            if isinstance(element, note.Note):
                names.append(element.pitch.nameWithOctave)
            elif isinstance(element, chord.Chord):
                names.append(".".join(pitch.nameWithOctave for pitch in element.pitches))
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    np.array([[numbers[n] for n in names[i : i + 100]] for i in range(len(names) - 100)])


@contextmanager
def cache_in(folder: Path) -> Generator[None]:
    """Makes Cadenza keep what it prepares elsewhere."""
    before = os.environ.get("CADENZA_CACHE")
    os.environ["CADENZA_CACHE"] = str(folder)
    try:
        yield
    finally:
        del os.environ["CADENZA_CACHE"]
        if before is not None:
            os.environ["CADENZA_CACHE"] = before


def cpu_seconds(call: Callable[[], None]) -> float:
    """What a call takes of the processor, whatever else runs."""
    begun = time.process_time()
    call()
    return time.process_time() - begun


# --- What the logs say ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """What the page is made of."""

    found: Sequence[report.Log]
    measured: report.Measured
    vocabularies: list[dict[str, float]]

    def log(self, run: runs.Planned) -> report.Log | None:
        """The log of a run, here or on the GPU: of those that can be measured, or were, the longer."""
        names = (run.name, f"gpu-{run.name}")
        logs = [log for log in self.found if log.run.name in names and log.events]
        return max(logs, key=lambda log: (self._known(log), len(log.validations)), default=None)

    def _known(self, log: report.Log) -> bool:
        here = (log.folder / "best" / "model.json").exists()
        return here or any(f" {log.run.name}" in name for name in self.measured.figures)

    def nats(self, log: report.Log | None, epoch: int) -> float | None:
        """A run's loss after windows, at an epoch whose weights were kept; measured where they lie here.

        None with another seed, which draws other songs, so that the vocabulary is another too.
        """
        if log is None or len(log.validations) < epoch or log.recipe.training.seed != 1:
            return None
        folder, name = weights(log, epoch), f"after windows, {log.run.name}, {epoch}"
        figure = self.measured.on(folder, name, after_windows)
        return figure["nats"] if figure else None

    def music(self, name: str) -> dict[str, float] | None:
        """What was measured of music, by its name."""
        return self.measured.figures.get(f"music of {name}", {}).get("figure")

    def pieces(self, epoch: int, temperature: float) -> str:
        """The name of the music of the 250 songs' network."""
        return f"{self.name(SONGS)}-{epoch}-{temperature:g}"

    def name(self, run: runs.Planned) -> str:
        """What a run is called where it came further."""
        log = self.log(run)
        return log.run.name if log else run.name


def weights(log: report.Log, epoch: int) -> Path:
    """The folder of the weights after an epoch: those that were kept, or the last."""
    step = log.validations[epoch - 1]["step"]
    kept = log.folder / f"step-{step:06d}"
    return kept if (kept / "model.json").exists() or epoch < len(log.validations) else log.folder / "last"


def valid_of(event: dict[str, Any]) -> float:
    """The validation loss of a line."""
    return event["valid"][CORPUS]


def best_of(log: report.Log) -> int:
    """The epoch with the lowest validation loss, from 1."""
    return 1 + min(range(len(log.validations)), key=lambda i: valid_of(log.validations[i]))


def shown(figure: float | None, digits: int = 2) -> str:
    """A figure, or a dash."""
    return "–" if figure is None else f"{figure:.{digits}f}"


# --- The page: tables -------------------------------------------------------------------------------------


def table_losses(page: Page) -> str:
    """Training and validation loss by epochs, and the same after windows of 100."""
    rows: list[list[object]] = []
    for log in page.found:
        if "performance" in log.run.name or not log.validations:
            continue
        lines = [log.validations[e - 1] if len(log.validations) >= e else None for e in (1, *EPOCHS)]
        cells = [f"{line['loss']:.2f} / {valid_of(line):.2f}" if line else "–" for line in lines]
        after = [shown(page.nats(log, epoch)) for epoch in EPOCHS]
        rows.append([log.run.name, *cells, best_of(log), *after])
    floor = page.measured.once("frequencies after windows", frequencies_after_windows)
    rows.append(["frequencies, 250 songs", *[""] * 5, *[f"{floor:.2f}"] * len(EPOCHS)])
    head = ["run", "epoch 1", *(str(e) for e in EPOCHS), "best epoch"]
    return report.markdown([*head, *(f"after windows, {e}" for e in EPOCHS)], rows)


def figure_losses(page: Page) -> str:
    """Curves of the losses; nothing where nothing has been run."""
    series: dict[str, list[tuple[float, float]]] = {}
    for run in (SONGS, ALL_SONGS, PLAIN):
        if log := page.log(run):
            lines = list(enumerate(log.validations, 1))
            series[f"{log.run.name}, training"] = [(i, e["loss"]) for i, e in lines]
            series[f"{log.run.name}, validation"] = [(i, valid_of(e)) for i, e in lines]
    series = {name: points for name, points in series.items() if points}
    if not series:
        return ""
    title = "loss by epochs"
    curves(series, FIGURES / "losses.png", title=title, xlabel="epochs", ylabel="nats a token")
    return f"![{title}]({NAME}/losses.png)"


def table_vocabulary(page: Page) -> str:
    """Vocabularies by songs."""
    rows = [
        [
            f"{about['songs']:,}",
            f"{about['tokens']:,}",
            f"{about['vocabulary']:,}",
            f"{about['rare']:.1%}",
            f"{about['known']:.1%}",
            f"{about['frequencies']:.2f}",
        ]
        for about in page.vocabularies
    ]
    head = ["songs", "tokens", "vocabulary", "seen fewer than ten times", "validation tokens known"]
    return report.markdown([*head, "frequencies, nats"], rows)


def table_ways(page: Page) -> str:
    """Many-to-one beside every step."""
    rows: list[list[object]] = []
    for run, epochs in ((SONGS, (1, *EPOCHS)), (MANY, (1, *EPOCHS))):
        log = page.log(run)
        for epoch in epochs if log else ():
            if log is None or len(log.validations) < epoch:
                continue
            event = log.validations[epoch - 1]
            hours = event["seconds"] / 3600
            cells = [log.run.name, epoch, event["step"], f"{event['notes']:,}", f"{hours:.2f}"]
            nats = page.nats(log, epoch)
            rows.append([*cells, f"{event['loss']:.2f}", shown(nats)])
    head = ["run", "epochs", "updates", "tokens drawn", "hours", "training loss", "after windows"]
    return report.markdown(head, rows) if rows else ""


def measure_music(page: Page) -> None:
    """Lets play what lies here: by temperature, by epochs, and the rivals."""
    if log := page.log(SONGS):
        for epoch in EPOCHS:
            if len(log.validations) < epoch:
                continue
            for temperature in TEMPERATURES if epoch in (LIKELIEST, BEST) else (1.0,):
                name = page.pieces(epoch, temperature)
                page.measured.on(weights(log, epoch), f"music of {name}", music(name, temperature))
    for run in (RIVAL, ALL_SONGS, MANY):
        if log := page.log(run):
            page.measured.on(log.folder / "best", f"music of {log.run.name}", music(log.run.name))
    composer = model_folders()["composer"]
    page.measured.on(composer, "music of composer", music("composer", top_p=0.94, style="pop"))


def table_music(page: Page) -> str:
    """What was drawn, beside the corpus."""
    rows: list[list[object]] = []

    def add(title: str, figure: dict[str, float] | None, file: str = "") -> None:
        if figure:
            link = f"[MIDI]({NAME}/{file}.mid), [picture]({NAME}/{file}.png)" if file else ""
            rows.append([title, *(f"{figure[name]:.2f}" for name in SHOWN), link])

    for epoch in EPOCHS:
        for temperature in TEMPERATURES:
            name = page.pieces(epoch, temperature)
            add(f"`songs-250`, {epoch} epochs, temperature {temperature:g}", page.music(name), name)
    for name in map(page.name, (ALL_SONGS, MANY)):
        add(f"`{name}`, best epoch, temperature 1", page.music(name), name)
    add("**corpus, in the same rhythm**", page.measured.once("corpus as names", corpus_as_names))
    rival = page.name(RIVAL)
    add(f"stand-in for Trained Magenta: `{rival}`", page.music(rival), rival)
    add("stand-in for Pretrained Magenta: `composer`", page.music("composer"), "composer")
    add("**corpus, as played**", page.measured.once("corpus as played", corpus_as_played))
    return report.markdown(["music", *SHOWN, ""], rows)


def pictures(page: Page) -> str:
    """The first piece at each temperature."""
    names = [page.pieces(BEST, t) for t in TEMPERATURES]
    found = [name for name in names if page.music(name)]
    return "\n\n".join(f"![{name}]({NAME}/{name}.png)" for name in found)


def table_preparing(page: Page) -> str:
    """Seconds for 25 songs, and what they make of 250."""
    timed = page.measured.once("preparing", preparing)
    rows: list[list[object]] = [
        [name, f"{timed[key]:.1f}", f"{timed[key] * 250 / len(timed['songs']) / 60:.2f}"]
        for name, key in (("music21, as in the paper", "music21"), ("Cadenza", "cadenza"))
    ]
    rows.append(["**times**", f"{timed['music21'] / timed['cadenza']:.0f}", ""])
    rows.append(["paper", "", "60"])
    table = report.markdown(["", f"seconds, {len(timed['songs'])} songs", "minutes, 250 songs"], rows)
    return f"{table}\n\nCPU seconds of one core of {timed['machine']['processor']}."


def table_runs(page: Page) -> str:
    """What was run on what."""
    rows: list[list[object]] = []
    for log in page.found:
        training, last = log.recipe.training, log.events[-1]
        cells = [log.run.name, training.device, training.precision, training.batch, log.progress]
        lowest = f"{_lowest(log):.2f}" if log.validations else "–"
        rows.append([*cells, last["step"], f"{last['seconds'] / 3600:.2f}", lowest])
    head = ["run", "on", "precision", "batch", "epochs", "updates", "hours", "best validation, nats"]
    return report.markdown(head, rows) if rows else ""


# --- The page: claims -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """What the paper says, whether it is so, and by which figures."""

    said: str
    holds: bool | None
    figures: str

    def __str__(self) -> str:
        word = {True: "**confirmed**", False: "**not confirmed**", None: "**not known yet**"}[self.holds]
        return f"- *{self.said}*: {word}. {self.figures}".rstrip()


NORMALISED = Claim(
    "Batch normalisation stabilises",
    False,
    "As its library has it, with running averages, validation of the 250 songs rose to 7.07, 9.55 and 12.17 "
    "in the epochs after 5.93, while training fell smoothly ([log](../log.md)). What is shown here has means "
    "and variances that were settled anew; without any normalisation nothing was run.",
)


def claims(page: Page) -> str:
    """All that can be tested, then what cannot."""
    made = [
        epochs_claim(page),
        dropout_claim(page),
        NORMALISED,
        songs_claim(page),
        temperature_claim(page),
        preparing_claim(page),
    ]
    return "\n".join(
        [*map(str, made), *(f"- *{said}*: **not testable here**: {why}." for said, why in SURVEY)]
    )


SURVEY = (
    (
        "Its music is taken for human more often than that of Trained Magenta, once also than Pretrained's",
        "a survey; how many were asked, and of which pieces, it does not say",
    ),
    (
        "Rated less complex than Magenta's, but as enjoyable and as moving or more so",
        "a survey, whose ratings are printed as charts only. What can be counted stands in the table above",
    ),
    (
        "Experiments favour sequences of 100 and batches of 1024",
        (
            "it prints none (elsewhere 100 is common practice and 1024 what its machine allowed), and "
            "a grid of many-to-one runs is beyond two cores"
        ),
    ),
    (
        "Training takes a few hours",
        "on a GPU that it does not name; what was run here stands in the table below",
    ),
    (
        "Competitive with two of Magenta's models",
        "these cannot be installed any more; the stand-ins above are other networks, and one of them ours",
    ),
)
"""Claims that rest on listeners, or on what it does not print."""


def epochs_claim(page: Page) -> Claim:
    """Ten epochs are the best bargain."""
    said = "Of 5, 10 and 20 epochs 10 are the best bargain"
    log = page.log(SONGS)
    if log is None or len(log.validations) < max(EPOCHS):
        return Claim(said, None, "")
    five, ten, twenty = (valid_of(log.validations[epoch - 1]) for epoch in EPOCHS)
    holds = ten < five and twenty > 0.99 * ten
    figures = (
        f"Validation {five:.3f}, {ten:.3f} and {twenty:.3f} (a bargain: 10 better than 5, and 20 no more "
    )
    return Claim(said, holds, figures + f"than 1 % better); the best epoch is {best_of(log)}.")


def dropout_claim(page: Page) -> Claim:
    """Recurrent dropout prevents overfitting."""
    said = "30 % recurrent dropout prevents overfitting"
    logs = [page.log(run) for run in (SONGS, PLAIN)]
    known = [log for log in logs if log is not None and len(log.validations) == max(EPOCHS)]
    if len(known) < len(logs):
        return Claim(said, None, "")
    last, best = ([f(log) for log in known] for f in (_last, _lowest))
    told = "; ".join(
        f"`{log.run.name}` {low:.3f} at epoch {best_of(log)}, {end:.3f} at the end"
        for log, end, low in zip(known, last, best, strict=True)
    )
    return Claim(
        said, last[0] < 1.01 * best[0], f"Prevented: the end no more than 1 % above the best. {told}."
    )


def _last(log: report.Log) -> float:
    return valid_of(log.validations[-1])


def _lowest(log: report.Log) -> float:
    return min(map(valid_of, log.validations))


def songs_claim(page: Page) -> Claim:
    """More songs are better."""
    said = "More songs would help (its section VI)"
    few, many = page.log(SONGS), page.log(ALL_SONGS)
    pair = [page.nats(log, BEST) for log in (few, many)]
    if pair[0] is None or pair[1] is None:
        return Claim(said, None, "")
    coverage = [f"{about['known']:.1%}" for about in page.vocabularies[-2:]]
    figures = f"After {BEST} epochs, on the same tokens after windows of 100: {pair[0]:.3f} with 250 songs, "
    figures += f"{pair[1]:.3f} with all. Validation tokens known: {coverage[0]} and {coverage[1]}."
    return Claim(said, pair[1] < pair[0], figures)


def temperature_claim(page: Page) -> Claim:
    """Temperature controls randomness."""
    said = "Temperature controls the randomness"
    told: list[str] = []
    holds = True
    for epochs in (LIKELIEST, BEST):
        found = [page.music(page.pieces(epochs, t)) for t in TEMPERATURES]
        figures = [figure for figure in found if figure]
        if len(figures) < len(TEMPERATURES):
            return Claim(said, None, "")
        heard = [figure["pairs heard before"] for figure in figures]
        entropy = [figure["pitch-class entropy"] for figure in figures]
        holds &= all(a >= b for a, b in pairwise(heard)) and all(a <= b for a, b in pairwise(entropy))
        pairs = zip(TEMPERATURES, heard, entropy, strict=True)
        told.append(f"after {epochs} epochs " + ", ".join(f"{t:g}: {a:.2f} and {b:.2f}" for t, a, b in pairs))
    return Claim(
        said,
        holds,
        "Confirmed would be that with each step of it fewer pairs were heard before, and pitch classes are "
        f"more even: {'; '.join(told)}.",
    )


def preparing_claim(page: Page) -> Claim:
    """An hour for 250 songs."""
    timed = page.measured.once("preparing", preparing)
    minutes = {key: timed[key] * 250 / len(timed["songs"]) / 60 for key in ("music21", "cadenza")}
    figures = (
        f"Its way takes {minutes['music21']:.1f} minutes here, ours {60 * minutes['cadenza']:.0f} seconds; "
    )
    figures += "confirmed would be half an hour or more its way."
    return Claim("Preparing 250 songs takes about an hour", minutes["music21"] >= 30, figures)


# --- The page ---------------------------------------------------------------------------------------------


def write_report() -> None:
    """The page, its figures, and what is measured on the weights."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    measured = report.Measured(FIGURES / "measured.json")
    found = report.logs(NAME, [*QUEUE, *GPU_QUEUE])
    page = Page(found, measured, measured.once("vocabularies", vocabularies))
    preparation = table_preparing(page)
    measure_music(page)
    report.write_page(
        report.RESULTS / f"{NAME}.md",
        HEAD,
        report.unfinished(found, QUEUE),
        LOSSES_TEXT,
        table_losses(page),
        figure_losses(page),
        VOCABULARY_TEXT,
        table_vocabulary(page),
        WAYS_TEXT,
        table_ways(page),
        MUSIC_TEXT,
        table_music(page),
        pictures(page),
        PREPARING_TEXT,
        preparation,
        "## What the paper says",
        claims(page),
        RUNS_TEXT,
        table_runs(page),
        CHOICES_TEXT,
    )


HEAD = """
# Results: Generating music using an LSTM network

A. Banić, D. Pavlović, M. Jurić, A. Babić and M. Hladek's experiments, made again with `note_lstm`: three LSTM
layers of 512 units over names such as `C4.E4.G4`, one an onset, of 250 songs of POP909. This page is written
by

```sh
python benchmarks/generating_music_lstm.py train          # hours: every run of the tables
python benchmarks/generating_music_lstm.py train --gpu    # nine minutes of the same on a GPU
python benchmarks/generating_music_lstm.py report
```

Loss is the cross-entropy in nats a token. The recipes are `recipes/generating-music-lstm/`, the logs
`docs/results/logs/generating-music-lstm/`. The paper prints no loss: what it says of its training is tested
on runs that differ in one thing. All figures are of one seed.
"""
LOSSES_TEXT = """
## Epochs and songs

Training / validation, by epochs. Either is a mean over the tokens that the run's vocabulary has, so losses of
other vocabularies stand beside each other in the last columns only: *after windows*, the loss on 2048
validation tokens that the vocabulary of the 250 songs has, each after the 99 before it. *Frequencies*: a
model that knows only how often each token occurs in these songs, on the same 2048. `songs-909` learns from
the 704 songs of the training split. A network above *frequencies* is surer than it is right, and does worse
than counting.
"""
VOCABULARY_TEXT = """
## Vocabulary

What songs of the training split know of the validation songs. A token that the vocabulary lacks cannot be
drawn, and is read as unknown. *Frequencies*: nats a token of a model that knows only how often each occurs,
on the validation tokens that it knows.
"""
WAYS_TEXT = """
## Many-to-one beside every step

As published a window of 100 tokens predicts one, the next. Trained at every step of the window it predicts a
hundred, for the same work. *Tokens drawn*: those that were learnt from, repetitions counted.
"""
MUSIC_TEXT = f"""
## Music by temperature, and the rivals

Means of {TAKES} pieces of {BARS} bars, each after 8 bars of a random place in the corpus, the same for all;
the full distribution, as published, but the composer with its own defaults. Two rules of ours are at work: no
more than a bar passes in silence, and no note is longer than four bars, which cuts some of a performance's.
*Pairs* and *fours heard before*: share of the groups of so many onsets, pitches alone, that were struck
before in the piece. Names have no rhythm: what is written has a token an eighth, and the first of the
corpus's rows is its songs with that rhythm. The rivals have rhythm; compare them with the second. Magenta's
two models cannot be installed any more. What stands in for them is labelled so: for *Trained Magenta* an LSTM
over performances, trained on the same 250 songs; for *Pretrained Magenta* the composer that ships, which was
trained on more than pop. No ratings can be told from these figures.
"""
PREPARING_TEXT = f"""
## Preparing

{TIMED} songs spread over the set, from MIDI files to windows of numbers, in one process, nothing cached: by
`prepare_as(Names(), ..., workers=1)`, and as the paper describes it: `converter.parse` of music21, the flat
notes and chords named, the names numbered. Both in one run, each after one song that warmed it up.
"""
RUNS_TEXT = """
## What was run on what

Hours are those of the clock, on `cpu` of a core that was shared with other work. The losses stand beside each
other only where tokens and vocabulary are the same.
"""
CHOICES_TEXT = """
## Where the paper is silent, and what was chosen

- What is a chord, where voices do not begin together to the tick: what is struck within one 32nd note is one
  token. Rhythm it does not tell; what is written has a fixed step of half a quarter.
- How names become numbers for the network: here by an embedding of 128.
- Which songs: 250 of the training split, drawn with the seed. It names no songs held out; ours are, a tenth
  for validation and a tenth for test, so that "all songs" are those of the training split.
- Batches: 1024 windows, of which each predicts a token. At every step ten windows of 100 are about as many.
- The rate of RMSprop: 0.001, the default of its library; the gradient is clipped to norm 5.
- Recurrent dropout: one mask a batch, where its library draws one a window. Batch normalisation stands after
  the last LSTM layer. Trained at every step, ten windows make a batch, whose means and variances are not
  those of the music; so these are taken from 16,384 training tokens before each validation and for playing.
  With running averages, as in its library, validation was worse by whole nats ([log](../log.md)).
- Its seeds are windows of its training songs; ours come from a random place in the whole corpus, and a token
  that is unknown is read as the nearest known one.
- Products are in bfloat16, sums in float32.
"""


if __name__ == "__main__":
    sys.exit(runs.main(__doc__, NAME, QUEUE, GPU_QUEUE, write_report))
