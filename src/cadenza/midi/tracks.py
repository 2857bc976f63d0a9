"""A track's messages as notes, changes and the events that are kept as they are."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from cadenza.midi.messages import (
    END_OF_TRACK,
    KEY_SIGNATURE,
    TEMPO,
    TIME_SIGNATURE,
    Broken,
    messages_in,
)
from cadenza.midi.problems import Problems
from cadenza.score import (
    NOTE,
    Event,
    KeySignature,
    Tempo,
    TimeSignature,
    Track,
    note_array,
)

STRAY: Final = "System messages that do not belong in a file, left out"
_MAX_DENOMINATOR_POWER: Final = 8
_CHANGES: Final = frozenset([TEMPO, TIME_SIGNATURE, KEY_SIGNATURE])


class TooLong(Exception):
    """A track with more messages than are allowed."""


_Sounding = dict[tuple[int, int], deque[list[int]]]
"""Open notes by (channel, pitch), the first to begin first; a note is a list of the fields of `NOTE`."""


@dataclass
class TrackReading:
    """One track while it is read."""

    index: int
    problems: Problems
    rows: list[list[int]] = field(default_factory=list[list[int]])
    """Notes in the order of their beginnings, fields as in `NOTE`."""
    sounding: _Sounding = field(default_factory=dict[tuple[int, int], deque[list[int]]])
    events: list[Event] = field(default_factory=list[Event])
    tempos: list[Tempo] = field(default_factory=list[Tempo])
    time_signatures: list[TimeSignature] = field(default_factory=list[TimeSignature])
    key_signatures: list[KeySignature] = field(default_factory=list[KeySignature])
    end: int = 0
    broken: str = ""

    def read(self, data: bytes, start: int, stop: int, most: int) -> int:
        """Take in the messages in data[start:stop], at most `most` of them; how many there were."""
        number = 0
        try:
            for number, (tick, message) in enumerate(messages_in(data[start:stop], self.problems), 1):
                self.end = tick
                if message[:2] == END_OF_TRACK:
                    break
                self._take(tick, message)
                if number > most:
                    raise TooLong
            else:
                self.problems.say(f"Track {self.index + 1} has no end-of-track message")
        except Broken as error:
            self.broken = f"track {self.index + 1} breaks off at byte {start + error.at}: {error}"
            self.problems.say(f"{self.broken.capitalize()}; what came before was kept")
        return number

    def _take(self, tick: int, message: bytes) -> None:
        kind = message[0] & 0xF0
        if kind == 0x90 and message[2]:
            self._open(tick, message)
        elif kind in (0x80, 0x90):
            self._close(tick, message)
        elif message[:2] in _CHANGES:
            self._change(tick, message[:2], message[2:])
        elif message[0] >= 0xF0 and message[0] not in (0xF0, 0xF7, 0xFF):
            self.problems.count(STRAY)
        else:
            self.events.append(Event(tick, message))

    def _open(self, tick: int, message: bytes) -> None:
        channel = message[0] & 0x0F
        row = [tick, -1, message[1], message[2], channel, 64]
        self.rows.append(row)
        waiting = self.sounding.setdefault((channel, message[1]), deque())
        if waiting:
            self.problems.count("Notes that begin while another of their pitch and channel sounds")
        waiting.append(row)

    def _close(self, tick: int, message: bytes) -> None:
        waiting = self.sounding.get((message[0] & 0x0F, message[1]))
        if not waiting:
            self.problems.count("Note-offs that close no note")
            self.events.append(Event(tick, message))
            return
        row = waiting.popleft()
        row[1] = tick
        if message[0] < 0x90:
            row[5] = message[2]

    def _change(self, tick: int, kind: bytes, data: bytes) -> None:
        if kind == TEMPO:
            self._change_tempo(tick, data)
        elif kind == TIME_SIGNATURE:
            self._change_metre(tick, data)
        else:
            self._change_key(tick, data)

    def _change_tempo(self, tick: int, data: bytes) -> None:
        if len(data) != 3 or not any(data):
            self.problems.count("Tempos of 0 or of a wrong length, left out")
        else:
            self.tempos.append(Tempo(tick, int.from_bytes(data), self.index))

    def _change_metre(self, tick: int, data: bytes) -> None:
        if len(data) < 2 or not data[0] or data[1] > _MAX_DENOMINATOR_POWER:
            self.problems.count("Time signatures that make no sense, left out")
            return
        if len(data) != 4:
            self.problems.count("Time signatures of a wrong length, mended")
            data = data[:4] + b"\x18\x08"[len(data) - 2 :]
        signature = TimeSignature(tick, data[0], 2 ** data[1], self.index, data[2], data[3])
        self.time_signatures.append(signature)

    def _change_key(self, tick: int, data: bytes) -> None:
        sharps = int.from_bytes(data[:1], signed=True)
        if len(data) != 2 or abs(sharps) > 7 or data[1] > 1:
            self.problems.count("Key signatures that make no sense, left out")
        else:
            self.key_signatures.append(KeySignature(tick, sharps, bool(data[1]), self.index))

    def track(self) -> Track:
        """What was read, notes that never ended closed with the track."""
        for waiting in self.sounding.values():
            self.problems.count("Notes that are never closed, ended with their track", len(waiting))
            for row in waiting:
                row[1] = self.end
        notes = note_array(np.array([tuple(row) for row in self.rows], dtype=NOTE))
        self.problems.count("Notes of zero length", int(np.sum(notes["start"] == notes["end"])))
        return Track(notes, tuple(self.events), self.end)
