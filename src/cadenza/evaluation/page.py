"""A comparison as one page of HTML that needs no other file: tables, plots, piano rolls that sound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Final

import numpy as np

from cadenza.comparison import SIGNIFICANT
from cadenza.evaluation.fits import Fit
from cadenza.evaluation.players import Sounding, player
from cadenza.evaluation.report import SHARED, SURPRISE, Evaluation, Standing
from cadenza.evaluation.strips import scale, strip
from cadenza.originality.report import there
from cadenza.originality.yardstick import FEWEST_PEOPLE, HIGH

UNITS: Final = {"note": "nats a note", "frame": "nats a frame", "token": "nats a token"}
TITLES: Final = {SURPRISE: "surprise, nats a note", SHARED: "longest shared run, quarters"}


def page(evaluation: Evaluation, sounds: Mapping[str, Sequence[Sounding]]) -> str:
    """The page. `sounds`: of each set by name, the pieces that can be heard."""
    names = ", ".join(standing.entrant.name for standing in evaluation.others)
    title = escape(f"{names} beside {evaluation.reference.entrant.name}")
    here = files("cadenza.evaluation")
    css, script = ((here / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    tables = (_likelihoods(evaluation), _originality(evaluation), _measures(evaluation))
    parts = (_sets(evaluation), _pieces(sounds), *tables)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
        f"<style>{css}</style></head><body><main><h1>{title}</h1>{''.join(parts)}</main>"
        f"<script>{script}</script></body></html>\n"
    )


def _sets(evaluation: Evaluation) -> str:
    about = (
        f"<p>The first {evaluation.excerpts.bars} bars of each piece. "
        "<em>Distance</em>: squared Fréchet distance from the first set between what the composer makes of "
        "64 notes at a time, extrapolated to sets without end: about 0 where sets are of one kind, in units "
        "of the variance of all. <em>p</em>: how likely so great a distance is where pieces are dealt "
        "to the two sets at random.</p>"
    )
    columns = ["set", "pieces", "distance", "p"]
    rows = [
        [
            standing.entrant.name,
            standing.entrant.about,
            *_distance(standing),
        ]
        for standing in evaluation.standings
    ]
    if evaluation.has_published:
        about += (
            "<p><em>FMD</em>: the published Fréchet music distance, of CLaMP 2's embeddings (Retkowski, "
            "Stępniak and Modrzejewski, 2024). It is larger the fewer the pieces are.</p>"
        )
        columns.append("FMD")
        for row, standing in zip(rows, evaluation.standings, strict=True):
            row.append("" if standing.published is None else f"{standing.published:.1f}")
    return about + _table(columns, [[escape(cell) for cell in row] for row in rows])


def _distance(standing: Standing) -> tuple[str, str]:
    """The distance and its p, in words; of the reference itself there are none."""
    if standing.distance is not None:
        return f"{standing.distance.value:.2f}", _p(standing.distance.p)
    return ("too few pieces", "–") if standing.differences else ("", "")


def _pieces(sounds: Mapping[str, Sequence[Sounding]]) -> str:
    sections = "".join(
        f'<h3>{escape(name)}</h3><div class="pieces">{"".join(map(player, pieces))}</div>'
        for name, pieces in sounds.items()
    )
    return (
        "<h2>Listen</h2><p>Pieces as they came, none chosen. A click on a roll plays from there.</p>"
        + sections
    )


def _likelihoods(evaluation: Evaluation) -> str:
    fitted = [(standing.entrant.name, standing.fit) for standing in evaluation.others if standing.fit]
    if not fitted:
        return ""
    about = (
        "<h2>Likelihood</h2><p>How likely the pieces of the first set are under each model: less is better. "
        "Notes, frames and tokens are units that cannot be compared with one another. Nats a quarter note "
        "can, between models that read the same of a piece; what a model does not read costs it nothing. "
        "<em>Coverage</em>: share of the units that the model can draw at all, which alone count. In "
        "brackets the 95 % bootstrap interval over pieces.</p>"
    )
    return about + _table(
        ("model", "unit", "nats a unit", "nats a quarter", "coverage"),
        [[escape(name), *_fit(fit)] for name, fit in fitted],
    )


def _fit(fit: Fit) -> list[str]:
    def cell(value: float, ends: tuple[float, float]) -> str:
        return f"{value:.3f}<small>[{ends[0]:.3f}, {ends[1]:.3f}]</small>"

    return [
        fit.unit,
        cell(fit.nats, fit.interval),
        cell(fit.per_quarter, fit.per_quarter_interval),
        f"{fit.coverage:.1%}",
    ]


def _originality(evaluation: Evaluation) -> str:
    about = (
        "<h2>Originality</h2><p>The longest run of each piece that is also in a training piece of the first "
        "set's corpus, in any key, with small edits, in quarter notes. People share runs too: what is "
        f"longer than theirs is worth a look. A percentile asks for {FEWEST_PEOPLE} pieces.</p>"
    )
    head = ("set", "median", "95th percentile", "longest", "also in")
    return about + _table(head, [_shared(standing) for standing in evaluation.standings])


def _shared(standing: Standing) -> list[str]:
    runs = standing.measures[SHARED]
    at = int(np.argmax(runs))
    match = standing.shared[at]
    where = f"{standing.entrant.labels[at]}: {there(match)}" if match else "–"
    high = _number(float(np.quantile(runs, HIGH))) if len(runs) >= FEWEST_PEOPLE else "–"
    return [
        escape(standing.entrant.name),
        _number(float(np.median(runs))),
        high,
        _number(float(runs[at])),
        escape(where),
    ]


def _measures(evaluation: Evaluation) -> str:
    about = (
        "<h2>Measures</h2><p>Of each piece; here the mean over the pieces of a set, with its 95 % bootstrap "
        "interval, and each piece as a dot. Coloured where the set differs from the first one (Mann–Whitney "
        f"test, corrected for all measures by Holm, under {SIGNIFICANT:g}).</p>"
    )
    few = [escape(one.entrant.name) for one in evaluation.others if not evaluation.tells(one)]
    if few:
        about += f"<p><strong>Too few pieces for any measure to differ: {', '.join(few)}.</strong></p>"
    head = ("measure", *(standing.entrant.name for standing in evaluation.standings))
    body = "".join(_measure(name, evaluation.standings) for name in evaluation.reference.measures)
    return about + _framed(map(escape, head), body)


def _measure(name: str, standings: Iterable[Standing]) -> str:
    standings = tuple(standings)
    every = np.concatenate([standing.measures[name] for standing in standings])
    every = every[~np.isnan(every)]
    title = TITLES.get(name, name.replace("_", " "))
    if not len(every):
        return ""
    ends = scale(every.tolist())
    return f'<tr><th scope="row">{title}</th>{"".join(_cell(name, s, ends) for s in standings)}</tr>'


def _cell(name: str, standing: Standing, ends: tuple[float, float]) -> str:
    values = standing.measures[name]
    values = values[~np.isnan(values)]
    if not len(values):
        return "<td>–</td>"
    mean = standing.means[name]
    apart = name in standing.differences and standing.differences[name].is_significant
    told = f"{_number(mean.value)}<small>[{_number(mean.low)}, {_number(mean.high)}]</small>"
    drawing = strip(values.tolist(), mean.value, (mean.low, mean.high), ends)
    return f"<td{' class=apart' if apart else ''}>{told}{drawing}</td>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return _framed(head, "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows))


def _framed(head: Iterable[str], body: str) -> str:
    """Rows of a table under its head; a wide one scrolls by itself."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _p(p: float) -> str:
    return "< 0.01" if p < 0.01 else f"{p:.2f}"
