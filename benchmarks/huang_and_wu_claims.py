"""What Huang and Wu say, against the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import report
import texts
from huang_and_wu import (
    BLIND,
    CORPORA,
    FOR_NADE,
    LISTENERS,
    MUSE_ALL,
    MUSIC,
    PUBLISHED,
    THEIRS,
    TIES,
    TITLES,
    TOKENS,
    before_training,
    by_frequency,
    corpus_heard,
    finished,
    key_frequencies,
    weights,
)

HALVED = 0.69
"""Nats less that halve a perplexity."""


@dataclass(frozen=True)
class Claim:
    """What the paper says, whether it is so, and by which figures."""

    said: str
    holds: bool | None
    """None: not known yet, for want of a run."""
    shown: str = ""
    testable: bool = True
    runs: tuple[str, ...] = ()
    """By whose weights or logs it is judged."""

    def known_by(self, ended: set[str]) -> Claim:
        """The same; not known yet where a run has not ended."""
        return self if set(self.runs) <= ended else replace(self, holds=None)

    def __str__(self) -> str:
        words = {True: "confirmed", False: "not confirmed", None: "not known yet"}
        verdict = words[self.holds] if self.testable else "not testable here"
        return f"- *{self.said}*: **{verdict}**. {self.shown}".rstrip()


def claims(
    found: Sequence[report.Log],
    measured: report.Measured,
    corpora: dict[str, dict[str, float]],
    of_frames: dict[str, dict[str, float]],
    embedded: dict[str, dict[str, float]],
) -> str:
    """All of them, in the paper's order; those on runs that have not ended are not known yet."""
    made = [
        *corpus_claims(corpora),
        voices_claim(measured),
        *untrained_claims(measured),
        frequency_claim(measured),
        structure_claim(found, measured, corpora),
        vocabulary_claim(found, measured, corpora),
        *embedding_claims(found, embedded),
        poster_claim(embedded),
        sigmoid_claim(measured, of_frames),
        Claim("The music of the two models is at least comparable to RNN-NADE's", None, testable=False),
        sample_size_claim(),
        preference_claim(),
        nade_claim(of_frames),
        Claim(
            "Training took 4 hours (Bach), 22 (classical), 7 (Muse-All) and 7 on a CPU (Muse-Truncated)",
            None,
            "Other machines, epochs and corpora; minutes of a core and epochs here stand below.",
            testable=False,
        ),
    ]
    ended = {log.run.name for log in found if finished(log)}
    return "\n".join(str(claim.known_by(ended)) for claim in made)


def corpus_claims(corpora: dict[str, dict[str, float]]) -> list[Claim]:
    """What is said of the vocabularies."""
    rare = {title: corpora[title]["rare"] for title in ("Bach, messages", "classical, messages")}
    whole = corpora["MuseData, chords"]["vocabulary"]
    thinned = corpora["MuseData, three keys of more than four"]["vocabulary"]
    return [
        Claim(
            "In both corpora of messages more than two thirds of the tokens occur less than ten times",
            all(share > 2 / 3 for share in rare.values()),
            "; ".join(f"{title}: {share:.1%}" for title, share in rare.items())
            + ". Of four voices on paper, with no performer's timing, fewer messages are rare.",
        ),
        Claim("Muse-All has 39,289 tokens", whole == MUSE_ALL, f"{whole:,}, with no frame truncated."),
        Claim(
            "Muse-Truncated, with three keys at random of more than four, has 21,510 tokens",
            abs(thinned / 21_510 - 1) < 0.01,
            f"{thinned:,}; the draw is random, so within a hundredth counts.",
        ),
    ]


def voices_claim(measured: report.Measured) -> Claim:
    """Whether tracks one after the other hide what sounds together."""
    said = "With tracks one after the other it is hard to learn which of their notes sound together"
    figure = measured.on(weights("bach"), "voices of bach", texts.told_of_voices(TOKENS["bach"]))
    if not figure:
        return Claim(said, None)
    gain = 1 - figure["own"] / figure["another"]
    return Claim(
        said,
        gain < 0.05,
        f"A chorale's bass costs `bach` {figure['own']:.3f} nats a token after the voices above it and "
        f"{figure['another']:.3f} after those of another chorale: {gain:.1%} less, its key included "
        "(confirmed: under 5 %).",
        runs=("bach",),
    )


def untrained_claims(measured: report.Measured) -> list[Claim]:
    """What the baseline of messages lacks."""
    each = {
        name: (
            measured.once(f"untrained {name}", lambda name=name: before_training(name)),
            corpus_heard(name, measured),
        )
        for name in ("bach", "classical")
    }

    def told(key: str) -> str:
        return "; ".join(
            f"{own[key]:.0%} of {n}, its corpus {corpus[key]:.0%}" for n, (own, corpus) in each.items()
        )

    return [
        Claim(
            "The untrained model has no on-off structure",
            all(own["closing"] < corpus["closing"] / 2 for own, corpus in each.values()),
            f"Of its offs, these let go of a key that is down: {told('closing')}{after_training(measured)}.",
        ),
        Claim(
            "which results in many rests",
            all(own["silent"] > corpus["silent"] for own, corpus in each.values()),
            f"Of the time nothing sounds in {told('silent')}: keys that are never let go of sound on. Notes "
            "are few, a quarter "
            + "; ".join(
                f"{own['density']:.2f} of {n}, its corpus {c['density']:.2f}" for n, (own, c) in each.items()
            )
            + ".",
        ),
    ]


def after_training(measured: report.Measured) -> str:
    """The same after training, where there is any."""
    key = "full distribution from empty input by bach"
    after = measured.figures.get(key, {}).get("figure")
    return f"; of bach after training {after['closing']:.0%}" if after else ""


def frequency_claim(measured: report.Measured) -> Claim:
    """What the baseline of chords lacks."""
    random = measured.once("by frequency", lambda: by_frequency("muse-all"))
    corpus = corpus_heard("muse-all", measured)
    return Claim(
        "Chords drawn by frequency are dissonant and have no local structure",
        random["scale"] < corpus["scale"] and random["kept"] < corpus["kept"] / 2,
        f"Of the keys in two neighbours {random['kept']:.0%} are in both, in the corpus "
        f"{corpus['kept']:.0%}; "
        f"{random['scale']:.0%} of the notes lie in the best scale, in the corpus {corpus['scale']:.0%}.",
    )


def gained(measured: report.Measured, corpora: dict[str, dict[str, float]]) -> dict[str, tuple[float, float]]:
    """Nats a token by frequency on the whole validation split, and of the best weights, by run."""
    titles = {text: title for title, (text, *_) in CORPORA.items()}
    found = {run: measured.figures.get(f"tokens of {run}", {}).get("figure") for run in MUSIC}
    return {
        run: (corpora[titles[TOKENS[run]]]["by frequency"], nats)
        for run, nats in found.items()
        if nats is not None
    }


def after_epochs(found: Sequence[report.Log], *names: str) -> str:
    """How long some runs were trained, beside the paper's, in words."""
    of = {log.run.name: len(log.validations) for log in found}
    return ", ".join(
        f"`{name}` after {of.get(name, 0)} epochs (the paper: {THEIRS[name][0]})" for name in names
    )


def structure_claim(
    found: Sequence[report.Log], measured: report.Measured, corpora: dict[str, dict[str, float]]
) -> Claim:
    """Whether anything is learnt beyond frequencies."""
    nats = gained(measured, corpora)
    told = ", ".join(
        f"`{run}` {before - after:.2f} ({1 - after / before:.0%})" for run, (before, after) in nats.items()
    )
    holds = (
        all(before - after > HALVED for before, after in nats.values()) if len(nats) == len(MUSIC) else None
    )
    return Claim(
        "The models learn meaningful musical structure",
        holds,
        f"Fewer nats a token of the whole validation split than by frequency: {told} (confirmed: {HALVED} "
        "or more in all four, half of the perplexity; what is meaningful, likelihood does not tell). "
        f"{after_epochs(found, *MUSIC)}."
        if nats
        else "",
        runs=MUSIC,
    )


def vocabulary_claim(
    found: Sequence[report.Log], measured: report.Measured, corpora: dict[str, dict[str, float]]
) -> Claim:
    """Bach beside classical."""
    said = "The larger vocabulary hinders the classical model beside Bach's"
    nats = gained(measured, corpora)
    if not {"bach", "classical"} <= set(nats):
        return Claim(said, None)
    bach, classical = (1 - after / before for before, after in (nats["bach"], nats["classical"]))
    return Claim(
        said,
        bach > classical,
        f"Of the nats by frequency `bach` does without {bach:.0%}, `classical` without {classical:.0%}. That "
        "is likelihood; which is more pleasing is not testable here. Nor is it the vocabulary alone: it is "
        f"other music, and trained were {after_epochs(found, 'bach', 'classical')}.",
        runs=("bach", "classical"),
    )


def embedding_claims(found: Sequence[report.Log], embedded: dict[str, dict[str, float]]) -> list[Claim]:
    """What the maps are said to show."""
    clusters = "Figure 6: on and off are told apart among medium notes, and not among the rare low and high"
    near = "Figure 6: similar pitches lie close together"
    along = "Figure 6: pitches progress in a line"
    thirds = "Figure 8: low, medium and high notes are told apart cleanly"
    made = [Claim(said, None) for said in (clusters, near, along, thirds)]
    if figure := embedded.get("classical"):
        medium, others = figure["kind, medium"], figure["kind, others"]
        made[0] = Claim(
            clusters,
            medium >= 0.9 and others < medium,
            f"The nearest vector is of the same kind for {medium:.0%} of the medium notes and {others:.0%} "
            "of the others, by chance for half (confirmed: nine tenths, and more than of the others). "
            f"{after_epochs(found, 'classical')}, on a tenth of its tokens.",
            runs=("classical",),
        )
        made[1] = Claim(
            near,
            figure["pitch"] < figure["pitch by chance"] / 2,
            f"To the nearest of its kind it is {figure['pitch']:.1f} semitones on average, by chance "
            f"{figure['pitch by chance']:.1f} (confirmed: less than half).",
            runs=("classical",),
        )
        made[2] = Claim(along, figure["line"] > 0.5, variance(figure), runs=("classical",))
    if figure := embedded.get("muse-all"):
        made[3] = Claim(
            thirds,
            figure["third"] >= 0.9,
            f"Of {figure['third']:.0%} the nearest is as low, medium (C3 to C5) or high, by chance "
            f"{figure['third by chance']:.0%} (confirmed: nine tenths). {variance(figure)} "
            f"{after_epochs(found, 'muse-all')}.",
            runs=("muse-all",),
        )
    cloud = "Figure 6: the rare low and high notes are an indistinct cloud in the center"
    apart = "Figure 8: the lowest and highest pitches are grouped together and slightly apart"
    by_eye = "By eye, of the map above:"
    return [
        made[0],
        Claim(
            cloud,
            False,
            f"{by_eye} many of the lowest are in the middle, the highest all over.",
            runs=("classical",),
        ),
        *made[1:],
        Claim(
            apart,
            True,
            f"{by_eye} 32, 34, 36, 38, 39 lie among 91, 92, 93 and 96 in the middle; 31, 33, 88, 89 do not.",
            runs=("muse-all",),
        ),
    ]


def variance(figure: dict[str, float]) -> str:
    """How far a map is a line of pitches."""
    return f"A straight line of the map holds {figure['line']:.0%} of the variance of pitch."


def poster_claim(embedded: dict[str, dict[str, float]]) -> Claim:
    """Whether the sigmoid model's vectors know of pitch."""
    said = "The poster, by its map: the sigmoid model was not able to learn effectively"
    maps = {run: figure for run, figure in embedded.items() if run not in TOKENS}
    told = "; ".join(
        f"`{run}`: {figure['pitch']:.1f} semitones, by chance {figure['pitch by chance']:.1f}, and "
        f"{figure['line']:.0%} of the variance of pitch along a line"
        for run, figure in maps.items()
    )
    return Claim(
        said,
        all(figure["pitch"] > figure["pitch by chance"] / 2 for figure in maps.values()) if maps else None,
        f"To the nearest key's vector it is {told} (confirmed: no map has keys nearer than half of chance)."
        if maps
        else "",
        runs=tuple(maps),
    )


def sigmoid_claim(measured: report.Measured, of_frames: dict[str, dict[str, float]]) -> Claim:
    """Whether the sigmoid model's likelihood says the same."""
    said = "The same by likelihood, which the poster does not give"
    sets = ("jsb", "nottingham", "musedata")
    shares: dict[str, float] = {}
    for name in sets:
        floor = measured.once(f"keys' frequencies, {name}", lambda name=name: key_frequencies(name))
        sigmoid, nade = (of_frames.get(f"{kind}-{name}") for kind in ("sigmoid", "rnn-nade"))
        if sigmoid and nade:
            shares[name] = (floor - sigmoid["valid"]) / (floor - nade["valid"])
    if not shares:
        return Claim(said, None)
    told = ", ".join(f"{share:.0%} on {TITLES[name]}" for name, share in shares.items())
    return Claim(
        said,
        all(share < 0.5 for share in shares.values()),
        f"Of the way from the keys' frequencies to RNN-NADE it comes {told} (confirmed: under half on all).",
        runs=tuple(f"{kind}-{name}" for name in sets for kind in ("sigmoid", "rnn-nade")),
    )


def sample_size_claim() -> Claim:
    """What the paper's own numbers say."""
    from scipy.stats import binomtest, ttest_ind_from_stats

    def p(one: str, other: str) -> float:
        (a, b), (c, d) = BLIND[one], BLIND[other]
        result: Any = ttest_ind_from_stats(a, b, LISTENERS, c, d, LISTENERS, equal_var=False)
        return float(result.pvalue)

    values = {f"{one} and {other}": p(one, other) for one, other in combinations(BLIND, 2)}
    against = LISTENERS - FOR_NADE - TIES
    sign: Any = binomtest(against, against + FOR_NADE)
    return Claim(
        "26 listeners are too few to tell the samples apart statistically",
        min(values.values()) > 0.05,
        "By the published means and deviations alone (Welch's test): "
        + ", ".join(f"{pair} p = {value:.2g}" for pair, value in values.items())
        + f". And {against} liked another sample better than RNN-NADE's, {FOR_NADE} did not (ties left out): "
        f"p = {sign.pvalue:.2g} by the sign test, if an even coin is what that is held against.",
    )


def preference_claim() -> Claim:
    """Three of 26."""
    return Claim(
        f"Only {FOR_NADE} of {LISTENERS} liked RNN-NADE better, {TIES} as well",
        None,
        "It takes listeners (`cadenza listen`).",
        testable=False,
    )


def nade_claim(of_frames: dict[str, dict[str, float]]) -> Claim:
    """Whether its opponent is as strong as published."""
    said = "RNN-NADE is a robust estimator of distributions: its published likelihoods can be had"
    tested = {n: f["test"] for n in PUBLISHED if (f := of_frames.get(f"rnn-nade-{n}"))}
    told = ", ".join(f"{TITLES[name]} {nats:.2f} ({PUBLISHED[name]:.2f})" for name, nats in tested.items())
    holds = all(nats <= 1.05 * PUBLISHED[name] for name, nats in tested.items())
    told = f"{told} (confirmed: no more than a twentieth above, on all four)." if tested else ""
    return Claim(said, holds, told, runs=tuple(f"rnn-nade-{name}" for name in PUBLISHED))
