"""Where answers are kept: a database, written when an answer is given and before it is confirmed.

By default SQLite in the folder of the test; any database that SQLAlchemy knows will do. Nothing is kept of a
listener but what the test asks: no address, no name. What a browser holds to come back is kept as a digest.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy import exc

from cadenza.errors import CadenzaError
from cadenza.listening.answers import Answer, Listener
from cadenza.listening.database import ANSWERS, LISTENERS, TESTS, TRIALS, Database, UnavailableError
from cadenza.listening.fingerprint import changes, digest
from cadenza.listening.order import Trial

FILE: Final = "answers.sqlite"
"""The database of a test, within its folder."""
ATTEMPTS: Final = 100
"""How often a listener's number is looked for while others take it."""

Order = Callable[[int], Sequence[Trial]]
"""What a listener hears, by the listener's number."""


@dataclass(frozen=True)
class Seat:
    """A listener of a test."""

    id: int
    version: int
    finished: bool


@dataclass(frozen=True)
class Issued:
    """A trial that a listener was given."""

    id: int
    listener: int
    place: int
    """From 1."""
    ticket: str
    """By which it is called; cannot be guessed."""
    count: int
    """Of an attention check, how many notes are struck; else 0."""
    clip: str
    against: str
    fetched: bool
    """Whether all of its sound was."""
    answered: bool


class Store:
    """Answers of one test or of several in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ------------------------------------------------------------ versions

    def version(self, test: str, described: Mapping[str, Any], *, new: bool = False) -> int:
        """The version of a test that is so described, from 1.

        As long as nobody has begun, a test may change. Afterwards it is another version where `new` says so;
        else CadenzaError is raised, which says what is not as it was.
        """
        with self._database.transaction(writes=True) as connection:
            latest = connection.execute(
                sql.select(TESTS).where(TESTS.c.test == test).order_by(TESTS.c.version.desc()).limit(1)
            ).one_or_none()
            if latest is not None and latest.fingerprint == digest(described):
                return int(latest.version)
            version = 1 if latest is None else int(latest.version)
            if latest is not None and self._begun(connection, test, version):
                if not new:
                    found = changes(json.loads(latest.described), described)
                    raise CadenzaError(
                        f"the test {test} was changed after listeners had begun: {', '.join(found)}; put "
                        "that back, or go on under a new version with --new-version"
                    )
                version += 1
            same = (TESTS.c.test == test) & (TESTS.c.version == version)
            connection.execute(sql.delete(TESTS).where(same))
            connection.execute(
                sql.insert(TESTS).values(
                    test=test,
                    version=version,
                    fingerprint=digest(described),
                    described=json.dumps(described),
                    since=_now(),
                )
            )
            return version

    @staticmethod
    def _begun(connection: sql.Connection, test: str, version: int) -> bool:
        """Whether anyone has begun a version of a test."""
        own = (LISTENERS.c.test == test) & (LISTENERS.c.version == version)
        return connection.execute(sql.select(LISTENERS.c.id).where(own).limit(1)).first() is not None

    # ------------------------------------------------------------ listeners

    def begin(self, test: str, version: int, token: str, background: str, order: Order) -> Seat:
        """Gives a listener a seat, and all trials; to a token that has one, that."""
        for _ in range(ATTEMPTS):
            try:
                return self._begin(test, version, token, background, order)
            except exc.IntegrityError:
                continue  # another took the number at this moment, or this request was sent twice
        raise UnavailableError("too many begin at this moment")

    def _begin(self, test: str, version: int, token: str, background: str, order: Order) -> Seat:
        with self._database.transaction(writes=True) as connection:
            if (seat := _seat(connection, test, token)) is not None:
                return seat
            own = (LISTENERS.c.test == test) & (LISTENERS.c.version == version)
            number = connection.execute(sql.select(sql.func.count()).where(own)).scalar_one()
            made = connection.execute(
                sql.insert(LISTENERS).values(
                    test=test,
                    version=version,
                    number=number,
                    token=_hidden(token),
                    name=secrets.token_hex(8),
                    began=_now(),
                    finished="",
                    background=background,
                )
            )
            listener = int(made.inserted_primary_key[0]) if made.inserted_primary_key else 0
            rows = [_trial_row(listener, place, trial) for place, trial in enumerate(order(number), 1)]
            connection.execute(sql.insert(TRIALS), rows)
            return Seat(listener, version, finished=False)

    def seat(self, test: str, token: str) -> Seat | None:
        """The listener who holds a token, or None."""
        with self._database.transaction() as connection:
            return _seat(connection, test, token)

    # ------------------------------------------------------------ trials

    def current(self, seat: Seat) -> tuple[Issued | None, int]:
        """The trial that a listener is at, None after the last, and how many there are."""
        with self._database.transaction() as connection:
            return _current(connection, seat.id), _trials(connection, seat.id)

    def fetch(self, issued: Issued, side: int) -> None:
        """Notes when the sound of a trial is fetched for the first time, side 1 or 2."""
        if issued.fetched or issued.answered:
            return
        column = TRIALS.c.fetched if side == 1 else TRIALS.c.fetched_against
        first = (TRIALS.c.id == issued.id) & (column == "")
        with self._database.transaction(writes=True) as connection:
            connection.execute(sql.update(TRIALS).where(first).values({column.name: _now()}))

    def issued(self, test: str, ticket: str) -> Issued | None:
        """The trial of a ticket, or None."""
        with self._database.transaction() as connection:
            return _issued(connection, test, ticket)

    def answer(self, seat: Seat, issued: Issued, values: Mapping[str, int]) -> bool:
        """Keeps the answers to a trial, by question; whether they are the ones that count.

        The first answers to a trial count: sent again they change nothing, and others are not kept. When it
        returns, they are on the disk.
        """
        with self._database.transaction(writes=True) as connection:
            unanswered = (TRIALS.c.id == issued.id) & (TRIALS.c.answered == "")
            if connection.execute(sql.update(TRIALS).where(unanswered).values(answered=_now())).rowcount:
                rows = [
                    {"trial": issued.id, "question": key, "value": value} for key, value in values.items()
                ]
                connection.execute(sql.insert(ANSWERS), rows)
                if _current(connection, seat.id) is None:
                    own = LISTENERS.c.id == seat.id
                    connection.execute(sql.update(LISTENERS).where(own).values(finished=_now()))
                return True
            kept = connection.execute(sql.select(ANSWERS).where(ANSWERS.c.trial == issued.id))
            return {row.question: row.value for row in kept} == dict(values)

    # ------------------------------------------------------------ what came of it

    def check_known(self, test: str) -> None:
        """Raises CadenzaError where a database of other tests does not know one, whose folder was renamed."""
        with self._database.transaction() as connection:
            known = connection.execute(sql.select(TESTS.c.test).distinct()).scalars().all()
        if test not in known:
            there = f"to {', '.join(sorted(known))}" if known else "nothing else either"
            raise CadenzaError(
                f"no answers are kept to a test {test!r}, but {there}: a test is known by the name of its "
                "folder; was it renamed or copied?"
            )

    def answers(self, test: str) -> tuple[tuple[Answer, ...], tuple[Listener, ...]]:
        """All answers to a test and all who began it, of every version, in the order of their numbers."""
        tables = LISTENERS.join(TRIALS, TRIALS.c.listener == LISTENERS.c.id).join(
            ANSWERS, ANSWERS.c.trial == TRIALS.c.id
        )
        with self._database.transaction() as connection:
            rows = connection.execute(
                sql.select(LISTENERS.c.name, TRIALS, ANSWERS.c.question, ANSWERS.c.value)
                .select_from(tables)
                .where(LISTENERS.c.test == test)
                .order_by(LISTENERS.c.id, TRIALS.c.place, ANSWERS.c.question)
            ).all()
            listeners = connection.execute(
                sql.select(LISTENERS).where(LISTENERS.c.test == test).order_by(LISTENERS.c.id)
            ).all()
        wrong = {row.name for row in rows if row.struck and row.value != row.struck}
        return (
            tuple(_answer(row) for row in rows if not row.struck),
            tuple(
                Listener(
                    row.name, row.began, row.finished, row.name not in wrong, row.version, row.background
                )
                for row in listeners
            ),
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _hidden(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _seat(connection: sql.Connection, test: str, token: str) -> Seat | None:
    own = (LISTENERS.c.test == test) & (LISTENERS.c.token == _hidden(token))
    row = connection.execute(sql.select(LISTENERS).where(own)).one_or_none()
    return None if row is None else Seat(row.id, row.version, bool(row.finished))


def _current(connection: sql.Connection, listener: int) -> Issued | None:
    open_ones = (TRIALS.c.listener == listener) & (TRIALS.c.answered == "")
    chosen = sql.select(TRIALS).where(open_ones).order_by(TRIALS.c.place).limit(1)
    return _issued_row(connection.execute(chosen).one_or_none())


def _trials(connection: sql.Connection, listener: int) -> int:
    own = TRIALS.c.listener == listener
    return connection.execute(sql.select(sql.func.count()).where(own)).scalar_one()


def _issued(connection: sql.Connection, test: str, ticket: str) -> Issued | None:
    chosen = (
        sql.select(TRIALS)
        .join(LISTENERS, TRIALS.c.listener == LISTENERS.c.id)
        .where((TRIALS.c.ticket == ticket) & (LISTENERS.c.test == test))
    )
    return _issued_row(connection.execute(chosen).one_or_none())


def _issued_row(row: Any) -> Issued | None:
    if row is None:
        return None
    return Issued(
        row.id,
        row.listener,
        row.place,
        row.ticket,
        row.struck,
        row.clip,
        row.against,
        fetched=bool(row.fetched and (row.fetched_against or not row.against)),
        answered=bool(row.answered),
    )


def _trial_row(listener: int, place: int, trial: Trial) -> dict[str, Any]:
    clip, against = trial.clip, trial.against
    return {
        "listener": listener,
        "place": place,
        "ticket": secrets.token_urlsafe(16),
        "struck": trial.count,
        "clip": clip.name if clip else "",
        "system": clip.system if clip else "",
        "piece": clip.piece if clip else "",
        "against": against.name if against else "",
        "against_system": against.system if against else "",
        "fetched": "",
        "fetched_against": "",
        "answered": "",
    }


def _answer(row: Any) -> Answer:
    fetched = datetime.fromisoformat(max(row.fetched, row.fetched_against))
    answered = datetime.fromisoformat(row.answered)
    return Answer(
        row.name,
        row.place,
        row.clip,
        row.system,
        row.piece,
        row.question,
        row.value,
        row.against,
        row.against_system,
        round((answered - fetched).total_seconds(), 3),
        row.answered,
    )
