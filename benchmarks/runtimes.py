"""The table from which the engine's runtime was chosen: microseconds a note, size and start of each.

    python benchmarks/runtimes.py --json runtimes.json

Protocol. One process, one CPU thread, the runtimes taking turns; medians over rounds. A round starts anew and
takes in the same notes with each runtime, each note one step of the trunk and the five heads, the choices
given, so neither sampling nor constraints are measured and all do the same work (the logits are compared).
Seconds are CPU seconds of the process (--clock wall for the clock's).

- NumPy: the engine as it is.
- torch: the same step, eagerly, module by module, cached keys and values written in place.
- ONNX Runtime: the step exported as six graphs (the trunk with the cache as inputs and the note's own keys
  and values as outputs, and one graph for each head, since constraints and sampling come between heads),
  called with one thread; the cache is kept in NumPy and handed over without copying.
- numba: the step as one compiled function, products by hand-written loops with `fastmath`.

Size: files of the package and of everything that it requires, as installed here. Import: seconds in a fresh
process. First: seconds until the runtime is ready for the first note beside the import: optimising the graphs
(ONNX Runtime), compiling (numba).
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cadenza.architecture import ComposerConfig
    from cadenza.models.composer import Composer

    Array = NDArray[np.float32]
    Logits = list[Array]

PACKAGES = {"NumPy": "numpy", "torch": "torch", "ONNX Runtime": "onnxruntime", "numba": "numba"}
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}
TOLERANCE = 1e-3
"""Largest difference of logits between runtimes; sums in other orders differ, in float32, by less."""


class Runtime(Protocol):
    """One way to compute a composer's steps."""

    def restart(self) -> None:
        """Forgets all notes."""
        ...

    def step(self, row: Sequence[int]) -> Logits:
        """Logits of each field for the next row, of which `row` is chosen and taken in."""
        ...


def main() -> int:
    """Measures both sizes; status 1 where the runtimes disagree."""
    parser = protocol.parser(__doc__)
    parser.add_argument("--notes", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clock", choices=CLOCKS, default="cpu", help="seconds of what")
    options = parser.parse_args()
    protocol.on_one_thread(options.cpu)

    import torch
    from composers import EIGHT_MILLION

    from cadenza.architecture import ComposerConfig

    torch.set_num_threads(1)
    clock = CLOCKS[options.clock]
    results: dict[str, Any] = {
        "machine": protocol.machine(*PACKAGES.values()),
        "notes": options.notes,
        "rounds": options.rounds,
        "clock": options.clock,
        "megabytes": {name: installed_megabytes(package) for name, package in PACKAGES.items()},
        "import_seconds": import_seconds(5),
        "sizes": {},
    }
    agreed = True
    for size, config in (("1.45 M", ComposerConfig()), ("8 M", EIGHT_MILLION)):
        figures = measure(config, options.notes, options.rounds, clock)
        results["sizes"][size] = figures
        agreed &= max(figures["difference"].values()) < TOLERANCE
    one, eight = (results["sizes"][size] for size in ("1.45 M", "8 M"))
    rows = [
        (
            name,
            one["microseconds"][name],
            one["microseconds"]["NumPy"] / one["microseconds"][name],
            eight["microseconds"][name],
            eight["microseconds"]["NumPy"] / eight["microseconds"][name],
            results["megabytes"][name],
            results["import_seconds"][name],
            eight["first_seconds"][name],
        )
        for name in PACKAGES
    ]
    head = ("", "1.45 M, µs/note", "speed", "8 M, µs/note", "speed", "MB", "import, s", "first, s")
    protocol.table(head, rows)
    print("agree" if agreed else "THE RUNTIMES DISAGREE", one["difference"], eight["difference"])
    protocol.write_json(options.json, results)
    return 0 if agreed else 1


def measure(config: ComposerConfig, notes: int, rounds: int, clock: Callable[[], float]) -> dict[str, Any]:
    """Microseconds a note with each runtime at one size."""
    import numpy as np
    from composers import random_composer

    from cadenza.representation.events import FIELDS

    model = random_composer(config)
    random = np.random.default_rng(1)
    # Shifts from 1 on and pitches below the highest: nothing is masked.
    columns = [random.integers(int(i == 0), min(field.size - 1, 40), notes) for i, field in enumerate(FIELDS)]
    rows: list[list[int]] = np.stack(columns, axis=1).tolist()

    makers: dict[str, Callable[[Composer], Runtime]] = {
        "NumPy": NumpyRuntime,
        "torch": TorchRuntime,
        "ONNX Runtime": OnnxRuntime,
        "numba": NumbaRuntime,
    }
    runtimes: dict[str, Runtime] = {}
    first: dict[str, float] = {}
    difference: dict[str, float] = {}
    expected: list[Logits] = []
    for name, make in makers.items():
        begun = time.perf_counter()
        runtimes[name] = make(model)
        runtimes[name].restart()
        runtimes[name].step(rows[0])
        first[name] = time.perf_counter() - begun
        runtimes[name].restart()
        given = [runtimes[name].step(row) for row in rows]
        expected = expected or given
        difference[name] = max(
            float(np.abs(a - b).max())
            for step, right in zip(given, expected, strict=True)
            for a, b in zip(step, right, strict=True)
        )

    def turn(runtime: Runtime) -> float:
        runtime.restart()
        begun = clock()
        for row in rows:
            runtime.step(row)
        return (clock() - begun) / len(rows) * 1e6

    contenders = {name: lambda runtime=runtime: turn(runtime) for name, runtime in runtimes.items()}
    times = protocol.medians(protocol.interleaved(contenders, rounds))
    return {"microseconds": times, "first_seconds": first, "difference": difference}


# --- NumPy and torch ----------------------------------------------------------------------------------------


class NumpyRuntime:
    """The engine as it is."""

    def __init__(self, model: Composer) -> None:
        from composers import weights_of

        from cadenza.engine.network import NumpyComposer

        self.composer = NumpyComposer(model.config, weights_of(model))

    def restart(self) -> None:
        from composers import four_four

        self.state = self.composer.start(None, model_style(self.composer.config), four_four)

    def step(self, row: Sequence[int]) -> Logits:
        seen: Logits = []

        def choose(field: int, logits: Array) -> int:
            seen.append(logits)
            return row[field]

        self.composer.step(self.state, choose)
        return seen


class TorchRuntime:
    """`composers.TorchLoop`."""

    def __init__(self, model: Composer) -> None:
        self.model = model

    def restart(self) -> None:
        import torch
        from composers import TorchLoop

        with torch.inference_mode():
            self.loop = TorchLoop(self.model)

    def step(self, row: Sequence[int]) -> Logits:
        import torch

        seen: Logits = []

        def choose(field: int, logits: Array) -> int:
            seen.append(logits)
            return row[field]

        with torch.inference_mode():
            self.loop.step(choose)
        return seen


def model_style(config: ComposerConfig) -> str:
    """The style whose embedding is the first: what the torch loop uses."""
    return config.styles[0]


# --- What ONNX Runtime and numba share ----------------------------------------------------------------------


@dataclass
class Frontend:
    """The little that is done in NumPy for both: sums of embeddings, angles, the cache's slots."""

    model: Composer

    def __post_init__(self) -> None:
        from composers import weights_of

        from cadenza.architecture import rotary_frequencies
        from cadenza.representation.events import FIELDS

        self.weights = weights_of(self.model)
        self.config = self.model.config
        self.frequencies = rotary_frequencies()
        self.fields = [self.weights[f"embedding.fields.{i}.weight"] for i in range(len(FIELDS))]
        self.position = self.weights["embedding.position.weight"]
        self.bar = self.weights["embedding.bar.weight"]
        self.style = self.weights["embedding.style.weight"][0]
        self.chosen = [self.weights[f"heads.chosen.{i}.weight"] for i in range(len(FIELDS) - 1)]
        self.chosen_position = self.weights["heads.position.weight"]

    def place(self, step: int) -> Array:
        """Embedding of a step's place in the bar, and the style."""
        from composers import four_four

        from cadenza.architecture import BAR_UNIT

        position, bar = four_four(step)
        return self.position[position] + self.bar[bar // BAR_UNIT] + self.style

    def row(self, row: Sequence[int], onset: int) -> Array:
        """Input of a row."""
        x = self.place(onset)
        for symbol, table in zip(row, self.fields, strict=True):
            x = x + table[symbol]
        return x

    def turn(self, onset: int, index: int, pitch: int) -> tuple[Array, Array]:
        """Cosines and sines of the rotations."""
        import numpy as np

        from cadenza.representation.events import STEPS_PER_QUARTER

        angles = np.array([onset / STEPS_PER_QUARTER, index, pitch]) @ self.frequencies
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


class Steps:
    """A step in terms of `_trunk` and `_head`, which the two runtimes below give."""

    def __init__(self, model: Composer) -> None:
        self.front = Frontend(model)

    def _trunk(self, x: Array, cos: Array, sin: Array) -> Array:
        raise NotImplementedError

    def _head(self, field: int, known: Array) -> Array:
        raise NotImplementedError

    def restart(self) -> None:
        self.count = self.onset = 0
        start = self.front.weights["embedding.start"] + self.front.place(0)
        self.known = self._trunk(start, *self.front.turn(0, 0, 0))

    def step(self, row: Sequence[int]) -> Logits:
        from composers import four_four

        from cadenza.representation.events import FIELDS, SHIFT

        known, seen = self.known, []
        onset = self.onset + int(SHIFT.table[row[0]])
        for i in range(len(FIELDS)):
            seen.append(self._head(i, known))
            if i == 0:
                known = known + self.front.chosen_position[four_four(onset)[0]]
            if i < len(self.front.chosen):
                known = known + self.front.chosen[i][row[i]]
        self.onset, self.count = onset, self.count + 1
        self.known = self._trunk(self.front.row(row, onset), *self.front.turn(onset, self.count, row[1]))
        return seen


# --- ONNX Runtime -------------------------------------------------------------------------------------------


class OnnxRuntime(Steps):
    """Six graphs, one thread."""

    def __init__(self, model: Composer) -> None:
        super().__init__(model)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        providers = ["CPUExecutionProvider"]
        with tempfile.TemporaryDirectory() as folder:
            graphs = export(model, Path(folder))
            sessions = [onnxruntime.InferenceSession(graph, options, providers=providers) for graph in graphs]
        self.trunk, *self.heads = sessions

    def restart(self) -> None:
        import numpy as np

        config = self.front.config
        # Notes first, so that the valid part of a cache is contiguous and is handed over as it lies.
        shape = (config.context, config.heads, config.width // config.heads)
        self.caches = [np.zeros(shape, np.float32) for _ in range(2 * config.layers)]
        super().restart()

    def _trunk(self, x: Array, cos: Array, sin: Array) -> Array:
        config = self.front.config
        inputs: dict[str, Any] = {"x": x, "cos": cos, "sin": sin}
        for i, cache in enumerate(self.caches):
            filled = min(self.count, config.reach(i // 2) - 1)
            inputs[f"cache{i}"] = cache[:filled]
        known, *new = self.trunk.run(None, inputs)
        for i, note in enumerate(new):
            # Attention does not mind the order of the notes: the oldest is written over.
            self.caches[i][self.count % (config.reach(i // 2) - 1)] = note
        return known

    def _head(self, field: int, known: Array) -> Array:
        return self.heads[field].run(None, {"known": known})[0]


def export(model: Composer, folder: Path) -> list[str]:
    """Writes the trunk's step and the heads as ONNX files."""
    import torch

    # torch calls this exporter old; the new one needs another package and gives the same graphs.
    warnings.simplefilter("ignore", DeprecationWarning)
    config = model.config
    x, turn = torch.zeros(config.width), torch.zeros(config.width // config.heads // 2)
    cache = torch.zeros(3, config.heads, config.width // config.heads)
    caches = [f"cache{i}" for i in range(2 * config.layers)]
    trunk = folder / "trunk.onnx"
    torch.onnx.export(
        trunk_step(model),
        (x, turn, turn, *[cache] * len(caches)),
        str(trunk),
        input_names=["x", "cos", "sin", *caches],
        output_names=["known", *(f"new{i}" for i in range(len(caches)))],
        dynamic_axes={name: {0: f"notes{i}"} for i, name in enumerate(caches)},
        dynamo=False,
    )
    graphs = [str(trunk)]
    for i, head in enumerate(model.heads.heads):
        path = str(folder / f"head{i}.onnx")
        torch.onnx.export(
            plain_head(head), (x,), path, input_names=["known"], output_names=["logits"], dynamo=False
        )
        graphs.append(path)
    return graphs


def plain_norm(x: Any) -> Any:
    """The norm in operators that every runtime has."""
    from cadenza.models.base import EPSILON

    return x * ((x * x).mean(-1, keepdim=True) + EPSILON).rsqrt()


def plain_head(head: Any) -> Any:
    """A head as a module to export."""
    import torch
    from torch.nn import functional as F

    class Head(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = head

        def forward(self, known: Any) -> Any:
            return self.head.logits(F.relu(self.head.hidden(plain_norm(known))).square())

    return Head()


def trunk_step(model: Composer) -> Any:
    """The trunk's step as a module to export: the cached keys and values go in, the note's own come out."""
    import torch
    from torch.nn import functional as F

    from cadenza.models.composer import rotate

    heads = model.config.heads

    class Trunk(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = model.blocks

        def forward(self, x: Any, cos: Any, sin: Any, *caches: Any) -> tuple[Any, ...]:
            new: list[Any] = []
            blocks: Any = self.blocks  # a module list, whose items torch's types do not know
            for i, block in enumerate(blocks):
                query, key, value = block.query_key_value(plain_norm(x)).view(3, heads, -1).unbind(0)
                query, key = rotate(plain_norm(query), cos, sin), rotate(plain_norm(key), cos, sin)
                new += [key, value]
                keys = torch.cat([caches[2 * i], key[None]]).permute(1, 2, 0)
                values = torch.cat([caches[2 * i + 1], value[None]]).transpose(0, 1)
                scores = (query[:, None] * query.shape[-1] ** -0.5) @ keys
                x = x + block.out((scores.softmax(-1) @ values).reshape(-1))
                x = x + block.down(F.relu(block.up(plain_norm(x))).square())
            return plain_norm(x), *new

    return Trunk().eval()


# --- numba --------------------------------------------------------------------------------------------------


class NumbaRuntime(Steps):
    """Compiled loops."""

    def __init__(self, model: Composer) -> None:
        import compiled
        import numpy as np

        super().__init__(model)
        config, weights = self.front.config, self.front.weights
        self.trunk, self.head = compiled.trunk, compiled.head
        parts = ("query_key_value", "out", "up", "down")
        self.blocks = tuple(
            np.stack([weights[f"blocks.{i}.{part}.weight"] for i in range(config.layers)]) for part in parts
        )
        self.reaches = np.array([config.reach(i) for i in range(config.layers)])
        names = ("hidden.weight", "logits.weight", "logits.bias")
        self.matrices = [
            tuple(weights[f"heads.heads.{i}.{name}"] for name in names) for i in range(len(self.front.fields))
        ]

    def restart(self) -> None:
        import numpy as np

        config = self.front.config
        shape = (config.layers, config.heads, config.context, config.width // config.heads)
        self.keys, self.values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        super().restart()

    def _trunk(self, x: Array, cos: Array, sin: Array) -> Array:
        return self.trunk(x, (cos, sin), self.blocks, (self.keys, self.values, self.reaches), self.count)

    def _head(self, field: int, known: Array) -> Array:
        return self.head(known, *self.matrices[field])


# --- Size and start -----------------------------------------------------------------------------------------


def installed_megabytes(package: str) -> float:
    """Files of a package and of all that it requires, as far as it is installed."""
    seen: set[str] = set()
    waiting, total = [package], 0
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in found.files or ():
            path = Path(str(found.locate_file(file)))
            total += path.stat().st_size if path.is_file() else 0
        waiting += [
            re.split(r"[^A-Za-z0-9._-]", line)[0] for line in found.requires or () if "extra ==" not in line
        ]
    return total / 1e6


def import_seconds(rounds: int) -> dict[str, float]:
    """Seconds that each package's import takes in a fresh process."""

    def run(package: str) -> float:
        code = f"from time import perf_counter as t; b = t(); import {package}; print(t() - b)"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        return float(done.stdout)

    contenders = {name: lambda package=package: run(package) for name, package in PACKAGES.items()}
    return protocol.medians(protocol.interleaved(contenders, rounds))


if __name__ == "__main__":
    sys.exit(main())
