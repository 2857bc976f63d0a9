"""Pictures of a listening test, as SVG: those that the papers show, with intervals.

Huang and Wu's figure 9 (votes of each listener, histogram of ratings), figures 1 to 5 of Banić et al.
(answers to "by a machine?", means of several aspects), and who won against whom. Matplotlib is imported by
what draws.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cadenza.listening.summaries import Share, Summary
from cadenza.listening.trials import Floats, Ratings, Votes
from cadenza.plot import BLUE, HAIRLINE, INK, LINES, ORANGE, PAPER, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 8.0
"""Inches across."""
STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "cadenza", "font.family": "sans-serif"}
"""Text stays text, and the same figures give the same file."""
MARKERS = "osD^vP"


def rating_histogram(ratings: Ratings) -> str:
    """How often each rating was given, a bar for each system."""
    levels = np.arange(ratings.lowest, ratings.highest + 1)
    figure, axes = _chart(3.2)
    wide = 0.8 / len(ratings.systems)
    for s, name in enumerate(ratings.systems):
        answered = ratings.answered(s)
        shares = (answered[:, None] == levels).mean(axis=0)
        axes.bar(levels - 0.4 + wide * (s + 0.5), shares, wide * 0.9, color=_colour(s), label=name)
    axes.set_xticks(levels, [str(level) for level in levels])
    axes.set_ylabel("share of the answers", color=QUIET)
    _legend(axes)
    return _svg(figure)


def vote_matrix(ratings: Ratings) -> str:
    """Each listener's mean answer to each system, darker where higher; listeners from kind to strict."""
    means = ratings.per_listener
    order = np.argsort(-np.nan_to_num(np.nanmean(ratings.values, axis=1)), kind="stable")
    return _matrix(means[order], ratings.systems, "listeners", (ratings.lowest, ratings.highest))


def answer_bars(ratings: Ratings) -> str:
    """Of each clip, who said yes and who said no, under its system."""
    yes = np.nansum(ratings.values, axis=0)
    no = (~np.isnan(ratings.values)).sum(axis=0) - yes
    rows = np.arange(len(ratings.clips)) + ratings.system_of * 0.6
    figure, axes = _chart(0.8 + 0.24 * float(rows.max() + 1), left=0.3)
    axes.barh(rows, yes, 0.8, color=BLUE[1], label="yes")
    axes.barh(rows, no, 0.8, left=yes, color=ORANGE[0], label="no")
    axes.set_yticks(rows, [_short(clip) for clip in ratings.clips])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set_xlabel("listeners", color=QUIET)
    _legend(axes)
    return _svg(figure)


def means_with_intervals(
    questions: Sequence[str], summaries: Sequence[Sequence[Summary | Share]], ends: tuple[int, int]
) -> str:
    """Means by question and system with their 95 % intervals; `summaries` has a row for each question."""
    systems = list(dict.fromkeys(one.system for row in summaries for one in row))
    figure, axes = _chart(3.2)
    for q, row in enumerate(summaries):
        for one in row:
            s = systems.index(one.system)
            x = q + 0.7 * ((s + 0.5) / len(systems) - 0.5)
            axes.vlines(x, one.low, one.high, color=_colour(s), linewidth=2)
            label = one.system if q == 0 else None
            axes.plot(x, one.mean, MARKERS[s % len(MARKERS)], color=_colour(s), label=label)
    axes.set_xticks(range(len(questions)), questions)
    axes.set_xlim(-0.5, len(questions) - 0.5)
    axes.set_ylim(ends[0] - 0.05 * (ends[1] - ends[0]), ends[1] + 0.05 * (ends[1] - ends[0]))
    axes.set_ylabel("mean, 95 % interval", color=QUIET)
    _legend(axes)
    return _svg(figure)


def win_matrix(votes: Votes) -> str:
    """How often the row was preferred to the column, of all votes between them."""
    wins, neither = votes.counts[..., 0], votes.counts[..., 1]
    met = wins + wins.T + neither
    shares = np.divide(wins, met, out=np.full(wins.shape, np.nan), where=met > 0)
    return _matrix(shares, votes.systems, "preferred", (0, 1), votes.systems)


def _matrix(
    values: Floats, columns: Sequence[str], ylabel: str, ends: tuple[int, int], rows: Sequence[str] = ()
) -> str:
    """Cells with their numbers, darker where higher."""
    from matplotlib.colors import LinearSegmentedColormap

    figure, axes = _chart(0.9 + 0.24 * len(values) + 0.3 * bool(rows), left=0.3 if rows else 0.1)
    shades = LinearSegmentedColormap.from_list("answers", [PAPER, BLUE[0], BLUE[1]])
    axes.imshow(values, cmap=shades, vmin=ends[0], vmax=ends[1], aspect="auto")
    middle = (ends[0] + ends[1]) / 2 + (ends[1] - ends[0]) / 6
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            dark = PAPER if value > middle else INK
            text = f"{value:.2f}".rstrip("0").rstrip(".")
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=dark)
    axes.set_xticks(range(len(columns)), [_short(name) for name in columns])
    axes.set_yticks(range(len(rows)), [_short(name) for name in rows])
    axes.set_ylabel(ylabel, color=QUIET)
    axes.grid(visible=False)
    return _svg(figure)


def _colour(index: int) -> str:
    return LINES[index % len(LINES)]


def _short(name: str) -> str:
    """A name that leaves room for the picture."""
    return name if len(name) <= 32 else f"{name[:31]}…"


def _chart(height: float, left: float = 0.1) -> tuple[Figure, Axes]:
    """A quiet page with one pair of axes; `left` is the share that names take."""
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, height), facecolor=PAPER)
    below, above = 0.5 / height, 0.4 / height
    axes = figure.add_axes((left, below, 0.98 - left, 1 - below - above))
    axes.tick_params(colors=QUIET, length=0, labelsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(HAIRLINE)
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _legend(axes: Axes) -> None:
    """Above the picture, in a row."""
    handles, names = axes.get_legend_handles_labels()
    across = min(len(names), 4)
    style: dict[str, Any] = {"frameon": False, "labelcolor": INK, "fontsize": 9, "borderaxespad": 0.2}
    axes.legend(
        handles, [_short(n) for n in names], loc="lower left", bbox_to_anchor=(0, 1), ncols=across, **style
    )


def _svg(figure: Figure) -> str:
    import matplotlib as mpl

    page = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(page, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return page.getvalue()
