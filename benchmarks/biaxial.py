"""How well training the biaxial network uses a machine: against matrix products, and against a step loop.

    python benchmarks/biaxial.py --json docs/results/biaxial.json
    python benchmarks/biaxial.py --device cuda

Protocol. One process, one CPU thread (or one GPU); the contenders take turns, each round runs every one of
them once, and a figure is the median over rounds of the ratios within a round. Seconds are those of the
clock; with --clock cpu, CPU seconds of the process, in which other programs on the same core do not count.

- training step: as `cadenza train recipes/deep-jammer/large.toml` takes it, from a batch of 5 segments of 128
  steps and 88 keys (random ones, as sparse as music) to changed weights: attributes, forward, loss, backward,
  clipping and Adadelta. In float32, and in bfloat16 as the recipes have it (the matrix products only).
- matrix product: `torch.mm` of two square matrices, of the same precision, in the same round; the fastest of
  three sizes is the peak. It is what torch reaches and not what the processor could: on AMD's, MKL's float32
  product uses half of the vector width, oneDNN's LSTM all of it, so a share can lie above 1.
- step loop: the same network and the same training step, but with a call of an LSTM cell for every step and
  every key, in Python, instead of one for each layer. Before it is timed, both must say the same of a batch.

FLOP of a training step. An LSTM layer of H units over I inputs does 4 H (I + H) multiply-adds a cell, a dense
layer I O; a cell is one key of one step of one segment. A multiply-add is 2 FLOP. Backward costs twice
forward (the gradients of weights and of inputs), but nobody asks for those of the network's own inputs:

    FLOP = cells * (6 * (sum of 4 H (I + H) + sum of I O) - 2 * 4 H_1 I_1)

Biases, gates, attributes, loss and optimiser count as time and not as FLOP.

Floors: at size large, a training step in float32 reaches at least half of the float32 peak; at no size is it
slower than the step loop, in either precision. Those of bfloat16 stand beside them.
"""

from __future__ import annotations

import copy
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import protocol

if TYPE_CHECKING:
    from torch import Tensor

    from cadenza.models.biaxial import Biaxial
    from cadenza.models.rolls import RollBatch
    from cadenza.recipe import Recipe, TrainingConfig

RECIPES = Path(__file__).parent.parent / "recipes" / "deep-jammer"
SIZES = ("large", "medium", "small")
PRECISIONS = ("float32", "bfloat16")
DENSITY = 0.04
"""Share of the cells that sound."""
MATRICES = {"cpu": (512, 1024, 2048), "cuda": (4096, 8192, 16384)}
"""Rows of the squares that are multiplied."""
LEAST = 0.5
"""Of the peak."""
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}

Clock = Callable[[], float]


def main() -> int:
    """Measures all sizes; status 1 where a floor fails."""
    parser = protocol.parser(__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="seconds of what")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--batch", type=int, default=5, help="segments")
    parser.add_argument("--steps", type=int, default=128, help="of a segment")
    options = parser.parse_args()
    protocol.on_one_thread(options.cpu)

    import torch

    from cadenza.train import reuse_memory

    torch.set_num_threads(1)
    reuse_memory()  # as training does
    torch.manual_seed(1)
    bench = Bench(options.device, clock_of(options.device, CLOCKS[options.clock]), options.rounds)
    batch = random_batch(options.batch, options.steps, options.device)
    results: dict[str, Any] = {
        "machine": protocol.machine("numpy", "torch") | gpu(options.device),
        "device": options.device,
        "clock": options.clock,
        "rounds": options.rounds,
        "batch": [options.batch, options.steps, 88],
        "matrices": MATRICES[options.device],
        "sizes": {size: bench.measure(size, batch) for size in options.sizes},
    }
    protocol.write_json(options.json, results)
    report(results["sizes"])
    return 0 if held(results["sizes"]) else 1


def gpu(device: str) -> dict[str, str]:
    """Which GPU it is, if it is one."""
    import torch

    return {"gpu": torch.cuda.get_device_name()} if device == "cuda" else {}


def clock_of(device: str, clock: Clock) -> Clock:
    """A clock that waits until a GPU has done what it was told."""
    import torch

    def waiting() -> float:
        torch.cuda.synchronize()
        return clock()

    return waiting if device == "cuda" else clock


# --- Contenders ---------------------------------------------------------------------------------------------


def random_batch(count: int, steps: int, device: str) -> RollBatch:
    """Segments of noise as sparse as music: what is struck is held for a step."""
    import numpy as np

    from cadenza.batches import moved
    from cadenza.models.rolls import RollBatch
    from cadenza.representation.pianoroll import HELD, KEYS, STRUCK, Segments

    random = np.random.default_rng(1)
    struck = random.random((count, steps + 1, KEYS)) < DENSITY / 2
    rows = np.where(np.roll(struck, 1, axis=1), HELD, 0).astype(np.uint8)
    rows[struck] = STRUCK
    velocities = np.where(rows > 0, 64, 0).astype(np.uint8)
    positions = np.tile((np.arange(steps) % 16).astype(np.int16), (count, 1))
    known, drawn = slice(None, -1), slice(1, None)
    segments = Segments(
        rows[:, known],
        velocities[:, known],
        positions,
        rows[:, drawn],
        velocities[:, drawn],
        np.ones((count, steps), np.float32),
    )
    return moved(RollBatch.of(segments), device)


def recipe_of(size: str) -> Recipe:
    """Of one of the paper's networks."""
    from cadenza.recipe import load_recipe

    return load_recipe(RECIPES / f"{size}.toml")


def network(recipe: Recipe, device: str) -> Biaxial:
    """A recipe's network with random weights."""
    from cadenza.models.biaxial import Biaxial
    from cadenza.sizes import BiaxialConfig

    assert isinstance(recipe.sizes, BiaxialConfig)
    return Biaxial(recipe.sizes).to(device)


def looping(model: Biaxial) -> Biaxial:
    """A copy of a network whose LSTM layers go from cell to cell in Python."""
    import torch
    from torch import nn

    class Loop(nn.Module):
        def __init__(self, lstm: nn.LSTM) -> None:
            super().__init__()
            self.lstm = lstm

        def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
            """As an LSTM layer's own, of which only a beginning without a state is needed."""
            weights = [self.lstm.get_parameter(name) for name, _ in self.lstm.named_parameters()]
            zeros = x.new_zeros(x.shape[1], self.lstm.hidden_size)
            state = state or (zeros, zeros)
            hidden: list[Tensor] = []
            for step in x:
                state = torch.lstm_cell(step, state, *weights)
                hidden.append(state[0])
            return torch.stack(hidden), state

    model = copy.deepcopy(model)
    for layers in (model.time, model.note):
        for i, lstm in enumerate(layers):
            assert isinstance(lstm, nn.LSTM)
            layers[i] = Loop(lstm)
    return model


def training_step(
    model: Biaxial, config: TrainingConfig, batch: RollBatch, precision: str
) -> Callable[[], None]:
    """What `cadenza.train.Run.advance` does with a batch that is there."""
    import torch

    from cadenza.train import clip, make_optimisers

    (optimiser,) = make_optimisers(model, config)
    device = batch.rows.device.type

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            scores = model(batch)
        (-scores.sum()).backward()
        clip(model, config)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def product(size: int, device: str, precision: str) -> Callable[[], None]:
    """A product of two square matrices."""
    import torch

    a, b = (torch.randn(size, size, dtype=getattr(torch, precision), device=device) for _ in range(2))

    def run() -> None:
        torch.mm(a, b)

    return run


def flop(model: Biaxial, cells: int) -> int:
    """FLOP of a training step: see the module."""
    from torch import nn

    layers = [module for module in model.modules() if isinstance(module, nn.LSTM)]
    lstms = [(layer.input_size, layer.hidden_size) for layer in layers]
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    adds = sum(4 * h * (i + h) for i, h in lstms) + sum(d.in_features * d.out_features for d in linear)
    first_inputs, first_units = lstms[0]
    return cells * (6 * adds - 2 * 4 * first_units * first_inputs)


# --- Measuring ----------------------------------------------------------------------------------------------


class Bench:
    """A machine, and how it is timed."""

    def __init__(self, device: str, clock: Clock, rounds: int) -> None:
        self.device, self.clock, self.rounds = device, clock, rounds

    def speed(self, run: Callable[[], None], work: int, turns: int = 1) -> float:
        """FLOP a second of calls that do so many each."""
        begun = self.clock()
        for _ in range(turns):
            run()
        return work * turns / (self.clock() - begun)

    def peak(self, precision: str) -> Callable[[], float]:
        """FLOP a second of the fastest matrix product, as a contender."""
        runs = {n: product(n, self.device, precision) for n in MATRICES[self.device]}
        return lambda: max(self.speed(run, 2 * n**3, PRODUCTS) for n, run in runs.items())

    def measure(self, size: str, batch: RollBatch) -> dict[str, Any]:
        """Figures of one size."""
        recipe = recipe_of(size)
        model = network(recipe, self.device)
        plain = looping(model)
        check_same(model, plain, batch)
        work = flop(model, batch.next_rows.numel())
        contenders: dict[str, Callable[[], float]] = {}
        for precision in PRECISIONS:
            for name, net in (("step", model), ("loop", plain)):
                run = training_step(net, recipe.training, batch, precision)
                contenders[f"{name} {precision}"] = partial(self.speed, run, work)
            contenders[f"peak {precision}"] = self.peak(precision)
        return figures(protocol.interleaved(contenders, self.rounds), work)


PRODUCTS = 5
"""Of each size in a turn."""


def check_same(model: Biaxial, plain: Biaxial, batch: RollBatch) -> None:
    """Raises RuntimeError where the loop is another network than the layers."""
    import torch

    with torch.no_grad():
        if not torch.allclose(model(batch), plain(batch), atol=1e-3):
            raise RuntimeError("the step loop says something else than the layers")


def figures(speeds: dict[str, list[float]], work: int) -> dict[str, Any]:
    """What is told of FLOP a second by contender and round."""
    found: dict[str, Any] = {"flop": work}
    for precision in PRECISIONS:
        step, loop, peak = (speeds[f"{name} {precision}"] for name in ("step", "loop", "peak"))
        found[precision] = {
            "seconds": work / statistics.median(step),
            "gflops": statistics.median(step) / 1e9,
            "peak_gflops": statistics.median(peak) / 1e9,
            "of_peak": ratio(step, peak),
            "of_float32_peak": ratio(step, speeds["peak float32"]),
            "times_loop": ratio(step, loop),
        }
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios within rounds."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def report(sizes: dict[str, Any]) -> None:
    """Prints the table."""
    rows = [
        (size, precision, found["flop"] / 1e9, *found[precision].values())
        for size, found in sizes.items()
        for precision in PRECISIONS
    ]
    head = ("size", "precision", "GFLOP a step", "seconds a step", "GFLOP/s", "peak GFLOP/s")
    protocol.table((*head, "of the peak", "of the float32 peak", "times the loop"), rows)


def held(sizes: dict[str, Any]) -> bool:
    """Prints whether the floors hold."""
    floors = [
        protocol.floor(f"against the step loop: {size}, {precision}", found[precision]["times_loop"], 1)
        for size, found in sizes.items()
        for precision in PRECISIONS
    ]
    if "large" in sizes:
        share = sizes["large"]["float32"]["of_peak"]
        floors.append(protocol.floor("against the float32 peak: large", share, LEAST))
    return all(floors)


if __name__ == "__main__":
    sys.exit(main())
