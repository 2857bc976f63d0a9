"""Pictures: piano rolls of scores, curves and histograms of results, as PNG.

Matplotlib is imported by the functions that draw, never by this module, and never through pyplot: nothing
here opens a window or keeps a figure alive.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.files import atomic_path
from cadenza.score import Notes, Score, among

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#22223b"
QUIET: Final = "#6b7080"
HAIRLINE: Final = "#d9dce3"
PAPER: Final = "#ffffff"
BLACK_KEYS: Final = "#f5f6f9"
BAR: Final = "#b9bdc9"
PEDAL: Final = "#a8adba"

BLUE: Final = ("#bcd4ea", "#0072b2", "#053a5c")
"""From soft to loud: the colour of a score, and of a prompt. It and orange can be told apart by everyone."""
ORANGE: Final = ("#f7cfae", "#d55e00", "#762f00")
"""From soft to loud: the colour of what was composed after a prompt."""
LINES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Colours of curves (Okabe and Ito), told apart by people of every colour vision."""

WIDTH: Final = 13.0
"""Inches across a picture."""
DPI: Final = 120
MOST_SYSTEMS: Final = 40
"""Longer pieces get more bars in a system, so that no picture grows beyond sense."""
BLACK: Final = (1, 3, 6, 8, 10)
"""Pitch classes of the black keys."""


@dataclass(frozen=True)
class _System:
    """One row of a piano roll: its bars, and what of the score's pitches it shows."""

    lines: NDArray[np.int64]
    """Ticks of the bar lines from its first to the one after its last bar."""
    first_bar: int
    """Number of its first bar, counted from 1."""
    span: int
    """Ticks across: the same in all systems, so that a quarter note is equally long in each."""
    lowest: int
    highest: int
    beats: bool
    """Whether there is room for lines between the bar lines."""


@dataclass(frozen=True)
class Panel:
    """Notes to be laid over others, on a time axis that all share."""

    title: str
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    pitches: NDArray[np.int64]
    same: NDArray[np.bool_]
    """(notes,): which are shown as shared."""
    lines: tuple[tuple[float, str], ...]
    """Where bars begin, and their numbers."""


def piano_roll(
    score: Score,
    path: str | os.PathLike[str],
    *,
    added: Notes | None = None,
    title: str = "",
    bars_per_system: int = 16,
) -> None:
    """A score as a PNG: notes in time and pitch, darker where louder, in rows of `bars_per_system` bars.

    Notes are blue, but those that were added orange, with a line where these begin after others.
    Below each row stand the velocities, and the sustain pedal where there is one. Drums are left out. A score
    without notes gives a picture that says so. Raises CadenzaError where the file cannot be written.
    """
    title = title.encode("utf-8", "replace").decode()  # the name of a file may hold what no text does
    notes = score.pitched_notes
    if not len(notes):
        _save(_empty(title), path)
        return
    systems = _systems(score, notes, bars_per_system)
    pedal = np.concatenate([score.pedal_intervals(channel) for channel in range(16)])
    figure, axes = _page(systems, title, len(pedal) > 0)
    for system, (roll, strip, foot) in zip(systems, axes, strict=True):
        _draw_pitches(roll, system.lowest, system.highest)
        _draw_bars(score, system, roll)
        _draw_notes(roll, strip, notes, system, added)
        if foot is not None:
            _draw_pedal(foot, pedal, system)
    _legend(figure, added)
    _save(figure, path)


def laid_over(panels: Sequence[Panel], path: str | os.PathLike[str]) -> None:
    """Piano rolls one above the other, one time for all, shared notes orange and others blue, as a PNG.

    Raises CadenzaError where the file cannot be written.
    """
    heights = [float(np.clip(0.075 * (np.ptp(panel.pitches) + 7), 1.3, 3.4)) for panel in panels]
    above, gap = 0.5, 0.75
    height = above + sum(heights) + gap * len(panels)
    figure = _figure(height)
    begin = min(int(panel.starts.min()) for panel in panels)
    end = max(int(panel.ends.max()) for panel in panels)
    top = above
    for panel, size in zip(panels, heights, strict=True):
        top += gap - 0.3
        place = (0.55 / WIDTH, 1 - (top + size) / height, (WIDTH - 0.85) / WIDTH, size / height)
        _draw_panel(figure.add_axes(place), panel, begin, end)
        top += size + 0.3
    _swatches(figure, [("shared", ORANGE), ("other notes", BLUE)])
    _save(figure, path)


def curves(
    series: Mapping[str, Sequence[tuple[float, float]]],
    path: str | os.PathLike[str],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
) -> None:
    """Curves of (x, y) points by name, as a PNG with a legend. Points that are not finite leave gaps.

    Raises CadenzaError where the file cannot be written.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = _chart(title, xlabel, ylabel)
    for i, (name, points) in enumerate(series.items()):
        table = np.array(points, dtype=np.float64).reshape(-1, 2)
        style = ("-", "--", ":")[i // len(LINES) % 3]
        axes.plot(
            table[:, 0], table[:, 1], color=LINES[i % len(LINES)], linestyle=style, linewidth=1.8, label=name
        )
    if series:
        axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # steps or epochs
    _save(figure, path)


def histogram(
    values: Mapping[str, Sequence[float]],
    path: str | os.PathLike[str],
    *,
    title: str,
    xlabel: str,
    ylabel: str = "share",
    bins: int = 30,
) -> None:
    """How often values occur, by name, as a PNG: outlines on one set of bins, each name's shares adding to 1.

    Raises CadenzaError where the file cannot be written.
    """
    figure, axes = _chart(title, xlabel, ylabel)
    everything = np.concatenate([np.zeros(0), *(np.asarray(v, np.float64) for v in values.values())])
    edges = np.histogram_bin_edges(everything, bins) if everything.size else np.linspace(0, 1, bins + 1)
    for i, (name, own) in enumerate(values.items()):
        counts = np.histogram(np.asarray(own, np.float64), edges)[0]
        colour = LINES[i % len(LINES)]
        axes.stairs(counts / max(1, counts.sum()), edges, color=colour, linewidth=1.6, label=name)
        axes.stairs(counts / max(1, counts.sum()), edges, color=colour, alpha=0.15, fill=True)
    if values:
        axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    _save(figure, path)


# ---------------------------------------------------------------- what a piano roll shows


def _systems(score: Score, notes: Notes, bars: int) -> list[_System]:
    """The rows of a picture: so many bars each, or more where there would be too many rows."""
    lines = score.bar_lines()
    lines = lines if len(lines) > 1 else score.bar_lines(1)
    bars = max(1, bars, -(-(len(lines) - 1) // MOST_SYSTEMS))
    cuts = [lines[first : first + bars + 1] for first in range(0, len(lines) - 1, bars)]
    span = max(int(cut[-1] - cut[0]) for cut in cuts)
    lowest, highest = int(notes["pitch"].min()), int(notes["pitch"].max())
    # An octave at the least, else a melody of three notes is a picture of three bricks.
    spare = max(2, (13 - (highest - lowest)) // 2)
    low, high, beats = lowest - spare, highest + spare, max(map(len, cuts)) <= 9
    return [_System(cut, 1 + i * bars, span, low, high, beats) for i, cut in enumerate(cuts)]


def _shades(velocities: NDArray[np.integer], ramp: tuple[str, ...]) -> NDArray[np.float64]:
    """Colours of velocities along a ramp from soft to loud: shape (notes, 3), red, green, blue in 0-1."""
    stops = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in ramp])
    places = np.linspace(10, 120, len(ramp))
    return np.stack([np.interp(velocities, places, stops[:, i]) for i in range(3)], axis=1)


def _boxes(left: Any, right: Any, low: Any, high: Any) -> Any:
    """Corners of rectangles, from arrays or numbers: shape (boxes, 4, 2)."""
    left, right, low, high = np.broadcast_arrays(np.asarray(left, np.float64), right, low, high)
    return np.stack([np.stack([left, left, right, right], 1), np.stack([low, high, high, low], 1)], axis=2)


# ---------------------------------------------------------------- drawing

_Rows = list[tuple["Axes", "Axes", "Axes | None"]]


def _figure(height: float) -> Figure:
    """A page `height` inches tall, to be drawn by Agg."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, height), DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def _page(systems: list[_System], title: str, pedal: bool) -> tuple[Figure, _Rows]:
    """A page with three axes for each system: notes, velocities, and the pedal if there is one."""
    keys = systems[0].highest - systems[0].lowest + 1
    roll, strip, foot = float(np.clip(0.055 * keys, 1.3, 3.2)), 0.4, 0.09 if pedal else 0.0
    above, gap, below = 0.75, 0.42, 0.3
    each = roll + strip + foot + gap
    height = above + len(systems) * each - gap + below + 0.1
    figure = _figure(height)
    figure.text(
        0.55 / WIDTH,
        1 - 0.36 / height,
        title,
        color=INK,
        fontsize=14,
        weight="bold",
        va="center",
        parse_math=False,
    )

    def axes(system: _System, top: float, size: float) -> Axes:
        wide = (WIDTH - 0.85) * int(system.lines[-1] - system.lines[0]) / system.span
        made = figure.add_axes((0.55 / WIDTH, 1 - (top + size) / height, wide / WIDTH, size / height))
        made.set_xlim(float(system.lines[0]), float(system.lines[-1]))
        made.tick_params(length=0, labelsize=7, colors=QUIET, pad=3)
        made.spines[:].set_visible(False)
        made.set_xticks([])
        return made

    rows: _Rows = []
    for i, system in enumerate(systems):
        top = above + i * each
        last = axes(system, top + roll + strip + 0.08, foot) if pedal else None
        rows.append((axes(system, top, roll), axes(system, top + roll + 0.03, strip), last))
    return figure, rows


def _draw_panel(roll: Axes, panel: Panel, begin: int, end: int) -> None:
    """The notes of a panel between the ends of the shared time axis, its bar lines and title."""
    from matplotlib.collections import PolyCollection

    roll.set_xlim(begin, end)
    roll.set_xticks([])
    roll.tick_params(length=0, labelsize=7, colors=QUIET, pad=3)
    roll.spines[:].set_visible(False)
    _draw_pitches(roll, int(panel.pitches.min()) - 3, int(panel.pitches.max()) + 3)
    ramp = np.where(panel.same[:, None], _shades(np.array([65]), ORANGE), _shades(np.array([40]), BLUE))
    boxes = _boxes(panel.starts, panel.ends, panel.pitches - 0.42, panel.pitches + 0.42)
    roll.add_collection(PolyCollection(boxes, facecolors=ramp, edgecolors=PAPER, linewidths=0.5, zorder=3))
    for place, number in panel.lines:
        roll.axvline(place, color=BAR, linewidth=0.8, zorder=1)
        roll.annotate(
            number,
            (place, roll.get_ylim()[1]),
            (1, 3),
            textcoords="offset points",
            fontsize=7,
            color=QUIET,
        )
    title = panel.title.encode("utf-8", "replace").decode()  # the name of a file may hold what no text does
    roll.set_title(title, loc="left", color=INK, fontsize=11, weight="bold", pad=14, parse_math=False)


def _draw_pitches(roll: Axes, lowest: int, highest: int) -> None:
    """The rows of the black keys, a line and a name at every C."""
    from matplotlib.collections import PolyCollection

    roll.set_ylim(lowest - 0.5, highest + 0.5)
    pitches = np.arange(lowest, highest + 1)
    black = pitches[np.isin(pitches % 12, BLACK)]
    boxes = _boxes(*roll.get_xlim(), black - 0.5, black + 0.5)
    roll.add_collection(PolyCollection(boxes, facecolors=BLACK_KEYS, linewidths=0, zorder=0))
    octaves = pitches[pitches % 12 == 0].tolist()
    roll.hlines([c - 0.5 for c in octaves], *roll.get_xlim(), color=HAIRLINE, linewidth=0.8, zorder=1)
    roll.set_yticks(octaves, [f"C{c // 12 - 1}" for c in octaves])


def _draw_bars(score: Score, system: _System, roll: Axes) -> None:
    """Bar lines with their numbers, and beats where there is room for them."""
    roll.vlines(system.lines, *roll.get_ylim(), color=BAR, linewidth=0.8, zorder=1, clip_on=False)
    if system.beats:
        roll.vlines(_beats(score, system), *roll.get_ylim(), color=HAIRLINE, linewidth=0.5, zorder=1)
    every = max(1, -(-(len(system.lines) - 1) // 16))
    for i in range(0, len(system.lines) - 1, every):
        roll.annotate(
            str(system.first_bar + i),
            (float(system.lines[i]), system.highest + 0.5),
            (1, 3),
            textcoords="offset points",
            fontsize=7,
            color=QUIET,
        )


def _beats(score: Score, system: _System) -> list[int]:
    """Ticks of the beats between the bar lines."""
    beats: list[int] = []
    for start, end in zip(system.lines[:-1].tolist(), system.lines[1:].tolist(), strict=True):
        beat = max(1, score.ticks_per_quarter * 4 // score.metre_at(start).denominator)
        beats += range(start + beat, end, beat)
    return beats


def _draw_notes(roll: Axes, strip: Axes, notes: Notes, system: _System, added: Notes | None) -> None:
    """The notes of a system as rectangles, and their velocities as stems below."""
    from matplotlib.collections import LineCollection, PolyCollection

    begin, end = int(system.lines[0]), int(system.lines[-1])
    seen = notes[(notes["start"] < end) & (notes["end"] > begin)]
    seen = seen[np.argsort(seen["velocity"], kind="stable")]
    start, stop, pitch = seen["start"], seen["end"], seen["pitch"].astype(np.float64)
    colours = _shades(seen["velocity"], BLUE)
    if added is not None:
        new = among(seen, added)
        colours = np.where(new[:, None], _shades(seen["velocity"], ORANGE), colours)
    stop = np.maximum(stop, start + system.span / 1000)
    boxes = _boxes(start, stop, pitch - 0.42, pitch + 0.42)
    roll.add_collection(PolyCollection(boxes, facecolors=colours, edgecolors=PAPER, linewidths=0.3, zorder=3))
    own = (start >= begin) & (start < end)
    stems = _boxes(start, start, 0, seen["velocity"])[own][:, :2]
    strip.add_collection(LineCollection(stems, colors=colours[own], linewidths=1.3, zorder=3))
    strip.set_ylim(0, 127)
    strip.set_yticks([50], ["velocity"])
    strip.hlines(0, begin, end, color=BAR, linewidth=0.8, clip_on=False)
    first = int(added["start"].min()) if added is not None and len(added) else begin
    if int(notes["start"].min()) < first and begin < first < end:
        roll.axvline(first, color=INK, linewidth=1.1, linestyle=(0, (3, 2)), zorder=4)


def _draw_pedal(foot: Axes, pedal: NDArray[np.int64], system: _System) -> None:
    """The times at which the pedal is down."""
    from matplotlib.collections import PolyCollection

    seen = pedal[(pedal[:, 0] < system.lines[-1]) & (pedal[:, 1] > system.lines[0])]
    boxes = _boxes(seen[:, 0], seen[:, 1] - system.span / 1500, 0.15, 0.85)
    foot.add_collection(PolyCollection(boxes, facecolors=PEDAL, linewidths=0, zorder=3))
    foot.set_ylim(0, 1)
    foot.set_yticks([0.5], ["pedal"])


def _legend(figure: Figure, added: Notes | None) -> None:
    """What the colours mean: the hues, each from soft to loud."""
    names = [("notes", BLUE)] if added is None else [("given", BLUE), ("added", ORANGE)]
    _swatches(figure, [(f"{name}, soft to loud", ramp) for name, ramp in names])


def _swatches(figure: Figure, names: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    """Ramps of colour and what they mean, at the top right."""
    height = figure.get_figheight()
    right = WIDTH - 0.3
    for name, ramp in reversed(names):
        swatch = figure.add_axes(((right - 0.9) / WIDTH, 1 - 0.42 / height, 0.9 / WIDTH, 0.12 / height))
        swatch.imshow(_shades(np.arange(1, 128), ramp)[None], aspect="auto")
        swatch.set_axis_off()
        figure.text(
            (right - 0.98) / WIDTH,
            1 - 0.36 / height,
            name,
            color=QUIET,
            fontsize=8,
            ha="right",
            va="center",
        )
        right -= 2.6


def _empty(title: str) -> Figure:
    """A small page that says that there is nothing to see."""
    figure = _figure(2.0)
    figure.text(
        0.55 / WIDTH, 0.82, title, color=INK, fontsize=14, weight="bold", va="center", parse_math=False
    )
    figure.text(0.5, 0.45, "There are no notes in this score.", color=QUIET, fontsize=12, ha="center")
    return figure


def _chart(title: str, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    """A page with one pair of axes, quiet and labelled."""
    figure = _figure(5.2)
    figure.set_figwidth(8.0)
    axes = figure.add_axes((0.1, 0.12, 0.86, 0.76))
    axes.set_title(title, loc="left", color=INK, fontsize=13, weight="bold", pad=12, parse_math=False)
    axes.set_xlabel(xlabel, color=QUIET)
    axes.set_ylabel(ylabel, color=QUIET)
    axes.tick_params(colors=QUIET, length=0, labelsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(HAIRLINE)
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a page as PNG: whole or not at all."""
    with atomic_path(path) as beside, warnings.catch_warnings():
        # A title in a script that the font lacks is drawn as boxes; that is no news to the user.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(beside, format="png", dpi=DPI, facecolor=PAPER)
