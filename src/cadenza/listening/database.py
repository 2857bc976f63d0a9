"""The database of listening tests: its tables, how it is opened, and what keeps it, in words."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy import event, exc

from cadenza.errors import CadenzaError

PATIENCE: Final = 5.0
"""Seconds that a request waits for a database that another holds."""

METADATA: Final = sql.MetaData()

TESTS: Final = sql.Table(
    "tests",
    METADATA,
    sql.Column("test", sql.String(80), primary_key=True),
    sql.Column("version", sql.Integer, primary_key=True),
    sql.Column("fingerprint", sql.String(64), nullable=False),
    sql.Column("described", sql.Text, nullable=False),
    sql.Column("since", sql.String(40), nullable=False),
)

LISTENERS: Final = sql.Table(
    "listeners",
    METADATA,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("test", sql.String(80), nullable=False),
    sql.Column("version", sql.Integer, nullable=False),
    sql.Column("number", sql.Integer, nullable=False),
    sql.Column("token", sql.String(64), nullable=False),
    sql.Column("name", sql.String(32), nullable=False, unique=True),
    sql.Column("began", sql.String(40), nullable=False),
    sql.Column("finished", sql.String(40), nullable=False),
    sql.Column("background", sql.Text, nullable=False),
    sql.UniqueConstraint("test", "token"),
    sql.UniqueConstraint("test", "version", "number"),
)

TRIALS: Final = sql.Table(
    "trials",
    METADATA,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("listener", sql.Integer, sql.ForeignKey("listeners.id"), nullable=False),
    sql.Column("place", sql.Integer, nullable=False),
    sql.Column("ticket", sql.String(64), nullable=False, unique=True),
    sql.Column("struck", sql.Integer, nullable=False),
    sql.Column("clip", sql.Text, nullable=False),
    sql.Column("system", sql.Text, nullable=False),
    sql.Column("piece", sql.Text, nullable=False),
    sql.Column("against", sql.Text, nullable=False),
    sql.Column("against_system", sql.Text, nullable=False),
    sql.Column("fetched", sql.String(40), nullable=False),
    sql.Column("fetched_against", sql.String(40), nullable=False),
    sql.Column("answered", sql.String(40), nullable=False),
    sql.UniqueConstraint("listener", "place"),
)

ANSWERS: Final = sql.Table(
    "answers",
    METADATA,
    sql.Column("trial", sql.Integer, sql.ForeignKey("trials.id"), primary_key=True),
    sql.Column("question", sql.String(40), primary_key=True),
    sql.Column("value", sql.Integer, nullable=False),
)


class UnavailableError(CadenzaError):
    """The database is locked, full or gone: what was sent is not kept, and may be sent again."""


class Database:
    """A database with the tables of listening tests."""

    def __init__(self, url: str, *, make: bool = True) -> None:
        """Opens it and makes the tables that it lacks; without `make` it has to be there, tables and all.

        Raises CadenzaError where that fails.
        """
        try:
            if not make:
                _check_there(url)
            self._engine = _engine(url, make=make)
            if make:
                with _told("kept"):
                    METADATA.create_all(self._engine)
                return
            with self.transaction() as connection:
                known = sql.inspect(connection).has_table(TESTS.name)
        except (exc.ArgumentError, exc.NoSuchModuleError, ImportError) as error:
            raise CadenzaError(
                f"no database can be opened at {_shown(url)!r}: {error}; its address should be as in "
                "sqlite:///answers.sqlite or postgresql://name@host/answers"
            ) from error
        except UnavailableError as error:
            raise CadenzaError(f"{_shown(url)}: {error}") from error
        if not known:
            raise CadenzaError(f"{_shown(url)}: there are no listening tests in this database")

    def close(self) -> None:
        """Lets go of it."""
        self._engine.dispose()

    @contextmanager
    def transaction(self, *, writes: bool = False) -> Generator[sql.Connection]:
        """A connection; what is done with it is kept at the end as a whole, or not at all.

        Raises UnavailableError where the database is locked, full or gone.
        """
        engine = self._engine.execution_options(writes=writes)
        with _told("kept" if writes else "read"), engine.begin() as connection:
            yield connection


def _check_there(url: str) -> None:
    """Raises CadenzaError for a file that is not there, which SQLite would make."""
    address = sql.make_url(url)
    is_file = address.get_backend_name() == "sqlite" and "uri" not in address.query
    if is_file and address.database and not Path(address.database).is_file():
        raise CadenzaError(f"{_shown(url)}: no answers: there is no file {address.database}")


def _shown(url: str) -> str:
    """An address without its password."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)


def sqlite_url(path: Path) -> str:
    """The address of a database in a file."""
    return sql.URL.create("sqlite", database=str(path)).render_as_string()


@contextmanager
def _told(done: str) -> Generator[None]:
    """Says in words why answers cannot be kept or read."""
    try:
        yield
    except (exc.IntegrityError, exc.ArgumentError, exc.NoSuchModuleError):
        raise
    except exc.DBAPIError as error:
        raise UnavailableError(f"the answers cannot be {done} at this moment ({error.orig})") from error
    except exc.SQLAlchemyError as error:
        raise UnavailableError(f"the answers cannot be {done} at this moment (too many at once)") from error


def _engine(url: str, *, make: bool) -> sql.Engine:
    address = sql.make_url(url)
    if address.get_backend_name() != "sqlite":
        return sql.create_engine(url, pool_pre_ping=True)
    if address.database in (None, "", ":memory:"):
        raise exc.ArgumentError("in memory nothing would be kept")
    # SQLite has one writer: one connection, and who comes waits in a line, instead of all trying at once.
    engine = sql.create_engine(
        url, pool_size=1, max_overflow=0, pool_timeout=PATIENCE, connect_args={"timeout": PATIENCE}
    )
    event.listen(engine, "connect", _set_up_sqlite if make else _leave_sqlite_as_it_is)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _leave_sqlite_as_it_is(connection: Any, _: Any) -> None:
    """What is only read may be a database of somebody else's."""
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite`


def _set_up_sqlite(connection: Any, _: Any) -> None:
    """An answer that is confirmed outlives a loss of power, and readers do not hinder the writer."""
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sql.Connection) -> None:
    # A transaction that reads first and then writes could find that another has written in between.
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
