"""Checkpoints: safetensors for the numbers, readable JSON for everything else. No pickle.

A checkpoint is a folder with `model.json` and the files of tensors that it names. The JSON is replaced last
and in one step, so a folder always holds one whole checkpoint, whenever the writer was killed.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save  # pyright: ignore[reportUnknownVariableType]

from cadenza.errors import CadenzaError
from cadenza.files import atomic_path, check_writable
from cadenza.representation.events import FIELDS

FORMAT: Final = 1
"""Raised when the meaning of the tensors or of the vocabulary changes."""

OPENINGS: Final = "openings"
"""The group of tensors of the steps that can begin a piece, of a model of piano rolls: rows, velocities."""

VOCABULARY: Final = "vocabulary"
"""The group of tensors of what the tokens of a model of tokens are: words, counts."""

PARAMETERS: Final = "weights"
"""The group of tensors that a model is made of."""

GROUPS: Final = (PARAMETERS, OPENINGS, VOCABULARY)
"""Groups of tensors that a model plays from."""

SCALES: Final = ".row_scales"
"""Ends the name of the scales of a matrix that is kept in 8 bits: of `a.weight`, `a.weight.row_scales`."""
LARGEST: Final = 127
"""What the largest number of a row is kept as in 8 bits: -128 has no positive of its own."""

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """What `model.json` says."""

    model: str
    """A name in `cadenza.models.MODELS`."""
    sizes: dict[str, Any]
    """The model's configuration."""
    files: dict[str, str] = field(default_factory=dict[str, str])
    """File of each group of tensors: `weights`, `openings` of a model of piano rolls (older ones have none),
    `vocabulary` of one of tokens, and `optimiser` where training can go on."""
    corpora: dict[str, str] = field(default_factory=dict[str, str])
    """Digest of each corpus it was trained on, by name."""
    seed: int = 0
    step: int = 0
    """Optimiser steps done."""
    notes: int = 0
    """Notes trained on, repetitions counted."""
    valid: dict[str, float] = field(default_factory=dict[str, float])
    """Nats a note on each corpus's validation split."""
    progress: dict[str, float] = field(default_factory=dict[str, float])
    """What the training loop needs to go on."""
    version: str = ""
    """Of Cadenza."""
    bits: int = 32
    """Of each number of its matrices: 32, or 8 and a scale a row (see `packed`)."""
    vocabulary: dict[str, int] = field(default_factory=lambda: {f.name: f.size for f in FIELDS})
    """Symbols of each field."""
    format: int = FORMAT


def save_checkpoint(folder: Path, checkpoint: Checkpoint, groups: Mapping[str, Tensors]) -> None:
    """Writes groups of tensors and the JSON that names them; then removes what it no longer names."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {group: f"{group}-{checkpoint.step:06d}.safetensors" for group in groups}
    for group, tensors in groups.items():
        # Not by save_file, whose files nobody else may read.
        with atomic_path(folder / files[group]) as beside:
            beside.write_bytes(save({name: np.ascontiguousarray(t) for name, t in tensors.items()}))
    with atomic_path(folder / "model.json") as beside:
        beside.write_text(
            json.dumps(asdict(checkpoint) | {"files": files}, indent=1) + "\n", encoding="utf-8"
        )
    for path in folder.glob("*.safetensors"):
        if path.name not in files.values():
            path.unlink()


def load_checkpoint(folder: Path) -> Checkpoint:
    """What a checkpoint folder's JSON says.

    Raises CadenzaError where there is none, it is damaged, or it was written for another vocabulary.
    """
    path = folder / "model.json"
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CadenzaError(f"{folder} holds no checkpoint: there is no model.json in it") from error
    except OSError as error:
        raise CadenzaError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CadenzaError(f"{path} is damaged: {error}") from error
    about: dict[str, Any] = dict(read) if isinstance(read, dict) else {}  # pyright: ignore[reportUnknownArgumentType]
    found = about.get("format")
    if found != FORMAT:
        raise CadenzaError(
            f"{folder}: a checkpoint of format {reprlib.repr(found)}, "
            f"this version reads {FORMAT}; train it anew"
        )
    try:
        checkpoint = Checkpoint(**about)
    except TypeError as error:
        raise CadenzaError(f"{path} is damaged: {error}") from error
    for name, hint in get_type_hints(Checkpoint).items():
        if not _is_of(getattr(checkpoint, name), hint):
            raise CadenzaError(f"{path} is damaged: its {name} cannot be {reprlib.repr(about[name])}")
    if checkpoint.bits not in (8, 32):
        raise CadenzaError(f"{path} is damaged: its bits cannot be {checkpoint.bits}")
    ours = {f.name: f.size for f in FIELDS}
    if checkpoint.vocabulary != ours:
        theirs = reprlib.repr(checkpoint.vocabulary)
        raise CadenzaError(f"{folder}: its vocabulary {theirs} is not ours, {ours}; train it anew")
    return checkpoint


def _is_of(value: object, hint: Any) -> bool:
    """Whether JSON gave a value of the type that a field has."""
    if get_origin(hint) is dict:
        return isinstance(value, dict) and all(_is_of(v, get_args(hint)[1]) for v in value.values())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if hint is float:
        return type(value) in (int, float)
    return hint is Any or type(value) is hint


def load_tensors(folder: Path, checkpoint: Checkpoint, group: str = "weights") -> dict[str, NDArray[Any]]:
    """A group of a checkpoint's tensors, matrices of 8 bits as float32.

    Raises CadenzaError where its file is absent or damaged.
    """
    path = folder / Path(checkpoint.files.get(group, f"{group}.safetensors")).name
    try:
        tensors = load_file(path)
        return unpacked(tensors) if group == PARAMETERS and checkpoint.bits == 8 else tensors
    # The last three: of types that NumPy does not have, and of names that no file can have.
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        raise CadenzaError(f"cannot read the {group} of the checkpoint {folder}: {error}") from error


# --- Eight bits ---------------------------------------------------------------------------------------------


def packed(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """Tensors whose matrices of float32, (out, in), are int8 with a float32 scale for each row, (out,).

    Symmetric: a number is its integer, -127 to 127, times the scale of its row. All else stays as it is.
    """
    small: dict[str, NDArray[Any]] = {}
    for name, tensor in tensors.items():
        if tensor.ndim != 2 or tensor.dtype != np.float32:
            small[name] = tensor
            continue
        scale = np.abs(tensor).max(axis=1, initial=0) / np.float32(LARGEST)
        divisor = np.where(scale > 0, scale, np.float32(1))
        small[name] = np.rint(tensor / divisor[:, None]).astype(np.int8)
        small[name + SCALES] = scale
    return small


def unpacked(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """The inverse of `packed`, to half a scale. Raises ValueError for a matrix and scales that do not fit."""
    scales = {name: tensor for name, tensor in tensors.items() if name.endswith(SCALES)}
    whole: dict[str, NDArray[Any]] = {}
    for name, tensor in tensors.items():
        if name.endswith(SCALES):
            continue
        scale = scales.pop(name + SCALES, None)
        if scale is None:
            whole[name] = tensor
        elif tensor.ndim != 2 or scale.shape != tensor.shape[:1] or scale.dtype != np.float32:
            raise ValueError(f"the scales of {name} are not those of its rows")
        else:
            whole[name] = tensor * scale[:, None]
    if scales:
        raise ValueError(f"there is no matrix to the scales {reprlib.repr(min(scales))}")
    return whole


def quantise(folder: Path, target: Path) -> Checkpoint:
    """Writes a checkpoint anew with its matrices in 8 bits, to play from: no optimiser goes with it.

    Raises CadenzaError where the checkpoint cannot be read, has 8 bits or no matrices of float32, and where
    there is something at the target.
    """
    checkpoint = load_checkpoint(folder)
    groups = {name: load_tensors(folder, checkpoint, name) for name in GROUPS if name in checkpoint.files}
    if checkpoint.bits == 8:
        raise CadenzaError(f"{folder}: its matrices are of 8 bits already")
    small = packed(groups[PARAMETERS]) if PARAMETERS in groups else {}
    if not any(name.endswith(SCALES) for name in small):
        raise CadenzaError(f"{folder}: there are no matrices of float32 in it, so nothing would be smaller")
    if target.exists():
        raise CadenzaError(f"{target}: not written: there is something of that name")
    check_writable(target)
    save_checkpoint(target, replace(checkpoint, bits=8), {**groups, PARAMETERS: small})
    return load_checkpoint(target)


# --- Averages -----------------------------------------------------------------------------------------------


def average(folders: Sequence[Path], target: Path) -> Checkpoint:
    """Writes the mean of the weights of several stages of one training, as the last of them; to play from.

    The mean of weights that lie in one basin is mostly better than each (Wortsman et al., "Model soups",
    2022). What earlier stages lacked is the mean of the others. It has no likelihoods, for it was not
    measured. Raises CadenzaError for fewer than two, for models of different kinds or shapes, and where there
    is something at the target.
    """
    if len(folders) < 2:
        raise CadenzaError("name two checkpoints or more: a mean of one is itself")
    if target.exists():
        raise CadenzaError(f"{target}: not written: there is something of that name")
    read = [load_checkpoint(folder) for folder in folders]
    weights = [load_tensors(folder, found) for folder, found in zip(folders, read, strict=True)]
    last, every = read[-1], weights[-1]
    for folder, found, tensors in zip(folders, read, weights, strict=True):
        alike = found.model == last.model and all(
            name in every and tensor.shape == every[name].shape for name, tensor in tensors.items()
        )
        if not alike:
            raise CadenzaError(
                f"{folder} and {folders[-1]} are no stages of one training: their weights differ"
            )
    mean = {
        name: np.mean([t[name] for t in weights if name in t], axis=0, dtype=np.float64).astype(tensor.dtype)
        for name, tensor in every.items()
    }
    others = [name for name in GROUPS if name in last.files and name != PARAMETERS]
    groups = {name: load_tensors(folders[-1], last, name) for name in others}
    check_writable(target)
    save_checkpoint(target, replace(last, valid={}, progress={}), {**groups, PARAMETERS: mean})
    return load_checkpoint(target)
