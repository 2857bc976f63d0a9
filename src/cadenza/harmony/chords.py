"""Chords as values, and as musicians write them: symbols, Roman numerals, lines of bars."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cadenza.errors import CadenzaError
from cadenza.score import KeySignature

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
