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
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import torch
from torch import Tensor, nn

from cadenza.architecture import ComposerConfig, EventLSTMConfig, style_index
from cadenza import __version__
from cadenza.checkpoint import Checkpoint, load_checkpoint, load_tensors, save_checkpoint
from cadenza.dataset import Augmentation, Prepared, Windows, WindowSource, prepare, window
from cadenza.errors import CadenzaError
from cadenza.models.base import EventBatch, EventModel
from cadenza.models.composer import Composer
from cadenza.models.event_lstm import EventLSTM

Config = TypeVar("Config")

TRAINABLE: Final = {"composer": (ComposerConfig, Composer), "event_lstm": (EventLSTMConfig, EventLSTM)}
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
    log_every: int = 25
    """Steps between lines of the log."""
    patience: int = 12
    """Validations without a better one after which it stops early."""


@dataclass(frozen=True)
class Recipe:
    """One experiment."""

    model: str = "composer"
    """A name in TRAINABLE."""
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
    if name not in TRAINABLE:
        raise CadenzaError(f"{where}: unknown model {name!r}; known are {', '.join(TRAINABLE)}")
    return Recipe(
        name,
        _filled(TRAINABLE[name][0], model, f"{where}: model"),
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


def torch_batch(windows: Windows, styles: tuple[str, ...]) -> EventBatch:
    """Windows as tensors, for a model that knows the given styles."""
    return EventBatch(
        rows=torch.from_numpy(windows.rows),
        places=torch.from_numpy(windows.places),
        onsets=torch.from_numpy(windows.onsets),
        is_start=torch.from_numpy(windows.is_start),
        next_rows=torch.from_numpy(windows.next_rows),
        next_places=torch.from_numpy(windows.next_places),
        style=torch.tensor([style_index(styles, style) for style in windows.styles]),
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
    """Share of the full learning rate at a step: a rise, a plateau, a straight fall to zero."""
    falling = max(1.0, config.steps * config.cooldown)
    return min(1.0, (step + 1) / max(1, config.warmup), (config.steps - step) / falling)


@torch.no_grad()
def validate(model: EventModel, styles: tuple[str, ...], held_out: Mapping[str, list[Windows]]) -> dict[str, float]:
    """Nats a note on the windows of each corpus."""
    model.eval()
    result: dict[str, float] = {}
    for name, windows in held_out.items():
        nats = notes = 0.0
        for one in windows:
            batch = torch_batch(one, styles)
            nats -= float((model(batch).sum(-1) * batch.weight).sum())
            notes += float(batch.weight.sum())
        result[name] = round(nats / notes, 4)
    model.train()
    return result


def validation_windows(corpus: Prepared, length: int, most: int) -> list[Windows]:
    """At most `most` windows of the validation split, evenly spaced, one from the beginning of each piece on."""
    places = [
        (piece, first)
        for piece in corpus.side("valid")
        for first in range(0, max(1, piece.stop - piece.start + 1 - length // 2), length)
    ]
    chosen = places[:: max(1, math.ceil(len(places) / most))]
    return [window(corpus.sequence(piece), first, length, corpus.style) for piece, first in chosen]


class Run:
    """A model in training, with all that a checkpoint of it must hold."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        config = recipe.training
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.recipe, self.folder = recipe, folder
        self.corpora = tuple(prepare(name) for name in recipe.data.corpora)
        shares = recipe.data.shares or tuple(float(sum(p.notes for p in c.side("train"))) for c in self.corpora)
        self.source = WindowSource(
            self.corpora, shares, recipe.data.window, config.batch, recipe.data.augmentation, config.seed
        )
        self.held_out = {
            c.name: validation_windows(c, recipe.data.window, config.validation_windows) for c in self.corpora
        }
        self.model: EventModel = TRAINABLE[recipe.model][1](recipe.sizes)
        self.optimisers = make_optimisers(self.model, config)
        self.step, self.notes, self.best, self.since = 0, 0, math.inf, 0
        self.valid: dict[str, float] = {}
        self.seconds = 0.0
        if (folder / "last" / "model.json").exists():
            self._resume()

    def _resume(self) -> None:
        last = self.folder / "last"
        checkpoint = load_checkpoint(last)
        if checkpoint.sizes != json.loads(json.dumps(asdict(self.recipe.sizes))):
            raise CadenzaError(f"{last} holds a model of other sizes; name another folder or remove it")
        tensors = {k: torch.from_numpy(v) for k, v in load_tensors(last, checkpoint).items()}
        self.model.load_state_dict(tensors)
        _set_optimiser_tensors(self.optimisers, load_tensors(last, checkpoint, "optimiser"))
        self.step, self.notes, self.valid = checkpoint.step, checkpoint.notes, checkpoint.valid
        self.best, self.since = checkpoint.progress["best"], int(checkpoint.progress["since"])
        self.seconds = checkpoint.progress["seconds"]

    def save(self, name: str) -> None:
        """Writes the checkpoint `last` (to go on from) or `best` (weights only)."""
        checkpoint = Checkpoint(
            model=self.recipe.model,
            sizes=asdict(self.recipe.sizes),
            corpora={c.name: c.digest for c in self.corpora},
            seed=self.recipe.training.seed,
            step=self.step,
            notes=self.notes,
            valid=self.valid,
            progress={"best": self.best, "since": self.since, "seconds": round(self.seconds, 1)},
            version=__version__,
        )
        groups = {"weights": {k: v.detach().numpy() for k, v in self.model.state_dict().items()}}
        if name == "last":
            groups["optimiser"] = _optimiser_tensors(self.optimisers)
        save_checkpoint(self.folder / name, checkpoint, groups)

    def advance(self) -> float:
        """One optimiser step; the mean loss of its batch in nats a note."""
        config, styles = self.recipe.training, self.recipe.sizes.styles
        for group in (g for optimiser in self.optimisers for g in optimiser.param_groups):
            group["lr"] = group["initial_lr"] * rate_factor(self.step, config)
        batch = torch_batch(self.source.draw(self.step), styles)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bfloat16"):
            log_probabilities = self.model(batch)
        notes = batch.weight.sum()
        loss = -(log_probabilities.sum(-1) * batch.weight).sum() / notes
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.notes += int(notes)
        return loss.item()

    def check(self) -> None:
        """Validates; keeps the best."""
        self.valid = validate(self.model, self.recipe.sizes.styles, self.held_out)
        mean = sum(self.valid.values()) / len(self.valid)
        self.since = 0 if mean < self.best else self.since + 1
        if mean < self.best:
            self.best = mean
            self.save("best")


def train(recipe: Recipe, folder: Path, on_event: Callable[[dict[str, Any]], None] = lambda event: None) -> None:
    """Trains until the recipe's steps are done or validation stops improving; resumes what `folder` holds.

    `on_event` is told of every line of the log. Interrupted, it saves before it lets the interrupt through.
    """
    config = recipe.training
    run = Run(recipe, folder)
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter() - run.seconds
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        try:
            while run.step < config.steps and run.since < config.patience:
                loss = run.advance()
                run.seconds = time.perf_counter() - begun
                last = run.step == config.steps
                if run.step % config.log_every and run.step % config.validate_every and not last:
                    continue
                event: dict[str, Any] = {"step": run.step, "loss": round(loss, 4), "notes": run.notes}
                if run.step % config.validate_every == 0 or last:
                    run.check()
                    run.save("last")
                    event["valid"] = run.valid
                event["seconds"] = round(run.seconds, 1)
                log.write(json.dumps(event) + "\n")
                log.flush()
                on_event(event)
        except KeyboardInterrupt:
            run.save("last")
            raise


def _optimiser_tensors(optimisers: list[torch.optim.Optimizer]) -> dict[str, Any]:
    """The optimisers' state as flat arrays: `optimiser.parameter.name`."""
    return {
        f"{i}.{parameter}.{name}": value.detach().numpy()
        for i, optimiser in enumerate(optimisers)
        for parameter, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }


def _set_optimiser_tensors(optimisers: list[torch.optim.Optimizer], tensors: Mapping[str, Any]) -> None:
    for i, optimiser in enumerate(optimisers):
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            owner, parameter, name = key.split(".")
            if int(owner) == i:
                state.setdefault(int(parameter), {})[name] = torch.from_numpy(value)
        optimiser.load_state_dict(optimiser.state_dict() | {"state": state})
