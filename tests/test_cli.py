"""The command as a real process: files, status, one line for a mistake, nothing half-written."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cadenza.checkpoint import Checkpoint, save_checkpoint
from cadenza.engine.chooser import TOP_P_OF_STYLES
from cadenza.midi import read_midi, write_midi
from cadenza.score import Score, Track, note_array

ROWS = [(60 + 2 * i, i * 240, i * 240 + 220, 70) for i in range(16)]
DRUMS = Track.named("Drums", note_array([(36, 0, 10, 100), (38, 480, 490, 100)], channel=9))


def cadenza(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in a folder."""
    return python("-m", "cadenza", *arguments, folder=folder, **variables)


def cadenza_in(situation: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command in a folder after some lines of Python."""
    return python("-c", f"{situation}\nfrom cadenza.__main__ import main\nmain()", *arguments, folder=folder)


def python(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"CADENZA_CACHE": str(folder / ".cache"), "COLUMNS": "200"} | variables,
        check=False,
    )


@pytest.fixture(autouse=True)
def prompt(tmp_path: Path) -> Path:
    write_midi(Score.from_notes(ROWS, qpm=96), tmp_path / "in.mid")
    return tmp_path / "in.mid"


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != ".cache"}


def fails(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Asserts status 2 and one line that holds the words."""
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("cadenza: ")
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr


def test_the_command_of_the_issue(prompt: Path, tmp_path: Path) -> None:
    result = cadenza(
        *[
            "continue",
            "in.mid",
            "-o",
            "out.mid",
            "--bars",
            "2",
            "--seed",
            "7",
            "--takes",
            "2",
            "--temperature",
            "1.0",
            "--top-p",
            "0.98",
        ],
        *("--key", "C minor", "--wav", "--png", "--json"),
        folder=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert {"model", "seed", "notes", "bars", "seconds", "notes_per_second", "files"} <= said.keys()
    assert said["files"] == [f"out-{i}.{suffix}" for i in (1, 2) for suffix in ("mid", "wav", "png")]
    assert files(tmp_path) == {"in.mid", *said["files"]}
    original, first = read_midi(prompt), read_midi(tmp_path / "out-1.mid")
    assert first.tracks[: len(original.tracks)] == original.tracks
    assert said["takes"][0]["notes"] == len(first.tracks[-1].notes)
    assert (tmp_path / "out-1.mid").read_bytes() != (tmp_path / "out-2.mid").read_bytes()


def test_same_seed_same_bytes_in_another_process(tmp_path: Path) -> None:
    for name in ("a.mid", "b.mid"):
        assert cadenza("continue", "in.mid", "-o", name, "--bars", "1", folder=tmp_path).returncode == 0
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_a_take_can_be_made_again_alone(tmp_path: Path) -> None:
    cadenza(
        "continue", "in.mid", "-o", "t.mid", "--bars", "1", "--seed", "4", "--takes", "2", folder=tmp_path
    )
    cadenza("continue", "in.mid", "-o", "u.mid", "--bars", "1", "--seed", "5", folder=tmp_path)
    assert (tmp_path / "t-2.mid").read_bytes() == (tmp_path / "u.mid").read_bytes()


def test_a_take_of_what_is_asked_can_be_made_again_alone(tmp_path: Path) -> None:
    asked = ["--bars", "2", "--density", "2", "--chords", "C | G7", "--key", "C major", "--most-notes", "4"]
    together = cadenza(*["compose", "-o", "t.mid", "--takes", "3", *asked], folder=tmp_path)
    assert together.returncode == 0, together.stderr
    cadenza(*["compose", "-o", "u.mid", "--seed", "3", *asked], folder=tmp_path)
    assert (tmp_path / "t-3.mid").read_bytes() == (tmp_path / "u.mid").read_bytes()


def test_a_model_in_eight_bits_plays(tmp_path: Path) -> None:
    result = cadenza("quantise", "composer", "-o", "small", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "bytes of weights instead of" in result.stdout
    result = cadenza("compose", "--model", "small", "--bars", "1", "-o", "o.mid", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(read_midi(tmp_path / "o.mid").notes)


def test_compose_with_tempo_and_metre(tmp_path: Path) -> None:
    result = cadenza(
        *["compose", "--style", "chorale", "--bars", "2", "--tempo", "96", "--metre", "3/4", "-o", "c.mid"],
        folder=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    score = read_midi(tmp_path / "c.mid")
    assert score.tempos[0].qpm == pytest.approx(96)
    assert (score.time_signatures[0].numerator, score.time_signatures[0].denominator) == (3, 4)
    assert "2 bars" in result.stdout


def test_inspect_render_and_version(tmp_path: Path) -> None:
    assert "16" in cadenza("inspect", "in.mid", folder=tmp_path).stdout
    assert json.loads(cadenza("inspect", "in.mid", "--json", folder=tmp_path).stdout)["file"] == "in.mid"
    for target in ("in.wav", "in.mp3", "in.png"):
        result = cadenza("render", "in.mid", "-o", target, folder=tmp_path)
        assert result.returncode == 0, result.stderr
        assert (tmp_path / target).stat().st_size > 5000
    assert cadenza("--version", folder=tmp_path).stdout.startswith("cadenza 0.")


def test_models_that_ship_are_listed(tmp_path: Path) -> None:
    listed = {row["name"]: row for row in json.loads(cadenza("models", "--json", folder=tmp_path).stdout)}
    composer = listed["composer"]
    assert (composer["name"], composer["paper"], composer["unit"]) == ("composer", "", "note")
    assert 1_000_000 <= composer["parameters"] <= 2_000_000
    assert set(composer["nats_per_note"]) == set(composer["trained_on"])
    assert composer["trained_on"] == ["pop909", "classical", "chorales"]


@pytest.mark.parametrize(
    ("kind", "unit", "author"),
    [("note_lstm", "token", "Banić"), ("biaxial", "step", "Svegliato"), ("markov", "note", "")],
)
def test_models_are_listed_with_paper_size_data_and_likelihood(
    tmp_path: Path, kind: str, unit: str, author: str
) -> None:
    about = Checkpoint(kind, {}, corpora={"pop909": "digest"}, valid={"pop909": 5.125})
    save_checkpoint(tmp_path / "shipped" / "one", about, {"weights": {"a": np.zeros((3, 4), np.float32)}})
    shipped = "from pathlib import Path\nimport cadenza.players\ncadenza.players.WEIGHTS = Path('shipped')"
    (listed,) = json.loads(cadenza_in(shipped, "models", "--json", folder=tmp_path).stdout)
    assert listed.pop("paper").startswith(author)
    assert listed == {
        "name": "one",
        "kind": kind,
        "parameters": 12,
        "styles": [],
        "trained_on": ["pop909"],
        "unit": unit,
        f"nats_per_{unit}": {"pop909": 5.125},
    }
    table = cadenza_in(shipped, "models", folder=tmp_path).stdout
    assert author in table
    assert f"pop909 5.12 a {unit}" in table


def test_a_model_of_a_later_version_is_one_line(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "shipped" / "one", Checkpoint("orchestra", {}), {"weights": {}})
    shipped = "from pathlib import Path\nimport cadenza.players\ncadenza.players.WEIGHTS = Path('shipped')"
    fails(cadenza_in(shipped, "models", folder=tmp_path), "orchestra", "does not know")


def test_corpus_and_train_on_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "tunes"
    folder.mkdir()
    for k in range(24):
        rows = [(50 + (i * k) % 20, i * 240, i * 240 + 200, 60) for i in range(40)]
        write_midi(Score.from_notes(rows), folder / f"{k}.mid")
    (folder / "broken.mid").write_bytes(b"MThd nonsense")
    prepared = cadenza("corpus", "prepare", "tunes", folder=tmp_path)
    assert prepared.returncode == 0, prepared.stderr
    assert "rejected broken.mid:" in prepared.stdout
    assert "1 files rejected" in cadenza("corpus", "show", "tunes", folder=tmp_path).stdout
    assert "pop909" in cadenza("corpus", "list", folder=tmp_path).stdout
    counted = cadenza("corpus", "tokens", "tunes", "--form", "names", "--json", folder=tmp_path)
    told = json.loads(counted.stdout)
    assert (told["pieces"], told["tokens"]) == (22, 22 * 40)
    assert told["ranks"][0]["count"] >= told["ranks"][-1]["count"] > 0
    shown = cadenza("corpus", "tokens", "tunes", "--form", "names", folder=tmp_path).stdout
    assert f"880 tokens of 22 training pieces; {told['vocabulary']} different ones" in shown
    assert told["ranks"][0]["token"] in shown
    fails(cadenza("corpus", "tokens", "tunes", "--form", "nots", folder=tmp_path), "names", "not nots")
    recipe = (
        '[model]\nname = "composer"\nwidth = 32\nheads = 1\nlayers = 1\nstyles = ["tunes"]\n'
        '[data]\ncorpora = ["tunes"]\nwindow = 32\n[training]\nsteps = 4\nbatch = 2\nvalidate_every = 2\n'
    )
    (tmp_path / "r.toml").write_text(recipe)
    trained = cadenza("train", "r.toml", "--run", "run", "--set", "training.steps=2", folder=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "run" / "best" / "model.json").exists()
    played = cadenza(
        "compose", "--model", "run/best", "--style", "tunes", "--bars", "1", "-o", "x.mid", folder=tmp_path
    )
    assert played.returncode == 0, played.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("continue none.mid", ["none.mid", "no such file"]),
        ("continue text.mid", ["text.mid"]),
        ("continue empty.mid", ["empty.mid", "empty"]),
        ("continue . ", ["folder"]),
        ("continue in.mid --bars 0", ["bars must be from 1"]),
        ("continue in.mid --bars two", ["--bars"]),
        ("continue in.mid --takes 0", ["takes must be from 1"]),
        ("continue in.mid --temperature -1", ["temperature must be from 0 to 5"]),
        ("continue in.mid --top-p 2", ["top-p must be"]),
        ("continue in.mid --key H", ["no key 'H'"]),
        ("continue in.mid --range C6-C3", ["goes down"]),
        ("continue in.mid --key C --range 61-61", ["no pitch from 61 to 61 is in the key"]),
        ("continue in.mid --style jazz", ["no style 'jazz'"]),
        ("continue in.mid --model nobody", ["no model 'nobody'"]),
        ("continue in.mid --style=", ["no style ''"]),
        ("continue in.mid --key=", ["no key ''"]),
        ("continue in.mid --range=", ["no range ''"]),
        ("continue in.mid --model=", ["no model ''"]),
        ("compose --style=", ["no style ''"]),
        ("compose --style= --model markov", ["no style ''"]),
        ("compose --metre=", ["no metre ''"]),
        ("compose --metre 255/1", ["no metre '255/1'", "up to two whole notes"]),
        ("compose --tempo 480.0001", ["not 480.0001"]),
        ("continue bars.mid", ["bars.mid: its bars are of 255/1", "is its metre right?"]),
        (f"continue in.mid -o {'n' * 252}.mid", ["not written: the name is too long"]),
        (f"continue in.mid -o {'n' * 251}.mid --takes 2", ["not written: the name is too long"]),
        (f"continue in.mid --model {'n' * 300}", ["no model"]),
        ("continue in.mid -o in.mid", ["in.mid: not written: this is the file that was read"]),
        ("continue in.mid -o t.mid --takes 3", ["t-3.mid: not written: this is a folder"]),
        ("continue in.mid -o u.mid --png", ["u.png: not written: this is a folder"]),
        ("continue noise.mid", ["noise.mid: this is not a MIDI file"]),
        ("render .", ["this is a folder"]),
        ("render drums.mid", ["drums.mid: there are only drums in it: nothing to play"]),
        ("render drums.mid -o a.png", ["drums.mid: there are only drums in it"]),
        ("render silent.mid", ["silent.mid: there is no note in it: nothing to play"]),
        ("render sound.wav", ["sound.wav: not written: this is the file that was read"]),
        ("continue in.mid -o nowhere/out.mid", ["there is no folder nowhere"]),
        ("continue in.mid -o out.wav", ["should end in .mid"]),
        ("continue in.mid --soundfont none.sf2 --wav", ["none.sf2"]),
        ("compose --metre 4/5", ["no metre '4/5'"]),
        ("compose --metre waltz", ["no metre 'waltz'"]),
        ("compose --tempo 9999", ["tempo must be from 10 to 480"]),
        ("compose --colour red", ["--colour"]),
        ("render in.mid -o out.ogg", ["should end in .wav, .mp3, .png, .musicxml, .mxl or .svg"]),
        ("render drums.mid -o a.musicxml", ["drums.mid: there are only drums in it"]),
        ("render in.mid -o nowhere/a.svg", ["there is no folder nowhere"]),
        ("render few.mid -o a.svg --find-beats", ["few.mid: 2 onsets say nothing about a metre"]),
        ("inspect none.mid", ["no such file"]),
        ("corpus prepare nobody", ["no corpus or folder named 'nobody'"]),
        ("corpus prepare hollow", ["no MIDI file in it"]),
        ("train none.toml", ["cannot read the recipe none.toml"]),
        ("train text.mid", ["no valid TOML"]),
        ("quantise composer -o hollow", ["hollow: not written: there is something of that name"]),
        ("quantise composer -o nowhere/small", ["not written: there is no folder nowhere"]),
        ("quantise nobody -o small", ["no model 'nobody'"]),
        ("quantise markov -o small", ["no matrices of float32"]),
        ("frobnicate", ["frobnicate"]),
    ],
)
def test_mistakes(arguments: str, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "text.mid").write_text("Dear composer,")
    (tmp_path / "empty.mid").write_bytes(b"")
    (tmp_path / "noise.mid").write_bytes(bytes(range(256)) * 3)
    for name in ("hollow", "t-3.mid", "u.png"):
        (tmp_path / name).mkdir()
    write_midi(Score.from_notes(ROWS, metre=(255, 1)), tmp_path / "bars.mid")
    write_midi(Score.from_notes(ROWS), tmp_path / "sound.wav")
    write_midi(Score.from_notes([]), tmp_path / "silent.mid")
    write_midi(Score.from_notes(ROWS[:2]), tmp_path / "few.mid")
    write_midi(Score(480, (DRUMS,)), tmp_path / "drums.mid")
    before = files(tmp_path)
    fails(cadenza(*arguments.split(), folder=tmp_path), *words)
    assert files(tmp_path) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_and_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out.mid").symlink_to("/dev/full")
    fails(cadenza("continue", "in.mid", "-o", "out.mid", "--bars", "1", folder=tmp_path), "no ordinary file")
    if os.geteuid() != 0:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        fails(cadenza("continue", "in.mid", "-o", "locked/out.mid", folder=tmp_path), "may not write")


def test_a_picture_that_cannot_be_written_leaves_no_sound_and_no_take(tmp_path: Path) -> None:
    """All takes and forms are written, or none: here the disk fills up in the middle."""
    result = cadenza_in(
        "import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, -1))",
        *["continue", "in.mid", "-o", "o.mid", "--bars", "1", "--takes", "2", "--png", "--wav"],
        folder=tmp_path,
    )
    fails(result, "o-1.wav: not written: it is larger than a file may be there")
    assert files(tmp_path) == {"in.mid"}


def test_render_writes_sheet_music(tmp_path: Path) -> None:
    for target in ("a.musicxml", "a.mxl", "a.svg"):
        result = cadenza("render", "in.mid", "-o", target, folder=tmp_path)
        assert (result.returncode, result.stdout, result.stderr) == (0, f"{target}\n", "")
    assert "<movement-title>in</movement-title>" in (tmp_path / "a.musicxml").read_text(encoding="utf-8")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<svg ")


def test_render_says_that_beats_should_be_found(tmp_path: Path) -> None:
    rows = [(60 + i % 12, 333 * i + 97 * (i % 3), 333 * i + 400, 70) for i in range(32)]
    write_midi(Score.from_notes(rows), tmp_path / "free.mid")
    result = cadenza("render", "free.mid", "-o", "a.musicxml", folder=tmp_path)
    assert "without a click" in result.stderr
    result = cadenza("render", "free.mid", "-o", "b.musicxml", "--find-beats", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("package", ["music21", "verovio"])
@pytest.mark.parametrize("command", ["render in.mid -o a.svg", "continue in.mid --musicxml --bars 1"])
def test_sheet_music_needs_an_extra(package: str, command: str, tmp_path: Path) -> None:
    situation = f"import sys\nsys.modules[{package!r}] = None"
    result = cadenza_in(situation, *command.split(), folder=tmp_path)
    fails(result, "sheet music needs an extra: pip install 'cadenza[notation]'")
    assert files(tmp_path) == {"in.mid"}


def test_a_take_with_its_sheet_music(tmp_path: Path) -> None:
    result = cadenza("compose", "--bars", "1", "-o", "a.mid", "--musicxml", "--svg", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "a.mid, a.musicxml, a.svg" in result.stdout
    assert files(tmp_path) == {"in.mid", "a.mid", "a.musicxml", "a.svg"}


def test_render_says_that_drums_are_left_out(tmp_path: Path) -> None:
    piano = Score.from_notes(ROWS)
    write_midi(Score(480, (*piano.tracks, DRUMS)), tmp_path / "both.mid")
    result = cadenza("render", "both.mid", folder=tmp_path)
    assert result.returncode == 0
    assert result.stdout == "both.wav\n"
    assert result.stderr == "cadenza: both.mid: 2 drum notes left out\n"


def test_names_that_look_like_markup_and_terminals_that_know_only_ascii(tmp_path: Path) -> None:
    track = Track.named("[/bold]", note_array([(61, 0, 480, 80)]))
    write_midi(Score(480, (track,)), tmp_path / "[red].mid")
    result = cadenza("inspect", "[red].mid", folder=tmp_path, PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr
    assert "[red].mid" in result.stdout
    assert "[/bold]: Acoustic Grand Piano" in result.stdout
    assert "C\\u266f4" in result.stdout


def test_older_and_damaged_checkpoints(tmp_path: Path) -> None:
    from cadenza.compose import model_folders

    shutil.copytree(model_folders()["composer"], tmp_path / "old")
    about = json.loads((tmp_path / "old" / "model.json").read_text())
    (tmp_path / "old" / "model.json").write_text(json.dumps(about | {"format": 0}))
    fails(cadenza("compose", "--model", "old", folder=tmp_path), "a checkpoint of format 0")
    (tmp_path / "old" / "model.json").write_text(json.dumps(about))
    for path in (tmp_path / "old").glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:1000])
    fails(cadenza("compose", "--model", "old", folder=tmp_path), "cannot read the weights")


def test_ctrl_c_ends_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED, "compose", "--bars", "1000", "-o", "long.mid"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert error == "cadenza: stopped\n"
    assert files(tmp_path) == {"in.mid"}


_INTERRUPTED = f"""
import os
import signal
from cadenza import cli, drafts
signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts tests in the background ignores it
draw = drafts.draw
def interrupted(*arguments):
    for i, note in enumerate(draw(*arguments)):
        if i == 5:
            os.kill(os.getpid(), {int(signal.SIGINT)})
        yield note
drafts.draw = interrupted
cli.main()
"""


@pytest.mark.parametrize("module", ["typer", "cadenza.cli", "numpy"])
def test_ctrl_c_while_something_is_imported_shows_no_traceback(module: str, tmp_path: Path) -> None:
    interrupt = f"""
import os, signal, sys
from importlib.abc import MetaPathFinder
class Interrupts(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts())"""
    result = cadenza_in(interrupt, "compose", "--bars", "1", folder=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "cadenza: stopped\n")
    assert files(tmp_path) == {"in.mid"}


def test_compose_from_a_random_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "tunes").mkdir()
    for i in range(3):
        write_midi(Score.from_notes(ROWS, qpm=70 + i), tmp_path / "tunes" / f"{i}.mid")
    (tmp_path / "tunes" / "broken.mid").write_bytes(b"no MIDI")
    arguments = ("compose", "--from", "tunes", "--bars", "4", "--seed", "5", "-o")
    for name in ("one.mid", "two.mid"):
        assert cadenza(*arguments, name, folder=tmp_path).returncode == 0
    assert (tmp_path / "one.mid").read_bytes() == (tmp_path / "two.mid").read_bytes()
    take = read_midi(tmp_path / "one.mid")
    assert round(take.tempos[0].qpm) in (70, 71, 72)
    assert 0 <= take.notes["start"].min() < 1920
    assert take.notes["end"].max() <= 4 * 1920
    fails(cadenza("compose", "--from", "tunes", "--metre", "3/4", folder=tmp_path), "--from", "--metre")
    fails(cadenza("compose", "--from", "absent", folder=tmp_path), "no corpus or folder named 'absent'")
    for path in (tmp_path / "tunes").glob("[0-9].mid"):
        path.write_bytes(b"no MIDI either")
    fails(cadenza(*arguments, "x.mid", folder=tmp_path), "tunes: no piece could be read of the 4")
    assert not (tmp_path / "x.mid").exists()


def test_ctrl_c_while_an_mp3_is_encoded_leaves_none(tmp_path: Path) -> None:
    write_midi(Score.from_notes(ROWS * 1, qpm=10), tmp_path / "long.mid")
    situation = f"""
import os
from cadenza import audio
pieces = audio._pieces
def interrupted(samples):
    for i, piece in enumerate(pieces(samples)):
        if i == 1:
            os.kill(os.getpid(), {int(signal.SIGINT)})
        yield piece
audio._pieces = interrupted
"""
    result = cadenza_in(situation, "render", "long.mid", "-o", "a.mp3", folder=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "cadenza: stopped\n")
    assert files(tmp_path) == {"in.mid", "long.mid"}


def test_ctrl_c_while_a_corpus_is_prepared_ends_its_workers(tmp_path: Path) -> None:
    (tmp_path / "tunes").mkdir()
    for i in range(130):
        write_midi(Score.from_notes(ROWS, qpm=60 + i), tmp_path / "tunes" / f"{i}.mid")
    situation = f"""
import os
from cadenza import dataset
encode = dataset._encode_shards
def interrupted(*arguments):
    for done in encode(*arguments):
        os.kill(os.getpid(), {int(signal.SIGINT)})
        yield done
dataset._encode_shards = interrupted
dataset._cores = lambda: 2
"""
    # Who reads its output to the end waits for every process that holds it.
    result = cadenza_in(situation, "corpus", "prepare", "tunes", folder=tmp_path)
    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr.endswith("cadenza: stopped\n")
    assert "leaked" not in result.stderr


def test_ctrl_c_waits_for_no_thread_that_waits_for_work(tmp_path: Path) -> None:
    situation = f"""
import os
from concurrent.futures import ThreadPoolExecutor, process
from cadenza.cli import shell
pool = ThreadPoolExecutor(1)
pool.submit(int).result()
shell.app = lambda **_: os.kill(os.getpid(), {int(signal.SIGINT)})
"""
    result = cadenza_in(situation, folder=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "cadenza: stopped\n")


def test_corpora_that_need_a_package_say_so(tmp_path: Path) -> None:
    (tmp_path / "boulanger").mkdir()
    situation = (
        "import importlib.util as u\nfind = u.find_spec\nu.find_spec = lambda n: n != 'scipy' and find(n)"
    )
    listed = cadenza_in(
        f"import os\nos.environ['CADENZA_DATA'] = '.'\n{situation}", "corpus", "list", folder=tmp_path
    ).stdout
    assert re.search(r"jsb +needs the extra corpora", listed)


def test_help_without_a_command_and_by_its_short_name(tmp_path: Path) -> None:
    for arguments in ((), ("corpus",)):
        bare = cadenza(*arguments, folder=tmp_path)
        assert (bare.returncode, bare.stderr) == (2, "")
        assert "Usage" in bare.stdout
    assert "Usage" in cadenza("compose", "-h", folder=tmp_path).stdout


def test_top_p_is_that_of_the_style_where_none_is_asked_for(tmp_path: Path) -> None:
    def composed(*options: str) -> bytes:
        run = cadenza("compose", "--bars", "4", "-o", "out.mid", *options, folder=tmp_path)
        assert run.returncode == 0, run.stderr
        return (tmp_path / "out.mid").read_bytes()

    for style, top_p in TOP_P_OF_STYLES.items():
        asked = ("--seed", "3", "--style", style)
        assert (
            composed(*asked) == composed(*asked, "--top-p", f"{top_p}") != composed(*asked, "--top-p", "0.6")
        )


# --- Edits ---


@pytest.mark.parametrize(
    ("arguments", "added", "removed"),
    [
        (["infill", "in.mid", "--from-bar", "2", "--to-bar", "2"], True, 8),
        (["vary", "in.mid", "--strength", "0.5"], True, 8),
        (["accompany", "in.mid", "--hand-span", "16", "--most-notes", "5"], True, 0),
        (["harmonise", "in.mid", "--chords", "I V", "--key", "C major"], True, 0),
    ],
)
def test_commands_that_draw_into_a_piece(
    prompt: Path, tmp_path: Path, arguments: list[str], added: bool, removed: int
) -> None:
    result = cadenza(*arguments, "-o", "out.mid", "--json", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert (said["notes"] > 0, said["removed"]) == (added, removed)
    score, before = read_midi(tmp_path / "out.mid"), read_midi(prompt)
    assert score.tracks[-1].name == "Cadenza"
    assert len(score.tracks[-1].notes) == said["notes"]
    assert sum(len(track.notes) for track in score.tracks[:-1]) == len(before.notes) - removed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["infill", "in.mid", "--from-bar", "5"], ["in.mid", "no bar", "the piece has 2"]),
        (["infill", "in.mid", "--from-bar", "2", "--to-bar", "1"], ["did you mean 1 to 2?"]),
        (["infill", "in.mid", "--hand", "both"], ["no hand 'both'", "left or right"]),
        (["infill", "in.mid", "--pitches", "C6-C4"], ["goes down", "C4-C6"]),
        (["infill", "in.mid", "--model", "markov"], ["markov", "draws nothing into one"]),
        (["vary", "in.mid", "--strength", "2"], ["strength", "not 2"]),
        (["vary", "in.mid", "--pitches", "A0-C1"], ["no note to vary"]),
        (["harmonise", "in.mid"], ["harmonise needs --chords"]),
        (["harmonise", "in.mid", "--chords", "| C | Q |"], ["no chord 'Q' in bar 2"]),
        (["harmonise", "in.mid", "--chords", "F#", "--key", "C"], ["chord F#", "key"]),
        (["harmonise", "in.mid", "--chords", "I IV"], ["Roman numerals need a key"]),
        (["accompany", "drums.mid"], ["drums.mid", "only drums"]),
        (["accompany", "in.mid", "--hand-span", "2"], ["span of a hand", "not 2"]),
        (["accompany", "in.mid", "--most-notes", "0"], ["most notes at once", "not 0"]),
        (["compose", "--form", "AB-A"], ["no form 'AB-A'"]),
        (["compose", "--form", "ABA", "--bars", "16"], ["no 3 equal sections", "15 would"]),
        (["compose", "--density", "-1"], ["density", "not -1"]),
        (["compose", "--register", "H9"], ["no pitch 'H9'"]),
        (["compose", "--dynamics", "noisy"], ["no dynamics 'noisy'"]),
        (["compose", "--swing", "1"], ["swing", "not 1"]),
        (["compose", "--swing", "0.6", "--metre", "6/8"], ["not for 6/8"]),
        (["compose", "--humanise", "200"], ["humanise", "not 200"]),
        (["surprise", "drums.mid"], ["drums.mid", "only drums"]),
        (["surprise", "in.mid", "--style", "polka"], ["no style 'polka'"]),
    ],
)
def test_edits_and_wishes_that_make_no_sense(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    write_midi(Score(480, (DRUMS,)), tmp_path / "drums.mid")
    before = files(tmp_path)
    fails(cadenza(*arguments, folder=tmp_path), *words)
    assert files(tmp_path) == before


def test_surprise_by_bar(tmp_path: Path) -> None:
    result = cadenza("surprise", "in.mid", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "nats a note over 16 notes" in result.stdout
    said = json.loads(cadenza("surprise", "in.mid", "--json", folder=tmp_path).stdout)
    assert [note["bar"] for note in said["notes"]] == [1] * 8 + [2] * 8
    assert said["nats"] == pytest.approx(sum(note["nats"] for note in said["notes"]) / 16, abs=1e-3)
