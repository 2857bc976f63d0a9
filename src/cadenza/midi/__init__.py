"""MIDI files: the only folder that knows their format and the library that reads corpora.

`read_midi` and `write_midi` are for a user's own file and lose nothing: a compact event loop over the bytes,
because mido re-encodes or refuses just what has to survive (split system-exclusive messages, key signatures
out of range, truncated tracks) and is slower; the tests keep it as a witness. `read_notes` is for corpora:
fast, through symusic, and only what the corpus stage needs.

Times are in ticks. A file either gives a sane `Score` (0 <= start <= end < 2**31 ticks, at most 24 hours,
tempo and division above 0) whose `problems` say what was mended, or one `MidiError` of one line.
"""

from cadenza.midi.corpora import read_notes
from cadenza.midi.reading import parse_midi, read_midi
from cadenza.midi.writing import midi_bytes, write_midi

__all__ = ["midi_bytes", "parse_midi", "read_midi", "read_notes", "write_midi"]
