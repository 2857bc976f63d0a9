"""The recipe of an experiment: data, model and training, from a TOML file, every key checked."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args, get_type_hints

from cadenza.architecture import ComposerConfig
from cadenza.augmentation import Augmentation
from cadenza.errors import CadenzaError, there_are
from cadenza.models import MODELS, Sizes

Config = TypeVar("Config")


def _require(key: str, value: float, fine: bool, allowed: str) -> None:
    if not fine:
        raise CadenzaError(f"{key} must be {allowed}, not {value:g}")


def _require_corpora(corpora: tuple[str, ...]) -> None:
    if not corpora:
        raise CadenzaError("data.corpora is empty: name a corpus or a folder")


@dataclass(frozen=True)
class DataConfig:
    """What a model of events is trained on."""

    corpora: tuple[str, ...] = ("pop909", "classical", "chorales")
    """Names or folders."""
    shares: tuple[float, ...] = ()
    """Share of the windows from each corpus; empty: in proportion to the notes."""
    window: int = 512
    """Notes a window."""
    beginnings: float = 0.125
    """Share of the windows that begin where a piece does,"""
    endings: float = 0.0
    """and of those that end where one does; every other of these is told where it ends."""
    edits: float = 0.0
    """Share of the windows of which a part is fixed, and the rest is drawn."""
    conditions: float = 0.0
    """Share of the windows of which something is told: density, register, dynamics, key, chords."""
    no_style: float = 0.0
    """Share of the windows whose style is not told."""
    style: str = ""
    """What the music of folders is called; empty: as the folder."""
    rehearsal: float = 0.0
    """Share of the windows from pieces that the model of training.init composes first, to forget nothing."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """What is varied."""

    def __post_init__(self) -> None:
        _require_corpora(self.corpora)
        for name in ("beginnings", "endings", "edits", "conditions", "no_style", "rehearsal"):
            _require(f"data.{name}", getattr(self, name), 0 <= getattr(self, name) <= 1, "from 0 to 1")
        _require("data.window", self.window, self.window >= 2, "2 or more")
        if self.beginnings + self.endings > 1:
            raise CadenzaError(
                "data.beginnings and data.endings are shares of all windows: together at most 1"
            )
        if self.shares and len(self.shares) != len(self.corpora):
            raise CadenzaError(f"data.shares has {len(self.shares)} values for {len(self.corpora)} corpora")
        if self.shares and (min(self.shares) < 0 or not sum(self.shares) > 0):
            raise CadenzaError("data.shares must not be negative, and not all zero")


@dataclass(frozen=True)
class RollDataConfig:
    """What a model of piano rolls is trained on; the roll itself is the model's."""

    corpora: tuple[str, ...] = ("classical",)
    """Names or folders."""
    pieces: str = "*"
    """Only pieces whose names match, as `solo/*`."""
    order: Literal["random", "epochs"] = "random"
    """random: segments drawn anywhere; epochs: every piece once, in another order each time."""
    window: int = 128
    """Steps of a segment; with epochs, the most steps of a piece that are read in one go."""
    segments: int = 0
    """So many random segments are chosen once and only these are trained on; 0: anywhere."""
    context: int = 0
    """Steps at the beginning of a window that are known, not predicted; silence before a piece."""
    empty: float = 0.0
    """Share of the random segments of which the context is hidden: silence stands for it."""

    def __post_init__(self) -> None:
        _require_corpora(self.corpora)
        _require("data.window", self.window, self.window >= 2, "2 or more")
        _require("data.segments", self.segments, self.segments >= 0, "0 or more")
        fits = 0 <= self.context < self.window
        _require("data.context", self.context, fits, f"at least 0 and below data.window, {self.window}")
        _require("data.empty", self.empty, 0 <= self.empty <= 1, "from 0 to 1")
        if self.empty and (not self.context or self.order == "epochs"):
            raise CadenzaError("data.empty hides the context of random segments: it needs data.context")
        if self.segments and self.order == "epochs":
            raise CadenzaError(
                "data.segments are drawn at random: leave them out, or set data.order to random"
            )


@dataclass(frozen=True)
class TokenDataConfig:
    """What a model of tokens is trained on, every piece once an epoch; what a token is, is the model's."""

    corpora: tuple[str, ...] = ("musedata",)
    """Names or folders."""
    pieces: str = "*"
    """Only pieces whose names match."""
    most: int = 0
    """So many training pieces of a corpus, chosen once at random; 0: all."""
    window: int = 50
    """Tokens of a window that are drawn."""
    context: int = 50
    """Tokens before them that are only read."""

    def __post_init__(self) -> None:
        _require_corpora(self.corpora)
        _require("data.window", self.window, self.window >= 1, "1 or more")
        for name in ("most", "context"):
            _require(f"data.{name}", getattr(self, name), getattr(self, name) >= 0, "0 or more")


@dataclass(frozen=True)
class TrainingConfig:
    """How it is trained."""

    init: str = ""
    """Checkpoint folder whose weights a new run begins with, its optimiser fresh; empty: from random ones."""
    reset: str = ""
    """Of `init`, parameters whose names begin so are left out and begin at random."""
    only: str = ""
    """Parameters whose names begin so are trained, all others stay as they are; empty: all are trained."""
    steps: int = 6000
    """Optimiser steps."""
    epochs: int = 0
    """Where the data are read in epochs, how many, instead of `steps`; each ends with a validation."""
    batch: int = 8
    """Windows or segments a step."""
    loss: Literal["mean", "sum"] = "mean"
    """Of the notes or steps of a batch."""
    focal: bool = False
    """Focal loss: cells of a roll count the less the surer they are predicted right already."""
    focal_alpha: float = 0.25
    """Of it, the weight of cells that sound; 1 less it that of silent ones."""
    focal_gamma: float = 2.0
    """Of it, the power of the chance of being wrong that weighs a cell; 0: all alike."""
    optimiser: Literal["muon", "adamw", "adam", "adadelta", "adagrad", "rmsprop"] = "muon"
    """muon: the matrices of the trunk by Muon, all else by AdamW."""
    rate: float = 3e-3
    """Learning rate; with muon, that of AdamW."""
    matrix_rate: float = 2e-2
    """Learning rate of Muon."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    clip: float = 1.0
    """Largest norm of the gradient; of that of each tensor with `clip_each`."""
    clip_each: bool = False
    """Clips each parameter's gradient by itself."""
    warmup: int = 100
    """Steps over which the rates rise."""
    cooldown: float = 0.5
    """Share of the steps at the end over which the rates fall to zero, in a straight line."""
    anneal: float = 1.0
    """Share that is left of the rate after a validation before which the training error fell too slowly."""
    anneal_below: float = 0.01
    """Share of the training error by which it has to fall from one validation to the next."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products."""
    seed: int = 1
    """Of everything that is random."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where it is trained; on cuda runs that were broken off do not go on bit for bit."""
    threads: int = 1
    """CPU threads."""
    validate_every: int = 250
    """Steps between validations."""
    validation_windows: int = 64
    """At most so many windows of each corpus's validation split, evenly spaced."""
    log_every: int = 25
    """Steps between lines of the log."""
    patience: int = 12
    """Validations without a better one after which it stops early."""
    keep: tuple[int, ...] = ()
    """Steps (with epochs, epochs) whose weights are kept beside the last and the best."""

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "batch",
            "threads",
            "validate_every",
            "validation_windows",
            "log_every",
            "patience",
        ):
            value = getattr(self, name)
            _require(f"training.{name}", value, value >= 1, "1 or more")
        for name in ("rate", "matrix_rate", "weight_decay", "warmup", "seed", "epochs"):
            value = getattr(self, name)
            _require(f"training.{name}", value, value >= 0, "0 or more")
        _require("training.seed", self.seed, self.seed < 1 << 32, "below 4,294,967,296")
        _require("training.clip", self.clip, self.clip > 0, "above 0")
        alpha, gamma = self.focal_alpha, self.focal_gamma
        _require("training.focal_alpha", alpha, 0 < alpha < 1, "above 0 and below 1")
        _require("training.focal_gamma", gamma, gamma >= 0, "0 or more")
        _require("training.anneal", self.anneal, 0 < self.anneal <= 1, "above 0 and at most 1")
        _require("training.anneal_below", self.anneal_below, 0 <= self.anneal_below < 1, "from 0 to below 1")
        _require("training.cooldown", self.cooldown, 0 <= self.cooldown <= 1, "from 0 to 1")
        if self.reset and not self.init:
            raise CadenzaError("training.reset leaves out parameters of training.init, which is not given")


DATA: Final = {"events": DataConfig, "rolls": RollDataConfig, "tokens": TokenDataConfig}
"""What each kind of model is trained on."""


@dataclass(frozen=True)
class Recipe:
    """One experiment."""

    model: str = "composer"
    """A name in `cadenza.models.MODELS`."""
    sizes: Sizes = field(default_factory=ComposerConfig)
    """The model's own configuration."""
    data: DataConfig | RollDataConfig | TokenDataConfig = field(default_factory=DataConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


def load_recipe(path: Path, changes: Mapping[str, str] | None = None) -> Recipe:
    """A recipe from TOML. `changes` maps dotted keys to TOML values and goes before what the file says.

    Raises CadenzaError for a missing or malformed file, an unknown key or a value of the wrong kind.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CadenzaError(f"cannot read the recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CadenzaError(f"{path} is no valid TOML: {error}") from error
    for key, value in (changes or {}).items():
        *sections, last = key.split(".")
        at: Any = table
        for section in sections:
            at = at.setdefault(section, {}) if isinstance(at, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if not isinstance(at, dict):
            raise CadenzaError(f"{key}: no such key: {'.'.join(sections)} is a value, not a table of keys")
        at[last] = _toml_value(value)
    return recipe_from(table, str(path))


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


SECTIONS: Final = ("data", "model", "training")
"""What a recipe consists of."""


def recipe_from(table: Mapping[str, Any], where: str) -> Recipe:
    """A recipe from nested tables: [data], [model], [training]."""
    unknown = set(table) - set(SECTIONS)
    if unknown:
        raise CadenzaError(
            f"{where}: unknown section {min(unknown)!r}; {there_are(SECTIONS, instead_of=min(unknown))}"
        )
    model = dict(table.get("model", {}))
    name = model.pop("name", "composer")
    if name not in MODELS:
        raise CadenzaError(f"{where}: unknown model {name!r}; {there_are(MODELS, instead_of=str(name))}")
    kind = MODELS[name]
    return Recipe(
        name,
        _filled(kind.sizes, model, f"{where}: model"),
        _filled(DATA[kind.data], table.get("data", {}), f"{where}: data"),
        _filled(TrainingConfig, table.get("training", {}), f"{where}: training"),
    )


def _filled(kind: type[Config], table: Mapping[str, Any], where: str) -> Config:
    """A configuration from a table, lists as tuples; unknown keys and values of a wrong kind are errors."""
    if not isinstance(table, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise CadenzaError(f"{where} is a table of keys, not {table!r}")
    known = {f.name: f for f in fields(kind)}  # pyright: ignore[reportArgumentType]
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise CadenzaError(f"{where}.{key}: no such key; {there_are(known, instead_of=key)}")
        factory, default = known[key].default_factory, known[key].default
        values[key] = _checked(
            value, factory() if factory is not MISSING else default, hints[key], f"{where}.{key}"
        )
    return kind(**values)


KINDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a word in quotes",
    tuple: "a list",
}
"""What values are called in messages."""


def _checked(value: Any, default: Any, hint: Any, where: str) -> Any:
    """A value of the kind that its default has."""
    if is_dataclass(default):
        return _filled(type(default), value, where)
    if isinstance(value, list):
        value = tuple(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default):  # pyright: ignore[reportUnknownArgumentType]
        example = json.dumps(default)
        raise CadenzaError(f"{where}: {value!r} should be {KINDS[type(default)]}, as in {example}")
    choices = get_args(hint)
    if isinstance(default, str) and choices and value not in choices:
        raise CadenzaError(f"{where}: {value!r} should be one of {', '.join(choices)}")
    return value  # pyright: ignore[reportUnknownVariableType]
