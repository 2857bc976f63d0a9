"""A queue of training runs: each is a recipe with a few changes, in a folder of its own.

Any number of processes may work through one queue, on one core each. A run that was broken off goes on from
its last checkpoint; one that is finished is not begun again. What has to last is the log of a run, which is
copied beside the results as it is finished.

On another machine, say one with a GPU, `train --gpu` needs three things of this one:

- the corpora (the folder that `CADENZA_DATA` names), which are a few megabytes of MIDI;
- of the folder that `CADENZA_CACHE` names (`~/.cache/cadenza`), `prepared/`, where minutes count: without it
  the corpora are prepared anew. What is prepared is known by size and time, to the nanosecond, of each file
  of the corpus, so both must be copied with their times (`cp -a`, `rsync -a`, `tar --format=posix`);
- `runs/PAPER/gpu-*`, where a queue goes on that was broken off elsewhere.

What has to come back are `docs/results/logs`; where `report` is run there too, all of `docs/results`, for
what is measured on weights is then measured there.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import shutil
import time
from _thread import interrupt_main
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Timer
from typing import Any

from cadenza.errors import CadenzaError

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Planned:
    """A run of the queue."""

    name: str
    recipe: str
    """Under `recipes/`, without its suffix."""
    changes: dict[str, str] = field(default_factory=dict[str, str])
    """As after `cadenza train --set`."""
    after: str = ""
    """Run whose weights it begins with, by name: it waits until that one is finished."""

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


def on_gpu(run: Planned, changes: dict[str, str]) -> Planned:
    """The same run on a GPU, under a name of its own."""
    return replace(run, name=f"gpu-{run.name}", changes=run.changes | {"training.device": "cuda"} | changes)


def work_off(paper: str, runs: Sequence[Planned], minutes: float | None = None) -> None:
    """Trains what is not trained yet, in the order given, leaving out what another process is at.

    With `minutes` it stops by itself, in the midst of a run if need be, which then goes on at the next call.
    """
    with interrupted_after(minutes):
        _work_off(paper, runs)


def _work_off(paper: str, runs: Sequence[Planned]) -> None:
    from cadenza.recipe import load_recipe
    from cadenza.train import train

    for run in runs:
        folder = run.folder(paper)
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / "lock") as free:
            waits = run.after and not (folder.parent / run.after / "done").exists()
            if not free or waits or (folder / "done").exists():
                continue
            print(f"{paper}: {run.name}", flush=True)
            recipe = load_recipe(ROOT / "recipes" / f"{run.recipe}.toml", run.changes)
            train(recipe, folder, lambda event: print(json.dumps(event), flush=True))
            run.log(paper).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / "log.jsonl", run.log(paper))
            (folder / "done").touch()


@contextmanager
def interrupted_after(minutes: float | None) -> Generator[None]:
    """Ends what runs within by an interrupt, upon which training saves; one by the user is let through."""
    if minutes is None:
        yield
        return
    end = time.monotonic() + 60 * minutes
    alarm = Timer(60 * minutes, interrupt_main)
    alarm.daemon = True
    alarm.start()
    try:
        yield
    except KeyboardInterrupt:
        if time.monotonic() < end:
            raise
        print(f"stopped after {minutes:g} minutes; call again to go on", flush=True)
    finally:
        alarm.cancel()


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


def main(
    about: str | None,
    paper: str,
    queue: Sequence[Planned],
    gpu_queue: Sequence[Planned],
    write_report: Callable[[], None],
) -> int:
    """The command of a paper: trains, or reports."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=about, formatter_class=as_written)
    parser.add_argument("what", choices=("train", "report"))
    parser.add_argument(
        "--gpu",
        nargs="?",
        type=float,
        const=9.0,
        metavar="MINUTES",
        help="train the GPU's queue, for so many minutes (9)",
    )
    options = parser.parse_args()
    try:
        if options.what == "report":
            write_report()
        elif options.gpu is None:
            work_off(paper, queue)
        else:
            work_off(paper, gpu_queue, options.gpu)
    except CadenzaError as error:
        parser.exit(2, f"{paper}: {error}\n")
    return 0
