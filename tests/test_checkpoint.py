import json
from pathlib import Path

import numpy as np
import pytest

from cadenza.checkpoint import Checkpoint, load_checkpoint, load_tensors, save_checkpoint
from cadenza.errors import CadenzaError

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([7], np.int64)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "c", Checkpoint("composer", {"width": 32}, step=5), {"weights": TENSORS})
    return tmp_path / "c"


def change(folder: Path, **values: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_round_trip(folder: Path) -> None:
    checkpoint = load_checkpoint(folder)
    assert (checkpoint.model, checkpoint.sizes, checkpoint.step) == ("composer", {"width": 32}, 5)
    tensors = load_tensors(folder, checkpoint)
    assert tensors.keys() == TENSORS.keys()
    assert all(np.array_equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_a_newer_one_replaces_the_older_whole(folder: Path) -> None:
    save_checkpoint(
        folder, Checkpoint("composer", {}, step=6), {"weights": {"a": TENSORS["b"]}, "optimiser": TENSORS}
    )
    assert sorted(path.name for path in folder.iterdir()) == [
        "model.json",
        "optimiser-000006.safetensors",
        "weights-000006.safetensors",
    ]
    assert load_tensors(folder, load_checkpoint(folder))["a"].tolist() == [7]


def test_killed_before_the_json_the_old_one_still_stands(folder: Path) -> None:
    (folder / "weights-000006.safetensors").write_bytes(b"half a fi")
    assert load_tensors(folder, load_checkpoint(folder))["b"].tolist() == [7]


def test_none_there(tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match=r"holds no checkpoint: there is no model\.json"):
        load_checkpoint(tmp_path)


def test_damaged_json(folder: Path) -> None:
    (folder / "model.json").write_text('{"model": ')
    with pytest.raises(CadenzaError, match="is damaged"):
        load_checkpoint(folder)
    (folder / "model.json").write_text("[]")
    with pytest.raises(CadenzaError, match="a checkpoint of format None"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 0}, "a checkpoint of format 0, this version reads 1; train it anew"),
        ({"vocabulary": {"shift": 3}}, "its vocabulary .* is not ours"),
        ({"surprise": 1}, "is damaged: .*surprise"),
    ],
)
def test_of_another_time(folder: Path, values: dict[str, object], message: str) -> None:
    change(folder, **values)
    with pytest.raises(CadenzaError, match=message):
        load_checkpoint(folder)


def test_damaged_weights(folder: Path) -> None:
    path = folder / "weights-000005.safetensors"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CadenzaError, match="cannot read the weights of the checkpoint"):
        load_tensors(folder, load_checkpoint(folder))
    path.unlink()
    with pytest.raises(CadenzaError, match="cannot read the weights of the checkpoint"):
        load_tensors(folder, load_checkpoint(folder))
