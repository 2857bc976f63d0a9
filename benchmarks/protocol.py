"""What the benchmarks share: one CPU thread, interleaved rounds, medians, tables and JSON.

Times on a busy laptop move by a factor of two within a minute, so nothing here compares two runs: contenders
take turns within one process (A B A B ...), and the figures to trust are the ratios of their medians.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has."""
    as_written = argparse.RawDescriptionHelpFormatter
    made = argparse.ArgumentParser(description=description, formatter_class=as_written)
    made.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    made.add_argument("--cpu", type=int, metavar="N", help="stay on this CPU (Linux only)")
    return made


def on_one_thread(cpu: int | None = None) -> None:
    """Starts this process anew with one thread for each library, unless it runs so already; pins it to `cpu`.

    Thread counts are read when a library is loaded: call this before numpy or torch is imported.
    """
    if cpu is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cpu})
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ONE_THREAD)


def interleaved(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each contender returns, `rounds` times, taking turns; one unmeasured turn before that warms up."""
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, run in contenders.items():
            figure = run()
            if turn:
                figures[name].append(figure)
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return figures


def medians(figures: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of each contender's figures."""
    return {name: statistics.median(values) for name, values in figures.items()}


def machine(*packages: str) -> dict[str, str]:
    """What the figures depend on: processor, Python and the versions of packages that are installed."""
    found = {"processor": _processor(), "system": platform.system(), "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints rows under a head as a Markdown table; numbers to three digits."""
    cells = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(head), *cells]) for i in range(len(head))]
    print("| " + " | ".join(name.ljust(width) for name, width in zip(head, widths, strict=True)) + " |")
    print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    for row in cells:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return str(cell)


def floor(what: str, figure: float, least: float, unit: str = "times") -> bool:
    """Prints whether a figure reaches its floor."""
    held = figure >= least
    print(f"{'holds' if held else 'FAILS'}: {what}: {figure:.3g} {unit}, at least {least:g}")
    return held


def write_json(path: Path | None, results: Mapping[str, Any]) -> None:
    """Writes results where a path was given."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
