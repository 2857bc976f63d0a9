"""Ctrl-C while something must not be broken off half-way."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread


@contextmanager
def unbroken() -> Generator[None]:
    """Ctrl-C waits for the end of what is done within, and comes then."""
    with deferred_interrupt() as asked:
        yield
    if asked.is_set():
        raise KeyboardInterrupt


@contextmanager
def deferred_interrupt() -> Generator[Event]:
    """Ctrl-C sets the event instead of breaking off a step half-way; a second one does break off."""
    asked = Event()

    def handle(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if current_thread() is not main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
