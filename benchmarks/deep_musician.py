"""Gabelberger's experiments, made again: Mozart's sonatas by cross-entropy and by focal loss, and his wishes.

python benchmarks/deep_musician.py train      # works off the queue; a second process may help
python benchmarks/deep_musician.py report     # writes docs/results/deep-musician.md and its figures

Protocol. 21 movements in binary frames of a sixteenth, of which 19 are trained on; every figure is of the two
others, the validation and the test piece, stretch by stretch of 96 steps. Density is the paper's: keys that
sound, a step. Music is generated from the empty input, by drawing (a key sounds with its probability) and by
the likelier (it sounds where that is above one half), with no rule of ours in between.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import report
import runs
from applying_rnn import panels
from numpy.typing import NDArray

from cadenza.compose import Wish, generate, load_model
from cadenza.corpus import Split
from cadenza.dataset import prepare_as
from cadenza.engine.sampler import Sampler, Sampling
from cadenza.measures import frames
from cadenza.plot import curves
from cadenza.representation.pianoroll import KEYS, PianoRoll, RollSequence, encode
from cadenza.representation.tokens import Vocabulary
from cadenza.segments import sides

NAME = "deep-musician"
FIGURES = report.RESULTS / NAME
STRETCH = 96
ALPHAS, GAMMAS = ("0.05", "0.25", "0.75"), ("0.5", "1.0", "2.0")
GRID = [(alpha, gamma) for alpha in ALPHAS for gamma in GAMMAS]
CHOSEN = ("0.25", "0.5")
"""Alpha and gamma of `mozart.toml`."""
BEYOND = [("0.9", "2.0")]
"""Points beyond the grid, where keys that sound count most and the likelier finds them too."""
RATES = ("0.01", "0.001", "0.0001")
EPOCH = 36.5
"""Updates in which as many steps are predicted as the training pieces have."""
SHOWN = ("bce-seed2", "mozart-seed2", "focal-0.9-2.0")
"""Whose music is pictured."""
STRETCHES = 4
PIECES = 6
"""Generated of every network, each so many stretches long."""
SOUNDS_EMPTY = 0.1
"""Share of the corpus's density below which music counts as empty,"""
SOUNDS_ALIKE = 2.0
"""and the factor up to which densities count as alike."""
CLEARLY_BELOW = 0.95
"""Of the nats that the keys' frequencies give: what counts as having learnt more."""


def focal(alpha: str, gamma: str) -> str:
    """The name of a point of the grid; that of the recipe's own is a seed of it."""
    return "mozart-seed1" if (alpha, gamma) == CHOSEN else f"focal-{alpha}-{gamma}"


def grid() -> list[runs.Planned]:
    """Alpha and gamma, but for the recipe's own."""
    return [
        runs.Planned(
            focal(a, g),
            f"{NAME}/mozart",
            {"training.focal_alpha": a, "training.focal_gamma": g},
        )
        for a, g in [*GRID, *BEYOND]
        if (a, g) != CHOSEN
    ]


def by_rate(rate: str) -> str:
    """The name of a run of cross-entropy at a learning rate; at that of the recipe it is a seed of it."""
    return "bce-seed1" if rate == "0.001" else f"bce-rate-{rate}"


def rates() -> list[runs.Planned]:
    """Cross-entropy with learning rates other than the recipe's own."""
    return [
        runs.Planned(by_rate(rate), f"{NAME}/bce", {"training.rate": rate})
        for rate in RATES
        if rate != "0.001"
    ]


TOKENS = "tokens"
FORCED_FOCAL = "forced-focal-0.75-2.0"
WISHES = [
    runs.Planned("monophonic", f"{NAME}/monophonic"),
    runs.Planned("dynamics", f"{NAME}/dynamics"),
    runs.Planned("attention", f"{NAME}/attention"),
    runs.Planned("forced", f"{NAME}/forced"),
    runs.Planned(
        FORCED_FOCAL,
        f"{NAME}/forced",
        {"training.focal": "true", "training.focal_alpha": "0.75", "training.focal_gamma": "2.0"},
    ),
    runs.Planned(TOKENS, f"{NAME}/tokens"),
    runs.Planned("probabilities", f"{NAME}/bce", {"model.feedback": "probabilities"}),
]
QUEUE = [
    *runs.seeds("bce", f"{NAME}/bce", 1),
    *runs.seeds("mozart", f"{NAME}/mozart", 1),
    *grid(),
    *WISHES,
    *rates(),
    *runs.seeds("bce", f"{NAME}/bce", 3)[1:],
    *runs.seeds("mozart", f"{NAME}/mozart", 3)[1:],
]
"""One seed of everything first, so that the tables stand early."""


# --- What is measured -------------------------------------------------------------------------------------


def pieces_of(form: PianoRoll, split: Split) -> list[RollSequence]:
    """Mozart's movements on a side, in a form."""
    corpus = prepare_as(form, "classical")
    return [corpus.sequence(piece) for piece in sides(corpus, split, "mz_*")]


def about(form: PianoRoll) -> dict[str, float]:
    """The corpus, and what can be said of it without a network."""
    train = np.concatenate([piece.rows for piece in pieces_of(form, "train")])
    sides = {split: [piece.rows for piece in pieces_of(form, split)] for split in ("valid", "test")}
    held = [rows for pieces in sides.values() for rows in pieces]
    rows = np.concatenate(held)
    before = np.concatenate([frames.repeated(h) for h in held])
    rate = np.clip(train.mean(0), 1e-6, 1 - 1e-6)
    figures = {"held-out density": frames.keys_a_frame(rows)}
    for split, pieces in sides.items():
        true = np.concatenate(pieces)
        nats = -np.where(true, np.log(rate), np.log1p(-rate)).sum(1).mean()
        figures[f"frequencies, {split}"] = float(nats)
    noise = np.random.default_rng(0).random((PIECES * STRETCHES * STRETCH, KEYS)) < rate
    figures |= {f"noise, {key}": value for key, value in texture(noise.astype(np.uint8)).items()}
    return (
        texture(train)
        | figures
        | {
            f"{name}, {key}": value
            for name, guess in (("silence", np.zeros_like(rows)), ("repeat", before))
            for key, value in agreement(guess, rows).items()
        }
    )


def agreement(guess: NDArray[Any], rows: NDArray[Any]) -> dict[str, float]:
    """Of cells: accuracy, F1 of sounding ones, and the mean of both classes' F1 weighed by their cells."""
    guess, rows = guess > 0, rows > 0
    on, off = frames.f1(guess, rows), frames.f1(~guess, ~rows)
    share = float(rows.mean())
    return {
        "accuracy": float((guess == rows).mean()),
        "f1": on,
        "weighted f1": share * on + (1 - share) * off,
    }


def measure(folder: Path) -> dict[str, Any]:
    """A checkpoint on the held-out pieces, and what it plays."""
    model, form = network_of(folder)
    figures: dict[str, Any] = {}
    guesses: list[NDArray[Any]] = []
    for split in ("valid", "test"):
        pieces = pieces_of(form, split)
        scores = [model.log_probabilities(piece, None) for piece in pieces]
        cells = np.concatenate([score[:, :KEYS] for score in scores])
        rows = np.concatenate([piece.rows for piece in pieces])
        figures[f"{split} nats"] = float(-cells.sum(1).mean())
        if scores[0].shape[1] > KEYS:
            loud = np.concatenate([score[:, KEYS:] for score in scores])
            figures[f"{split} nats, velocities"] = float(-loud.sum(1).mean())
        guesses.append(np.where(cells > np.log(0.5), rows, 1 - rows))
    held = [piece for split in ("valid", "test") for piece in pieces_of(form, split)]
    every = np.concatenate([piece.rows for piece in held])
    told = agreement(np.concatenate(guesses), every)
    free = agreement(*(np.concatenate(part) for part in zip(*goes_on(model, held), strict=True)))
    drawn = [played(model, None, STRETCHES * STRETCH, Sampling(top_p=1.0), seed) for seed in range(PIECES)]
    likelier = played(model, None, STRETCHES * STRETCH, Sampling(temperature=0.0), 0)
    return figures | {
        "told": told,
        "free": free,
        "drawn": texture(np.concatenate(drawn)),
        "drawn, by stretch": [
            float(np.mean([piece[at : at + STRETCH].sum(1).mean() for piece in drawn]))
            for at in range(0, STRETCHES * STRETCH, STRETCH)
        ],
        "likelier": texture(likelier),
    }


def measure_tokens(folder: Path) -> dict[str, Any]:
    """The same of a network of tokens: how likely those are that it knows, and what it plays."""
    model, form = load_model(folder), PianoRoll(4, articulated=False)
    vocabulary = model.form
    assert isinstance(vocabulary, Vocabulary)
    figures: dict[str, Any] = {}
    for split in ("valid", "test"):
        corpus = prepare_as(vocabulary.form, "classical")
        pieces = [corpus.sequence(piece) for piece in sides(corpus, split, "mz_*")]
        nats = np.concatenate(
            [-model.sequence_model.log_probabilities(piece, None)[:, 0] for piece in pieces]
        )
        known = np.isfinite(nats)
        figures |= {f"{split} nats": float(nats[known].mean()), f"{split} known": float(known.mean())}

    def rolled(sampling: Sampling, seed: int) -> NDArray[np.uint8]:
        bars = STRETCHES * STRETCH // 16
        score = generate(Wish(bars=bars, seed=seed, sampling=sampling), model=model).score
        return encode(score, form).rows

    drawn = [rolled(Sampling(top_p=1.0), seed) for seed in range(PIECES)]
    return figures | {
        "drawn": texture(np.concatenate(drawn)),
        "likelier": texture(rolled(Sampling(temperature=0.0), 0)),
    }


def goes_on(model: Any, pieces: Sequence[RollSequence]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """As the paper tests: each stretch after the true one before it, fed with its own likelier frames."""
    for piece in pieces:
        for at in range(STRETCH, len(piece) - STRETCH + 1, STRETCH):
            prompt = piece.part(at - STRETCH, at)
            yield (
                played(model, prompt, STRETCH, Sampling(temperature=0.0), 0),
                piece.rows[at : at + STRETCH],
            )


def played(
    model: Any, prompt: RollSequence | None, steps: int, sampling: Sampling, seed: int
) -> NDArray[np.uint8]:
    """Steps that a network plays, by its probabilities alone: (steps, 88)."""
    sampler = Sampler(sampling, seed)
    state = model.start(prompt, None, lambda step: (step % 16, 0))
    rows = [model.step(state, lambda _, logits: sampler.draw(logits)) for _ in range(steps)]
    return np.array([row[:KEYS] for row in rows], np.uint8)


def texture(rows: NDArray[np.uint8]) -> dict[str, float]:
    """Density, and the shares of silent steps, of chords, and of steps that repeat the one before."""
    sounding = rows.sum(1)
    return {
        "density": frames.keys_a_frame(rows),
        "silent": float((sounding == 0).mean()),
        "chords": float((sounding > 1).mean()),
        "repeats": frames.exact(rows[1:], rows[:-1]),
    }


def network_of(folder: Path) -> tuple[Any, PianoRoll]:
    """The network of a checkpoint, and its form."""
    from cadenza.checkpoint import load_checkpoint
    from cadenza.models.seq2seq_gru import Seq2SeqGRU
    from cadenza.recipe import recipe_from
    from cadenza.sizes import Seq2SeqConfig

    checkpoint = load_checkpoint(folder)
    config = recipe_from({"model": {**checkpoint.sizes, "name": checkpoint.model}}, str(folder)).sizes
    assert isinstance(config, Seq2SeqConfig)
    return report.network(Seq2SeqGRU(config), folder), config.roll


# --- Tables -----------------------------------------------------------------------------------------------

Figures = dict[str, dict[str, Any]]
"""What was measured, by the run's name."""


def of_seeds(figures: Figures, name: str, get: Callable[[dict[str, Any]], float]) -> list[float]:
    """A figure of all seeds of a run, or of the run of that name."""
    return [get(f) for run, f in figures.items() if run == name or run.startswith(f"{name}-seed")]


def density(how: str) -> Callable[[dict[str, Any]], float]:
    """Of what was generated in a way."""
    return lambda figure: figure[how]["density"]


def table_density(figures: Figures, corpora: dict[str, dict[str, float]]) -> str:
    """Density and texture of every run."""
    rows: list[list[object]] = []
    for run, f in figures.items():
        drawn, likelier = f["drawn"], f["likelier"]
        rows.append(
            [
                run,
                *(f"{drawn[key]:.2f}" for key in ("density", "silent", "chords", "repeats")),
                f"{f['drawn, by stretch'][0]:.2f} … {f['drawn, by stretch'][-1]:.2f}",
                f"{likelier['density']:.2f}",
                f"{likelier['silent']:.2f}",
            ]
        )
    keys = ("density", "silent", "chords", "repeats")
    for title, corpus in corpora.items():
        for name, of in (("trained on", ""), ("its keys' frequencies", "noise, ")):
            rows.append([f"**{title}, {name}**", *(f"{corpus[of + key]:.2f}" for key in keys), *[""] * 3])
    head = ["run", "density, drawn", "silent", "chords", "repeats", "first … last stretch"]
    return report.markdown([*head, "density, likelier", "silent, likelier"], rows)


def table_cells(figures: Figures, corpora: dict[str, dict[str, float]]) -> str:
    """Likelihood, accuracy and F1 of every run, beside silence, repetition and the keys' frequencies."""
    corpus = corpora["corpus"]
    keys = ("accuracy", "f1", "weighted f1")
    rows: list[list[object]] = [
        [f"**{name}**", "", "", *(f"{corpus[f'{name}, {key}']:.3f}" for key in keys), "", "", ""]
        for name in ("silence", "repeat")
    ]
    for title, about_it in corpora.items():
        nats = [f"{about_it[f'frequencies, {split}']:.2f}" for split in ("valid", "test")]
        rows.append([f"**keys' frequencies, {title}**", *nats, *[""] * 6])
    for run, f in figures.items():
        cells = [f"{f[kind][key]:.3f}" for kind in ("told", "free") for key in keys]
        rows.append([run, f"{f['valid nats']:.2f}", f"{f['test nats']:.2f}", *cells])
    head = ["run", "nats, validation", "nats, test", "accuracy", "F1", "weighted F1"]
    return report.markdown([*head, "free: accuracy", "free: F1", "free: weighted F1"], rows)


def table_tokens(figure: dict[str, Any] | None) -> str:
    """Likelihood and texture of the network on tokens."""
    if not figure:
        return ""
    cells = [f"{figure[f'{split} nats']:.2f}, {figure[f'{split} known']:.0%}" for split in ("valid", "test")]
    keys = ("density", "silent", "chords", "repeats")
    cells += [f"{figure['drawn'][key]:.2f}" for key in keys] + [f"{figure['likelier']['density']:.2f}"]
    head = ["run", "nats, validation", "nats, test", "density, drawn", "silent", "chords", "repeats"]
    return report.markdown([*head, "density, likelier"], [["tokens", *cells]])


def table_grid(figures: Figures, what: str, get: Callable[[dict[str, Any]], float]) -> str:
    """A figure by alpha and gamma."""
    rows = [
        [a, *(f"{get(figures[name]):.2f}" if (name := focal(a, g)) in figures else "–" for g in GAMMAS)]
        for a in ALPHAS
    ]
    return report.markdown([f"{what}: alpha", *(f"gamma {g}" for g in GAMMAS)], rows)


def table_constant(corpus: float) -> str:
    """Density, drawn, where all that is known is the corpus's: what each loss is lowest at."""
    chance, guesses = corpus / KEYS, np.linspace(1e-4, 0.9999, 9999)

    def drawn(alpha: float, gamma: float) -> float:
        on = -alpha * (1 - guesses) ** gamma * np.log(guesses)
        off = -(1 - alpha) * guesses**gamma * np.log(1 - guesses)
        return KEYS * float(guesses[(chance * on + (1 - chance) * off).argmin()])

    rows = [[a, *(f"{drawn(float(a), float(g)):.1f}" for g in GAMMAS)] for a in ALPHAS]
    return report.markdown(["constant: alpha", *(f"gamma {g}" for g in GAMMAS)], rows)


def table_rates(found: Sequence[report.Log], figures: Figures) -> str:
    """Likelihood and density by learning rate, of cross-entropy with seed 1."""
    rows: list[list[object]] = []
    for rate in RATES:
        run = by_rate(rate)
        log = next((log for log in found if log.run.name == run), None)
        if log is None or not log.validations:
            rows.append([rate, "–", "–", "–", "–"])
            continue
        nats = [event["valid"]["classical"] for event in log.validations]
        ways = [f"{figures[run][how]['density']:.2f}" if run in figures else "–" for how in WAYS]
        rows.append([rate, f"{min(nats):.2f}", f"{nats[-1]:.2f}", *ways])
    head = ["rate", "best validation", "last validation", "density, drawn", "density, likelier"]
    return report.markdown(head, rows)


WAYS = ("drawn", "likelier")


def costs(found: Sequence[report.Log]) -> str:
    """Minutes and updates of each run."""
    rows: list[list[object]] = []
    for log in found:
        last = log.events[-1]
        epochs = last["step"] / EPOCH
        minutes = last["seconds"] / 60
        rows.append(
            [log.run.name, last["step"], f"{epochs:.1f}", f"{minutes:.0f}", f"{minutes / epochs:.1f}"]
        )
    return report.markdown(["run", "updates", "epochs", "minutes", "minutes an epoch"], rows)


# --- Claims -----------------------------------------------------------------------------------------------


def empty(densities: Sequence[float], corpus: float) -> bool | None:
    """Whether music of these densities is as good as silent."""
    return statistics.fmean(densities) < SOUNDS_EMPTY * corpus if densities else None


def alike(densities: Sequence[float], corpus: float) -> bool | None:
    """Whether music of these densities is as dense as the corpus, by a factor."""
    if not densities:
        return None
    return corpus / SOUNDS_ALIKE < statistics.fmean(densities) < corpus * SOUNDS_ALIKE


def word(holds: bool | None) -> str:
    """The page's words of a verdict."""
    return {True: "**confirmed**", False: "**not confirmed**", None: "**not known yet**"}[holds]


def claims(
    found: Sequence[report.Log], figures: Figures, corpus: dict[str, float], tokens: dict[str, Any] | None
) -> str:
    """What the paper says, against the figures."""
    own = corpus["density"]
    bce = {how: of_seeds(figures, "bce", density(how)) for how in WAYS}
    cured = {how: of_seeds(figures, "mozart", density(how)) for how in WAYS}
    told = {
        name: ", ".join(f"{how} {report.spread(values)}" for how, values in ways.items())
        for name, ways in (("bce", bce), ("focal", cured))
    }
    accuracy, weighted = corpus["silence, accuracy"], corpus["silence, weighted f1"]
    span = [density("drawn")(figures[name]) for a, g in GRID if (name := focal(a, g)) in figures]
    care = max(span) / max(min(span), 1e-6) > SOUNDS_ALIKE if len(span) > 1 else None
    by_likelier = {
        rate: density("likelier")(figures[run]) for rate in RATES if (run := by_rate(rate)) in figures
    }
    lower = (
        any(d >= SOUNDS_EMPTY * own for d in by_likelier.values()) if len(by_likelier) == len(RATES) else None
    )
    nats = ", ".join(f"{rate}: {n:.2f}" for rate in RATES if (n := best_by_rate(found, rate)) is not None)
    learnt = {
        split: of_seeds(figures, "bce", lambda figure, split=split: figure[f"{split} nats"])
        for split in ("valid", "test")
    }
    easily = all(
        statistics.fmean(values) < CLEARLY_BELOW * corpus[f"frequencies, {split}"]
        for split, values in learnt.items()
    )
    stretches = [figures["mozart-seed1"]["drawn, by stretch"][at] for at in (0, -1)]
    lasting = 1 / SOUNDS_ALIKE < stretches[1] / stretches[0] < SOUNDS_ALIKE
    inherently = alike([tokens["likelier"]["density"]], own) if tokens else None
    return f"""
- *"The model easily learned according to the classical BCE-loss"* (4.3): {word(easily)}. Nats a step
  {report.spread(learnt["valid"])} and {report.spread(learnt["test"])} of the validation and the test piece,
  where the keys' frequencies alone give {corpus["frequencies, valid"]:.2f} and
  {corpus["frequencies, test"]:.2f} (confirmed would be {1 - CLEARLY_BELOW:.0%} below on both).
  {about_forced(found, figures)}
- *With cross-entropy the generated melodies are empty* (4.3): by the likelier
  {word(empty(bce["likelier"], own))}, by drawing {word(empty(bce["drawn"], own))}. Density {told["bce"]};
  the training pieces have {own:.2f}, the held-out ones {corpus["held-out density"]:.2f}.
  Cross-entropy makes probabilities that are right on average, so drawing from them gives about as many keys
  as there should be, whatever was learnt; by the likelier a key sounds only where the network is surer of it
  than not.
- *Focal loss cures it* (4.3.1): {word(cures(figures, own))} by the likelier: a density within a factor of
  {SOUNDS_ALIKE:g} of the corpus's is what {alike_by_likelier(figures, own)}. By drawing there was nothing to
  cure: density {told["focal"]} at alpha {CHOSEN[0]} and gamma {CHOSEN[1]}, which were
  chosen because, of the grid, their draws come nearest to the corpus. Draws of every key by its frequency
  alone, without any network, have {corpus["noise, density"]:.2f}, and by the table below the networks' are
  hardly to be told from these.
- *Accuracy and F1 look fine on silence* (5.2): {word(accuracy > 0.95)} of accuracy, {accuracy:.3f};
  {word(weighted > 0.95)} of an F1 that is weighed by class, {weighted:.3f}; not of the F1 of sounding
  cells, which is {corpus["silence, f1"]:.0f} by definition.
- *Focal loss "increases the loss for easy examples"* (4.3.1): **not confirmed**: by its formula it weighs
  them down, as the paper itself says before and after.
- *Alpha and gamma need care* (4.3.1): {word(care)}. Over the grid the density of what is drawn goes from
  {min(span, default=0):.2f} to {max(span, default=0):.2f}.
- *A lower learning rate helps against the empty minimum* (4.3.1): {word(lower)} (confirmed would be music
  that is not empty by the likelier at any of the three). Density by the likelier, cross-entropy, by rate:
  {", ".join(f"{rate}: {d:.2f}" for rate, d in by_likelier.items()) or "–"}; best validation {nats or "–"}.
- *A representation as a language "would have inherently solved the problem of imbalanced data"* (4.2.3, 5.1):
  {word(inherently)} by the likelier. Density of the network on tokens: {about_tokens(tokens)}.
- *Sequences of arbitrary length* (3): {word(lasting)} as far as density tells: from the first stretch of 96
  steps to the fourth it goes from {stretches[0]:.2f} to {stretches[1]:.2f}.
- *An epoch takes half an hour without a GPU* (5.3): **not testable here**: neither the machine nor the length
  of an epoch is told. Here it takes under a minute of a core that does nothing else (see the costs below).
- *The melodies are like simple ones; they sound human or not* (3, 4.1): **not testable here**: the paper has
  no listeners, and its ear is the author's.
- *Several hundred epochs would show more* (5.3): **not testable here**: all runs have 30, and one of 300
  would take a core two hours.
"""


def cures(figures: Figures, corpus: float) -> bool | None:
    """Whether any alpha and gamma make music by the likelier that is as dense as the corpus."""
    names = [focal(a, g) for a, g in [*GRID, *BEYOND]]
    if not all(name in figures for name in names):
        return None
    return any(alike([density("likelier")(figures[name])], corpus) for name in names)


def about_forced(found: Sequence[report.Log], figures: Figures) -> str:
    """What a network learns that is fed with true frames at first, in words."""
    log = next((log for log in found if log.run.name == "forced" and log.done), None)
    if log is None or FORCED_FOCAL not in figures:
        return ""
    nats = [event["valid"]["classical"] for event in log.validations]
    best = min(range(len(nats)), key=nats.__getitem__)
    focal_too = figures[FORCED_FOCAL]
    return (
        "What keeps it from learning is that it hears its own frames: of `forced`, which is fed with the "
        f"true ones\n  at first and with its own at last, validation falls to {nats[best]:.2f} after "
        f"{log.validations[best]['step'] / EPOCH:.0f} epochs, and is {nats[-1]:.2f} in the end.\n  From the "
        f"empty input it is then as silent by the likelier, with focal loss too (alpha 0.75, gamma 2). But "
        f"after\n  true stretches focal loss keeps it from falling silent: F1 of what it goes on with is "
        f"{focal_too['free']['f1']:.2f},\n  by cross-entropy {figures['forced']['free']['f1']:.2f} (*free*, "
        "below)."
    )


def about_tokens(figure: dict[str, Any] | None) -> str:
    """The density of the music of tokens, in words."""
    return (
        f"drawn {figure['drawn']['density']:.2f}, likelier {figure['likelier']['density']:.2f}"
        if figure
        else "–"
    )


def alike_by_likelier(figures: Figures, corpus: float) -> str:
    """Which points, of the grid and beyond, are as dense as the corpus by the likelier, in words."""
    points = {(a, g): figures[name] for a, g in [*GRID, *BEYOND] if (name := focal(a, g)) in figures}
    densities = {point: density("likelier")(figure) for point, figure in points.items()}
    found = [f"{a} and {g} ({d:.2f})" for (a, g), d in densities.items() if alike([d], corpus)]
    most = max(densities, key=lambda point: densities[point], default=("–", "–"))
    if not found:
        return f"no point has; the densest has {densities.get(most, 0):.2f}, at {most[0]} and {most[1]}"
    return f"these have: {', '.join(found)}"


def best_by_rate(found: Sequence[report.Log], rate: str) -> float | None:
    """The best validation of cross-entropy at a rate, seed 1, once the run is done."""
    log = next((log for log in found if log.run.name == by_rate(rate) and log.done), None)
    return min(event["valid"]["classical"] for event in log.validations) if log else None


# --- Figures ----------------------------------------------------------------------------------------------


def figure_rolls() -> None:
    """What was played and what is generated, by loss and by way."""
    folders = {name: runs.ROOT / "runs" / NAME / name / "last" for name in SHOWN}
    if not all((folder / "model.json").exists() for folder in folders.values()):
        return
    steps = STRETCHES * STRETCH
    maps: dict[str, NDArray[Any]] = {}
    for name, folder in folders.items():
        model, form = network_of(folder)
        maps.setdefault("Mozart, K. 545, last movement", pieces_of(form, "test")[0].rows)
        maps[f"{name}, drawn"] = played(model, None, steps, Sampling(top_p=1.0), 0)
        likelier = played(model, None, steps, Sampling(temperature=0.0), 0)
        maps[f"{name}, by the likelier{'' if likelier.any() else ': silence'}"] = likelier
    panels(maps, FIGURES / "rolls.png", frames=steps)


def figure_curves(found: Sequence[report.Log]) -> None:
    """Validation by epoch, of one run each."""
    shown = ("bce-seed1", "mozart-seed1", "attention", "forced", "probabilities")
    curves(
        {
            log.run.name: [(e["step"] / EPOCH, e["valid"]["classical"]) for e in log.validations]
            for log in found
            if log.run.name in shown
        },
        FIGURES / "validation.png",
        title="Validation, fed with true frames",
        xlabel="epochs",
        ylabel="nats a step",
    )


# --- The page ---------------------------------------------------------------------------------------------


def write_report() -> None:
    """The page, its figures, and what is measured on the weights."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    found = report.logs(NAME, QUEUE)
    measured = report.Measured(FIGURES / "measured.json")
    forms = {
        "corpus": PianoRoll(4, articulated=False),
        "corpus, highest key": PianoRoll(4, articulated=False, voices="highest"),
    }
    corpora = {title: measured.once(title, lambda form=form: about(form)) for title, form in forms.items()}
    figures: Figures = {}
    tokens = measured.on(runs.ROOT / "runs" / NAME / TOKENS / "best", TOKENS, measure_tokens)
    for log in found:
        if log.run.name == TOKENS:
            continue
        figure = measured.on(log.folder / "last", log.run.name, measure)
        if figure:
            figures[log.run.name] = figure
    figure_rolls()
    figure_curves(found)
    corpus = corpora["corpus"]
    report.write_page(
        report.RESULTS / f"{NAME}.md",
        HEAD,
        report.unfinished(found, QUEUE),
        "## What the paper says",
        claims(found, figures, corpus, tokens),
        DENSITY_TEXT,
        table_density(figures, corpora),
        PICTURES_TEXT,
        GRID_TEXT,
        table_constant(corpus["density"]),
        "And the networks, trained:",
        table_grid(figures, "density, drawn", density("drawn")),
        table_grid(figures, "density, likelier", density("likelier")),
        table_grid(figures, "nats, validation", lambda figure: figure["valid nats"]),
        CELLS_TEXT,
        table_cells(figures, corpora),
        TOKENS_TEXT,
        table_tokens(tokens),
        RATES_TEXT,
        table_rates(found, figures),
        CURVES_TEXT,
        "## Costs",
        costs(found),
        CHOICES_TEXT,
    )


HEAD = """
# Results: Deep Musician

F. Gabelberger's experiments, made again with `seq2seq_gru`: a GRU reads 96 sixteenths of a piano roll, and
another writes the 96 that follow. The paper prints no numbers; what it says in words is tested here. This
page is written by

```sh
python benchmarks/deep_musician.py train     # hours: every run of the tables
python benchmarks/deep_musician.py report
```

Data: the 21 movements of Mozart's sonatas in `classical`; 19 are trained on, and K. 311's slow movement, for
validation, and K. 545's last, the test piece, are what is measured on. 30 epochs, of random segments: an
epoch is as many steps as the 19 movements have. The recipes are `recipes/deep-musician/`, the logs
`docs/results/logs/deep-musician/`. Spreads are sample deviations over seeds.
"""
DENSITY_TEXT = f"""
## Density of what is generated

Keys that sound, a step: the paper's density. {PIECES} pieces of {STRETCHES} stretches from the empty input
with the weights of the last update; *drawn*: a key sounds with its probability; *likelier*: where that is
above one half. *Silent*, *chords* (more than one key) and *repeats* are shares of steps. No rule that
composing has besides (no more than a bar of silence, one key at a time in one voice) is at work here. *Its
keys' frequencies*: every key drawn by how often it sounds in the training pieces, and nothing else.
"""
PICTURES_TEXT = """
![a movement of Mozart, and what is generated](deep-musician/rolls.png)

Four stretches of sixteenths from the empty input, and as many of the test piece.
"""
GRID_TEXT = """
## Alpha and gamma

Focal loss weighs a cell that sounds by alpha (1 - p)^gamma and a silent one by (1 - alpha) p^gamma, where p
is the probability that it sounds. The p at which it is lowest is not the true probability: where that is far
from one half, p is pulled towards it. The larger gamma, the more keys sound where they are drawn; the
smaller alpha, the fewer. By the likelier gamma is nothing: p ends above one half where the true chance is
above 1 - alpha.
A network that knows only that 2.5 % of the cells sound would draw, a step:
"""
CELLS_TEXT = """
## Likelihood, accuracy and F1

Nats a step, summed over 88 keys. Accuracy, F1 of sounding cells and F1 weighed by class on the cells of both
held-out pieces, each fed with the true frames before it; *free*: as the paper tests, 96 steps after the true
96, fed with its own frames, by the likelier. *Silence* says that no key ever sounds, *repeat* that each step
is the one before; *keys' frequencies* knows how often each key sounds. Nats after focal loss are those of a p
that is pulled towards one half (see above).
"""
TOKENS_TEXT = """
## Tokens

The same network on tokens, one a sixteenth: what sounds then. Of the best epoch; nats a step over the tokens
that it knows, and how many these are. A token that it does not know it can neither be told nor draw, so these
nats do not stand beside those above.
"""
RATES_TEXT = """
## Learning rate

By cross-entropy, seed 1; validation while training, on 64 random windows of the validation piece, where the
table above has the whole piece with the weights of the last update.
"""
CURVES_TEXT = """
![validation by epoch](deep-musician/validation.png)
"""
CHOICES_TEXT = """
## Where the paper is silent or wrong

- What the decoder is fed of its own: drawn frames; `probabilities` feeds what the sigmoid gives. `forced` is
  fed with the true frames at first and with its own at last. In validation and in the likelihood all are fed
  with the true ones.
- The first stretch of a piece is written from 96 steps of silence, the paper's empty input. So that this is
  learnt, silence stands for what came before in an eighth of the training segments.
- Optimiser, rate, batch, weights to begin with, and epochs are not given: Adam, 0.001, 16, input weights of
  deviation 1, 30.
- The step is a sixteenth: the paper counts 96 steps and does not say of what.
- *Monophonic* is the highest key that sounds in each step. Each key is still drawn by itself, so a network
  of one voice may draw chords; composing lets through no second key.
- *Dynamics* draws a velocity for each key that begins to sound. Velocities are left out of the nats above.
- Of its wishes attention, dynamics and tokens are built (see above); reinforcement learning it declines
  itself.
"""


def main() -> int:
    """Trains, or reports."""
    if sys.argv[1:] == ["train"]:
        runs.work_off(NAME, QUEUE)
        return 0
    if sys.argv[1:] == ["report"]:
        write_report()
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
