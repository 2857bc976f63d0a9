"""Takes that are being drawn, in a file: so that they go on bit for bit after a restart.

A file holds what drawing has left behind, and no part of what was asked for: who goes on says that again, and
is refused if it is something else.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from cadenza.engine.chooser import Chooser, Choosers, Passage
from cadenza.engine.constraints import Constraints
from cadenza.engine.sampler import Sampling
from cadenza.engine.together import Together
from cadenza.errors import CadenzaError
from cadenza.files import atomic_path
from cadenza.sequence import JointModel

Joint = TypeVar("Joint")

FORMAT: Final = 2
"""Raised when the meaning of a file changes."""


def save(path: Path, together: Together[Any]) -> None:
    """Writes takes as they are between two steps: a .npz of arrays, and JSON among them. No pickle.

    Raises CadenzaError where the file cannot be written.
    """
    about = {
        "format": FORMAT,
        "model": together.model.fingerprint,
        "request": _digest(together),
        "going": together.going,
        "told": together.told,
        "takes": [_kept(chooser) for chooser in together.choosers.each],
    }
    until = np.array([chooser.until for chooser in together.choosers.each])
    arrays = together.model.arrays_of(together.joint) | {
        "until": until,
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
    }
    with atomic_path(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load(
    path: Path,
    model: JointModel[Any, Joint],
    passage: Passage,
    *,
    constraints: Constraints,
    sampling: Sampling,
) -> Together[Joint]:
    """Takes as they were saved, of the same model, passage, constraints and sampling as then.

    Of the passage's `places` nothing is compared. Raises CadenzaError for a file that cannot be read, is
    damaged, or holds takes of another model or request.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays: dict[str, NDArray[Any]] = dict(file)
    except OSError as error:
        raise CadenzaError(f"cannot read {path}: {error.strerror or error}") from error
    except (BadZipFile, EOFError, LookupError, TypeError, ValueError) as error:
        raise CadenzaError(f"{path} holds no takes: {error}") from error
    try:
        about: Any = json.loads(arrays["about"].tobytes())
        if about["format"] != FORMAT:
            raise CadenzaError(f"{path} was written by another version")
        joint = model.joint_of(arrays, passage.style, passage.places, passage.setting)
        going, told = [[int(number) for number in about[name]] for name in ("going", "told")]
        if not len(going) == len(told) == len(about["takes"]):
            raise ValueError("it is not of as many takes as it says")
        choosers = Choosers(sampling, going, constraints, passage)
        for chooser, kept, until in zip(choosers.each, about["takes"], arrays["until"], strict=True):
            _restore(chooser, kept, until)
        together = Together(model, passage, choosers, joint, going, told)
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise CadenzaError(f"{path} is damaged: {error}") from error
    if about["model"] != model.fingerprint:
        raise CadenzaError(f"{path} holds takes of another model")
    if about["request"] != _digest(together):
        raise CadenzaError(f"{path} holds takes of another request")
    return together


def _kept(chooser: Chooser) -> dict[str, Any]:
    """What a chooser knows of its take, but for the held keys, and where its random numbers are."""
    return {
        "onset": chooser.onset,
        "pitch": chooser.pitch,
        "begun": chooser.begun,
        "full": chooser.full,
        "recent": list(chooser.recent),
        "leans": {str(index): lean for index, lean in chooser.leaning.leans.items()},
        "random": chooser.sampler.random.bit_generator.state,
    }


def _restore(chooser: Chooser, kept: dict[str, Any], until: NDArray[np.int64]) -> None:
    """The inverse of `_kept`. Raises LookupError, TypeError or ValueError for anything else."""
    chooser.onset, chooser.pitch = int(kept["onset"]), int(kept["pitch"])
    chooser.begun, chooser.full = bool(kept["begun"]), bool(kept["full"])
    chooser.recent.extend(int(pitch) for pitch in kept["recent"])
    for index in chooser.leaning.leans:
        chooser.leaning.leans[index] = float(kept["leans"].get(str(index), 0))
    chooser.sampler.random.bit_generator.state = kept["random"]
    chooser.until[:] = until


def _said(constraints: Constraints) -> dict[str, Any]:
    """Constraints in an order that does not change from process to process, as that of a set does."""
    return asdict(constraints) | {"key": None if constraints.key is None else sorted(constraints.key)}


def _digest(together: Together[Any]) -> str:
    """What tells requests apart; not the prompt, which was heard, nor the places."""
    passage, choosers, setting = together.passage, together.choosers, together.passage.setting
    digest = sha256(repr((passage.span, passage.style, passage.side, passage.single, passage.aims)).encode())
    digest.update(repr((_said(choosers.constraints), choosers.sampling, setting.asked)).encode())
    known, chords = setting.known, setting.chords
    for array in (known.rows, known.onsets, known.places, known.kinds, chords.starts, chords.symbols):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
