"""Training: the loop on one screen, and the recipe that configures it.

A run is a folder: `recipe.toml` as used, `log.jsonl` (a JSON object a line), `last/` and `best/` checkpoints.
It can be killed at any moment and taken up again: batch k depends only on the seed and k, so the run goes on
bit for bit (same machine, same versions, same number of threads) as if nothing had happened.
"""

from __future__ import annotations

import json
import math
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from cadenza.architecture import ComposerConfig, EventLSTMConfig, style_index
from cadenza.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cadenza.dataset import Augmentation, Prepared, Windows, WindowSource, evaluation_windows, prepare, stacked
from cadenza.errors import CadenzaError
from cadenza.files import atomic_path
from cadenza.models.base import EventBatch, EventModel
from cadenza.models.composer import Composer
from cadenza.models.event_lstm import EventLSTM

Config = TypeVar("Config")

MODELS: Final = {"composer": (ComposerConfig, Composer), "event_lstm": (EventLSTMConfig, EventLSTM)}
"""What a recipe's `[model] name` can be: the sizes and the model."""


@dataclass(frozen=True)
class DataConfig:
    """What is trained on."""

    corpora: tuple[str, ...] = ("pop909", "classical", "chorales")
    """Names or folders."""
    shares: tuple[float, ...] = ()
    """Share of the windows from each corpus; empty: in proportion to the notes."""
    window: int = 512
    """Notes a window."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """What is varied."""


@dataclass(frozen=True)
class TrainingConfig:
    """How it is trained."""

    steps: int = 6000
    """Optimiser steps."""
    batch: int = 8
    """Windows a step."""
    optimiser: Literal["muon", "adamw"] = "muon"
    """muon: the matrices of the trunk by Muon, all else by AdamW."""
    rate: float = 3e-3
    """Learning rate of AdamW."""
    matrix_rate: float = 2e-2
    """Learning rate of Muon."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    warmup: int = 100
    """Steps over which the rates rise."""
    cooldown: float = 0.5
    """Share of the steps at the end over which the rates fall to zero, in a straight line."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products."""
    seed: int = 1
    """Of everything that is random."""
    threads: int = 1
    """CPU threads."""
    validate_every: int = 250
    """Steps between validations."""
    validation_windows: int = 64
    """At most so many windows of each corpus's validation split, evenly spaced."""
    save_every: int = 100
    """Steps between checkpoints to resume from."""
    patience: int = 12
    """Validations without a better one after which it stops early."""


@dataclass(frozen=True)
class Recipe:
    """One experiment."""

    model: str = "composer"
    """A name in MODELS."""
    sizes: Any = field(default_factory=ComposerConfig)
    """The model's own configuration."""
    data: DataConfig = field(default_factory=DataConfig)
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
        at = table
        for section in sections:
            at = at.setdefault(section, {})
        at[last] = _toml_value(value)
    return recipe_from(table, str(path))


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def recipe_from(table: Mapping[str, Any], where: str) -> Recipe:
    """A recipe from nested tables: [data], [model], [training]."""
    unknown = set(table) - {"data", "model", "training"}
    if unknown:
        raise CadenzaError(f"{where}: unknown section {min(unknown)!r}; there are data, model and training")
    model = dict(table.get("model", {}))
    name = model.pop("name", "composer")
    if name not in MODELS:
        raise CadenzaError(f"{where}: unknown model {name!r}; known are {', '.join(MODELS)}")
    return Recipe(
        name,
        _filled(MODELS[name][0], model, f"{where}: model"),
        _filled(DataConfig, table.get("data", {}), f"{where}: data"),
        _filled(TrainingConfig, table.get("training", {}), f"{where}: training"),
    )


def _filled(kind: type[Config], table: Mapping[str, Any], where: str) -> Config:
    """A configuration from a table, lists as tuples; unknown keys and values of a wrong kind are errors."""
    known = {f.name: f for f in fields(kind)}  # pyright: ignore[reportArgumentType]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise CadenzaError(f"{where}.{key}: no such key; there are {', '.join(known)}")
        default = known[key].default_factory() if callable(known[key].default_factory) else known[key].default
        if is_dataclass(default):
            values[key] = _filled(type(default), value, f"{where}.{key}")
            continue
        value = tuple(value) if isinstance(value, list) else value
        value = float(value) if isinstance(default, float) and isinstance(value, int) else value
        if type(value) is not type(default):
            raise CadenzaError(f"{where}.{key}: {value!r} should be a {type(default).__name__} like {default!r}")
        values[key] = value
    return kind(**values)


def torch_batch(windows: Windows, style_index: Callable[[str], int]) -> EventBatch:
    """Windows as tensors."""
    return EventBatch(
        rows=torch.from_numpy(windows.rows),
        places=torch.from_numpy(windows.places),
        onsets=torch.from_numpy(windows.onsets),
        is_start=torch.from_numpy(windows.is_start),
        next_rows=torch.from_numpy(windows.next_rows),
        next_places=torch.from_numpy(windows.next_places),
        style=torch.tensor([style_index(style) for style in windows.styles]),
        weight=torch.from_numpy(windows.weight),
    )


def make_optimisers(model: nn.Module, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """The optimisers of a model's parameters, each group with its own full rate under `initial_lr`."""
    parameters = dict(model.named_parameters())
    decay = config.weight_decay
    matrices = {n for n, p in parameters.items() if p.ndim == 2 and n.startswith(("blocks.", "lstm."))}
    if config.optimiser == "adamw":
        matrices = set[str]()
    rest = [p for n, p in parameters.items() if n not in matrices]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=config.rate, betas=(0.9, 0.95), weight_decay=decay)
    ]
    if matrices:
        optimisers.append(
            torch.optim.Muon([parameters[n] for n in sorted(matrices)], lr=config.matrix_rate, weight_decay=decay)
        )
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["initial_lr"] = group["lr"]
    return optimisers


def rate_factor(step: int, config: TrainingConfig) -> float:
    """Share of the full learning rate at a step: a rise, a plateau, a straight fall."""
    falling = max(1.0, config.steps * config.cooldown)
    return min(1.0, (step + 1) / max(1, config.warmup), (config.steps - step) / falling)


@torch.no_grad()
def validate(model: EventModel, corpora: tuple[Prepared, ...], config: DataConfig, most: int) -> dict[str, float]:
    """Nats a note on the validation split of each corpus, over at most `most` evenly spaced windows of each."""
    model.eval()
    result: dict[str, float] = {}
    for corpus in corpora:
        result[corpus.name] = _nats_a_note(model, list(_validation(corpus, config.window, most)))
    model.train()
    return result


def _validation(corpus: Prepared, length: int, most: int) -> Iterator[Windows]:
    pieces = corpus.side("valid")
    places = [(p, first) for p in pieces for first in range(0, max(1, p.stop - p.start + 1 - length // 2), length)]
    step = max(1, math.ceil(len(places) / most))
    for piece, first in places[::step]:
        yield _window_of(corpus, piece, first, length)


def _window_of(corpus: Prepared, piece: Any, first: int, length: int) -> Windows:
    from cadenza.dataset import window

    return window(corpus.sequence(piece), first, length, corpus.style)


def _nats_a_note(model: EventModel, windows: list[Windows], batch: int = 8) -> float:
    total, notes = 0.0, 0.0
    for i in range(0, len(windows), batch):
        part = torch_batch(stacked(windows[i : i + batch]), lambda s: style_index(model.config.styles, s))
        total -= float((model(part).sum(-1) * part.weight).sum())
        notes += float(part.weight.sum())
    return total / notes


def train(recipe: Recipe, folder: Path, on_event: Callable[[dict[str, Any]], None] = lambda event: None) -> None:
    """Trains until the recipe's steps are done or validation stops improving; resumes what `folder` holds."""
    config = recipe.training
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    corpora = tuple(prepare(name) for name in recipe.data.corpora)
    shares = recipe.data.shares or tuple(float(sum(p.stop - p.start for p in c.side("train"))) for c in corpora)
    source = WindowSource(corpora, shares, recipe.data.window, config.batch, recipe.data.augmentation, config.seed)
    model = MODELS[recipe.model][1](recipe.sizes)
    optimisers = make_optimisers(model, config)
    folder.mkdir(parents=True, exist_ok=True)
    best, since = math.inf, 0
    cpu, begun = time.process_time(), time.perf_counter()
    with (folder / "log.jsonl").open("a") as log:
        for step in range(config.steps):
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = group["initial_lr"] * rate_factor(step, config)
            batch = torch_batch(source.draw(step), lambda s: style_index(recipe.sizes.styles, s))
            with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bfloat16"):
                logp = model(batch)
            loss = -(logp.sum(-1) * batch.weight).sum() / batch.weight.sum()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            for optimiser in optimisers:
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            event: dict[str, Any] = {"step": step + 1, "loss": round(loss.item(), 4)}
            if (step + 1) % config.validate_every == 0 or step + 1 == config.steps:
                event["valid"] = validate(model, corpora, recipe.data, config.validation_windows)
                event["seconds"] = round(time.perf_counter() - begun)
                event["cpu"] = round(time.process_time() - cpu)
                log.write(json.dumps(event) + "\n"); log.flush()
                on_event(event)
