"""Takes that are saved and go on later are those that were never broken off."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cadenza.compose import load_model
from cadenza.engine.chooser import Passage, Span
from cadenza.engine.constraints import Constraints
from cadenza.engine.leaning import Aims
from cadenza.engine.network import NumpyComposer
from cadenza.engine.sampler import Sampling
from cadenza.engine.session import load, save
from cadenza.engine.together import Together
from cadenza.errors import CadenzaError
from cadenza.representation import events
from cadenza.representation.conditions import ChordTrack
from cadenza.representation.edits import known_notes
from cadenza.score import Score
from cadenza.sequence import Setting

HOW: dict[str, Any] = {
    "constraints": Constraints.parse("C major", None, most=6),
    "sampling": Sampling(repetition_penalty=1.2),
}


def four_four(step: int) -> tuple[int, int]:
    return step % 96, 96


def passage_of(kind: str) -> Passage:
    """From nothing, or with something to be told, asked and heard."""
    if kind == "nothing":
        return Passage(Span(0, 3 * 96), four_four, style="pop")
    heard = events.encode(Score.from_notes([(60 + i, 240 * i, 240 * i + 200, 70) for i in range(8)]))
    fixed = events.encode(Score.from_notes([(84, 1920 + 960 * i, 2400 + 960 * i, 70) for i in range(6)]))
    chords = ChordTrack(np.array([96, 192]), np.array([2, 17]))
    setting = Setting(known_notes(fixed), asked=(3, 0, 2, 0), chords=chords)
    aims = Aims(gap=6.0, velocity=50.0)
    return Passage(Span(96, 4 * 96), four_four, heard, setting, "classical", side="below", aims=aims)


def notes_of(together: Together[Any], steps: int | None = None) -> list[list[Any]]:
    """What is drawn in so many steps, or up to the end."""
    if steps is None:
        return [[take, *note.row, note.onset] for take, note in together]
    drawn = [pair for _ in range(steps) for pair in together.step()]
    return [[take, *note.row, note.onset] for take, note in drawn]


@pytest.fixture(scope="module")
def model() -> NumpyComposer:
    shipped = load_model().sequence_model
    assert isinstance(shipped, NumpyComposer)
    return shipped


def begun(model: NumpyComposer, kind: str = "nothing", seeds: tuple[int, ...] = (1, 2, 3)) -> Together[Any]:
    return Together.begin(model, passage_of(kind), seeds=seeds, **HOW)


@pytest.mark.parametrize("kind", ["nothing", "edit"])
@pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)])
def test_another_process_goes_on_bit_for_bit(
    model: NumpyComposer, kind: str, seeds: tuple[int, ...], tmp_path: Path
) -> None:
    whole = notes_of(begun(model, kind, seeds))
    broken = begun(model, kind, seeds)
    first = notes_of(broken, 12)
    save(tmp_path / "takes.npz", broken)
    code = (
        "import json, sys; from pathlib import Path; import test_session as t\n"
        "from cadenza.compose import load_model; from cadenza.engine.session import load\n"
        f"together = load(Path('takes.npz'), load_model().sequence_model, t.passage_of({kind!r}), **t.HOW)\n"
        "print(json.dumps(t.notes_of(together)))"
    )
    path = f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}, *{sys.path!r}]\n"
    result = subprocess.run(
        [sys.executable, "-c", path + code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert first + json.loads(result.stdout) == whole


def test_saving_changes_nothing_and_an_end_is_an_end(model: NumpyComposer, tmp_path: Path) -> None:
    together = begun(model)
    first = notes_of(together, 5)
    save(tmp_path / "takes.npz", together)
    assert first + notes_of(together) == notes_of(begun(model))
    save(tmp_path / "end.npz", together)
    assert notes_of(load(tmp_path / "end.npz", model, passage_of("nothing"), **HOW)) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"passage": replace(passage_of("nothing"), style="chorale")}, "takes of another request"),
        ({"passage": replace(passage_of("nothing"), aims=Aims(pitch=60.0))}, "another request"),
        ({"passage": replace(passage_of("nothing"), setting=Setting(asked=(1, 0, 0, 0)))}, "another request"),
        ({"sampling": Sampling()}, "takes of another request"),
        ({"constraints": Constraints()}, "takes of another request"),
    ],
)
def test_of_another_request(
    model: NumpyComposer, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    save(tmp_path / "takes.npz", begun(model))
    asked: dict[str, Any] = {"passage": passage_of("nothing"), **HOW} | changes
    with pytest.raises(CadenzaError, match=message):
        load(tmp_path / "takes.npz", model, asked.pop("passage"), **asked)


def test_of_another_model(model: NumpyComposer, tmp_path: Path) -> None:
    save(tmp_path / "takes.npz", begun(model))
    weights = {name: np.full(shape, 0.01, np.float32) for name, shape in model.config.shapes()}
    other = NumpyComposer(model.config, weights)
    with pytest.raises(CadenzaError, match="takes of another model"):
        load(tmp_path / "takes.npz", other, passage_of("nothing"), **HOW)


def test_what_is_no_file_of_takes(model: NumpyComposer, tmp_path: Path) -> None:
    def loaded(name: str) -> object:
        return load(tmp_path / name, model, passage_of("nothing"), **HOW)

    with pytest.raises(CadenzaError, match=r"cannot read .*absent"):
        loaded("absent.npz")
    for content in (b"", b"PK half a file", b"\x93NUMPY", np.arange(3).tobytes()):
        (tmp_path / "other.npz").write_bytes(content)
        with pytest.raises(CadenzaError, match="holds no takes"):
            loaded("other.npz")
    save(tmp_path / "takes.npz", begun(model))
    content = (tmp_path / "takes.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(CadenzaError, match="holds no takes"):
        loaded("half.npz")


@pytest.mark.parametrize(
    "damage",
    [
        {"about": np.frombuffer(b"{", np.uint8)},
        {"about": np.frombuffer(b"[]", np.uint8)},
        {"known": np.zeros((3, 4), np.float32)},
        {"known": np.zeros((3, 160))},
        {"filled.0": np.array([1, 99, 1])},
        {"keys.1": np.zeros((3, 5, 32, 7), np.float32)},
        {"pitches": np.array([0, 88, 0])},
        {"counts": np.zeros(2, np.int64)},
        {"until": np.zeros((2, 88), np.int64)},
        {"until": np.zeros((3, 5), np.int64)},
    ],
)
def test_damaged(model: NumpyComposer, damage: dict[str, Any], tmp_path: Path) -> None:
    save(tmp_path / "takes.npz", begun(model))
    with np.load(tmp_path / "takes.npz") as file:
        arrays = dict(file) | damage
    np.savez(tmp_path / "takes.npz", **arrays)
    with pytest.raises(CadenzaError, match="is damaged"):
        load(tmp_path / "takes.npz", model, passage_of("nothing"), **HOW)


@pytest.mark.parametrize(
    "values", [{"going": [0]}, {"told": None}, {"takes": [{}] * 3}, {"going": ["a", 1, 2]}]
)
def test_damaged_words(model: NumpyComposer, values: dict[str, Any], tmp_path: Path) -> None:
    save(tmp_path / "takes.npz", begun(model))
    with np.load(tmp_path / "takes.npz") as file:
        arrays = dict(file)
    about = json.loads(arrays["about"].tobytes()) | values
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(tmp_path / "takes.npz", **arrays)
    with pytest.raises(CadenzaError, match="is damaged"):
        load(tmp_path / "takes.npz", model, passage_of("nothing"), **HOW)
