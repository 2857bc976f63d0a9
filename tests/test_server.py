"""The studio's server as a real process: what it answers, what it refuses, and what cannot harm it."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
import wave
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from cadenza.harmony import find_tonality
from cadenza.midi import midi_bytes, parse_midi, write_midi
from cadenza.score import Event, Score, Tempo, TimeSignature, Track, note_array
from cadenza.server.guard import MOST_BYTES, may_name
from cadenza.server.jobs import MOST_WAITING, REMEMBERED
from cadenza.server.pieces import MOST_NOTES, Piece, read_piece
from cadenza.server.reading import MOST
from cadenza.steering import Asked

if TYPE_CHECKING:
    from conftest import Serve, Studio

SCALE = [(60 + step, i * 240, i * 240 + 220, 80) for i, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12) * 2)]


# --- Composing ----------------------------------------------------------------------------------------------


def test_notes_come_one_after_the_other_and_end_in_the_take(studio: Studio) -> None:
    told = list(studio.events(studio.begin(piece={"notes": SCALE}, bars=2, takes=2, seed=5)))
    assert [number for number, _, _ in told] == list(range(len(told)))
    kinds = [kind for _, kind, _ in told]
    assert kinds.count("take") == 2
    assert kinds[-1] == "finished"
    for take in (0, 1):
        streamed = [
            tuple(n) for _, kind, w in told if kind == "notes" and w["take"] == take for n in w["notes"]
        ]
        (drawn,) = [w for _, kind, w in told if kind == "take" and w["take"] == take]
        assert len(streamed) > 1
        assert {n[:2] for n in map(tuple, drawn["notes"])} <= {n[:2] for n in streamed}
        assert drawn["seed"] == 5 + take
        assert all(3840 <= start < end <= 2 * 1920 + 3840 for _, start, end, _ in drawn["notes"])


def test_the_stream_is_what_the_package_composes(studio: Studio) -> None:
    from cadenza import compose

    *_, (_, _, told), _ = studio.events(studio.begin(piece={"notes": SCALE}, bars=1, seed=9, key="C major"))
    asked = Asked(key=find_tonality("C major"))
    wish = compose.Wish(1, 9, None, compose.Constraints.parse("C major", None), asked)
    take = compose.continue_(Piece(notes=SCALE).score(), wish)
    columns = [take.added[name].tolist() for name in ("pitch", "start", "end", "velocity")]
    assert told["notes"] == [list(row) for row in zip(*columns, strict=True)]


def test_it_goes_on_from_the_playhead(studio: Studio) -> None:
    *_, (_, _, told), _ = studio.events(studio.begin(piece={"notes": SCALE}, begin=1200, bars=1))
    assert told["begin"] == 1200
    assert all(1200 <= start < 3840 for _, start, _, _ in told["notes"])
    assert told["heard"] == 5


def test_a_piece_from_nothing_keeps_tempo_and_metre(studio: Studio) -> None:
    piece = {"tempos": [[0, 90]], "metres": [[0, 3, 4]]}
    *_, (_, _, told), _ = studio.events(
        studio.begin(operation="compose", piece=piece, bars=2, style="chorale")
    )
    assert told["style"] == "chorale"
    assert max(end for _, _, end, _ in told["notes"]) <= 2 * 3 * 480


@pytest.mark.parametrize("operation", ["redo", "vary", "accompany", "sing"])
def test_what_is_drawn_into_a_piece_leaves_the_rest(studio: Studio, operation: str) -> None:
    piece = {"notes": SCALE}
    told = list(
        studio.events(studio.begin(operation=operation, piece=piece, begin=1920, end=3840, strength=0.5))
    )
    assert [kind for _, kind, _ in told][-2:] == ["take", "finished"]
    take = told[-2][2]
    assert take["notes"]
    assert all(1920 <= start < end <= 3840 for _, start, end, _ in take["notes"])
    removed = {tuple(row) for row in take["removed"]}
    assert removed <= {row for row in SCALE if row[1] >= 1920}
    assert len(removed) == {"redo": 8, "vary": 4}.get(operation, 0)


def test_chords_are_harmonised_with(studio: Studio) -> None:
    tune = [(72, i * 480, i * 480 + 470, 80) for i in range(8)]
    wish: dict[str, Any] = {"operation": "harmonise", "piece": {"notes": tune}, "begin": 0}
    told = list(studio.events(studio.begin(**wish, chords="C | Am F", density=3)))
    assert [kind for _, kind, _ in told][-2:] == ["take", "finished"]
    assert max(pitch for pitch, *_ in told[-2][2]["notes"]) < 72
    assert "no chords" in list(studio.events(studio.begin(**wish)))[-1][2]["error"]
    refused = studio.post("/api/jobs", {"model": "composer", **wish, "chords": "C | Hmpf"})
    assert refused.status == 400
    assert "Hmpf" in refused.error


def test_every_note_has_its_surprise(studio: Studio) -> None:
    told = studio.post("/api/surprise", {"piece": {"notes": SCALE}}).json
    assert [(pitch, start) for pitch, start, _ in told["notes"]] == [row[:2] for row in SCALE]
    assert all(nats > 0 for _, _, nats in told["notes"])
    assert "no note" in studio.post("/api/surprise", {"piece": {}}).error


def test_a_passage_is_found_among_other_pieces(serve: Serve, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    tune = [(int(pitch), i * 240, i * 240 + 200, 80) for i, pitch in enumerate(rng.integers(55, 80, 64))]
    (tmp_path / "music").mkdir()
    write_midi(Score.from_notes(tune), tmp_path / "music" / "original.mid")
    write_midi(Score.from_notes(SCALE), tmp_path / "music" / "other.mid")
    with serve(tmp_path, "--against", str(tmp_path / "music")) as studio:
        higher = [[pitch + 3, start, end - start, 80] for pitch, start, end, _ in tune[16:48]]
        notes = [(pitch, start - 16 * 240, length, loud) for pitch, start, length, loud in higher]
        told = studio.post("/api/resemblance", {"piece": {"notes": notes}}).json["text"]
        assert "original.mid, bars 3-6" in told
        assert "3 semitones lower" in told
        assert told.endswith(f"(Looked through: {tmp_path / 'music'}.)")
        assert "original.mid" in studio.post("/api/resemblance", {"piece": {"notes": tune[:7]}}).json["text"]
        for piece, why in (
            ([], "no note"),
            (tune[:1], "a note could be anybody's: it takes 7 at the least"),
            (tune[:6], "6 notes could be anybody's: it takes 7 at the least"),
            ([(60, i * 240, i * 240 + 200, 80) for i in range(40)], "repeated notes, scales"),
        ):
            assert why in studio.post("/api/resemblance", {"piece": {"notes": piece}}).error


def test_a_studio_looks_through_no_folder_that_is_not_there(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "cadenza",
        "studio",
        "--no-browser",
        "--port",
        "0",
        "--against",
        "nowhere",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no corpus or folder named 'nowhere'" in done.stderr


def test_a_lost_connection_goes_on_where_it_was(studio: Studio) -> None:
    job = studio.begin(piece={"notes": SCALE}, bars=2)
    everything = list(studio.events(job))
    assert list(studio.events(job, after=3)) == everything[4:]


@pytest.mark.parametrize("model", ["markov", "roll_lstm", "token_lstm"])
def test_other_kinds_of_models_stream_too(studio: Studio, model: str) -> None:
    told = list(studio.events(studio.begin(model=model, piece={"notes": SCALE}, bars=2)))
    kinds = [kind for _, kind, _ in told]
    assert kinds[-2:] == ["take", "finished"]
    assert kinds.count("notes") > 1


def test_those_who_hang_up_do_no_harm(studio: Studio) -> None:
    events = studio.events(studio.begin(piece={"notes": SCALE}, bars=16))
    next(events)
    events.close()
    # What the system sends to a process that writes to a connection which is gone.
    studio.process.send_signal(signal.SIGPIPE)
    assert list(studio.events(studio.begin(piece={"notes": SCALE}, bars=1)))[-1][1] == "finished"


def test_a_job_can_be_cancelled(studio: Studio) -> None:
    job = studio.begin(piece={"notes": SCALE}, bars=64, takes=4)
    events = studio.events(job)
    next(events)
    assert studio.ask("DELETE", f"/api/jobs/{job}").status == 200
    kinds = [kind for _, kind, _ in events]
    assert kinds[-1] == "cancelled"
    assert "finished" not in kinds


def test_a_full_queue_is_refused_and_empties(studio: Studio) -> None:
    wish = {"operation": "continue", "model": "composer", "piece": {"notes": SCALE}}
    with studio.busy(MOST_WAITING, piece={"notes": SCALE}) as jobs:
        refused = studio.post("/api/jobs", wish)
        assert refused.status == 503
        assert "wishes to fulfil already" in refused.error
        # What is cancelled gives its place free, also where it was only waiting.
        studio.ask("DELETE", f"/api/jobs/{jobs[-1]}")
        assert studio.post("/api/jobs", wish).status == 202
    assert list(studio.events(studio.begin(piece={"notes": SCALE}, bars=1)))[-1][1] == "finished"


@pytest.mark.parametrize(
    ("wish", "status", "words"),
    [
        ({"piece": {}}, 202, "there is no note in it"),
        ({"piece": {"notes": SCALE}, "model": "nosuch"}, 400, "no model 'nosuch'"),
        ({"piece": {"notes": SCALE}, "key": "H major"}, 400, "no key 'H major'"),
        ({"piece": {"notes": SCALE}, "pitch_range": "C6-C3"}, 400, "did you mean C3-C6"),
        ({"piece": {"notes": SCALE}, "temperature": 9}, 400, "temperature"),
        ({"piece": {"notes": SCALE}, "bars": 1000}, 422, "bars"),
        ({"piece": {"notes": [[200, 0, 1, 1]]}}, 422, "piece.notes.0.0"),
        ({"piece": {"notes": SCALE, "metres": [[0, 4, 3]]}}, 202, "no metre '4/3'"),
        ({"piece": {"notes": SCALE}, "begin": 0}, 202, "there is no note in it"),
        ({"piece": {"notes": SCALE}, "style": "dub"}, 202, "no style 'dub'"),
        ({"piece": {"notes": SCALE}, "operation": "improve"}, 422, "operation"),
    ],
)
def test_mistakes_are_told_in_one_line(studio: Studio, wish: dict[str, Any], status: int, words: str) -> None:
    answer = studio.post("/api/jobs", {"operation": "continue", "model": "composer", **wish})
    assert answer.status == status
    if status == 202:
        *_, (_, kind, told) = studio.events(answer.json["id"])
        assert kind == "failed"
        assert words in told["error"]
    else:
        assert words in answer.error


def test_finished_jobs_are_remembered_for_a_while(studio: Studio) -> None:
    jobs = [studio.begin(piece={}) for _ in range(MOST_WAITING)]
    told = [list(studio.events(job))[-1][1] for job in jobs]
    assert told == ["failed"] * MOST_WAITING
    for _ in range(REMEMBERED):
        last = studio.begin(piece={})
        assert [list(studio.events(last))[-1][1] for _ in range(2)] == ["failed"] * 2
    assert studio.ask("GET", f"/api/jobs/{jobs[0]}/events").status == 400


def test_an_unknown_job_is_told_so(studio: Studio) -> None:
    assert "started anew" in studio.ask("GET", "/api/jobs/0123/events").error


def test_models_say_what_keeps_them(serve: Serve, tmp_path: Path) -> None:
    without_torch = "import sys; sys.modules['torch'] = None"
    (tmp_path / "sitecustomize.py").write_text(without_torch)
    with serve(tmp_path, "--model", "markov", PYTHONPATH=str(tmp_path)) as studio:
        told = studio.ask("GET", "/api/models").json
    by_name = {model["name"]: model["refusals"]["continue"] for model in told["models"]}
    assert next(iter(by_name)) == "markov"
    assert by_name["composer"] == by_name["markov"] == ""
    redo = {model["name"]: model["refusals"]["redo"] for model in told["models"]}
    assert redo["composer"] == ""
    assert redo["markov"] == "markov only goes on at the end: choose the composer"
    assert by_name["roll_lstm"] == "roll_lstm needs torch: pip install 'cadenza[train]'"
    assert {"continue", "redo", "vary", "accompany", "compose"} <= {o["name"] for o in told["operations"]}


# --- Files --------------------------------------------------------------------------------------------------


def test_a_file_comes_in_and_goes_out(studio: Studio) -> None:
    score = Score.from_notes(
        SCALE, qpm=96, metre=(3, 4), events=[Event(0, b"\xb0\x40\x7f"), Event(960, b"\xb0\x40\x00")]
    )
    told = studio.ask("POST", "/api/read?name=a.mid", midi_bytes(score)).json
    assert told["remarks"] == []
    assert told["piece"]["notes"] == [list(row) for row in SCALE]
    assert told["piece"]["pedal"] == [[0, 960]]
    assert told["piece"]["metres"] == [[0, 3, 4]]
    back = parse_midi(studio.post("/api/midi", told["piece"]).body, "back")
    assert np.array_equal(back.notes, score.notes)
    assert back.tempos[0].microseconds == score.tempos[0].microseconds
    assert back.pedal_intervals(0).tolist() == [[0, 960]]


def test_other_divisions_tracks_and_drums_are_told_of() -> None:
    piano = Track.named("a", note_array([(60, 0, 96, 80), (60, 0, 48, 70), (5, 0, 96, 80)]))
    flute = Track.named("b", note_array([(72, 96, 97, 80)]))
    drums = Track.named("c", note_array([(36, 0, 10, 90)], channel=9))
    score = Score(96, (piano, flute, drums), (Tempo.from_qpm(0, 50),), (TimeSignature(0, 2, 4),))
    read = read_piece(score)
    assert read.piece.notes == [(60, 0, 480, 80), (72, 480, 485, 80)]
    assert " ".join(read.remarks) == (
        "3 tracks came together on one piano. Left out: 1 note on drums. "
        "Left out: 1 note outside the piano's keys. Left out: 1 note doubled."
    )


def test_until_a_file_says_another_metre_and_tempo_it_has_those_of_midi() -> None:
    notes = (Track.named("a", note_array([(60, 0, 96, 80)])),)
    late = read_piece(Score(96, notes, (Tempo.from_qpm(192, 50),), (TimeSignature(384, 3, 4),))).piece
    assert late.metres == [(0, 4, 4), (1920, 3, 4)]
    assert late.tempos == [(0, 120), (960, 50)]
    silent = read_piece(Score(96, notes)).piece
    assert (silent.metres, silent.tempos) == ([(0, 4, 4)], [(0, 120)])
    # Of two that are told at once the last counts.
    twice = read_piece(Score(96, notes, (), (TimeSignature(0, 3, 4), TimeSignature(0, 6, 8)))).piece
    assert twice.metres == [(0, 6, 8)]


def test_sound_is_rendered(studio: Studio) -> None:
    answer = studio.post("/api/wav", {"notes": SCALE[:4]})
    with wave.open(io.BytesIO(answer.body)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    assert np.abs(samples).max() > 1000
    long = studio.post("/api/wav", {"notes": [[60, 0, 480 * 120 * 30, 80]]})
    assert long.status == 400
    assert "renders up to 20" in long.error


def test_a_piece_becomes_sheet_music(studio: Studio) -> None:
    sheet = studio.post("/api/musicxml", {"notes": SCALE, "metres": [[0, 3, 4]]}).body.decode()
    assert re.findall("<beats>(.*?)</beats>", sheet) == ["3"]
    assert [sheet.count(f"<step>{letter}</step>") for letter in "CDB"] == [4, 2, 2]
    engraved = studio.post("/api/svg", {"notes": SCALE}).body.decode()
    assert engraved.count('class="note"') == len(SCALE)
    long = studio.post("/api/svg", {"notes": [[60, 0, 480 * 4 * 600, 80]]})
    assert long.status == 400
    assert "sheet music of up to 500" in long.error
    assert studio.post("/api/musicxml", {"notes": []}).status == 400


def notes_of(svg: str) -> list[tuple[int, ...]]:
    """What the notes of a sheet say by their ids: key, onset, and when it is written."""
    ids = re.findall(r'<g id="n(\d+)-(\d+)-(\d+)-\d" class="note"', svg)
    return [tuple(map(int, found)) for found in ids]


def test_a_sheet_comes_in_passages(studio: Studio) -> None:
    bar = 4 * 480
    # A note that is tied over the bar line at which the second passage begins, and one after it.
    notes = [(60, i * bar, i * bar + 480, 80) for i in range(40)] + [(76, 32 * bar - 960, 32 * bar + 480, 80)]
    first = studio.post("/api/sheet", {"piece": {"notes": notes}, "tick": 5}).json
    assert first["lines"] == [i * bar for i in range(41)]
    assert (first["first"], first["bars"], first["length"]) == (0, 32, 32)
    assert first["svg"].count('class="measure') == 32
    assert sorted(notes_of(first["svg"])) == sorted(
        [(60, i * bar, i * bar) for i in range(32)] + [(76, 32 * bar - 960, 32 * bar - 960)]
    )
    second = studio.post("/api/sheet", {"piece": {"notes": notes}, "tick": 32 * bar, "width": 500}).json
    assert (second["first"], second["bars"]) == (32, 8)
    assert (76, 32 * bar - 960, 32 * bar) in notes_of(second["svg"])
    assert 'width="500px"' in second["svg"]
    # The metre stands at the beginning of the piece alone, clefs and key on every passage.
    assert [part["svg"].count('class="meterSig"') for part in (first, second)] == [2, 0]
    assert all('class="clef"' in part["svg"] for part in (first, second))
    assert not set(re.findall(r' id="(?!n)(\S+)"', first["svg"])) & set(
        re.findall(r' id="(?!n)(\S+)"', second["svg"])
    )


def engravers(studio: Studio) -> list[int]:
    """The numbers of the processes that engrave."""
    command = ["pgrep", "-P", str(studio.process.pid), "-f", "cadenza.server.engraving"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [int(number) for number in told.split()]


def test_a_killed_process_that_engraves_is_not_noticed(studio: Studio) -> None:
    asked = {"piece": {"notes": SCALE}}
    first = studio.post("/api/sheet", asked).json
    (number,) = engravers(studio)
    os.kill(number, signal.SIGKILL)
    assert studio.post("/api/sheet", asked).json == first
    # One that is stopped has read nothing of the question that it is killed over.
    (number,) = engravers(studio)
    os.kill(number, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(studio.post, "/api/sheet", asked)
        with pytest.raises(TimeoutError):
            answer.result(0.5)
        os.kill(number, signal.SIGKILL)
        assert answer.result().json == first
    assert number not in engravers(studio)


def test_a_sheet_over_which_a_second_process_ends_is_refused(studio: Studio) -> None:
    assert studio.post("/api/sheet", {"piece": {"notes": SCALE}}).status == 200
    # A piece that takes them seconds.
    notes = [(pitch, i * 120, i * 120 + 100, 80) for i in range(3000) for pitch in (48, 60, 67)]
    killed: set[int] = set()
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(studio.post, "/api/svg", {"notes": notes})
        while not answer.done():
            for number in engravers(studio):
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
                killed.add(number)
    assert answer.result().status == 400
    assert "more time or memory" in answer.result().error
    assert len(killed) >= 2
    assert studio.post("/api/sheet", {"piece": {"notes": SCALE}}).status == 200


def test_a_sheet_that_cannot_be_engraved_is_told(studio: Studio) -> None:
    for notes, words in (([], "no note"), ([(60, 0, 480 * 4 * 600, 80)], "up to 500")):
        answer = studio.post("/api/sheet", {"piece": {"notes": notes}})
        assert answer.status == 400
        assert words in answer.error
    assert studio.post("/api/sheet", {"piece": {"notes": SCALE}, "width": 10}).status == 422
    assert studio.post("/api/sheet", {"piece": {"notes": SCALE}}).json["bars"] == 2


def test_the_studio_says_whether_there_can_be_sheet_music(
    studio: Studio, serve: Serve, tmp_path: Path
) -> None:
    assert studio.ask("GET", "/api/models").json["no_sheet"] == ""
    with serve(tmp_path, absent="verovio") as poor:
        assert "cadenza[notation]" in poor.ask("GET", "/api/models").json["no_sheet"]
        assert "cadenza[notation]" in poor.post("/api/sheet", {"piece": {"notes": SCALE}}).error


def test_the_piano_can_be_fetched(studio: Studio) -> None:
    bank = studio.ask("GET", "/api/bank").json
    pitch = min(map(int, bank["peaks"]))
    samples = np.frombuffer(studio.ask("GET", f"/api/bank/{pitch}").body, "<i2")
    assert len(samples) % (2 * bank["channels"]) == 0
    assert np.abs(samples).max() > 30_000
    assert "no sample" in studio.ask("GET", "/api/bank/22").error


def midi_bomb(notes: int) -> bytes:
    """A million notes in little space: each is on and off in running status."""
    track = (
        b"\x00\xff\x51\x03\x07\xa1\x20\x00\x90\x3c\x40"
        + b"\x01\x3c\x00\x00\x3c\x40" * notes
        + b"\x01\x3c\x00\x00\xff\x2f\x00"
    )
    return b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 1, 0xE0]) + b"MTrk" + len(track).to_bytes(4) + track


DRUMS = Score(480, (Track.named("Drums", note_array([(36, 0, 10, 100), (38, 480, 490, 100)], channel=9)),))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        (
            "text.mid",
            b"Dear diary, today I wrote no music at all.",
            "text.mid: this is not MIDI but a text file",
        ),
        ("empty.mid", b"", "empty.mid: empty file"),
        ("drums.mid", midi_bytes(DRUMS), "drums.mid: there are only drums in it"),
        ("silent.mid", midi_bytes(Score(480)), "silent.mid: there is no note in it"),
        ("low.mid", midi_bytes(Score.from_notes([(3, 0, 10, 9)])), "low.mid: every note lies outside"),
        (
            "long.mid",
            midi_bytes(Score.from_notes([(60, 0, 2**31 - 9, 9)], ticks_per_quarter=96)),
            "long.mid: ",
        ),
        (
            "many.mid",
            midi_bomb(MOST_NOTES),
            f"many.mid: 100,001 notes: the studio holds up to {MOST_NOTES:,}",
        ),
        ("cut.mid", midi_bytes(DRUMS)[:20], "cut.mid: "),
        (
            "bomb.mid",
            midi_bomb(1_000_000),
            f"bomb.mid: more than {MOST} notes: too much for one piece",
        ),
    ],
)
def test_bad_files_are_refused_in_the_users_words(studio: Studio, name: str, data: bytes, words: str) -> None:
    answer = studio.ask("POST", f"/api/read?name={name}", data)
    assert answer.status == 400
    assert answer.error.startswith(words)
    assert studio.ask("GET", "/api/health").status == 200


def test_a_hundred_megabytes_are_refused(studio: Studio) -> None:
    answer = studio.ask("POST", "/api/read", bytes(100 * 2**20))
    assert answer.status == 413
    assert answer.error == f"100 MiB were sent: at most {MOST_BYTES // 2**20} MiB are taken"
    assert studio.ask("GET", "/api/health").status == 200


# --- Who may ask --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "host", "may"),
    [
        ("127.0.0.1:8711", "127.0.0.1", True),
        ("localhost:8711", "127.0.0.1", True),
        ("[::1]:8711", "127.0.0.1", True),
        ("evil.example:8711", "127.0.0.1", False),
        ("127.0.0.1.evil.example", "127.0.0.1", False),
        ("192.168.1.5:8711", "127.0.0.1", False),
        ("192.168.1.5:8711", "192.168.1.5", True),
        ("192.168.1.5:8711", "0.0.0.0", True),
        ("evil.example", "0.0.0.0", False),
        ("piano.local", "piano.local", True),
        ("", "127.0.0.1", False),
        ("[", "127.0.0.1", False),
    ],
)
def test_names_that_the_studio_answers_to(asked: str, host: str, may: bool) -> None:
    assert may_name(asked, host) is may


def test_other_hosts_and_origins_are_refused(studio: Studio) -> None:
    rebound = studio.ask("GET", "/api/health", Host="evil.example")
    assert rebound.status == 403
    assert "evil.example" in rebound.error
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        foreign = studio.ask("POST", "/api/midi", b"{}", Origin=origin, content_type="application/json")
        assert foreign.status == 403, origin
    own = studio.ask("POST", "/api/midi", b"{}", Origin=studio.address, content_type="application/json")
    assert own.status == 200


def test_pages_may_load_from_here_only(studio: Studio) -> None:
    page = studio.ask("GET", "/")
    assert page.status == 200
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert not re.findall(rb"https?://", page.body)
    script = studio.ask("GET", "/js/main.js")
    assert script.headers["content-type"].startswith("text/javascript")
    # A browser asks whether it has changed, as it has in another version.
    assert script.headers["cache-control"] == "no-cache"
    assert studio.ask("GET", "/js/main.js", if_none_match=script.headers["etag"]).status == 304
    assert studio.ask("GET", "/api/bank/60").headers["cache-control"] == "max-age=86400"
    assert studio.ask("GET", "/../pyproject.toml").status in (400, 404)


def test_the_api_describes_itself(studio: Studio) -> None:
    described = studio.ask("GET", "/api/openapi.json").json
    assert {"/api/jobs", "/api/read", "/api/midi", "/api/wav", "/api/models"} <= described["paths"].keys()


# --- The command --------------------------------------------------------------------------------------------


def test_ctrl_c_closes_the_studio_also_while_it_streams(serve: Serve, tmp_path: Path) -> None:
    with serve(tmp_path) as studio:
        events = studio.events(studio.begin(piece={"notes": SCALE}, bars=64, takes=4))
        next(events)
        studio.process.send_signal(signal.SIGINT)
        # It ends while someone still listens.
        drained = threading.Thread(target=lambda: [None for _ in events], daemon=True)
        drained.start()
        assert studio.process.wait(timeout=300) == 130
        assert studio.process.stderr is not None
        assert studio.process.stderr.read() == "cadenza: stopped\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "nosuch"), "no model 'nosuch'"),
        (("--host", "no.such.host.invalid"), "nothing can be served at no.such.host.invalid"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(options: tuple[str, ...], words: str) -> None:
    command = [sys.executable, "-m", "cadenza", "studio", "--no-browser", *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_told(studio: Studio) -> None:
    port = str(urlsplit(studio.address).port)
    command = [sys.executable, "-m", "cadenza", "studio", "--no-browser", "--port", port]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "is something open there already" in result.stderr
