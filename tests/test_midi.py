"""Reading and writing MIDI: golden bytes, laws, damage, and two independent readers as witnesses."""

from __future__ import annotations

import errno
import io
import os
import struct
from collections import Counter
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadenza.errors import CadenzaError, MidiError
from cadenza.midi import chunks, midi_bytes, parse_midi, read_midi, read_notes, reading, write_midi
from cadenza.score import NOTE, Event, KeySignature, Score, Tempo, TimeSignature, Track, note_array

END = "00ff2f00"
SCALE = "00903c40 60803c40 00903e40 60803e40 00904040 60804040"
"""Three notes on channel 0, each 96 ticks long."""

DATA = os.environ.get("CADENZA_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="no folder of corpora is named")


def chunk(track: str, kind: bytes = b"MTrk", length: int | None = None) -> bytes:
    data = bytes.fromhex(track)
    return kind + struct.pack(">L", len(data) if length is None else length) + data


def header(tracks: int, division: int = 96, kind: int = 1) -> bytes:
    return b"MThd" + struct.pack(">LHHH", 6, kind, tracks, division)


def smf(*tracks: str, division: int = 96, kind: int = 1) -> bytes:
    """A file of tracks given in hexadecimal, each ended properly."""
    return header(len(tracks), division, kind) + b"".join(chunk(track + END) for track in tracks)


def parse(*tracks: str) -> Score:
    return parse_midi(smf(*tracks), "test.mid")


def rows(score: Score) -> list[tuple[int, ...]]:
    """(pitch, start, end, velocity, channel, release) of every note."""
    return [(int(p), int(s), int(e), int(v), int(c), int(r)) for s, e, p, v, c, r in score.notes.tolist()]


def assert_sane(score: Score) -> None:
    notes = score.notes
    assert score.ticks_per_quarter > 0
    assert all(tempo.microseconds > 0 for tempo in score.tempos)
    assert (notes["start"] >= 0).all()
    assert (notes["end"] >= notes["start"]).all()
    assert (notes["end"] < 2**31).all()
    assert (notes["pitch"] <= 127).all()
    assert ((notes["velocity"] >= 1) & (notes["velocity"] <= 127)).all()
    assert 0 <= score.seconds_long <= 24 * 3600


# ---------------------------------------------------------------- reading


def test_reads_every_kind_of_message() -> None:
    score = parse(
        "00ff0305 5069616e6f 00ff510306 1a80 00ff5804 03021808 00ff5902 fd01 00ff0106 48656c6c6f21",
        "00c105 00913c40 30b14064 30813c20 00f0037e09f7 00ff7f020102",
    )
    assert score.ticks_per_quarter == 96
    assert score.tempos == (Tempo(0, 400_000),)
    assert score.time_signatures == (TimeSignature(0, 3, 4),)
    assert score.key_signatures == (KeySignature(0, -3, minor=True),)
    assert score.tracks[0].name == "Piano"
    assert score.tracks[0].events[1] == Event(0, b"\xff\x01Hello!")
    assert score.tracks[1].events == (
        Event(0, b"\xc1\x05"),
        Event(48, b"\xb1\x40\x64"),
        Event(96, b"\xf0\x7e\x09\xf7"),
        Event(96, b"\xff\x7f\x01\x02"),
    )
    assert rows(score) == [(60, 0, 96, 64, 1, 32)]
    assert score.problems == ()


def test_changes_know_their_track() -> None:
    score = parse("00ff5103 061a80", SCALE + "00ff5103 07a120")
    assert score.tempos == (Tempo(0, 400_000, 0), Tempo(288, 500_000, 1))


def test_running_status_and_velocity_zero_end_notes() -> None:
    assert rows(parse("00903c40 603c00 003e50 603e00")) == [(60, 0, 96, 64, 0, 64), (62, 96, 192, 80, 0, 64)]


def test_notes_of_one_pitch_end_in_the_order_they_began() -> None:
    score = parse("00903c10 10903c20 10803c00 10803c00")
    assert [row[:4] for row in rows(score)] == [(60, 0, 32, 16), (60, 16, 48, 32)]
    assert "Notes that begin while another of their pitch and channel sounds: 1." in score.problems


def test_channels_do_not_end_each_others_notes() -> None:
    score = parse("00903c10 00913c20 10813c00 10803c00")
    assert sorted(row[1:5] for row in rows(score)) == [(0, 16, 32, 1), (0, 32, 16, 0)]


def test_a_late_end_of_track_is_kept() -> None:
    data = header(1) + chunk(SCALE + "60ff2f00")
    score = parse_midi(data, "x")
    assert score.length == 288 + 96
    assert parse_midi(midi_bytes(score), "x").length == 288 + 96


def test_film_time_becomes_seconds() -> None:
    score = parse_midi(smf(SCALE, division=0xE728), "x")  # 25 frames a second of 40 ticks
    assert score.seconds(1000) == pytest.approx(1.0)
    assert "film frames, 25 a second" in score.problems[0]


def test_film_time_of_29_frames_is_drop_frame() -> None:
    score = parse_midi(smf(SCALE, division=0xE364), "x")
    assert score.seconds(30_000) == pytest.approx(10.01)


def test_reads_riff_wrapped_midi() -> None:
    inner = smf(SCALE)
    data = b"RIFF" + struct.pack("<L", len(inner) + 12) + b"RMIDdata" + struct.pack("<L", len(inner)) + inner
    assert parse_midi(data, "x") == parse_midi(inner, "x")
    assert not any("skipped" in problem for problem in parse_midi(data, "x").problems)


TEMPO = "00ff5103 07a120"

MENDED = {
    "orphan note-off": (smf(TEMPO + SCALE + "00803c00"), "Note-offs that close no note: 1", 3),
    "never closed": (smf(TEMPO + SCALE + "00904840"), "never closed, ended with their track: 1", 4),
    "zero length": (smf(TEMPO + SCALE + "00904840 00804800"), "zero length: 1", 4),
    "velocity of 200": (smf(TEMPO + SCALE + "009048c8 10804800"), "above 127, clipped: 1", 4),
    "system message": (smf(TEMPO + SCALE + "00f8"), "do not belong in a file, left out: 1", 3),
    "no tempo": (smf(SCALE), "No tempo", 3),
    "tempo 0": (smf("00ff5103 000000" + SCALE), "Tempos of 0", 3),
    "short tempo": (smf("00ff5102 07a1" + SCALE), "Tempos of 0 or of a wrong length, left out: 1", 3),
    "0/4": (smf(TEMPO + "00ff5804 00021808" + SCALE), "Time signatures that make no sense", 3),
    "4/2^255": (smf(TEMPO + "00ff5804 04ff1808" + SCALE), "Time signatures that make no sense", 3),
    "short 3/4": (smf(TEMPO + "00ff5802 0302" + SCALE), "Time signatures of a wrong length, mended", 3),
    "12 sharps": (smf(TEMPO + "00ff5902 0c00" + SCALE), "Key signatures that make no sense", 3),
    "type 2": (smf(TEMPO + SCALE, SCALE, kind=2), "Type 2: its 2 tracks", 6),
    "type 0 of two tracks": (smf(TEMPO + SCALE, SCALE, kind=0), "Type 0 with 2 tracks", 6),
    "type 77": (smf(TEMPO + SCALE, kind=77), "Unknown MIDI type 77", 3),
    "tracks missing": (header(9) + chunk(SCALE + END), "promises 9 tracks, the file holds 1", 3),
    "no end of track": (header(1) + chunk(SCALE), "Track 1 has no end-of-track message", 3),
    "junk after": (smf(TEMPO + SCALE) + b"\0junk", "junk between or after the tracks: 5", 3),
    "junk before": (b"\0" * 128 + smf(TEMPO + SCALE), "first 128 bytes", 3),
    "junk between": (header(2) + chunk(SCALE + END) + b"\0\1" + chunk(SCALE + END), "junk between", 6),
    "rest of an older file": (header(1) + chunk(SCALE + END) + b"\0\1" + chunk(SCALE + END), "junk.*: 38", 3),
    "foreign chunk": (header(1) + chunk("0102", b"XFIH") + chunk(SCALE + END), "chunk 'XFIH'", 3),
    "long header": (
        b"MThd" + struct.pack(">LHHHL", 10, 1, 1, 96, 0) + chunk(SCALE + END),
        "No tempo",
        3,
    ),
    "length 0": (header(1) + chunk(SCALE + END, length=0), "Track 1 has a wrong length", 3),
    "length too small": (
        header(2) + chunk(SCALE + END, length=5) + chunk(SCALE + END),
        "Track 1 has a wrong length",
        6,
    ),
    "cut off": (header(1) + chunk(SCALE, length=4000), "cut off at the end of the file, byte 46", 3),
    "cut in a message": (
        header(1) + chunk(SCALE + "0090"),
        "Track 1 breaks off at byte 46: the track ends",
        3,
    ),
    "no status": (header(2) + chunk(SCALE + END) + chunk("0001020304"), "Track 2 breaks off at byte 59", 3),
    "sixteen-byte time": (header(1) + chunk(SCALE + "ff" * 16), "more than five bytes", 3),
}


@pytest.mark.parametrize(("data", "problem", "notes"), MENDED.values(), ids=MENDED.keys())
def test_damage_is_mended_and_told(data: bytes, problem: str, notes: int) -> None:
    score = parse_midi(data, "x.mid")
    assert len(score.notes) == notes
    assert_sane(score)
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(" ".join(score.problems))
    assert parse_midi(midi_bytes(score), "again") == score


def test_problems_without_end_are_cut_short() -> None:
    problems = parse_midi(header(30) + chunk(SCALE) * 30, "x").problems
    assert len(problems) == 20
    assert problems[0] == "Track 1 has no end-of-track message."
    assert problems[-1] == "And 12 problems more."


def test_a_mended_time_signature_is_the_one_meant() -> None:
    assert parse("00ff5802 0302" + SCALE).time_signatures == (TimeSignature(0, 3, 4),)


def test_a_tempo_of_zero_leaves_the_one_before() -> None:
    score = parse("00ff5103 0f4240 00903c40 60ff5103 000000 60803c40")
    assert score.seconds_long == pytest.approx(2.0)


def test_notes_never_closed_end_with_their_track() -> None:
    assert rows(parse("00903c40 60ff0100")) == [(60, 0, 96, 64, 0, 64)]


LONG_PIECE = "00ff5103 ffffff 00903c40 ffffff7f 803c40"

REFUSED = {
    "empty": (b"", "empty file"),
    "zeros": (bytes(500), "nothing but zero bytes"),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt ", "a WAV file"),
    "riff": (b"RIFF\x24\0\0\0AVI LIST", "another RIFF file"),
    "mp3": (b"ID3\x03\0\0", "an MP3 file"),
    "zip": (b"PK\x03\x04\x14\0", "a ZIP archive.*unpack"),
    "web page": (b"\n<!DOCTYPE html><p>404", "an XML or HTML file"),
    "json": (b'{"tracks": []}', "a JSON file"),
    "text": (b"C4 D4 E4 F4\n", "a text file"),
    "text that is not English": ("Für Elise, 1810\n".encode(), "a text file"),
    "noise": (bytes(range(128, 256)), "not a MIDI file: it has no MThd header"),
    "a bracket and noise": (b"<" + bytes(range(128, 256)), "not a MIDI file: it has no MThd header"),
    "a few bytes": (b"[a;", "not a MIDI file: it has no MThd header"),
    "one long word": (b"aGVsbG8hIQ==" * 50, "not a MIDI file: it has no MThd header"),
    "text and noise": (b"Dear composer,\x01\x02", "not a MIDI file: it has no MThd header"),
    "track alone": (chunk(SCALE + END), "without the header"),
    "half a header": (b"MThd\0\0\0\6\0\1", "truncated at byte 10"),
    "header alone": (header(1), "truncated at byte 14"),
    "division 0": (smf(SCALE, division=0), "0 ticks a quarter"),
    "7 frames a second": (smf(SCALE, division=0xF928), "7 frames a second"),
    "25 frames of no tick": (smf(SCALE, division=0xE700), "25 frames a second of 0 ticks"),
    "garbage track": (header(1) + chunk("0001020304"), "damaged: track 1 breaks off at byte 23"),
    "beyond 2^31": (smf(SCALE + "ffffff7fb04000" * 9 + SCALE), "tick 2415"),
    "28 hours": (smf(*[LONG_PIECE] * 2, division=10), "more than 24 hours"),
    "nonsense": (smf(SCALE + "00f8" * 30), "damaged: 30 of its"),
}


@pytest.mark.parametrize(("data", "match"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_music_gets_one_line(data: bytes, match: str, tmp_path: Path) -> None:
    path = tmp_path / "upload.mid"
    path.write_bytes(data)
    with pytest.raises(MidiError, match=match) as caught:
        read_midi(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [read_midi, read_notes])
def test_paths_that_are_no_file(read, tmp_path: Path) -> None:
    with pytest.raises(MidiError, match="a folder, not a file"):
        read(tmp_path)
    with pytest.raises(MidiError, match=r"none\.mid: no such file"):
        read(tmp_path / "none.mid")
    with pytest.raises(MidiError, match="not a file name"):
        read("nul\0byte.mid")
    pipe = tmp_path / "pipe.mid"
    os.mkfifo(pipe)
    with pytest.raises(MidiError, match="not a regular file"):
        read(pipe)


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "big.mid"
    path.write_bytes(smf(SCALE * 10))
    monkeypatch.setattr(reading, "MAX_NOTES", 29)
    with pytest.raises(MidiError, match="more than 29 notes"):
        read_midi(path)
    with pytest.raises(MidiError, match="30 notes, more than the 29"):
        read_notes(path)
    monkeypatch.setattr(chunks, "MAX_BYTES", 100)
    with pytest.raises(MidiError, match="more than the"):
        read_midi(path)
    with pytest.raises(MidiError, match="more than the"):
        parse_midi(path.read_bytes(), "upload")


# ---------------------------------------------------------------- writing


def test_golden_bytes() -> None:
    score = Score(
        96,
        (Track(note_array([(60, 0, 96, 64)]), (Event(0, b"\xff\x03Hi"), Event(48, b"\xb0\x40\x7f")), 200),),
        (Tempo(0, 500_000),),
        (TimeSignature(0, 6, 8),),
        (KeySignature(0, -1),),
        midi_format=0,
    )
    track = "00ff510307a120 00ff580406031808 00ff5902ff00 00ff03024869 00903c40 30b0407f 30803c40 68ff2f00"
    assert midi_bytes(score) == header(1, kind=0) + chunk(track)


def test_a_key_is_released_before_it_is_struck_again() -> None:
    score = Score(96, (Track(note_array([(60, 0, 96, 64), (60, 96, 96, 65), (60, 96, 192, 66)])),))
    track = "00903c40 60803c40 00903c41 00803c40 00903c42 60803c40 00ff2f00"
    assert midi_bytes(score) == header(1) + chunk(track)


def test_a_stray_note_off_stays_one() -> None:
    score = parse("00903c40 60803c00 00803c07 00903c40 00803c00 60803c08")
    again = parse_midi(midi_bytes(score), "x")
    assert again == score
    assert [e.message for e in again.tracks[0].events] == [b"\x80\x3c\x07", b"\x80\x3c\x08"]


@pytest.mark.parametrize(
    ("score", "match"),
    [
        (Score(0), "0 ticks a quarter"),
        (Score(40_000), "40000 ticks a quarter"),
        (Score.from_notes([(128, 0, 10, 64)]), "a note that no MIDI file can hold"),
        (Score.from_notes([(60, 0, 10, 0)]), "a note that no MIDI file can hold"),
        (Score.from_notes([(60, 10, 0, 64)]), "a note that no MIDI file can hold"),
        (Score.from_notes([(60, -5, 0, 64)]), "a note that no MIDI file can hold"),
        (Score.from_notes([(60, 0, 10, 64)], metre=(4, 6)), "power of two"),
        (Score.from_notes([], events=[Event(0, b"\xb0\x40")]), "not a message"),
        (Score.from_notes([], events=[Event(0, b"\xb0\x40\x80")]), "b0 40 80"),
        (Score.from_notes([], events=[Event(0, b"\xff\x2f")]), "not a message"),
        (Score.from_notes([], events=[Event(0, b"")]), "empty"),
        (Score.from_notes([], events=[Event(-1, b"\xb0\x40\x10")]), "back in time"),
    ],
)
def test_what_no_file_can_hold_is_not_written(score: Score, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        midi_bytes(score)


def test_writes_a_file_and_nothing_else(tmp_path: Path) -> None:
    score = Score.from_notes([(60, 0, 480, 64)])
    write_midi(score, tmp_path / "a.mid")
    write_midi(score, str(tmp_path / "a.mid"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mid"]
    assert read_midi(tmp_path / "a.mid") == score


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "a.mid"
    target.write_bytes(b"old")
    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(CadenzaError, match=r"a\.mid: not written: the disk is full"):
        write_midi(Score.from_notes([(60, 0, 480, 64)]), target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mid"]


def test_writing_where_one_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score = Score.from_notes([(60, 0, 480, 64)])
    with pytest.raises(CadenzaError, match="there is no folder"):
        write_midi(score, tmp_path / "no" / "a.mid")
    with pytest.raises(CadenzaError, match="this is a folder"):
        write_midi(score, tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CadenzaError, match="no ordinary file"):
        write_midi(score, tmp_path / "pipe")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(CadenzaError, match="you may not write there"):
        write_midi(score, tmp_path / "a.mid")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


# ---------------------------------------------------------------- laws

LAST = 5000
sevens = st.integers(0, 127)
channels = st.integers(0, 15)
ticks = st.integers(0, LAST)


@st.composite
def held_notes(draw: st.DrawFn, channel: int, pitch: int) -> list[tuple[int, ...]]:
    """Notes of one pitch and channel, the first to begin the first to end, as a file can hold them."""
    starts = sorted(draw(st.lists(st.integers(0, 40), max_size=5)))
    made: list[tuple[int, ...]] = []
    end = 0
    for start in starts:
        end = max(end, start + draw(st.integers(0, 30)))
        made.append((start, end, pitch, draw(st.integers(1, 127)), channel, draw(sevens)))
    return made


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Any message that is not a note, a tempo, a signature or the end of a track."""
    kind = draw(st.sampled_from([0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0, 0xF7, 0xFF]))
    if kind in (0xC0, 0xD0):
        return bytes((kind | draw(channels), draw(sevens)))
    if kind < 0xF0:
        return bytes((kind | draw(channels), draw(sevens), draw(sevens)))
    data = draw(st.binary(max_size=200))
    if kind < 0xFF:
        return bytes((kind,)) + data
    return bytes((0xFF, draw(sevens.filter(lambda t: t not in (0x2F, 0x51, 0x58, 0x59))))) + data


@st.composite
def tracks(draw: st.DrawFn) -> Track:
    keys = draw(st.lists(st.tuples(channels, sevens), max_size=4, unique=True))
    notes = np.array([note for key in keys for note in draw(held_notes(*key))], dtype=NOTE)
    events = draw(st.lists(st.builds(Event, ticks, messages()), max_size=6))
    return Track(
        note_array(notes), tuple(sorted(events, key=lambda e: e.tick)), draw(st.integers(LAST, 2**24))
    )


@st.composite
def scores(draw: st.DrawFn) -> Score:
    made = tuple(draw(st.lists(tracks(), min_size=1, max_size=3)))
    place = st.integers(0, len(made) - 1)
    powers = st.integers(0, 8).map(lambda power: 2**power)
    byte = st.integers(0, 255)

    def some(change: st.SearchStrategy) -> tuple:
        return tuple(sorted(draw(st.lists(change, max_size=4)), key=lambda c: (c.tick, c.track)))

    return Score(
        draw(st.integers(200, 32_767)),
        made,
        some(st.builds(Tempo, ticks, st.integers(1, 9000), place)),
        some(st.builds(TimeSignature, ticks, st.integers(1, 255), powers, place, byte, byte)),
        some(st.builds(KeySignature, ticks, st.integers(-7, 7), st.booleans(), place)),
        draw(st.sampled_from([0, 1, 2])) if len(made) == 1 else draw(st.sampled_from([1, 2])),
    )


@given(scores())
@settings(max_examples=200, deadline=None)
def test_writing_and_reading_give_the_same_score(score: Score) -> None:
    data = midi_bytes(score)
    again = parse_midi(data, "x")
    assert again == score
    assert midi_bytes(again) == data


def mido_messages(data: bytes) -> Counter[tuple[int, int, str]]:
    """(track, tick, message) as mido sees them, a note-on of velocity 0 told as the note-off that it is."""
    seen: Counter[tuple[int, int, str]] = Counter()
    for number, track in enumerate(mido.MidiFile(file=io.BytesIO(data)).tracks):
        tick = 0
        for message in track:
            tick += message.time
            told = message.copy(time=0)
            if message.type == "note_on" and message.velocity == 0:
                told = mido.Message("note_off", channel=message.channel, note=message.note, velocity=64)
            seen[number, tick, str(told)] += 1
    return seen


@given(scores())
@settings(max_examples=50, deadline=None)
def test_mido_reads_the_notes_that_were_written(score: Score) -> None:
    plain = [Track(t.notes, tuple(e for e in t.events if e.message[0] < 0xF0), t.end) for t in score.tracks]
    score = Score(score.ticks_per_quarter, tuple(plain), score.tempos, midi_format=score.midi_format)
    seen = mido_messages(midi_bytes(score))
    for number, track in enumerate(score.tracks):
        for start, end, pitch, velocity, channel, release in track.notes.tolist():
            on = mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)
            off = mido.Message("note_off", channel=channel, note=pitch, velocity=release)
            seen -= Counter({(number, start, str(on)): 1})
            seen -= Counter({(number, end, str(off)): 1})
    assert not [key for key in seen if "note_" in key[2]]
    assert sum(seen.values()) == sum(len(t.events) + 1 for t in score.tracks) + len(score.tempos)


@given(scores(), st.data())
@settings(max_examples=200, deadline=None)
def test_any_damage_gives_a_sane_score_or_a_midi_error(score: Score, data: st.DataObject) -> None:
    damaged = bytearray(midi_bytes(score))
    places = st.integers(0, len(damaged) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=20)):
        damaged[place] = data.draw(st.integers(0, 255))
    try:
        mended = parse_midi(bytes(damaged[: data.draw(places)]), "x")
    except MidiError:
        return
    assert_sane(mended)
    assert parse_midi(midi_bytes(mended), "x") == mended


# ---------------------------------------------------------------- corpora


def note_set(score: Score) -> Counter[tuple[int, ...]]:
    """What both readers know of the notes: everything but release velocity and the number of the channel."""
    return Counter((p, s, e, v, c == 9) for p, s, e, v, c, _ in rows(score))


def pedal(score: Score) -> list[tuple[int, int]]:
    moves = [track.controls(64) for track in score.tracks]
    return sorted((int(tick), int(value)) for rows in moves for tick, _, value in rows)


def test_the_fast_reader_agrees_with_the_exact_one(tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(
        smf(
            "00ff5103 07a120 00ff5804 03021808 00ff5902 0201 60ff5103 061a80",
            "00ff03025248 00c004 00904040 10b0407f 50804040 00b04000" + SCALE,
            "00ff03024452 00992440 18892440 00992640 18892640 00992640 00892640",
        )
    )
    fast, exact = read_notes(path), read_midi(path)
    assert note_set(fast) == note_set(exact)
    assert pedal(fast) == pedal(exact) == [(16, 127), (96, 0)]
    assert (fast.tempos, fast.time_signatures) == (exact.tempos, exact.time_signatures)
    assert (fast.key_signatures, fast.ticks_per_quarter) == (exact.key_signatures, 96)
    assert [track.programs() for track in fast.tracks] == [{0: 4}, {9: 0}]
    assert [track.name for track in fast.tracks] == ["RH", "DR"]


def test_pedal_in_a_track_of_its_own_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(smf(TEMPO, SCALE, "00b0407f 604000 604020"))
    score = read_notes(path)
    assert pedal(score) == [(0, 127), (96, 0), (192, 32)]
    assert [len(track.notes) for track in score.tracks] == [3, 0]


def test_the_fast_reader_survives_what_crashes_its_library(tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(header(2) + chunk(SCALE + END) + chunk(SCALE, length=0xE0000000))
    assert len(read_notes(path).notes) == 6
    path.write_bytes(smf("0090ff40 6080ff40" + SCALE))
    assert note_set(read_notes(path)) == note_set(read_midi(path))


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (smf(SCALE, SCALE, kind=2), "type 2, several pieces"),
        (b"", "empty file"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "a WAV file"),
        (smf(SCALE, division=0), "0 ticks a quarter"),
        (header(1) + chunk("0001020304"), "damaged: Unexpected running status"),
        (smf(SCALE + "ffffff7fb04000" * 9 + SCALE), "beyond tick"),
        (smf(LONG_PIECE, division=1), "more than 24 hours"),
    ],
)
def test_the_fast_reader_refuses(data: bytes, match: str, tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(data)
    with pytest.raises(MidiError, match=match):
        read_notes(path)


def test_the_fast_reader_leaves_out_nonsense(tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(smf("00ff5103000000 00ff580400021808 00ff59020c00" + SCALE))
    score = read_notes(path)
    assert (score.tempos, score.time_signatures, score.key_signatures) == ((), (), ())
    assert [problem.split()[0] for problem in score.problems] == ["Tempos", "Time", "Key", "No"]


def corpus_files(every: int) -> list[Path]:
    found = [
        path
        for corpus in ("classical", "pop909", "jazz")
        for path in sorted((Path(DATA or ".") / corpus).rglob("*"))
        if path.suffix.lower() == ".mid"
    ]
    return found[::every]


@needs_data
def test_both_readers_agree_on_the_corpora() -> None:
    files = corpus_files(8)
    assert len(files) > 100
    for path in files:
        fast, exact = read_notes(path), read_midi(path)
        assert note_set(fast) == note_set(exact), path
        times = [(t.tick, t.microseconds) for t in exact.tempos]
        assert [(t.tick, t.microseconds) for t in fast.tempos] == times, path


@needs_data
def test_a_file_written_again_has_the_same_messages() -> None:
    files = corpus_files(60)
    assert len(files) > 20
    for path in files:
        exact = read_midi(path)
        if not any("never closed" in problem for problem in exact.problems):
            assert mido_messages(midi_bytes(exact)) == mido_messages(path.read_bytes()), path


@needs_data
def test_every_file_of_the_zoo_is_sane_or_refused() -> None:
    files = [path for path in sorted((Path(DATA or ".") / "midi-zoo").rglob("*")) if path.suffix != ".tsv"]
    refused = {read_midi: 0, read_notes: 0}
    for path in filter(Path.is_file, files):
        for read in refused:
            try:
                score = read(path)
            except MidiError:
                refused[read] += 1
                continue
            assert_sane(score)
            if read is read_midi:
                assert parse_midi(midi_bytes(score), "again") == score, path
    assert 0 < refused[read_midi] <= 20
    assert 0 < refused[read_notes] <= 40


def test_twenty_four_hours_are_allowed_and_a_moment_more_is_not() -> None:
    ticks = 24 * 3600 * 2 * 480
    assert parse_midi(midi_bytes(Score.from_notes([(60, 0, ticks, 80)])), "x").seconds_long == 86_400
    longer = midi_bytes(Score.from_notes([(60, 0, ticks + 1, 80)]))
    with pytest.raises(MidiError, match="lasts 86401 seconds, more than 24 hours"):
        parse_midi(longer, "x")


@pytest.mark.parametrize("between", ["00f00243f7", "00f70143", "00ff01024d65"])
def test_running_status_that_runs_on_after_a_system_message(between: str) -> None:
    """As in OverTheRainbowXG.MID, whose notes then follow; mido takes what follows for a system message."""
    score = parse(f"00903c40 {between} 603c00 003e50 603e00")
    assert [row[:3] for row in rows(score)] == [(60, 0, 96), (62, 96, 192)]
    assert "Messages that leave out their status after a meta or system-exclusive one: 1." in score.problems


@pytest.mark.parametrize("between", ["00f00243f7", "00ff01024d65"])
def test_a_status_that_is_said_again_is_no_problem(between: str) -> None:
    assert not any("leave out" in problem for problem in parse(f"00903c40 {between} 60903c00").problems)
