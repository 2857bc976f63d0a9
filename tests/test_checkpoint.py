import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from cadenza.architecture import ComposerConfig, EventLSTMConfig, MarkovConfig, check_tensors
from cadenza.checkpoint import (
    Checkpoint,
    average,
    load_checkpoint,
    load_tensors,
    packed,
    quantise,
    save_checkpoint,
    unpacked,
)
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
    (folder / "model.json").write_text("[" * 100_000)
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
        ({"format": True}, "is damaged: its format cannot be True"),
        ({"format": [1] * 999}, r"a checkpoint of format \[1, 1, 1, 1, 1, 1, \.\.\.\]"),
        ({"surprise": 1}, "is damaged: .*surprise"),
        ({"model": None}, "is damaged: its model cannot be None"),
        ({"sizes": [32]}, r"is damaged: its sizes cannot be \[32\]"),
        ({"files": {"weights": 5}}, "is damaged: its files cannot be"),
        ({"valid": {"pop909": "6"}}, "is damaged: its valid cannot be"),
        ({"step": 1.5}, r"is damaged: its step cannot be 1\.5"),
        ({"bits": 4}, "is damaged: its bits cannot be 4"),
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


def test_weights_of_a_type_that_numpy_does_not_have(folder: Path) -> None:
    head = b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    (folder / "weights-000005.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + b"\0\0")
    with pytest.raises(CadenzaError, match="cannot read the weights of the checkpoint"):
        load_tensors(folder, load_checkpoint(folder))


@pytest.mark.parametrize("name", ["../elsewhere", "/dev/zero", "", "..", "n" * 300, "a\0b"])
def test_weights_are_looked_for_in_the_folder_only(folder: Path, name: str) -> None:
    save_file(TENSORS, folder.parent / "elsewhere")
    change(folder, files={"weights": name})
    with pytest.raises(CadenzaError, match="cannot read the weights of the checkpoint"):
        load_tensors(folder, load_checkpoint(folder))


SMALL = ComposerConfig(width=32, heads=1, layers=2, feed_forward=48, context=16, local=4, styles=("a", "b"))


def test_the_shapes_are_those_of_the_model_that_trains() -> None:
    from cadenza.models.composer import Composer

    trained = {name: tuple(tensor.shape) for name, tensor in Composer(SMALL).state_dict().items()}
    assert dict(SMALL.shapes()) == trained


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 64}, "width must be 32 times heads"),
        ({"width": 32.0}, r"width must be a whole number above 0, not 32\.0"),
        ({"layers": 0}, "layers must be a whole number above 0, not 0"),
        ({"layers": True}, "layers must be a whole number above 0, not True"),
        ({"heads": "1"}, "heads must be a whole number"),
        ({"feed_forward": -1}, "feed_forward must be a whole number"),
        ({"context": 0}, "context must be a whole number above 0"),
        ({"context": -1}, "context must be a whole number above 0"),
        ({"context": 16_385}, "context must be at most 16384, not 16385"),
        ({"local": 0}, "local must be a whole number above 0"),
        ({"local": 17}, "local must be at most context, 16, not 17"),
        ({"styles": ("a", 1)}, "styles must be different names"),
        ({"styles": ("a", "a")}, "styles must be different names"),
        ({"styles": ("",)}, "styles must be different names"),
        ({"styles": "pop"}, "styles must be different names"),
    ],
)
def test_sizes_that_no_composer_has(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(CadenzaError, match=message):
        replace(SMALL, **sizes)


def test_sizes_of_the_other_models() -> None:
    for wrong in ({"width": 0}, {"layers": -1}, {"styles": (None,)}):
        with pytest.raises(CadenzaError, match="must be"):
            EventLSTMConfig(**wrong)  # type: ignore[arg-type]
    with pytest.raises(CadenzaError, match="styles must be different names"):
        MarkovConfig(styles=("",))


def weights() -> dict[str, NDArray[Any]]:
    return {name: np.zeros(shape, np.float32) for name, shape in SMALL.shapes()}


def test_tensors_that_fit() -> None:
    check_tensors(weights(), SMALL.shapes())


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("blocks.1.up.weight", None, r"the tensor blocks\.1\.up\.weight is missing"),
        ("blocks.1.up.weight", np.zeros((32, 48)), r"up\.weight is of shape \(32, 48\), not \(48, 32\)"),
        ("embedding.start", np.zeros(32), r"embedding\.start is of type float64, not float32"),
        ("embedding.start", np.full(32, np.nan, np.float32), "holds values that are no weights"),
        ("embedding.start", np.full(32, -3e38, np.float32), "holds values that are no weights"),
        ("blocks.2.up.weight", np.zeros((48, 32)), r"no place for the tensor 'blocks\.2\.up\.weight'"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named(
    name: str, tensor: NDArray[Any] | None, message: str
) -> None:
    changed = weights() | {name: tensor}
    with pytest.raises(CadenzaError, match=message):
        check_tensors({k: t for k, t in changed.items() if t is not None}, SMALL.shapes())


def test_a_billion_layers_are_not_counted() -> None:
    with pytest.raises(CadenzaError, match=r"the tensor blocks\.2\.query_key_value\.weight is missing"):
        check_tensors(weights(), replace(SMALL, layers=10**9).shapes())


# --- Eight bits -----------------------------------------------------------------------------------
def random_tensors() -> dict[str, NDArray[Any]]:
    """Rows of very different sizes, one of zeros, and what is no matrix of float32."""
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((6, 40), np.float32) * 10.0 ** np.arange(-4, 2, dtype=np.float32)[:, None]
    matrix[3] = 0
    return {"m": matrix, "bias": matrix[0], "counts": np.arange(6).reshape(2, 3)}


def test_eight_bits_are_right_to_half_a_step_of_each_row() -> None:
    tensors = random_tensors()
    again = unpacked(packed(tensors))
    assert again.keys() == tensors.keys()
    step = np.abs(tensors["m"]).max(1, keepdims=True) / 127
    assert (np.abs(again["m"] - tensors["m"]) <= step * 0.5001).all()
    assert again["m"].dtype == np.float32
    assert all(np.array_equal(again[name], tensors[name]) for name in ("bias", "counts"))
    # The largest of a row is exact, so nothing is lost the second time.
    assert np.array_equal(unpacked(packed(again))["m"], again["m"])


def test_eight_bits_are_both_ends_of_their_range() -> None:
    small = packed({"m": np.array([[2.54, -2.54, 0.02, 0.0]], np.float32)})
    assert small["m"].tolist() == [[127, -127, 1, 0]]
    assert small["m.row_scales"] == pytest.approx([0.02])


@pytest.mark.parametrize(
    "small",
    [
        {"m": np.ones((2, 3), np.int8), "m.row_scales": np.ones(3, np.float32)},
        {"m": np.ones((2, 3), np.int8), "m.row_scales": np.ones(2)},
        {"m": np.ones(2, np.int8), "m.row_scales": np.ones(2, np.float32)},
        {"n.row_scales": np.ones(2, np.float32)},
    ],
)
def test_scales_that_do_not_fit(small: dict[str, NDArray[Any]]) -> None:
    with pytest.raises(ValueError, match="scales"):
        unpacked(small)


def test_a_checkpoint_in_eight_bits(tmp_path: Path) -> None:
    tensors = random_tensors()
    saved = Checkpoint("composer", {"width": 32}, step=5)
    save_checkpoint(
        tmp_path / "c",
        saved,
        {"weights": tensors, "optimiser": tensors, "vocabulary": {"words": tensors["m"]}},
    )
    quantise(tmp_path / "c", tmp_path / "small")
    small = load_checkpoint(tmp_path / "small")
    assert (small.bits, small.step, sorted(small.files)) == (8, 5, ["vocabulary", "weights"])
    read = load_tensors(tmp_path / "small", small)
    assert all(np.array_equal(read[name], tensor) for name, tensor in unpacked(packed(tensors)).items())
    assert np.array_equal(load_tensors(tmp_path / "small", small, "vocabulary")["words"], tensors["m"])
    with pytest.raises(CadenzaError, match="of 8 bits already"):
        quantise(tmp_path / "small", tmp_path / "smaller")
    with pytest.raises(CadenzaError, match="there is something of that name"):
        quantise(tmp_path / "c", tmp_path / "small")


def test_a_checkpoint_of_counts_would_not_be_smaller(folder: Path, tmp_path: Path) -> None:
    save_checkpoint(folder, Checkpoint("markov", {}, step=6), {"weights": {"b": TENSORS["b"]}})
    with pytest.raises(CadenzaError, match="no matrices of float32"):
        quantise(folder, tmp_path / "small")
    assert not (tmp_path / "small").exists()


# --- Averages ---------------------------------------------------------------------------------------
def stage(folder: Path, **tensors: NDArray[np.float32]) -> Path:
    """A checkpoint with these tensors."""
    save_checkpoint(folder, Checkpoint("composer", {"width": 2}, valid={"pop909": 5.0}), {"weights": tensors})
    return folder


def test_an_average_is_the_mean_of_what_each_has(tmp_path: Path) -> None:
    one = stage(tmp_path / "one", a=np.array([[1.0, 2.0]], np.float32))
    two = stage(tmp_path / "two", a=np.array([[3.0, -2.0]], np.float32), b=np.array([5.0], np.float32))
    saved = average([one, two], tmp_path / "mean")
    assert saved.valid == {}
    tensors = load_tensors(tmp_path / "mean", saved)
    assert tensors["a"].tolist() == [[2.0, 0.0]]
    assert tensors["b"].tolist() == [5.0]
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float32)}


def test_what_cannot_be_averaged(tmp_path: Path) -> None:
    one = stage(tmp_path / "one", a=np.zeros((1, 2), np.float32))
    wider = stage(tmp_path / "wider", a=np.zeros((1, 3), np.float32))
    more = stage(tmp_path / "more", a=np.zeros((1, 2), np.float32), b=np.zeros(1, np.float32))
    target = tmp_path / "mean"
    with pytest.raises(CadenzaError, match="two checkpoints or more"):
        average([one], target)
    for other in (wider, more):
        with pytest.raises(CadenzaError, match="no stages of one training"):
            average([other, one], target)
    with pytest.raises(CadenzaError, match="something of that name"):
        average([one, one], one)
    assert not target.exists()
