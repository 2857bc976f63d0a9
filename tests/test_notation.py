"""Sheet music: written values, the laws of voices and bars, and MusicXML read back by another library."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadenza import compose
from cadenza.errors import CadenzaError
from cadenza.notation import engrave, engraving, write_notation
from cadenza.notation.musicxml import musicxml
from cadenza.notation.sheet import DIVISIONS, Bar, Sheet, Spelling, Symbol
from cadenza.notation.writing import notate
from cadenza.score import SUSTAIN, Event, KeySignature, Score, Tempo, TimeSignature, Track, note_array

Row = tuple[int, int, int, int]

QUARTER = 480


def piece(
    *rows: Row,
    metre: tuple[int, int] = (4, 4),
    key: int | None = None,
    minor: bool = False,
    name: str = "Right hand",
) -> Score:
    """A score of (pitch, start, end, velocity) in ticks, 480 a quarter, all of it the right hand's."""
    score = Score.from_notes(rows, metre=metre, name=name)
    return score if key is None else replace(score, key_signatures=(KeySignature(0, key, minor),))


def melody(pitches: str, length: int = QUARTER, **options: Any) -> Score:
    """Notes of one length, one after the other: "60 62 64"."""
    rows = [(int(p), i * length, (i + 1) * length, 80) for i, p in enumerate(pitches.split())]
    return piece(*rows, **options)


def hands(right: list[Row], left: list[Row], metre: tuple[int, int] = (4, 4)) -> Score:
    """A score of two tracks that are named after hands."""
    tracks = (Track.named("Right hand", note_array(right)), Track.named("Left hand", note_array(left)))
    return Score(480, tracks, (Tempo.from_qpm(0, 90),), (TimeSignature(0, *metre),))


def names(sheet: Sheet) -> str:
    """The notes as they are spelt, by onset and pitch: "C#4 E4"."""
    notes = sorted(sheet.sounding(), key=lambda note: (note.onset, note.spelling.pitch))
    signs = {-2: "bb", -1: "b", 0: "", 1: "#", 2: "##"}
    return " ".join(f"{n.spelling.letter}{signs[n.spelling.alteration]}{n.spelling.octave}" for n in notes)


def rhythm(symbols: tuple[Symbol, ...]) -> str:
    """A voice in short: 4 a quarter, 8. a dotted eighth, 8t of a tuplet, r a rest, ~ a tie to the next."""
    return " ".join(map(short, symbols))


def short(symbol: Symbol) -> str:
    if symbol.value is None:
        return "bar"
    text = f"{symbol.value.denominator}{'.' * symbol.value.dots}{'t' * (symbol.value.ratio is not None)}"
    return f"{'' if symbol.heads else 'r'}{text}{'~' * any(head.tied for head in symbol.heads)}"


def upper(score: Score, **options: Any) -> list[str]:
    """The rhythm of the right hand's upper voice, bar by bar."""
    return [rhythm(bar.staves[0].voices[0]) for bar in notate(score, **options).bars]


def sounding(sheet: Sheet) -> list[tuple[int, int, int]]:
    """(onset, length, pitch) of all notes, sorted."""
    return sorted((n.onset, n.length, n.spelling.pitch) for n in sheet.sounding())


def check_bars(sheet: Sheet) -> None:
    """Each voice of each bar fills it, symbol after symbol, and whole tuplets follow each other."""
    for bar in sheet.bars:
        for staff in bar.staves:
            assert 1 <= len(staff.voices) <= 2
            for voice in staff.voices:
                check_voice(bar, voice)


def check_voice(bar: Bar, voice: tuple[Symbol, ...]) -> None:
    at, inside = 0, False
    for symbol in voice:
        assert symbol.onset == at
        assert symbol.length > 0
        if symbol.value is None:
            assert symbol.length == bar.length
            assert not symbol.heads
        else:
            assert symbol.length == symbol.value.length
            assert symbol.tuplet_begins is (symbol.value.ratio is not None and not inside)
            inside = symbol.value.ratio is not None and not symbol.tuplet_ends
        spelt = [head.spelling for head in symbol.heads]
        assert len(set(spelt)) == len(spelt)
        at += symbol.length
    assert at == bar.length
    assert not inside


# --- Laws ---------------------------------------------------------------------------------------------------

GRIDS = (1, 2, 4, 3, 8, 6)


@st.composite
def hand_rows(draw: st.DrawFn, bar: int, pulse: int, bars: int, lowest: int) -> list[Row]:
    """Notes of a hand, up to three at once, whose onsets and ends lie on one grid in each pulse."""
    places = [0]
    grids = st.sampled_from(GRIDS if pulse == QUARTER else GRIDS[:4])
    for begin in range(0, bars * bar, pulse):
        grid = draw(grids)
        places += [begin + pulse * i // grid for i in range(1, grid + 1)]
    rows: list[Row] = []
    free = dict.fromkeys(range(lowest, lowest + 12), 0)
    for _ in range(draw(st.integers(1, 12))):
        pitch = draw(st.sampled_from(sorted(free)))
        later = [place for place in places if place >= free[pitch]]
        if len(later) < 2:
            continue
        first = draw(st.integers(0, len(later) - 2))
        last = draw(st.integers(first + 1, min(first + 9, len(later) - 1)))
        rows.append((pitch, later[first], later[last], 80))
        free[pitch] = later[last]
    return rows


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Metrical scores of one to three bars and two hands, perhaps with a pickup."""
    numerator, denominator = draw(
        st.sampled_from([(4, 4), (3, 4), (2, 4), (6, 8), (9, 8), (5, 4), (2, 2), (3, 8)])
    )
    bar, pulse = 1920 * numerator // denominator, min(480, 1920 // denominator)
    bars = draw(st.integers(1, 3))
    right = draw(hand_rows(bar, pulse, bars, 64))
    left = draw(hand_rows(bar, pulse, bars, 40))
    return hands(right, left, (numerator, denominator))


def rows_of(score: Score) -> list[tuple[int, int, int]]:
    notes = score.pitched_notes
    return sorted(
        (int(note["start"]), int(note["end"] - note["start"]), int(note["pitch"])) for note in notes
    )


@given(scores())
def test_a_metrical_score_is_written_as_it_is(score: Score) -> None:
    sheet = notate(score, exact_ends=True)
    check_bars(sheet)
    assert sounding(sheet) == rows_of(score)


@given(scores())
def test_onsets_and_pitches_are_kept_whatever_the_ends(score: Score) -> None:
    sheet = notate(score, exact_ends=False)
    check_bars(sheet)
    assert {(onset, pitch) for onset, _, pitch in sounding(sheet)} == {
        (onset, pitch) for onset, _, pitch in rows_of(score)
    }


@given(st.integers(0, 2**32 - 1), st.sampled_from([(4, 4), (3, 4), (6, 8), (7, 8), (5, 16)]))
def test_whatever_is_played_fills_its_bars(seed: int, metre: tuple[int, int]) -> None:
    check_bars(notate(played(seed, metre)))


def played(seed: int, metre: tuple[int, int] = (4, 4), notes: int = 60) -> Score:
    """Notes at any time, of any length, with the pedal pressed and lifted at any time."""
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.integers(0, 12 * QUARTER, notes))
    rows = [
        (
            int(rng.integers(21, 109)),
            start,
            start + int(rng.integers(1, 3 * QUARTER)),
            int(rng.integers(1, 128)),
        )
        for start in starts.tolist()
    ]
    times = np.sort(rng.integers(0, 14 * QUARTER, 8)).tolist()
    events = [Event(time, bytes([0xB0, SUSTAIN, 127 * (i % 2 == 0)])) for i, time in enumerate(times)]
    return Score.from_notes(rows, metre=metre, events=events)


def read_back(xml: bytes, path: Path) -> list[tuple[int, int, int]]:
    """(onset, length, pitch) in divisions of MusicXML, as partitura reads it from a file."""
    import partitura

    path.write_bytes(xml)
    (part,) = partitura.load_musicxml(str(path)).parts
    notes = part.note_array()
    columns = (notes["onset_quarter"].astype(float), notes["duration_quarter"].astype(float))
    onsets, lengths = (np.rint(column * DIVISIONS).astype(int).tolist() for column in columns)
    return sorted(zip(onsets, lengths, notes["pitch"].tolist(), strict=True))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the parser of tempos that partitura brings
@pytest.mark.filterwarnings("ignore:ignoring direction type")
@settings(max_examples=12)
@given(score=scores())
def test_musicxml_says_the_same_to_another_reader(
    score: Score, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("xml") / "read.musicxml"
    assert read_back(musicxml(notate(score, exact_ends=True)), path) == rows_of(score)


def lay_out(xml: bytes) -> None:
    """Lets Verovio say on standard error what it finds odd in MusicXML."""
    import verovio

    verovio.enableLog(verovio.LOG_WARNING)
    toolkit: Any = verovio.toolkit()
    assert toolkit.loadData(xml.decode())
    for page in range(toolkit.getPageCount()):
        toolkit.renderToSVG(page + 1)


@pytest.mark.parametrize("seed", range(3))
def test_verovio_has_nothing_to_complain_of(seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    lay_out(musicxml(notate(played(seed))))
    assert capfd.readouterr().err == ""


# --- Rhythm -------------------------------------------------------------------------------------------------


def test_values_show_the_beats() -> None:
    def lengths(*eighths: int, metre: tuple[int, int] = (4, 4)) -> list[str]:
        ends = np.cumsum(eighths) * 240
        rows = [(72, int(e) - 240 * n, int(e), 80) for n, e in zip(eighths, ends, strict=True)]
        return upper(piece(*rows, metre=metre), exact_ends=True)

    assert lengths(1, 2, 1, 4) == ["8 4 8 2"]
    assert lengths(3, 1, 4) == ["4. 8 2"]
    assert lengths(3, 2, 3) == ["4. 8~ 8 4."]
    assert lengths(2, 4, 2) == ["4 2 4"]
    assert lengths(2, 6) == ["4 2."]
    assert lengths(5, 3) == ["2~ 8 4."]
    assert lengths(8, 8) == ["1", "1"]
    assert lengths(6, 4, 6) == ["2. 4~", "4 2."]
    assert lengths(3, 3, metre=(3, 4)) == ["4. 4."]
    assert lengths(1, 5, metre=(3, 4)) == ["8 8~ 2"]
    assert lengths(2, 1, 2, 1, metre=(6, 8)) == ["4 8 4 8"]
    assert lengths(2, 2, 2, metre=(6, 8)) == ["4 8~ 8 4"]
    assert lengths(1, 2, 2, 1, metre=(6, 8)) == ["8 4 4 8"]


def test_rests_begin_on_beats() -> None:
    rows = [(72, 0, 240, 80), (72, 1680, 1920, 80)]
    assert upper(piece(*rows), exact_ends=True) == ["8 r8 r4 r4 r8 8"]
    assert upper(piece(rows[0], (72, 3840, 4800, 80)), exact_ends=True) == ["8 r8 r4 r2", "bar", "2 r2"]
    assert upper(piece((72, 720, 1440, 80), metre=(6, 8)), exact_ends=True) == ["r4. 4."]


def test_triplets_are_tuplets() -> None:
    thirds = [(72, i * 160, (i + 1) * 160, 80) for i in range(3)]
    sheet = notate(piece(*thirds, (74, 480, 960, 80)))
    (voice,) = sheet.bars[0].staves[0].voices
    assert rhythm(voice) == "8t 8t 8t 4 r2"
    assert [symbol.tuplet_begins for symbol in voice[:4]] == [True, False, False, False]
    assert [symbol.tuplet_ends for symbol in voice[:4]] == [False, False, True, False]
    xml = musicxml(sheet).decode()
    assert 'bracket="no"' in xml
    assert xml.count("<actual-notes>3</actual-notes>") == 3
    assert len(re.findall(r'<tuplet [^>]*type="start"', xml)) == 1


def test_tuplets_are_as_wide_as_they_need() -> None:
    assert upper(melody("72 74 76", 320)) == ["4t 4t 4t r2"]
    assert upper(piece((72, 0, 240, 80), *((74, 240 + i * 80, 320 + i * 80, 80) for i in range(3)))) == [
        "8 16t 16t 16t r4 r2"
    ]
    assert upper(melody("72 74 76 77 79 81", 80)) == ["16t 16t 16t 16t 16t 16t r4 r2"]
    assert upper(piece((72, 0, 320, 80), (74, 320, 480, 80))) == ["4t 8t r4 r2"]


def test_hands_may_divide_a_beat_differently() -> None:
    right = [(72 + i, i * 160, (i + 1) * 160, 80) for i in range(6)]
    left = [(48 + i, i * 240, (i + 1) * 240, 80) for i in range(4)]
    (bar,) = notate(hands(right, left)).bars
    assert rhythm(bar.staves[0].voices[0]) == "8t 8t 8t 8t 8t 8t r2"
    assert rhythm(bar.staves[1].voices[0]) == "8 8 8 8 r2"


def test_played_notes_are_written_as_they_are_meant() -> None:
    """Early, late and let go too soon, they are quarters, eighths and a triplet."""
    rows = [
        *[(72, 10, 440, 80), (74, 475, 905, 80), (76, 968, 1160, 80), (77, 1195, 1400, 80)],
        *[(79, 1445, 1570, 80), (77, 1606, 1720, 80), (76, 1755, 1890, 80), (74, 1925, 2700, 80)],
        *[(72, 2881, 3700, 80), (48, 3, 1700, 70), (48, 1915, 3690, 70)],
    ]
    score = piece(*rows, name="Piano")
    assert upper(score)[0] == "4 4 8 8 8t 8t 8t"
    assert rhythm(notate(score).bars[0].staves[1].voices[0]) == "1"


def test_staccato_is_not_written_as_rests() -> None:
    rows = [(72 + i, i * 240, i * 240 + 110, 80) for i in range(8)]
    assert upper(piece(*rows)) == ["8 8 8 8 8 8 8 8"]
    assert upper(piece(*rows), exact_ends=True)[0].startswith("16 r16 16 r16")


# --- Bars ---------------------------------------------------------------------------------------------------


def test_a_pickup_is_bar_0() -> None:
    rows = [(67, 0, 480, 80), (72, 480, 1440, 80), (71, 1440, 1920, 80), (72, 1920, 3360, 80)]
    score = replace(piece(*rows), time_signatures=(TimeSignature(0, 1, 4), TimeSignature(480, 3, 4)))
    sheet = notate(score)
    assert [(bar.number, bar.length, bar.metre) for bar in sheet.bars] == [
        (0, 480, (3, 4)),
        (1, 1440, (3, 4)),
        (2, 1440, (3, 4)),
    ]
    xml = musicxml(sheet).decode()
    assert re.findall("<beats>(.)</beats>", xml) == ["3"]
    assert re.findall(r'<measure number="(.)" implicit="(\w+)"', xml) == [
        ("0", "yes"),
        ("1", "no"),
        ("2", "no"),
    ]


def test_a_pickup_is_beamed_and_cut_from_the_end_of_its_bar() -> None:
    rows = [(67, 0, 120, 80), (69, 120, 240, 80), (72, 240, 1200, 80), (74, 1200, 1680, 80)]
    score = replace(piece(*rows), time_signatures=(TimeSignature(0, 1, 8), TimeSignature(240, 3, 4)))
    assert upper(score) == ["16 16", "2 4"]


def test_metres_change_where_the_score_says() -> None:
    score = melody("72 " * 11)
    score = replace(
        score, time_signatures=(TimeSignature(0, 4, 4), TimeSignature(1920, 3, 4), TimeSignature(3360, 4, 4))
    )
    bars = notate(score).bars
    assert [bar.metre for bar in bars] == [(4, 4), (3, 4), (4, 4)]
    assert [bar.length for bar in bars] == [1920, 1440, 1920]


def test_what_is_a_constant_time_late_is_on_its_beats() -> None:
    rows = [(60 + i % 12, i * 240 + 55, i * 240 + 295, 80) for i in range(64)]
    assert upper(piece(*rows))[1:3] == ["8 8 8 8 8 8 8 8"] * 2


def test_a_metre_that_cannot_be_written() -> None:
    with pytest.raises(CadenzaError, match="bars of 4/128 cannot be written"):
        notate(melody("60 62 64", metre=(4, 128)))


def test_no_note_but_drums() -> None:
    drums = Score(480, (Track.named("Drums", note_array([(36, 0, 10, 100)], channel=9)),))
    with pytest.raises(CadenzaError, match="no note in it"):
        notate(drums)


# --- Hands and voices ---------------------------------------------------------------------------------------


def test_two_voices_where_a_note_is_held_below_others() -> None:
    right = [(84, i * 480, (i + 1) * 480, 80) for i in range(4)]
    (bar,) = notate(hands([*right, (72, 0, 1920, 80)], [(48, 0, 1920, 80)])).bars
    assert [rhythm(voice) for voice in bar.staves[0].voices] == ["4 4 4 4", "1"]
    assert [rhythm(voice) for voice in bar.staves[1].voices] == ["1"]


def test_a_chord_is_one_symbol() -> None:
    (bar,) = notate(piece((60, 0, 1920, 80), (64, 0, 1920, 80), (67, 0, 1920, 80))).bars
    assert [len(symbol.heads) for voice in bar.staves[0].voices for symbol in voice] == [3]


def test_pairs_are_divided_between_voices_in_a_bar_that_has_two() -> None:
    rows = [(76, 0, 480, 80), (72, 0, 240, 80), (71, 240, 480, 80), (77, 480, 960, 80), (74, 480, 960, 80)]
    (bar,) = notate(hands(rows, [(48, 0, 960, 80)], (2, 4))).bars
    assert [rhythm(voice) for voice in bar.staves[0].voices] == ["4 4", "8 8 4"]


def test_rests_of_a_lower_voice_are_hidden() -> None:
    rows = [(84, 0, 960, 80), (86, 960, 1920, 80), (72, 480, 1920, 80)]
    (bar,) = notate(hands(rows, [(48, 0, 1920, 80)]), exact_ends=True).bars
    lower = bar.staves[0].voices[1]
    assert (rhythm(lower), lower[0].hidden) == ("r4 2.", True)
    assert 'print-object="no"' in musicxml(notate(hands(rows, [(48, 0, 1920, 80)]), exact_ends=True)).decode()


def test_four_voices_are_two_on_each_staff() -> None:
    tracks = [note_array([(pitch, 0, 960, 80), (pitch + 2, 960, 1920, 80)]) for pitch in (72, 67, 62, 50)]
    score = Score(480, tuple(Track.named(f"Voice {i}", notes) for i, notes in enumerate(tracks)))
    (bar,) = notate(score).bars
    pitches = [
        sorted(head.spelling.pitch for voice in staff.voices for head in voice[0].heads)
        for staff in bar.staves
    ]
    assert pitches == [[67, 72], [50, 62]]


def test_a_clef_changes_where_a_hand_stays_away() -> None:
    left = [(48, 0, 1920, 80), *((72 + i % 3, 1920 + i * 240, 2160 + i * 240, 80) for i in range(24))]
    sheet = notate(hands([(84, 0, 4 * 1920, 80)], left))
    assert [bar.staves[1].clef for bar in sheet.bars] == ["F", "G", "G", "G"]
    short_visit = [(48, 0, 1920, 80), (66, 1920, 2400, 80), (48, 2400, 3840, 80)]
    assert {bar.staves[1].clef for bar in notate(hands([(84, 0, 1920, 80)], short_visit)).bars} == {"F"}


# --- Spelling -----------------------------------------------------------------------------------------------


def test_a_major_has_sharps_and_f_minor_flats() -> None:
    a_major = melody("57 59 61 62 64 66 68 69", 240)
    assert names(notate(a_major)) == "A3 B3 C#4 D4 E4 F#4 G#4 A4"
    f_minor = melody("65 67 68 70 72 73 75 77", 240)
    assert names(notate(f_minor)) == "F4 G4 Ab4 Bb4 C5 Db5 Eb5 F5"


def test_the_leading_note_of_harmonic_minor_is_raised() -> None:
    assert names(notate(melody("69 71 72 74 76 77 80 81", 240))) == "A4 B4 C5 D5 E5 F5 G#5 A5"
    assert names(notate(melody("67 69 70 72 74 75 78 79", 240))) == "G4 A4 Bb4 C5 D5 Eb5 F#5 G5"
    assert names(notate(melody("68 70 71 73 75 76 79 80", 240))) == "G#4 A#4 B4 C#5 D#5 E5 F##5 G#5"


def test_chromatic_notes_rise_by_sharps_and_fall_by_flats() -> None:
    chord = [(pitch, 0, 3840, 70) for pitch in (48, 52, 55)]
    up = [(p, i * 480, (i + 1) * 480, 80) for i, p in enumerate((72, 73, 74, 77, 78, 79, 76, 72))]
    assert "C5 C#5 D5 F5 F#5 G5 E5 C5" in names(notate(piece(*chord, *up, key=0)))
    down = [(p, i * 480, (i + 1) * 480, 80) for i, p in enumerate((72, 71, 70, 69, 67, 64, 62, 60))]
    assert "C5 B4 Bb4 A4 G4 E4 D4 C4" in names(notate(piece(*chord, *down, key=0)))


def test_spelling_follows_the_signature() -> None:
    pitches = "66 68 70 71 73 75 77 78"
    assert names(notate(melody(pitches, 240, key=6))) == "F#4 G#4 A#4 B4 C#5 D#5 E#5 F#5"
    assert names(notate(melody(pitches, 240, key=-6))) == "Gb4 Ab4 Bb4 Cb5 Db5 Eb5 F5 Gb5"


@given(st.lists(st.integers(21, 108), min_size=1, max_size=30), st.integers(-7, 7))
def test_a_spelling_is_of_its_pitch(pitches: list[int], sharps: int) -> None:
    score = melody(" ".join(map(str, pitches)), 240, key=sharps or 1)
    found = sorted(sheet_note.spelling.pitch for sheet_note in notate(score).sounding())
    assert found == sorted(pitches)


def test_the_octave_is_that_of_the_letter() -> None:
    assert Spelling("C", -1, 5).pitch == 71
    assert Spelling("B", 1, 3).pitch == 60


def test_accidentals_hold_to_the_end_of_the_bar_and_are_taken_back_after_it() -> None:
    score = melody("65 65 66 65 66 64 65 67", key=1)
    first, second = (bar.staves[0].voices[0] for bar in notate(score).bars)
    shown = [[symbol.heads[0].accidental for symbol in voice] for voice in (first, second)]
    assert shown == [[True, False, True, True], [True, False, True, False]]


def test_a_tied_note_needs_no_second_accidental() -> None:
    first, second = notate(melody("66 66", 1440, key=0)).bars
    heads = [symbol.heads[0] for bar in (first, second) for symbol in bar.staves[0].voices[0] if symbol.heads]
    assert [(head.continues, head.accidental) for head in heads] == [
        (False, True),
        (False, False),
        (True, False),
    ]


# --- Marks --------------------------------------------------------------------------------------------------


def test_a_signature_of_c_major_alone_is_not_believed() -> None:
    assert {bar.key.sharps for bar in notate(melody("57 59 61 62 64 66 68 69", key=0)).bars} == {3}
    assert {bar.key.sharps for bar in notate(melody("57 59 61 62 64 66 68 69", key=2)).bars} == {2}


def test_loudness_is_marked_where_it_changes_for_long() -> None:
    rows = [(72, i * 480, i * 480 + 480, 50 if i < 16 else 110) for i in range(32)]
    rows[5] = (72, 2400, 2880, 100)
    marks = {bar.number: [mark.text for mark in bar.dynamics] for bar in notate(piece(*rows)).bars}
    assert {number: text for number, text in marks.items() if text} == {1: ["p"], 5: ["ff"]}


def test_tempos_are_marked_where_they_last() -> None:
    score = melody("72 " * 64)
    slow, fast = Tempo.from_qpm(0, 60), Tempo.from_qpm(8 * 1920, 120)
    wavering = [Tempo.from_qpm(i * 480, 58 + i % 5) for i in range(1, 30)]
    sheet = notate(replace(score, tempos=(slow, *wavering, fast)))
    marks = {bar.number: round(bar.tempo) for bar in sheet.bars if bar.tempo}
    assert marks == {1: pytest.approx(60, abs=2), 9: 120}


def test_a_pedal_that_is_renewed() -> None:
    def press(tick: int, value: int) -> Event:
        return Event(tick, bytes([0xB0, SUSTAIN, value]))

    presses = [
        press(0, 127),
        press(950, 0),
        press(970, 127),
        press(1900, 0),
        press(2000, 127),
        press(2100, 0),
    ]
    rows = [(72, i * 480, i * 480 + 480, 80) for i in range(8)]
    first, second = notate(Score.from_notes(rows, events=presses)).bars
    assert [(mark.onset, mark.text) for mark in first.pedal] == [(0, "down"), (960, "renewed")]
    assert [(mark.onset, mark.text) for mark in second.pedal] == [(0, "up")]
    xml = musicxml(notate(Score.from_notes(rows, events=presses))).decode()
    assert re.findall(r'<pedal [^>]*type="(\w+)"', xml) == ["start", "start", "stop"]


# --- Passages -----------------------------------------------------------------------------------------------


def written(xml: str) -> list[str]:
    """What the notes of MusicXML say that they write."""
    return re.findall(r'<note id="n([\d-]+)"', xml)


def test_notes_say_what_they_write() -> None:
    score = hands([(64, 0, 480, 80), (72, 1440, 2400, 80)], [(60, 0, 480, 80)])
    assert sorted(written(musicxml(notate(score)).decode())) == [
        "60-0-0-3",
        "64-0-0-1",
        "72-1440-1440-1",  # tied over the bar line
        "72-1440-1920-1",
    ]


def test_a_passage_is_as_it_stands_in_the_whole() -> None:
    score = melody("66 68 70 71 73 75 77 78 " * 4, key=6, metre=(3, 4))
    whole = notate(score)
    first, second = whole.passage(0, 4), whole.passage(4, 11)
    assert first.bars + second.bars == whole.bars
    assert (first.before, second.before) == (None, whole.bars[3])
    texts = [musicxml(sheet).decode() for sheet in (whole, first, second)]
    assert sorted(written(texts[1]) + written(texts[2])) == sorted(written(texts[0]))
    assert re.findall("<fifths>(.*?)</fifths>", texts[2]) == ["6"]
    assert [text.count("<beats>3</beats>") for text in texts] == [1, 1, 0]
    assert [text.count("light-heavy") for text in texts] == [1, 0, 1]  # the end is that of the piece
    assert re.findall(r'<measure [^>]*number="(\d+)"', texts[2])[0] == "5"


def test_a_passage_begins_with_the_first_pedal_that_goes_down_in_it() -> None:
    presses = [(0, 127), (2000, 0), (2400, 127), (4000, 0), (6000, 127), (7000, 0)]
    events = [Event(tick, bytes([0xB0, SUSTAIN, value])) for tick, value in presses]
    sheet = notate(Score.from_notes([(60, i * 480, i * 480 + 480, 80) for i in range(16)], events=events))

    def marks(first: int, last: int) -> str:
        return " ".join(mark.text for bar in sheet.passage(first, last).bars for mark in bar.pedal)

    assert marks(0, 4) == "down up down up down up"
    assert marks(1, 4) == "down up down up"
    assert marks(2, 4) == "down up"
    assert marks(2, 3) == ""
    musicxml(sheet.passage(1, 2))  # in which it does not go up


# --- Files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["pop", "classical", "chorale"])
def test_what_the_composer_writes_can_be_engraved(style: str, capfd: pytest.CaptureFixture[str]) -> None:
    score = compose.generate(compose.Wish(bars=4, seed=1, style=style)).score
    check_bars(notate(score))
    sheet_music = engrave(score, title="Composed & <new>")
    lay_out(sheet_music.musicxml)
    assert capfd.readouterr().err == ""
    assert len(sheet_music.pages) == 1
    assert sheet_music.pages[0].startswith("<svg ")
    assert "Composed &amp; &lt;new&gt;" in sheet_music.musicxml.decode()


def test_names_from_a_file_are_text_and_nothing_else() -> None:
    evil = '</text></svg><script>alert(1)</script><a href="javascript:alert(1)" onload="alert(1)">'
    (page,) = engrave(piece((60, 0, 480, 80), name=evil), title=evil).pages
    nodes = list(ET.fromstring(page).iter())
    assert not {node.tag.rpartition("}")[2] for node in nodes} & {"script", "a"}
    assert not any(name.startswith("on") for node in nodes for name in node.attrib)
    assert any(evil in (node.text or "") for node in nodes)


def test_the_same_score_gives_the_same_page() -> None:
    one, two = (engrave(played(1)).pages for _ in range(2))
    assert one == two


def test_pages_are_as_wide_and_high_as_asked() -> None:
    score = melody("72 74 76 77 " * 40)
    assert len(engrave(score).pages) < len(engrave(score, page_height=1000).pages)
    (page, *_) = engrave(score, page_width=1000).pages
    assert re.match(r'<svg width="400px"', page)


def test_a_picture_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engraving, "TALLEST", 1000)
    with pytest.raises(CadenzaError, match="too long to be engraved in one picture"):
        write_notation(melody("72 74 76 77 " * 40), tmp_path / "long.svg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".musicxml", ".mxl", ".svg"])
def test_files_are_whole(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"piece{suffix}"
    write_notation(melody("60 62 64 65"), path, title="Piece")
    content = path.read_bytes()
    if suffix == ".mxl":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert b"score.musicxml" in archive.read("META-INF/container.xml")
            content = archive.read("score.musicxml")
    assert (b"<svg " if suffix == ".svg" else b"<score-partwise") in content
    assert b"Piece" in content


def test_other_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match=r"x\.pdf: the name should end in \.musicxml, \.mxl or \.svg"):
        write_notation(melody("60 62"), tmp_path / "x.pdf")
