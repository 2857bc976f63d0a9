"""Notes a second of the engine against a GPT-2 of the same parameter count on REMI tokens.

    python benchmarks/engine.py --json engine.json

Protocol. Everything runs on one CPU thread in one process, the contenders taking turns; figures are medians
over rounds, each round a fresh start from nothing. Seconds are CPU seconds of the process, so that other
programs on the same core do not count; on an idle machine they are those of the clock (--clock wall).

- engine: `cadenza.engine.generate.stream`, as `cadenza compose` uses it, with its sampler, masks and places:
  temperature 1, top-p 0.98. Once at the shipped size (the shipped weights where there are any, else random
  ones of the default configuration) and twice with 8 million random weights, in 8 layers and in 5: the ratio
  depends on the shape, so the floor must hold for both.
- GPT-2: `transformers` GPT2LMHeadModel of as many layers, its width chosen so that the parameter count is
  the same to 3 %, in float32 with a KV cache; `generate` with temperature 1, top-p 0.98, no top-k. Its
  vocabulary is that of `miditok`'s REMI with the sustain pedal, which the composer draws too, else with
  default settings, without drums. It draws as many *tokens* as the engine draws notes, so its context holds
  less music and attention costs it less.
  Random weights draw no valid REMI, so its tokens a second are divided by the mean number of tokens that the
  same tokeniser spends on a note of real music: 25 POP909 songs through CADENZA_DATA, or, without it, a
  built-in two-hand study (no pedal). The songs are first reduced to what the composer's events keep (one
  piano track with its pedal, real bars): POP909's files as they are would cost REMI a bar token every
  quarter and three tracks. So both hold the same notes and pedal, but for REMI's coarser grid.
- torch loop: the same composer, eagerly in torch, step by step with cached keys and values, plain sampling.
- one pass: notes a second if a note cost one product of a vector with as many float32 weights, and nothing
  else. An engine may come near it, or pass it by a little since it reads one row of each embedding only.

Floor: the engine draws at least 10 times the notes a second of GPT-2, at every size and shape.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import protocol

if TYPE_CHECKING:
    from cadenza.architecture import ComposerConfig
    from cadenza.engine.network import NumpyComposer
    from cadenza.score import Score

Clock = Callable[[], float]

TOP_P = 0.98
FLOOR = 10.0
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


def main() -> int:
    """Measures all sizes; status 1 where a floor fails."""
    parser = protocol.parser(__doc__)
    parser.add_argument("--notes", type=int, default=512, help="drawn by the engine a round; tokens by GPT-2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", choices=CLOCKS, default="cpu", help="seconds of what")
    parser.add_argument("--songs", type=int, default=25, help="tokenised to count tokens a note")
    options = parser.parse_args()
    protocol.on_one_thread(options.cpu)

    import torch
    from composers import EIGHT_MILLION, EIGHT_MILLION_WIDE

    from cadenza.architecture import ComposerConfig

    torch.set_num_threads(1)
    tokeniser = remi()
    tokens, music = tokens_per_note(tokeniser, options.songs)
    print(f"REMI: {len(tokeniser)} tokens in the vocabulary, {tokens:.2f} tokens a note ({music})")
    shipped, origin = shipped_composer()
    sizes = [
        ("shipped", shipped.config if shipped else ComposerConfig(), shipped, origin),
        ("8 M, 8 layers", EIGHT_MILLION, None, "random weights"),
        ("8 M, 5 layers", EIGHT_MILLION_WIDE, None, "random weights"),
    ]
    results: dict[str, Any] = {
        "machine": protocol.machine("numpy", "torch", "transformers", "miditok"),
        "remi": {"vocabulary": len(tokeniser), "tokens_per_note": tokens, "music": music},
        "notes": options.notes,
        "rounds": options.rounds,
        "clock": options.clock,
        "sizes": {},
    }
    held = True
    for size, config, composer, weights in sizes:
        clock = CLOCKS[options.clock]
        figures = measure(
            config,
            composer,
            vocabulary=len(tokeniser),
            tokens=tokens,
            notes=options.notes,
            rounds=options.rounds,
            clock=clock,
        )
        results["sizes"][size] = figures | {"weights": weights}
        held &= report(size, weights, figures)
    protocol.write_json(options.json, results)
    return 0 if held else 1


def report(size: str, weights: str, figures: dict[str, Any]) -> bool:
    """Prints one size's table."""
    speeds: dict[str, float] = figures["notes_per_second"]
    ours, theirs = figures["parameters"], figures["gpt2_parameters"]
    print(f"\n{size}: {ours:,} parameters, {weights}; GPT-2: {theirs:,}\n")
    rows = [(name, speed, speed / speeds["GPT-2 on REMI"]) for name, speed in speeds.items()]
    protocol.table(("one CPU thread", "notes/s", "times GPT-2"), rows)
    return protocol.floor(f"engine against GPT-2, {size}", figures["times_gpt2"], FLOOR)


def measure(
    config: ComposerConfig,
    composer: NumpyComposer | None,
    *,
    vocabulary: int,
    tokens: float,
    notes: int,
    rounds: int,
    clock: Clock,
) -> dict[str, Any]:
    """Notes a second of the four contenders at one size."""
    from composers import parameter_count, random_composer, weights_of

    from cadenza.engine.network import NumpyComposer

    model = random_composer(config)
    engine = composer or NumpyComposer(config, weights_of(model))
    parameters = parameter_count(model)
    peer = gpt2(parameters, config.layers, vocabulary, max(1024, notes + 1))
    contenders: dict[str, Callable[[], float]] = {
        "engine": lambda: notes / seconds(clock, lambda: draw(engine, notes)),
        "GPT-2 on REMI": lambda: notes / tokens / seconds(clock, lambda: write_tokens(peer, notes)),
        "torch loop": lambda: notes / seconds(clock, lambda: loop(model, notes)),
        "one pass over the weights": lambda: ONE_PASS_TURNS / seconds(clock, one_pass(parameters)),
    }
    speeds = protocol.medians(protocol.interleaved(contenders, rounds))
    return {
        "parameters": parameters,
        "gpt2_parameters": parameter_count(peer),
        "gpt2_width": peer.config.n_embd,
        "notes_per_second": speeds,
        "times_gpt2": speeds["engine"] / speeds["GPT-2 on REMI"],
    }


def seconds(clock: Clock, run: Callable[[], None]) -> float:
    """What one call takes."""
    begun = clock()
    run()
    return clock() - begun


# --- Contenders ---------------------------------------------------------------------------------------------


def shipped_composer() -> tuple[NumpyComposer | None, str]:
    """The composer that ships with the package, if there is one, and what its weights are."""
    from cadenza.compose import load_model, model_folders
    from cadenza.engine.network import NumpyComposer

    if "composer" not in model_folders():
        return None, "random weights"
    model = load_model("composer").sequence_model
    assert isinstance(model, NumpyComposer)
    return model, "shipped weights"


def draw(engine: NumpyComposer, notes: int) -> None:
    """The engine as users call it, for so many notes."""
    from composers import four_four

    from cadenza.engine.chooser import Passage, Span
    from cadenza.engine.constraints import Constraints
    from cadenza.engine.generate import stream
    from cadenza.engine.sampler import Sampling

    endless = Passage(Span(0, 1 << 40), four_four)
    drawn = stream(engine, endless, constraints=Constraints(), sampling=Sampling(top_p=TOP_P), seed=1)
    if sum(1 for _ in itertools.islice(drawn, notes)) != notes:
        raise RuntimeError("the engine ended early")


def loop(model: Any, notes: int) -> None:
    """The torch loop with plain sampling."""
    import numpy as np
    import torch
    from composers import TorchLoop

    from cadenza.representation.events import END

    random = np.random.default_rng(1)

    def choose(field: int, logits: Any) -> int:
        if field == 0:
            logits[END] = -np.inf
        cumulative = np.cumsum(np.exp(logits - logits.max()))
        return int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))

    with torch.inference_mode():
        composer = TorchLoop(model)
        for _ in range(notes):
            composer.step(choose)


def gpt2(parameters: int, layers: int, vocabulary: int, context: int) -> Any:
    """A GPT-2 with random weights whose parameter count is nearest."""
    from transformers import GPT2Config, GPT2LMHeadModel

    def count(width: int) -> int:
        block = 12 * width * width + 13 * width
        return layers * block + (vocabulary + context + 2) * width

    width = min(range(32, 2048, 8), key=lambda w: abs(count(w) - parameters))
    heads = max(h for h in range(1, width // 32 + 1) if width % h == 0)
    config = GPT2Config(
        vocab_size=vocabulary,
        n_positions=context,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=0,
    )
    return GPT2LMHeadModel(config).eval()


def write_tokens(model: Any, tokens: int) -> None:
    """`generate` with cache and sampling, for so many tokens."""
    import torch

    begin = torch.ones(1, 1, dtype=torch.long)
    with torch.inference_mode():
        written = model.generate(
            begin,
            attention_mask=torch.ones_like(begin),
            do_sample=True,
            temperature=1.0,
            top_p=TOP_P,
            top_k=0,
            use_cache=True,
            max_new_tokens=tokens,
        )
    if written.shape[1] != tokens + 1:
        raise RuntimeError("GPT-2 ended early")


ONE_PASS_TURNS = 200


def one_pass(parameters: int) -> Callable[[], None]:
    """Products of a vector with a matrix of so many float32 weights."""
    import numpy as np

    random = np.random.default_rng(1)
    matrix = random.standard_normal((parameters // 512, 512), np.float32)
    vector = random.standard_normal(512, np.float32)

    def run() -> None:
        for _ in range(ONE_PASS_TURNS):
            np.dot(matrix, vector)

    return run


# --- Tokens a note ------------------------------------------------------------------------------------------


def remi() -> Any:
    """`miditok`'s REMI with the pedal; without drums, which would only add to its vocabulary."""
    import miditok

    return miditok.REMI(miditok.TokenizerConfig(use_sustain_pedals=True, use_pitchdrum_tokens=False))


def tokens_per_note(tokeniser: Any, songs: int) -> tuple[float, str]:
    """Mean REMI tokens a note of real music, and which music that was."""
    from cadenza.midi import write_midi

    scores, music = real_music(songs)
    tokens = notes = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.mid"
        for score in scores:
            write_midi(score, path)
            for track in tokeniser(path):
                tokens += len(track.tokens)
                notes += sum(token.startswith("Pitch") for token in track.tokens)
    return tokens / notes, music


def real_music(songs: int) -> tuple[list[Score], str]:
    """POP909 songs as the composer's events keep them, or the study."""
    from cadenza.corpus import CORPORA
    from cadenza.representation import events

    data = os.environ.get("CADENZA_DATA")
    corpus = CORPORA["pop909"]
    if not data or not (Path(data) / corpus.folder).is_dir():
        return [study()], "the built-in study; set CADENZA_DATA for POP909"
    items = corpus.items(Path(data) / corpus.folder)
    chosen = items[:: max(1, len(items) // songs)][:songs]
    scores = [events.decode(events.encode(corpus.read(item), "metrical")) for item in chosen]
    return scores, f"{len(scores)} POP909 songs"


def study() -> Score:
    """Thirty-two bars for two hands: a melody in quarters and eighths over broken chords."""
    from cadenza.score import Score

    rows: list[tuple[int, int, int, int]] = []
    for bar in range(32):
        root = (48, 45, 41, 43)[bar % 4]
        begin = bar * 1920
        for eighth, step in enumerate((0, 7, 12, 16, 12, 16, 12, 7)):
            start = begin + eighth * 240
            rows.append((root + step, start, start + 240, 60 + 4 * (eighth % 2)))
        melody = ((0, 480, 24), (480, 720, 26), (720, 960, 28), (960, 1440, 31), (1440, 1920, 28))
        for start, end, above in melody:
            rows.append((root + above, begin + start, begin + end, 88))
    return Score.from_notes(rows, qpm=96)


if __name__ == "__main__":
    sys.exit(main())
