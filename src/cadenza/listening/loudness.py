"""How loud sound is: integrated loudness after ITU-R BS.1770, and clips brought to one loudness.

Units. Loudness in LUFS; waveforms of shape (samples, channels) in [-1, 1], 48,000 samples a second.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza import audio

SAMPLE_RATE: Final = 48_000
"""For which the standard prints its coefficients."""
TARGET: Final = -18.0
"""LUFS that clips are brought to."""
PEAK: Final = 10 ** (-1.0 / 20)
"""Highest sample, 1 dB below full scale, for MP3 overshoots a little."""

# ITU-R BS.1770-5, annex 1, tables 1 and 2: the head as a sphere, then a high-pass filter. Numerator first.
FILTERS: Final = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585),
    (1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621),
)
OFFSET: Final = -0.691
BLOCK: Final = SAMPLE_RATE * 4 // 10
"""Samples that are measured together, 400 ms; a block begins every quarter of one."""
SILENT: Final = -70.0
"""LUFS below which a block does not count."""
QUIET: Final = -10.0
"""LU below the loudness of the rest at which it does not count either."""

CLOSE: Final = 0.05
"""LU from the target that are near enough."""


def loudness(samples: NDArray[np.float32]) -> float:
    """Integrated loudness in LUFS of one or two channels; minus infinity for silence.

    Sound that is shorter than a block of 400 ms is measured as if silence followed it.
    """
    powers = _block_powers(samples)
    powers = powers[_decibels(powers) > SILENT]
    if not powers.size:
        return -np.inf
    threshold = _decibels(powers.mean()) + QUIET
    return float(_decibels(powers[_decibels(powers) > threshold].mean()))


def _block_powers(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Weighted power of each block, all channels together."""
    from scipy import signal

    silence = np.zeros((max(0, BLOCK - len(samples)), samples.shape[1]))
    padded: NDArray[np.float64] = np.concatenate([samples.astype(np.float64), silence])
    weighted: Any = signal.sosfilt(np.array(FILTERS), padded, axis=0)
    step = BLOCK // 4
    steps = len(weighted) // step
    power = (weighted[: steps * step] ** 2).sum(axis=1).reshape(steps, step).sum(axis=1)
    return np.convolve(power, np.ones(4), mode="valid") / BLOCK


def _decibels(power: Any) -> Any:
    with np.errstate(divide="ignore"):
        return OFFSET + 10 * np.log10(power)


def levelled(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sound that is not silent at the target's loudness, its peaks turned down where they are above `PEAK`.

    Turning them down makes it softer, so it is then raised again, some times; music that is all peaks stays
    a little below the target.
    """
    level = np.float32(1.0)
    limited = samples
    for _ in range(8):
        missing = TARGET - loudness(limited)
        if abs(missing) < CLOSE:
            break
        level *= np.float32(10 ** (missing / 20))
        limited = _limited(samples * level)
    return limited


def _limited(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    scale = np.float32(audio.CEILING / PEAK)
    mix = np.ascontiguousarray(samples.T) * scale
    audio.limit(mix, SAMPLE_RATE)
    return np.asarray(mix.T / scale, np.float32)
