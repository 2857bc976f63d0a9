"""Harmony: chords as values and as musicians write them, and chords and keys estimated from notes.

Conventions
- Pitch classes are 0 to 11, C is 0. Enharmonic spellings are one: C♯ and D♭ are both 1.
- Qualities are named after Harte's shorthand ("min7", "hdim7"), chords are written as on lead sheets ("Am7").
- Degrees of a Roman numeral are those of the major scale, or in a minor key of the natural minor scale. There
  the sixth and seventh degrees follow the numeral, as in music21: VI and VII are the natural ones, vi, vio,
  vii and viio the raised ones. A flat before III, VI or VII in minor changes nothing, for they are flat.
- Estimates weigh notes by how long their keys are held; neither the sustain pedal nor drums count.

Sources
- Harte, Sandler, Abdallah and Gómez, "Symbolic representation of musical chords", ISMIR 2005.
- Pardo and Birmingham, "Algorithms for chordal analysis", Computer Music Journal 26(2), 2002: templates.
- Raphael and Stoddard, "Functional harmonic analysis using probabilistic models", Computer Music Journal
  28(3), 2004: notes drawn from the chord, chords smoothed by Viterbi, changes that depend on the metre.
- Krumhansl, "Cognitive Foundations of Musical Pitch", 1990: keys by correlation with profiles.
- Albrecht and Shanahan, "The use of large corpora to train a new type of key-finding algorithm", Music
  Perception 31(1), 2013: the profiles used here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.score import DRUM_CHANNEL, KeySignature, Notes, Score, TimeSignature

# --- Chords -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quality:
    """What stands above a root."""

    suffix: str
    """What is written after the root: "m7b5"."""
    intervals: tuple[int, ...]
    """Semitones above the root, in the order of the stacked chord."""
    spellings: tuple[str, ...] = ()
    """Other suffixes that mean the same, with their words and signs already made one (see `_normal`)."""


NO_QUALITY: Final = "N"
"""The quality of no chord."""

QUALITIES: Final[dict[str, Quality]] = {
    "maj": Quality("", (0, 4, 7), ("maj",)),
    "min": Quality("m", (0, 3, 7)),
    "dim": Quality("dim", (0, 3, 6), ("mb5",)),
    "aug": Quality("aug", (0, 4, 8), ("#5",)),
    "5": Quality("5", (0, 7), ("no3",)),
    "sus2": Quality("sus2", (0, 2, 7)),
    "sus4": Quality("sus4", (0, 5, 7), ("sus",)),
    "maj6": Quality("6", (0, 4, 7, 9), ("maj6", "add6")),
    "min6": Quality("m6", (0, 3, 7, 9), ("madd6",)),
    "7": Quality("7", (0, 4, 7, 10), ("dom7",)),
    "maj7": Quality("maj7", (0, 4, 7, 11), ("7maj",)),
    "min7": Quality("m7", (0, 3, 7, 10)),
    "minmaj7": Quality("mmaj7", (0, 3, 7, 11)),
    "hdim7": Quality("m7b5", (0, 3, 6, 10), ("hdim", "hdim7")),
    "dim7": Quality("dim7", (0, 3, 6, 9)),
    "7sus4": Quality("7sus4", (0, 5, 7, 10), ("7sus", "sus7", "sus4b7")),
    "aug7": Quality("7#5", (0, 4, 8, 10), ("aug7", "7aug")),
    "maj7#5": Quality("maj7#5", (0, 4, 8, 11), ("augmaj7",)),
    "7b5": Quality("7b5", (0, 4, 6, 10)),
    "7b9": Quality("7b9", (0, 4, 7, 10, 1)),
    "7#9": Quality("7#9", (0, 4, 7, 10, 3)),
    "7alt": Quality("7alt", (0, 4, 8, 10, 3), ("alt", "7#5#9", "aug7#9")),
    "add9": Quality("add9", (0, 4, 7, 2), ("add2", "2", "majadd9")),
    "minadd9": Quality("madd9", (0, 3, 7, 2), ("madd2",)),
    "maj6(9)": Quality("69", (0, 4, 7, 9, 2), ("6add9", "maj69")),
    "min6(9)": Quality("m69", (0, 3, 7, 9, 2), ("m6add9",)),
    "9": Quality("9", (0, 4, 7, 10, 2)),
    "maj9": Quality("maj9", (0, 4, 7, 11, 2)),
    "min9": Quality("m9", (0, 3, 7, 10, 2)),
    "9sus4": Quality("9sus4", (0, 5, 7, 10, 2), ("9sus", "11")),
    "maj7#11": Quality("maj7#11", (0, 4, 7, 11, 6)),
    "min11": Quality("m11", (0, 3, 7, 10, 2, 5)),
    "13": Quality("13", (0, 4, 7, 10, 2, 9)),
}
"""Every quality by name. An eleventh chord has no third, as it is played: its third would clash."""

_SUFFIXES: Final = {s: name for name, q in QUALITIES.items() for s in (q.suffix, *q.spellings)}

_SHARP_NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLAT_NAMES: Final = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_USUAL_NAMES: Final = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord: root, quality and the bass where that is not the root. `NO_CHORD` is silence, or no harmony.

    Raises ValueError for pitch classes outside 0-11, unknown qualities, and a quality or bass without a root.
    """

    root: int | None
    """Pitch class, or None for no chord."""
    quality: str = "maj"
    """A name in `QUALITIES`; "N" for no chord."""
    bass: int | None = None
    """Pitch class of the lowest note, or None where that is the root. Need not belong to the chord."""

    def __post_init__(self) -> None:
        classes = [c for c in (self.root, self.bass) if c is not None]
        if not all(0 <= c < 12 for c in classes):
            raise ValueError(f"no pitch classes, 0 to 11: {classes}")
        if self.root is None and (self.quality != NO_QUALITY or self.bass is not None):
            raise ValueError("a quality or a bass needs a root")
        if self.root is not None and self.quality not in QUALITIES:
            raise ValueError(f"no quality {self.quality!r}: there are {', '.join(QUALITIES)}")
        if self.bass == self.root:
            object.__setattr__(self, "bass", None)

    @property
    def lowest(self) -> int | None:
        """Pitch class of the lowest note: the bass, else the root; None for no chord."""
        return self.root if self.bass is None else self.bass

    @property
    def pitch_classes(self) -> frozenset[int]:
        """All pitch classes, the bass among them; none for no chord."""
        if self.root is None:
            return frozenset()
        above = QUALITIES[self.quality].intervals
        return frozenset([*((self.root + step) % 12 for step in above), self.root, self.lowest or 0])

    def transposed(self, semitones: int) -> Chord:
        """The chord moved."""
        if self.root is None:
            return self
        bass = None if self.bass is None else (self.bass + semitones) % 12
        return Chord((self.root + semitones) % 12, self.quality, bass)


NO_CHORD: Final = Chord(None, NO_QUALITY)
"""Written "N.C."."""


def chord_name(chord: Chord, key: KeySignature | None = None) -> str:
    """A chord as on a lead sheet, "Bbmaj7/D", which `parse_chord` reads back; "N.C." for no chord.

    Spelled with the sharps or flats of a key; without one, by the commoner name of each root.
    """
    if chord.root is None:
        return "N.C."
    names = _USUAL_NAMES if key is None or not key.sharps else _FLAT_NAMES if key.sharps < 0 else _SHARP_NAMES
    bass = "" if chord.bass is None else f"/{names[chord.bass]}"
    return names[chord.root] + QUALITIES[chord.quality].suffix + bass


# --- Reading chord symbols ----------------------------------------------------------------------------------

_LETTERS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SYMBOL: Final = re.compile(r"([A-G])([#b]{0,2})(.*?)(?:/([A-G])([#b]{0,2}))?")
_NO_CHORD: Final = re.compile(r"n\.?c\.?|N", re.IGNORECASE)
_ROMAN_START: Final = re.compile(r"[#b♯♭]*[IViv]")

_SIGNS: Final = str.maketrans(
    {
        "♯": "#",
        "♭": "b",
        "\N{MINUS SIGN}": "-",
        "\N{DEGREE SIGN}": "o",
        "\N{MASCULINE ORDINAL INDICATOR}": "o",
        "ø": "hdim",
        "Ø": "hdim",
        "\N{WHITE UP-POINTING TRIANGLE}": "Δ",
        "\N{INCREMENT}": "Δ",
    }
)
_WORDS: Final = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"[\s(),:]", ""),
        (r"(?<=6)/(?=9)|(?<=m)/(?=[Mm]aj|M)", ""),
        (r"Δ7?(?!\d)", "maj7"),
        (r"Δ", "maj"),
        (r"(?i:half-?dim(?:inished)?)", "hdim"),
        (r"(?i:diminished)", "dim"),
        (r"(?i:augmented)", "aug"),
        (r"(?i:minor|min)|[Mm]i", "m"),
        (r"(?i:major|maj|ma(?!d))|M", "maj"),
        (r"^-", "m"),
        (r"-(?=\d)", "b"),
        (r"^\+(?=7?$|maj|7#)|\+$", "aug"),
        (r"\+(?=\d)", "#"),
        (r"^o(?=\d*$)", "dim"),
    )
)
"""Many spellings made one, in this order: Δ is maj7, -7 is m7, 7-9 is 7b9, +7 is aug7, o7 is dim7."""

_FOREIGN_NAMES: Final = {
    name: letter
    for language in (
        "cis C#, des Db, dis D#, es Eb, fis F#, ges Gb, gis G#, as Ab, ais A#",
        "do C, re D, mi E, fa F, sol G, la A, si B",
    )
    for name, letter in map(str.split, language.split(","))
}
"""German names and those of solfège."""


def parse_chord(text: str) -> Chord:
    """The chord of a lead-sheet symbol: "Am", "F♯m7b5", "Bbmaj7/D", "CΔ7", "C-7", "Eø", "Bo7", "N.C.".

    Raises CadenzaError, with a guess at the mistake, for anything else. Roman numerals: see `parse_roman`.
    """
    return _chord_of(text, None, "")


def _chord_of(text: str, key: KeySignature | None, where: str) -> Chord:
    """A symbol, or a numeral where there is a key. Raises CadenzaError; `where` is " in bar 3", or empty."""
    roman = key is not None and _ROMAN_START.match(text.strip()) is not None
    chord = _numeral(text, key) if roman and key else _symbol(text)
    if chord is None:
        raise CadenzaError(f"no chord {text!r}{where}: {_roman_hint(text) if roman else _symbol_hint(text)}")
    return chord


def _symbol(text: str) -> Chord | None:
    """The chord of a lead-sheet symbol, or None."""
    plain = text.strip().translate(_SIGNS)
    if _NO_CHORD.fullmatch(plain):
        return NO_CHORD
    match = _SYMBOL.fullmatch(plain)
    quality = match and _SUFFIXES.get(_normal(match[3]))
    if not match or not quality:
        return None
    bass = _pitch_class(match[4], match[5]) if match[4] else None
    return Chord(_pitch_class(match[1], match[2]), quality, bass)


def _normal(suffix: str) -> str:
    """A suffix in the spelling of `QUALITIES`."""
    for pattern, word in _WORDS:
        suffix = pattern.sub(word, suffix)
    return suffix


def _pitch_class(letter: str, accidentals: str) -> int:
    return (_LETTERS[letter] + accidentals.count("#") - accidentals.count("b")) % 12


def _symbol_hint(text: str) -> str:
    """What may have been meant by a symbol that cannot be read."""
    plain = text.strip()
    if not plain:
        return "say for example Am, F or G7"
    if _ROMAN_START.match(plain):
        return "Roman numerals need a key, for example 'C major'"
    if plain[0] in "Hh" and _symbol("B" + plain[1:]):
        return f"H is German for B: did you mean {'B' + plain[1:]!r}?"
    guess = _guess(plain)
    if guess:
        return f"did you mean {guess!r}?"
    if re.fullmatch(r"[A-G][#b♯♭]?-?\d+", plain):
        return f"a chord has no octave: did you mean {plain.rstrip('-0123456789')!r}?"
    head, slash, bass = plain.rpartition("/")
    if slash and _symbol(head):
        return f"after the slash comes the bass note, for example C or F#, not {bass!r}"
    if plain[0] not in _LETTERS:
        return "a chord begins with its root, A to G"
    return "after the root comes for example m, 7, maj7, m7, dim, sus4, 6 or add9"


def _guess(plain: str) -> str | None:
    """A symbol that can be read and looks like one that cannot."""
    names = [name for name in _FOREIGN_NAMES if plain.lower().startswith(name)]
    guesses = [
        plain[0].upper() + plain[1:],
        plain[0].upper() + plain[1:].lower(),
        *(_FOREIGN_NAMES[name] + plain[len(name) :] for name in names),
    ]
    return next((guess for guess in guesses if _symbol(guess)), None)


# --- Roman numerals -----------------------------------------------------------------------------------------

_DEGREES: Final = {"I": 0, "II": 1, "III": 2, "IV": 3, "V": 4, "VI": 5, "VII": 6}
_MAJOR_SCALE: Final = (0, 2, 4, 5, 7, 9, 11)
_MINOR_SCALE: Final = (0, 2, 3, 5, 7, 8, 10)
_NUMERALS: Final = "VII|VI|IV|V|III|II|I"
_ROMAN: Final = re.compile(
    rf"([#b]*)({_NUMERALS}|{_NUMERALS.lower()})([^/]*?)(?:/([#b]*)({_NUMERALS}|{_NUMERALS.lower()}))?"
)
_FIGURES: Final = {"6": ("", 1), "64": ("", 2), "65": ("7", 1), "43": ("7", 2), "42": ("7", 3)}
"""Figured bass: the seventh that it implies, and which note of the chord is in the bass."""
_KEY: Final = re.compile(r"\s*([A-Ga-g])([#♯b♭]?)\s*(major|maj|minor|min|m|)\s*")


def parse_roman(text: str, key: KeySignature | str) -> Chord:
    """The chord of a Roman numeral in a key: "I", "vi", "V7", "bVII", "viio7", "IVmaj7", "V/V", "V65".

    An upper-case numeral is read as a major chord with what follows it, so that I7 and IV7 are dominant
    sevenths, as on lead sheets; a lower-case one as a minor chord. After the slash stands the degree that is
    the tonic for a while. Figures are those of figured bass: I6 has its third in the bass; a sixth chord is
    Iadd6. The key is a signature, or text as for `parse_tonality`. Raises CadenzaError for anything else.
    """
    tonality = parse_tonality(key) if isinstance(key, str) else key
    chord = _numeral(text, tonality)
    if chord is None:
        raise CadenzaError(f"no Roman numeral {text!r}: {_roman_hint(text)}")
    return chord


def find_tonality(text: str) -> KeySignature | None:
    """The same where a text names a major or minor key, None where it names another scale."""
    return parse_tonality(text) if _KEY.fullmatch(text) else None


def parse_tonality(text: str) -> KeySignature:
    """The signature, at tick 0, of a major or minor key: "C minor", "F#", "Bbm". Raises CadenzaError."""
    match = _KEY.fullmatch(text)
    if not match:
        raise CadenzaError(f"no major or minor key {text!r}: say for example 'C minor' or 'F# major'")
    letter, accidental, mode = match.groups()
    minor = mode in ("m", "min", "minor")
    sign = {"#": 1, "♯": 1, "": 0}.get(accidental, -1)
    sharps = "FCGDAEB".index(letter.upper()) - 1 + 7 * sign - 3 * minor
    if sharps > 7:
        sharps -= 12
    if sharps < -7:
        sharps += 12
    return KeySignature(0, sharps, minor)


def _numeral(text: str, key: KeySignature) -> Chord | None:
    """The chord of a Roman numeral, or None."""
    plain = re.sub(r"(?<=\d)/(?=\d)", "", text.strip().translate(_SIGNS))
    match = _ROMAN.fullmatch(plain)
    read = match and _quality_of(_normal(match[3]), match[2].islower())
    if not match or not read:
        return None
    tonic, minor = key.tonic, key.minor
    if match[5]:
        tonic, minor = _degree(match[4], match[5], tonic, minor), match[5].islower()
    quality, inversion = read
    intervals = QUALITIES[quality].intervals
    if inversion >= len(intervals):
        return None
    root = _degree(match[1], match[2], tonic, minor)
    return Chord(root, quality, (root + intervals[inversion]) % 12)


def _quality_of(suffix: str, lower: bool) -> tuple[str, int] | None:
    """The quality that follows a numeral, and which of its notes is in the bass."""
    figured = re.fullmatch(r"(hdim|dim|aug|)(64|65|43|42|6)", suffix)
    inversion = 0
    if figured:
        seventh, inversion = _FIGURES[figured[2]]
        suffix = figured[1] + seventh
    is_minor = suffix.startswith(("dim", "hdim")) or (suffix.startswith("m") and not suffix.startswith("maj"))
    quality = _SUFFIXES.get(f"m{suffix}" if lower and not is_minor else suffix)
    return (quality, inversion) if quality else None


def _degree(accidentals: str, numeral: str, tonic: int, minor: bool) -> int:
    """Pitch class of a degree of a key."""
    degree = _DEGREES[numeral.upper()]
    shift = accidentals.count("#") - accidentals.count("b")
    if shift < 0 or not minor:
        return (tonic + _MAJOR_SCALE[degree] + shift) % 12
    if degree in (5, 6) and numeral.islower() and not shift:
        shift = 1
    return (tonic + _MINOR_SCALE[degree] + shift) % 12


def _roman_hint(text: str) -> str:
    """What may have been meant by a numeral that cannot be read."""
    plain = text.strip()
    if "/" in plain and not _ROMAN_START.match(plain.rpartition("/")[2]):
        return "after the slash comes a degree, as in V/V; an inversion is written V6 or V65"
    if re.match(r"[#b♯♭]*[IViv]+", plain) and plain.upper() != plain and plain.lower() != plain:
        letters = re.match(r"[#b♯♭]*([IViv]+)", plain)
        if letters and letters[1].upper() != letters[1] and letters[1].lower() != letters[1]:
            return f"write {letters[1].upper()} for major or {letters[1].lower()} for minor"
    return "say for example I, vi, V7, bVII, ii7, viio7 or V/V"


# --- Lines of bars ------------------------------------------------------------------------------------------


def parse_chords(text: str, key: KeySignature | str | None = None) -> tuple[tuple[Chord, ...], ...]:
    """The chords of each bar of a line as musicians write it: "| Am | F . C G7 | % | N.C. |".

    Bars are divided by | or by the end of a line; where there is neither, every chord is a bar. Chords in a
    bar share it evenly. "." or "/" repeats the chord before, "%" as a whole bar the bar before. Chords are
    symbols as for `parse_chord` or, where a key is given, Roman numerals as for `parse_roman`; both may be
    mixed. Raises CadenzaError that says which chord of which bar cannot be read.
    """
    tonality = parse_tonality(key) if isinstance(key, str) else key
    bars: list[tuple[Chord, ...]] = []
    for number, words in enumerate(_bars(text), 1):
        if words == ["%"]:
            if not bars:
                raise CadenzaError("'%' in bar 1 repeats the bar before, but there is none")
            bars.append(bars[-1])
            continue
        before = bars[-1][-1] if bars else None
        bars.append(tuple(_chords_of_bar(words, tonality, number, before)))
    return tuple(bars)


def _chords_of_bar(
    words: list[str], key: KeySignature | None, number: int, before: Chord | None
) -> Iterator[Chord]:
    """The chords of one bar, the first of which may repeat the one before the bar."""
    for word in words:
        if word == "%":
            raise CadenzaError(f"'%' in bar {number} stands beside a chord: write . to repeat a chord")
        if word not in (".", "/"):
            before = _chord_of(word, key, f" in bar {number}")
        if before is None:
            raise CadenzaError(f"{word!r} in bar {number} repeats the chord before, but there is none")
        yield before


def _bars(text: str) -> list[list[str]]:
    """The words of each bar. Raises CadenzaError for none, for an empty bar, and for repeat signs."""
    if "|:" in text or ":|" in text:
        raise CadenzaError("repeat signs, |: and :|, are not read: write the bars out")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Numerals are often joined: I-V-vi-IV.
    words = [[_spaced(bar).split() for bar in re.split(r"\|+", re.sub(r"^\|+|\|+$", "", x))] for x in lines]
    bars = [bar for line in words for bar in line]
    if not any(bars):
        raise CadenzaError(f"no chord in {text!r}: say for example '| Am | F | C G | G7 |'")
    if len(bars) == 1 and "|" not in text:
        return [[word] for word in bars[0]]
    if [] in bars:
        number = bars.index([]) + 1
        raise CadenzaError(f"bar {number} is empty: write % to repeat the bar before, or N.C. for no chord")
    return bars


def _spaced(bar: str) -> str:
    """A bar with spaces for what else may stand between chords: commas, dashes, hyphens between numerals."""
    return re.sub(r"[,;–\N{EM DASH}]|(?<!\S)-(?!\S)|(?<=[IViv7])-(?=[#b♯♭]?[IViv])", " ", bar)


# --- Time ---------------------------------------------------------------------------------------------------

Unit = Literal["beat", "half bar", "bar"]
"""How long a stretch is that has one chord. A bar of an odd number of beats has no halves."""


def _beats(score: Score, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ticks of the beats before `end` and of the line after them; each beat's place in its bar; beats a bar.

    The beats of 6/8, 9/8 and 12/8 are dotted. A bar that is cut short has fewer beats, the last perhaps cut.
    """
    lines = score.bar_lines(end)
    by_tick = {0: TimeSignature(0, 4, 4)}
    by_tick |= {s.tick: s for s in sorted(score.time_signatures, key=lambda s: s.tick)}
    changes = sorted(by_tick)
    at = np.searchsorted(changes, lines[:-1], side="right") - 1
    lengths = np.array([_beat_ticks(score, by_tick[tick]) for tick in changes])[at]
    counts = -(-np.diff(lines) // lengths)
    bars = np.repeat(np.arange(len(counts)), counts)
    places = np.arange(len(bars)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.append(lines[bars] + places * lengths[bars], lines[-1:]), places, counts[bars]


def _beat_ticks(score: Score, metre: TimeSignature) -> int:
    dotted = metre.denominator >= 8 and metre.numerator > 3 and metre.numerator % 3 == 0
    return max(1, score.bar_ticks(metre) * (3 if dotted else 1) // metre.numerator)


def _overlaps(
    notes: Notes, edges: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Each pair of a note and a stretch between two edges in which it sounds, and which share of it.

    A note of no length sounds for a tick.
    """
    starts = notes["start"].astype(np.float64)
    ends = np.maximum(notes["end"], notes["start"] + 1).astype(np.float64)
    first = np.searchsorted(edges, starts, side="right") - 1
    counts = np.minimum(np.searchsorted(edges, ends), len(edges) - 1) - first
    note = np.repeat(np.arange(len(notes)), counts)
    stretch = np.arange(len(note)) - np.repeat(np.cumsum(counts) - counts, counts) + first[note]
    sounding = np.minimum(ends[note], edges[stretch + 1]) - np.maximum(starts[note], edges[stretch])
    return note, stretch, sounding / np.diff(edges)[stretch]


def _weights(notes: Notes, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each pitch class sounds in each stretch, 1 for a note that fills it: (stretches, 12)."""
    note, stretch, share = _overlaps(notes, edges)
    rows = len(edges) - 1
    pitches = notes["pitch"][note]
    return np.bincount(stretch * 12 + pitches % 12, share, rows * 12).astype(np.float64).reshape(rows, 12)


def best_path(scores: NDArray[np.float64], change: NDArray[np.float64]) -> NDArray[np.int64]:
    """The best path through (stretch, state) scores, where `change[t]` is the price of another state at t."""
    best: NDArray[np.float64] = scores[0]
    itself = np.arange(len(best), dtype=np.int16)
    came_from = np.empty(scores.shape, np.int16)
    for t in range(1, len(scores)):
        other = int(best.argmax())
        moved = best[other] - change[t]
        stays = best >= moved
        came_from[t] = np.where(stays, itself, other)
        best = np.where(stays, best, moved) + scores[t]
    path = np.empty(len(scores), np.int64)
    path[-1] = best.argmax()
    for t in range(len(scores) - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path


# --- Estimating chords --------------------------------------------------------------------------------------

ESTIMATED: Final = (
    *("maj", "min", "dim", "aug", "sus2", "sus4"),
    *("7", "maj7", "min7", "hdim7", "dim7", "7sus4"),
)
"""The qualities that are told apart in notes."""

_SLOTS: Final = 4
"""The lowest note is looked for in each quarter of a beat,"""
_HELD: Final = 0.5
"""of which it must fill so much: else a note let go late would be the bass of the next chord."""

# Found on every tenth song of POP909 by going through one figure after the other.
_STRANGE: Final = 0.09
"""Weight of a pitch class outside of the chord, against 1 of those inside,"""
_SEVENTH: Final = 0.6
"""and of the seventh."""
_BASS: Final = {"root": 1.0, "fifth": 0.2, "inside": 0.15, "outside": 0.08}
"""Weights of the lowest note."""
_NOTES_COUNT: Final = 1.5
"""Weight of the notes against that of the bass."""
_PRIOR: Final = {"maj": 0.0, "min": -0.4, "N": -0.1}
_RARE: Final = -1.5
"""Prior log weights a beat; rare are the others."""
_SILENT: Final = 0.1
"""A beat in which notes sound for less than this share of it speaks for no chord,"""
_SILENCE: Final = 2.0
"""by so much."""
_CHANGE: Final = {"bar": 1.5, "half bar": 2.5, "beat": 4.0}
"""Price of a new chord at a bar line, in the middle of a bar and elsewhere; in nats, as all scores here."""


def estimate_chords(score: Score, unit: Unit = "beat") -> tuple[NDArray[np.int64], tuple[Chord, ...]]:
    """The chord of every beat, half bar or bar, from the first bar line to the end of the last note.

    Returns the tick at which each stretch begins and its chord, as many as there are stretches; none where
    there is no note. Notes are taken as drawn from the chord's pitch classes, the lowest ones mostly from its
    root; Viterbi finds the chords that are likeliest together, where a change is likelier at a bar line than
    in the middle of a bar, and least likely elsewhere. Qualities are those of `ESTIMATED`; a bass that is
    not the root is named where it is a chord tone and the lowest for most of the time of its chord in a bar.

    Works on any metrical score; bar lines that do not fit the music make it worse. Raises CadenzaError for
    more bars than any music has, ValueError for another unit.
    """
    if unit not in get_args(Unit):
        raise ValueError(f"no unit {unit!r}: there are {', '.join(get_args(Unit))}")
    notes = score.pitched_notes
    if not len(notes):
        return np.zeros(0, np.int64), ()
    ticks, places, counts = _beats(score, int(np.maximum(notes["end"], notes["start"] + 1).max()))
    firsts = _firsts(places, counts, unit)
    weights, basses = (np.add.reduceat(beats, firsts) for beats in _evidence(notes, ticks))
    spans = np.diff(np.append(firsts, len(places)))
    templates, bass_templates, priors = _templates()
    scores = _NOTES_COUNT * weights @ templates.T + basses @ bass_templates.T + np.outer(spans, priors)
    scores[:, -1] += _SILENCE * spans * (weights.sum(1) < _SILENT * spans)
    path = best_path(scores, _change_prices(places[firsts], counts[firsts]))
    # Within a bar a chord has one bass, however the lowest voice moves.
    begins = np.flatnonzero((np.diff(path, prepend=-1) != 0) | (places[firsts] == 0))
    lowest = np.add.reduceat(basses, begins)
    chords = [_chord_at(int(state), bass) for state, bass in zip(path[begins], lowest, strict=True)]
    lasting = np.diff(np.append(begins, len(path)))
    return ticks[firsts], tuple(chords[i] for i in np.repeat(np.arange(len(chords)), lasting))


def _firsts(places: NDArray[np.int64], counts: NDArray[np.int64], unit: Unit) -> NDArray[np.int64]:
    """Which beats begin a stretch."""
    begins = places == 0
    if unit == "half bar":
        begins |= places * 2 == counts
    return np.flatnonzero(begins) if unit != "beat" else np.arange(len(places))


def _evidence(notes: Notes, ticks: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much each pitch class sounds in each beat, and for which share of it each is the lowest."""
    beats = len(ticks) - 1
    steps = np.arange(_SLOTS) / _SLOTS
    edges = np.append((ticks[:-1, None] + np.diff(ticks)[:, None] * steps).ravel(), ticks[-1])
    note, slot, share = _overlaps(notes, edges)
    pitches = notes["pitch"][note].astype(np.int64)
    weights = np.bincount(slot * 12 + pitches % 12, share, beats * _SLOTS * 12).reshape(beats, _SLOTS, 12)
    silent = 128
    lowest = np.full(beats * _SLOTS, silent)
    held = share >= _HELD
    np.minimum.at(lowest, slot[held], pitches[held])
    basses = np.zeros((beats * _SLOTS, 12))
    (sounding,) = np.nonzero(lowest < silent)
    basses[sounding, lowest[sounding] % 12] = 1
    return weights.mean(1), basses.reshape(beats, _SLOTS, 12).mean(1)


def _templates() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Log probabilities of pitch classes and of basses given each state, and the states' priors.

    States are the qualities of `ESTIMATED` on twelve roots each, then no chord, under which all are alike.
    """
    notes: list[NDArray[np.float64]] = []
    basses: list[NDArray[np.float64]] = []
    for name in ESTIMATED:
        inside = list(QUALITIES[name].intervals)
        weights, bass = np.full(12, _STRANGE), np.full(12, _BASS["outside"])
        weights[inside], bass[inside] = 1, _BASS["inside"]
        weights[inside[3:]] = _SEVENTH
        bass[0] = _BASS["root"]
        bass[7] = _BASS["fifth" if 7 in inside else "outside"]
        notes += [np.roll(weights, root) / weights.sum() for root in range(12)]
        basses += [np.roll(bass, root) / bass.sum() for root in range(12)]
    alike = np.full(12, 1 / 12)
    priors = [*np.repeat([_PRIOR.get(name, _RARE) for name in ESTIMATED], 12), _PRIOR["N"]]
    return np.log([*notes, alike]), np.log([*basses, alike]), np.array(priors)


def _change_prices(places: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """What a new chord costs at each stretch. Bars of one beat tell nothing about where chords change."""
    prices = np.where(places * 2 == counts, _CHANGE["half bar"], _CHANGE["beat"])
    prices[places == 0] = _CHANGE["bar"]
    prices[counts == 1] = _CHANGE["half bar"]
    return prices


def _chord_at(state: int, basses: NDArray[np.float64]) -> Chord:
    """The chord of a state, over the bass that is the lowest for most of the time if that is a chord tone."""
    if state == 12 * len(ESTIMATED):
        return NO_CHORD
    quality, root = ESTIMATED[state // 12], state % 12
    bass = int(basses.argmax())
    inside = (bass - root) % 12 in QUALITIES[quality].intervals
    return Chord(root, quality, bass if inside and basses[bass] * 2 > basses.sum() else None)


# --- Estimating keys ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyProfiles:
    """How much each pitch class, from the tonic up, is heard in a major and in a minor key."""

    major: tuple[float, ...]
    minor: tuple[float, ...]


ALBRECHT_SHANAHAN: Final = KeyProfiles(
    (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
    (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
)
"""From the first and last bars of 490 pieces of the common practice (Albrecht and Shanahan, 2013).

`benchmarks/harmony.py` compares them with others: they tell a key from its relative one best."""

FEWEST_NOTES_FOR_A_KEY: Final = 6
FEWEST_CLASSES_FOR_A_KEY: Final = 3
FLATTEST: Final = 0.1
"""Standard deviation of the twelve pitch-class weights over their mean below which no key stands out."""

# These three were chosen on every fifth song of POP909.
_TEMPERATURE: Final = 0.05
"""Of the softmax over correlations: with it the mean confidence is about the share of the keys found."""

_KEY_WINDOW: Final = 4
"""Bars whose notes speak for the key of one of them: two before it, itself and one after."""
_KEY_CHANGE: Final = 5.0
"""Price of a new key, in correlations summed over bars."""


@dataclass(frozen=True)
class KeyEstimate:
    """The key that the notes suggest most strongly."""

    tonic: int
    """Pitch class."""
    minor: bool
    confidence: float
    """How likely the key is to be right among the 24: 0 to 1."""
    correlation: float
    """Pearson's, of the pitch classes' weights with the key's profile: -1 to 1."""
    second: tuple[int, bool]
    """Tonic and mode of the next best key."""

    @property
    def signature(self) -> KeySignature:
        """The key as a signature of at most six sharps or five flats, at tick 0."""
        return _signature(self.tonic, self.minor)

    @property
    def second_signature(self) -> KeySignature:
        """The next best key likewise."""
        return _signature(*self.second)


def estimate_key(music: Score | Notes, profiles: KeyProfiles = ALBRECHT_SHANAHAN) -> KeyEstimate | None:
    """The key of a score or of notes; None for too few notes, or where no pitch class stands out.

    Pitch classes weighted by the lengths of their notes are correlated with the profile of each of the 24
    keys (Krumhansl and Schmuckler).
    """
    notes = music.pitched_notes if isinstance(music, Score) else music[music["channel"] != DRUM_CHANNEL]
    lengths = (notes["end"] - notes["start"]).astype(np.float64)
    weights = np.bincount(notes["pitch"] % 12, lengths, 12).astype(np.float64)
    if len(notes) < FEWEST_NOTES_FOR_A_KEY or np.count_nonzero(weights) < FEWEST_CLASSES_FOR_A_KEY:
        return None
    if weights.std() < FLATTEST * weights.mean():
        return None
    correlations = _correlations(weights, profiles)
    second, best = np.argsort(correlations)[-2:].tolist()
    confidence = 1 / np.exp((correlations - correlations[best]) / _TEMPERATURE).sum()
    correlation, other = float(correlations[best]), (second % 12, second >= 12)
    return KeyEstimate(best % 12, best >= 12, float(confidence), correlation, other)


def estimate_keys(score: Score, profiles: KeyProfiles = ALBRECHT_SHANAHAN) -> tuple[KeySignature, ...]:
    """The keys of a piece that modulates: a signature at each bar line where one begins, the first at tick 0.

    Each bar is judged by the four bars around it, as in `estimate_key`; Viterbi finds the keys that fit best
    together, where a change has its price. Empty where there is no note. Raises CadenzaError for more bars
    than any music has.
    """
    notes = score.pitched_notes
    if not len(notes):
        return ()
    lines = score.bar_lines(int(np.maximum(notes["end"], notes["start"] + 1).max()))
    weights = _weights(notes, lines.astype(np.float64))
    total = np.concatenate([np.zeros((1, 12)), np.cumsum(weights, axis=0)])
    bars = np.arange(len(weights))
    half = _KEY_WINDOW // 2
    around = total[np.minimum(bars + half, len(bars))] - total[np.maximum(bars - half, 0)]
    path = best_path(_correlations(around, profiles), np.full(len(bars), _KEY_CHANGE))
    begins = np.flatnonzero(np.diff(path, prepend=-1))
    return tuple(_signature(int(path[b]) % 12, path[b] >= 12, int(lines[b])) for b in begins)


def _correlations(weights: NDArray[np.float64], profiles: KeyProfiles) -> NDArray[np.float64]:
    """Pearson's with the 12 major, then the 12 minor keys: (..., 12) to (..., 24); 0 for flat weights."""
    table = np.array([np.roll(p, tonic) for p in (profiles.major, profiles.minor) for tonic in range(12)])
    return _standard(weights) @ _standard(table).T


def _standard(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of mean 0 and length 1; flat ones are 0."""
    rows = rows - rows.mean(-1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(lengths > 1e-9, lengths, np.inf)


def _signature(tonic: int, minor: bool, tick: int = 0) -> KeySignature:
    major = tonic + 3 if minor else tonic
    return KeySignature(tick, (major * 7 + 5) % 12 - 5, bool(minor))
