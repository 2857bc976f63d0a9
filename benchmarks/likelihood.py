"""Nats per note on held-out pieces: the composer, an order-2 Markov model and an LSTM, corpus by corpus.

Protocol. Test split of each corpus (split by piece and group, fixed by content hash), each piece in its own
grid (24 steps a quarter, or 10 ms where it is played freely), scored whole from its first note to its end;
the sum of all negative log-probabilities over the number of notes. 95 % bootstrap intervals over pieces.
The composer sees the style (of a corpus in none of its styles, the one of its own under
which a piece is likeliest) and at most its context of earlier notes. The Markov model (order 2, Witten-Bell
interpolation) is fitted to the training split of each corpus by itself, which helps it. The LSTM is scored
in windows of 1024 notes that overlap by half, only the second half counting. `jazz` was not trained on by
the neural models; its Markov model was. Below each corpus stands what its velocities and pedals cost by their
frequencies in its training split alone.

    CADENZA_DATA=... python benchmarks/likelihood.py --lstm runs/event-lstm-finish/best
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cadenza.compose import Model, load_model
from cadenza.dataset import Prepared, prepare
from cadenza.likelihood import Likelihood, likelihood
from cadenza.models.markov import Markov
from cadenza.representation.events import FIELDS, EventSequence
from cadenza.windows import evaluation_windows

CORPORA = ("pop909", "classical", "chorales", "jazz")
FLOOR = 0.30
VELOCITY, PEDAL = (next(i for i, f in enumerate(FIELDS) if f.name == name) for name in ("velocity", "pedal"))


def zeros_of(model: Any) -> dict[str, Any]:
    """A tensor of zeros for each of a model's."""
    return {name: tensor.new_zeros(tensor.shape) for name, tensor in model.state_dict().items()}


def lstm_scorer(folder: Path) -> Callable[[EventSequence, str], np.ndarray]:
    """Scores with an event LSTM's checkpoint."""
    import torch

    from cadenza.architecture import EventLSTMConfig
    from cadenza.batches import torch_batch
    from cadenza.checkpoint import load_checkpoint, load_tensors
    from cadenza.models.event_lstm import EventLSTM

    checkpoint = load_checkpoint(folder)
    sizes: dict[str, Any] = checkpoint.sizes | {"styles": tuple(checkpoint.sizes["styles"])}
    config = EventLSTMConfig(**sizes)
    model = EventLSTM(config).eval()
    found = load_tensors(folder, checkpoint)
    # Trained before events were edited or asked for: what these add is nothing there.
    tensors = {k: torch.from_numpy(found[k]) if k in found else zero for k, zero in zeros_of(model).items()}
    model.load_state_dict(tensors)

    @torch.no_grad()
    def score(sequence: EventSequence, style: str) -> np.ndarray:
        if style not in config.styles:
            return max((score(sequence, s) for s in config.styles), key=lambda scores: float(scores.sum()))
        parts = [
            model(torch_batch(window, config.styles))[0, context:].double().numpy()
            for window, context in evaluation_windows(sequence, 1024, 512, style)
        ]
        return np.concatenate(parts)

    return score


def composer_scorer(model: Model) -> Callable[[EventSequence, str], np.ndarray]:
    """Scores with a composer: in the corpus's style, or in the likeliest of its own where it has not that."""
    styles, score = model.sequence_model.styles, model.sequence_model.log_probabilities

    def best(sequence: EventSequence, style: str) -> np.ndarray:
        if style in styles or not styles:
            return score(sequence, style)
        return max((score(sequence, s) for s in styles), key=lambda scores: float(scores.sum()))

    return best


def marginals_of(corpus: Prepared) -> Callable[[EventSequence, str], np.ndarray]:
    """Scores velocity and pedal, where it is drawn, by how often each symbol is in the training split."""
    train = [corpus.sequence(piece) for piece in corpus.side("train")]
    logs: dict[int, np.ndarray] = {}
    for column in (VELOCITY, PEDAL):
        symbols = np.concatenate([s.rows[drawn(s, column), column] for s in train])
        counts = np.bincount(symbols, minlength=FIELDS[column].size) + 1
        logs[column] = np.log(counts / counts.sum())

    def score(sequence: EventSequence, style: str) -> np.ndarray:
        del style  # a corpus has one
        scores = np.zeros(sequence.rows.shape)
        for column, log in logs.items():
            scores[:, column] = log[sequence.rows[:, column]] * drawn(sequence, column)
        return scores

    return score


def drawn(sequence: EventSequence, column: int) -> np.ndarray:
    """Rows in which a field is drawn: the pedal only in the first of an onset."""
    first = np.diff(sequence.onsets, prepend=-1) > 0
    return first if column == PEDAL else np.ones(len(sequence), bool)


def markov_of(corpus: Prepared) -> Markov:
    """The Markov model of a corpus's training split."""
    return Markov.fit(corpus.sequence(piece) for piece in corpus.side("train"))


def main() -> int:
    """Prints the table; status 1 where the floor is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="composer", help="shipped model or checkpoint folder")
    parser.add_argument("--lstm", type=Path, help="checkpoint folder of an event LSTM")
    parser.add_argument("--split", default="test", choices=("valid", "test"))
    parser.add_argument("--corpora", nargs="+", default=CORPORA)
    parser.add_argument("--json", type=Path, help="file to write the results to")
    options = parser.parse_args()
    composer = load_model(options.model)
    lstm = lstm_scorer(options.lstm) if options.lstm else None
    results: dict[str, dict[str, Likelihood]] = {}
    for name in options.corpora:
        corpus = prepare(name)
        pieces = corpus.side(options.split)
        rows = {"markov": likelihood(markov_of(corpus).log_probabilities, corpus, pieces)}
        if lstm:
            rows["lstm"] = likelihood(lstm, corpus, pieces)
        rows["composer"] = likelihood(composer_scorer(composer), corpus, pieces)
        results[name] = rows
        for model, row in rows.items():
            share = 1 - row.nats / rows["markov"].nats
            fields = ", ".join(f"{field} {nats:.2f}" for field, nats in row.fields.items())
            print(
                f"{name:10} {model:9} {row.nats:6.3f} nats a note [{row.low:.3f}, {row.high:.3f}] "
                f"{share:+7.1%} below Markov; {row.pieces} pieces, {row.notes} notes; {fields}",
                flush=True,
            )
        alone = likelihood(marginals_of(corpus), corpus, pieces).fields
        told = ", ".join(f"{name} {alone[name]:.2f}" for name in ("velocity", "pedal"))
        print(f"{name:10} by frequencies alone: {told}", flush=True)
    if options.json:
        table = {corpus: {m: asdict(row) for m, row in rows.items()} for corpus, rows in results.items()}
        options.json.write_text(json.dumps(table, indent=1) + "\n")
    trained = [rows for name, rows in results.items() if name in composer.checkpoint.corpora]
    good = all(rows["composer"].nats <= (1 - FLOOR) * rows["markov"].nats for rows in trained)
    good = good and all(rows["composer"].nats < rows["lstm"].nats for rows in trained if "lstm" in rows)
    print(
        f"composer at least {FLOOR:.0%} below Markov, and below the LSTM, on every corpus it was trained on:",
        good,
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
