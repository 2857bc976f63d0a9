"""Drawing in the background: one job at a time, the others wait; bounded in number and time, cancellable."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final
from uuid import uuid4

from cadenza.errors import CadenzaError

MOST_WAITING: Final = 8
"""Jobs that are drawn or wait; one more is refused."""

SECONDS: Final = 120
"""After which a job is given up."""

REMEMBERED: Final = 32
"""Finished jobs whose events can still be read, by who lost the connection."""

ALONE: Final = 30
"""Seconds after which a job that nobody listens to is cancelled."""

Tell = Callable[[str, dict[str, Any]], None]
"""Tells those who listen of something: its kind, and more. Raises Stopped where the job is to end."""


class BusyError(CadenzaError):
    """Too much to do already."""


class Stopped(Exception):
    """Raised inside a job that is to end."""


@dataclass
class Job:
    """One piece of work, and what it has told so far."""

    work: Callable[[Tell], None]
    name: str = field(default_factory=lambda: uuid4().hex)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    over: bool = False
    listeners: int = 0
    cancelled: Event = field(default_factory=Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def append(self, kind: str, what: dict[str, Any], *, last: bool = False) -> None:
        """Adds an event and wakes those who listen. Only in the thread of the event loop."""
        if self.over:
            return
        self.events.append((kind, what))
        self.over |= last
        self.changed.set()
        self.changed = asyncio.Event()


class Jobs:
    """The jobs of a server."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="composer")

    def __getitem__(self, name: str) -> Job:
        """A job by name. Raises LookupError where it is unknown, or long over."""
        return self._jobs[name]

    def begin(self, work: Callable[[Tell], None]) -> tuple[Job, int]:
        """Queues work; the job, and how many are before it. Raises BusyError where too many are."""
        waiting = sum(not job.over for job in self._jobs.values())
        if waiting >= MOST_WAITING:
            raise BusyError(
                f"the composer has {waiting} wishes to fulfil already: wait for one of them, or cancel it"
            )
        over = [name for name, job in self._jobs.items() if job.over]
        for name in over[: max(0, len(over) - REMEMBERED)]:
            del self._jobs[name]
        job = Job(work)
        self._jobs[job.name] = job
        loop = asyncio.get_running_loop()
        loop.call_later(ALONE, self._leave_alone, job)
        self._thread.submit(self._run, job, loop)
        return job, waiting

    def cancel(self, job: Job) -> None:
        """Ends a job, and gives its place free. Only in the thread of the event loop."""
        job.cancelled.set()
        job.append("cancelled", {}, last=True)

    async def listen(self, job: Job, first: int) -> AsyncIterator[tuple[int, str, dict[str, Any]]]:
        """The events of a job from the number `first` on, as they come, until it is over."""
        job.listeners += 1
        try:
            number = first
            while True:
                changed = job.changed
                for kind, what in job.events[number:]:
                    yield number, kind, what
                    number += 1
                if job.over:
                    return
                await changed.wait()
        finally:
            job.listeners -= 1
            asyncio.get_running_loop().call_later(ALONE, self._leave_alone, job)

    def close(self) -> None:
        """Cancels everything, and ends what is listened to. Only in the thread of the event loop."""
        for job in self._jobs.values():
            self.cancel(job)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _leave_alone(self, job: Job) -> None:
        if not job.listeners:
            self.cancel(job)

    def _run(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        """Does the work of a job, in the thread for that."""
        begun = time.monotonic()

        def tell(kind: str, what: dict[str, Any]) -> None:
            if job.cancelled.is_set():
                raise Stopped
            if time.monotonic() - begun > SECONDS:
                raise CadenzaError(
                    f"given up after {SECONDS} seconds: ask for fewer bars, or choose a faster model"
                )
            loop.call_soon_threadsafe(job.append, kind, what)

        def end(kind: str, what: dict[str, Any]) -> None:
            loop.call_soon_threadsafe(lambda: job.append(kind, what, last=True))

        try:
            if job.cancelled.is_set():
                raise Stopped
            job.work(tell)
        except Stopped:
            pass  # who cancelled it has told so
        except CadenzaError as error:
            end("failed", {"error": str(error)})
        except Exception:
            end("failed", {"error": "the composer stumbled: a mistake of ours, told in the terminal"})
            logging.getLogger("uvicorn.error").exception("a job failed")
            raise
        else:
            end("finished", {})
