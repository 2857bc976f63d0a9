"""A listening test that is open: who takes part, what is played to whom, and which answers are taken.

Knows nothing of HTTP. What it tells is JSON; what it refuses it refuses in words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cadenza.errors import CadenzaError
from cadenza.listening.clips import Prepared, Tell, prepare
from cadenza.listening.database import Database, UnavailableError, sqlite_url
from cadenza.listening.design import FILE as TEST
from cadenza.listening.design import Design, Question, load_design
from cadenza.listening.fingerprint import description
from cadenza.listening.order import MOST_COUNTED, listening_order
from cadenza.listening.store import FILE, Issued, Seat, Store

COUNTING: Final = Question("notes", "How many notes did you hear?", "rating", 1, MOST_COUNTED)
"""What is asked in an attention check."""
LONGEST_ANSWER: Final = 500
"""Characters of what a listener writes about themselves."""

_NAME: Final = re.compile(r"[A-Za-z0-9][\w-]{0,59}", re.ASCII)
_TOKEN: Final = re.compile(r"[\w-]{22,64}", re.ASCII)


class UnknownError(CadenzaError):
    """There is no such listener, or no such sound."""


class RefusedError(CadenzaError):
    """An answer that is not the listener's to give, or not now."""


@dataclass(frozen=True)
class OpenTest:
    """A test with its sound and its answers."""

    name: str
    design: Design
    sound: Prepared
    store: Store
    version: int

    def described(self) -> dict[str, Any]:
        """What the page needs to know before the first clip; nothing of which clips there are."""
        design = self.design
        trials = listening_order(design, 0)
        return {
            "test": self.name,
            "version": self.version,
            "title": design.title,
            "instructions": design.instructions,
            "claim": design.false_instruction,
            "consent": design.consent,
            "background": [asdict(asked) for asked in design.background],
            "questions": [asdict(question) for question in design.questions],
            "counting": asdict(COUNTING),
            "checks": design.attention_checks > 0,
            "trials": len(trials),
            "minutes": _minutes(design, len(trials)),
        }

    def begin(self, token: str, background: Mapping[str, str], *, consent: bool) -> dict[str, Any]:
        """Lets a listener in, who brings a token of their own making; one who is in already goes on.

        Gives the state that they are in. Raises CadenzaError for answers that the test does not ask for.
        """
        if not _TOKEN.fullmatch(token):
            raise CadenzaError("a token has 22 to 64 letters and digits, drawn at random")
        if self.design.consent and not consent:
            raise RefusedError("only who agrees can take part")
        told = self._background(background)
        seat = self.store.begin(
            self.name, self.version, token, told, lambda number: listening_order(self.design, number)
        )
        return self._state(seat)

    def state(self, token: str) -> dict[str, Any]:
        """Where a listener is: at a trial, or at the end. Raises UnknownError for one who never began."""
        return self._state(self._seat(token))

    def heard(self, ticket: str, side: int) -> Path:
        """The sound of a trial, which is then taken for heard.

        `side` is 1, or 2 for the second clip of a comparison. Raises UnknownError where there is none.
        """
        issued = self.store.issued(self.name, ticket)
        if issued is None or side not in (1, 2) or (side == 2 and not issued.against):
            raise UnknownError("there is no such sound")
        path = self._path(issued, side)
        if path is None or not path.is_file():
            raise UnavailableError("the sound of this clip is gone; who runs the test must start it anew")
        self.store.fetch(issued, side)
        return path

    def volume(self) -> Path:
        """The sound that the volume is set by."""
        if not self.sound.volume.is_file():
            raise UnavailableError("the sound is gone; who runs the test must start it anew")
        return self.sound.volume

    def _path(self, issued: Issued, side: int) -> Path | None:
        """Where the sound of a trial lies; None for a clip that is no longer in the test."""
        if issued.count:
            return self.sound.checks[issued.count]
        return self.sound.clips.get(issued.clip if side == 1 else issued.against)

    def answer(self, token: str, ticket: str, values: Mapping[str, int]) -> dict[str, Any]:
        """Takes the answers to a listener's current trial; gives the state afterwards.

        The same answers sent again change nothing. Raises RefusedError for a trial that is not the listener's
        current one, was not heard, or was answered otherwise; CadenzaError for answers off the scale.
        """
        seat = self._seat(token)
        issued = self.store.issued(self.name, ticket)
        if issued is None or issued.listener != seat.id:
            raise RefusedError("this is no clip that you were given")
        if seat.version != self.version:
            raise RefusedError("the test was changed in the meantime")
        current, _ = self.store.current(seat)
        if not issued.answered and (current is None or current.id != issued.id):
            raise RefusedError("this is not the clip that you are at")
        if not issued.fetched:
            raise RefusedError("please listen before you answer")
        self._check(issued, values)
        if not self.store.answer(seat, issued, values):
            raise RefusedError("this clip has its answers already; the first ones count")
        return self._state(seat)

    def _seat(self, token: str) -> Seat:
        seat = self.store.seat(self.name, token)
        if seat is None:
            raise UnknownError("nobody has begun this test with this token")
        return seat

    def _state(self, seat: Seat) -> dict[str, Any]:
        current, trials = self.store.current(seat)
        if current is None or seat.version != self.version:
            changed = current is not None
            return {"stage": "end", "changed": changed, "debriefing": self.design.debriefing}
        sides = (1, 2) if current.against else (1,)
        return {
            "stage": "trial",
            "kind": "check" if current.count else "pair" if current.against else "clip",
            "ticket": current.ticket,
            "place": current.place,
            "trials": trials,
            "sounds": [f"sounds/{current.ticket}/{side}" for side in sides],
        }

    def _check(self, issued: Issued, values: Mapping[str, int]) -> None:
        asked = (COUNTING,) if issued.count else self.design.questions
        for question in asked:
            if question.key not in values:
                raise CadenzaError(f"there is no answer to: {question.text}")
            if values[question.key] not in question.values():
                scale = question.values()
                raise CadenzaError(
                    f"{question.key}: {values[question.key]} is no answer: {scale[0]} to {scale[-1]} are"
                )
        if len(values) > len(asked):
            raise CadenzaError("these are answers to more than was asked")

    def _background(self, given: Mapping[str, str]) -> str:
        """What a listener told about themselves, as JSON; empty where nothing is asked."""
        asked = {one.key: one for one in self.design.background}
        for key, told in given.items():
            if key not in asked:
                raise CadenzaError(f"{key[:40]}: this is not asked")
            if len(told) > LONGEST_ANSWER:
                raise CadenzaError(f"{key}: at most {LONGEST_ANSWER} characters, please")
            if told and asked[key].choices and told not in asked[key].choices:
                raise CadenzaError(f"{key}: this is none of the answers to choose from")
        return json.dumps({key: given.get(key, "") for key in asked}, ensure_ascii=False) if asked else ""


def open_test(
    folder: Path, database: str | None = None, *, new_version: bool = False, tell: Tell = lambda _, __: None
) -> OpenTest:
    """Opens the test in a folder, its sound made ready.

    `database` is an SQLAlchemy URL; by default a file in the folder. Raises CadenzaError for whatever is
    wrong with the test, and where it was changed after listeners had begun (see `Store.version`).
    """
    name = test_name(folder)
    design = load_design(folder)
    try:
        listening_order(design, 0)
    except CadenzaError as error:
        raise CadenzaError(f"{folder / TEST}: {error}") from error
    sound = prepare(folder, design, tell)
    store = open_store(folder, database)
    version = store.version(name, description(design, sound.digests), new=new_version)
    return OpenTest(name, design, sound, store, version)


def open_store(folder: Path, database: str | None = None, *, make: bool = True) -> Store:
    """The answers to the test in a folder; without `make` a database has to be there, and is left as it is.

    Raises CadenzaError where they cannot be opened.
    """
    return Store(Database(database or sqlite_url(folder / FILE), make=make))


def test_name(folder: Path) -> str:
    """What a test is called in addresses: as its folder. Raises CadenzaError for names that do not fit."""
    name = folder.resolve().name
    if not _NAME.fullmatch(name):
        raise CadenzaError(
            f"{folder}: the folder's name becomes part of an address: only letters, digits, - and _, please"
        )
    return name


def _minutes(design: Design, trials: int) -> int:
    """How long the test takes, about: clips, and five seconds for each question."""
    sounds = 2 if design.compares else 1
    return max(1, round(trials * (design.clip_seconds * sounds + 5 * len(design.questions)) / 60))
