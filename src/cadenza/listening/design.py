"""What a listening test asks, of which clips, and which answers will count.

A test is a folder: `test.toml` says what is asked, `clips/SYSTEM/NAME.mid` (or sound) is what is heard.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from math import inf
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Strict, TypeAdapter, ValidationError, with_config

from cadenza.errors import CadenzaError, there_are

Kind = Literal["rating", "yes_no", "preference"]
"""A whole number on a scale; yes or no; which of two clips."""

FILE: Final = "test.toml"
"""What is asked, within a test's folder."""
CLIPS: Final = "clips"
"""A folder for each system, within a test's folder."""
MIDI_SUFFIXES: Final = (".mid", ".midi")
SOUND_SUFFIXES: Final = (".wav", ".flac", ".mp3", ".ogg")
MOST_ON_SCALE: Final = 101
"""Steps of a scale, 0 to 100."""

LONGEST_CHOICE: Final = 200
"""Letters of an answer to choose from."""

# As TOML writes them: without this, "4" and true would be taken for numbers, and 1 for true.
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]

_KEY: Final = re.compile(r"[A-Za-z]\w{0,39}", re.ASCII)
_STRICT: Final = ConfigDict(extra="forbid")


@with_config(_STRICT)
@dataclass(frozen=True)
class Question:
    """One question of every trial."""

    key: str
    """What it is called in the answers: letters, digits and underscores."""
    text: str
    """As the listener reads it."""
    kind: Kind
    lowest: Whole = 1
    """Ends of the scale of a rating, both included."""
    highest: Whole = 5
    anchors: dict[int, str] = field(default_factory=dict[int, str])
    """What some ratings mean, in words."""

    def __post_init__(self) -> None:
        where = f"the question {self.key!r}"
        if not _KEY.fullmatch(self.key):
            raise CadenzaError(
                f"{where}: a key has letters, digits and underscores, and begins with a letter"
            )
        if not (0 < self.highest - self.lowest < MOST_ON_SCALE and abs(self.lowest) < 10 * MOST_ON_SCALE):
            raise CadenzaError(f"{where}: a scale from {self.lowest} to {self.highest} is none: 1 to 10, say")
        outside = [step for step in self.anchors if not self.lowest <= step <= self.highest]
        if outside:
            raise CadenzaError(f"{where}: the anchor at {outside[0]} is off the scale")

    def values(self) -> range:
        """Answers there are (see `Answer.value`)."""
        ends = {"rating": (self.lowest, self.highest), "yes_no": (0, 1), "preference": (0, 2)}
        lowest, highest = ends[self.kind]
        return range(lowest, highest + 1)


@with_config(_STRICT)
@dataclass(frozen=True)
class Background:
    """One question about the listener, which may be left open."""

    key: str
    """What it is called in what is exported."""
    text: str
    """As the listener reads it."""
    choices: tuple[str, ...] = ()
    """Answers to choose from; none: a line to write."""

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise CadenzaError(
                f"the background question {self.key!r}: a key has letters, digits and underscores, and "
                "begins with a letter"
            )
        if any(not choice or len(choice) > LONGEST_CHOICE for choice in self.choices):
            raise CadenzaError(f"the background question {self.key!r}: a choice is empty or very long")
        if len(set(self.choices)) < len(self.choices):
            raise CadenzaError(f"the background question {self.key!r}: a choice is there twice")


@with_config(_STRICT)
@dataclass(frozen=True)
class Clip:
    """One piece of sound that listeners judge."""

    name: str
    """Unique in a test; listeners never see it."""
    file: str
    """MIDI or audio, relative to the folder of the test."""
    system: str
    """Who made it."""
    piece: str = ""
    """What it is a version of, where several systems were given the same beginning; else empty."""


@with_config(_STRICT)
@dataclass(frozen=True)
class Exclusion:
    """Which listeners do not count. Said beforehand, so that nobody chooses once the answers are known."""

    failed_attention: Flag = True
    """Who answered an attention check wrongly."""
    fewest_trials: Whole = 1
    """Who answered fewer trials than these."""
    fastest_seconds: Number = 0.0
    """Who took less than this time a trial, in the median."""
    same_answer: Flag = True
    """Who gave one and the same rating in all of at least five trials."""


@with_config(_STRICT)
@dataclass(frozen=True)
class Design:
    """A listening test."""

    title: str
    questions: tuple[Question, ...]
    clips: tuple[Clip, ...]
    human: str = "human"
    """The system whose clips people composed; empty where there is none."""
    exclusion: Exclusion = Exclusion()
    instructions: str = ""
    """What is to be done. Of all texts, an empty line begins a new paragraph."""
    false_instruction: str = ""
    """Said with the instructions though it is not true; needs a debriefing."""
    consent: str = ""
    """What a listener agrees to before the first clip; empty: the page asks for nothing."""
    debriefing: str = ""
    """Said at the end."""
    background: tuple[Background, ...] = ()
    """What is asked about the listener."""
    same_pieces: Flag = False
    """Whether clips of one file name are versions of one piece, by several systems."""
    trials: Whole = 0
    """How many clips (of preferences, pairs) a listener judges; 0: all."""
    attention_checks: Whole = 1
    """How often a listener is asked to count notes instead."""
    clip_seconds: Number = 20.0
    """How long each clip lasts, 1 to 600."""

    def __post_init__(self) -> None:
        keys = [asked.key for asked in (*self.questions, *self.background)]
        twice = [key for key, count in Counter(keys).items() if count > 1]
        checks = (
            (bool(self.questions), "questions: there is none"),
            (not twice, f"{'' if not twice else twice[0]!r} is the key of two questions"),
            (
                len({question.kind == "preference" for question in self.questions}) <= 1,
                "questions: a preference is about two clips, the others about one: make two tests of them",
            ),
            (
                not self.questions or not self.compares or len(self.systems) != 1,
                "a preference is between clips of two systems, and here is one",
            ),
            (self.trials >= 0, f"trials must be 0 or more, not {self.trials}"),
            (self.exclusion.fewest_trials <= self.most_trials, "exclusion.fewest_trials: nobody has so many"),
            (
                0 <= self.exclusion.fastest_seconds < inf,
                f"exclusion.fastest_seconds: 0 or more, not {self.exclusion.fastest_seconds:g}",
            ),
            (0 <= self.attention_checks <= 20, f"attention_checks: 0 to 20, not {self.attention_checks}"),
            (1 <= self.clip_seconds <= 600, f"clip_seconds must be from 1 to 600, not {self.clip_seconds:g}"),
            (
                bool(self.debriefing or not self.false_instruction),
                "false_instruction misleads the listeners: say so at the end, in debriefing",
            ),
        )
        for fine, why in checks:
            if not fine:
                raise CadenzaError(why)

    @property
    def most_trials(self) -> int:
        """More than these no listener can judge."""
        clips = max(len(self.clips), 1)
        return self.trials or (clips * clips if self.questions and self.compares else clips)

    @property
    def systems(self) -> tuple[str, ...]:
        """Who made the clips, in order of the alphabet."""
        return tuple(sorted({clip.system for clip in self.clips}))

    @property
    def compares(self) -> bool:
        """Whether each trial is about two clips."""
        return self.questions[0].kind == "preference"


def load_design(folder: Path) -> Design:
    """The design of a test's folder.

    Raises CadenzaError where it is none, for unknown keys and values of a wrong kind, and for clips that are
    not there, of a kind that is unknown, or of one name.
    """
    path = folder / FILE
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CadenzaError(
            f"{folder}: no listening test: its {FILE} cannot be read ({(error.strerror or '').lower()}); "
            "cadenza listen new makes one"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CadenzaError(f"{path} is no valid TOML: {error}") from error
    if "clips" in table:
        raise CadenzaError(f"{path}: clips: no such key; clips lie in {folder / CLIPS}, a folder a system")
    clips = find_clips(folder, same_pieces=table.get("same_pieces") is True)
    systems = {clip.system for clip in clips}
    if "human" not in table and Design.human not in systems:
        table["human"] = ""
    design = _design(table | {"clips": clips}, path)
    if design.human and design.human not in systems:
        raise CadenzaError(
            f"{path}: human: {design.human!r} made none of the clips; those of "
            f'{", ".join(sorted(systems))} are there (human = "" where no clip is a person\'s)'
        )
    return design


def find_clips(folder: Path, *, same_pieces: bool = False) -> tuple[Clip, ...]:
    """The clips of a test's folder, by system and name. Raises CadenzaError where there is anything else."""
    home = folder / CLIPS
    try:
        paths = sorted(path for path in home.rglob("*") if not _hidden(path, home) and not path.is_dir())
    except OSError as error:
        raise CadenzaError(f"{home}: cannot be read: {error.strerror}") from error
    if not paths:
        raise CadenzaError(f"{home}: no clips: put MIDI files or sound there, a folder for each system")
    for path in paths:
        _check_place(path, home)
    names = Counter(clip_name(path).casefold() for path in paths)
    for path in paths:
        if names[clip_name(path).casefold()] > 1:
            raise CadenzaError(f"{path}: another clip of this system has this name too: rename one")
    return tuple(
        Clip(
            clip_name(path),
            path.relative_to(folder).as_posix(),
            path.parent.name,
            path.stem if same_pieces else "",
        )
        for path in paths
    )


def clip_name(path: Path) -> str:
    """What a clip is called: its system and the name of its file."""
    return f"{path.parent.name}/{path.stem}"


def _hidden(path: Path, home: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(home).parts)


def check_system(name: str) -> None:
    """Raises CadenzaError for what cannot be the name of a system: of a folder, and on a line."""
    if not name or name.startswith(".") or {"/", "\\"} & set(name) or not name.isprintable():
        raise CadenzaError(f"{name!r} cannot be the name of a system: name a folder, on one line")


def _check_place(path: Path, home: Path) -> None:
    if path.parent.parent != home:
        raise CadenzaError(f"{path}: a clip lies in the folder of its system, {home / 'SYSTEM' / path.name}")
    check_system(path.parent.name)
    if path.suffix.lower() not in (*MIDI_SUFFIXES, *SOUND_SUFFIXES):
        kinds = ", ".join((*MIDI_SUFFIXES, *SOUND_SUFFIXES))
        raise CadenzaError(f"{path}: neither MIDI nor sound ({kinds}): take it out of {home}")


def _design(table: dict[str, Any], path: Path) -> Design:
    """A design from its table. Raises CadenzaError for the first thing that is wrong."""
    try:
        return TypeAdapter(Design).validate_python(table)
    except CadenzaError as error:
        raise CadenzaError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(_counted(first["loc"]))
        why = first["msg"]
        if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            why = f"no such key; {there_are(_keys_beside(first['loc']), instead_of=str(first['loc'][-1]))}"
        elif first["type"] in ("missing", "missing_argument"):
            why = "this key is missing"
        raise CadenzaError(f"{path}: {where}: {why[0].lower()}{why[1:]}") from error


def _counted(places: Sequence[int | str]) -> list[str]:
    """A place in a table as people count."""
    return [str(place + 1) if isinstance(place, int) else place for place in places]


_TABLES: Final = {"questions": Question, "background": Background, "exclusion": Exclusion}


def _keys_beside(place: Sequence[int | str]) -> list[str]:
    """The keys that there are where a key was."""
    kind = _TABLES.get(str(place[0]), Design) if len(place) > 1 else Design
    return [known.name for known in fields(kind) if known.name != "clips"]
