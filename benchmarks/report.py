"""What the results pages of the papers share: logs of finished and of broken-off runs, tables, verdicts.

A page is written from the logs that are kept under `docs/results/logs` and, where they lie there, from the
weights under `runs`, which are not kept. What was measured on those is kept as JSON beside the pictures, so a
page can be written again, and its text mended, without them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import runs

from cadenza.checkpoint import load_checkpoint, load_tensors
from cadenza.recipe import Recipe, load_recipe

RESULTS = runs.ROOT / "docs" / "results"


class Log:
    """What a run logged: whole, or as far as it has come."""

    def __init__(self, paper: str, run: runs.Planned) -> None:
        self.run, self.folder = run, run.folder(paper)
        self.recipe: Recipe = load_recipe(runs.ROOT / "recipes" / f"{run.recipe}.toml", run.changes)
        self.events = _by_step(runs.events_of(paper, run))

    @property
    def validations(self) -> list[dict[str, Any]]:
        """The lines that validate; with epochs, one an epoch."""
        return [event for event in self.events if "valid" in event]

    @property
    def done(self) -> bool:
        """Whether it came to its end, or stopped because validation got no better."""
        training = self.recipe.training
        if self.idle >= training.patience:
            return True
        if training.epochs:
            return len(self.validations) == training.epochs
        return bool(self.events) and self.events[-1]["step"] == training.steps

    @property
    def idle(self) -> int:
        """Validations since the best one."""
        means = [statistics.fmean(event["valid"].values()) for event in self.validations]
        return len(means) - 1 - means.index(min(means)) if means else 0

    @property
    def progress(self) -> str:
        """How far it has come, in words."""
        training = self.recipe.training
        if training.epochs:
            return f"{len(self.validations)} of {training.epochs} epochs"
        return f"{self.events[-1]['step'] if self.events else 0} of {training.steps} updates"

    def at(self, step: int) -> dict[str, Any] | None:
        """The line of an update, where there is one."""
        return next((event for event in self.events if event["step"] == step), None)


def _by_step(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of a step that stands twice (the run was taken up again) the later line; in order."""
    lines = {event["step"]: event for event in events}
    return [lines[step] for step in sorted(lines)]


def logs(paper: str, queue: Sequence[runs.Planned]) -> list[Log]:
    """The logs of the runs that have begun; those of unfinished ones are kept too, as far as they go."""
    for run in queue:
        live, kept = run.folder(paper) / "log.jsonl", run.log(paper)
        if live.exists() and (not kept.exists() or live.stat().st_size >= kept.stat().st_size):
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(live, kept)
    return [log for log in (Log(paper, run) for run in queue) if log.events]


class Measured:
    """Figures measured on weights, in a JSON file, each with the digest of the weights it was measured on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.figures: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def on(self, weights: Path, name: str, measure: Callable[[Path], Any]) -> Any:
        """A figure of a checkpoint: measured where its weights are new, else the one kept, or None."""
        if (weights / "model.json").exists():
            digest = hashlib.sha256((weights / load_checkpoint(weights).files["weights"]).read_bytes())
            if self.figures.get(name, {}).get("weights") != digest.hexdigest()[:16]:
                self.figures[name] = {"weights": digest.hexdigest()[:16], "figure": measure(weights)}
                self.write()
        return self.figures.get(name, {}).get("figure")

    def once(self, name: str, measure: Callable[[], Any]) -> Any:
        """A figure that depends on no weights; measured anew when it is taken out of the file."""
        if name not in self.figures:
            self.figures[name] = measure()
            self.write()
        return self.figures[name]

    def write(self) -> None:
        """To its file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.figures, indent=1) + "\n", encoding="utf-8")


def network(model: Any, folder: Path) -> Any:
    """A torch model with the weights of a checkpoint, to be asked."""
    import torch

    tensors = load_tensors(folder, load_checkpoint(folder))
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    return model.eval()


# --- Words and tables -------------------------------------------------------------------------------------


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Mean and sample deviation over seeds; of one value, the value; a dash of none."""
    if not values:
        return "–"
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def verdict(holds: bool | None) -> str:
    """Whether a claim holds; None: not known yet."""
    return {True: "**holds**", False: "**does not hold**", None: "**not known yet**"}[holds]


def unfinished(found: Sequence[Log], queue: Sequence[runs.Planned]) -> str:
    """A sentence on the runs that did not come to their end; none where all did."""
    begun = {log.run.name for log in found}
    parts = [f"`{log.run.name}` ({log.progress})" for log in found if not log.done]
    waiting = [f"`{run.name}`" for run in queue if run.name not in begun]
    sentences = [f"**Incomplete: {', '.join(parts)}.**"] if parts else []
    if waiting:
        sentences.append(f"**Not begun: {', '.join(waiting)}.**")
    return " ".join(sentences) + ("\n" if sentences else "")


def write_page(path: Path, *parts: str) -> None:
    """The page, its parts with an empty line between them."""
    path.write_text("\n\n".join(part.strip() for part in parts if part.strip()) + "\n", encoding="utf-8")
    print(path.relative_to(runs.ROOT))
