"""Values of several sets on one line each, as SVG: a dot a piece, and the mean with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

WIDTH, HEIGHT = 240, 26
EDGE: Final = 8
"""Pixels beyond the outermost values."""


def scale(values: Sequence[float]) -> tuple[float, float]:
    """The ends of a line on which all of some values lie; around them where they are all alike."""
    low, high = float(np.min(values)), float(np.max(values))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def strip(
    values: Sequence[float], mean: float, interval: tuple[float, float], ends: tuple[float, float]
) -> str:
    """One set on a line between `ends`."""
    low, high = ends

    def x(value: float) -> float:
        return EDGE + (value - low) / (high - low) * (WIDTH - 2 * EDGE)

    middle = HEIGHT / 2
    dots = "".join(f'<circle cx="{x(value):.1f}" cy="{middle}" r="3"/>' for value in values)
    first, last = (x(end) for end in interval)
    return (
        f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">'
        f'<line class="between" x1="{EDGE}" x2="{WIDTH - EDGE}" y1="{middle}" y2="{middle}"/>{dots}'
        f'<path class="mean" d="M{first:.1f} {middle}H{last:.1f}M{x(mean):.1f} 4V{HEIGHT - 4}"/></svg>'
    )
