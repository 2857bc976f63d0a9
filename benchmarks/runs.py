"""A queue of training runs: each is a recipe with a few changes, in a folder of its own.

Any number of processes may work through one queue, on one core each. A run that was broken off goes on from
its last checkpoint; one that is finished is not begun again. What has to last is the log of a run, which is
copied beside the results as it is finished.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Planned:
    """A run of the queue."""

    name: str
    recipe: str
    """Under `recipes/`, without its suffix."""
    changes: dict[str, str] = field(default_factory=dict[str, str])
    """As after `cadenza train --set`."""

    def folder(self, paper: str) -> Path:
        """Where it is trained."""
        return ROOT / "runs" / paper / self.name

    def log(self, paper: str) -> Path:
        """Where its log is kept."""
        return ROOT / "docs" / "results" / "logs" / paper / f"{self.name}.jsonl"


def seeds(name: str, recipe: str, count: int, **changes: str) -> list[Planned]:
    """A recipe with seeds 1, 2, ..."""
    return [
        Planned(f"{name}-seed{seed}", recipe, {**changes, "training.seed": str(seed)})
        for seed in range(1, count + 1)
    ]


def work_off(paper: str, runs: Sequence[Planned]) -> None:
    """Trains what is not trained yet, in the order given, leaving out what another process is at."""
    from cadenza.recipe import load_recipe
    from cadenza.train import train

    for run in runs:
        folder = run.folder(paper)
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / "lock") as free:
            if not free or (folder / "done").exists():
                continue
            print(f"{paper}: {run.name}", flush=True)
            recipe = load_recipe(ROOT / "recipes" / f"{run.recipe}.toml", run.changes)
            train(recipe, folder, lambda event: print(json.dumps(event), flush=True))
            run.log(paper).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / "log.jsonl", run.log(paper))
            (folder / "done").touch()


@contextmanager
def alone(path: Path) -> Generator[bool]:
    """Whether nobody else holds the lock; the system lets go of it when its holder dies."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def events_of(paper: str, run: Planned) -> list[dict[str, Any]]:
    """The lines of a run's kept log; of an unfinished run as many as a report has kept, or none."""
    path = run.log(paper)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
