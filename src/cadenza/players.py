"""Models that play: checkpoints, shipped or trained, checked and made ready to draw from."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.architecture import ComposerConfig, check_tensors
from cadenza.checkpoint import (
    GROUPS,
    OPENINGS,
    VOCABULARY,
    Checkpoint,
    Tensors,
    load_checkpoint,
    load_tensors,
)
from cadenza.engine.network import NumpyComposer
from cadenza.errors import CadenzaError, there_are
from cadenza.files import is_folder
from cadenza.models import MODELS
from cadenza.models.markov import Markov
from cadenza.models.roll_markov import RollMarkov
from cadenza.originality.library import why_missing
from cadenza.recipe import recipe_from
from cadenza.representation import events
from cadenza.representation.pianoroll import KEYS, NO_POSITION, PianoRoll, RollSequence
from cadenza.representation.tokens import TokenForm, Vocabulary
from cadenza.sequence import SequenceModel

WEIGHTS: Final = Path(__file__).parent / "weights"
"""The checkpoints that ship with the package, a folder each."""

DEFAULT_MODEL: Final = "composer"


@dataclass(frozen=True)
class Model:
    """A model that plays, with what its checkpoint says of it."""

    name: str
    sequence_model: SequenceModel[Any, Any]
    checkpoint: Checkpoint
    parameters: int
    """Numbers in its tensors."""
    form: PianoRoll | Vocabulary | None = None
    """The piano roll or the tokens that it writes; None where it writes events."""
    openings: RollSequence | None = None
    """Steps of its training music, any of which can begin a piece, of a model of piano rolls."""

    @property
    def context(self) -> int:
        """Notes, steps or tokens that it is shown at a time; 0 where there is no limit."""
        context = self.checkpoint.sizes.get("context", 0)
        return context if type(context) is int else 0  # biaxial has a switch of that name


def model_folders() -> dict[str, Path]:
    """Names and folders of the checkpoints that ship with the package."""
    return {path.parent.name: path.parent for path in sorted(WEIGHTS.glob("*/model.json"))}


def find_model(name: str | Path) -> Path:
    """The folder of a shipped checkpoint by its name, or of any. Raises CadenzaError where there is none."""
    shipped = model_folders()
    folder = shipped.get(str(name), Path(name))
    if not (name and is_folder(folder)):
        raise CadenzaError(
            f"no model {str(name)!r}: {there_are(shipped, instead_of=str(name))}; or a checkpoint's folder"
        )
    return folder


def load_model(name: str | Path = DEFAULT_MODEL) -> Model:
    """A model by the name of a shipped checkpoint, or from a checkpoint folder.

    Raises CadenzaError for an unknown name, for a damaged or older checkpoint, and where the model needs
    packages that are not here.
    """
    folder = find_model(name)
    checkpoint = load_checkpoint(folder)
    if checkpoint.model not in MODELS:
        raise CadenzaError(f"{folder}: this version knows no model {reprlib.repr(checkpoint.model)}")
    if checkpoint.model not in _PLAYERS:
        raise CadenzaError(
            f"the model {checkpoint.model} of {folder} can be trained and compared, not played"
        )
    groups = {name: load_tensors(folder, checkpoint, name) for name in GROUPS if name in checkpoint.files}
    try:
        player = _PLAYERS[checkpoint.model](checkpoint.sizes, groups["weights"])
        form = _form(checkpoint, groups)
        openings = None
        if isinstance(form, PianoRoll) and OPENINGS in groups:
            openings = _openings(groups[OPENINGS], form)
        if isinstance(form, Vocabulary):
            player = _reader(player, form)
    except ModuleNotFoundError as error:
        raise CadenzaError(
            f"the model {checkpoint.model} needs {error.name}: pip install 'cadenza[train]'"
        ) from error
    # RuntimeError: torch on sizes beyond any machine's.
    except (CadenzaError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise CadenzaError(f"the checkpoint {folder} is damaged: {error}") from error
    parameters = sum(tensor.size for tensor in groups["weights"].values())
    return Model(folder.name, player, checkpoint, parameters, form, openings)


def learnt_from() -> dict[str, str]:
    """The corpora that the shipped composer learnt from, and why each is not here; empty where it is."""
    return {name: why_missing(name) for name in load_checkpoint(WEIGHTS / DEFAULT_MODEL).corpora}


def missing_package(kind: str) -> str:
    """The package that a kind of model plays in and that is not here; empty where nothing is missing."""
    in_torch = isinstance(_PLAYERS.get(kind), partial)
    return "torch" if in_torch and find_spec("torch") is None else ""


def _composer(sizes: Mapping[str, Any], tensors: Tensors) -> NumpyComposer:
    """The composer of a checkpoint. Raises CadenzaError or TypeError where sizes and tensors do not fit."""
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in sizes.items()}  # pyright: ignore[reportUnknownArgumentType]
    config = ComposerConfig(**fields)
    check_tensors(tensors, config.shapes())
    return NumpyComposer(config, tensors)


def _markov(_: Mapping[str, Any], tensors: Tensors) -> Markov:
    """The Markov model of a checkpoint. Raises LookupError or ValueError where its tensors are no counts."""
    model = Markov.from_tensors(tensors)
    for field_, orders in zip(events.FIELDS, model.tables, strict=True):
        for order, table in enumerate(orders):
            if not _are_counts(table.keys, table.counts, field_.size):
                raise ValueError(f"the tensors {field_.name}.{order} hold no counts")
    return model


def _are_counts(keys: NDArray[Any], counts: NDArray[Any], symbols: int) -> bool:
    """Whether keys and counts can be those of `markov.Counts` for a field of so many symbols."""
    if not (keys.dtype == counts.dtype == np.int64 and keys.ndim == 1 and keys.shape == counts.shape):
        return False
    return bool((np.diff(keys) > 0).all() and (keys % 256 < symbols).all() and (counts > 0).all())


def _roll_markov(sizes: Mapping[str, Any], tensors: Tensors) -> RollMarkov:
    """The Markov chain on piano rolls of a checkpoint. Raises as `_markov` does."""
    return RollMarkov.from_tensors(_checked("roll_markov", sizes), tensors)


def _network(name: str, sizes: Mapping[str, Any], tensors: Tensors) -> SequenceModel[Any, Any]:
    """A model that plays in torch. Raises ModuleNotFoundError without it, else as `_composer` does."""
    config = _checked(name, sizes)
    import torch

    # A step is too little to be shared: on a busy machine threads that wait for each other take most of it.
    torch.set_num_threads(1)
    # Without memory at first: sizes may be any, and only what fits the tensors is worth some.
    with torch.device("meta"):
        model = MODELS[name].build(config)
    wanted = model.state_dict()
    shapes = {key: tuple(value.shape) for key, value in wanted.items() if value.is_floating_point()}
    counters = {key: torch.zeros(value.shape, dtype=value.dtype) for key, value in wanted.items()}
    check_tensors(
        {key: t for key, t in tensors.items() if key in shapes or key not in wanted}, shapes.items()
    )
    weights = {key: torch.from_numpy(tensors[key]) for key in shapes}
    model.load_state_dict(counters | weights, assign=True)
    return model.eval()


def _reader(player: Any, vocabulary: Vocabulary) -> SequenceModel[Any, Any]:
    """A model of tokens that knows what they are, of which its weights say nothing."""
    player.vocabulary = vocabulary
    return player


def _checked(name: str, sizes: Mapping[str, Any]) -> Any:
    """The sizes of a model as a recipe could give them. Raises CadenzaError or TypeError for any other."""
    return recipe_from({"model": {**sizes, "name": name}}, "its sizes").sizes


def _form(checkpoint: Checkpoint, groups: Mapping[str, Tensors]) -> PianoRoll | Vocabulary | None:
    kind = MODELS[checkpoint.model].data
    if kind == "events":
        return None
    sizes = _checked(checkpoint.model, checkpoint.sizes)
    return sizes.roll if kind == "rolls" else _vocabulary(groups[VOCABULARY], sizes.form, sizes.vocabulary)


def _vocabulary(tensors: Tensors, form: TokenForm, size: int) -> Vocabulary:
    """The vocabulary of a model. Raises LookupError or ValueError where it is none of that size."""
    words, counts = tensors["words"], tensors["counts"]
    if words.dtype != np.uint8 or words.shape != (size, form.width) or counts.shape != (size,):
        raise ValueError("its vocabulary is not that of its weights")
    vocabulary = Vocabulary(form, words, counts)
    if not size or len(Vocabulary.of(form, [words])) < size:
        raise ValueError("its vocabulary is empty or has a token twice")
    form.check(words)
    return vocabulary


def _openings(tensors: Tensors, form: PianoRoll) -> RollSequence | None:
    """Openings as the steps of a roll. Raises LookupError or ValueError where they are none."""
    rows, velocities = tensors["rows"], tensors["velocities"]
    for array, most in ((rows, form.symbols - 1), (velocities, 127)):
        if array.dtype != np.uint8 or array.shape != (len(rows), KEYS) or array.max(initial=0) > most:
            raise ValueError("its openings are no steps of such a piano roll")
    if not len(rows):
        return None
    return RollSequence(rows, velocities, np.full(len(rows), NO_POSITION, np.int16), form)


_PLAYERS: Final[dict[str, Callable[[Mapping[str, Any], Tensors], SequenceModel[Any, Any]]]] = {
    "composer": _composer,
    "markov": _markov,
    "biaxial": partial(_network, "biaxial"),
    "roll_lstm": partial(_network, "roll_lstm"),
    "sigmoid_lstm": partial(_network, "sigmoid_lstm"),
    "rnn_nade": partial(_network, "rnn_nade"),
    "seq2seq_gru": partial(_network, "seq2seq_gru"),
    "roll_markov": _roll_markov,
    "seq2seq_tokens": partial(_network, "seq2seq_tokens"),
    "token_lstm": partial(_network, "token_lstm"),
    "note_lstm": partial(_network, "note_lstm"),
}
"""What makes each model that plays from a checkpoint's sizes and tensors."""
